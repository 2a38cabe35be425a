"""Sounds as curves: the waveform against time, the spectrum against frequency."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from digitlab import audio
from digitlab.plotting.style import ACCENT, new_axes


def waveform(samples: ArrayLike, rate: int, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw samples against time.

    Parameters
    ----------
    samples : array of shape (n_samples,) or (n_samples, n_channels)
        Full scale is 1; integers are scaled as :func:`digitlab.audio.as_sound` does.
    rate : int
        In Hz.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Raises
    ------
    ValueError
        If the samples are no sound, such as an array of shape (n_channels, n_samples).

    Examples
    --------
    >>> waveform(np.zeros(800), 8000).get_xlabel()
    'time [s]'
    """
    samples = audio.as_sound(samples)
    ax = ax or new_axes()
    ax.plot(np.arange(len(samples)) / rate, samples, linewidth=0.6, color=ACCENT, linestyle="-")
    limit = max(1.0, float(np.abs(samples).max()))
    ax.set(xlabel="time [s]", ylabel="amplitude [full scale]", title=title)
    ax.set(xlim=(0, len(samples) / rate), ylim=(-1.05 * limit, 1.05 * limit))
    return ax


def spectrum(samples: ArrayLike, rate: int, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the level of each frequency in a sound, in dB relative to the strongest.

    A Hann window over the whole sound keeps tones narrow (chapter 3).

    Parameters
    ----------
    samples : array of shape (n_samples,) or (n_samples, n_channels)
        As for :func:`waveform`, which also says what is refused.
    rate : int
        In Hz.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Examples
    --------
    >>> ax = spectrum(np.sin(np.arange(8000)), 8000)
    >>> ax.get_xlabel(), [float(limit) for limit in ax.get_xlim()]
    ('frequency [Hz]', [0.0, 4000.0])
    """
    samples = audio.as_sound(samples)
    ax = ax or new_axes()
    magnitudes = np.abs(np.fft.rfft(samples.T * np.hanning(len(samples)))).T
    level = 20 * np.log10(np.maximum(magnitudes / (magnitudes.max() or 1), 1e-6))
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    ax.plot(frequencies, level, "-", linewidth=0.8, color=ACCENT)
    ax.set(xlabel="frequency [Hz]", ylabel="level [dB]", title=title)
    ax.set(xlim=(0, rate / 2), ylim=(-90, 3))
    return ax
