"""Normalised log-mel spectrograms, and the spectrograms of other speakers made from them."""

import numpy as np
import pytest

from digitlab import audio, corpora, experiment, features, perturbation, voices
from digitlab.features.normalised import SCALE_DB, mel_filters, power_frames

RATE = 8000
UNCHANGED = {
    "vocal_tract": False,
    "tempo": 1.0,
    "shift_s": 0.0,
    "reverberation": 0.0,
    "response_db": 0.0,
    "band_limits": 0.0,
    "snr_db": None,
    "max_bands": 0,
    "max_frames": 0,
}


@pytest.fixture(scope="module")
def words():
    """Ten digits of one synthetic speaker, (10, 8192)."""
    clips = [audio.peak_normalize(voices.say(digit, 1)) for digit in range(10)]
    return np.stack([audio.fit(clip, 8192) for clip in clips])


@pytest.fixture(scope="module")
def powers(words):
    return power_frames(words, RATE)


def changed(powers, **settings):
    return perturbation.perturb(powers, RATE, 0, **UNCHANGED | settings)


def test_loudness_makes_no_difference(words):
    soft = features.normalised_log_mel(words / 100, RATE)
    assert np.allclose(soft, features.normalised_log_mel(words, RATE), atol=1e-3)


def test_a_microphone_makes_little_difference(words):
    """One that lifts 4 kHz 14 dB above the lowest frequencies, in frames that are loud."""
    brighter = words - 0.67 * np.roll(words, 1, axis=1)
    powers, bright_powers = (power_frames(clips, RATE) for clips in (words, brighter))
    frames = powers.sum(axis=2)
    is_loud = frames > frames.max(axis=1, keepdims=True) / 10
    levels = [10 * np.log10(p @ mel_filters(RATE).T + 1e-9) for p in (powers, bright_powers)]
    in_levels = np.abs(levels[1] - levels[0])[is_loud].mean() / SCALE_DB
    plain, bright = (features.normalised_log_mel(clips, RATE) for clips in (words, brighter))
    assert np.abs(bright - plain)[is_loud].mean() < in_levels / 3


def test_silence_is_zeros():
    assert np.allclose(features.normalised_log_mel(np.zeros((2, 8192)), RATE), 0, atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_lengths_follow_the_rate(rate):
    shape = features.normalised_log_mel(np.ones((1, round(1.024 * rate))), rate).shape
    assert shape == (1, 65, 40)


def test_without_settings_nothing_changes(words, powers):
    plain = features.normalised_log_mel(words, RATE)
    assert np.allclose(changed(powers), plain, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"vocal_tract": True},
        {"tempo": 1.3},
        {"shift_s": 0.1},
        {"reverberation": 1.0},
        {"response_db": 6.0},
        {"band_limits": 1.0},
        {"snr_db": (20, 25)},
        {"max_bands": 10},
        {"max_frames": 20},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_each_setting_changes_something_and_the_word_stays(powers, settings):
    plain, other = changed(powers), changed(powers, **settings)
    assert np.isfinite(other).all() and other.dtype == np.float32
    assert np.abs(other - plain).max() > 0.1
    distances = np.abs(other[:, np.newaxis] - plain).mean(axis=(2, 3))
    assert (distances.argmin(axis=1) == np.arange(10)).mean() >= 0.8


def test_a_seed_gives_the_same_again_and_a_generator_goes_on(powers):
    first, again = (perturbation.perturb(powers, RATE, 7) for _ in range(2))
    assert np.array_equal(first, again)
    rng = np.random.default_rng(7)
    assert np.array_equal(perturbation.perturb(powers, RATE, rng), first)
    assert not np.array_equal(perturbation.perturb(powers, RATE, rng), first)


def test_a_warped_filter_bank_takes_a_higher_formant_for_a_lower_one():
    times = np.arange(8192) / RATE
    low, high = (np.sin(2 * np.pi * f * times)[np.newaxis] for f in (1000, 1200))
    plain = power_frames(low, RATE)[0, 30] @ mel_filters(RATE).T
    warped = power_frames(high, RATE)[0, 30] @ mel_filters(RATE, 1.2).T
    assert plain.argmax() == warped.argmax()


def test_an_echo_decays_and_adds_no_sound_before_the_word():
    click = np.zeros((1, 65, 129), np.float32)
    click[0, 20] = 1
    bands = click @ mel_filters(RATE).T
    echo = perturbation._reverberated(bands, 1.0, np.random.default_rng(0)).sum(axis=2)[0]
    assert not echo[:20].any()
    assert (np.diff(echo[21:]) < 0).all() and echo[21] < echo[20]


def test_noise_has_the_level_that_was_asked_for(powers):
    bands = powers @ mel_filters(RATE).T
    noises = [
        perturbation._noise(bands, (10, 10), np.random.default_rng(seed)) for seed in range(20)
    ]
    loudest = bands.sum(axis=2).max(axis=1)
    ratios = np.array([noise.sum(axis=2).mean(axis=1) / loudest for noise in noises])
    assert np.median(ratios[ratios > 0]) == pytest.approx(0.1, rel=0.15)
    assert 0.5 < (ratios > 0).mean() < 0.9


def test_sounds_without_speech_are_sounds_and_different():
    sounds = perturbation.sounds_without_speech(12, 8192, RATE)
    assert np.allclose(np.abs(sounds).max(axis=1), 1)
    assert len(np.unique(sounds, axis=0)) == 12
    assert np.array_equal(sounds, perturbation.sounds_without_speech(12, 8192, RATE))


# --- in an experiment ---------------------------------------------------------------------------


def test_b1_learns_from_other_spectrograms_in_each_epoch(corpus, monkeypatch):
    made = []
    perturb = perturbation.perturb
    monkeypatch.setattr(
        perturbation, "perturb", lambda *a, **k: made.append(perturb(*a, **k)) or made[-1]
    )
    experiment.run("B1", corpus=corpus, scale="laptop", epochs=2, batch_size=20)
    assert len(made) == 2 and not np.array_equal(*made)


def test_other_corpora_are_trained_on_and_never_tested_on(corpus, monkeypatch):
    own = experiment.plan("B1", corpus=corpus, scale="laptop")
    plan = experiment.plan("B1", corpus=corpus, scale="laptop", also=("voices",))
    [fold] = plan.folds
    assert np.array_equal(fold.test, own.folds[0].test)
    monkeypatch.setattr(corpora, "load", lambda name: corpus)  # 210 clips by the same speakers
    data = experiment.prepare(plan)
    x, y = experiment._with(data.also, (data.x[fold.train], corpus.table["label"][fold.train]))
    assert len(x) == len(y) == len(fold.train) + len(corpus)
    assert np.array_equal(y[-len(corpus) :], corpus.table["label"])


def test_words_that_are_no_digits_become_one_class(corpus, tmp_path):
    voices.write_corpus(tmp_path / "words", "speech_commands", n_speakers=1, n_takes=1)
    words = corpora.load(tmp_path / "words")
    digits = words.as_digits()
    assert digits.classes == (*"0123456789", "other")
    said = np.array(words.classes)[words.table["label"]]
    assert set(said[digits.table["label"] == 7]) == {"seven"}
    others = set(voices.WORDS) - set(voices.DIGIT_WORDS)
    assert set(said[digits.table["label"] == 10]) == others
    assert corpus.as_digits().classes == tuple("0123456789")
