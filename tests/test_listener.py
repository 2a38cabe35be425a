"""The listener of the front page: it records, shows and recognises, and says what is wrong."""

import re
import wave

import numpy as np
import pytest
from conftest import ROOT

from digitlab import audio, pretrained, voices

pytest.importorskip("torch")

ASSETS = ROOT / "book" / "assets"
SCRIPTS = ("listener.js", "recogniser.js", "recogniser_weights.js", "recogniser_example.js")
DIGITS = voices.DIGIT_WORDS
ALLOWED = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
VOICES = (1, 4, 6, 7)
LONG = 20_000  # ms: the first answer of a busy machine


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Write a page that holds the listener of the front page and nothing else."""
    folder = tmp_path_factory.mktemp("page")
    for name in (*SCRIPTS, "custom.css"):
        (folder / name).write_bytes((ASSETS / name).read_bytes())
    (folder / "recording.js").write_bytes((ROOT / "digitlab/widgets/recording.js").read_bytes())
    markup = re.search(r"```\{raw\} html\n(.*?)```", (ROOT / "book/index.md").read_text(), re.S)[1]
    assert markup.count('class="listener"') == 1
    page = folder / "page.html"
    page.write_text(
        '<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8"><title>x</title>'
        f'<link rel="stylesheet" href="custom.css">{markup}<script src="recording.js"></script>'
        '<script src="listener.js"></script>'
    )
    return page


@pytest.fixture
def page(browser, page_file):
    page = browser.new_page()
    page.goto(page_file.as_uri())
    yield page
    page.close()


def answer(page):
    """Wait for an answer, and return it."""
    page.wait_for_function(
        "document.querySelector('.answer').textContent.trim() !== ''", timeout=LONG
    )
    return page.locator(".answer").inner_text()


def spoken(word, speaker, rate=16000):
    """Return a word with silence around it, as somebody records it."""
    quiet = np.zeros(rate // 2, np.float32)
    return np.concatenate([quiet, 0.5 * voices.say(word, speaker=speaker, rate=rate), quiet])


def test_an_example_is_heard_shown_and_named(page):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.get_by_role("button", name="Take an example").click()
    assert re.match(r"I heard: seven, \d+ %\.", answer(page))
    bars = page.locator(".bars meter").evaluate_all("bars => bars.map(bar => bar.value)")
    assert len(bars) == 10 and np.argmax(bars) == 7 and 0.5 < sum(bars) <= 1.001
    assert page.locator(".bars label").nth(7).inner_text().split()[:2] == ["7", "seven"]
    for picture in ("waveform", "spectrogram"):
        pixels = page.locator(f"canvas.{picture}").evaluate(
            "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        )
        assert len({tuple(pixels[i : i + 4]) for i in range(0, len(pixels), 4)}) > 1
    page.wait_for_function("document.querySelector('.playback').duration > 0.3", timeout=LONG)
    assert re.match(r"The recording, 0\.[4-9] s\.", page.locator(".duration").inner_text())
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)
    page.get_by_role("button", name="Forget the recording").click()
    assert page.locator(".result").is_hidden()
    assert page.locator(".playback").get_attribute("src") is None


@pytest.mark.parametrize("rate", [8000, 44100])
def test_sound_files_are_understood_as_python_understands_them(page, tmp_path, rate):
    recogniser = pretrained.load()
    for digit in range(0, 10, 3):
        samples = spoken(digit, speaker=11, rate=rate)
        audio.write_wav(tmp_path / f"{digit}.wav", samples, rate)
        page.locator(".answer").evaluate("answer => (answer.textContent = '')")
        page.locator("input[type=file]").set_input_files(tmp_path / f"{digit}.wav")
        label = recogniser.predict(samples, rate).label
        expected = f"I heard: {DIGITS[int(label)]}," if label != "other" else "I heard: no digit"
        assert answer(page).startswith(expected)


def test_what_is_no_digit_is_not_named(page, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 16000)
    audio.write_wav(tmp_path / "noise.wav", noise, 16000)
    page.locator("input[type=file]").set_input_files(tmp_path / "noise.wav")
    assert answer(page).startswith("I heard: no digit.")


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_a_file_that_is_no_sound_is_said_so(page, tmp_path, content):
    (tmp_path / "text.wav").write_bytes(content)
    page.locator("input[type=file]").set_input_files(tmp_path / "text.wav")
    assert answer(page).startswith("This file is no sound that the browser can read.")


def test_ten_digits_said_into_the_microphone(start, page_file, tmp_path):
    """The browser's false microphone plays a file over and over."""
    recogniser = pretrained.load()
    said, expected = [], []
    for digit in range(10):
        with wave.open(str(tmp_path / f"{digit}.wav"), "wb") as file:
            file.setparams((1, 2, 48000, 0, "NONE", ""))
            word = spoken(digit, VOICES[digit % len(VOICES)], 48000)
            samples = np.concatenate([word, np.zeros(48000 * 2)])
            file.writeframes((32767 * samples).astype("<i2").tobytes())
        microphone = f"--use-file-for-fake-audio-capture={tmp_path / f'{digit}.wav'}"
        page = start(*ALLOWED, microphone).new_page()
        page.goto(page_file.as_uri())
        button = page.locator("button.record")
        button.click()
        page.wait_for_function("document.querySelector('.record').textContent === 'Stop'")
        said.append(answer(page).split(",")[0].removeprefix("I heard: "))
        expected.append(DIGITS[int(recogniser.predict(samples, 48000).label)])
        assert button.inner_text() == "Record a digit"
        page.context.browser.close()
    assert sum(map(str.__eq__, said, expected)) >= 9, (said, expected)
    assert len(set(expected)) >= 9


def test_stop_ends_a_recording_early(start, page_file):
    page = start(*ALLOWED).new_page()
    page.goto(page_file.as_uri())
    button = page.locator("button.record")
    button.click()
    page.wait_for_function("document.querySelector('.level').value > 0", timeout=LONG)
    button.click()
    page.wait_for_function("document.querySelector('.record').textContent !== 'Stop'", timeout=LONG)
    duration = "document.querySelector('.playback').src !== ''"
    assert answer(page).startswith("I heard:") and page.evaluate(duration)


def test_without_a_microphone_it_says_so_and_takes_a_file(start, page_file, tmp_path):
    page = start("--deny-permission-prompts").new_page()
    page.goto(page_file.as_uri())
    page.locator("button.record").click()
    said = answer(page)
    assert said.endswith("choose a sound file.") or said.endswith("Choose a sound file.")
    audio.write_wav(tmp_path / "six.wav", spoken(6, 11), 16000)
    page.locator("input[type=file]").set_input_files(tmp_path / "six.wav")
    page.wait_for_function(
        "document.querySelector('.answer').textContent.startsWith('I heard')", timeout=LONG
    )


def test_without_javascript_a_sentence_says_what_is_missing(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator(".listener").is_hidden()
    assert "With JavaScript, this page recognises" in page.locator("body").inner_text()
    context.close()
