"""A class's recordings become one corpus: checked, under pseudonyms, with consent."""

import shutil
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner

from digitlab import audio, corpora, voices
from digitlab.cli import main

RATE = 16000
AGREED = "You may use my recordings in this course."


@cache
def word(digit, speaker, take):
    return 0.7 * audio.peak_normalize(voices.say(digit, speaker=speaker, take=take, rate=RATE))


def record(folder, digit, take, *, speaker=4, change=lambda samples: samples):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "consent.txt").write_text(AGREED)
    samples = word(digit, speaker, take)
    file = folder / f"{digit}_{folder.name}_{take}.wav"
    audio.write_wav(file, change(np.pad(samples, RATE // 4)), RATE)
    return file


@pytest.fixture
def students(tmp_path):
    """Three people who recorded two digits each, two takes."""
    folder = tmp_path / "class"
    for speaker, name in enumerate(("anna", "ben", "chloe")):
        for digit in (3, 7):
            for take in range(2):
                record(folder / name, digit, take, speaker=speaker)
    return folder


def problems(report):
    return dict(zip(report["file"], report["problem"], strict=True))


def test_good_recordings_become_a_corpus_of_pseudonyms(students, tmp_path):
    target = tmp_path / "merged"
    report = corpora.merge(students, target, seed=0)
    assert list(report.columns) == ["person", "file", "speaker", "kept_as", "problem"]
    assert len(report) == 12 and not report["problem"].any()
    corpus = corpora.load(target)
    assert len(corpus) == 12 and set(corpus.table["speaker"]) == {"p01", "p02", "p03"}
    row = report.iloc[0]
    before = audio.read_wav(students / row["person"] / row["file"])
    after = audio.read_wav(target / "recordings" / row["kept_as"])
    assert np.array_equal(before[0], after[0]) and before[1] == after[1]
    people = (target / "people.csv").read_text().splitlines()
    assert people[0] == "speaker,recordings,consent" and people[1] == "p01,4,yes"
    text = "".join(path.name for path in target.rglob("*")) + "".join(people)
    assert not any(name in text for name in ("anna", "ben", "chloe"))


def test_names_in_the_files_are_gone(students, tmp_path):
    file = students / "anna/3_anna_0.wav"
    content = bytearray(file.read_bytes())
    artist = b"LIST\x16\x00\x00\x00INFOIART\x0a\x00\x00\x00Anna Smith"
    content += artist
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    file.write_bytes(content)
    corpora.merge(students, tmp_path / "merged")
    assert b"Anna" not in b"".join(f.read_bytes() for f in (tmp_path / "merged").rglob("*.wav"))


def test_pseudonyms_do_not_follow_the_alphabet(students, tmp_path):
    orders = set()
    for seed in range(8):
        report = corpora.merge(students, tmp_path / f"merged{seed}", seed=seed)
        orders.add(tuple(report.groupby("person")["speaker"].first()))
    assert len(orders) > 2


def test_without_consent_nothing_of_a_person_is_taken(students, tmp_path):
    (students / "anna/consent.txt").unlink()
    (students / "ben/consent.txt").write_text(" \n")
    report = corpora.merge(students, tmp_path / "merged")
    left_out = report[report["kept_as"] == ""]
    assert set(left_out["person"]) == {"anna", "ben"} and len(left_out) == 8
    assert set(left_out["problem"]) == {
        "no consent.txt beside it, or an empty one: say what it may be used for"
    }


def test_what_cannot_be_used_is_left_out_and_named(students, tmp_path):
    rng = np.random.default_rng(0)
    anna = students / "anna"
    record(anna, 1, 0, change=np.zeros_like)
    record(anna, 1, 1, change=lambda x: rng.normal(0, 0.1, len(x)))
    record(anna, 1, 2, change=lambda x: np.tile(x, 9))
    record(anna, 1, 3, change=lambda x: np.clip(9 * x, -1, 1))
    record(anna, 1, 4, change=lambda x: x[6000:6800])
    (anna / "1_anna_5.wav").write_bytes(b"RIFF no sound")
    shutil.copy(anna / "3_anna_0.wav", anna / "3_anna_8.wav")
    shutil.copy(anna / "3_anna_0.wav", anna / "three.wav")
    shutil.copy(anna / "7_anna_0.wav", students / "ben/7_ben_9.wav")
    (anna / "phone.m4a").write_bytes(b"x")
    report = corpora.merge(students, tmp_path / "merged")
    said = problems(report)
    assert said["1_anna_0.wav"] == "silent"
    assert said["1_anna_1.wav"] == "no word stands out from the noise"
    assert said["1_anna_2.wav"].endswith("s long, not 0.1 to 5.0 s")
    assert said["1_anna_3.wav"] == "clipped, but kept"
    assert said["1_anna_4.wav"].startswith("0.05 s long")
    assert said["1_anna_5.wav"] and "1_anna_5.wav" not in said["1_anna_5.wav"]
    assert said["3_anna_8.wav"] == "a copy of another recording" and not said["3_anna_0.wav"]
    assert said["three.wav"] == said["phone.m4a"] == "not called {digit}_{name}_{take}.wav"
    assert said["7_anna_0.wav"] == said["7_ben_9.wav"] == "handed in by several people"
    kept = report[report["kept_as"] != ""]
    assert set(kept["problem"]) == {"", "clipped, but kept"}
    assert len(corpora.load(tmp_path / "merged")) == len(kept) == 12


def test_what_cannot_be_done_is_refused_and_leaves_nothing(students, tmp_path):
    target = tmp_path / "merged"
    with pytest.raises(corpora.CorpusError, match="is no folder"):
        corpora.merge(tmp_path / "nowhere", target)
    (tmp_path / "empty").mkdir()
    with pytest.raises(corpora.CorpusError, match="there are no folders"):
        corpora.merge(tmp_path / "empty", target)
    for person in students.iterdir():
        (person / "consent.txt").unlink()
    with pytest.raises(corpora.CorpusError, match=r"no consent\.txt"):
        corpora.merge(students, target)
    assert not target.exists()
    target.mkdir()
    with pytest.raises(corpora.CorpusError, match="exists already"):
        corpora.merge(students, target)


def test_the_command_line_names_what_it_left_out(students, tmp_path):
    (students / "ben/7_ben_1.wav").write_bytes(b"no sound")
    run = CliRunner().invoke(main, ["data", "merge", str(students), str(tmp_path / "merged")])
    assert run.exit_code == 0, run.output
    assert "ben/7_ben_1.wav: " in run.output
    assert run.output.splitlines()[-1].startswith("11 of 12 recordings, by 3 people, are in ")
    (students / "anna/consent.txt").unlink()
    run = CliRunner().invoke(main, ["data", "merge", str(students), str(tmp_path / "others")])
    lines = [line for line in run.output.splitlines() if line.startswith("anna")]
    assert len(lines) == 1 and lines[0].startswith("anna, all 4 recordings: no consent.txt")
    again = CliRunner().invoke(main, ["data", "merge", str(students), str(tmp_path / "merged")])
    assert again.exit_code == 1 and "exists already" in again.output
