"""What a score means: accuracy with its intervals, comparison, calibration, reports.

Taught in chapter 7, "What a score means".
"""

import platform
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

MOST_DRAWN_AT_ONCE = 3_000_000  # numbers that a bootstrap holds in memory
LIBRARIES = ("digitlab", "numpy", "scipy", "kymatio", "torch", "lightning", "keras", "tensorflow")


def wilson_interval(accuracy: float, n_clips: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy measured on independent clips.

    Parameters
    ----------
    accuracy : float
        Share of clips recognised.
    n_clips : int
        How many clips were asked.

    Returns
    -------
    low, high : float
        The interval.

    Raises
    ------
    ValueError
        If the accuracy is no share of at least one clip.

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927. Taught in chapter 7.

    Examples
    --------
    >>> low, high = wilson_interval(0.967, 300)
    >>> round(low, 3), round(high, 3)
    (0.94, 0.982)
    """
    if not (0 <= accuracy <= 1 and n_clips >= 1):
        raise ValueError(f"accuracy {accuracy} of {n_clips} clips: a share from 0 to 1 is needed")
    low, high = proportion_confint(accuracy * n_clips, n_clips, method="wilson")
    # rounding may leave a bound a last digit short of an accuracy of 0 or 1
    return min(float(low), accuracy), max(float(high), accuracy)


def speaker_interval(correct: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of accuracy, drawing speakers instead of clips.

    Clips of one speaker succeed and fail together, so few speakers say little about the next one,
    however many clips they recorded.

    Parameters
    ----------
    correct : array of shape (n_clips,)
        1 where a clip was recognised, 0 where not; or the share of runs that recognised it.
    speakers : array of shape (n_clips,)
        Who said it.

    Returns
    -------
    low, high : float
        The interval; both NaN if there is one speaker only.

    Notes
    -----
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.
    Percentiles of 9,999 draws, always the same ones. Taught in chapter 7, which also measures how
    often the interval holds the truth: 95 times in a hundred where speakers are many, some 86 times
    with six of them, 75 with three. Student's interval, over the means of the speakers, is then the
    safer one.

    Examples
    --------
    >>> correct = np.repeat([1, 1, 0], 100)
    >>> speaker_interval(correct, np.repeat(["anna", "ben", "carl"], 100))
    (0.0, 1.0)
    """
    by_speaker = pd.Series(np.asarray(correct, float)).groupby(np.asarray(speakers))
    right, asked = by_speaker.sum().to_numpy(), by_speaker.size().to_numpy()
    if len(asked) < 2:
        return float("nan"), float("nan")
    drawn = stats.bootstrap(
        (right, asked),
        lambda right, asked, axis: right.sum(axis) / asked.sum(axis),
        paired=True,
        batch=max(1, MOST_DRAWN_AT_ONCE // len(asked)),
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return tuple(float(bound) for bound in drawn.confidence_interval)


def clip_interval(correct: np.ndarray) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of accuracy, drawing clips.

    It takes every clip for an independent toss, as Wilson's does, and unlike that one it also
    serves means of other things than right and wrong, such as a difference of two systems.

    Parameters
    ----------
    correct : array of shape (n_clips,)
        1 where a clip was recognised, 0 where not; or any other number a clip.

    Returns
    -------
    low, high : float
        The interval; both NaN if there is one clip only.

    See Also
    --------
    speaker_interval : For clips of few speakers, who succeed and fail together.

    Notes
    -----
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.
    Percentiles of 9,999 draws, always the same ones. Taught in chapter 7.

    Examples
    --------
    >>> low, high = clip_interval(np.arange(300) < 290)
    >>> round(low, 3), round(high, 3)
    (0.947, 0.987)
    """
    return speaker_interval(correct, np.arange(len(correct)))


class Comparison(NamedTuple):
    """How two systems did on the same clips.

    Attributes
    ----------
    difference : float
        Accuracy of the first less that of the second.
    only_first, only_second : int
        Clips that one system alone recognised.
    p_value : float
        Of McNemar's exact test: how often two equally good systems would part so unequally, were
        every clip an independent toss.
    clip_interval, speaker_interval : tuple of float
        95 % bootstrap intervals of the difference, drawing clips and drawing speakers.
    """

    difference: float
    only_first: int
    only_second: int
    p_value: float
    clip_interval: tuple[float, float]
    speaker_interval: tuple[float, float]


def compare(first: np.ndarray, second: np.ndarray, speakers: np.ndarray) -> Comparison:
    """Compare two systems that answered the same clips.

    McNemar's test looks at the clips on which they part. Where few speakers said everything, it
    takes a system that suits one of them for a better system. The interval over speakers is not so
    easily taken in, though narrower than it should be (see :func:`speaker_interval`).

    Parameters
    ----------
    first, second : array of bool, shape (n_clips,)
        Whether each clip was recognised, the clips in the same order.
    speakers : array of shape (n_clips,)
        Who said each.

    Returns
    -------
    Comparison
        Difference, McNemar's test, and the intervals over clips and over speakers.

    Raises
    ------
    ValueError
        If there are no clips, the lengths differ, or a clip is neither right nor wrong.

    Notes
    -----
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; for classifiers: T. G. Dietterich, "Approximate
    statistical tests for comparing supervised classification learning algorithms", Neural
    Computation 10, 1998. Taught in chapter 7.

    Examples
    --------
    Ten clips by two people. The first system alone is right about six of anna's:

    >>> first = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 1])
    >>> second = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1])
    >>> result = compare(first, second, np.repeat(["anna", "ben"], [6, 4]))
    >>> result.only_first, result.only_second, result.p_value, result.speaker_interval
    (6, 0, 0.03125, (0.0, 1.0))
    """
    first, second, speakers = np.asarray(first), np.asarray(second), np.asarray(speakers)
    if not (first.size and first.shape == second.shape == speakers.shape):
        raise ValueError(
            f"{len(first)}, {len(second)} and {len(speakers)} answers and speakers: "
            "both systems must have answered the same clips"
        )
    if not (np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all()):
        raise ValueError("a clip is right (1) or wrong (0): compare seeds or runs one by one")
    difference = first.astype(float) - second
    only_first, only_second = int((difference > 0).sum()), int((difference < 0).sum())
    return Comparison(
        difference=float(difference.mean()),
        only_first=only_first,
        only_second=only_second,
        p_value=float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue),
        clip_interval=clip_interval(difference),
        speaker_interval=speaker_interval(difference, speakers),
    )


def reliability(probabilities: np.ndarray, y_true: np.ndarray, *, n_bins: int = 10) -> pd.DataFrame:
    """Tell how often a system is right when it is so sure.

    A clip's confidence is the largest of its probabilities. Clips are sorted into bins of equal
    width by it; a calibrated system is right about the share of them that its confidence says.

    Parameters
    ----------
    probabilities : array of shape (n_clips, n_classes)
        Each row adds up to 1.
    y_true : array of shape (n_clips,), int
        The column of the right class.
    n_bins : int
        How many, from 0 to 1.

    Returns
    -------
    pandas.DataFrame
        A row a bin that holds clips, its upper edge included: mean ``confidence``, ``accuracy``
        with its Wilson interval (``low``, ``high``), and ``n_clips``.

    Raises
    ------
    ValueError
        If the shapes do not fit, the rows are no probabilities, or a label has no column.

    Notes
    -----
    C. Guo et al., "On calibration of modern neural networks", ICML 2017. Taught in chapter 7.

    Examples
    --------
    >>> sure, torn = [0.95, 0.05], [0.55, 0.45]
    >>> table = reliability([sure, sure, torn, torn], [0, 0, 0, 1])
    >>> table["accuracy"]
    bin
    (0.5, 0.6]    0.5
    (0.9, 1.0]    1.0
    Name: accuracy, dtype: float64
    """
    probabilities, y_true = np.asarray(probabilities, float), np.asarray(y_true)
    if probabilities.ndim != 2 or y_true.shape != probabilities.shape[:1] or not y_true.size:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} and labels of shape {y_true.shape}: "
            "(n_clips, n_classes) and (n_clips,) are needed"
        )
    if not (probabilities.min() >= 0 and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)):
        raise ValueError("each row must be probabilities that add up to 1: apply the softmax first")
    if not np.isin(y_true, np.arange(probabilities.shape[1])).all():
        raise ValueError(f"labels must be columns, 0 to {probabilities.shape[1] - 1}")
    confidence = probabilities.max(axis=1).clip(max=1)
    clips = pd.DataFrame(
        {
            "bin": pd.cut(confidence, np.linspace(0, 1, n_bins + 1)),
            "confidence": confidence,
            "correct": probabilities.argmax(axis=1) == y_true,
        }
    )
    table = clips.groupby("bin", observed=True).agg(
        confidence=("confidence", "mean"), accuracy=("correct", "mean"), n_clips=("correct", "size")
    )
    return _with_wilson(table)[["confidence", "accuracy", "low", "high", "n_clips"]]


def calibration_error(probabilities: np.ndarray, y_true: np.ndarray, *, n_bins: int = 10) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, on average.

    Parameters
    ----------
    probabilities : array of shape (n_clips, n_classes)
        Each row adds up to 1.
    y_true : array of shape (n_clips,), int
        The column of the right class.
    n_bins : int
        As for :func:`reliability`.

    Returns
    -------
    float
        The mean distance between the two in the bins, each weighted by its clips; 0 is best.

    Raises
    ------
    ValueError
        As for :func:`reliability`.

    Notes
    -----
    With few clips in a bin the error comes out too large, by luck alone: compare only with the same
    clips and the same bins. Guo et al. 2017. Taught in chapter 7.

    Examples
    --------
    >>> sure, torn = [0.95, 0.05], [0.55, 0.45]
    >>> round(calibration_error([sure, sure, torn, torn], [0, 0, 0, 1]), 3)
    0.05
    """
    table = reliability(probabilities, y_true, n_bins=n_bins)
    distance = (table["accuracy"] - table["confidence"]).abs()
    return float(np.average(distance, weights=table["n_clips"]))


def flows(
    matrix: np.ndarray, classes: tuple[str, ...], *, threshold: float = 0.001
) -> pd.DataFrame:
    """List what was said and what was heard, the most frequent pair first.

    The table behind :func:`digitlab.plotting.alluvial`, and its text for those who cannot see it.

    Parameters
    ----------
    matrix : array of shape (n_classes, n_classes), int
        Counts of clips, a row for what was said, a column for what was heard: from
        :attr:`Report.confusion`.
    classes : tuple of str
        Names of the classes.
    threshold : float
        The smallest share of all clips that a picture shows.

    Returns
    -------
    pandas.DataFrame
        A row a pair that occurred: ``said``, ``heard``, ``clips``, ``share`` (of the clips in which
        that was said) and ``shown`` (whether its clips reach the threshold).

    Raises
    ------
    ValueError
        If the matrix is not square, has not a name for each class, holds anything but counts or no
        clips at all, or if the threshold is no share.

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> table = flows([[8, 2], [1, 999]], ("tree", "three"))
    >>> table
        said  heard  clips  share  shown
    0  three  three    999  0.999   True
    1   tree   tree      8  0.800   True
    2   tree  three      2  0.200   True
    3  three   tree      1  0.001  False
    >>> hidden = table[~table["shown"]]
    >>> len(hidden), int(hidden["clips"].sum())
    (1, 1)
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"a matrix of shape {counts.shape}: a row and a column for each class are needed, "
            "as in Report.confusion"
        )
    if len(set(classes)) != len(counts):
        raise ValueError(
            f"{len(set(classes))} different names for the {len(counts)} classes of the matrix"
        )
    if (counts < 0).any() or (counts % 1 != 0).any():
        raise ValueError("a confusion matrix counts clips: whole numbers, not shares, from 0 on")
    if not counts.any():
        raise ValueError("there are no clips in the confusion matrix")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold {threshold}: a share of all clips is needed, such as 0.001")
    said, heard = counts.nonzero()
    clips = counts[said, heard].astype(int)
    table = pd.DataFrame(
        {
            "said": [classes[i] for i in said],
            "heard": [classes[i] for i in heard],
            "clips": clips,
            "share": clips / counts.sum(axis=1)[said],
            "shown": clips / counts.sum() >= threshold,
        }
    )
    return table.sort_values("clips", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Report:
    """How a system did on clips it had not learned from, and all that is needed to do it again.

    Attributes
    ----------
    recipe, framework, corpus, corpus_digest, split, fold, scale, seed, device
        What was run, on what. `fold` names the speakers left out.
    classes : tuple of str
        What the labels mean.
    n_train, n_test : int
        Clips learned from, and asked about.
    n_parameters, n_trainable : int
        Weights with running statistics, and weights alone.
    train_accuracy : float
        Share of the training clips recognised after the last epoch.
    seconds_features, seconds_training : float
        Time taken. `features_cached` says whether the features lay on disk already.
    y_true, y_pred : array of shape (n_test,)
        Labels said and recognised.
    speakers : array of shape (n_test,)
        Who said each test clip.
    rows : array of shape (n_test,)
        Where the test clips stand in the corpus's table.
    history : digitlab.training.History
        Loss and accuracy after each epoch.
    recogniser : digitlab.recognisers.Recogniser
        What was trained; nothing, where several trainings are pooled.
    parts : tuple of Report
        The runs that a pooled report stands for; empty for a single run.
    versions : dict
        Of Python and the libraries.
    """

    recipe: str
    framework: str
    corpus: str
    corpus_digest: str
    split: str
    fold: str
    scale: str
    seed: int
    device: str
    classes: tuple[str, ...]
    n_train: int
    n_parameters: int
    n_trainable: int
    train_accuracy: float
    seconds_features: float
    features_cached: bool
    seconds_training: float
    y_true: np.ndarray = field(repr=False)
    y_pred: np.ndarray = field(repr=False)
    speakers: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    history: object = field(default=None, repr=False)
    recogniser: object = field(default=None, repr=False)
    parts: tuple["Report", ...] = field(default=(), repr=False)
    versions: dict = field(default_factory=lambda: versions(), repr=False)

    @property
    def correct(self) -> pd.Series:
        """Share of runs that recognised each test clip, by its row in the corpus's table."""
        right = pd.Series((self.y_true == self.y_pred).astype(float), index=self.rows)
        return right.groupby(level=0).mean()

    @property
    def n_test(self) -> int:
        """Different clips asked about; a clip asked in several runs counts once."""
        return len(np.unique(self.rows))

    @property
    def test_accuracy(self) -> float:
        """Share of test clips recognised, the mean over runs."""
        return float(np.mean(self.y_true == self.y_pred))

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the test accuracy."""
        return wilson_interval(self.test_accuracy, self.n_test)

    @property
    def speaker_interval(self) -> tuple[float, float]:
        """95 % interval of the test accuracy, bootstrapped over the speakers."""
        who = pd.Series(self.speakers, index=self.rows).groupby(level=0).first()
        return speaker_interval(self.correct, who)

    @property
    def micro_f1(self) -> float:
        """F1 over all answers together: where each clip has one label, the accuracy."""
        return float(f1_score(self.y_true, self.y_pred, average="micro"))

    @property
    def macro_f1(self) -> float:
        """The mean over the classes of their F1, each class counting alike."""
        return float(f1_score(self.y_true, self.y_pred, average="macro", zero_division=0))

    @property
    def balanced_accuracy(self) -> float:
        """The mean over the classes of the share recognised, each class counting alike."""
        return float(np.mean(self.by_class["accuracy"]))

    @property
    def by_seed(self) -> pd.Series:
        """Accuracy of each seed, over all its folds; its spread is the luck of the training."""
        runs = self.parts or (self,)
        right = pd.concat([run._answers.assign(seed=run.seed) for run in runs])
        return right.groupby("seed")["correct"].mean().rename("accuracy")

    @property
    def confusion(self) -> np.ndarray:
        """Counts, (n_classes, n_classes): a row for what was said, a column for what was heard."""
        return confusion_matrix(self.y_true, self.y_pred, labels=range(len(self.classes)))

    def worst_pairs(self, n: int = 5) -> pd.DataFrame:
        """Return what was most often taken for what, and the clips in which to hear it.

        Parameters
        ----------
        n : int
            How many pairs, at most.

        Returns
        -------
        pandas.DataFrame
            ``said``, ``heard``, ``clips`` and ``share`` as in :func:`flows`, and ``rows``: where
            the clips stand in the corpus's table, a list without repeats. Of several runs pooled,
            ``clips`` counts every run's answers.
        """
        table = flows(self.confusion, self.classes).drop(columns="shown")
        worst = table[table["said"] != table["heard"]].head(n)
        names = np.asarray(self.classes)
        asked = pd.DataFrame(
            {"said": names[self.y_true], "heard": names[self.y_pred], "rows": self.rows}
        )
        rows = asked.groupby(["said", "heard"])["rows"].agg(lambda clips: clips.unique().tolist())
        return worst.join(rows, on=["said", "heard"]).reset_index(drop=True)

    @property
    def by_class(self) -> pd.DataFrame:
        """Accuracy, Wilson interval and number of clips of each class."""
        return self._accuracy_by(np.asarray(self.classes)[self.y_true], "class")

    @property
    def by_speaker(self) -> pd.DataFrame:
        """Accuracy, Wilson interval and number of clips of each speaker."""
        return self._accuracy_by(self.speakers, "speaker")

    def _accuracy_by(self, group: np.ndarray, name: str) -> pd.DataFrame:
        answers = self._answers.assign(**{name: group})
        table = answers.groupby(name).agg(accuracy=("correct", "mean"), n_clips=("row", "nunique"))
        return _with_wilson(table)[["accuracy", "low", "high", "n_clips"]]

    @property
    def _answers(self) -> pd.DataFrame:
        return pd.DataFrame({"correct": self.y_true == self.y_pred, "row": self.rows})

    def to_dict(self) -> dict:
        """Return what a JSON file or ``results.csv`` keeps of the run.

        Returns
        -------
        dict
            Plain numbers, strings and the versions.
        """
        low, high = self.interval
        speaker_low, speaker_high = self.speaker_interval
        left_out = {
            "classes",
            "y_true",
            "y_pred",
            "speakers",
            "rows",
            "history",
            "recogniser",
            "parts",
            "versions",
        }
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        return kept | {
            "epochs": self.history.epochs if self.history else None,
            "n_test": self.n_test,
            "test_accuracy": self.test_accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "interval_low": low,
            "interval_high": high,
            "speaker_interval_low": None if np.isnan(speaker_low) else speaker_low,
            "speaker_interval_high": None if np.isnan(speaker_high) else speaker_high,
            "pooled": bool(self.parts),
            "versions": self.versions,
        }

    def to_dicts(self) -> list[dict]:
        """Return one dictionary a run (seed or fold), and a last one pooled over them.

        Returns
        -------
        list of dict
            The last has ``"pooled": True``.
        """
        runs = self.parts or (self,)
        return [run.to_dict() for run in runs] + [self.to_dict() | {"pooled": True}]


def pool(parts: list[Report]) -> Report:
    """Pool runs of one system, over seeds or folds, into one report.

    Parameters
    ----------
    parts : list of Report
        The runs.

    Returns
    -------
    Report
        Every answer of every run. Clips asked in several runs count once in the intervals.

    Notes
    -----
    Taught in chapter 7.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("y_true", "y_pred", "speakers", "rows")
    }
    return replace(
        first,
        fold="all" if len({part.fold for part in parts}) > 1 else first.fold,
        n_train=round(np.mean([part.n_train for part in parts])),
        train_accuracy=float(np.mean([part.train_accuracy for part in parts])),
        seconds_training=sum(part.seconds_training for part in parts),
        history=None,
        parts=tuple(parts),
        **joined,
    )


def _with_wilson(table: pd.DataFrame) -> pd.DataFrame:
    """Add Wilson's interval, ``low`` and ``high``, to columns ``accuracy`` and ``n_clips``."""
    bounds = [wilson_interval(*row) for row in table[["accuracy", "n_clips"]].to_numpy()]
    low, high = np.reshape(bounds, (-1, 2)).T
    return table.assign(low=low, high=high)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a result.

    Returns
    -------
    dict of str to str
        Those that are installed.

    Examples
    --------
    >>> "numpy" in versions()
    True
    """
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
