"""What the graphs are made of in PyTorch, and the networks in a form that can be exported.

Arrays have clips first. Reductions keep their axis.
"""
# ruff: noqa: D103 (the functions do what those of their names do in NumPy)

import math
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from digitlab.export import front_ends
from digitlab.models.torch.layers import LSTM, LogMel, Scattering, SkipZeros, Spectrogram
from digitlab.models.torch.networks import MeanOverUnits, MeanState

LARGEST = 64  # transform that is one product with a matrix


def constant(array):
    return torch.from_numpy(np.array(array, np.float32))


def reshape(x, shape):
    return x.reshape(-1, *shape)


def pad(x, left, right):
    return torch.nn.functional.pad(x, (left, right))


def mirror(x, left, right):
    return torch.nn.functional.pad(x[None], (left, right), mode="reflect")[0]


def concat(parts, axis):
    return torch.cat(parts, dim=axis)


def take(x, order):
    return x[:, torch.from_numpy(order)]


def swapaxes(x):
    return x.swapaxes(1, 2)


def sum(x, axis):
    return x.sum(dim=axis, keepdim=True)


def mean(x, axis):
    return x.mean(dim=axis, keepdim=True)


def max(x, axis):
    return x.amax(dim=axis, keepdim=True)


def cumsum(x):
    return x.cumsum(dim=-1)


def where(condition, x, otherwise):
    return torch.where(condition, x, otherwise)


def at_least(x, least):
    return x.clamp(min=least)


def number(condition):
    return condition.to(torch.float32)


abs, exp, log, sqrt, maximum = torch.abs, torch.exp, torch.log, torch.sqrt, torch.maximum


def scale(parts, vector):
    """Multiply the last axis of several arrays by the same constants."""
    factors = constant(vector)
    return [x * factors for x in parts]


def project(x, matrix):
    """Multiply (..., n) by a constant matrix (n, m)."""
    return x @ constant(matrix)


def filtered(parts, responses):
    """Multiply arrays (n_clips, n_bins) by several responses (n_filters, n_bins)."""
    factors = constant(responses)
    return [x[:, None] * factors for x in parts]


def first(padded, n_samples):
    return padded[:, :n_samples]


def centred(padded, n_samples):
    """Move recordings to the middle of `n_samples`; as many zeros stand behind each."""
    n_own = torch.scalar_tensor(padded.shape[1] - n_samples, dtype=torch.int64)
    left = (n_samples - n_own.clamp(max=n_samples)) // 2
    places = torch.arange(n_samples) - left
    return padded[:, torch.where(places < 0, n_own, places)]


def fft(real, imaginary):
    """Transform the last axis; return real and imaginary parts.

    In ONNX it is made of products with matrices, which every runtime has and computes fast.
    """
    if torch.onnx.is_in_onnx_export():
        return _by_matrices(real, imaginary)
    spectrum = torch.fft.fft(real if imaginary is None else torch.complex(real, imaginary))
    return torch.view_as_real(spectrum).unbind(-1)


def _by_matrices(real, imaginary):
    """Split a transform of n * m samples into n of m samples and m of n (Cooley and Tukey)."""
    length, shape = real.shape[-1], real.shape[1:-1]
    n = _divisor(length)
    if n == 1:
        return _times([real, imaginary], _phases(length, length, length), torch.matmul)
    m = length // n
    columns = [x if x is None else _cut(x, shape, n, m) for x in (real, imaginary)]
    columns = _times(columns, _phases(n, n, n), torch.matmul)
    rows = [x.swapaxes(-1, -2) for x in columns]
    rows = _times(rows, _phases(length, n, m), torch.mul)
    rows = _by_matrices(*(x.reshape(-1, math.prod(shape) * n, m) for x in rows))
    return [_cut(x, shape, n, m).reshape(-1, *shape, length) for x in rows]


def _cut(x, shape, n, m):
    """Cut the last axis into n parts of m, and swap both axes."""
    return x.reshape(-1, *shape, n, m).swapaxes(-1, -2)


def _times(parts, phases, product):
    """Multiply real and imaginary parts by complex constants."""
    real, imaginary = parts
    cosines, sines = map(constant, phases)
    if imaginary is None:
        return [product(real, cosines), product(real, sines)]
    return [
        product(real, cosines) - product(imaginary, sines),
        product(real, sines) + product(imaginary, cosines),
    ]


def _phases(length, n_rows, n_columns):
    """Return cosines and sines of the angles of a transform."""
    steps = np.outer(np.arange(n_rows), np.arange(n_columns)) % length
    angles = -2 * np.pi / length * steps
    return np.cos(angles), np.sin(angles)


def _divisor(length):
    """Return how many parts to split a transform into, 1 for none."""
    n_factors = math.ceil(math.log(length, LARGEST))
    divisors = [n for n in range(2, LARGEST + 1) if length % n == 0]
    if n_factors == 1 or not divisors:
        return 1
    return min(divisors, key=lambda n: (n - length ** (1 / n_factors)) ** 2)


class Step(torch.nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable):
        super().__init__()
        self.function = function

    def forward(self, x):
        """Apply the function."""
        return self.function(x)


class Recurrent(torch.nn.Module):
    """An LSTM, which is one node in ONNX; its weights lie there in another order of the gates."""

    def __init__(self, lstm: LSTM):
        super().__init__()
        self.lstm = lstm
        kernel, recurrent, *biases = map(_reordered, lstm.all_weights[0])
        self.numbers = kernel[None], recurrent[None], np.concatenate(biases)[None]

    def forward(self, steps):
        """Return the states (n_clips, n_steps, n_units)."""
        if not torch.onnx.is_in_onnx_export():
            return torch.nn.LSTM.forward(self.lstm, steps)[0]
        n_units, by_time = self.lstm.hidden_size, steps.swapaxes(0, 1)
        states = torch.onnx.ops.symbolic(
            "LSTM",
            (by_time, *map(constant, self.numbers)),
            {"hidden_size": n_units},
            dtype=torch.float32,
            shape=(by_time.shape[0], 1, by_time.shape[1], n_units),
        )
        return states[:, 0].swapaxes(0, 1)


def _reordered(values):
    """Put the gates of input, forgetting, candidate and output in the order of ONNX."""
    gates = np.split(values.detach().numpy(), 4)
    return np.concatenate([gates[i] for i in (0, 3, 1, 2)])


class Steps(torch.nn.Module):
    """An LSTM behind ``SkipZeros``, on padded clips in place of packed ones."""

    def __init__(self, lstm: LSTM):
        super().__init__()
        self.states, self.is_mean = Recurrent(lstm), isinstance(lstm, MeanState)

    def forward(self, clips):
        """Run over the steps that are not zero; return the mean or the last of the states."""
        is_step = (clips != 0).any(dim=2)
        places = torch.arange(clips.shape[1])
        keys = torch.where(is_step, places, places + clips.shape[1])
        order = torch.topk(keys, clips.shape[1], dim=1, largest=False).indices
        states = self.states(clips.gather(1, order[..., None].expand(-1, -1, clips.shape[2])))
        n_steps = is_step.sum(dim=1, keepdim=True).clamp(min=1)
        kept = places < n_steps if self.is_mean else places == n_steps - 1
        total = (states * kept[..., None]).sum(dim=1)
        return total / n_steps if self.is_mean else total


class Graph(torch.nn.Module):
    """From samples to probabilities."""

    def __init__(self, compute: Callable, network: torch.nn.Module):
        super().__init__()
        self.compute, self.network = compute, network

    def forward(self, samples):
        """Compute probabilities (n_clips, n_classes) of samples (n_clips, n_samples)."""
        return self.compute(samples, lambda x: self.network(x).exp(), sys.modules[__name__])


def graph(compute: Callable, model: torch.nn.Sequential) -> Graph:
    """Return the whole computation as a module."""
    return Graph(compute, exportable(model)).eval()


def exportable(model: torch.nn.Sequential) -> torch.nn.Sequential:
    """Return a network with the same weights, of layers that can be exported alone."""
    layers: list[torch.nn.Module] = []
    lib = sys.modules[__name__]
    for layer in model:
        if isinstance(layer, LSTM) and layers and isinstance(layers[-1], SkipZeros):
            layers[-1] = Steps(layer)
        elif isinstance(layer, MeanOverUnits):
            layers += [Recurrent(layer), Step(partial(torch.mean, dim=2))]
        elif isinstance(layer, Spectrogram):
            layers.append(Step(partial(_spectrogram, settings=layer)))
        elif isinstance(layer, LogMel):
            layers.append(Step(partial(_log_mel, filters=layer.filters.numpy())))
        elif isinstance(layer, Scattering):
            layers.append(Step(partial(front_ends.scattering, J=layer.J, Q=layer.Q, lib=lib)))
        else:
            layers.append(layer)
    return torch.nn.Sequential(*layers)


def _spectrogram(clips, settings):
    parts = front_ends.spectrogram(clips, settings, sys.modules[__name__])
    return torch.stack(parts, dim=1).swapaxes(2, 3)


def _log_mel(powers, filters):
    return torch.log(constant(filters) @ powers + front_ends.FLOOR)
