"""The book's style: one figure size, and colours that differ in grey and for colour-blind eyes."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

INK, ACCENT, SECOND, GREY = "#22313f", "#0b7285", "#c2540a", "#7d8b99"
CLASS_COLOURS = (ACCENT, SECOND, "#4a4e9e", "#9a7b0a", "#a02c6a", "#3d7a3a", "#b3261e", "#1f6fb5")
STYLE = {
    "figure.figsize": (6.4, 3),
    "figure.dpi": 140,  # sharp on dense screens
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 12,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dde3e8",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "image.cmap": "magma",
}


def use_style() -> None:
    """Set matplotlib to the book's style, for the rest of the session.

    Examples
    --------
    >>> use_style()
    """
    plt.style.use(STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(
        color=[ACCENT, SECOND, INK, GREY], linestyle=["-", "--", ":", "-."]
    )


def new_axes(figsize: tuple[float, float] = (6.4, 3)) -> Axes:
    """Return the axes of a new figure.

    Parameters
    ----------
    figsize : tuple of float
        Width and height in inches.
    """
    return plt.subplots(figsize=figsize, layout="constrained")[1]
