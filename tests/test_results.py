"""The rows of the results: what decides them is known, none is lost, doubled or out of date."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import ROOT

from digitlab import (
    cli,
    corpora,
    evaluation,
    experiment,
    planned,
    provenance,
    recipes,
    results,
    splits,
    voices,
)
from digitlab.corpora import CorpusError

FILE = ROOT / "book" / "results.csv"


@pytest.fixture(scope="module")
def folder(corpus):
    """Three synthetic voices, seven takes each."""
    return corpus.folder


@pytest.fixture
def small(folder, tmp_path, monkeypatch):
    """Plan three runs on a small corpus; return where their rows go."""
    runs = (
        planned.Planned(recipe="K2", corpus=str(folder), scale="laptop", seeds=2),
        planned.Planned(
            recipe="K2", corpus=str(folder), scale="laptop", split="leave-one-speaker-out"
        ),
    )
    monkeypatch.setattr(planned, "PLANNED", runs)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").mkdir()
    return tmp_path / "book" / "results.csv"


def complete():
    return CliRunner().invoke(cli.main, ["run", "--all", "--append"])


# --- what decides a result ------------------------------------------------------------------------


def test_settings_count_and_descriptions_do_not(monkeypatch):
    before = provenance.of("K2", "torch", "laptop")

    def changed(**changes):
        other = replace(recipes.RECIPES["K2"], **changes)
        with monkeypatch.context() as context:
            context.setitem(recipes.RECIPES, "K2", other)
            return provenance.of("K2", "torch", "laptop")

    assert before.agrees(changed(title="another title", published={"test_accuracy": 1.0}))
    assert not before.agrees(changed(learning_rate=2e-3))
    assert not before.agrees(changed(epochs=49))


@pytest.mark.parametrize(
    "room, function, of",
    [
        ("features", "compute", lambda x: 1.01 * x),
        ("training", "predict", lambda p: p**1.1),
    ],
)
def test_another_result_of_the_code_is_noticed(room, function, of, monkeypatch):
    from digitlab import features, training

    module = {"features": features, "training": training.torch}[room]
    before = provenance.fingerprint.__wrapped__("K2", "torch")
    function = "timed" if room == "features" else function
    kept = getattr(module, function)

    def changed(*arguments, **settings):
        result = kept(*arguments, **settings)
        return (of(result[0]), *result[1:]) if isinstance(result, tuple) else of(result)

    monkeypatch.setattr(module, function, changed)
    after = provenance.fingerprint.__wrapped__("K2", "torch")
    assert not provenance.Provenance("", before).agrees(provenance.Provenance("", after))


def test_the_same_code_gives_the_same_numbers():
    first, second = (provenance.fingerprint.__wrapped__("B1", "torch") for _ in range(2))
    assert provenance.Provenance("", first).agrees(provenance.Provenance("", second))


# --- rows -----------------------------------------------------------------------------------------


def test_a_row_tells_what_was_mistaken_for_what(folder, tmp_path):
    report = experiment.run("K2", corpus=str(folder), scale="laptop")
    results.append(report, tmp_path / "results.csv")
    [row] = results.read(tmp_path / "results.csv")
    confusion = np.array(json.loads(row["confusion"]))
    assert np.array_equal(confusion, report.confusion)
    assert np.trace(confusion) / confusion.sum() == pytest.approx(float(row["test_accuracy"]))
    assert not results.is_stale(row)
    assert results.is_stale(row | {"settings": "0" * 16})
    assert results.is_stale(row | {"recipe": "K99"})


def test_a_row_of_the_same_is_replaced_and_others_stay_as_they_were(folder, tmp_path):
    file = tmp_path / "results.csv"
    reports = experiment.run("K2", corpus=str(folder), scale="laptop", seeds=2)
    results.append(reports, file)
    first, second = file.read_bytes().splitlines()[1:]
    results.append(replace(reports.parts[0], train_accuracy=0.5), file)
    rows = file.read_bytes().splitlines()[1:]
    assert rows[0] == second and rows[1] != first and len(rows) == 2


def test_the_book_quotes_no_stale_row_and_none_twice():
    rows = results.read(FILE)
    keys = [tuple(row[name] for name in results.KEY) for row in rows]
    assert len(set(keys)) == len(keys)
    stale = [row for row in rows if results.is_stale(row)]
    assert not {(row["recipe"], row["framework"], row["split"]) for row in stale}, (
        "run  digitlab run --all --append"
    )


def test_a_row_is_made_again_exactly():
    corpus = "fsdd" if corpora.find("fsdd") else "voices"
    wanted = {"recipe": "A1", "corpus": corpus, "test_corpus": corpus, "split": "official"}
    [row] = [row for row in results.read(FILE) if wanted.items() <= row.items()]
    report = experiment.run("A1", corpus=corpus, scale="laptop", seed=int(row["seed"]))
    assert report.corpus_digest == row["corpus_digest"]
    assert report.confusion.tolist() == json.loads(row["confusion"])


# --- published and measured, one framework and the other ------------------------------------------


def test_every_printed_figure_has_a_measured_one_beside_it():
    table = results.published().query("corpus != 'voices'")
    printed = {name for name, system in recipes.RECIPES.items() if system.published}
    assert set(table["recipe"]) == printed
    most = table.astype({"seeds": int}).groupby(["recipe", "figure"])["seeds"].max()
    assert (most > 0).all()


def test_the_table_shows_the_rows(monkeypatch):
    rows = results.load()
    monkeypatch.setattr(results, "load", lambda: rows.copy())
    seeds = rows.query(
        "recipe == 'K2' and framework == 'torch' and split == 'official' and corpus == 'fsdd' "
        "and test_corpus == 'fsdd'"
    )["test_accuracy"]
    table = results.published("K2").query("corpus == 'fsdd'").set_index("figure")
    text = f"{seeds.mean():.3f} ({seeds.min():.3f} to {seeds.max():.3f})"
    assert table.loc["test accuracy", ["published", "measured", "seeds"]].tolist() == [
        "0.967",
        text,
        "10",
    ]
    with pytest.raises(ValueError, match="there is no recipe 'K9'"):
        results.published("K9")


def test_twins_are_compared_clip_by_clip(folder, tmp_path, monkeypatch):
    pytest.importorskip("keras")
    file = tmp_path / "results.csv"
    reports = [
        experiment.run("K2", corpus=str(folder), scale="laptop", framework=framework, epochs=epochs)
        for framework, epochs in (("torch", 20), ("keras", 5))
    ]
    for report in reports:
        results.append(replace(report, recipe="K2"), file)
    monkeypatch.setattr(results, "FILE", file)
    [twin] = results.twins(margin=0.1).to_dict("records")
    right = [report.y_true == report.y_pred for report in reports]
    expected = evaluation.equivalence(*right, margin=0.1)
    assert (twin["low"], twin["high"]) == pytest.approx(expected.interval)
    assert twin["difference"] == pytest.approx(reports[0].test_accuracy - reports[1].test_accuracy)
    assert twin["equivalent"] == expected.is_shown and twin["n_test"] == reports[0].n_test
    first, second = results.load().to_dict("records")
    assert sorted(zip(*results.recognised(first, second), strict=True)) == sorted(
        zip(*(each.astype(int) for each in right), strict=True)
    )
    with pytest.raises(ValueError, match="the runs differ in seed: 42 and 43"):
        results.recognised(first, second | {"seed": 43})
    with pytest.raises(ValueError, match="does not tell which clips"):
        results.recognised(first, second | {"mistakes": float("nan")})


def test_rows_tell_how_each_speaker_was_recognised(folder, tmp_path, monkeypatch):
    file = tmp_path / "results.csv"
    reports = [
        experiment.run("K2", corpus=str(folder), scale="laptop", seed=seed, epochs=20)
        for seed in (42, 43)
    ]
    for report in reports:
        results.append(replace(report, recipe="K2"), file)
    monkeypatch.setattr(results, "FILE", file)
    rows = results.load()
    found = results.accuracy_by_speaker(rows)
    expected = sum(report.by_speaker["accuracy"] for report in reports) / 2
    assert dict(found) == pytest.approx(dict(expected), abs=1e-4)
    with pytest.raises(ValueError, match="a row of K2 does not tell"):
        results.accuracy_by_speaker(rows.assign(accuracy_by_speaker=[None, "{}"]))
    with pytest.raises(ValueError, match="no such run"):
        results.accuracy_by_speaker(rows.query("recipe == 'K9'"))


def test_speakers_of_the_books_rows_agree_with_their_means():
    rows = results.load().dropna(subset="accuracy_by_speaker")
    assert set(rows["recipe"]) >= {"K1", "K2", "B1", "A5", "L4"}
    for _, row in rows.iterrows():
        of_speakers = results.accuracy_by_speaker(row.to_frame().T)
        assert of_speakers.mean() == pytest.approx(row["speaker_accuracy"], abs=1e-4)


# --- runs that are missing ------------------------------------------------------------------------


def test_all_that_is_planned_is_made_once(small):
    first = complete()
    assert first.exit_code == 0, first.output
    assert "5 rows are there, 0 to go" in first.output
    rows = results.read(small)
    assert [row["seed"] for row in rows if row["split"] == "official"] == ["42", "43"]
    assert len({row["fold"] for row in rows if row["split"] != "official"}) == 3
    before = small.read_bytes()
    assert complete().exit_code == 0
    assert small.read_bytes() == before


def test_a_run_that_is_killed_goes_on_where_it_was(small, monkeypatch):
    train, trained = experiment.train, []

    def killed(plan, data, fold):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(fold)
        return train(plan, data, fold)

    monkeypatch.setattr(experiment, "train", killed)
    assert complete().exit_code != 0
    assert len(results.read(small)) == 2
    trained.clear()
    monkeypatch.setattr(experiment, "train", lambda *what: (trained.append(0), train(*what))[1])
    assert complete().exit_code == 0
    assert len(results.read(small)) == 5 and len(trained) == 3


def test_stale_rows_are_made_again_and_kept_until_then(small):
    complete()
    rows = pd.read_csv(small, dtype=str, keep_default_na=False)
    rows.loc[0, "settings"] = "0" * 16
    rows.to_csv(small, index=False, lineterminator="\r\n")
    [what] = [what for what in planned.missing(small, planned.PLANNED)[0] if what.plan.folds]
    assert len(what.plan.folds) == 1
    assert complete().exit_code == 0
    again = results.read(small)
    assert len(again) == 5 and not any(results.is_stale(row) for row in again)


def test_what_fails_is_named_and_the_others_are_made(small, monkeypatch):
    gone = planned.Planned(recipe="K2", corpus="/no/such/folder")
    monkeypatch.setattr(planned, "PLANNED", (gone, *planned.PLANNED))
    run = complete()
    assert run.exit_code == 1
    assert "K2 (torch) on /no/such/folder, official split:" in run.output
    assert len(results.read(small)) == 5


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--all",), "say --append, too"),
        (("--all", "--append", "--seed", "3"), "leave out --seed"),
        (("K9", "--all", "--append"), "there is no recipe 'K9'"),
        ((), "name a recipe"),
    ],
)
def test_it_says_what_it_needs(arguments, words, small):
    run = CliRunner().invoke(cli.main, ["run", *arguments])
    assert run.exit_code and words in run.output


def test_every_planned_run_names_what_there_is():
    for run in planned.PLANNED:
        assert run.recipe in recipes.RECIPES
        assert run.split in (*splits.SPLITS, "published")
        for name in (run.corpus, run.test_corpus.removesuffix(planned.SECOND_HALF)):
            assert not name or name in corpora.SOURCES
    assert len(set(planned.PLANNED)) == len(planned.PLANNED)


# --- another corpus, and fewer speakers -----------------------------------------------------------


def test_another_corpus_is_the_test(folder, people_of_three):
    report = experiment.run("K2", corpus=str(folder), test_corpus=people_of_three, scale="laptop")
    assert report.test_corpus == "three others"
    assert report.n_test == len(people_of_three)
    assert set(report.by_speaker.index) == set(people_of_three.table["speaker"])
    same = experiment.run("K2", corpus=str(folder), scale="laptop")
    assert same.train_accuracy == report.train_accuracy


@pytest.fixture(scope="module")
def people_of_three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("others") / "others"
    voices.write_corpus(folder, n_speakers=3, n_takes=2)
    return replace(corpora.load(folder), name="three others")


def test_its_recordings_hold_no_more_than_those_that_were_trained_on(folder, tmp_path):
    from digitlab import audio

    times = np.arange(16000) / 16000
    for take in range(2):
        tone = np.sin(2 * np.pi * (6000 + take) * times) / 2  # above half of 8 kHz
        audio.write_wav(tmp_path / f"0_anna_{take}.wav", tone, 16000)
    high = corpora.load(tmp_path)
    preparation = recipes.RECIPES["L5"].preparation  # at 22,050 Hz
    as_it_is, limited = (
        high.prepare(replace(preparation, normalize=False), most_rate=rate)[0]
        for rate in (None, 8000)
    )
    assert np.abs(limited).max() < 0.05 * np.abs(as_it_is).max()


def test_a_corpus_is_no_test_of_what_was_trained_on_it(folder):
    with pytest.raises(ValueError, match="holds clips that are trained on"):
        experiment.plan("K2", corpus=str(folder), test_corpus=str(folder))


def test_fewer_speakers_are_trained_on_for_as_many_steps(folder):
    corpus = corpora.load(folder)
    whole = experiment.plan("K2", corpus=corpus, scale="laptop")
    one, two = (experiment.plan("K2", corpus=corpus, scale="laptop", n_speakers=n) for n in (1, 2))
    speakers = corpus.table["speaker"].to_numpy()
    names = [set(speakers[plan.folds[0].train]) for plan in (one, two)]
    assert [len(n) for n in names] == [1, 2] and names[0] < names[1]
    assert one.recipe.epochs == 3 * whole.recipe.epochs
    assert np.array_equal(one.folds[0].test, whole.folds[0].test)
    assert one.recipe.name == "K2"
    with pytest.raises(ValueError, match="there are 1 to 3"):
        experiment.plan("K2", corpus=corpus, n_speakers=4)


def test_halves_keep_their_speakers_in_any_part_of_a_corpus(folder):
    corpus = corpora.load("voices")
    first, second = splits.halves(corpus)
    assert not set(first.table["speaker"]) & set(second.table["speaker"])
    assert len(first) + len(second) == len(corpus)
    part, _ = splits.halves(corpus.select(range(0, len(corpus), 7)))
    assert set(part.table["speaker"]) <= set(first.table["speaker"])
    with pytest.raises(ValueError, match="more are needed"):
        splits.halves(corpus.select(corpus.table["speaker"] == corpus.table["speaker"][0]))


def test_a_corpus_that_is_not_here_is_said_so(monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    with pytest.raises(CorpusError):
        planned.Planned(recipe="K2", corpus="speech_commands").plan()
    assert Path(tmp_path).is_dir()


def test_rows_of_adaptation_are_whole_and_of_todays_settings():
    pytest.importorskip("torch")
    from digitlab import adaptation

    rows = results.measured("adaptation")
    each = rows.groupby(["speaker", "way", "n_takes"]).size()
    assert each.max() == 1 and len(each) == 6 * len(adaptation.WAYS) * 4
    settings = provenance.of("B1", "torch", "laptop").settings
    decided = set(zip(rows["settings"], rows["adaptation"], strict=True))
    assert decided == {(settings, adaptation.settings())}, "run  python benchmarks/adaptation.py"
    unadapted = rows[rows["n_takes"] == 0].groupby("speaker")["accuracy"]
    assert (unadapted.nunique() == 1).all() and rows["accuracy"].between(0.5, 1).all()
