"""Download an archive, going on where an earlier attempt broke off, and unpack it."""

import gzip
import hashlib
import shutil
import tarfile
import zlib
from pathlib import Path

import requests
from tqdm import tqdm

__all__ = ["DAMAGED", "download", "need_space", "reason", "sha256", "unpack"]

DAMAGED = (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error)  # what `unpack` may raise
PIECE = 1 << 18  # bytes written at a time
PATIENCE_S = (5, 30)  # to connect, and between two pieces


def download(url: str, file: Path) -> None:
    """Download a file; what is there of it already is kept if the server can go on from there.

    Parameters
    ----------
    url : str
        Where it is.
    file : pathlib.Path
        Where it goes; a first part of it may be there.

    Raises
    ------
    OSError
        If it cannot be had, or breaks off: what has arrived stays for the next attempt.
    """
    here = file.stat().st_size if file.exists() else 0
    ask = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
    with requests.get(url, headers=ask, stream=True, timeout=PATIENCE_S) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # there is no more: it is for the caller to judge what is here
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            here = 0
        size = here + int(response.headers.get("Content-Length", 0))
        bar = tqdm(
            total=size if size > here else None,
            initial=here,
            desc="Downloading",
            unit="B",
            unit_scale=True,
        )
        with file.open("ab" if here else "wb") as output, bar:
            for piece in response.iter_content(PIECE):
                output.write(piece)
                bar.update(len(piece))


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Parameters
    ----------
    file : pathlib.Path
        Of any size.

    Returns
    -------
    str
        64 digits.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def unpack(archive: Path, folder: Path, n_files: int | None = None) -> None:
    """Unpack a tar archive.

    Parameters
    ----------
    archive : pathlib.Path
        Compressed or not.
    folder : pathlib.Path
        Where to.
    n_files : int, optional
        About how many files it holds, for the progress bar.

    Raises
    ------
    EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error
        If it is damaged, or would write outside `folder`.
    """
    with tarfile.open(archive) as packed, tqdm(None, "Unpacking", n_files, unit="file") as bar:
        for member in packed:
            packed.extract(member, folder, filter="data")
            bar.update()


def need_space(folder: Path, size_mb: float) -> None:
    """Raise an error if the disk is too full.

    Parameters
    ----------
    folder : pathlib.Path
        On that disk.
    size_mb : float
        How many megabytes are wanted.

    Raises
    ------
    OSError
        If fewer are free.
    """
    free_mb = shutil.disk_usage(folder).free / 1e6
    if free_mb < size_mb:
        raise OSError(
            f"{size_mb:,.0f} MB are needed at {folder} while it is unpacked, and {free_mb:,.0f} "
            "are free: make room, or set DIGITLAB_CACHE"
        )


def reason(error: Exception) -> str:
    """Say in a few words why something was not downloaded.

    Parameters
    ----------
    error : Exception
        What was raised.

    Returns
    -------
    str
        One line.
    """
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return "no connection"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
