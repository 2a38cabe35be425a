"""Download an archive, going on where an earlier attempt broke off, and unpack it."""

import gzip
import http.client
import lzma
import shutil
import socket
import ssl
import tarfile
import zlib
from pathlib import Path

import requests
from requests import exceptions as failed

from digitlab.environment import FULL, progress

DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zlib.error)
PIECE = 1 << 18  # bytes written at a time
PATIENCE_S = (5, 30)  # to connect, and between two pieces
BY_PROXY = "the proxy refuses or does not answer: check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
REASONS = {  # the first kind of error that is among the causes
    (failed.ProxyError, failed.InvalidSchema, failed.InvalidURL, failed.MissingSchema): BY_PROXY,
    (ssl.SSLCertVerificationError,): "the server's certificate is not trusted: check the clock; "
    "in a network that reads along, set REQUESTS_CA_BUNDLE to the file of its certificates",
    (failed.SSLError, ssl.SSLError): "no secure connection: something on the way, such as a proxy "
    "or a login page, answers in place of the server",
    (socket.gaierror,): "the server's name cannot be looked up: check that there is a network, "
    "and its DNS",
    (failed.Timeout, TimeoutError): "no answer in time: try again, or from another network",
    (
        failed.ChunkedEncodingError,
        failed.ContentDecodingError,
        http.client.HTTPException,
        ConnectionResetError,
    ): "the connection broke off: try again",
    (failed.ConnectionError, ConnectionError): "no connection: check that there is a network, and "
    "that no firewall is in the way",
    DAMAGED: "what arrived is damaged, or something else than the archive",
}
ANSWERS = {404: "it is not there any more", 407: BY_PROXY, 429: "too many asked: try again later"}


def download(url: str, file: Path) -> None:
    """Download a file; what is there of it already is kept if the server can go on from there.

    Parameters
    ----------
    url : str
        Where it is.
    file : pathlib.Path
        Where it goes; a first part of it may be there. After an OSError, what has arrived stays
        for the next attempt.
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
        bar = progress(
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


def unpack(archive: Path, folder: Path, n_files: int | None = None) -> None:
    """Unpack a tar archive; raise one of `DAMAGED` if that cannot be done safely.

    Parameters
    ----------
    archive : pathlib.Path
        Compressed or not.
    folder : pathlib.Path
        Where to.
    n_files : int, optional
        About how many files it holds, for the progress bar.
    """
    with tarfile.open(archive) as packed, progress(None, "Unpacking", n_files, unit="file") as bar:
        for member in packed:
            packed.extract(member, folder, filter="data")
            bar.update()


def need_space(folder: Path, size_mb: float) -> None:
    """Raise an OSError if the disk is too full.

    Parameters
    ----------
    folder : pathlib.Path
        On that disk.
    size_mb : float
        How many megabytes are wanted.
    """
    free_mb = shutil.disk_usage(folder).free / 1e6
    if free_mb < size_mb:
        raise OSError(
            f"{size_mb:,.0f} MB are needed at {folder} while it is made, and {free_mb:,.0f} "
            "are free: make room, or set DIGITLAB_CACHE"
        )


def reason(error: BaseException) -> str:
    """Say in a line why something was not downloaded, and what to do.

    Parameters
    ----------
    error : Exception
        What was raised.
    """
    if isinstance(error, failed.HTTPError) and error.response is not None:
        code = error.response.status_code
        advice = ANSWERS.get(code, "try again later" if code >= 500 else "it is refused here")
        return f"the server answers {code}: {advice}"
    causes = _causes(error)
    for kinds, words in REASONS.items():
        if any(isinstance(cause, kinds) for cause in causes):
            return words
    if getattr(error, "errno", None) in FULL:
        return "the disk is full: make room, or set DIGITLAB_CACHE"
    if "CA certificate" in str(error):
        return "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that is not there"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _causes(error: BaseException) -> list[BaseException]:
    """List an error and all that it wraps, in whichever way."""
    causes: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in causes:
            causes.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return causes
