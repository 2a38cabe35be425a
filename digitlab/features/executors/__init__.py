"""The scattering transform: what to compute, as NumPy arrays, and how, for any array library.

kymatio's filters, its padding, its resolutions and its order of paths, but not its way through
them: each wavelet is a pair of real filters, a cosine and a sine; all wavelets of one resolution
go through one inverse Fourier transform, at that resolution at once; and the average over time is
a product with a matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType

import numpy as np


@dataclass(frozen=True)
class Level:
    """The wavelets that leave signals at one resolution.

    Attributes
    ----------
    length : int
        Of the signals here, in samples: the padded length over a power of two.
    first : tuple of arrays of shape (2, n_wavelets, 1, length // 2 + 1), complex128
        Order-1 wavelets, each a cosine and a sine, on the frequencies that this resolution holds:
        all in one array, or none.
    second : tuple of arrays of shape (2, 1, 1, length // 2 + 1), complex128
        Order-2 wavelets, each in its own array; each filters every envelope of the levels before.
    average : array of shape (length, n_frames), float64
        The low-pass filter, sampled once a frame.
    """

    length: int
    first: tuple[np.ndarray, ...]
    second: tuple[np.ndarray, ...]
    average: np.ndarray


@dataclass(frozen=True)
class Plan:
    """All that a scattering transform needs to know.

    Attributes
    ----------
    n_samples, n_frames : int
        Of a clip, and of a path.
    padding : tuple of int
        Samples mirrored on the left and on the right.
    average : array of shape (n_padded, n_frames), float64
        The low-pass filter for order 0.
    levels : tuple of Level
        From fine to coarse.
    order : array of shape (n_paths,), int
        Where each of kymatio's paths stands among ours.
    """

    n_samples: int
    n_frames: int
    padding: tuple[int, int]
    average: np.ndarray
    levels: tuple[Level, ...]
    order: np.ndarray

    def of(self, convert: Callable[[np.ndarray], object]) -> "Plan":
        """Return the plan with every array converted."""
        levels = (
            Level(
                level.length,
                tuple(map(convert, level.first)),
                tuple(map(convert, level.second)),
                convert(level.average),
            )
            for level in self.levels
        )
        average, order = convert(self.average), convert(self.order)
        return replace(self, average=average, levels=tuple(levels), order=order)


@lru_cache(maxsize=4)
def plan(n_samples: int, J: int, Q: int) -> Plan:
    """Work out a transform of clips of `n_samples`."""
    from kymatio import Scattering1D  # its own kymatio.torch fails to import beside SciPy 1.17

    bank = Scattering1D(J=J, shape=n_samples, Q=Q, frontend="numpy")
    n_padded = len(np.ravel(bank.phi_f["levels"][0]))
    resolution = [min(j, J) for j in range(J + 2)]  # nothing is sampled more seldom than a frame
    levels, ours, parents = [], [()], []
    for j in sorted({wavelet["j"] for wavelet in bank.psi1_f + bank.psi2_f}):
        length = n_padded >> resolution[j]
        first = [n for n, wavelet in enumerate(bank.psi1_f) if wavelet["j"] == j]
        second = [n for n, wavelet in enumerate(bank.psi2_f) if wavelet["j"] == j and parents]
        levels.append(
            Level(
                length,
                (_pairs([bank.psi1_f[n] for n in first], length),) if first else (),
                tuple(_pairs([bank.psi2_f[n]], length) for n in second),
                _average(bank, resolution[j]),
            )
        )
        ours += [(n,) for n in first] + [(parent, n) for n in second for parent in parents]
        parents += first
    place = {path: row for row, path in enumerate(ours)}
    order = np.array([place[path] for path in sorted(ours, key=lambda path: (len(path), path))])
    padding = bank.pad_left, bank.pad_right
    average = _average(bank, 0)
    return Plan(n_samples, average.shape[1], padding, average, tuple(levels), order)


def _pairs(wavelets: list, length: int) -> np.ndarray:
    """Split complex wavelets into cosines and sines, on the bins of a real signal of `length`.

    What lies above is left out: kymatio chooses its resolutions so that this is less than a
    hundred-thousandth of a wavelet's peak. The factor is kymatio's.
    """
    responses = np.stack([np.ravel(wavelet["levels"][0]) for wavelet in wavelets])
    n_padded = responses.shape[1]
    bins = np.arange(length // 2 + 1)
    above, below = responses[:, bins], responses[:, -bins % n_padded]
    pairs = np.stack([above + below, -1j * (above - below)])[:, :, None]
    return np.ascontiguousarray(pairs * (length / n_padded / 2))


def _average(bank, resolution: int) -> np.ndarray:
    """Return the matrix that low-passes a signal and takes one value a frame."""
    impulse = np.fft.ifft(np.ravel(bank.phi_f["levels"][resolution])).real
    frames = np.arange(bank.ind_start[bank.log2_T], bank.ind_end[bank.log2_T])
    hop = 2**bank.log2_T >> resolution
    return impulse[(frames * hop - np.arange(len(impulse))[:, None]) % len(impulse)]


def run(clips, plan: Plan, lib: ModuleType):
    """Scatter clips with an array library.

    Parameters
    ----------
    clips : array of shape (n_clips, n_samples)
        In the library's own kind.
    plan : Plan
        With its arrays in the library's kind.
    lib : module
        One beside this one.

    Returns
    -------
    array of shape (n_clips, n_paths, n_frames)
        In kymatio's order of paths.
    """
    padded = lib.mirror(clips, *plan.padding)  # signals are (n_paths, n_clips, length)
    spectrum = lib.rfft(padded)
    paths, parents = [lib.average(padded, plan.average)], []
    for level in plan.levels:
        if level.second:
            above = lib.lowest(parents, level.length // 2 + 1)
        envelopes = [lib.envelope(spectrum, pairs, level.length) for pairs in level.first]
        parents += [lib.rfft(envelope) for envelope in envelopes]
        envelopes += [lib.envelope(above, pairs, level.length) for pairs in level.second]
        paths += [lib.average(envelope, level.average) for envelope in envelopes]
    return lib.join(paths, plan.order)
