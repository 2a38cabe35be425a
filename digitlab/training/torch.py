"""Learning in PyTorch: a plain loop, built in the open in chapter 9."""

import time
from contextlib import contextmanager

import numpy as np

from digitlab._devices import torch_device
from digitlab._optional import require
from digitlab.training.history import History

torch = require("torch", extra="torch")

SMALL_BATCH = 2**20  # numbers


def fit(
    model: "torch.nn.Module",
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
    model : torch.nn.Module
        Returns log-probabilities; it is trained in place.
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
        By default a GPU where there is one.

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
    Adam is due to D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    Taught in chapter 9.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> x = np.eye(4, dtype=np.float32)
    >>> history = fit(logistic_regression(4, 4), x, np.arange(4), epochs=300, batch_size=4,
    ...               learning_rate=0.1)
    >>> history.accuracy[-1]
    1.0
    """
    if len(x) < batch_size:
        raise ValueError(f"{len(x)} clips do not fill one batch of {batch_size}")
    device = torch_device(device)
    model.to(device)
    x = torch.as_tensor(x, dtype=torch.float32, device=device)
    y = torch.as_tensor(y, dtype=torch.long, device=device)
    adam = torch.optim.Adam(model.parameters(), lr=learning_rate)
    dice = torch.Generator().manual_seed(seed)
    history = History(device=device)
    start = time.perf_counter()
    with _threads_for(x[:batch_size]):
        for epoch in range(1, epochs + 1):
            model.train()
            order = torch.randperm(len(x), generator=dice).to(device)
            for batch in order[: len(x) // batch_size * batch_size].split(batch_size):
                adam.zero_grad()
                torch.nn.functional.nll_loss(model(x[batch]), y[batch]).backward()
                adam.step()
            model.eval()
            with torch.inference_mode():
                log_probabilities = model(x)
                loss = torch.nn.functional.nll_loss(log_probabilities, y).item()
                accuracy = (log_probabilities.argmax(dim=1) == y).float().mean().item()
            history.record(loss, accuracy, epoch=epoch)
    history.seconds = time.perf_counter() - start
    return history


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
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        x = torch.as_tensor(x, dtype=torch.float32, device=device)
        return model(x).exp().cpu().numpy()
