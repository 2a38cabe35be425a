"""What a learning-rate finder found, and whether a learning rate can be read from it."""

from typing import NamedTuple

import numpy as np

SKIPPED = 10  # first steps that Lightning's suggestion leaves out; it leaves out the last, too
FEWEST_STEPS = SKIPPED + 3  # a slope needs two of those that remain
SMOOTHING = 0.98  # of Lightning's moving average
FLAT = 0.02  # of the loss: a smaller change is none


class LearningRates(NamedTuple):
    """How the loss went while the learning rate grew.

    Attributes
    ----------
    rates, losses : array of shape (n_steps,)
        The learning rates tried, and the loss with each: a moving average, as it is noisy.
    suggestion : float
        The learning rate at which the loss fell most steeply.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def refuse_course(losses: np.ndarray, lowest: float, highest: float) -> None:
    """Say why no learning rate can be read from these losses, and what to do."""
    if not np.isfinite(losses[: SKIPPED + 2]).all():
        raise FloatingPointError(
            f"the loss is NaN or infinite from the first steps on, at a learning rate of "
            f"{lowest:g}: look for NaN and very large numbers in the features, or lower `lowest`"
        )
    weights = SMOOTHING ** np.arange(1, len(losses) + 2)
    means = losses * (1 - weights[1:]) / (1 - weights[:-1])  # Lightning's begin too low
    usable = means[SKIPPED:-1][np.isfinite(means[SKIPPED:-1])]
    change = FLAT * means[0]
    if len(usable) > 1 and np.ptp(usable) <= change:
        raise ValueError(
            f"the loss hardly changed between {lowest:g} and {highest:g}: it stayed near "
            f"{usable.mean():.3g}. Raise `highest` or `n_steps`, or see whether the model can "
            "learn from these features at all"
        )
    if len(usable) < 2 or usable[0] - usable.min() <= change:
        raise ValueError(f"the loss grew from {lowest:g} on: begin lower, with another `lowest`")
