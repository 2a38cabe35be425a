"""The recorder in JupyterLab, in a real browser with a microphone that plays a file."""

import json
import os
import re

import numpy as np
import pytest
from lab_server import READY, served, set_lab
from small_pages import ALLOWED

pytest.importorskip("anywidget")
pytest.importorskip("torch")

from digitlab import audio, pretrained, voices

RATE = 48000
VOICES = (1, 4, 6, 7)
SPOKEN = [(digit, VOICES[(digit + 1) % 4]) for digit in range(10)]
if os.environ.get("DIGITLAB_LAB") == "all":  # `make test-lab`: all by all, which takes minutes
    SPOKEN = [(digit, speaker) for speaker in VOICES for digit in range(10)]
CELLS = {
    "record.ipynb": [
        "from digitlab import widgets\nmicrophone = widgets.recorder(1.2)\nmicrophone"
    ],
    "saved.ipynb": ["from digitlab import widgets\nwidgets.recorder(1.2)"],
    "session.ipynb": [
        "from digitlab import widgets\n"
        "session = widgets.recording_session('mine', 'anna', n_takes=1, seconds=1.2)\nsession"
    ],
}
RUN = """async (code) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code });
  let text = "";
  future.onIOPub = ({ content }) =>
    (text += content.text ?? (content.ename ? `${content.ename}: ${content.evalue}` : ""));
  await future.done;
  return text.trim();
}"""


def notebook(cells):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": [
            {"cell_type": "code", "id": f"c{i}", "execution_count": None, "metadata": {},
             "outputs": [], "source": source}
            for i, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of notebooks that each show a recorder."""
    folder = tmp_path_factory.mktemp("lab")
    for name, cells in CELLS.items():
        (folder / name).write_text(json.dumps(notebook(cells)))
    return folder


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    settings = tmp_path_factory.mktemp("settings")
    set_lab(settings, "@jupyter-widgets/jupyterlab-manager/plugin", {"saveState": True})
    with served(folder, settings) as address:
        yield address


@pytest.fixture(scope="module")
def microphone(folder):
    """Return a function that says what the microphone hears from its next recording on."""
    file = folder / "microphone.wav"

    def hear(samples):
        audio.write_wav(file, np.concatenate([samples, np.zeros(RATE)]), RATE)

    hear.file = file
    hear(spoken(0, 4))
    return hear


@pytest.fixture(scope="module")
def chromium(start, microphone):
    return start(*ALLOWED, f"--use-file-for-fake-audio-capture={microphone.file}")


@pytest.fixture
def opened(lab):
    """Return a function that opens a notebook in a browser and runs its cells."""
    pages = []

    def open_notebook(browser, name):
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(60_000)
        pages.append(page)
        page.goto(f"{lab}/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(READY)
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_selector(".recorder button.record")
        return page

    yield open_notebook
    for page in pages:
        page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
        page.close()


def spoken(word, speaker, rate=RATE):
    """Return a word as somebody records it: quiet before and after."""
    quiet = np.zeros(rate // 5, np.float32)
    said = audio.peak_normalize(voices.say(word, speaker=speaker, rate=rate))
    return np.concatenate([quiet, 0.7 * said, quiet])


def answered(page):
    """Wait for what Python says about the recording."""
    page.wait_for_function("document.querySelector('.recorder output').textContent !== ''")
    return page.locator(".recorder output").inner_text()


def record(page):
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("document.querySelector('button.record').textContent === 'Stop'")
    return answered(page)


def test_digits_reach_the_kernel_and_are_understood(opened, chromium, microphone, folder):
    page = opened(chromium, "record.ipynb")
    page.evaluate(RUN, "from digitlab import pretrained\nrecogniser = pretrained.load()")
    recogniser = pretrained.load()
    heard, expected = [], []
    for digit, speaker in SPOKEN:
        samples = spoken(digit, speaker)
        microphone(samples)
        assert re.match(r"\d\.\d s recorded; the word takes 0\.\d s\.", record(page))
        label = page.evaluate(RUN, "print(recogniser.predict(*microphone.recording).label)")
        answer = recogniser.predict(samples, RATE)
        if answer.label != "other" and answer.probabilities.max() > 0.5:  # no toss-up
            heard.append(label)
            expected.append(answer.label)
    assert heard == expected
    assert len(heard) >= 0.9 * len(SPOKEN) and len(set(expected)) >= 9
    saved = page.evaluate(RUN, "print(microphone.save('saved', 9, 'anna'))")
    assert saved == "saved/9_anna_0.wav"
    samples, rate = audio.read_wav(folder / saved)
    assert recogniser.predict(samples, rate).label == heard[-1]


def test_a_session_asks_for_the_next_digit_and_takes_back_the_last(
    opened, chromium, microphone, folder
):
    page = opened(chromium, "session.ipynb")
    prompt, again = page.locator(".recorder .prompt"), "Take the last one again"
    assert prompt.inner_text() == "Say: zero (1 of 10)"
    assert page.get_by_role("button", name=again).is_hidden()
    microphone(np.zeros(RATE))
    assert record(page).startswith("This is silent.")
    assert prompt.inner_text() == "Say: zero (1 of 10)"
    microphone(spoken(0, 6))
    page.locator("button.record").focus()
    page.keyboard.press("Enter")  # JupyterLab has plans of its own with this key
    page.wait_for_function("document.querySelector('.recorder meter').value > 0.2")
    assert answered(page) == "Saved as 0_anna_0.wav."
    assert prompt.inner_text() == "Say: one (2 of 10)"
    samples, rate = audio.read_wav(folder / "mine/0_anna_0.wav")
    assert pretrained.load().predict(samples, rate).label == "0"
    page.get_by_role("button", name=again).click()
    assert answered(page) == "0_anna_0.wav is deleted."
    assert prompt.inner_text() == "Say: zero (1 of 10)"
    assert not list((folder / "mine").iterdir())


def test_without_a_microphone_a_file_arrives_and_one_that_is_too_long_is_refused(
    opened, start, tmp_path
):
    page = opened(start("--deny-permission-prompts"), "record.ipynb")
    page.get_by_role("button", name="Record", exact=True).click()
    assert answered(page).endswith("hoose a sound file.")
    said, chosen = spoken(6, 6, 16000), page.locator(".recorder input[type=file]")
    audio.write_wav(tmp_path / "six.wav", said, 16000)
    chosen.set_input_files(tmp_path / "six.wav")
    page.wait_for_function("document.querySelector('.recorder output').innerText.includes('word')")
    duration = "samples, rate = microphone.recording\nprint(len(samples) / rate)"
    assert float(page.evaluate(RUN, duration)) == pytest.approx(len(said) / 16000, abs=0.001)
    audio.write_wav(tmp_path / "long.wav", np.tile(said, 600)[: 600 * 16000], 16000)
    chosen.set_input_files(tmp_path / "long.wav")
    assert answered(page).startswith("This sound is too long: the recorder takes up to 30 s.")
    assert float(page.evaluate(RUN, duration)) == pytest.approx(len(said) / 16000, abs=0.001)


def test_a_cell_run_again_and_a_kernel_restarted_in_the_middle(opened, chromium, microphone):
    microphone(spoken(7, 6))
    page = opened(chromium, "record.ipynb")
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("document.querySelector('.recorder meter').value > 0.2")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function("document.querySelector('button.record')?.textContent === 'Record'")
    assert "recorded" in record(page)  # a new recorder, which works
    assert float(page.evaluate(RUN, "print(len(microphone.recording[0]))")) > 0
    page.get_by_role("button", name="Record", exact=True).click()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    assert answered(page).endswith("Run the cell again.")
    page.wait_for_function(READY)
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function("document.querySelector('.recorder output')?.textContent === ''")
    assert "recorded" in record(page)


def test_a_notebook_saved_with_its_recorder_holds_no_sound_and_opens_again(
    opened, chromium, microphone, folder
):
    microphone(spoken(8, 6))
    page = opened(chromium, "saved.ipynb")
    assert "recorded" in record(page)
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    saved = (folder / "saved.ipynb").read_text("utf-8")
    assert "widget-state" in saved and len(saved) < 20_000
    page.reload()
    page.wait_for_selector(".recorder button.record")
    page.wait_for_function(READY)
    assert "recorded" in record(page)  # the kernel is still there
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    page.reload()
    page.wait_for_selector(".recorder button.record")
    page.wait_for_function(READY)
    assert record(page).endswith("run the cell again.")  # a new kernel, which knows no recorder
