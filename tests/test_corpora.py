"""A folder of recordings becomes a corpus; whatever is wrong with it is named."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from recordings import SPOKEN, tone, write_tones, write_words

from digitlab import audio, corpora, splits, voices
from digitlab.corpora import CorpusError, CorpusUnreachable
from digitlab.layouts import sounds_in, which_set


@pytest.fixture
def folder(tmp_path):
    return write_tones(tmp_path / "tones")


# --- a folder of one's own ------------------------------------------------------------------


def test_a_folder_becomes_a_table_in_order(folder):
    corpus = corpora.load(folder)
    assert len(corpus) == 40
    assert corpus.rate == 8000
    keys = list(corpus.table[["label", "speaker", "take"]].itertuples(index=False, name=None))
    assert keys == sorted(keys)
    assert corpus.table["path"][3].name == "0_ben_1.wav"


def test_takes_are_sorted_as_numbers(tmp_path):
    for take in (10, 9):
        audio.write_wav(tmp_path / f"3_anna_{take}.wav", tone(3, 0, take), 8000)
    assert corpora.load(tmp_path).table["take"].tolist() == [9, 10]


def test_waveforms_have_peak_1_and_lie_centred_in_zeros(folder):
    waveforms = corpora.load(folder).waveforms(2000)
    assert waveforms.shape == (40, 2000)
    assert waveforms.dtype == np.float32
    assert np.allclose(np.abs(waveforms).max(axis=1), 1)
    assert not waveforms[0, :500].any() and not waveforms[0, 1500:].any()
    assert waveforms[0, 500:1500].any()


def test_clips_that_are_too_long_are_cut_to_their_loudest_part_and_it_is_said(folder, capsys):
    corpus = corpora.load(folder)
    cut = corpus.waveforms(900, normalize=False)
    assert "40 of 40 recordings are longer than the 0.11 s of a clip" in capsys.readouterr().out
    for clip, whole in zip(cut, corpus.recordings(), strict=True):
        assert np.correlate(whole, clip, "valid").max() == pytest.approx((clip**2).sum(), rel=1e-4)


@pytest.mark.parametrize(
    "name, spoil, words",
    [
        ("0_anna_0.wav", lambda path: path.write_bytes(b""), "empty"),
        ("4_ben_1.wav", lambda path: path.write_bytes(path.read_bytes()[:-500]), "4_ben_1"),
        ("4_ben_1.wav", lambda path: audio.write_wav(path, tone(1, 1, 1), 16000), "16000 Hz"),
    ],
)
def test_bad_files_are_named_and_can_be_left_out(folder, name, spoil, words):
    corpus = corpora.load(folder)
    spoil(folder / name)
    spoil(folder / "9_ben_0.wav")
    with pytest.raises(CorpusError) as raised:
        corpus.waveforms()
    message = str(raised.value)
    assert "2 of 40" in message and name in message and "9_ben_0.wav" in message
    assert words in message and "readable()" in message
    with pytest.warns(UserWarning, match="left out") as warned:
        readable = corpus.readable()
    assert len(warned) == 2
    assert readable.waveforms().shape == (38, 8192)


@pytest.mark.parametrize("name", ["seven_anna_1.wav", "7_anna.wav", "7_anna_bell_1.wav"])
def test_a_misnamed_file_is_named(folder, name):
    (folder / "7_anna_1.wav").rename(folder / name)
    with pytest.raises(CorpusError, match=name):
        corpora.load(folder)


def test_no_such_folder_and_no_recordings(tmp_path):
    with pytest.raises(CorpusError, match="neither a folder nor a corpus: the corpora are fsdd"):
        corpora.load("fsddd")
    with pytest.raises(CorpusError, match=r"holds no \.wav"):
        corpora.load(tmp_path)


def test_the_digest_changes_with_a_bit_and_not_with_the_clock(folder):
    before = corpora.load(folder).digest
    path = folder / "5_anna_0.wav"
    path.touch()
    assert corpora.load(folder).digest == before
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert corpora.load(folder).digest != before


def test_smoke_scale_takes_every_tenth_take(tmp_path):
    corpus = corpora.load(write_tones(tmp_path / "tones", n_takes=12))
    small = corpus.at_scale("smoke")
    assert set(small.table["take"]) == {0, 10}
    assert len(small.at_scale("smoke")) == len(small)
    assert len(corpus.at_scale("laptop")) == len(corpus.at_scale("full")) == len(corpus)


def test_smoke_scale_has_training_and_test_takes_of_a_corpus_with_few_takes(tmp_path):
    corpus = corpora.load(write_tones(tmp_path / "tones", n_takes=8)).at_scale("smoke")
    assert set(corpus.table["take"]) == {0, 5}
    [(train, test)] = splits.split(corpus, "official")
    assert len(train) == len(test) == len(corpus) // 2


def test_a_wrong_scale_is_refused(monkeypatch):
    monkeypatch.setenv("DIGITLAB_SCALE", "huge")
    with pytest.raises(ValueError, match="smoke, laptop, full"):
        corpora.scale_from_environment()


def test_waveforms_as_the_published_systems_want_them(folder):
    corpus = corpora.load(folder)
    raw = corpus.waveforms(2000, align="start", normalize=False)
    assert raw[0, 0] == corpus.read(0)[0] and raw[0, 500:1000].any()
    assert not raw[0, 1000:].any()
    assert np.abs(raw).max() == pytest.approx(0.4, abs=0.01)
    resampled = corpus.waveforms(4000, align="start", rate=22050)
    assert np.flatnonzero(resampled[0])[-1] == pytest.approx(1000 * 22050 / 8000, abs=2)
    assert np.allclose(np.abs(resampled).max(axis=1), 1)
    with pytest.raises(ValueError, match='"center" or "start"'):
        corpus.waveforms(align="middle")


def test_a_part_is_a_corpus_of_its_own(folder):
    corpus = corpora.load(folder)
    part = corpus.select([7, 3])
    assert part.table["path"].tolist() == [corpus.table["path"][7], corpus.table["path"][3]]
    assert part.table.index.tolist() == [0, 1]
    sevens = corpus.select(corpus.table["label"] == 7)
    assert np.array_equal(sevens.waveforms(), corpus.waveforms()[28:32])
    assert sevens.digest != corpus.digest


def test_measures_of_a_known_clip(tmp_path):
    samples = np.zeros(800)
    samples[100:600] = 0.5
    samples[600:640] = [1, -1] * 20
    audio.write_wav(tmp_path / "1_anna_0.wav", samples, 8000)
    audio.write_wav(tmp_path / "2_anna_0.wav", np.zeros(400), 8000)
    loud, silent = corpora.load(tmp_path).measure().itertuples()
    assert loud.seconds == 0.1
    assert loud.peak_db == 0
    assert loud.rms_db == pytest.approx(10 * np.log10((500 / 4 + 40) / 800), abs=1e-3)
    assert loud.clipped == 0.05
    assert loud.offset == pytest.approx(0.5 * 500 / 800, abs=1e-4) and silent.offset == 0
    assert (loud.silent_start_s, loud.silent_end_s) == (0.0125, 0.02)
    assert silent.peak_db == silent.rms_db == -np.inf
    assert silent.seconds == silent.silent_start_s == silent.silent_end_s == 0.05
    assert corpora.load(tmp_path).durations().tolist() == [0.1, 0.05]
    assert [len(clip) for clip in corpora.load(tmp_path).recordings()] == [800, 400]


def test_smoke_scale_has_every_class_many_speakers_and_few_clips(tmp_path):
    names = [
        f"{word}/{n:08x}_nohash_{take}.wav"
        for word in ("no", "yes")
        for n in range(99)
        for take in (0, 1, 10)
    ]
    write_words(tmp_path, [*names, "wow/0_nohash_0.wav"])
    small = corpora.load(tmp_path).at_scale("smoke")
    assert small.table["label"].value_counts().to_dict() == {0: 100, 1: 1, 2: 100}
    table = pd.DataFrame(
        [(i, label, f"s{i % 40}", i // 40) for label in range(10) for i in range(4000)],
        columns=["path", "label", "speaker", "take"],
    )
    small = replace(corpora.load(tmp_path), table=table, classes=corpora.DIGITS).at_scale("smoke")
    assert small.table["label"].value_counts().to_dict() == dict.fromkeys(range(10), 30)
    assert small.table["speaker"].nunique() > 20


# --- a folder for each class -------------------------------------------------------------------


def rows_of(corpus, *columns):
    return list(corpus.table[list(columns)].itertuples(index=False, name=None))


def test_folders_are_classes_and_the_first_part_of_a_name_is_the_speaker(tmp_path):
    names = ["yes/anna_kitchen.wav", "yes/anna_hall.WAV", "yes/ben.wav", "no/my voice 1.wav"]
    corpus = corpora.load(write_words(tmp_path, names))
    assert corpus.classes == ("no", "yes")
    assert corpus.rate == 16000
    assert rows_of(corpus, "label", "speaker", "take") == [
        (0, "my voice 1", 0),
        (1, "anna", 0),
        (1, "anna", 1),
        (1, "ben", 0),
    ]
    assert corpus.table["path"][1].name == "anna_hall.WAV"


def test_the_rate_of_a_folder_is_that_of_most_recordings(folder):
    audio.write_wav(folder / "0_anna_0.wav", tone(0, 0, 0), 16000)
    corpus = corpora.load(folder)
    assert corpus.rate == 8000
    for read in (corpus.waveforms, corpus.durations, corpus.measure):
        with pytest.raises(CorpusError, match=r"0_anna_0.wav: its rate is 16000 Hz.*Resample it"):
            read()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("7_anna_9.m4a", "1 files are no WAV files:\n  7_anna_9.m4a\nConvert each to WAV"),
        ("old/7_anna_9.wav", "1 files are misnamed:\n  old/7_anna_9.wav"),
        ("7_anna_01.wav", "1 files have speaker and take of another:\n  7_anna_1.wav"),
        ("3_anna_9.wav", "1 recordings are there more than once:\n  3_anna_9.wav = 7_anna_1.wav"),
    ],
)
def test_what_does_not_fit_is_named_and_can_be_left_out(folder, name, words):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((folder / "7_anna_1.wav").read_bytes())
    with pytest.raises(CorpusError) as raised:
        corpora.load(folder)
    assert words in str(raised.value) and "strict=False" in str(raised.value)
    with pytest.warns(UserWarning) as warned:
        corpus = corpora.load(folder, strict=False)
    assert [words in str(warning.message) for warning in warned] == [True]
    assert corpus.waveforms().shape == (40, 8192)


def test_empty_class_folders_are_named(tmp_path):
    write_words(tmp_path, ["yes/a.wav", "no/a.wav"])
    (tmp_path / "maybe").mkdir()
    (tmp_path / ".cache").mkdir()
    with pytest.raises(CorpusError, match=r"1 folders hold no recording:\n  maybe"):
        corpora.load(tmp_path)
    with pytest.warns(UserWarning, match="maybe"):
        assert corpora.load(tmp_path, strict=False).classes == ("no", "yes")


@pytest.mark.parametrize("ending", ["aac", "AIFF", "amr", "3gp", "caf", "m4a", "MP3", "ogg", "wma"])
def test_other_sounds_than_wav_are_named_with_the_way_out(folder, tmp_path, ending):
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / f"7_anna_0.{ending}").write_bytes(b"ID3")
    with pytest.raises(CorpusError, match=rf"no \.wav file, but .*7_anna_0\.{ending}.*ffmpeg -i"):
        corpora.load(alone)
    (folder / f"7_anna_9.{ending}").write_bytes(b"ID3")
    with pytest.raises(CorpusError, match=rf"no WAV files:\n  7_anna_9\.{ending}\n.*ffmpeg -i"):
        corpora.load(folder)
    with pytest.warns(UserWarning, match=rf"7_anna_9\.{ending}\n.*ffmpeg -i"):
        assert len(corpora.load(folder, strict=False)) == 40


def test_links_in_a_circle_end_and_each_recording_is_there_once(tmp_path):
    anna, ben = (
        write_words(tmp_path / name, [f"yes/{name}.wav", f"no/{name}.wav"]) for name in "ab"
    )
    (anna / "again").symlink_to(anna)
    (anna / "up").symlink_to(tmp_path)
    (anna / "yes" / "other").symlink_to(ben / "yes")
    (ben / "yes" / "back").symlink_to(anna / "yes")
    (anna / "itself").symlink_to("itself")
    (anna / "_first").symlink_to(anna / "yes")
    (anna / "yes" / "_a.wav").symlink_to("a.wav")
    with pytest.warns(
        UserWarning, match=r"1 folders or files cannot .*:\n  itself: a link to nowhere"
    ):
        assert sounds_in(anna) == ["no/a.wav", "yes/a.wav", "yes/other/b.wav"]
    (anna / "itself").unlink()
    (anna / "yes" / "other").unlink()
    assert corpora.load(anna).classes == ("no", "yes")


def test_recordings_behind_links_load(tmp_path):
    stored = write_words(tmp_path / "stored", ["yes/1.wav", "no/2.wav"])
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "yes").symlink_to(stored / "yes")
    (folder / "no").mkdir()
    (folder / "no" / "ben.wav").symlink_to(stored / "no" / "2.wav")
    corpus = corpora.load(folder)
    assert rows_of(corpus, "label", "speaker") == [(0, "ben"), (1, "1")]
    assert corpus.waveforms(10).any()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_what_cannot_be_looked_into_are_named_and_not_opened(folder, monkeypatch):
    os.mkfifo(folder / "7_anna_8.wav")
    os.mkfifo(folder / "notes")
    (folder / "closed").mkdir()
    (folder / "7_anna_9.wav").symlink_to("/nowhere/7_anna_9.wav")
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(CorpusError) as raised:
        corpora.load(folder)
    for line in (
        "closed: Permission denied",
        "8.wav: a pipe, a socket",
        "9.wav: a link to nowhere",
    ):
        assert line in str(raised.value)
    assert "3 folders or files cannot be looked into" in str(raised.value)
    with pytest.warns(UserWarning, match="closed"):
        assert len(corpora.load(folder, strict=False)) == 40


# --- names that not every machine can say ------------------------------------------------------


def test_names_in_bytes_that_are_no_text_load_and_can_be_told(tmp_path):
    write_words(
        tmp_path, map(os.fsdecode, [b"fr\xe8re/andr\xe9.wav", b"zw\xf6lf/andr\xe9.wav"]), 8000
    )
    corpus = corpora.load(tmp_path)
    assert corpus.classes == (r"fr\udce8re", r"zw\udcf6lf")
    assert corpus.table["speaker"].unique().tolist() == [r"andr\udce9"]
    assert corpus.waveforms(10).shape == (2, 10)
    assert len(corpus.digest) == 64 and corpus.duplicates() == []
    with pytest.raises(ValueError, match="one speaker"):
        splits.split(corpus, "speaker")
    corpus.table["path"][0].write_bytes(b"")
    with pytest.raises(CorpusError) as raised:
        corpus.waveforms()
    str(raised.value).encode("utf-8")
    with pytest.warns(UserWarning) as warned:
        assert len(corpus.readable()) == 1
    str(warned[0].message).encode("utf-8")


def test_messages_can_be_printed_on_a_standard_output_of_few_letters(tmp_path):
    write_words(tmp_path, ["七/anna.wav", "七/ben.mp3", "八/anna.wav"])
    code = f"""
from digitlab import corpora
try: corpora.load({str(tmp_path)!r})
except corpora.CorpusError as error: print(error)
corpora.load("audiomnist", fallback={str(tmp_path / "七")!r})
"""
    environment = os.environ | {
        "PYTHONIOENCODING": "cp1252:strict",
        "DIGITLAB_DATA": str(tmp_path),
        "DIGITLAB_CACHE": str(tmp_path / "八"),
    }
    (tmp_path / "七" / "ben.mp3").rename(tmp_path / "七" / "八.mp3")
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert rb"\u4e03/\u516b.mp3" in run.stdout, run.stderr


def test_every_fault_among_3000_files_is_named_and_the_rest_loads(tmp_path):
    rng = np.random.default_rng(0)
    for label in range(10):
        for take in range(300):
            samples = rng.uniform(-0.5, 0.5, 50 + take)
            audio.write_wav(tmp_path / f"{label}_anna_{take}.wav", samples, 8000)
    (tmp_path / "0_anna_7.wav").write_bytes(b"")
    corrupt = tmp_path / "1_anna_8.wav"
    corrupt.write_bytes(corrupt.read_bytes()[:-20])
    (tmp_path / "2_anna_9.wav").rename(tmp_path / "two.wav")
    (tmp_path / "3_anna_10.wav").write_bytes((tmp_path / "3_anna_11.wav").read_bytes())
    with pytest.raises(CorpusError, match=r"two\.wav"):
        corpora.load(tmp_path)
    with pytest.warns(UserWarning) as warned:
        corpus = corpora.load(tmp_path, strict=False)
    said = "\n".join(str(warning.message) for warning in warned)
    for name in ("0_anna_7.wav", "1_anna_8.wav", "two.wav", "3_anna_10.wav = 3_anna_11.wav"):
        assert name in said
    assert corpus.waveforms(400).shape == (2996, 400)


def test_a_run_writes_nothing_into_a_corpus_folder(folder):
    def snapshot():
        return {path: path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}

    before = snapshot()
    corpus = corpora.load(folder)
    for look in (corpus.waveforms, corpus.measure, corpus.durations, corpus.duplicates):
        look()
    assert corpus.digest and corpora.load(folder, strict=False)
    assert snapshot() == before


# --- AudioMNIST -----------------------------------------------------------------------------

PERSON = {
    "accent": "German",
    "age": "25",
    "gender": "male",
    "native speaker": "no",
    "origin": "Europe, Germany, Hamburg",
    "recordingdate": "17-06-26-17-57-29",
    "recordingroom": "Kino",
}


@pytest.fixture
def audiomnist(tmp_path, monkeypatch):
    """A part of AudioMNIST in DIGITLAB_DATA: three speakers, of whom one tells nonsense."""
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    names = [
        f"{who}/{digit}_{who}_{take}.wav"
        for who in ("01", "02", "45")
        for digit in range(10)
        for take in (0, 7)
    ]
    folder = write_words(tmp_path / "data" / "audiomnist" / "data", names, rate=48000)
    odd = {"age": "1234", "native speaker": "perhaps", "recordingdate": "soon"}
    people = {"01": PERSON | {"age": 30}, "02": PERSON | {"origin": ""}, "45": PERSON | odd}
    (folder / "audioMNIST_meta.txt").write_text(json.dumps(people))
    return folder


def test_audiomnist_comes_with_what_is_known_of_its_speakers(audiomnist, capsys):
    corpus = corpora.load("audiomnist")
    assert (corpus.name, corpus.rate, corpus.classes) == ("audiomnist", 48000, corpora.DIGITS)
    people = corpus.table.drop_duplicates("speaker").set_index("speaker")
    assert people["age"].astype(object).where(people["age"].notna(), None).tolist() == [
        30,
        25,
        None,
    ]
    assert people["native_speaker"].isna().tolist() == [False, False, True]
    assert people["recording_date"]["02"] == pd.Timestamp("2017-06-26 17:57:29")
    assert people["recording_date"].isna().tolist() == [False, False, True]
    assert people["recording_room"].tolist() == ["Kino"] * 3
    assert people["origin"].isna().tolist() == [False, True, False]
    said = capsys.readouterr().out
    assert said.count("age '1234' of speaker 45") == 1
    assert "native speaker 'perhaps' of speaker 45" in said
    assert "speaker 02" not in said
    assert "60 of its 30,000 clips are on this machine" in said


def test_audiomnist_without_its_metadata_still_loads(audiomnist, capsys):
    (audiomnist / "audioMNIST_meta.txt").write_text("[1, 2")
    assert corpora.load("audiomnist").table["age"].isna().all()
    assert "audioMNIST_meta.txt cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["01/x.wav", "01/0_02_3.wav", "7_01_3.wav", "01/a/7_01_3.wav"])
def test_files_out_of_place_are_named(audiomnist, name):
    write_words(audiomnist, [name], rate=48000)
    with pytest.raises(CorpusError, match=rf"misnamed:\n  {name}\n.*03/7_03_12\.wav"):
        corpora.load("audiomnist")
    with pytest.warns(UserWarning, match=name):
        assert len(corpora.load("audiomnist", strict=False)) == 60


def test_a_part_that_is_too_small_is_not_used(audiomnist, folder, capsys):
    with pytest.raises(
        CorpusUnreachable,
        match="60 of its 30,000 clips are on this machine, fewer than the 3,000 needed",
    ):
        corpora.load("audiomnist", at_least=3000)
    corpus = corpora.load("audiomnist", at_least=3000, fallback=folder)
    said = capsys.readouterr().out
    assert "60 of its" in said and "computed on the recordings in" in said
    assert corpus.name == "tones"


def test_what_was_fetched_serves_where_the_data_folder_has_too_little(audiomnist, tmp_path):
    whole = tmp_path / "cache" / "audiomnist" / "data"
    write_words(whole, [f"{n:02}/7_{n:02}_0.wav" for n in range(99)], rate=48000)
    assert corpora.load("audiomnist", at_least=99).folder == whole
    assert corpora.load("audiomnist").folder == audiomnist


def test_the_whole_of_audiomnist_is_known_by_name():
    names = corpora.SOURCES["audiomnist"].names
    assert len(set(names)) == 30000
    assert (names[0], names[-1]) == ("01/0_01_0.wav", "60/9_60_49.wav")


# --- Speech Commands ------------------------------------------------------------------------


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A part of Speech Commands in DIGITLAB_DATA, with noise and without lists."""
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    folder = write_words(tmp_path / "data" / "speech_commands_v0.01", SPOKEN)
    return write_words(folder, ["_background_noise_/running_tap.wav"])


def write_lists(folder, moved=()):
    for split in ("validation", "testing"):
        names = [name for name in SPOKEN if which_set(name) == split and name not in moved]
        (folder / f"{split}_list.txt").write_text("\n".join(names) + "\n")


def test_speech_commands_has_30_classes_splits_and_noise_apart(commands):
    corpus = corpora.load("speech_commands")
    assert len(corpus) == 90
    assert len(corpus.classes) == 30 and list(corpus.classes) == sorted(corpus.classes)
    assert {corpus.classes[label] for label in corpus.table["label"]} == {"yes", "no", "bed"}
    assert corpus.table["split"].tolist() == [which_set(path) for path in corpus.table["path"]]
    assert corpus.table["split"].nunique() == 3
    assert [path.name for path in corpus.background_noise] == ["running_tap.wav"]
    assert corpora.load(commands).table["split"].tolist() == corpus.table["split"].tolist()


def test_the_digest_tells_the_same_name_in_two_folders_apart(commands):
    before = corpora.load("speech_commands").digest
    one, other = (commands / word / "00000000_nohash_0.wav" for word in ("yes", "no"))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert corpora.load("speech_commands").digest != before


def test_the_second_version_has_five_words_more(tmp_path, commands):
    with pytest.raises(
        CorpusUnreachable, match=r"2,429 MB: digitlab data fetch speech_commands_v0\.02"
    ):
        corpora.load("speech_commands_v0.02")
    write_words(tmp_path / "data" / "speech_commands_v0.02", ["visual/0a_nohash_0.wav"])
    classes = corpora.load("speech_commands_v0.02").classes
    assert set(classes) - set(corpora.load("speech_commands").classes) == {
        *("backward", "follow", "forward", "learn", "visual")
    }


def test_words_that_are_not_of_the_corpus_are_named(commands):
    write_words(commands, ["hello/0a_nohash_0.wav"])
    with pytest.raises(CorpusError, match=r"in no class of this corpus:\n  hello/0a_nohash_0\.wav"):
        corpora.load("speech_commands")
    with pytest.warns(UserWarning, match="hello"):
        assert len(corpora.load("speech_commands", strict=False)) == 90


def test_lists_that_agree_with_the_rule_change_nothing(commands, recwarn):
    write_lists(commands)
    assert corpora.load("speech_commands").table["split"].nunique() == 3
    assert not recwarn.list


def test_lists_that_differ_from_the_rule_are_followed_and_the_files_named(commands):
    moved = next(name for name in SPOKEN if which_set(name) == "testing")
    write_lists(commands, moved=[moved])
    with pytest.warns(UserWarning, match=f"{moved}: testing by the rule, training by the list"):
        table = corpora.load("speech_commands").table
    assert table["split"][table["path"] == commands / moved].tolist() == ["training"]


def test_voices_stand_in_in_the_layout_of_the_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    for name, n_clips in [("voices-audiomnist", 20), ("voices-speech_commands", 60)]:
        small = replace(corpora.SOURCES[name], n_clips=n_clips, n_speakers=2, n_takes=1)
        monkeypatch.setitem(corpora.SOURCES, name, small)
    digits = corpora.load("audiomnist", fallback="voices", at_least=10)
    assert (digits.name, digits.rate, len(digits)) == ("voices-audiomnist", 48000, 20)
    assert digits.table["age"].notna().all()
    words = corpora.load("speech_commands", fallback="voices")
    assert (words.rate, len(words), len(set(words.table["label"]))) == (16000, 60, 30)
    assert words.background_noise
    assert capsys.readouterr().out.count("computed on the built-in voices instead") == 2
    assert corpora.load("speech_commands_v0.02", fallback="voices").name == words.name
    assert corpora.load("audiomnist", fallback=["speech_commands", "voices"]).name == digits.name
    assert capsys.readouterr().out.count("instead") == 3


@pytest.fixture
def built_in(tmp_path, monkeypatch):
    """Return a function that makes and loads a small version of one of the built-in corpora."""
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))

    def make(name, n_speakers, n_takes):
        n_clips = len(corpora.SOURCES[name].classes) * n_speakers * n_takes
        counts = {"n_clips": n_clips, "n_speakers": n_speakers, "n_takes": n_takes}
        monkeypatch.setitem(corpora.SOURCES, name, replace(corpora.SOURCES[name], **counts))
        return corpora.load(name)

    return make


def test_few_built_in_commands_are_clipped_too_soft_or_copies(built_in):
    corpus = built_in("voices-speech_commands", 5, 2)
    table = corpus.table.join(corpus.measure())
    clipped, soft = table["clipped"] > 0.01, table["rms_db"] < -60
    assert (clipped.sum(), soft.sum(), len(corpus)) == (4, 1, 300)
    assert (table["clipped"] > 0).sum() == 4, "no other recording reaches full scale"
    copies = table.iloc[[row for rows in corpus.duplicates() for row in rows]]
    words = [corpus.classes[label] for label in copies["label"]]
    assert words == ["seven", "seven", "three", "three"]
    assert copies["speaker"].nunique() == copies["split"].nunique() == 1, "no copy is in two sets"


def test_one_built_in_speaker_has_8_bits_and_two_entries_are_mistyped(built_in, capsys):
    corpus = built_in("voices-audiomnist", 11, 1)
    assert "Kept as missing" in (said := capsys.readouterr().out)
    assert "age '1234' of speaker 05" in said
    assert corpus.duplicates() == []
    people = corpus.table.drop_duplicates("speaker").set_index("speaker")
    assert people.index[people["age"].isna()].tolist() == ["05"]
    assert set(people["accent"]) >= {"german", "German"}
    steps = {}
    for speaker, rows in corpus.table.groupby("speaker").groups.items():
        numbers = np.concatenate([corpus.read(row) for row in rows]) * 32768
        steps[speaker] = int(np.gcd.reduce(numbers.astype(int)))
    assert {speaker for speaker, step in steps.items() if step != 1} == {"07"}
    assert steps["07"] == 256


def test_built_in_voices_in_fsdd_s_layout_and_corpora_of_one_s_own_have_no_faults(
    built_in, tmp_path
):
    built_in("voices", 7, 1)
    for path in corpora.load("voices").table["path"]:
        digit, speaker, take = path.stem.split("_")
        said = voices.say(int(digit), voices.NAMES.index(speaker), int(take))
        np.testing.assert_allclose(audio.read_wav(path)[0], said, atol=1 / 32768)
    voices.write_corpus(tmp_path / "own", "speech_commands", n_speakers=5, n_takes=2)
    own = corpora.load(tmp_path / "own")
    table = own.measure()
    assert own.duplicates() == [] and not table["clipped"].any() and table["rms_db"].min() > -60


@pytest.mark.parametrize("name", ["audiomnist", "speech_commands"])
def test_the_part_that_is_on_disk_loads(name):
    if corpora.find(name) is None:
        pytest.skip(f"{name} is not on this machine: digitlab data fetch {name}")
    corpus = corpora.load(name)
    clips = corpus.at_scale("smoke")
    assert clips.waveforms(16000, align="start", normalize=False).any(axis=1).all()
    assert np.allclose(clips.measure()["seconds"], clips.durations())
    for path, label, speaker in rows_of(corpus, "path", "label", "speaker"):
        said = path.parent.name if name == "speech_commands" else path.name[0]
        assert corpus.classes[label] == said and speaker in re.split("[/_]", str(path))


def test_an_example_comes_from_the_corpus_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    folder = tmp_path / "speech_commands_v0.01" / "seven"
    folder.mkdir(parents=True)
    audio.write_wav(folder / "abc123_nohash_0.wav", [0, 0.5], 16000)
    samples, rate, caption = corpora.example("speech_commands", 7)
    assert (samples.tolist(), rate) == ([0, 0.5], 16000)
    assert caption == "speaker abc123; Speech Commands v0.01 (CC BY 4.0)"


@pytest.mark.parametrize(("name", "rate"), [("audiomnist", 48000), ("speech_commands", 16000)])
def test_where_it_is_not_a_built_in_voice_says_it_at_the_same_rate(
    tmp_path, monkeypatch, name, rate
):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    samples, example_rate, caption = corpora.example(name, 6)
    assert example_rate == rate
    assert "built-in voices" in caption
    np.testing.assert_array_equal(samples, voices.say(6, rate=rate))
