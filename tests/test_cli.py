"""The command line runs recipes, keeps what they gave, and says plainly what is wrong."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from digitlab import audio, corpora, environment, experiment, recipes, results
from digitlab.cli import checks, main, runs
from digitlab.corpora.fetch import cached

ROOT = Path(__file__).parents[1]


def folder_of(corpus):
    return str(corpus.table["path"][0].parent)


@pytest.fixture(scope="session")
def report(corpus):
    return experiment.run("K2", corpus=corpus, scale="laptop")


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


def test_one_test_speaker_has_no_interval_over_speakers(report):
    one = replace(report, speakers=np.full(report.n_test, "anna"))
    assert "nan" not in runs._table(one) and "One test speaker" in runs._table(one)
    assert "95 % interval over speakers" in runs._table(report)


def test_runs_are_appended_row_by_row(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("run", "K2", "--corpus", folder_of(corpus), "--scale", "laptop", "--append")
    assert "there is no folder book" in command(*arguments).output
    (tmp_path / "book").mkdir()
    for seed in (42, 42, 43):  # the same run again replaces its row
        assert command(*arguments, "--seed", seed).exit_code == 0
    with (tmp_path / "book" / "results.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 2
    assert [(row["recipe"], row["seed"]) for row in rows] == [("K2", "42"), ("K2", "43")]
    (tmp_path / "book" / "results.csv").write_text("a,b\n1,2\n")
    assert "other columns" in command(*arguments).output


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("run", "K9"), "there is no recipe 'K9'"),
        (("run", "K2", "--corpus", "nowhere"), "neither a folder nor a corpus"),
        (("run", "K2", "--json", "no/such/folder/x.json"), "no/such/folder"),
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
    audio.write_wav(tmp_path / "1_anna_5.wav", np.ones(100) / 2, 8000)
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
    cached("audiomnist").mkdir(parents=True)
    again = command("data", "fetch", "audiomnist")
    assert again.exit_code == 0 and "audiomnist (AudioMNIST) is there already." in again.output


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
    assert "Nothing is wrong." in healthy.output
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    ill = command("doctor")
    assert ill.exit_code == 1
    assert "DIGITLAB_DATA is set and" in ill.output and "Nothing is wrong" not in ill.output


def test_the_doctor_tells_whether_a_machine_will_do_for_the_course(monkeypatch, tmp_path):
    fit = command("doctor", "--course")
    assert "a small training and an answer" in fit.output and "cores" in fit.output
    monkeypatch.setattr(checks, "_check_trial", lambda: None)  # it was tried above
    monkeypatch.setattr(checks, "FOR_THE_COURSE", ("no_such_library",))
    monkeypatch.setattr(checks, "LEAST_CORES", 10_000)
    monkeypatch.setattr(checks, "LEAST_FREE_GB", 10_000)
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    unfit = command("doctor", "--course")
    assert unfit.exit_code == 1
    for words in ("no_such_library is not installed", "want 10000", "close other programs"):
        assert words in unfit.output
    assert "DIGITLAB_DATA is set and" in unfit.output


def test_a_trial_that_takes_too_long_is_said(monkeypatch):
    monkeypatch.setattr(checks, "MOST_SECONDS", 0)
    with pytest.raises(OSError, match="faster machine"):
        checks._check_trial()


def test_the_results_that_the_book_quotes_are_whole():
    with (ROOT / "book" / "results.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    may_be_empty = {"fold", "speaker_interval_low", "speaker_interval_high", "mistakes"}
    may_be_empty |= {"validation_loss", "validation_accuracy"}  # where nothing validates
    came_later = {"train_loss", "test_loss", "accuracy_by_speaker"}
    for row in rows:
        assert tuple(row) == results.COLUMNS
        assert row["recipe"] in recipes.RECIPES
        may_lack = may_be_empty | came_later
        assert all(value for key, value in row.items() if key not in may_lack), row
        assert bool(row["train_loss"]) == bool(row["test_loss"])
        assert row["accuracy_by_speaker"] or not row["mistakes"]
        assert 0 <= float(row["interval_low"]) <= float(row["test_accuracy"])
        assert float(row["test_accuracy"]) <= float(row["interval_high"]) <= 1
        assert "numpy" in json.loads(row["versions"])


# --- nothing is lost ------------------------------------------------------------------------------


def run_k2(corpus, *arguments):
    return command("run", "K2", "--corpus", folder_of(corpus), "--scale", "laptop", *arguments)


@pytest.mark.parametrize("option", ["--save", "--json"])
def test_a_place_that_cannot_be_written_is_refused_before_training(
    option, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(experiment, "execute", lambda plan: pytest.fail("it was trained"))
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "k2.npz", tmp_path / "none" / "k2.npz", tmp_path):
        refused = run_k2(corpus, option, place)
        assert refused.exit_code == 1 and str(tmp_path) in refused.output, refused.output


def test_the_result_is_printed_although_it_cannot_be_kept(corpus, tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(environment, "replacing", full)
    file = tmp_path / "k2.json"
    file.write_text("older")
    refused = run_k2(corpus, "--json", file)
    assert refused.exit_code == 1
    assert "95 % interval" in refused.output and "No space left" in refused.output
    assert file.read_text() == "older"


def test_of_two_runs_that_keep_one_name_neither_is_lost(corpus, tmp_path, monkeypatch):
    file = tmp_path / "k2.npz"
    execute = experiment.execute

    def meanwhile(plan):
        file.write_bytes(b"of another run")
        return execute(plan)

    monkeypatch.setattr(experiment, "execute", meanwhile)
    kept = run_k2(corpus, "--save", file)
    assert kept.exit_code == 0, kept.output
    assert file.read_bytes() == b"of another run"
    assert "k2-2.npz" in kept.output and (tmp_path / "k2-2.npz").stat().st_size > 1000


def test_a_pipe_that_closes_costs_no_result(corpus, tmp_path, monkeypatch):
    def closed(text):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("digitlab.cli.runs.echo", closed)
    file = tmp_path / "k2.json"
    run_k2(corpus, "--json", file)
    assert json.loads(file.read_text())[-1]["pooled"]


def test_one_file_is_not_given_two_things(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").mkdir()
    for arguments in (
        ("--json", "same.x", "--save", "same.x"),
        ("--json", "book/results.csv", "--append"),
    ):
        refused = run_k2(corpus, *arguments)
        assert refused.exit_code == 1 and "name one file" in refused.output
    assert not list((tmp_path / "book").iterdir())


def test_a_file_of_the_user_s_own_is_left_alone(corpus, tmp_path):
    (tmp_path / "k2.part").write_text("mine")
    assert run_k2(corpus, "--save", tmp_path / "k2.npz").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k2.npz", "k2.part"]
    assert (tmp_path / "k2.part").read_text() == "mine"


def test_a_file_without_a_last_line_feed_takes_a_row(report, tmp_path):
    file = tmp_path / "results.csv"
    results.append(report, file)
    file.write_bytes(file.read_bytes().rstrip())
    results.append(replace(report, seed=7), file)
    assert pd.read_csv(file)["seed"].tolist() == [42, 7]


def test_damaged_results_are_refused_and_a_byte_order_mark_is_read(report, tmp_path):
    file = tmp_path / "results.csv"
    results.append(report, file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="row 2 is not whole"):
        results.append(report, file)
    assert file.read_bytes() == whole[:-9]
    file.write_bytes(b"\xef\xbb\xbf" + whole)
    results.append(replace(report, seed=7), file)
    assert len(pd.read_csv(file)) == 2


def test_runs_of_a_changed_recipe_are_no_rows_of_the_book(report, tmp_path):
    with pytest.raises(ValueError, match="own recipes only"):
        results.append(replace(report, recipe="K2 (changed)"), tmp_path / "results.csv")
    assert not list(tmp_path.iterdir())


def test_the_book_s_results_are_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "K2" in set(results.load()["recipe"])


# --- names, encodings, homes ----------------------------------------------------------------------


def digitlab(*arguments, **variables):
    """Run the command line in a fresh process, as a shell does."""
    call = [sys.executable, "-m", "digitlab.cli", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, env=os.environ | variables)


@pytest.fixture(scope="session")
def model(corpus, tmp_path_factory):
    file = tmp_path_factory.mktemp("models") / "k2.npz"
    assert run_k2(corpus, "--save", file).exit_code == 0
    return file


def test_names_that_the_terminal_cannot_say_cost_no_answer(corpus, model, tmp_path):
    names = ["七.wav", os.fsdecode(b"sept\xe9.wav"), "plain.wav"]
    for name in names:
        audio.write_wav(tmp_path / name, corpus.read(0), corpus.rate)
    charts = digitlab("predict", "--model", model, tmp_path, PYTHONIOENCODING="cp1252:strict")
    assert charts.returncode == 0, charts.stderr
    assert charts.stdout.count(b"scaled to peak 1") == len(names)
    answers = digitlab(
        "predict", "--model", model, tmp_path, "--json", PYTHONIOENCODING="ascii:strict"
    )
    assert len(json.loads(answers.stdout)) == len(names)


def test_a_corpus_of_such_names_can_be_trained_on(corpus, tmp_path):
    for path in corpus.table["path"]:
        name = os.fsdecode(path.name.replace("_", "_é_", 1).replace("_é_", "_é").encode("latin-1"))
        audio.write_wav(tmp_path / name, audio.read_wav(path)[0], corpus.rate)
    arguments = ("run", "K2", "--corpus", tmp_path, "--scale", "laptop", "--split", "speaker")
    ran = digitlab(*arguments, PYTHONIOENCODING="ascii:strict")
    assert ran.returncode == 0, ran.stderr
    assert rb"\udce9" in ran.stdout, ran.stdout


@pytest.mark.parametrize("command", [("doctor",), ("data", "list"), ("predict",), ("run",)])
def test_without_a_writable_home_there_is_one_sentence(command, corpus, model, tmp_path):
    (tmp_path / "home").write_text("a file")
    arguments = {
        "predict": ("--model", model, corpus.table["path"][0]),
        "run": ("K2", "--corpus", folder_of(corpus), "--scale", "laptop"),
    }.get(command[0], ())
    ran = digitlab(*command, *arguments, DIGITLAB_CACHE=str(tmp_path / "home" / "cache"))
    output = (ran.stdout + ran.stderr).decode()
    assert "Traceback" not in output
    assert (ran.returncode == 1) == (command == ("doctor",)), output
    if command in (("doctor",), ("run",)):
        assert "DIGITLAB_CACHE" in output


def test_predicting_leaves_nothing_in_the_cache(corpus, model, tmp_path):
    cache = tmp_path / "cache"
    ran = digitlab("predict", "--model", model, corpus.table["path"][0], DIGITLAB_CACHE=str(cache))
    assert ran.returncode == 0, ran.stderr
    assert not cache.exists()


def test_an_error_nobody_foresaw_is_one_sentence_too(corpus, monkeypatch):
    def broken(plan):
        raise NotImplementedError("of a library")

    monkeypatch.setattr(experiment, "execute", broken)
    result = run_k2(corpus)
    assert result.exit_code == 1
    assert "this should not have happened (NotImplementedError: of a library" in result.output
    assert "Traceback" not in result.output


def test_an_unknown_device_is_refused_in_both_frameworks(corpus):
    for framework in ("torch", "keras"):
        refused = run_k2(corpus, "--framework", framework, "--device", "tpu:9")
        assert refused.exit_code == 1 and "tpu:9" in refused.output


@pytest.mark.parametrize(
    ("library", "command"),
    [
        ("fastapi", ("serve",)),
        ("uvicorn", ("serve",)),
        ("torch", ("doctor",)),
        ("torch", ("predict", "a.wav")),
        ("onnx", ("export", "--to", "onnx")),
    ],
)
def test_a_library_that_is_broken_is_named_without_a_traceback(library, command, tmp_path):
    (tmp_path / f"{library}.py").write_text("raise ImportError('broken')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    ran = digitlab(*command, PYTHONPATH=path, PYTHONSAFEPATH="1")
    output = ran.stderr.decode()
    assert ran.returncode == 1 and "Traceback" not in output, output
    assert f"{library}" in output and "pip install" in output


def test_what_nobody_reads_or_keeps_is_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "digitlab.cli", "data", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 1
    process.stderr.close()


def test_nonsense_of_torchrun_is_named(monkeypatch):
    for wrong in ("two", "0", "-1"):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", wrong)
        refused = command("run", "K2")
        assert refused.exit_code == 1 and f"LOCAL_WORLD_SIZE is '{wrong}'" in refused.output
