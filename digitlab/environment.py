"""What the machine gives: folders that can be written, libraries, devices, how much work to do."""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import platformdirs

SCALES = ("smoke", "laptop", "full")


def cache_folder() -> Path:
    """Return the folder of downloads and computed features, made if it is missing.

    It is ``$DIGITLAB_CACHE`` if that is set, else the user's cache folder.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Examples
    --------
    >>> cache_folder().is_dir()
    True
    """
    folder = Path(os.environ.get("DIGITLAB_CACHE") or platformdirs.user_cache_path("digitlab"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kept_on_disk(function: Callable, folder: Path | None = None) -> Callable:
    """Return the function with its results kept on disk, under the content of its arguments.

    Parameters
    ----------
    function : callable
        Of arrays, numbers and words, to arrays.
    folder : pathlib.Path, optional
        By default the cache folder, as it is named now.

    Returns
    -------
    callable
        With a method ``check_call_in_cache``.

    Examples
    --------
    >>> double = kept_on_disk(lambda x: 2 * x)
    >>> double(21)
    42
    """
    import joblib

    return joblib.Memory(folder or cache_folder(), verbose=0).cache(function)


@contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, and put it there once it is whole."""
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        yield out
    os.replace(part, file)


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

    Examples
    --------
    >>> torch_device("cpu")
    'cpu'
    """
    import torch

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

    Examples
    --------
    >>> keras_device("cpu")
    'cpu'
    """
    import keras

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
