"""The built-in talking corpus: a formant synthesiser that says zero to nine in many voices.

A *source* (the buzz of the vocal folds, the hiss of breath) goes through a *filter* (the resonances
of the mouth, its formants). Words are strings of phonemes, phonemes are rows of a table of targets,
and because a tongue cannot jump, the voice glides from target to target. Chapter 5, "A machine that
talks" (``book/05_voices.ipynb``), builds it piece by piece.

Source, cascade and fricative branch are laid out after Klatt (1980), "Software for a
cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 971-995.
"""

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from numbers import Integral
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy.ndimage import convolve1d
from scipy.signal import butter, lfilter, oaconvolve, sosfilt
from tqdm import tqdm

from digitlab.audio import peak_normalize, resample, write_wav

__all__ = [
    "ACCENTS",
    "DIGITS",
    "NAMES",
    "PHONEMES",
    "WORDS",
    "Phoneme",
    "Speaker",
    "controls",
    "filter_frames",
    "glottal_source",
    "phonemes_of",
    "record",
    "render",
    "resonator",
    "say",
    "speaker",
    "vocal_tract",
    "vowel",
    "write_corpus",
]

RENDER_RATE = 48_000  # Hz; everything is synthesised at this rate
FRAME = 240  # samples: the mouth gets new orders every 5 ms, as in Klatt (1980)
SHORTEST, LONGEST = 12_480, 42_720  # samples: every recording lasts from 0.26 to 0.89 s
FRAMES_PER_SECOND = RENDER_RATE / FRAME

# ------------------------------------------------------------------------------------ what to say


@dataclass(frozen=True)
class Phoneme:
    """What a voice aims at during one sound.

    Levels are in dB on Klatt's scale: 60 is a full voice, 0 is off.

    Attributes
    ----------
    f1, f2, f3 : float
        Formants of a man, in Hz. NaN stands for those of the sound that follows.
    seconds : float
        How long it lasts.
    voicing : float
        Level of the buzz of the vocal folds.
    aspiration : float
        Level of the breath that goes through the whole mouth.
    frication : float
        Level of the hiss made where the mouth is nearly shut.
    hiss, hiss_width : float
        Where in the spectrum that hiss is strongest and how wide it is, in Hz.
    nasality : float
        How far the way to the nose is open, 0 to 1.
    damping : float
        How much wider than a vowel's its resonances are.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".
    """

    f1: float
    f2: float
    f3: float
    seconds: float
    voicing: float = 60
    aspiration: float = 0
    frication: float = 0
    hiss: float = 5500
    hiss_width: float = 3000
    nasality: float = 0
    damping: float = 1


def _voiceless(*formants_and_seconds, **others):
    return Phoneme(*formants_and_seconds, voicing=0, damping=2, **others)


# Formants of a man. Vowels: "iy", "aa" and "uw" (mean of its way) from Klatt (1980), table II; "ao"
# and "uh" from Peterson & Barney (1952), "Control methods used in a study of the vowels", JASA 24;
# "ih", "e", "eh", "ah", "o" from Hillenbrand et al. (1995), "Acoustic characteristics of American
# English vowels", JASA 97. Consonants start from Klatt's table III. Levels, durations and the ways
# between vowels ("j", "ux") are set against spectra of real digits. A plosive is a closure ("tcl")
# and a burst ("t"); "rr" is an r made in the throat; else the names are ARPABET's.
PHONEMES = {
    "iy": Phoneme(300, 2070, 2980, 0.170),
    "ih": Phoneme(427, 2034, 2684, 0.080),
    "e": Phoneme(476, 2089, 2691, 0.140),
    "eh": Phoneme(580, 1799, 2605, 0.120),
    "aa": Phoneme(700, 1220, 2600, 0.110),
    "ah": Phoneme(623, 1200, 2550, 0.150),
    "ao": Phoneme(570, 840, 2410, 0.200),
    "o": Phoneme(497, 910, 2459, 0.165),
    "uh": Phoneme(440, 1020, 2240, 0.100),
    "uw": Phoneme(320, 1050, 2200, 0.140),
    "ux": Phoneme(330, 1750, 2300, 0.080),
    "ax": Phoneme(500, 1400, 2450, 0.070, voicing=58),
    "j": Phoneme(390, 2150, 2750, 0.120),
    "r": Phoneme(370, 1280, 1750, 0.055, voicing=58),
    "rr": Phoneme(420, 1300, 2300, 0.060, voicing=58, frication=20, hiss=3000),
    "w": Phoneme(360, 720, 2200, 0.055, voicing=58),
    "n": Phoneme(480, 1600, 2550, 0.100, voicing=56, nasality=1, damping=1.5),
    "v": Phoneme(320, 1150, 2150, 0.065, 54, aspiration=30, frication=36, hiss_width=8000),
    "z": Phoneme(260, 1390, 2530, 0.080, 50, aspiration=20, frication=48),
    "f": _voiceless(340, 1100, 2080, 0.090, aspiration=30, frication=38, hiss_width=8000),
    "th": _voiceless(320, 1290, 2540, 0.070, aspiration=30, frication=38, hiss_width=7000),
    "s": _voiceless(320, 1390, 2530, 0.110, aspiration=30, frication=52),
    "hh": _voiceless(np.nan, np.nan, np.nan, 0.045, aspiration=52),
    "tcl": _voiceless(320, 1700, 2600, 0.060),
    "t": _voiceless(350, 1750, 2600, 0.020, aspiration=25, frication=54, hiss=4500),
    "kcl": _voiceless(300, 1990, 2850, 0.055),
    "k": _voiceless(300, 1990, 2850, 0.020, aspiration=25, frication=50, hiss=2300),
}

WORDS = {
    "zero": "z ih r o uh",
    "one": "w ah n",
    "two": "tcl t hh ux uw",
    "three": "th r iy",
    "four": "f o r",
    "five": "f aa j v",
    "six": "s ih kcl k s",
    "seven": "s eh v ax n",
    "eight": "e j tcl t",
    "nine": "n aa j n",
}
DIGITS = tuple(WORDS)

ACCENTS = {  # the words that each says in its own way
    "american": {},
    "british": {"zero": "z ih r ax uh", "four": "f ao"},
    "german": {"zero": "z iy rr o uh", "three": "th rr iy", "four": "f ao", "five": "f aa j f"},
    "french": {"zero": "z e rr o", "two": "tcl t uw", "three": "s rr iy", "eight": "e tcl t"},
}


def phonemes_of(word: str, accent: str = "american") -> tuple[str, ...]:
    """Spell a word in phonemes.

    Parameters
    ----------
    word : str
        One of `WORDS`.
    accent : str
        One of `ACCENTS`.

    Returns
    -------
    tuple of str
        Names of rows of `PHONEMES`.

    Raises
    ------
    ValueError
        If the word or the accent is not known; the message lists those that are.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> phonemes_of("six")
    ('s', 'ih', 'kcl', 'k', 's')
    >>> phonemes_of("four"), phonemes_of("four", "british")
    (('f', 'o', 'r'), ('f', 'ao'))
    """
    _check_known("word", [word], WORDS)
    _check_known("accent", [accent], ACCENTS)
    return tuple((WORDS | ACCENTS[accent])[word].split())


def _check_known(kind, names, known):
    for name in names:
        if name not in known:
            raise ValueError(f"no {kind} is called {name!r}; there are {', '.join(known)}")


def _check_whole(name, value, low, high=None):
    if not isinstance(value, Integral) or value < low or (high is not None and value > high):
        limits = f"from {low} up" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {limits}, not {value!r}")


# ------------------------------------------------------------------------------------- who speaks

NAMES = (
    *("anton", "bea", "carlo", "dora", "emil", "fay"),
    *("gustav", "hanna", "ivo", "june", "karel", "lou"),
)
KINDS = ("man", "woman", "man", "woman", "man", "child")  # over and over again
PITCH = {"man": 118, "woman": 205, "child": 270}  # Hz
HABITS = [0.07, 0.06, 0.04]  # how much F1, F2 and F3 differ from speaker to speaker
TRACT = {"man": 1.0, "woman": 1.16, "child": 1.30}  # formants, relative to a man's


@dataclass(frozen=True)
class Speaker:
    """What stays the same from one take of a speaker to the next.

    Attributes
    ----------
    name : str
        As in the names of the files.
    kind : str
        ``"man"``, ``"woman"`` or ``"child"``.
    accent : str
        One of `ACCENTS`.
    pitch : float
        In Hz.
    tract : float
        All formants times this: 1 for a man's vocal tract, more for a shorter one.
    habits : dict of str to tuple of float
        A personal accent: by phoneme, what F1, F2 and F3 are multiplied by.
    upper_formants : tuple of float
        F4 to F8, in Hz.
    damping : float
        How much wider than usual the resonances are.
    tempo : float
        Durations times this.
    breath : float
        Level of the breath in the voice, in dB; 60 is a full voice.
    tilt : float
        Where the buzz begins to lose its brightness, in Hz: low for a soft voice.
    jitter, shimmer : float
        How uneven its cycles are, in length and in strength, as fractions.
    sharpness : float
        How strong its hisses are, in dB.
    level : float
        Peak of the recording; full scale is 1.
    low_cut, high_cut : float
        What the microphone can hear, in Hz.
    presence : float
        How much the microphone lifts what lies above 2 kHz, in dB.
    room : float
        Echo, relative to the direct sound.
    noise : float
        Noise of the recording, in dB relative to the peak.
    rumble : float
        How much of that noise is low, 0 to 1.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".
    """

    name: str
    kind: str
    accent: str
    pitch: float
    tract: float
    habits: dict[str, tuple[float, float, float]] = field(repr=False)
    upper_formants: tuple[float, ...]
    damping: float
    tempo: float
    breath: float
    tilt: float
    jitter: float
    shimmer: float
    sharpness: float
    level: float
    low_cut: float
    high_cut: float
    presence: float
    room: float
    noise: float
    rumble: float


def speaker(index: int, *, seed: int = 0) -> Speaker:
    """Invent a speaker.

    Parameters
    ----------
    index : int
        Which one, from 0 up.
    seed : int
        Of another family of speakers, who share only the names.

    Returns
    -------
    Speaker
        The same one for the same numbers.

    Raises
    ------
    ValueError
        If the index is no whole number from 0 up.

    Notes
    -----
    Taught in chapter 5, "A machine that talks". A woman's formants lie about 16 % above a man's
    and a child's about 30 % (Peterson & Barney, 1952; Hillenbrand et al., 1995).

    Examples
    --------
    >>> [speaker(index).name for index in (0, 1, 13)]
    ['anton', 'bea', 'bea2']
    >>> speaker(1).kind, speaker(1).accent in ACCENTS
    ('woman', True)
    """
    _check_whole("speaker", index, 0)
    chances = iter(_spread_evenly(index, seed))

    def between(low, high):
        return low + (high - low) * next(chances)

    def octaves(low, high):
        return low * (high / low) ** next(chances)

    kind = KINDS[index % len(KINDS)]
    again = index // len(NAMES)
    tract = TRACT[kind] * octaves(0.93, 1.07)
    rng = np.random.default_rng([seed, index])
    return Speaker(
        name=NAMES[index % len(NAMES)] + (str(again + 1) if again else ""),
        kind=kind,
        accent=list(ACCENTS)[int(between(0, len(ACCENTS)))],
        pitch=PITCH[kind] * octaves(0.8, 1.25),
        tract=tract,
        upper_formants=tuple(tract * f * rng.lognormal(0, 0.03) for f in range(3500, 8000, 1000)),
        damping=between(1.0, 1.8),
        tempo=octaves(0.82, 1.35),
        breath=between(10, 30),
        tilt=octaves(500, 3000),
        jitter=between(0.004, 0.012),
        shimmer=between(0.02, 0.08),
        sharpness=between(-8, 4),
        level=octaves(0.12, 0.8),
        low_cut=octaves(40, 300),
        high_cut=octaves(2600, 12000),
        presence=between(-4, 7),
        room=between(0, 0.6),
        noise=between(-60, -34),
        rumble=between(0, 0.98),
        habits={name: tuple(rng.lognormal(0, HABITS).tolist()) for name in PHONEMES},
    )


def _spread_evenly(index, seed):
    """Give numbers from 0 to 1 that fill the range better, from index to index, than chance."""
    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
    start = np.random.default_rng(seed).random(len(primes))
    return ((start + index * np.sqrt(primes)) % 1).tolist()


def _gain(level):
    return 10 ** (level / 20)


# ------------------------------------------------------------------------------ the source: a buzz


def glottal_source(
    pitch: np.ndarray, rng: np.random.Generator, *, jitter: float = 0, shimmer: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Buzz as the vocal folds do.

    Parameters
    ----------
    pitch : ndarray, shape (n_samples,)
        In Hz, at 48 kHz.
    rng : numpy.random.Generator
        Draws the unevenness of the cycles.
    jitter, shimmer : float
        How uneven the cycles are, in length and in strength, as fractions.

    Returns
    -------
    buzz : ndarray, shape (n_samples,)
        Rate of change of the air flow. Its peaks are the moments when the folds clap shut, -1.
    is_open : ndarray of bool, shape (n_samples,)
        Whether air flows.

    Notes
    -----
    Taught in chapter 5, "A machine that talks". In the open 60 % of a cycle the flow is
    ``x**2 - x**3``, after Rosenberg (1971), "Effect of glottal pulse shape on the quality of
    natural vowels", J. Acoust. Soc. Am. 49; what the lips radiate is its derivative.

    Examples
    --------
    >>> buzz, is_open = glottal_source(np.full(48000, 100.0), np.random.default_rng(0))
    >>> int((np.diff(buzz) > 0.9).sum()), float(is_open.mean().round(2))
    (100, 0.6)
    """
    cycles = np.cumsum(pitch) / RENDER_RATE
    starts = np.arange(int(cycles[-1]) + 3)
    uneven_starts = starts + 1 + jitter * rng.standard_normal(len(starts))
    cycles = np.interp(cycles, starts, uneven_starts)
    strength = 1 + shimmer * rng.standard_normal(len(starts) + 2)
    x = (cycles % 1) / 0.6
    is_open = x < 1
    return is_open * (2 * x - 3 * x**2) * strength[cycles.astype(int)], is_open


# ------------------------------------------------------------------------ the filter: a mouth


def resonator(frequency: np.ndarray | float, bandwidth: np.ndarray | float) -> np.ndarray:
    """Make one formant: a filter with gain 1 at 0 Hz and a peak at its frequency.

    Parameters
    ----------
    frequency, bandwidth : array_like
        Of the peak, in Hz; of one shape or one broadcastable to it.

    Returns
    -------
    ndarray, shape (..., 6)
        Second-order sections for `scipy.signal.sosfilt` at 48 kHz.

    Notes
    -----
    Taught in chapter 5, "A machine that talks"; Klatt (1980), equations 1 and 2.

    Examples
    --------
    >>> section = resonator(500, 60)
    >>> from scipy.signal import sosfreqz
    >>> _, response = sosfreqz(section[None], [0, 500], fs=48000)
    >>> np.abs(response).round(1)
    array([1. , 8.4])
    """
    frequency, bandwidth = np.broadcast_arrays(frequency, bandwidth)
    radius = np.exp(-np.pi * bandwidth / RENDER_RATE)
    a1 = -2 * radius * np.cos(2 * np.pi * frequency / RENDER_RATE)
    a2 = radius**2
    zero = np.zeros_like(a1)
    return np.stack([1 + a1 + a2, zero, zero, zero + 1, a1, a2], axis=-1)


def _antiresonance(frequency, bandwidth):
    """Swallow what a resonator brings out: the first half of a section."""
    section = resonator(frequency, bandwidth)
    return section[..., 3:] / section[..., :1]


def _nose(nasality):
    """Resonate as the nose does, behind an antiresonance that hides it while the nose is shut."""
    section = resonator(np.full(len(nasality), 270.0), 100.0)
    section[:, :3] = section[:, :1] * _antiresonance(270 + 200 * nasality, 100.0)
    return section


def _formants_beyond(n_frames):
    """Rise towards the top, as if there were formants above the eighth."""
    return np.tile([*_antiresonance(0.0, 5000.0), 1, 0, 0], (n_frames, 1))


def _band_pass(frequency, bandwidth):
    """Make a resonator that lets nothing through at 0 Hz and has gain 1 at its peak."""
    section = resonator(frequency, bandwidth)
    section[..., 0] = (1 - section[..., 5]) / 2
    section[..., 2] = -section[..., 0]
    return section


def filter_frames(samples: np.ndarray, sections: np.ndarray) -> np.ndarray:
    """Filter a sound with a cascade of resonators that changes every 5 ms.

    Parameters
    ----------
    samples : ndarray, shape (n_frames * 240,)
        At 48 kHz.
    sections : ndarray, shape (n_frames, n_sections, 6)
        Second-order sections for each frame.

    Returns
    -------
    ndarray, shape (n_frames * 240,)
        The resonators ring on from frame to frame.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> click = np.zeros(480)
    >>> click[0] = 1
    >>> ringing = filter_frames(click, resonator(np.full((2, 1), 500), 60))
    >>> bool(np.abs(ringing[240:]).max() > 0.3 * np.abs(ringing[:240]).max())
    True
    """
    filtered = np.zeros_like(samples)
    state = np.zeros((sections.shape[1], 2))
    for i, section in enumerate(sections):
        frame = slice(i * FRAME, (i + 1) * FRAME)
        if samples[frame].any() or np.abs(state).max() > 1e-7:  # silence in, silence out
            filtered[frame], state = sosfilt(section, samples[frame], zi=state)
    return filtered


def vocal_tract(tracks: dict[str, np.ndarray], speaker: Speaker) -> np.ndarray:
    """Shape a mouth over time.

    Parameters
    ----------
    tracks : dict of str to ndarray of shape (n_frames,)
        From `controls`.
    speaker : Speaker
        Whose mouth.

    Returns
    -------
    ndarray, shape (n_frames, 10, 6)
        Second-order sections: nose, eight formants, and what lies above them.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> tracks = controls(["iy"], speaker(0), np.random.default_rng(0))
    >>> vocal_tract(tracks, speaker(0)).shape == (len(tracks["f1"]), 10, 6)
    True
    """
    damping = tracks["damping"] * speaker.damping
    formants = [tracks["f1"], tracks["f2"], tracks["f3"], *speaker.upper_formants]
    widths = [60, 90, 130, 200, 250, 350, 450, 550]  # Hz
    cascade = [resonator(f, w * damping) for f, w in zip(formants, widths, strict=True)]
    return np.stack([_nose(tracks["nasality"]), *cascade, _formants_beyond(len(damping))], axis=1)


# ------------------------------------------------------------------------- from phonemes to sound

TRACKS = [f.name for f in fields(Phoneme) if f.name != "seconds"]
BEFORE, AFTER = 6, 12  # frames of silence around a word
INERTIA = {"f1": 0.05, "f2": 0.05, "f3": 0.05, "voicing": 0.035}  # seconds; the others are quicker


def controls(
    phonemes: Sequence[str], speaker: Speaker, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Turn phonemes into orders to the mouth, one every 5 ms.

    Parameters
    ----------
    phonemes : sequence of str
        Names of rows of `PHONEMES`.
    speaker : Speaker
        Who speaks.
    rng : numpy.random.Generator
        Draws what differs from take to take: durations, and how well each target is met.

    Returns
    -------
    dict of str to ndarray of shape (n_frames,)
        A track for each field of `Phoneme` but its duration, levels as factors. Formants rest on
        the middle of a phoneme and glide between; everything is smoothed.

    Raises
    ------
    ValueError
        If there is no phoneme, or one is not known; the message lists those that are.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> tracks = controls(phonemes_of("nine"), speaker(0), np.random.default_rng(0))
    >>> bool(tracks["nasality"].max() > 0.9), bool(tracks["frication"].any())
    (True, False)
    """
    _check_known("phoneme", phonemes or ("",), PHONEMES)
    targets = np.array([[getattr(PHONEMES[name], t) for t in TRACKS] for name in phonemes], float)
    targets[:, :3] *= speaker.tract * np.array([speaker.habits[name] for name in phonemes])
    targets[:, :3] *= rng.lognormal(0, 0.03, (len(targets), 3))
    targets[:, :3] = _borrow_from_next(targets[:, :3])
    levels = targets[:, 3:6]
    targets[:, 3:6] = np.where(levels > 0, _gain(levels - 60), 0)
    seconds = np.array([PHONEMES[name].seconds for name in phonemes])
    seconds *= speaker.tempo * rng.lognormal(0, 0.07) * rng.lognormal(0, 0.15, len(seconds))
    lengths = np.maximum(1, np.rint(seconds * FRAMES_PER_SECOND)).astype(int)
    orders = np.repeat(targets, lengths, axis=0)
    for i in range(3):
        orders[:, i] = _glide(targets[:, i], lengths)
    orders = np.pad(orders, ((BEFORE, AFTER), (0, 0)), mode="edge")
    orders[:BEFORE, 3:6] = orders[-AFTER:, 3:6] = 0
    return {name: _smooth(order, name) for name, order in zip(TRACKS, orders.T, strict=True)}


def _borrow_from_next(formants):
    return np.where(np.isnan(formants), np.roll(formants, -1, axis=0), formants)


def _glide(targets, lengths):
    """Stay on each target for 40 % of its time, and be on the way for the rest."""
    ends = np.cumsum(lengths)
    stays = np.stack([ends - 0.7 * lengths, ends - 0.3 * lengths], axis=1).ravel()
    return np.interp(np.arange(ends[-1]) + 0.5, stays, np.repeat(targets, 2))


def _smooth(order, name):
    window = np.hanning(INERTIA.get(name, 0.02) * FRAMES_PER_SECOND + 2)[1:-1]
    return convolve1d(order, window / window.sum(), mode="nearest")


def render(phonemes: Sequence[str], speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    """Say a string of phonemes.

    Parameters
    ----------
    phonemes : sequence of str
        Names of rows of `PHONEMES`.
    speaker : Speaker
        Who speaks.
    rng : numpy.random.Generator
        Draws what differs from take to take.

    Returns
    -------
    ndarray, shape (n_samples,)
        At 48 kHz, with some silence around it, at any level: as it leaves the lips.

    Raises
    ------
    ValueError
        If there is no phoneme, or one is not known; the message lists those that are.

    See Also
    --------
    record : What a microphone makes of it.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> sound = render(["s", "iy"], speaker(1), np.random.default_rng(0))
    >>> 0.2 < len(sound) / 48000 < 0.6
    True
    """
    tracks = controls(phonemes, speaker, rng)
    n_frames = len(tracks["f1"])
    pitch = _to_samples(_melody(n_frames, speaker, rng))
    buzz, is_open = glottal_source(pitch, rng, jitter=speaker.jitter, shimmer=speaker.shimmer)
    buzz = _soften(buzz, speaker.tilt * rng.lognormal(0, 0.3))
    voicing = _to_samples(tracks["voicing"] * _effort(n_frames, rng))
    breath = _gain(speaker.breath - 60) * voicing * is_open
    breath += 0.3 * _to_samples(tracks["aspiration"])
    source = voicing * buzz + breath * rng.standard_normal(len(buzz))
    hiss = _gain(speaker.sharpness + rng.normal(0, 2)) * _to_samples(tracks["frication"])
    hiss *= np.where((voicing > 0.05) & ~is_open, 0.4, 1) * rng.standard_normal(len(buzz))
    narrow = _band_pass(tracks["hiss"] * np.sqrt(speaker.tract), tracks["hiss_width"])
    return filter_frames(source, vocal_tract(tracks, speaker)) + filter_frames(
        hiss, np.stack([narrow, narrow], axis=1)
    )


def _to_samples(track):
    n_frames = len(track)
    return np.interp(np.arange(n_frames * FRAME) / FRAME, np.arange(n_frames) + 0.5, track)


def _melody(n_frames, speaker, rng):
    """Pitch of one word, mostly falling at its end."""
    semitones = rng.normal([1, 1.5, -4], [1, 1, 2.5]) + rng.normal(0, 0.7)
    line = np.interp(np.linspace(0, 1, n_frames), [0, 0.35, 1], semitones)
    return speaker.pitch * 2 ** (line / 12)


def _effort(n_frames, rng):
    """Loudness of the voice in one word: it sets in, stays and dies away."""
    times = [0, 0.1, rng.uniform(0.3, 0.6), 1]
    levels = [rng.uniform(-10, 0), 0, 0, rng.uniform(-30, -10)]
    return _gain(np.interp(np.linspace(0, 1, n_frames), times, levels))


def _soften(buzz, tilt):
    """Take away brightness above `tilt`, and no strength."""
    leak = np.exp(-2 * np.pi * tilt / RENDER_RATE)
    soft = lfilter([1 - leak], [1, -leak], buzz)
    return soft * buzz.std() / soft.std()


def record(sound: np.ndarray, speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    """Record a voice: its room, its microphone, its noise; and cut away the silence.

    Parameters
    ----------
    sound : ndarray, shape (n_samples,)
        From `render`, at 48 kHz.
    speaker : Speaker
        Whose room and microphone.
    rng : numpy.random.Generator
        Draws what differs from take to take.

    Returns
    -------
    ndarray, shape (n_kept,)
        At 48 kHz; full scale is 1. Ends that stay below 0.005 are cut off, as from FSDD's
        recordings.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> anton, rng = speaker(0), np.random.default_rng(0)
    >>> voice = record(render(phonemes_of("one"), anton, rng), anton, rng)
    >>> bool(0.1 < np.abs(voice).max() < 1)
    True
    """
    distance = rng.lognormal(0, 0.25)
    sound = _microphone(_room(sound, distance * speaker.room, rng), speaker)
    sound *= min(0.95, speaker.level / distance) / np.abs(sound).max()
    loud = np.flatnonzero(np.abs(sound) > 0.005)
    margin = int(rng.uniform(0.005, 0.04) * RENDER_RATE)
    start = max(0, loud[0] - margin)
    sound = sound[start : np.clip(loud[-1] + margin, start + SHORTEST, start + LONGEST)]
    noise = lfilter([1], [1, -speaker.rumble], rng.standard_normal(len(sound)))
    return sound + distance * _gain(speaker.noise) * np.abs(sound).max() * noise / noise.std()


def _room(sound, loudness, rng):
    time = np.arange(int(0.125 * RENDER_RATE)) / RENDER_RATE
    echo = rng.standard_normal(len(time)) * np.exp(-time / 0.025)
    echo *= loudness / np.linalg.norm(echo)
    echo[0] = 1  # the direct sound
    return oaconvolve(sound, echo)


def _microphone(sound, speaker):
    band = butter(2, [speaker.low_cut, speaker.high_cut], "bandpass", fs=RENDER_RATE, output="sos")
    bright = butter(1, 2000, "highpass", fs=RENDER_RATE, output="sos")
    heard = sosfilt(band, sound)
    return heard + (_gain(speaker.presence) - 1) * sosfilt(bright, heard)


# ------------------------------------------------------------------------ vowels, digits, a corpus


def vowel(
    f1: float,
    f2: float,
    f3: float = 2500,
    *,
    pitch: float = 120,
    seconds: float = 0.5,
    rate: int = 8000,
) -> np.ndarray:
    """Hold a vowel.

    Parameters
    ----------
    f1, f2, f3 : float
        Its formants, in Hz.
    pitch : float
        In Hz.
    seconds : float
        How long.
    rate : int
        Samples a second, 4000 to 48000.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Peak 0.5, as steady as a machine.

    Raises
    ------
    ValueError
        If the rate is out of range.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> vowel(300, 2070, 2980).shape  # a man's "ee": Klatt (1980)
    (4000,)
    """
    _check_whole("rate", rate, 4000, RENDER_RATE)
    n_frames = round(seconds * FRAMES_PER_SECOND)
    buzz, _ = glottal_source(np.full(n_frames * FRAME, float(pitch)), np.random.default_rng(0))
    formants = np.array([f1, f2, f3, *range(3500, 8000, 1000)])
    sections = np.tile(resonator(formants, 40 + 0.04 * formants), (n_frames, 1, 1))
    return 0.5 * peak_normalize(resample(filter_frames(buzz, sections), RENDER_RATE, rate))


def say(
    digit: int, speaker: int = 0, take: int = 0, *, rate: int = 8000, seed: int = 0
) -> np.ndarray:
    """Say a digit.

    Parameters
    ----------
    digit : int
        0 to 9.
    speaker : int
        Which speaker, from 0 up.
    take : int
        Which take, from 0 up; no two are the same.
    rate : int
        Samples a second, 4000 to 48000.
    seed : int
        Of another family of speakers, who share only the names.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Its peak is below 1. The same numbers give the same samples, whatever was said before.

    Raises
    ------
    ValueError
        If a number is not whole or out of range.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> seven = say(7)
    >>> seven.dtype, bool(0.25 < len(seven) / 8000 < 0.9)
    (dtype('float32'), True)
    """
    _check_whole("digit", digit, 0, 9)
    _check_whole("take", take, 0)
    _check_whole("rate", rate, 4000, RENDER_RATE)
    return _say(digit, speaker, take, rate, seed)


def _say(digit, index, take, rate, seed):
    person = speaker(index, seed=seed)
    rng = np.random.default_rng([seed, index, digit, take])
    sound = record(render(phonemes_of(DIGITS[digit], person.accent), person, rng), person, rng)
    sound = resample(sound, RENDER_RATE, rate)
    return sound * min(1, np.float32(0.99) / np.abs(sound).max())


def write_corpus(
    folder: str | os.PathLike,
    *,
    n_speakers: int = 12,
    n_takes: int = 20,
    rate: int = 8000,
    seed: int = 0,
) -> None:
    """Write a corpus of spoken digits, laid out as the Free Spoken Digit Dataset is.

    Parameters
    ----------
    folder : str or path-like
        Gets a folder ``recordings`` with files ``{digit}_{name}_{take}.wav``: all, or none.
    n_speakers, n_takes : int
        How many speakers, and how many takes of each digit each of them gives.
    rate : int
        Samples a second, 4000 to 48000.
    seed : int
        Of another family of speakers, who share only the names.

    Raises
    ------
    FileExistsError
        If there is a folder ``recordings`` already; it is left alone.
    ValueError
        If a number is not whole or out of range.

    Notes
    -----
    Taught in chapter 5, "A machine that talks". Works on all processor cores, and shows how far it
    is on standard error.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_corpus(folder, n_speakers=1, n_takes=1)
    ...     sorted(path.name for path in Path(folder, "recordings").iterdir())[:3]
    ['0_anton_0.wav', '1_anton_0.wav', '2_anton_0.wav']
    """
    _check_whole("n_speakers", n_speakers, 1)
    _check_whole("n_takes", n_takes, 1)
    _check_whole("rate", rate, 4000, RENDER_RATE)
    folder = Path(folder).resolve()
    if (folder / "recordings").exists():
        raise FileExistsError(f"{folder / 'recordings'} exists: remove it, or write elsewhere")
    unfinished = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    (unfinished / "recordings").mkdir(parents=True)
    try:
        _write_all(unfinished / "recordings", n_speakers, n_takes, rate, seed)
        if folder.exists():
            os.replace(unfinished / "recordings", folder / "recordings")
        else:
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_all(folder, n_speakers, n_takes, rate, seed):
    words = list(product(range(n_speakers), range(10)))
    jobs = (delayed(_write_takes)(folder, *word, n_takes, rate, seed) for word in words)
    with Parallel(n_jobs=os.cpu_count(), return_as="generator") as parallel:
        for _ in tqdm(parallel(jobs), "Synthesising voices", len(words), unit="word"):
            pass


def _write_takes(folder, index, digit, n_takes, rate, seed):
    name = speaker(index, seed=seed).name
    for take in range(n_takes):
        samples = _say(digit, index, take, rate, seed)
        write_wav(folder / f"{digit}_{name}_{take}.wav", samples, rate)
