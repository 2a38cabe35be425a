"""Where digitlab keeps what it downloads and computes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import platformdirs


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
