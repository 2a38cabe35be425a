"""Features of many clips, batch by batch on disk: restartable, and those of `features.compute`."""

import os
import subprocess
import sys
import tracemalloc
from functools import partial

import joblib
import numpy as np
import pytest

from digitlab import audio, corpora, features
from digitlab.preparation import Preparation

KILLED = 137  # what a shell says of a process that was killed

RATE = 8000
PREPARATION = Preparation(rate=RATE, n_samples=8192)


def noise(seed, n_clips=8):
    return np.random.default_rng(seed).normal(0, 0.1, (n_clips, 4000)).astype(np.float32)


def noises(n_batches):
    return [partial(noise, seed) for seed in range(n_batches)]


def dies_at(number, seed):
    """Kill the process before it has made this batch."""
    if seed == number:
        os._exit(KILLED)
    return noise(seed)


@pytest.fixture
def corpus(tmp_path):
    """Twelve noises in a folder, of three digits by four speakers."""
    for row in range(12):
        name = f"{row // 4}_{'abcd'[row % 4]}_0.wav"
        (tmp_path / "corpus").mkdir(exist_ok=True)
        audio.write_wav(tmp_path / "corpus" / name, noise(row, 1)[0], RATE)
    return corpora.load(tmp_path / "corpus")


def compute(batches, folder, name="log_mel"):
    return features.compute_to_disk(name, batches, RATE, folder)


def all_of(folder):
    return np.concatenate(features.read_shards(folder))


def expected(n_batches, name="log_mel"):
    return np.concatenate([features.compute(name, noise(seed), RATE) for seed in range(n_batches)])


@pytest.mark.parametrize("name", ["log_mel", "log_scattering", "samples"])
def test_features_are_those_of_compute(tmp_path, name):
    table = compute(noises(3), tmp_path, name)
    assert table["n_clips"].tolist() == [8, 8, 8] and not table["was_there"].any()
    assert np.array_equal(all_of(tmp_path), expected(3, name))


def test_a_corpus_is_read_where_its_features_are_computed(corpus, tmp_path):
    batches = list(corpus.batches(PREPARATION, 5))
    assert [len(batch()) for batch in batches] == [5, 5, 2]
    compute(batches, tmp_path)
    waveforms, _ = corpus.prepare(PREPARATION)
    assert np.allclose(all_of(tmp_path), features.log_mel(waveforms, RATE), atol=1e-5)
    again = compute(corpora.load(corpus.folder).batches(PREPARATION, 5), tmp_path)
    assert again["was_there"].all()


def test_one_batch_at_a_time_is_held(tmp_path):
    """Thirty-two batches take no more memory than four."""
    peaks = []
    for n_batches in (4, 32):
        tracemalloc.start()
        compute(
            (noise(seed, 200) for seed in range(n_batches)), tmp_path / str(n_batches), "samples"
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_after_a_kill_only_the_rest_is_computed(tmp_path):
    code = (
        "import sys; sys.path.append('tests'); import test_on_disk as t; from pathlib import Path;"
        "t.compute([t.partial(t.dies_at, 2, seed) for seed in range(4)], Path(sys.argv[1]))"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True)
    assert killed.returncode == KILLED
    with pytest.raises(FileNotFoundError, match="call compute_to_disk to the end first"):
        features.read_shards(tmp_path)
    rest = [partial(dies_at, 2, seed) for seed in range(2)] + noises(4)[2:]
    table = compute(rest, tmp_path)
    assert table["was_there"].tolist() == [True, True, False, False]
    assert np.array_equal(all_of(tmp_path), expected(4))


def test_what_is_damaged_or_half_written_is_computed_again(tmp_path):
    compute(noises(4), tmp_path)
    damaged = tmp_path / "000001.npy"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    (tmp_path / "000002.json").write_text('{"feature": "log_m')
    (tmp_path / "000003.json").unlink()
    table = compute(noises(4), tmp_path)
    assert table["was_there"].tolist() == [True, False, False, False]
    assert np.array_equal(all_of(tmp_path), expected(4))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    compute(noises(2), tmp_path)
    before = (tmp_path / "000000.npy").read_bytes()
    for name, batches in (("mfcc_means", noises(2)), ("log_mel", noises(3)[1:])):
        with pytest.raises(ValueError, match="features of something else: name another folder"):
            compute(batches, tmp_path, name)
    with pytest.raises(ValueError, match="holds 1 shards beside these 1, such as 000001"):
        compute(noises(1), tmp_path)
    assert (tmp_path / "000000.npy").read_bytes() == before
    assert np.array_equal(all_of(tmp_path), expected(2))  # they can still be read
    assert compute(noises(2), tmp_path)["was_there"].all()


def test_a_bad_batch_is_named_and_takes_no_other_with_it(corpus, tmp_path):
    batches = list(corpus.batches(PREPARATION, 5))
    bad = corpus.table["path"][7]
    content = bad.read_bytes()
    bad.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="1 of 3 batches failed") as caught:
        compute(batches, tmp_path)
    bad.write_bytes(content)
    assert "000001.npy" in str(caught.value) and bad.name in str(caught.value)
    assert compute(batches, tmp_path)["was_there"].tolist() == [True, False, True]


def test_two_processes_write_what_one_does(tmp_path):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        compute(noises(6), tmp_path)
    assert np.array_equal(all_of(tmp_path), expected(6))


def test_a_dask_cluster_writes_the_same(tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    )
    arrays = [noise(seed, 200) for seed in range(3, 6)]  # more than 1 kB: Dask scatters them
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        compute(noises(3) + arrays, tmp_path)
    rest = np.concatenate([features.log_mel(batch, RATE) for batch in arrays])
    assert np.array_equal(all_of(tmp_path), np.concatenate([expected(3), rest]))


def test_a_damaged_shard_is_named_when_it_is_read(tmp_path):
    compute(noises(2), tmp_path)
    shard = tmp_path / "000001.npy"
    for content in (b"", shard.read_bytes()[:-100]):
        shard.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged .*: call compute_to_disk again"):
            features.read_shards(tmp_path)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=r"000001\.npy is missing: call"):
        features.read_shards(tmp_path)
    (tmp_path / "manifest.csv").write_text("")
    with pytest.raises(ValueError, match="damaged"):
        features.read_shards(tmp_path)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file cannot be made: a file of that name is there"):
        compute(noises(1), tmp_path / "file")
