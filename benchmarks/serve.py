"""How many requests a second does `digitlab serve` answer, how fast, and in how much memory?

Three services in processes of their own, each asked by 1 to 50 clients on this machine alone: the
one that answers what waits together; the same, which answers one after the other; and what one
would write first, a FastAPI route that reads the file and calls `predict`. A client sends the next
recording when it has the answer to the last one. The rows are written to ``book/serving.csv``.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import requests

from digitlab import audio, corpora, pretrained, serving
from digitlab.environment import sha256

FILE = Path("book/serving.csv")
SERVICES = ("batches", "one by one", "plain route")
CLIENTS = (1, 5, 20, 50)
ROUNDS = 3
SECONDS, LONG_S = 4.0, 60.0
WARM_UP_S = 1.0
N_RECORDINGS = 200
DEADLINE_S = 30.0  # for one answer


def plain_route():
    """Return the service that one would write first."""
    from fastapi import FastAPI, Request

    application, recogniser = FastAPI(), pretrained.load()

    @application.post("/predict")
    async def predict(request: Request):
        content = await request.body()
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            file.write(content)
            file.flush()
            answer = recogniser.predict(*audio.read_wav(file.name))
        shares = zip(recogniser.classes, answer.probabilities.tolist(), strict=True)
        return {"label": answer.label, "probabilities": dict(shares)}

    return application


def run_service(kind: str) -> None:
    """Listen on a free port, and print its address."""
    if kind == "plain route":
        application = plain_route()
    else:
        limits = serving.Limits(batch_size=1 if kind == "one by one" else 32)
        digest = sha256(pretrained.FILE)
        application = serving.app(pretrained.load(), digest, limits=limits)
    listener = serving.listen(port=0)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    serving.run(application, listener)


async def client(place, bodies, number: int, end: float, latencies: list, errors: list) -> None:
    """Post one recording after the other over one connection."""
    reader, writer = await asyncio.open_connection(*place)
    try:
        while (start := time.perf_counter()) < end:
            body = bodies[number % len(bodies)]
            head = f"POST /predict HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            async with asyncio.timeout(DEADLINE_S):
                reply = await reader.readuntil(b"\r\n\r\n")
                size = int(re.search(rb"content-length: (\d+)", reply).group(1))
                content = await reader.readexactly(size)
            is_good = reply.startswith(b"HTTP/1.1 200") and b'"label"' in content
            (latencies if is_good else errors).append(time.perf_counter() - start)
            number += 7
    except (OSError, EOFError, TimeoutError) as error:
        errors.append(error)
    finally:
        writer.close()


async def load(url: str, bodies: list[bytes], n_clients: int, seconds: float):
    """Return latencies in seconds, and errors, of so many clients at once."""
    host, port = url.removeprefix("http://").split(":")
    latencies: list[float] = []
    errors: list = []
    end = time.perf_counter() + seconds
    numbers = range(0, 13 * n_clients, 13)
    await asyncio.gather(
        *(client((host, port), bodies, number, end, latencies, errors) for number in numbers)
    )
    return np.array(latencies), errors


def memory_mb(process: subprocess.Popen) -> float:
    """Return the resident memory of a process, on Linux."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def batches(url: str) -> np.ndarray:
    """Return how many batches and clips there were; NaN where nobody counts."""
    text = requests.get(f"{url}/metrics", timeout=DEADLINE_S).text
    found = [re.search(rf"digitlab_batch_clips_{name} (\S+)", text) for name in ("count", "sum")]
    return np.array([float(match.group(1)) if match else np.nan for match in found])


def measure(kind: str, process, url: str, bodies, n_clients: int, seconds: float) -> dict:
    """Return a row: one service under one load."""
    asyncio.run(load(url, bodies, n_clients, WARM_UP_S))
    before, counts = memory_mb(process), batches(url)
    start = time.perf_counter()
    latencies, errors = asyncio.run(load(url, bodies, n_clients, seconds))
    took = time.perf_counter() - start
    n_batches, n_clips = batches(url) - counts
    p50, p95, p99 = np.percentile(1000 * latencies, [50, 95, 99])
    return {
        "service": kind,
        "clients": n_clients,
        "seconds": round(took, 1),
        "requests": len(latencies),
        "errors": len(errors),
        "per_second": round(len(latencies) / took, 1),
        "mean_ms": round(1000 * latencies.mean(), 1),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "mean_batch": round(n_clips / n_batches, 2) if n_batches else np.nan,
        "memory_start_mb": round(before, 1),
        "memory_end_mb": round(memory_mb(process), 1),
    }


def recordings() -> list[bytes]:
    """Return WAV files of FSDD, or of the built-in voices where it is missing."""
    corpus = corpora.load("fsdd", fallback="voices")
    rows = np.random.default_rng(0).permutation(len(corpus))[:N_RECORDINGS]
    return [audio.wav_bytes("", corpus.read(int(row)), corpus.rate) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--service", choices=SERVICES, help="Run this one, until it is stopped.")
    parser.add_argument("--quick", action="store_true", help="Try everything; write nothing.")
    settings = parser.parse_args()
    if settings.service:
        return run_service(settings.service)
    bodies, rows = recordings(), []
    command = [sys.executable, __file__, "--service"]
    seconds, long_s, rounds = (0.5, 1.0, 1) if settings.quick else (SECONDS, LONG_S, ROUNDS)
    processes = {kind: subprocess.Popen([*command, kind], stdout=subprocess.PIPE, text=True)
                 for kind in SERVICES}  # fmt: skip
    try:
        urls = {kind: one.stdout.readline().strip() for kind, one in processes.items()}
        loads = [(n, seconds) for n in CLIENTS] * rounds + [(max(CLIENTS), long_s)]
        for n_clients, duration in loads:
            for kind, process in processes.items():
                rows.append(measure(kind, process, urls[kind], bodies, n_clients, duration))
                print(*rows[-1].values(), flush=True)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait(DEADLINE_S)
    table = pd.DataFrame(rows)
    if not settings.quick:
        table.to_csv(FILE, index=False)
    print(table.groupby(["clients", "service"])[["per_second", "p50_ms", "p95_ms"]].median())


if __name__ == "__main__":
    main()
