"""Is the small network C5 no worse than C1 on the same clips, and how long does a step take it?

A step is one of C1's batches, forwards, backwards and Adam, on two cores: the median of five, the
two in turn. Then both are run on what there is of Speech Commands. C1 goes to the end of its fifty
epochs, and may multiply numbers of 16 bits: some 25 minutes without a GPU. ``--memory`` measures
instead what :func:`digitlab.environment.keep_freed_memory` gains: clips a second of C1, and the
most memory of the process, with it and without, in turn.
"""

import argparse
import subprocess
import sys
import time

import numpy as np
import torch

from digitlab import corpora, evaluation, experiment, models, recipes

C1 = recipes.RECIPES["C1"]
ROUNDS = 3
PROGRAM = """
import resource, sys, time
import numpy as np
from digitlab import models
from digitlab.training import lightning
if sys.argv[1] == "give back":
    lightning.keep_freed_memory = lambda: False
x = np.random.default_rng(0).normal(size=(384, 16000, 1)).astype(np.float32)
clips = x, np.arange(len(x)) % 30
model = models.torch.deep_cnn(16000, 1, 30)
def fit(epochs):
    lightning.fit(model, clips, epochs=epochs, batch_size=128, precision="bf16-mixed", device="cpu")
fit(1)
start = time.perf_counter()
fit(2)
rate = 2 * len(x) / (time.perf_counter() - start)
print(rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def step(network: torch.nn.Module) -> float:
    """Return the seconds of one step."""
    optimizer = torch.optim.Adam(network.parameters())
    x, y = torch.randn(C1.batch_size, 16000, 1), torch.randint(0, 30, (C1.batch_size,))
    optimizer.zero_grad()
    start = time.perf_counter()
    torch.nn.functional.nll_loss(network(x), y).backward()
    optimizer.step()
    return time.perf_counter() - start


def memory() -> None:
    """Compare freed memory that is kept with freed memory that is given back."""
    ways = ("keep", "give back")
    found = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way in ways:
            run = [sys.executable, "-c", PROGRAM, way]
            done = subprocess.run(run, check=True, text=True, capture_output=True)
            found[way].append([float(word) for word in done.stdout.split()[-2:]])
    rates, sizes = (np.array([found[way] for way in ways])[..., i] for i in (0, 1))
    for way, rate, size in zip(
        ways, np.median(rates, axis=1), np.median(sizes, axis=1), strict=True
    ):
        print(f"{way:9} {rate:5.0f} clips a second, {size:.1f} GB at most")
    print(f"kept: {np.median(rates[0] / rates[1]):.2f} times as fast")


def main() -> None:
    torch.set_num_threads(2)
    pair = [
        build(16000, 1, 30).to(memory_format=torch.channels_last)
        for build in (models.torch.deep_cnn, models.torch.separable_cnn)
    ]
    seconds = np.array([[step(network) for network in pair] for _ in range(6)])[1:]
    c1, c5 = np.median(seconds, axis=0)
    ratio = np.median(seconds[:, 1] / seconds[:, 0])
    print(f"a step of {C1.batch_size} clips: C1 {c1:.2f} s, C5 {c5:.3f} s, {ratio:.3f} of it")

    corpus = corpora.load("speech_commands")
    reports = [
        experiment.run("C5", corpus=corpus, scale="laptop"),
        experiment.run("C1", corpus=corpus, scale="laptop", precision="bf16-mixed"),
    ]
    for report in reports:
        low, high = report.interval
        print(
            f"{report.recipe}: {report.test_accuracy:.3f} ({low:.3f} to {high:.3f}) of "
            f"{report.n_test} clips, balanced {report.balanced_accuracy:.3f}; "
            f"{report.n_trainable:,} weights, {report.seconds_training:.0f} s on {report.device}"
        )
    small, large = (report.y_true == report.y_pred for report in reports)
    print("C5 less C1:", evaluation.compare(small, large, reports[0].speakers))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memory", action="store_true", help="measure the allocator alone")
    memory() if parser.parse_args().memory else main()
