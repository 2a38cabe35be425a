"""Models in PyTorch. Each has a twin of the same name and size in :mod:`digitlab.models.keras`."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from digitlab.environment import require
from digitlab.features.settings import FLOOR, hann, mel_filters, refuse_settings, refuse_shape

torch = require("torch", extra="torch")
rnn = torch.nn.utils.rnn

CONVOLUTIONS = ((32, 41, 8), (64, 9, 4), (64, 9, 4), (128, 9, 4))  # filters, width, stride
RESIZED = (230, 120)  # frames, bins
BLOCKS = (16, 32, 64)  # filters
DEEP_BLOCKS = (32, 64, 128, 256, 512)  # filters
N_MELS, N_FILTERS, N_BLOCKS, WIDTH = 40, 96, 2, 9  # of the small network of chapter 14


class Scattering(torch.nn.Module):
    """The scattering transform as a module: fast, differentiable, on whatever device its input is.

    Parameters
    ----------
    J : int
        The averaging scale is ``2**J`` samples.
    Q : int
        Wavelets per octave at order 1.

    Notes
    -----
    It has no parameters. Maps (n_clips, n_samples), float32 or float64, to kymatio's coefficients
    (n_clips, n_paths, n_frames). Taught in chapter 8.

    Examples
    --------
    >>> Scattering(J=8, Q=12)(torch.zeros(2, 8192)).shape
    torch.Size([2, 337, 32])
    """

    def __init__(self, J: int = 8, Q: int = 12):
        super().__init__()
        self.J, self.Q = J, Q

    def forward(self, clips: "torch.Tensor") -> "torch.Tensor":
        """Scatter clips.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_samples)
            Float32 or float64.

        Returns
        -------
        torch.Tensor of shape (n_clips, n_paths, n_frames)
            Order 0 first.
        """
        from digitlab.features.executors.torch import scatter

        return scatter(clips, self.J, self.Q)

    def extra_repr(self) -> str:
        """Return what the printed module says."""
        return f"J={self.J}, Q={self.Q}"


class Spectrogram(torch.nn.Module):
    """The short-time Fourier transform as a module: on whatever device its input is.

    Parameters
    ----------
    power : float, optional
        Magnitudes to this power; by default real and imaginary parts, as two channels.
    n_fft, win_length, hop_length, pad : int
        In samples, as for :func:`digitlab.features.spectrogram`.

    Raises
    ------
    ValueError
        If the settings make no spectrogram, or clips are shorter than `n_fft`.

    Notes
    -----
    It has no parameters. Maps (n_clips, n_samples) to what :func:`digitlab.features.spectrogram`
    returns, (n_clips, n_channels, n_bins, n_frames), with gradients. Taught in chapter 14.

    Examples
    --------
    >>> Spectrogram()(torch.zeros(2, 16000)).shape
    torch.Size([2, 2, 257, 101])
    """

    def __init__(
        self,
        power: float | None = None,
        *,
        n_fft: int = 512,
        win_length: int = 480,
        hop_length: int = 160,
        pad: int = 0,
    ):
        super().__init__()
        refuse_settings(power, n_fft, win_length, hop_length, pad)
        self.power, self.pad = power, pad
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.register_buffer("window", torch.from_numpy(hann(win_length)), persistent=False)

    def forward(self, clips: "torch.Tensor") -> "torch.Tensor":
        """Transform clips.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_samples)
            Float32 or float64.

        Returns
        -------
        torch.Tensor of shape (n_clips, n_channels, n_bins, n_frames)
            Of the same type.
        """
        refuse_shape(clips.shape, self.n_fft)
        spectra = torch.stft(
            torch.nn.functional.pad(clips, (self.pad, self.pad)),
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.window.to(clips.dtype),
            return_complex=True,
        )
        if self.power is None:
            return torch.view_as_real(spectra).movedim(3, 1)
        tiny = torch.finfo(clips.dtype).tiny  # keeps the gradient finite in silence
        squares = spectra.real**2 + spectra.imag**2 + tiny
        return squares[:, None] ** (self.power / 2)

    def extra_repr(self) -> str:
        """Return what the printed module says."""
        lengths = f"n_fft={self.n_fft}, win_length={self.win_length}, hop_length={self.hop_length}"
        return f"power={self.power}, {lengths}, pad={self.pad}"


class LogMel(torch.nn.Module):
    """Turn squared magnitudes into mel bands, and take the logarithm.

    Parameters
    ----------
    rate : int
        Of the clips, in Hz.
    n_mels : int
        How many bands.
    n_fft : int
        What the spectrogram was made with.

    Notes
    -----
    It has no parameters. Behind ``Spectrogram(power=2)`` it returns what
    :func:`digitlab.features.log_mel_spectrogram` does. Taught in chapter 14.

    Examples
    --------
    >>> LogMel()(Spectrogram(power=2)(torch.zeros(2, 16000))).shape
    torch.Size([2, 1, 64, 101])
    """

    def __init__(self, rate: int = 16000, n_mels: int = 64, n_fft: int = 512):
        super().__init__()
        self.rate, self.n_mels, self.n_fft = rate, n_mels, n_fft
        filters = torch.from_numpy(mel_filters(rate, n_fft, n_mels))
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, powers: "torch.Tensor") -> "torch.Tensor":
        """Gather the bins of each band.

        Parameters
        ----------
        powers : torch.Tensor of shape (n_clips, 1, n_bins, n_frames)
            Squared magnitudes.

        Returns
        -------
        torch.Tensor of shape (n_clips, 1, n_mels, n_frames)
            Natural logarithms.
        """
        return torch.log(self.filters.to(powers.dtype) @ powers + FLOOR)

    def extra_repr(self) -> str:
        """Return what the printed module says."""
        return f"rate={self.rate}, n_mels={self.n_mels}, n_fft={self.n_fft}"


class SkipZeros(torch.nn.Module):
    """Delete the steps of each clip that are zero in every feature, and pack what is left.

    An LSTM behind it remembers over a deleted step as if it had not been there, which is what a
    mask does in Keras. A clip that is nothing but zeros keeps its first step.

    Notes
    -----
    Maps (n_clips, n_steps, n_features) to a packed sequence. Taught in chapter 11.

    Examples
    --------
    >>> clip = torch.tensor([[[0.0], [3.0], [0.0], [2.0], [0.0]]])
    >>> SkipZeros()(clip).data.flatten()
    tensor([3., 2.])
    """

    def forward(self, clips: "torch.Tensor") -> "rnn.PackedSequence":
        """Pack clips.

        Parameters
        ----------
        clips : torch.Tensor of shape (n_clips, n_steps, n_features)
            Zeros where there is nothing to hear: at the end, or anywhere.

        Returns
        -------
        torch.nn.utils.rnn.PackedSequence
            The other steps.
        """
        heard = (clips != 0).any(dim=2)
        heard[:, 0] |= ~heard.any(dim=1)
        return rnn.pack_sequence(
            [clip[steps] for clip, steps in zip(clips, heard, strict=True)], enforce_sorted=False
        )


class LSTM(torch.nn.LSTM):
    """Keras's LSTM: one bias where PyTorch has two, and the initial weights that Keras draws.

    Kernels are drawn by Glorot and Bengio's rule, the recurrent weights are orthogonal, and the
    bias of the forget gate is 1. The second bias, ``bias_hh``, is held at zero.

    Parameters
    ----------
    n_features : int
        Size of a step.
    n_units : int
        Size of the state.

    Notes
    -----
    Maps (n_clips, n_steps, n_features), or the same packed, to what :class:`torch.nn.LSTM` returns.
    Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(LSTM(1, 25))
    (2700, 2700)
    """

    def __init__(self, n_features: int, n_units: int):
        super().__init__(n_features, n_units, batch_first=True)
        torch.nn.init.xavier_uniform_(self.weight_ih_l0)
        torch.nn.init.orthogonal_(self.weight_hh_l0)
        with torch.no_grad():
            self.bias_ih_l0.zero_()
            self.bias_ih_l0[n_units : 2 * n_units] = 1  # the forget gate's
            self.bias_hh_l0.zero_().requires_grad_(False)


class _PackedLSTM(LSTM):
    """Runs over packed clips of unequal lengths as one padded batch.

    What stands behind a clip's end changes no state before it. PyTorch's own way through a packed
    sequence takes a time that grows with the square of its length, on its way back on a CPU.
    """

    def forward(self, packed):
        padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
        lengths = lengths.to(padded.device)[:, None]
        return super().forward(padded)[0], lengths


class _LastState(_PackedLSTM):
    def forward(self, packed):
        states, lengths = super().forward(packed)
        return states.take_along_dim(lengths[..., None] - 1, dim=1)[:, 0]


class _MeanState(_PackedLSTM):
    def forward(self, packed):
        states, lengths = super().forward(packed)
        heard = torch.arange(states.shape[1], device=states.device) < lengths
        return (states * heard[..., None]).sum(dim=1) / lengths


class _States(LSTM):
    def forward(self, steps):
        return super().forward(steps)[0]


class _ChannelsFirst(torch.nn.Module):
    def forward(self, clips):
        return clips.swapaxes(1, 2)


class _Resize(torch.nn.Module):
    def forward(self, pictures):
        channels_first = pictures.movedim(3, 1)
        return torch.nn.functional.interpolate(channels_first, RESIZED, mode="bilinear")


class _MeanOverFrames(torch.nn.Module):
    def forward(self, maps):
        return maps.mean(dim=2).swapaxes(1, 2)


class _LevelBands(torch.nn.Module):
    def forward(self, pictures):
        bands = pictures[:, 0]
        return bands - bands.mean(dim=2, keepdim=True)


class _Residual(torch.nn.Sequential):
    def forward(self, maps):
        return torch.relu(maps + super().forward(maps))


class _MeanOverUnits(torch.nn.Module):
    def forward(self, states):
        return states.mean(dim=2)


def logistic_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
    """Build multinomial logistic regression: one linear layer and a log-softmax.

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

    Notes
    -----
    Taught in chapter 9.

    Examples
    --------
    >>> count_parameters(logistic_regression(336, 10))
    (3370, 3370)
    """
    with _seeded(seed):
        return torch.nn.Sequential(
            torch.nn.Linear(n_features, n_classes), torch.nn.LogSoftmax(dim=1)
        )


def normalised_regression(n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
    """Build batch normalisation before logistic regression.

    The normalisation is Keras's: 1e-3 is added to a variance, and a batch moves the running
    statistics by a hundredth.

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

    Notes
    -----
    Taught in chapter 10.

    Examples
    --------
    >>> count_parameters(normalised_regression(336, 10))
    (4714, 4042)
    """
    normalise = torch.nn.BatchNorm1d(n_features, eps=1e-3, momentum=0.01)
    return torch.nn.Sequential(normalise, *logistic_regression(n_features, n_classes, seed=seed))


def raw_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(raw_lstm(17640, 1, 10))
    (4510, 4510)
    """
    with _seeded(seed):
        return torch.nn.Sequential(
            SkipZeros(), _LastState(n_features, 25), *_published_head(25, 50, n_classes)
        )


def mel_lstm(n_steps: int, n_features: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11, with what is wrong with it.

    Examples
    --------
    >>> count_parameters(mel_lstm(64, 35, 10))
    (318218, 318218)
    """
    with _seeded(seed):
        return torch.nn.Sequential(
            _States(n_features, 256), _MeanOverUnits(), *_published_head(n_steps, 256, n_classes)
        )


def frame_lstm(
    n_steps: int, n_features: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_steps, n_features) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(frame_lstm(35, 64, 10))
    (33674, 33674)
    """
    with _seeded(seed):
        return torch.nn.Sequential(
            SkipZeros(),
            _MeanState(n_features, 64),
            _dense(64, n_classes),
            torch.nn.LogSoftmax(dim=1),
        )


def raw_cnn(n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, n_channels) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    After W. Dai et al., "Very deep convolutional neural networks for raw waveforms", ICASSP 2017,
    whose M5 is deeper. Taught in chapter 11.

    Examples
    --------
    >>> count_parameters(raw_cnn(8192, 1, 10))
    (132778, 132202)
    """
    layers = [_ChannelsFirst()]
    with _seeded(seed):
        for n_filters, width, stride in CONVOLUTIONS:
            convolution = _convolution(n_channels, n_filters, width, stride=stride)
            layers += [*convolution, torch.nn.ReLU()]
            n_channels = n_filters
        pooling = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()]
        dense = _dense(n_channels, n_classes)
        return torch.nn.Sequential(*layers, *pooling, dense, torch.nn.LogSoftmax(dim=1))


def picture_dense(
    n_frames: int, n_bins: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_frames, n_bins, n_channels) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(picture_dense(233, 129, 1, 10))
    (14206282, 14206282)
    """
    sizes = (n_channels * RESIZED[0] * RESIZED[1], 512, 128, 64)
    with _seeded(seed):
        return torch.nn.Sequential(_Resize(), torch.nn.Flatten(), *_dense_layers(sizes, n_classes))


def mel_dense(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_frames, n_mels) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(mel_dense(35, 64, 10))
    (252122, 252122)
    """
    with _seeded(seed):
        layers = _dense_layers((n_frames * n_mels, 112), n_classes)
        return torch.nn.Sequential(torch.nn.Flatten(), *layers)


def mel_cnn(n_frames: int, n_mels: int, n_classes: int, *, seed: int = 0) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_frames, n_mels) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 13.

    Examples
    --------
    >>> count_parameters(mel_cnn(35, 64, 10))
    (28762, 28538)
    """
    layers = [torch.nn.Unflatten(1, (1, n_frames))]
    n_before = 1
    with _seeded(seed):
        for n_filters in BLOCKS:
            convolution = torch.nn.Conv2d(n_before, n_filters, 3, padding=1, bias=False)
            torch.nn.init.xavier_uniform_(convolution.weight)
            normalise = torch.nn.BatchNorm2d(n_filters, eps=1e-3)
            layers += [convolution, normalise, torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
            n_before = n_filters
        head = _dense_layers((n_before * (n_mels // 2 ** len(BLOCKS)),), n_classes)
        return torch.nn.Sequential(*layers, _MeanOverFrames(), torch.nn.Flatten(), *head)


def complex_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(complex_cnn(16000, 1, 30))
    (1852350, 1849342)
    """
    return _deep_cnn(2, n_classes, seed, Spectrogram())


def magnitude_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(magnitude_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(1, n_classes, seed, Spectrogram(power=1))


def power_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(power_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(1, n_classes, seed, Spectrogram(power=2))


def log_mel_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> count_parameters(log_mel_cnn(16000, 1, 30))
    (1852062, 1849054)
    """
    return _deep_cnn(1, n_classes, seed, Spectrogram(power=2), LogMel())


def separable_cnn(
    n_samples: int, n_channels: int, n_classes: int, *, seed: int = 0
) -> "torch.nn.Module":
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
    torch.nn.Module
        Maps (n_clips, n_samples, 1) to log-probabilities (n_clips, n_classes).

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
    front_end = [torch.nn.Flatten(), Spectrogram(power=2), LogMel(n_mels=N_MELS), _LevelBands()]
    relu = torch.nn.ReLU
    with _seeded(seed):
        stem = [*_convolution(N_MELS, N_FILTERS, 5, stride=2, padding=2), relu()]
        blocks = [_Residual(*_separable(), relu(), *_separable()) for _ in range(N_BLOCKS)]
        pooling = [torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()]
        head = _dense_layers((N_FILTERS,), n_classes)
        return torch.nn.Sequential(*front_end, *stem, *blocks, *pooling, *head)


def count_parameters(model: "torch.nn.Module") -> tuple[int, int]:
    """Count a model's numbers: weights with the running statistics, and the weights alone.

    Parameters
    ----------
    model : torch.nn.Module
        Any model. Weights that are frozen are left out of both.

    Returns
    -------
    n_parameters, n_trainable : int
        Both counts.

    Examples
    --------
    >>> count_parameters(torch.nn.BatchNorm1d(4))
    (16, 8)
    """
    trainable = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    kept = model.state_dict()
    statistics = sum(
        values.numel()
        for name, values in model.named_buffers()
        if name in kept and values.is_floating_point()
    )
    return trainable + statistics, trainable


def get_weights(model: "torch.nn.Module") -> list[np.ndarray]:
    """Return all numbers of a model, weights and running statistics, in its own order.

    Parameters
    ----------
    model : torch.nn.Module
        Any model.

    Returns
    -------
    list of ndarray
        For :func:`set_weights`.

    Examples
    --------
    >>> [values.shape for values in get_weights(logistic_regression(336, 10))]
    [(10, 336), (10,)]
    """
    return [values.numpy(force=True) for values in model.state_dict().values()]


def set_weights(model: "torch.nn.Module", weights: list[np.ndarray]) -> None:
    """Give a model the numbers of another one that is built alike.

    Parameters
    ----------
    model : torch.nn.Module
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
    state = model.state_dict()
    if [values.shape for values in state.values()] != [values.shape for values in weights]:
        raise ValueError("these weights do not fit this model")
    model.load_state_dict(dict(zip(state, map(torch.as_tensor, weights), strict=True)))


def _deep_cnn(
    n_channels: int, n_classes: int, seed: int, *front_end: "torch.nn.Module"
) -> "torch.nn.Module":
    """Return C1's network behind what makes pictures of this many channels."""
    layers = [torch.nn.Flatten(), *front_end]
    with _seeded(seed):
        for n_filters in DEEP_BLOCKS:
            is_last = n_filters == DEEP_BLOCKS[-1]
            layers += [
                torch.nn.Conv2d(n_channels, n_filters, 3, padding=1),
                torch.nn.BatchNorm2d(n_filters),
                torch.nn.ReLU(),
                torch.nn.AdaptiveAvgPool2d(1) if is_last else torch.nn.MaxPool2d(2),
                torch.nn.Dropout2d(0.2),
            ]
            n_channels = n_filters
        return torch.nn.Sequential(
            *layers,
            torch.nn.Flatten(),
            torch.nn.Linear(n_channels, 512),
            torch.nn.BatchNorm1d(512),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(512, n_classes),
            torch.nn.LogSoftmax(dim=1),
        )


def _convolution(n_inputs: int, n_filters: int, width: int, **settings) -> list["torch.nn.Module"]:
    """Return a convolution over time, with Keras's initial weights, and batch normalisation."""
    convolution = torch.nn.Conv1d(n_inputs, n_filters, width, bias=False, **settings)
    torch.nn.init.xavier_uniform_(convolution.weight)
    return [convolution, torch.nn.BatchNorm1d(n_filters, eps=1e-3)]


def _separable() -> list["torch.nn.Module"]:
    by_channel, _ = _convolution(N_FILTERS, N_FILTERS, WIDTH, padding="same", groups=N_FILTERS)
    return [by_channel, *_convolution(N_FILTERS, N_FILTERS, 1)]


def _published_head(n_features: int, n_hidden: int, n_classes: int) -> list["torch.nn.Module"]:
    """Return the dense layers of the published LSTMs, with the initial weights Keras gives them."""
    hidden, last = torch.nn.Linear(n_features, n_hidden), torch.nn.Linear(n_hidden, n_classes)
    torch.nn.init.kaiming_normal_(hidden.weight)
    torch.nn.init.xavier_normal_(last.weight)
    for layer in (hidden, last):
        torch.nn.init.zeros_(layer.bias)
    return [hidden, torch.nn.ReLU(), last, torch.nn.LogSoftmax(dim=1)]


def _dense_layers(sizes: tuple[int, ...], n_classes: int) -> list["torch.nn.Module"]:
    """Return dense layers with ReLUs from size to size, and the one that answers."""
    layers = []
    for n_inputs, n_outputs in pairwise(sizes):
        layers += [_dense(n_inputs, n_outputs), torch.nn.ReLU()]
    return [*layers, _dense(sizes[-1], n_classes), torch.nn.LogSoftmax(dim=1)]


def _dense(n_features: int, n_outputs: int) -> "torch.nn.Module":
    """Return a dense layer with the initial weights that Keras gives it."""
    layer = torch.nn.Linear(n_features, n_outputs)
    torch.nn.init.xavier_uniform_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw weights by this seed, and leave PyTorch's own dice as they lay."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
