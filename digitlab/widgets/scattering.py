"""Explorers of chapter 8: the averaging scale and the wavelets of a scattering transform."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from digitlab import audio, features, plotting
from digitlab.widgets.flipbook import Explorer, Frame, counted, explorer, one_channel

RATE = 8000  # Hz: the chapter's J and Q are meant at this rate


def averaging_scale(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Average the magnitudes in a word's bands over longer and longer times, and hear the result.

    The sound is noise that has in each band, at each moment, the averaged magnitude. The slider
    moves J from 4 to 11 at 8 kHz; there are 8 wavelets per octave. Shown in chapter 8.

    Parameters
    ----------
    samples, rate, caption
        As for :func:`digitlab.widgets.quantisation`, which also says what is refused.

    Examples
    --------
    >>> averaging_scale(np.ones(4000), 8000).places[4]
    'J = 8: 256 samples, 32 ms'
    """
    settings = [(J, 8) for J in range(4, 12)]
    places = [f"J = {J}: {2**J:,} samples, {1000 * 2**J / RATE:.0f} ms" for J, _ in settings]
    draw = _order_1(samples, rate, settings, places, caption)
    return explorer(draw, places, "averaging scale", start=4)


def wavelets_per_octave(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Split a word into more and more bands per octave, and hear what their averages keep.

    As :func:`averaging_scale`, but the slider moves Q from 1 to 24, and J is 8. Shown in chapter 8.

    Parameters
    ----------
    samples, rate, caption
        As for :func:`averaging_scale`.

    Examples
    --------
    >>> wavelets_per_octave(np.ones(4000), 8000).places[6]
    'Q = 12'
    """
    settings = [(8, Q) for Q in (1, 2, 3, 4, 6, 8, 12, 16, 24)]
    places = [f"Q = {Q}" for _, Q in settings]
    draw = _order_1(samples, rate, settings, places, caption)
    return explorer(draw, places, "wavelets per octave", start=5)


def _order_1(
    samples: ArrayLike, rate: int, settings: list[tuple[int, int]], places: list[str], caption: str
) -> Callable[[int], Frame]:
    """Return what draws the place of each setting (J, Q)."""
    samples = audio.peak_normalize(audio.resample(one_channel(samples), rate, RATE))
    word = audio.fit(samples, max(8192, 1 << (len(samples) - 1).bit_length()))  # nothing is cut
    return lambda place: _draw_order_1(word, *settings[place], places[place], caption)


def _draw_order_1(word: np.ndarray, J: int, Q: int, place: str, caption: str) -> Frame:
    """Draw a filter bank above a word's averages in it; play noise that is shaped by them."""
    frequencies, wavelets, average = features.filter_bank(len(word), J, Q)
    _, averages = _bands(word, wavelets, average)
    noise = np.random.default_rng(0).standard_normal(len(word))
    bands, noisy = _bands(noise, wavelets, average)
    shaped = (bands.real * averages / np.maximum(noisy, 1e-9)).sum(axis=0)
    figure, (bank, picture) = plt.subplots(
        2, 1, figsize=(6.4, 4.4), layout="constrained", height_ratios=[2, 3]
    )
    plotting.filter_bank(frequencies, wavelets, average, RATE, ax=bank)
    relative = averages[:, :: 2**J] / max(averages.max(), 1e-9)
    centres = frequencies[wavelets.argmax(axis=1)] * RATE
    logs = np.log(np.maximum(relative, 1e-3))  # from 60 dB below the strongest
    plotting.scattering(logs, centres, len(word) / RATE, ax=picture)
    n_wavelets, n_frames = logs.shape
    picture.set_title(f"{place}: {counted(n_wavelets, 'wavelet')}, {counted(n_frames, 'frame')}")
    alt = (
        f"Above, the responses of {counted(n_wavelets, 'wavelet')} and of the averaging filter. "
        f"Below, the word's averages in these bands, {n_frames:,} in each."
    )
    sound = audio.player(0.7 * audio.peak_normalize(shaped), RATE, f"{place}. {caption}".strip())
    return Frame(figure, alt, sound)


def _bands(
    samples: np.ndarray, wavelets: np.ndarray, average: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a sound's bands, complex, and their averaged moduli, (n_wavelets, n_samples) each."""
    n_padded, n_samples = 2 * (average.size - 1), len(samples)
    spectrum = np.fft.rfft(samples, n_padded)
    bands = np.fft.ifft(spectrum * wavelets, n_padded)  # no negative frequencies: zeros behind
    averages = np.fft.irfft(np.fft.rfft(np.abs(bands)) * average, n_padded)
    return bands[:, :n_samples], np.maximum(averages[:, :n_samples], 0)
