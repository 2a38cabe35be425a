"""What the graphs are made of in Keras: its own operations and layers, and no others.

Arrays have clips first. Reductions keep their axis. Large constants are weights of built-in layers,
because a .keras file would write those of operations as text.
"""
# ruff: noqa: D103 (the functions do what those of their names do in NumPy)

import sys
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from digitlab.export import front_ends
from digitlab.models.keras.defaults import float32_channels_last
from digitlab.models.keras.layers import LogMel, Scattering, SkipZeros, Spectrogram

LIB = sys.modules[__name__]


def constant(array):
    return np.asarray(array, np.float32)


def reshape(x, shape):
    return ops.reshape(x, (-1, *shape))


def pad(x, left, right):
    return ops.pad(x, ((0, 0),) * (len(x.shape) - 1) + ((left, right),))


def mirror(x, left, right):
    return ops.pad(x, ((0, 0), (left, right)), mode="reflect")


def concat(parts, axis):
    return ops.concatenate(parts, axis=axis)


def take(x, order):
    return ops.take(x, order, axis=1)


def swapaxes(x):
    return ops.swapaxes(x, 1, 2)


def sum(x, axis):
    return ops.sum(x, axis=axis, keepdims=True)


def mean(x, axis):
    return ops.mean(x, axis=axis, keepdims=True)


def max(x, axis):
    return ops.max(x, axis=axis, keepdims=True)


def cumsum(x):
    return ops.cumsum(x, axis=-1)


def at_least(x, least):
    return ops.maximum(x, float(least))


def number(condition):
    return ops.cast(condition, "float32")


abs, exp, log, sqrt = ops.abs, ops.exp, ops.log, ops.sqrt
maximum, where = ops.maximum, ops.where


def scale(parts, vector):
    """Multiply the last axis of several arrays by the same constants."""
    axes = "abcd"[: len(parts[0].shape)]
    return _times(parts, f"{axes},{axes[-1]}->{axes}", vector)


def project(x, matrix):
    """Multiply (..., n) by a constant matrix (n, m)."""
    axes = "abcd"[: len(x.shape)]
    [product] = _times([x], f"{axes},{axes[-1]}z->{axes[:-1]}z", matrix)
    return product


def filtered(parts, responses):
    """Multiply arrays (n_clips, n_bins) by several responses (n_filters, n_bins)."""
    return _times(parts, "ab,zb->azb", responses)


def _times(parts: list, equation: str, constants: np.ndarray) -> list:
    """Multiply arrays of one shape by the same constants."""
    axes, own, result = equation.replace("->", ",").split(",")
    sizes = dict(zip(axes + own, (*parts[0].shape, *constants.shape), strict=True))
    layer = keras.layers.EinsumDense(
        equation, tuple(sizes[axis] for axis in result[1:]), trainable=False
    )
    products = [layer(part) for part in parts]
    layer.set_weights([constants.astype(np.float32)])
    return products


def first(padded, n_samples):
    """Return the first samples of recordings of unknown length."""
    return ops.reshape(padded[:, :n_samples], (-1, n_samples))


def centred(padded, n_samples):
    """Move recordings to the middle of `n_samples`; as many zeros stand behind each."""
    n_own = ops.sum(ops.ones_like(padded, dtype="int32"), axis=1, keepdims=True) - n_samples
    left = ops.floor_divide(n_samples - ops.minimum(n_own, n_samples), 2)
    places = ops.subtract(np.arange(n_samples, dtype=np.int32), left)
    return ops.take_along_axis(padded, ops.where(places < 0, n_own, places), axis=1)


def fft(real, imaginary):
    """Transform the last axis; return real and imaginary parts."""
    return ops.fft((real, ops.zeros_like(real) if imaginary is None else imaginary))


def graph(compute: Callable, model: keras.Model) -> keras.Model:
    """Return the whole computation as a model."""
    with float32_channels_last():
        sounds = keras.Input((None,), dtype="float32", name="samples")
        return keras.Model(sounds, compute(sounds, exportable(model), LIB), name="digits")


def exportable(model: keras.Model) -> keras.Model:
    """Return a network with the same weights, of built-in layers and operations alone."""
    steps: dict[str, object] = {}

    def call(layer, x, *others, **settings):
        if isinstance(layer, SkipZeros):
            sorted_steps, steps["mask"] = _sorted(x)
            return sorted_steps
        if isinstance(layer, Spectrogram):
            parts = front_ends.spectrogram(x, layer, LIB)
            return ops.swapaxes(ops.stack(parts, axis=3), 1, 2)
        if isinstance(layer, LogMel):
            powers = ops.swapaxes(x[..., 0], 1, 2)
            bands = ops.log(project(powers, layer._filters.T) + front_ends.FLOOR)
            return ops.swapaxes(bands, 1, 2)[..., None]
        if isinstance(layer, Scattering):
            return front_ends.scattering(x, layer.J, layer.Q, LIB)
        if steps and isinstance(layer, keras.layers.LSTM | keras.layers.GlobalAveragePooling1D):
            settings["mask"] = steps["mask"]
        return layer(x, *others, **settings)

    functional = keras.Model(model.inputs[0], model.outputs[0], name="network")
    return keras.models.clone_model(
        functional, clone_function=lambda layer: layer, call_function=call
    )


def _sorted(clips):
    """Do what ``SkipZeros`` does; return the sorted steps and their mask."""
    n_steps = clips.shape[1]
    places = np.arange(n_steps, dtype=np.int32)
    is_step = ops.any(ops.not_equal(clips, 0), axis=2)
    order = ops.argsort(ops.where(is_step, places, places + n_steps), axis=1)
    n_left = ops.sum(ops.cast(is_step, "int32"), axis=1, keepdims=True)
    mask = ops.less(places, ops.maximum(n_left, 1))
    return ops.take_along_axis(clips, order[:, :, None], axis=1), mask
