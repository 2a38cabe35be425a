"""Models in PyTorch. Each has a twin of the same name and size in :mod:`digitlab.models.keras`."""

from digitlab.environment import require

require("torch", extra="torch")

from digitlab.models.torch.layers import LSTM, LogMel, Scattering, SkipZeros, Spectrogram  # noqa: E402
from digitlab.models.torch.networks import (  # noqa: E402
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
from digitlab.models.torch.weights import (  # noqa: E402
    count_multiplications,
    count_parameters,
    get_weights,
    set_weights,
)

__all__ = [
    "LSTM",
    "LogMel",
    "Scattering",
    "SkipZeros",
    "Spectrogram",
    "count_multiplications",
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
