"""A recording is prepared in one way, whatever its rate, level, offset, channels and silence."""

from dataclasses import replace

import numpy as np
import pytest

from digitlab import audio, preparation, voices
from digitlab.preparation import Preparation, cut_to_fit, find_word, prepare, summarise

SYSTEM = Preparation(rate=8000, n_samples=8192)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def seven():
    return voices.say(7, rate=8000)


def in_silence(word, before_s=1.2, after_s=1.0, noise_db=None):
    """Put a word into 3 s of silence, or of noise that much below it."""
    before, after = (np.zeros(round(seconds * 8000), np.float32) for seconds in (before_s, after_s))
    samples = np.concatenate([before, word, after])
    if noise_db is None:
        return samples
    level = np.sqrt(np.mean(word**2)) * 10 ** (-noise_db / 20)
    return samples + RNG.normal(0, level, len(samples)).astype(np.float32)


def likeness(one, other):
    """Return the largest correlation of two clips, whatever lies between their beginnings."""
    correlation = np.correlate(one, other, "full").max()
    return correlation / np.sqrt((one**2).sum() * (other**2).sum())


def test_a_short_recording_is_padded_and_scaled(seven):
    clip = prepare(seven, 8000, SYSTEM)
    assert clip.samples.shape == (8192,) and clip.samples.dtype == np.float32
    assert np.abs(clip.samples).max() == 1
    padded = audio.fit(audio.peak_normalize(seven), 8192)
    assert np.array_equal(clip.samples, padded)
    assert clip.describe() == (f"{clip.padded_s:.2f} s of zeros on both sides", "scaled to peak 1")


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_another_rate_gives_nearly_the_same_clip(seven, rate):
    plain = prepare(seven, 8000, SYSTEM).samples
    other = prepare(audio.resample(seven, 8000, rate), rate, SYSTEM)
    assert likeness(plain, other.samples) > 0.98
    assert f"resampled from {rate:,} to 8,000 Hz" in other.describe()


@pytest.mark.parametrize("noise_db", [None, 40, 30, 20])
@pytest.mark.parametrize("before_s", [0.0, 0.3, 1.2, 2.5])
def test_the_word_is_found_wherever_it_stands(seven, before_s, noise_db):
    recording = in_silence(seven, before_s, 3 - before_s, noise_db)
    start, stop = find_word(recording, 8000)
    onset, end = before_s * 8000, before_s * 8000 + len(seven)
    assert -1200 < start - onset < 1200 and -1600 < stop - end < 1600
    clip = prepare(recording, 8000, SYSTEM)
    assert clip.is_cut and clip.stands_out and not clip.lost_s
    assert likeness(clip.samples, seven) > 0.9


def test_a_click_does_not_win_over_the_word(seven):
    recording = in_silence(seven / 4, 1.5, 1.0, noise_db=30)
    recording[2000:2040] = 1
    start, stop = find_word(recording, 8000)
    assert start > 8000 and stop < 12000 + len(seven) + 2000


def test_a_gap_before_the_last_consonant_belongs_to_the_word():
    vowel, burst = np.sin(np.arange(2400) / 3) / 2, np.sin(np.arange(400)) / 4
    word = np.concatenate([vowel, np.zeros(1000), burst])  # as "eight" has it
    start, stop = find_word(in_silence(word), 8000)
    assert stop - start > len(word)


def test_the_background_stays_where_a_system_was_trained_with_it(seven):
    recording = in_silence(seven, 1.2, 1.0, noise_db=30)
    with_background = prepare(recording, 8000, replace(SYSTEM, background=True))
    assert not with_background.padded_s and likeness(with_background.samples, seven) > 0.9
    assert np.abs(with_background.samples[:100]).max() > 0


def test_noise_alone_is_said_to_hold_no_word():
    clip = prepare(RNG.normal(0, 0.1, 24000), 8000, SYSTEM)
    assert not clip.stands_out
    assert any("no word stands out" in phrase for phrase in clip.describe())


def test_the_loudest_stretch_of_a_sound_without_pauses_is_taken():
    sound = RNG.normal(0, 0.1, 24000)
    sound[12000:20000] *= 1.5
    clip = prepare(sound, 8000, replace(SYSTEM, normalize=False))
    assert likeness(clip.samples, sound[12000:20000].astype(np.float32)) > 0.9


def test_what_is_lost_of_a_long_word_is_said():
    vowel = np.sin(np.arange(16000) / 3) / 2
    clip = prepare(in_silence(vowel), 8000, SYSTEM)
    assert clip.lost_s == pytest.approx(1.0, abs=0.15)
    assert any("of the word itself cut off" in phrase for phrase in clip.describe())


@pytest.mark.parametrize("offset", [0.05, 0.1, -0.2])
def test_a_dc_offset_is_removed_and_said(seven, offset):
    plain = prepare(0.5 * seven, 8000, SYSTEM)
    moved = prepare(0.5 * seven + offset, 8000, SYSTEM)
    assert np.allclose(plain.samples, moved.samples, atol=0.02)
    assert any("DC offset" in phrase for phrase in moved.describe())
    assert not any("DC offset" in phrase for phrase in plain.describe())


@pytest.mark.parametrize("drift", [np.linspace(-0.1, 0.1, 24000), np.repeat([0, 0.1], 12000)])
def test_an_offset_that_drifts_is_removed_and_said(seven, drift):
    recording = in_silence(0.5 * seven, 0.6, 3)[:24000]
    plain = prepare(recording, 8000, SYSTEM)
    moved = prepare(recording + drift.astype(np.float32), 8000, SYSTEM)
    assert likeness(plain.samples, moved.samples) > 0.95
    assert any("DC offset" in phrase for phrase in moved.describe())


@pytest.mark.parametrize("seconds", [0.9, 1.0, 1.02, 1.1])
def test_noise_around_a_word_is_cut_off_however_long_the_recording_is(seven, seconds):
    recording = in_silence(seven[:4000], 0.02, seconds - 0.02, noise_db=30)[: int(seconds * 8000)]
    clip = prepare(recording, 8000, SYSTEM)
    assert np.count_nonzero(clip.samples) < 6500
    kept = prepare(recording, 8000, replace(SYSTEM, background=True))
    assert np.count_nonzero(kept.samples) > min(len(recording), 8192) - 10


def test_integers_and_channels_are_the_same_recording(seven):
    plain = prepare(seven, 8000, SYSTEM).samples
    integers = np.rint(seven * 32767).astype(np.int16)
    stereo = prepare(np.stack([integers, integers], axis=1), 8000, SYSTEM)
    assert np.allclose(plain, stereo.samples, atol=1e-3)
    assert stereo.describe()[0] == "2 channels mixed down to one"


def test_channels_that_cancel_or_differ_are_not_mixed(seven):
    plain = prepare(seven, 8000, SYSTEM).samples
    hiss = RNG.normal(0, np.std(seven) / 3, len(seven))
    for second in (-0.99 * seven, hiss, np.zeros_like(seven)):
        clip = prepare(np.stack([second, seven], axis=1), 8000, SYSTEM)
        assert np.allclose(clip.samples, plain, atol=1e-6)
        assert clip.describe()[0] == "2 channels differ: the loudest was taken"


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 8000)), np.zeros(0), np.zeros((3, 4, 5)), np.full(9, np.nan)]
)
def test_what_is_no_recording_is_refused(samples):
    with pytest.raises(ValueError):
        prepare(samples, 8000, SYSTEM)


def test_silence_stays_zeros():
    clip = prepare(np.zeros(30000), 8000, SYSTEM)
    assert not clip.samples.any()
    assert "means nothing" in clip.describe()[0]


def test_many_recordings_are_summed_up_in_a_line_a_kind(seven):
    long = [cut_to_fit(in_silence(seven), 8000, SYSTEM) for _ in range(3)]
    moved = cut_to_fit(seven + 0.5, 8000, SYSTEM)
    assert summarise([*long, moved]) == (
        "1 of 4 recordings had a DC offset: it was removed.",
        "3 of 4 recordings are longer than the 1.02 s of a clip, or have more than 0.35 s around "
        "the word: each was cut to its word.",
    )
    assert preparation.summarise([]) == ()


def test_a_second_word_is_left_out_and_said():
    seven, three = (audio.peak_normalize(voices.say(digit)) for digit in (7, 3))
    gap = np.zeros(4000, np.float32)
    both = prepare(np.r_[gap, seven, gap, 0.5 * three, gap], 8000, SYSTEM)
    alone = prepare(np.r_[gap, seven, gap], 8000, SYSTEM)
    assert any("2 words found" in phrase for phrase in both.describe())
    assert both.n_left_out == 1 and alone.n_left_out == 0
    inside = np.correlate(both.samples, seven, "valid") / np.dot(seven, seven)
    assert inside.max() > 0.9  # the louder of the two
    click = np.r_[gap, seven, gap, np.ones(80), gap]
    assert prepare(click, 8000, SYSTEM).n_left_out == 0
