"""A live explorer: a slider in the notebook, frames drawn by the kernel when they are asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import traitlets


class LiveExplorer(anywidget.AnyWidget):
    """A slider of the browser's own, which works from the keyboard and for a screen reader.

    Attributes
    ----------
    place : int
        Where the slider stands.
    places : list of str
        What it says at each place.
    label : str
        What it changes.
    frame : str
        The picture and the sound at this place, in HTML.
    film : bool
        Whether a button plays the frames.
    """

    _esm = Path(__file__).with_name("live.js")
    _css = ".explorer img { max-width: 100%; } .explorer input { width: 100%; height: 2.5rem; }"
    place = traitlets.Int().tag(sync=True)
    places = traitlets.List(traitlets.Unicode()).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    frame = traitlets.Unicode().tag(sync=True)
    film = traitlets.Bool().tag(sync=True)

    def __init__(
        self, page: Callable[[int], str], places: Sequence[str], label: str, start: int, film: bool
    ):
        super().__init__(
            place=start, places=list(places), label=label, frame=page(start), film=film
        )
        self.observe(lambda change: setattr(self, "frame", page(change["new"])), "place")
