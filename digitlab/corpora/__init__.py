"""Corpora of spoken words: find them on disk, download, verify, load.

``load("fsdd")`` looks in ``$DIGITLAB_DATA``, then in the user's cache, then downloads; so do
``load("audiomnist")`` and ``load("speech_commands")``, except that these are large and are
downloaded only by ``digitlab data fetch``. A folder of one's own recordings loads too. Chapter 6
looks at the recordings themselves.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from digitlab import audio, riff, voices
from digitlab.corpora.download import DAMAGED, download, need_space, reason, sha256, unpack
from digitlab.corpora.sources import DIGITS, SOURCES, Source, known_hashes
from digitlab.environment import SCALES as SCALES
from digitlab.environment import cache_folder
from digitlab.environment import scale_from_environment as scale_from_environment
from digitlab.layouts import (
    LAYOUTS,
    METADATA,
    NOISE,
    CorpusError,
    complain_of,
    layout_of,
    listed,
    name_of,
    sounds_in,
    table_of,
)

SMOKE_CLIPS = 300
EXAMPLES = {"audiomnist": "*/{digit}_*.wav", "speech_commands": "{word}/*.wav"}
REFUSAL_HOLDS_S = 3600  # a network that refused is not asked again within the hour
STALE_S = 3600  # a fetch that left its folder behind this long ago was killed
ROOM = 3  # times the size of a download that its archive and its files take
FULL_SCALE = 32767 / 32768  # the highest level that 16 bits hold


class CorpusUnreachable(CorpusError):
    """A corpus is not on this machine, or too little of it, and was not downloaded."""


@dataclass(frozen=True)
class Corpus:
    """Recordings of spoken words and what is known of them.

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
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``name sha256`` of the corpus's files."""
        return _digest(_hashes(self.table["path"], self.folder))

    @property
    def background_noise(self) -> list[Path]:
        """Speech Commands' long recordings of noise, which are not in the table."""
        return sorted(self.folder.glob(f"{NOISE}/*.wav")) if self.folder else []

    def select(self, rows) -> "Corpus":
        """Return a part of the corpus.

        Parameters
        ----------
        rows : sequence of int or of bool
            Row numbers in the order wanted, or a mask with an entry for each clip.

        Returns
        -------
        Corpus
            Its rows are numbered from 0.

        Examples
        --------
        >>> corpus = load("voices")
        >>> len(corpus.select(corpus.table["label"] == 7)), len(corpus.select([5, 3]))
        (240, 2)
        """
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(int)
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))

    def at_scale(self, scale: str) -> "Corpus":
        """Return the share of the corpus that a scale works on.

        Parameters
        ----------
        scale : str
            ``"smoke"``: takes 0, 10, 20 and so on of each speaker, or the first there is, and no
            more than some 300 clips, spread over all classes and many speakers; ``"laptop"`` and
            ``"full"``: all of it.

        Returns
        -------
        Corpus
            The smaller corpus, in the same order.

        Examples
        --------
        >>> len(load("voices").at_scale("smoke"))
        240
        """
        if scale != "smoke":
            return self
        takes = self.table["take"]
        first = takes == self.table.groupby(["label", "speaker"])["take"].transform("min")
        rows = np.flatnonzero((takes % 10 == 0) | first)
        most = max(SMOKE_CLIPS // len(self.classes), 1)
        return self.select(_thinned(rows, self.table["label"].to_numpy()[rows], most))

    def read(self, row: int) -> np.ndarray:
        """Read one clip as it is.

        Parameters
        ----------
        row : int
            Row of the table.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            At the corpus's rate; full scale is 1.

        Raises
        ------
        WavError
            If the file cannot be read, or has another rate or more than one channel.

        Examples
        --------
        >>> load("voices").read(0).dtype
        dtype('float32')
        """
        return self._read(self.table["path"].iloc[row])

    def waveforms(
        self,
        n_samples: int = 8192,
        *,
        align: str = "center",
        normalize: bool = True,
        rate: int | None = None,
    ) -> np.ndarray:
        """Read every clip into one array, truncated or filled up with zeros.

        Parameters
        ----------
        n_samples : int
            Length of each row.
        align : {"center", "start"}
            Where a clip that is too short comes to lie: with zeros on both sides, or all at its
            end.
        normalize : bool
            Whether to scale each clip, before it is cut, to peak 1.
        rate : int, optional
            Resample to this rate in Hz, to which `n_samples` then refers.

        Returns
        -------
        array of shape (n_clips, n_samples), float32
            In the table's order.

        Raises
        ------
        CorpusError
            If files cannot be used; it names them. :meth:`readable` leaves them out.
        ValueError
            If `align` is neither.

        Notes
        -----
        Taught in chapter 6. Takes the memory of the array and of one clip. Where the array itself
        is too large, read part after part: ``corpus.select(range(1000)).waveforms()``.

        Examples
        --------
        >>> load("voices").at_scale("smoke").waveforms().shape
        (240, 8192)
        """
        waveforms = np.zeros((len(self), n_samples), np.float32)
        for row, samples in self._each(self._read):
            samples = audio.resample(samples, self.rate, rate or self.rate)
            if normalize:
                samples = audio.peak_normalize(samples)
            waveforms[row] = audio.fit(samples, n_samples, align=align)
        return waveforms

    def recordings(self) -> list[np.ndarray]:
        """Read every clip as it is, each of its own length.

        Returns
        -------
        list of ndarray of float32, shape (n_samples,)
            In the table's order, at the corpus's rate; full scale is 1.

        Raises
        ------
        CorpusError
            If files cannot be used; it names them. :meth:`readable` leaves them out.

        Examples
        --------
        >>> clips = load("voices").at_scale("smoke").recordings()
        >>> len(clips), len({len(clip) for clip in clips}) > 1
        (240, True)
        """
        return [samples for _, samples in self._each(self._read)]

    def durations(self) -> np.ndarray:
        """Return how long each clip is, from the headers alone.

        Returns
        -------
        array of shape (n_clips,)
            In seconds.

        Raises
        ------
        CorpusError
            If files cannot be used; it names them.

        Notes
        -----
        Taught in chapter 6.

        Examples
        --------
        >>> bool((load("voices").durations() > 0.1).all())
        True
        """
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
            scale; ``silent_start_s`` and ``silent_end_s``, both as long as the clip if it is
            nothing but zeros.

        Raises
        ------
        CorpusError
            If files cannot be used; it names them.

        Notes
        -----
        Taught in chapter 6. One pass, one clip in memory at a time.

        Examples
        --------
        >>> load("voices").at_scale("smoke").measure().columns.tolist()
        ['seconds', 'peak_db', 'rms_db', 'clipped', 'silent_start_s', 'silent_end_s']
        """
        quiet = 10 ** (silence_db / 20)
        return pd.DataFrame(
            [_measured(samples, self.rate, quiet) for _, samples in self._each(self._read)],
            columns=["seconds", "peak_db", "rms_db", "clipped", "silent_start_s", "silent_end_s"],
        )

    def duplicates(self) -> list[list[int]]:
        """Find recordings that are there twice, byte for byte.

        Returns
        -------
        list of list of int
            Rows of the table, a list for each recording that has copies.

        Notes
        -----
        Taught in chapter 7: a copy must not be in both the training and the test set. AudioMNIST
        has two: speaker 36 lacked takes 20 and 29 of the three, and got copies of 19 and 28.

        Examples
        --------
        >>> load("voices").duplicates()
        []
        """
        paths = self.table["path"].tolist()
        sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
        shared = {size for size, n_files in Counter(sizes).items() if size and n_files > 1}
        found = {}
        for row, path in enumerate(paths):
            if sizes[row] in shared:
                found.setdefault(sha256(path), []).append(row)
        return [rows for rows in found.values() if len(rows) > 1]

    def readable(self) -> "Corpus":
        """Return the corpus without the files that cannot be read; a warning names each of them.

        Returns
        -------
        Corpus
            The same clips in the same order, less the bad ones.

        Examples
        --------
        >>> len(load("voices").at_scale("smoke").readable())
        240
        """
        good = np.ones(len(self), bool)
        for row, path in enumerate(self.table["path"]):
            try:
                self._read(path)
            except audio.WavError as error:
                good[row] = False
                warnings.warn(f"left out: {error}", stacklevel=2)
        return self.select(good)

    def caption(self, row: int, words: str = "") -> str:
        """Return a caption for one clip: speaker, corpus and licence.

        Parameters
        ----------
        row : int
            Row of the table.
        words : str
            What to listen for; stands first.

        Returns
        -------
        str
            Such as "A zero. anna, take 0; built-in voices (synthesised)."

        Examples
        --------
        >>> load("voices").caption(0, "A zero.")  # doctest: +ELLIPSIS
        'A zero. ..., take 0; built-in voices (synthesised).'
        """
        clip = self.table.iloc[row]
        licence = f" ({self.licence})" if self.licence else ""
        return f"{words} {clip.speaker}, take {clip['take']}; {self.title}{licence}.".strip()

    def player(self, row: int, words: str = ""):
        """Return a player for one clip, captioned with speaker, corpus and licence.

        Parameters
        ----------
        row : int
            Row of the table.
        words : str
            What to listen for; stands first in the caption.

        Returns
        -------
        IPython.display.HTML
            The player.

        Examples
        --------
        >>> load("voices").player(0, "A zero.")  # doctest: +ELLIPSIS
        <IPython.core.display.HTML object>
        """
        return audio.player(self.read(row), self.rate, self.caption(row, words))

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
        self._expect(path, rate, 1 if samples.ndim == 1 else samples.shape[1])
        return samples

    def _duration(self, path: Path) -> float:
        wav = riff.check(path)
        self._expect(path, wav.rate, wav.channels)
        return len(self._read(path)) / self.rate if wav.duration is None else wav.duration

    def _expect(self, path: Path, rate: int, n_channels: int) -> None:
        if rate != self.rate:
            raise audio.WavError(
                path,
                f"its rate is {rate} Hz where the corpus has {self.rate} Hz",
                byte=None,
                remedy="Resample it (digitlab.audio.resample), or keep it in a folder of its own.",
            )
        if n_channels != 1:
            raise audio.WavError(
                path,
                f"it has {n_channels} channels where one is expected",
                byte=None,
                remedy="Mix it down: read it with mono=True and write it again.",
            )


def example(name: str, digit: int) -> tuple[np.ndarray, int, str]:
    """Return one clip of a digit from a corpus on disk, or else from the built-in voices.

    Parameters
    ----------
    name : str
        ``"audiomnist"`` (48 kHz) or ``"speech_commands"`` (16 kHz).
    digit : int
        0 to 9.

    Returns
    -------
    samples : ndarray of float32, shape (n_samples,)
        The clip.
    rate : int
        In Hz: the corpus's own, also where the built-in voices stand in.
    caption : str
        Who speaks, from which corpus, under which licence.

    Raises
    ------
    WavError
        If the recording cannot be read.

    Notes
    -----
    Used in chapters 2 to 4, where one clip at a higher rate than 8 kHz is enough. Only the files
    of that digit are looked at.

    Examples
    --------
    >>> samples, rate, caption = example("audiomnist", 6)
    >>> rate
    48000
    """
    source, folder = SOURCES[name], find(name)
    layout = LAYOUTS[source.layout]
    digit_files = EXAMPLES[name].format(digit=digit, word=voices.DIGIT_WORDS[digit])
    for path in sorted(folder.glob(digit_files)) if folder else ():
        if match := layout.pattern.fullmatch(path.relative_to(folder).as_posix()):
            samples, rate = audio.read_wav(path, mono=True)
            return samples, rate, f"speaker {match['speaker']}; {source.title} ({source.licence})"
    samples = voices.say(digit, rate=source.rate)
    return samples, source.rate, f"{voices.NAMES[0]}; built-in voices (synthesised)"


def load(
    name: str | os.PathLike,
    *,
    fallback: str | os.PathLike | Sequence[str] = (),
    at_least: int = 1,
    strict: bool = True,
) -> Corpus:
    """Load a corpus by name, or a folder of recordings.

    Parameters
    ----------
    name : str or path
        ``"fsdd"``, ``"audiomnist"``, ``"speech_commands"`` (v0.01, 30 words),
        ``"speech_commands_v0.02"`` (35 words), ``"voices"``, ``"voices-audiomnist"``,
        ``"voices-speech_commands"``, or a folder.
    fallback : str or path, or list of them, optional
        What to load instead, with a printed line, if `name` is neither on disk nor downloadable,
        or too small; of several, the first that can be had. ``"voices"`` are those in the layout
        of `name`.
    at_least : int
        How many clips of `name` are needed.
    strict : bool
        Whether a file that is misnamed, a duplicate, out of place or missing is an error. If not,
        warnings name such files and those that cannot be read, and the rest loads.

    Returns
    -------
    Corpus
        Clips sorted by label, speaker and take.

    Raises
    ------
    CorpusError
        If the corpus is incomplete or a file is not as it should be, or ``DIGITLAB_DATA`` is set
        and does not hold a corpus that would otherwise be downloaded.
    CorpusUnreachable
        If it is not on disk and cannot be downloaded, or is too small.

    Notes
    -----
    Looked for, in this order: ``$DIGITLAB_DATA``, the user's cache, the public download. The large
    ones, AudioMNIST and Speech Commands, are downloaded by ``digitlab data fetch`` alone, and a
    part of them loads, with a printed line. The built-in voices are made on first use.

    In a folder of one's own, recordings are called ``{digit}_{speaker}_{take}.wav``, or lie in a
    folder for each class, such as ``seven/anna_3.wav``. There the speaker is what stands before
    the first ``_``, or else the whole name, and takes are counted in the order of the names. The
    layouts of AudioMNIST and Speech Commands are recognised, too.

    Examples
    --------
    >>> corpus = load("voices")
    >>> len(corpus), corpus.rate, corpus.table.columns.tolist()
    (2400, 8000, ['path', 'label', 'speaker', 'take'])
    """
    if name not in SOURCES:
        return _load_own(Path(name), at_least, strict)
    try:
        return _load_published(name, at_least, strict)
    except CorpusUnreachable as error:
        if not fallback:
            raise
        source = SOURCES[name]
        voices = "voices" if source.layout == "fsdd" else f"voices-{source.layout}"
        others = fallback if isinstance(fallback, list | tuple) else [fallback]
        first, *others = [voices if other == "voices" else other for other in others]
        corpus = load(first, fallback=others)
        print(f"{source.title} could not be had: {error}")
        print(f"What follows was computed on the {corpus.title} instead.")
        return corpus


def find(name: str) -> Path | None:
    """Return the folder that holds a corpus's recordings, or None if it is nowhere on this machine.

    Parameters
    ----------
    name : str
        A key of ``SOURCES``.

    Returns
    -------
    pathlib.Path or None
        The folder with the WAV files, or with the folders that hold them.

    Raises
    ------
    CorpusError
        If ``DIGITLAB_DATA`` is set and does not hold the corpus: a data folder is never passed
        over in silence. A large corpus may be in the cache instead.

    Examples
    --------
    >>> find("voices").name
    'recordings'
    """
    return next(iter(_places(name)), None)


def fetch(name: str, *, ask_again: bool = True) -> Path:
    """Download a corpus, or make the built-in one, into the user's cache.

    It is unpacked beside its place, verified, and moved there whole: a fetch that is killed leaves
    nothing half-made, and running it again finishes the work. What has arrived of a large archive
    is kept for that.

    Parameters
    ----------
    name : str
        A key of ``SOURCES``.
    ask_again : bool
        Whether to ask a network that refused within the last hour.

    Returns
    -------
    pathlib.Path
        The folder with the WAV files, or with the folders that hold them.

    Raises
    ------
    CorpusUnreachable
        If no source answers, what each sent is not the corpus, or the disk is too full.

    Examples
    --------
    >>> fetch("voices").name
    'recordings'
    """
    source, folder = SOURCES[name], _cached(name)
    if folder.is_dir():
        return folder
    if not source.urls:
        return _make_voices(name)
    refusal = cache_folder() / f"{name}.unreachable"
    if not ask_again and refusal.exists() and _age(refusal) < REFUSAL_HOLDS_S:
        raise CorpusUnreachable(refusal.read_text(encoding="utf-8"))
    problems = []
    for url in source.urls:
        try:
            need_space(cache_folder(), ROOM * source.size_mb)
            _fetch_from(url, name)
        except (OSError, CorpusError, *DAMAGED) as error:
            if folder.is_dir():  # somebody else fetched it meanwhile
                return folder
            problems.append(f"{url}: {reason(error)}")
        else:
            refusal.unlink(missing_ok=True)
            return folder
    message = listed("no source sent it:", problems) + (
        f"\nWith a network, run  digitlab data fetch {name}  to try again; "
        "or set DIGITLAB_DATA to a folder that holds it."
    )
    refusal.write_text(message, encoding="utf-8")
    raise CorpusUnreachable(message)


def verify(name: str) -> str:
    """Check every file of a corpus on disk against what it must hold.

    Parameters
    ----------
    name : str
        A key of ``SOURCES``.

    Returns
    -------
    str
        The corpus's digest.

    Raises
    ------
    CorpusError
        If files are missing, too many, or not what was published; it names them.

    Examples
    --------
    >>> len(verify("voices"))
    64
    """
    folder = find(name)
    if folder is None:
        raise CorpusError(f"{name} is not on this machine: run  digitlab data fetch {name}")
    return _verify_folder(name, folder)


def _places(name: str) -> list[Path]:
    """List the folders that hold the corpus, the first choice first."""
    source, data = SOURCES[name], os.environ.get("DIGITLAB_DATA")
    places = [_cached(name)]
    if data and source.urls:
        if not Path(data).is_absolute():
            raise CorpusError(f"DIGITLAB_DATA is {data!r}: it must be an absolute path")
        top = Path(data) / source.folder
        folder = top / LAYOUTS[source.layout].inside
        if not folder.is_dir() and (top.exists() or not (source.large and Path(data).is_dir())):
            raise CorpusError(
                f"DIGITLAB_DATA is set and {folder} is missing: put the corpus there, "
                "or unset DIGITLAB_DATA to have it downloaded"
            )
        places = [folder, *places] if source.large else [folder]
    return [place for place in places if place.is_dir()]


def _cached(name: str) -> Path:
    """Where a corpus lives in the cache; the voices of each version have a folder of their own."""
    source = SOURCES[name]
    folder = source.folder
    if not source.urls:
        folder += f"-{voices.VERSION}"
    return cache_folder() / folder / LAYOUTS[source.layout].inside


def _load_published(name: str, at_least: int, strict: bool) -> Corpus:
    source, places = SOURCES[name], _places(name)
    if not places and not source.large:
        places = [fetch(name, ask_again=False)]
    here = "it is not on this machine"
    for folder in places:
        sounds = sounds_in(folder)
        n_clips = len(sounds)
        if n_clips >= at_least:
            corpus = _read_folder(name, folder, sounds, strict=strict)
            n_clips = len(corpus)
        here = f"{n_clips:,} of its {source.n_clips:,} clips are on this machine"
        if n_clips >= at_least:
            if n_clips < source.n_clips:
                print(f"A part of {source.title}: {here}.")
            return corpus
        here += f", fewer than the {at_least:,} needed"
    fetch_it = f" To download it all, {source.size_mb:,} MB: digitlab data fetch {name}"
    raise CorpusUnreachable(f"{here}.{fetch_it if source.large else ''}")


def _read_folder(name: str, folder: Path, sounds: list[str], *, strict: bool) -> Corpus:
    source = SOURCES[name]
    table, classes = table_of(folder, sounds, source.layout, source.classes, strict=strict)
    corpus = Corpus(name, table, source.rate, classes, source.title, source.licence, folder)
    if not source.large:
        corpus = _whole(corpus, source, strict=strict)
    return corpus if strict else corpus.readable()


def _whole(corpus: Corpus, source: Source, *, strict: bool) -> Corpus:
    """Complain of recordings that are missing, or do not belong and are left out."""
    names = [name_of(path, corpus.folder) for path in corpus.table["path"]]
    problem = source.problem_of(names)
    if problem and strict:
        remedy = "Complete it, or load what there is: load(..., strict=False)."
        if source.large:
            remedy = f"It loads as it is; all of it comes with  digitlab data fetch {corpus.name}"
        elif not source.urls:
            remedy = "Delete that folder: it is then made again."
        raise CorpusError(f"{corpus.folder} {problem}\n{remedy}")
    if problem:
        warnings.warn(f"{corpus.folder} {problem}", stacklevel=2)
    return corpus.select(np.isin(names, source.names or names))


def _load_own(folder: Path, at_least: int, strict: bool) -> Corpus:
    if not folder.is_dir():
        raise CorpusError(
            f"{folder} is neither a folder nor a corpus: the corpora are {', '.join(SOURCES)}"
        )
    folder = folder.resolve()
    if (folder / "recordings").is_dir():
        folder = folder / "recordings"
    elif (folder / "data" / METADATA).is_file():
        folder = folder / "data"
    sounds = sounds_in(folder)
    if not any(sound.lower().endswith(".wav") for sound in sounds):
        others = f", but {sounds[0]}: convert it" if sounds else ""
        raise CorpusError(f"{folder} holds no .wav file{others}")
    layout = layout_of(sounds)
    classes = None if LAYOUTS[layout].inside == "" else DIGITS
    table, classes = table_of(folder, sounds, layout, classes, strict=strict)
    rate, title = _usual_rate(table["path"]), f"recordings in {folder}"
    corpus = Corpus(folder.name, table, rate, classes, title, "", folder)
    copies = corpus.duplicates()
    names = [" = ".join(name_of(table["path"][row], folder) for row in rows) for rows in copies]
    problem = f"in {folder}, {len(names)} recordings are there more than once:"
    complain_of(problem, names, "Keep one of each.", strict=strict)
    if not strict:
        again = [row for rows in copies for row in rows[1:]]
        corpus = corpus.select(~table.index.isin(again)).readable()
    if len(corpus) < at_least:
        raise CorpusError(f"{folder} holds {len(corpus):,} clips, and {at_least:,} are needed")
    return corpus


def _usual_rate(paths: pd.Series) -> int:
    """Return the rate that most recordings have, of a hundred if there are many."""
    rates, problem = Counter(), ""
    for path in paths[:: max(len(paths) // 100, 1)]:
        try:
            rates[riff.check(path).rate] += 1
        except audio.WavError as error:
            problem = f", such as {error}"
    if not rates:
        raise CorpusError(f"none of the recordings can be read{problem}")
    return rates.most_common(1)[0][0]


def _measured(samples: np.ndarray, rate: int, quiet: float) -> tuple[float, ...]:
    magnitudes = np.abs(samples)
    peak, n = magnitudes.max(), len(samples)
    loud = np.flatnonzero(magnitudes > quiet * peak)
    start, end = (loud[0], n - 1 - loud[-1]) if peak else (n, n)
    with np.errstate(divide="ignore"):  # silence is at minus infinity
        peak_db = 20 * np.log10(peak)
        rms_db = 10 * np.log10(np.square(samples, dtype=np.float64).mean())
    clipped = (magnitudes >= FULL_SCALE).mean()
    return n / rate, peak_db, rms_db, clipped, start / rate, end / rate


def _thinned(rows: np.ndarray, labels: np.ndarray, most: int) -> np.ndarray:
    """Keep at most so many rows of each label, evenly spread."""
    kept = []
    for label in np.unique(labels):
        of_label = rows[labels == label]
        places = np.linspace(0, len(of_label) - 1, min(most, len(of_label)))
        kept.extend(of_label[places.round().astype(int)])
    return np.sort(kept)


def _make_voices(name: str) -> Path:
    source, folder = SOURCES[name], _cached(name)
    inside = LAYOUTS[source.layout].inside
    try:
        voices.write_corpus(
            folder.parent if inside else folder,
            layout=source.layout,
            n_speakers=source.n_speakers,
            n_takes=source.n_takes,
            rate=source.rate,
        )
    except OSError:
        if not folder.is_dir():  # else somebody made them at the same time
            raise
    return folder


def _fetch_from(url: str, name: str) -> None:
    source, cache = SOURCES[name], cache_folder()
    for leftover in cache.glob(f".{name}-*"):
        if _age(leftover) > STALE_S:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as scratch:
        archive = cache / f".{name}.part" if source.large else Path(scratch, "archive")
        download(url, archive)
        try:
            whole = _unpacked(name, archive, Path(scratch))
        except Exception as error:
            if getattr(error, "errno", None) != errno.ENOSPC:
                archive.unlink()  # what has arrived is no good
            raise
        whole.rename(cache / source.folder)
        archive.unlink()


def _unpacked(name: str, archive: Path, scratch: Path) -> Path:
    """Unpack an archive and verify it; return the folder that is to be the corpus's."""
    source = SOURCES[name]
    if source.sha256 and sha256(archive) != source.sha256:
        raise CorpusError("what arrived is not what was published: its SHA-256 differs")
    unpack(archive, scratch / "unpacked", source.n_clips)
    inside = LAYOUTS[source.layout].inside
    if not inside:
        _verify_folder(name, scratch / "unpacked")
        return scratch / "unpacked"
    recordings = next((scratch / "unpacked").glob(f"*/{inside}"), None)
    if recordings is None:
        raise CorpusError(f"the archive holds no folder called {inside}")
    _verify_folder(name, recordings)
    (scratch / "whole").mkdir()
    recordings.rename(scratch / "whole" / inside)
    return scratch / "whole"


def _verify_folder(name: str, folder: Path) -> str:
    source = SOURCES[name]
    corpus = _read_folder(name, folder, sounds_in(folder), strict=True)
    corpus = _whole(corpus, source, strict=True)
    hashes = _hashes(corpus.table["path"], folder)
    digest = _digest(hashes)
    if not source.digest or digest == source.digest:
        for _ in tqdm(corpus._each(corpus._read), "Checking", len(corpus), unit="file"):
            pass
        return digest
    known = known_hashes(name)
    corrupt = [
        str(folder / file) for file in source.names if not hashes[file].startswith(known[file])
    ]
    raise CorpusError(
        listed(f"{len(corrupt)} files are not what was published:", corrupt)
        + "\nDelete the corpus and fetch it again."
    )


def _hashes(paths: Iterable[Path], folder: Path | None) -> dict[str, str]:
    return {name_of(path, folder): sha256(path) for path in paths}


def _digest(hashes: dict[str, str]) -> str:
    lines = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
