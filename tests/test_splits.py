"""A split divides every clip once, and keeps its promise about who is on which side."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from digitlab.corpora import DIGITS, Corpus
from digitlab.splits import split


def corpus_of(n_speakers, n_takes=10):
    rows = [
        (f"{label}_{speaker}_{take}.wav", label, f"s{speaker:02}", take)
        for label in range(10)
        for speaker in range(n_speakers)
        for take in range(n_takes)
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "speaker", "take"])
    return Corpus("made", table, 8000, DIGITS, "Made", "CC0")


@pytest.mark.parametrize("kind", ["official", "random", "speaker"])
@pytest.mark.parametrize("n_speakers", [3, 12])
def test_every_clip_is_on_one_side(kind, n_speakers):
    corpus = corpus_of(n_speakers)
    for train, test in split(corpus, kind):
        assert sorted([*train, *test]) == list(range(len(corpus)))


def test_official_takes_0_to_4_are_the_test():
    corpus = corpus_of(3)
    [(train, test)] = split(corpus, "official")
    assert set(corpus.table["take"][test]) == {0, 1, 2, 3, 4}
    assert set(corpus.table["take"][train]) == {5, 6, 7, 8, 9}


@pytest.mark.parametrize("n_speakers, n_folds", [(2, 2), (6, 6), (7, 5), (12, 5)])
def test_nobody_is_on_both_sides_and_everybody_is_tested_once(n_speakers, n_folds):
    corpus = corpus_of(n_speakers)
    folds = split(corpus, "speaker")
    assert len(folds) == n_folds
    speakers = corpus.table["speaker"]
    for train, test in folds:
        assert not set(speakers[train]) & set(speakers[test])
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(corpus)))


def test_random_is_a_tenth_of_each_class_and_obeys_its_seed():
    corpus = corpus_of(4)
    [(_, test)] = split(corpus, "random", seed=1)
    assert (corpus.table["label"][test].value_counts() == 4).all()
    assert np.array_equal(test, split(corpus, "random", seed=1)[0][1])
    assert not np.array_equal(test, split(corpus, "random", seed=2)[0][1])


def test_what_cannot_be_split_is_refused():
    corpus = corpus_of(1)
    with pytest.raises(ValueError, match="one speaker"):
        split(corpus, "speaker")
    with pytest.raises(ValueError, match="official, random, speaker"):
        split(corpus, "fair")
    late = replace(corpus, table=corpus.table[corpus.table["take"] >= 5].reset_index(drop=True))
    with pytest.raises(ValueError, match="0 to test on"):
        split(late, "official")
