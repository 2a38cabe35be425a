"""How fast is our scattering transform beside kymatio's, and K1 beside the published K1?

First all clips of FSDD, J = 8 and Q = 12, as one array of coefficients: kymatio's PyTorch frontend,
at whichever batch size is fastest for it here, against `features.scattering`, in turn, with two
threads on a CPU or on a GPU where there is one. The largest deviation is taken over all clips; peak
memory is that of a process which does nothing else. Then K1: the published model, which scatters
every clip again in each epoch, with kymatio's own Keras layer, timed over two epochs and scaled to
fifty, against our features and training, all fifty.
"""

import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np
import torch

from digitlab import corpora, features, models, training

ROUNDS = 3
J, Q, N = 8, 12, 8192
BATCH_SIZES = (1, 4, 16, 32, 64, 128)
MB = 1e6 if sys.platform == "darwin" else 1e3  # in units of ru_maxrss


def kymatio(clips: np.ndarray, batch_size: int) -> np.ndarray:
    from kymatio import Scattering1D

    device = "cuda" if torch.cuda.is_available() else "cpu"
    scattering = Scattering1D(J=J, shape=N, Q=Q, frontend="torch").to(device)
    with torch.inference_mode():
        batches = torch.from_numpy(clips).split(batch_size)
        return np.concatenate([scattering(batch.to(device)).cpu().numpy() for batch in batches])


def ours(clips: np.ndarray) -> np.ndarray:
    return features.scattering(clips, J, Q)


def timed(job, *arguments) -> tuple[float, object]:
    start = time.perf_counter()
    result = job(*arguments)
    return time.perf_counter() - start, result


def best_batch_size(clips: np.ndarray) -> int:
    speeds = {}
    for size in BATCH_SIZES:
        some = clips[: max(64, size)]
        speeds[size] = len(some) / min(timed(kymatio, some, size)[0] for _ in range(2))
    print("kymatio, clips/s:", ", ".join(f"{n} at a time {v:.0f}" for n, v in speeds.items()))
    return max(speeds, key=speeds.get)


def compare_transforms(clips: np.ndarray) -> None:
    size = best_batch_size(clips)
    timed(ours, clips[:64])
    theirs, mine = [], []
    for _ in range(ROUNDS):
        seconds, reference = timed(kymatio, clips, size)
        theirs.append(seconds)
        seconds, result = timed(ours, clips)
        mine.append(seconds)
    ratio = statistics.median(a / b for a, b in zip(theirs, mine, strict=True))
    print(
        f"all clips: kymatio {statistics.median(theirs):.1f} s ({size} at a time), "
        f"digitlab {statistics.median(mine):.1f} s, ratio {ratio:.2f} (medians of {ROUNDS})"
    )
    error = np.abs(result - reference).max() / np.abs(reference).max()
    print(f"largest deviation: {error:.1e} of the largest coefficient")


def compare_memory() -> None:
    """Go first: a process is born with its parent's peak."""
    for side in ("kymatio", "digitlab"):
        command = [sys.executable, __file__, side]
        peak = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(f"peak memory, a process that keeps log means, {side}: {float(peak):.0f} MB")


def peak_memory(side: str) -> float:
    """Return the peak in MB of log-scattering all clips, 64 at a time for kymatio."""
    clips = load().waveforms(N)
    if side == "kymatio":
        for first in range(0, len(clips), 64):
            np.log(np.abs(kymatio(clips[first : first + 64], 64)) + 1e-6).mean(axis=2)
    else:
        features._log_scattering(clips, J, Q, features._backend(None))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def published_k1(clips: np.ndarray, labels: np.ndarray) -> float:
    """Return the seconds of fifty epochs, from two."""
    import keras
    from kymatio import Scattering1D

    inputs = keras.Input((N,))
    coefficients = Scattering1D(J=J, Q=Q, frontend="keras")(inputs)[:, 1:]
    logs = keras.ops.mean(keras.ops.log(keras.ops.abs(coefficients) + 1e-6), axis=-1)
    outputs = keras.layers.Dense(10, "softmax")(keras.layers.BatchNormalization()(logs))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    seconds = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seconds.append(-time.perf_counter())

        def on_epoch_end(self, epoch, logs=None):
            seconds[-1] += time.perf_counter()

    model.fit(clips, labels, 64, epochs=2, validation_split=0.2, verbose=0, callbacks=[Watch()])
    return 50 * seconds[-1]  # the first holds the making of the graph


def our_k1(clips: np.ndarray, labels: np.ndarray) -> float:
    start = time.perf_counter()
    x = features._log_scattering(clips, J, Q, features._backend(None))
    model = models.keras.normalised_regression(x.shape[1], 10)
    training.keras.fit(model, x[: int(0.8 * len(x))], labels, epochs=50, batch_size=64)
    return time.perf_counter() - start


def compare_k1(clips: np.ndarray, labels: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(len(clips))
    clips, labels = clips[order], labels[order]
    n_kept = int(0.8 * len(clips))
    theirs = published_k1(clips, labels)
    mine = our_k1(clips, labels[:n_kept])
    print(
        f"K1, fifty epochs: published {theirs:.0f} s (two epochs, scaled), digitlab {mine:.0f} s "
        f"(features and all epochs), ratio {theirs / mine:.0f}"
    )


def load() -> corpora.Corpus:
    return corpora.load("fsdd", fallback="voices")


def main() -> None:
    compare_memory()
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    corpus = load()
    clips = corpus.waveforms(N)
    if not torch.cuda.is_available():
        torch.set_num_threads(2)
    where = "a GPU" if torch.cuda.is_available() else f"{torch.get_num_threads()} threads"
    print(f"{corpus.title}, {len(clips):,} clips, {where}, torch {torch.__version__}")
    compare_transforms(clips)
    train = (corpus.table["take"] >= 5).to_numpy()
    compare_k1(clips[train], corpus.table["label"].to_numpy(int)[train])


if __name__ == "__main__":
    if sys.argv[1:]:
        print(peak_memory(*sys.argv[1:]))
    else:
        main()
