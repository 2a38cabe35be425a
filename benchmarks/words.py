"""Is the small network C5 no worse than C1 on the same clips, and how long does a step take it?

A step is one of C1's batches, forwards, backwards and Adam, on two cores: the median of five, the
two in turn. Then both are run on what there is of Speech Commands. C1 goes to the end of its fifty
epochs, as nobody stops it, and may multiply numbers of 16 bits: some 25 minutes without a GPU.
"""

import time
from dataclasses import replace

import numpy as np
import torch

from digitlab import corpora, evaluation, models, recipes

C1 = recipes.RECIPES["C1"]


def step(network: torch.nn.Module) -> float:
    """Return the seconds of one step."""
    descent = torch.optim.Adam(network.parameters())
    x, y = torch.randn(C1.batch_size, 16000, 1), torch.randint(0, 30, (C1.batch_size,))
    descent.zero_grad()
    start = time.perf_counter()
    torch.nn.functional.nll_loss(network(x), y).backward()
    descent.step()
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(2)
    pair = [
        build(16000, 1, 30).to(memory_format=torch.channels_last)
        for build in (models.torch.complex_cnn, models.torch.separable_cnn)
    ]
    seconds = np.array([[step(network) for network in pair] for _ in range(6)])[1:]
    c1, c5 = np.median(seconds, axis=0)
    ratio = np.median(seconds[:, 1] / seconds[:, 0])
    print(f"a step of {C1.batch_size} clips: C1 {c1:.2f} s, C5 {c5:.3f} s, {ratio:.3f} of it")

    recipes.RECIPES["C1"] = replace(C1, early_stopping=None)
    corpus = corpora.load("speech_commands")
    reports = [
        recipes.run("C5", corpus=corpus, scale="full"),
        recipes.run("C1", corpus=corpus, scale="full", precision="bf16-mixed"),
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
    main()
