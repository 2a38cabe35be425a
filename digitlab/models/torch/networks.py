"""Builders of untrained networks in PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch.nn.utils import rnn

from digitlab.models import common
from digitlab.models.torch.layers import LSTM, LogMel, Scattering, SkipZeros, Spectrogram
from digitlab.models.torch.weights import count_parameters  # noqa: F401 (for the examples)


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> torch.nn.Sequential:
    """Build multinomial logistic regression: one linear layer and a log-softmax.

    Taught in chapter 9.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_features) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(logistic_regression(336, 10))
    (3370, 3370)
    """
    with _seeded(seed):
        linear = torch.nn.Linear(n_features, n_classes)
        return torch.nn.Sequential(linear, torch.nn.LogSoftmax(dim=1))


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build batch normalisation before logistic regression.

    The normalisation is Keras's: 1e-3 is added to a variance, and a batch moves the running
    statistics by a hundredth. Taught in chapter 10.

    Parameters
    ----------
    n_features, n_classes : int
        Size of an input and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_features) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(normalised_regression(336, 10))
    (4714, 4042)
    """
    with _seeded(seed):
        normalise = torch.nn.BatchNorm1d(n_features, eps=1e-3, momentum=0.01)
        regression = logistic_regression(n_features, n_classes, seed=seed)
        return torch.nn.Sequential(normalise, *regression)


def scattering_regression(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> torch.nn.Module:
    """Build the whole of the published K1: samples, scattering, and a regression on its means.

    Scattering with J = 8 and Q = 12, order 0 left out, the logarithm, the mean over time, and
    :func:`normalised_regression`. Taught in chapter 10.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row. As published, 8,192 samples.
    seed : int
        Decides the initial weights: those of :func:`normalised_regression`.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(scattering_regression(8192, 1, 10))
    (4714, 4042)
    """
    n_paths = common.count_paths(n_samples, n_channels)
    features = [torch.nn.Flatten(), Scattering(common.J, common.Q), _LogMeans()]
    regression = normalised_regression(n_paths, n_classes, seed=seed)
    return torch.nn.Sequential(*features, regression)


def raw_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build the published LSTM that reads raw samples one by one (L1, L3).

    LSTM(25), its last state, Dense(50) with a ReLU, Dense(10). Samples that are exactly zero are
    skipped wherever they stand. Taught in chapter 11.

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row. As published, a step is a
        sample: (17640, 1).
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(raw_lstm(17640, 1, 10))
    (4510, 4510)
    """
    with _seeded(seed):
        lstm = LastState(n_features, 25)
        return torch.nn.Sequential(SkipZeros(), lstm, *_published_head(25, 50, n_classes))


def mel_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build the published LSTM that reads a mel spectrogram from low to high bands (L2, L4).

    LSTM(256), the mean over its 256 units at each step, Dense(256) with a ReLU, Dense(10). Taught
    in chapter 11, with its mistakes.

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row. As published, a step is a
        mel band, and its features are the frames: (64, 35).
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(mel_lstm(64, 35, 10))
    (318218, 318218)
    """
    with _seeded(seed):
        lstm = MeanOverUnits(n_features, 256)
        return torch.nn.Sequential(lstm, *_published_head(n_steps, 256, n_classes))


def frame_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build an LSTM that reads frame by frame: the published LSTMs, corrected (L5, L6).

    LSTM(64) whose steps are frames in the order of time, the mean of its states over them, and one
    dense layer. Frames that are zero in every feature are skipped. Taught in chapter 11.

    Parameters
    ----------
    n_steps, n_features, n_classes : int
        Size of an input, (n_steps, n_features), and of an output row: (35, 64) for a log-mel
        spectrogram, (102, 80) for raw samples in frames of 10 ms.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(frame_lstm(35, 64, 10))
    (33674, 33674)
    """
    with _seeded(seed):
        lstm = MeanState(n_features, 64)
        return torch.nn.Sequential(SkipZeros(), lstm, *_dense_layers((64,), n_classes))


def raw_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build strided 1-D convolutions over raw samples (L7).

    Four convolutions, each with batch normalisation and a ReLU, leave one step of 512 samples. The
    mean over the steps goes through one dense layer. After W. Dai et al., "Very deep convolutional
    neural networks for raw waveforms", ICASSP 2017, whose M5 is deeper. Taught in chapter 11.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, n_channels), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_samples, n_channels) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(raw_cnn(8192, 1, 10))
    (132778, 132202)
    """
    layers: list[torch.nn.Module] = [_ChannelsFirst()]
    with _seeded(seed):
        for n_filters, width, stride in common.CONVOLUTIONS:
            convolution = _convolution(n_channels, n_filters, width, stride=stride)
            layers += [*convolution, torch.nn.ReLU()]
            n_channels = n_filters
        pooling = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()]
        return torch.nn.Sequential(*layers, *pooling, *_dense_layers((n_channels,), n_classes))


def picture_dense(
    n_frames: int, n_bins: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> torch.nn.Module:
    """Build the published dense network on spectrogram pictures (D1).

    The picture is resized to 230 frames by 120 bins, bilinearly, and flattened. Then come
    Dense(512), Dense(128), Dense(64), each with a ReLU, and Dense(10). Taught in chapter 13.

    Parameters
    ----------
    n_frames, n_bins, n_channels, n_classes : int
        Size of an input, (n_frames, n_bins, n_channels), and of an output row: (233, 129, 1) and
        10 as published.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_frames, n_bins, n_channels) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(picture_dense(233, 129, 1, 10))
    (14206282, 14206282)
    """
    sizes = (n_channels * common.RESIZED[0] * common.RESIZED[1], 512, 128, 64)
    with _seeded(seed):
        return torch.nn.Sequential(_Resize(), torch.nn.Flatten(), *_dense_layers(sizes, n_classes))


def mel_dense(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build a dense network on log-mel frames, a fiftieth of the published one's size (D2).

    All frames in a row, Dense(112) with a ReLU, and Dense(10). Taught in chapter 13.

    Parameters
    ----------
    n_frames, n_mels, n_classes : int
        Size of an input, (n_frames, n_mels), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_frames, n_mels) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(mel_dense(35, 64, 10))
    (252122, 252122)
    """
    with _seeded(seed):
        layers = _dense_layers((n_frames * n_mels, 112), n_classes)
        return torch.nn.Sequential(torch.nn.Flatten(), *layers)


def mel_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build a small convolutional network on log-mel frames (D3).

    Three blocks of a 3 x 3 convolution, batch normalisation, a ReLU and max-pooling by 2. The mean
    over the frames that are left, so that it does not matter when a digit begins, goes through
    Dense(10). Taught in chapter 13.

    Parameters
    ----------
    n_frames, n_mels, n_classes : int
        Size of an input, (n_frames, n_mels), both at least 8, and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_frames, n_mels) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(mel_cnn(35, 64, 10))
    (28762, 28538)
    """
    common.refuse_pictures(n_frames, n_mels)
    layers: list[torch.nn.Module] = [torch.nn.Unflatten(1, (1, n_frames))]
    n_before = 1
    with _seeded(seed):
        for n_filters in common.BLOCKS:
            convolution = torch.nn.Conv2d(n_before, n_filters, 3, padding=1, bias=False)
            torch.nn.init.xavier_uniform_(convolution.weight)
            normalise = torch.nn.BatchNorm2d(n_filters, eps=1e-3)
            layers += [convolution, normalise, torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
            n_before = n_filters
        head = _dense_layers((n_before * (n_mels // 2 ** len(common.BLOCKS)),), n_classes)
        return torch.nn.Sequential(*layers, _MeanOverFrames(), torch.nn.Flatten(), *head)


def residual_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> torch.nn.Module:
    """Build a small residual network on log-mel frames (B1).

    A 5 x 5 convolution with a stride of 2; three residual blocks of two 3 x 3 convolutions each,
    the second and the third with a stride of 2; the mean and the maximum of each map, so that it
    does not matter when a word begins; dropout of 0.2; a dense layer. Batch normalisation follows
    each convolution. After K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image
    recognition", CVPR 2016. Taught in chapter 15.

    Parameters
    ----------
    n_frames, n_mels, n_classes : int
        Size of an input, (n_frames, n_mels), both at least 8, and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_frames, n_mels) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(residual_cnn(65, 40, 10))
    (125930, 125066)
    """
    common.refuse_pictures(n_frames, n_mels)
    n_maps, *_ = common.RESIDUAL_BLOCKS
    with _seeded(seed):
        stem = [*_convolution_2d(1, n_maps, 5, stride=2), torch.nn.ReLU()]
        blocks: list[torch.nn.Module] = []
        for n_filters in common.RESIDUAL_BLOCKS:
            blocks.append(_ResidualBlock(n_maps, n_filters, stride=2 if blocks else 1))
            n_maps = n_filters
        head = [torch.nn.Dropout(0.2), *_dense_layers((2 * n_maps,), n_classes)]
        return torch.nn.Sequential(
            torch.nn.Unflatten(1, (1, n_frames)), *stem, *blocks, _MeanAndMaximum(), *head
        )


def deep_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, front_end: str = "complex", seed: int = 0
) -> torch.nn.Module:
    """Build the published convolutional network on spectrograms (C1 to C4).

    Five blocks of a 3 x 3 convolution, batch normalisation, a ReLU, max-pooling by 2 and dropout of
    whole channels. The last block takes the mean over its whole map in place of the maxima. Then
    Dense(512) with batch normalisation, a ReLU and dropout, and the output layer. The spectrogram
    is the first stage of the network, so its input is samples. Taught in chapter 14.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row: 16,000 samples at 16 kHz and 30
        words as published. At least 2,400 samples.
    front_end : {"complex", "magnitude", "power", "log-mel"}
        What the convolutions are given: real and imaginary parts in two channels, as published
        (C1), or in one channel the magnitudes (C2), the squared magnitudes (C3) or the logarithms
        of 64 mel bands of these (C4).
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Raises
    ------
    ValueError
        If there is no such front end, or an input of this size is not possible.

    Examples
    --------
    >>> count_parameters(deep_cnn(16000, 1, 30))
    (1852350, 1849342)
    >>> count_parameters(deep_cnn(16000, 1, 30, front_end="log-mel"))
    (1852062, 1849054)
    """
    common.refuse_input(n_samples, n_channels, at_least=common.SHORTEST)
    layers = [torch.nn.Flatten(), Spectrogram(common.power_of(front_end))]
    if front_end == "log-mel":
        layers.append(LogMel())
    n_maps = 2 if front_end == "complex" else 1
    with _seeded(seed):
        for n_filters in common.DEEP_BLOCKS:
            is_last = n_filters == common.DEEP_BLOCKS[-1]
            layers += [
                torch.nn.Conv2d(n_maps, n_filters, 3, padding=1),
                torch.nn.BatchNorm2d(n_filters),
                torch.nn.ReLU(),
                torch.nn.AdaptiveAvgPool2d(1) if is_last else torch.nn.MaxPool2d(2),
                torch.nn.Dropout2d(0.2),
            ]
            n_maps = n_filters
        return torch.nn.Sequential(
            *layers,
            torch.nn.Flatten(),
            torch.nn.Linear(n_maps, 512),
            torch.nn.BatchNorm1d(512),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(512, n_classes),
            torch.nn.LogSoftmax(dim=1),
        )


def separable_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> torch.nn.Module:
    """Build a small network of separable convolutions over time, on log-mel bands (C5).

    40 mel bands, each less its own mean over the clip, are the channels of a convolution over time
    with a stride of 2. Two residual blocks follow, each of two separable convolutions: one filter
    of 9 frames for each channel, then a mixture of channels. The mean over all frames, so that it
    does not matter when a word begins, goes through one dense layer. The spectrogram is the first
    stage of the network, so its input is samples. After S. Majumdar and B. Ginsburg, "MatchboxNet:
    1D time-channel separable convolutional neural network architecture for speech commands
    recognition", Interspeech 2020, which is deeper. Taught in chapter 14.

    Parameters
    ----------
    n_samples, n_channels, n_classes : int
        Size of an input, (n_samples, 1), and of an output row.
    seed : int
        Decides the initial weights.

    Returns
    -------
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Examples
    --------
    >>> count_parameters(separable_cnn(16000, 1, 30))
    (64350, 63390)
    """
    common.refuse_input(n_samples, n_channels, at_least=1)
    bands = [Spectrogram(power=2), LogMel(n_mels=common.N_MELS), _LevelBands()]
    relu = torch.nn.ReLU
    with _seeded(seed):
        stem = [*_convolution(common.N_MELS, common.N_FILTERS, 5, stride=2, padding=2), relu()]
        blocks = [_Residual(*_separable(), relu(), *_separable()) for _ in range(common.N_BLOCKS)]
        pooling = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()]
        head = _dense_layers((common.N_FILTERS,), n_classes)
        return torch.nn.Sequential(torch.nn.Flatten(), *bands, *stem, *blocks, *pooling, *head)


class _PackedLSTM(LSTM):
    """Runs over packed clips of unequal lengths as one padded batch.

    The padding behind a clip's end changes no state before it. On a CPU, PyTorch's own gradient of
    a packed sequence takes a time that grows with the square of its length.
    """

    def forward(self, steps, states=None):
        padded, lengths = rnn.pad_packed_sequence(steps, batch_first=True)
        lengths = lengths.to(padded.device)[:, None]
        return super().forward(padded, states)[0], lengths


class LastState(_PackedLSTM):
    """An LSTM's state after the last step of packed clips."""

    def forward(self, steps, states=None):
        """Return (n_clips, n_units)."""
        states, lengths = super().forward(steps, states)
        return states.take_along_dim(lengths[..., None] - 1, dim=1)[:, 0]


class MeanState(_PackedLSTM):
    """The mean of an LSTM's states over the steps of packed clips."""

    def forward(self, steps, states=None):
        """Return (n_clips, n_units)."""
        states, lengths = super().forward(steps, states)
        is_step = torch.arange(states.shape[1], device=states.device) < lengths
        return (states * is_step[..., None]).sum(dim=1) / lengths


class MeanOverUnits(LSTM):
    """The mean of an LSTM's units at each step."""

    def forward(self, steps, states=None):
        """Return (n_clips, n_steps)."""
        return super().forward(steps, states)[0].mean(dim=2)


class _ChannelsFirst(torch.nn.Module):
    def forward(self, clips):
        return clips.swapaxes(1, 2)


class _Resize(torch.nn.Module):
    def forward(self, pictures):
        channels_first = pictures.movedim(3, 1)
        return torch.nn.functional.interpolate(channels_first, common.RESIZED, mode="bilinear")


class _LogMeans(torch.nn.Module):
    def forward(self, coefficients):
        return torch.log(coefficients[:, 1:].abs() + common.SCATTERING_FLOOR).mean(dim=2)


class _MeanOverFrames(torch.nn.Module):
    def forward(self, maps):
        return maps.mean(dim=2).swapaxes(1, 2)


class _MeanAndMaximum(torch.nn.Module):
    def forward(self, maps):
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


class _ResidualBlock(torch.nn.Module):
    def __init__(self, n_inputs, n_filters, stride):
        super().__init__()
        first = _convolution_2d(n_inputs, n_filters, 3, stride=stride)
        self.first = torch.nn.Sequential(*first, torch.nn.ReLU())
        # the order in which Keras lists the weights of its twin
        self.second, norm = _convolution_2d(n_filters, n_filters, 3)
        shortcut: list[torch.nn.Module] = [torch.nn.Identity(), torch.nn.Identity()]
        if n_inputs != n_filters or stride > 1:
            shortcut = _convolution_2d(n_inputs, n_filters, 1, stride=stride)
        self.shortcut, self.norm, self.shortcut_norm = shortcut[0], norm, shortcut[1]

    def forward(self, maps):
        inner = self.norm(self.second(self.first(maps)))
        return torch.relu(inner + self.shortcut_norm(self.shortcut(maps)))


class _LevelBands(torch.nn.Module):
    def forward(self, pictures):
        bands = pictures[:, 0]
        return bands - bands.mean(dim=2, keepdim=True)


class _Residual(torch.nn.Sequential):
    def forward(self, maps):
        return torch.relu(maps + super().forward(maps))


def _convolution(n_inputs: int, n_filters: int, width: int, **settings) -> list[torch.nn.Module]:
    """Return a convolution over time, with Keras's initial weights, and batch normalisation."""
    convolution = torch.nn.Conv1d(n_inputs, n_filters, width, bias=False, **settings)
    torch.nn.init.xavier_uniform_(convolution.weight)
    return [convolution, torch.nn.BatchNorm1d(n_filters, eps=1e-3)]


def _convolution_2d(
    n_inputs: int, n_filters: int, width: int, stride: int = 1
) -> list[torch.nn.Module]:
    """Return a convolution over time and frequency, and batch normalisation."""
    padding = width // 2
    convolution = torch.nn.Conv2d(n_inputs, n_filters, width, stride, padding, bias=False)
    torch.nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, torch.nn.BatchNorm2d(n_filters, eps=1e-3)]


def _separable() -> list[torch.nn.Module]:
    n = common.N_FILTERS
    by_channel, _ = _convolution(n, n, common.WIDTH, padding="same", groups=n)
    return [by_channel, *_convolution(n, n, 1)]


def _published_head(n_features: int, n_hidden: int, n_classes: int) -> list[torch.nn.Module]:
    """Return the dense layers of the published LSTMs, with the initial weights Keras gives them."""
    hidden, last = torch.nn.Linear(n_features, n_hidden), torch.nn.Linear(n_hidden, n_classes)
    torch.nn.init.kaiming_normal_(hidden.weight)
    torch.nn.init.xavier_normal_(last.weight)
    for layer in (hidden, last):
        torch.nn.init.zeros_(layer.bias)
    return [hidden, torch.nn.ReLU(), last, torch.nn.LogSoftmax(dim=1)]


def _dense_layers(sizes: tuple[int, ...], n_classes: int) -> list[torch.nn.Module]:
    """Return dense layers with ReLUs from size to size, and the output layer."""
    layers = []
    for n_inputs, n_outputs in pairwise(sizes):
        layers += [_dense(n_inputs, n_outputs), torch.nn.ReLU()]
    return [*layers, _dense(sizes[-1], n_classes), torch.nn.LogSoftmax(dim=1)]


def _dense(n_features: int, n_outputs: int) -> torch.nn.Module:
    """Return a dense layer with the initial weights that Keras gives it."""
    layer = torch.nn.Linear(n_features, n_outputs)
    torch.nn.init.xavier_uniform_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw float32 weights on the CPU with this seed, whatever PyTorch's global settings say.

    The settings and all random generators are left as they were.
    """
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs, too
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
