"""How fast do 3,000 files become an array, and how much memory do 30,000 take?

First FSDD: a loop over `librosa.load` at the same rate against `Corpus.waveforms`, both from a list
of paths to one float32 array, once as the samples are and once normalised and centred. Then a
corpus laid out as AudioMNIST, 60 speakers, ten digits and 50 takes at 48 kHz: the built-in voices,
each of their files under ten names. What reads it runs in a process of its own, whose peak is told.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from digitlab import corpora
from digitlab.environment import made_cache_folder

ROUNDS = 9
N_SAMPLES = 8192
MB = 1e6 if sys.platform == "darwin" else 1e3  # in units of ru_maxrss


def librosa_loop(corpus: corpora.Corpus, prepared: bool) -> np.ndarray:
    import librosa

    waveforms = np.zeros((len(corpus), N_SAMPLES), np.float32)
    for row, path in enumerate(corpus.table["path"]):
        samples, _ = librosa.load(path, sr=corpus.rate)
        if prepared:
            samples = librosa.util.normalize(samples)[:N_SAMPLES]
            waveforms[row] = librosa.util.pad_center(samples, size=N_SAMPLES)
        else:
            waveforms[row] = librosa.util.fix_length(samples, size=N_SAMPLES)
    return waveforms


def ours(corpus: corpora.Corpus, prepared: bool) -> np.ndarray:
    return corpus.waveforms(N_SAMPLES, align="center" if prepared else "start", normalize=prepared)


def seconds(job, *arguments) -> float:
    start = time.perf_counter()
    job(*arguments)
    return time.perf_counter() - start


def compare_speed() -> None:
    corpus = corpora.load("fsdd", fallback="voices")
    print(f"{corpus.title}, {len(corpus):,} files, medians of {ROUNDS} rounds")
    for prepared, what in ((False, "as they are"), (True, "normalised, centred")):
        assert np.array_equal(librosa_loop(corpus, prepared), ours(corpus, prepared))
        rounds = [
            (seconds(librosa_loop, corpus, prepared), seconds(ours, corpus, prepared))
            for _ in range(ROUNDS)
        ]
        theirs, mine = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratio = statistics.median(mine / theirs for theirs, mine in rounds)
        print(f"{what:20} librosa {theirs:.3f} s, digitlab {mine:.3f} s: {ratio:.2f} of its time")
    table = statistics.median(seconds(corpora.load, corpus.name) for _ in range(ROUNDS))
    print(f"{'the table':20} {table:.3f} s")


def read_table(corpus: corpora.Corpus) -> None:
    """Only load it."""


def read_in_parts(corpus: corpora.Corpus) -> None:
    for start in range(0, len(corpus), 500):
        part = corpus.select(range(start, min(start + 500, len(corpus))))
        part.waveforms(30000, align="start", normalize=False)


def measure(corpus: corpora.Corpus) -> None:
    corpus.measure()


READERS = {
    "the table alone": read_table,
    "waveforms, 500 clips of 30,000 samples (60 MB) at a time": read_in_parts,
    "measure()": measure,
}


def read(what: str) -> None:
    """Read the corpus in this process and print what it took."""
    start = time.perf_counter()
    READERS[what](corpora.load("audiomnist"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    print(f"{what}: {time.perf_counter() - start:.1f} s, peak {peak:.0f} MB")


def write_audiomnist(folder: Path) -> None:
    """Lay the 3,000 clips of the built-in voices out as 30,000."""
    voices = corpora.load("voices-audiomnist")
    for speaker in voices.table["speaker"].unique():
        (folder / speaker).mkdir(parents=True)
    os.link(voices.folder / "audioMNIST_meta.txt", folder / "audioMNIST_meta.txt")
    for path, label, speaker, take in voices.table[["path", "label", "speaker", "take"]].values:
        for more in range(0, 50, 5):
            os.link(path, folder / speaker / f"{label}_{speaker}_{take + more}.wav")


def main() -> None:
    # A new process starts with the peak of the one it springs from, so this one stays small.
    subprocess.run([sys.executable, __file__, "speed"], check=True)
    with tempfile.TemporaryDirectory(dir=made_cache_folder()) as data:
        write_audiomnist(Path(data, "audiomnist", "data"))
        print("\n30,000 files at 48 kHz", flush=True)
        environment = os.environ | {"DIGITLAB_DATA": data}
        for what in READERS:
            subprocess.run([sys.executable, __file__, what], check=True, env=environment)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["speed"]:
            compare_speed()
        case [what]:
            read(what)
