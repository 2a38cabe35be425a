"""A corpus: a table of recordings, and what is read and measured from them."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from digitlab import audio, riff
from digitlab.corpora.sources import DIGITS
from digitlab.environment import printable, say_once, sha256
from digitlab.layouts import NOISE, OTHER, CorpusError, listed
from digitlab.preparation import Preparation, Prepared, cut_to_fit, mix_down, summarise
from digitlab.voices import DIGIT_WORDS

if TYPE_CHECKING:
    from IPython.display import HTML

SMOKE_CLIPS = 300
FULL_SCALE = 32767 / 32768  # the highest level that 16 bits hold


@dataclass(frozen=True)
class Corpus:
    """Recordings of spoken words and what is known of them.

    What reads recordings raises a CorpusError that names every file that cannot be used;
    :meth:`readable` leaves those out.

    Attributes
    ----------
    name : str
        A key of ``SOURCES``, or the folder's name.
    table : pandas.DataFrame
        One row a clip: ``path``, ``label`` (index into `classes`), ``speaker``, ``take``. For
        AudioMNIST also ``gender``, ``age``, ``accent``, ``native_speaker``, ``origin``,
        ``recording_date`` and ``recording_room``; for Speech Commands also ``split``, by the
        corpus's own rule: ``"training"``, ``"validation"`` or ``"testing"``.
    rate : int
        Sampling rate of every clip, in Hz.
    classes : tuple of str
        What is said, by label.
    title, licence : str
        For captions.
    folder : pathlib.Path, optional
        The folder that its recordings lie in, some of them a folder further down.
    """

    name: str
    table: pd.DataFrame
    rate: int
    classes: tuple[str, ...]
    title: str
    licence: str
    folder: Path | None = None

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.table)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file, by its name in the corpus."""
        try:
            return {self._name(path): sha256(path) for path in self.table["path"]}
        except OSError as error:
            raise CorpusError(f"{error.filename} cannot be read: {error.strerror}") from error

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``name sha256`` of the corpus's files."""
        lines = "".join(f"{name} {self.hashes[name]}\n" for name in sorted(self.hashes))
        return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()

    @property
    def background_noise(self) -> list[Path]:
        """Speech Commands' long recordings of noise, which are not in the table."""
        return sorted(self.folder.glob(f"{NOISE}/*.wav")) if self.folder else []

    def select(self, rows: Sequence[int] | Sequence[bool] | np.ndarray | pd.Series) -> "Corpus":
        """Return a part of the corpus, its rows numbered from 0.

        Parameters
        ----------
        rows : sequence of int or of bool
            Row numbers in the order wanted, or a mask with an entry for each clip.

        Examples
        --------
        >>> from digitlab import corpora
        >>> corpus = corpora.load("voices")
        >>> len(corpus.select(corpus.table["label"] == 7)), len(corpus.select([5, 3]))
        (480, 2)
        """
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(int)
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))

    def as_digits(self) -> "Corpus":
        """Return the same clips with the digits 0 to 9 as classes, and all other words as one.

        Returns
        -------
        Corpus
            Its classes are ``"0"`` to ``"9"``, whether they were called so or ``"zero"`` to
            ``"nine"``, and ``"other"`` where other words are said.

        Examples
        --------
        >>> from digitlab import corpora
        >>> corpora.load("voices").as_digits().classes[-3:]
        ('7', '8', '9')
        """
        digits = {word: digit for digit, word in enumerate(DIGIT_WORDS)}
        digits |= {name: digit for digit, name in enumerate(DIGITS)}
        other = len(DIGITS)
        labels = np.array([digits.get(name, other) for name in self.classes])[self.table["label"]]
        classes = (*DIGITS, OTHER) if (labels == other).any() else DIGITS
        return replace(self, table=self.table.assign(label=labels), classes=classes)

    def digits(self) -> "Corpus":
        """Return the digits among the clips, with the digits as classes.

        Examples
        --------
        >>> from digitlab import corpora
        >>> corpora.load("voices-speech_commands").digits().classes[-3:]
        ('7', '8', '9')
        """
        corpus = self.as_digits()
        return corpus.select(corpus.table["label"] < len(DIGITS)).as_digits()

    def at_scale(self, scale: str) -> "Corpus":
        """Return the share of the corpus that a scale works on, in the same order.

        Parameters
        ----------
        scale : str
            ``"smoke"``: takes 0, 10, 20 and so on of each speaker (0 and 5 where there are no more
            than ten), or the first there is, and no more than some 300 clips, spread over all
            classes and many speakers; ``"laptop"`` and ``"full"``: all of it.
        """
        if scale != "smoke":
            return self
        takes = self.table["take"]
        first = takes == self.table.groupby(["label", "speaker"])["take"].transform("min")
        step = 10 if takes.max() >= 10 else 5
        rows = np.flatnonzero((takes % step == 0) | first)
        most = max(SMOKE_CLIPS // len(self.classes), 1)
        return self.select(_thinned(rows, self.table["label"].to_numpy()[rows], most))

    def read(self, row: int) -> np.ndarray:
        """Read one clip: float32 samples, shape (n_samples,), whose full scale is 1.

        Several channels are mixed down to one, as :func:`digitlab.preparation.mix_down` does it.

        Parameters
        ----------
        row : int
            Row of the table.
        """
        return mix_down(self._read(self.table["path"].iloc[row]))[0]

    def waveforms(
        self,
        n_samples: int = 8192,
        *,
        align: Literal["center", "start"] = "center",
        normalize: bool = True,
        rate: int | None = None,
        background: bool = False,
    ) -> np.ndarray:
        """Read every clip into one array of clips of one length.

        What is too long is cut to the word in it, what is too short filled up with zeros, as
        :func:`digitlab.preparation.prepare` does it. A printed line says how many were changed.

        Parameters
        ----------
        n_samples : int
            Length of each row.
        align : {"center", "start"}
            Where a clip that is too short comes to lie: with zeros on both sides, or all at its
            end.
        normalize : bool
            Whether to scale each clip to peak 1.
        rate : int, optional
            Resample to this rate in Hz, to which `n_samples` then refers.
        background : bool
            Whether recordings keep what surrounds the word, as for
            :class:`digitlab.preparation.Preparation`.

        Returns
        -------
        array of shape (n_clips, n_samples), float32
            In the table's order. Where it is too large for the memory, read part after part:
            ``corpus.select(range(1000)).waveforms()``.

        Raises
        ------
        CorpusError
            If files cannot be used; it names them.
        ValueError
            If `align` is neither.

        Examples
        --------
        >>> from digitlab import corpora
        >>> corpora.load("voices").select([0, 1]).waveforms().shape
        (2, 8192)
        """
        preparation = Preparation(rate or self.rate, n_samples, align, normalize, background)
        waveforms, notes = self.prepare(preparation)
        for note in notes:
            say_once(note)
        return waveforms

    def prepare(
        self, preparation: Preparation, *, most_rate: int | None = None
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Read every clip as a system takes it.

        Parameters
        ----------
        preparation : Preparation
            Rate and length of the clips, and how recordings are fitted to them.
        most_rate : int, optional
            Recordings of a higher rate, in Hz, are brought to this one first: they then hold no
            more than a corpus of this rate does.

        Returns
        -------
        waveforms : array of shape (n_clips, n_samples), float32
            In the table's order.
        notes : tuple of str
            How many recordings were changed, a line for each kind of change.
        """
        waveforms = np.zeros((len(self), preparation.n_samples), np.float32)
        recordings, notes = self._cut(preparation, most_rate or self.rate)
        for row, recording in recordings:
            waveforms[row] = preparation.fit(recording)
        return waveforms, summarise(notes)

    def batches(
        self, preparation: Preparation, n_clips: int = 1024
    ) -> Iterator[Callable[[], np.ndarray]]:
        """Yield functions that read the corpus, each a part of it, as a system takes it.

        Nothing is read before such a function is called, and another process may call it: this is
        what :func:`digitlab.features.compute_to_disk` takes. Taught in chapter 19.

        Parameters
        ----------
        preparation : Preparation
            As for :meth:`prepare`.
        n_clips : int
            How many clips each function reads; the last one reads what is left.

        Yields
        ------
        function
            Without arguments; it returns waveforms, (n_clips, n_samples), float32.

        Examples
        --------
        >>> from digitlab import corpora
        >>> batches = list(corpora.load("voices").batches(Preparation(8000, 8192)))
        >>> len(batches), batches[-1]().shape
        (5, (704, 8192))
        """
        files = [str(path) for path in self.table["path"]]
        for start in range(0, len(files), n_clips):
            yield partial(_prepared, files[start : start + n_clips], self.rate, preparation)

    def cut(self, preparation: Preparation) -> tuple[list[np.ndarray], tuple[str, ...]]:
        """Read every clip as :meth:`prepare` does, without padding it and scaling it.

        Parameters
        ----------
        preparation : Preparation
            As for :meth:`prepare`.

        Returns
        -------
        recordings : list of array of float32
            Of at most ``n_samples`` samples.
        notes : tuple of str
            As for :meth:`prepare`.
        """
        recordings, notes = self._cut(preparation, self.rate)
        return [recording for _, recording in recordings], summarise(notes)

    def _cut(self, preparation: Preparation, most_rate: int) -> tuple[Iterator, list[Prepared]]:
        """Return an iterator over rows and cut recordings, and a list that it fills on its way."""
        changes: list[Prepared] = []
        rate = min(self.rate, most_rate)

        def recordings():
            for row, samples in self._each(self._read):
                if rate < self.rate:
                    samples = audio.resample(mix_down(samples)[0], self.rate, rate)
                cut = cut_to_fit(samples, rate, preparation)
                changes.append(replace(cut, samples=cut.samples[:0]))
                yield row, cut.samples

        return recordings(), changes

    def recordings(self) -> list[np.ndarray]:
        """Read every clip as :meth:`read` does, each of its own length, in the table's order."""
        return [mix_down(samples)[0] for _, samples in self._each(self._read)]

    def durations(self) -> np.ndarray:
        """Return how long each clip is, in seconds, from the headers alone: shape (n_clips,)."""
        return np.array([seconds for _, seconds in self._each(self._duration)])

    def measure(self, *, silence_db: float = -40) -> pd.DataFrame:
        """Measure every clip: how long, how loud, how clipped, how silent at its ends.

        Parameters
        ----------
        silence_db : float
            What stays this far below the clip's own peak, in dB, counts as silence.

        Returns
        -------
        pandas.DataFrame
            A row a clip, in the table's order: ``seconds``; ``peak_db`` and ``rms_db``, where full
            scale is 0 and silence is minus infinity; ``clipped``, the share of samples at full
            scale; ``offset``, the mean as a share of the peak; ``silent_start_s`` and
            ``silent_end_s``, both as long as the clip if it is nothing but zeros.
        """
        quiet = 10 ** (silence_db / 20)
        return pd.DataFrame(
            [
                _measured(mix_down(samples)[0], self.rate, quiet)
                for _, samples in self._each(self._read)
            ],
            columns=[
                *("seconds", "peak_db", "rms_db", "clipped", "offset"),
                *("silent_start_s", "silent_end_s"),
            ],
        )

    def duplicates(self) -> list[list[int]]:
        """Return the rows of each recording that is there more than once, byte for byte.

        AudioMNIST has two: speaker 36 lacked takes 20 and 29 of the three, and got copies of 19
        and 28. A copy must not be in both the training and the test set (chapter 7).
        """
        paths = self.table["path"].tolist()
        sizes = [path.stat().st_size if os.access(path, os.R_OK) else 0 for path in paths]
        shared = {size for size, n_files in Counter(sizes).items() if size and n_files > 1}
        found: dict[str, list[int]] = {}
        for row, path in enumerate(paths):
            if sizes[row] in shared:
                found.setdefault(sha256(path), []).append(row)
        return [rows for rows in found.values() if len(rows) > 1]

    def readable(self) -> "Corpus":
        """Return the corpus without the files that cannot be read; a warning names each of them."""
        good = np.ones(len(self), bool)
        for row, path in enumerate(self.table["path"]):
            try:
                self._read(path)
            except audio.WavError as error:
                good[row] = False
                warnings.warn(printable(f"left out: {error}"), stacklevel=2)
        return self.select(good)

    def caption(self, row: int, words: str = "") -> str:
        """Return a caption for one clip: speaker, take, corpus and licence.

        Parameters
        ----------
        row : int
            Row of the table.
        words : str
            What to listen for; stands first.

        Examples
        --------
        >>> from digitlab import corpora
        >>> corpora.load("voices").caption(0, "A zero.")  # doctest: +ELLIPSIS
        'A zero. ..., take 0; built-in voices (synthesised).'
        """
        clip = self.table.iloc[row]
        licence = f" ({self.licence})" if self.licence else ""
        return f"{words} {clip.speaker}, take {clip['take']}; {self.title}{licence}.".strip()

    def player(self, row: int, words: str = "") -> "HTML":
        """Return a player for one clip, with its caption.

        Parameters
        ----------
        row : int
            Row of the table.
        words : str
            What to listen for; stands first in the caption.
        """
        return audio.player(self.read(row), self.rate, self.caption(row, words))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if self.folder else path.name

    def _each(self, read: Callable[[Path], Any]) -> Iterator[tuple[int, Any]]:
        """Yield each row with what `read` makes of its file; at the end, name the bad files."""
        problems = []
        for row, path in enumerate(self.table["path"]):
            try:
                content = read(path)
            except audio.WavError as error:
                problems.append(str(error))
            else:
                yield row, content
        if problems:
            raise CorpusError(
                listed(f"{len(problems)} of {len(self)} recordings cannot be used:", problems)
                + "\nMend them, or leave them out with corpus.readable()."
            )

    def _read(self, path: Path) -> np.ndarray:
        samples, rate = audio.read_wav(path)
        self._expect(path, rate)
        return samples

    def _duration(self, path: Path) -> float:
        wav = riff.check(path)
        self._expect(path, wav.rate)
        return len(self._read(path)) / self.rate if wav.duration is None else wav.duration

    def _expect(self, path: Path, rate: int) -> None:
        if rate != self.rate:
            raise audio.WavError(
                path,
                f"its rate is {rate} Hz where the corpus has {self.rate} Hz",
                byte=None,
                remedy="Resample it (digitlab.audio.resample), or keep it in a folder of its own.",
            )


def _prepared(files: list[str], rate: int, preparation: Preparation) -> np.ndarray:
    """Read files of one rate as a system takes them."""
    table = pd.DataFrame({"path": [Path(file) for file in files]})
    return Corpus("", table, rate, (), "", "").prepare(preparation)[0]


def _measured(samples: np.ndarray, rate: int, quiet: float) -> tuple[float, ...]:
    magnitudes = np.abs(samples)
    peak, n = magnitudes.max(), len(samples)
    loud = np.flatnonzero(magnitudes > quiet * peak)
    start, end = (loud[0], n - 1 - loud[-1]) if peak else (n, n)
    with np.errstate(divide="ignore"):  # silence is at minus infinity
        peak_db = 20 * np.log10(peak)
        rms_db = 10 * np.log10(np.square(samples, dtype=np.float64).mean())
    clipped = (magnitudes >= FULL_SCALE).mean()
    offset = samples.mean(dtype=np.float64) / peak if peak else 0.0
    return n / rate, peak_db, rms_db, clipped, offset, start / rate, end / rate


def _thinned(rows: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Keep at most so many rows of each label, evenly spread."""
    kept = []
    for label in np.unique(labels):
        of_label = rows[labels == label]
        places = np.linspace(0, len(of_label) - 1, min(most, len(of_label)))
        kept.extend(of_label[places.round().astype(int)])
    return np.sort(kept)
