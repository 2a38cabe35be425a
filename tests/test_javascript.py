"""The recogniser in JavaScript answers as the one in Python does, from a page opened as a file."""

import base64
import copy
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from digitlab import audio, features, pretrained, voices
from digitlab.features import normalised
from digitlab.preparation import prepare
from digitlab.pretrained import javascript

torch = pytest.importorskip("torch")

CLOSE = 1e-3  # of probabilities
SCRIPTS = [ROOT / "book/assets" / name for name in ("recogniser_weights.js", "recogniser.js")]
EACH = """([text, lengths, rate, name]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const samples = new Float32Array(bytes.buffer);
  const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
  let start = 0;
  const results = lengths.map((n) =>
    digitRecogniser[name](samples.slice(start, (start += n)), rate)
  );
  return JSON.stringify(results, plain);
}"""
PARTS = ("first", "second", "shortcut")


@pytest.fixture(scope="module")
def recogniser():
    return pretrained.load()


@pytest.fixture(scope="module")
def weights():
    """Return what the script of weights assigns."""
    return json.loads(SCRIPTS[0].read_text("ascii").partition(" = ")[2].rstrip().rstrip(";"))


@pytest.fixture(scope="module")
def rounded(recogniser, weights):
    """Return the recogniser in Python with the weights of the script."""
    model = copy.deepcopy(recogniser.model)
    _, convolution, norm, _, *blocks, _, _, dense, _ = model
    set_layer(convolution, norm, weights["stem"], weights["letters"])
    for block, described in zip(blocks, weights["blocks"], strict=True):
        first, first_norm, _ = block.first
        layers = (first, first_norm), (block.second, block.norm)
        layers += ((block.shortcut, block.shortcut_norm),)
        for layer, part in zip(layers, PARTS, strict=True):
            if part in described:
                set_layer(*layer, described[part], weights["letters"])
    with torch.no_grad():
        dense.weight.copy_(torch.tensor(decoded(weights["dense"], weights["letters"])[..., 0, 0]))
        dense.bias.copy_(torch.tensor(weights["dense"]["biases"]))
    return replace(recogniser, model=model)


def decoded(layer, letters):
    """Return the weights that are written as letters: a scale, then six numbers of two letters."""
    digits = np.array([letters.index(letter) for letter in layer["weights"]])
    n_weights = np.prod(layer["shape"])
    padded = np.zeros(13 * -(-n_weights // 6), int)
    padded[: len(digits)] = digits
    groups = padded.reshape(-1, 13)
    numbers = groups[:, 1::2] * len(letters) + groups[:, 2::2] - (len(letters) ** 2 - 1) // 2
    weights = numbers * groups[:, :1] * layer["scale"]
    return weights.ravel()[:n_weights].reshape(layer["shape"])


def set_layer(convolution, norm, layer, letters):
    """Give a convolution the weights, and make the normalisation behind it add the biases."""
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor(decoded(layer, letters)))
        norm.bias.copy_(torch.tensor(layer["biases"]))
        for values, value in ((norm.weight, 1), (norm.running_mean, 0)):
            values.fill_(value)
        norm.running_var.fill_(1 - norm.eps)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """Return a page that was opened as a file and loads the two scripts; nothing else is loaded."""
    file = tmp_path_factory.mktemp("page") / "page.html"
    tags = [f'<script src="{script.as_uri()}"></script>' for script in SCRIPTS]
    file.write_text("<!doctype html><title>Page</title>" + "".join(tags), "ascii")
    page = browser.new_page()
    requests, troubles = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(file.as_uri())
    yield page
    page.close()
    assert requests == [file.as_uri(), *(script.as_uri() for script in SCRIPTS)]
    assert not troubles


def in_browser(page, recordings, rate=8000, name="recognise"):
    """Return what a function of the page makes of each recording."""
    joined = np.concatenate(recordings).astype("<f4")
    text = base64.b64encode(joined.tobytes()).decode()
    return json.loads(page.evaluate(EACH, [text, [len(one) for one in recordings], rate, name]))


def differences(answers, expected):
    """Check that labels are the same; return the largest difference of probabilities."""
    assert [answer["label"] for answer in answers] == [answer.label for answer in expected]
    pairs = zip(answers, expected, strict=True)
    return max(abs(ours["probabilities"] - theirs.probabilities).max() for ours, theirs in pairs)


def compare_changes(answers, expected):
    """Check that the same is said of each recording; a number may be rounded to its neighbour."""
    ours = "; ".join(change for answer in answers for change in answer["done"])
    theirs = "; ".join(change for answer in expected for change in answer.done)
    number = r"[+-]?\d\.\d+"
    assert re.sub(number, "n", ours) == re.sub(number, "n", theirs)
    pairs = zip(re.findall(number, ours), re.findall(number, theirs), strict=True)
    assert max(abs(float(a) - float(b)) for a, b in pairs) < 0.011


def synthetic_words():
    words = list(voices.WORDS)
    return [voices.say(words[i % len(words)], speaker=i) for i in range(100)]


def real_words():
    folder = Path(os.environ.get("DIGITLAB_DATA", "")) / "speech_commands_v0.01"
    files = sorted(folder.glob("*/*_nohash_*.wav"))
    if "DIGITLAB_DATA" not in os.environ or len(files) < 200:
        pytest.skip("no part of Speech Commands in DIGITLAB_DATA")
    recordings = map(audio.read_wav, files[:: len(files) // 100][:100])
    return [audio.resample(samples, rate, 8000) for samples, rate in recordings]


@pytest.mark.parametrize("words", [synthetic_words, real_words])
def test_answers_and_probabilities_are_those_of_python(page, recogniser, rounded, words):
    recordings = words()
    answers = in_browser(page, recordings)
    expected = [rounded.predict(samples, 8000) for samples in recordings]
    assert len({answer.label for answer in expected}) > 8
    assert differences(answers, expected) < CLOSE
    compare_changes(answers, expected)
    clips = [prepare(samples, 8000, recogniser.preparation).samples for samples in recordings]
    unrounded = recogniser.probabilities(np.stack(clips))
    assert np.abs([answer["probabilities"] for answer in answers] - unrounded).max() < CLOSE


def test_recordings_with_faults_are_prepared_as_in_python(page, rounded):
    rng = np.random.default_rng(0)
    times = np.arange(16000) / 8000
    seven, three = (audio.fit(voices.say(digit), 16000) for digit in (7, 3))
    stereo = np.stack([seven, 0.5 * seven], axis=1)
    recordings = [
        seven,
        np.roll(seven, 5000) + rng.normal(0, 0.002, 16000),
        0.5 * seven + 0.3,
        0.5 * seven + 0.3 * np.sin(2 * np.pi * 0.7 * times),
        seven / 3000,
        stereo.mean(axis=1),
        np.concatenate([seven, 0.8 * three]),
        np.concatenate([voices.say(digit) for digit in (7, 3, 1)]),
        np.zeros(16000),
        np.zeros(100),
        np.where(np.arange(400) == 200, 0.9, 0),
        rng.normal(0, 0.1, 16000),
        rng.normal(0, 0.1, 4000),
        np.sin(2 * np.pi * 440 * times),
        voices.say(7)[:150],
        np.array([0.5]),
    ]
    recordings = [np.float32(samples) for samples in recordings]
    answers = in_browser(page, recordings)
    expected = [rounded.predict(samples, 8000) for samples in recordings]
    assert {"7", "other"} <= {answer.label for answer in expected}
    compare_changes(answers, expected)
    assert differences(answers, expected) < CLOSE
    clips = [one["clip"] for one in in_browser(page, recordings, name="prepare")]
    prepared = [prepare(one, 8000, rounded.preparation).samples for one in recordings]
    np.testing.assert_allclose(clips, prepared, atol=1e-5)


@pytest.mark.parametrize("rate", [6000, 11025, 22050, 44100, 48000])
def test_other_rates_are_resampled(page, rounded, rate):
    recordings = [voices.say(i % 10, speaker=30 + i, rate=rate) for i in range(12)]
    answers = in_browser(page, recordings, rate)
    expected = [rounded.predict(samples, rate) for samples in recordings]
    assert differences(answers, expected) < 0.05
    compare_changes(answers, expected)


@pytest.mark.parametrize(("frequency", "is_kept"), [(3400, True), (4100, False), (9000, False)])
def test_what_the_lower_rate_cannot_hold_is_removed(page, frequency, is_kept):
    """A tone of 500 Hz beside it, so that scaling to peak 1 does not hide what is left."""
    times = np.arange(48000) / 48000
    tones = [np.sin(2 * np.pi * hertz * times) for hertz in (500, frequency)]
    [prepared] = in_browser(page, [np.float32(sum(tones) / 2)], 48000, name="prepare")
    middle = prepared["clip"][2096:6096]  # 0.5 s: lines are 2 Hz apart
    magnitudes = np.abs(np.fft.rfft(middle * np.hanning(4000)))
    alias = abs(frequency - 8000 * round(frequency / 8000))
    level = 20 * np.log10(magnitudes[alias // 2] / magnitudes[250])
    assert level > -0.1 if is_kept else level < -75


def test_features_are_those_of_python_and_another_mel_filter_is_noticed(page, rounded):
    clips = [rounded.preparation.fit(voices.say(digit)) for digit in (7, 3)]
    ours = np.array(in_browser(page, clips, name="features"))
    np.testing.assert_allclose(ours, features.normalised_log_mel(clips, 8000), atol=1e-4)
    assert np.abs(ours[0] - ours[1]).max() > 1
    powers = normalised.power_frames(np.array(clips), 8000)
    filters = normalised.mel_filters(8000)
    filters[20] = np.roll(filters[20], 1)
    shifted = normalised.normalise_levels(powers @ filters.T)
    assert np.abs(ours - shifted).max() > 0.1


def test_what_is_no_recording_is_refused(page):
    for samples in ("[]", "[0, NaN]", "[Infinity]"):
        with pytest.raises(Exception, match="a recording is one sample or more"):
            page.evaluate(f"digitRecogniser.recognise(Float32Array.from({samples}), 8000)")


def test_the_script_of_weights_is_small_and_that_of_the_model(recogniser):
    text = SCRIPTS[0].read_text("ascii")
    assert len(text) < 300_000
    is_fresh = text == javascript.script(recogniser)
    command = f"python -m digitlab.pretrained.javascript > {SCRIPTS[0].relative_to(ROOT)}"
    assert is_fresh, f"b2.npz has changed; make the script anew with  {command}"


def test_a_system_that_the_page_cannot_compute_is_refused(recogniser):
    for change in ({"builder": "mel_cnn"}, {"features": "log_mel"}, {"framework": "keras"}):
        with pytest.raises(ValueError, match="only B1 and B2"):
            javascript.script(replace(recogniser, **change))
