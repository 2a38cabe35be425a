"""Learning in Keras: its own ``fit``, with the figures taken after each epoch."""

import time

import numpy as np

from digitlab._devices import keras_device
from digitlab._optional import require
from digitlab.training.history import History

keras = require("keras", extra="keras")


def fit(
    model: "keras.Model",
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str | None = None,
) -> History:
    """Train a classifier with Adam, on a fresh permutation of the clips each epoch.

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
    learning_rate : float
        Adam's step size; the default is Adam's own.
    seed : int
        Decides the permutations.
    device : str, optional
        ``"cpu"``, ``"gpu:0"``, ...; by default a GPU where there is one.

    Returns
    -------
    History
        Training loss and accuracy after every epoch.

    Raises
    ------
    ValueError
        If there are fewer clips than a batch holds.
    FloatingPointError
        If the loss is no longer a number.

    Notes
    -----
    The twin of :func:`digitlab.training.torch.fit`, taught in chapter 9.

    Examples
    --------
    >>> from digitlab.models.keras import logistic_regression
    >>> x = np.eye(4, dtype=np.float32)
    >>> history = fit(logistic_regression(4, 4), x, np.arange(4), epochs=15, batch_size=4,
    ...               learning_rate=0.5)
    >>> history.accuracy[-1]
    1.0
    """
    if len(x) < batch_size:
        raise ValueError(f"{len(x)} clips do not fill one batch of {batch_size}")
    device = keras_device(device)
    history = History(device=device)

    def measure(epoch: int, logs: dict) -> None:
        history.record(*model.evaluate(x, y, batch_size=len(x), verbose=0), epoch=epoch + 1)

    start = time.perf_counter()
    with keras.device(device):
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        model.fit(
            _FullBatches(x, y, batch_size, seed),
            epochs=epochs,
            shuffle=False,  # the batches are permuted already
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=measure)],
        )
    history.seconds = time.perf_counter() - start
    return history


class _FullBatches(keras.utils.PyDataset):
    """Batches of a fresh permutation each epoch; the clips that fill no batch sit the epoch out."""

    def __init__(self, x, y, batch_size, seed):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size
        self.dice = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self):
        return len(self.x) // self.batch_size

    def __getitem__(self, i):
        rows = self.order[i * self.batch_size : (i + 1) * self.batch_size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.order = self.dice.permutation(len(self.x))


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
