"""What training needs in either framework."""

from pathlib import Path

import joblib
import numpy as np

from digitlab.training.history import NEVER

MEASURED_AT_ONCE = 512  # clips
OPTIMIZERS = ("adam", "rmsprop")


def refuse(x, batch_size: int, validation, early_stopping, optimizer: str) -> None:
    """Refuse what nothing can be learned from."""
    if len(x) < batch_size:
        raise ValueError(f"{len(x)} clips do not fill one batch of {batch_size}")
    if early_stopping is not NEVER and not validation:
        raise ValueError("early stopping needs validation clips: give some, as validation=(x, y)")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"there is no optimizer {optimizer!r}; there are {', '.join(OPTIMIZERS)}")


def step_sizes(learning_rate: float, epochs: int, decay: bool) -> list[float]:
    """Return the step size in each epoch."""
    shares = (1 + np.cos(np.pi * np.arange(epochs) / epochs)) / 2 if decay else np.ones(epochs)
    return (learning_rate * shares).tolist()


def lots(n_clips: int, seed: int, epoch: int) -> tuple[np.ndarray, np.random.Generator]:
    """Return the order of the clips in an epoch, and what draws whatever else it needs.

    Both are the same, however the epochs before it were run.
    """
    dice = np.random.default_rng([seed, epoch])
    return dice.permutation(n_clips), dice


def checkpoint_file(folder: Path, *training) -> Path:
    """Return where a training is kept, named after all that decides how it goes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{joblib.hash(training)}.checkpoint"
