"""Features that are spectrograms, the means of spectrograms, or the samples themselves."""

from typing import Any

import librosa
import numpy as np
from scipy.signal import get_window

from digitlab.features.settings import (
    FLOOR,
    batches,
    checked,
    hann,
    mel_filters,
    n_samples_of,
    octave_of,
    refuse_settings,
)

WINDOW_S, HOP_S = 0.03, 0.01  # of spectrogram and log_mel_spectrogram, in seconds
FRAME_S = 0.032  # of mean_spectrum and mfcc_means, in seconds


def samples(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Return the waveforms as they are, one sample a step, for networks that take raw samples.

    Taught in chapter 11.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Floats from -1 to 1, or integers, which are scaled by their type.
    rate : float, in Hz
        It does not change the result: all features are called alike.

    Returns
    -------
    array of shape (n_clips, n_samples, 1), float32

    Raises
    ------
    ValueError
        If `waveforms` has another shape or type or holds NaN or infinity, or if `rate` is no rate.

    Examples
    --------
    >>> samples(np.zeros((2, 17640)), 22050).shape
    (2, 17640, 1)
    """
    return checked(waveforms, rate)[..., np.newaxis]


def sample_frames(waveforms: np.ndarray, rate: float, *, frame_s: float = 0.01) -> np.ndarray:
    """Cut the waveforms into frames, one frame of samples a step.

    Taught in chapter 11.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    frame_s : float
        Length of a frame in seconds. What is left at the end is dropped.

    Returns
    -------
    array of shape (n_clips, n_frames, frame_length), float32
        Frames of 80 samples at 8 kHz.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a frame.

    Examples
    --------
    >>> sample_frames(np.zeros((2, 8192)), 8000).shape
    (2, 102, 80)
    """
    length = n_samples_of(frame_s, rate)
    waveforms = checked(waveforms, rate, length)
    n_frames = waveforms.shape[1] // length
    return waveforms[:, : n_frames * length].reshape(len(waveforms), n_frames, length)


def magnitude_spectrogram(
    waveforms: np.ndarray,
    rate: float,
    *,
    frame_length: int = 233,
    frame_step: int = 128,
    fft_length: int = 256,
) -> np.ndarray:
    """Return magnitude spectrograms, time first, for the dense network of chapter 13.

    Frames and values are those of ``tf.signal.stft``: not centred, nothing padded, and a Hann
    window that is symmetric where its length is odd. Taught in chapter 13.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
        48,000 as published. It does not change the result: the lengths are in samples.
    frame_length, frame_step, fft_length : int
        In samples, as published.

    Returns
    -------
    array of shape (n_clips, n_frames, n_bins, 1), float32
        233 frames of 129 bins for 30,000 samples, as published.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a frame.

    Examples
    --------
    >>> magnitude_spectrogram(np.zeros((2, 30000)), 48000).shape
    (2, 233, 129, 1)
    """
    waveforms = checked(waveforms, rate, frame_length)
    window = get_window("hann", frame_length, fftbins=frame_length % 2 == 0)
    frames = np.lib.stride_tricks.sliding_window_view(waveforms, frame_length, axis=1)
    spectra = [np.fft.rfft(clip * window, fft_length) for clip in frames[:, ::frame_step]]
    return np.abs(spectra).astype(np.float32)[..., np.newaxis]


def spectrogram(
    waveforms: np.ndarray,
    rate: float,
    *,
    power: float | None = None,
    n_fft: int | None = None,
    win_length: int | None = None,
    hop_length: int | None = None,
    pad: int = 0,
) -> np.ndarray:
    """Return complex spectrograms as two channels, real and imaginary, for the CNN of chapter 14.

    Frames are centred, with the clip mirrored at its ends, and divided by the root of the window's
    summed squares, as torchaudio's ``Spectrogram(normalized=True)`` does. Taught in chapter 14. The
    same on the device, with gradients, is :class:`digitlab.models.torch.Spectrogram`.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
        16,000 as published.
    power : float, optional
        Magnitudes to this power instead, as one channel: 1 for magnitudes, 2 for their squares.
    n_fft, win_length, hop_length : int, optional
        In samples. By default a window of 30 ms, a hop of 10 ms, and for `n_fft` the next power of
        two: 480, 160 and 512 at 16 kHz. A window shorter than `n_fft` has zeros on both sides.
    pad : int
        Zeros at either end of a clip, before anything else.

    Returns
    -------
    array of shape (n_clips, n_channels, n_bins, n_frames), float32
        2 channels, or 1 with a `power`; 257 bins and 101 frames for 1 s at 16 kHz.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than `n_fft` or a setting is impossible.

    Examples
    --------
    >>> clips = np.zeros((3, 16000))
    >>> spectrogram(clips, 16000).shape, spectrogram(clips, 16000, power=1).shape
    ((3, 2, 257, 101), (3, 1, 257, 101))
    """
    lengths = _lengths(rate, n_fft, win_length, hop_length)
    refuse_settings(power, **lengths, pad=pad)
    window = hann(lengths["win_length"])
    parts = []
    for batch in batches(waveforms, rate, lengths["n_fft"]):
        padded = np.pad(batch, ((0, 0), (pad, pad)))
        spectra = librosa.stft(padded, **lengths, window=window, pad_mode="reflect")
        channels = [spectra.real, spectra.imag] if power is None else [np.abs(spectra) ** power]
        parts.append(np.stack(channels, axis=1).astype(np.float32))
    return np.concatenate(parts)


def log_mel_spectrogram(
    waveforms: np.ndarray,
    rate: float,
    *,
    n_mels: int = 64,
    n_fft: int | None = None,
    win_length: int | None = None,
    hop_length: int | None = None,
    pad: int = 0,
) -> np.ndarray:
    """Return the power of the frames of :func:`spectrogram` in mel bands, as natural logarithms.

    Taught in chapter 14. The levels are absolute: a clip is not compared with its own maximum, as
    :func:`log_mel` does, nor with other clips.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    n_mels : int
        How many bands, from 0 Hz to half the rate.
    n_fft, win_length, hop_length, pad : int, optional
        As for :func:`spectrogram`.

    Returns
    -------
    array of shape (n_clips, 1, n_mels, n_frames), float32
        Natural logarithms of power per Hz plus 1e-6; 101 frames for 1 s at 16 kHz.

    Raises
    ------
    ValueError
        As for :func:`spectrogram`.

    Examples
    --------
    >>> log_mel_spectrogram(np.zeros((2, 16000)), 16000).shape
    (2, 1, 64, 101)
    """
    lengths = _lengths(rate, n_fft, win_length, hop_length)
    powers = spectrogram(waveforms, rate, power=2, **lengths, pad=pad)
    return np.log(mel_filters(rate, lengths["n_fft"], n_mels) @ powers + FLOOR)


def log_mel_moments(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Describe each clip by the level of each mel band, how much it varies, and how fast.

    All frames count, the silent ones too, as in :func:`log_scattering`, whose simplest rival this
    is. Taught in chapter 9.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz

    Returns
    -------
    array of shape (n_clips, 120), float32
        For 40 bands of :func:`log_mel_spectrogram`: mean over the frames, standard deviation, and
        mean absolute difference from one frame to the next.

    Raises
    ------
    ValueError
        As for :func:`spectrogram`.

    Examples
    --------
    >>> log_mel_moments(np.zeros((2, 8192)), 8000).shape
    (2, 120)
    """
    levels = log_mel_spectrogram(waveforms, rate, n_mels=40)[:, 0]
    changes = np.abs(np.diff(levels, axis=2))
    return np.concatenate([levels.mean(axis=2), levels.std(axis=2), changes.mean(axis=2)], axis=1)


def log_mel(
    waveforms: np.ndarray,
    rate: float,
    *,
    n_mels: int = 64,
    n_fft: int = 2048,
    hop_length: int = 512,
) -> np.ndarray:
    """Return mel bands in dB below each clip's maximum, for the published LSTM of chapter 11.

    Taught in chapter 4, "Spectrograms and MFCCs", and with these settings in chapter 11.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
        22,050 as published.
    n_mels : int
        How many bands, from 0 Hz to half the rate.
    n_fft, hop_length : int
        In samples: librosa's defaults, as published.

    Returns
    -------
    array of shape (n_clips, n_mels, n_frames), float32
        From -80 to 0 dB; 35 frames for 17,640 samples.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a hop.

    Examples
    --------
    >>> log_mel(np.zeros((2, 17640)), 22050).shape
    (2, 64, 35)
    """
    parts = []
    for batch in batches(waveforms, rate, hop_length):
        powers = librosa.feature.melspectrogram(
            y=batch, sr=rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length
        )
        parts += [librosa.power_to_db(power, ref=np.max) for power in powers]
    return np.stack(parts)


def log_mel_frames(
    waveforms: np.ndarray,
    rate: float,
    *,
    n_mels: int = 64,
    n_fft: int = 2048,
    hop_length: int = 512,
) -> np.ndarray:
    """Return mel bands with time first and silence as 0, for the corrected LSTM of chapter 11.

    Levels are in units of 20 dB above the mean of the clip's own bands and frames. A frame that
    lies 80 dB below the clip's maximum in every band, such as one of nothing but zeros, is silence:
    it is left out of the mean, and all its bands are 0.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    n_mels, n_fft, hop_length : int
        As for :func:`log_mel`.

    Returns
    -------
    array of shape (n_clips, n_frames, n_mels), float32
        35 frames for 17,640 samples.

    Raises
    ------
    ValueError
        As for :func:`log_mel`.

    Examples
    --------
    >>> click = np.zeros((2, 17640))
    >>> click[0, 5000] = 1
    >>> frames = log_mel_frames(click, 22050)
    >>> frames.shape, np.flatnonzero(frames[0].any(axis=1)), frames[1].any()
    ((2, 35, 64), array([ 8,  9, 10, 11]), np.False_)
    """
    waveforms = checked(waveforms, rate, hop_length)
    loudest = np.abs(waveforms).max(axis=1, keepdims=True)
    peaks = waveforms / np.where(loudest, loudest, 1)  # else a soft clip's floor is not at -80 dB
    levels = log_mel(peaks, rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length)
    levels = levels.swapaxes(1, 2)
    sounding = (levels > -80).any(axis=2, keepdims=True) & (loudest > 0)[..., np.newaxis]
    n_sounding = np.maximum(sounding.sum(axis=1, keepdims=True), 1) * n_mels
    mean = (levels * sounding).sum(axis=(1, 2), keepdims=True) / n_sounding
    return np.where(sounding, (levels - mean) / 20, 0).astype(np.float32)


def mean_spectrum(waveforms: np.ndarray, rate: float, *, n_fft: int | None = None) -> np.ndarray:
    """Describe each clip by the mean of its magnitude spectra: which frequencies, and not when.

    Taught in chapter 7, "Evaluation: splits, leaks and confidence intervals".

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    n_fft : int, optional
        Length of a frame in samples; by default the power of two nearest to 32 ms. The next frame
        begins half a frame later.

    Returns
    -------
    array of shape (n_clips, n_fft // 2 + 1), float32
        From 0 Hz to half the rate.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a frame.

    Examples
    --------
    >>> mean_spectrum(np.zeros((2, 8192)), 8000).shape
    (2, 129)
    """
    n_fft = 2 ** octave_of(FRAME_S, rate) if n_fft is None else n_fft
    lengths = {"frame_length": n_fft, "frame_step": n_fft // 2, "fft_length": n_fft}
    parts = batches(waveforms, rate, n_fft)
    spectra = (magnitude_spectrogram(part, rate, **lengths) for part in parts)
    return np.concatenate([part[..., 0].mean(axis=1) for part in spectra])


def mfcc_means(
    waveforms: np.ndarray,
    rate: float,
    *,
    n_mfcc: int = 20,
    n_mels: int = 40,
    n_fft: int | None = None,
    hop_length: int | None = None,
) -> np.ndarray:
    """Describe each clip by the mean over time of its mel-frequency cepstral coefficients.

    They come from :func:`log_mel`, whose levels are relative to each clip's own maximum. Taught in
    chapter 7, "Evaluation: splits, leaks and confidence intervals".

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    n_mfcc, n_mels : int
        How many coefficients are kept, and of how many mel bands.
    n_fft, hop_length : int, optional
        In samples: by default the power of two nearest to 32 ms, and half of that: 256 and 128 at
        8 kHz.

    Returns
    -------
    array of shape (n_clips, n_mfcc), float32
        The first is the mean level, the others the broad shape of the spectrum.

    Raises
    ------
    ValueError
        As for :func:`log_mel`.

    Examples
    --------
    >>> mfcc_means(np.zeros((2, 8192)), 8000).shape
    (2, 20)
    """
    n_fft = 2 ** octave_of(FRAME_S, rate) if n_fft is None else n_fft
    hop_length = n_fft // 2 if hop_length is None else hop_length
    bands = log_mel(waveforms, rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length)
    return librosa.feature.mfcc(S=bands, n_mfcc=n_mfcc).mean(axis=2).astype(np.float32)


def _lengths(
    rate: float, n_fft: int | None, win_length: int | None, hop_length: int | None
) -> dict[str, Any]:
    """Return the lengths of a spectrogram in samples: those given, else those of the rate."""
    win_length = n_samples_of(WINDOW_S, rate) if win_length is None else win_length
    hop_length = n_samples_of(HOP_S, rate) if hop_length is None else hop_length
    n_fft = 1 << (win_length - 1).bit_length() if n_fft is None else n_fft
    return {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length}
