"""How good is K2, and how long does it take beside the published procedure?

Both sides read the same files, scatter the same clips with kymatio on PyTorch and train the same
layer for 50 epochs. The published side follows the published order of work: clips one by one
through SciPy, features with order 0 kept until the end, the loop in single steps.
"""

import os
import statistics
import tempfile
import time
from unittest.mock import patch

import numpy as np
import torch
from kymatio import Scattering1D
from scipy.io import wavfile

from digitlab import corpora, experiment, features, reports

ROUNDS = 3
SEEDS = 10


def published_clips(corpus: corpora.Corpus) -> torch.Tensor:
    """Read the clips one by one, as published."""
    x = torch.zeros(len(corpus), 2**13)
    for row, path in enumerate(corpus.table["path"]):
        _, samples = wavfile.read(path)
        samples = torch.from_numpy(samples.astype(np.float32))
        samples = samples / samples.abs().max()
        samples = samples[: 2**13]
        before = (2**13 - len(samples)) // 2
        x[row, before : before + len(samples)] = samples
    return x


def published(corpus: corpora.Corpus) -> tuple[float, float, float]:
    """Seconds for features, seconds for training, and test accuracy, the published way."""
    start = time.perf_counter()
    x = published_clips(corpus)
    y = torch.as_tensor(corpus.table["label"].to_numpy())
    is_test = torch.as_tensor((corpus.table["take"] < 5).to_numpy())
    scattering = Scattering1D(J=8, shape=2**13, Q=12, frontend="torch")
    with torch.no_grad():
        s = torch.cat([scattering(batch) for batch in x.split(64)])
    s = torch.log(s[:, 1:].abs() + 1e-6).mean(dim=-1)
    seconds_features = time.perf_counter() - start

    start = time.perf_counter()
    torch.manual_seed(42)
    train, labels = s[~is_test], y[~is_test]
    mean, spread = train.mean(dim=0), train.std(dim=0)
    train = (train - mean) / spread
    model = torch.nn.Sequential(torch.nn.Linear(336, 10), torch.nn.LogSoftmax(dim=1))
    adam = torch.optim.Adam(model.parameters())
    criterion = torch.nn.NLLLoss()
    for _ in range(50):
        order = torch.randperm(len(train))
        for i in range(len(train) // 32):
            rows = order[i * 32 : (i + 1) * 32]
            loss = criterion(model(train[rows]), labels[rows])
            model.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            answers = model(train)
            criterion(answers, labels).item()
            (answers.argmax(dim=1) == labels).float().mean().item()
    with torch.no_grad():
        answers = model((s[is_test] - mean) / spread).argmax(dim=1)
    accuracy = (answers == y[is_test]).float().mean().item()
    return seconds_features, time.perf_counter() - start, accuracy


def ours(corpus: corpora.Corpus) -> tuple[float, float, float]:
    """Measure the same three of the recipe, with an empty cache of features."""
    with tempfile.TemporaryDirectory() as empty, patch.dict(os.environ, DIGITLAB_CACHE=empty):
        start = time.perf_counter()
        features.log_scattering(corpus.waveforms(), corpus.rate)
        seconds_features = time.perf_counter() - start
        report = experiment.run("K2", corpus=corpus, scale="laptop")
    return seconds_features, report.seconds_training, report.test_accuracy


def summary(name: str, report: reports.Report) -> None:
    seeds = {}
    for part in report.parts:
        seeds.setdefault(part.seed, []).append(part.test_accuracy)
    means = [np.mean(folds) for folds in seeds.values()]
    print(
        f"{name}: {np.mean(means):.4f} ± {np.std(means, ddof=1):.4f} over {len(means)} seeds; "
        f"Wilson {report.interval[0]:.3f} to {report.interval[1]:.3f}, "
        f"speakers {report.speaker_interval[0]:.3f} to {report.speaker_interval[1]:.3f}"
    )


def main() -> None:
    corpus = corpora.load("fsdd", fallback="voices")
    print(f"{corpus.title}, {len(corpus):,} clips, {os.cpu_count()} cores, {torch.__version__}")
    rounds = [(published(corpus), ours(corpus)) for _ in range(ROUNDS)]
    for i, what in enumerate(("features", "training")):
        theirs, mine = ([round_[side][i] for round_ in rounds] for side in (0, 1))
        ratio = statistics.median(a / b for a, b in zip(theirs, mine, strict=True))
        print(
            f"{what}: published {statistics.median(theirs):.1f} s, "
            f"digitlab {statistics.median(mine):.1f} s, ratio {ratio:.2f} (medians of {ROUNDS})"
        )
    accuracies = [side[2] for side in rounds[0]]
    print("test accuracy, one seed: published {:.3f}, digitlab {:.3f}".format(*accuracies))
    summary("official split", experiment.run("K2", corpus=corpus, scale="laptop", seeds=SEEDS))
    summary(
        "leave speakers out",
        experiment.run("K2", corpus=corpus, scale="laptop", seeds=SEEDS, split="speaker"),
    )


if __name__ == "__main__":
    main()
