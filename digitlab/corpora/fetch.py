"""Bring a corpus into the user's cache: download or make it, verify it, move it there whole."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from digitlab import voices
from digitlab.corpora.download import DAMAGED, download, need_space, reason, unpack
from digitlab.corpora.folder import verify_folder
from digitlab.corpora.sources import SOURCES
from digitlab.environment import FULL, cache_folder, made_cache_folder, replacing, sha256
from digitlab.layouts import LAYOUTS, CorpusError, listed

REFUSAL_HOLDS_S = 3600  # a network that refused is not asked again within the hour
STALE_S = 3600  # a fetch that left its folder behind this long ago was killed
ROOM = 3  # times the size of a download that its archive and its files take


class CorpusUnreachable(CorpusError):
    """A corpus is not on this machine, or too little of it, and was not downloaded."""


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
        If no source answers, what each sent is not the corpus, or the cache cannot be written.

    Examples
    --------
    >>> fetch("voices").name
    'recordings'
    """
    source, folder = SOURCES[name], cached(name)
    if os.path.isdir(folder):
        return folder
    try:
        cache = made_cache_folder()
        need_space(cache, source.size_mb * (ROOM if source.urls else 1))
        if not source.urls:
            return _make_voices(name, folder)
    except OSError as error:
        raise CorpusUnreachable(f"the {source.title} cannot be stored: {error}") from error
    refusal = cache / f"{name}.unreachable"
    if not ask_again and refusal.exists() and _age(refusal) < REFUSAL_HOLDS_S:
        raise CorpusUnreachable(refusal.read_text(encoding="utf-8"))
    problems, is_refused = [], True
    for url in source.urls:
        try:
            _fetch_from(url, name, cache)
        except (OSError, CorpusError, *DAMAGED) as error:
            if folder.is_dir():  # somebody else fetched it meanwhile
                return folder
            problems.append(f"{url}: {reason(error)}")
            is_refused &= getattr(error, "errno", None) is None  # else it is this machine's fault
        else:
            refusal.unlink(missing_ok=True)
            return folder
    message = listed("no source sent it:", problems) + (
        f"\nThen run  digitlab data fetch {name}  to try again; "
        "or set DIGITLAB_DATA to a folder that holds it. The built-in voices need no network: "
        "digitlab run ... --corpus voices"
    )
    if is_refused:
        with suppress(OSError), replacing(refusal, "w") as out:
            out.write(message)
    raise CorpusUnreachable(message)


def cached(name: str) -> Path:
    """Return where a corpus lives in the cache; voices of another version live elsewhere.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.
    """
    source = SOURCES[name]
    folder = source.folder
    if not source.urls:
        folder += f"-{voices.VERSION}"
    try:
        return cache_folder() / folder / LAYOUTS[source.layout].inside
    except OSError as error:
        raise CorpusError(str(error)) from error


def _make_voices(name: str, folder: Path) -> Path:
    source = SOURCES[name]
    try:
        voices.write_corpus(
            folder.parent if LAYOUTS[source.layout].inside else folder,
            layout=source.layout,
            n_speakers=source.n_speakers,
            n_takes=source.n_takes,
            rate=source.rate,
            faults=True,
        )
    except OSError:
        if not folder.is_dir():  # else somebody made them at the same time
            raise
    return folder


def _fetch_from(url: str, name: str, cache: Path) -> None:
    source = SOURCES[name]
    for leftover in cache.glob(f".{name}-*"):
        if _age(leftover) > STALE_S:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as scratch:
        archive = cache / f".{name}.part" if source.large else Path(scratch, "archive")
        download(url, archive)
        try:
            whole = _unpacked(name, archive, Path(scratch))
        except Exception as error:
            if getattr(error, "errno", None) not in FULL:
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
        verify_folder(name, scratch / "unpacked")
        return scratch / "unpacked"
    recordings = next((scratch / "unpacked").glob(f"*/{inside}"), None)
    if recordings is None:
        raise CorpusError(f"the archive holds no folder called {inside}")
    verify_folder(name, recordings)
    (scratch / "whole").mkdir()
    recordings.rename(scratch / "whole" / inside)
    return scratch / "whole"


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
