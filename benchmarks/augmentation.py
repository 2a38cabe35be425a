"""How long do the nine published copies of each clip take, compared with the published loop?

Both sides begin with the same files and end with the same array: read, resample to 22,050 Hz, three
speeds times three pitches, each cut or filled up to 17,640 samples. The published side calls both
effects of librosa nine times a clip, in one process. Ours starts with an empty cache and must start
its processes first. Also: the time from disk, how near both arrays are (`librosa.load` resamples to
22,050 Hz in lower quality), and how many copies are cut at 0.8 s.
"""

import os
import statistics
import tempfile
import time
from contextlib import contextmanager
from unittest.mock import patch

import librosa
import numpy as np
from joblib.externals.loky import get_reusable_executor

from digitlab import augment, corpora, splits

ROUNDS = 3
N_CLIPS = 1600
SPEAKERS = ("jackson", "nicolas", "theo", "yweweler")


def published(corpus: corpora.Corpus) -> np.ndarray:
    waveforms = []
    for path in corpus.table["path"]:
        samples, rate = librosa.load(path, sr=22050)
        for speed in augment.SPEEDS:
            for steps in augment.SEMITONES:
                copy = librosa.effects.time_stretch(samples, rate=speed)
                copy = librosa.effects.pitch_shift(copy, sr=rate, n_steps=steps)
                waveforms.append(librosa.util.fix_length(copy, size=17640))
    return np.stack(waveforms)


def timed(job, *arguments, **settings) -> tuple:
    start = time.perf_counter()
    made = job(*arguments, **settings)
    return time.perf_counter() - start, made


def training_clips() -> corpora.Corpus:
    """Take 1,600 of the 2,000 recordings that FSDD once held, or as many of the voices."""
    corpus = corpora.load("fsdd", fallback="voices")
    if corpus.name == "fsdd":
        corpus = corpus.select(corpus.table["speaker"].isin(SPEAKERS))
    [(train, _)] = splits.split(corpus, "random", test_size=len(corpus) - N_CLIPS, seed=45)
    return corpus.select(train)


def one_round(corpus: corpora.Corpus) -> tuple[float, ...]:
    """Seconds of the published loop, of ours, of ours in one process, and of ours from disk."""
    loop, theirs = timed(published, corpus)
    get_reusable_executor().shutdown()
    with empty_cache():
        parallel, (mine, table) = timed(augment.copies, corpus)
        from_disk, (again, _) = timed(augment.copies, corpus)
    with empty_cache():
        serial, (alone, _) = timed(augment.copies, corpus, n_jobs=1)
    assert np.array_equal(mine, again) and np.array_equal(mine, alone)
    powers = np.mean((mine - theirs) ** 2, axis=1) / np.mean(theirs**2, axis=1)
    print(f"differences: median {decibels(np.median(powers))}, largest {decibels(powers.max())}")
    cut = table.groupby("speed")["cut"].mean()
    print("cut:", ", ".join(f"{share:.1%} at speed {speed}" for speed, share in cut.items()))
    return loop, parallel, serial, from_disk


@contextmanager
def empty_cache():
    with tempfile.TemporaryDirectory() as empty, patch.dict(os.environ, DIGITLAB_CACHE=empty):
        yield


def decibels(power: float) -> str:
    return f"{10 * np.log10(power):.0f} dB"


def main() -> None:
    corpus = training_clips()
    print(f"{corpus.title}, {len(corpus):,} clips, {os.cpu_count()} cores")
    timed(published, corpus.select(range(3)))  # numba compiles
    rounds = [one_round(corpus) for _ in range(ROUNDS)]
    print(f"medians of {ROUNDS}: published loop {statistics.median(r[0] for r in rounds):.1f} s")
    for i, what in enumerate(("digitlab", "in one process", "again, from disk"), start=1):
        seconds = statistics.median(times[i] for times in rounds)
        ratio = statistics.median(times[i] / times[0] for times in rounds)
        print(f"{what:16} {seconds:6.1f} s: {ratio:.3f} of its time")


if __name__ == "__main__":
    main()
