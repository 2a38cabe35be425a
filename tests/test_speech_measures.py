"""Pitch, formants, length and noise of a word are what was put into it."""

from dataclasses import replace

import numpy as np
import pytest

from digitlab import audio, preparation, recipes, speech_measures, voices

RATE = 8000
AT_8_KHZ = recipes.find("B1").preparation


def say(person, digit, seed=0):
    """Return a clip by a speaker whose features are known."""
    rng = np.random.default_rng([seed, digit])
    spoken = voices.render(person.words[voices.DIGIT_WORDS[digit]], person, rng)
    sound = audio.resample(audio.peak_normalize(spoken), voices.RENDER_RATE, RATE)
    return preparation.prepare(sound, RATE, AT_8_KHZ).samples


@pytest.fixture(scope="module")
def man():
    return next(p for p in map(voices.speaker, range(60)) if p.kind == "man")


@pytest.mark.parametrize("pitch", [100, 180, 260])
def test_pitch_is_that_of_the_voice(man, pitch):
    clips = [say(replace(man, pitch=pitch), digit) for digit in (5, 9, 1)]
    measured = np.median([speech_measures.median_pitch(clip, RATE) for clip in clips])
    assert measured == pytest.approx(pitch, rel=0.15)


def test_formants_follow_the_vocal_tract(man):
    digits = np.arange(10)
    usual = np.stack([say(man, digit) for digit in digits])
    template = speech_measures.band_levels(usual, RATE)
    for tract in (0.85, 1.15, 1.3):
        clips = np.stack([say(replace(man, tract=man.tract * tract), digit) for digit in digits])
        factors = speech_measures.formant_factors(clips, RATE, digits, template)
        assert np.median(factors) == pytest.approx(tract, rel=0.06)


@pytest.mark.parametrize("snr_db", [10, 20, 30])
def test_noise_is_at_the_level_that_was_added(snr_db):
    rng = np.random.default_rng(0)
    tone = np.concatenate([np.zeros(4000), np.sin(np.arange(4000)), np.zeros(4000)])
    noise = rng.normal(0, 10 ** (-snr_db / 20) * tone[4000:8000].std(), len(tone))
    assert speech_measures.noise_db(tone + noise, RATE) == pytest.approx(-snr_db, abs=2)
    padded = np.pad(tone + noise, 3000)  # zeros that were put around it do not count
    assert speech_measures.noise_db(padded, RATE) == pytest.approx(-snr_db, abs=2)


def test_a_table_has_a_row_for_each_clip(man):
    clips = np.stack([say(man, digit) for digit in range(4)])
    labels = np.arange(4)
    table = speech_measures.measure(clips, RATE, labels, speech_measures.band_levels(clips, RATE))
    assert tuple(table.columns) == speech_measures.COLUMNS and len(table) == 4
    assert table["formants (factor)"].between(0.95, 1.05).all()
    assert table["word (s)"].between(0.1, 1).all() and table.notna().all().all()
