"""Models in Keras. Each has a twin of the same name and size in :mod:`digitlab.models.torch`."""

from collections.abc import Iterator

import numpy as np

from digitlab.environment import require
from digitlab.features.settings import FLOOR, hann, mel_filters, refuse_settings, refuse_shape

keras = require("keras", extra="keras")

CONVOLUTIONS = ((32, 41, 8), (64, 9, 4), (64, 9, 4), (128, 9, 4))  # filters, width, stride
RESIZED = (230, 120)  # frames, bins
BLOCKS = (16, 32, 64)  # filters
DEEP_BLOCKS = (32, 64, 128, 256, 512)  # filters
N_MELS, N_FILTERS, N_BLOCKS, WIDTH = 40, 96, 2, 9  # of the small network of chapter 14


@keras.saving.register_keras_serializable("digitlab")
class Scattering(keras.layers.Layer):
    """The scattering transform as a layer, on whichever backend Keras has.

    Parameters
    ----------
    J : int
        The averaging scale is ``2**J`` samples.
    Q : int
        Wavelets per octave at order 1.
    **kwargs
        Of every Keras layer. It computes in float32 unless ``dtype`` says otherwise.

    Notes
    -----
    It has no weights. Maps (n_clips, n_samples) to kymatio's coefficients (n_clips, n_paths,
    n_frames). A model that holds it is saved and loaded like any other, once this module has been
    imported. Taught in chapter 10.

    Examples
    --------
    >>> keras.Sequential([keras.Input((8192,)), Scattering(J=8, Q=12)]).output_shape
    (None, 337, 32)
    """

    def __init__(self, J: int = 8, Q: int = 12, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.J, self.Q = J, Q

    def call(self, clips):
        """Scatter clips (n_clips, n_samples)."""
        from digitlab.features.executors.keras import scatter

        return scatter(clips, self.J, self.Q)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_paths, n_frames)."""
        from digitlab.features.executors import plan

        what = plan(input_shape[1], self.J, self.Q)
        return input_shape[0], len(what.order), what.n_frames

    def get_config(self) -> dict:
        """Return what the layer is made of, for its model's file."""
        return super().get_config() | {"J": self.J, "Q": self.Q}


@keras.saving.register_keras_serializable("digitlab")
class Spectrogram(keras.layers.Layer):
    """The short-time Fourier transform as a layer, on whichever backend Keras has.

    Parameters
    ----------
    power : float, optional
        Magnitudes to this power; by default real and imaginary parts, as two channels.
    n_fft, win_length, hop_length, pad : int
        In samples, as for :func:`digitlab.features.spectrogram`.
    **kwargs
        Of every Keras layer. It computes in float32 unless ``dtype`` says otherwise.

    Raises
    ------
    ValueError
        If the settings make no spectrogram, or clips are shorter than `n_fft`.

    Notes
    -----
    It has no weights. Maps (n_clips, n_samples) to what :func:`digitlab.features.spectrogram`
    returns, but with the channels last, as Keras has them: (n_clips, n_bins, n_frames, n_channels).
    Taught in chapter 14.

    Examples
    --------
    >>> keras.Sequential([keras.Input((16000,)), Spectrogram()]).output_shape
    (None, 257, 101, 2)
    """

    def __init__(
        self,
        power: float | None = None,
        *,
        n_fft: int = 512,
        win_length: int = 480,
        hop_length: int = 160,
        pad: int = 0,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32"} | kwargs)
        refuse_settings(power, n_fft, win_length, hop_length, pad)
        self.power, self.pad = power, pad
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length

    def call(self, clips):
        """Transform clips (n_clips, n_samples)."""
        refuse_shape(clips.shape, self.n_fft)
        clips = keras.ops.pad(clips, ((0, 0), (self.pad, self.pad)))
        window = hann(self.win_length)
        parts = keras.ops.stft(clips, self.win_length, self.hop_length, self.n_fft, window)
        if self.power is None:
            return keras.ops.swapaxes(keras.ops.stack(parts, axis=3), 1, 2)
        tiny = np.finfo(self.compute_dtype).tiny  # keeps the gradient finite in silence
        squares = sum(keras.ops.square(part) for part in parts) + tiny
        return keras.ops.swapaxes(squares ** (self.power / 2), 1, 2)[..., None]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_bins, n_frames, n_channels)."""
        n_clips, n_samples = input_shape
        n_frames = 1 + (n_samples + 2 * self.pad - self.n_fft % 2) // self.hop_length
        return n_clips, self.n_fft // 2 + 1, n_frames, 1 if self.power else 2

    def get_config(self) -> dict:
        """Return what the layer is made of, for its model's file."""
        names = ("power", "n_fft", "win_length", "hop_length", "pad")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("digitlab")
class LogMel(keras.layers.Layer):
    """Turn squared magnitudes into mel bands, and take the logarithm.

    Parameters
    ----------
    rate : int
        Of the clips, in Hz.
    n_mels : int
        How many bands.
    n_fft : int
        What the spectrogram was made with.
    **kwargs
        Of every Keras layer. It computes in float32 unless ``dtype`` says otherwise.

    Notes
    -----
    It has no weights. Behind ``Spectrogram(power=2)`` it returns what
    :func:`digitlab.features.log_mel_spectrogram` does, but with the channel last: (n_clips, n_mels,
    n_frames, 1). Taught in chapter 14.

    Examples
    --------
    >>> layers = [keras.Input((16000,)), Spectrogram(power=2), LogMel()]
    >>> keras.Sequential(layers).output_shape
    (None, 64, 101, 1)
    """

    def __init__(self, rate: int = 16000, n_mels: int = 64, n_fft: int = 512, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.rate, self.n_mels, self.n_fft = rate, n_mels, n_fft
        self._filters = mel_filters(rate, n_fft, n_mels)

    def call(self, powers):
        """Gather the bins of each band from squares (n_clips, n_bins, n_frames, 1)."""
        filters = keras.ops.cast(self._filters, self.compute_dtype)
        return keras.ops.log(keras.ops.matmul(filters, powers[..., 0]) + FLOOR)[..., None]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_mels, n_frames, 1)."""
        return input_shape[0], self.n_mels, *input_shape[2:]

    def get_config(self) -> dict:
        """Return what the layer is made of, for its model's file."""
        names = ("rate", "n_mels", "n_fft")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("digitlab")
class SkipZeros(keras.layers.Layer):
    """Bring the steps of each clip that are not zero to its front, and mask the rest.

    A step is zero if every feature is. An LSTM behind it does what it would do with a mask that has
    holes, which not every implementation of an LSTM takes. A clip that is nothing but zeros keeps
    its first step.

    Parameters
    ----------
    **kwargs
        Of every Keras layer.

    Notes
    -----
    Maps (n_clips, n_steps, n_features) to the same shape. Taught in chapter 11.

    Examples
    --------
    >>> clip = np.array([[[0.0], [3.0], [0.0], [2.0], [0.0]]])
    >>> np.ravel(SkipZeros()(clip)), np.ravel(SkipZeros().compute_mask(clip))
    (array([3., 2., 0., 0., 0.], dtype=float32), array([ True,  True, False, False, False]))
    """

    def call(self, clips):
        """Sort the steps of clips (n_clips, n_steps, n_features)."""
        n_steps = keras.ops.shape(clips)[1]
        places = keras.ops.arange(n_steps, dtype="int32")
        order = keras.ops.argsort(keras.ops.where(_heard(clips), places, places + n_steps), axis=1)
        return keras.ops.take_along_axis(clips, order[:, :, None], axis=1)

    def compute_mask(self, clips, previous_mask=None):
        """Return which steps hold something, once sorted: (n_clips, n_steps)."""
        n_heard = keras.ops.sum(keras.ops.cast(_heard(clips), "int32"), axis=1, keepdims=True)
        places = keras.ops.arange(keras.ops.shape(clips)[1], dtype="int32")
        return keras.ops.less(places, keras.ops.maximum(n_heard, 1))


def _heard(clips):
    return keras.ops.any(keras.ops.not_equal(clips, 0), axis=2)


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build multinomial logistic regression: one dense layer with a softmax.

    The initial weights are drawn as PyTorch draws them, uniformly from ±1/√n_features, so that the
    twins start alike.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 9, in PyTorch; chapter 10 is about Keras.

    Examples
    --------
    >>> count_parameters(logistic_regression(336, 10))
    (3370, 3370)
    """
    bound = n_features**-0.5
    weights, biases = (
        keras.initializers.RandomUniform(-bound, bound, seed=2 * seed + which) for which in (0, 1)
    )
    dense = keras.layers.Dense(
        n_classes, activation="softmax", kernel_initializer=weights, bias_initializer=biases
    )
    return keras.Sequential([keras.Input((n_features,)), dense])


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build batch normalisation before logistic regression: what K1 learns with.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 10.

    Examples
    --------
    >>> count_parameters(normalised_regression(336, 10))
    (4714, 4042)
    """
    normalise = keras.layers.BatchNormalization()
    regression = logistic_regression(n_features, n_classes, seed=seed)
    return keras.Sequential([keras.Input((n_features,)), normalise, *regression.layers])


def raw_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build the published LSTM that is fed sample by sample: L1 and L3.

    LSTM(25), its last state, Dense(50) with a ReLU, Dense(10). Samples that are exactly zero are
    skipped, wherever they stand.

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row. As published, a step is a
        sample: (17640, 1).
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_steps, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(raw_lstm(17640, 1, 10))
    (4510, 4510)
    """
    seeds = _seeds(seed)
    return keras.Sequential(
        [
            keras.Input((n_steps, n_features)),
            SkipZeros(),
            _lstm(25, seeds),
            *_published_head(50, n_classes, seeds),
        ]
    )


def mel_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build the published LSTM that reads a spectrogram from low to high: L2 and L4.

    LSTM(256), the mean over its 256 units at each step, Dense(256) with a ReLU, Dense(10).

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row. As published, a step is a
        mel band, and its features are the frames: (64, 35).
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_steps, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11, with what is wrong with it.

    Examples
    --------
    >>> count_parameters(mel_lstm(64, 35, 10))
    (318218, 318218)
    """
    seeds = _seeds(seed)
    return keras.Sequential(
        [
            keras.Input((n_steps, n_features)),
            _lstm(256, seeds, return_sequences=True),
            keras.layers.GlobalAveragePooling1D(data_format="channels_first"),  # over the units
            *_published_head(256, n_classes, seeds),
        ]
    )


def frame_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build an LSTM that is fed frame by frame: L5 and L6, the published LSTMs put right.

    LSTM(64) whose steps are frames, in the order of time, the mean of its states over them, and
    one dense layer. Frames that are zero in every feature are skipped.

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row: (35, 64) for a log-mel
        spectrogram, (102, 80) for raw samples in frames of 10 ms.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_steps, n_features) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(frame_lstm(35, 64, 10))
    (33674, 33674)
    """
    seeds = _seeds(seed)
    return keras.Sequential(
        [
            keras.Input((n_steps, n_features)),
            SkipZeros(),
            _lstm(64, seeds, return_sequences=True),
            keras.layers.GlobalAveragePooling1D(),  # over the steps that are not masked
            _dense(n_classes, seeds),
        ]
    )


def raw_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build strided 1-D convolutions over raw samples: L7.

    Four convolutions, each with batch normalisation and a ReLU, take fewer and fewer steps, 512
    times fewer in all; the mean over what is left goes through one dense layer.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, n_channels), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, n_channels) to probabilities (n_clips, n_classes).

    Notes
    -----
    After W. Dai et al., "Very deep convolutional neural networks for raw waveforms", ICASSP 2017,
    whose M5 is deeper. Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(raw_cnn(8192, 1, 10))
    (132778, 132202)
    """
    seeds = _seeds(seed)
    samples = maps = keras.Input((n_samples, n_channels))
    for n_filters, width, stride in CONVOLUTIONS:
        maps = keras.ops.relu(_convolved(maps, n_filters, width, seeds, strides=stride))
    answer = _dense(n_classes, seeds)(keras.layers.GlobalAveragePooling1D()(maps))
    return keras.Model(samples, answer)


def picture_dense(
    n_frames: int, n_bins: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "keras.Model":
    """Build the published dense network on spectrogram pictures: D1.

    The picture is resized to 230 frames by 120 bins, bilinearly, and laid out in a row; then
    Dense(512), Dense(128), Dense(64), each with a ReLU, and Dense(10).

    Parameters
    ----------
    n_frames, n_bins, n_channels, n_classes : int
        Size of an input, (n_frames, n_bins, n_channels), and of an output row: (233, 129, 1) and
        10 as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_frames, n_bins, n_channels) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(picture_dense(233, 129, 1, 10))
    (14206282, 14206282)
    """
    picture = keras.Input((n_frames, n_bins, n_channels))
    resize = keras.layers.Resizing(*RESIZED, data_format="channels_last")
    layers = _dense_layers((512, 128, 64), n_classes, _seeds(seed))
    return keras.Sequential([picture, resize, keras.layers.Flatten(), *layers])


def mel_dense(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build a dense network a fiftieth of D1's size, for log-mel frames: D2.

    All frames in a row, Dense(112) with a ReLU, and Dense(10).

    Parameters
    ----------
    n_frames, n_mels, n_classes : int
        Size of an input, (n_frames, n_mels), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_frames, n_mels) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(mel_dense(35, 64, 10))
    (252122, 252122)
    """
    layers = _dense_layers((112,), n_classes, _seeds(seed))
    return keras.Sequential([keras.Input((n_frames, n_mels)), keras.layers.Flatten(), *layers])


def mel_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build a small convolutional network on log-mel frames: D3.

    Three blocks of a 3 x 3 convolution, batch normalisation, a ReLU and max-pooling by 2; the mean
    over what frames are left, so that it does not matter when a digit begins; Dense(10).

    Parameters
    ----------
    n_frames, n_mels, n_classes : int
        Size of an input, (n_frames, n_mels), both at least 8, and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_frames, n_mels) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(mel_cnn(35, 64, 10))
    (28762, 28538)
    """
    seeds = _seeds(seed)
    maps = inputs = keras.Input((n_frames, n_mels))
    maps = keras.layers.Reshape((n_frames, n_mels, 1))(maps)
    for n_filters in BLOCKS:
        weights = keras.initializers.GlorotUniform(next(seeds))
        convolution = keras.layers.Conv2D(
            n_filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=weights,
            data_format="channels_last",
        )
        maps = keras.layers.BatchNormalization(momentum=0.9)(convolution(maps))
        maps = keras.layers.ReLU()(maps)
        maps = keras.layers.MaxPooling2D(2, data_format="channels_last")(maps)
    features = keras.layers.Flatten()(keras.ops.mean(maps, axis=1))
    for layer in _dense_layers((), n_classes, seeds):
        features = layer(features)
    return keras.Model(inputs, features)


def complex_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build the published convolutional network on complex spectrograms: C1.

    Five blocks of a 3 x 3 convolution, batch normalisation, a ReLU, max-pooling by 2 and dropout of
    whole channels, the last with the mean over its whole map in place of the maxima; Dense(512)
    with batch normalisation, a ReLU and dropout; one dense layer.

    The spectrogram is the network's first stage: it hears samples.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row: 16,000 samples at 16 kHz and 30
        words as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, 1) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(complex_cnn(16000, 1, 30))
    (1852350, 1849342)
    """
    return _deep_cnn(n_samples, 2, n_classes, seed, Spectrogram())


def magnitude_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "keras.Model":
    """Build C1's network on the magnitudes of the same spectrograms: C2.

    The network of :func:`complex_cnn`, whose first convolution has one channel to look at in place
    of two.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row: 16,000 samples at 16 kHz and 30
        words as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, 1) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(magnitude_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(n_samples, 1, n_classes, seed, Spectrogram(power=1))


def power_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build C1's network on squared magnitudes: C3.

    The network of :func:`complex_cnn`, whose first convolution has one channel to look at in place
    of two.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row: 16,000 samples at 16 kHz and 30
        words as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, 1) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(power_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(n_samples, 1, n_classes, seed, Spectrogram(power=2))


def log_mel_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> "keras.Model":
    """Build C1's network on 64 mel bands of the same frames, as logarithms: C4.

    The network of :func:`complex_cnn`, whose first convolution has one channel to look at in place
    of two.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row: 16,000 samples at 16 kHz and 30
        words as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, 1) to probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(log_mel_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(n_samples, 1, n_classes, seed, Spectrogram(power=2), LogMel())


def separable_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "keras.Model":
    """Build a small network of separable convolutions over the course of a log-mel spectrogram: C5.

    40 mel bands of C1's frames, each less its own mean over the clip, are the channels of a
    convolution over time, which takes every other frame. Two blocks follow, each of two separable
    convolutions around which its input goes unchanged to be added to their outcome: one filter of
    9 frames for each channel, then a mixture of channels. The mean over all frames, for which it
    does not matter when a word begins, goes through one dense layer.

    The spectrogram is the network's first stage: it hears samples.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    keras.Model
        Maps (n_clips, n_samples, 1) to probabilities (n_clips, n_classes).

    Notes
    -----
    After S. Majumdar and B. Ginsburg, "MatchboxNet: 1D time-channel separable convolutional neural
    network architecture for speech commands recognition", Interspeech 2020, which is deeper. Taught
    in chapter 14.

    Examples
    --------
    >>> count_parameters(separable_cnn(16000, 1, 30))
    (64350, 63390)
    """
    seeds = _seeds(seed)
    samples = keras.Input((n_samples, 1))
    powers = Spectrogram(power=2)(keras.layers.Flatten()(samples))
    bands = keras.ops.swapaxes(LogMel(n_mels=N_MELS)(powers)[..., 0], 1, 2)
    level = bands - keras.ops.mean(bands, axis=1, keepdims=True)
    padded = keras.layers.ZeroPadding1D(2)(level)  # "same" pads otherwise where frames are even
    maps = keras.ops.relu(_convolved(padded, N_FILTERS, 5, seeds, strides=2))
    for _ in range(N_BLOCKS):
        inner = keras.ops.relu(_separated(maps, seeds))
        maps = keras.ops.relu(maps + _separated(inner, seeds))
    answer = _dense(n_classes, seeds)(keras.layers.GlobalAveragePooling1D()(maps))
    return keras.Model(samples, answer)


def count_parameters(model: "keras.Model") -> tuple[int, int]:
    """Count a model's numbers: weights with the running statistics, and the weights alone.

    Parameters
    ----------
    model : keras.Model
        Any built model.

    Returns
    -------
    n_parameters, n_trainable : int
        Both counts.

    Examples
    --------
    >>> count_parameters(keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization()]))
    (16, 8)
    """
    trainable = sum(int(keras.ops.size(weights)) for weights in model.trainable_weights)
    return model.count_params(), trainable


def get_weights(model: "keras.Model") -> list[np.ndarray]:
    """Return all numbers of a model, weights and running statistics, in its own order.

    Parameters
    ----------
    model : keras.Model
        Any built model.

    Returns
    -------
    list of ndarray
        For :func:`set_weights`.

    Examples
    --------
    >>> [values.shape for values in get_weights(logistic_regression(336, 10))]
    [(336, 10), (10,)]
    """
    return model.get_weights()


def set_weights(model: "keras.Model", weights: list[np.ndarray]) -> None:
    """Give a model the numbers of another one that is built alike.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    weights : list of ndarray
        From :func:`get_weights`.

    Raises
    ------
    ValueError
        If they are of another number or shape.

    Examples
    --------
    >>> first, second = (logistic_regression(4, 2, seed=seed) for seed in (1, 2))
    >>> set_weights(second, get_weights(first))
    >>> all(np.array_equal(a, b) for a, b in zip(get_weights(first), get_weights(second)))
    True
    """
    if [values.shape for values in model.get_weights()] != [values.shape for values in weights]:
        raise ValueError("these weights do not fit this model")
    model.set_weights(weights)


def _deep_cnn(
    n_samples: int, n_channels: int, n_classes: int, seed: int, *front_end: "keras.layers.Layer"
) -> "keras.Model":
    """Return C1's network behind what makes pictures of this many channels."""
    seeds, last = _seeds(seed), {"data_format": "channels_last"}
    layers = [keras.Input((n_samples, 1)), keras.layers.Flatten(), *front_end]
    for n_filters in DEEP_BLOCKS:
        is_last = n_filters == DEEP_BLOCKS[-1]
        weights = _drawn_as_in_pytorch(9 * n_channels, seeds)
        layers += [
            keras.layers.Conv2D(n_filters, 3, padding="same", **last, **weights),
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(**last, keepdims=True)
            if is_last
            else keras.layers.MaxPooling2D(2, **last),
            keras.layers.SpatialDropout2D(0.2, **last, seed=next(seeds)),
        ]
        n_channels = n_filters
    return keras.Sequential(
        [
            *layers,
            keras.layers.Flatten(),
            keras.layers.Dense(512, **_drawn_as_in_pytorch(n_channels, seeds)),
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
            keras.layers.ReLU(),
            keras.layers.Dropout(0.5, seed=next(seeds)),
            keras.layers.Dense(n_classes, activation="softmax", **_drawn_as_in_pytorch(512, seeds)),
        ]
    )


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
        WIDTH, padding="same", use_bias=False, depthwise_initializer=weights
    )
    return _convolved(by_channel(maps), N_FILTERS, 1, seeds)


def _drawn_as_in_pytorch(n_inputs: int, seeds: Iterator[int]) -> dict:
    """Return what draws weights and biases as PyTorch does: uniformly from ±1/√n_inputs."""
    bound = n_inputs**-0.5
    names = ("kernel_initializer", "bias_initializer")
    return {name: keras.initializers.RandomUniform(-bound, bound, next(seeds)) for name in names}


def _lstm(n_units: int, seeds: Iterator[int], **settings) -> "keras.layers.Layer":
    return keras.layers.LSTM(
        n_units,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        **settings,
    )


def _published_head(n_hidden: int, n_classes: int, seeds: Iterator[int]) -> list:
    """Return the dense layers of the published LSTMs."""
    return [
        keras.layers.Dense(
            n_hidden, activation="relu", kernel_initializer=keras.initializers.HeNormal(next(seeds))
        ),
        keras.layers.Dense(
            n_classes,
            activation="softmax",
            kernel_initializer=keras.initializers.GlorotNormal(next(seeds)),
        ),
    ]


def _dense_layers(sizes: tuple[int, ...], n_classes: int, seeds: Iterator[int]) -> list:
    """Return dense layers of these sizes with ReLUs, and the one that answers."""
    hidden = [
        keras.layers.Dense(
            size, "relu", kernel_initializer=keras.initializers.GlorotUniform(next(seeds))
        )
        for size in sizes
    ]
    return [*hidden, _dense(n_classes, seeds)]


def _dense(n_classes: int, seeds: Iterator[int]) -> "keras.layers.Layer":
    weights = keras.initializers.GlorotUniform(next(seeds))
    return keras.layers.Dense(n_classes, activation="softmax", kernel_initializer=weights)


def _seeds(seed: int) -> Iterator[int]:
    """Give each layer of a model a seed of its own."""
    dice = np.random.default_rng(seed)
    while True:
        yield int(dice.integers(2**31))
