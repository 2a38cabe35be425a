"""The listener and a chapter's display in Firefox, from files, with its storage and microphone."""

import base64
import json

import firefox
import pytest
from small_pages import spoken, write_display, write_listener

from digitlab import audio, pretrained, voices

pytest.importorskip("torch")
pytest.importorskip("websocket")
pytestmark = pytest.mark.skipif(firefox.program() is None, reason="no Firefox on this machine")

ANSWER = "document.querySelector('.answer').textContent"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    tab = firefox.Firefox(tmp_path_factory.mktemp("profile"))
    yield tab
    tab.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return write_listener(folder).as_uri(), write_display(folder, "spectrum").as_uri()


def choose(tab, content, name="word.wav"):
    """Put a file into the page's field, as a reader does who chooses it."""
    tab.evaluate(
        f"""(() => {{
          const bytes = Uint8Array.from(atob({json.dumps(base64.b64encode(content).decode())}),
            (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], {json.dumps(name)}));
          const field = document.querySelector(".file");
          field.files = transfer.files;
          field.dispatchEvent(new Event("change", {{ bubbles: true }}));
        }})()"""
    )


def press(tab, name):
    tab.evaluate(f"document.querySelector('.{name}').click()")


def test_a_file_is_understood_as_python_understands_it(tab, pages, tmp_path):
    tab.goto(pages[0])
    for digit in (7, 3):
        samples = spoken(digit)
        audio.write_wav(tmp_path / "word.wav", samples, 16000)
        assert pretrained.load().predict(samples, 16000).label == str(digit)
        choose(tab, (tmp_path / "word.wav").read_bytes())
        tab.wait_for(f"{ANSWER} !== ''")
        assert tab.evaluate(ANSWER).startswith(f"I heard: {voices.DIGIT_WORDS[digit]},")
    choose(tab, b"no sound at all")
    tab.wait_for(f"{ANSWER}.startsWith('This file is no sound')")


def test_the_next_page_has_the_recording_until_it_is_forgotten(tab, pages):
    tab.goto(pages[0])
    press(tab, "example")
    tab.wait_for(f"{ANSWER}.startsWith('I heard: seven,')")
    tab.goto(pages[1])
    tab.wait_for("document.querySelector('.said').textContent.startsWith('Strongest peak')")
    assert tab.evaluate("document.querySelector('.kept').textContent") == ""
    assert tab.evaluate("localStorage.length") == 0
    press(tab, "forget")
    tab.goto(pages[0])
    assert tab.evaluate("document.querySelector('.last').hidden")
    assert tab.evaluate("sessionStorage.length + localStorage.length") == 0


def test_the_microphone_is_recorded(tab, pages):
    """Firefox's false microphone plays a tone, which is no digit."""
    tab.goto(pages[0])
    press(tab, "record")
    tab.wait_for("document.querySelector('.record').textContent === 'Stop'")
    tab.wait_for(f"{ANSWER} !== ''")
    assert tab.evaluate(ANSWER) == "I heard: no digit."
    tab.goto(pages[1])
    tab.wait_for("document.querySelector('.said').textContent.startsWith('Strongest peak')")
    length = "ownRecording.get().samples.length / ownRecording.RATE"
    assert 2 < tab.evaluate(length) < 3
    peak = tab.evaluate("document.querySelector('.said').textContent")
    assert "peak: 1,000 Hz" in peak
