"""Features: what a classifier is shown instead of the samples.

Chapter 4 builds the spectrograms step by step, chapter 7 the means that its baselines hear, chapter
9 what is made of scattering coefficients. The latter is kept on disk, under the content that went
in, so that a second run costs a glance.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import librosa
import numpy as np
from scipy.signal import get_window
from tqdm import tqdm

from digitlab.environment import kept_on_disk, torch_device
from digitlab.features.settings import FLOOR, hann, mel_filters, refuse_settings

KEPT_ON_DISK = ("log_scattering", "scattering_course")
STAGES = 5  # of a word, in scattering_course
BATCH = 16  # clips at once: what they grow into stays in the cache of a CPU
GPU_BATCH = 128  # fills a GPU, and takes about 1 GB of its memory


def magnitude_spectrogram(
    waveforms: np.ndarray, *, frame_length: int = 233, frame_step: int = 128, fft_length: int = 256
) -> np.ndarray:
    """Return what the dense network of chapter 13 sees: magnitudes, time first, as one channel.

    Frames and values are those of ``tf.signal.stft``: not centred, nothing padded, and a Hann
    window that is symmetric where its length is odd.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row; 30,000 as published.
    frame_length, frame_step, fft_length : int
        In samples.

    Returns
    -------
    array of shape (n_clips, n_frames, n_bins, 1), float32
        233 frames of 129 bins for 30,000 samples.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than a frame, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 4, "Spectrograms".

    Examples
    --------
    >>> magnitude_spectrogram(np.zeros((2, 30000))).shape
    (2, 233, 129, 1)
    """
    waveforms = _checked(waveforms, frame_length)
    window = get_window("hann", frame_length, fftbins=frame_length % 2 == 0)
    frames = np.lib.stride_tricks.sliding_window_view(waveforms, frame_length, axis=1)
    spectra = [np.fft.rfft(clip * window, fft_length) for clip in frames[:, ::frame_step]]
    return np.abs(spectra).astype(np.float32)[..., np.newaxis]


def spectrogram(
    waveforms: np.ndarray,
    *,
    power: float | None = None,
    n_fft: int = 512,
    win_length: int = 480,
    hop_length: int = 160,
    pad: int = 0,
) -> np.ndarray:
    """Return what the convolutional network of chapter 14 sees: real and imaginary parts.

    Frames are centred, with the clip mirrored at its ends, and divided by the root of the window's
    summed squares, as torchaudio's ``Spectrogram(normalized=True)`` does.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row; 16,000 as published.
    power : float, optional
        Magnitudes to this power instead, as one channel: 1 for magnitudes, 2 for their squares.
    n_fft, win_length, hop_length : int
        In samples. A window shorter than `n_fft` has zeros on both sides.
    pad : int
        Zeros at either end of a clip, before anything else.

    Returns
    -------
    array of shape (n_clips, n_channels, n_bins, n_frames), float32
        2 channels, or 1 with a `power`; 257 bins and 101 frames for 16,000 samples.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than `n_fft`, or holds NaN or infinity; or if
        the settings make no spectrogram.

    Notes
    -----
    Taught in chapter 4, "Spectrograms". On the device, with gradients:
    :class:`digitlab.models.torch.Spectrogram` and :class:`digitlab.models.keras.Spectrogram`.

    Examples
    --------
    >>> spectrogram(np.zeros((3, 16000))).shape, spectrogram(np.zeros((3, 16000)), power=1).shape
    ((3, 2, 257, 101), (3, 1, 257, 101))
    """
    refuse_settings(power, n_fft, win_length, hop_length, pad)
    settings = {"n_fft": n_fft, "win_length": win_length, "hop_length": hop_length}
    settings |= {"window": hann(win_length), "pad_mode": "reflect"}
    pictures = []
    for part in _parts(waveforms, n_fft):
        spectra = librosa.stft(np.pad(part, ((0, 0), (pad, pad))), **settings)
        channels = [spectra.real, spectra.imag] if power is None else [np.abs(spectra) ** power]
        pictures.append(np.stack(channels, axis=1).astype(np.float32))
    return np.concatenate(pictures)


def log_mel_spectrogram(
    waveforms: np.ndarray, rate: int = 16000, *, n_mels: int = 64, n_fft: int = 512, **settings: int
) -> np.ndarray:
    """Return the frames of :func:`spectrogram` as mel bands: the logarithm of their power.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    rate : int
        In Hz.
    n_mels : int
        How many bands, from 0 Hz to half the rate.
    n_fft : int
        In samples.
    **settings : int
        `win_length`, `hop_length` and `pad`, as for :func:`spectrogram`.

    Returns
    -------
    array of shape (n_clips, 1, n_mels, n_frames), float32
        Natural logarithms of power per Hz plus 1e-6; 101 frames for 16,000 samples.

    Raises
    ------
    ValueError
        As for :func:`spectrogram`.

    Notes
    -----
    Taught in chapter 14. No clip has a say in the features of another, and none is compared with
    its own maximum, as :func:`log_mel` does.

    Examples
    --------
    >>> log_mel_spectrogram(np.zeros((2, 16000))).shape
    (2, 1, 64, 101)
    """
    powers = spectrogram(waveforms, power=2, n_fft=n_fft, **settings)
    return np.log(mel_filters(rate, n_fft, n_mels) @ powers + FLOOR)


def log_mel(
    waveforms: np.ndarray,
    rate: int = 22050,
    *,
    n_mels: int = 64,
    n_fft: int = 2048,
    hop_length: int = 512,
) -> np.ndarray:
    """Return what the published LSTM of chapter 11 sees: mel bands in dB below the clip's maximum.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row; 17,640 as published.
    rate : int
        In Hz.
    n_mels : int
        How many bands.
    n_fft, hop_length : int
        In samples.

    Returns
    -------
    array of shape (n_clips, n_mels, n_frames), float32
        From -80 to 0 dB; 64 bands and 35 frames for 17,640 samples.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than a hop, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 4, "Spectrograms".

    Examples
    --------
    >>> log_mel(np.zeros((2, 17640))).shape
    (2, 64, 35)
    """
    pictures = []
    for part in _parts(waveforms, hop_length):
        powers = librosa.feature.melspectrogram(
            y=part, sr=rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length
        )
        pictures += [librosa.power_to_db(power, ref=np.max) for power in powers]
    return np.stack(pictures)


def log_mel_frames(waveforms: np.ndarray, rate: int = 22050, **settings: int) -> np.ndarray:
    """Return mel bands with time first, and silence as 0: what an LSTM sees that is put right.

    Levels are in units of 20 dB above the mean of the clip's own bands and frames. A frame that
    lies 80 dB below the clip's maximum in every band, such as one of nothing but zeros, is silence:
    it has no say in the mean, and all its bands are 0.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    rate : int
        In Hz.
    **settings : int
        `n_mels`, `n_fft` and `hop_length`, as for :func:`log_mel`.

    Returns
    -------
    array of shape (n_clips, n_frames, n_mels), float32
        35 frames of 64 bands for 17,640 samples.

    Raises
    ------
    ValueError
        As for :func:`log_mel`.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> click = np.zeros((2, 17640))
    >>> click[0, 5000] = 1
    >>> frames = log_mel_frames(click)
    >>> frames.shape, np.flatnonzero(frames[0].any(axis=1)), frames[1].any()
    ((2, 35, 64), array([ 8,  9, 10, 11]), np.False_)
    """
    waveforms = _checked(waveforms, settings.get("hop_length", 512))
    loudest = np.abs(waveforms).max(axis=1, keepdims=True)
    peaks = waveforms / np.where(loudest, loudest, 1)  # else a soft clip's floor is not at -80 dB
    levels = log_mel(peaks, rate, **settings).swapaxes(1, 2)
    heard = (levels > -80).any(axis=2, keepdims=True) & (loudest > 0)[..., np.newaxis]
    n_heard = np.maximum(heard.sum(axis=1, keepdims=True), 1) * levels.shape[2]
    mean = (levels * heard).sum(axis=(1, 2), keepdims=True) / n_heard
    return np.where(heard, (levels - mean) / 20, 0).astype(np.float32)


def samples(waveforms: np.ndarray) -> np.ndarray:
    """Return the samples as they are, one a step.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.

    Returns
    -------
    array of shape (n_clips, n_samples, 1), float32
        What an LSTM that is fed sample by sample sees.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> samples(np.zeros((2, 17640))).shape
    (2, 17640, 1)
    """
    return _checked(waveforms, 1)[..., np.newaxis]


def sample_frames(waveforms: np.ndarray, length: int = 80) -> np.ndarray:
    """Cut the samples into frames, one a step: nothing is computed, only laid out otherwise.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    length : int
        Of a frame, in samples: by default 10 ms at 8 kHz. What is left at the end is dropped.

    Returns
    -------
    array of shape (n_clips, n_samples // length, length), float32
        What an LSTM that is fed frame by frame sees.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than a frame, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> sample_frames(np.zeros((2, 8192))).shape
    (2, 102, 80)
    """
    waveforms = _checked(waveforms, length)
    n_frames = waveforms.shape[1] // length
    return waveforms[:, : n_frames * length].reshape(len(waveforms), n_frames, length)


def mean_spectrum(waveforms: np.ndarray, *, n_fft: int = 256) -> np.ndarray:
    """Describe each clip by the mean of its magnitude spectra: which frequencies, and not when.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    n_fft : int
        Length of a frame in samples; the next begins half a frame later.

    Returns
    -------
    array of shape (n_clips, n_fft // 2 + 1), float32
        From 0 Hz to half the rate.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than a frame, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 7, "What a score means".

    Examples
    --------
    >>> mean_spectrum(np.zeros((2, 8192))).shape
    (2, 129)
    """
    lengths = {"frame_length": n_fft, "frame_step": n_fft // 2, "fft_length": n_fft}
    spectra = (magnitude_spectrogram(part, **lengths) for part in _parts(waveforms, n_fft))
    return np.concatenate([part[..., 0].mean(axis=1) for part in spectra])


def mfcc_means(
    waveforms: np.ndarray,
    rate: int = 8000,
    *,
    n_mfcc: int = 20,
    n_mels: int = 40,
    n_fft: int = 256,
    hop_length: int = 128,
) -> np.ndarray:
    """Describe each clip by the mean over time of its mel-frequency cepstral coefficients.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    rate : int
        In Hz.
    n_mfcc, n_mels : int
        How many coefficients are kept, and of how many mel bands.
    n_fft, hop_length : int
        In samples: by default 32 ms and 16 ms at 8 kHz.

    Returns
    -------
    array of shape (n_clips, n_mfcc), float32
        The first is the mean level, the others the broad shape of the spectrum.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than a hop, or holds NaN or infinity.

    Notes
    -----
    From :func:`log_mel`, whose levels are relative to each clip's own maximum: no clip has a say in
    the features of another. Taught in chapter 7, "What a score means".

    Examples
    --------
    >>> mfcc_means(np.zeros((2, 8192))).shape
    (2, 20)
    """
    pictures = log_mel(waveforms, rate, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length)
    return librosa.feature.mfcc(S=pictures, n_mfcc=n_mfcc).mean(axis=2).astype(np.float32)


def log_scattering(
    waveforms: np.ndarray, J: int = 8, Q: int = 12, *, device: str | None = None
) -> np.ndarray:
    """Describe each clip by the mean over time of its log-scattering coefficients.

    Each clip is scattered with orders 0 to 2; order 0 is dropped; the logarithm of each
    coefficient plus 1e-6 is averaged over time.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    J : int
        The averaging scale is ``2**J`` samples.
    Q : int
        Wavelets per octave at order 1.
    device : str, optional
        Where to compute; by default a GPU where there is one. Without PyTorch, NumPy on the CPU.

    Returns
    -------
    array of shape (n_clips, n_paths), float32
        336 paths for J = 8, Q = 12 and clips of 8,192 samples.

    Raises
    ------
    ValueError
        If `waveforms` has another shape, is shorter than ``2**J``, or holds NaN or infinity.

    Notes
    -----
    Scattering is due to [1]_ and [2]_, the filters to kymatio [3]_. Chapter 8 builds the transform
    in the open, chapter 9 this function.

    References
    ----------
    .. [1] S. Mallat, "Group invariant scattering", CPAM 65(10), 2012.
    .. [2] J. Andén and S. Mallat, "Deep scattering spectrum", IEEE TSP 62(16), 2014.
    .. [3] M. Andreux et al., "Kymatio: scattering transforms in Python", JMLR 21(60), 2020.

    Examples
    --------
    >>> click = np.zeros((1, 8192), np.float32)
    >>> click[0, 4096] = 1
    >>> log_scattering(click).shape
    (1, 336)
    """
    kept, arguments = _kept_call("log_scattering", waveforms, J, Q, device)
    return kept(*arguments)


def scattering_course(
    waveforms: np.ndarray, J: int = 8, Q: int = 12, *, device: str | None = None
) -> np.ndarray:
    """Describe each clip by the course of its scattering coefficients: five stages of the word.

    The level of a coefficient S is log(1 + S / 1e-5): silence is 0. A frame is as loud as the mean
    of its levels over all paths of orders 1 and 2, and the place of a frame in the word, from 0 to
    1, is the share of all loudness that has sounded by its middle. Each stage is the mean of the
    levels over time, every frame weighted by its loudness and by a bell curve around the stage's
    place: 0.1, 0.3, 0.5, 0.7 or 0.9, with a standard deviation of 0.1. From every stage its own
    mean over the paths is taken away.

    So silence before and after the word weighs nothing, a drawled word and a hurried one are laid
    on one another, and a stage tells which paths are strong beside the others.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    J, Q : int
        As for :func:`log_scattering`.
    device : str, optional
        As for :func:`log_scattering`.

    Returns
    -------
    array of shape (n_clips, 5 * n_paths), float32
        Stage by stage: 1,680 numbers for J = 8, Q = 12 and clips of 8,192 samples.

    Raises
    ------
    ValueError
        As for :func:`log_scattering`.

    Notes
    -----
    Each clip is described by itself: no other has a say. Taught in chapter 10.

    Examples
    --------
    >>> click = np.zeros((1, 8192), np.float32)
    >>> click[0, 4096] = 1
    >>> scattering_course(click).shape
    (1, 1680)
    """
    kept, arguments = _kept_call("scattering_course", waveforms, J, Q, device)
    return kept(*arguments)


def is_cached(
    waveforms: np.ndarray,
    J: int = 8,
    Q: int = 12,
    *,
    feature: str = "log_scattering",
    device: str | None = None,
) -> bool:
    """Tell whether a feature of these arguments lies on disk already.

    Parameters
    ----------
    waveforms, J, Q, device
        As for :func:`log_scattering`.
    feature : str
        Its name. Only ``"log_scattering"`` and ``"scattering_course"`` are kept on disk.

    Returns
    -------
    bool
        True if nothing will have to be computed.

    Examples
    --------
    >>> clip = np.zeros((1, 8192), np.float32)
    >>> features = log_scattering(clip)
    >>> is_cached(clip)
    True
    """
    if feature not in KEPT_ON_DISK:
        return False
    kept, arguments = _kept_call(feature, waveforms, J, Q, device)
    return kept.check_call_in_cache(*arguments)


def _kept_call(feature: str, waveforms, J: int, Q: int, device: str | None) -> tuple:
    """Return the function whose results are kept on disk, and what to call it with."""
    compute = {"log_scattering": _log_scattering, "scattering_course": _scattering_course}[feature]
    return kept_on_disk(compute), (_checked(waveforms, 2**J, "lower J"), J, Q, _backend(device))


def _backend(device: str | None) -> str:
    return torch_device(device) if find_spec("torch") else "numpy"


def _checked(waveforms, shortest: int, remedy: str = "take a shorter window") -> np.ndarray:
    waveforms = np.ascontiguousarray(waveforms, dtype=np.float32)
    if waveforms.ndim != 2:
        raise ValueError(f"waveforms must be (n_clips, n_samples), not {waveforms.shape}")
    if waveforms.shape[1] < shortest:
        raise ValueError(
            f"clips of {waveforms.shape[1]} samples are too short, "
            f"{shortest} are needed: pad them, or {remedy}"
        )
    if not np.isfinite(waveforms).all():
        row = int(np.argmin(np.isfinite(waveforms).all(axis=1)))
        raise ValueError(f"clip {row} holds NaN or infinite samples")
    return waveforms


def _parts(waveforms, shortest: int) -> Iterator[np.ndarray]:
    """Cut many clips into batches, so that their spectrograms never fill the memory."""
    waveforms = _checked(waveforms, shortest)
    return (waveforms[i : i + 16 * BATCH] for i in range(0, len(waveforms), 16 * BATCH))


def _log_scattering(waveforms: np.ndarray, J: int, Q: int, device: str) -> np.ndarray:
    batches = _scattered(waveforms, J, Q, device)
    return np.concatenate([np.log(np.abs(batch[:, 1:]) + 1e-6).mean(axis=2) for batch in batches])


def _scattering_course(waveforms: np.ndarray, J: int, Q: int, device: str) -> np.ndarray:
    batches = _scattered(waveforms, J, Q, device)
    return np.concatenate([_course(batch[:, 1:]) for batch in batches]).astype(np.float32)


def _course(coefficients: np.ndarray) -> np.ndarray:
    """Turn (n_clips, n_paths, n_frames) without order 0 into (n_clips, STAGES * n_paths)."""
    levels = np.log1p(np.abs(coefficients) / 1e-5)
    loudness = levels.mean(axis=1) + 1e-9  # of a silent clip all frames weigh the same
    places = (loudness.cumsum(axis=1) - loudness / 2) / loudness.sum(axis=1, keepdims=True)
    centres = (np.arange(STAGES)[:, np.newaxis] + 0.5) / STAGES
    away = (places[:, np.newaxis] - centres) * 2 * STAGES  # in standard deviations
    weights = np.exp(-(away**2) / 2) * loudness[:, np.newaxis]
    weights /= weights.sum(axis=2, keepdims=True)
    stages = weights @ levels.swapaxes(1, 2)
    stages -= stages.mean(axis=2, keepdims=True)
    return stages.reshape(len(stages), -1)


def _scattered(waveforms: np.ndarray, J: int, Q: int, device: str) -> Iterator[np.ndarray]:
    """Scatter clips a batch at a time."""
    size = BATCH if device in ("cpu", "numpy") else GPU_BATCH
    starts = range(0, len(waveforms), size)
    for i in tqdm(starts, desc="scattering", unit="batch", disable=len(starts) < 8):
        yield _scatter(waveforms[i : i + size], J, Q, device)


def _scatter(clips: np.ndarray, J: int, Q: int, device: str) -> np.ndarray:
    if device == "numpy":
        from digitlab.features.executors.numpy import scatter

        return scatter(clips, J, Q)
    import torch

    from digitlab.features.executors.torch import scatter

    with torch.inference_mode():
        return scatter(torch.from_numpy(clips).to(device), J, Q).cpu().numpy()


def scattering(
    waveforms: np.ndarray, J: int = 8, Q: int = 12, *, device: str | None = None
) -> np.ndarray:
    """Scatter clips and keep every coefficient, order 0 first.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    J, Q : int
        Averaging scale ``2**J`` samples; wavelets per octave at order 1.
    device : str, optional
        As for :func:`log_scattering`.

    Returns
    -------
    array of shape (n_clips, n_paths, n_frames), float32
        kymatio's values, in its order of paths: order 0, then 1 and 2, each from high frequency
        to low.

    Raises
    ------
    ValueError
        As for :func:`log_scattering`.

    Notes
    -----
    Taught in chapter 8. With gradients: :class:`digitlab.models.torch.Scattering` and
    :class:`digitlab.models.keras.Scattering`.

    Examples
    --------
    >>> scattering(np.zeros((2, 8192))).shape
    (2, 337, 32)
    """
    waveforms = _checked(waveforms, 2**J, "lower J")
    return np.concatenate(list(_scattered(waveforms, J, Q, _backend(device))))


def scattering_paths(n_samples: int = 8192, J: int = 8, Q: int = 12) -> np.ndarray:
    """Tell what each scattering path listens to.

    Parameters
    ----------
    n_samples : int
        Length of the clips.
    J, Q : int
        As for :func:`scattering`.

    Returns
    -------
    structured array of shape (n_paths,)
        Fields ``order`` (0, 1 or 2), ``first`` and ``second``: the centre frequencies of the
        wavelets along the path, in cycles per sample; NaN where the path has no such wavelet.

    Notes
    -----
    Taught in chapter 8.

    Examples
    --------
    >>> paths = scattering_paths()
    >>> [int((paths["order"] == order).sum()) for order in (0, 1, 2)]
    [1, 76, 260]
    """
    from kymatio import Scattering1D

    meta = Scattering1D(J=J, shape=n_samples, Q=Q, frontend="numpy").meta()
    fields = [("order", int), ("first", float), ("second", float)]
    paths = np.empty(len(meta["order"]), dtype=fields)
    paths["order"], paths["first"], paths["second"] = meta["order"], *meta["xi"].T
    return paths


def filter_bank(
    n_samples: int = 8192, J: int = 8, Q: int = 12
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frequency responses of the order-1 wavelets and of the averaging filter.

    Parameters
    ----------
    n_samples : int
        Length of the clips.
    J, Q : int
        As for :func:`scattering`.

    Returns
    -------
    frequencies : array of shape (n_bins,)
        From 0 to 0.5 cycles per sample.
    wavelets : array of shape (n_wavelets, n_bins)
        Magnitude responses, highest centre frequency first.
    average : array of shape (n_bins,)
        Magnitude response of the low-pass filter.

    Notes
    -----
    Taught in chapter 8.

    Examples
    --------
    >>> frequencies, wavelets, average = filter_bank()
    >>> wavelets.shape[0], float(frequencies[-1])
    (76, 0.5)
    """
    from kymatio import Scattering1D

    bank = Scattering1D(J=J, shape=n_samples, Q=Q, frontend="numpy")
    wavelets = np.abs([np.ravel(psi["levels"][0]) for psi in bank.psi1_f])
    average = np.abs(np.ravel(bank.phi_f["levels"][0]))
    n_bins = average.size // 2 + 1
    return np.arange(n_bins) / average.size, wavelets[:, :n_bins], average[:n_bins]
