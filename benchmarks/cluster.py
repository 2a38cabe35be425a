"""How fast do features of 100,000 clips reach the disk, by one worker and by two?

The clips are synthetic: words by the built-in voices, each perturbed by gain, shift and noise from
a seed, in the process that needs them. Log-mel spectrograms of each are written in batches of 1,024
clips: by a plain loop in one process, by two of joblib's processes (loky), and by a Dask cluster on
this machine, with one worker and with two. Every run is a process of its own, so that the peak of
its memory is its own. The rows are written to ``book/cluster.csv``. Run it while nothing else runs:

    python benchmarks/cluster.py [CLIPS]
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from digitlab import audio, features, results, voices
from digitlab.environment import made_cache_folder

FILE = Path("book/cluster.csv")
FEATURE, RATE, N_SAMPLES = "log_mel", 8000, 8192
AT_ONCE = 1024  # clips
N_WORDS = 300  # spoken beforehand; every clip is one of them, changed
RUNS = [("loop", 1), ("loky", 2), ("dask", 1), ("dask", 2)]  # one process of loky's is a loop
MB = 1e6 if sys.platform == "darwin" else 1e3  # in units of ru_maxrss


def clips(start: int, stop: int, file: Path, uses: Path) -> np.ndarray:
    """Return clips of these numbers, each made from its own seed; note what the process uses."""
    spoken = np.load(file, mmap_mode="r")
    made = np.zeros((stop - start, N_SAMPLES), np.float32)
    for row, number in enumerate(range(start, stop)):
        rng = np.random.default_rng(number)
        shifted = np.roll(spoken[rng.integers(len(spoken))], rng.integers(-800, 801))
        made[row] = shifted * rng.uniform(0.2, 1) + 0.01 * rng.standard_normal(N_SAMPLES, "f4")
    note_use(uses / f"{os.getpid()}.json")
    return made


def note_use(file: Path) -> None:
    """Write down the peak of this process's memory and its processor time until now."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    file.write_text(json.dumps([use.ru_maxrss / MB, use.ru_utime + use.ru_stime]), "ascii")


def backend(name: str, n_workers: int):
    """Return what tells joblib who works."""
    if name == "dask":
        from dask.distributed import Client

        # joblib asks no cluster of one thread, so a worker alone has two, and one slot
        settings = {"threads_per_worker": 2 // n_workers, "resources": {"slot": 1}}
        Client(n_workers=n_workers, dashboard_address="127.0.0.1:0", **settings)
        return joblib.parallel_config(backend="dask", resources={"slot": 1})
    if name == "loky":
        return joblib.parallel_config(backend="loky", n_jobs=n_workers)
    return joblib.parallel_config(backend="sequential")


def run(name: str, n_workers: int, n_clips: int, folder: Path) -> None:
    """Compute the features in this process, or from it; print a row."""
    uses = folder / f"{name}-{n_workers}"
    uses.mkdir()
    batches = (
        partial(clips, start, min(start + AT_ONCE, n_clips), folder / "words.npy", uses)
        for start in range(0, n_clips, AT_ONCE)
    )
    with backend(name, n_workers):
        ready = time.perf_counter()
        table = features.compute_to_disk(FEATURE, batches, RATE, folder / "shards")
        seconds = time.perf_counter() - ready
    assert table["n_clips"].sum() == n_clips and not table["was_there"].any()
    own = f"{os.getpid()}.json"
    note_use(uses / own)
    submitter, *workers = [
        json.loads(file.read_text()) for file in sorted(uses.iterdir(), key=lambda f: f.name != own)
    ]
    row = {
        "backend": name,
        "workers": n_workers,
        "clips": n_clips,
        "seconds": round(seconds, 1),
        "clips_a_second_a_worker": round(n_clips / seconds / n_workers, 1),
        "cpu_seconds": round(sum(cpu for _, cpu in [submitter, *workers]), 1),
        "submitter_mb": round(submitter[0]),
        "worker_mb": round(max(peak for peak, _ in workers)) if workers else None,
        "shards_mb": round(sum(f.stat().st_size for f in folder.glob("shards/*.npy")) / 1e6),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(row))


def speak(file: Path) -> None:
    """Keep the words that all clips are made of."""
    pairs = list(product(range(10), range(N_WORDS // 10)))
    said = joblib.Parallel(n_jobs=-1)(
        joblib.delayed(voices.say)(*pair, rate=RATE) for pair in pairs
    )
    np.save(file, np.stack([audio.fit(audio.peak_normalize(word), N_SAMPLES) for word in said]))


def main(n_clips: int) -> None:
    rows = []
    for name, n_workers in RUNS:
        with tempfile.TemporaryDirectory(dir=made_cache_folder()) as folder:
            if not rows:
                speak(words_file := made_cache_folder() / "cluster-words.npy")
            os.link(words_file, Path(folder, "words.npy"))
            command = [sys.executable, __file__, name, str(n_workers), str(n_clips), folder]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows.append(json.loads(printed.splitlines()[-1]))
            print(rows[-1], flush=True)
            pd.DataFrame(rows).to_csv(FILE, index=False)
    words_file.unlink()
    table = results.measured("cluster").set_index(["backend", "workers"])["seconds"]
    print(f"loky: {table['loop', 1] / table['loky', 2]:.2f} times as fast with two workers")
    print(f"dask: {table['dask', 1] / table['dask', 2]:.2f} times as fast with two workers")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [name, n_workers, n_clips, folder]:
            run(name, int(n_workers), int(n_clips), Path(folder))
        case [n_clips]:
            main(int(n_clips))
        case []:
            main(100_000)
