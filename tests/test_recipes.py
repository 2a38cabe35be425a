"""A recipe runs from a corpus to a report, the same each time, and keeps its results."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from digitlab import audio, corpora, recipes, splits, voices
from digitlab.cli import main
from digitlab.environment import reports_here
from digitlab.training import EarlyStopping

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


# --- LSTMs ------------------------------------------------------------------------------------

FOUR = ("jackson", "nicolas", "theo", "yweweler")
LSTMS = {"L1": (4510, 56), "L2": (318218, 56), "L3": (4510, 64 * 9), "L4": (318218, 64 * 9)}


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """The four published speakers and a fifth, two takes each: hums that rise with the digit."""
    folder = tmp_path_factory.mktemp("people")
    time, dice = np.arange(2000) / 8000, np.random.default_rng(0)
    for digit in range(10):
        for speaker in (*FOUR, "george"):
            for take in range(2):
                hum = np.sin(2 * np.pi * (200 + 250 * digit) * time) / 2
                noise = dice.normal(0, 0.02, len(time))
                audio.write_wav(folder / f"{digit}_{speaker}_{take}.wav", hum + noise, 8000)
    return corpora.load(folder)


@pytest.fixture
def short(monkeypatch):
    """The LSTM recipes for one epoch, those that are fed sample by sample on 20 ms of a clip."""
    for name in LSTMS:
        recipe = recipes.RECIPES[name]
        share = {"laptop": {"clips": {"n_samples": 441}}} if recipe.features == "samples" else {}
        monkeypatch.setitem(recipes.RECIPES, name, replace(recipe, shares=share, epochs=1))


@pytest.mark.parametrize("name", LSTMS)
def test_the_published_lstms_run_as_published(name, people, short):
    report = recipes.run(name, corpus=people, framework="torch", scale="laptop")
    n_parameters, n_train = LSTMS[name]
    assert report.n_parameters == report.n_trainable == n_parameters
    assert report.n_train == n_train  # 70 or 80 % of 80 clips, nine copies of each or one
    assert set(report.speakers) == set(FOUR)
    assert np.ptp(np.bincount(report.y_true)) <= 1
    assert report.history.validation_accuracy[-1] == pytest.approx(report.test_accuracy)
    assert recipes.RECIPES[name].framework == "keras"


def test_other_splits_of_a_published_lstm_take_everybody(people, short):
    report = recipes.run("L1", corpus=people, framework="torch", scale="laptop", split="random")
    assert set(report.speakers) == {*FOUR, "george"}


def test_l1_stops_at_the_second_epoch_without_having_learned(people, short, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "L1", replace(recipes.RECIPES["L1"], epochs=5))
    report = recipes.run("L1", corpus=people, framework="torch", scale="laptop")
    assert len(report.history.loss) == 2
    assert report.history.loss[-1] > 2.1


def test_no_copy_of_a_test_clip_is_learned_from(people, short, monkeypatch):
    copied = []
    real = recipes.augment.copies

    def copies(corpus, **settings):
        copied.append(corpus)
        return real(corpus, **settings)

    monkeypatch.setattr(recipes.augment, "copies", copies)
    report = recipes.run("L3", corpus=people, framework="torch", scale="laptop")
    four = people.select(people.table["speaker"].isin(FOUR))
    tested = set(people.table["path"].iloc[report.rows])
    assert len(copied) == 1
    assert tested.isdisjoint(copied[0].table["path"])
    assert len(tested) + len(copied[0]) == len(four)


@pytest.mark.parametrize("name", ["L5", "L6", "L7"])
def test_put_right_they_learn(name, people):
    report = recipes.run(name, corpus=people, scale="laptop", split="random")
    assert report.test_accuracy > 0.6  # chance is 0.1


def test_each_epoch_hears_the_training_clips_at_other_places(people, monkeypatch):
    moved = []
    real = recipes.augment.vary

    def vary(clips, rate, rng, **settings):
        moved.append(real(clips, rate, rng, **settings))
        return moved[-1]

    monkeypatch.setattr(recipes.augment, "vary", vary)
    monkeypatch.setitem(recipes.RECIPES, "L7", replace(recipes.RECIPES["L7"], epochs=2))
    report = recipes.run("L7", corpus=people, scale="laptop", split="random")
    assert [len(clips) for clips in moved] == 2 * [report.n_train]
    assert not np.array_equal(*moved)


def test_both_frameworks_run_an_lstm(people, short):
    pytest.importorskip("keras")
    first, second = (
        recipes.run("L2", corpus=people, scale="laptop", framework=framework)
        for framework in recipes.FRAMEWORKS
    )
    assert (first.n_parameters, first.n_train) == (second.n_parameters, second.n_train)
    assert first.history.loss[0] == pytest.approx(second.history.loss[0], rel=0.1)


def test_an_interrupted_run_goes_on_and_writes_its_curves(corpus, tmp_path):
    pytest.importorskip("tensorboard")
    kept, logs, file = tmp_path / "kept", tmp_path / "logs", tmp_path / "k2.json"
    report = recipes.run(
        "K2", corpus=corpus, scale="laptop", seeds=2, checkpoint_folder=kept, log_folder=logs
    )
    assert len(list(kept.iterdir())) == 2
    assert sorted(folder.name for folder in logs.iterdir()) == [
        f"K2-torch-{corpus.name}-official-42",
        f"K2-torch-{corpus.name}-official-43",
    ]
    arguments = ("--scale", "laptop", "--seeds", 2, "--checkpoints", kept, "--logs", logs)
    result = command("run", "K2", "--corpus", folder_of(corpus), *arguments, "--json", file)
    assert result.exit_code == 0, result.output
    *again, _ = json.loads(file.read_text())
    for row, part in zip(again, report.parts, strict=True):
        assert row["seconds_training"] == part.seconds_training  # read, not trained again
        assert row["test_accuracy"] == part.test_accuracy


@pytest.fixture
def by_lightning(monkeypatch):
    """L7 as Lightning trains it: through one cycle, stopping early, with the best weights."""
    pytest.importorskip("lightning")
    recipe = replace(
        recipes.RECIPES["L7"],
        trainer="lightning",
        schedule="one-cycle",
        vary={},
        set_aside=0.2,
        epochs=15,
        learning_rate=0.01,
        batch_size=16,
        early_stopping=EarlyStopping(patience=3, restore_best=True),
    )
    monkeypatch.setitem(recipes.RECIPES, "L7", recipe)
    return {"name": "L7", "scale": "laptop", "split": "random"}


def test_lightning_trains_a_recipe(people, by_lightning, monkeypatch, tmp_path):
    pytest.importorskip("tensorboard")
    report = recipes.run(**by_lightning, corpus=people, log_folder=tmp_path)
    assert report.test_accuracy > 0.6  # chance is 0.1
    assert (report.n_train, report.n_test) == (72, 10)
    logged = pd.read_csv(next(tmp_path.glob("L7-torch-*/metrics.csv")))
    assert logged["validation_loss"].tolist() == pytest.approx(report.history.validation_loss)
    [(train, _)] = splits.split(people, "random", test_size=0.1, seed=42)
    learned = people.select(np.random.default_rng(42).permutation(train)[:72])
    heard = report.recogniser.probabilities(learned.waveforms(**recipes.RECIPES["L7"].clips))
    assert report.train_accuracy == np.mean(heard.argmax(axis=1) == learned.table["label"])
    monkeypatch.setattr(recipes, "MOST_IN_MEMORY", 0)  # the same clips, read as they are needed
    again = recipes.run(**by_lightning, corpus=people)
    assert np.array_equal(again.y_pred, report.y_pred)
    assert again.history.loss == report.history.loss


def test_its_twin_goes_through_the_same_cycle_epoch_by_epoch(people, by_lightning):
    pytest.importorskip("keras")
    report = recipes.run(**by_lightning, corpus=people, framework="keras")
    assert report.test_accuracy > 0.6
    assert len(report.history.validation_loss) == report.history.epochs


def test_only_what_lightning_trains_is_shared_out(corpus, people, by_lightning):
    with pytest.raises(ValueError, match=r"K2 learns on one device in torch.*\(L7, C1"):
        recipes.run("K2", corpus=corpus, devices=2)
    with pytest.raises(ValueError, match="L7 learns on one device in keras"):
        recipes.run(**by_lightning, corpus=people, framework="keras", nodes=2)
    with pytest.raises(ValueError, match="16 clips cannot be shared out evenly to 3 x 1"):
        recipes.run(**by_lightning, corpus=people, devices=3)
    refused = command("run", "K2", "--corpus", folder_of(corpus), "--devices", 2)
    assert refused.exit_code == 1 and "K2 learns on one device" in refused.output


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "NODE_RANK"])
def test_of_processes_that_share_a_training_the_first_reports(name, monkeypatch):
    for rank in (0, 1):
        monkeypatch.setenv(name, str(rank))
        assert reports_here(2) == (rank == 0)
        assert reports_here(1)


def test_a_share_of_the_takes_holds_the_first(tmp_path, monkeypatch):
    for take in (1, 2, 3, 4, 5):
        for digit in range(10):
            hum = np.sin(np.arange(800) / (digit + 2) + take) / 2
            audio.write_wav(tmp_path / f"{digit}_anna_{take}.wav", hum, 8000)
    share = {"laptop": {"every": 2, "clips": {"n_samples": 441}, "epochs": 1}}
    recipe = replace(recipes.RECIPES["L1"], shares=share)
    monkeypatch.setitem(recipes.RECIPES, "L1", recipe)
    report = recipes.run(
        "L1", corpus=str(tmp_path), framework="torch", scale="laptop", split="official"
    )
    assert (report.n_train, report.n_test) == (10, 20)  # take 5; takes 1 and 3
    assert report.history.epochs == report.to_dict()["epochs"] == 1  # instead of five


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
    came_later = {"epochs", "balanced_accuracy"}
    for row in rows:
        assert list(row) == list(report.to_dict())
        assert row["recipe"] in recipes.RECIPES
        free = may_be_empty if row["recipe"].startswith("C") else may_be_empty | came_later
        assert all(value for key, value in row.items() if key not in free), row
        assert 0 <= float(row["interval_low"]) <= float(row["test_accuracy"])
        assert float(row["test_accuracy"]) <= float(row["interval_high"]) <= 1
        assert "numpy" in json.loads(row["versions"])
