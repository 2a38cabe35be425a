"""A corpus is found, fetched and verified; a download that fails leaves nothing half-made."""

import errno
import hashlib
import http.server
import importlib
import io
import ssl
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import requests
from recordings import SPEAKERS, SPOKEN, tone, write_tones, write_words

from digitlab import audio, corpora
from digitlab.corpora import CorpusError, CorpusUnreachable, download
from digitlab.corpora.sources import known_hashes

FOLDER, FETCH = (
    importlib.import_module(f"digitlab.corpora.{name}") for name in ("folder", "fetch")
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
    monkeypatch.setattr(FOLDER, "known_hashes", lambda name: starts)
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


def test_adownload_that_breaks_off_leaves_nothing_and_the_next_one_finishes(
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
    monkeypatch.setattr(FETCH, "STALE_S", -1)
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    corpora.fetch("tiny")
    assert not leftover.exists()


def test_a_network_that_refuses_is_asked_once_and_the_page_says_so(
    tiny, server, monkeypatch, capsys, tmp_path
):
    serve(monkeypatch, server, 503)
    for _ in range(3):
        with pytest.raises(CorpusUnreachable, match="digitlab data fetch tiny"):
            corpora.load("tiny")
    corpus = corpora.load("tiny", fallback=write_tones(tmp_path / "tones"))
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


def test_what_is_large_isdownloaded_only_when_asked_for(large, server, monkeypatch):
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
def test_a_largedownload_goes_on_where_it_broke_off(
    large, server, monkeypatch, tmp_path, continues
):
    monkeypatch.setattr(download, "PIECE", 100)
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


def test_a_largedownload_that_was_complete_is_not_repeated(large, server, monkeypatch, tmp_path):
    serve(monkeypatch, server, 416, name="speech_commands")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".speech_commands.part").write_bytes(large)
    assert corpora.fetch("speech_commands").is_dir()


def test_an_archive_of_another_sum_is_refused_and_thrown_away(large, server, monkeypatch, tmp_path):
    serve(monkeypatch, server, (large[:-1] + b"x", 1, 0), name="speech_commands")
    with pytest.raises(CorpusUnreachable, match="SHA-256"):
        corpora.fetch("speech_commands")
    assert left_in(tmp_path / "cache") == []


def test_audiomnist_is_fetched_whole_or_not_at_all(server, monkeypatch, tmp_path):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIGITLAB_DATA", raising=False)
    names = {"n_clips": 60, "speakers": ("01", "02", "45"), "n_takes": 2, "size_mb": 1}
    source = replace(corpora.SOURCES["audiomnist"], **names)
    monkeypatch.setitem(corpora.SOURCES, "audiomnist", source)
    folder = write_words(tmp_path / "published" / "data", source.names, rate=48000)
    archive = archive_of(folder.parent, "AudioMNIST-630d7da")
    (folder / "02" / "7_02_1.wav").unlink()
    serve(monkeypatch, server, (archive_of(folder.parent, "A"), 1, 0), name="audiomnist")
    with pytest.raises(CorpusUnreachable, match="it holds 59"):
        corpora.fetch("audiomnist")
    serve(monkeypatch, server, (archive, 1, 0), name="audiomnist")
    assert corpora.fetch("audiomnist") == tmp_path / "cache" / "audiomnist" / "data"
    assert len(corpora.load("audiomnist", at_least=60)) == 60


def test_a_full_disk_is_said_before_anything_isdownloaded(large, server, monkeypatch):
    serve(monkeypatch, server, (large, 1, 0), name="speech_commands")
    source = replace(corpora.SOURCES["speech_commands"], size_mb=10**9)
    monkeypatch.setitem(corpora.SOURCES, "speech_commands", source)
    with pytest.raises(CorpusUnreachable, match=r"MB are needed at .* make room"):
        corpora.fetch("speech_commands")
    assert server.asked == 0


def test_without_a_network_a_fetch_says_so(large, monkeypatch):
    source = replace(corpora.SOURCES["speech_commands"], urls=("http://127.0.0.1:9/a.tar.gz",))
    monkeypatch.setitem(corpora.SOURCES, "speech_commands", source)
    with pytest.raises(
        CorpusUnreachable, match=r"no connection: check .*\n.*run  digitlab data fetch"
    ):
        corpora.fetch("speech_commands")


# --- why not, and what to do -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ProxyError("Cannot connect to proxy.", OSError("407")), "HTTPS_PROXY"),
        (requests.exceptions.InvalidSchema("Missing dependencies for SOCKS"), "HTTPS_PROXY"),
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError(1, "failed")), "CA_BUNDLE"),
        (requests.exceptions.SSLError(ssl.SSLError(1, "WRONG_VERSION")), "no secure connection"),
        (requests.exceptions.ConnectTimeout("timed out"), "no answer in time"),
        (requests.exceptions.ConnectionError(TimeoutError("timed out")), "no answer in time"),
        (requests.exceptions.ChunkedEncodingError("IncompleteRead"), "broke off"),
        (requests.exceptions.ConnectionError(ConnectionResetError(104, "reset")), "broke off"),
        (requests.exceptions.ConnectionError("refused"), "no connection: check"),
        (
            OSError("Could not find a suitable TLS CA certificate bundle"),
            "names a file that is not",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full: make room"),
        (tarfile.ReadError("not a gzip file"), "damaged, or something else"),
        (CorpusError("the archive holds no folder"), "the archive holds no folder"),
    ],
)
def test_each_reason_is_said_for_what_it_is(error, words):
    assert words in download.reason(error)


@pytest.mark.parametrize("status", [403, 404, 407, 429, 503])
def test_what_the_server_answers_is_said(tiny, server, monkeypatch, status):
    serve(monkeypatch, server, status)
    words = {403: "refused here", 404: "not there any more", 407: "HTTPS_PROXY"}
    with pytest.raises(CorpusUnreachable, match=f"{status}: .*{words.get(status, 'try again')}"):
        corpora.fetch("tiny")


def test_a_name_that_nobody_knows_and_a_proxy_that_is_not_there_are_told_apart(tiny, monkeypatch):
    source = replace(corpora.SOURCES["tiny"], urls=("http://no-such-place.invalid/a.tar.gz",))
    monkeypatch.setitem(corpora.SOURCES, "tiny", source)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CorpusUnreachable, match="cannot be looked up"):
        corpora.fetch("tiny")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(CorpusUnreachable, match="check HTTP_PROXY"):
        corpora.fetch("tiny")


def test_a_disk_that_fills_up_is_said_and_not_held_against_the_network(
    tiny, server, monkeypatch, tmp_path
):
    serve(monkeypatch, server, (archive_of(tiny.parent), 1, 0))
    whole = download.download

    def full(url, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FETCH, "download", full)
    with pytest.raises(CorpusUnreachable, match="the disk is full: make room"):
        corpora.load("tiny")
    monkeypatch.setattr(FETCH, "download", whole)
    assert len(corpora.load("tiny")) == 40


# --- where nothing can be written -------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny", "voices"])
def test_without_a_cache_a_corpus_cannot_be_had_and_the_remedy_is_named(
    tiny, monkeypatch, tmp_path, name
):
    (tmp_path / "file").write_text("a file")
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "file" / "cache"))
    assert corpora.find(name) is None
    with pytest.raises(CorpusUnreachable, match=r"cannot be written .*set DIGITLAB_CACHE"):
        corpora.load(name)
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / "file"))
    for ask in (corpora.load, corpora.find, corpora.fetch):
        with pytest.raises(CorpusError, match=r"file cannot be the cache.* set DIGITLAB_CACHE"):
            ask(name)


def test_with_everything_in_the_data_folder_nothing_is_written(tiny, monkeypatch, tmp_path):
    write_tones(tmp_path / "home" / "data" / "tiny" / "recordings")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DIGITLAB_DATA", "~/data")
    for cache in ("cache", "file", "~nobody-of-this-name/cache"):
        (tmp_path / "file").write_text("a file")
        monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path / cache))
        assert len(corpora.load("tiny").waveforms()) == 40
    assert not (tmp_path / "cache").exists()


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
