"""The recorder that the notebook shows: what the browser records becomes samples in Python."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anywidget
import numpy as np
import traitlets

from digitlab import audio
from digitlab.microphone import SILENT, is_clipped
from digitlab.preparation import find_word

if TYPE_CHECKING:
    from IPython.display import HTML

HERE = Path(__file__).parent
MARGIN_S = 0.1  # of silence kept on both sides of a word
NAME = re.compile(r"[A-Za-z0-9-]+")  # of a speaker
LONGEST_S = 30  # as recorder.js has it
NO_WORD = "No word stands out from the noise. Take it again, nearer to the microphone."
CSS = """
.recorder p { margin: 0.5rem 0; }
.recorder button { min-height: 2.75rem; min-width: 7rem; font: inherit; font-size: 1rem;
  padding: 0 1rem; margin-right: 0.5rem; cursor: pointer; border-radius: 0.2rem;
  color: inherit; background: transparent; border: 1px solid currentColor; }
.recorder button.record { font-weight: 600; }
.recorder button.on { color: #fff; background: #b3261e; border-color: #b3261e; }
.recorder button:focus-visible { outline: 0.1875rem solid currentColor; outline-offset: 0.125rem; }
.recorder .prompt { font-size: 1.4rem; }
.recorder .prompt:empty, .recorder label:has(> meter[hidden]) { display: none; }
.recorder meter { width: 10rem; height: 1.2rem; vertical-align: middle; }
.recorder input { font: inherit; color: inherit; min-height: 2.75rem; max-width: 100%; }
.recorder output { display: block; font-size: 1rem; min-height: 1.5em; }
.recorder audio { display: block; max-width: 100%; margin-top: 0.5rem; }
.recorder [hidden] { display: none; }
"""


# In the rendered book no Python runs: its page brings a recorder of its own to life here.
IN_THE_PAGE = """<section class="own-recording" data-show="answer"><p>A recorder stands here in \
JupyterLab, and in the rendered book where the browser runs JavaScript.</p></section>"""


class Recorder(anywidget.AnyWidget):
    """A button that records, a level meter, and a field for a sound file.

    Attributes
    ----------
    seconds : float
        A recording ends by itself after so long.
    prompt : str
        What to say; shown above the button.
    message : str
        What became of the last recording.
    when_good : callable
        Is called after each recording that is neither silent nor clipped and holds a word.
    when_undone : callable
        Is called when the button that takes back the last recording is pressed.
    can_undo : bool
        Whether there is that button.
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("recording.js", "recorder.js"))
    _css = CSS
    seconds = traitlets.Float(2.5).tag(sync=True)
    prompt = traitlets.Unicode().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    can_undo = traitlets.Bool().tag(sync=True)

    def __init__(self, seconds: float = 2.5):
        if not 0 < seconds <= LONGEST_S:
            raise ValueError(f"{seconds} seconds: a recorder takes more than 0, up to {LONGEST_S}")
        super().__init__(seconds=seconds)
        self.when_good: Callable[[], None] = lambda: None
        self.when_undone: Callable[[], None] = lambda: None
        # No trait: what is said is not to be saved with the notebook.
        self._recording: tuple[np.ndarray, int] | None = None
        self.on_msg(self._receive)

    def _repr_mimebundle_(self, **settings):
        if os.environ.get("DIGITLAB_FLIPBOOK"):
            return {"text/plain": "a recorder", "text/html": IN_THE_PAGE}
        return super()._repr_mimebundle_(**settings)

    def _receive(self, _: "Recorder", content: dict, buffers: list) -> None:
        """Take what the browser sends."""
        with self.hold_sync():  # prompt and message change together
            if content.get("undo"):
                self.when_undone()
            else:
                self.take(np.frombuffer(buffers[0], "<f4"), content["rate"])
        self.send({"taken": True})

    def take(self, samples: np.ndarray, rate: int) -> None:
        """Take a recording, as if it came from the browser, and say in ``message`` how it is.

        Parameters
        ----------
        samples : array of shape (n_samples,)
            One channel; full scale is 1.
        rate : int
            In Hz.
        """
        samples = np.asarray(samples, np.float32)
        self._recording = samples, rate
        if problem := _problem(samples):
            self.message = problem
            return
        if (word := find_word(samples, rate)) is None:
            self.message = (
                "No word stands out from the noise. Take it again, nearer to the microphone."
            )
            return
        seconds = (word[1] - word[0]) / rate
        self.message = f"{len(samples) / rate:.1f} s recorded; the word takes {seconds:.1f} s."
        try:
            self.when_good()
        except OSError as error:
            self.message = f"This was not saved: {error}"

    @property
    def recording(self) -> tuple[np.ndarray, int]:
        """The last recording: samples of one channel, float32, and their rate in Hz.

        Raises
        ------
        ValueError
            If nothing was recorded yet.
        """
        if self._recording is None:
            raise ValueError("nothing is recorded yet: press Record, or choose a sound file")
        samples, rate = self._recording
        return samples.copy(), rate

    def player(self) -> "HTML":
        """Return a player for the last recording."""
        samples, rate = self.recording
        return audio.player(samples, rate, "Your recording.")

    def save(self, folder: str | Path, digit: int, speaker: str) -> Path:
        """Save the last recording, the silence around it trimmed, and return its new file.

        Parameters
        ----------
        folder : str or pathlib.Path
            It is made if it is missing; :func:`digitlab.corpora.load` reads it.
        digit : int
            What was said, 0 to 9.
        speaker : str
            A name of letters, digits and hyphens, such as a pseudonym.

        Returns
        -------
        pathlib.Path
            ``{digit}_{speaker}_{take}.wav``, with the first take that is free.

        Raises
        ------
        ValueError
            If nothing was recorded yet, or a name or a digit is not as it should be.
        """
        samples, rate = self.recording
        if digit not in range(10):
            raise ValueError(f"digit {digit!r}: a whole number from 0 to 9 is needed")
        refuse_speaker(speaker)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        take = 0
        while (file := folder / f"{digit}_{speaker}_{take}.wav").exists():
            take += 1
        audio.write_wav(file, _trimmed(samples, rate), rate)
        return file


def _problem(samples: np.ndarray) -> str:
    """Say what is wrong with the level of a recording, or nothing."""
    if np.abs(samples).max(initial=0) < SILENT:
        return "This is silent. Is the microphone muted? Take it again."
    if is_clipped(samples):
        return "This is clipped: move away from the microphone, and take it again."
    return ""


def _trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """Keep the word and a little of what surrounds it."""
    start, stop = find_word(samples, rate) or (0, len(samples))
    margin = round(MARGIN_S * rate)
    return samples[max(start - margin, 0) : stop + margin]


def refuse_speaker(name: str) -> None:
    """Refuse a name of a speaker that could not stand in a file's name.

    Parameters
    ----------
    name : str
        Of letters, digits and hyphens.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"speaker {name!r}: use letters, digits and hyphens alone")
