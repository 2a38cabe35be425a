"""Learning in PyTorch: a plain loop, built in the open in chapter 9."""

import copy
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from digitlab.environment import replacing, require, torch_device
from digitlab.models.torch import get_weights
from digitlab.training.common import (
    MEASURED_AT_ONCE,
    checkpoint_file,
    lots,
    prepare,
    refuse,
    step_sizes,
)
from digitlab.training.history import NEVER, EarlyStopping, History

torch = require("torch", extra="torch")

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
    model : torch.nn.Module
        Returns log-probabilities; it is trained in place.
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
        Decides the permutations, and what is drawn for `augment` and by dropout.
    device : str, optional
        By default a GPU where there is one.

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
    refuse(x, batch_size, validation, early_stopping, optimizer, schedule)
    device = torch_device(device)
    model.to(device)
    descent = _optimizer(optimizer, model, learning_rate)
    history, best = History(device=device), {}
    steps = step_sizes(learning_rate, epochs, schedule)
    if log_folder:
        prepare(log_folder)
    if checkpoint_folder:
        how = (batch_size, optimizer, steps, augment, early_stopping.restore_best, seed)
        training = (str(model), x, y, validation, *how)
        checkpoint = checkpoint_file(checkpoint_folder, get_weights(model), "torch", *training)
        if checkpoint.exists():
            kept = torch.load(checkpoint, map_location=device)
            model.load_state_dict(kept["model"])
            descent.load_state_dict(kept["descent"])
            history, best = History(**kept["history"]), kept["best"]
    start = time.perf_counter() - history.seconds
    clips, (x, y) = x, _tensors(x, y, device)
    validation = validation and _tensors(*validation, device)
    with _threads_for(x[:batch_size]):
        while history.epochs < epochs and not early_stopping.stops(history.validation_loss):
            descent.param_groups[0]["lr"] = steps[history.epochs]
            order, dice = lots(len(x), seed, history.epochs + 1)
            order = torch.as_tensor(order, device=device)
            heard = x if augment is None else _tensors(augment(clips, dice), y, device)[0]
            model.train()
            with _drawn_by(seed, history.epochs + 1, device):
                for batch in order[: len(x) // batch_size * batch_size].split(batch_size):
                    descent.zero_grad()
                    torch.nn.functional.nll_loss(model(heard[batch]), y[batch]).backward()
                    descent.step()
            history.record(_measure(model, x, y), validation and _measure(model, *validation))
            if early_stopping.restore_best and history.best_epoch == history.epochs:
                best = copy.deepcopy(model.state_dict())
            history.seconds = time.perf_counter() - start
            if log_folder:
                history.log(log_folder)
            if checkpoint_folder:
                state = {"model": model.state_dict(), "descent": descent.state_dict()}
                with replacing(checkpoint) as out:
                    torch.save(state | {"history": asdict(history), "best": best}, out)
            if after_epoch:
                after_epoch(history)
    if best:
        model.load_state_dict(best)
    return history


def _optimizer(name: str, model: "torch.nn.Module", learning_rate: float):
    if name == "rmsprop":
        # Keras adds its 1e-7 to the mean square, PyTorch adds to the root of it
        return torch.optim.RMSprop(model.parameters(), learning_rate, alpha=0.9, eps=1e-7**0.5)
    return torch.optim.Adam(model.parameters(), learning_rate)


def _tensors(x: np.ndarray, y: np.ndarray, device: str) -> tuple["torch.Tensor", "torch.Tensor"]:
    return (
        torch.as_tensor(x, dtype=torch.float32, device=device),
        torch.as_tensor(y, dtype=torch.long, device=device),
    )


def _measure(model: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor") -> tuple:
    """Return loss and accuracy on all of these clips."""
    log_probabilities = _answer(model, x)
    loss = torch.nn.functional.nll_loss(log_probabilities, y).item()
    return loss, (log_probabilities.argmax(dim=1) == y).float().mean().item()


def _answer(model: "torch.nn.Module", x: "torch.Tensor") -> "torch.Tensor":
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(part) for part in x.split(MEASURED_AT_ONCE)])


@contextmanager
def _drawn_by(seed: int, epoch: int, device: str):
    """Draw what dropout silences by these, however the epochs before were run."""
    with torch.random.fork_rng([device] if device.startswith("cuda") else []):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        yield


@contextmanager
def _threads_for(batch: "torch.Tensor"):
    """Work on a small batch in one thread: waiting for a second one costs more than it brings.

    On two cores that something else keeps busy, K2 trained more than ten times faster so.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if batch.numel() < SMALL_BATCH else before)
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
    x : array of shape (n_clips, ...)
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
    x = torch.as_tensor(x, dtype=torch.float32, device=next(model.parameters()).device)
    return _answer(model, x).exp().cpu().numpy()
