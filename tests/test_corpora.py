"""A corpus is found, fetched, verified and read; whatever is wrong with it is named."""

import hashlib
import http.server
import io
import json
import re
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from digitlab import _download, audio, corpora, voices
from digitlab.corpora import CorpusError, CorpusUnreachable
from digitlab.corpora.sources import known_hashes
from digitlab.layouts import which_set

SPEAKERS = ("anna", "ben")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tone(label, speaker, take):
    time_s = np.arange(1000 + 100 * take) / 8000
    return (0.4 * np.sin(2 * np.pi * (300 + 50 * label + speaker) * time_s)).astype(np.float32)


def write_tones(folder, n_takes=2):
    folder.mkdir(parents=True)
    for label in range(10):
        for i, speaker in enumerate(SPEAKERS):
            for take in range(n_takes):
                audio.write_wav(
                    folder / f"{label}_{speaker}_{take}.wav", tone(label, i, take), 8000
                )
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_tones(tmp_path / "tones")


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A small published corpus: its true files, and an empty cache to fetch it into."""
    recordings = write_tones(tmp_path / "published" / "tiny-1.0" / "recordings")
    digest = corpora.load(recordings).digest
    source = corpora.Source(
        *("Tiny", "CC0", 8000, "fsdd", "tiny", 40),
        speakers=SPEAKERS,
        n_takes=2,
        urls=("http://unset",),
        size_mb=1,
        digest=digest,
    )
    monkeypatch.setitem(corpora.SOURCES, "tiny", source)
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    starts = {path.name: sha256(path.read_bytes())[:8] for path in recordings.iterdir()}
    monkeypatch.setattr(corpora, "known_hashes", lambda name: starts)
    return recordings


def archive_of(folder, name="tiny-1.0") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=name)
    return packed.getvalue()


@pytest.fixture
def server():
    """A local server: `server.answers` lists what it does to each request in turn."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            answers = self.server.answers
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, int):
                self.send_error(answer)
                return
            body, share, pause_s = answer
            start = int((self.headers["Range"] or "bytes=0-")[6:-1])
            self.server.starts.append(start)
            if start and not self.server.continues:
                start = 0
            if start > len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            body = body[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: int(len(body) * share)])
            time.sleep(pause_s)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.starts, server.continues = 0, [], True
        server.url = f"http://127.0.0.1:{server.server_port}/tiny.tar.gz"
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def serve(monkeypatch, server, *answers, n_urls=1, name="tiny"):
    source = replace(corpora.SOURCES[name], urls=(server.url,) * n_urls)
    monkeypatch.setitem(corpora.SOURCES, name, source)
    server.answers = list(answers)


def left_in(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".unreachable"))


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


def test_long_clips_keep_their_beginning(folder):
    corpus = corpora.load(folder)
    assert np.array_equal(corpus.waveforms(900), corpus.waveforms(1000)[:, :900])


@pytest.mark.parametrize(
    "name, spoil, words",
    [
        ("0_anna_0.wav", lambda path: path.write_bytes(b""), "empty"),
        ("4_ben_1.wav", lambda path: path.write_bytes(path.read_bytes()[:-500]), "4_ben_1"),
        ("4_ben_1.wav", lambda path: audio.write_wav(path, tone(1, 1, 1), 16000), "16000 Hz"),
        ("4_ben_1.wav", lambda path: audio.write_wav(path, np.zeros((9, 2)), 8000), "2 channels"),
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


def write_words(folder, names, rate=16000):
    """Write a short recording at each path, no two the same."""
    for number, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write_wav(path, [number / 30000, 0.5, -0.5], rate)
    return folder


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
        ("7_anna_9.m4a", "1 files are misnamed:\n  7_anna_9.m4a"),
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


def test_other_sounds_than_wav_are_not_passed_over_in_silence(tmp_path):
    (tmp_path / "7_anna_0.mp3").write_bytes(b"ID3")
    with pytest.raises(CorpusError, match=r"holds no \.wav file, but 7_anna_0\.mp3: convert it"):
        corpora.load(tmp_path)


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

SPOKEN = [f"{word}/{n:08x}_nohash_{n % 3}.wav" for word in ("yes", "no", "bed") for n in range(30)]


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


# --- finding --------------------------------------------------------------------------------


def test_data_folder_comes_first_and_is_never_passed_over(tiny, tmp_path, monkeypatch):
    data = tmp_path / "data"
    (data / "tiny").mkdir(parents=True)
    monkeypatch.setenv("DIGITLAB_DATA", str(data))
    with pytest.raises(CorpusError, match=r"DIGITLAB_DATA is set and .* is missing"):
        corpora.load("tiny", fallback="voices")
    write_tones(data / "tiny" / "recordings")
    assert corpora.load("tiny").table["path"][0].is_relative_to(data)


def test_a_relative_data_folder_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("DIGITLAB_DATA", "data")
    with pytest.raises(CorpusError, match="absolute"):
        corpora.load("tiny")


def test_missing_and_extra_files_are_named(tiny, tmp_path, monkeypatch):
    data = tmp_path / "data"
    recordings = write_tones(data / "tiny" / "recordings")
    monkeypatch.setenv("DIGITLAB_DATA", str(data))
    (recordings / "3_anna_1.wav").rename(recordings / "3_anna_7.wav")
    with pytest.raises(CorpusError) as raised:
        corpora.load("tiny")
    assert "1 are missing:\n  3_anna_1.wav" in str(raised.value)
    assert "1 do not belong:\n  3_anna_7.wav" in str(raised.value)


def test_a_corrupt_file_is_named(tiny, tmp_path, monkeypatch):
    data = tmp_path / "data"
    recordings = write_tones(data / "tiny" / "recordings")
    monkeypatch.setenv("DIGITLAB_DATA", str(data))
    assert corpora.verify("tiny") == corpora.SOURCES["tiny"].digest
    path = recordings / "8_ben_1.wav"
    path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    with pytest.raises(CorpusError, match=r"1 files are not what was published:\n.*8_ben_1\.wav"):
        corpora.verify("tiny")


# --- fetching -------------------------------------------------------------------------------


def test_fetch_unpacks_verifies_and_is_found_again(tiny, server, monkeypatch):
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    folder = corpora.fetch("tiny")
    assert corpora.find("tiny") == folder
    assert len(corpora.load("tiny")) == 40
    assert corpora.fetch("tiny") == folder
    assert server.asked == 1
    assert left_in(folder.parents[1]) == ["tiny"]


def test_a_download_that_breaks_off_leaves_nothing_and_the_next_one_finishes(
    tiny, server, monkeypatch, tmp_path
):
    whole = archive_of(tiny.parent)
    serve(monkeypatch, server, (whole, 0.5, 0), (whole, 1, 0))
    with pytest.raises(CorpusUnreachable):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []
    assert corpora.fetch("tiny").is_dir()


def test_the_second_source_is_asked_when_the_first_fails(tiny, server, monkeypatch):
    serve(monkeypatch, server, 503, (archive_of(tiny.parent), 1, 0), n_urls=2)
    assert corpora.fetch("tiny").is_dir()


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"", b"\x1f\x8b garbage"])
def test_what_is_not_the_archive_is_refused(tiny, server, monkeypatch, tmp_path, body):
    serve(monkeypatch, server, (body, 1, 0))
    with pytest.raises(CorpusUnreachable, match="no source sent it"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize("start", range(500, 6500, 500))
def test_an_archive_damaged_on_the_way_is_refused(tiny, server, monkeypatch, tmp_path, start):
    damaged = bytearray(archive_of(tiny.parent))
    damaged[start : start + 200] = np.random.default_rng(start).bytes(200)
    serve(monkeypatch, server, (bytes(damaged), 1, 0))
    with pytest.raises(CorpusUnreachable, match="no source sent it"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


def test_an_archive_with_one_wrong_file_is_refused(tiny, server, monkeypatch, tmp_path):
    audio.write_wav(tiny / "2_ben_0.wav", tone(7, 1, 0), 8000)
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    with pytest.raises(CorpusUnreachable, match="not what was published"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


def test_a_killed_fetch_leaves_no_corpus_and_the_next_one_finishes(
    tiny, server, monkeypatch, tmp_path
):
    whole = archive_of(tiny.parent)
    serve(monkeypatch, server, (whole, 0.5, 60), (whole, 1, 0))
    code = f"""
from digitlab import corpora
corpora.SOURCES["tiny"] = corpora.{corpora.SOURCES["tiny"]!r}
corpora.fetch("tiny")
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while server.asked == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert server.asked == 1
    assert corpora.find("tiny") is None
    assert corpora.fetch("tiny").is_dir()


def test_what_a_killed_fetch_left_is_cleared_away_in_time(tiny, server, monkeypatch, tmp_path):
    leftover = tmp_path / "cache" / ".tiny-killed"
    leftover.mkdir(parents=True)
    monkeypatch.setattr(corpora, "STALE_S", -1)
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    corpora.fetch("tiny")
    assert not leftover.exists()


def test_a_network_that_refuses_is_asked_once_and_the_page_says_so(
    tiny, server, monkeypatch, capsys, folder
):
    serve(monkeypatch, server, 503)
    for _ in range(3):
        with pytest.raises(CorpusUnreachable, match="digitlab data fetch tiny"):
            corpora.load("tiny")
    corpus = corpora.load("tiny", fallback=folder)
    assert corpus.name == "tones"
    assert "Tiny could not be had" in capsys.readouterr().out
    assert server.asked == 1
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    corpora.fetch("tiny")  # asked for by name, it tries again
    assert corpora.load("tiny").name == "tiny"


# --- fetching what is large -------------------------------------------------------------------


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A small Speech Commands to download: its archive."""
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    folder = write_words(tmp_path / "published", SPOKEN)
    write_words(folder, ["_background_noise_/tap.wav"])
    archive = archive_of(folder, ".")
    source = replace(
        corpora.SOURCES["speech_commands"], n_clips=90, size_mb=1, sha256=sha256(archive)
    )
    monkeypatch.setitem(corpora.SOURCES, "speech_commands", source)
    return archive


def test_what_is_large_is_downloaded_only_when_asked_for(large, server, monkeypatch):
    serve(monkeypatch, server, (large, 1, 0), name="speech_commands")
    with pytest.raises(CorpusUnreachable, match="digitlab data fetch speech_commands"):
        corpora.load("speech_commands")
    assert server.asked == 0
    folder = corpora.fetch("speech_commands")
    corpus = corpora.load("speech_commands")
    assert corpus.folder == folder and len(corpus) == 90 and len(corpus.background_noise) == 1
    assert corpora.verify("speech_commands") == corpus.digest
    assert left_in(folder.parent) == ["speech_commands_v0.01"]


@pytest.mark.parametrize("continues", [True, False])
def test_a_large_download_goes_on_where_it_broke_off(
    large, server, monkeypatch, tmp_path, continues
):
    monkeypatch.setattr(_download, "PIECE", 100)
    half = (large, 0.5, 0)
    serve(monkeypatch, server, half, (large, 1, 0), name="speech_commands")
    server.continues = continues
    with pytest.raises(CorpusUnreachable, match="broke off"):
        corpora.fetch("speech_commands")
    assert left_in(tmp_path / "cache") == [".speech_commands.part"]
    assert corpora.fetch("speech_commands").is_dir()
    first, second = server.starts
    assert first == 0 and len(large) // 2 - 100 <= second <= len(large) // 2
    assert left_in(tmp_path / "cache") == ["speech_commands_v0.01"]


def test_a_large_download_that_was_complete_is_not_repeated(large, server, monkeypatch, tmp_path):
    serve(monkeypatch, server, 416, name="speech_commands")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".speech_commands.part").write_bytes(large)
    assert corpora.fetch("speech_commands").is_dir()


def test_an_archive_of_another_sum_is_refused_and_thrown_away(large, server, monkeypatch, tmp_path):
    serve(monkeypatch, server, (large[:-1] + b"x", 1, 0), name="speech_commands")
    with pytest.raises(CorpusUnreachable, match="SHA-256"):
        corpora.fetch("speech_commands")
    assert left_in(tmp_path / "cache") == []


def test_audiomnist_is_fetched_whole_or_not_at_all(audiomnist, server, monkeypatch, tmp_path):
    monkeypatch.delenv("DIGITLAB_DATA")
    names = {"n_clips": 60, "speakers": ("01", "02", "45"), "n_takes": 2, "size_mb": 1}
    source = replace(corpora.SOURCES["audiomnist"], **names)
    monkeypatch.setitem(corpora.SOURCES, "audiomnist", source)
    for path in audiomnist.rglob("*_7.wav"):
        path.rename(path.with_name(path.name.replace("_7.wav", "_1.wav")))
    archive = archive_of(audiomnist.parent, "AudioMNIST-630d7da")
    (audiomnist / "02" / "7_02_1.wav").unlink()
    serve(monkeypatch, server, (archive_of(audiomnist.parent, "A"), 1, 0), name="audiomnist")
    with pytest.raises(CorpusUnreachable, match="it holds 59"):
        corpora.fetch("audiomnist")
    serve(monkeypatch, server, (archive, 1, 0), name="audiomnist")
    assert corpora.fetch("audiomnist") == tmp_path / "cache" / "audiomnist" / "data"
    assert len(corpora.load("audiomnist", at_least=60)) == 60


def test_a_full_disk_is_said_before_anything_is_downloaded(large, server, monkeypatch):
    serve(monkeypatch, server, (large, 1, 0), name="speech_commands")
    source = replace(corpora.SOURCES["speech_commands"], size_mb=10**9)
    monkeypatch.setitem(corpora.SOURCES, "speech_commands", source)
    with pytest.raises(CorpusUnreachable, match=r"MB are needed at .* make room"):
        corpora.fetch("speech_commands")
    assert server.asked == 0


def test_without_a_network_a_fetch_says_so(large, monkeypatch):
    source = replace(corpora.SOURCES["speech_commands"], urls=("http://127.0.0.1:9/a.tar.gz",))
    monkeypatch.setitem(corpora.SOURCES, "speech_commands", source)
    with pytest.raises(CorpusUnreachable, match=r"no connection\n.*run  digitlab data fetch"):
        corpora.fetch("speech_commands")


# --- the real thing, where it is at hand ------------------------------------------------------


@pytest.fixture
def fsdd():
    try:
        found = corpora.find("fsdd")
    except CorpusError as error:
        pytest.fail(str(error))
    if found is None:
        pytest.skip("FSDD is not on this machine: digitlab data fetch fsdd")
    return corpora.load("fsdd")


def test_fsdd_is_whole(fsdd):
    assert corpora.verify("fsdd") == corpora.SOURCES["fsdd"].digest == fsdd.digest
    assert fsdd.table.groupby(["label", "speaker"]).size().eq(50).all()
    assert fsdd.waveforms().shape == (3000, 8192)


def test_the_list_of_fsdd_hashes_is_the_list_of_its_files(fsdd):
    hashes = {path.name: sha256(path.read_bytes())[:8] for path in fsdd.table["path"]}
    assert known_hashes("fsdd") == hashes


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
