"""The alluvial plot: predicted and true classes as two columns, with clips flowing between."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from digitlab import evaluation
from digitlab.plotting.style import CLASS_COLOURS, new_axes


def alluvial(
    matrix: ArrayLike,
    classes: Sequence[str],
    *,
    threshold: float = 0.001,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how clips flow from the predicted classes, on the left, to the true ones, on the right.

    A flow is as wide as it has clips. Correct flows are level and pale; errors are strong, in the
    colour of the true class. The classes stand in one order on both sides, in which few flows
    cross, so that confused words stand close together. At the right, each word has the number of
    its clips that were correct, and of all its clips.

    Parameters
    ----------
    matrix : array of shape (n_classes, n_classes), int
        Counts of clips, a row for each true class, a column for each predicted one: from
        :attr:`digitlab.reports.Report.confusion`.
    classes : sequence of str
        Names of the classes.
    threshold : float
        Pairs with a smaller share of all clips are not drawn, but counted beneath the picture.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, as high as the classes need. The size of the names
        depends on its height, so set the size of the figure first.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into; its y axis counts clips.

    Raises
    ------
    ValueError
        As :func:`digitlab.evaluation.flows`, which returns the same flows as a table.

    Notes
    -----
    Bars and flows have one scale, but a bar has at least the height of its name, and a flow is at
    least a thin line, so that a rare word can be seen. Where a bar has no flow, its clips belong
    to pairs that are not drawn.

    M. Rosvall and C. T. Bergstrom, "Mapping change in large networks", PLoS ONE 5(1), e8694, 2010.
    The search for the order starts from eigenvectors of a Laplacian, as M. Juvan and B. Mohar,
    "Optimal linear labelings and eigenvalues of graphs", Discrete Applied Mathematics 36, 1992.
    Drawn in chapter 14.

    Examples
    --------
    Five and right are taken for nine, so nine stands between them:

    >>> ax = alluvial([[8, 0, 2], [0, 9, 1], [1, 1, 8]], ("five", "right", "nine"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['five', 'nine', 'right']
    """
    table = evaluation.flows(matrix, classes, threshold=threshold)
    drawn, hidden = table[table["shown"]], table[~table["shown"]]
    order = _order(drawn, classes)
    names = [classes[i] for i in order]
    counts = np.asarray(matrix, int)[np.ix_(order, order)]
    ax = ax or new_axes((6.4, 2 + 0.28 * len(names)))
    ax.set(title=title, xlabel=_key(hidden), xlim=(-0.025, 1.025))
    level = _draw_names(ax, names, counts)
    _draw_flows(ax, drawn, names, counts, level)
    return ax


def _key(hidden: pd.DataFrame) -> str:
    key = "colour: the true class; pale: correct; strong: wrong"
    if hidden.empty:
        return key
    return f"{key}\nrare pairs, not drawn: {len(hidden)}; their clips: {hidden['clips'].sum()}"


def _draw_names(ax: Axes, names: Sequence[str], counts: np.ndarray) -> np.ndarray:
    """Write the names on both sides; return where each correct flow begins, in clips from the top.

    Each class gets at least the height of its name, however few clips it has.
    """
    headings = ax.set_xticks([0, 1], ["predicted", "true  correct/all"], fontweight="bold")
    headings[0].label2.set_horizontalalignment("right")
    headings[1].label2.set_horizontalalignment("left")
    ax.figure.figure.draw_without_rendering()  # only now do the axes have their size
    height = 72 * ax.bbox.height / ax.figure.dpi
    size = min(1.15 * plt.rcParams["font.size"], 0.55 * height / len(names))
    level, middle, depth = _stacked(counts, 1.3 * size / height)
    ax.set_ylim(depth, 0)
    ax.set_yticks(middle, names, fontsize=size)
    right = ax.secondary_yaxis("right")
    rows = zip(names, counts.diagonal(), counts.sum(axis=1), strict=True)
    labels = [f"{name}  {correct}/{n_clips}" for name, correct, n_clips in rows]
    right.set_yticks(middle, labels, fontsize=size)
    for axes in (ax, right):
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    ax.grid(False)
    return level


def _stacked(counts: np.ndarray, line: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Stack the classes so that correct flows are level.

    Returns, in clips from the top: where each correct flow begins, the middle of each class, and
    the depth of all. Each class has at least the share `line` of the depth.
    """
    above = np.maximum(np.triu(counts, 1).sum(axis=0), np.tril(counts, -1).sum(axis=1))
    below = np.maximum(np.tril(counts).sum(axis=0), np.triu(counts).sum(axis=1))
    clips = above + below

    def shares(scale):
        return np.maximum(scale * clips + line / 4, line)

    scale = brentq(lambda guess: shares(guess).sum() - 1, 0, 1 / clips.sum())
    slots = shares(scale) / scale
    middle = slots.cumsum() - slots / 2
    return middle - clips / 2 + above, middle, slots.sum()


def _draw_flows(
    ax: Axes, drawn: pd.DataFrame, names: list[str], counts: np.ndarray, level: np.ndarray
) -> None:
    colours = [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(len(names))]
    predicted_top = level - np.triu(counts, 1).sum(axis=0)
    true_top = level - np.tril(counts, -1).sum(axis=1)
    ax.bar(-0.0125, counts.sum(axis=0), 0.025, predicted_top, color=colours, zorder=3)
    ax.bar(1.0125, counts.sum(axis=1), 0.025, true_top, color=colours, zorder=3)
    left = predicted_top + counts.cumsum(axis=0) - counts
    right = true_top[:, None] + counts.cumsum(axis=1) - counts
    for flow in drawn.itertuples():  # wide ones first, so that narrow ones lie on top
        pair = true, predicted = names.index(flow.true), names.index(flow.predicted)
        band = _band(left[pair], right[pair], flow.clips)
        ax.add_patch(_ribbon(band, colours[true], error=true != predicted))


def _band(left: float, right: float, width: float) -> Path:
    upper = [(0, left), (0.5, left), (0.5, right), (1, right)]
    lower = [(x, y + width) for x, y in reversed(upper)]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return Path([*upper, *lower, upper[0]], codes)


def _ribbon(band: Path, colour: str, *, error: bool) -> PathPatch:
    """Colour a flow: pale if correct, else strong, with a white edge against what it crosses."""
    if not error:
        pale = 1 - 0.22 * (1 - np.array(to_rgb(colour)))
        return PathPatch(band, facecolor=pale, edgecolor=pale, linewidth=0.4)
    outlined = [Stroke(linewidth=1.5, foreground="white"), Normal()]
    return PathPatch(band, color=colour, linewidth=0.5, path_effects=outlined, zorder=2)


def _order(flows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Return an order of the classes, the same on both sides, in which flows cross little."""
    matrix = flows.pivot(index="true", columns="predicted", values="clips")
    matrix = matrix.reindex(index=list(classes), columns=list(classes)).fillna(0).to_numpy()
    strength = np.sqrt(matrix)  # so a crossing weighs as much as its flows' geometric mean
    alike = strength + strength.T + 1e-6
    smooth = np.linalg.eigh(np.diag(alike.sum(axis=1)) - alike)[1]
    starts = [np.arange(len(classes)), *smooth[:, 1:4].T.argsort(axis=1)]
    order = min((_improved(strength, start) for start in starts), key=lambda found: found[0])[1]
    return order if order[0] <= order[-1] else order[::-1]


def _improved(strength: np.ndarray, order: np.ndarray) -> tuple[float, np.ndarray]:
    """Move each class to where flows cross least, again and again until no move helps."""
    least, before = float(_crossings(strength[np.ix_(order, order)])), np.inf
    while least < before:
        before = least
        for moved in range(len(order)):
            others = order[order != moved]
            trials = np.array([np.insert(others, place, moved) for place in range(len(order))])
            crossings = _crossings(strength[trials[:, :, None], trials[:, None, :]])
            if crossings.min() < least * (1 - 1e-9):
                least, order = crossings.min(), trials[crossings.argmin()]
    return least, order


def _crossings(strength: np.ndarray) -> np.ndarray:
    """Add up the products of all pairs of flows that cross, in each (true, predicted) matrix."""
    down = strength.cumsum(axis=-2)
    true_below = down[..., -1:, :] - down
    crossing = true_below.cumsum(axis=-1) - true_below  # true class below, predicted class above
    return (strength * crossing).sum(axis=(-2, -1))
