"""What training needs in either framework."""

import shutil
import tempfile
from pathlib import Path

import joblib
import numpy as np

from digitlab.training.history import NEVER

MEASURED_AT_ONCE = 512  # clips
ROOM = 8  # times the size of a model: its weights, the best ones, two moments of each; twice
OPTIMIZERS = ("adam", "rmsprop")
SCHEDULES = ("constant", "cosine", "one-cycle")
RISE = 0.3  # of a cycle; it begins with a 25th of its highest step, and ends with a 250,000th


def refuse(
    x,
    batch_size: int,
    validation,
    early_stopping,
    optimizer: str = "adam",
    schedule: str = "one-cycle",
) -> None:
    """Refuse what nothing can be learned from."""
    if len(x) < batch_size:
        raise ValueError(f"{len(x)} clips do not fill one batch of {batch_size}")
    if early_stopping is not NEVER and not validation:
        raise ValueError("early stopping needs validation clips: give some, as validation=(x, y)")
    for kind, name, known in (
        ("optimizer", optimizer, OPTIMIZERS),
        ("schedule", schedule, SCHEDULES),
    ):
        if name not in known:
            raise ValueError(f"there is no {kind} {name!r}; there are {', '.join(known)}")


def step_sizes(learning_rate: float, epochs: int, schedule: str) -> list[float]:
    """Return the step size in each epoch."""
    if schedule == "cosine":
        shares = _slope(1, 0, np.arange(epochs) / epochs)
    elif schedule == "one-cycle":  # half-way through each epoch
        done = (np.arange(epochs) + 0.5) / epochs
        fall = _slope(1, 1 / 250_000, (done - RISE) / (1 - RISE))
        shares = np.where(done < RISE, _slope(1 / 25, 1, done / RISE), fall)
    else:
        shares = np.ones(epochs)
    return (learning_rate * shares).tolist()


def _slope(first: float, last: float, way: np.ndarray) -> np.ndarray:
    """Go from the first value to the last along half a cosine."""
    return last + (first - last) * (1 + np.cos(np.pi * way)) / 2


def lots(n_clips: int, seed: int, epoch: int) -> tuple[np.ndarray, np.random.Generator]:
    """Return the order of the clips in an epoch, and what draws whatever else it needs.

    Both are the same, however the epochs before it were run.
    """
    dice = np.random.default_rng([seed, epoch])
    return dice.permutation(n_clips), dice


def checkpoint_file(folder: Path, weights: list[np.ndarray], *training) -> Path:
    """Return where a training is kept, named after all that decides how it goes."""
    prepare(folder, ROOM * sum(values.nbytes for values in weights))
    return Path(folder, f"{joblib.hash((weights, training))}.checkpoint")


def prepare(folder: Path, n_bytes: int = 0) -> None:
    """Make a folder; refuse it if nothing can be written there, or not so much."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"is there room?")
    except OSError as error:
        raise OSError(f"nothing can be written into {folder}: {error}") from error
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise OSError(
            f"the training wants {n_bytes / 1e6:,.0f} MB at {folder}, and {free / 1e6:,.0f} are "
            "free: make room, or choose another folder"
        )
