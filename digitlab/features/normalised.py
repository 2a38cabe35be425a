"""Log-mel spectrograms freed of loudness and of the microphone, step by step."""

import warnings

import librosa
import numpy as np

from digitlab.features.settings import batches, hann, n_samples_of

FRAME_S, HOP_S = 0.032, 0.016  # seconds
N_MELS = 40
DYNAMIC_RANGE_DB = 50  # below the loudest frame: bands that are softer are raised to this
LOUD_DB = 20  # below the loudest frame: frames whose mean says what the microphone does
SOUNDING_DB = 40  # below the loudest frame: frames that belong to the word
SCALE_DB = 15  # so that most values lie between -2 and 2
LEAST_POWER = 1e-20  # against the logarithm of zero


def normalised_log_mel(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Return log-mel spectrograms whose bands have mean 0 over the loud frames.

    40 mel bands of frames of 32 ms, every 16 ms, as levels in dB. Bands more than 50 dB below the
    loudest frame are raised to that level. The mean of each band over the loud frames, at most
    20 dB below the loudest, is subtracted: it holds the loudness of the recording and the frequency
    response of the microphone. This is cepstral mean normalisation, done in the bands. Taught in
    chapter 15.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
        Each holds one word.
    rate : float, in Hz

    Returns
    -------
    array of shape (n_clips, n_frames, 40), float32
        In units of 15 dB; 65 frames for 8,192 samples at 8 kHz. A clip of zeros is 0.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a hop.

    See Also
    --------
    digitlab.perturbation.perturb : The same features of the same words by other speakers.

    Notes
    -----
    Mean normalisation is due to B. S. Atal, "Effectiveness of linear prediction characteristics of
    the speech wave for automatic speaker identification and verification", Journal of the
    Acoustical Society of America 55, 1304-1312, 1974.

    Examples
    --------
    >>> tone = np.sin(np.arange(8192) / 3)[np.newaxis]
    >>> features = normalised_log_mel(tone, 8000)
    >>> features.shape, np.allclose(features, normalised_log_mel(tone / 10, 8000), atol=1e-4)
    ((1, 65, 40), True)
    """
    return normalise_levels(_mel_powers(waveforms, rate))


def loudness_normalised_log_mel(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Return log-mel spectrograms freed of loudness alone, beside which the above is measured.

    As :func:`normalised_log_mel`, but one mean over the loud frames of all bands is subtracted, so
    that the frequency response of the microphone stays.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz

    Returns
    -------
    array of shape (n_clips, n_frames, 40), float32
        In units of 15 dB.

    Raises
    ------
    ValueError
        As for :func:`normalised_log_mel`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1, 8192))
    >>> features = loudness_normalised_log_mel(noise, 8000)
    >>> np.allclose(features, loudness_normalised_log_mel(noise / 10, 8000), atol=1e-4)
    True
    """
    return normalise_levels(_mel_powers(waveforms, rate), each_band=False)


def log_mel_statistics(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Describe each clip by how loud each mel band is, how much that varies, and how fast.

    Of the spectrogram that :func:`loudness_normalised_log_mel` makes, frames at most 40 dB below
    the loudest count. Taught in chapter 15.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz

    Returns
    -------
    array of shape (n_clips, 120), float32
        For 40 bands: mean, standard deviation, and mean absolute difference from one frame to the
        next; in units of 15 dB.

    Raises
    ------
    ValueError
        As for :func:`normalised_log_mel`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(2, 8192))
    >>> log_mel_statistics(noise, 8000).shape
    (2, 120)
    """
    powers = _mel_powers(waveforms, rate)
    levels = normalise_levels(powers, each_band=False)
    sounds = _is_within(*_loudness(powers), SOUNDING_DB)
    n_frames = sounds.sum(axis=1)
    mean = (levels * sounds).sum(axis=1) / n_frames
    variance = ((levels - mean[:, np.newaxis]) ** 2 * sounds).sum(axis=1) / n_frames
    steps = np.abs(np.diff(levels, axis=1)) * (sounds[:, 1:] & sounds[:, :-1])
    speed = steps.sum(axis=1) / np.maximum(n_frames - 1, 1)
    return np.concatenate([mean, np.sqrt(variance), speed], axis=1).astype(np.float32)


def power_frames(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Return the power spectra of frames of 32 ms, every 16 ms.

    Parameters
    ----------
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz

    Returns
    -------
    array of shape (n_clips, n_frames, n_bins), float32
        65 frames of 129 bins for 8,192 samples at 8 kHz; the first is centred on the first sample.

    Raises
    ------
    ValueError
        As for :func:`samples`, or if the clips are shorter than a hop.

    Examples
    --------
    >>> power_frames(np.zeros((2, 8192)), 8000).shape
    (2, 65, 129)
    """
    n_fft, hop_length = n_samples_of(FRAME_S, rate), n_samples_of(HOP_S, rate)
    parts = []
    for batch in batches(waveforms, rate, hop_length):
        spectra = librosa.stft(
            batch, n_fft=n_fft, hop_length=hop_length, window=hann(n_fft), pad_mode="constant"
        )
        parts.append((np.abs(spectra) ** 2).swapaxes(1, 2).astype(np.float32))
    return np.concatenate(parts)


def mel_filters(rate: float, warp: float = 1.0) -> np.ndarray:
    """Return the 40 mel filters for :func:`power_frames`, all frequencies multiplied by a factor.

    Parameters
    ----------
    rate : float, in Hz
    warp : float
        Formants that are `warp` times as high pass the same filters.

    Returns
    -------
    array of shape (40, n_bins), float32
        Filters that would lie above half the rate are zeros.

    Notes
    -----
    Warped filters make a spectrogram that of a shorter or longer vocal tract: N. Jaitly and
    G. E. Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML
    Workshop on Deep Learning for Audio, Speech and Language, 2013.

    Examples
    --------
    >>> centres = [mel_filters(8000, warp)[20].argmax() for warp in (1.0, 1.2)]
    >>> [int(bin) for bin in centres]
    [39, 47]
    """
    n_fft = n_samples_of(FRAME_S, rate)
    with warnings.catch_warnings():  # librosa warns of filters that are empty
        warnings.simplefilter("ignore")
        return librosa.filters.mel(sr=rate / warp, n_fft=n_fft, n_mels=N_MELS, fmax=rate / 2)


def normalise_levels(powers: np.ndarray, *, each_band: bool = True) -> np.ndarray:
    """Turn the powers of mel bands into levels without loudness and microphone.

    Parameters
    ----------
    powers : array of shape (n_clips, n_frames, n_bands)
        Not negative.
    each_band : bool
        Whether each band has mean 0 over the loud frames, or only all bands together.

    Returns
    -------
    array of the same shape, float32
        As :func:`normalised_log_mel` returns them.

    Examples
    --------
    >>> powers = np.random.default_rng(0).uniform(1, 2, (1, 65, 40))
    >>> levels = normalise_levels(powers)
    >>> bool(np.allclose(levels, normalise_levels(powers * np.arange(1, 41)), atol=1e-3))
    True
    """
    frames, loudest = _loudness(powers)
    levels = 10 * np.log10(np.maximum(powers, loudest * 10 ** (-DYNAMIC_RANGE_DB / 10)))
    is_loud = _is_within(frames, loudest, LOUD_DB)
    mean = (levels * is_loud).sum(axis=1, keepdims=True) / is_loud.sum(axis=1, keepdims=True)
    if not each_band:
        mean = mean.mean(axis=2, keepdims=True)
    return ((levels - mean) / SCALE_DB).astype(np.float32)


def _mel_powers(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """Return the powers of mel bands, (n_clips, n_frames, 40)."""
    return power_frames(waveforms, rate) @ mel_filters(rate).T


def _loudness(powers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the power of each frame, (n_clips, n_frames, 1), and of the loudest of each clip."""
    frames = powers.sum(axis=2, keepdims=True)
    return frames, np.maximum(frames.max(axis=1, keepdims=True), LEAST_POWER)


def _is_within(frames: np.ndarray, loudest: np.ndarray, range_db: float) -> np.ndarray:
    """Tell which frames are at most so far below the loudest."""
    return frames + LEAST_POWER >= loudest * 10 ** (-range_db / 10)
