"""The speakers of the synthetic voices: vocal tract, habits, accent, room and microphone."""

from dataclasses import dataclass, field

import numpy as np

from digitlab.voices.phonemes import ACCENTS, PHONEMES, WORDS, check_whole, phonemes_of

NAMES = (
    *("anton", "bea", "carlo", "dora", "emil", "fay"),
    *("gustav", "hanna", "ivo", "june", "karel", "lou"),
    *("milo", "nina", "otto", "petra", "rafal", "sam"),
    *("tomas", "ursula", "viktor", "wanda", "xaver", "yuki"),
)
KINDS = ("man", "woman", "man", "woman", "man", "child")  # repeated for further speakers
PITCH = {"man": 118, "woman": 205, "child": 270}  # Hz
TRACT = {"man": 1.0, "woman": 1.16, "child": 1.30}  # formants, relative to a man's
HABITS = [0.07, 0.06, 0.04, 0.15, 0.2]  # log-spread of F1, F2, F3, duration, hiss
UPPER_FORMANTS = range(3500, 8000, 1000)  # Hz: F4 to F8 of a man
LOG, LINEAR = True, False
RANGES = {  # of the properties of speakers, in the order in which `_spread` draws them
    "tract": (0.93, 1.07, LOG),  # times the mean of the kind
    "accent": (0, len(ACCENTS), LINEAR),
    "pitch": (0.8, 1.25, LOG),  # times the mean of the kind
    "damping": (1.0, 1.8, LINEAR),
    "tempo": (0.82, 1.35, LOG),
    "breath": (10, 30, LINEAR),
    "tilt": (500, 3000, LOG),
    "jitter": (0.004, 0.012, LINEAR),
    "shimmer": (0.02, 0.08, LINEAR),
    "sharpness": (-8, 5, LINEAR),
    "level": (0.12, 0.8, LOG),
    "low_cut": (40, 300, LOG),
    "high_cut": (2600, 12000, LOG),
    "presence": (-4, 7, LINEAR),
    "room": (0, 0.35, LINEAR),
    "noise": (-60, -36, LINEAR),
    "rumble": (0, 0.98, LINEAR),
}


@dataclass(frozen=True)
class Speaker:
    """A speaker, the room and the microphone: all that is the same in every take."""

    name: str  # as in the names of the files
    kind: str  # "man", "woman" or "child"
    accent: str  # one of ACCENTS
    words: dict[str, tuple[str, ...]] = field(repr=False)  # phonemes, by word
    pitch: float  # mean fundamental frequency, in Hz
    tract: float  # factor of all formants: 1 for a man's vocal tract, more for a shorter one
    habits: dict[str, tuple[float, ...]] = field(repr=False)  # factors by phoneme, as in HABITS
    upper_formants: tuple[float, ...]  # F4 to F8, in Hz
    damping: float  # factor of the bandwidths of the formants
    tempo: float  # factor of the durations
    breath: float  # level of the breath noise in the voice, in dB; 60 is a full voice
    tilt: float  # cutoff of the glottal source's low-pass filter, in Hz: low for a soft voice
    jitter: float  # standard deviation of the lengths of glottal cycles, as a fraction
    shimmer: float  # standard deviation of their amplitudes, as a fraction
    sharpness: float  # gain of the frication noise, in dB
    level: float  # peak of the recording; full scale is 1
    low_cut: float  # lower limit of the microphone's band, in Hz
    high_cut: float  # its upper limit
    presence: float  # gain of the microphone above 2 kHz, in dB
    room: float  # reverberation, relative to the direct sound
    noise: float  # noise of the recording, in dB relative to its peak
    rumble: float  # how strongly that noise is low-pass filtered, 0 to 1


def speaker(index: int, *, seed: int = 0) -> Speaker:
    """Draw a speaker at random (chapter 5, "Speech synthesis").

    Parameters
    ----------
    index : int
        Which speaker, from 0 up.
    seed : int
        Another seed gives other speakers with the same names.

    Returns
    -------
    Speaker
        The same one for the same numbers.

    Raises
    ------
    ValueError
        If the index or the seed is no whole number from 0 up.

    Notes
    -----
    A woman's formants lie about 16 % above a man's and a child's about 30 % (Peterson & Barney,
    1952; Hillenbrand et al., 1995).

    Examples
    --------
    >>> [speaker(index).name for index in (0, 1, 25)]
    ['anton', 'bea', 'bea2']
    >>> speaker(1).kind, speaker(1).accent in ACCENTS
    ('woman', True)
    """
    check_whole("speaker", index, 0)
    check_whole("seed", seed, 0)
    properties = _spread(index, seed)
    rng = np.random.default_rng([seed, index])
    kind = KINDS[index % len(KINDS)]
    properties["tract"] *= TRACT[kind]
    properties["pitch"] *= PITCH[kind]
    accent = tuple(ACCENTS)[int(properties.pop("accent"))]
    replacements = {old: new for old, new in ACCENTS[accent].items() if rng.random() < 0.6}
    words = {word: phonemes_of(word, replacements, int(rng.integers(6))) for word in WORDS}
    upper_formants = [properties["tract"] * f * rng.lognormal(0, 0.03) for f in UPPER_FORMANTS]
    habits = {name: tuple(rng.lognormal(0, HABITS).tolist()) for name in PHONEMES}
    number = index // len(NAMES) + 1
    return Speaker(
        name=NAMES[index % len(NAMES)] + (str(number) if number > 1 else ""),
        kind=kind,
        accent=accent,
        words=words,
        upper_formants=tuple(upper_formants),
        habits=habits,
        **properties,
    )


def _spread(index, seed):
    """Spread speakers over `RANGES` more evenly than random numbers (an additive recurrence)."""
    primes = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
    start = np.random.default_rng(seed).random(len(primes))
    positions = ((start + index * np.sqrt(primes)) % 1).tolist()
    return {
        name: low * (high / low) ** position if log else low + (high - low) * position
        for (name, (low, high, log)), position in zip(RANGES.items(), positions, strict=True)
    }
