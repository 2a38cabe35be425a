"""Streams whose words are known: digits and other words at random times, over noise."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from digitlab import audio, voices
from digitlab.layouts import OTHER
from digitlab.preparation import MARGIN_S, find_word

NOISE_RMS = 0.01  # of full scale
EDGE_S = 0.01  # over which a word fades in and out
N_BABBLE = 60  # words in the store that babble is made of
TALKERS = 6  # of babble, at a time
CLICKS_HZ = 2.0  # a second, on average
NOT_DIGITS = tuple(word for word in voices.WORDS if word not in voices.DIGIT_WORDS)


class Word(NamedTuple):
    """What was said in a stream, and when.

    Attributes
    ----------
    label : str
        A digit, ``"0"`` to ``"9"``, or ``"other"``.
    start, end : float
        In seconds from the beginning of the stream.
    """

    label: str
    start: float
    end: float


class Stream(NamedTuple):
    """A stream, and the truth about it.

    Attributes
    ----------
    samples : array of shape (n_samples,), float32
        One channel.
    rate : int
        In Hz.
    words : tuple of Word
        In the order in which they are said.
    """

    samples: np.ndarray
    rate: int
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def voice_words(
    n_words: int,
    speakers: Sequence[int],
    *,
    share_of_digits: float = 0.5,
    others: Sequence[str] = NOT_DIGITS,
    rate: int = 8000,
    seed: int = 0,
) -> list[tuple[str, np.ndarray]]:
    """Let the built-in voices say digits and other words at random.

    Parameters
    ----------
    n_words : int
        How many.
    speakers : sequence of int
        Who may say them, as for :func:`digitlab.voices.say`.
    share_of_digits : float
        The probability that a word is a digit. One in four of the rest is a digit that is played
        backwards: like speech, but no word.
    others : sequence of str
        The words that are no digits.
    rate : int
        In Hz.
    seed : int
        Decides who says what, and gives other speakers, too.

    Returns
    -------
    list of (label, samples)
        For :func:`synthetic_stream`; the label is a digit or ``"other"``.

    Examples
    --------
    >>> [label for label, _ in voice_words(4, speakers=[0, 1], seed=1)]
    ['other', '8', 'other', '6']
    """
    rng = np.random.default_rng([seed, 1])
    words = []
    for take in range(n_words):
        speaker, digit = int(rng.choice(speakers)), int(rng.integers(10))
        other = str(rng.choice(others))
        is_digit, is_backwards = rng.random() < share_of_digits, rng.random() < 0.25
        said = digit if is_digit or is_backwards else other
        samples = voices.say(said, speaker, take, rate=rate, seed=seed)
        samples = samples if is_digit or not is_backwards else samples[::-1]
        words.append((str(digit) if is_digit else OTHER, samples))
    return words


def synthetic_stream(
    words: Sequence[tuple[str, np.ndarray]],
    seconds: float,
    *,
    rate: int = 8000,
    noise: str | np.ndarray = "white",
    snr_db: float = 20.0,
    gap_s: float = 0.4,
    seed: int = 0,
) -> Stream:
    """Make a stream with words at random times, over noise.

    Parameters
    ----------
    words : sequence of (label, samples)
        In the order in which they are to be said; at `rate`, of one channel. None at all is fine.
    seconds : float
        How long the stream is to be.
    rate : int
        In Hz.
    noise : str or array of shape (n,)
        One of `NOISES`, or a recording at `rate`, which is repeated.
    snr_db : float
        The power of each word relative to that of the noise: means over the word, and over the
        stream.
    gap_s : float
        The least time between two words, and before the first and behind the last.
    seed : int
        Decides times and noise.

    Returns
    -------
    Stream
        The samples lie within full scale.

    Raises
    ------
    ValueError
        If the words do not fit, or there is no such noise.

    Notes
    -----
    Of each word, what stands out from its own background is kept. Taught in chapter 18.

    Examples
    --------
    >>> stream = synthetic_stream([("7", voices.say(7))], seconds=3, snr_db=10)
    >>> stream.samples.shape, [word.label for word in stream.words]
    ((24000,), ['7'])
    """
    n_samples = round(seconds * rate)
    cut = [_cut(samples, rate) for _, samples in words]
    n_gap = round(gap_s * rate)
    free = n_samples - sum(len(sound) for sound, _, _ in cut) - (len(cut) + 1) * n_gap
    if free < 0:
        raise ValueError(f"{len(cut)} words do not fit into {seconds} s: give more, or fewer words")
    rng = np.random.default_rng([seed, 2])
    behind = background(noise, n_samples, rate, seed=seed) if isinstance(noise, str) else noise
    behind = np.resize(np.asarray(behind, np.float32), n_samples)
    power = float(np.mean(behind.astype(np.float64) ** 2))
    stream = behind * np.float32(NOISE_RMS / np.sqrt(power)) if power else behind.copy()
    wanted = NOISE_RMS * 10 ** (snr_db / 20)
    truth, place = [], n_gap
    extra = np.diff(np.sort(rng.integers(0, free + 1, len(cut))), prepend=0)
    for (label, _), (sound, start, stop), more in zip(words, cut, extra.tolist(), strict=True):
        place += more
        stream[place : place + len(sound)] += sound * (wanted / audio.rms(sound[start:stop]))
        truth.append(Word(label, (place + start) / rate, (place + stop) / rate))
        place += len(sound) + n_gap
    peak = max(np.abs(stream).max(initial=0), 1)
    return Stream((stream / peak).astype(np.float32), rate, tuple(truth))


def _cut(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int, int]:
    """Return a word with its margins, faded in and out, and where in it the word itself is."""
    first, last = find_word(samples, rate) or (0, len(samples))
    margin = round(MARGIN_S * rate)
    sound = audio.fade(samples[first:last], rate, EDGE_S)
    start = margin if first > 0 else 0
    stop = len(sound) - (margin if last < len(samples) else 0)
    return (sound, start, stop) if start < stop else (sound, 0, len(sound))


def background(noise: str, n_samples: int, rate: int, *, seed: int = 0) -> np.ndarray:
    """Make a noise.

    Parameters
    ----------
    noise : str
        ``"white"``, ``"pink"`` (its power falls by 3 dB an octave above 20 Hz), ``"hum"`` (50 Hz
        and eleven harmonics), ``"clicks"`` (two a second, at random) or ``"babble"`` (six synthetic
        voices that speak at once).
    n_samples : int
        Its length.
    rate : int
        In Hz.
    seed : int
        Another one gives another noise of the kind.

    Returns
    -------
    array of shape (n_samples,), float32
        Of any level.

    Raises
    ------
    ValueError
        If there is no such noise.

    Examples
    --------
    >>> background("pink", 8000, 8000).shape
    (8000,)
    """
    if noise not in _MAKERS:
        raise ValueError(f"there is no noise {noise!r}: take {', '.join(NOISES)} or a recording")
    rng = np.random.default_rng([seed, 3])
    return _MAKERS[noise](n_samples, rate, rng).astype(np.float32)


def _white(n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(n_samples, dtype=np.float32)


def _pink(n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Shape white noise, a minute at a time, so that memory stays small."""
    n_part = min(n_samples, 60 * rate)
    frequencies = np.fft.rfftfreq(n_part, 1 / rate)
    shape = 1 / np.sqrt(np.maximum(frequencies, 20))
    parts = [
        np.fft.irfft(np.fft.rfft(rng.standard_normal(n_part)) * shape, n_part)
        for _ in range(0, n_samples, max(n_part, 1))
    ]
    return np.concatenate([*parts, np.zeros(0)])[:n_samples]


def _hum(n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Twelve harmonics of 50 Hz, one second repeated, over a little white noise."""
    harmonics = np.arange(1, 13)[:, np.newaxis]
    phases = rng.uniform(0, 2 * np.pi, harmonics.shape)
    time = np.arange(rate) / rate
    second = (np.sin(2 * np.pi * 50 * harmonics * time + phases) / harmonics).sum(axis=0)
    return np.resize(second, n_samples) + 0.02 * rng.standard_normal(n_samples)


def _clicks(n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Clicks that die away within some 20 ms, over a little white noise."""
    noise = 0.02 * rng.standard_normal(n_samples)
    time = np.arange(round(0.02 * rate)) / rate
    for start in rng.integers(0, max(n_samples, 1), rng.poisson(CLICKS_HZ * n_samples / rate)):
        tone = np.sin(2 * np.pi * rng.uniform(0.05, 0.4) * rate * time)
        click = tone * np.exp(-time / rng.uniform(0.001, 0.005)) * rng.lognormal(0, 0.5)
        noise[start : start + len(click)] += click[: n_samples - start]
    return noise


def _babble(n_samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    store = _store(rate, int(rng.integers(2**31)))
    babble = np.zeros(n_samples)
    for _ in range(TALKERS):
        place = -int(rng.integers(rate))
        while place < n_samples:
            word = store[rng.integers(len(store))]
            start, stop = max(place, 0), min(place + len(word), n_samples)
            if stop > start:
                babble[start:stop] += word[start - place : stop - place]
            place += len(word) + int(rng.integers(rate // 5))
    return babble


@lru_cache(maxsize=4)
def _store(rate: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return words by many voices, each scaled to the same power."""
    rng = np.random.default_rng(seed)
    said = [
        voices.say(str(rng.choice(list(voices.WORDS))), speaker, rate=rate, seed=seed)
        for speaker in range(N_BABBLE)
    ]
    return tuple(word / audio.rms(word) for word in said)


_MAKERS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "white": _white,
    "pink": _pink,
    "hum": _hum,
    "clicks": _clicks,
    "babble": _babble,
}
NOISES = tuple(_MAKERS)
