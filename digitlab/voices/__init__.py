"""The built-in talking corpora: a formant synthesiser that says thirty words in many voices.

A *source* (the buzz of the vocal folds, the hiss of breath) goes through a *filter* (the resonances
of the mouth, its formants). Words are strings of phonemes, phonemes are rows of a table of targets,
and because a tongue cannot jump, the voice glides from target to target. Chapter 5, "A machine that
talks" (``book/05_voices.ipynb``), builds it piece by piece.

Source, cascade and fricative branch are laid out after Klatt (1980), "Software for a
cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 971-995.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from hashlib import sha1
from itertools import product
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.ndimage import convolve1d
from scipy.signal import butter, lfilter, oaconvolve, sosfilt
from tqdm import tqdm

from digitlab.audio import peak_normalize, resample, write_wav
from digitlab.layouts import which_set

__all__ = [
    "ACCENTS",
    "DIGITS",
    "LAYOUTS",
    "NAMES",
    "PHONEMES",
    "WORDS",
    "Phoneme",
    "Speaker",
    "controls",
    "filter_frames",
    "glottal_source",
    "mouth",
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


# Formants of a man, of three origins: Klatt (1980), tables II (vowels) and III (consonants);
# Peterson & Barney (1952), "Control methods used in a study of the vowels", JASA 24 ("ao", "uh");
# Hillenbrand et al. (1995), "Acoustic characteristics of American English vowels", JASA 97 ("eh",
# "ah", "o", "er"). What digits are made of was then moved, as were levels and durations, until mean
# spectra of synthetic digits met those of the training takes of FSDD. A plosive is a closure
# ("tcl") and a burst ("t"). "e j" is the vowel of "eight", "a ih" that of "nine", "a uh" that of
# "down", "o uh" that of "go"; "ux" is a "uw" and "i" an "iy" made in passing; "rr" is an r from the
# throat, "rt" one tapped with the tongue; the other names are those of ARPABET and TIMIT.
PHONEMES = {
    "iy": Phoneme(310, 2120, 2900, 0.130),
    "i": Phoneme(300, 2070, 2800, 0.090),
    "ih": Phoneme(460, 1900, 2600, 0.095),
    "e": Phoneme(570, 1850, 2550, 0.090),
    "eh": Phoneme(580, 1799, 2605, 0.120),
    "ae": Phoneme(620, 1660, 2430, 0.150),
    "a": Phoneme(720, 1350, 2500, 0.160),
    "aa": Phoneme(700, 1220, 2600, 0.150),
    "ah": Phoneme(623, 1200, 2550, 0.120),
    "ao": Phoneme(570, 840, 2410, 0.200),
    "o": Phoneme(497, 910, 2459, 0.165),
    "uh": Phoneme(440, 1020, 2240, 0.080),
    "uw": Phoneme(310, 950, 2200, 0.130),
    "ux": Phoneme(330, 1750, 2300, 0.080),
    "er": Phoneme(474, 1379, 1710, 0.150),
    "ax": Phoneme(500, 1400, 2450, 0.070, voicing=58),
    "j": Phoneme(320, 2100, 2650, 0.090, voicing=56),
    "y": Phoneme(260, 2070, 3020, 0.060, voicing=57),
    "w": Phoneme(360, 700, 2180, 0.045, voicing=58),
    "r": Phoneme(490, 1380, 1750, 0.050, voicing=58),
    "rr": Phoneme(500, 1250, 2300, 0.060, voicing=57, frication=20, hiss=3000),
    "rt": Phoneme(430, 1600, 2450, 0.030, voicing=48),
    "l": Phoneme(310, 1050, 2880, 0.065, voicing=57),
    "m": Phoneme(480, 1270, 2130, 0.065, voicing=58, nasality=1, damping=1.2),
    "n": Phoneme(480, 1550, 2500, 0.065, voicing=58, nasality=1, damping=1.2),
    "v": Phoneme(320, 1150, 2150, 0.050, voicing=50, aspiration=30, frication=36, hiss_width=8000),
    "z": Phoneme(260, 1390, 2530, 0.080, voicing=50, aspiration=20, frication=48),
    "f": _voiceless(340, 1100, 2080, 0.075, aspiration=30, frication=44, hiss_width=8000),
    "th": _voiceless(320, 1290, 2540, 0.070, aspiration=30, frication=45, hiss_width=7000),
    "s": _voiceless(350, 1500, 2530, 0.110, aspiration=30, frication=54, hiss=5200),
    "sh": _voiceless(300, 1840, 2750, 0.120, aspiration=30, frication=52, hiss=2900),
    "hh": _voiceless(np.nan, np.nan, np.nan, 0.045, aspiration=52),
    "bcl": Phoneme(200, 1100, 2150, 0.050, voicing=44),
    "b": Phoneme(300, 1100, 2150, 0.010, voicing=52, frication=44, hiss=900),
    "dcl": Phoneme(200, 1600, 2600, 0.050, voicing=44),
    "d": Phoneme(300, 1600, 2600, 0.012, voicing=52, frication=50, hiss=4000),
    "gcl": Phoneme(200, 1990, 2850, 0.050, voicing=44),
    "g": Phoneme(300, 1990, 2850, 0.015, voicing=52, frication=48, hiss=2000),
    "pcl": _voiceless(400, 1100, 2150, 0.070),
    "p": _voiceless(400, 1100, 2150, 0.012, aspiration=25, frication=46, hiss=900),
    "tcl": _voiceless(320, 1700, 2600, 0.085),
    "t": _voiceless(350, 1750, 2600, 0.020, aspiration=25, frication=57, hiss=4500),
    "kcl": _voiceless(260, 2150, 2700, 0.085),
    "k": _voiceless(300, 2100, 2700, 0.015, aspiration=25, frication=46, hiss=2300),
}

WORDS = {  # where people differ, one way after the other
    "zero": "z ih r o uh | z iy r o uh | z ih r o | z iy r ax uh | z ih r ah uh",
    "one": "w ah n | w aa n",
    "two": "tcl t hh ux uw | tcl t hh uw | tcl t ux | tcl t uw",
    "three": "th r iy",
    "four": "f o r | f ao r",
    "five": "f a ih v | f a ih f",
    "six": "s ih kcl k s",
    "seven": "s eh v ax n | s eh v ih n",
    "eight": "e j tcl t | e j tcl t hh | e j tcl",
    "nine": "n a ih n",
    "bed": "bcl b eh dcl d",
    "bird": "bcl b er dcl d",
    "cat": "kcl k hh ae tcl t | kcl k hh ae tcl",
    "dog": "dcl d ao gcl g | dcl d aa gcl g",
    "down": "dcl d a uh n",
    "go": "gcl g o uh",
    "happy": "hh ae pcl p iy",
    "house": "hh a uh s",
    "left": "l eh f tcl t | l eh f tcl",
    "marvin": "m aa r v ih n",
    "no": "n o uh",
    "off": "ao f | aa f",
    "on": "aa n | ao n",
    "right": "r a ih tcl t | r a ih tcl",
    "sheila": "sh iy l ax",
    "stop": "s tcl t aa pcl p | s tcl t aa pcl",
    "tree": "tcl t r iy",
    "up": "ah pcl p | ah pcl",
    "wow": "w a uh",
    "yes": "y eh s",
}
DIGITS = tuple(WORDS)[:10]

ACCENTS = {  # what is said instead of what; # is the edge of a word
    "american": {},
    "british": {"r #": "#", "aa r": "aa", "er": "ax ax", "o uh": "ax uh", "aa n": "ao n"},
    "german": {"r #": "ax #", "r": "rr", "th": "s", "z": "s", "w": "v", "v #": "f #", "ae": "eh"},
    "french": {"r": "rr", "th": "s", "hh": "", "ih": "i", "o uh": "o", "e j": "eh", "ux uw": "ux"},
    "greek": {"r": "rt", "ih": "i", "ah": "a", "ae": "a", "ax": "eh", "o uh": "o", "ux uw": "uw"},
}


def phonemes_of(word: str, accent: str = "american", variant: int = 0) -> tuple[str, ...]:
    """Spell a word in phonemes.

    Parameters
    ----------
    word : str
        One of `WORDS`.
    accent : str
        One of `ACCENTS`.
    variant : int
        Which of the ways to say it, counted round and round.

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
    (('f', 'o', 'r'), ('f', 'o'))
    """
    _check_known("word", [word], WORDS)
    _check_known("accent", [accent], ACCENTS)
    return _pronounce(word, ACCENTS[accent], variant)


def _pronounce(word, accent, variant):
    ways = WORDS[word].split("|")
    spelling = f" # {ways[variant % len(ways)].strip()} # "
    for usual, instead in accent.items():
        spelling = spelling.replace(f" {usual} ", f" {instead} ")
    return tuple(spelling.replace("#", "").split())


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
    *("milo", "nina", "otto", "petra", "rafal", "sam"),
    *("tomas", "ursula", "viktor", "wanda", "xaver", "yuki"),
)
KINDS = ("man", "woman", "man", "woman", "man", "child")  # over and over again
PITCH = {"man": 118, "woman": 205, "child": 270}  # Hz
HABITS = [0.07, 0.06, 0.04, 0.15, 0.2]  # how much speakers differ in F1, F2, F3, duration, hiss
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
    words : dict of str to tuple of str
        How each of `WORDS` is said: one of its ways, in an accent that may be light or strong.
    pitch : float
        In Hz.
    tract : float
        All formants times this: 1 for a man's vocal tract, more for a shorter one.
    habits : dict of str to tuple of float
        By phoneme, what F1, F2, F3, duration and pitch of the hiss are multiplied by.
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
    words: dict[str, tuple[str, ...]] = field(repr=False)
    pitch: float
    tract: float
    habits: dict[str, tuple[float, ...]] = field(repr=False)
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
    >>> [speaker(index).name for index in (0, 1, 25)]
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
    accent = list(ACCENTS)[int(between(0, len(ACCENTS)))]
    spoken = {usual: other for usual, other in ACCENTS[accent].items() if rng.random() < 0.6}
    return Speaker(
        name=NAMES[index % len(NAMES)] + (str(again + 1) if again else ""),
        kind=kind,
        accent=accent,
        words={word: _pronounce(word, spoken, rng.integers(6)) for word in WORDS},
        pitch=PITCH[kind] * octaves(0.8, 1.25),
        tract=tract,
        upper_formants=tuple(tract * f * rng.lognormal(0, 0.03) for f in range(3500, 8000, 1000)),
        damping=between(1.0, 1.8),
        tempo=octaves(0.82, 1.35),
        breath=between(10, 30),
        tilt=octaves(500, 3000),
        jitter=between(0.004, 0.012),
        shimmer=between(0.02, 0.08),
        sharpness=between(-18, 4),
        level=octaves(0.12, 0.8),
        low_cut=octaves(40, 300),
        high_cut=octaves(2600, 12000),
        presence=between(-4, 7),
        room=between(0, 0.6),
        noise=between(-60, -28),
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
NEUTRAL = np.array([500, 1500, 2500])  # Hz: formants of a man's tongue at rest
LAST = 1.4  # the last sound before a pause is drawn out
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
    habits = np.array([speaker.habits[name] for name in phonemes])
    targets[:, :3] *= speaker.tract * habits[:, :3] * rng.lognormal(0, 0.03, (len(targets), 3))
    targets[:, TRACKS.index("hiss")] *= np.sqrt(speaker.tract) * habits[:, 4]
    targets[:, :3] = _borrow_from_next(targets[:, :3], NEUTRAL * speaker.tract)
    levels = targets[:, 3:6]
    targets[:, 3:6] = np.where(levels > 0, _gain(levels - 60), 0)
    seconds = habits[:, 3] * [PHONEMES[name].seconds for name in phonemes]
    seconds[-1] *= LAST
    seconds *= speaker.tempo * rng.lognormal(0, 0.07) * rng.lognormal(0, 0.15, len(seconds))
    lengths = np.maximum(1, np.rint(seconds * FRAMES_PER_SECOND)).astype(int)
    orders = np.repeat(targets, lengths, axis=0)
    for i in range(3):
        orders[:, i] = _glide(targets[:, i], lengths)
    orders = np.pad(orders, ((BEFORE, AFTER), (0, 0)), mode="edge")
    orders[:BEFORE, 3:6] = orders[-AFTER:, 3:6] = 0
    return {name: _smooth(order, name) for name, order in zip(TRACKS, orders.T, strict=True)}


def _borrow_from_next(formants, at_the_end):
    formants = np.vstack([formants, at_the_end])
    for i in range(len(formants) - 2, -1, -1):  # from the end, since the next may borrow too
        formants[i] = np.where(np.isnan(formants[i]), formants[i + 1], formants[i])
    return formants[:-1]


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
    narrow = _band_pass(tracks["hiss"], tracks["hiss_width"])
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


def record(
    sound: np.ndarray,
    speaker: Speaker,
    rng: np.random.Generator,
    *,
    seconds: float | None = None,
) -> np.ndarray:
    """Record a voice: its room, its microphone, its noise; and cut away the silence.

    Parameters
    ----------
    sound : ndarray, shape (n_samples,)
        From `render`, at 48 kHz.
    speaker : Speaker
        Whose room and microphone.
    rng : numpy.random.Generator
        Draws what differs from take to take.
    seconds : float, optional
        How long the microphone is on, the word somewhere in the middle; by default as long as the
        word lasts.

    Returns
    -------
    ndarray, shape (n_kept,)
        At 48 kHz; full scale is 1. Ends that stay below 0.005 are cut off, as from FSDD's
        recordings, before the word is laid into `seconds` of noise.

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
    if seconds is not None:
        sound = _lay_into(round(seconds * RENDER_RATE), sound, rng)
    noise = lfilter([1], [1, -speaker.rumble], rng.standard_normal(len(sound)))
    return sound + distance * _gain(speaker.noise) * np.abs(sound).max() * noise / noise.std()


def _lay_into(n_samples, sound, rng):
    sound = sound[:n_samples]
    spare = n_samples - len(sound)
    before = int(spare * rng.uniform(0.25, 0.75))
    return np.pad(sound, (before, spare - before))


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


# --------------------------------------------------------------------------------- vowels, words


def mouth(f1: float, f2: float, f3: float = 2500) -> np.ndarray:
    """Return the resonances of a man's mouth that is held still.

    Parameters
    ----------
    f1, f2, f3 : float
        Formants, in Hz; five more stand above them.

    Returns
    -------
    ndarray, shape (8, 6)
        Second-order sections at 48 kHz, as `resonator` gives them.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> mouth(300, 2070, 2980).shape
    (8, 6)
    """
    formants = np.array([f1, f2, f3, *range(3500, 8000, 1000)])
    return resonator(formants, 40 + 0.04 * formants)


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
    sections = np.tile(mouth(f1, f2, f3), (n_frames, 1, 1))
    return 0.5 * peak_normalize(resample(filter_frames(buzz, sections), RENDER_RATE, rate))


def say(
    word: int | str,
    speaker: int = 0,
    take: int = 0,
    *,
    rate: int = 8000,
    seconds: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Say a word.

    Parameters
    ----------
    word : int or str
        A digit, 0 to 9, or one of `WORDS`.
    speaker : int
        Which speaker, from 0 up.
    take : int
        Which take, from 0 up; no two are the same.
    rate : int
        Samples a second, 4000 to 48000.
    seconds : float, optional
        How long the recording is, the word somewhere in the middle; by default as long as the word
        lasts.
    seed : int
        Of another family of speakers, who share only the names.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Its peak is below 1. The same numbers give the same samples, whatever was said before.

    Raises
    ------
    ValueError
        If there is no such word, or a number is not whole or out of range.

    Notes
    -----
    Taught in chapter 5, "A machine that talks".

    Examples
    --------
    >>> seven = say(7)
    >>> seven.dtype, bool(0.25 < len(seven) / 8000 < 0.9), np.array_equal(seven, say("seven"))
    (dtype('float32'), True, True)
    >>> say("marvin", rate=16000, seconds=1).shape
    (16000,)
    """
    if isinstance(word, Integral) and 0 <= word <= 9:
        word = DIGITS[word]
    if word not in WORDS:
        raise ValueError(
            f"word must be a digit, 0 to 9, or one of {', '.join(WORDS)}, not {word!r}"
        )
    _check_whole("take", take, 0)
    _check_whole("rate", rate, 4000, RENDER_RATE)
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be more than 0, not {seconds!r}")
    return _say(word, speaker, take, rate, seconds, seed)


def _say(word, index, take, rate, seconds, seed):
    person = speaker(index, seed=seed)
    rng = np.random.default_rng([seed, index, list(WORDS).index(word), take])
    sound = record(render(person.words[word], person, rng), person, rng, seconds=seconds)
    sound = resample(sound, RENDER_RATE, rate)
    return sound * min(1, np.float32(0.99) / np.abs(sound).max())


# -------------------------------------------------------------------------------- whole corpora


def _write_people(folder, n_speakers, rate, seed):
    """Describe the speakers as AudioMNIST does: its keys, and nothing that is not true of ours."""
    people = {}
    for index in range(n_speakers):
        person = speaker(index, seed=seed)
        people[f"{index + 1:02d}"] = {
            "accent": person.accent,
            "age": {"man": 30, "woman": 30, "child": 8}[person.kind],
            "gender": {"man": "male", "woman": "female", "child": ""}[person.kind],
            "native speaker": "yes" if person.accent in ("american", "british") else "no",
            "origin": "synthesised",
            "recordingdate": "",
            "recordingroom": "simulated",
        }
    text = json.dumps(people, indent=4, sort_keys=True)
    (folder / "data" / "audioMNIST_meta.txt").write_text(text, encoding="utf-8")


def _write_sets_and_noises(folder, n_speakers, rate, seed):
    """Write the lists and the background noises that come with Speech Commands."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.wav"))
    for part in ("validation", "testing"):
        text = "".join(f"{name}\n" for name in names if which_set(name) == part)
        (folder / f"{part}_list.txt").write_text(text, encoding="utf-8", newline="\n")
    (folder / "_background_noise_").mkdir()
    for name, noise in _background_noises(5 * rate, rate, seed).items():
        noise = 0.3 * peak_normalize(noise.astype(np.float32))
        write_wav(folder / "_background_noise_" / f"{name}.wav", noise, rate)


def _background_noises(n_samples, rate, seed):
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(n_samples)
    frequencies = np.fft.rfftfreq(n_samples, 1 / rate)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(frequencies, 20)), n_samples)
    harmonics = np.arange(1, 13)[:, np.newaxis]
    time = np.arange(n_samples) / rate
    phases = rng.uniform(0, 2 * np.pi, harmonics.shape)
    hum = (np.sin(2 * np.pi * 50 * harmonics * time + phases) / harmonics).sum(axis=0)
    babble = np.zeros(n_samples)
    for word in rng.choice(list(WORDS), 60):
        voice = peak_normalize(say(str(word), int(rng.integers(12)), rate=rate, seed=seed + 1))
        start = rng.integers(n_samples - len(voice))
        babble[start : start + len(voice)] += voice
    return {"white_noise": white, "pink_noise": pink, "hum": hum, "babble": babble}


class Layout(NamedTuple):
    """How a real corpus names its recordings, and how much of it is made if nobody says."""

    path: str
    words: tuple[str, ...]
    n_speakers: int
    n_takes: int
    rate: int  # samples a second
    seconds: float | None = None  # that a recording lasts, if not as long as the word
    write_the_rest: Callable | None = None


LAYOUTS = {
    "fsdd": Layout("recordings/{digit}_{name}_{take}.wav", DIGITS, 12, 20, 8000),
    "audiomnist": Layout(
        *("data/{number:02d}/{digit}_{number:02d}_{take}.wav", DIGITS, 60, 5, 48000),
        write_the_rest=_write_people,
    ),
    "speech_commands": Layout(
        *("{word}/{code}_nohash_{take}.wav", tuple(WORDS), 45, 2, 16000),
        seconds=1,
        write_the_rest=_write_sets_and_noises,
    ),
}


def write_corpus(
    folder: str | os.PathLike,
    layout: str = "fsdd",
    *,
    n_speakers: int | None = None,
    n_takes: int | None = None,
    rate: int | None = None,
    seed: int = 0,
) -> None:
    """Write a corpus of spoken words, laid out as a real one is.

    Parameters
    ----------
    folder : str or path-like
        Gets all files, or none.
    layout : str
        ``"fsdd"``: digits in ``recordings/{digit}_{name}_{take}.wav``, as in the Free Spoken Digit
        Dataset. ``"audiomnist"``: digits in ``data/{number}/{digit}_{number}_{take}.wav`` and
        ``data/audioMNIST_meta.txt``, which tells who speaks. ``"speech_commands"``: all of `WORDS`
        in ``{word}/{8 hexadecimal digits}_nohash_{take}.wav``, each 1 s long or, now and then,
        shorter; ``validation_list.txt`` and ``testing_list.txt``; ``_background_noise_``.
    n_speakers, n_takes : int, optional
        How many speakers, and how many takes of each word each of them gives; by default 12 and 20
        for ``"fsdd"``, 60 and 5 for ``"audiomnist"``, 45 and 2 for ``"speech_commands"``.
    rate : int, optional
        Samples a second, 4000 to 48000; by default that of the real corpus: 8000, 48000, 16000.
    seed : int
        Of another family of speakers, who share only the names.

    Raises
    ------
    FileExistsError
        If something that would be written is there already; it is left alone.
    ValueError
        If there is no such layout, or a number is not whole or out of range.

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
    _check_known("layout", [layout], LAYOUTS)
    plan = LAYOUTS[layout]
    n_speakers = plan.n_speakers if n_speakers is None else n_speakers
    n_takes = plan.n_takes if n_takes is None else n_takes
    rate = plan.rate if rate is None else rate
    _check_whole("n_speakers", n_speakers, 1)
    _check_whole("n_takes", n_takes, 1)
    _check_whole("rate", rate, 4000, RENDER_RATE)
    folder = Path(folder).resolve()
    top = plan.path.split("/")[0]
    _refuse_to_replace(folder, {top.format(word=word) for word in plan.words})
    unfinished = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    unfinished.mkdir(parents=True)
    try:
        _write_recordings(unfinished, layout, n_speakers, n_takes, rate, seed)
        if plan.write_the_rest:
            plan.write_the_rest(unfinished, n_speakers, rate, seed)
        _move(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_to_replace(folder, names):
    for name in sorted(names):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} exists: remove it, or write elsewhere")


def _write_recordings(folder, layout, n_speakers, n_takes, rate, seed):
    words = list(product(range(n_speakers), LAYOUTS[layout].words))
    jobs = (delayed(_write_takes)(folder, layout, *word, n_takes, rate, seed) for word in words)
    with Parallel(n_jobs=os.cpu_count(), return_as="generator") as parallel:
        for _ in tqdm(parallel(jobs), "Synthesising voices", len(words), unit="word"):
            pass


def _write_takes(folder, layout, index, word, n_takes, rate, seed):
    plan = LAYOUTS[layout]
    number, name = list(WORDS).index(word), speaker(index, seed=seed).name
    for take in range(n_takes):
        seconds = plan.seconds
        if seconds and (index + number + take) % 40 == 39:
            seconds *= 0.9  # now and then the microphone goes off too soon
        path = folder / plan.path.format(
            word=word,
            digit=number,
            name=name,
            number=index + 1,
            code=sha1(f"{seed} {index}".encode()).hexdigest()[:8],
            take=take,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, _say(word, index, take, rate, seconds, seed), rate)


def _move(unfinished, folder):
    """Move everything into the folder, or, if that fails on the way, nothing."""
    if not folder.exists():
        os.replace(unfinished, folder)
        return
    _refuse_to_replace(folder, os.listdir(unfinished))
    with ExitStack() as way_back:
        for name in os.listdir(unfinished):
            os.replace(unfinished / name, folder / name)
            way_back.callback(os.replace, folder / name, unfinished / name)
        way_back.pop_all()
