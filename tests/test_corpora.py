"""A corpus is found, fetched, verified and read; whatever is wrong with it is named."""

import http.server
import io
import subprocess
import sys
import tarfile
import threading
import time

import numpy as np
import pytest

from digitlab import audio, corpora, voices
from digitlab.corpora import CorpusError, CorpusUnreachable

SPEAKERS = ("anna", "ben")


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
    source = corpora.Source("Tiny", "CC0", 8000, SPEAKERS, 2, ("http://unset",), 1, digest)
    monkeypatch.setitem(corpora.SOURCES, "tiny", source)
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    hashes = corpora.file_hashes(recordings.iterdir())
    starts = {name: digest[:8] for name, digest in hashes.items()}
    monkeypatch.setattr(corpora, "_known_hashes", lambda name: starts)
    return recordings


def archive_of(recordings) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(recordings.parent, arcname="tiny-1.0")
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
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: int(len(body) * share)])
            time.sleep(pause_s)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = 0
        server.url = f"http://127.0.0.1:{server.server_port}/tiny.tar.gz"
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def serve(monkeypatch, server, *answers, n_urls=1):
    from dataclasses import replace

    source = replace(corpora.SOURCES["tiny"], urls=(server.url,) * n_urls)
    monkeypatch.setitem(corpora.SOURCES, "tiny", source)
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
    assert set(corpus.at_scale("smoke").table["take"]) == {0, 10}
    assert len(corpus.at_scale("laptop")) == len(corpus.at_scale("full")) == len(corpus)


def test_a_wrong_scale_is_refused(monkeypatch):
    monkeypatch.setenv("DIGITLAB_SCALE", "huge")
    with pytest.raises(ValueError, match="smoke, laptop, full"):
        corpora.scale_from_environment()


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
    serve(monkeypatch, server, (archive_of(tiny), 1, 0))
    folder = corpora.fetch("tiny")
    assert corpora.find("tiny") == folder
    assert len(corpora.load("tiny")) == 40
    assert corpora.fetch("tiny") == folder
    assert server.asked == 1
    assert left_in(folder.parents[1]) == ["tiny"]


def test_a_download_that_breaks_off_leaves_nothing_and_the_next_one_finishes(
    tiny, server, monkeypatch, tmp_path
):
    whole = archive_of(tiny)
    serve(monkeypatch, server, (whole, 0.5, 0), (whole, 1, 0))
    with pytest.raises(CorpusUnreachable):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []
    assert corpora.fetch("tiny").is_dir()


def test_the_second_source_is_asked_when_the_first_fails(tiny, server, monkeypatch):
    serve(monkeypatch, server, 503, (archive_of(tiny), 1, 0), n_urls=2)
    assert corpora.fetch("tiny").is_dir()


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"", b"\x1f\x8b garbage"])
def test_what_is_not_the_archive_is_refused(tiny, server, monkeypatch, tmp_path, body):
    serve(monkeypatch, server, (body, 1, 0))
    with pytest.raises(CorpusUnreachable, match="no source sent it"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


@pytest.mark.parametrize("start", range(500, 6500, 500))
def test_an_archive_damaged_on_the_way_is_refused(tiny, server, monkeypatch, tmp_path, start):
    damaged = bytearray(archive_of(tiny))
    damaged[start : start + 200] = np.random.default_rng(start).bytes(200)
    serve(monkeypatch, server, (bytes(damaged), 1, 0))
    with pytest.raises(CorpusUnreachable, match="no source sent it"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


def test_an_archive_with_one_wrong_file_is_refused(tiny, server, monkeypatch, tmp_path):
    audio.write_wav(tiny / "2_ben_0.wav", tone(7, 1, 0), 8000)
    serve(monkeypatch, server, (archive_of(tiny), 1, 0))
    with pytest.raises(CorpusUnreachable, match="not what was published"):
        corpora.fetch("tiny")
    assert left_in(tmp_path / "cache") == []


def test_a_killed_fetch_leaves_no_corpus_and_the_next_one_finishes(
    tiny, server, monkeypatch, tmp_path
):
    whole = archive_of(tiny)
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
    serve(monkeypatch, server, (archive_of(tiny), 1, 0))
    corpora.fetch("tiny")
    assert not leftover.exists()


def test_a_network_that_refuses_is_asked_once_and_the_page_says_so(
    tiny, server, monkeypatch, capsys, folder
):
    serve(monkeypatch, server, 503)
    monkeypatch.setattr(corpora, "_make_voices", lambda home: None)
    for _ in range(3):
        with pytest.raises(CorpusUnreachable, match="digitlab data fetch tiny"):
            corpora.load("tiny")
    corpus = corpora.load("tiny", fallback=folder)
    assert corpus.name == "tones"
    assert "Tiny could not be had" in capsys.readouterr().out
    assert server.asked == 1
    serve(monkeypatch, server, (archive_of(tiny), 1, 0))
    corpora.fetch("tiny")  # asked for by name, it tries again
    assert corpora.load("tiny").name == "tiny"


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
    known = corpora._known_hashes("fsdd")
    assert known == {
        name: hash_[:8] for name, hash_ in corpora.file_hashes(fsdd.table["path"]).items()
    }


def test_an_example_comes_from_the_corpus_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    folder = tmp_path / "speech_commands_v0.01" / "seven"
    folder.mkdir(parents=True)
    audio.write_wav(folder / "abc123_nohash_0.wav", [0, 0.5], 16000)
    samples, rate, caption = corpora.example("speech_commands", 7)
    assert (samples.tolist(), rate) == ([0, 0.5], 16000)
    assert caption == "speaker abc123; Speech Commands (CC BY 4.0)"


@pytest.mark.parametrize(("name", "rate"), [("audiomnist", 48000), ("speech_commands", 16000)])
def test_where_it_is_not_a_built_in_voice_says_it_at_the_same_rate(
    tmp_path, monkeypatch, name, rate
):
    monkeypatch.setenv("DIGITLAB_DATA", str(tmp_path))
    samples, example_rate, caption = corpora.example(name, 6)
    assert example_rate == rate
    assert "built-in voices" in caption
    np.testing.assert_array_equal(samples, voices.say(6, rate=rate))
