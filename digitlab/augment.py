"""Augmentation: more training clips from the same recordings, each heard a little differently.

A clip may be stretched in time, shifted in pitch, made louder, moved or covered with noise; its
spectrogram may be masked. Each change is a function with explicit settings; :func:`vary` and
:func:`spec_augment` draw them by lot, anew each time they are called; :func:`copies` prepares the
nine copies of each clip that were published for the networks of chapter 12, and keeps them.

Augment training clips alone, and divide the recordings before: copies of one clip belong on one
side of a split, which :func:`digitlab.splits.check` makes sure of.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import joblib
import librosa
import numpy as np
import pandas as pd
import soxr
from scipy.signal import get_window
from tqdm import tqdm

from digitlab import audio
from digitlab.corpora import Corpus
from digitlab.environment import cache_folder, kept_on_disk

N_FFT = 2048  # librosa's default: 93 ms at 22,050 Hz
SPEEDS = (0.7, 1, 1.3)
SEMITONES = (-1, 0, 1)
BATCH = 16  # clips that a process takes at once
FEW = 256  # clips that are done before another process has even started
AXES = {-1: "frames", -2: "bands"}
FAINT = 1e-30  # what is no louder than this has no phase worth following


def time_stretch(samples: np.ndarray, speed: float, *, n_fft: int = N_FFT) -> np.ndarray:
    """Make a clip slower or faster, and keep its pitch.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip, of any length.
    speed : float
        What librosa calls the rate: 0.7 makes a clip last 1 / 0.7 = 1.43 times as long.
    n_fft : int
        Length of a frame in samples. The default is librosa's, meant for 22,050 Hz; about a
        tenth of a second is right for speech.

    Returns
    -------
    array of shape (n_samples / speed, rounded,), float32
        The samples themselves at speed 1.

    Raises
    ------
    ValueError
        If the clip is empty, or holds NaN or infinity, or the speed is not positive.

    Notes
    -----
    A phase vocoder [1]_: new frames are laid between those of the STFT; magnitudes are
    interpolated, and phases go on turning as they turned there [2]_. What comes out is that of
    ``librosa.effects.time_stretch``, but for rounding (librosa adds up phases in 32 bits), in less
    time: frames are worked on all at once, and phases multiplied as complex numbers of magnitude 1
    instead of being added as angles. A clip shorter than a frame is filled up with zeros first.

    Taught in chapter 12.

    References
    ----------
    .. [1] J. L. Flanagan and R. M. Golden, "Phase vocoder", Bell System Technical Journal 45(9),
       1966.
    .. [2] D. P. W. Ellis, "A phase vocoder in Matlab", Columbia University, 2002.

    Examples
    --------
    >>> tone = np.sin(np.arange(22050) / 10)
    >>> time_stretch(tone, 0.7).shape, time_stretch(tone, 1.3).shape
    ((31500,), (16962,))
    """
    _refuse_speeds([speed])
    return _at_speeds(_checked(samples), [speed], n_fft)[0]


def pitch_shift(samples: np.ndarray, semitones: float, *, n_fft: int = N_FFT) -> np.ndarray:
    """Make a clip higher or lower, and keep its duration.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip, of any length.
    semitones : float
        Upwards; negative, downwards. Twelve are an octave.
    n_fft : int
        As for :func:`time_stretch`.

    Returns
    -------
    array of shape (n_samples,), float32
        The samples themselves for 0 semitones.

    Raises
    ------
    ValueError
        As for :func:`time_stretch`.

    Notes
    -----
    The clip is stretched by ``2 ** (semitones / 12)``, then resampled (soxr, "high quality") to its
    former duration, as by ``librosa.effects.pitch_shift``. A voice's formants move along with its
    pitch: it sounds like a smaller or a larger person.

    Taught in chapter 12.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> higher = pitch_shift(tone, 12)
    >>> higher.shape, int(np.abs(np.fft.rfft(higher)).argmax())
    ((22050,), 2000)
    """
    _refuse_semitones([semitones])
    return _at_pitches(_checked(samples), [semitones], n_fft)[0]


def gain(samples: np.ndarray, db: float) -> np.ndarray:
    """Make a clip louder or softer.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    db : float
        In dB: 6 doubles every sample, nearly.

    Returns
    -------
    array of shape (n_samples,), float32
        Beyond full scale nothing is clipped, here as everywhere in :mod:`digitlab.audio`.

    Raises
    ------
    ValueError
        If the clip is empty, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 12.

    Examples
    --------
    >>> gain([0.5, -0.25], 20)
    array([ 5. , -2.5], dtype=float32)
    """
    return _checked(samples) * np.float32(10 ** (db / 20))


def add_noise(
    samples: np.ndarray, snr_db: float, noise: np.ndarray | np.random.Generator
) -> np.ndarray:
    """Add noise so that the clip stands so many dB above it.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    snr_db : float
        Signal-to-noise ratio: ten times the logarithm of the clip's mean power over the noise's.
    noise : array of shape (n,), or numpy.random.Generator
        The noise, repeated if it is shorter than the clip and cut if it is longer; or what draws
        white noise.

    Returns
    -------
    array of shape (n_samples,), float32
        Noise lies on the zeros before and after the sound, too.

    Raises
    ------
    ValueError
        If the clip or the noise is silent, so that there is no ratio; also, if either is empty, or
        holds NaN or infinity.

    Notes
    -----
    The clip's power is the mean from its first to its last sample that is not zero, so that padding
    a clip does not change what noise it gets. Taught in chapter 12.

    Examples
    --------
    >>> tone = np.sin(np.arange(8000) / 10)
    >>> noise = add_noise(tone, 20, np.random.default_rng(0)) - tone
    >>> round(float(10 * np.log10(np.mean(tone**2) / np.mean(noise**2))), 2)
    20.0
    """
    samples = _checked(samples)
    if isinstance(noise, np.random.Generator):
        noise = noise.standard_normal(len(samples), dtype=np.float32)
    noise = np.resize(_checked(noise, "the noise"), len(samples))
    signal_power, noise_power = _power(np.trim_zeros(samples)), _power(noise)
    if not (signal_power and noise_power):
        silent = "noise" if signal_power else "clip"
        raise ValueError(
            f"the {silent} is silent, and a ratio to silence is no number: leave it out"
        )
    return samples + noise * np.float32(np.sqrt(signal_power / noise_power) / 10 ** (snr_db / 20))


def time_shift(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Move a clip in time: later, or earlier.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    n_samples : int
        How far: later, or, if negative, earlier.

    Returns
    -------
    array of the same shape, float32
        Zeros move in; what is moved out is lost.

    Raises
    ------
    ValueError
        If the clip is empty, or holds NaN or infinity.

    Notes
    -----
    Taught in chapter 12.

    Examples
    --------
    >>> time_shift([1, 2, 3], 1), time_shift([1, 2, 3], -1)
    (array([0., 1., 2.], dtype=float32), array([2., 3., 0.], dtype=float32))
    """
    samples = _checked(samples)
    moved = np.zeros_like(samples)
    kept = max(len(samples) - abs(n_samples), 0)
    if n_samples < 0:
        moved[:kept] = samples[len(samples) - kept :]
    else:
        moved[len(samples) - kept :] = samples[:kept]
    return moved


def vary(
    clips: Sequence[np.ndarray],
    rng: np.random.Generator | int,
    *,
    speed: tuple[float, float] | None = None,
    semitones: tuple[float, float] | None = None,
    shift: tuple[int, int] | None = None,
    gain_db: tuple[float, float] | None = None,
    snr_db: tuple[float, float] | None = None,
    n_fft: int = N_FFT,
) -> list[np.ndarray]:
    """Change each clip by lot: what training on the fly hears in place of the clips.

    Each setting is a pair, lowest and highest, between which it is drawn uniformly for each clip;
    what is left out is left alone. They are applied in the order in which they stand here.

    Parameters
    ----------
    clips : sequence of arrays of shape (n_samples,), or array of shape (n_clips, n_samples)
        Of any lengths.
    rng : numpy.random.Generator or int
        Draws, or the seed of what draws. A generator goes on with every call: an epoch's clips are
        never those of the epoch before.
    speed : pair of float, optional
        For :func:`time_stretch`.
    semitones : pair of float, optional
        For :func:`pitch_shift`.
    shift : pair of int, optional
        In samples, for :func:`time_shift`.
    gain_db : pair of float, optional
        For :func:`gain`.
    snr_db : pair of float, optional
        White noise, for :func:`add_noise`. A silent clip gets none: it stays silent.
    n_fft : int
        As for :func:`time_stretch`.

    Returns
    -------
    list of arrays of float32
        A clip for each clip, in their order, so that labels stay what they are. A `speed` changes
        their lengths: fit them with :func:`digitlab.audio.fit`.

    Raises
    ------
    ValueError
        If a clip is empty, or holds NaN or infinity (the message tells which), or a pair is in the
        wrong order.

    Notes
    -----
    Each clip draws from a stream of its own, spawned from `rng`: what becomes of it hangs on the
    seed and its place alone, not on the other clips. Taught in chapter 12.

    Examples
    --------
    >>> clips = [np.sin(np.arange(n) / 10) for n in (4000, 5000)]
    >>> rng = np.random.default_rng(0)
    >>> [len(clip) for clip in vary(clips, rng, gain_db=(-6, 6), snr_db=(10, 30))]
    [4000, 5000]
    >>> stretched = vary(clips, rng, speed=(0.8, 1.25))
    >>> np.stack([audio.fit(clip, 4500, align="start") for clip in stretched]).shape
    (2, 4500)
    """
    pairs = dict(speed=speed, semitones=semitones, shift=shift, gain_db=gain_db, snr_db=snr_db)
    for name, pair in pairs.items():
        if pair is not None and not pair[0] <= pair[1]:
            raise ValueError(f"{name}={pair}: give a pair, the lowest value first")
    _refuse_speeds(speed or [])
    _refuse_semitones(semitones or [])
    clips = [_checked(clip, f"clip {row}") for row, clip in enumerate(clips)]
    streams = np.random.default_rng(rng).spawn(len(clips))
    return [_varied(clip, own, n_fft, **pairs) for clip, own in zip(clips, streams, strict=True)]


def _varied(samples, rng, n_fft, *, speed, semitones, shift, gain_db, snr_db) -> np.ndarray:
    if speed:
        samples = time_stretch(samples, rng.uniform(*speed), n_fft=n_fft)
    if semitones:
        samples = pitch_shift(samples, rng.uniform(*semitones), n_fft=n_fft)
    if shift:
        samples = time_shift(samples, int(rng.integers(*shift, endpoint=True)))
    if gain_db:
        samples = gain(samples, rng.uniform(*gain_db))
    if snr_db and samples.any():
        samples = add_noise(samples, rng.uniform(*snr_db), rng)
    return samples


def mask_time(
    spectrograms: np.ndarray, start: int, width: int, *, value: float | None = None
) -> np.ndarray:
    """Hide some frames of a spectrogram, in all bands.

    Parameters
    ----------
    spectrograms : array of shape (n_mels, n_frames) or (n_clips, n_mels, n_frames)
        One, or many that are all masked at the same place.
    start, width : int
        The first frame, and how many.
    value : float, optional
        What is put there; by default each spectrogram's own mean.

    Returns
    -------
    array of the same shape and type
        A new one.

    Raises
    ------
    ValueError
        If the mask does not lie within the spectrogram, or the spectrogram holds NaN or infinity.

    Notes
    -----
    From SpecAugment: D. S. Park et al., "SpecAugment: a simple data augmentation method for
    automatic speech recognition", Interspeech 2019. Its authors put zeros into spectrograms whose
    mean is zero. Taught in chapter 12.

    Examples
    --------
    >>> mask_time(np.array([[1, 2, 3], [4, 5, 6]]), 1, 2, value=0)
    array([[1, 0, 0],
           [4, 0, 0]])
    """
    return _masked(spectrograms, -1, start, width, value)


def mask_frequency(
    spectrograms: np.ndarray, start: int, width: int, *, value: float | None = None
) -> np.ndarray:
    """Hide some bands of a spectrogram, in all frames.

    Parameters
    ----------
    spectrograms : array of shape (n_mels, n_frames) or (n_clips, n_mels, n_frames)
        One, or many that are all masked at the same place.
    start, width : int
        The lowest band, and how many.
    value : float, optional
        What is put there; by default each spectrogram's own mean.

    Returns
    -------
    array of the same shape and type
        A new one.

    Raises
    ------
    ValueError
        As for :func:`mask_time`.

    Notes
    -----
    From SpecAugment, as :func:`mask_time`. Taught in chapter 12.

    Examples
    --------
    >>> mask_frequency(np.array([[1, 2, 3], [4, 5, 6]]), 0, 1, value=0)
    array([[0, 0, 0],
           [4, 5, 6]])
    """
    return _masked(spectrograms, -2, start, width, value)


def spec_augment(
    spectrograms: np.ndarray,
    rng: np.random.Generator | int,
    *,
    max_frames: int,
    max_bands: int,
    n_time_masks: int = 1,
    n_frequency_masks: int = 1,
) -> np.ndarray:
    """Mask each spectrogram at places drawn by lot, in time and in frequency.

    Parameters
    ----------
    spectrograms : array of shape (n_clips, n_mels, n_frames)
        Such as :func:`digitlab.features.log_mel` returns.
    rng : numpy.random.Generator or int
        Draws, or the seed of what draws.
    max_frames, max_bands : int
        The widest mask there can be; each width from 0 up is as likely as the others. 0 for none.
    n_time_masks, n_frequency_masks : int
        How many masks of either kind a spectrogram gets.

    Returns
    -------
    array of the same shape and type
        A new one, in which each spectrogram's own mean stands at the masked places.

    Raises
    ------
    ValueError
        If the array has another shape, holds NaN or infinity, or is smaller than the widest mask.

    Notes
    -----
    SpecAugment without its time warping: D. S. Park et al., Interspeech 2019. As in :func:`vary`,
    each clip draws from a stream of its own. Taught in chapter 12.

    Examples
    --------
    >>> spectrograms = np.random.default_rng(0).normal(size=(5, 64, 35))
    >>> masked = spec_augment(spectrograms, 0, max_frames=7, max_bands=12)
    >>> masked.shape, bool((masked == spectrograms).mean() > 0.5)
    ((5, 64, 35), True)
    """
    spectrograms = _checked_spectrograms(spectrograms)
    if spectrograms.ndim != 3:
        raise ValueError(f"(n_clips, n_mels, n_frames) is needed, not {spectrograms.shape}")
    widest = {-1: max_frames, -2: max_bands}
    for axis, width in widest.items():
        size = spectrograms.shape[axis]
        if not 0 <= width <= size:
            raise ValueError(f"masks of up to {width} of {size} {AXES[axis]}: give 0 to {size}")
    axes = [-1] * n_time_masks + [-2] * n_frequency_masks
    masked = spectrograms.copy()
    streams = np.random.default_rng(rng).spawn(len(masked))
    for row, own in enumerate(streams):
        mean = spectrograms[row].mean()
        for axis in axes:
            width = own.integers(0, widest[axis], endpoint=True)
            start = own.integers(0, masked.shape[axis] - width, endpoint=True)
            masked[row] = _masked(masked[row], axis, start, width, mean)
    return masked


def copies(
    corpus: Corpus,
    *,
    rate: int = 22050,
    n_samples: int = 17640,
    speeds: Sequence[float] = SPEEDS,
    semitones: Sequence[float] = SEMITONES,
    n_jobs: int = -1,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Make copies of every recording at every speed and pitch: nine of each, as published.

    What was made once is kept on disk, clip by clip, under the recording's content, and read from
    there the next time, whichever other clips are asked for with it. Interrupted, run it again: it
    goes on where it was.

    Parameters
    ----------
    corpus : Corpus
        What to copy: the training clips, or all, to be divided by `copy_of` afterwards.
    rate : int
        To which each recording is resampled first, in Hz.
    n_samples : int
        Length of each row. What is longer is cut at its end, what is shorter filled up with zeros.
    speeds : sequence of float
        For :func:`time_stretch`.
    semitones : sequence of float
        For :func:`pitch_shift`.
    n_jobs : int
        How many processes work on it; -1 for as many as there are cores. What lies on disk, and up
        to 256 clips that do not, are left to this one.

    Returns
    -------
    waveforms : array of shape (n_clips * n_speeds * n_semitones, n_samples), float32
        Clip by clip in the corpus's order; of each, speed by speed; of each, pitch by pitch.
    table : pandas.DataFrame
        A row a waveform: the corpus's columns (``label``, ``speaker``, ...), then ``copy_of``, the
        row of ``corpus.table`` it was made from, which is what ``splits.check(origins=)`` wants;
        ``speed`` and ``semitones``; ``length`` in samples before it was fitted, and whether it was
        ``cut``.

    Raises
    ------
    CorpusError
        If recordings cannot be used; it names them. ``corpus.readable()`` leaves them out.
    ValueError
        If a speed is not positive, or there is none.

    Notes
    -----
    Published for L3 and L4: ``librosa.effects.pitch_shift(librosa.effects.time_stretch(...))`` for
    each of nine combinations, which is 18 phase vocoders a clip. Here the same chain, in the same
    order, with 8 and the same results but for rounding: a speed of 1 and a shift of 0 change
    nothing and are left out, each stretched clip is made once for its three pitches, and one STFT
    of it serves all of them.

    1,600 clips of FSDD take 1.0 GB of memory, and 0.6 GB on disk. Where that is too much, go part
    by part: ``copies(corpus.select(range(500)))``.

    Taught in chapter 12.

    Examples
    --------
    >>> from digitlab import corpora, splits
    >>> corpus = corpora.load("voices").select([0, 1, 700, 1400])
    >>> waveforms, table = copies(corpus)
    >>> waveforms.shape
    (36, 17640)
    >>> table[["copy_of", "speed", "semitones"]].head(4).values.tolist()
    [[0.0, 0.7, -1.0], [0.0, 0.7, 0.0], [0.0, 0.7, 1.0], [0.0, 1.0, -1.0]]

    Divide the recordings, and let the copies follow:

    >>> train, test = np.flatnonzero(table["copy_of"] < 2), np.flatnonzero(table["copy_of"] >= 2)
    >>> splits.check(corpus, train, test, allow=["speakers"], origins=table["copy_of"])
    """
    _refuse_speeds(speeds)
    _refuse_semitones(semitones)
    if not (len(speeds) and len(semitones)):
        raise ValueError("no speeds, or no semitones: give at least one of each, such as 1 and 0")
    settings = (corpus.rate, rate, tuple(map(float, speeds)), tuple(map(float, semitones)))
    clips, folder = corpus.recordings(), cache_folder()
    kept = kept_on_disk(_copies_of_one, folder)
    n_missing = sum(not kept.check_call_in_cache(clip, *settings) for clip in clips)
    parallel = joblib.Parallel(n_jobs if n_missing > FEW else 1, return_as="generator")
    batches = (clips[i : i + BATCH] for i in range(0, len(clips), BATCH))
    made = parallel(joblib.delayed(_copies)(batch, settings, folder) for batch in batches)
    progress = tqdm(
        chain.from_iterable(made),
        desc="augmenting",
        total=len(clips),
        unit="clip",
        disable=n_missing <= BATCH,
    )
    waveforms, lengths = _fitted(progress, (len(clips), len(speeds), len(semitones)), n_samples)
    copy_of = np.repeat(np.arange(len(clips)), len(speeds) * len(semitones))
    table = corpus.table.iloc[copy_of].reset_index(drop=True)
    table["copy_of"] = copy_of
    table["speed"] = np.tile(np.repeat(speeds, len(semitones)), len(clips))
    table["semitones"] = np.tile(semitones, len(clips) * len(speeds))
    table["length"], table["cut"] = lengths, lengths > n_samples
    return waveforms, table


def _copies(clips: list[np.ndarray], settings: tuple, folder: Path) -> list[list[np.ndarray]]:
    """Make the copies of some clips, or read them from disk: what one process does at a time."""
    kept = kept_on_disk(_copies_of_one, folder)
    joined = (kept(clip, *settings) for clip in clips)
    return [np.split(samples, ends) for samples, ends in joined]


def _copies_of_one(
    samples: np.ndarray,
    rate: int,
    new_rate: int,
    speeds: tuple[float, ...],
    semitones: tuple[float, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Return all copies of a clip, joined as they are soonest written, and where each ends."""
    stretched = _at_speeds(audio.resample(samples, rate, new_rate), speeds)
    copies = [copy for one in stretched for copy in _at_pitches(one, semitones)]
    return np.concatenate(copies), np.cumsum([len(copy) for copy in copies])[:-1]


def _fitted(made: Iterator, shape: tuple[int, ...], n_samples: int) -> tuple:
    """Gather copies in one array, each fitted to a length, and say how long each was."""
    waveforms = np.zeros((np.prod(shape), n_samples), np.float32)
    lengths = np.zeros(len(waveforms), int)
    for row, samples in enumerate(chain.from_iterable(made)):
        waveforms[row] = audio.fit(samples, n_samples, align="start")
        lengths[row] = len(samples)
    return waveforms, lengths


def _at_speeds(samples: np.ndarray, speeds: Sequence[float], n_fft: int = N_FFT) -> list:
    """Stretch one clip to each of several speeds; it stays itself at speed 1."""
    changes = [speed for speed in speeds if speed != 1]
    stretched = dict(zip(changes, _vocoded(samples, changes, n_fft), strict=True))
    return [stretched.get(speed, samples) for speed in speeds]


def _vocoded(samples: np.ndarray, speeds: Sequence[float], n_fft: int) -> Iterator[np.ndarray]:
    """Yield a clip at several speeds, from one STFT of it."""
    if not speeds:
        return
    frame_filled = audio.fit(samples, max(len(samples), n_fft), align="start")
    window = get_window("hann", n_fft).astype(np.float32)  # made once, not by every call
    frames = librosa.stft(frame_filled, n_fft=n_fft, window=window).T
    n_frames = len(frames)
    frames = np.pad(frames, ((0, 2), (0, 0)))  # silence follows the last, and rounding may reach it
    magnitudes = np.abs(frames)
    directions = np.ones_like(frames)
    np.divide(frames, magnitudes, out=directions, where=magnitudes > FAINT)
    turns = directions[1:] * directions[:-1].conj()
    for speed in speeds:
        times = np.arange(0, n_frames, speed)
        before = times.astype(int)
        share = (times - before).astype(np.float32)[:, np.newaxis]
        magnitude = (1 - share) * magnitudes[before] + share * magnitudes[before + 1]
        direction = np.cumprod(np.concatenate([directions[:1], turns[before[:-1]]]), axis=0)
        length = max(round(len(samples) / speed), 1)
        yield librosa.istft((magnitude * direction).T, n_fft=n_fft, window=window, length=length)


def _at_pitches(samples: np.ndarray, semitones: Sequence[float], n_fft: int = N_FFT) -> list:
    """Shift one clip to each of several pitches: stretch it, then play it faster or slower."""
    ratios = [2 ** (steps / 12) for steps in semitones]
    stretched = _at_speeds(samples, [1 / ratio for ratio in ratios], n_fft)
    return [
        samples
        if ratio == 1
        else audio.fit(soxr.resample(one, ratio, 1, quality="HQ"), len(samples), align="start")
        for one, ratio in zip(stretched, ratios, strict=True)
    ]


def _masked(spectrograms, axis: int, start: int, width: int, value: float | None) -> np.ndarray:
    spectrograms = _checked_spectrograms(spectrograms)
    size = spectrograms.shape[axis]
    if not 0 <= start <= start + width <= size:
        raise ValueError(
            f"a mask of {width} from {start} on does not lie within {size} {AXES[axis]}: "
            "take a smaller one"
        )
    if value is None:
        value = spectrograms.mean(axis=(-2, -1), keepdims=True)
    masked = spectrograms.copy()
    along = masked if axis == -1 else np.swapaxes(masked, -1, -2)
    along[..., start : start + width] = value
    return masked


def _power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def _checked(samples, name: str = "the clip") -> np.ndarray:
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"{name} has the shape {samples.shape}: give samples, as (n_samples,)")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds NaN or infinite samples: mend it, or leave it out")
    return samples


def _checked_spectrograms(spectrograms) -> np.ndarray:
    spectrograms = np.asarray(spectrograms)
    if spectrograms.ndim not in (2, 3):
        raise ValueError(
            f"spectrograms of shape {spectrograms.shape}: "
            "(n_mels, n_frames) or (n_clips, n_mels, n_frames) is needed"
        )
    bad = ~np.isfinite(spectrograms).all(axis=(-2, -1))
    if bad.any():
        which = f"spectrogram {int(np.argmax(bad))}" if bad.ndim else "the spectrogram"
        raise ValueError(f"{which} holds NaN or infinity: mend it, or leave it out")
    return spectrograms


def _refuse_speeds(speeds: Sequence[float]) -> None:
    for speed in speeds:
        if not 0 < speed < np.inf:
            raise ValueError(f"a speed of {speed}: give one above 0, such as 0.7 or 1.3")


def _refuse_semitones(semitones: Sequence[float]) -> None:
    for steps in semitones:
        if not np.isfinite(steps):
            raise ValueError(f"a shift of {steps} semitones: give a number, such as -1 or 0.5")
