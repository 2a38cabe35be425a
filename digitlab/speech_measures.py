"""What differs between speakers: pitch, formants, tempo and background noise, measured.

Each is built in the open in chapter 15; chapter 16 compares one person with others.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from digitlab.features.normalised import mel_filters, power_frames
from digitlab.preparation import find_word

FRAMES: dict[str, Any] = {"frame_length": 512, "hop_length": 128}  # 64 and 16 ms at 8 kHz
PITCHES = (70, 400)  # Hz
LOUD = 4  # frames at least a fourth as high as the highest
FACTORS = np.geomspace(0.75, 1.45, 14)
N_BANDS = 32  # of 40: a factor above 1 pushes the highest beyond half the rate
COLUMNS = ("pitch (Hz)", "formants (factor)", "word (s)", "noise (dB)")


def median_pitch(samples: np.ndarray, rate: int) -> float:
    """Return the median fundamental frequency of the loud frames, in Hz.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        A word.
    rate : int
        In Hz.

    Returns
    -------
    float
        From 70 to 400 Hz.

    Notes
    -----
    Each frame is estimated by YIN (A. de Cheveigné and H. Kawahara, "YIN, a fundamental frequency
    estimator for speech and music", JASA 111, 2002). Taught in chapter 15.

    Examples
    --------
    >>> buzz = np.sign(np.sin(2 * np.pi * 125 * np.arange(8000) / 8000))
    >>> round(median_pitch(buzz, 8000))
    125
    """
    import librosa

    samples = np.asarray(samples, np.float32)
    level = librosa.feature.rms(y=samples, **FRAMES)[0]
    pitch = librosa.yin(samples, fmin=PITCHES[0], fmax=PITCHES[1], sr=rate, **FRAMES)
    return float(np.median(pitch[level >= level.max() / LOUD]))


def word_seconds(samples: np.ndarray, rate: int) -> float:
    """Return how long the word in a recording is, found by its energy; all of it if none is found.

    Parameters
    ----------
    samples, rate
        As for :func:`median_pitch`.

    Notes
    -----
    Taught in chapter 15.

    Examples
    --------
    >>> tone = np.sin(np.arange(4000))  # 50 ms on both sides are counted in
    >>> round(word_seconds(np.pad(tone, 2000), 8000), 1)
    0.6
    """
    start, stop = find_word(samples, rate) or (0, len(samples))
    return (stop - start) / rate


def noise_db(samples: np.ndarray, rate: int) -> float:
    """Return the level of the quietest tenth of the frames, relative to the loudest frame, in dB.

    Parameters
    ----------
    samples, rate
        As for :func:`median_pitch`; zeros that were put around the recording do not count.

    Returns
    -------
    float
        From -60 on.

    Notes
    -----
    Taught in chapter 15.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=8000)
    >>> -3 < noise_db(noise, 8000) < 0
    True
    """
    import librosa

    level = librosa.feature.rms(y=np.trim_zeros(np.asarray(samples, np.float32)), **FRAMES)[0]
    return float(20 * np.log10(np.percentile(level, 10) / max(level.max(), 1e-9) + 1e-3))


def band_levels(waveforms: np.ndarray, rate: int, factor: float = 1.0) -> np.ndarray:
    """Return the level of each mel band over the whole clip, less its mean over the bands, in dB.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Clips.
    rate : int
        In Hz.
    factor : float
        How many times as high the formants are for which the mel filters are made.

    Returns
    -------
    array of shape (n_clips, 32)
        Of the lowest 32 of 40 bands.

    Notes
    -----
    Taught in chapter 15.

    Examples
    --------
    >>> band_levels(np.random.default_rng(0).normal(size=(3, 8192)), 8000).shape
    (3, 32)
    """
    return _levels(power_frames(waveforms, rate).sum(axis=1), rate, factor)


def formant_factors(
    waveforms: np.ndarray, rate: int, labels: np.ndarray, template: np.ndarray
) -> np.ndarray:
    """Return how many times as high the formants of each clip are as those of a template.

    Of 14 factors, the one whose mel filters make the clip most like the template of its word.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Clips.
    rate : int
        In Hz.
    labels : array of shape (n_clips,)
        Which word each is.
    template : array of shape (n_words, 32)
        The mean of :func:`band_levels` over the clips of each word, by many speakers.

    Returns
    -------
    array of shape (n_clips,)
        A shorter vocal tract has a higher factor. It is a rough estimate: a microphone that favours
        high frequencies looks like a short vocal tract.

    Notes
    -----
    After L. Lee and R. Rose, "A frequency warping approach to speaker normalization", IEEE
    Transactions on Speech and Audio Processing 6, 1998. Taught in chapter 15.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(3, 8192))
    >>> formant_factors(noise, 8000, np.arange(3), band_levels(noise, 8000)).round(1)
    array([1., 1., 1.])
    """
    powers = power_frames(waveforms, rate).sum(axis=1)
    wanted = template[labels]
    distances = [np.abs(_levels(powers, rate, f) - wanted).mean(axis=1) for f in FACTORS]
    return FACTORS[np.argmin(distances, axis=0)]


def measure(
    waveforms: np.ndarray, rate: int, labels: np.ndarray, template: np.ndarray
) -> pd.DataFrame:
    """Measure clips: pitch, formants, length of the word and background noise.

    Parameters
    ----------
    waveforms, rate, labels, template
        As for :func:`formant_factors`.

    Returns
    -------
    pandas.DataFrame
        A row for each clip, with the columns ``pitch (Hz)``, ``formants (factor)``, ``word (s)``
        and ``noise (dB)``.

    Notes
    -----
    Taught in chapter 15.

    Examples
    --------
    >>> from digitlab import voices
    >>> clips = np.stack([np.resize(voices.say(7, rate=8000), 8192)])
    >>> measure(clips, 8000, np.array([0]), band_levels(clips, 8000)).shape
    (1, 4)
    """

    def each(function: Callable[[np.ndarray, int], float]) -> list[float]:
        return [function(samples, rate) for samples in waveforms]

    factors = formant_factors(waveforms, rate, labels, template)
    columns = (each(median_pitch), factors, each(word_seconds), each(noise_db))
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _levels(powers: np.ndarray, rate: int, factor: float) -> np.ndarray:
    """Return relative levels of bands, of powers that are added up over the frames."""
    levels = 10 * np.log10(powers @ mel_filters(rate, factor).T + 1e-6)[:, :N_BANDS]
    return levels - levels.mean(axis=1, keepdims=True)
