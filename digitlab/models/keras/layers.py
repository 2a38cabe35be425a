"""Layers in Keras, for any backend. They compute in float32 unless their ``dtype`` differs."""

import keras
import numpy as np

from digitlab.features.settings import FLOOR, hann, mel_filters, refuse_settings, refuse_shape
from digitlab.models.common import refuse_bins, refuse_numbers, refuse_steps

FLOAT32 = {"dtype": "float32"}  # whatever keras.json says


@keras.saving.register_keras_serializable("digitlab")
class Scattering(keras.layers.Layer):
    """The twin of :class:`digitlab.models.torch.Scattering`. Taught in chapter 10."""

    def __init__(self, J: int = 8, Q: int = 12, **kwargs):
        super().__init__(**FLOAT32 | kwargs)
        self.J, self.Q = J, Q

    def call(self, clips):
        """Scatter clips (n_clips, n_samples)."""
        from digitlab.features.executors.keras import scatter

        refuse_shape(clips.shape, 1)
        refuse_numbers(clips)
        return scatter(clips, self.J, self.Q)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_paths, n_frames)."""
        from digitlab.features.executors import plan

        refuse_shape(input_shape, 1)
        what = plan(input_shape[1], self.J, self.Q)
        return input_shape[0], len(what.order), what.n_frames

    def get_config(self) -> dict:
        """Return the settings that a saved model keeps."""
        return super().get_config() | {"J": self.J, "Q": self.Q}


@keras.saving.register_keras_serializable("digitlab")
class Spectrogram(keras.layers.Layer):
    """The twin of :class:`digitlab.models.torch.Spectrogram`, with the channels last.

    Maps (n_clips, n_samples) to (n_clips, n_bins, n_frames, n_channels).
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
        super().__init__(**FLOAT32 | kwargs)
        refuse_settings(power, n_fft, win_length, hop_length, pad)
        self.power, self.pad = power, pad
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length

    def call(self, clips):
        """Transform clips (n_clips, n_samples)."""
        refuse_shape(clips.shape, self.n_fft)
        refuse_numbers(clips)
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
        refuse_shape(input_shape, self.n_fft)
        n_clips, n_samples = input_shape
        n_frames = 1 + (n_samples + 2 * self.pad - self.n_fft % 2) // self.hop_length
        return n_clips, self.n_fft // 2 + 1, n_frames, 1 if self.power else 2

    def get_config(self) -> dict:
        """Return the settings that a saved model keeps."""
        names = ("power", "n_fft", "win_length", "hop_length", "pad")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("digitlab")
class LogMel(keras.layers.Layer):
    """The twin of :class:`digitlab.models.torch.LogMel`, with the channel last.

    Maps (n_clips, n_bins, n_frames, 1) to (n_clips, n_mels, n_frames, 1).
    """

    def __init__(self, rate: int = 16000, n_mels: int = 64, n_fft: int = 512, **kwargs):
        super().__init__(**FLOAT32 | kwargs)
        self.rate, self.n_mels, self.n_fft = rate, n_mels, n_fft
        self._filters = mel_filters(rate, n_fft, n_mels)

    def call(self, powers):
        """Compute log-mel bands of squared magnitudes (n_clips, n_bins, n_frames, 1)."""
        refuse_bins(powers.shape[1], self.n_fft)
        filters = keras.ops.cast(self._filters, self.compute_dtype)
        return keras.ops.log(keras.ops.matmul(filters, powers[..., 0]) + FLOOR)[..., None]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Return (n_clips, n_mels, n_frames, 1)."""
        refuse_bins(input_shape[1], self.n_fft)
        return input_shape[0], self.n_mels, *input_shape[2:]

    def get_config(self) -> dict:
        """Return the settings that a saved model keeps."""
        names = ("rate", "n_mels", "n_fft")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("digitlab")
class SkipZeros(keras.layers.Layer):
    """The twin of :class:`digitlab.models.torch.SkipZeros`, which masks in place of packing.

    It brings the steps of each clip that are not zero to the front and masks the rest, because not
    every implementation of an LSTM takes a mask with holes. Maps (n_clips, n_steps, n_features) to
    the same shape.
    """

    def __init__(self, **kwargs):
        super().__init__(**FLOAT32 | kwargs)

    def call(self, clips):
        """Sort the steps of clips (n_clips, n_steps, n_features)."""
        refuse_steps(clips.shape)
        n_steps = keras.ops.shape(clips)[1]
        places = keras.ops.arange(n_steps, dtype="int32")
        keys = keras.ops.where(_is_step(clips), places, places + n_steps)
        order = keras.ops.argsort(keys, axis=1)
        return keras.ops.take_along_axis(clips, order[:, :, None], axis=1)

    def compute_mask(self, clips, previous_mask=None):
        """Return which of the sorted steps are not zero: (n_clips, n_steps)."""
        n_left = keras.ops.sum(keras.ops.cast(_is_step(clips), "int32"), axis=1, keepdims=True)
        places = keras.ops.arange(keras.ops.shape(clips)[1], dtype="int32")
        return keras.ops.less(places, keras.ops.maximum(n_left, 1))


def _is_step(clips):
    return keras.ops.any(keras.ops.not_equal(clips, 0), axis=2)
