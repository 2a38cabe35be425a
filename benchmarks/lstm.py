"""How long do the LSTMs learn, as published and put right?

L2 and L5 learn from the same clips, FSDD's own training set, in turn. The published side is Keras
as the notebook had it: mel bands for steps, batches of 16, and predictions on both sets after each
epoch, for F1. One epoch of it is timed, the second, and scaled to the thirteen that it ran. Ours is
the whole recipe L5, all epochs, measuring included, in either framework. Then L1: one batch of 8
clips of 17,640 samples, scaled to an epoch of the 1,400 published clips, beside all of L7.
"""

import os
import statistics
import time

import keras
import numpy as np
import torch
from sklearn.metrics import f1_score

from digitlab import corpora, experiment, features, models, recipes, splits

ROUNDS = 3
EPOCHS_L2 = 13
CLIPS_L1 = 1400
SHARE_L1 = 10  # of the steps, one in so many


def published_l2(train: tuple, test: tuple) -> float:
    """Seconds of thirteen epochs, from the second of two."""
    model = keras.Sequential(
        [
            keras.Input((64, 35)),
            keras.layers.LSTM(256, return_sequences=True),
            keras.layers.Lambda(lambda states: keras.ops.mean(states, axis=2)),
            keras.layers.Dense(256, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dense(10, activation="softmax", kernel_initializer="glorot_normal"),
        ]
    )
    model.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    begins = []

    def predict_both(epoch: int, logs: dict) -> None:
        for x, y in (train, test):
            f1_score(y, model.predict(x, verbose=0).argmax(axis=1), average="micro")

    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begins.append(time.perf_counter()),
        on_epoch_end=predict_both,
    )
    model.fit(*train, 16, epochs=2, validation_data=test, callbacks=[watch], verbose=0)
    return EPOCHS_L2 * (time.perf_counter() - begins[1])  # the first makes the graph


def ours(name: str, framework: str, corpus: corpora.Corpus) -> tuple[float, float]:
    """Seconds of training and accuracy of a recipe on the official test."""
    report = experiment.run(name, framework=framework, corpus=corpus, scale="full")
    return report.seconds_training, report.test_accuracy


def published_l1(clips: np.ndarray, labels: np.ndarray) -> float:
    """Seconds of a batch, the second of two: the first makes the graph."""
    inputs, mask = keras.Input((clips.shape[1], 1)), keras.Input((clips.shape[1],), dtype="bool")
    state = keras.layers.LSTM(25)(inputs, mask=mask)
    hidden = keras.layers.Dense(50, activation="relu", kernel_initializer="he_normal")(state)
    outputs = keras.layers.Dense(10, "softmax", kernel_initializer="glorot_normal")(hidden)
    model = keras.Model([inputs, mask], outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    for _ in range(2):
        start = time.perf_counter()
        model.train_on_batch([clips, clips[..., 0] != 0], labels)
    return time.perf_counter() - start


def our_l1(clips: np.ndarray, labels: np.ndarray) -> float:
    """Measure the same of the twin in PyTorch."""
    model = models.torch.raw_lstm(*clips.shape[1:], 10)
    adam = torch.optim.Adam(model.parameters())
    x, y = torch.as_tensor(clips), torch.as_tensor(labels)
    for _ in range(2):
        start = time.perf_counter()
        adam.zero_grad()
        torch.nn.functional.nll_loss(model(x), y).backward()
        adam.step()
    return time.perf_counter() - start


def compare_mel(corpus: corpora.Corpus) -> None:
    waveforms, _ = corpus.prepare(recipes.RECIPES["L2"].preparation)
    x, y = features.log_mel(waveforms, 22050), corpus.table["label"].to_numpy()
    [(train, test)] = splits.split(corpus, "official")
    sets = [(x[rows], y[rows]) for rows in (train, test)]
    rounds = [
        (published_l2(*sets), *(ours("L5", framework, corpus) for framework in ("torch", "keras")))
        for _ in range(ROUNDS)
    ]
    theirs = [round_[0] for round_ in rounds]
    print(f"L2, 13 epochs: published {statistics.median(theirs):.1f} s (medians of {ROUNDS})")
    for i, framework in enumerate(("torch", "keras"), start=1):
        seconds, accuracies = zip(*(round_[i] for round_ in rounds), strict=True)
        ratio = statistics.median(a / b for a, b in zip(seconds, theirs, strict=True))
        print(
            f"L5, whole, {framework}: {statistics.median(seconds):.1f} s, {ratio:.3f} of its time, "
            f"official test {statistics.median(accuracies):.3f}"
        )


def compare_raw(corpus: corpora.Corpus) -> None:
    some = corpus.select(np.random.default_rng(0).permutation(len(corpus))[:8])
    waveforms, _ = some.prepare(recipes.RECIPES["L1"].preparation)
    clips = features.samples(waveforms[:, : waveforms.shape[1] // SHARE_L1], 22050)
    labels = np.array(some.table["label"])
    rounds = [(published_l1(clips, labels), our_l1(clips, labels)) for _ in range(ROUNDS)]
    epoch = SHARE_L1 * CLIPS_L1 / len(clips)
    theirs, mine = (epoch * statistics.median(side) for side in zip(*rounds, strict=True))
    seconds, accuracy = ours("L7", "torch", corpus)
    print(
        f"L1, one epoch of {CLIPS_L1:,} clips, scaled: published {theirs / 60:.1f} min, its twin "
        f"in PyTorch {mine / 60:.1f} min (medians of {ROUNDS})\n"
        f"L7, whole: {seconds / 60:.1f} min, official test {accuracy:.3f}"
    )


def main() -> None:
    corpus = corpora.load("fsdd", fallback="voices")
    where = "a GPU" if torch.cuda.is_available() else f"{os.cpu_count()} cores"
    print(f"{corpus.title}, {len(corpus):,} clips, {where}, torch {torch.__version__}")
    compare_mel(corpus)
    compare_raw(corpus)


if __name__ == "__main__":
    main()
