"""What a service promises: an answer, or a plain reason; never more than it can take; no loss."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import numpy as np
import pytest
import requests
import soundfile
from click.testing import CliRunner
from test_audio import BAD_SAMPLES
from test_riff import BAD, CONTAINERS, chunk, fmt, wav

from digitlab import audio, pretrained, voices
from digitlab.cli import main
from digitlab.environment import sha256
from digitlab.preparation import Preparation

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from digitlab import serving
from digitlab.serving import server

SECONDS = 60  # what takes longer hangs


class Echo:
    """In place of a recogniser: the answer is the decade of the clip's number of zero crossings."""

    recipe, framework, classes = "echo", "numpy", tuple("0123456789")
    preparation = Preparation(rate=8000, n_samples=8000)

    def __init__(self):
        self.may_answer, self.batches, self.fails = threading.Event(), [], False
        self.may_answer.set()

    def probabilities(self, clips):
        self.batches.append(len(clips))
        if self.fails:
            raise RuntimeError("<b>secret\nline</b>")
        assert self.may_answer.wait(SECONDS)
        crossings = np.count_nonzero(np.diff(np.sign(clips), axis=1) > 0, axis=1)
        return np.eye(10, dtype=np.float32)[np.minimum(crossings // 100, 9)] * 0.9 + 0.01

    def label_of(self, probabilities):
        return self.classes[probabilities.argmax()]


def tone(digit):
    """Return a WAV file that Echo answers with a digit."""
    samples = 0.5 * np.sin(2 * np.pi * (100 * digit + 37) * np.arange(8000) / 8000)
    return audio.wav_bytes("a tone", samples, 8000)


@pytest.fixture
def serve():
    """Return a function that starts a service; it ends with the test."""
    with ExitStack() as stack:

        def start(recogniser=None, answers=None, **limits):
            application = serving.app(
                recogniser or Echo(), "f" * 64, answers=answers, limits=serving.Limits(**limits)
            )
            return stack.enter_context(serving.started(application))

        yield start


@pytest.fixture(scope="module")
def url():
    """Return the address of a service that many tests share."""
    with serving.started(serving.app(Echo(), "f" * 64)) as address:
        yield address


def post(url, content, **how):
    return requests.post(f"{url}/predict", data=content, timeout=SECONDS, **how)


def metric(url, name):
    """Return a number of /metrics."""
    text = requests.get(f"{url}/metrics", timeout=SECONDS).text
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M).group(1))


def raw(url, content, end=b""):
    """Send bytes as they are, and return all that comes back until the connection is closed."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(content)
        received = b""
        while part := connection.recv(65536):
            received += part
            if end and end in received:
                break
    return received.decode()


HEAD = "POST /predict HTTP/1.1\r\nHost: x\r\n"


def test_an_answer_is_that_of_the_recogniser(serve):
    pytest.importorskip("torch")
    recogniser, samples = pretrained.load(), voices.say("seven", rate=16000)
    digest = sha256(pretrained.FILE)
    with serving.started(serving.app(recogniser, digest)) as url:
        reply = post(url, audio.wav_bytes("seven", samples, 16000))
        health = requests.get(f"{url}/health", timeout=SECONDS).json()
    expected, answer = recogniser.predict(samples, 16000), reply.json()
    assert (reply.status_code, answer["label"]) == (200, expected.label)
    assert list(answer["probabilities"]) == list(recogniser.classes)
    shares = list(answer["probabilities"].values())
    np.testing.assert_allclose(shares, expected.probabilities, atol=1e-3)  # 16 bits in between
    assert answer["done"] == list(expected.done)
    assert answer["sha256"] == health["sha256"] == digest
    assert answer["model"] == health["model"] == "B2 (torch)" and health["ready"] is True
    assert len(answer["id"]) == 32 and answer["time"] >= health["since"]


def test_files_that_the_reader_refuses_are_refused_with_its_words(url):
    files = {name: case[0] for name, case in BAD.items()}
    files |= {name: head + bytes(60) for name, (head, _) in CONTAINERS.items()}
    for name, (code, bits, channels, values, *_) in BAD_SAMPLES.items():
        files[name] = wav(fmt(code, channels, bits=bits), chunk(b"data", values.tobytes()))
    words = {name: case[1] for name, case in BAD.items()}
    with requests.Session() as session:
        for name, content in files.items():
            reply = session.post(f"{url}/predict", data=content, timeout=SECONDS)
            assert reply.status_code == 400, name
            detail = reply.json()["detail"]
            assert detail.startswith("the recording: ") and len(detail) > 40, name
            assert words.get(name, "") in detail
    assert post(url, tone(3)).json()["label"] == "3"
    text = requests.get(f"{url}/metrics", timeout=SECONDS).text
    assert 'status="500"' not in text


def test_strange_recordings_are_answered_or_refused_and_never_break_anything(url):
    rng = np.random.default_rng(0)
    good = bytearray(tone(2)[:400])
    with requests.Session() as session:
        for _ in range(100):
            content = bytearray(good)
            for place in rng.integers(0, 60, rng.integers(1, 4)):
                content[place] = rng.integers(256)
            reply = session.post(f"{url}/predict", data=bytes(content), timeout=SECONDS)
            assert reply.status_code in (200, 400, 413) and reply.json()


@pytest.mark.parametrize(
    ("channels", "n_frames", "rate", "status"),
    [(64, 100, 8000, 200), (65, 100, 8000, 400), (2, 1, 8000, 400), (1, 1, 1, 200),
     (1, 31, 1, 413), (1, 30, 1, 200), (1, 100, 9_999_999, 400), (1, 2000, 9_999_999, 200),
     (1, 240_001, 8000, 413)],
)  # fmt: skip
def test_any_shape_is_answered_or_refused(url, channels, n_frames, rate, status):
    samples = np.full(channels * n_frames, 1000, "<i2").tobytes()
    reply = post(url, wav(fmt(channels=channels, rate=rate), chunk(b"data", samples)))
    assert reply.status_code == status, reply.text
    if status == 413:
        assert "at most 30 s are taken. Cut it" in reply.json()["detail"]


def test_silence_is_answered_and_has_no_noise(serve):
    url = serve()
    reply = post(url, audio.wav_bytes("silence", np.zeros(8000), 8000))
    assert "nothing but zeros" in reply.json()["done"][0]
    assert metric(url, "digitlab_signal_to_noise_db_count") == 0
    assert metric(url, 'digitlab_level_db_bucket{le="-90.0"}') == 1


def test_compressed_files_are_refused_before_they_are_decoded(url, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000, "IMA_ADPCM")
    reply = post(url, (tmp_path / "a.wav").read_bytes())
    assert reply.status_code == 400
    assert "compressed (IMA ADPCM). Convert it" in reply.json()["detail"]


def test_what_the_reader_would_warn_of_is_said(url):
    samples = np.array([0.5, -2.5] * 100, "<f4").tobytes()
    reply = post(url, wav(fmt(3, bits=32), chunk(b"data", samples)))
    assert "2.5 times full scale" in reply.json()["done"][0]


def test_a_form_is_told_from_a_file(url):
    reply = post(url, None, files={"file": tone(1)})
    assert reply.status_code == 400 and "--data-binary" in reply.json()["detail"]


def test_a_file_may_be_as_large_as_the_limit_and_no_larger(serve):
    content = tone(4)
    url = serve(n_bytes=len(content))
    assert post(url, content).json()["label"] == "4"
    for body in (content + b"\0", iter([content, b"\0"])):  # the second in chunks, size unsaid
        reply = post(url, body)
        assert reply.status_code == 413 and "16,044 bytes" in reply.json()["detail"]
    assert post(url, iter([content[:100], content[100:]])).json()["label"] == "4"


def test_a_size_above_the_limit_is_refused_before_anything_is_sent(url):
    for size in ("6000001", "9" * 18):
        reply = raw(url, f"{HEAD}Content-Length: {size}\r\n\r\n".encode(), end=b"}")
        assert reply.startswith("HTTP/1.1 413 ") and "larger than 6,000,000" in reply


def test_a_body_without_end_is_cut_off(serve, monkeypatch):
    monkeypatch.setattr("digitlab.serving.application.LINGER_BYTES", 300_000)
    url = serve(n_bytes=50_000)
    sent = 0

    def endless():
        nonlocal sent
        while True:
            sent += 10_000
            yield bytes(10_000)

    with suppress(requests.ConnectionError):  # if the client did not look for an answer in time
        assert post(url, endless()).status_code == 413
    assert sent < 20_000_000  # what fits into the buffers of both sides
    assert metric(url, 'digitlab_requests_total{status="413"}') == 1


def test_slow_clients_are_told_so(serve):
    url = serve(upload_s=0.2)
    body = tone(1)
    start = f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body[:100]
    for content in (start, f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nRIFF".encode()):
        reply = raw(url, content, end=b"}")
        assert reply.startswith("HTTP/1.1 408 ") and "within 0.2 s" in reply


def test_clients_that_leave_are_counted_and_nothing_else(serve):
    url = serve()
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{HEAD}Content-Length: 1000\r\n\r\nRIFF".encode())
    _until(lambda: 'status="499"} 1.0' in requests.get(f"{url}/metrics", timeout=SECONDS).text)
    assert post(url, tone(5)).json()["label"] == "5"
    assert metric(url, "digitlab_in_progress") == 0


def test_connections_without_a_request_are_closed(serve, monkeypatch):
    monkeypatch.setattr(server, "HEADERS_S", 0.3)
    echo = Echo()
    url = serve(echo)
    assert raw(url, b"") == raw(url, HEAD.encode()) == ""
    answered = raw(url, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
    assert answered.count("HTTP/1.1 200") == 1
    echo.may_answer.clear()
    with ThreadPoolExecutor(1) as thread:  # an answer may take longer than headers
        reply = thread.submit(post, url, tone(6))
        time.sleep(0.6)
        echo.may_answer.set()
        assert reply.result().json()["label"] == "6"


def test_what_waits_is_answered_together_and_what_is_too_much_is_sent_away(serve):
    echo = Echo()
    url = serve(echo, n_waiting=6)
    echo.batches.clear()
    echo.may_answer.clear()
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(post, url, tone(0))
        _until(lambda: echo.batches == [1])
        others = [threads.submit(post, url, tone(digit)) for digit in range(1, 6)]
        _until(lambda: metric(url, "digitlab_in_progress") == 6)
        _until(lambda: metric(url, "digitlab_waiting") == 5)
        refused = post(url, tone(7))
        echo.may_answer.set()
        labels = [reply.result().json()["label"] for reply in (first, *others)]
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "Try again" in refused.json()["detail"]
    assert labels == list("012345") and echo.batches == [1, 5]
    assert metric(url, 'digitlab_batch_clips_bucket{le="4.0"}') == 1
    assert metric(url, "digitlab_batch_clips_sum") == 6
    assert metric(url, 'digitlab_requests_total{status="503"}') == 1
    assert metric(url, "digitlab_latency_seconds_count") == 6


def test_a_batch_has_its_limit(serve):
    echo = Echo()
    url = serve(echo, batch_size=2)
    echo.batches.clear()
    echo.may_answer.clear()
    with ThreadPoolExecutor(6) as threads:
        replies = [threads.submit(post, url, tone(digit)) for digit in range(6)]
        _until(lambda: metric(url, "digitlab_in_progress") == 6)
        echo.may_answer.set()
        assert [reply.result().json()["label"] for reply in replies] == list("012345")
    assert max(echo.batches) <= 2 and sum(echo.batches) == 6


def test_a_model_that_fails_is_no_fault_of_the_client_and_leaves_no_trace(serve, caplog):
    echo = Echo()
    url = serve(echo)
    echo.fails = True
    reply = post(url, tone(1))
    assert reply.status_code == 500 and "secret" not in reply.text and "test_" not in reply.text
    [record] = caplog.records
    assert "\n" not in record.getMessage() and record.exc_info is None
    echo.fails = False
    assert post(url, tone(1)).json()["label"] == "1"
    assert requests.get(f"{url}/health", timeout=SECONDS).json()["ready"] is True


def test_every_answer_is_in_the_file(serve, tmp_path):
    file = tmp_path / "answers.jsonl"
    url = serve(answers=file)
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda n: post(url, tone(n % 10)).json(), range(40)))
    post(url, b"")
    kept = list(serving.read_answers(file))
    assert sorted(one["id"] for one in kept) == sorted({one["id"] for one in replies})
    assert len(kept) == 40 and all(one in kept for one in replies)


def test_a_line_that_was_cut_short_is_no_hindrance(tmp_path):
    file = tmp_path / "answers.jsonl"
    for rest in ('{"id": "2", "lab', '{"id": "3"}'):  # the second lacks only its line end
        with file.open("a") as lines:
            lines.write('{"id": "1"}\n' + rest)
        with serving.AnswerLog(file) as log:
            log.write([{"id": "4"}, {"id": "5"}])
    ids = [answer["id"] for answer in serving.read_answers(file)]
    assert ids == ["1", "4", "5", "1", "3", "4", "5"]


def test_an_answer_that_cannot_be_kept_is_not_given(serve, tmp_path, monkeypatch):
    file = tmp_path / "answers.jsonl"
    url = serve(answers=file)
    write = serving.AnswerLog.write

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serving.AnswerLog, "write", fail)
    assert post(url, tone(1)).status_code == 500
    monkeypatch.setattr(serving.AnswerLog, "write", write)
    assert post(url, tone(2)).status_code == 200
    assert [one["label"] for one in serving.read_answers(file)] == ["2"]


def test_a_file_of_answers_that_cannot_be_written_is_said_at_once(tmp_path):
    result = CliRunner().invoke(main, ["serve", "--answers", str(tmp_path / "no" / "a.jsonl")])
    assert result.exit_code == 1 and "cannot be written" in result.output


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"RIFF", b"[1, 2]", b"{1}\n"])
def test_a_file_of_something_else_is_left_as_it_is(tmp_path, content):
    """Such as the model that is given to --model."""
    file = tmp_path / "k2.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"k2\.npz holds something other than answers"):
        serving.AnswerLog(file)
    assert file.read_bytes() == content


def test_what_is_no_file_holds_no_answers(tmp_path):
    with pytest.raises(OSError, match=f"{tmp_path} is no file"):
        serving.AnswerLog(tmp_path)


def test_answers_that_somebody_else_wrote_do_not_keep_it_from_starting(serve, tmp_path):
    file = tmp_path / "answers.jsonl"
    others = [None, 3, {}, {"a": "b"}, {"a": float("nan")}]
    lines = [json.dumps({"sha256": "f" * 64, "probabilities": shares}) for shares in others]
    file.write_text("\n".join(['{"sha256": "%s"}' % ("f" * 64), *lines, ""]))
    url = serve(answers=file, n_drift=10)
    for n in range(20):
        assert post(url, tone(n % 10)).status_code == 200
    assert metric(url, "digitlab_drift_index") >= 0


def test_drift_goes_on_from_the_answers_that_were_kept(serve, tmp_path):
    file = tmp_path / "answers.jsonl"
    first = serve(answers=file, n_drift=10)
    for n in range(19):
        post(first, tone(n % 10))
    assert np.isnan(metric(first, "digitlab_drift_index"))
    post(first, tone(0))
    index = metric(first, "digitlab_drift_index")
    assert 0 <= index < metric(first, "digitlab_drift_limit")
    second = serve(answers=file, n_drift=10)
    assert metric(second, "digitlab_drift_index") == index


def test_the_page_needs_no_other_server(url):
    for place in ("/", "/docs"):
        reply = requests.get(url + place, timeout=SECONDS)
        assert reply.status_code == 200 and "://" not in reply.text
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        for name in ("POST /predict", "GET /health", "GET /metrics", "413", "Retry-After"):
            assert name in reply.text
    script = requests.get(f"{url}/docs.js", timeout=SECONDS)
    assert "javascript" in script.headers["Content-Type"] and "://" not in script.text
    schema = requests.get(f"{url}/openapi.json", timeout=SECONDS).json()
    assert "audio/wav" in schema["paths"]["/predict"]["post"]["requestBody"]["content"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/predict/..%2f..%2fetc/passwd", "/%0a%1b[31m", "/{7*7}"])
def test_unknown_places_are_not_there(url, method, path, capfd):
    reply = requests.request(method, url + path, timeout=SECONDS)
    assert reply.status_code in (404, 405) and set(reply.json()) == {"detail"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("place", "words"),
    [(("127.0.0.1", 8000), "http://127.0.0.1:8000, which only this machine can reach"),
     (("::1", 8000), "http://[::1]:8000, which only this machine can reach"),
     (("0.0.0.0", 80), "anybody on that network"), (("192.0.2.7", 80), "no password")],
)  # fmt: skip
def test_the_first_line_says_who_can_reach_it(place, words):
    from digitlab.cli.serving import _first_line

    assert words in " ".join(_first_line(*place).split())


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7", "no such host"])
def test_where_it_cannot_listen_it_says_what_to_do(host):
    with serving.listen(port=0) as taken:
        arguments = ["serve", "--host", host, "--port", str(taken.getsockname()[1])]
        result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "choose another --port" in result.output


def test_small_answers_are_sent_at_once(monkeypatch):
    """Head and body are two packets; without TCP_NODELAY the second waits 40 ms for the client."""
    seen = []

    class Watched(server._Impatient):
        def connection_made(self, transport):
            super().connection_made(transport)
            connection = transport.get_extra_info("socket")
            seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(server, "_Impatient", Watched)
    with serving.started(serving.app(Echo(), "f" * 64)) as url:
        requests.get(f"{url}/health", timeout=SECONDS)
    assert seen and all(seen)


class _Process:
    """``digitlab serve`` in a process of its own."""

    def __init__(self, answers):
        command = [sys.executable, "-m", "digitlab.cli", "serve", "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--answers", str(answers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def url(self):
        self.first_line = self.process.stdout.readline()
        return re.search(r"http://[\d.:]+", self.first_line).group()


@pytest.fixture
def processes(tmp_path):
    """Start two services at once: their imports take seconds."""
    pytest.importorskip("torch")
    both = [_Process(tmp_path / name) for name in ("killed.jsonl", "stopped.jsonl")]
    yield both
    for one in both:
        one.process.kill()
        one.process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="there no process can be asked to end")
def test_killed_it_loses_no_answer_and_stopped_it_answers_what_it_took(processes, tmp_path):
    killed, stopped = processes
    content = audio.wav_bytes("seven", voices.say("seven", rate=8000), 8000)
    address, answered = killed.url(), []
    assert "which only this machine can reach" in killed.first_line

    def ask():
        while True:
            try:
                answered.append(post(address, content).json()["id"])
            except (requests.RequestException, ValueError):
                return

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    _until(lambda: len(answered) >= 30)
    killed.process.kill()
    for thread in threads:
        thread.join(SECONDS)
    kept = {answer["id"] for answer in serving.read_answers(tmp_path / "killed.jsonl")}
    assert len(answered) >= 30 and set(answered) <= kept
    assert len(kept) <= len(answered) + len(threads)  # and no more than were on their way

    host, port = stopped.url().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(content)}\r\n\r\n".encode() + content[:50])
        _until(lambda: metric(f"http://{host}:{port}", "digitlab_in_progress") == 1)
        stopped.process.send_signal(signal.SIGTERM)
        _until(lambda: _is_refused(host, int(port)))
        connection.sendall(content[50:])
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and json.loads(body)["label"] == "7"
    assert stopped.process.wait(SECONDS) == 0
    assert stopped.process.stderr.read() == ""


def _is_refused(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def _until(is_true):
    """Wait until something is true, for a while."""
    end = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.02)
