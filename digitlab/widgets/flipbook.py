"""The machinery of explorers: a slider through frames, live or as a flipbook."""

import base64
import html
import io
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from digitlab import audio
from digitlab.environment import require

if TYPE_CHECKING:
    from IPython.display import HTML

    from digitlab.widgets.live import LiveExplorer

Explorer: TypeAlias = "LiveExplorer | HTML"


class Frame(NamedTuple):
    """What an explorer shows at one place of its slider.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The picture.
    alt : str
        A description of the picture, for someone who cannot see it.
    sound : IPython.display.HTML or None
        From :func:`digitlab.audio.player` or :func:`digitlab.audio.players`.
    """

    figure: Figure
    alt: str
    sound: "HTML | None" = None


def explorer(
    draw: Callable[[int], Frame],
    places: Sequence[str],
    label: str,
    *,
    start: int = 0,
    play: bool = False,
) -> Explorer:
    """Let the reader move a slider through frames.

    Parameters
    ----------
    draw : callable
        From the number of a place, 0 for the first, to its :class:`Frame`.
    places : sequence of str
        What the slider says at each place, with its unit, such as ``"8 bits"``.
    label : str
        What the slider changes.
    start : int
        The first place shown.
    play : bool
        Whether a button plays the frames as a film.

    Returns
    -------
    LiveExplorer or IPython.display.HTML
        Live in Jupyter; a flipbook where ``DIGITLAB_FLIPBOOK`` is set, as the book's build does.

    Raises
    ------
    ImportError
        If anywidget or IPython is missing (extra ``book``).

    Examples
    --------
    >>> def circle(place):
    ...     figure, ax = plt.subplots(figsize=(2, 2))
    ...     ax.plot(0, 0, "o", markersize=10 * (place + 1))
    ...     return Frame(figure, "A dot.")
    >>> explorer(circle, ["small", "large"], "size").places
    ['small', 'large']
    """
    page = cache(lambda place: _frame_html(draw(place)))
    if os.environ.get("DIGITLAB_FLIPBOOK"):
        return _flipbook([page(place) for place in range(len(places))], places, label, start, play)
    require("anywidget", extra="book")
    from digitlab.widgets.live import LiveExplorer

    return LiveExplorer(page, places, label, start, play)


def _frame_html(frame: Frame) -> str:
    picture = io.BytesIO()
    frame.figure.savefig(picture, format="webp", pil_kwargs={"quality": 70, "method": 6})
    plt.close(frame.figure)
    source = base64.b64encode(picture.getvalue()).decode()
    image = (
        f'<img style="max-width: 100%" alt="{html.escape(frame.alt)}" '
        f'src="data:image/webp;base64,{source}">'
    )
    return image + (frame.sound.data if frame.sound else "")


def _flipbook(
    frames: Sequence[str], places: Sequence[str], label: str, start: int, play: bool
) -> "HTML":
    """Stack all frames and show one; book/assets/flipbook.js moves the slider."""
    pages = "".join(
        f'<div class="frame" data-place="{html.escape(place)}"{"" if i == start else " hidden"}>'
        f"{frame}</div>"
        for i, (frame, place) in enumerate(zip(frames, places, strict=True))
    )
    button = '<button type="button">Play</button>' if play else ""
    return require("IPython.display", extra="book").HTML(
        f'<div class="flipbook">{pages}<div class="controls" hidden>{button}'
        f"<label><span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" value="{start}" '
        f'aria-valuetext="{html.escape(places[start])}">'
        f"<output>{html.escape(places[start])}</output></label></div></div>"
    )


def one_channel(samples: ArrayLike) -> np.ndarray:
    """Return the samples of a sound with one channel as float32, or raise a ValueError.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Floats of full scale 1, or integers, which :func:`digitlab.audio.as_sound` scales.
    """
    samples = audio.as_sound(samples)
    if samples.ndim == 2:
        raise ValueError(
            f"these samples have the shape {samples.shape}, and an explorer takes one channel: "
            "give it samples[:, 0], or the mean of the channels, samples.mean(axis=1)"
        )
    return samples


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Parameters
    ----------
    number, noun
        Such as 3 and "band".
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
