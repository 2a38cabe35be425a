"""The phonemes of the synthetic voices, and how thirty words are spelled with them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral

import numpy as np


@dataclass(frozen=True)
class Phoneme:
    """Target values of one speech sound.

    Levels are in dB on Klatt's scale: 60 is a full voice, 0 is off.
    """

    f1: float  # first formant of a man, in Hz; NaN: those of the phoneme that follows
    f2: float  # the second
    f3: float  # the third
    seconds: float  # duration
    voicing: float = 60  # level of the glottal source
    aspiration: float = 0  # level of the breath noise, which passes the whole vocal tract
    frication: float = 0  # level of the noise made at a constriction of the vocal tract
    hiss: float = 5500  # centre frequency of the frication noise, in Hz
    hiss_width: float = 3000  # its bandwidth, in Hz
    nasality: float = 0  # how far the passage to the nose is open, 0 to 1
    damping: float = 1  # bandwidths of the formants, relative to those of a vowel


def _voiceless(f1: float, f2: float, f3: float, seconds: float, **others: float) -> Phoneme:
    return Phoneme(f1, f2, f3, seconds, voicing=0, damping=2, **others)


# Formants of a man, from three sources: Klatt (1980), tables II (vowels) and III (consonants);
# Peterson & Barney (1952), "Control methods used in a study of the vowels", JASA 24 ("ao", "uh");
# Hillenbrand et al. (1995), "Acoustic characteristics of American English vowels", JASA 97 ("eh",
# "ah", "o", "er"). The phonemes of the digits were then adjusted, as were levels and durations,
# until the mean spectra of synthetic digits matched those of the training takes of FSDD and a
# recogniser of people understood them (`benchmarks/voices.py`). Before a "k" the second and third
# formants come close together. The "f" and the "th" have next to no cavity in front of their
# constriction, so their noise is flat. A plosive is a closure ("tcl") and a burst ("t"). The
# diphthongs are "e j" (eight), "a ih" (nine), "a uh" (down) and "o uh" (go). "ux" and "i" are short
# forms of "uw" and "iy"; "rr" is a uvular r and "rt" a tapped one; the other names are those of
# ARPABET and TIMIT.
PHONEMES = {
    "iy": Phoneme(310, 2120, 2900, 0.130),
    "i": Phoneme(300, 2070, 2800, 0.090),
    "ih": Phoneme(460, 1900, 2600, 0.095),
    "e": Phoneme(570, 1850, 2550, 0.090),
    "eh": Phoneme(560, 1700, 2605, 0.120),
    "ae": Phoneme(620, 1660, 2430, 0.150),
    "a": Phoneme(760, 1220, 2500, 0.160),
    "aa": Phoneme(700, 1220, 2600, 0.150),
    "ah": Phoneme(623, 1200, 2550, 0.120),
    "ao": Phoneme(570, 840, 2410, 0.200),
    "o": Phoneme(470, 830, 2459, 0.165),
    "uh": Phoneme(440, 1020, 2240, 0.080),
    "uw": Phoneme(310, 950, 2200, 0.130),
    "ux": Phoneme(320, 1600, 2300, 0.080),
    "er": Phoneme(474, 1379, 1710, 0.150),
    "ax": Phoneme(500, 1400, 2450, 0.070, voicing=58),
    "j": Phoneme(320, 2100, 2650, 0.090, voicing=56),
    "y": Phoneme(260, 2070, 3020, 0.060, voicing=57),
    "w": Phoneme(360, 700, 2180, 0.045, voicing=58),
    "r": Phoneme(400, 1250, 1620, 0.050, voicing=58),
    "rr": Phoneme(500, 1250, 2300, 0.060, voicing=57, frication=20, hiss=3000),
    "rt": Phoneme(430, 1600, 2450, 0.030, voicing=48),
    "l": Phoneme(310, 1050, 2880, 0.065, voicing=57),
    "m": Phoneme(480, 1270, 2130, 0.065, voicing=58, nasality=1, damping=1.2),
    "n": Phoneme(480, 1550, 2500, 0.085, voicing=60, nasality=1, damping=1.2),
    "v": Phoneme(320, 1150, 2150, 0.050, voicing=50, aspiration=30, frication=36, hiss_width=8000),
    "z": Phoneme(260, 1390, 2530, 0.080, voicing=50, aspiration=20, frication=48),
    "f": _voiceless(
        *(340, 1100, 2080, 0.100), aspiration=30, frication=46, hiss=3500, hiss_width=8000
    ),
    "th": _voiceless(
        *(320, 1290, 2540, 0.090), aspiration=30, frication=47, hiss=3500, hiss_width=7000
    ),
    "s": _voiceless(350, 1500, 2530, 0.110, aspiration=30, frication=56, hiss=5200),
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
    "kcl": _voiceless(260, 1950, 2400, 0.060),
    "k": _voiceless(300, 1950, 2400, 0.025, aspiration=25, frication=58, hiss=2000),
}

WORDS = {  # the pronunciations of a word stand between bars
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
DIGIT_WORDS = tuple(WORDS)[:10]

ACCENTS = {  # phonemes and their replacements; # is the edge of a word
    "american": {},
    "british": {"r #": "#", "aa r": "aa", "er": "ax ax", "o uh": "ax uh", "aa n": "ao n"},
    "german": {"r #": "ax #", "r": "rr", "th": "s", "z": "s", "w": "v", "v #": "f #", "ae": "eh"},
    "french": {"r": "rr", "th": "s", "hh": "", "ih": "i", "o uh": "o", "e j": "eh", "ux uw": "ux"},
    "greek": {"r": "rt", "ih": "i", "ah": "a", "ae": "a", "ax": "eh", "o uh": "o", "ux uw": "uw"},
}


def phonemes_of(
    word: str, accent: str | Mapping[str, str] = "american", variant: int = 0
) -> tuple[str, ...]:
    """Spell a word in phonemes (chapter 5, "Speech synthesis").

    Parameters
    ----------
    word : str
        One of `WORDS`.
    accent : str or mapping of str to str
        One of `ACCENTS`, or replacements as they stand there.
    variant : int
        Which pronunciation, from 0; after the last one the first follows again.

    Returns
    -------
    tuple of str
        Keys of `PHONEMES`.

    Raises
    ------
    ValueError
        If the word or the accent is not known (the message lists those that are), or if the
        variant is no whole number from 0 up.

    Examples
    --------
    >>> phonemes_of("six")
    ('s', 'ih', 'kcl', 'k', 's')
    >>> phonemes_of("four"), phonemes_of("four", "british")
    (('f', 'o', 'r'), ('f', 'o'))
    """
    check_known("word", word, WORDS)
    check_whole("variant", variant, 0)
    if not isinstance(accent, Mapping):
        check_known("accent", accent, ACCENTS)
        accent = ACCENTS[accent]
    variants = WORDS[word].split("|")
    spelling = f" # {variants[variant % len(variants)].strip()} # "
    for usual, replacement in accent.items():
        spelling = spelling.replace(f" {usual} ", f" {replacement} ")
    return tuple(spelling.replace("#", "").split())


def check_known(kind: str, name: object, known: Collection[str]) -> None:
    """Raise a ValueError that lists the known names, unless the name is one of them.

    Parameters
    ----------
    kind : str
        What is named, such as "word".
    name : object
        The name to check.
    known : collection of str
        The names that there are.
    """
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"no {kind} is called {name!r}; there are {', '.join(known)}")


def check_whole(name: str, value: object, low: int, high: int | None = None) -> None:
    """Raise a ValueError unless the value of a parameter is a whole number within limits.

    Parameters
    ----------
    name : str
        Of the parameter.
    value : object
        Its value.
    low, high : int
        The limits, inclusive; no upper limit by default.
    """
    highest = np.inf if high is None else high
    if not isinstance(value, Integral) or not low <= int(value) <= highest:
        limits = f"from {low} up" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {limits}, not {value!r}")
