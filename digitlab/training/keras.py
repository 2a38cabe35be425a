"""Training in Keras: the loop of :mod:`digitlab.training.torch`, in Keras's words."""

import json
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digitlab.environment import keras_device, require
from digitlab.models.keras.defaults import float32_channels_last
from digitlab.training.callbacks import Callback
from digitlab.training.common import (
    MEASURED_AT_ONCE,
    Run,
    as_clips,
    as_features,
    epoch_order,
    full_batches,
    learning_rates,
    refuse_labels,
    refuse_settings,
)
from digitlab.training.history import History

require("keras", extra="keras")

import keras  # noqa: E402


@float32_channels_last()
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
    callbacks: Sequence[Callback] = (),
    seed: int = 0,
    device: str | None = None,
) -> History:
    """Train a model that returns probabilities, as :func:`digitlab.training.torch.fit` does."""
    names = {"optimizer": optimizer, "schedule": schedule}
    refuse_settings(len(x), epochs, batch_size, learning_rate, validation, callbacks, **names)
    x, y = as_clips(x, y)
    validation = validation and as_clips(*validation)
    for features, labels in filter(None, ((x, y), validation)):
        sizes = zip_longest(model.input_shape[1:], features.shape[1:], fillvalue=0)
        if any(built not in (None, given) for built, given in sizes):
            raise _wrong_shape(model, features)
        refuse_labels(labels, n_classes=model.output_shape[-1])
    rates = learning_rates(learning_rate, epochs, schedule)
    settings = (batch_size, optimizer, rates, augment, seed)
    device = keras_device(device)
    with keras.device(device):
        _compile(model, optimizer, learning_rate)
        run = _Run(model, callbacks, device, x, y, validation, *settings)
        for epoch in run.epochs(epochs):
            model.optimizer.learning_rate = rates[epoch - 1]
            order, rng = epoch_order(len(x), seed, epoch)
            varied = augment(x, rng) if augment else x
            for batch in full_batches(order, batch_size):
                model.train_on_batch(varied[batch], y[batch])
            run.record(_measure(model, x, y), validation and _measure(model, *validation))
        return run.finish()


def _compile(model: "keras.Model", optimizer: str, learning_rate: float) -> None:
    about = {"class_name": optimizer, "config": {"learning_rate": learning_rate}}
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.get(about), loss=loss, metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)


def _measure(model: "keras.Model", x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return loss and accuracy on all of these clips."""
    return tuple(model.evaluate(x, y, batch_size=MEASURED_AT_ONCE, verbose=0))


class _Run(Run):
    """What is kept of a training in Keras: all variables in one file of NumPy arrays."""

    def __init__(self, model, callbacks, device, *training):
        self.model, self.get_weights, self.set_weights = model, model.get_weights, model.set_weights
        layers = [type(layer).__name__ for layer in model.layers]
        super().__init__(callbacks, device, model.get_weights(), "keras", layers, *training)

    @property
    def variables(self) -> list["keras.Variable"]:
        return [*self.model.variables, *self.model.optimizer.variables]

    def write(self, out: BinaryIO) -> None:
        values = map(keras.ops.convert_to_numpy, self.variables)
        np.savez(out, *values, *(self.best or ()), about=json.dumps(self.state | {"best": None}))

    def read(self, file: Path) -> dict:
        with np.load(file, allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            values = [kept[f"arr_{i}"] for i in range(len(kept.files) - 1)]
        for variable in self.variables:
            variable.assign(values.pop(0))
        return about | {"best": values or None}


def _wrong_shape(model: "keras.Model", x: np.ndarray) -> ValueError:
    return ValueError(
        f"this model cannot be given clips of shape {x.shape[1:]}: it was built for "
        f"{model.input_shape[1:]}"
    )


@float32_channels_last()
def predict(model: "keras.Model", x: np.ndarray) -> np.ndarray:
    """Return the probabilities of each class, as :func:`digitlab.training.torch.predict` does."""
    x = as_features(x)
    built = model.input_shape
    if x.ndim != len(built) or built[-1] not in (None, x.shape[-1]):
        raise _wrong_shape(model, x)
    try:
        return np.asarray(model.predict(x, verbose=0))
    except (RuntimeError, TypeError, ValueError) as error:
        raise _wrong_shape(model, x) from error
