"""Training in PyTorch: a plain loop, built in the open in chapter 9."""

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from digitlab.environment import require, torch_device
from digitlab.models.torch import get_weights
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

require("torch", extra="torch")

import torch  # noqa: E402

__all__ = ["fit", "predict"]
SMALL_BATCH = 2**20  # numbers


def fit(
    model: "torch.nn.Module",
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
    """Train a classifier, on a fresh permutation of the clips in each epoch.

    The clips that do not fill the last batch of an epoch are left out of that epoch.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities; it is trained in place.
    x : array of shape (n_clips, ...), float
        Features.
    y : array of shape (n_clips,), int
        Labels, from 0 on.
    epochs, batch_size : int
        How often each clip is seen, and how many at a time.
    optimizer : {"adam", "rmsprop"}
        How gradients become steps; RMSprop with Keras's settings.
    learning_rate : float
        The optimizer's; the default is Adam's own.
    schedule : {"constant", "cosine", "one-cycle"}
        How the learning rate changes from epoch to epoch: not at all; from `learning_rate` along
        half a cosine towards 0; or up to it for three tenths of the epochs, and down again.
    augment : callable, optional
        Takes the features and a random generator, and returns what an epoch learns from: other
        versions of the same clips, in their order.
    validation : tuple of arrays, optional
        Features and labels of clips that are measured after every epoch, and not learned from.
    callbacks : list
        :class:`~digitlab.training.EarlyStopping`, :class:`~digitlab.training.Checkpoint` and
        :class:`~digitlab.training.Logger`, at most one of each; and functions that take the
        history, called after every epoch.
    seed : int
        Decides the permutations, and what is random in `augment` and in dropout.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    History
        Loss and accuracy after every epoch.

    Raises
    ------
    ValueError
        If features, labels, model and settings do not fit together.
    CheckpointError
        If a checkpoint is damaged.
    FloatingPointError
        If a loss is NaN or infinite.
    OSError
        If nothing, or too little, can be written into a folder: before the training.

    Notes
    -----
    Adam is due to D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    Taught in chapter 9; validation and early stopping in chapter 11.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> x = np.eye(4, dtype=np.float32)
    >>> history = fit(logistic_regression(4, 4), x, np.arange(4), epochs=300, batch_size=4,
    ...               learning_rate=0.1)
    >>> history.accuracy[-1]
    1.0
    """
    names = {"optimizer": optimizer, "schedule": schedule}
    refuse_settings(len(x), epochs, batch_size, learning_rate, validation, callbacks, **names)
    x, y = as_clips(x, y)
    validation = validation and as_clips(*validation)
    device = torch_device(device)
    model.to(device)
    for features, labels in filter(None, ((x, y), validation)):
        refuse_misfits(model, features[:1], labels)
    rates = learning_rates(learning_rate, epochs, schedule)
    settings = (batch_size, optimizer, rates, augment, seed)
    steps = make_optimizer(optimizer, model, learning_rate)
    run = _Run(model, steps, callbacks, device, "torch", x, y, validation, *settings)
    tensors = to_tensors(x, y, device)
    held_back = validation and to_tensors(*validation, device)
    with _threads_for(x[:batch_size], device):
        for epoch in run.epochs(epochs):
            steps.param_groups[0]["lr"] = rates[epoch - 1]
            order, rng = epoch_order(len(x), seed, epoch)
            varied = to_tensors(augment(x, rng), y, device) if augment else tensors
            with _seeded(seed, epoch, device):
                train_epoch(model, steps, *varied, full_batches(order, batch_size))
            run.record(measure(model, *tensors), held_back and measure(model, *held_back))
    return run.finish()


def refuse_misfits(model: "torch.nn.Module", clip: np.ndarray, y: np.ndarray | None) -> None:
    """Refuse a model that cannot learn, clips that do not fit it, and labels without a class."""
    if not any(weights.requires_grad for weights in model.parameters()):
        raise ValueError("the model has no trainable parameters: there is nothing to learn")
    n_classes = predict(model, clip).shape[1]
    if y is not None:
        refuse_labels(np.asarray(y), n_classes)


def train_epoch(
    model: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
    x: "torch.Tensor",
    y: "torch.Tensor",
    batches: np.ndarray,
) -> None:
    """Take one step for each batch, given as rows of `x`."""
    model.train()
    for batch in torch.as_tensor(batches, device=x.device):
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()


def make_optimizer(
    name: str, model: "torch.nn.Module", learning_rate: float
) -> "torch.optim.Optimizer":
    """Return the optimizer of this name."""
    if name == "rmsprop":
        # Keras adds its 1e-7 to the mean square, PyTorch adds to the root of it
        return torch.optim.RMSprop(model.parameters(), learning_rate, alpha=0.9, eps=1e-7**0.5)
    return torch.optim.Adam(model.parameters(), learning_rate)


def load_optimizer(optimizer: "torch.optim.Optimizer", state: dict) -> None:
    """Give an optimizer its state back; refuse that of other weights."""
    optimizer.load_state_dict(state)
    for weights, slots in optimizer.state.items():
        for values in slots.values():
            if values.ndim and values.shape != weights.shape:
                raise ValueError("the optimizer's state does not fit the weights")


def to_tensors(x: np.ndarray, y: np.ndarray, device: str) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return features and labels on a device."""
    # a table's column is not writable, which PyTorch warns of
    return torch.as_tensor(x, device=device).float(), torch.tensor(y, device=device).long()


def measure(model: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor") -> tuple[float, float]:
    """Return loss and accuracy on all of these clips."""
    log_probabilities = _log_probabilities(model, x)
    loss = torch.nn.functional.nll_loss(log_probabilities, y).item()
    return loss, (log_probabilities.argmax(dim=1) == y).float().mean().item()


def _log_probabilities(model: "torch.nn.Module", x: "torch.Tensor") -> "torch.Tensor":
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part) for part in x.split(MEASURED_AT_ONCE)])


class _Run(Run):
    """What is kept of a training in PyTorch."""

    def __init__(self, model, optimizer, callbacks, device, *training):
        self.model, self.optimizer, self.set_weights = model, optimizer, model.load_state_dict
        super().__init__(callbacks, device, get_weights(model), str(model), *training)

    def get_weights(self) -> dict:
        return copy.deepcopy(self.model.state_dict())

    def write(self, out: BinaryIO) -> None:
        model, optimizer = self.model.state_dict(), self.optimizer.state_dict()
        out.write(packed({"model": model, "optimizer": optimizer} | self.state))

    def read(self, file: Path) -> dict:
        kept = torch.load(file, map_location="cpu", weights_only=True)
        self.model.load_state_dict(kept["model"])
        load_optimizer(self.optimizer, kept["optimizer"])
        return kept


def packed(content: dict) -> bytes:
    """Return what ``torch.save`` would write into a file.

    On a full disk its own writer raises an error that does not say so.

    Parameters
    ----------
    content : dict
        What it can write.

    Examples
    --------
    >>> packed({"epoch": 3})[:2]
    b'PK'
    """
    whole = io.BytesIO()
    torch.save(content, whole)
    return whole.getvalue()


@contextmanager
def _seeded(seed: int, epoch: int, device: str) -> Iterator[None]:
    """Seed what dropout draws from, for this epoch alone, and leave PyTorch's state as it was."""
    gpus = range(torch.cuda.device_count()) if device.startswith("cuda") else []
    with torch.random.fork_rng(gpus):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        yield


@contextmanager
def _threads_for(batch: np.ndarray, device: str) -> Iterator[None]:
    """Work on a small batch in one thread: waiting for a second one costs more than it brings.

    On two cores that something else kept busy, K2 trained more than ten times faster this way.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if device == "cpu" and batch.size < SMALL_BATCH else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def predict(model: "torch.nn.Module", x: np.ndarray) -> np.ndarray:
    """Return the probability that a trained model gives to each class.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    x : array of shape (n_clips, ...), float
        Features.

    Returns
    -------
    array of shape (n_clips, n_classes), float32
        Each row sums to 1.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> predict(logistic_regression(4, 2), np.zeros((3, 4))).shape
    (3, 2)
    """
    x = as_features(x)
    device = next((values.device for values in model.parameters()), "cpu")
    try:
        return _log_probabilities(model, torch.as_tensor(x, device=device)).exp().cpu().numpy()
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        raise ValueError(
            f"this model cannot be given clips of shape {x.shape[1:]}: give it the features that "
            "it was built for"
        ) from error
