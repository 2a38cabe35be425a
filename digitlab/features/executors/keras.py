"""Scattering with Keras: one code for its TensorFlow, PyTorch and JAX backends, with gradients.

Keras has no complex tensors: a spectrum is its real and its imaginary part.
"""
# ruff: noqa: D103 (the functions at the end are described in numpy.py)

import sys
from functools import lru_cache

import keras
import numpy as np
from keras import ops

from digitlab.features.executors.plans import Plan, plan, run


def scatter(clips, J: int, Q: int):
    """Scatter a tensor (n_clips, n_samples) of float32 or float64."""
    dtype = keras.backend.standardize_dtype(clips.dtype)
    return run(clips, _plan(clips.shape[1], J, Q, dtype), sys.modules[__name__])


@lru_cache(maxsize=4)
def _plan(n_samples: int, J: int, Q: int, dtype: str) -> Plan:
    def convert(array: np.ndarray):
        if array.dtype.kind == "c":
            return np.stack([array.real, array.imag]).astype(dtype)
        return array if array.dtype.kind == "i" else array.astype(dtype)

    return plan(n_samples, J, Q).of(convert)


def mirror(clips, left, right):
    return ops.pad(ops.expand_dims(clips, 0), ((0, 0), (0, 0), (left, right)), mode="reflect")


def rfft(signals):
    return ops.rfft(signals)


def lowest(spectra, bins):
    return [
        ops.concatenate([part[..., :bins] for part in parts])
        for parts in zip(*spectra, strict=True)
    ]


def envelope(spectrum, pairs, length):
    bins = pairs.shape[-1]
    a, b = (part[..., :bins] for part in spectrum)
    c, d = map(ops.convert_to_tensor, pairs)
    both = ops.irfft((a * c - b * d, a * d + b * c), length)
    tiny = np.finfo(pairs.dtype).tiny  # keeps the gradient finite in silence
    return ops.sqrt(ops.sum(both * both, axis=0) + tiny)


def average(signals, matrix):
    return ops.matmul(signals, matrix)


def join(paths, order):
    return ops.swapaxes(ops.take(ops.concatenate(paths), order, axis=0), 0, 1)
