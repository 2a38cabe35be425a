"""The recorder of the notebook: what the browser records arrives in Python, whole and judged."""

import base64

import numpy as np
import pytest
from small_pages import ALLOWED, write_microphone

pytest.importorskip("anywidget")

from digitlab import audio, corpora, voices, widgets
from digitlab.widgets.recorder_widget import Recorder

RATE = 48000
MODEL = """
const state = {seconds: 1.5, prompt: "Say: six", message: ""};
const model = {
  get: (name) => state[name],
  send: (content, callbacks, [sound]) => {
    Object.assign(state, { rate: content.rate, sound });
    window.saved = true;
  },
  on: () => {},
};
import(URL.createObjectURL(new Blob([module], {type: "text/javascript"}))).then((widget) =>
  widget.default.render({model, el: document.body}));
window.state = state;
"""
TAKEN = """() => {
  const bytes = new Uint8Array(state.sound);
  let text = "";
  bytes.forEach((byte) => (text += String.fromCharCode(byte)));
  return btoa(text);
}"""


def arrive(recorder, samples, rate=RATE):
    """Let a recording come from the browser."""
    recorder._handle_custom_msg({"rate": rate}, [memoryview(np.asarray(samples, "<f4").tobytes())])


def word(digit, speaker=4):
    quiet = np.zeros(RATE // 2, np.float32)
    said = 0.7 * audio.peak_normalize(voices.say(digit, speaker=speaker, rate=RATE))
    return np.concatenate([quiet, said, quiet])


def test_python_gets_what_the_browser_took():
    recorder = widgets.recorder()
    with pytest.raises(ValueError, match="nothing is recorded yet"):
        recorder.recording  # noqa: B018
    arrive(recorder, word(3))
    samples, rate = recorder.recording
    assert rate == RATE and np.array_equal(samples, word(3))
    assert recorder.message == f"{len(samples) / RATE:.1f} s recorded; the word takes 0.4 s."
    assert "<audio" in recorder.player().data


def test_in_the_rendered_book_the_page_has_a_recorder_of_its_own(monkeypatch):
    recorder = widgets.recorder()
    assert "application/vnd.jupyter.widget-view+json" in str(recorder._repr_mimebundle_())
    monkeypatch.setenv("DIGITLAB_FLIPBOOK", "1")
    shown = recorder._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert 'class="own-recording" data-show="answer"' in shown["text/html"]


@pytest.mark.parametrize(
    "sound, problem",
    [
        (np.zeros(RATE), "silent"),
        (np.clip(5 * word(5), -1, 1), "clipped"),
        (np.random.default_rng(0).normal(0, 0.01, RATE), "No word"),
    ],
)
def test_what_cannot_be_used_is_said_so(sound, problem):
    recorder = widgets.recorder()
    arrive(recorder, sound)
    assert problem in recorder.message and "again" in recorder.message


def test_what_is_said_is_not_saved_with_the_notebook():
    recorder = widgets.recorder()
    arrive(recorder, word(3))
    state = {name: value for name, value in recorder.get_state().items() if name != "_esm"}
    assert len(str(state)) < 5000


def test_a_time_that_jupyter_cannot_carry_is_refused():
    for seconds in (0, -1, 31, float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            widgets.recorder(seconds)
    assert widgets.recorder(30).seconds == 30


def test_it_saves_the_word_with_the_next_take_and_overwrites_none(tmp_path):
    recorder = widgets.recorder()
    arrive(recorder, word(7))
    files = [recorder.save(tmp_path / "mine", 7, "anna") for _ in range(2)]
    assert [file.name for file in files] == ["7_anna_0.wav", "7_anna_1.wav"]
    samples, rate = audio.read_wav(files[0])
    assert rate == RATE and len(voices.say(7, speaker=4, rate=RATE)) * 0.6 < len(samples)
    assert len(samples) < len(word(7)) - RATE // 3  # the silence is trimmed
    for digit, speaker in ((10, "anna"), (7, "an na"), (7, "../anna"), (7, "")):
        with pytest.raises(ValueError, match=r"digit|speaker"):
            recorder.save(tmp_path, digit, speaker)


def test_a_session_asks_for_ten_digits_and_goes_on_after_a_break(tmp_path):
    session = widgets.recording_session(tmp_path, "ben", n_takes=2)
    assert session.prompt == "Say: zero (1 of 20)"
    arrive(session, np.zeros(RATE))
    assert session.prompt == "Say: zero (1 of 20)" and "silent" in session.message
    for digit in range(10):
        assert voices.DIGIT_WORDS[digit] in session.prompt
        arrive(session, word(digit))
    again = widgets.recording_session(tmp_path, "ben", n_takes=2)
    assert again.prompt == "Say: zero (11 of 20)"
    for digit in range(10):
        arrive(again, word(digit, speaker=6))
    assert again.prompt.startswith("Done: 20 recordings")
    corpus = corpora.load(tmp_path)
    assert len(corpus) == 20 and set(corpus.table["speaker"]) == {"ben"}
    arrive(again, word(1, speaker=7))  # one too many is not saved
    assert len(list(tmp_path.iterdir())) == 20


def test_a_session_takes_back_what_it_saved_and_nothing_else(tmp_path):
    arrive(widgets.recording_session(tmp_path, "eva", n_takes=1), word(0))
    session = widgets.recording_session(tmp_path, "eva", n_takes=1)
    assert not session.can_undo  # zero is of another day
    arrive(session, word(1))
    assert session.can_undo and session.prompt == "Say: two (3 of 10)"
    session._handle_custom_msg({"undo": True}, [])
    session._handle_custom_msg({"undo": True}, [])  # a second press
    assert [file.name for file in tmp_path.iterdir()] == ["0_eva_0.wav"]
    assert not session.can_undo and session.prompt == "Say: one (2 of 10)"
    assert session.message == "1_eva_0.wav is deleted."


def test_a_session_that_cannot_save_says_so(tmp_path):
    (tmp_path / "file").write_text("no folder")
    session = widgets.recording_session(tmp_path / "file", "eva")
    arrive(session, word(0))
    assert session.message.startswith("This was not saved:")
    assert session.prompt == "Say: zero (1 of 30)"


@pytest.fixture(scope="module")
def recorded(start, tmp_path_factory):
    """Record a six through the widget in Chromium, whose microphone plays a file; and a file."""
    folder = tmp_path_factory.mktemp("sound")
    sound = np.concatenate([word(6), np.zeros(RATE // 2)])
    microphone = write_microphone(folder / "six.wav", sound, RATE)
    page = start(*ALLOWED, microphone).new_page()
    (folder / "page.html").write_text('<!doctype html><html lang="en"><body></body></html>')
    page.goto((folder / "page.html").as_uri())
    page.evaluate(f"module => {{ {MODEL} }}", Recorder._esm)
    page.get_by_role("button", name="Record").click()
    page.wait_for_function("window.saved")
    taken = [(base64.b64decode(page.evaluate(TAKEN)), page.evaluate("state.rate"))]
    page.evaluate("window.saved = false")
    page.locator("input[type=file]").set_input_files(folder / "six.wav")
    page.wait_for_function("window.saved")
    taken.append((base64.b64decode(page.evaluate(TAKEN)), page.evaluate("state.rate")))
    (folder / "bad.wav").write_bytes(b"no sound")
    page.locator("input[type=file]").set_input_files(folder / "bad.wav")
    page.wait_for_function("document.querySelector('output').textContent !== ''")
    said = page.locator("output").inner_text()
    prompt = page.locator(".prompt").inner_text()
    page.close()
    return taken, sound, said, prompt


def test_the_microphone_reaches_python(recorded):
    pytest.importorskip("torch")
    from digitlab import pretrained

    (content, rate), _ = recorded[0]
    samples = np.frombuffer(content, "<f4")
    assert 1.2 < len(samples) / rate < 2
    assert 0.1 < np.abs(samples).max() <= 1
    assert pretrained.load().predict(samples.copy(), rate).label == "6"


def test_a_file_reaches_python_as_it_is(recorded):
    [_, (content, rate)], sound, *_ = recorded
    samples = np.frombuffer(content, "<f4")
    assert rate == RATE and len(samples) == len(sound)
    assert np.abs(samples - sound).max() < 2e-4


def test_the_page_shows_the_prompt_and_what_is_wrong(recorded):
    *_, said, prompt = recorded
    assert prompt == "Say: six"
    assert said.startswith("This file is no sound that the browser can read.")


def test_a_frame_without_a_microphone_is_said_so(start):
    """As in VS Code and some hosts of notebooks: there is nothing that the reader could allow."""
    page = start(*ALLOWED).new_page()
    headers = {"Permissions-Policy": "microphone=()", "Content-Type": "text/html"}
    page.route("**/*", lambda route: route.fulfill(headers=headers, body="<body></body>"))
    page.goto("http://127.0.0.1/")
    page.evaluate(f"module => {{ {MODEL} }}", Recorder._esm)
    page.get_by_role("button", name="Record").click()
    page.wait_for_function("document.querySelector('output').textContent !== ''")
    said = page.locator("output").inner_text()
    assert "Choose a sound file, or open the notebook in JupyterLab." in said
    page.close()
