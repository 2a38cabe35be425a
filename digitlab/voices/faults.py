"""Faults that real corpora have, planted in the built-in ones, for chapter 6 to find.

The layout of FSDD gets none: nearly every chapter falls back to it, and the runs on voices that
``book/results.csv`` holds rest on its files.
"""

import numpy as np

from digitlab.audio import peak_normalize, quantise

COARSE_SPEAKER = 6  # of AudioMNIST's layout: recorded with 8 bits
COPYING_SPEAKER = 4  # of Speech Commands' layout: take 1 of these words is a copy of take 0
COPIED_WORDS = ("seven", "three")
CLIPPED_EVERY, SOFT_EVERY = 90, 450  # recordings of Speech Commands' layout
OVERDRIVE = 6.0  # peak before clipping; full scale is 1
SOFT_GAIN = 10 ** (-50 / 20)
MISTYPED = {"05": {"age": "1234"}, "11": {"accent": "German"}}  # the others: 30, "german"


def original_take(layout: str, index: int, word: str, take: int) -> int:
    """Return the take that a recording is a copy of, or its own.

    Parameters
    ----------
    layout, index, word, take
        Which recording: of which layout, by which speaker, from 0 up.

    Examples
    --------
    >>> original_take("speech_commands", 4, "seven", 1), original_take("audiomnist", 4, "seven", 1)
    (0, 1)
    """
    is_copy = layout == "speech_commands" and index == COPYING_SPEAKER and word in COPIED_WORDS
    return 0 if is_copy and take == 1 else take


def spoil(samples: np.ndarray, layout: str, index: int, number: int, take: int) -> np.ndarray:
    """Return a recording as it is or, for a few, with the fault of a bad recording.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Full scale is 1.
    layout, index, number, take
        Which recording: of which layout, by which speaker, of which word, from 0 up.
    """
    if layout == "audiomnist" and index == COARSE_SPEAKER:
        return quantise(samples, 8)
    place = 7 * index + 11 * number + take
    if layout == "speech_commands" and place % SOFT_EVERY == 140:
        return SOFT_GAIN * samples
    if layout == "speech_commands" and place % CLIPPED_EVERY == 5:
        return quantise(OVERDRIVE * peak_normalize(samples), 16)
    return samples
