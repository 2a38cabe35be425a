"""Scores come with intervals that can be checked by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from digitlab.evaluation import (
    calibration_error,
    clip_interval,
    compare,
    equivalence,
    flows,
    non_inferiority,
    reliability,
    speaker_interval,
    student_interval,
    wilson_interval,
)
from digitlab.reports import Report, pool


@pytest.fixture
def report():
    """40 clips by two speakers; anna's are all right, ben's third is wrong."""
    y_true = np.tile(np.repeat([0, 1], 10), 2)
    y_pred = y_true.copy()
    y_pred[20:27] = 1
    return Report(
        recipe="K2", framework="torch", corpus="made", corpus_digest="00", split="official",
        test_corpus="made", n_speakers=2,
        fold="", scale="smoke", seed=1, device="cpu", classes=("0", "1"), n_train=100,
        n_parameters=12, n_trainable=10, train_accuracy=0.9, test_loss=0.2, seconds_features=1.0,
        features_cached=False, seconds_training=2.0, y_true=y_true, y_pred=y_pred,
        speakers=np.repeat(["anna", "ben"], 20), rows=np.arange(40),
    )  # fmt: skip


def test_wilson_against_its_formula():
    n, p, z = 300, 0.967, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(p, n) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert wilson_interval(1, 50)[0] < 0.95
    assert all(wilson_interval(1, n)[1] == 1 and wilson_interval(0, n)[0] == 0 for n in (50, 300))


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


def test_the_speaker_interval_is_students_over_the_means_of_the_speakers_and_stays_a_share():
    rng = np.random.default_rng(0)
    speakers = rng.permutation(np.repeat(["anna", "ben", "carl", "dora"], [40, 60, 100, 200]))
    correct = rng.random(400) < 0.7
    means = [correct[speakers == name].mean() for name in ("anna", "ben", "carl", "dora")]
    expected = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    assert speaker_interval(correct, speakers) == pytest.approx(tuple(expected))
    assert speaker_interval([1, 1, 1, 0], list("aabb")) == (0, 1)


def answers(only_first, only_second, n_clips):
    first, second = np.ones(n_clips, int), np.ones(n_clips, int)
    first[:only_second] = 0
    second[only_second : only_second + only_first] = 0
    return first, second


def test_equivalence_has_tangos_interval():
    # his example: 44 patients, one of whom one treatment alone served
    result = equivalence(*answers(0, 1, 44), margin=0.1)
    assert result.interval == pytest.approx((-0.0957, 0.0365), abs=1e-4)
    assert result.is_shown and not equivalence(*answers(0, 1, 44), margin=0.09).is_shown


def score_of(only_first, only_second, n_clips, difference):
    """Return the score statistic, the share that one system alone gets right found by search."""

    def unlikely(share):
        kept = n_clips - only_first - only_second
        shares = np.array([share + difference, share, 1 - 2 * share - difference])
        return -np.dot([only_first, only_second, kept], np.log(shares))

    low, high = max(0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    found = optimize.minimize_scalar(unlikely, bounds=(low, high), options={"xatol": 1e-12})
    variance = n_clips * (2 * found.x + difference * (1 - difference))
    return (only_first - only_second - n_clips * difference) / np.sqrt(variance)


@pytest.mark.parametrize("counts", [(5, 2, 60), (12, 20, 300), (1, 40, 200)])
def test_at_the_ends_of_the_interval_the_score_is_that_of_five_percent(counts):
    low, high = equivalence(*answers(*counts), margin=0.5).interval
    expected = stats.norm.ppf(0.95)
    assert score_of(*counts, low) == pytest.approx(expected, abs=1e-4)
    assert score_of(*counts, high) == pytest.approx(-expected, abs=1e-4)


def test_two_systems_that_agree_on_few_clips_are_not_shown_equivalent():
    for n_clips, is_shown in ((20, False), (2000, True)):
        result = equivalence(*answers(0, 0, n_clips), margin=0.02)
        assert result.difference == 0 and result.is_shown is is_shown
        low, high = result.interval
        assert low == pytest.approx(-high) and high > 0
    assert equivalence(*answers(9, 0, 9), margin=0.1).interval[1] == 1
    assert equivalence(*answers(0, 9, 9), margin=0.1).interval[0] == -1


@pytest.mark.parametrize(
    "first, second, margin, problem",
    [
        ([1, 0], [1, 0], 0, "margin 0"),
        ([1, 0], [1, 0], 2, "margin 2"),
        ([1, 0, 1], [1, 0], 0.1, "the same clips"),
        ([], [], 0.1, "the same clips"),
        ([0.5, 1], [1, 0], 0.1, "right .1. or wrong"),
    ],
)
def test_what_cannot_be_compared_is_refused(first, second, margin, problem):
    with pytest.raises(ValueError, match=problem):
        equivalence(first, second, margin=margin)


def test_students_interval_is_that_of_a_t_test_at_any_level():
    values = np.random.default_rng(0).normal(size=7)
    for level in (0.9, 0.95):
        expected = stats.ttest_1samp(values, 0).confidence_interval(level)
        assert student_interval(values, level=level) == pytest.approx(tuple(expected))
    assert np.isnan(student_interval([0.3])).all()


@pytest.mark.parametrize(
    "correct, speakers, problem",
    [
        ([1, 0, 1], ["anna", "ben"], "3 clips and 2 speakers"),
        ([], [], "0 clips"),
        ([1, -1], ["anna", "ben"], "compare"),
        ([1, np.nan], ["anna", "ben"], "from 0 to 1"),
        ([97, 80], ["anna", "ben"], "from 0 to 1"),
    ],
)
def test_what_is_no_share_of_clips_for_each_speaker_has_no_speaker_interval(
    correct, speakers, problem
):
    with pytest.raises(ValueError, match=problem):
        speaker_interval(correct, speakers)


def test_accuracy_confusion_and_tables(report):
    assert report.n_test == 40
    assert report.test_accuracy == 33 / 40
    assert report.confusion.tolist() == [[13, 7], [0, 20]]
    assert report.by_speaker["accuracy"].to_dict() == {"anna": 1, "ben": 13 / 20}
    assert report.by_class["accuracy"].to_dict() == {"0": 13 / 20, "1": 1}
    assert report.by_class["n_clips"].tolist() == [20, 20]
    assert (report.by_class["low"] < report.by_class["accuracy"]).all()


def test_in_the_balanced_accuracy_rare_classes_count_as_much_as_frequent_ones(report):
    y_true = np.repeat([0, 1], [30, 10])
    rare = replace(report, y_true=y_true, y_pred=np.zeros(40, int))
    assert (rare.test_accuracy, rare.balanced_accuracy) == (0.75, 0.5)
    assert rare.to_dict()["balanced_accuracy"] == 0.5


def test_what_is_written_is_plain_json_with_everything_in_it(report):
    run, pooled = json.loads(json.dumps(report.to_dicts()))
    assert {
        "recipe", "framework", "corpus", "corpus_digest", "split", "scale", "seed", "device",
        "n_train", "n_test", "n_parameters", "n_trainable", "train_accuracy", "test_accuracy",
        "interval_low", "interval_high", "seconds_features", "seconds_training", "versions",
    } <= set(run)  # fmt: skip
    assert not run["pooled"] and pooled["pooled"]
    assert run["interval_low"] < run["test_accuracy"] < run["interval_high"]


def test_mistakes_name_each_wrong_clip_and_what_it_was_taken_for(report):
    assert report.mistakes == dict.fromkeys(range(20, 27), 1)
    run, pooled = replace(report, parts=(report,)).to_dicts()
    assert run["mistakes"].split() == [f"{row}:1" for row in range(20, 27)]
    assert pooled["mistakes"] == ""


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


def test_notes_of_pooled_runs_are_joined_once_each_and_not_written(report):
    cut, moved = "2 of 40 clips were cut", "a DC offset was removed"
    runs = [replace(report, seed=seed, notes=notes) for seed, notes in
            enumerate([(cut,), (moved, cut), ()])]  # fmt: skip
    assert pool(runs).notes == (cut, moved)
    assert report.notes == ()
    assert pool(runs).to_dict().keys() == report.to_dict().keys() == runs[0].to_dict().keys()
    assert "notes" not in report.to_dict()


def test_a_bootstrap_over_clips_is_as_wide_as_wilson_says():
    correct = np.arange(3000) < 2000
    assert clip_interval(correct) == pytest.approx(wilson_interval(2 / 3, 3000), abs=0.002)
    assert clip_interval(correct) == clip_interval(correct)


def test_comparing_counts_only_the_clips_on_which_they_part():
    first = np.repeat([1, 1, 0, 0], [50, 15, 5, 30])
    second = np.repeat([1, 0, 1, 0], [50, 15, 5, 30])
    result = compare(first, second, np.tile(np.arange(10), 10))
    assert (result.only_first, result.only_second) == (15, 5)
    assert result.difference == pytest.approx(0.1)
    two_sided = 2 * sum(math.comb(20, k) for k in range(6)) / 2**20
    assert result.p_value == pytest.approx(two_sided)
    low, high = result.clip_interval
    half = 1.96 * np.sqrt((0.2 - 0.1**2) / 100)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.015)
    swapped = compare(second, first, np.arange(100))
    assert swapped.difference == -result.difference and swapped.p_value == result.p_value


def test_a_system_that_suits_one_speaker_is_not_yet_a_better_one():
    speakers = np.repeat(np.arange(4), 100)
    first = np.where(speakers == 0, 1, np.arange(400) % 2)
    second = np.arange(400) % 2
    result = compare(first.astype(bool), second.astype(bool), speakers)
    assert result.p_value < 1e-10
    assert result.clip_interval[0] > 0
    by_speaker = [(first - second)[speakers == speaker].mean() for speaker in range(4)]
    student = stats.ttest_1samp(by_speaker, 0).confidence_interval(0.95)
    assert result.speaker_interval == pytest.approx(tuple(student))
    assert result.speaker_interval[0] < 0
    swapped = compare(second.astype(bool), first.astype(bool), speakers)
    assert swapped.speaker_interval == pytest.approx((-student[1], -student[0]))


def test_over_six_speakers_students_interval_contains_the_truth_as_often_as_it_promises():
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(6), 100)
    held = []
    for _ in range(400):
        correct = rng.random(600) < np.repeat(rng.beta(5.83, 2.5, 6), 100)
        bounds = speaker_interval(correct, speakers), wilson_interval(correct.mean(), 600)
        held.append([low <= 0.7 <= high for low, high in bounds])
    by_speaker, by_clip = np.mean(held, axis=0)
    assert by_clip < 0.6 and 0.92 < by_speaker < 0.98


def test_equal_systems_have_nothing_between_them():
    same = np.array([1, 0, 1, 1])
    result = compare(same, same, np.arange(4))
    assert (result.difference, result.p_value, result.clip_interval) == (0, 1, (0, 0))


def test_only_answers_to_the_same_clips_are_compared():
    with pytest.raises(ValueError, match="3, 4 and 4 answers"):
        compare([1, 0, 1], [1, 0, 1, 1], list("aabb"))
    with pytest.raises(ValueError, match="right \\(1\\) or wrong \\(0\\)"):
        compare([0.5, 1], [1, 1], list("ab"))
    with pytest.raises(ValueError, match="0, 0 and 0 answers"):
        compare([], [], [])


@pytest.mark.parametrize("accuracy, n_clips", [(97, 300), (-0.1, 10), (math.nan, 10), (0.5, 0)])
def test_an_accuracy_that_is_no_share_of_clips_has_no_interval(accuracy, n_clips):
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        wilson_interval(accuracy, n_clips)


def test_reliability_puts_each_clip_where_its_confidence_is():
    sure, torn = [0.05, 0.95], [0.55, 0.45]
    table = reliability([sure] * 10 + [torn] * 4, [1] * 9 + [0] + [0, 0, 0, 1])
    assert table["n_clips"].tolist() == [4, 10]
    assert table["confidence"].tolist() == pytest.approx([0.55, 0.95])
    assert table["accuracy"].tolist() == [0.75, 0.9]
    assert tuple(table[["low", "high"]].iloc[1]) == wilson_interval(0.9, 10)


def test_the_calibration_error_is_the_mean_distance_weighted_by_clips():
    sure, torn = [0.05, 0.95], [0.55, 0.45]
    error = calibration_error([sure] * 10 + [torn] * 4, [1] * 9 + [0] + [0, 0, 0, 1])
    assert error == pytest.approx((10 * 0.05 + 4 * 0.2) / 14)
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 5000)
    honest = np.array([rng.choice(3, p=row) for row in p])
    assert calibration_error(p, honest) < 0.02
    assert calibration_error(p, np.zeros(5000, int)) > 0.2


@pytest.mark.parametrize(
    "probabilities, labels, problem",
    [
        ([[2.0, -1.0]], [0], "softmax"),
        ([[0.5, 0.6]], [0], "softmax"),
        ([[0.5, 0.5]], [0, 1], r"\(1, 2\) and labels of shape \(2,\)"),
        ([0.5, 0.5], [0, 1], r"\(n_clips, n_classes\)"),
        (np.zeros((0, 2)), [], r"\(n_clips, n_classes\)"),
        ([[0.5, 0.5], [0.9, 0.1]], [1, 2], "0 to 1"),
        ([[0.5, 0.5]], ["0"], "0 to 1"),
    ],
)
def test_what_are_no_probabilities_is_refused(probabilities, labels, problem):
    with pytest.raises(ValueError, match=problem):
        reliability(probabilities, labels)


def test_micro_f1_is_accuracy_and_macro_f1_is_not(report):
    assert report.micro_f1 == pytest.approx(report.test_accuracy)
    assert report.macro_f1 == pytest.approx((2 * 13 / (2 * 13 + 7) + 2 * 20 / (2 * 20 + 7)) / 2)


def test_seeds_are_told_apart_over_all_their_folds(report):
    other_fold = {"fold": "ben", "rows": np.arange(40, 80)}
    runs = [
        replace(report, seed=1),
        replace(report, seed=1, **other_fold, y_pred=report.y_true),
        replace(report, seed=2, y_pred=report.y_true),
        replace(report, seed=2, **other_fold, y_pred=report.y_true),
    ]
    assert pool(runs).by_seed.to_dict() == {1: (33 + 40) / 80, 2: 1}
    assert report.by_seed.to_dict() == {1: 33 / 40}


def test_flows_list_every_pair_once_the_most_frequent_first():
    matrix = np.array([[5, 0, 3], [1, 8, 0], [0, 0, 3]])
    table = flows(matrix, ("go", "no", "dog"))
    assert table["clips"].tolist() == [8, 5, 3, 3, 1]
    pairs = list(zip(table["true"], table["predicted"], strict=True))
    assert pairs == [("no", "no"), ("go", "go"), ("go", "dog"), ("dog", "dog"), ("no", "go")]
    assert table["share"].tolist() == pytest.approx([8 / 9, 5 / 8, 3 / 8, 1, 1 / 9])
    assert table["shown"].all()


@pytest.mark.parametrize("threshold", [0.001, 0.003, 0.007])
def test_a_pair_right_at_the_threshold_is_shown(threshold):
    least = round(1000 * threshold)
    matrix = [[500, least], [least - 1, 501 - 2 * least]]
    table = flows(matrix, ("go", "no"), threshold=threshold)
    assert table["clips"].sum() == 1000
    wrong = table[table["true"] != table["predicted"]].set_index("clips")["shown"]
    assert wrong[least] and not wrong.get(least - 1, False)


@pytest.mark.parametrize(
    "matrix, classes, problem",
    [
        ([[1, 2, 3], [4, 5, 6]], ("a", "b"), r"shape \(2, 3\)"),
        ([1, 2], ("a", "b"), r"shape \(2,\)"),
        ([[1, 0], [0, 1]], ("a", "b", "c"), "3 different names for the 2 classes"),
        ([[1, 0], [0, 1]], ("a", "a"), "1 different names for the 2 classes"),
        ([[1, -1], [0, 1]], ("a", "b"), "whole numbers"),
        ([[0.9, 0.1], [0, 1]], ("a", "b"), "not shares"),
        ([[np.nan, 1], [0, 1]], ("a", "b"), "whole numbers"),
        ([[0, 0], [0, 0]], ("a", "b"), "no clips"),
        (np.zeros((0, 0)), (), "no clips"),
    ],
)
def test_what_counts_no_clips_has_no_flows(matrix, classes, problem):
    with pytest.raises(ValueError, match=problem):
        flows(matrix, classes)


@pytest.mark.parametrize("threshold", [-0.1, 1, 3])
def test_a_threshold_is_a_share_of_the_clips(threshold):
    with pytest.raises(ValueError, match=f"threshold {threshold}: a share"):
        flows([[3, 1], [0, 4]], ("a", "b"), threshold=threshold)


def test_the_worst_pairs_come_with_the_clips_to_listen_to(report):
    y_pred = report.y_true.copy()
    y_pred[[3, 24, 21]] = 1  # three are a 0
    y_pred[[12, 38]] = 0  # two are a 1
    changed = replace(report, y_pred=y_pred, rows=np.arange(40) + 100)
    worst = changed.worst_pairs()
    assert worst.to_dict("list") == {
        "true": ["0", "1"],
        "predicted": ["1", "0"],
        "clips": [3, 2],
        "share": [0.15, 0.1],
        "rows": [[103, 121, 124], [112, 138]],
    }
    assert changed.worst_pairs(1)["rows"].tolist() == [[103, 121, 124]]
    twice = pool([changed, replace(changed, seed=2)]).worst_pairs(1)
    assert twice["clips"].tolist() == [6] and twice["rows"].tolist() == [[103, 121, 124]]
    assert replace(report, y_pred=report.y_true).worst_pairs().empty


# --- non-inferiority --------------------------------------------------------------------------


SPEAKERS = np.repeat(np.arange(12), 50)


def losing(n_clips, only_of=slice(None)):
    """Answers that lose so many clips of each of these speakers, of 50."""
    right = np.ones((12, 50))
    right[only_of, :n_clips] = 0
    return right.ravel()


def test_a_system_replaces_itself_where_clips_are_many():
    right = losing(5)
    result = non_inferiority(right, right, SPEAKERS, margin=0.02)
    assert result.is_shown and result.difference == 0 and result.speaker_interval == (0, 0)
    few = non_inferiority(right[::10], right[::10], SPEAKERS[::10], margin=0.02)
    assert not few.is_shown and few.clip_interval[0] < -0.02


def test_a_worse_system_does_not_pass_and_a_better_one_does():
    old = losing(5)
    assert not non_inferiority(losing(7), old, SPEAKERS, margin=0.02).is_shown
    assert non_inferiority(losing(2), old, SPEAKERS, margin=0.02).is_shown
    worse = non_inferiority(losing(6), old, SPEAKERS, margin=0.05)
    assert worse.is_shown and worse.difference == pytest.approx(-0.02)


def test_what_is_lost_by_one_speaker_is_seen_over_speakers():
    """Over clips alone it would pass: they say nothing about the next speaker."""
    old, new = losing(0), losing(8, only_of=[3])
    result = non_inferiority(new, old, SPEAKERS, margin=0.03)
    assert result.clip_interval[0] > -0.03 > result.speaker_interval[0]
    assert not result.is_shown


def test_one_speaker_shows_nothing_and_wrong_arguments_are_named():
    right = losing(0)
    assert not non_inferiority(right, right, 0 * SPEAKERS, margin=0.02).is_shown
    with pytest.raises(ValueError, match="600 clips and 5 speakers"):
        non_inferiority(right, right, SPEAKERS[:5], margin=0.02)
    with pytest.raises(ValueError, match="both systems must have answered"):
        non_inferiority(right, right[1:], SPEAKERS, margin=0.02)
    with pytest.raises(ValueError, match="margin 2"):
        non_inferiority(right, right, SPEAKERS, margin=2)
