"""A table of scores whose cells can be heard (chapters 14 and 15)."""

import html
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex

from digitlab.audio import wav_url
from digitlab.environment import require

if TYPE_CHECKING:
    import numpy as np
    from IPython.display import HTML

COLOURS = "cividis"
BUTTON = (
    "background: none; border: 0; color: inherit; font: inherit; cursor: pointer; "
    "width: 100%; min-width: 2.75rem; min-height: 2.75rem"
)
PLAY = (
    "const table = this.closest('.sound-table');"
    "table.querySelectorAll('audio').forEach(a => a.pause());"
    "const sound = table.querySelector('audio[data-name=' + this.dataset.sound + ']');"
    "sound.currentTime = 0; sound.play();"
    "table.querySelector('output').textContent = this.getAttribute('aria-label');"
)


class Sound(NamedTuple):
    """What a cell plays, and what it says then.

    Attributes
    ----------
    key : hashable
        Cells with equal keys play one sound, which the page holds once.
    samples : array of shape (n_samples,)
        Floats; full scale is 1.
    rate : int
        In Hz.
    words : str
        What to listen for.
    """

    key: Hashable
    samples: "np.ndarray"
    rate: int
    words: str


def sound_table(
    scores: pd.DataFrame, sound: Callable[[str, str], Sound | None], caption: str
) -> "HTML":
    """Show scores as a heat map whose cells are buttons that play a sound each.

    It works in JupyterLab and in the rendered book, from the keyboard as well; where scripts are
    off, the numbers still stand there.

    Parameters
    ----------
    scores : pandas.DataFrame
        From 0 to 1, a row and a column for each cell; missing ones are left empty.
    sound : callable
        From the names of a row and a column to what the cell plays, or None.
    caption : str
        What the numbers are.

    Returns
    -------
    IPython.display.HTML
        A table.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> scores = pd.DataFrame({"anna": [0.9]}, index=["K2"])
    >>> hum = np.sin(np.arange(800) / 4)
    >>> table = sound_table(scores, lambda *cell: Sound("hum", hum, 8000, "A hum."), "Accuracy.")
    >>> table.data.count("<button"), table.data.count("<audio")
    (1, 1)
    """
    if ((scores < 0) | (scores > 1)).any(axis=None):
        raise ValueError("scores must lie between 0 and 1")
    names: dict[Hashable, str] = {}
    audios: list[str] = []
    rows = []
    for row in scores.index:
        cells = []
        for column in scores.columns:
            what = sound(row, column)
            if what is not None and what.key not in names:
                names[what.key] = f"s{len(names)}"
                audios.append(_audio(names[what.key], what))
            score = scores.loc[row, column]
            cells.append(_cell(score, what, names[what.key] if what else ""))
        rows.append(f'<tr><th scope="row">{html.escape(str(row))}</th>{"".join(cells)}</tr>')
    heads = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in scores.columns)
    return require("IPython.display", extra="book").HTML(
        '<div class="sound-table" style="overflow-x: auto"><table>'
        f"<caption>{html.escape(caption)}</caption>"
        f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f'<output aria-live="polite">&nbsp;</output>{"".join(audios)}</div>'
    )


def _cell(score: float, what: Sound | None, name: str) -> str:
    if pd.isna(score):
        return "<td></td>"
    background = mpl.colormaps[COLOURS](float(score))
    luminance = sum(
        share * (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
        for share, value in zip((0.2126, 0.7152, 0.0722), background, strict=False)
    )
    ink = "#000" if luminance > 0.18 else "#fff"
    style = f"background: {to_hex(background)}; color: {ink}"
    if what is None:
        return f'<td style="{style}">{score:.2f}</td>'
    words = html.escape(what.words)
    return (
        f'<td style="{style}; padding: 0"><button type="button" style="{BUTTON}" '
        f'data-sound="{name}" title="{words}" aria-label="{score:.2f}. {words}" '
        f'onclick="{PLAY}">{score:.2f}</button></td>'
    )


def _audio(name: str, what: Sound) -> str:
    source = wav_url(what.words, what.samples, what.rate)
    return f'<audio data-name="{name}" preload="none" src="{source}"></audio>'
