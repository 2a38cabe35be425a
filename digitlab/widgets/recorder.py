"""Record in the notebook: one word, or ten digits in turn."""

from pathlib import Path
from typing import TYPE_CHECKING

from digitlab.environment import require
from digitlab.voices import DIGIT_WORDS

if TYPE_CHECKING:
    from digitlab.widgets.recorder_widget import Recorder


def recorder(seconds: float = 2.5) -> "Recorder":
    """Return a recorder, to be shown in a notebook.

    Parameters
    ----------
    seconds : float
        A recording ends by itself after so long, at most 30, or when the button is pressed again.

    Returns
    -------
    Recorder
        Its ``recording`` is ``(samples, rate)``; ``save`` keeps it as a WAV file. Nothing leaves
        the machine that the kernel runs on.

    Raises
    ------
    ValueError
        If the time is not as it should be.
    ImportError
        If anywidget is missing (extra ``book``).

    Examples
    --------
    >>> microphone = recorder()
    >>> microphone.message
    ''
    """
    require("anywidget", extra="book")
    from digitlab.widgets.recorder_widget import Recorder

    return Recorder(seconds)


def recording_session(
    folder: str | Path, speaker: str, *, n_takes: int = 3, seconds: float = 2.0
) -> "Recorder":
    """Return a recorder that asks for all ten digits in turn, and saves each.

    A recording that is silent, clipped or without a word is asked for again; a button takes back
    the last one. What the folder holds already is not asked for, so that a session can be
    interrupted.

    Parameters
    ----------
    folder : str or pathlib.Path
        As for :meth:`Recorder.save`.
    speaker : str
        A name of letters, digits and hyphens.
    n_takes : int
        How often each digit is said.
    seconds : float
        The longest recording.

    Returns
    -------
    Recorder
        Its ``prompt`` is what to say next.

    Raises
    ------
    ValueError
        If the name or the time is not as it should be.
    ImportError
        If anywidget is missing (extra ``book``).

    Examples
    --------
    >>> recording_session("my_digits", "anna").prompt
    'Say: zero (1 of 30)'
    """
    require("anywidget", extra="book")
    from digitlab.widgets.recorder_widget import Recorder, refuse_speaker

    refuse_speaker(speaker)
    widget = Recorder(seconds)
    saved: list[Path] = []

    def missing() -> list[int]:
        files = [Path(folder) / f"{d}_{speaker}_{t}.wav" for t in range(n_takes) for d in range(10)]
        return [int(file.name[0]) for file in files if not file.exists()]

    def ask() -> None:
        left = missing()
        n_done = 10 * n_takes - len(left)
        if left:
            widget.prompt = f"Say: {DIGIT_WORDS[left[0]]} ({n_done + 1} of {10 * n_takes})"
        else:
            widget.prompt = f"Done: {n_done} recordings are in {folder}."
        widget.can_undo = bool(saved)

    def use() -> None:
        if left := missing():
            saved.append(widget.save(folder, left[0], speaker))
            widget.message = f"Saved as {saved[-1].name}."
        ask()

    def undo() -> None:
        if saved:
            file = saved.pop()
            file.unlink(missing_ok=True)
            widget.message = f"{file.name} is deleted."
        ask()

    widget.when_good, widget.when_undone = use, undo
    ask()
    return widget
