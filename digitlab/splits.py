"""Divide a corpus into training, validation and test clips.

A split that puts one speaker, or copies of one clip, on both sides makes a score look better than
it is. :func:`check` refuses it unless told otherwise, and every split here goes through it.
Chapter 7 shows what each kind is worth.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha1
from itertools import combinations
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    StratifiedShuffleSplit,
)

from digitlab.corpora import Corpus
from digitlab.environment import printable, sha256

SHARED = {  # what each kind of split is known, and meant, to have on both sides
    "official": ("speakers",),
    "random": ("speakers",),
    "speaker": (),
    "leave-one-speaker-out": (),
}
SPLITS = tuple(SHARED)
BY_SPEAKER = ("speaker", "leave-one-speaker-out")
OFFICIAL_TEST_TAKES = 5  # FSDD's README: takes 0 to 4 are the test set
MOST_SPEAKERS_LEFT_OUT = 6
FOLDS = 5
SETS = ("training", "validation", "testing")

Split = tuple[np.ndarray, np.ndarray]
ThreeWaySplit = tuple[np.ndarray, np.ndarray, np.ndarray]


def split(
    corpus: Corpus,
    kind: str,
    *,
    test_size: float | int = 0.1,
    seed: int = 0,
    allow: Collection[str] = (),
) -> list[Split]:
    """Divide a corpus into training and test clips, once or in folds.

    Parameters
    ----------
    corpus : Corpus
        What to divide.
    kind : str
        ``"official"``: the corpus's own, from the column ``split`` of its table, whose validation
        clips are left to :func:`three_way`; without one, as the Free Spoken Digit Dataset has it,
        takes 0 to 4 of everything are the test set.
        ``"random"``: drawn at random, each class alike. Both may share speakers.
        ``"speaker"``: no speaker is in both sets, one is left out in turn, or, of more than six
        speakers, a fifth of them. ``"leave-one-speaker-out"``: one in turn, however many.
    test_size : float or int
        For ``"random"``: the share of the clips that is the test set, or their number.
    seed : int
        For ``"random"``.
    allow : collection of str
        ``"copies"``, to accept copies of one clip on both sides.

    Returns
    -------
    list of (train, test)
        Row numbers into ``corpus.table``, in its order; a pair a fold.

    Raises
    ------
    ValueError
        If the kind is unknown, if there are too few clips or speakers for it, or if copies of one
        clip stand on both sides.

    See Also
    --------
    three_way : With clips to choose by, too.

    Notes
    -----
    Taught in chapter 7. Files with the same bytes count as copies; ``"random"`` keeps them
    together.

    Examples
    --------
    >>> from digitlab import corpora
    >>> corpus = corpora.load("voices")
    >>> [(train, test)] = split(corpus, "random", test_size=0.3)
    >>> len(train) / len(corpus), len(test) / len(corpus)
    (0.7, 0.3)
    >>> for train, test in split(corpus, "speaker"):
    ...     check(corpus, train, test)
    """
    table = corpus.table
    if table.empty:
        raise ValueError(f"{corpus.name} holds no clips: there is nothing to divide")
    if kind not in SPLITS:
        raise ValueError(f"there is no split {kind!r}; there are {', '.join(SPLITS)}")
    if kind == "official":
        side = _official_sides(table)
        folds = [(np.flatnonzero(side == "training"), np.flatnonzero(side == "testing"))]
    elif kind == "random":
        folds = [_draw(corpus, np.arange(len(table)), test_size, seed)]
    else:
        folds = _leave_speakers_out(corpus, kind)
    _accept(corpus, kind, folds, allow)
    return folds


def three_way(
    corpus: Corpus,
    kind: str,
    *,
    validation_size: float = 0.2,
    test_size: float | int = 0.2,
    seed: int = 0,
    allow: Collection[str] = (),
) -> list[ThreeWaySplit]:
    """Divide a corpus in three: training, validation and test clips.

    Whatever is chosen by a score (when to stop, which features, which seed) is chosen on the
    validation clips; the test clips are used once, at the end.

    Parameters
    ----------
    corpus : Corpus
        What to divide.
    kind : str
        As for :func:`split`. Kinds that keep speakers apart keep them apart in all three sets.
    validation_size : float
        The share of the whole corpus that is the validation set: of its clips, or, where speakers
        are kept apart, of its speakers, at least one. An ``"official"`` split with a validation
        set of its own does not look at it.
    test_size : float or int
        For ``"random"``, as for :func:`split`.
    seed : int
        Draws the validation set, and the test set of ``"random"``.
    allow : collection of str
        ``"copies"``, to accept copies of one clip in different sets.

    Returns
    -------
    list of (train, validation, test)
        Row numbers into ``corpus.table``, in its order; three arrays a fold.

    Raises
    ------
    ValueError
        As for :func:`split`; also, if `validation_size` is no share, or no speaker would be left
        for training.

    Examples
    --------
    >>> from digitlab import corpora
    >>> corpus = corpora.load("voices")
    >>> [sets] = three_way(corpus, "random", validation_size=0.2, test_size=0.2)
    >>> [len(rows) / len(corpus) for rows in sets]
    [0.6, 0.2, 0.2]
    """
    if not 0 < validation_size < 1:
        raise ValueError(f"validation_size={validation_size}: a share between 0 and 1 is needed")
    table = corpus.table
    side = _official_sides(table) if kind == "official" else ()
    if "validation" in side:
        training, validation, testing = (np.flatnonzero(side == name) for name in SETS)
        folds = [(training, validation, testing)]
    else:
        by_speaker = kind in BY_SPEAKER
        whole = table["speaker"].nunique() if by_speaker else len(table)
        size = max(1, round(validation_size * whole))
        draw = _draw_speakers if by_speaker else _draw
        folds = []
        for rest, test in split(corpus, kind, test_size=test_size, seed=seed, allow=allow):
            folds.append((*draw(corpus, rest, size, seed, "validation"), test))
    _accept(corpus, kind, folds, allow)
    return folds


def halves(corpus: Corpus) -> tuple[Corpus, Corpus]:
    """Divide a corpus into two of about as many speakers: one to choose on, one to test on.

    Parameters
    ----------
    corpus : Corpus
        Of at least two speakers.

    Returns
    -------
    first, second : Corpus
        In which half a speaker is, the name alone decides: it stays there in every version and part
        of the corpus. The halves are called "..., first half" and "..., second half".

    Raises
    ------
    ValueError
        If all speakers fall into one half.

    Notes
    -----
    Taught in chapter 15, whose recogniser was chosen on the first half of Speech Commands.

    Examples
    --------
    >>> from digitlab import corpora
    >>> first, second = halves(corpora.load("voices"))
    >>> first.name, first.table["speaker"].nunique(), second.table["speaker"].nunique()
    ('voices, first half', 37, 23)
    """
    hashes = [sha1(f"half{name}".encode()).hexdigest() for name in corpus.table["speaker"]]
    is_first = np.array([int(value, 16) % 2 == 0 for value in hashes])
    if is_first.all() or not is_first.any():
        raise ValueError(f"{corpus.name}: its speakers all fall into one half; more are needed")
    names = (f"{corpus.name}, first half", f"{corpus.name}, second half")
    parts = (corpus.select(is_first), corpus.select(~is_first))
    first, second = (replace(part, name=name) for part, name in zip(parts, names, strict=True))
    return first, second


def check(
    corpus: Corpus,
    *sets: np.ndarray,
    allow: Collection[str] = (),
    origins: np.ndarray | None = None,
) -> None:
    """Refuse sets of clips that share a speaker, or copies of one clip, unless asked to.

    Files with the same bytes are copies, whatever their names; so is a row in two sets.

    Parameters
    ----------
    corpus : Corpus
        Where the clips come from.
    *sets : array of int
        Rows: the training and the test clips, or training, validation and test clips.
    allow : collection of str
        What may be shared: ``"speakers"``, ``"copies"`` or both.
    origins : array of shape (n_copies,), optional
        For augmented clips: the row of ``corpus.table`` that each was made from. The sets are then
        rows of the augmented clips.

    Raises
    ------
    ValueError
        If two sets share what is not allowed. The message names speakers or files.

    Examples
    --------
    Every clip and a louder copy of it, divided at random:

    >>> from digitlab import corpora
    >>> corpus = corpora.load("voices")
    >>> origins = np.tile(np.arange(len(corpus)), 2)
    >>> rows = np.random.default_rng(0).permutation(len(origins))
    >>> check(corpus, rows[:4000], rows[4000:], allow=["speakers"], origins=origins)
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: the training and the test set share ... clips or copies of them:
    ...

    Divide the clips first, and let the copies follow:

    >>> [(train, test)] = split(corpus, "random")
    >>> sides = np.flatnonzero(np.isin(origins, train)), np.flatnonzero(np.isin(origins, test))
    >>> check(corpus, *sides, allow=["speakers"], origins=origins)
    """
    if len(sets) not in (2, 3):
        raise ValueError(f"{len(sets)} sets: give training and test clips, or validation clips too")
    rows = np.arange(len(corpus)) if origins is None else np.asarray(origins)
    _refuse_shared(corpus, [[rows[numbers] for numbers in sets]], allow)


def _official_sides(table: pd.DataFrame) -> np.ndarray:
    """Name the set that each clip belongs to, as the corpus's authors do."""
    if "split" in table:
        return table["split"].to_numpy()
    return np.where(table["take"] < OFFICIAL_TEST_TAKES, "testing", "training")


def _draw(
    corpus: Corpus, rows: np.ndarray, size: float | int, seed: int, purpose: str = "test"
) -> Split:
    """Draw some of the rows at random, each class alike; copies of one clip go the same way."""
    table = corpus.table.iloc[rows]
    clip, _ = pd.factorize(_contents(table))
    originals = table.iloc[np.unique(clip, return_index=True)[1]]
    _refuse_few(corpus, originals["label"], size, purpose)
    drawing = StratifiedShuffleSplit(1, test_size=size, random_state=seed)
    [(_, drawn)] = drawing.split(originals, originals["label"])
    is_drawn = np.isin(clip, drawn)
    return rows[~is_drawn], rows[is_drawn]


def _refuse_few(corpus: Corpus, labels: pd.Series, size: float | int, purpose: str) -> None:
    """Refuse to draw so many clips where one of the two sets could not hold every class."""
    n_clips, counts = len(labels), labels.value_counts()
    alone = [corpus.classes[label] for label in counts.index[counts < 2]]
    if alone:
        raise ValueError(
            f"{corpus.name}: there is only one clip, copies left out, of {_some(alone)}. A random "
            "split needs 2 of each class: record more takes of them, or leave these classes out"
        )
    if not 0 < size < (n_clips if isinstance(size, Integral) else 1):
        raise ValueError(
            f"{purpose}_size={size}: give a share between 0 and 1, or a number of clips below "
            f"{n_clips}, which is what there is"
        )
    n_drawn = size if isinstance(size, Integral) else int(np.ceil(size * n_clips))
    for n, name in [(n_drawn, purpose), (n_clips - n_drawn, "training")]:
        if n < len(counts):
            raise ValueError(
                f"{corpus.name}: of {n_clips} clips, {n} would be the {name} set, too few for "
                f"{len(counts)} classes. Record more takes of each class, or choose another split"
            )


def _draw_speakers(
    corpus: Corpus, rows: np.ndarray, n_speakers: int, seed: int, purpose: str
) -> Split:
    speakers = corpus.table["speaker"].iloc[rows]
    if speakers.nunique() <= n_speakers:
        raise ValueError(
            f"{corpus.name}: the test set leaves {_count(speakers.unique(), 'speaker')}, and "
            f"{n_speakers} would be the {purpose} set: none is left for training. "
            "Record more people, or choose another split"
        )
    drawing = GroupShuffleSplit(1, test_size=n_speakers, random_state=seed)
    [(kept, drawn)] = drawing.split(speakers, groups=speakers)
    return rows[kept], rows[drawn]


def _leave_speakers_out(corpus: Corpus, kind: str) -> list[Split]:
    speakers = corpus.table["speaker"]
    n_speakers = speakers.nunique()
    if n_speakers == 1:
        raise ValueError(
            f"{corpus.name} has one speaker, and a split by speaker needs 2: "
            'record another person, or choose another split, such as "random"'
        )
    one_by_one = kind == "leave-one-speaker-out" or n_speakers <= MOST_SPEAKERS_LEFT_OUT
    folds = LeaveOneGroupOut() if one_by_one else GroupKFold(FOLDS)
    return list(folds.split(speakers, groups=speakers))


def _accept(corpus: Corpus, kind: str, folds: list[tuple], allow: Collection[str]) -> None:
    """Let pass only folds without an empty set and without what they must not share."""
    for train, *others, test in folds:
        if not (len(train) and len(test) and all(map(len, others))):
            why = "its own sets" if "split" in corpus.table else "takes 0 to 4 as the test set"
            raise ValueError(
                f"the {kind} split of {corpus.name} ({why}) leaves {len(train)} clips for training "
                f"and {len(test)} for the test: record more takes, or choose another split"
            )
    _refuse_shared(corpus, folds, {*SHARED[kind], *allow})


def _refuse_shared(corpus: Corpus, folds: list, allow: Collection[str]) -> None:
    unknown = set(allow) - {"speakers", "copies"}
    if unknown:
        raise ValueError(f'allow={list(allow)}: what can be allowed is "speakers" and "copies"')
    table = corpus.table
    names = np.array([Path(path).name for path in table["path"]])
    if "copies" not in allow:
        for one, other, rows in _shared(_contents(table), folds):
            raise ValueError(
                f"the {one} and the {other} set share {_count(rows, 'clip')} or copies of them:\n"
                f"{_some(names[rows])}.\n"
                'Keep copies together, or say that it is meant: allow=["copies"]'
            )
    if "speakers" not in allow:
        speakers = table["speaker"].to_numpy()
        for one, other, rows in _shared(speakers, folds):
            who = set(speakers[rows])
            raise ValueError(
                f"the {one} and the {other} set share {_count(who, 'speaker')}:\n{_some(who)}.\n"
                'Split by speaker, or say that it is meant: allow=["speakers"]'
            )


def _shared(identity: np.ndarray, folds: list) -> Iterator[tuple[str, str, np.ndarray]]:
    """Find pairs of sets with something in common: their names, and the clips in question."""
    for sets in folds:
        names = {2: ("training", "test"), 3: ("training", "validation", "test")}[len(sets)]
        for (one, a), (other, b) in combinations(zip(names, sets, strict=True), 2):
            rows = np.unique(b[np.isin(identity[b], identity[a])])
            if len(rows):
                yield one, other, rows


def _count(things: Collection, word: str) -> str:
    return f"{len(things)} {word}{'s' if len(things) > 1 else ''}"


def _some(names: Collection[str], most: int = 3) -> str:
    names = sorted(map(printable, names))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")


def _contents(table: pd.DataFrame) -> np.ndarray:
    """Name what is in each clip's file: equal files, equal names."""
    return np.array([_content(path) for path in table["path"]])


def _content(path: Path) -> str:
    try:
        status = Path(path).stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return str(path)  # it cannot be read (any more): a file like no other


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """Hash a file; size and time of its last change are there to forget a file that changes."""
    return sha256(Path(path))
