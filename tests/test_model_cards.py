"""Model cards tell for whom a recogniser works, and a worse one does not replace a better one."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from digitlab import audio, cli, corpora, evaluation, model_cards, pretrained, recognisers, voices

torch = pytest.importorskip("torch")
ACCENTS = {"ada": "German", "bo": "German", "cy": "Tamil"}


@pytest.fixture(scope="module")
def recogniser():
    return pretrained.load()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Digits and another word, once each by eight synthetic speakers."""
    folder = tmp_path_factory.mktemp("people") / "corpus"
    for speaker in range(8):
        for word in ("one", "seven", "eight", "happy"):
            (folder / word).mkdir(parents=True, exist_ok=True)
            samples = voices.say(word, speaker, rate=8000)
            audio.write_wav(folder / word / f"p{speaker}_0.wav", samples, 8000)
    return folder


@pytest.fixture
def answered(monkeypatch):
    """Three speakers, ten digits and another word twice; one of Ada's and one of Bo's is wrong."""
    rows = [
        (word, word, speaker, ACCENTS[speaker])
        for speaker in ACCENTS
        for word in (*"0123456789", "other")
        for _ in range(2)
    ]
    table = pd.DataFrame(rows, columns=["true", "predicted", "speaker", "accent"])
    table.loc[14:15, "predicted"] = "1"  # Ada's sevens
    table.loc[22 + 6, "predicted"] = "other"  # a three of Bo's
    table["correct"] = table["true"] == table["predicted"]
    monkeypatch.setattr(model_cards, "answers", lambda recogniser, corpus: table)
    return table


def damaged(recogniser, noise):
    """Return a copy whose weights are off by so much of their spread, layer by layer."""
    model, rng = copy.deepcopy(recogniser.model), np.random.default_rng(0)
    for weights in model.parameters():
        spread = noise * weights.detach().numpy().std()
        weights.data += torch.as_tensor(rng.normal(0, spread, weights.shape), dtype=weights.dtype)
    return replace(recogniser, model=model)


def test_answers_are_those_of_predict(recogniser, folder):
    corpus = corpora.load(folder)
    table = model_cards.answers(recogniser, corpus)
    assert sorted(set(table["true"])) == ["1", "7", "8", "other"]
    for row, path in enumerate(corpus.table["path"]):
        assert table["predicted"][row] == recogniser.predict(*audio.read_wav(path)).label
    assert (table["correct"] == (table["true"] == table["predicted"])).all()
    with pytest.raises(ValueError, match="none of the words that B2 knows"):
        model_cards.answers(
            recogniser, corpus.select(np.char.equal(corpus.classes, "happy")[corpus.table["label"]])
        )


def test_what_is_known_of_speakers_is_read_alike(recogniser, folder):
    corpus = corpora.load(folder).select(range(3))
    people = {
        "accent": ["German", "german", None],
        "native_speaker": pd.array([True, False, None], "boolean"),
        "age": pd.array([27, 30, None], "Int64"),
    }
    table = model_cards.answers(recogniser, replace(corpus, table=corpus.table.assign(**people)))
    assert table["accent"][0] == table["accent"][1] == "German"
    assert table["native_speaker"].tolist()[:2] == ["yes", "no"]
    assert table["age"].tolist()[:2] == ["20 to 29", "30 to 39"]
    assert table[[*people]].loc[2].isna().all()


def test_groups_have_both_intervals(answered):
    words = answered[answered["true"] != "other"]
    table = model_cards.by_group(words, "accent")
    assert table.index.tolist() == ["German", "Tamil"]
    german = table.loc["German"]
    assert german[["accuracy", "n_clips", "n_speakers"]].tolist() == [37 / 40, 40, 2]
    assert (german["low"], german["high"]) == evaluation.wilson_interval(37 / 40, 40)
    part = words[words["accent"] == "German"]
    over_speakers = evaluation.speaker_interval(part["correct"], part["speaker"])
    assert (german["speakers_low"], german["speakers_high"]) == over_speakers
    assert np.isnan(table.loc["Tamil", "speakers_low"])


def test_a_card_counts(recogniser, folder, answered):
    card = model_cards.card(recogniser, corpora.load(folder), file=pretrained.FILE)
    assert pretrained.DIGEST.read_text().split()[0] in card
    assert "| words it should recognise | 60 | 0.950 | 0.863 to 0.983 | 3 |" in card
    assert "| other words, refused | 6 | 1.000 |" in card and "| all alike |" in card
    assert "It refused 1 of 60 words" in card
    assert "| ada | 20 | 0.900 |" in card and "| Tamil | 20 | 1.000 |" in card
    assert "- 7 taken for 1: 2 of 6 clips\n- 3 taken for other: 1 of 6 clips" in card
    assert "nothing can be said: German (accent, 2), Tamil (accent, 1)." in card
    assert "does not know of its speakers: native speaker, gender, age." in card
    assert f"{recogniser.n_train:,} clips of speech_commands, fsdd, audiomnist" in card
    assert "**No test**" not in card
    seen = replace(corpora.load(folder), name="fsdd")
    assert "**No test**: it was trained on" in model_cards.card(recogniser, seen)


def test_a_card_without_other_words_says_that_nothing_is_refused(
    recogniser, folder, answered, monkeypatch
):
    digits = replace(recogniser, classes=recogniser.classes[:10])
    words = answered[answered["true"] != "other"]
    monkeypatch.setattr(model_cards, "answers", lambda recogniser, corpus: words)
    card = model_cards.card(digits, corpora.load(folder))
    assert "it never refuses one" in card and "It refused" not in card


def run(*arguments):
    return CliRunner().invoke(cli.main, [*map(str, arguments)])


def test_the_commands_print_a_card_and_a_verdict(recogniser, folder, tmp_path):
    result = run("card", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# Model card: B2 (torch)\n")
    assert "24 | " in result.stdout and "## By speaker" in result.stdout
    worse = tmp_path / "worse.npz"
    damaged(recogniser, 2).save(worse)
    result = run("compare", pretrained.FILE, worse, folder)
    assert result.exit_code == 1 and f"keep {pretrained.FILE}" in result.output
    result = run("compare", worse, pretrained.FILE, folder, "--margin", "0.5")
    assert result.exit_code == 0 and f"{pretrained.FILE} may replace {worse}" in result.output
    assert recognisers.load(worse).recipe == "B2"
    result = run("card", tmp_path / "nowhere")
    assert result.exit_code == 1 and "nowhere is neither a folder nor a corpus" in result.output
