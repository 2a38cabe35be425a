"""A recipe runs from a corpus to a report, the same each time, and keeps its results."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import audio, corpora, recipes, voices
from digitlab.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Three built-in voices, seven takes each: small enough to scatter in seconds."""
    folder = tmp_path_factory.mktemp("voices") / "three"
    voices.write_corpus(folder, n_speakers=3, n_takes=7)
    return corpora.load(folder)


def folder_of(corpus):
    return str(corpus.table["path"][0].parent)


@pytest.fixture(scope="session")
def report(corpus):
    return recipes.run("K2", corpus=corpus, scale="laptop")


def test_k2_is_the_published_system(report):
    assert report.n_parameters == report.n_trainable == 3370
    assert report.framework == "torch"
    assert report.split == "official"
    assert (report.n_train, report.n_test) == (60, 150)
    assert len(report.history.loss) == 50


def test_k2_learns_the_built_in_voices(corpus):
    report = recipes.run("K2", corpus=corpus, scale="laptop", split="random")
    assert report.test_accuracy > 0.6  # chance is 0.1
    assert report.train_accuracy > 0.9


def test_k3_tells_the_voices_apart_better_than_k2(corpus):
    k2, k3 = (
        recipes.run(name, corpus=corpus, scale="laptop", split="speaker") for name in ("K2", "K3")
    )
    assert k3.test_accuracy > k2.test_accuracy + 0.05


def test_the_same_seed_gives_the_same_answers(corpus, report):
    again = recipes.run("K2", corpus=corpus, scale="laptop")
    assert np.array_equal(again.y_pred, report.y_pred)
    assert again.features_cached


def test_the_training_set_alone_sets_the_scale_of_the_features(corpus, monkeypatch):
    seen = []
    fit = recipes.StandardScaler.fit
    monkeypatch.setattr(
        recipes.StandardScaler, "fit", lambda self, x: seen.append(len(x)) or fit(self, x)
    )
    report = recipes.run("K2", corpus=corpus, scale="laptop")
    assert seen == [report.n_train]


def test_speakers_are_left_out_in_turn(corpus):
    report = recipes.run("K2", corpus=corpus, scale="laptop", split="speaker")
    assert len(report.parts) == 3
    assert {part.fold for part in report.parts} == set(corpus.table["speaker"])
    for part in report.parts:
        assert set(part.speakers) == {part.fold}
    assert report.n_test == len(corpus)


def test_seeds_are_run_one_by_one(corpus, report):
    several = recipes.run("K2", corpus=corpus, scale="laptop", seeds=2)
    assert [part.seed for part in several.parts] == [42, 43]
    assert np.array_equal(several.parts[0].y_pred, report.y_pred)


@pytest.mark.parametrize("name, n_parameters", [("K2", 3370), ("K3", 16810)])
def test_both_frameworks_run_it(name, n_parameters, corpus):
    pytest.importorskip("keras")
    report = recipes.run(name, corpus=corpus, scale="laptop")
    twin = recipes.run(name, corpus=corpus, scale="laptop", framework="keras")
    assert report.n_parameters == n_parameters
    assert (twin.n_parameters, twin.n_trainable) == (report.n_parameters, report.n_trainable)
    assert abs(twin.test_accuracy - report.test_accuracy) < 0.15


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"name": "K9"}, "there is no recipe 'K9'"),
        ({"framework": "jax"}, "torch, keras"),
        ({"split": "fair"}, "official, random, speaker"),
        ({"scale": "huge"}, "smoke, laptop, full"),
        ({"seeds": 0}, "at least one"),
    ],
)
def test_wrong_settings_are_refused(corpus, settings, words):
    with pytest.raises(ValueError, match=words):
        recipes.run(**{"name": "K2", "corpus": corpus} | settings)


# --- the command line -------------------------------------------------------------------------


def command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_run_prints_a_table_and_writes_json(corpus, tmp_path):
    file = tmp_path / "k2.json"
    result = command(
        "run",
        "K2",
        "--corpus",
        folder_of(corpus),
        "--seeds",
        2,
        "--scale",
        "laptop",
        "--json",
        file,
    )
    assert result.exit_code == 0, result.output
    assert "95 % interval" in result.output and "3,370 parameters" in result.output
    rows = json.loads(file.read_text())
    assert [row["pooled"] for row in rows] == [False, False, True]
    assert rows[2]["test_accuracy"] == pytest.approx(
        (rows[0]["test_accuracy"] + rows[1]["test_accuracy"]) / 2
    )
    assert rows[0]["corpus_digest"] == corpus.digest


def test_runs_are_appended_row_by_row(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("run", "K2", "--corpus", folder_of(corpus), "--scale", "laptop", "--append")
    assert "there is no folder book" in command(*arguments).output
    (tmp_path / "book").mkdir()
    for _ in range(2):
        assert command(*arguments).exit_code == 0
    with (tmp_path / "book" / "results.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 2
    assert {row["recipe"] for row in rows} == {"K2"}
    (tmp_path / "book" / "results.csv").write_text("a,b\n1,2\n")
    assert "other columns" in command(*arguments).output


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("run", "K9"), "there is no recipe 'K9'"),
        (("run", "K2", "--corpus", "nowhere"), "neither a folder nor a corpus"),
        (("run", "K2", "--json", "no/such/folder/x.json"), "there is no folder"),
        (("data", "verify", "esc50"), "there is no corpus 'esc50'"),
        (("data", "path", "esc50"), "there are fsdd, audiomnist, "),
    ],
)
def test_mistakes_get_one_plain_sentence(arguments, words):
    result = command(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_damaged_recording_is_named_on_the_command_line(tmp_path):
    audio.write_wav(tmp_path / "1_anna_0.wav", np.ones(100) / 2, 8000)
    (tmp_path / "2_anna_0.wav").write_bytes(b"RIFF")
    result = command("run", "K2", "--corpus", tmp_path, "--scale", "laptop")
    assert result.exit_code == 1
    assert "2_anna_0.wav" in result.output


def test_data_commands(monkeypatch, tmp_path):
    listed = command("data", "list")
    assert "fsdd" in listed.output and "3,000" in listed.output and "voices" in listed.output
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    missing = command("data", "path", "fsdd")
    assert missing.exit_code == 1
    assert "digitlab data fetch fsdd" in missing.output


def test_the_list_tells_a_part_from_the_whole(monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "audiomnist" / "data" / "01"
    folder.mkdir(parents=True)
    audio.write_wav(folder / "7_01_0.wav", [0, 0.5], 48000)
    lines = {line.split()[0]: line for line in command("data", "list").output.splitlines()}
    assert lines["fsdd"].endswith("not in DIGITLAB_DATA")
    assert lines["audiomnist"].endswith(f"{folder.parent} (1 of them)")
    assert lines["speech_commands"].endswith("not here yet")


def test_fetching_says_the_size_first_and_without_a_network_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    source = replace(corpora.SOURCES["audiomnist"], urls=("http://127.0.0.1:9/a.tar.gz",))
    monkeypatch.setitem(corpora.SOURCES, "audiomnist", source)
    result = command("data", "fetch", "audiomnist")
    assert result.exit_code == 1
    assert result.output.startswith("Downloading audiomnist (AudioMNIST), about 1,000 MB.")
    assert "no connection" in result.output and "Traceback" not in result.output


def test_verify_names_recordings_that_a_corpus_holds_twice(monkeypatch, tmp_path):
    folder = tmp_path / "audiomnist" / "data" / "36"
    folder.mkdir(parents=True)
    for digit in range(10):
        audio.write_wav(folder / f"{digit}_36_0.wav", [digit % 9 / 10, 0.5], 48000)
    source = replace(corpora.SOURCES["audiomnist"], n_clips=10, speakers=("36",), n_takes=1)
    monkeypatch.setitem(corpora.SOURCES, "audiomnist", source)
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    output = command("data", "verify", "audiomnist").output
    assert f"the same recording: {folder / '0_36_0.wav'} = {folder / '9_36_0.wav'}" in output
    assert corpora.load("audiomnist").digest in output


def test_the_doctor_finds_what_is_wrong(monkeypatch, tmp_path):
    healthy = command("doctor")
    assert healthy.exit_code == 0, healthy.output
    assert "numpy" in healthy.output and "free" in healthy.output
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    ill = command("doctor")
    assert ill.exit_code == 1
    assert "DIGITLAB_DATA is set and" in ill.output


# --- what the book quotes ---------------------------------------------------------------------


def test_the_results_that_the_book_quotes_are_whole(report):
    with (ROOT / "book" / "results.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    may_be_empty = {"fold", "speaker_interval_low", "speaker_interval_high"}
    for row in rows:
        assert list(row) == list(report.to_dict())
        assert row["recipe"] in recipes.RECIPES
        assert all(value for key, value in row.items() if key not in may_be_empty), row
        assert 0 <= float(row["interval_low"]) <= float(row["test_accuracy"])
        assert float(row["test_accuracy"]) <= float(row["interval_high"]) <= 1
        assert "numpy" in json.loads(row["versions"])
