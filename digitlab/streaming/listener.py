"""A recogniser on a stream: what it keeps, when it is asked, and what it reports."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from digitlab import audio, riff
from digitlab.layouts import OTHER
from digitlab.preparation import prepare
from digitlab.recognisers import Recogniser
from digitlab.streaming.activity import (
    FRAME_S,
    HANGOVER_S,
    LONGEST_WORD_S,
    OFF_DB,
    ON_DB,
    LevelMeter,
    VoiceActivityDetector,
)

PIECE_S = 1.0  # of what is fed: as much is worked on at once
QUALITY = "HQ"  # of soxr: a shorter filter than for files, which holds the sound back for less


class Detection(NamedTuple):
    """A word that was heard in a stream.

    Attributes
    ----------
    label : str
        Which.
    probability : float
        The mean over the last windows.
    start, end : float
        Where it was, in seconds from the beginning of the stream.
    latency : float
        How much later than `end` it could be reported, in seconds of the stream, without the time
        that it takes to collect a block and to compute.
    """

    label: str
    probability: float
    start: float
    end: float
    latency: float


@dataclass(frozen=True)
class Settings:
    """What a listener goes by. Chosen on streams of their own, by ``benchmarks/streaming.py``.

    Attributes
    ----------
    on_db, off_db, hangover_s : float
        As for :class:`VoiceActivityDetector`.
    shortest_s : float
        Sounds that are loud for less are no words, in seconds.
    margin_s : float
        How much of what comes before a word belongs to its windows, in seconds.
    hop_s : float
        Between the ends of two windows, in seconds.
    n_windows : int
        How many windows are averaged: the mean of their probabilities counts.
    early : bool
        Whether a word may be reported while it goes on, by its last windows so far. If not, it is
        reported when it has ended, by windows that end with it or a little later.
    threshold : float
        The least probability that is reported.
    refractory_s : float
        How long after the end of a reported word nothing that begins is reported, in seconds.
    """

    on_db: float = ON_DB
    off_db: float = OFF_DB
    hangover_s: float = HANGOVER_S
    shortest_s: float = 0.1
    margin_s: float = 0.16
    hop_s: float = 0.04
    n_windows: int = 4
    early: bool = False
    threshold: float = 0.5
    refractory_s: float = 0.3


class RingBuffer:
    """The last samples of a stream, in a memory of fixed size.

    Parameters
    ----------
    n_samples : int
        How many it keeps.

    Attributes
    ----------
    n_written : int
        How many samples the stream has had so far.

    Notes
    -----
    Sample number i of the stream lies at place i modulo `n_samples`. Taught in chapter 18.

    Examples
    --------
    >>> ring = RingBuffer(4)
    >>> ring.append(np.arange(6))
    >>> ring.read(3, 6), ring.n_written
    (array([3., 4., 5.], dtype=float32), 6)
    """

    def __init__(self, n_samples: int) -> None:
        self._kept = np.zeros(n_samples, np.float32)
        self.n_written = 0

    def append(self, samples: np.ndarray) -> None:
        """Write the next samples of the stream over the oldest.

        Parameters
        ----------
        samples : array of shape (n,)
            Of more than it can keep, the last are kept.
        """
        size = len(self._kept)
        kept = samples[-size:]
        self.n_written += len(samples)
        places = np.arange(self.n_written - len(kept), self.n_written) % size
        self._kept[places] = kept

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return samples by their number in the stream.

        Parameters
        ----------
        start, stop : int
            The first, and the one behind the last.

        Returns
        -------
        array of shape (stop - start,), float32
            A copy.

        Raises
        ------
        ValueError
            If some were written over, or are not there yet.
        """
        first = max(self.n_written - len(self._kept), 0)
        if not first <= start <= stop <= self.n_written:
            raise ValueError(
                f"samples {start} to {stop} were asked for; {first} to {self.n_written} are kept"
            )
        return self._kept[np.arange(start, stop) % len(self._kept)]


class Listener:
    """Report the digits in a stream, each once.

    Parameters
    ----------
    recogniser : Recogniser
        One that knows ``"other"`` as a class: others take every sound for a digit.
    rate : float
        Of the stream, in Hz: whatever :func:`digitlab.audio.resample` takes.
    settings : Settings, optional
        What it goes by.

    Raises
    ------
    ValueError
        If the rate is not a number from 1 to 10,000,000.

    Notes
    -----
    The stream is resampled as it comes, to the rate of the recogniser. The memory that this takes
    does not grow: a ring buffer keeps the last four seconds or so. Taught in chapter 18.

    Examples
    --------
    >>> from digitlab import pretrained, voices
    >>> listener = Listener(pretrained.load(), rate=16000)
    >>> silence = np.zeros(16000)
    >>> said = np.concatenate([silence, voices.say("seven", rate=16000), silence])
    >>> [found.label for block in np.array_split(said, 50) for found in listener.feed(block)]
    ['7']
    """

    def __init__(self, recogniser: Recogniser, rate: float, settings: Settings | None = None):
        audio.resample([0.0], rate, recogniser.preparation.rate)  # refuses what is no rate
        self.settings = settings or Settings()
        self.recogniser, self.rate = recogniser, rate
        self._rate = recogniser.preparation.rate
        self._resampler = None
        if rate != self._rate:
            self._resampler = soxr.ResampleStream(rate, self._rate, 1, "float32", QUALITY)
        self._delay_s = self._held_back_s()
        self._meter = LevelMeter(self._rate)
        self._detector = VoiceActivityDetector(
            self.settings.on_db, self.settings.off_db, self.settings.hangover_s
        )
        kept_s = LONGEST_WORD_S + self.settings.margin_s + PIECE_S + 1
        self._ring = RingBuffer(round(kept_s * self._rate))
        self._n_frames = self._n_fed = 0
        self._start = self._end = self._n_loud = 0  # of the word that goes on, in frames
        self._windows: deque[np.ndarray] = deque(maxlen=self.settings.n_windows)
        self._last_end = -np.inf  # of the word reported last, in seconds

    @property
    def seconds(self) -> float:
        """How much of the stream was fed so far."""
        return self._n_fed / self.rate

    def feed(self, block: np.ndarray) -> list[Detection]:
        """Listen to the next block.

        Parameters
        ----------
        block : array of shape (n_samples,)
            One channel, any number of samples. Whole numbers are scaled by their type.

        Returns
        -------
        list of Detection
            The words that can be reported now. They do not depend on the size of blocks.

        Raises
        ------
        ValueError
            If the block has another shape or type, or holds NaN or infinity; it is then left out,
            and the stream can go on.
        """
        samples = audio.to_float(block)
        if samples.ndim != 1:
            raise ValueError(
                f"a block of shape {samples.shape}: give one channel, of shape (n_samples,)"
            )
        if not np.isfinite(samples).all():
            raise ValueError(f"the block at {self.seconds:.2f} s holds NaN or infinite samples")
        self._n_fed += len(samples)
        n_piece = max(round(PIECE_S * self.rate), 1)
        found = []
        for start in range(0, len(samples), n_piece):
            found += self._take(self._resampled(samples[start : start + n_piece]))
        return found

    def finish(self) -> list[Detection]:
        """End the stream, and report a word that was still going on.

        Returns
        -------
        list of Detection
            One at most. After this, nothing can be fed.
        """
        found = []
        if self._resampler:
            found = self._take(self._resampled(np.zeros(0, np.float32), last=True))
        return found + (self._answer_word() if self._detector.is_active else [])

    def _held_back_s(self) -> float:
        """Return how long the resampler holds sound back."""
        if not self._resampler:
            return 0.0
        trial = soxr.ResampleStream(self.rate, self._rate, 1, "float32", QUALITY)
        n_trial = max(round(self.rate), 1)
        n_out = len(trial.resample_chunk(np.zeros(n_trial, np.float32)))
        return max(n_trial / self.rate - n_out / self._rate, 0.0)

    def _resampled(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        return self._resampler.resample_chunk(samples, last) if self._resampler else samples

    def _take(self, samples: np.ndarray) -> list[Detection]:
        """Take samples at the recogniser's rate."""
        n_piece = round(PIECE_S * self._rate)
        found = []
        for start in range(0, len(samples), n_piece):
            piece = samples[start : start + n_piece]
            self._ring.append(piece)
            for level in self._meter.measure(piece).tolist():
                found += self._step(level)
        return found

    def _step(self, level: float) -> list[Detection]:
        """Take the level of the next frame."""
        was_active, is_active = self._detector.is_active, self._detector.step(level)
        self._n_frames += 1
        if not (was_active or is_active):
            return []
        if not was_active:
            self._start, self._n_loud = self._n_frames - 1, 0
            self._windows.clear()
        if self._detector.is_loud:
            self._end = self._n_frames
            self._n_loud += 1
        if not is_active:
            return self._answer_word()
        if self.settings.early and (self._n_frames - self._start) % self._hop == 0:
            self._windows.append(self._probabilities([self._n_frames])[0])
            if len(self._windows) == self.settings.n_windows:
                return self._report(np.mean(self._windows, axis=0))
        return []

    @property
    def _hop(self) -> int:
        """Frames between the ends of two windows."""
        return max(round(self.settings.hop_s / FRAME_S), 1)

    def _answer_word(self) -> list[Detection]:
        """Ask about windows that end where a word that is over ended, or a little later."""
        if self._detector.is_new_noise or self._n_loud * FRAME_S < self.settings.shortest_s:
            return []
        ends = [self._end + i * self._hop for i in range(self.settings.n_windows)]
        ends = [end for end in ends if end <= self._n_frames]
        return self._report(self._probabilities(ends).mean(axis=0))

    def _probabilities(self, ends: list[int]) -> np.ndarray:
        """Return the probabilities of windows from the start of the word to these frames."""
        n_frame = round(FRAME_S * self._rate)
        start = self._start * n_frame - round(self.settings.margin_s * self._rate)
        preparation = self.recogniser.preparation
        clips = [
            prepare(self._ring.read(max(start, 0), end * n_frame), self._rate, preparation).samples
            for end in ends
        ]
        return self.recogniser.probabilities(np.stack(clips))

    def _report(self, probabilities: np.ndarray) -> list[Detection]:
        """Return the likeliest digit, if it is likely enough and was not reported already."""
        classes = self.recogniser.classes
        digits = [i for i, name in enumerate(classes) if name != OTHER]
        best = max(digits, key=lambda i: probabilities[i])
        start, end = self._start * FRAME_S, self._end * FRAME_S
        latency = self._n_frames * FRAME_S - end + self._delay_s
        found = Detection(classes[best], float(probabilities[best]), start, end, latency)
        if found.probability < self.settings.threshold:
            return []
        if start < self._last_end + self.settings.refractory_s:
            return []
        self._last_end = end
        return [found]


def read_blocks(file: str | Path, seconds: float = 0.1) -> tuple[Iterator[np.ndarray], int]:
    """Read a WAV file block by block, so that one of any length takes little memory.

    Parameters
    ----------
    file : str or path-like
        As for :func:`digitlab.audio.read_wav`.
    seconds : float
        Length of a block.

    Returns
    -------
    blocks : iterator over arrays of shape (n_samples,), float32
        The mean of the channels.
    rate : int
        In Hz.

    Raises
    ------
    WavError
        If the file is missing, is no WAV file, or is damaged; and from `blocks`, as soon as a block
        holds NaN or infinite samples.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write_wav(f"{folder}/long.wav", np.zeros(20000), 8000)
    ...     blocks, rate = read_blocks(f"{folder}/long.wav")
    ...     [len(block) for block in blocks][-2:]
    [800, 800]
    """
    wav = riff.check(file)
    return _blocks(file, max(round(seconds * wav.rate), 1), wav.data_offset), wav.rate


def _blocks(file: str | Path, n_block: int, byte: int) -> Iterator[np.ndarray]:
    try:
        with open(file, "rb") as source, soundfile.SoundFile(source) as sound:
            for block in sound.blocks(n_block, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    problem = "some of its samples are NaN or infinite"
                    raise riff.WavError(file, problem, byte, "Export it again, or leave it out.")
                yield block.mean(axis=1)
    except soundfile.LibsndfileError as error:
        problem = f"libsndfile cannot decode its samples: {error.error_string}"
        raise riff.WavError(file, problem, byte, riff.CONVERT) from error
