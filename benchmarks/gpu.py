"""What does the book do on a GPU: do its chapters run there, and how fast does C1 learn?

C1 is timed in full and in half precision; then chapters 9, 11 and 14 are executed with PyTorch on
the GPU (and Keras on PyTorch, where TensorFlow is missing). ``digitlab run --all --append`` trains
on the GPU by itself; C1 to C4 take one to two minutes a training there, and hours without one.
``--device cpu --scale smoke`` tries the script itself on a machine without a GPU.

    python benchmarks/gpu.py
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

from digitlab import models, training

CHAPTERS = ("09_scattering_pytorch", "11_lstm", "14_convnet_words")


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--scale", default="laptop")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU here")
    if not importlib.util.find_spec("tensorflow"):
        os.environ.setdefault("KERAS_BACKEND", "torch")
    print(torch.cuda.get_device_name() if given.device == "cuda" else "no GPU", flush=True)
    time_c1(given.device, 128 if given.scale == "smoke" else 4096)
    run_chapters(given.scale)


if __name__ == "__main__":
    main()
