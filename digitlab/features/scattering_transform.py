"""Features made of scattering coefficients, the paths of the transform, and its filters.

log_scattering and scattering_course are kept on disk, under the content of the clips.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from digitlab.environment import kept_on_disk, require, torch_device
from digitlab.features.executors import filters
from digitlab.features.executors import numpy as with_numpy
from digitlab.features.settings import checked, octave_of

SCALE_S = 0.032  # of the average over time, in seconds
STAGES = 5  # of a word, in scattering_course


def log_scattering(
    waveforms: np.ndarray,
    rate: float,
    J: int | None = None,
    Q: int = 12,
    *,
    device: str | None = None,
) -> np.ndarray:
    """Describe each clip by the mean over time of its log-scattering coefficients.

    Each clip is scattered with orders 0 to 2; order 0 is dropped; the logarithm of each coefficient
    plus 1e-6 is averaged over time. Scattering is due to [1]_ and [2]_; the coefficients are those
    of kymatio [3]_. Chapter 8 builds the transform, chapter 9 this function.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    J : int, optional
        The averaging scale is ``2**J`` samples; by default the one nearest to 32 ms: J = 8 at
        8 kHz, 9 at 16 kHz.
    Q : int
        Wavelets per octave at order 1.
    device : str, optional
        Where to compute; by default a GPU where there is one. Without PyTorch, NumPy on the CPU.

    Returns
    -------
    array of shape (n_clips, n_paths), float32
        336 paths for J = 8 and Q = 12.

    Raises
    ------
    ValueError
        If `waveforms` has another shape or type, is shorter than ``2**J``, or holds NaN or
        infinity; or if `rate`, `J`, `Q` or `device` cannot be used.

    References
    ----------
    .. [1] S. Mallat, "Group invariant scattering", CPAM 65(10), 2012.
    .. [2] J. Andén and S. Mallat, "Deep scattering spectrum", IEEE TSP 62(16), 2014.
    .. [3] M. Andreux et al., "Kymatio: scattering transforms in Python", JMLR 21(60), 2020.

    Examples
    --------
    >>> log_scattering(np.zeros((1, 8192)), 8000).shape
    (1, 336)
    """
    return describe("log_scattering", waveforms, rate, J, Q, device)[0]


def scattering_course(
    waveforms: np.ndarray,
    rate: float,
    J: int | None = None,
    Q: int = 12,
    *,
    device: str | None = None,
) -> np.ndarray:
    """Describe each clip by the course of its scattering coefficients, in five stages of the word.

    The level of a coefficient S is log(1 + S / 1e-5), so silence is 0. The loudness of a frame is
    the mean of its levels over all paths of orders 1 and 2. The position of a frame in the word,
    from 0 to 1, is the share of the total loudness up to the middle of the frame. Each stage is the
    mean of the levels over time, weighted by the loudness of a frame and by a bell curve around the
    stage's position: 0.1, 0.3, 0.5, 0.7 or 0.9, with a standard deviation of 0.1. From every stage
    its own mean over the paths is subtracted.

    So silence before and after the word has no weight, a slow and a fast word are aligned, and a
    stage tells which paths are strong relative to the others. Taught in chapter 15.

    Parameters
    ----------
    waveforms, rate, J, Q, device
        As for :func:`log_scattering`.

    Returns
    -------
    array of shape (n_clips, 5 * n_paths), float32
        Stage by stage: 1,680 numbers for J = 8 and Q = 12.

    Raises
    ------
    ValueError
        As for :func:`log_scattering`.

    Examples
    --------
    >>> scattering_course(np.zeros((1, 8192)), 8000).shape
    (1, 1680)
    """
    return describe("scattering_course", waveforms, rate, J, Q, device)[0]


def scattering(
    waveforms: np.ndarray,
    rate: float,
    J: int | None = None,
    Q: int = 12,
    *,
    device: str | None = None,
) -> np.ndarray:
    """Scatter clips and keep every coefficient.

    Taught in chapter 8. The same on the device, with gradients, is
    :class:`digitlab.models.torch.Scattering`.

    Parameters
    ----------
    waveforms, rate, J, Q, device
        As for :func:`log_scattering`.

    Returns
    -------
    array of shape (n_clips, n_paths, n_frames), float32
        kymatio's values, in its order of paths: order 0, then 1 and 2, each from high frequency
        to low.

    Raises
    ------
    ValueError
        As for :func:`log_scattering`.

    Examples
    --------
    >>> scattering(np.zeros((2, 8192)), 8000).shape
    (2, 337, 32)
    """
    return _joined(_batches(*_arguments(waveforms, rate, J, Q, device)), len(waveforms))


def scattering_paths(n_samples: int = 8192, J: int = 8, Q: int = 12) -> np.ndarray:
    """Tell which wavelets each scattering path goes through.

    Taught in chapter 8.

    Parameters
    ----------
    n_samples : int
        Length of the clips. It does not change the paths.
    J, Q : int
        Averaging scale ``2**J`` samples; wavelets per octave at order 1.

    Returns
    -------
    structured array of shape (n_paths,)
        Fields ``order`` (0, 1 or 2), ``first`` and ``second``: the centre frequencies of the
        wavelets along the path, in cycles per sample; NaN where the path has no such wavelet.

    Raises
    ------
    ValueError
        If `J` or `Q` is not a whole number of at least 1.

    Examples
    --------
    >>> paths = scattering_paths()
    >>> [int((paths["order"] == order).sum()) for order in (0, 1, 2)]
    [1, 76, 260]
    """
    first, second = filters.wavelets(J, Q), filters.wavelets(J, 1)
    paths = [(0, np.nan, np.nan)] + [(1, one.centre, np.nan) for one in first]
    for one in first:
        slower = [other for other in second if other.resolution > one.resolution]
        paths += [(2, one.centre, other.centre) for other in slower]
    return np.array(paths, dtype=[("order", int), ("first", float), ("second", float)])


def filter_bank(
    n_samples: int = 8192, J: int = 8, Q: int = 12
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frequency responses of the order-1 wavelets and of the averaging filter.

    Taught in chapter 8.

    Parameters
    ----------
    n_samples : int
        Length of the clips.
    J, Q : int
        As for :func:`scattering_paths`.

    Returns
    -------
    frequencies : array of shape (n_bins,)
        From 0 to 0.5 cycles per sample.
    wavelets : array of shape (n_wavelets, n_bins)
        Magnitude responses, highest centre frequency first.
    average : array of shape (n_bins,)
        Magnitude response of the low-pass filter.

    Raises
    ------
    ValueError
        If `J` or `Q` is not a whole number of at least 1.

    Examples
    --------
    >>> frequencies, wavelets, average = filter_bank()
    >>> wavelets.shape[0], float(frequencies[-1])
    (76, 0.5)
    """
    wavelets = filters.wavelets(J, Q)
    n_padded = n_samples + sum(filters.padding(n_samples, J))
    bins = np.arange(n_padded // 2 + 1)
    responses = np.abs([wavelet.response(n_padded)[bins] for wavelet in wavelets])
    return bins / n_padded, responses, np.abs(filters.average(n_padded, J)[bins])


def describe(
    name: str,
    waveforms: np.ndarray,
    rate: float,
    J: int | None = None,
    Q: int = 12,
    device: str | None = None,
    keep: bool = True,
) -> tuple[np.ndarray, bool]:
    """Return a feature of KEPT_ON_DISK, and whether it was on disk already."""
    arguments = _arguments(waveforms, rate, J, Q, device)
    if not keep:
        return KEPT_ON_DISK[name](*arguments), False
    kept, arguments = _kept_call(name, arguments)
    cached = kept.check_call_in_cache(*arguments)
    return kept(*arguments), cached


def is_kept(name: str, waveforms: np.ndarray, rate: float, device: str | None = None) -> bool:
    """Tell whether a feature of KEPT_ON_DISK is on disk already."""
    kept, arguments = _kept_call(name, _arguments(waveforms, rate, None, 12, device))
    return kept.check_call_in_cache(*arguments)


def _kept_call(name: str, arguments: tuple) -> tuple[Any, tuple]:
    """Return the function that keeps its results, and its arguments; the clips are hashed once."""
    import joblib

    kept = kept_on_disk(KEPT_ON_DISK[name], ignore=("waveforms",))
    return kept, (*arguments, joblib.hash(arguments[0]))


def _arguments(
    waveforms: np.ndarray, rate: float, J: int | None, Q: int, device: str | None
) -> tuple[np.ndarray, int, int, str]:
    """Return checked clips, J, Q, and where to compute."""
    J = octave_of(SCALE_S, rate) if J is None else J
    filters.refuse_scales(J, Q)
    waveforms = checked(waveforms, rate, 2**J, "lower J")
    if find_spec("torch"):
        return waveforms, J, Q, torch_device(device)
    if device not in (None, "cpu"):
        require("torch", extra="torch")
    return waveforms, J, Q, "numpy"


def _log_scattering(
    waveforms: np.ndarray, J: int, Q: int, device: str, digest: str = ""
) -> np.ndarray:
    def log_means(coefficients: Any, library: ModuleType) -> Any:
        return library.log(library.abs(coefficients[:, 1:]) + 1e-6).mean(axis=2)

    return _joined(_batches(waveforms, J, Q, device, log_means), len(waveforms))


def _scattering_course(
    waveforms: np.ndarray, J: int, Q: int, device: str, digest: str = ""
) -> np.ndarray:
    batches = _batches(waveforms, J, Q, device)
    return _joined((_course(batch[:, 1:]) for batch in batches), len(waveforms))


# In the cache, `digest` stands for the waveforms.
KEPT_ON_DISK = {"log_scattering": _log_scattering, "scattering_course": _scattering_course}


def _course(coefficients: np.ndarray) -> np.ndarray:
    """Turn (n_clips, n_paths, n_frames) without order 0 into (n_clips, STAGES * n_paths)."""
    levels = np.log1p(np.abs(coefficients) / 1e-5)
    loudness = levels.mean(axis=1) + 1e-9  # all frames of a silent clip have the same weight
    positions = (loudness.cumsum(axis=1) - loudness / 2) / loudness.sum(axis=1, keepdims=True)
    centres = (np.arange(STAGES)[:, np.newaxis] + 0.5) / STAGES
    deviations = (positions[:, np.newaxis] - centres) * 2 * STAGES  # in standard deviations
    weights = np.exp(-(deviations**2) / 2) * loudness[:, np.newaxis]
    weights /= weights.sum(axis=2, keepdims=True)
    stages = weights @ levels.swapaxes(1, 2)
    stages -= stages.mean(axis=2, keepdims=True)
    return stages.reshape(len(stages), -1)


def _batches(
    waveforms: np.ndarray, J: int, Q: int, device: str, reduce: Callable | None = None
) -> Iterator[np.ndarray]:
    """Scatter clips batch by batch, and reduce each where it was computed."""
    if device == "numpy":
        return with_numpy.in_batches(waveforms, J, Q, reduce)
    from digitlab.features.executors import torch as with_torch

    return with_torch.in_batches(waveforms, J, Q, device, reduce)


def _joined(batches: Iterable[np.ndarray], n_clips: int) -> np.ndarray:
    """Put batches into one array, which is the only copy of them all."""
    start = 0
    for batch in batches:
        if start == 0:
            whole = np.empty((n_clips, *batch.shape[1:]), np.float32)
        whole[start : start + len(batch)] = batch
        start += len(batch)
    return whole
