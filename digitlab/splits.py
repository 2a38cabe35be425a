"""Which clips are learned from, and which are asked about afterwards. Chapter 9 compares them."""

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedShuffleSplit

from digitlab.corpora import Corpus

SPLITS = ("official", "random", "speaker")
OFFICIAL_TEST_TAKES = 5  # FSDD's README: takes 0 to 4 are the test set
MOST_SPEAKERS_LEFT_OUT = 6
FOLDS = 5

Split = tuple[np.ndarray, np.ndarray]


def split(corpus: Corpus, kind: str, *, seed: int = 0) -> list[Split]:
    """Divide a corpus into training and test clips, once or in folds.

    Parameters
    ----------
    corpus : Corpus
        What to divide.
    kind : str
        ``"official"``: takes 0 to 4 of everything are the test set; ``"random"``: a tenth of the
        clips, each class alike; ``"speaker"``: nobody is in both sets, one speaker left out in
        turn, or, of more than six speakers, a fifth of them.
    seed : int
        For ``"random"``.

    Returns
    -------
    list of (train, test)
        Row numbers into ``corpus.table``, a pair a fold.

    Raises
    ------
    ValueError
        If the kind is unknown, or leaves nothing to learn from or to test on.

    Notes
    -----
    Taught in chapter 9.

    Examples
    --------
    >>> from digitlab import corpora
    >>> [(train, test)] = split(corpora.load("voices"), "official")
    >>> len(train), len(test)
    (1800, 600)
    """
    table = corpus.table
    rows = np.arange(len(table))
    if kind == "official":
        is_test = (table["take"] < OFFICIAL_TEST_TAKES).to_numpy()
        folds = [(rows[~is_test], rows[is_test])]
    elif kind == "random":
        tenth = StratifiedShuffleSplit(1, test_size=0.1, random_state=seed)
        folds = list(tenth.split(rows, table["label"]))
    elif kind == "speaker":
        n_speakers = table["speaker"].nunique()
        if n_speakers < 2:
            raise ValueError(f"{corpus.name} has one speaker: nobody can be left out")
        few = n_speakers <= MOST_SPEAKERS_LEFT_OUT
        folds = list(
            (LeaveOneGroupOut() if few else GroupKFold(FOLDS)).split(rows, groups=table["speaker"])
        )
    else:
        raise ValueError(f"there is no split {kind!r}; there are {', '.join(SPLITS)}")
    for train, test in folds:
        if not (len(train) and len(test)):
            raise ValueError(
                f"the {kind} split of {corpus.name} leaves {len(train)} clips to learn from and "
                f"{len(test)} to test on: choose another split"
            )
    return folds
