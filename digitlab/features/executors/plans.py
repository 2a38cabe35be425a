"""What the scattering transform computes, as NumPy arrays, and in which order, for any library.

The coefficients are kymatio's, in its order of paths, computed in another way: each wavelet is a
pair of real filters, a cosine and a sine; all wavelets of one resolution go through one inverse
Fourier transform, at that resolution at once; and the average over time is a product with a matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from digitlab.features.executors import filters
from digitlab.features.executors.filters import Wavelet

CPU_BATCH = 16  # clips at once: what they grow into stays in the cache of a CPU


@dataclass(frozen=True)
class Level:
    """The wavelets that leave signals at one resolution.

    `first` holds all order-1 wavelets in one array of shape (2, n_wavelets, 1, n_bins), complex128,
    or none: each is a cosine and a sine, on the frequencies that this resolution holds. `second`
    holds each order-2 wavelet in an array (2, 1, 1, n_bins); it filters every envelope of the
    levels before.
    """

    length: int  # of the signals here, in samples: the padded length over a power of two
    first: tuple[np.ndarray, ...]
    second: tuple[np.ndarray, ...]
    average: np.ndarray  # (length, n_frames): the low-pass filter, sampled once a frame


@dataclass(frozen=True)
class Plan:
    """All that a scattering transform needs to know."""

    n_samples: int  # of a clip
    n_frames: int  # of a path
    padding: tuple[int, int]  # samples mirrored on the left and on the right
    average: np.ndarray  # (n_padded, n_frames), for order 0
    levels: tuple[Level, ...]  # from fine to coarse
    order: np.ndarray  # (n_paths,): where each path, in kymatio's order, stands among those of run

    def of(self, convert: Callable[[np.ndarray], Any]) -> "Plan":
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

    def bytes_per_clip(self) -> int:
        """Return how much memory :func:`run` takes for a clip in float32, at most.

        Filtered signals count seven times: products, their copy in an FFT, results and moduli.
        """
        n_parents, kept, most = 0, 3 * len(self.order) * self.n_frames, 0
        for level in self.levels:
            n_first = sum(pairs.shape[1] for pairs in level.first)
            most = max(most, 7 * max(n_first, n_parents) * level.length)
            n_parents += n_first
            kept += 2 * n_first * level.length
        return 4 * (kept + most)


@lru_cache(maxsize=4)
def plan(n_samples: int, J: int, Q: int) -> Plan:
    """Plan a transform of clips of `n_samples`."""
    first, second = filters.wavelets(J, Q), filters.wavelets(J, 1)
    padding = filters.padding(n_samples, J)
    n_padded = n_samples + sum(padding)
    averages = _averages(n_samples, J)
    levels: list[Level] = []
    ours: list[tuple[int, ...]] = [()]
    parents: list[int] = []
    for resolution in sorted({wavelet.resolution for wavelet in first + second}):
        length = n_padded >> min(resolution, J)  # no fewer samples than frames
        here = [n for n, wavelet in enumerate(first) if wavelet.resolution == resolution]
        after = [n for n, wavelet in enumerate(second) if wavelet.resolution == resolution]
        after = after if parents else []
        levels.append(
            Level(
                length,
                (_pairs([first[n] for n in here], n_padded, length),) if here else (),
                tuple(_pairs([second[n]], n_padded, length) for n in after),
                averages[min(resolution, J)],
            )
        )
        ours += [(n,) for n in here] + [(parent, n) for n in after for parent in parents]
        parents += here
    place = {path: row for row, path in enumerate(ours)}
    order = np.array([place[path] for path in sorted(ours, key=lambda path: (len(path), path))])
    return Plan(n_samples, averages[0].shape[1], padding, averages[0], tuple(levels), order)


def _pairs(wavelets: list[Wavelet], n_padded: int, length: int) -> np.ndarray:
    """Split complex wavelets into cosines and sines, on the bins of a real signal of `length`.

    What lies above is left out: it is less than a hundred-thousandth of a wavelet's peak.
    """
    responses = np.stack([wavelet.response(n_padded) for wavelet in wavelets])
    bins = np.arange(length // 2 + 1)
    above, below = responses[:, bins], responses[:, -bins % n_padded]
    pairs = np.stack([above + below, -1j * (above - below)])[:, :, None]
    return np.ascontiguousarray(pairs * (length / n_padded / 2))


def _averages(n_samples: int, J: int) -> list[np.ndarray]:
    """Return for each resolution the matrix that averages a signal, to one value a frame."""
    left, right = filters.padding(n_samples, J)
    response = filters.average(left + n_samples + right, J)
    frames = np.arange(-(-left // 2**J), -(-(left + n_samples) // 2**J))
    matrices = []
    for resolution in range(J + 1):  # to keep one sample in two is to fold the response in two
        impulse = np.fft.ifft(response.reshape(2**resolution, -1).mean(axis=0)).real
        samples = np.arange(len(impulse))[:, None]
        matrices.append(impulse[((frames << J - resolution) - samples) % len(impulse)])
    return matrices


def run(clips, plan: Plan, lib: ModuleType):
    """Scatter clips (n_clips, n_samples) to (n_clips, n_paths, n_frames) with an array library.

    `lib` is one of the modules beside this one; clips and plan hold arrays of its own kind.
    """
    padded = lib.mirror(clips, *plan.padding)  # signals are (n_paths, n_clips, length)
    spectrum = lib.rfft(padded)
    paths, parents = [lib.average(padded, plan.average)], list[Any]()
    for level in plan.levels:
        if level.second:
            above = lib.lowest(parents, level.length // 2 + 1)
        for pairs in level.first:
            envelope = lib.envelope(spectrum, pairs, level.length)
            parents.append(lib.rfft(envelope))
            paths.append(lib.average(envelope, level.average))
        for pairs in level.second:  # averaged at once: the envelopes are most of the memory
            paths.append(lib.average(lib.envelope(above, pairs, level.length), level.average))
    return lib.join(paths, plan.order)
