"""Perturbation: the spectrograms of the same words by other speakers, in other rooms.

:func:`perturb` changes power spectrograms at random: the vocal tract, the tempo, the room, the
microphone and the noise. It is to the spectrograms of :func:`digitlab.features.normalised_log_mel`
what :func:`digitlab.augment.vary` is to samples. B1 and B2 of :mod:`digitlab.recipes` learn from
them.
"""

from functools import lru_cache

import numpy as np

from digitlab.features.normalised import HOP_S, N_MELS, mel_filters, normalise_levels

WARPS = np.geomspace(1 / 1.2, 1.2, 21)
MASKED = -1.0  # 15 dB below the mean of a band
CLIPS_AT_ONCE = 256


def perturb(
    powers: np.ndarray,
    rate: float,
    rng: np.random.Generator | int,
    *,
    vocal_tract: bool = True,
    tempo: float = 1.25,
    shift_s: float = 0.128,
    reverberation: float = 0.4,
    response_db: float = 4.0,
    band_limits: float = 0.3,
    snr_db: tuple[float, float] | None = (5, 45),
    max_bands: int = 6,
    max_frames: int = 8,
) -> np.ndarray:
    """Return normalised log-mel spectrograms, each changed at random.

    Parameters
    ----------
    powers : array of shape (n_clips, n_frames, n_bins)
        Of :func:`digitlab.features.power_frames`.
    rate : float
        Of the clips, in Hz.
    rng : numpy.random.Generator or int
        The random generator, or a seed for one.
    vocal_tract : bool
        Whether all frequencies are multiplied by a factor from 1/1.2 to 1.2, as a shorter or a
        longer vocal tract and a higher or a lower voice would do.
    tempo : float
        The word is spoken up to so many times as fast, or as slowly.
    shift_s : float
        It begins up to so many seconds earlier or later.
    reverberation : float
        Share of the clips that get an echo that decays by 60 dB in 0.1 to 0.7 s.
    response_db : float
        Standard deviation of a smooth frequency response, of a microphone or a loudspeaker.
    band_limits : float
        Share of the clips whose lowest and highest bands are lost, as on the telephone.
    snr_db : pair of float, optional
        Signal-to-noise ratios, from and to, of a noise of random spectrum that seven clips in ten
        get.
    max_bands, max_frames : int
        The widest masks; a mask of each kind is laid over each spectrogram.

    Returns
    -------
    array of shape (n_clips, n_frames, 40), float32
        As :func:`digitlab.features.normalised_log_mel` makes them of clips that are left alone.

    Notes
    -----
    Taught in chapter 15. Power spectra of sounds that do not depend on each other add, on average,
    so echoes and noises are added to powers. The factor of the vocal tract is due to Jaitly and
    Hinton (2013), the masks to Park et al. (2019), see :func:`digitlab.augment.spec_augment`.

    Examples
    --------
    >>> from digitlab import features
    >>> powers = features.power_frames(np.random.default_rng(0).normal(size=(3, 8192)), 8000)
    >>> perturb(powers, 8000, 0).shape
    (3, 65, 40)
    """
    rng = np.random.default_rng(rng)
    filters = _filters(rate, tuple(WARPS) if vocal_tract else (1.0,))
    parts = []
    for start in range(0, len(powers), CLIPS_AT_ONCE):
        batch = powers[start : start + CLIPS_AT_ONCE]
        bands = _through(batch, filters, rng)
        bands = _retimed(bands, tempo, shift_s / HOP_S, rng)
        bands = _reverberated(bands, reverberation, rng)
        bands = bands * _response(len(bands), response_db, band_limits, rng)
        if snr_db is not None:
            bands = bands + _noise(bands, snr_db, rng)
        levels = normalise_levels(bands)
        _mask(levels, (max_frames, max_bands), rng)
        parts.append(levels)
    return np.concatenate(parts)


def sounds_without_speech(n_clips: int, n_samples: int, rate: float, seed: int = 0) -> np.ndarray:
    """Synthesise noises, hums and notes, which a recogniser is to take for no word.

    Parameters
    ----------
    n_clips, n_samples : int
        How many, and how long.
    rate : float
        In Hz.
    seed : int
        Another seed gives other sounds.

    Returns
    -------
    array of shape (n_clips, n_samples), float32
        Of peak 1: noises of random spectrum, steady or in bursts, and chords of harmonic tones, in
        turn.

    Examples
    --------
    >>> sounds_without_speech(4, 8192, 8000).shape
    (4, 8192)
    """
    rng = np.random.default_rng(seed)
    times = np.arange(n_samples) / rate
    clips = []
    for clip in range(n_clips):
        if clip % 3:
            spectrum = np.fft.rfft(rng.normal(size=n_samples))
            frequencies = np.fft.rfftfreq(n_samples, 1 / rate).clip(30)
            sound = np.fft.irfft(spectrum * frequencies ** rng.uniform(-1.5, 0.5), n_samples)
        else:
            pitches = rng.uniform(60, 600, (rng.integers(1, 4), 1, 1))
            orders = np.arange(1, 9)[:, np.newaxis]
            tones = np.sin(2 * np.pi * pitches * orders * times) / orders ** rng.uniform(0.5, 2)
            sound = (tones * (pitches * orders < rate / 2)).sum(axis=(0, 1))
        if clip % 2:
            middle, width = rng.uniform(0.2, 0.8), rng.uniform(0.02, 0.3)  # of the clip
            sound *= np.exp(-(((times / times[-1] - middle) / width) ** 2))
        clips.append(sound / np.abs(sound).max())
    return np.array(clips, np.float32)


@lru_cache
def _filters(rate: float, factors: tuple[float, ...]) -> np.ndarray:
    """Return mel filters for each factor, (n_factors, n_bins, n_mels)."""
    return np.stack([mel_filters(rate, factor).T for factor in factors])


def _through(powers: np.ndarray, filters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the powers of mel bands, each clip through one of the sets of filters."""
    chosen = rng.integers(len(filters), size=len(powers))
    return powers @ filters[chosen]


def _retimed(bands: np.ndarray, tempo: float, most: float, rng: np.random.Generator) -> np.ndarray:
    """Stretch each clip around its middle, and shift it by up to so many frames."""
    n_clips, n_frames, _ = bands.shape
    speed = tempo ** rng.uniform(-1, 1, (n_clips, 1))
    shift = rng.uniform(-most, most, (n_clips, 1))
    places = (np.arange(n_frames) - n_frames / 2) * speed + n_frames / 2 + shift
    before = np.floor(places).astype(int)
    share = (places - before)[..., np.newaxis].astype(np.float32)
    return _frames(bands, before) * (1 - share) + _frames(bands, before + 1) * share


def _frames(bands: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the frames at these places; beyond the clip there is silence."""
    n_frames = bands.shape[1]
    inside = (places >= 0) & (places < n_frames)
    clips = np.arange(len(bands))[:, np.newaxis]
    return bands[clips, places.clip(0, n_frames - 1)] * inside[..., np.newaxis]


def _reverberated(bands: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Add an echo that decays exponentially to some of the clips."""
    n_clips = len(bands)
    decay_s = rng.uniform(0.1, 0.7, (n_clips, 1))  # by 60 dB
    decay = (10 ** (-6 * HOP_S / decay_s)).astype(np.float32)
    level = 10 ** (rng.uniform(-15, -3, (n_clips, 1)) / 10) * (rng.random((n_clips, 1)) < share)
    level = level.astype(np.float32)
    echo = np.zeros_like(bands[:, 0])
    reverberated = np.empty_like(bands)
    for frame in range(bands.shape[1]):
        reverberated[:, frame] = bands[:, frame] + level * echo
        echo = (echo + bands[:, frame]) * decay
    return reverberated


def _response(n_clips: int, spread_db: float, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a frequency response for each clip, (n_clips, 1, n_mels), as factors of power."""
    levels = spread_db * _smooth_curves(n_clips, 4, rng)
    bands = np.linspace(0, 1, N_MELS)
    is_limited = rng.random((n_clips, 1)) < share
    lowest, highest = rng.uniform(0, 0.15, (n_clips, 1)), rng.uniform(0.75, 1, (n_clips, 1))
    levels -= is_limited * 25 * ((lowest - bands) / 0.1).clip(0, 1)
    levels -= is_limited * 40 * ((bands - highest) / 0.1).clip(0, 1)
    return (10 ** (levels / 10)).astype(np.float32)[:, np.newaxis]


def _noise(bands: np.ndarray, snr_db: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Return noises of random spectra, at a level below the loudest frame of each clip."""
    n_clips, _, n_bands = bands.shape
    tilt = 8 * rng.normal(size=(n_clips, 1)) * np.linspace(-1, 1, n_bands)
    spectrum = 10 ** ((tilt + 4 * _smooth_curves(n_clips, 6, rng)) / 10)
    spectrum /= spectrum.sum(axis=1, keepdims=True)
    ratio = 10 ** (-rng.uniform(*snr_db, (n_clips, 1)) / 10) * (rng.random((n_clips, 1)) < 0.7)
    loudest = bands.sum(axis=2).max(axis=1, keepdims=True)
    level = (loudest * ratio * spectrum).astype(np.float32)
    # a band of noise holds a few bins, whose powers are distributed exponentially
    return level[:, np.newaxis] * rng.standard_gamma(2, bands.shape, dtype=np.float32) / 2


def _smooth_curves(n_clips: int, n_cosines: int, rng: np.random.Generator) -> np.ndarray:
    """Return random sums of slow cosines over the bands, (n_clips, n_mels), of variance 1."""
    order = np.arange(1, n_cosines + 1)[:, np.newaxis]
    cosines = np.cos(np.pi * order * np.linspace(0, 1, N_MELS))
    return rng.normal(size=(n_clips, n_cosines)) @ cosines / np.sqrt(n_cosines / 2)


def _mask(levels: np.ndarray, widest: tuple[int, int], rng: np.random.Generator) -> None:
    """Lay a mask over frames and one over bands of each spectrogram."""
    for axis, most in enumerate(widest, start=1):
        size = levels.shape[axis]
        start = rng.integers(0, size, (len(levels), 1))
        end = start + rng.integers(0, most, (len(levels), 1), endpoint=True)
        place = np.arange(size)
        is_masked = (place >= start) & (place < end)
        where = is_masked[:, :, np.newaxis] if axis == 1 else is_masked[:, np.newaxis]
        np.copyto(levels, MASKED, where=where)
