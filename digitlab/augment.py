"""Augmentation: more training clips from the same recordings, each changed a little.

A clip can be stretched in time, shifted in pitch, made louder, moved in time or covered with
noise; a spectrogram can be masked. Each change is a function with explicit settings. :func:`vary`
and :func:`spec_augment` draw the settings at random, anew in each call. :func:`copies` makes the
nine copies of each clip that were published for the networks of chapter 12, and keeps them.

Augment training clips only, and split the recordings first: all copies of one clip belong on one
side of a split. :func:`digitlab.splits.check` tests this.

A clip is an array of shape (n_samples,). Every function raises ValueError for a clip that is empty,
has several channels, has integers of unknown full scale, or holds NaN or infinity. All of this is
taught in chapter 12.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any

import joblib
import librosa
import numpy as np
import pandas as pd

from digitlab import audio
from digitlab.corpora import Corpus
from digitlab.environment import kept_on_disk, progress, say_once
from digitlab.preparation import Preparation

SPEEDS = (0.7, 1, 1.3)
SEMITONES = (-1, 0, 1)
FRAME_SECONDS = 2048 / 22050  # librosa's default at its own rate: 93 ms
WITHOUT_A_WORD = 16  # clips that need no progress bar
FEW = 256  # so many clips are finished sooner in this process than in several new ones
AXES = {-1: "frames", -2: "bands"}


def time_stretch(samples: np.ndarray, speed: float, rate: int) -> np.ndarray:
    """Make a clip slower or faster, and keep its pitch.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip, of any length.
    speed : float
        librosa calls it the rate. At 0.7 a clip lasts 1 / 0.7 = 1.43 times as long.
    rate : int
        Samples a second, in Hz. The STFT's frames have the power of two of samples that is nearest
        to 93 ms on a logarithmic scale: 2048 at 22,050 Hz, 1024 at 8,000 Hz.

    Returns
    -------
    array of shape (n_samples / speed, rounded,), float32
        The samples themselves at speed 1.

    Raises
    ------
    ValueError
        If the clip is broken, or the speed or the rate is not positive.

    Notes
    -----
    This is ``librosa.effects.time_stretch``, a phase vocoder (J. L. Flanagan and R. M. Golden,
    "Phase vocoder", Bell System Technical Journal 45(9), 1966). A clip shorter than one frame is
    filled up with zeros first. The published networks of chapter 12 used librosa 0.x. librosa 1.0
    treats the last frame in another way: over 20 recordings of FSDD the nine copies differ by -42
    to -91 dB (medians) of a copy's power, by -21 dB at most, and nearly all of it lies in the last
    0.2 s. What comes before differs by less than -68 dB.

    Examples
    --------
    >>> tone = np.sin(np.arange(22050) / 10)
    >>> time_stretch(tone, 0.7, 22050).shape, time_stretch(tone, 1.3, 22050).shape
    ((31500,), (16962,))
    """
    _refuse_settings([speed], [])
    return _stretched(_checked(samples), speed, _frame_length(rate))


def pitch_shift(samples: np.ndarray, semitones: float, rate: int) -> np.ndarray:
    """Make a clip higher or lower, and keep its duration.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip, of any length.
    semitones : float
        Upwards; negative, downwards. Twelve semitones are an octave.
    rate : int
        In Hz, as for :func:`time_stretch`.

    Returns
    -------
    array of shape (n_samples,), float32
        The samples themselves for 0 semitones.

    Raises
    ------
    ValueError
        If the clip is broken, the semitones are not finite or the rate is not positive.

    Notes
    -----
    This is ``librosa.effects.pitch_shift``: the clip is stretched, then resampled to its former
    duration. The formants move with the pitch, so a voice becomes that of a smaller or a larger
    person. For the releases of librosa, see :func:`time_stretch`.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> higher = pitch_shift(tone, 12, 22050)
    >>> higher.shape, int(np.abs(np.fft.rfft(higher)).argmax())
    ((22050,), 2000)
    """
    _refuse_settings([], [semitones])
    return _shifted(_checked(samples), semitones, rate)


def gain(samples: np.ndarray, db: float) -> np.ndarray:
    """Make a clip louder or softer.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    db : float
        In dB: 6 nearly doubles every sample.

    Returns
    -------
    array of shape (n_samples,), float32
        Values beyond full scale are kept, as everywhere in :mod:`digitlab.audio`.

    Examples
    --------
    >>> gain([0.5, -0.25], 20)
    array([ 5. , -2.5], dtype=float32)
    """
    return _checked(samples) * np.float32(10 ** (db / 20))


def add_noise(
    samples: np.ndarray, snr_db: float, noise: np.ndarray | np.random.Generator
) -> np.ndarray:
    """Add noise at a given signal-to-noise ratio.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    snr_db : float
        Signal-to-noise ratio: ten times the logarithm of the clip's mean power over the noise's.
    noise : array of shape (n,), or numpy.random.Generator
        The noise, repeated if it is shorter than the clip and cut if it is longer. A generator
        draws white noise.

    Returns
    -------
    array of shape (n_samples,), float32
        The zeros before and after the sound get noise, too.

    Raises
    ------
    ValueError
        If the clip or the noise is broken, or silent, so that there is no ratio.

    Notes
    -----
    The clip's power is the mean from its first to its last sample that is not zero, so that zeros
    around a clip do not change the noise it gets.

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
            f"the {silent} is silent, so there is no signal-to-noise ratio: leave it out"
        )
    return samples + noise * np.float32(np.sqrt(signal_power / noise_power) / 10 ** (snr_db / 20))


def time_shift(samples: np.ndarray, n_samples: int) -> np.ndarray:
    """Move a clip in time: later, or earlier.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One clip.
    n_samples : int
        How many samples later; negative, earlier.

    Returns
    -------
    array of the same shape, float32
        Zeros move in; what is moved out is lost.

    Examples
    --------
    >>> time_shift([1.0, 2.0, 3.0], 1), time_shift([1.0, 2.0, 3.0], -1)
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
    clips: Sequence[np.ndarray] | np.ndarray,
    rate: int,
    rng: np.random.Generator | int,
    *,
    speed: tuple[float, float] | None = None,
    semitones: tuple[float, float] | None = None,
    shift: tuple[float, float] | None = None,
    gain_db: tuple[float, float] | None = None,
    snr_db: tuple[float, float] | None = None,
) -> list[np.ndarray]:
    """Change each clip at random, so that no epoch of a training gets the same clips.

    Each setting is a pair, the lowest and the highest value, between which a value is drawn
    uniformly for each clip. Changes are made in the order of the arguments; None is no change.

    Parameters
    ----------
    clips : sequence of arrays of shape (n_samples,), or array of shape (n_clips, n_samples)
        Of any lengths.
    rate : int
        Samples a second, in Hz.
    rng : numpy.random.Generator or int
        The random generator, or a seed for one. A generator goes on with every call, so that each
        epoch gets other clips.
    speed, semitones, gain_db : pair of float, optional
        For :func:`time_stretch`, :func:`pitch_shift` and :func:`gain`.
    shift : pair of float, optional
        In seconds: later; negative, earlier. Rounded to whole samples for :func:`time_shift`.
    snr_db : pair of float, optional
        White noise, for :func:`add_noise`. A silent clip stays silent.

    Returns
    -------
    list of arrays of float32
        One for each clip, in the same order, so that the labels stay valid. `speed` changes the
        lengths: use :func:`digitlab.audio.fit` afterwards.

    Raises
    ------
    ValueError
        If a clip is broken (the message says which), a pair is in the wrong order, the rate is not
        positive, or a shift is longer than the longest clip.

    Notes
    -----
    Each clip has a random stream of its own, spawned from `rng`. What happens to it depends on the
    seed and its place in the list, not on the other clips.

    Examples
    --------
    >>> clips = [np.sin(np.arange(n) / 10) for n in (4000, 5000)]
    >>> rng = np.random.default_rng(0)
    >>> changed = vary(clips, 8000, rng, shift=(-0.1, 0.1), gain_db=(-6, 6), snr_db=(10, 30))
    >>> [len(clip) for clip in changed]
    [4000, 5000]
    >>> stretched = vary(clips, 8000, rng, speed=(0.8, 1.25))
    >>> np.stack([audio.fit(clip, 4500, align="start") for clip in stretched]).shape
    (2, 4500)
    """
    pairs = dict(speed=speed, semitones=semitones, shift=shift, gain_db=gain_db, snr_db=snr_db)
    for name, pair in pairs.items():
        if pair is not None and not pair[0] <= pair[1]:
            raise ValueError(f"{name}={pair}: give a pair, the lowest value first")
    _frame_length(rate)
    _refuse_settings(speed or [], semitones or [])
    clips = [_checked(clip, f"clip {row}") for row, clip in enumerate(clips)]
    longest = max(map(len, clips), default=math.inf) / rate
    if shift and max(map(abs, shift)) > longest:
        raise ValueError(f"shift={shift} seconds moves clips of {longest:.3g} s out: give less")
    streams = np.random.default_rng(rng).spawn(len(clips))
    return [_varied(clip, rate, own, **pairs) for clip, own in zip(clips, streams, strict=True)]


def _varied(samples, rate, rng, *, speed, semitones, shift, gain_db, snr_db) -> np.ndarray:
    if speed:
        samples = time_stretch(samples, rng.uniform(*speed), rate)
    if semitones:
        samples = pitch_shift(samples, rng.uniform(*semitones), rate)
    if shift:
        lowest, highest = (round(seconds * rate) for seconds in shift)
        samples = time_shift(samples, int(rng.integers(lowest, highest, endpoint=True)))
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
        One, or several; all are masked at the same place.
    start, width : int
        The first frame, and how many.
    value : float, optional
        The value of the masked part; by default each spectrogram's own mean.

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
    From D. S. Park et al., "SpecAugment: a simple data augmentation method for automatic speech
    recognition", Interspeech 2019, whose spectrograms have mean 0 and are masked with zeros.

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
    spectrograms, value
        As for :func:`mask_time`.
    start, width : int
        The lowest band, and how many.

    Returns
    -------
    array of the same shape and type
        A new one; see also :func:`mask_time` for errors and source.

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
    """Mask each spectrogram at random places, in time and in frequency.

    Parameters
    ----------
    spectrograms : array of shape (n_clips, n_mels, n_frames)
        Such as :func:`digitlab.features.log_mel` returns.
    rng : numpy.random.Generator or int
        The random generator, or a seed for one.
    max_frames, max_bands : int
        The widest mask. Every width from 0 to it is equally likely.
    n_time_masks, n_frequency_masks : int
        How many masks of each kind a spectrogram gets.

    Returns
    -------
    array of the same shape and type
        A new one, with each spectrogram's own mean at the masked places.

    Raises
    ------
    ValueError
        If the array has another shape, holds NaN or infinity, or is smaller than the widest mask.

    Notes
    -----
    SpecAugment without its time warping: D. S. Park et al., Interspeech 2019. As in :func:`vary`,
    each clip has a random stream of its own.

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
    for axis, most in widest.items():
        size = spectrograms.shape[axis]
        if not 0 <= most <= size:
            raise ValueError(f"masks of up to {most} of {size} {AXES[axis]}: give 0 to {size}")
    masked = spectrograms.copy()
    streams = np.random.default_rng(rng).spawn(len(masked))
    for row, own in enumerate(streams):
        mean = spectrograms[row].mean()
        for axis in [-1] * n_time_masks + [-2] * n_frequency_masks:
            width = int(own.integers(0, widest[axis], endpoint=True))
            start = int(own.integers(0, masked.shape[axis] - width, endpoint=True))
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
    """Make copies of every recording of a corpus at every speed and pitch: nine, as published.

    Parameters
    ----------
    corpus : Corpus
        The training clips, or all clips, to be divided by ``copy_of`` afterwards. Recordings longer
        than `n_samples` are cut to their word first, and a printed line says so.
    rate : int
        Each recording is resampled to it first, in Hz.
    n_samples, speeds, semitones, n_jobs
        As for :func:`copies_of`.

    Returns
    -------
    waveforms : array of shape (n_clips * n_speeds * n_semitones, n_samples), float32
        As from :func:`copies_of`. 1,600 clips of FSDD take 1.0 GB of memory and 0.6 GB on disk.
    table : pandas.DataFrame
        A row for each waveform: the corpus's columns (``label``, ``speaker``, ...), then those of
        :func:`copies_of`. ``copy_of`` is what ``splits.check(origins=)`` wants.

    Raises
    ------
    CorpusError
        If recordings cannot be used; it names them. ``corpus.readable()`` leaves them out.
    ValueError
        As for :func:`copies_of`.

    Examples
    --------
    >>> from digitlab import corpora, splits
    >>> corpus = corpora.load("voices").select([0, 1, 700, 1400])
    >>> waveforms, table = copies(corpus)
    >>> waveforms.shape
    (36, 17640)
    >>> table[["copy_of", "speed", "semitones"]].head(4).values.tolist()
    [[0.0, 0.7, -1.0], [0.0, 0.7, 0.0], [0.0, 0.7, 1.0], [0.0, 1.0, -1.0]]

    Divide the recordings; the copies follow them:

    >>> train, test = np.flatnonzero(table["copy_of"] < 2), np.flatnonzero(table["copy_of"] >= 2)
    >>> splits.check(corpus, train, test, allow=["speakers"], origins=table["copy_of"])
    """
    recordings, notes = corpus.cut(Preparation(rate, n_samples, "start", normalize=False))
    for note in notes:
        say_once(note)
    waveforms, made = copies_of(
        recordings, rate, n_samples=n_samples, speeds=speeds, semitones=semitones, n_jobs=n_jobs
    )
    table = corpus.table.iloc[made["copy_of"]].reset_index(drop=True)
    return waveforms, pd.concat([table, made], axis=1)


def copies_of(
    recordings: Sequence[np.ndarray],
    rate: int,
    *,
    n_samples: int,
    speeds: Sequence[float] = SPEEDS,
    semitones: Sequence[float] = SEMITONES,
    n_jobs: int = -1,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Make copies of recordings at every speed and pitch.

    The copies of each recording are kept on disk under its content, and read from there the next
    time. After an interruption, run it again: it goes on where it was.

    Parameters
    ----------
    recordings : sequence of arrays of shape (n,)
        Of any lengths.
    rate : int
        Samples a second, in Hz.
    n_samples : int
        Length of each row. Longer copies are cut at their end (the table says which), shorter ones
        filled up with zeros.
    speeds, semitones : sequence of float
        For :func:`time_stretch`, then :func:`pitch_shift`.
    n_jobs : int
        How many processes work on it; -1 for one per core. Up to 256 recordings that are not on
        disk yet are done in this process.

    Returns
    -------
    waveforms : array of shape (n_recordings * n_speeds * n_semitones, n_samples), float32
        By recording; for each recording by speed, for each speed by pitch, in the orders given.
    table : pandas.DataFrame
        A row for each waveform: ``copy_of``, the number of its recording; ``speed``;
        ``semitones``; ``length`` in samples before it was fitted; whether it was ``cut``.

    Raises
    ------
    ValueError
        If a recording is broken, a speed is not positive, or there is none.

    Notes
    -----
    Published for L3 and L4: ``librosa.effects.pitch_shift(librosa.effects.time_stretch(...))`` for
    each of nine combinations. Here the same, in the same order, with 8 phase vocoders instead of
    18: a speed of 1 and a shift of 0 change nothing, and three pitches share a stretched clip.

    Examples
    --------
    >>> waveforms, table = copies_of([np.sin(np.arange(4000) / 5)], 8000, n_samples=8000)
    >>> waveforms.shape, table["length"].tolist()[::3]
    ((9, 8000), [5714, 4000, 3077])
    """
    _refuse_settings(speeds, semitones)
    if not (len(speeds) and len(semitones)):
        raise ValueError("no speeds, or no semitones: give at least one of each, such as 1 and 0")
    recordings = [_checked(clip, f"recording {row}") for row, clip in enumerate(recordings)]
    settings = (rate, tuple(map(float, speeds)), tuple(map(float, semitones)), version("librosa"))
    kept: Any = kept_on_disk(_copies_of_one)
    n_copies = len(speeds) * len(semitones)
    n_missing = sum(not kept.check_call_in_cache(clip, *settings) for clip in recordings)
    parallel = joblib.Parallel(n_jobs if n_missing > FEW else 1, return_as="generator")
    made = parallel(joblib.delayed(kept)(clip, *settings) for clip in recordings)
    bar = progress(
        made, "augmenting", len(recordings), unit="clip", disable=n_missing <= WITHOUT_A_WORD
    )
    waveforms, lengths = _fitted(bar, len(recordings) * n_copies, n_samples)
    table = {
        "copy_of": np.repeat(np.arange(len(recordings)), n_copies),
        "speed": np.tile(np.repeat(speeds, len(semitones)), len(recordings)),
        "semitones": np.tile(semitones, len(recordings) * len(speeds)),
        "length": lengths,
        "cut": lengths > n_samples,
    }
    return waveforms, pd.DataFrame(table)


def _copies_of_one(
    samples: np.ndarray,
    rate: int,
    speeds: tuple[float, ...],
    semitones: tuple[float, ...],
    release: str,
) -> list[np.ndarray]:
    """Return all copies of a clip; they are kept for one release of librosa."""
    stretched = [_stretched(samples, speed, _frame_length(rate)) for speed in speeds]
    return [_shifted(one, steps, rate) for one in stretched for steps in semitones]


def _fitted(made: Iterable, n_rows: int, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Gather copies in one array, each fitted to a length, and say how long each was."""
    waveforms = np.zeros((n_rows, n_samples), np.float32)
    lengths = np.zeros(n_rows, int)
    for row, samples in enumerate(chain.from_iterable(made)):
        waveforms[row] = audio.fit(samples, n_samples, align="start")
        lengths[row] = len(samples)
    return waveforms, lengths


def _frame_length(rate: int) -> int:
    """Return the power of two of samples that is nearest to 93 ms on a logarithmic scale."""
    if not 0 < rate < math.inf:
        raise ValueError(f"a rate of {rate} Hz: give the samples a second, such as 8000")
    return 2 ** max(round(math.log2(FRAME_SECONDS * rate)), 4)


def _stretched(samples: np.ndarray, speed: float, n_fft: int) -> np.ndarray:
    if speed == 1:
        return samples
    try:
        made = _by_librosa(librosa.effects.time_stretch, samples, n_fft, rate=speed)
    except librosa.ParameterError:  # librosa 1.0, where rounding puts a frame past the end
        nearly = speed * (1 + 1e-12)
        made = _by_librosa(librosa.effects.time_stretch, samples, n_fft, rate=nearly)
    return audio.fit(made, max(round(len(samples) / speed), 1), align="start")


def _shifted(samples: np.ndarray, semitones: float, rate: int) -> np.ndarray:
    if semitones == 0:
        return samples
    shift, n_fft = librosa.effects.pitch_shift, _frame_length(rate)
    made = _by_librosa(shift, samples, n_fft, sr=rate, n_steps=semitones)
    return audio.fit(made, len(samples), align="start")


def _by_librosa(effect: Callable, samples: np.ndarray, n_fft: int, **settings) -> np.ndarray:
    """Call an effect of librosa; clips shorter than a frame are filled up with zeros."""
    filled = audio.fit(samples, max(len(samples), n_fft), align="start")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa 1.0 warns about its own calls
        return effect(filled, n_fft=n_fft, **settings)


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


def _checked(samples: np.ndarray, name: str = "the clip") -> np.ndarray:
    try:
        samples = audio.as_sound(samples)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    if samples.ndim != 1:
        raise ValueError(f"{name} has {samples.shape[1]} channels: give one, as (n_samples,)")
    if not np.isfinite(samples).all():
        raise ValueError(f"{name} holds NaN or infinite samples: correct it, or leave it out")
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
        raise ValueError(f"{which} holds NaN or infinity: correct it, or leave it out")
    return spectrograms


def _refuse_settings(speeds: Iterable[float], semitones: Iterable[float]) -> None:
    for speed in speeds:
        if not 0 < speed < math.inf:
            raise ValueError(f"a speed of {speed}: give one above 0, such as 0.7 or 1.3")
    for steps in semitones:
        if not math.isfinite(steps):
            raise ValueError(f"a shift of {steps} semitones: give a number, such as -1 or 0.5")
