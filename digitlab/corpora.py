"""Corpora of spoken words: find them on disk, download, verify, load.

``load("fsdd")`` looks in ``$DIGITLAB_DATA/fsdd``, then in the user's cache, then downloads. Chapter
9 uses it; chapter 6 looks at the recordings themselves.
"""

import hashlib
import inspect
import os
import re
import shutil
import tarfile
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pooch
import requests

from digitlab import audio, voices
from digitlab._home import cache_folder

SCALES = ("smoke", "laptop", "full")
DIGITS = tuple("0123456789")
RECORDING_NAME = re.compile(r"(?P<label>\d)_(?P<speaker>[^_]+)_(?P<take>\d+)\.wav")
REFUSAL_HOLDS_S = 3600  # a network that refused is not asked again within the hour
STALE_S = 3600  # a fetch that left its folder behind this long ago was killed


class CorpusError(Exception):
    """A corpus is missing, incomplete or damaged; the message says which file, and what to do."""


class CorpusUnreachable(CorpusError):
    """A corpus is not on this machine and could not be downloaded."""


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from, and what it must hold.

    Attributes
    ----------
    title, licence : str
        For captions.
    rate : int
        Sampling rate in Hz.
    speakers : tuple of str
        Everyone who speaks in it.
    n_takes : int
        How often each speaker says each digit.
    urls : tuple of str
        Archives that hold it, the first choice first. Empty: made on this machine.
    size_mb : int
        Size of the download, or of what is made.
    digest : str
        SHA-256 over the sorted lines ``name sha256``, or empty where machines may differ.
    """

    title: str
    licence: str
    rate: int
    speakers: tuple[str, ...]
    n_takes: int
    urls: tuple[str, ...] = ()
    size_mb: int = 0
    digest: str = ""

    @property
    def names(self) -> list[str]:
        """The file names that the whole corpus consists of."""
        return [
            f"{digit}_{speaker}_{take}.wav"
            for digit in DIGITS
            for speaker in self.speakers
            for take in range(self.n_takes)
        ]


FSDD_ARCHIVE = "Jakobovski/free-spoken-digit-dataset"
SOURCES = {
    "fsdd": Source(
        title="Free Spoken Digit Dataset",
        licence="CC BY-SA 4.0",
        rate=8000,
        speakers=("george", "jackson", "lucas", "nicolas", "theo", "yweweler"),
        n_takes=50,
        # The archives are packed anew at times, so their bytes are not pinned: their contents are.
        urls=(
            f"https://github.com/{FSDD_ARCHIVE}/archive/refs/tags/v1.0.10.tar.gz",
            f"https://codeload.github.com/{FSDD_ARCHIVE}/tar.gz/refs/tags/v1.0.10",
        ),
        size_mb=16,
        digest="dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f",
    ),
    "voices": Source(
        title="built-in voices",
        licence="synthesised",
        rate=8000,
        speakers=tuple(voices.speaker(index).name for index in range(12)),
        n_takes=20,
        size_mb=20,
    ),
}


class Example(NamedTuple):
    """Where a single clip of a corpus lies, for :func:`example`."""

    pattern: str
    speaker_part: int  # of the file's name, between its underscores
    rate: int
    title: str
    licence: str


EXAMPLES = {
    "audiomnist": Example("audiomnist/data/*/{digit}_*.wav", 1, 48000, "AudioMNIST", "MIT"),
    "speech_commands": Example(
        "speech_commands_v0.0*/{word}/*.wav", 0, 16000, "Speech Commands", "CC BY 4.0"
    ),
}


@dataclass(frozen=True)
class Corpus:
    """Recordings of spoken words and what is known of them.

    Attributes
    ----------
    name : str
        ``"fsdd"``, ``"voices"``, or the folder's name.
    table : pandas.DataFrame
        One row a clip: ``path``, ``label`` (index into `classes`), ``speaker``, ``take``.
    rate : int
        Sampling rate of every clip, in Hz.
    classes : tuple of str
        What is said, by label.
    title, licence : str
        For captions.
    """

    name: str
    table: pd.DataFrame
    rate: int
    classes: tuple[str, ...]
    title: str
    licence: str

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.table)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the sorted lines ``name sha256`` of the corpus's files."""
        return _digest(file_hashes(self.table["path"]))

    def at_scale(self, scale: str) -> "Corpus":
        """Return the share of the corpus that a scale works on.

        Parameters
        ----------
        scale : str
            ``"smoke"``: every tenth take, and no more; ``"laptop"`` and ``"full"``: all of it.

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
        return replace(self, table=self.table[self.table["take"] % 10 == 0].reset_index(drop=True))

    def waveforms(self, n_samples: int = 8192) -> np.ndarray:
        """Read every clip: scaled to peak 1, truncated or centred in zeros.

        Parameters
        ----------
        n_samples : int
            Length of each row.

        Returns
        -------
        array of shape (n_clips, n_samples), float32
            In the table's order.

        Raises
        ------
        CorpusError
            If files cannot be used; it names every one of them. :meth:`readable` leaves them out.

        Notes
        -----
        Taught in chapter 9.

        Examples
        --------
        >>> load("voices").at_scale("smoke").waveforms().shape
        (240, 8192)
        """
        waveforms = np.zeros((len(self), n_samples), np.float32)
        problems = []
        for row, path in enumerate(self.table["path"]):
            try:
                waveforms[row] = audio.fit(audio.peak_normalize(self._read(path)), n_samples)
            except audio.WavError as error:
                problems.append(str(error))
        if problems:
            raise CorpusError(
                _listed(f"{len(problems)} of {len(self)} recordings cannot be used:", problems)
                + "\nMend them, or leave them out with corpus.readable()."
            )
        return waveforms

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
        return replace(self, table=self.table[good].reset_index(drop=True))

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
        samples = self._read(self.table["path"].iloc[row])
        return audio.player(samples, self.rate, self.caption(row, words))

    def _read(self, path: Path) -> np.ndarray:
        samples, rate = audio.read_wav(path)
        if rate != self.rate:
            raise audio.WavError(
                path,
                f"its rate is {rate} Hz where the corpus has {self.rate} Hz",
                byte=None,
                remedy="Resample it (digitlab.audio.resample), or keep it in a folder of its own.",
            )
        if samples.ndim != 1:
            raise audio.WavError(
                path,
                f"it has {samples.shape[1]} channels where one is expected",
                byte=None,
                remedy="Mix it down: read it with mono=True and write it again.",
            )
        return samples


def example(name: str, digit: int) -> tuple[np.ndarray, int, str]:
    """Return one clip of a digit from a corpus on disk, or else from the built-in voices.

    Parameters
    ----------
    name : str
        ``"audiomnist"`` (48 kHz) or ``"speech_commands"`` (16 kHz); looked for in
        ``$DIGITLAB_DATA``.
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
    Used in chapters 2 to 4, where one clip at a higher rate than 8 kHz is enough.

    Examples
    --------
    >>> samples, rate, caption = example("audiomnist", 6)
    >>> rate
    48000
    """
    source = EXAMPLES[name]
    folder = Path(os.environ.get("DIGITLAB_DATA", cache_folder()))
    pattern = source.pattern.format(digit=digit, word=voices.DIGITS[digit])
    path = next(iter(sorted(folder.glob(pattern))), None)
    if path is None:
        samples = voices.say(digit, rate=source.rate)
        return samples, source.rate, f"{voices.NAMES[0]}; built-in voices (synthesised)"
    samples, rate = audio.read_wav(path, mono=True)
    who = path.stem.split("_")[source.speaker_part]
    return samples, rate, f"speaker {who}; {source.title} ({source.licence})"


def scale_from_environment() -> str:
    """Return how much work a chapter does: ``$DIGITLAB_SCALE``, by default ``"laptop"``.

    Returns
    -------
    str
        One of ``"smoke"``, ``"laptop"``, ``"full"``.

    Raises
    ------
    ValueError
        If the variable holds anything else.

    Examples
    --------
    >>> scale_from_environment() in SCALES
    True
    """
    scale = os.environ.get("DIGITLAB_SCALE", "laptop")
    if scale not in SCALES:
        raise ValueError(f"DIGITLAB_SCALE is {scale!r}; it can be {', '.join(SCALES)}")
    return scale


def load(name: str | os.PathLike, *, fallback: str | None = None) -> Corpus:
    """Load a corpus by name, or a folder of ``{digit}_{speaker}_{take}.wav``.

    Parameters
    ----------
    name : str or path
        ``"fsdd"``, ``"voices"``, or a folder.
    fallback : str, optional
        What to load instead, with a printed line, if `name` is neither on disk nor downloadable.

    Returns
    -------
    Corpus
        Clips sorted by label, speaker and take.

    Raises
    ------
    CorpusError
        If the corpus is incomplete, a file is misnamed, or ``DIGITLAB_DATA`` is set and does not
        hold the corpus.
    CorpusUnreachable
        If it is not on disk and cannot be downloaded.

    Notes
    -----
    Looked for, in this order: ``$DIGITLAB_DATA/fsdd``, the user's cache, the public download.
    The built-in voices are made on first use.

    Examples
    --------
    >>> corpus = load("voices")
    >>> len(corpus), corpus.rate, corpus.table.columns.tolist()
    (2400, 8000, ['path', 'label', 'speaker', 'take'])
    """
    if name not in SOURCES:
        return _load_folder(Path(name))
    try:
        folder = find(name) or fetch(name, ask_again=False)
    except CorpusUnreachable as error:
        if fallback is None:
            raise
        corpus = load(fallback)
        print(f"{SOURCES[name].title} could not be had: {error}")
        print(f"What follows was computed on the {corpus.title} instead.")
        return corpus
    _check_names(SOURCES[name], folder)
    return _corpus(name, folder, SOURCES[name])


def find(name: str) -> Path | None:
    """Return the folder that holds a corpus's recordings, or None if it is nowhere on this machine.

    Parameters
    ----------
    name : str
        ``"fsdd"`` or ``"voices"``.

    Returns
    -------
    pathlib.Path or None
        The folder with the WAV files.

    Raises
    ------
    CorpusError
        If ``DIGITLAB_DATA`` is set and does not hold the corpus: a data folder is never passed
        over in silence.

    Examples
    --------
    >>> find("voices").name
    'recordings'
    """
    data = os.environ.get("DIGITLAB_DATA")
    if data and SOURCES[name].urls:
        folder = Path(data) / name / "recordings"
        if not Path(data).is_absolute():
            raise CorpusError(f"DIGITLAB_DATA is {data!r}: it must be an absolute path")
        if not folder.is_dir():
            raise CorpusError(
                f"DIGITLAB_DATA is set and {folder} is missing: put the corpus there, "
                "or unset DIGITLAB_DATA to have it downloaded"
            )
        return folder
    folder = _place(name) / "recordings"
    return folder if folder.is_dir() else None


def fetch(name: str, *, ask_again: bool = True) -> Path:
    """Download a corpus, or make the built-in one, into the user's cache.

    It is unpacked beside its place, verified, and moved there whole: a fetch that is killed leaves
    nothing half-made, and running it again finishes the work.

    Parameters
    ----------
    name : str
        ``"fsdd"`` or ``"voices"``.
    ask_again : bool
        Whether to ask a network that refused within the last hour.

    Returns
    -------
    pathlib.Path
        The folder with the WAV files.

    Raises
    ------
    CorpusUnreachable
        If no source answers, or what each sent is not the corpus.

    Examples
    --------
    >>> fetch("voices").name
    'recordings'
    """
    home = _place(name)
    if home.is_dir():
        return home / "recordings"
    if not SOURCES[name].urls:
        return _make_voices(home)
    refusal = cache_folder() / f"{name}.unreachable"
    if not ask_again and refusal.exists() and _age(refusal) < REFUSAL_HOLDS_S:
        raise CorpusUnreachable(refusal.read_text(encoding="utf-8"))
    problems = []
    for url in SOURCES[name].urls:
        try:
            _download(name, url, home)
        except (OSError, EOFError, zlib.error, tarfile.TarError, CorpusError) as error:
            problems.append(f"{url}: {_reason(error)}")
        else:
            refusal.unlink(missing_ok=True)
            return home / "recordings"
    message = _listed("no source sent it:", problems) + (
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
        ``"fsdd"`` or ``"voices"``.

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


def file_hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file, by file name.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        The files.

    Returns
    -------
    dict of str to str
        Hexadecimal digests by file name.

    Examples
    --------
    >>> table = load("voices").table
    >>> len(file_hashes(table["path"][:3]))
    3
    """
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _digest(hashes: dict[str, str]) -> str:
    lines = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def _place(name: str) -> Path:
    """Where a corpus lives in the cache; the voices of another synthesiser live elsewhere."""
    if name != "voices":
        return cache_folder() / name
    version = hashlib.sha256(inspect.getsource(voices).encode()).hexdigest()[:8]
    return cache_folder() / f"voices-{version}"


def _make_voices(home: Path) -> Path:
    source = SOURCES["voices"]
    voices.write_corpus(
        home, n_speakers=len(source.speakers), n_takes=source.n_takes, rate=source.rate
    )
    return home / "recordings"


def _download(name: str, url: str, home: Path) -> None:
    for leftover in home.parent.glob(f".{name}-*"):
        if _age(leftover) > STALE_S:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=home.parent) as folder:
        downloader = pooch.HTTPDownloader(progressbar=True, timeout=(5, 30))
        archive = pooch.retrieve(
            url, known_hash=None, fname="archive.tar.gz", path=folder, downloader=downloader
        )
        shutil.unpack_archive(archive, folder, filter="data")
        recordings = next(Path(folder).glob("*/recordings"), None)
        if recordings is None:
            raise CorpusError("the archive holds no folder called recordings")
        for other in set(recordings.iterdir()) - set(recordings.glob("*.wav")):
            other.unlink()
        _verify_folder(name, recordings)
        whole = Path(folder) / "whole"
        whole.mkdir()
        recordings.rename(whole / "recordings")
        whole.rename(home)


def _verify_folder(name: str, folder: Path) -> str:
    source = SOURCES[name]
    _check_names(source, folder)
    hashes = file_hashes(folder / name for name in source.names)
    digest = _digest(hashes)
    if not source.digest or digest == source.digest:
        for file_name in source.names:
            audio.read_wav(folder / file_name)
        return digest
    known = _known_hashes(name)
    corrupt = [
        str(folder / file) for file in source.names if not hashes[file].startswith(known[file])
    ]
    raise CorpusError(
        _listed(f"{len(corrupt)} files are not what was published:", corrupt)
        + "\nDelete the corpus and fetch it again."
    )


def _known_hashes(name: str) -> dict[str, str]:
    """Read the first 8 digits of each file's SHA-256: a row a digit and speaker, takes in order."""
    rows = files("digitlab").joinpath(f"registry/{name}.txt").read_text().splitlines()
    return {
        f"{prefix}_{take}.wav": start
        for prefix, *starts in (row.split() for row in rows)
        for take, start in enumerate(starts)
    }


def _check_names(source: Source, folder: Path) -> None:
    present = {path.name for path in folder.glob("*.wav")}
    missing, extra = set(source.names) - present, present - set(source.names)
    if missing or extra:
        raise CorpusError(
            f"{folder} is not the {source.title} of {len(source.names)} recordings."
            + (_listed(f"\n{len(missing)} are missing:", sorted(missing)) if missing else "")
            + (_listed(f"\n{len(extra)} do not belong:", sorted(extra)) if extra else "")
            + "\nComplete it; or load what is there as a folder of your own: load(path)."
        )


def _load_folder(folder: Path) -> Corpus:
    if not folder.is_dir():
        raise CorpusError(
            f"{folder} is neither a folder nor a corpus: the corpora are {', '.join(SOURCES)}"
        )
    if (folder / "recordings").is_dir():
        folder = folder / "recordings"
    first = next(iter(sorted(folder.glob("*.wav"))), None)
    if first is None:
        raise CorpusError(f"{folder} holds no .wav file")
    _, rate = audio.read_wav(first)
    source = Source(title=f"recordings in {folder}", licence="", rate=rate, speakers=(), n_takes=0)
    return _corpus(folder.name, folder.resolve(), source)


def _corpus(name: str, folder: Path, source: Source) -> Corpus:
    rows, misnamed = [], []
    for path in folder.glob("*.wav"):
        match = RECORDING_NAME.fullmatch(path.name)
        if match is None:
            misnamed.append(path.name)
        else:
            rows.append((path, int(match["label"]), match["speaker"], int(match["take"])))
    if misnamed:
        raise CorpusError(
            _listed(f"in {folder}, {len(misnamed)} files are misnamed:", sorted(misnamed))
            + "\nEach must be called {digit}_{speaker}_{take}.wav, such as 7_anna_3.wav."
        )
    table = pd.DataFrame(rows, columns=["path", "label", "speaker", "take"])
    table = table.sort_values(["label", "speaker", "take"], ignore_index=True)
    return Corpus(name, table, source.rate, DIGITS, source.title, source.licence)


def _listed(heading: str, lines: list[str], most: int = 10) -> str:
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return "\n  ".join([heading, *lines[:most], *more])


def _reason(error: Exception) -> str:
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "no connection"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
