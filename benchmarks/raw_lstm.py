"""Why does an LSTM not learn from raw samples: its gates, its input, or the number of its steps?

The published L1 is trained, for equally many steps of the optimizer, with three kinds of gates, on
samples as recorded and on samples scaled to one peak; and once more on the same samples in frames
of 80, so that 2,000 steps become 25. Each variant gets the loudest 2,000 samples of each clip, at
8 kHz, of FSDD's four published speakers: 1,400 clips to train on and 600 for validation. Rows are
written to ``book/raw_lstm.csv``; those that are there are not made again.

    python benchmarks/raw_lstm.py --seeds 3
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from digitlab import audio, corpora, models, recipes, results, splits, training

FILE = Path("book/raw_lstm.csv")
N_SAMPLES, FRAME = 2000, 80
EPOCHS, BATCH_SIZE, LEARNING_RATE = 20, 16, 1e-3
OPENED = 5.0  # forget gates start at sigmoid(5) = 0.993, input gates at 0.007
VARIANTS = [
    ("frames", "default", "as recorded"),
    ("frames", "default", "one peak"),
    ("samples", "default", "as recorded"),
    ("samples", "default", "one peak"),
    ("samples", "opened", "as recorded"),
    ("samples", "opened", "one peak"),
    ("samples", "spread", "as recorded"),
    ("samples", "spread", "one peak"),
]


def loudest(clip: np.ndarray) -> np.ndarray:
    """Return the loudest stretch of a clip, with zeros behind a clip that is shorter."""
    clip = np.pad(clip, (0, max(0, N_SAMPLES - len(clip))))
    power = np.concatenate([[0], np.cumsum(clip.astype(float) ** 2)])
    start = int(np.argmax(power[N_SAMPLES:] - power[:-N_SAMPLES]))
    return clip[start : start + N_SAMPLES]


def with_gates(network: torch.nn.Module, gates: str, n_steps: int, seed: int) -> torch.nn.Module:
    """Give the LSTM other biases of its input and forget gates."""
    bias = network[1].bias_ih_l0.data
    n_units = len(bias) // 4
    if gates == "spread":  # Tallec and Ollivier 2018: memories from one step to all of them
        rng = np.random.default_rng(seed)
        forget = torch.tensor(np.log(rng.uniform(1, n_steps - 1, n_units)), dtype=bias.dtype)
    else:
        forget = torch.full((n_units,), OPENED)
    if gates != "default":
        bias[:n_units], bias[n_units : 2 * n_units] = -forget, forget
    return network


def train(clips, y, rows, gates: str, seed: int) -> dict[str, float]:
    """Train one variant, and return what it reached."""
    train, validation = rows
    network = models.torch.raw_lstm(*clips.shape[1:], 10, seed=seed)
    history = training.torch.fit(
        with_gates(network, gates, clips.shape[1], seed),
        clips[train],
        y[train],
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
        validation=(clips[validation], y[validation]),
        seed=seed,
        device="cpu",
    )
    return {
        "optimizer_steps": EPOCHS * (len(train) // BATCH_SIZE),
        "train_loss": round(history.loss[-1], 4),
        "train_accuracy": round(history.accuracy[-1], 4),
        "validation_loss": round(history.validation_loss[-1], 4),
        "validation_accuracy": round(history.validation_accuracy[-1], 4),
        "n_validation": len(validation),
        "seconds": round(history.seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    n_seeds = parser.parse_args().seeds
    torch.set_num_threads(1)  # each step waits for the one before
    fsdd = corpora.load("fsdd")
    fsdd = fsdd.select(fsdd.table["speaker"].isin(recipes.FOUR))
    y = fsdd.table["label"].to_numpy()
    [rows] = splits.split(fsdd, "random", test_size=0.3, seed=45)
    recorded = np.stack([loudest(clip) for clip in fsdd.recordings()])
    peaks = np.stack([audio.peak_normalize(clip) for clip in recorded])
    kept = pd.read_csv(FILE).to_dict("records") if FILE.exists() else []
    for seed in range(42, 42 + n_seeds):
        for layout, gates, level in VARIANTS:
            key = {"input": layout, "gates": gates, "level": level, "seed": seed}
            if any(key.items() <= row.items() for row in kept):
                continue
            samples = recorded if level == "as recorded" else peaks
            width = FRAME if layout == "frames" else 1
            clips = samples.reshape(len(samples), -1, width).astype(np.float32)
            kept.append(key | {"steps": clips.shape[1]} | train(clips, y, rows, gates, seed))
            print(*kept[-1].values(), flush=True)
            pd.DataFrame(kept).to_csv(FILE, index=False)
    by = ["input", "gates", "level"]
    columns = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    print(results.measured("raw_lstm").groupby(by)[columns].mean().round(3))


if __name__ == "__main__":
    main()
