"""What may happen after each epoch: early stopping, a checkpoint, a line in a log."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import PicklingError
from typing import TypeVar

import joblib
import numpy as np
import pandas as pd

from digitlab.environment import replacing, require
from digitlab.training.history import History

CHECKPOINT_MODELS = 8  # weights, the best ones, two moments of each; old and new file side by side


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once the validation loss has not improved for some epochs.

    It decides as Keras's callback of that name does.

    Attributes
    ----------
    min_delta : float
        By how much the loss must fall below the best one before it counts as an improvement.
    patience : int
        How many epochs may pass without an improvement.
    restore_best : bool
        Whether the model gets back the weights with which the validation loss was lowest. If not,
        it stays as the last epoch left it.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> published = EarlyStopping(min_delta=0.1, patience=1)
    >>> published.stops([2.3]), published.stops([2.3, 2.25]), published.stops([2.3, 2.1])
    (False, True, False)
    """

    min_delta: float = 0.0
    patience: int = 1
    restore_best: bool = False

    def stops(self, losses: Sequence[float]) -> bool:
        """Tell whether the training is over.

        Parameters
        ----------
        losses : list of float
            Validation loss after each epoch so far.

        Returns
        -------
        bool
            True where it is.
        """
        best, waited = np.inf, 0
        for loss in losses:
            better = loss + self.min_delta < best
            best, waited = (loss, 0) if better else (best, waited + 1)
        return waited >= max(self.patience, 1)


class CheckpointError(ValueError):
    """A checkpoint is damaged; the message names the file and says what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """Keep all that is needed to continue an interrupted training, after every epoch.

    The same call continues after the last whole epoch, and ends as it would have ended.

    Attributes
    ----------
    folder : pathlib.Path
        Where to keep it, in a file named after all that decides how the training goes. Trainings
        can share a folder.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> callbacks = [EarlyStopping(patience=3), Checkpoint("kept")]  # for `fit`
    """

    folder: Path


@dataclass(frozen=True)
class Logger:
    """Write curves for TensorBoard, and the same as a CSV file.

    Attributes
    ----------
    folder : pathlib.Path
        ``tensorboard --logdir`` finds it, or a folder above it. The CSV file is ``metrics.csv``: a
        row for each epoch.

    Notes
    -----
    Taught in chapter 11.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> history = History()
    >>> history.record((2.3, 0.1), (2.4, 0.05))
    >>> Logger(folder)(history)
    >>> pd.read_csv(folder / "metrics.csv").columns.tolist()
    ['epoch', 'loss', 'accuracy', 'validation_loss', 'validation_accuracy']
    """

    folder: Path

    def __call__(self, history: History) -> None:
        """Write the last epoch for TensorBoard, and all epochs to the CSV file."""
        writer = require("tensorboard.summary", extra="book").Writer(str(self.folder))
        for name, values in history.curves.items():
            set_, _, what = name.rpartition("_")
            writer.add_scalar(f"{what}/{set_ or 'training'}", values[-1], step=history.epochs)
        writer.close()
        epochs = pd.RangeIndex(1, history.epochs + 1, name="epoch")
        with replacing(Path(self.folder, "metrics.csv")) as out:
            pd.DataFrame(history.curves, index=epochs).to_csv(out)


Kind = TypeVar("Kind")
Callback = EarlyStopping | Checkpoint | Logger | Callable[[History], None]


def find(callbacks: Sequence[Callback], kind: type[Kind]) -> Kind | None:
    """Return the callback of a kind, if there is one."""
    return next((callback for callback in callbacks if isinstance(callback, kind)), None)


def call(callbacks: Sequence[Callback], history: History) -> None:
    """Call the loggers and functions among the callbacks."""
    for callback in callbacks:
        if callable(callback):
            callback(history)


def prepare(folder: Path, n_bytes: int = 0) -> None:
    """Make a folder; refuse it if nothing, or not so much, can be written there."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"is there room?")
    except OSError as error:
        raise OSError(f"nothing can be written into {folder}: {error}") from error
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"the training needs {n_bytes / 1e6:,.0f} MB at {folder}, and {free / 1e6:,.0f} are "
            "free: make room, or choose another folder"
        )


def checkpoint_file(
    callbacks: Sequence[Callback], weights: list[np.ndarray], *training: object
) -> Path | None:
    """Return where a training is kept, named after all that decides how it goes."""
    if not (checkpoint := find(callbacks, Checkpoint)):
        return None
    prepare(checkpoint.folder, CHECKPOINT_MODELS * sum(values.nbytes for values in weights))
    stopping = find(callbacks, EarlyStopping)
    restores = stopping is not None and stopping.restore_best
    try:
        name = joblib.hash((weights, training, restores))
    except (PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            "a checkpoint must recognise the functions that a training uses, and one of them is a "
            "lambda or stands inside another function: define it at the top of a file or a cell"
        ) from error
    return Path(checkpoint.folder, f"{name}.checkpoint")


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Say plainly that a checkpoint is damaged, where reading it fails."""
    file.open("rb").close()  # a file that may not be read is not damaged
    try:
        yield
    except Exception as error:
        if file.stat().st_size == 0:
            reason = "it is empty"
        elif not zipfile.is_zipfile(file):
            reason = "it was cut off, or it is no checkpoint"
        else:
            reason = "its content cannot be read, or belongs to another training"
        raise CheckpointError(f"{file} is damaged ({reason}): delete it to begin anew") from error
