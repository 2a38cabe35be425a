"""What a test found: confusion matrix, accuracies, probabilities, reliability diagram."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from digitlab.plotting.style import ACCENT, GREY, INK, SECOND, new_axes


def confusion(
    counts: ArrayLike, classes: Sequence[str], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: a row for each true class, a column for each predicted one.

    The colour of a cell is its share of the row; the number in it is the count of clips. Drawn in
    chapter 7.

    Parameters
    ----------
    counts : array of shape (n_classes, n_classes), int
        From :attr:`digitlab.reports.Report.confusion`.
    classes : sequence of str
        Names of the classes.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Examples
    --------
    >>> ax = confusion(np.eye(2, dtype=int), ("0", "1"))
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('predicted', 'true')
    """
    counts, n_classes = np.asarray(counts), len(classes)
    many = n_classes > 15  # the colour bar goes below, to leave the width to the names
    ax = ax or new_axes((6.4, 7.4) if many else (5.6, 4.8))
    label = "share of the clips of one row"
    sns.heatmap(
        counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        annot=np.where(counts > 0, counts.astype(str), ""),
        fmt="",
        annot_kws={"fontsize": min(plt.rcParams["font.size"], 210 / n_classes)},
        xticklabels=classes,
        yticklabels=classes,
        vmin=0,
        vmax=1,
        cmap="Blues",
        square=True,
        linewidths=0.5,
        linecolor="#dde3e8",
        ax=ax,
        cbar_kws={
            "label": label,
            "format": PercentFormatter(1),
            "shrink": 0.6 if many else 0.9,
            "location": "bottom" if many else "right",
        },
    )
    ax.set(xlabel="predicted", ylabel="true", title=title)
    size = min(plt.rcParams["font.size"], 360 / n_classes)
    ax.tick_params(left=False, bottom=False, labelrotation=0, labelsize=size)
    if max(map(len, classes)) > 2:
        ax.tick_params(axis="x", labelrotation=90)
    return ax


def accuracies(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw accuracies with their intervals, one for each row of a table.

    Drawn in chapter 7.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``accuracy``, ``low`` and ``high``; the index names the rows.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.
    """
    ax = ax or new_axes((6.4, 0.9 + 0.36 * len(table)))
    rows = np.arange(len(table))[::-1]
    accuracy = table["accuracy"].to_numpy()
    ax.errorbar(accuracy, rows, xerr=_reach(table), fmt="o", color=ACCENT, capsize=4, linestyle="")
    for row, value, high in zip(rows, accuracy, table["high"], strict=True):
        ax.text(max(value, high) + 0.008, row, f"{value:.1%}", va="center")
    ax.set_yticks(rows, table.index)
    ax.set(xlabel="accuracy", ylim=(-0.6, len(table) - 0.4), xlim=(None, 1.09))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(axis="y", visible=False)
    return ax


def _reach(table: pd.DataFrame) -> np.ndarray:
    """Return how far the interval reaches below and above the accuracy, (2, n_rows)."""
    accuracy, low, high = (table[name].to_numpy() for name in ("accuracy", "low", "high"))
    return np.maximum([accuracy - low, high - accuracy], 0)


def probabilities(
    values: ArrayLike,
    classes: Sequence[str],
    *,
    true: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability that a recogniser gives to each class, as bars.

    Drawn in chapter 13.

    Parameters
    ----------
    values : array of shape (n_classes,)
        Probabilities, as they come out of a softmax; none is applied here.
    classes : sequence of str
        Names of the classes.
    true : int, optional
        The true class: its bar is hatched.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.

    Examples
    --------
    >>> ax = probabilities([0.2, 0.8], ("no", "yes"), true=1)
    >>> [float(bar.get_height()) for bar in ax.patches]
    [0.2, 0.8]
    """
    ax = ax or new_axes((4.2, 2.4))
    bars = ax.bar(np.arange(len(classes)), values, color=ACCENT, edgecolor=INK, linewidth=0.5)
    if true is not None:
        bars[true].set(hatch="////", facecolor=SECOND)
    ax.set_xticks(np.arange(len(classes)), classes)
    ax.set(xlabel="class", ylabel="probability", title=title, ylim=(0, 1.02))
    ax.grid(axis="x", visible=False)
    return ax


def reliability(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw a reliability diagram: accuracy against confidence.

    A calibrated system lies on the dashed line; below it, a system is overconfident. A larger dot
    stands for more clips. Drawn in chapter 7.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`digitlab.evaluation.reliability`.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw, and what is returned; by default a new figure.
    """
    ax = ax or new_axes((4.2, 4.2))
    confidence, accuracy = table["confidence"].to_numpy(), table["accuracy"].to_numpy()
    share = (table["n_clips"] / table["n_clips"].sum()).to_numpy()
    ax.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="calibrated")
    ax.errorbar(confidence, accuracy, yerr=_reach(table), fmt="none", ecolor=GREY, elinewidth=1)
    ax.plot(confidence, accuracy, "-", color=ACCENT)
    ax.scatter(confidence, accuracy, s=15 + 300 * share, color=ACCENT, zorder=3, clip_on=False)
    ax.set(xlabel="confidence", ylabel="accuracy", title=title, xlim=(0, 1.02), ylim=(0, 1.02))
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.legend(loc="lower right")
    return ax
