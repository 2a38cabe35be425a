"""What every trainer does: it checks its input, orders the clips, and keeps track of the epochs."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from pickle import PicklingError
from typing import Any

import joblib
import numpy as np

from digitlab.environment import refuse_unwritable, replacing, require
from digitlab.training.callbacks import (
    Callback,
    Checkpoint,
    CheckpointError,
    EarlyStopping,
    Logger,
    call,
    find,
)
from digitlab.training.history import History

MEASURED_AT_ONCE = 512  # clips
OPTIMIZERS = ("adam", "rmsprop")
SCHEDULES = ("constant", "cosine", "one-cycle")
PRECISIONS = ("32-true", "bf16-mixed")
KNOWN = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS}
CHECKPOINT_MODELS = 8  # weights, the best ones, two moments of each; old and new file side by side
RISE = 0.3  # of a cycle; it begins with a 25th of its highest rate, and ends with a 250,000th


def as_features(x: np.ndarray) -> np.ndarray:
    """Return features as float32; refuse what is no features."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise ValueError(
            f"the features are {x.dtype}, and a model is given floats: scale samples with "
            "digitlab.audio.to_float, or convert what was computed with .astype('float32')"
        )
    if not x.size:
        raise ValueError(f"there are no clips: the features have the shape {x.shape}")
    return x.astype(np.float32, copy=False)


def as_clips(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features as float32 and labels as whole numbers; refuse what does not go together."""
    x, y = as_features(x), np.asarray(y)
    if y.shape != x.shape[:1]:
        raise ValueError(
            f"{len(x)} clips and labels of shape {y.shape}: give one label for each clip"
        )
    if y.dtype.kind not in "iu" or y.min() < 0:
        raise ValueError("labels are whole numbers that count from 0, one for each class")
    return x, y.astype(np.int64, copy=False)


def refuse_labels(y: np.ndarray, n_classes: int) -> None:
    """Refuse a label that a model has no class for."""
    if y.max() >= n_classes:
        raise ValueError(
            f"there is a label {y.max()}, and the model has classes 0 to {n_classes - 1}"
        )


def refuse_settings(
    n_clips: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    validation: Any,
    callbacks: Sequence[Callback],
    **names: str,
) -> None:
    """Refuse settings with which nothing can be learned; make the folders of logs."""
    for name, number in (("epochs", epochs), ("batch_size", batch_size)):
        if number < 1:
            raise ValueError(f"{name} is {number}: at least 1 is needed")
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"the learning rate is {learning_rate}: give a number above 0")
    if n_clips < batch_size:
        raise ValueError(
            f"{n_clips} clips do not fill one batch of {batch_size}: record or load more clips "
            "(or, in Python, give a smaller batch_size)"
        )
    for kind, name in names.items():
        if name not in KNOWN[kind]:
            raise ValueError(f"there is no {kind} {name!r}; there are {', '.join(KNOWN[kind])}")
    _refuse_callbacks(callbacks)
    if find(callbacks, EarlyStopping) and validation is None:
        raise ValueError("early stopping needs validation clips: give some, as validation=(x, y)")
    if logger := find(callbacks, Logger):
        _prepare(logger.folder)
        require("tensorboard.summary", extra="book")


def _refuse_callbacks(callbacks: Sequence[Callback]) -> None:
    if not isinstance(callbacks, (list, tuple)):
        raise ValueError("callbacks is a list: write callbacks=[...], also around a single one")
    for kind in (kinds := (EarlyStopping, Checkpoint, Logger)):
        if sum(isinstance(callback, kind) for callback in callbacks) > 1:
            raise ValueError(f"there is more than one {kind.__name__} in callbacks")
    for callback in callbacks:
        if isinstance(callback, type) or not (isinstance(callback, kinds) or callable(callback)):
            raise ValueError(
                f"{callback!r} cannot be a callback: give EarlyStopping(...), Checkpoint(folder), "
                "Logger(folder) of digitlab.training, or a function that takes the history"
            )


def _prepare(folder: Path, n_bytes: int = 0) -> None:
    """Make a folder; refuse it if nothing, or not so much, can be written there."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"nothing can be written into {folder}: no such folder can be made there. Choose "
            "another one"
        ) from error
    try:
        refuse_unwritable(Path(folder, "room"))
    except OSError as error:
        raise OSError(f"nothing can be written into {folder}: {error}") from error
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"the training needs {n_bytes / 1e6:,.0f} MB at {folder}, and {free / 1e6:,.0f} are "
            "free: make room, or choose another folder"
        )


def learning_rates(learning_rate: float, epochs: int, schedule: str) -> list[float]:
    """Return the learning rate of each epoch."""
    if schedule == "cosine":
        shares = _half_cosine(1, 0, np.arange(epochs) / epochs)
    elif schedule == "one-cycle":  # half-way through each epoch
        done = (np.arange(epochs) + 0.5) / epochs
        fall = _half_cosine(1, 1 / 250_000, (done - RISE) / (1 - RISE))
        shares = np.where(done < RISE, _half_cosine(1 / 25, 1, done / RISE), fall)
    else:
        shares = np.ones(epochs)
    return (learning_rate * shares).tolist()


def _half_cosine(first: float, last: float, done: np.ndarray) -> np.ndarray:
    """Go from the first value to the last along half a cosine."""
    return last + (first - last) * (1 + np.cos(np.pi * done)) / 2


def epoch_order(n_clips: int, seed: int, epoch: int) -> tuple[np.ndarray, np.random.Generator]:
    """Return the order of the clips in an epoch, and a generator for what else is random in it.

    Both are the same, however the epochs before it were run.
    """
    rng = np.random.default_rng([seed, epoch])
    return rng.permutation(n_clips), rng


def full_batches(order: np.ndarray, batch_size: int) -> np.ndarray:
    """Cut an order into batches; leave out the clips that do not fill the last one."""
    n_batches = len(order) // batch_size
    return order[: n_batches * batch_size].reshape(n_batches, batch_size)


class Run:
    """A training under way: its history, its best weights, its checkpoint and its callbacks.

    Each framework adds `get_weights` (a copy), `set_weights`, `write(out)`, which keeps the model,
    the optimizer and the state, and `read(file)`, which brings them back and returns the state.
    """

    get_weights: Callable[[], Any]
    set_weights: Callable[[Any], None]
    write: Callable[[Any], None]
    read: Callable[[Path], dict]

    def __init__(self, callbacks: Sequence[Callback], device: str, weights, *training):
        self.callbacks, self.history = callbacks, History(device=device)
        self.best: Any = None
        self.stopping = find(callbacks, EarlyStopping) or EarlyStopping(patience=sys.maxsize)
        self.file = self._checkpoint_file(weights, training)
        if self.file and self.file.exists():
            self._resume(self.file)
        self.start = time.perf_counter() - self.history.seconds

    def epochs(self, last: int) -> Iterator[int]:
        """Count the epochs that are still to be run."""
        while self.history.epochs < last and not self.stopping.stops(self.history.validation_loss):
            yield self.history.epochs + 1

    def record(self, training: tuple[float, float], validation: tuple[float, float] | None) -> None:
        """Note the figures of an epoch, keep what was learned in it, and call the callbacks."""
        self.note(training, validation)
        if self.file:
            with replacing(self.file) as out:
                self.write(out)
        call(self.callbacks, self.history)

    def note(self, training, validation=None) -> None:
        """Note the figures of an epoch, and its weights where early stopping may want them back."""
        self.history.record(training, validation)
        if self.stopping.restore_best and self.history.best_epoch == self.history.epochs:
            self.best = self.get_weights()
        self.history.seconds = time.perf_counter() - self.start

    def finish(self) -> History:
        """Give the model its best weights, if early stopping asks for that."""
        if self.best is not None:
            self.set_weights(self.best)
        return self.history

    @property
    def state(self) -> dict:
        """What a checkpoint keeps besides the model and the optimizer."""
        training = self.file and self.file.stem
        return {"training": training, "history": asdict(self.history), "best": self.best}

    @state.setter
    def state(self, state: dict) -> None:
        if state["training"] != (self.file and self.file.stem):
            raise ValueError("another training")
        self.history, self.best = History(**state["history"]), state["best"]

    def _resume(self, file: Path) -> None:
        """Go on from a checkpoint; leave the model as it was where that is damaged."""
        file.open("rb").close()  # a file that may not be read is not damaged
        before = self.get_weights()
        try:
            self.state = self.read(file)
        except Exception as error:
            self.set_weights(before)
            raise CheckpointError(
                f"{file} is damaged, or is no checkpoint of this training: delete it to begin anew"
            ) from error

    def _checkpoint_file(self, weights: list[np.ndarray], training: tuple) -> Path | None:
        """Return where the training is kept, named after all that decides how it goes."""
        if not (checkpoint := find(self.callbacks, Checkpoint)):
            return None
        _prepare(checkpoint.folder, CHECKPOINT_MODELS * sum(values.nbytes for values in weights))
        try:
            name = joblib.hash((weights, training, self.stopping.restore_best))
        except (PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                "a checkpoint must recognise the functions that a training uses, and one of them "
                "is a lambda or stands inside another function: define it at the top of a file or "
                "a cell"
            ) from error
        file = Path(checkpoint.folder, f"{name}.checkpoint")
        if file.is_dir():
            raise IsADirectoryError(
                f"{file} is a folder, and the checkpoint is to be a file of that name: remove it "
                "to begin anew"
            )
        return file
