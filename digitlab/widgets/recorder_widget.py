"""The recorder that the notebook shows: what the browser records becomes samples in Python."""

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
CSS = """
.recorder button { min-height: 2.75rem; min-width: 7rem; font-size: 1rem; }
.recorder .prompt { font-size: 1.4rem; margin: 0.2rem 0; }
.recorder audio { display: block; max-width: 100%; margin-top: 0.5rem; }
.recorder [hidden] { display: none; }
"""


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
        Is called after each recording that is neither silent nor clipped.
    """

    _esm = "\n".join((HERE / name).read_text("utf-8") for name in ("recording.js", "recorder.js"))
    _css = CSS
    seconds = traitlets.Float(2.5).tag(sync=True)
    prompt = traitlets.Unicode().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    sound = traitlets.Bytes().tag(sync=True)
    rate = traitlets.Int(48000).tag(sync=True)

    def __init__(self, seconds: float = 2.5):
        super().__init__(seconds=seconds)
        self.when_good: Callable[[], None] = lambda: None
        self.observe(self._judge, "sound")

    @property
    def recording(self) -> tuple[np.ndarray, int]:
        """The last recording: samples of one channel, float32, and their rate in Hz.

        Raises
        ------
        ValueError
            If nothing was recorded yet.
        """
        if not self.sound:
            raise ValueError("nothing is recorded yet: press Record, or choose a sound file")
        return np.frombuffer(self.sound, "<f4").copy(), self.rate

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

    def _judge(self, change: dict) -> None:
        """Say what is wrong with a recording that came in, or use it."""
        if not change["new"]:
            return
        samples, rate = self.recording
        if np.abs(samples).max(initial=0) < SILENT:
            self.message = "This is silent. Is the microphone muted? Take it again."
        elif is_clipped(samples):
            self.message = "This is clipped: move away from the microphone, and take it again."
        else:
            self.message = f"{len(samples) / rate:.1f} s recorded."
            self.when_good()


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
