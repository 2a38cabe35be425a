"""Pictures of time and frequency: spectrograms, scattering coefficients, filter banks."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from digitlab.plotting.style import ACCENT, INK, new_axes


def spectrogram(
    values: ArrayLike,
    times: ArrayLike,
    frequencies: ArrayLike,
    *,
    label: str = "level [dB]",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a spectrogram: time from left to right, frequency upwards, level as colour.

    Drawn in chapter 4.

    Parameters
    ----------
    values : array of shape (n_frequencies, n_frames)
        What the colours show.
    times : array of shape (n_frames,)
        Middle of each frame, in s.
    frequencies : array of shape (n_frequencies,)
        Middle of each bin or band, in Hz; their distances may differ.
    label : str
        Of the colours, with its unit.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Examples
    --------
    >>> spectrogram(np.zeros((129, 3)), [0, 0.1, 0.2], np.arange(129) * 31.25).get_ylabel()
    'frequency [Hz]'
    """
    ax = ax or new_axes()
    mesh = ax.pcolormesh(times, frequencies, values, shading="nearest", rasterized=True)
    ax.set(xlabel="time [s]", ylabel="frequency [Hz]", title=title)
    ax.grid(False)
    ax.figure.colorbar(mesh, ax=ax, label=label)
    return ax


def filter_bank(
    frequencies: np.ndarray,
    wavelets: np.ndarray,
    average: np.ndarray,
    rate: int,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the magnitude responses of wavelets and averaging filter on a logarithmic axis.

    Drawn in chapter 8.

    Parameters
    ----------
    frequencies, wavelets, average : array
        From :func:`digitlab.features.filter_bank`.
    rate : int
        In Hz.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.
    """
    ax = ax or new_axes()
    hertz = frequencies[1:] * rate
    ax.plot(hertz, wavelets[:, 1:].T, color=ACCENT, linewidth=0.7, linestyle="-")
    ax.plot(hertz, average[1:], color=INK, linestyle="--", linewidth=2, label="averaging filter")
    ax.set(xscale="log", xlabel="frequency [Hz]", ylabel="gain", xlim=(1, rate / 2), ylim=(0, None))
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    ax.minorticks_off()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1))
    return ax


def scattering(
    coefficients: ArrayLike,
    frequencies: ArrayLike,
    duration: float,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw scattering coefficients as an image: a row for each path, time from left to right.

    Drawn in chapters 8 and 9.

    Parameters
    ----------
    coefficients : array of shape (n_paths, n_frames)
        Such as the logarithm of order 1.
    frequencies : array of shape (n_paths,)
        Centre frequency of each path in Hz, falling.
    duration : float
        Of the clip, in seconds.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.
    """
    ax = ax or new_axes()
    frequencies = np.asarray(frequencies)
    extent = (0, duration, len(frequencies) - 0.5, -0.5)
    image = ax.imshow(coefficients, aspect="auto", interpolation="nearest", extent=extent)
    ticks = [hertz for hertz in (3000, 1000, 300, 100, 30) if frequencies[-1] <= hertz]
    rows = [int(np.abs(frequencies - hertz).argmin()) for hertz in ticks]
    ax.set_yticks(rows, [f"{hertz:,}" for hertz in ticks])
    ax.set(xlabel="time [s]", ylabel="frequency [Hz]", title=title)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="log magnitude")
    return ax
