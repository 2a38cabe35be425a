"""Fading and quantising sounds."""

import numpy as np
import pytest

from digitlab import audio


@pytest.fixture
def path(tmp_path):
    return tmp_path / "7_theo_3.wav"


def test_quantise_needs_numbers():
    with pytest.raises(ValueError, match="NaN"):
        audio.quantise([0.5, np.nan], 8)


def test_fade_touches_only_the_ends_and_leaves_its_argument_alone():
    samples = np.ones(1000)
    faded = audio.fade(samples, 8000, 0.01)
    assert faded[0] == faded[-1] == 0
    assert (np.diff(faded[:81]) > 0).all()
    assert (faded[80:-80] == 1).all()
    assert (samples == 1).all()


@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_quantise_has_as_many_levels_as_the_bits_allow(bits):
    ramp = np.linspace(-1, 1, 300_001)
    levels = np.unique(audio.quantise(ramp, bits))
    assert len(levels) == 2**bits
    np.testing.assert_allclose(np.diff(levels), 2 / 2**bits)
    assert levels[0] == -1


def test_quantise_at_sixteen_bits_is_what_a_file_keeps(path):
    samples = np.random.default_rng(0).uniform(-1, 1, 1000)
    audio.write_wav(path, samples, 8000)
    np.testing.assert_array_equal(audio.quantise(samples, 16), audio.read_wav(path)[0])


def test_dither_makes_the_mean_error_vanish():
    between = np.full(200_000, 0.3 / 128)
    rng = np.random.default_rng(0)
    assert audio.quantise(between, 8).mean() == 0
    assert audio.quantise(between, 8, dither=rng).mean() * 128 == pytest.approx(0.3, abs=0.01)


def test_dither_makes_the_noise_the_same_for_every_level():
    rng = np.random.default_rng(0)
    for level in (0, 0.25, 0.5):
        error = audio.quantise(np.full(100_000, level / 128), 8, dither=rng) - level / 128
        assert np.var(error * 128) == pytest.approx(0.25, abs=0.01)  # 1/12 + 2/12 of a step squared


@pytest.mark.parametrize("bits", [0, 25, 2.5])
def test_quantise_needs_whole_bits(bits):
    with pytest.raises(ValueError, match="whole number from 1 to 24"):
        audio.quantise([0.0], bits)
