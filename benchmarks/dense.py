"""What does D3 reach, on strangers too, and in what share of the published D1's time?

The published procedure is D1 in Keras: batches of 6, the resizing in the model, 10 epochs, of which
two are run and the second is scaled. D3 is run whole, in Keras, features included. Both learn from
the same clips of AudioMNIST, if at least 3,000 are on this machine, else of FSDD.
"""

import numpy as np

from digitlab import corpora, experiment, features, models, recipes, splits, training

D1 = recipes.RECIPES["D1"]


def published_seconds(corpus: corpora.Corpus, rows: np.ndarray) -> float:
    """Return the seconds of ten epochs, from the second."""
    clips = corpus.select(rows)
    x = features.magnitude_spectrogram(clips.prepare(D1.preparation)[0], 48000)
    ends = []
    training.keras.fit(
        models.keras.picture_dense(*x.shape[1:], len(corpus.classes)),
        x,
        clips.table["label"].to_numpy(),
        epochs=2,
        batch_size=D1.batch_size,
        optimizer=D1.optimizer,
        callbacks=[lambda history: ends.append(history.seconds)],
    )
    return D1.epochs * (ends[1] - ends[0])


def main() -> None:
    corpus = corpora.load("audiomnist", at_least=D1.at_least, fallback=["fsdd", "voices"])
    [(train, _)] = splits.split(corpus, "random", test_size=D1.test_size, seed=42)
    n_learned = int(len(train) * (1 - D1.set_aside))
    published = published_seconds(corpus, train[:n_learned])
    ours = experiment.run("D3", corpus=corpus, scale="full")
    seconds = ours.seconds_features + ours.seconds_training
    low, high = ours.interval
    print(f"{corpus.title}, {n_learned:,} clips learned from, on {ours.device}")
    print(
        f"D1 {published:.0f} s (two epochs, scaled), D3 {seconds:.0f} s with its features: "
        f"{seconds / published:.3f} of it"
    )
    print(f"D3, random split: {ours.test_accuracy:.3f} ({low:.3f} to {high:.3f})")
    strangers = experiment.run("D3", corpus=corpus, scale="full", split="speaker")
    low, high = strangers.speaker_interval
    print(f"D3, strangers: {strangers.test_accuracy:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
