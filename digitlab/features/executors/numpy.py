"""Scattering with NumPy and SciPy."""

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import scipy.fft

from digitlab.environment import progress
from digitlab.features.executors.plans import CPU_BATCH, Plan, plan, run


def scatter(clips: np.ndarray, J: int, Q: int) -> np.ndarray:
    """Scatter an array (n_clips, n_samples) of float32 or float64."""
    return run(clips, _plan(clips.shape[1], J, Q, clips.dtype), sys.modules[__name__])


def in_batches(
    clips: np.ndarray, J: int, Q: int, reduce: Callable | None = None
) -> Iterator[np.ndarray]:
    """Scatter an array batch by batch, as the executor with PyTorch does."""
    starts = range(0, len(clips), CPU_BATCH)
    for i in progress(starts, desc="scattering", unit="batch", disable=len(starts) < 8):
        coefficients = scatter(clips[i : i + CPU_BATCH], J, Q)
        yield coefficients if reduce is None else reduce(coefficients, np)


@lru_cache(maxsize=4)
def _plan(n_samples: int, J: int, Q: int, dtype: np.dtype) -> Plan:
    dtypes = {"i": np.dtype(np.int64), "f": dtype, "c": np.result_type(dtype, np.complex64)}
    return plan(n_samples, J, Q).of(lambda array: array.astype(dtypes[array.dtype.kind]))


def mirror(clips, left, right):
    """Mirror clips at their ends; return signals of shape (1, n_clips, n_padded)."""
    return np.pad(clips[None], ((0, 0), (0, 0), (left, right)), mode="reflect")


def rfft(signals):
    """Return the spectra of real signals."""
    return scipy.fft.rfft(signals)


def lowest(spectra, bins):
    """Return the lowest bins of several spectra, in one array."""
    return np.concatenate([spectrum[..., :bins] for spectrum in spectra])


def envelope(spectrum, pairs, length):
    """Filter spectra with pairs of a cosine and a sine; return the moduli, at a lower rate."""
    return np.hypot(*scipy.fft.irfft(spectrum[..., : pairs.shape[-1]] * pairs, length))


def average(signals, matrix):
    """Average signals over time."""
    return np.dot(signals, matrix)  # sums more exactly than `@` where clips are few


def join(paths, order):
    """Put the paths in kymatio's order, clips first."""
    return np.concatenate(paths)[order].swapaxes(0, 1)
