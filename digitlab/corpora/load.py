"""Load a corpus by name, from wherever it is, or a folder of recordings."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from digitlab import audio, voices
from digitlab.corpora.corpus import Corpus
from digitlab.corpora.fetch import CorpusUnreachable, cached, fetch
from digitlab.corpora.folder import read_own, read_source, verify_folder
from digitlab.corpora.sources import SOURCES
from digitlab.environment import say_once, wrapped
from digitlab.layouts import LAYOUTS, CorpusError, sounds_in


def load(
    name: str | os.PathLike,
    *,
    fallback: str | os.PathLike | Sequence[str | os.PathLike] = (),
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
    (4800, 8000, ['path', 'label', 'speaker', 'take'])
    """
    if name not in SOURCES:
        return _load_own(Path(os.path.expanduser(name)), at_least, strict)
    try:
        return _load_source(name, at_least, strict)
    except CorpusUnreachable as error:
        if not fallback:
            raise
        source = SOURCES[name]
        built_in = "voices" if source.layout == "fsdd" else f"voices-{source.layout}"
        others = [fallback] if isinstance(fallback, str | os.PathLike) else fallback
        first, *others = [built_in if other == "voices" else other for other in others]
        corpus = load(first, fallback=others)
        print(wrapped(f"{source.title} could not be had: {error}"))
        print(wrapped(f"What follows was computed on the {corpus.title} instead."))
        return corpus


def find(name: str) -> Path | None:
    """Return the folder that holds a corpus's recordings, or None if it is nowhere on this machine.

    Parameters
    ----------
    name : str
        A key of ``SOURCES``.

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


def verify(name: str) -> str:
    """Check every file of a corpus on disk against what it must hold; return its digest.

    Parameters
    ----------
    name : str
        A key of ``SOURCES``.

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
    return verify_folder(name, folder)


def example(name: str, digit: int) -> tuple[np.ndarray, int, str]:
    """Return one clip of a digit from a corpus on disk, or else from the built-in voices.

    For chapters 2 to 4, where one clip at a higher rate than 8 kHz is enough: only the files of
    that digit are looked at.

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

    Examples
    --------
    >>> samples, rate, caption = example("audiomnist", 6)
    >>> rate
    48000
    """
    source = SOURCES[name]
    layout = LAYOUTS[source.layout]
    files = layout.glob(digit, voices.DIGIT_WORDS[digit])
    if folder := find(name):
        for path in sorted(folder.glob(files)):
            if match := layout.pattern.fullmatch(path.relative_to(folder).as_posix()):
                who = f"speaker {match['speaker']}; {source.title} ({source.licence})"
                return *audio.read_wav(path, mono=True), who
    samples = voices.say(digit, rate=source.rate)
    return samples, source.rate, f"{voices.NAMES[0]}; built-in voices (synthesised)"


def _load_own(folder: Path, at_least: int, strict: bool) -> Corpus:
    if not os.path.isdir(folder):
        raise CorpusError(
            f"{folder} is neither a folder nor a corpus: the corpora are {', '.join(SOURCES)}"
        )
    corpus = read_own(folder, strict=strict)
    if len(corpus) < at_least:
        raise CorpusError(f"{folder} holds {len(corpus):,} clips, and {at_least:,} are needed")
    return corpus


def _load_source(name: str, at_least: int, strict: bool) -> Corpus:
    source = SOURCES[name]
    places = _places(name) if source.large else [find(name) or fetch(name, ask_again=False)]
    here = "it is not on this machine"
    for folder in places:
        sounds = sounds_in(folder, strict=strict)
        n_clips = len(sounds)
        if n_clips >= at_least:
            corpus = read_source(name, folder, sounds, strict=strict)
            n_clips = len(corpus)
        here = f"{n_clips:,} of its {source.n_clips:,} clips are on this machine"
        if n_clips >= at_least:
            if n_clips < source.n_clips:
                say_once(f"A part of {source.title}: {here}.")
            return corpus
        here += f", fewer than the {at_least:,} needed"
    fetch_it = f" To download it all, {source.size_mb:,} MB: digitlab data fetch {name}"
    raise CorpusUnreachable(f"{here}.{fetch_it if source.large else ''}")


def _places(name: str) -> Iterator[Path]:
    """Yield the folders that hold a corpus, the first choice first."""
    source, data = SOURCES[name], os.environ.get("DIGITLAB_DATA")
    if data and source.urls:
        if not os.path.isabs(os.path.expanduser(data)):
            raise CorpusError(f"DIGITLAB_DATA is {data!r}: it must be an absolute path")
        top = Path(os.path.expanduser(data), source.folder)
        folder = top / LAYOUTS[source.layout].inside
        if os.path.isdir(folder):
            yield folder
        elif os.path.lexists(top) or not (source.large and os.path.isdir(top.parent)):
            raise CorpusError(
                f"DIGITLAB_DATA is set and {folder} is missing: put the corpus there, "
                "or unset DIGITLAB_DATA to have it downloaded"
            )
        if not source.large:
            return
    if os.path.isdir(cached(name)):
        yield cached(name)
