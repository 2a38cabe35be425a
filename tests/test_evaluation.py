"""Scores come with intervals that can be checked by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from digitlab.evaluation import Report, pool, speaker_interval, wilson_interval


@pytest.fixture
def report():
    """40 clips by two speakers; anna's are all right, ben's third is wrong."""
    y_true = np.tile(np.repeat([0, 1], 10), 2)
    y_pred = y_true.copy()
    y_pred[20:27] = 1
    return Report(
        recipe="K2", framework="torch", corpus="made", corpus_digest="00", split="official",
        fold="", scale="smoke", seed=1, device="cpu", classes=("0", "1"), n_train=100,
        n_parameters=12, n_trainable=10, train_accuracy=0.9, seconds_features=1.0,
        features_cached=False, seconds_training=2.0, y_true=y_true, y_pred=y_pred,
        speakers=np.repeat(["anna", "ben"], 20), rows=np.arange(40),
    )  # fmt: skip


def test_wilson_against_its_formula():
    n, p, z = 300, 0.967, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(p, n) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert wilson_interval(1, 50)[0] < 0.95


def test_few_speakers_leave_more_doubt_than_many_clips():
    speakers = np.repeat(np.arange(6), 500)
    correct = np.concatenate(
        [np.arange(500) < 500 * share for share in (0.4, 0.7, 0.4, 0.6, 0.7, 0.8)]
    )
    low, high = speaker_interval(correct, speakers)
    wilson_low, wilson_high = wilson_interval(correct.mean(), 3000)
    assert low < wilson_low and high > wilson_high
    assert low < correct.mean() < high


def test_one_speaker_has_no_speaker_interval():
    assert np.isnan(speaker_interval(np.ones(5), np.repeat("anna", 5))).all()


def test_accuracy_confusion_and_tables(report):
    assert report.n_test == 40
    assert report.test_accuracy == 33 / 40
    assert report.confusion.tolist() == [[13, 7], [0, 20]]
    assert report.by_speaker["accuracy"].to_dict() == {"anna": 1, "ben": 13 / 20}
    assert report.by_class["accuracy"].to_dict() == {"0": 13 / 20, "1": 1}
    assert report.by_class["n_clips"].tolist() == [20, 20]
    assert (report.by_class["low"] < report.by_class["accuracy"]).all()


def test_what_is_written_is_plain_json_with_everything_in_it(report):
    run, pooled = json.loads(json.dumps(report.to_dicts()))
    assert {
        "recipe", "framework", "corpus", "corpus_digest", "split", "scale", "seed", "device",
        "n_train", "n_test", "n_parameters", "n_trainable", "train_accuracy", "test_accuracy",
        "interval_low", "interval_high", "seconds_features", "seconds_training", "versions",
    } <= set(run)  # fmt: skip
    assert not run["pooled"] and pooled["pooled"]
    assert run["interval_low"] < run["test_accuracy"] < run["interval_high"]


def test_seeds_pooled_count_each_clip_once(report):
    other = replace(report, seed=2, y_pred=report.y_true)
    pooled = pool([report, other])
    assert pooled.test_accuracy == (33 / 40 + 1) / 2
    assert pooled.n_test == 40
    assert pooled.interval == wilson_interval(pooled.test_accuracy, 40)
    assert pooled.correct.iloc[20] == 0.5
    assert [d["pooled"] for d in pooled.to_dicts()] == [False, False, True]
    assert pooled.seconds_training == 4


def test_folds_pooled_count_all_their_clips(report):
    folds = [replace(report, fold="anna"), replace(report, fold="ben", rows=np.arange(40, 80))]
    pooled = pool(folds)
    assert pooled.n_test == 80
    assert pooled.fold == "all"


def test_one_run_pooled_is_itself(report):
    assert pool([report]) is report
