"""Pages for tests that hold a recorder of the book and nothing else, opened as files."""

import re
import wave

import numpy as np
from conftest import ROOT

from digitlab import voices

ASSETS = ROOT / "book" / "assets"
ALLOWED = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
LONG = 60_000  # ms: the first answer of a busy machine
EVERYWHERE = ("recording.js", "own_recording.js", "own_controls.js", "own_pictures.js")
CHAPTERS = ("own_signals.js", "own_digital_audio.js", "own_spectra.js", "own_chapters.js")
HEAD = (
    '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>x</title>'
    '<link rel="stylesheet" href="custom.css">'
)


def copy_assets(folder):
    """Copy the scripts and the style sheet of the book into a folder, as Sphinx does."""
    for path in (
        *ASSETS.glob("*.js"),
        ASSETS / "custom.css",
        ROOT / "digitlab/widgets/recording.js",
    ):
        (folder / path.name).write_bytes(path.read_bytes())


def write(path, markup, scripts):
    """Write a page with some markup that loads scripts in their order; return its path."""
    tags = "".join(f'<script src="{name}"></script>' for name in scripts)
    path.write_text(HEAD + markup + tags, "utf-8")
    return path


def write_listener(folder):
    """Write the page with the listener of the front page."""
    copy_assets(folder)
    markup = re.search(r"```\{raw\} html\n(.*?)```", (ROOT / "book/index.md").read_text(), re.S)[1]
    assert markup.count('class="listener"') == 1
    return write(folder / "page.html", markup, [*EVERYWHERE, "listener.js"])


def write_display(folder, name):
    """Write a page with one display of the chapters."""
    markup = f'<section class="own-recording" data-show="{name}"><p>Elsewhere.</p></section>'
    return write(folder / f"{name}.html", markup, [*EVERYWHERE, *CHAPTERS])


def spoken(word, speaker=4, rate=16000):
    """Return a word with silence around it, as somebody records it."""
    quiet = np.zeros(rate // 2, np.float32)
    return np.concatenate([quiet, 0.5 * voices.say(word, speaker=speaker, rate=rate), quiet])


def write_microphone(path, samples, rate=48000):
    """Write what the browser's false microphone plays; return the flag that says so."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((32767 * np.asarray(samples)).astype("<i2").tobytes())
    return f"--use-file-for-fake-audio-capture={path}"
