"""What the machine gives: folders and files, libraries, devices, how much work to do."""

import ctypes
import errno
import hashlib
import importlib
import os
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any
from uuid import uuid4

import platformdirs

SCALES = ("smoke", "laptop", "full")
FRAMEWORKS = ("torch", "keras")
PRECISIONS = ("32-true", "bf16-mixed")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt, in malloc.h
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
PROBE = bytes(1 << 20)  # what a place must have room for
WHY = {
    errno.ENOENT: "there is no such folder; make it first",
    errno.ENOTDIR: "what should be its folder is a file",
    errno.EEXIST: "a file of that name is there; choose another name",
    errno.EISDIR: "it is a folder; give the name of a file",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EROFS: "the disk is read-only; choose another place",
    **dict.fromkeys((errno.EACCES, errno.EPERM), "you may not write there; choose another place"),
    **dict.fromkeys(FULL, "the disk is full; make room"),
}


def cache_folder() -> Path:
    """Return the folder of downloads and computed features, which may not be there yet.

    It is ``$DIGITLAB_CACHE`` if that is set, else the user's cache folder. It is made when
    something is first written into it.

    Returns
    -------
    pathlib.Path
        An absolute path.

    Raises
    ------
    NotADirectoryError
        If there is a file in its place, or nobody knows where ``~`` is.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    named = os.environ.get("DIGITLAB_CACHE") or platformdirs.user_cache_dir("digitlab")
    folder = os.path.expanduser(named)
    if folder.startswith("~") or (os.path.lexists(folder) and not os.path.isdir(folder)):
        raise NotADirectoryError(
            f"{named} cannot be the cache, it is no folder: set DIGITLAB_CACHE to a folder"
        )
    return Path(os.path.abspath(folder))


def made_cache_folder(folder: Path | None = None) -> Path:
    """Return the cache folder, made if it is missing.

    Parameters
    ----------
    folder : pathlib.Path, optional
        By default that of :func:`cache_folder`.

    Raises
    ------
    OSError
        If it cannot be written; the message names ``DIGITLAB_CACHE``.
    """
    folder = folder or cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_unwritable(folder / "probe")
    except OSError as error:
        raise OSError(
            f"the cache {folder} cannot be written ({why(error).partition(';')[0]}): "
            "set DIGITLAB_CACHE to another folder"
        ) from error
    return folder


def make_folder(folder: str | os.PathLike) -> None:
    """Make a folder, and those around it, unless it is there.

    Parameters
    ----------
    folder : str or path
        Where it is to be.

    Raises
    ------
    OSError
        If it cannot be made; the message says why and what to do.

    Examples
    --------
    >>> make_folder(".")
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"the folder {folder} cannot be made: {why(error)}") from error


def kept_on_disk(
    function: Callable, folder: Path | None = None, ignore: tuple[str, ...] = ()
) -> Callable:
    """Return the function with its results kept on disk, under the content of its arguments.

    Where the cache cannot be written, a warning says so once and nothing is kept.

    Parameters
    ----------
    function : callable
        Of arrays, numbers and words, to arrays. It gets a method ``check_call_in_cache``.
    folder : pathlib.Path, optional
        By default the cache folder, as it is named now.
    ignore : tuple of str
        Names of arguments that do not tell one result from another.

    Examples
    --------
    >>> double = kept_on_disk(lambda x: 2 * x)
    >>> double(21)
    42
    """
    import joblib

    folder = folder or cache_folder()
    try:
        memory = joblib.Memory(made_cache_folder(folder), verbose=0)
    except OSError as error:
        _warn_once(f"what is computed is not kept for the next time: {error}")
        memory = joblib.Memory(None)
    return memory.cache(function, ignore=list(ignore))


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=3)


@contextmanager
def replacing(file: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Write a file beside its place, and move it there once it is whole.

    If anything goes wrong, what was there before stays as it was and nothing is left beside it.
    Links are followed; a device or a pipe is written directly.

    Parameters
    ----------
    file : str or path
        Where the file is to be.
    mode : {"wb", "w"}
        Bytes, or text in UTF-8 with line ends as they are given.

    Raises
    ------
    OSError
        If it cannot be written; the message says why and what to do.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "answer.txt"), "w") as out:
    ...         out.write("seven")
    5
    """
    if _is_special(file):
        with open(file, mode) as out:
            yield out
        return
    file = Path(os.path.realpath(file))
    with _part_of(file, mode) as (part, out):
        yield out
        out.close()
        if file.exists():
            shutil.copymode(file, part)
        os.replace(part, file)


def refuse_unwritable(file: str | os.PathLike) -> None:
    """Raise an error if a file could not be written, before time is spent on its contents.

    Parameters
    ----------
    file : str or path
        Where it is to be. Nothing is changed there.

    Raises
    ------
    OSError
        If there is no such folder, no right or no room, or the name is that of a folder; the
        message says which and what to do.

    Examples
    --------
    >>> refuse_unwritable("no such folder/k2.npz")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    FileNotFoundError: ...k2.npz cannot be written: there is no such folder; make it first
    """
    if not _is_special(file):
        with _part_of(Path(os.path.realpath(file)), "wb") as (_, out):
            out.write(PROBE)


def _is_special(file: str | os.PathLike) -> bool:
    return os.path.exists(file) and not (os.path.isfile(file) or os.path.isdir(file))


@contextmanager
def _part_of(file: Path, mode: str) -> Iterator[tuple[Path, IO]]:
    """Open a new file beside `file`, and remove it in the end if it is still there."""
    part = file.with_name(f".{uuid4().hex}.part")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    try:
        problem = errno.EISDIR if os.path.isdir(file) else 0
        if os.path.lexists(file) and not os.access(file, os.W_OK):
            problem = problem or errno.EACCES
        if problem:
            raise OSError(problem, os.strerror(problem), str(file))
        with suppress(FileNotFoundError):
            os.lstat(file)  # refuses a name that is too long
        with open(part, mode.replace("w", "x"), **text) as out:
            yield part, out
    except OSError as error:
        is_full = error.filename is None and error.errno in FULL
        if not is_full and str(error.filename) not in (str(part), str(file)):
            raise  # it is about another file
        plain = type(error)(f"{file} cannot be written: {why(error)}")
        plain.errno = error.errno
        raise plain from error
    finally:
        with suppress(OSError):
            part.unlink()


def why(error: OSError) -> str:
    """Return why a file cannot be written, and what to do.

    Parameters
    ----------
    error : OSError
        Of the system.

    Examples
    --------
    >>> why(OSError(errno.EROFS, "Read-only file system"))
    'the disk is read-only; choose another place'
    """
    return WHY.get(error.errno or 0) or error.strerror or str(error)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits.

    Parameters
    ----------
    file : pathlib.Path
        Of any size.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@cache
def say_once(text: str) -> None:
    """Print a text, in lines of at most 75 characters, but not twice in one process.

    Parameters
    ----------
    text : str
        What to print.
    """
    print(wrapped(text))


def progress(*arguments: Any, **settings: Any) -> Any:
    """Return a progress bar: a widget in a live notebook, a line on stderr elsewhere.

    Parameters
    ----------
    *arguments, **settings
        Those of ``tqdm.tqdm``.

    Returns
    -------
    tqdm.tqdm
        Its plain bar also while the book is built, whose pages cannot move a widget.

    Examples
    --------
    >>> sum(progress(range(4), disable=True))
    6
    """
    module = "tqdm" if os.environ.get("DIGITLAB_FLIPBOOK") else "tqdm.auto"
    return importlib.import_module(module).tqdm(*arguments, **settings)


def printable(text: object, encoding: str | None = None) -> str:
    r"""Return a text with backslashes in place of what cannot be printed.

    Parameters
    ----------
    text : object
        What to print, such as a path or an error.
    encoding : str, optional
        By default that of standard output.

    Examples
    --------
    >>> print(printable("七.wav", "latin-1"))
    七.wav
    """
    encoding = encoding or getattr(sys.stdout, "encoding", None) or "utf-8"
    return str(text).encode(encoding, "backslashreplace").decode(encoding)


def wrapped(text: object, indent: str = "") -> str:
    """Return a text that can be printed, in lines of at most 75 characters.

    Parameters
    ----------
    text : object
        What to print. A word is never broken, so that a path or a command stays whole.
    indent : str
        Before each line.

    Examples
    --------
    >>> print(wrapped("seven " * 13))
    seven seven seven seven seven seven seven seven seven seven seven seven
    seven
    """
    return textwrap.fill(
        printable(text),
        75,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise an ImportError that names the extra to install.

    Parameters
    ----------
    module : str
        What to import, such as ``"torch"``.
    extra : str
        The extra of digitlab that brings it.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If it cannot be imported; the message holds the command that mends it.

    Examples
    --------
    >>> require("math", extra="book").floor(2.5)
    2
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this part of digitlab needs {module} ({error}); "
            f"install it with:  python -m pip install 'digitlab[{extra}]'"
        ) from error


@cache
def keep_freed_memory() -> bool:
    """Let Linux's C library keep the memory of large arrays for the next ones.

    By default it gives each back, and the kernel clears the next one page by page: on a CPU, that
    takes two fifths of the time of training a large convolutional network. The process then keeps
    the most memory that it ever needed. Measured by ``benchmarks/words.py``.

    Returns
    -------
    bool
        Whether this C library can be told so: GNU's can.

    Examples
    --------
    >>> keep_freed_memory() == keep_freed_memory()
    True
    """
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(tell(M_MMAP_MAX, 0) and tell(M_TRIM_THRESHOLD, 2**31 - 1))


def torch_device(name: str | None = None) -> str:
    """Return the device to use: the one named, else a GPU where there is one, else the CPU.

    Parameters
    ----------
    name : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, ...

    Returns
    -------
    str
        A name that PyTorch understands.

    Raises
    ------
    ValueError
        If the device named is not on this machine.
    ImportError
        If PyTorch is not installed; the message says how to install it.

    Examples
    --------
    >>> torch_device("cpu")
    'cpu'
    """
    torch = require("torch", extra="torch")
    if name is None:
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()
        if torch.device(name).type == "cpu" and torch.device(name).index:
            raise RuntimeError("there is one CPU")
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"PyTorch cannot use the device {name!r} here ({str(error).splitlines()[0]}). "
            "Leave the device out, and a GPU is used where there is one."
        ) from error
    return "cpu" if name == "cpu:0" else name


def refuse_devices(device: str, devices: int, nodes: int, batch_size: int) -> None:
    """Refuse more devices than there are, or than a batch can be shared out to.

    Parameters
    ----------
    device : str
        A name that PyTorch understands.
    devices, nodes : int
        How many on each machine, and how many machines.
    batch_size : int
        How many clips they share.

    Raises
    ------
    ValueError
        If it cannot be done.

    Examples
    --------
    >>> refuse_devices("cpu", 2, 1, 128)
    """
    import torch

    if devices < 1 or nodes < 1 or batch_size % (devices * nodes):
        raise ValueError(
            f"a batch of {batch_size} clips cannot be shared out evenly to {devices} x {nodes} "
            "devices: take another number of them, or another batch size"
        )
    here = {"cuda": torch.cuda.device_count(), "cpu": devices}.get(device, 1)
    if devices > here:
        raise ValueError(f"{devices} devices were asked for; of {device} there are {here} here")


def keras_device(name: str | None = None) -> str:
    """Return the device to use with Keras: the one named, else a GPU where there is one.

    Parameters
    ----------
    name : str, optional
        ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ...; ``"cuda"`` is another name of ``"gpu"``.

    Returns
    -------
    str
        A name that Keras's backend understands.

    Raises
    ------
    ValueError
        If the device named is not on this machine.
    ImportError
        If Keras is not installed; the message says how to install it.

    Examples
    --------
    >>> keras_device("cpu")
    'cpu'
    """
    keras = require("keras", extra="keras")
    if keras.backend.backend() == "torch":
        return torch_device(name and name.replace("gpu", "cuda"))
    here = keras.distribution.list_devices()
    if name is None:
        return here[0]
    known = {"cpu", "cpu:0", *here, *(device.partition(":")[0] for device in here)}
    if name.replace("cuda", "gpu") not in known:
        raise ValueError(
            f"Keras cannot use the device {name!r} here; there are {', '.join(sorted(known))}. "
            "Leave the device out, and a GPU is used where there is one."
        )
    return name.replace("cuda", "gpu")


def launched() -> tuple[int, int]:
    """Return how many processes torchrun started to share one training.

    Returns
    -------
    devices, nodes : int
        How many on each machine, and on how many machines; 1 and 1 where there is no torchrun.

    Raises
    ------
    ValueError
        If a variable of torchrun's holds no such number.

    Examples
    --------
    >>> launched()
    (1, 1)
    """
    here = _positive("LOCAL_WORLD_SIZE", 1)
    return here, max(_positive("WORLD_SIZE", here) // here, 1)


def _positive(name: str, default: int) -> int:
    """Return a whole number above 0 from the environment."""
    told = os.environ.get(name) or str(default)
    if not told.isdecimal() or not int(told):
        raise ValueError(f"{name} is {told!r}: torchrun sets it to a whole number, so unset it")
    return int(told)


def reports_here(n_devices: int) -> bool:
    """Tell whether this process reports, where several are started to share one training.

    Parameters
    ----------
    n_devices : int
        How many share it.

    Returns
    -------
    bool
        True for the first process of ``torchrun`` or Slurm, on the machine whose ``NODE_RANK`` is
        0, and where nothing of the kind is set.

    Examples
    --------
    >>> reports_here(1)
    True
    """
    ranks = (os.environ.get(name) for name in ("RANK", "SLURM_PROCID", "NODE_RANK"))
    return n_devices == 1 or not any(int(rank) for rank in ranks if rank)


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
