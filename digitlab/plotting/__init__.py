"""Pictures: one style, one size, readable in grey. Every plotter draws into `ax` and returns it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import PercentFormatter
from scipy.optimize import brentq

from digitlab import evaluation

INK, ACCENT, SECOND, GREY = "#22313f", "#0b7285", "#c2540a", "#7d8b99"
CLASS_COLOURS = (ACCENT, SECOND, "#4a4e9e", "#9a7b0a", "#a02c6a", "#3d7a3a", "#b3261e", "#1f6fb5")
STYLE = {
    "figure.figsize": (6.4, 3),
    "figure.dpi": 140,  # sharp on dense screens
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
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
    plt.rcParams.update(STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(
        color=[ACCENT, SECOND, INK, GREY], linestyle=["-", "--", ":", "-."]
    )


def waveform(samples: np.ndarray, rate: int, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw samples against time.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Full scale is 1.
    rate : int
        In Hz.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Examples
    --------
    >>> waveform(np.zeros(800), 8000).get_xlabel()
    'time [s]'
    """
    ax = ax or _new_axes()
    ax.plot(np.arange(len(samples)) / rate, samples, linewidth=0.6, color=ACCENT, linestyle="-")
    limit = max(1.0, float(np.abs(samples).max(initial=0)))
    ax.set(
        xlabel="time [s]",
        ylabel="amplitude [full scale]",
        title=title,
        xlim=(0, len(samples) / rate),
        ylim=(-1.05 * limit, 1.05 * limit),
    )
    return ax


def spectrum(samples: np.ndarray, rate: int, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw how strong each frequency is in a sound, in dB below the strongest.

    A Hann window over the whole sound keeps tones narrow (chapter 3, "Fourier").

    Parameters
    ----------
    samples : array of shape (n_samples,)
        The sound.
    rate : int
        In Hz.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Examples
    --------
    >>> ax = spectrum(np.sin(np.arange(8000)), 8000)
    >>> ax.get_xlabel(), [float(limit) for limit in ax.get_xlim()]
    ('frequency [Hz]', [0.0, 4000.0])
    """
    ax = ax or _new_axes()
    strength = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    level = 20 * np.log10(np.maximum(strength / (strength.max() or 1), 1e-6))
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    ax.plot(hertz, level, "-", linewidth=0.8, color=ACCENT)
    ax.set(xlabel="frequency [Hz]", ylabel="level [dB]", title=title)
    ax.set(xlim=(0, rate / 2), ylim=(-90, 3))
    return ax


def spectrogram(
    values: np.ndarray,
    times: np.ndarray,
    frequencies: np.ndarray,
    *,
    label: str = "level [dB]",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a spectrogram: time from left to right, frequency upwards, strength as colour.

    Parameters
    ----------
    values : array of shape (n_frequencies, n_frames)
        What the colours show.
    times : array of shape (n_frames,)
        Middle of each frame, in s.
    frequencies : array of shape (n_frequencies,)
        Middle of each bin or band, in Hz; their distances may differ.
    label : str
        Of the colours, with its unit.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 4, "Spectrograms".

    Examples
    --------
    >>> spectrogram(np.zeros((129, 3)), [0, 0.1, 0.2], np.arange(129) * 31.25).get_ylabel()
    'frequency [Hz]'
    """
    ax = ax or _new_axes()
    mesh = ax.pcolormesh(times, frequencies, values, shading="nearest", rasterized=True)
    ax.set(xlabel="time [s]", ylabel="frequency [Hz]", title=title)
    ax.grid(False)
    ax.figure.colorbar(mesh, ax=ax, label=label)
    return ax


def filter_bank(
    frequencies: np.ndarray,
    wavelets: np.ndarray,
    average: np.ndarray,
    rate: int,
    *,
    bold: tuple[int, ...] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw the magnitude responses of wavelets and averaging filter on a logarithmic axis.

    Parameters
    ----------
    frequencies, wavelets, average : array
        From :func:`digitlab.features.filter_bank`.
    rate : int
        In Hz.
    bold : tuple of int
        Wavelets to draw in bold, at most three.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 9.
    """
    ax = ax or _new_axes()
    hertz = frequencies[1:] * rate
    ax.plot(hertz, wavelets[:, 1:].T, color=ACCENT, linewidth=0.7, linestyle="-")
    for wavelet, style in zip(wavelets[list(bold), 1:], ["-", ":", "-."], strict=False):
        label = f"{hertz[wavelet.argmax()]:,.0f} Hz"
        ax.plot(hertz, wavelet, style, color=SECOND, linewidth=2.2, label=label)
    ax.plot(hertz, average[1:], color=INK, linestyle="--", linewidth=2, label="averaging filter")
    ax.set(
        xscale="log",
        xlim=(1, rate / 2),
        ylim=(0, None),
        xlabel="frequency [Hz]",
        ylabel="gain",
    )
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    ax.minorticks_off()
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4)
    return ax


def scattering(
    coefficients: np.ndarray,
    frequencies: np.ndarray,
    duration: float,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw scattering coefficients as an image: paths by frequency, time from left to right.

    Parameters
    ----------
    coefficients : array of shape (n_paths, n_frames)
        Such as the logarithm of order 1.
    frequencies : array of shape (n_paths,)
        Centre frequency of each path in Hz, falling.
    duration : float
        Of the clip, in seconds.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 9.
    """
    ax = ax or _new_axes()
    image = ax.imshow(
        coefficients,
        aspect="auto",
        interpolation="nearest",
        extent=(0, duration, len(frequencies) - 0.5, -0.5),
    )
    wanted = [hertz for hertz in (3000, 1000, 300, 100, 30) if frequencies[-1] <= hertz]
    ax.set_yticks(
        [int(np.abs(frequencies - hertz).argmin()) for hertz in wanted],
        [f"{hertz:,}" for hertz in wanted],
    )
    ax.set(xlabel="time [s]", ylabel="frequency [Hz]", title=title)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="log strength")
    return ax


def confusion(
    counts: np.ndarray, classes: tuple[str, ...], *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: a row for what was said, a column for what was heard.

    The colour of a cell is its share of the row; the number in it is the count of clips.

    Parameters
    ----------
    counts : array of shape (n_classes, n_classes), int
        From :attr:`digitlab.evaluation.Report.confusion`.
    classes : tuple of str
        Names of the classes.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 9.

    Examples
    --------
    >>> ax = confusion(np.eye(2, dtype=int), ("0", "1"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['0', '1']
    """
    n_classes = len(classes)
    ax = ax or _new_axes(figsize=(4.7 + 0.09 * n_classes, 3.9 + 0.09 * n_classes))
    said = counts.sum(axis=1, keepdims=True)
    sns.heatmap(
        counts / np.maximum(said, 1),
        annot=np.where(counts > 0, counts.astype(str), ""),
        fmt="",
        annot_kws={"fontsize": min(plt.rcParams["font.size"], 165 / n_classes)},
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
            "label": "share of the clips of one row",
            "format": PercentFormatter(1),
            "shrink": 0.9,
        },
    )
    ax.set(xlabel="heard", ylabel="said", title=title)
    size = min(plt.rcParams["font.size"], 225 / n_classes)
    ax.tick_params(left=False, bottom=False, labelrotation=0, labelsize=size)
    if max(map(len, classes)) > 2:
        ax.tick_params(axis="x", labelrotation=90)
    return ax


def probabilities(
    values: np.ndarray,
    classes: tuple[str, ...],
    *,
    said: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what a recogniser gives to each class, as bars.

    Parameters
    ----------
    values : array of shape (n_classes,)
        Probabilities, as they come out of a softmax; none is applied here.
    classes : tuple of str
        Names of the classes.
    said : int, optional
        The class that was said: its bar is hatched.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 13.

    Examples
    --------
    >>> ax = probabilities([0.2, 0.8], ("no", "yes"), said=1)
    >>> [float(bar.get_height()) for bar in ax.patches]
    [0.2, 0.8]
    """
    ax = ax or _new_axes(figsize=(4.2, 2.4))
    bars = ax.bar(np.arange(len(classes)), values, color=ACCENT, edgecolor=INK, linewidth=0.5)
    if said is not None:
        bars[said].set(hatch="////", facecolor=SECOND)
    ax.set_xticks(np.arange(len(classes)), classes)
    ax.set(xlabel="answer", ylabel="probability", title=title, ylim=(0, 1.02))
    ax.grid(axis="x", visible=False)
    return ax


def alluvial(
    matrix: np.ndarray,
    classes: tuple[str, ...],
    *,
    threshold: float = 0.001,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw how clips flow from what was heard, on the left, to what was said, on the right.

    A flow is as wide as it has clips. What was heard right runs level and pale; errors are strong,
    in the colour of what was said. The classes stand in one order on both sides, in which flows
    cross little: words taken for each other come to stand close together. Beside a word on the
    right stands how many of its clips were heard right, and how many there are.

    Parameters
    ----------
    matrix : array of shape (n_classes, n_classes), int
        Counts of clips, a row for what was said, a column for what was heard: from
        :attr:`digitlab.evaluation.Report.confusion`.
    classes : tuple of str
        Names of the classes.
    threshold : float
        Pairs with a smaller share of all clips are not drawn, but counted beneath the picture.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure, as high as the classes need. The names take the
        size that fits its height, so give the figure its size before.

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
    Bars and flows are true to one scale, but a bar has at least the room that its name needs, and
    a flow at least the width of a hair, so that a rare word can be seen. Where a bar has no flow,
    its clips belong to pairs that are not drawn.

    M. Rosvall and C. T. Bergstrom, "Mapping change in large networks", PLoS ONE 5(1), e8694, 2010.
    The search for the order starts from eigenvectors of a Laplacian, as M. Juvan and B. Mohar,
    "Optimal linear labelings and eigenvalues of graphs", Discrete Applied Mathematics 36, 1992.
    Drawn in chapter 14.

    Examples
    --------
    Five and right are taken for nine, which therefore comes to stand between them:

    >>> ax = alluvial([[8, 0, 2], [0, 9, 1], [1, 1, 8]], ("five", "right", "nine"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['five', 'nine', 'right']
    """
    table = evaluation.flows(matrix, classes, threshold=threshold)
    drawn, hidden = table[table["shown"]], table[~table["shown"]]
    order = _uncrossed(drawn, classes)
    names = [classes[i] for i in order]
    counts = np.asarray(matrix, int)[np.ix_(order, order)]
    colours = [CLASS_COLOURS[i % len(CLASS_COLOURS)] for i in range(len(names))]

    ax = ax or _new_axes(figsize=(6.8, 2 + 0.28 * len(names)))
    ax.set(title=title, xlabel=_alluvial_key(hidden), xlim=(-0.025, 1.025))
    headings = ax.set_xticks([0, 1], ["heard", "said  right/all"], fontweight="bold")
    for heading, side in zip(headings, ("right", "left"), strict=True):
        heading.label2.set_horizontalalignment(side)
    size, line = _name_size(ax, len(names))
    level, middle, depth = _stacked(counts, line)
    ax.set_yticks(middle, names, fontsize=size)
    ax.set_ylim(depth, 0)
    recalled = zip(names, counts.diagonal(), counts.sum(axis=1), strict=True)
    beside = ax.secondary_yaxis("right")
    beside.set_yticks(middle, ["{}  {}/{}".format(*word) for word in recalled], fontsize=size)
    for axes in (ax, beside):
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
    ax.grid(False)

    heard_top = level - np.triu(counts, 1).sum(axis=0)
    said_top = level - np.tril(counts, -1).sum(axis=1)
    bars = {"width": 0.025, "color": colours, "zorder": 3}
    ax.bar(-0.0125, counts.sum(axis=0), bottom=heard_top, **bars)
    ax.bar(1.0125, counts.sum(axis=1), bottom=said_top, **bars)
    left = heard_top + counts.cumsum(axis=0) - counts
    right = said_top[:, None] + counts.cumsum(axis=1) - counts
    for flow in drawn.itertuples():  # wide ones first, so that narrow ones lie on top
        pair = said, heard = names.index(flow.said), names.index(flow.heard)
        band = _band(left[pair], right[pair], flow.clips)
        ax.add_patch(_ribbon(band, colours[said], error=said != heard))
    return ax


def learning_curve(history, *, ax: Axes | None = None) -> Axes:
    """Draw loss (left axis) and accuracy (right axis) after each epoch.

    Parameters
    ----------
    history : digitlab.training.History
        What a ``fit`` returned. Where it holds figures of validation clips, they are drawn in the
        same colours, with dots.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the loss.

    Notes
    -----
    Drawn in chapters 9 and 11.
    """
    ax = ax or _new_axes()
    right = ax.twinx()
    epochs = np.arange(1, history.epochs + 1)
    lines = []
    for axes, what, colour, style in ((ax, "loss", ACCENT, "-"), (right, "accuracy", SECOND, "--")):
        for name, marker in ((what, ""), (f"validation_{what}", "o")):
            if values := getattr(history, name):
                label = name.replace("_", " ")
                lines += axes.plot(
                    epochs, values, style, color=colour, marker=marker, markersize=4, label=label
                )
    ax.set(xlabel="epoch", ylabel="loss: mean of −log p", ylim=(0, None), xlim=(0, len(epochs) + 1))
    lowest = min(0.8, *history.accuracy, *history.validation_accuracy)
    right.set(ylabel="accuracy", ylim=(lowest, 1.005))
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.grid(False)
    right.spines["right"].set_visible(True)
    ax.legend(handles=lines, loc="center right")
    return ax


def learning_rates(found, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw the loss against step sizes that were tried, from small to large.

    Parameters
    ----------
    found : digitlab.training.lightning.LearningRates
        What ``find_learning_rate`` returned. A dot marks its suggestion.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 14.
    """
    ax = ax or _new_axes()
    ax.plot(found.rates, found.losses, "-", color=ACCENT)
    place = found.suggestion, np.interp(found.suggestion, found.rates, found.losses)
    ax.plot(*place, "o", color=SECOND)
    ax.annotate(
        f"falls most steeply at {found.suggestion:.1g}",
        place,
        xytext=(-8, -8),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    ax.set(xscale="log", xlabel="step size", ylabel="loss: mean of −log p", title=title)
    return ax


def accuracies(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw accuracies with their intervals, one a row of a table.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``accuracy``, ``low`` and ``high``; the index names the rows.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 9.
    """
    ax = ax or _new_axes(figsize=(6.4, 0.9 + 0.36 * len(table)))
    places = np.arange(len(table))[::-1]
    accuracy = table["accuracy"].to_numpy()
    reach = [accuracy - table["low"].to_numpy(), table["high"].to_numpy() - accuracy]
    ax.errorbar(
        accuracy, places, xerr=np.maximum(reach, 0), fmt="o", color=ACCENT, capsize=4, linestyle=""
    )
    for place, value, high in zip(places, accuracy, table["high"], strict=True):
        ax.text(max(value, high) + 0.008, place, f"{value:.1%}", va="center", fontsize=9.5)
    ax.set_yticks(places, table.index)
    ax.set(xlabel=title or "accuracy", ylim=(-0.6, len(table) - 0.4), xlim=(None, 1.07))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.grid(axis="y", visible=False)
    return ax


def reliability(table: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw how often a system is right against how sure it says it is.

    On the dashed line it is as right as it says; below it, it is too sure of itself. The larger a
    dot, the more clips stand behind it.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`digitlab.evaluation.reliability`.
    title : str
        Above the picture.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn into.

    Notes
    -----
    Drawn in chapter 7, "What a score means".
    """
    ax = ax or _new_axes(figsize=(4.2, 4.2))
    confidence, accuracy = table["confidence"].to_numpy(), table["accuracy"].to_numpy()
    reach = [accuracy - table["low"].to_numpy(), table["high"].to_numpy() - accuracy]
    share = (table["n_clips"] / table["n_clips"].sum()).to_numpy()
    ax.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="as right as it says")
    ax.errorbar(
        confidence, accuracy, yerr=np.maximum(reach, 0), fmt="none", ecolor=GREY, elinewidth=1
    )
    ax.plot(confidence, accuracy, "-", color=ACCENT)
    ax.scatter(confidence, accuracy, s=15 + 300 * share, color=ACCENT, zorder=3, clip_on=False)
    ax.set(xlabel="confidence", ylabel="accuracy", title=title, xlim=(0, 1.02), ylim=(0, 1.02))
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.legend(loc="upper left")
    return ax


def _new_axes(figsize: tuple[float, float] = (6.4, 3)) -> Axes:
    return plt.subplots(figsize=figsize, layout="constrained")[1]


def _uncrossed(flows: pd.DataFrame, classes: tuple[str, ...]) -> np.ndarray:
    """Return an order of the classes, the same on both sides, in which flows cross little."""
    matrix = flows.pivot(index="said", columns="heard", values="clips")
    matrix = matrix.reindex(index=list(classes), columns=list(classes)).fillna(0).to_numpy()
    strength = np.sqrt(matrix)  # so a crossing weighs as much as its flows' geometric mean
    alike = strength + strength.T + 1e-6
    smooth = np.linalg.eigh(np.diag(alike.sum(axis=1)) - alike)[1]
    starts = [np.arange(len(classes)), *smooth[:, 1:4].T.argsort(axis=1)]
    order = min((_settled(strength, start) for start in starts), key=lambda found: found[0])[1]
    return order if order[0] <= order[-1] else order[::-1]


def _settled(strength: np.ndarray, order: np.ndarray) -> tuple[float, np.ndarray]:
    """Move one class after the other to where flows cross least, until all stand well."""
    least, before = _crossings(strength[np.ix_(order, order)]), np.inf
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
    """Add up the products of all pairs of flows that cross, in each (said, heard) matrix."""
    down = strength.cumsum(axis=-2)
    said_below = down[..., -1:, :] - down
    crossing = said_below.cumsum(axis=-1) - said_below  # said below it, heard above it
    return (strength * crossing).sum(axis=(-2, -1))


def _name_size(ax: Axes, n_names: int) -> tuple[float, float]:
    """Return the size in points of names that fit beside axes, and a line's share of the height."""
    ax.figure.draw_without_rendering()  # only now do the axes have their size
    height = 72 * ax.bbox.height / ax.figure.dpi
    size = min(1.15 * plt.rcParams["font.size"], 0.55 * height / n_names)
    return size, 1.3 * size / height


def _stacked(counts: np.ndarray, line: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Stack the classes so that correct flows run level.

    Returns, in clips from the top: where each correct flow begins, the middle of each class, and
    the depth of all. Each class has at least the share `line` of the depth, whatever its clips.
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


def _band(left: float, right: float, width: float) -> Path:
    upper = [(0, left), (0.5, left), (0.5, right), (1, right)]
    lower = [(x, y + width) for x, y in reversed(upper)]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    return Path([*upper, *lower, upper[0]], codes)


def _ribbon(band: Path, colour: str, *, error: bool) -> PathPatch:
    """Dress a flow: pale if right, else strong, and parted by white from what it crosses."""
    if not error:
        colour = 1 - 0.22 * (1 - np.array(to_rgb(colour)))
        return PathPatch(band, facecolor=colour, edgecolor=colour, linewidth=0.4)
    parted = [Stroke(linewidth=1.5, foreground="white"), Normal()]
    return PathPatch(band, color=colour, linewidth=0.5, path_effects=parted, zorder=2)


def _alluvial_key(hidden: pd.DataFrame) -> str:
    key = "colour: what was said; pale: heard right; strong: wrong"
    if hidden.empty:
        return key
    return f"{key}\nrare pairs, not drawn: {len(hidden)}; their clips: {hidden['clips'].sum()}"
