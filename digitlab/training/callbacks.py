"""What may happen after each epoch: early stopping, a checkpoint, a line in a log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from digitlab.environment import replacing, require
from digitlab.training.history import History


@dataclass(frozen=True)
class EarlyStopping:
    """Stop once the validation loss has not improved for some epochs, as Keras and Lightning do.

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

    Examples
    --------
    >>> callbacks = [EarlyStopping(patience=3), Logger("logs")]  # for `fit`
    """

    folder: Path

    def __call__(self, history: History) -> None:
        """Write the last epoch for TensorBoard, and all epochs to the CSV file."""
        writer = require("tensorboard.summary", extra="book").Writer(str(self.folder))
        for name, values in history.curves.items():
            writer.add_scalar(name, values[-1], step=history.epochs)
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
