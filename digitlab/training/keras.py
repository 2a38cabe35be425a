"""Learning in Keras: its own ``fit``, with the figures taken after each epoch."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from digitlab.environment import keras_device, replacing, require
from digitlab.training.common import (
    MEASURED_AT_ONCE,
    checkpoint_file,
    lots,
    prepare,
    refuse,
    step_sizes,
)
from digitlab.training.history import NEVER, EarlyStopping, History

keras = require("keras", extra="keras")


def fit(
    model: "keras.Model",
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "constant",
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    early_stopping: EarlyStopping = NEVER,
    checkpoint_folder: Path | None = None,
    log_folder: Path | None = None,
    after_epoch: Callable[[History], None] | None = None,
    seed: int = 0,
    device: str | None = None,
) -> History:
    """Train a classifier, on a fresh permutation of the clips each epoch.

    The clips that do not fill the last batch of an epoch are left out of that epoch.

    Parameters
    ----------
    model : keras.Model
        Returns probabilities; it is trained in place.
    x : array of shape (n_clips, ...), float32
        Features.
    y : array of shape (n_clips,), int
        Labels.
    epochs, batch_size : int
        How often each clip is seen, and how many at a time.
    optimizer : {"adam", "rmsprop"}
        How gradients become steps; RMSprop with Keras's settings.
    learning_rate : float
        Its step size; the default is Adam's own.
    schedule : {"constant", "cosine", "one-cycle"}
        How the step size changes from epoch to epoch: not at all; from `learning_rate` along half a
        cosine towards 0; or up to it along half a cosine for three tenths of the epochs, and down
        along another one, as :func:`digitlab.training.lightning.fit` does from step to step.
    augment : callable, optional
        Is given the features and what draws, and returns what is learned from in the epoch that
        begins: other copies of the same clips, in their order.
    validation : tuple of arrays, optional
        Features and labels of clips that are measured after every epoch, and not learned from.
    early_stopping : EarlyStopping
        When to stop before the last epoch, and with which weights. It looks at the validation
        clips.
    checkpoint_folder : pathlib.Path, optional
        Where to keep all that is needed to go on, after every epoch. If the training was
        interrupted, the same call goes on after the last whole epoch, and ends as it would have
        ended.
    log_folder : pathlib.Path, optional
        Where to write curves for TensorBoard, and the same as a CSV file.
    after_epoch : callable, optional
        Is called with the history after every epoch.
    seed : int
        Decides the permutations, and what is drawn for `augment`.
    device : str, optional
        ``"cpu"``, ``"gpu:0"``, ...; by default a GPU where there is one.

    Returns
    -------
    History
        Loss and accuracy after every epoch.

    Raises
    ------
    ValueError
        If there are fewer clips than a batch holds, nothing to stop by, or no such optimizer or
        schedule.
    FloatingPointError
        If a loss is no longer a number.
    OSError
        If nothing can be kept in a folder, or too little: before the training.

    Notes
    -----
    The twin of :func:`digitlab.training.torch.fit`, which deals the clips in the same order. Taught
    in chapters 10 and 11.

    Examples
    --------
    >>> from digitlab.models.keras import logistic_regression
    >>> x = np.eye(4, dtype=np.float32)
    >>> history = fit(logistic_regression(4, 4), x, np.arange(4), epochs=15, batch_size=4,
    ...               learning_rate=0.5)
    >>> history.accuracy[-1]
    1.0
    """
    refuse(x, batch_size, validation, early_stopping, optimizer, schedule)
    device = keras_device(device)
    history, best = History(device=device), []
    with keras.device(device):
        steps = step_sizes(learning_rate, epochs, schedule)
        descent = keras.optimizers.get(
            {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
        )
        model.compile(descent, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        descent.build(model.trainable_variables)
        if log_folder:
            prepare(log_folder)
        if checkpoint_folder:
            layers = [type(layer).__name__ for layer in model.layers]
            how = (batch_size, optimizer, steps, augment, early_stopping.restore_best, seed)
            training = (layers, x, y, validation, *how)
            weights = model.get_weights()
            checkpoint = checkpoint_file(checkpoint_folder, weights, "keras", *training)
            if checkpoint.exists():
                history, best = _load(checkpoint, model)
        start = time.perf_counter() - history.seconds

        def begin_epoch(epoch: int, logs: dict) -> None:
            descent.learning_rate = steps[epoch]

        def finish_epoch(epoch: int, logs: dict) -> None:
            nonlocal best
            history.record(_measure(model, x, y), validation and _measure(model, *validation))
            history.seconds = time.perf_counter() - start
            if early_stopping.restore_best and history.best_epoch == history.epochs:
                best = model.get_weights()
            if log_folder:
                history.log(log_folder)
            if checkpoint_folder:
                _save(checkpoint, model, history, best)
            if after_epoch:
                after_epoch(history)
            model.stop_training = early_stopping.stops(history.validation_loss)

        if not early_stopping.stops(history.validation_loss):
            callback = keras.callbacks.LambdaCallback(begin_epoch, finish_epoch)
            model.fit(
                _FullBatches(x, y, batch_size, seed, augment, history),
                initial_epoch=history.epochs,
                epochs=epochs,
                shuffle=False,  # the batches are permuted already
                verbose=0,
                callbacks=[callback],
            )
        if best:
            model.set_weights(best)
    return history


class _FullBatches(keras.utils.PyDataset):
    """Batches of a fresh permutation each epoch; the clips that fill no batch sit the epoch out."""

    def __init__(self, x, y, batch_size, seed, augment, history):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size
        self.seed, self.augment, self.history = seed, augment, history
        self.epoch = 0

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, i):
        if self.epoch != self.history.epochs + 1:
            self._begin(self.history.epochs + 1)
        rows = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.heard[rows], self.y[rows]

    def _begin(self, epoch):
        self.order, dice = lots(len(self.x), self.seed, epoch)
        self.heard = self.augment(self.x, dice) if self.augment else self.x
        self.epoch = epoch


def _measure(model: "keras.Model", x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return loss and accuracy on all of these clips."""
    return tuple(model.evaluate(x, y, batch_size=MEASURED_AT_ONCE, verbose=0))


def _state(model: "keras.Model") -> list["keras.Variable"]:
    return [*model.variables, *model.optimizer.variables]


def _save(file: Path, model: "keras.Model", history: History, best: list[np.ndarray]) -> None:
    with replacing(file) as out:
        values = map(keras.ops.convert_to_numpy, _state(model))
        np.savez(out, *values, *best, history=json.dumps(asdict(history)))


def _load(file: Path, model: "keras.Model") -> tuple[History, list[np.ndarray]]:
    with np.load(file) as kept:
        values = [kept[f"arr_{i}"] for i in range(len(kept.files) - 1)]
        for variable in _state(model):
            variable.assign(values.pop(0))
        return History(**json.loads(str(kept["history"]))), values


def predict(model: "keras.Model", x: np.ndarray) -> np.ndarray:
    """Return the probability that a trained model gives to each class.

    Parameters
    ----------
    model : keras.Model
        Returns probabilities.
    x : array of shape (n_clips, ...)
        Features.

    Returns
    -------
    array of shape (n_clips, n_classes), float32
        Each row sums to 1.

    Examples
    --------
    >>> from digitlab.models.keras import logistic_regression
    >>> predict(logistic_regression(4, 2), np.zeros((3, 4))).shape
    (3, 2)
    """
    return np.asarray(model.predict(x, verbose=0))
