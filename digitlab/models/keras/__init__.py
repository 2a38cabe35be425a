"""Models in Keras. Each has a twin of the same name and size in :mod:`digitlab.models.torch`."""

from digitlab.environment import require

require("keras", extra="keras")

from digitlab.models.keras.layers import LogMel, Scattering, SkipZeros, Spectrogram  # noqa: E402
from digitlab.models.keras.networks import (  # noqa: E402
    deep_cnn,
    frame_lstm,
    logistic_regression,
    mel_cnn,
    mel_dense,
    mel_lstm,
    normalised_regression,
    picture_dense,
    raw_cnn,
    raw_lstm,
    residual_cnn,
    scattering_regression,
    separable_cnn,
)
from digitlab.models.keras.weights import count_parameters, get_weights, set_weights  # noqa: E402

__all__ = [
    "LogMel",
    "Scattering",
    "SkipZeros",
    "Spectrogram",
    "count_parameters",
    "deep_cnn",
    "frame_lstm",
    "get_weights",
    "logistic_regression",
    "mel_cnn",
    "mel_dense",
    "mel_lstm",
    "normalised_regression",
    "picture_dense",
    "raw_cnn",
    "raw_lstm",
    "residual_cnn",
    "scattering_regression",
    "separable_cnn",
    "set_weights",
]
