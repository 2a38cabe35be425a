"""A split divides every clip once, and keeps its promise about who is on which side."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from digitlab.corpora import DIGITS, Corpus
from digitlab.splits import check, split, three_way

KINDS = ["official", "random", "speaker", "leave-one-speaker-out"]


def corpus_of(n_speakers, n_takes=10):
    rows = [
        (f"{label}_s{speaker:02}_{take}.wav", label, f"s{speaker:02}", take)
        for label in range(10)
        for speaker in range(n_speakers)
        for take in range(n_takes)
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "speaker", "take"])
    return Corpus("made", table, 8000, DIGITS, "Made", "CC0")


@pytest.fixture
def on_disk(tmp_path):
    """Three speakers; each file holds its own name, but one of ben's is a copy of one of anna's."""
    corpus = corpus_of(3)
    paths = [tmp_path / name for name in corpus.table["path"]]
    for path in paths:
        path.write_text(path.name)
    paths[19].write_bytes(paths[0].read_bytes())  # 0_s01_9.wav and 0_s00_0.wav
    return replace(corpus, table=corpus.table.assign(path=paths))


def every_clip_once(corpus, sets):
    return sorted(np.concatenate(sets)) == list(range(len(corpus)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_speakers", [3, 12])
def test_every_clip_is_on_one_side(kind, n_speakers):
    corpus = corpus_of(n_speakers)
    for train, test in split(corpus, kind):
        assert every_clip_once(corpus, [train, test])


def test_official_takes_0_to_4_are_the_test():
    corpus = corpus_of(3)
    [(train, test)] = split(corpus, "official")
    assert set(corpus.table["take"][test]) == {0, 1, 2, 3, 4}
    assert set(corpus.table["take"][train]) == {5, 6, 7, 8, 9}


def test_a_corpus_with_a_split_of_its_own_has_that_as_its_official_one():
    corpus = corpus_of(4, n_takes=2)
    side = np.array(["training", "training", "validation", "testing"])[
        corpus.table["speaker"].factorize()[0]
    ]
    corpus = replace(corpus, table=corpus.table.assign(split=side))
    [(train, test)] = split(corpus, "official")
    assert set(corpus.table["speaker"][train]) == {"s00", "s01"}
    assert set(corpus.table["speaker"][test]) == {"s03"}
    [(train, validation, test)] = three_way(corpus, "official", validation_size=0.5)
    assert set(corpus.table["speaker"][validation]) == {"s02"}
    assert every_clip_once(corpus, [train, validation, test])
    check(corpus, train, validation, test)


@pytest.mark.parametrize("n_speakers, n_folds", [(2, 2), (6, 6), (7, 5), (12, 5)])
def test_nobody_is_on_both_sides_and_everybody_is_tested_once(n_speakers, n_folds):
    corpus = corpus_of(n_speakers)
    folds = split(corpus, "speaker")
    assert len(folds) == n_folds
    speakers = corpus.table["speaker"]
    for train, test in folds:
        assert not set(speakers[train]) & set(speakers[test])
    assert every_clip_once(corpus, [test for _, test in folds])


def test_one_speaker_can_be_left_out_however_many_there_are():
    corpus = corpus_of(12)
    folds = split(corpus, "leave-one-speaker-out")
    assert [set(corpus.table["speaker"][test]) for _, test in folds] == [
        {f"s{speaker:02}"} for speaker in range(12)
    ]


def test_random_is_a_tenth_of_each_class_and_obeys_its_seed():
    corpus = corpus_of(4)
    [(_, test)] = split(corpus, "random", seed=1)
    assert (corpus.table["label"][test].value_counts() == 4).all()
    assert np.array_equal(test, split(corpus, "random", seed=1)[0][1])
    assert not np.array_equal(test, split(corpus, "random", seed=2)[0][1])


@pytest.mark.parametrize("test_size, n_test", [(0.3, 120), (0.2, 80), (50, 50)])
def test_random_in_the_sizes_of_the_published_systems(test_size, n_test):
    corpus = corpus_of(4)
    [(train, test)] = split(corpus, "random", test_size=test_size)
    assert (len(train), len(test)) == (400 - n_test, n_test)
    assert (corpus.table["label"][test].value_counts() == n_test / 10).all()


@pytest.mark.parametrize(
    "kind, sizes", [("random", (240, 80, 80)), ("official", (120, 80, 200))], ids=str
)
def test_in_three_by_clips(kind, sizes):
    corpus = corpus_of(4)
    [sets] = three_way(corpus, kind, validation_size=0.2, test_size=0.2)
    assert tuple(map(len, sets)) == sizes
    assert every_clip_once(corpus, sets)
    for rows in sets:
        assert corpus.table["label"][rows].value_counts().nunique() == 1
    [other] = three_way(corpus, kind, seed=1)
    assert not np.array_equal(sets[1], other[1])


@pytest.mark.parametrize("n_speakers, n_validated", [(3, 1), (12, 2)])
def test_in_three_by_speakers_nobody_is_in_two(n_speakers, n_validated):
    corpus = corpus_of(n_speakers, n_takes=2)
    folds = three_way(corpus, "speaker", validation_size=0.2)
    assert len(folds) == len(split(corpus, "speaker"))
    for sets in folds:
        check(corpus, *sets)
        assert every_clip_once(corpus, sets)
        assert corpus.table["speaker"][sets[1]].nunique() == n_validated


def test_of_two_speakers_none_can_be_spared_for_validation():
    with pytest.raises(
        ValueError, match="leaves 1 speaker, and 1 would be the validation set: none is left"
    ):
        three_way(corpus_of(2), "speaker")


@pytest.mark.parametrize("size", [0, 1, 50])
def test_a_validation_set_that_is_no_share_is_refused(size):
    with pytest.raises(ValueError, match="a share between 0 and 1"):
        three_way(corpus_of(3), "random", validation_size=size)


def test_what_cannot_be_split_is_refused():
    corpus = corpus_of(1)
    with pytest.raises(
        ValueError, match="has one speaker, and a split by speaker needs 2: record another"
    ):
        split(corpus, "speaker")
    with pytest.raises(ValueError, match="official, random, speaker, leave-one-speaker-out"):
        split(corpus, "fair")
    late = replace(corpus, table=corpus.table[corpus.table["take"] >= 5].reset_index(drop=True))
    with pytest.raises(ValueError, match="and 0 for the test: record more takes"):
        split(late, "official")


def test_speakers_on_both_sides_are_refused_by_name_unless_asked_for():
    corpus = corpus_of(6)
    [(train, test)] = split(corpus, "official")
    with pytest.raises(ValueError, match=r"test set share 6 speakers:\ns00, s01, s02 and 3 more"):
        check(corpus, train, test)
    check(corpus, train, test, allow=["speakers"])
    one = np.flatnonzero(corpus.table["speaker"] == "s00")
    with pytest.raises(ValueError, match=r"share 1 speaker:\ns00\.\nSplit by speaker"):
        check(corpus, one[:5], one[5:])


def test_all_three_sets_are_compared():
    corpus = corpus_of(2)
    anna, ben = (np.flatnonzero(corpus.table["speaker"] == name) for name in ("s00", "s01"))
    with pytest.raises(ValueError, match="the training and the test set share 1 speaker"):
        check(corpus, anna[:5], ben, anna[5:])
    with pytest.raises(ValueError, match="the validation and the test set share 1 speaker"):
        check(corpus, anna, ben[:5], ben[5:])


def test_a_clip_on_both_sides_is_refused():
    corpus = corpus_of(2)
    with pytest.raises(ValueError, match=r"share 1 clip or copies of them:\n0_s00_3.wav\."):
        check(corpus, np.arange(4), np.arange(3, 9), allow=["speakers"])


def test_files_with_the_same_bytes_are_copies_whatever_their_names(on_disk):
    with pytest.raises(ValueError, match=r"1 clip or copies of them:\n0_s00_0.wav\.\nKeep copies"):
        split(on_disk, "official")
    [(train, test)] = split(on_disk, "official", allow=["copies"])
    assert len(train) == len(test) == 150
    with pytest.raises(ValueError, match="0_s0"):
        split(on_disk, "speaker")


def test_a_file_that_changes_is_no_longer_a_copy(on_disk):
    with pytest.raises(ValueError, match="copies"):
        split(on_disk, "official")
    on_disk.table["path"][19].write_text("something else")
    split(on_disk, "official")


def test_drawing_at_random_keeps_copies_together(on_disk):
    for seed in range(20):
        [(train, test)] = split(on_disk, "random", test_size=0.5, seed=seed)
        assert every_clip_once(on_disk, [train, test])
        assert (0 in test) == (19 in test)
        [sets] = three_way(on_disk, "random", seed=seed)
        assert every_clip_once(on_disk, sets)


def test_augmented_copies_must_follow_their_original():
    corpus = corpus_of(3)
    origins = np.repeat(np.arange(len(corpus)), 9)
    [(train, test)] = split(corpus, "speaker")[:1]
    check(
        corpus, *(np.flatnonzero(np.isin(origins, rows)) for rows in (train, test)), origins=origins
    )
    drawn = np.random.default_rng(0).permutation(len(origins))
    with pytest.raises(ValueError, match="clips or copies of them"):
        check(corpus, drawn[:2000], drawn[2000:], allow=["speakers"], origins=origins)
    check(corpus, drawn[:2000], drawn[2000:], allow=["speakers", "copies"], origins=origins)


def test_a_misspelt_allowance_and_a_missing_set_are_refused():
    corpus = corpus_of(2)
    with pytest.raises(ValueError, match='"speakers" and "copies"'):
        check(corpus, [0], [1], allow=["speaker"])
    with pytest.raises(ValueError, match="1 sets: give training and test clips"):
        check(corpus, [0])


@pytest.mark.parametrize(
    ("n_takes", "settings", "words"),
    [
        (4, {}, "of 80 clips, 8 would be the test set, too few for 10 classes. Record more takes"),
        (2, {"test_size": 0.8}, "8 would be the training set, too few for 10 classes"),
        (2, {"test_size": 35}, "5 would be the training set"),
        (4, {"test_size": 0}, "test_size=0: give a share between 0 and 1, or a number of clips"),
        (4, {"test_size": 1.0}, "test_size=1.0: give a share"),
        (4, {"test_size": -0.5}, "test_size=-0.5: give a share"),
        (4, {"test_size": 80}, "test_size=80: give a share .* below 80, which is what there is"),
        (4, {"test_size": float("nan")}, "test_size=nan: give a share"),
    ],
)
def test_a_corpus_too_small_for_a_random_split_is_told_what_to_record(n_takes, settings, words):
    corpus = corpus_of(2, n_takes)
    with pytest.raises(ValueError, match=words):
        split(corpus, "random", **settings)


def test_classes_with_one_clip_or_only_copies_of_it_are_named(on_disk):
    few = on_disk.select([0, 19, *range(30, 34), 60])  # class 0: a clip and its copy; class 2: one
    with pytest.raises(
        ValueError, match=r"only one clip, copies left out, of 0, 2\. .* record more"
    ):
        split(few, "random", test_size=0.5)


def test_too_few_clips_for_a_validation_set_are_told_apart_from_the_test(on_disk):
    with pytest.raises(ValueError, match="7 would be the validation set, too few for 10 classes"):
        three_way(corpus_of(1, 7), "random", validation_size=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_corpus_is_refused_in_a_sentence(kind):
    with pytest.raises(ValueError, match="made holds no clips"):
        split(corpus_of(0), kind)
