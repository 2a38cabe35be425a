"""Builders of untrained networks in Keras: in float32 with channels last, whatever keras.json says.

They return probabilities, where their twins in PyTorch return logarithms of these.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import keras
import numpy as np

from digitlab.models import common
from digitlab.models.keras.defaults import float32_channels_last
from digitlab.models.keras.layers import LogMel, Scattering, SkipZeros, Spectrogram


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.logistic_regression`, which starts alike."""
    bound = n_features**-0.5
    weights, biases = (
        keras.initializers.RandomUniform(-bound, bound, seed=2 * seed + which) for which in (0, 1)
    )
    with _seeded(seed):
        dense = keras.layers.Dense(
            n_classes, activation="softmax", kernel_initializer=weights, bias_initializer=biases
        )
        return keras.Sequential([keras.Input((n_features,)), dense])


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.normalised_regression`."""
    regression = logistic_regression(n_features, n_classes, seed=seed)
    with _seeded(seed):
        normalise = keras.layers.BatchNormalization()
        return keras.Sequential([keras.Input((n_features,)), normalise, *regression.layers])


def scattering_regression(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.scattering_regression`."""
    n_paths = common.count_paths(n_samples, n_channels)
    regression = normalised_regression(n_paths, n_classes, seed=seed)
    with _seeded(seed):
        samples = keras.Input((n_samples, 1))
        coefficients = Scattering(common.J, common.Q)(keras.layers.Flatten()(samples))
        sizes = keras.ops.abs(coefficients[:, 1:])
        floor = keras.ops.full_like(sizes, common.SCATTERING_FLOOR)  # float32; a number is floatx
        outputs = keras.ops.mean(keras.ops.log(sizes + floor), axis=2)
        for layer in regression.layers:
            outputs = layer(outputs)
        return keras.Model(samples, outputs)


def raw_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.raw_lstm`."""
    with _seeded(seed) as seeds:
        layers = [SkipZeros(), _lstm(25, seeds), *_published_head(50, n_classes, seeds)]
        return keras.Sequential([keras.Input((n_steps, n_features)), *layers])


def mel_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.mel_lstm`."""
    with _seeded(seed) as seeds:
        lstm = _lstm(256, seeds, return_sequences=True)
        mean = keras.layers.GlobalAveragePooling1D(data_format="channels_first")  # over the units
        head = _published_head(256, n_classes, seeds)
        return keras.Sequential([keras.Input((n_steps, n_features)), lstm, mean, *head])


def frame_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.frame_lstm`."""
    with _seeded(seed) as seeds:
        lstm = _lstm(64, seeds, return_sequences=True)
        mean = keras.layers.GlobalAveragePooling1D()  # over the steps that are not masked
        layers = [SkipZeros(), lstm, mean, _dense(n_classes, seeds)]
        return keras.Sequential([keras.Input((n_steps, n_features)), *layers])


def raw_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.raw_cnn`."""
    with _seeded(seed) as seeds:
        samples = maps = keras.Input((n_samples, n_channels))
        for n_filters, width, stride in common.CONVOLUTIONS:
            maps = keras.ops.relu(_convolved(maps, n_filters, width, seeds, strides=stride))
        outputs = _dense(n_classes, seeds)(keras.layers.GlobalAveragePooling1D()(maps))
        return keras.Model(samples, outputs)


def picture_dense(
    n_frames: int, n_bins: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.picture_dense`."""
    with _seeded(seed) as seeds:
        layers = [keras.layers.Resizing(*common.RESIZED), keras.layers.Flatten()]
        layers += _dense_layers((512, 128, 64), n_classes, seeds)
        return keras.Sequential([keras.Input((n_frames, n_bins, n_channels)), *layers])


def mel_dense(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.mel_dense`."""
    with _seeded(seed) as seeds:
        layers = _dense_layers((112,), n_classes, seeds)
        return keras.Sequential([keras.Input((n_frames, n_mels)), keras.layers.Flatten(), *layers])


def mel_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.mel_cnn`."""
    common.refuse_pictures(n_frames, n_mels)
    with _seeded(seed) as seeds:
        inputs = keras.Input((n_frames, n_mels))
        maps = keras.layers.Reshape((n_frames, n_mels, 1))(inputs)
        for n_filters in common.BLOCKS:
            weights = keras.initializers.GlorotUniform(next(seeds))
            convolution = keras.layers.Conv2D(
                n_filters, 3, padding="same", use_bias=False, kernel_initializer=weights
            )
            maps = keras.layers.BatchNormalization(momentum=0.9)(convolution(maps))
            maps = keras.layers.MaxPooling2D(2)(keras.layers.ReLU()(maps))
        features = keras.layers.Flatten()(keras.ops.mean(maps, axis=1))
        return keras.Model(inputs, _dense(n_classes, seeds)(features))


def residual_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.residual_cnn`."""
    common.refuse_pictures(n_frames, n_mels)
    n_maps, *_ = common.RESIDUAL_BLOCKS
    with _seeded(seed) as seeds:
        inputs = keras.Input((n_frames, n_mels))
        pictures = keras.layers.Reshape((n_frames, n_mels, 1))(inputs)
        maps = keras.ops.relu(_convolved_2d(pictures, n_maps, 5, seeds, strides=2))
        for block, n_filters in enumerate(common.RESIDUAL_BLOCKS):
            maps = _residual_block(maps, n_filters, seeds, strides=2 if block else 1)
        means = keras.layers.GlobalAveragePooling2D()(maps)
        maxima = keras.layers.GlobalMaxPooling2D()(maps)
        pooled = keras.layers.Concatenate()([means, maxima])
        pooled = keras.layers.Dropout(0.2, seed=next(seeds))(pooled)
        return keras.Model(inputs, _dense(n_classes, seeds)(pooled))


def _residual_block(maps, n_filters: int, seeds: Iterator[int], strides: int):
    inner = keras.ops.relu(_convolved_2d(maps, n_filters, 3, seeds, strides=strides))
    inner = _convolved_2d(inner, n_filters, 3, seeds)
    if strides > 1:
        maps = _convolved_2d(maps, n_filters, 1, seeds, strides=strides)
    return keras.ops.relu(inner + maps)


def _convolved_2d(maps, n_filters: int, width: int, seeds: Iterator[int], strides: int = 1):
    """Return maps behind a convolution, padded as PyTorch does, and batch normalisation."""
    padded = keras.layers.ZeroPadding2D(width // 2)(maps) if width > 1 else maps
    convolution = keras.layers.Conv2D(
        n_filters,
        width,
        strides,
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(next(seeds)),
    )
    return keras.layers.BatchNormalization(momentum=0.9)(convolution(padded))


def deep_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, front_end: str = "complex", seed: int = 0
) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.deep_cnn`."""
    common.refuse_input(n_samples, n_channels, at_least=common.SHORTEST)
    n_maps = 2 if front_end == "complex" else 1
    with _seeded(seed) as seeds:
        layers = [keras.layers.Flatten(), Spectrogram(common.power_of(front_end))]
        if front_end == "log-mel":
            layers.append(LogMel())
        for n_filters in common.DEEP_BLOCKS:
            pooling = keras.layers.MaxPooling2D(2)
            if n_filters == common.DEEP_BLOCKS[-1]:
                pooling = keras.layers.GlobalAveragePooling2D(keepdims=True)
            weights = _drawn_as_in_pytorch(9 * n_maps, seeds)
            layers += [
                keras.layers.Conv2D(n_filters, 3, padding="same", **weights),
                keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
                keras.layers.ReLU(),
                pooling,
                keras.layers.SpatialDropout2D(0.2, seed=next(seeds)),
            ]
            n_maps = n_filters
        layers += [
            keras.layers.Flatten(),
            keras.layers.Dense(512, **_drawn_as_in_pytorch(n_maps, seeds)),
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5, seed=next(seeds)),
            keras.layers.Dense(n_classes, activation="softmax", **_drawn_as_in_pytorch(512, seeds)),
        ]
        return keras.Sequential([keras.Input((n_samples, 1)), *layers])


def separable_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> keras.Model:
    """Build the twin of :func:`digitlab.models.torch.separable_cnn`."""
    common.refuse_input(n_samples, n_channels, at_least=1)
    with _seeded(seed) as seeds:
        samples = keras.Input((n_samples, 1))
        powers = Spectrogram(power=2)(keras.layers.Flatten()(samples))
        bands = keras.ops.swapaxes(LogMel(n_mels=common.N_MELS)(powers)[..., 0], 1, 2)
        level = bands - keras.ops.mean(bands, axis=1, keepdims=True)
        padded = keras.layers.ZeroPadding1D(2)(level)  # "same" differs where frames are even
        maps = keras.ops.relu(_convolved(padded, common.N_FILTERS, 5, seeds, strides=2))
        for _ in range(common.N_BLOCKS):
            inner = keras.ops.relu(_separated(maps, seeds))
            maps = keras.ops.relu(maps + _separated(inner, seeds))
        outputs = _dense(n_classes, seeds)(keras.layers.GlobalAveragePooling1D()(maps))
        return keras.Model(samples, outputs)


def _convolved(maps, n_filters: int, width: int, seeds: Iterator[int], **settings):
    """Return maps behind a convolution over time and batch normalisation."""
    weights = keras.initializers.GlorotUniform(next(seeds))
    convolution = keras.layers.Conv1D(
        n_filters, width, use_bias=False, kernel_initializer=weights, **settings
    )
    return keras.layers.BatchNormalization(momentum=0.9)(convolution(maps))


def _separated(maps, seeds: Iterator[int]):
    weights = keras.initializers.GlorotUniform(next(seeds))
    by_channel = keras.layers.DepthwiseConv1D(
        common.WIDTH, padding="same", use_bias=False, depthwise_initializer=weights
    )
    return _convolved(by_channel(maps), common.N_FILTERS, 1, seeds)


def _drawn_as_in_pytorch(n_inputs: int, seeds: Iterator[int]) -> dict:
    """Return initializers that draw as PyTorch does: uniformly from ±1/√n_inputs."""
    bound = n_inputs**-0.5
    names = ("kernel_initializer", "bias_initializer")
    return {name: keras.initializers.RandomUniform(-bound, bound, next(seeds)) for name in names}


def _lstm(n_units: int, seeds: Iterator[int], **settings) -> keras.layers.Layer:
    return keras.layers.LSTM(
        n_units,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        **settings,
    )


def _published_head(n_hidden: int, n_classes: int, seeds: Iterator[int]) -> list:
    """Return the dense layers of the published LSTMs."""
    hidden = keras.initializers.HeNormal(next(seeds))
    last = keras.initializers.GlorotNormal(next(seeds))
    return [
        keras.layers.Dense(n_hidden, activation="relu", kernel_initializer=hidden),
        keras.layers.Dense(n_classes, activation="softmax", kernel_initializer=last),
    ]


def _dense_layers(sizes: tuple[int, ...], n_classes: int, seeds: Iterator[int]) -> list:
    """Return dense layers of these sizes with ReLUs, and the output layer."""
    return [*(_dense(size, seeds, "relu") for size in sizes), _dense(n_classes, seeds)]


def _dense(n_outputs: int, seeds: Iterator[int], activation: str = "softmax") -> keras.layers.Layer:
    weights = keras.initializers.GlorotUniform(next(seeds))
    return keras.layers.Dense(n_outputs, activation, kernel_initializer=weights)


@contextmanager
def _seeded(seed: int) -> Iterator[Iterator[int]]:
    """Give each layer a seed of its own, and build it with float32 and channels last.

    Layers keep both in their configuration, so that a saved model has them, too.
    """
    rng = np.random.default_rng(seed)
    with float32_channels_last():
        yield (int(rng.integers(2**31)) for _ in count())
