"""Layers in PyTorch. They work on whatever device their input is."""

import torch
from torch.nn.utils import rnn

from digitlab.features.settings import FLOOR, hann, mel_filters, refuse_settings, refuse_shape
from digitlab.models.common import refuse_bins, refuse_numbers, refuse_steps


class Scattering(torch.nn.Module):
    """The scattering transform as a fast, differentiable module.

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

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Scatter clips (n_clips, n_samples)."""
        from digitlab.features.executors.torch import scatter

        refuse_shape(clips.shape, 1)
        refuse_numbers(clips)
        return scatter(clips, self.J, self.Q)

    def extra_repr(self) -> str:
        """Return the settings that the printed module shows."""
        return f"J={self.J}, Q={self.Q}"


class Spectrogram(torch.nn.Module):
    """The short-time Fourier transform as a module.

    Parameters
    ----------
    power : float, optional
        Magnitudes to this power; by default real and imaginary parts, as two channels.
    n_fft, win_length, hop_length, pad : int
        In samples, as for :func:`digitlab.features.spectrogram`.

    Raises
    ------
    ValueError
        If the settings make no spectrogram, or the input is no clips of floats, `n_fft` or longer.

    Notes
    -----
    It has no parameters. Maps (n_clips, n_samples) to what :func:`digitlab.features.spectrogram`
    returns, (n_clips, n_channels, n_bins, n_frames), with gradients. Taught in chapter 14.

    Examples
    --------
    >>> Spectrogram()(torch.zeros(2, 16000)).shape
    torch.Size([2, 2, 257, 101])
    """

    window: torch.Tensor

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

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Transform clips (n_clips, n_samples)."""
        refuse_shape(clips.shape, self.n_fft)
        refuse_numbers(clips)
        spectra = torch.stft(
            torch.nn.functional.pad(clips, (self.pad, self.pad)),
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.window.to(clips),
            return_complex=True,
        )
        if self.power is None:
            return torch.view_as_real(spectra).movedim(3, 1)
        tiny = torch.finfo(clips.dtype).tiny  # keeps the gradient finite in silence
        squares = spectra.real**2 + spectra.imag**2 + tiny
        return squares[:, None] ** (self.power / 2)

    def extra_repr(self) -> str:
        """Return the settings that the printed module shows."""
        lengths = f"n_fft={self.n_fft}, win_length={self.win_length}, hop_length={self.hop_length}"
        return f"power={self.power}, {lengths}, pad={self.pad}"


class LogMel(torch.nn.Module):
    """Sum squared magnitudes into mel bands, and take the logarithm.

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
    It has no parameters. Maps (n_clips, 1, n_bins, n_frames) to (n_clips, 1, n_mels, n_frames).
    Behind ``Spectrogram(power=2)`` it returns what :func:`digitlab.features.log_mel_spectrogram`
    does. Taught in chapter 14.

    Examples
    --------
    >>> LogMel()(Spectrogram(power=2)(torch.zeros(2, 16000))).shape
    torch.Size([2, 1, 64, 101])
    """

    filters: torch.Tensor

    def __init__(self, rate: int = 16000, n_mels: int = 64, n_fft: int = 512):
        super().__init__()
        self.rate, self.n_mels, self.n_fft = rate, n_mels, n_fft
        filters = torch.from_numpy(mel_filters(rate, n_fft, n_mels))
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, powers: torch.Tensor) -> torch.Tensor:
        """Compute log-mel bands of squared magnitudes (n_clips, 1, n_bins, n_frames)."""
        refuse_bins(powers.shape[-2], self.n_fft)
        return torch.log(self.filters.to(powers) @ powers + FLOOR)

    def extra_repr(self) -> str:
        """Return the settings that the printed module shows."""
        return f"rate={self.rate}, n_mels={self.n_mels}, n_fft={self.n_fft}"


class SkipZeros(torch.nn.Module):
    """Delete the steps of each clip that are zero in every feature, and pack the rest.

    To an LSTM behind it, a deleted step was never there, as with a mask in Keras. A clip that is
    nothing but zeros keeps its first step.

    Notes
    -----
    Maps (n_clips, n_steps, n_features) to a packed sequence. Taught in chapter 11.

    Examples
    --------
    >>> clip = torch.tensor([[[0.0], [3.0], [0.0], [2.0], [0.0]]])
    >>> SkipZeros()(clip).data.flatten()
    tensor([3., 2.])
    """

    def forward(self, clips: torch.Tensor) -> rnn.PackedSequence:
        """Pack clips (n_clips, n_steps, n_features)."""
        refuse_steps(clips.shape)
        is_zero = (clips == 0).all(dim=2)
        order = is_zero.to(torch.uint8).argsort(dim=1, stable=True)
        lengths = (~is_zero).sum(dim=1).clamp(min=1).cpu()  # PyTorch wants them on the CPU
        ordered = clips.take_along_dim(order[..., None], dim=1)
        return rnn.pack_padded_sequence(ordered, lengths, batch_first=True, enforce_sorted=False)


class LSTM(torch.nn.LSTM):
    """Keras's LSTM: one bias where PyTorch has two, and Keras's initial weights.

    Kernels are drawn by Glorot and Bengio's rule, the recurrent weights are orthogonal, and the
    bias of the forget gate is 1. The second bias, ``bias_hh``, is held at zero. Gradients can be
    computed in evaluation mode too, also on a GPU.

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
    >>> from digitlab.models.torch import count_parameters
    >>> count_parameters(LSTM(1, 25))
    (2700, 2700)
    """

    def __init__(self, n_features: int, n_units: int):
        super().__init__(n_features, n_units, batch_first=True)
        kernel, recurrent, bias, bias_hh = self.all_weights[0]
        torch.nn.init.xavier_uniform_(kernel)
        torch.nn.init.orthogonal_(recurrent)
        with torch.no_grad():
            bias.zero_()
            bias[n_units : 2 * n_units] = 1  # the forget gate's
            bias_hh.zero_().requires_grad_(False)

    def forward(self, steps: torch.Tensor | rnn.PackedSequence, states: tuple | None = None):
        """Run over the steps, from these hidden and cell states or from zeros."""
        # cuDNN has gradients in training mode alone. The mode changes nothing else in this layer.
        mode, self.training = self.training, torch.is_grad_enabled()
        try:
            return super().forward(steps, states)
        finally:
            self.training = mode
