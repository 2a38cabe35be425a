"""The reader's own recording: kept from page to page, forgotten when asked, shown in chapters."""

import base64
import re
from importlib import import_module

import librosa
import numpy as np
import pytest
from small_pages import ALLOWED, LONG, spoken, write_display, write_listener, write_microphone

from digitlab import audio, features, pretrained, riff, voices
from digitlab.preparation import prepare

pytest.importorskip("torch")

RATE = 16000
DISPLAYS = ("aliasing", "quantisation", "bytes", "spectrum", "spectrogram", "erase", "answer")
PLAYED = """async (player) => {
  const bytes = new Uint8Array(await (await fetch(player.src)).arrayBuffer());
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}"""
BROKEN_STORAGE = """for (const name of ["sessionStorage", "localStorage"])
  Object.defineProperty(globalThis, name, {
    get() { throw new DOMException("no", "SecurityError"); }
  });
"""
FULL_STORAGE = """Storage.prototype.setItem = () => {
  throw new DOMException("full", "QuotaExceededError");
};"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return {name: address} of the listener and of the displays."""
    folder = tmp_path_factory.mktemp("pages")
    files = {"listener": write_listener(folder)}
    files |= {name: write_display(folder, name) for name in DISPLAYS}
    return {name: path.as_uri() for name, path in files.items()}


@pytest.fixture
def context(browser):
    context = browser.new_context(viewport={"width": 900, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(context):
    """Return an empty tab; nothing may go wrong in it unseen."""
    page, troubles = context.new_page(), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    assert not troubles


def tone(hertz, seconds=1.0, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def choose(page, path, samples, rate=RATE):
    """Write a sound file, choose it, and wait until the page shows it."""
    audio.write_wav(path, samples, rate)
    page.locator(".file").set_input_files(path)
    page.locator(".result").wait_for(timeout=LONG)
    length = f"{min(len(samples) / rate, 5):.1f} s"
    page.wait_for_function(
        "length => document.querySelector('.duration').textContent.includes(length)",
        arg=length,
        timeout=LONG,
    )


def said(page):
    return page.locator(".said").inner_text().replace("−", "-")


def number(pattern, text):
    return float(re.search(pattern, text)[1].replace(",", ""))


def played(page, tmp_path, selector=".display audio"):
    """Return the samples and the rate of what a player holds."""
    content = base64.b64decode(page.locator(selector).evaluate(PLAYED))
    (tmp_path / "played.wav").write_bytes(content)
    return audio.read_wav(tmp_path / "played.wav")


def press(page, name):
    page.get_by_role("button", name=name).click()


# ---------------------------------------------------------------- kept and forgotten
def test_what_is_recorded_on_one_page_is_there_on_the_next(start, pages, tmp_path):
    microphone = write_microphone(tmp_path / "tone.wav", tone(1000, 3, 48000))
    page = start(*ALLOWED, microphone).new_page()
    page.goto(pages["listener"])
    page.locator(".record").click()
    page.wait_for_function("document.querySelector('.answer').textContent !== ''", timeout=LONG)
    page.goto(pages["spectrum"])
    page.locator(".said").wait_for(timeout=LONG)
    assert abs(number(r"Strongest peak: ([\d,]+) Hz", said(page)) - 1000) < 3
    samples, rate = played(page, tmp_path, ".playback")
    assert rate == RATE and 1 < len(samples) / rate < 3
    page.goto(pages["listener"])
    assert page.locator(".result").is_hidden()
    press(page, "Use my last recording")
    page.wait_for_function("document.querySelector('.answer').textContent !== ''", timeout=LONG)
    assert page.locator(".last").is_hidden()
    page.context.browser.close()


def test_a_file_arrives_as_it_is_and_of_a_long_one_the_loudest_five_seconds(page, pages, tmp_path):
    page.goto(pages["spectrum"])
    word = audio.peak_normalize(spoken(3))
    choose(page, tmp_path / "three.wav", word)
    samples, rate = played(page, tmp_path, ".playback")
    assert rate == RATE and len(samples) == len(word)
    assert 10 * np.log10(np.mean(word**2) / np.mean((samples - word) ** 2)) > 25
    assert riff.wav_format(tmp_path / "played.wav").bits_per_sample == 16
    long = np.concatenate([0.1 * tone(300, 8), tone(700, 5), 0.1 * tone(300, 8)])
    choose(page, tmp_path / "long.wav", long)
    samples, _ = played(page, tmp_path, ".playback")
    assert len(samples) == 5 * RATE and np.sqrt(np.mean(samples**2)) > 0.34
    assert "the loudest 5 s of 21.0 s" in page.locator(".duration").inner_text()


def test_forgotten_it_is_gone_everywhere(page, pages, tmp_path):
    page.goto(pages["spectrum"])
    choose(page, tmp_path / "three.wav", spoken(3))
    page.get_by_label("Remember it in this browser").check()
    other = page.context.new_page()
    other.goto(pages["quantisation"])
    other.locator(".said").wait_for(timeout=LONG)
    press(page, "Forget the recording")
    other.locator(".result").wait_for(state="hidden", timeout=LONG)
    for tab in (page, other):
        assert tab.evaluate("sessionStorage.length + localStorage.length") == 0
        assert tab.locator(".playback").get_attribute("src") is None
        tab.goto(pages["listener"])
        assert tab.locator(".last").is_hidden() and tab.locator(".result").is_hidden()


def test_it_is_remembered_only_if_asked(page, pages, tmp_path):
    def there(tab):
        tab.goto(pages["listener"])
        return tab.locator(".last").is_visible()

    page.goto(pages["spectrum"])
    choose(page, tmp_path / "three.wav", spoken(3))
    assert page.evaluate("localStorage.length") == 0
    assert not there(page.context.new_page()), "another tab knows it"
    page.get_by_label("Remember it in this browser").check()
    page.close()
    later = page.context.new_page()
    assert there(later)
    choose(later, tmp_path / "five.wav", spoken(5, speaker=1))
    assert len(later.evaluate("Object.values(localStorage)[0]")) > 1000
    assert later.get_by_label("Remember it in this browser").is_checked()
    later.get_by_label("Remember it in this browser").uncheck()
    later.close()
    assert not there(page.context.new_page())


@pytest.mark.parametrize("trouble", [BROKEN_STORAGE, FULL_STORAGE], ids=["broken", "full"])
def test_without_storage_it_is_in_the_page_and_that_is_said(page, pages, tmp_path, trouble):
    page.add_init_script(trouble)
    page.goto(pages["spectrum"])
    choose(page, tmp_path / "tone.wav", tone(440))
    assert "in this page alone" in page.locator(".kept").inner_text()
    assert abs(number(r"peak: ([\d,]+) Hz", said(page)) - 440) < 2
    page.get_by_label("Remember it in this browser").click()
    page.get_by_text("This browser lets the page remember nothing.").wait_for(timeout=LONG)
    assert not page.get_by_label("Remember it in this browser").is_checked()
    press(page, "Forget the recording")
    assert page.locator(".result").is_hidden()


def test_what_is_no_sound_is_said_so_and_the_recording_stays(page, pages, tmp_path):
    page.goto(pages["spectrum"])
    choose(page, tmp_path / "tone.wav", tone(440))
    (tmp_path / "text.wav").write_bytes(b"no sound at all")
    page.locator(".file").set_input_files(tmp_path / "text.wav")
    page.get_by_text("This file is no sound that the browser can read.").wait_for(timeout=LONG)
    assert abs(number(r"peak: ([\d,]+) Hz", said(page)) - 440) < 2


def test_what_storage_holds_that_is_no_recording_is_not_used(page, pages):
    page.add_init_script("sessionStorage.setItem('hearing-digits-recording', 'not ours')")
    page.goto(pages["spectrum"])
    assert page.locator(".result").is_hidden()
    assert page.get_by_role("button", name="Record a word").is_visible()


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_display_takes_the_example_from_the_keyboard_and_fits_a_phone(page, pages, name):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(pages[name])
    assert page.get_by_text("Elsewhere.").is_hidden()
    page.get_by_role("button", name="Take an example").focus()
    page.keyboard.press("Enter")
    page.locator(".result").wait_for(timeout=LONG)
    page.wait_for_function("document.querySelector('.said').textContent.length > 10", timeout=LONG)
    assert page.evaluate("document.body.scrollWidth <= document.body.clientWidth")
    for canvas in page.locator(".display canvas").all():
        assert len(canvas.get_attribute("aria-label")) > 20
        pixels = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
        assert canvas.evaluate(pixels) > 2, "nothing is drawn"
    low = (
        "fields => fields.filter(f => f.getBoundingClientRect().height < 44).map(f => f.outerHTML)"
    )
    targets = ".live :is(button, input, audio):visible"
    assert not page.locator(targets).evaluate_all(low), "a thumb misses them"
    page.emulate_media(media="print")
    assert page.get_by_text("Elsewhere.").is_visible() and page.locator(".live").is_hidden()


def test_without_javascript_the_sentence_stays(browser, pages):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(pages["spectrum"])
    assert page.get_by_text("Elsewhere.").is_visible()
    context.close()


# ---------------------------------------------------------------- chapter 2
def strongest(samples, rate):
    magnitudes = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return magnitudes.argmax() * rate / (8 * len(samples))


def test_a_tone_above_half_the_new_rate_is_folded_or_filtered(page, pages, tmp_path):
    page.goto(pages["aliasing"])
    both = 0.2 * tone(3300) + 0.02 * tone(500)
    choose(page, tmp_path / "tone.wav", both)
    for rate, heard in ((4000, 700), (2000, 700), (8000, 3300)):
        page.get_by_role("radio", name=f"{rate:,} Hz").check()
        samples, player_rate = played(page, tmp_path)
        assert player_rate == RATE
        assert abs(strongest(samples[2000:14000], RATE) - heard) < 3
        if rate < 8000:
            assert abs(number(r"tone there, of ([\d,]+) Hz", said(page)) - 3300) < 2
            assert abs(number(r"sounds at ([\d,]+) Hz", said(page)) - 700) < 2
            assert "lay 99" in said(page)
    page.get_by_role("radio", name="4,000 Hz").check()
    page.get_by_label("low-pass filter").check()
    samples, _ = played(page, tmp_path)
    assert abs(strongest(samples[2000:14000], RATE) - 500) < 3
    assert "is removed" in said(page)
    expected = audio.resample(audio.resample(both, RATE, 4000), 4000, RATE)
    assert np.abs(samples - expected)[2000:14000].max() < 2e-3


@pytest.mark.parametrize("bits", [1, 4, 8, 12])
def test_the_signal_to_noise_ratio_is_that_of_python(page, pages, tmp_path, bits):
    page.goto(pages["quantisation"])
    choose(page, tmp_path / "three.wav", spoken(3))
    slider = page.get_by_role("slider")
    slider.fill(str(bits))
    kept, _ = played(page, tmp_path, ".playback")
    word = audio.peak_normalize(kept).astype(float)

    def ratio(rounded):
        return 10 * np.log10(np.mean(word**2) / np.mean((rounded - word) ** 2))

    expected = ratio(audio.quantise(word, bits))
    assert abs(number(r"ratio: (-?[\d.]+) dB", said(page)) - expected) < 0.06
    rounded, _ = played(page, tmp_path)
    assert np.array_equal(np.unique(rounded), np.unique(audio.quantise(word, bits)))
    assert slider.get_attribute("aria-valuetext").startswith(f"{bits} bit")
    page.get_by_label("with dither").check()
    dithered = audio.quantise(word, bits, dither=np.random.default_rng(0))
    assert abs(number(r"ratio: (-?[\d.]+) dB", said(page)) - ratio(dithered)) < 0.3


def edit(page, byte, value):
    page.get_by_role("button", name=re.compile(f"^byte {byte},")).click()
    page.get_by_role("textbox", name=f"Byte {byte},").fill(value)
    page.keyboard.press("Enter")


def plays(page, seconds):
    page.wait_for_function(
        "s => Math.abs(document.querySelector('.display audio').duration - s) < 0.02",
        arg=seconds,
        timeout=LONG,
    )


def test_a_changed_byte_changes_what_the_player_makes_of_the_file(page, pages, tmp_path):
    page.goto(pages["bytes"])
    choose(page, tmp_path / "three.wav", spoken(3))
    kept, _ = played(page, tmp_path, ".playback")
    header = page.locator("button.byte").all_inner_texts()
    assert bytes.fromhex("".join(header)) == (tmp_path / "played.wav").read_bytes()[:44]
    plays(page, len(kept) / RATE)
    edit(page, 25, "1f")  # 16,000 becomes 8,064
    plays(page, len(kept) / 8064)
    assert page.locator(".wav-fields tr", has_text="24–27").inner_text().endswith("8,064")
    edit(page, 22, "02")
    row = page.locator(".wav-fields tr", has_text="channels")
    assert row.inner_text().endswith("2")
    press(page, "Undo")
    press(page, "Undo")
    plays(page, len(kept) / RATE)
    assert page.get_by_role("button", name="Undo").is_disabled()
    edit(page, 0, "00")
    page.get_by_text("The browser refuses this file").wait_for(timeout=LONG)
    press(page, "Undo")
    plays(page, len(kept) / RATE)
    edit(page, 24, "xy")
    assert said(page) == "A byte is two hexadecimal digits, from 00 to ff."
    assert page.locator("button.byte").all_inner_texts() == header


def test_the_arrow_keys_move_from_byte_to_byte(page, pages, tmp_path):
    page.goto(pages["bytes"])
    choose(page, tmp_path / "three.wav", spoken(3))
    page.locator("button.byte[aria-pressed=true]").focus()
    for key, place in (("ArrowRight", 25), ("ArrowUp", 9), ("ArrowLeft", 8), ("ArrowUp", 8)):
        page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused.startswith(f"byte {place}, ")
    assert page.locator("button.byte[tabindex='0']").count() == 1


# ---------------------------------------------------------------- chapters 3 and 4
def test_the_strongest_peak_and_its_level_are_those_of_numpy(page, pages, tmp_path):
    page.goto(pages["spectrum"])
    choose(page, tmp_path / "tones.wav", np.concatenate([tone(1234.5), 0.2 * tone(432)]))
    kept, _ = played(page, tmp_path, ".playback")
    assert abs(number(r"peak: ([\d,]+) Hz", said(page)) - 1234.5) < 1
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(kept)) / len(kept))
    magnitudes = 2 * np.abs(np.fft.rfft(window * kept, 32768)) / window.sum()
    expected = 20 * np.log10(magnitudes.max())
    assert abs(number(r"at (-?[\d.]+) dB", said(page)) - expected) < 0.06
    page.get_by_label("one frame").check()
    slider = page.get_by_role("slider")
    for start, hertz in ((0, 1234.5), (int(slider.get_attribute("max")), 432)):
        slider.fill(str(start))
        assert abs(number(r"peak: ([\d,]+) Hz", said(page)) - hertz) < 5
    page.get_by_label("none").check()
    assert abs(number(r"at (-?[\d.]+) dB", said(page)) - 20 * np.log10(0.1)) < 0.6


def test_the_spectrogram_is_that_of_the_chapter(page, pages, tmp_path):
    page.goto(pages["spectrogram"])
    choose(page, tmp_path / "three.wav", spoken(3))
    kept, _ = played(page, tmp_path, ".playback")
    compute = """([samples, length]) => {
      const powers = ownSignals.spectrogram(Float32Array.from(samples), 16000, length, length / 4);
      const columns = (rows) => rows.map((row) => Array.from(row));
      return [columns(powers.columns), columns(ownSignals.melBands(powers, 64))];
    }"""
    powers, mel = map(np.array, page.evaluate(compute, [kept.tolist(), 1024]))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    padded = np.pad(kept, (512, 1024))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 1024)[::256][: len(powers)]
    expected = (2 * np.abs(np.fft.rfft(frames * hann)) / hann.sum()) ** 2
    np.testing.assert_allclose(powers, expected, atol=1e-9)
    bank = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=64, htk=True, norm=None)
    np.testing.assert_allclose(mel, expected @ bank.T, rtol=1e-4, atol=1e-9)
    pictures = set()
    for place in range(6):
        page.get_by_role("slider").fill(str(place))
        pictures.add(page.locator("canvas").evaluate("c => c.toDataURL()"))
    assert len(pictures) == 6
    assert said(page).startswith("A window of 128 ms: tones 16 Hz apart")
    page.get_by_label("64 mel bands").check()
    assert page.locator("canvas").evaluate("c => c.toDataURL()") not in pictures


# ---------------------------------------------------------------- chapter 13
def bars(page):
    return np.array(page.locator(".bars meter").evaluate_all("bars => bars.map(bar => bar.value)"))


def answered(page):
    page.locator(".bars label").nth(9).wait_for(timeout=LONG)


def test_erasing_changes_the_answer_and_bringing_back_restores_it(page, pages, tmp_path):
    page.goto(pages["erase"])
    word = spoken(7)
    choose(page, tmp_path / "seven.wav", word)
    answered(page)
    recogniser = pretrained.load()
    before = bars(page)
    assert said(page).startswith("With all of it: seven,")
    np.testing.assert_allclose(before, recogniser.predict(word, RATE).probabilities[:10], atol=0.05)
    for name, value in (("from", 0), ("to", 64), ("lowest mel band", 0), ("highest mel band", 39)):
        page.get_by_label(name, exact=True).fill(str(value))
    press(page, "Erase the rectangle")
    assert "Before: seven," in said(page) and "Now: seven," not in said(page)
    assert bars(page)[7] < 0.5 < before[7]
    assert re.search(r"^\d+ % → \d+ %$", page.locator(".bars span").nth(7).inner_text())
    press(page, "Bring everything back")
    assert np.array_equal(bars(page), before)


def test_a_rectangle_is_erased_by_dragging(page, pages, tmp_path):
    """As much of the picture as the sliders say then; a tap erases nothing."""
    page.goto(pages["erase"])
    choose(page, tmp_path / "seven.wav", spoken(7))
    answered(page)
    canvas = page.locator(".erasable")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"]
    page.mouse.click(x, y)
    assert said(page).startswith("With all of it")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 100, y + 100, steps=4)
    page.mouse.up()
    share = number(r"^([\d.]+) % of the picture has changed", said(page))
    edges = [int(page.get_by_role("slider").nth(i).input_value()) for i in range(4)]
    area = (edges[1] - edges[0] + 1) * (edges[3] - edges[2] + 1) / (65 * 40)
    assert 0 < share <= 100 * area + 0.5 and 0.02 < area < 0.5


def test_what_is_erased_becomes_the_lowest_level_of_its_band(page, pages, tmp_path):
    """The recogniser gets what Python's features are, changed in the same cells."""
    page.goto(pages["erase"])
    choose(page, tmp_path / "seven.wav", spoken(7))
    answered(page)
    for name, value in (("from", 25), ("to", 40), ("lowest mel band", 5), ("highest mel band", 30)):
        page.get_by_label(name, exact=True).fill(str(value))
    press(page, "Erase the rectangle")
    kept, _ = played(page, tmp_path, ".playback")
    recogniser = pretrained.load()
    clip = prepare(kept, RATE, recogniser.preparation).samples
    frames = features.normalised_log_mel(clip[None], 8000)
    changed = frames.copy()
    changed[0, 25:41, 5:31] = frames[0].min(axis=0)[5:31]
    share = 100 * np.mean(changed != frames)
    assert abs(number(r"^([\d.]+) %", said(page)) - share) <= 0.5
    expected = import_module("digitlab.training.torch").predict(recogniser.model, changed)[0]
    np.testing.assert_allclose(bars(page), expected[:10], atol=0.01)


# ---------------------------------------------------------------- chapter 16: the answer
@pytest.mark.parametrize("digit", [3, 8])
def test_the_answer_is_that_of_python(page, pages, tmp_path, digit):
    page.goto(pages["answer"])
    samples = spoken(digit)
    choose(page, tmp_path / "word.wav", samples)
    page.wait_for_function(
        "document.querySelector('.said').textContent.startsWith('Recognised')", timeout=LONG
    )
    answer = pretrained.load().predict(samples, RATE)
    assert said(page).startswith(f"Recognised: {voices.DIGIT_WORDS[int(answer.label)]}, ")
    shares = page.locator(".bars meter").evaluate_all("bars => bars.map(bar => bar.value)")
    assert np.abs(np.array(shares[:10]) - answer.probabilities[:10]).max() < 0.01
