"""Features of more clips than the memory holds: batch by batch, by several processes or machines.

joblib hands out the batches: to this process, to processes of this machine, or to a Dask cluster.
Each result goes straight to a file of its own, a shard, which the process that computed it writes.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from digitlab.environment import make_folder, progress, refuse_unwritable, replacing, sha256
from digitlab.features.by_name import compute
from digitlab.layouts import listed

MANIFEST = "manifest.csv"
AGAIN = "call compute_to_disk again, which computes what is not whole"
COLUMNS = ["file", "n_clips", "sha256", "was_there"]
Batch: TypeAlias = np.ndarray | Callable[[], np.ndarray]


def compute_to_disk(
    name: str, batches: Iterable[Batch], rate: float, folder: Path, *, show_progress: bool = False
) -> pd.DataFrame:
    """Compute a feature of batches of clips, and write each batch to a file.

    Neither the clips nor the features need to fit into the memory: a few batches are under way at a
    time. Interrupted, it goes on where it was when it is called again.

    Parameters
    ----------
    name : str
        A feature, as for :func:`compute`.
    batches : iterable of array, shape (n_clips, n_samples), or of function
        A function without arguments is called by the process that computes the feature, and
        returns such an array: so a file is read, or a sound is made, where it is needed. It must
        be known to that process, as :meth:`digitlab.corpora.Corpus.batches` or a
        ``functools.partial`` of an imported function is.
    rate : float
        Of the clips, in Hz.
    folder : pathlib.Path
        For the shards, ``000000.npy`` and so on, and what is known of each. It is made if it is
        missing. All machines must see it under this name.
    show_progress : bool
        Whether a bar counts the batches.

    Returns
    -------
    pandas.DataFrame
        A row for each shard: ``file``, ``n_clips``, ``sha256`` of the file, and ``was_there``:
        whether an earlier call had computed it.

    Raises
    ------
    ValueError
        If the folder holds features of something else, or if batches failed: all others are
        computed first, and the message says what was wrong with each.
    OSError
        If the folder cannot be made or written.

    Notes
    -----
    Who computes is said outside, by ``joblib.parallel_config``: with ``backend="loky", n_jobs=2``
    two processes, with ``backend="dask"`` the workers of the ``dask.distributed.Client`` that was
    made last. By default it is this process, and so it is for a cluster of one thread.

    A shard is known by the feature, the rate, and the content of an array or the name and the
    arguments of a function. What stands in a function, or in a file that it reads, is not looked
    at: delete the folder when these have changed. A shard that is damaged is computed again.

    Numbers are those of :func:`compute`, bit by bit, where batches hold a multiple of 256 clips;
    otherwise sums may be rounded differently. Taught in chapter 19.

    Examples
    --------
    >>> import tempfile
    >>> batches = (np.full((2, 8000), level, np.float32) for level in (0.1, 0.2, 0.3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = compute_to_disk("mean_spectrum", batches, 8000, Path(folder))
    ...     shards = read_shards(Path(folder))
    >>> table["file"].tolist(), [shard.shape for shard in shards]
    (['000000.npy', '000001.npy', '000002.npy'], [(2, 129), (2, 129), (2, 129)])
    """
    import joblib

    folder = Path(folder).absolute()
    manifest = folder / MANIFEST
    make_folder(folder)
    refuse_unwritable(manifest)
    jobs = (
        joblib.delayed(_shard)(name, batch, rate, folder / f"{i:06}.npy", joblib.hash(batch))
        for i, batch in enumerate(batches)
    )
    # one batch to a task: few are under way, and none waits for others to be written
    parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
    records = []
    for record in progress(parallel(jobs), "Batches", disable=not show_progress):
        if not record.get("was_there", True):
            manifest.unlink(missing_ok=True)  # it comes back when all is done
        records.append(record)
    if problems := [record["problem"] for record in records if "problem" in record]:
        heading = f"{len(problems)} of {len(records)} batches failed; the others are in {folder}:"
        raise ValueError(listed(heading, sorted(problems)))
    table = pd.DataFrame(records, columns=COLUMNS).sort_values("file", ignore_index=True)
    if others := {file.name for file in folder.glob("*.npy")} - set(table["file"]):
        raise ValueError(
            f"{folder} holds {len(others)} shards beside these {len(table)}, such as "
            f"{min(others)}: remove them, or name another folder"
        )
    with replacing(manifest, "w") as out:
        table.to_csv(out, index=False, lineterminator="\n")
    return table


def read_shards(folder: Path) -> list[np.ndarray]:
    """Open the features that :func:`compute_to_disk` wrote, without reading them.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are.

    Returns
    -------
    list of array of shape (n_clips, ...), float32
        In the order of the batches. They are mapped into the memory: rows are read from the disk
        when they are looked at.

    Raises
    ------
    FileNotFoundError
        If the features are not there, or not all of them.
    ValueError
        If a file is damaged.

    Examples
    --------
    >>> read_shards(Path("no-such-folder"))
    Traceback (most recent call last):
    FileNotFoundError: no-such-folder/manifest.csv is missing: call compute_to_disk to the end first
    """
    manifest = Path(folder, MANIFEST)
    if not manifest.is_file():
        raise FileNotFoundError(f"{manifest} is missing: call compute_to_disk to the end first")
    try:
        names = pd.read_csv(manifest)["file"]
        return [np.load(manifest.with_name(name), mmap_mode="r") for name in names]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error.filename} is missing: {AGAIN}") from error
    except (ValueError, LookupError, EOFError) as error:
        raise ValueError(f"{folder}: its features are damaged ({error}): {AGAIN}") from error


def _shard(name: str, batch: Batch, rate: float, file: Path, content: str) -> dict[str, Any]:
    """Compute one shard and write it, unless it is there; say what is wrong instead of failing."""
    about = {"feature": name, "rate": float(rate), "content": content}
    try:
        if known := _known(file, about):
            return known | {"was_there": True}
        x = compute(name, batch() if callable(batch) else batch, rate, keep=False)
        with replacing(file) as out:
            np.save(out, x)
        known = {"file": file.name, "n_clips": len(x), "sha256": sha256(file)}
        with replacing(file.with_suffix(".json"), "w") as out:
            json.dump(about | known, out)
        return known | {"was_there": False}
    except Exception as error:  # whatever it is, other batches go on
        return {"problem": f"{file.name}: {type(error).__name__}: {error}"}


def _known(file: Path, about: dict) -> dict[str, Any]:
    """Return what was written down of a shard that is whole; nothing if it must be computed."""
    try:
        known = json.loads(file.with_suffix(".json").read_text("utf-8"))
        is_whole = sha256(file) == known["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if any(known.get(name) != value for name, value in about.items()):
        raise ValueError(f"it holds features of something else: name another folder than {file}")
    return {name: known[name] for name in ("file", "n_clips", "sha256")} if is_whole else {}
