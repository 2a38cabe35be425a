"""What does the book do on a GPU: do its chapters run there, and how long do its systems take?

Chapters 9, 11 and 14 are executed with PyTorch on the GPU (and Keras on PyTorch, where TensorFlow
is missing); then C1 is timed in full and in half precision; then C1 to C4, to the end of their
cycle, and L1, L3 and L4 as published are trained with three seeds, and their rows written to a file
like ``book/results.csv``. Each part says what it took. ``--device cpu --scale smoke`` tries the
script itself on a machine without a GPU.

    python benchmarks/gpu.py gpu.csv
"""

import argparse
import importlib.util
import os
import time
from pathlib import Path

import nbformat
import numpy as np
import torch
from nbclient import NotebookClient

from digitlab import corpora, experiment, models, results, training

CHAPTERS = ("09_scattering_pytorch", "11_lstm", "14_convnet_words")
SYSTEMS = [(f"C{n}", "laptop") for n in range(1, 5)] + [(f"L{n}", "full") for n in (1, 3, 4)]
SEEDS = 3


def run_chapters(scale: str) -> None:
    """Execute the chapters as a reader would, and say how long each took."""
    os.environ["DIGITLAB_SCALE"] = scale
    for name in CHAPTERS:
        path = Path("book", f"{name}.ipynb")
        client = NotebookClient(nbformat.read(path, 4), timeout=600)
        start = time.perf_counter()
        client.execute(cwd=str(path.parent))
        print(f"chapter {name}: {time.perf_counter() - start:.0f} s", flush=True)


def time_c1(device: str, n_clips: int) -> None:
    """Print how many clips a second C1 learns from, in either precision."""
    x = np.random.default_rng(0).normal(size=(n_clips, 16000, 1)).astype(np.float32)
    y = np.arange(n_clips) % 30
    for precision in ("32-true", "bf16-mixed"):
        settings = {"batch_size": 128, "precision": precision, "device": device}
        network = models.torch.deep_cnn(16000, 1, 30)
        training.lightning.fit(network, (x, y), epochs=1, **settings)
        start = time.perf_counter()
        training.lightning.fit(network, (x, y), epochs=4, **settings)
        rate = 4 * n_clips / (time.perf_counter() - start)
        print(f"C1 {precision}: {rate:,.0f} clips a second on {device}", flush=True)


def train_systems(file: Path, device: str, scale: str) -> None:
    """Train the systems whose rows the book wants from a GPU, and keep the rows."""
    for name, whole in SYSTEMS:
        corpus = "speech_commands" if name.startswith("C") else "fsdd"
        plan = experiment.plan(
            name,
            framework="torch",
            corpus=corpora.load(corpus),
            scale=scale or whole,
            seeds=SEEDS,
            device=device,
        )
        for report in experiment.fold_by_fold(plan):
            results.append(report, file)
            print(
                f"{name} seed {report.seed}: {report.test_accuracy:.3f} of {report.n_test} clips, "
                f"{report.seconds_training:.0f} s on {report.device}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="where the rows go")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--scale", default="", help="smoke, to try this script")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU here")
    if not importlib.util.find_spec("tensorflow"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
    results.refuse(given.file)
    print(torch.cuda.get_device_name() if given.device == "cuda" else "no GPU", flush=True)
    run_chapters(given.scale or "laptop")
    time_c1(given.device, 128 if given.scale else 4096)
    train_systems(given.file, given.device, given.scale)


if __name__ == "__main__":
    main()
