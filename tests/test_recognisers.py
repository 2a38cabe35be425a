"""A trained system is kept in a file and recognises any recording; files are not trusted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import audio, experiment, recognisers
from digitlab.cli import main


@pytest.fixture(scope="module", params=["torch", "keras"])
def kept(request, corpus, tmp_path_factory):
    """What was trained in one framework, and the file that keeps it."""
    pytest.importorskip(request.param)
    file = tmp_path_factory.mktemp("models") / "k2.npz"
    report = experiment.run("K2", framework=request.param, corpus=corpus, scale="laptop")
    report.recogniser.save(file)
    return report.recogniser, file


def forged(file, folder, **changes):
    """Copy a recogniser's file, its description changed."""
    with np.load(file) as whole:
        arrays = dict(whole)
    about = json.loads(str(arrays.pop("about"))) | changes
    np.savez(folder / "forged.npz", about=json.dumps(about), **arrays)
    return folder / "forged.npz"


def command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_file_gives_back_what_was_trained(kept, corpus):
    trained, file = kept
    loaded = recognisers.load(file)
    waveforms = corpus.waveforms()
    assert np.array_equal(loaded.probabilities(waveforms), trained.probabilities(waveforms))
    assert loaded.classes == corpus.classes
    assert loaded.preparation == trained.preparation
    assert loaded.corpus_digest == corpus.digest
    assert loaded.test_accuracy == trained.test_accuracy > 0.3


@pytest.mark.parametrize("limit, label", [(0.5, "other"), (0.7, "2")])
def test_a_recording_is_refused_above_a_limit_only(kept, limit, label):
    classes = ("other", *"123456789")
    recogniser = replace(kept[0], classes=classes, refuse_above=limit)
    assert recogniser.label_of(np.array([0.6, 0.1, 0.3, *np.zeros(7)])) == label
    assert recogniser.label_of(np.array([0.1, 0.6, 0.3, *np.zeros(7)])) == "1"


@pytest.mark.parametrize(
    "recipe", ["K3", "L2", "L5", "L7", "D1", "D2", "D3", "C1", "C4", "C5", "B1"]
)
def test_every_kind_of_recipe_can_be_kept(recipe, corpus, tmp_path):
    file = tmp_path / "model.npz"
    settings = {"framework": "torch", "split": "official", "scale": "laptop"}
    if recipe.startswith(("B", "C")):
        settings |= {"epochs": 1, "shares": {}, "batch_size": 16}
    report = experiment.run(recipe, corpus=corpus, **settings)
    report.recogniser.save(file)
    loaded = recognisers.load(file)
    labels = [loaded.predict(corpus.read(row), corpus.rate).label for row in report.rows[:10]]
    assert labels == [corpus.classes[label] for label in report.y_pred[:10]]


def test_a_recording_is_prepared_as_the_corpus_is(kept, corpus):
    _, file = kept
    recogniser = recognisers.load(file)
    plain = recogniser.predict(corpus.read(5), 8000)
    assert np.allclose(
        plain.probabilities, recogniser.probabilities(corpus.waveforms()[5:6])[0], atol=1e-6
    )
    assert len(plain.done) == 2 and plain.done[0].endswith("s of zeros on both sides")


def test_any_rate_length_and_number_of_channels_will_do(kept, corpus):
    recogniser = kept[0]
    clip = corpus.read(5)
    plain = recogniser.predict(clip, 8000)
    quiet = np.zeros(12000, np.float32)
    long = audio.resample(np.concatenate([quiet, 0.5 * clip, quiet]), 8000, 44100)
    strange = recogniser.predict(np.stack([long, long], axis=1), 44100)
    assert strange.label == plain.label
    assert np.abs(strange.probabilities - plain.probabilities).max() < 0.2
    done = " ".join(strange.done)
    for words in ("2 channels", "from 44,100 to 8,000 Hz", "before and after the word cut off"):
        assert words in done


def test_integers_are_scaled_and_channels_in_front_are_refused(kept, corpus):
    recogniser, clip = kept[0], corpus.read(5)
    plain = recogniser.predict(clip, 8000)
    whole = recogniser.predict(np.rint(clip * 32768).clip(-32768, 32767).astype(np.int16), 8000)
    assert np.allclose(plain.probabilities, whole.probabilities, atol=1e-3)
    with pytest.raises(ValueError, match="transpose"):
        recogniser.predict(np.stack([clip, clip]), 8000)


def test_what_is_noise_or_silence_is_said(kept):
    recogniser = kept[0]
    noise = np.random.default_rng(0).normal(size=16000)
    assert any("no word stands out" in phrase for phrase in recogniser.predict(noise, 8000).done)
    assert "means nothing" in recogniser.predict(np.zeros(4000), 8000).done[0]


def test_nothing_is_overwritten(kept):
    recogniser, file = kept
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match="another name"):
        recogniser.save(file)
    with pytest.raises(OSError, match="no"):
        recogniser.save(file.parent / "no" / "k2.npz")
    assert file.read_bytes() == before


def test_one_file_keeps_one_training(corpus, tmp_path):
    folder = corpus.table["path"][0].parent
    arguments = (
        "--corpus",
        folder,
        "--scale",
        "laptop",
        "--seeds",
        2,
        "--save",
        tmp_path / "k2.npz",
    )
    refused = command("run", "K2", *arguments)
    assert refused.exit_code == 1 and "2 trainings" in refused.output
    assert not list(tmp_path.iterdir())


PREPARATION = {
    "rate": 8000,
    "n_samples": 8192,
    "align": "center",
    "normalize": True,
    "background": False,
}


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"format": 1}, "an older digitlab"),
        ({"format": 3}, "another version"),
        ({"framework": "os"}, "for 'os'"),
        ({"features": "_backend"}, "_backend"),
        ({"features": "tqdm"}, "tqdm"),
        ({"builder": "require"}, "require"),
        ({"builder": "normalised_regression"}, "do not fit"),
        ({"features": "scattering_course"}, "another shape"),
        ({"classes": ["yes", "no"]}, "do not fit"),
        ({"preparation": PREPARATION | {"align": "top"}}, "align"),
        ({"preparation": {"n_samples": 8192}}, "rate"),
        ({"preparation": PREPARATION | {"n_samples": "many"}}, "forged"),
        ({"preparation": PREPARATION | {"rate": -8000}}, "rate"),
        ({"model_settings": {"device": "cpu"}}, "device"),
        ({"model_settings": {"seed": "a"}}, "cannot be built"),
        ({"model_settings": 3}, "not a table"),
        ({"builder": None}, "builder=None, which is not a text"),
        ({"features": ["mfcc"]}, "not a text"),
        ({"classes": 10}, "classes=10, which is not a list"),
        ({"classes": []}, "different words"),
        ({"classes": ["one", "one"]}, "different words"),
        ({"classes": [1, 2]}, "different words"),
        ({"test_accuracy": "high"}, "test_accuracy='high', which is not a number"),
        ({"seed": True}, "not a whole number"),
        ({"preparation": "none"}, "not a table"),
        ({"preparation": PREPARATION | {"n_samples": "a"}}, "not a whole number"),
        ({"preparation": PREPARATION | {"n_samples": 10**15}}, "from 1 to 10,000,000"),
        ({"preparation": PREPARATION | {"n_samples": 1}}, "too short"),
        ({"preparation": PREPARATION | {"speed": 2}}, "unknown entries: speed"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(kept, tmp_path, changes, reason):
    file = forged(kept[1], tmp_path, **changes)
    with pytest.raises(recognisers.RecogniserError, match=reason) as error:
        recognisers.load(file)
    assert str(file) in str(error.value)


def rewritten(file, folder, **arrays):
    """Copy a recogniser's file, some arrays exchanged, or left out for None."""
    with np.load(file) as whole:
        arrays = dict(whole) | arrays
    kept = {name: values for name, values in arrays.items() if values is not None}
    np.savez(folder / "forged.npz", **kept)
    return folder / "forged.npz"


@pytest.mark.parametrize(
    "name, change, reason",
    [
        ("weights_0", lambda values: values * np.nan, "weights_0 holds NaN or infinite"),
        ("mean", lambda values: values + np.inf, "mean holds NaN or infinite"),
        ("spread", lambda values: values * np.nan, "spread holds NaN or infinite"),
        ("spread", np.zeros_like, "zero or negative"),
        ("spread", np.negative, "zero or negative"),
        ("spread", lambda values: None, "only one of mean and spread"),
        ("mean", lambda values: None, "only one of mean and spread"),
        ("mean", lambda values: values.astype(complex), "real numbers"),
        ("weights_0", lambda values: values.astype(str), "something other than numbers"),
        ("weights_0", lambda values: None, "weights are not all there"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(kept, tmp_path, name, change, reason):
    with np.load(kept[1]) as whole:
        changed = change(whole[name])
    file = rewritten(kept[1], tmp_path, **{name: changed})
    with pytest.raises(recognisers.RecogniserError, match=f"{file}: .*{reason}"):
        recognisers.load(file)


@pytest.mark.parametrize("about", ['"text"', "3", "null", "[]", "[" * 100_000, "{"])
def test_a_description_that_is_no_table_is_refused(kept, tmp_path, about):
    file = rewritten(kept[1], tmp_path, about=np.array(about))
    with pytest.raises(recognisers.RecogniserError, match=f"{file}: .*damaged"):
        recognisers.load(file)


def test_damage_to_the_archive_is_named(kept, tmp_path):
    file, whole = tmp_path / "k2.npz", kept[1].read_bytes()
    entry = whole.index(b"PK\x01\x02")  # in the directory, at the end of the archive
    for place, value in ((8, 1), (10, 99), (10, 12), (10, 14)):  # encrypted; how it is compressed
        content = bytearray(whole)
        content[entry + place] = value
        file.write_bytes(content)
        with pytest.raises(recognisers.RecogniserError, match=f"{file}: .*damaged"):
            recognisers.load(file)


def test_other_files_are_refused(kept, corpus, tmp_path):
    whole = kept[1].read_bytes()
    files = {"half.npz": whole[: len(whole) // 2], "empty.npz": b"", "text.npz": b"seven"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", np.zeros(3))
    np.save(tmp_path / "pickle.npy", np.array([print], dtype=object))
    for file in [*tmp_path.iterdir(), corpus.table["path"][0], tmp_path / "none.npz", tmp_path]:
        with pytest.raises(recognisers.RecogniserError, match=str(file)):
            recognisers.load(file)


def test_predict_prints_a_chart(kept, corpus):
    recogniser, file = kept
    sound = corpus.table["path"][5]
    result = command("predict", "--model", file, sound)
    assert result.exit_code == 0, result.output
    label = recogniser.predict(*audio.read_wav(sound)).label
    assert f"{sound}: {label}" in result.output
    bars = [line for line in result.output.splitlines() if "%" in line and "test" not in line]
    assert [line.split()[0] for line in bars] == list(recogniser.classes)
    lengths = [len(line.split()[2]) if len(line.split()) > 2 else 0 for line in bars]
    assert recogniser.classes[int(np.argmax(lengths))] == label
    assert "scaled to peak 1" in result.output


def test_predict_answers_for_a_folder_and_names_what_it_cannot_read(kept, corpus, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    audio.write_wav(tmp_path / "a.wav", corpus.read(0), corpus.rate)
    audio.write_wav(inner / "b.wav", corpus.read(9), corpus.rate)
    (tmp_path / "bad.wav").write_text("not a sound")
    result = command("predict", "--model", kept[1], tmp_path, "--json")
    assert result.exit_code == 1
    assert f"{tmp_path / 'bad.wav'}: this is no WAV file" in result.stderr
    answers = json.loads(result.stdout)
    assert [answer["file"] for answer in answers] == [
        str(tmp_path / "a.wav"),
        str(inner / "b.wav"),
    ]
    for answer in answers:
        shares = answer["probabilities"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=shares.get) == answer["label"]
        assert answer["done"]


def test_predict_refuses_in_one_line(kept, corpus, tmp_path):
    sound = corpus.table["path"][5]
    for arguments in ((sound, sound), (tmp_path / "none.npz", sound), (kept[1], tmp_path)):
        result = command("predict", "--model", *arguments)
        assert result.exit_code == 1
        assert str(tmp_path) in result.output or str(sound) in result.output
        assert "Traceback" not in result.output
