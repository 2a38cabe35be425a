"""What a learning-rate finder found, and whether a learning rate can be read from it."""

from typing import NamedTuple

import numpy as np

SKIPPED = 10  # first steps, in which the optimizer finds its pace: no rate of theirs is suggested
FEWEST_STEPS = SKIPPED + 3  # a slope needs two of those that remain
LIGHTNING_SMOOTHING = 0.98  # of its moving average
NEIGHBOURS = 5  # on either side, that a mean is taken over
DIVERGED = 4  # times the lowest loss: what comes after shows nothing
FLAT = 0.02  # of the loss: a smaller change is none


class LearningRates(NamedTuple):
    """How the loss went while the learning rate grew.

    Attributes
    ----------
    rates, losses : array of shape (n_steps,)
        The learning rates tried, and the loss with each: a moving average, as it is noisy.
    suggestion : float
        The learning rate at which the loss fell most steeply, over a logarithmic axis.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def read_course(
    rates: np.ndarray, averages: np.ndarray, lowest: float, highest: float
) -> LearningRates:
    """Suggest a learning rate from Lightning's averages, or say why there is none."""
    if not np.isfinite(averages[: SKIPPED + 2]).all():
        raise FloatingPointError(
            f"the loss is NaN or infinite from the first steps on, at a learning rate of "
            f"{lowest:g}: look for NaN and very large numbers in the features, or lower `lowest`"
        )
    single = _single_losses(averages[np.logical_and.accumulate(np.isfinite(averages))])
    losses = _smooth(single)
    diverged = losses > DIVERGED * np.minimum.accumulate(losses)
    losses = losses[: diverged.argmax() if diverged.any() else None]
    usable = losses[SKIPPED:-1]
    change = FLAT * single[0]
    if len(usable) > 1 and np.ptp(usable) <= change:
        raise ValueError(
            f"the loss hardly changed between {lowest:g} and {highest:g}: it stayed near "
            f"{usable.mean():.3g}. Raise `highest` or `n_steps`, or see whether the model can "
            "learn from these features at all"
        )
    if len(usable) < 2 or single[0] - usable.min() <= change:
        raise ValueError(f"the loss grew from {lowest:g} on: begin lower, with another `lowest`")
    falling = np.gradient(usable)[: usable.argmin() + 1]  # the rates grow by one factor
    return LearningRates(
        rates[: len(losses)], losses, float(rates[SKIPPED + int(falling.argmin())])
    )


def _single_losses(averages: np.ndarray) -> np.ndarray:
    """Undo Lightning's average, whose first values are too low, and which lags behind."""
    shares = 1 - LIGHTNING_SMOOTHING ** np.arange(2, len(averages) + 2)
    sums = averages * shares
    before = np.r_[0, sums[:-1]]
    return (sums - LIGHTNING_SMOOTHING * before) / (1 - LIGHTNING_SMOOTHING)


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Return the mean over each step and its neighbours, of which the ends have fewer."""
    window = np.ones(2 * NEIGHBOURS + 1)
    sums, counts = (np.convolve(v, window) for v in (losses, np.ones_like(losses)))
    return (sums / counts)[NEIGHBOURS:-NEIGHBOURS]
