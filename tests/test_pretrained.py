"""The model that comes with digitlab, and `digitlab predict` without another one."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import (
    audio,
    cli,
    corpora,
    evaluation,
    model_cards,
    pretrained,
    recognisers,
    voices,
)

torch = pytest.importorskip("torch")
NO_WORD = "no digit heard"


@pytest.fixture(scope="module")
def recogniser():
    return pretrained.load()


def predict(*arguments):
    return CliRunner().invoke(cli.main, ["predict", *map(str, arguments)])


def say(word, speaker=0, rate=8000):
    return audio.peak_normalize(voices.say(word, speaker, rate=rate))


def test_it_is_small_and_says_where_it_comes_from(recogniser):
    assert pretrained.FILE.stat().st_size < 600_000
    assert recogniser.classes == (*"0123456789", "other")
    assert recogniser.recipe == "B2" and 0.9 < recogniser.test_accuracy < 1
    card = pretrained.FILE.with_name("README.md").read_text("utf-8")
    assert f"{recogniser.test_accuracy:.3f}" in card
    assert f"{recogniser.n_train:,}" in card
    for licence in ("CC BY-SA 4.0", "CC BY 4.0", "MIT"):
        assert licence in card


# --- the gate: what a model must reach to be given away -------------------------------------------

# Ten digits by each of twenty synthetic speakers, none of whom it was trained on. It recognised 179
# of 200 when it was published. Other processors and libraries may turn an answer or two; five clips
# fewer is more than that. Noise of 20 % of its weights' spread costs ten.
LEAST_ON_VOICES = 0.87
# Of FSDD it was trained on every clip, so this is no test of how it does on people; but what is
# damaged recognises fewer of them, too. 297 of 300 when it was published.
LEAST_ON_FSDD = 0.97
MARGIN = 0.02


@pytest.fixture(scope="module")
def spoken(recogniser):
    """Return clips of synthetic speakers, what is said, and by whom."""
    words = [(digit, speaker) for speaker in range(20) for digit in range(10)]
    clips = [recogniser.preparation.fit(voices.say(*word, rate=8000)) for word in words]
    digits, speakers = np.array(words).T
    return np.stack(clips), digits.astype(str), speakers


def with_noise(recogniser, share):
    """Return a copy whose weights are off by this share of their spread, in each layer."""
    model, rng = copy.deepcopy(recogniser.model), np.random.default_rng(0)
    for weights in model.parameters():
        noise = rng.normal(0, share * weights.detach().numpy().std(), weights.shape)
        weights.data += torch.as_tensor(noise, dtype=weights.dtype)
    return replace(recogniser, model=model)


def test_it_is_good_enough_to_be_given_away(recogniser, spoken):
    waveforms, digits, _ = spoken
    assert np.mean(recogniser.labels(waveforms) == digits) >= LEAST_ON_VOICES


def test_a_damaged_copy_does_not_pass_the_gate(recogniser, spoken):
    waveforms, digits, speakers = spoken
    old, same, worse = (
        model.labels(waveforms) == digits
        for model in (recogniser, with_noise(recogniser, 0), with_noise(recogniser, 0.2))
    )
    assert evaluation.non_inferiority(same, old, speakers, margin=MARGIN).is_shown
    assert not evaluation.non_inferiority(worse, old, speakers, margin=MARGIN).is_shown
    assert worse.mean() < LEAST_ON_VOICES


def test_it_knows_the_recordings_that_it_was_trained_on(recogniser):
    if corpora.find("fsdd") is None:
        pytest.skip("FSDD is not on this machine")
    answered = model_cards.answers(recogniser, corpora.load("fsdd").at_scale("smoke"))
    assert answered["correct"].mean() >= LEAST_ON_FSDD


def test_a_file_that_was_changed_is_not_used(tmp_path, monkeypatch):
    changed = tmp_path / "b2.npz"
    changed.write_bytes(pretrained.FILE.read_bytes()[:-1])
    monkeypatch.setattr(pretrained, "FILE", changed)
    with pytest.raises(recognisers.RecogniserError, match=r"b2\.npz is not the model"):
        pretrained.load()
    changed.unlink()
    with pytest.raises(recognisers.RecogniserError, match="install digitlab again"):
        pretrained.load()


def test_it_understands_recordings_of_any_kind(recogniser):
    """Synthetic speakers, whom it was not trained on: most digits, whatever the recording."""
    kinds = {
        "plain": lambda clip: (clip, 8000),
        "96 kHz": lambda clip: (audio.resample(clip, 8000, 96000), 96000),
        "soft": lambda clip: (clip / 500, 8000),
        "clipped": lambda clip: (np.clip(3 * clip, -1, 1), 8000),
        "DC offset": lambda clip: (0.5 * clip + 0.3, 8000),
        "one dead channel": lambda clip: (np.stack([clip, 0 * clip], axis=1), 8000),
        "30 s": lambda clip: (np.r_[np.zeros(120_000), clip, np.zeros(110_000)], 8000),
        "noise": lambda clip: (clip + np.random.default_rng(0).normal(0, 0.02, len(clip)), 8000),
    }
    words = [(digit, speaker) for digit in range(10) for speaker in (0, 1, 2)]
    clips = [say(*word) for word in words]
    for kind, change in kinds.items():
        labels = [recogniser.predict(*change(clip)).label for clip in clips]
        right = np.mean(
            [label == str(digit) for label, (digit, _) in zip(labels, words, strict=True)]
        )
        assert right >= 0.6, f"{kind}: {right}"


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_silence_are_no_digit(recogniser, seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.1, 16000)
    brown = np.cumsum(rng.normal(0, 0.1, 16000))
    for sound in (noise, brown - brown.mean(), np.zeros(8000), np.zeros(400), 0.05 * noise[:400]):
        assert recogniser.predict(sound, 8000).label == "other"


def test_music_is_no_digit(recogniser):
    times = np.arange(16000) / 8000
    notes = np.where(times < 1, 220, 330)
    music = sum(np.sin(2 * np.pi * order * notes * times) / order for order in range(1, 6))
    assert recogniser.predict(music, 8000).label == "other"


def test_predict_needs_no_model(tmp_path):
    audio.write_wav(tmp_path / "seven.wav", say(7), 8000)
    audio.write_wav(tmp_path / "silence.wav", np.zeros(8000), 8000)
    result = predict(tmp_path)
    assert result.exit_code == 0, result.output
    assert "seven.wav: 7" in result.output
    assert f"silence.wav: {NO_WORD}" in result.output
    [seven, silence] = json.loads(predict("--json", tmp_path).stdout)
    assert (seven["label"], silence["label"]) == ("7", "other")


def test_a_model_among_the_recordings_is_explained(tmp_path):
    result = predict(tmp_path / "k2.npz", tmp_path / "seven.wav")
    assert result.exit_code == 1
    assert "predict --model" in result.output and "Traceback" not in result.output


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x18ftypM4A ", b"ID3\x04\x00", b"\xff\xfb\x90\x00"])
def test_another_format_called_wav_is_named_as_such(tmp_path, head):
    (tmp_path / "seven.wav").write_bytes(head + bytes(1000))
    result = predict(tmp_path / "seven.wav")
    assert result.exit_code == 1
    assert "seven.wav: this is no WAV file" in result.output
