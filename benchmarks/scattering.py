"""How fast is our scattering transform beside kymatio's, and K1 beside the published K1?

First all clips of FSDD, J = 8 and Q = 12, with kymatio's PyTorch frontend and with ours, in turn,
each at whichever batch size is fastest for it here, with two threads on a CPU or on a GPU where
there is one. Two tasks: from NumPy to NumPy, and from clips to coefficients that both lie on the
device. Medians and ratios are printed, and the largest deviation over all clips. Peak memory is
that of a process which does nothing else. Then K1: the published model, which scatters
every clip again in each epoch, with kymatio's own Keras layer, timed over two epochs and scaled to
fifty, against our features and training, all fifty.
"""

import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from digitlab import corpora, features, models, training
from digitlab.features.executors.torch import in_batches, scatter

ROUNDS = 3
J, Q, N = 8, 12, 8192
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BATCH_SIZES = (16, 64, 128, 256, 512, 1024) if DEVICE == "cuda" else (1, 4, 16, 32, 64, 128)
MB = 1e6 if sys.platform == "darwin" else 1e3  # in units of ru_maxrss


def kymatio() -> Callable[[torch.Tensor], torch.Tensor]:
    from kymatio import Scattering1D

    return Scattering1D(J=J, shape=N, Q=Q, frontend="torch").to(DEVICE)


def to_numpy_with_kymatio(transform: Callable, clips: np.ndarray, size: int) -> np.ndarray:
    batches = torch.from_numpy(clips).split(size)
    with torch.inference_mode():
        return np.concatenate([transform(batch.to(DEVICE)).cpu().numpy() for batch in batches])


def to_numpy(clips: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate(list(in_batches(clips, J, Q, DEVICE, batch_size=size)))


def on_device(transform: Callable, clips: torch.Tensor, size: int) -> None:
    with torch.inference_mode():
        for batch in clips.split(size):
            transform(batch)


def timed(job: Callable, *arguments) -> tuple[float, object]:
    start = time.perf_counter()
    result = job(*arguments)
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, result


def best_batch_size(name: str, job: Callable, clips: np.ndarray | torch.Tensor) -> int:
    speeds = {}
    for size in BATCH_SIZES:
        some = clips if DEVICE == "cuda" else clips[: max(64, size)]
        try:
            timed(job, some[:size], size)
            seconds = statistics.median(timed(job, some, size)[0] for _ in range(ROUNDS))
        except torch.cuda.OutOfMemoryError:
            break
        speeds[size] = len(some) / seconds
    print(f"{name}, clips/s:", ", ".join(f"{n} at a time {v:,.0f}" for n, v in speeds.items()))
    return max(speeds, key=speeds.get)


def compare(task: str, theirs: Callable, ours: Callable, clips: np.ndarray | torch.Tensor) -> list:
    """Time both sides in turn; return the result of each."""
    sides = {"kymatio": theirs, "digitlab": ours}
    sizes = {name: best_batch_size(f"{task}, {name}", job, clips) for name, job in sides.items()}
    seconds = {name: [] for name in sides}
    for _ in range(ROUNDS):
        results = []
        for name, job in sides.items():
            taken, result = timed(job, clips, sizes[name])
            seconds[name].append(taken)
            results.append(result)
    ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
    medians = (
        f"{name} {statistics.median(seconds[name]):.2f} s ({sizes[name]} at a time)"
        for name in sides
    )
    print(f"{task}: {', '.join(medians)}, ratio {ratio:.2f} (medians of {ROUNDS})")
    return results


def compare_transforms(clips: np.ndarray) -> None:
    transform, our_transform = kymatio(), partial(scatter, J=J, Q=Q)
    reference, result = compare(
        "from and to NumPy", partial(to_numpy_with_kymatio, transform), to_numpy, clips
    )
    error = np.abs(result - reference).max() / np.abs(reference).max()
    print(f"largest deviation: {error:.1e} of the largest coefficient")
    del reference, result
    sides = (partial(on_device, side) for side in (transform, our_transform))
    compare("staying on the device", *sides, torch.from_numpy(clips).to(DEVICE))


def compare_memory() -> None:
    """Go first: a process is born with its parent's peak."""
    for side in ("kymatio", "digitlab"):
        command = [sys.executable, __file__, side]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        peak = float(said.splitlines()[-1])  # the lines before tell how clips were prepared
        print(f"peak memory, a process that keeps log means, {side}: {peak:.0f} MB")


def peak_memory(side: str) -> float:
    """Return the peak in MB of log-scattering all clips, 64 at a time for kymatio."""
    clips = load().waveforms(N)
    if side == "kymatio":
        transform = kymatio()
        for first in range(0, len(clips), 64):
            coefficients = to_numpy_with_kymatio(transform, clips[first : first + 64], 64)
            np.log(np.abs(coefficients) + 1e-6).mean(axis=2)
    else:
        features.compute("log_scattering", clips, 8000, keep=False)
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
    x = features.compute("log_scattering", clips, 8000, keep=False)
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
