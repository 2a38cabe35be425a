"""How a training went: learning curves, and the search for a learning rate."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from digitlab.plotting.style import ACCENT, SECOND, new_axes

if TYPE_CHECKING:
    from digitlab.training import History
    from digitlab.training.lightning import LearningRates


def learning_curve(history: "History", *, ax: Axes | None = None) -> Axes:
    """Draw loss (left axis) and accuracy (right axis) after each epoch.

    Drawn in chapters 9 and 11.

    Parameters
    ----------
    history : digitlab.training.History
        What a ``fit`` returned. Where it holds figures of validation clips, they are drawn in the
        same colours, with dots.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the loss.
    """
    ax = ax or new_axes((6.4, 3.4))
    right = ax.twinx()
    epochs = np.arange(1, history.epochs + 1)
    lines = []
    for axes, what, colour, style in ((ax, "loss", ACCENT, "-"), (right, "accuracy", SECOND, "--")):
        for name, marker in ((what, ""), (f"validation_{what}", "o")):
            if values := getattr(history, name):
                lines += axes.plot(epochs, values, style, color=colour, marker=marker, markersize=4)
                lines[-1].set_label(name.replace("_", " "))
    ax.set(xlabel="epoch", ylabel="loss: mean of −log p", ylim=(0, None), xlim=(0, len(epochs) + 1))
    lowest = min(0.8, *history.accuracy, *history.validation_accuracy)
    right.set(ylabel="accuracy", ylim=(lowest, 1.005))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.grid(False)
    right.spines["right"].set_visible(True)
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


def learning_rates(found: "LearningRates", *, ax: Axes | None = None) -> Axes:
    """Draw the loss against the learning rates that were tried; a dot marks the suggested one.

    Drawn in chapter 14.

    Parameters
    ----------
    found : digitlab.training.lightning.LearningRates
        What ``find_learning_rate`` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.
    """
    ax = ax or new_axes()
    ax.plot(found.rates, found.losses, "-", color=ACCENT)
    dot = found.suggestion, np.interp(found.suggestion, found.rates, found.losses)
    ax.plot(*dot, "o", color=SECOND)
    text = f"falls most steeply at {found.suggestion:.1g}"
    ax.annotate(text, dot, (-8, -8), textcoords="offset points", ha="right", va="top")
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss: mean of −log p")
    return ax
