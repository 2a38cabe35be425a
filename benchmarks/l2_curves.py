"""Why does L2 reach 0.79 here and 0.87 as published: early stopping, the seed, or the padding?

L2 is trained in Keras for 20 epochs without early stopping, with three seeds, each of which also
draws the split; on frames at the edges of a clip padded with zeros, as librosa does today, and
reflected, as it did when L2 was published. ``stops_at`` is the epoch after which the published rule
(min_delta 0.05, patience 2) would have stopped. Rows, one for each epoch, are written to
``book/l2_curves.csv``; those that are there are not made again. Some 10 minutes on two cores.
"""

from pathlib import Path

import librosa
import numpy as np
import pandas as pd

from digitlab import corpora, features, models, recipes, results, splits, training

FILE = Path("book/l2_curves.csv")
SEEDS, EPOCHS = (42, 43, 44), 20
L2 = recipes.RECIPES["L2"]


def reflected(waveforms: np.ndarray, rate: int) -> np.ndarray:
    """Return what ``features.log_mel`` does, but with reflected edges."""
    powers = librosa.feature.melspectrogram(y=waveforms, sr=rate, n_mels=64, pad_mode="reflect")
    return np.stack([librosa.power_to_db(power, ref=np.max) for power in powers])


def curves(x: np.ndarray, y: np.ndarray, rows, seed: int) -> pd.DataFrame:
    """Train L2, and return loss and accuracy after each epoch."""
    train, validation = rows
    history = training.keras.fit(
        models.keras.mel_lstm(*x.shape[1:], 10, seed=seed),
        x[train],
        y[train],
        epochs=EPOCHS,
        batch_size=L2.batch_size,
        learning_rate=L2.learning_rate,
        validation=(x[validation], y[validation]),
        seed=seed,
    )
    rule, losses = L2.early_stopping, history.validation_loss
    stops_at = next((n for n in range(1, EPOCHS + 1) if rule.stops(losses[:n])), EPOCHS)
    table = (
        pd.DataFrame(history.curves)
        .round(3)
        .rename(columns={"loss": "train_loss", "accuracy": "train_accuracy"})
    )
    table.insert(0, "epoch", np.arange(1, EPOCHS + 1))
    return table.assign(stops_at=stops_at)


def main() -> None:
    fsdd = corpora.load("fsdd")
    fsdd = fsdd.select(fsdd.table["speaker"].isin(recipes.FOUR))
    waveforms, _ = fsdd.prepare(L2.preparation)
    rate = L2.preparation.rate
    inputs = {"zeros": features.log_mel(waveforms, rate), "reflected": reflected(waveforms, rate)}
    y = fsdd.table["label"].to_numpy()
    kept = pd.read_csv(FILE) if FILE.exists() else pd.DataFrame(columns=["padding", "seed"])
    for padding, x in inputs.items():
        for seed in SEEDS:
            if ((kept["padding"] == padding) & (kept["seed"] == seed)).any():
                continue
            [rows] = splits.split(fsdd, "random", test_size=L2.test_size, seed=seed)
            table = curves(x, y, rows, seed)
            table.insert(0, "seed", seed)
            table.insert(0, "padding", padding)
            kept = pd.concat([kept, table])
            kept.to_csv(FILE, index=False)
            print(padding, seed, table["stops_at"].iloc[0], flush=True)
    ends = results.measured("l2_curves")
    at_stop = ends[ends["epoch"] == ends["stops_at"]]
    for name, chosen in (("at the stop", at_stop), ("epoch 20", ends[ends["epoch"] == EPOCHS])):
        print(name, chosen.groupby("padding")["validation_accuracy"].agg(["min", "mean", "max"]))


if __name__ == "__main__":
    main()
