"""What a score means: accuracy with its intervals, comparison, calibration, reports.

Taught in chapter 7, "What a score means".
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.metrics import confusion_matrix, f1_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

if TYPE_CHECKING:
    from digitlab.recognisers import Recogniser
    from digitlab.training import History

MOST_DRAWN_AT_ONCE = 3_000_000  # numbers that a bootstrap holds in memory
LIBRARIES = (
    "digitlab", "numpy", "scipy", "librosa", "scikit-learn", "soxr", "kymatio", "torch",
    "lightning", "keras", "tensorflow",
)  # fmt: skip
NO_INTERVAL = (float("nan"), float("nan"))


def wilson_interval(accuracy: float, n_clips: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy measured on independent clips.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927. Taught in chapter 7.

    Parameters
    ----------
    accuracy : float
        Share of clips recognised.
    n_clips : int
        Number of test clips.

    Raises
    ------
    ValueError
        If the accuracy is no share of at least one clip.

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


def speaker_interval(correct: ArrayLike, speakers: ArrayLike) -> tuple[float, float]:
    """Return Student's 95 % interval of accuracy over speakers.

    Clips of one speaker succeed and fail together, so each speaker is one observation: the mean of
    that speaker's clips. A few speakers say little about the next one, however many clips they
    recorded.

    Parameters
    ----------
    correct : array of shape (n_clips,)
        1 where a clip was recognised, 0 where not; or the share of runs that recognised it.
    speakers : array of shape (n_clips,)
        Speaker of each clip.

    Returns
    -------
    low, high : float
        The interval, cut off at 0 and 1; both NaN for a single speaker.

    Raises
    ------
    ValueError
        If there are no clips, the lengths differ, or a value is not from 0 to 1.

    See Also
    --------
    compare : For the difference of two systems.

    Notes
    -----
    The mean of the k speakers' means, plus or minus t s / sqrt(k), where s is their standard
    deviation and t the 97.5 % point of Student's distribution with k - 1 degrees of freedom. All
    speakers count alike, so the middle can differ from the accuracy over all clips.

    Chapter 7 measures how often such an interval contains the true accuracy. With six speakers it
    is about 94 % for Student's interval, 85 % for a bootstrap over speakers and 20 % for Wilson's.
    Where all speakers have the same accuracy, such as 100 %, the interval has no width and says
    nothing. Student, "The probable error of a mean", Biometrika 6, 1908.

    Examples
    --------
    >>> speakers = np.repeat(["anna", "ben", "carl"], 100)
    >>> low, high = speaker_interval(np.arange(300) % 100 < np.repeat([80, 90, 85], 100), speakers)
    >>> round(low, 3), round(high, 3)
    (0.726, 0.974)
    """
    correct, speakers = np.asarray(correct, float), np.asarray(speakers)
    if not (correct.size and correct.shape == speakers.shape):
        raise ValueError(f"{correct.size} clips and {speakers.size} speakers: give one for each")
    if not ((correct >= 0) & (correct <= 1)).all():
        raise ValueError("a clip counts from 0 to 1: for a difference of two systems use compare()")
    return _student(correct, speakers, lowest=0.0)


def _student(values: np.ndarray, speakers: np.ndarray, *, lowest: float) -> tuple[float, float]:
    means = pd.Series(values).groupby(speakers).mean().to_numpy()
    if len(means) < 2:
        return NO_INTERVAL
    reach = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / np.sqrt(len(means))
    return max(lowest, float(means.mean() - reach)), min(1.0, float(means.mean() + reach))


def clip_interval(values: ArrayLike) -> tuple[float, float]:
    """Return a 95 % bootstrap interval of a mean over clips.

    It takes clips as independent, as Wilson's interval does. Unlike that one, it also serves means
    of other things than right and wrong, such as a difference of two systems.

    Parameters
    ----------
    values : array of shape (n_clips,)
        1 where a clip was recognised, 0 where not; or any other number for each clip.

    Returns
    -------
    low, high : float
        The interval; both NaN for a single clip.

    Notes
    -----
    B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.
    Percentiles of 9,999 resamples with a fixed seed. Taught in chapter 7.

    Examples
    --------
    >>> low, high = clip_interval(np.arange(300) < 290)
    >>> round(low, 3), round(high, 3)
    (0.947, 0.987)
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return NO_INTERVAL
    batch = max(1, MOST_DRAWN_AT_ONCE // len(values))
    rng = np.random.default_rng(0)
    drawn = stats.bootstrap((values,), np.mean, method="percentile", batch=batch, rng=rng)
    low, high = drawn.confidence_interval
    return float(low), float(high)


class Comparison(NamedTuple):
    """How two systems did on the same clips.

    Attributes
    ----------
    difference : float
        Accuracy of the first minus that of the second.
    only_first, only_second : int
        Clips that one system alone recognised.
    p_value : float
        Of McNemar's exact test: the chance that two equally good systems differ so much, if every
        clip is independent.
    clip_interval : tuple of float
        95 % bootstrap interval of the difference, over clips.
    speaker_interval : tuple of float
        Student's 95 % interval of the difference, over speakers.
    """

    difference: float
    only_first: int
    only_second: int
    p_value: float
    clip_interval: tuple[float, float]
    speaker_interval: tuple[float, float]


def compare(first: ArrayLike, second: ArrayLike, speakers: ArrayLike) -> Comparison:
    """Compare two systems on the same clips: difference, McNemar's test and two intervals.

    McNemar's test looks at the clips that only one system recognised. With few speakers, it takes
    a system that suits one of them for a better system. The interval over speakers does not.

    Parameters
    ----------
    first, second : array of bool, shape (n_clips,)
        Whether each clip was recognised, the clips in the same order.
    speakers : array of shape (n_clips,)
        Speaker of each clip.

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
    Ten clips by two people. Only the first system recognises six of anna's:

    >>> first = np.array([1, 1, 1, 1, 1, 1, 1, 0, 1, 1])
    >>> second = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1])
    >>> result = compare(first, second, np.repeat(["anna", "ben"], [6, 4]))
    >>> result.only_first, result.only_second, result.p_value, result.speaker_interval
    (6, 0, 0.03125, (-1.0, 1.0))
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
        speaker_interval=_student(difference, speakers, lowest=-1.0),
    )


def reliability(probabilities: ArrayLike, y_true: ArrayLike, *, n_bins: int = 10) -> pd.DataFrame:
    """Compare a system's confidence with its accuracy, in bins.

    A clip's confidence is the largest of its probabilities. Clips are sorted by it into bins of
    equal width. In each bin, the accuracy of a calibrated system is about its confidence.
    C. Guo et al., "On calibration of modern neural networks", ICML 2017. Taught in chapter 7.

    Parameters
    ----------
    probabilities : array of shape (n_clips, n_classes)
        Each row adds up to 1.
    y_true : array of shape (n_clips,), int
        The column of the true class.
    n_bins : int
        Number of bins from 0 to 1.

    Returns
    -------
    pandas.DataFrame
        A row for each bin that holds clips, its upper edge included: mean ``confidence``,
        ``accuracy`` with its Wilson interval (``low``, ``high``), and ``n_clips``.

    Raises
    ------
    ValueError
        If the shapes do not fit, the rows are no probabilities, or a label has no column.

    Examples
    --------
    >>> sure, unsure = [0.95, 0.05], [0.55, 0.45]
    >>> table = reliability([sure, sure, unsure, unsure], [0, 0, 0, 1])
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
    bins = pd.cut(confidence, np.linspace(0, 1, n_bins + 1))
    correct = probabilities.argmax(axis=1) == y_true
    clips = pd.DataFrame({"bin": bins, "confidence": confidence, "correct": correct})
    table = clips.groupby("bin", observed=True).agg(
        confidence=("confidence", "mean"), accuracy=("correct", "mean"), n_clips=("correct", "size")
    )
    return _with_wilson(table)[["confidence", "accuracy", "low", "high", "n_clips"]]


def calibration_error(probabilities: ArrayLike, y_true: ArrayLike, *, n_bins: int = 10) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy.

    Each bin is weighted by its clips; 0 is best. With few clips in a bin the error comes out too
    large, by chance alone: compare only with the same clips and the same bins. Guo et al. 2017.
    Taught in chapter 7.

    Parameters
    ----------
    probabilities, y_true, n_bins
        As for :func:`reliability`, which also says what is refused.

    Examples
    --------
    >>> sure, unsure = [0.95, 0.05], [0.55, 0.45]
    >>> round(calibration_error([sure, sure, unsure, unsure], [0, 0, 0, 1]), 3)
    0.05
    """
    table = reliability(probabilities, y_true, n_bins=n_bins)
    distance = (table["accuracy"] - table["confidence"]).abs()
    return float(np.average(distance, weights=table["n_clips"]))


def flows(matrix: ArrayLike, classes: Sequence[str], *, threshold: float = 0.001) -> pd.DataFrame:
    """List the pairs of true and predicted class, the most frequent pair first.

    It is the table behind :func:`digitlab.plotting.alluvial`. Taught in chapter 14.

    Parameters
    ----------
    matrix : array of shape (n_classes, n_classes), int
        Counts of clips, a row for each true class, a column for each predicted one: from
        :attr:`Report.confusion`.
    classes : sequence of str
        Names of the classes.
    threshold : float
        The smallest share of all clips that a picture shows.

    Returns
    -------
    pandas.DataFrame
        A row for each pair that occurred: ``true``, ``predicted``, ``clips``, ``share`` (of the
        clips of the true class) and ``shown`` (whether its clips reach the threshold).

    Raises
    ------
    ValueError
        If the matrix is not square, has not a name for each class, holds anything but counts or no
        clips at all, or if the threshold is no share.

    Examples
    --------
    >>> table = flows([[8, 2], [1, 999]], ("tree", "three"))
    >>> table
        true predicted  clips  share  shown
    0  three     three    999  0.999   True
    1   tree      tree      8  0.800   True
    2   tree     three      2  0.200   True
    3  three      tree      1  0.001  False
    """
    counts = np.asarray(matrix)
    _refuse_matrix(counts, classes)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold {threshold}: a share of all clips is needed, such as 0.001")
    true, predicted = counts.nonzero()
    clips = counts[true, predicted].astype(int)
    table = pd.DataFrame(
        {
            "true": [classes[i] for i in true.tolist()],
            "predicted": [classes[i] for i in predicted.tolist()],
            "clips": clips,
            "share": clips / counts.sum(axis=1)[true],
            "shown": clips / counts.sum() >= threshold,
        }
    )
    return table.sort_values("clips", ascending=False, kind="stable", ignore_index=True)


def _refuse_matrix(counts: np.ndarray, classes: Sequence[str]) -> None:
    """Refuse what is no confusion matrix of these classes."""
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"shape {counts.shape}: a confusion matrix needs a row and a column a class"
        )
    if (n_names := len(set(classes))) != len(counts):
        raise ValueError(f"{n_names} different names for the {len(counts)} classes of the matrix")
    if (counts < 0).any() or (counts % 1 != 0).any():
        raise ValueError("a confusion matrix counts clips: whole numbers, not shares, from 0 on")
    if not counts.any():
        raise ValueError("there are no clips in the confusion matrix")


@dataclass(frozen=True)
class Report:
    """How a system did on its test clips, and all that is needed to run it again.

    Attributes
    ----------
    recipe, framework, corpus, corpus_digest, split, fold, scale, seed, device
        What was run, on what. `fold` names the speakers left out.
    test_corpus : str
        Where the test clips come from: mostly the same corpus.
    classes : tuple of str
        What the labels mean.
    n_train, n_test : int
        Number of training and of test clips.
    n_speakers : int
        Number of speakers in the training clips of `corpus`.
    n_parameters, n_trainable : int
        Weights with running statistics, and weights alone.
    train_accuracy : float
        Share of the training clips recognised after the last epoch.
    seconds_features, seconds_training : float
        Time taken.
    features_cached : bool
        Whether the features were on disk already.
    y_true, y_pred : array of shape (n_test,)
        True and predicted labels.
    speakers : array of shape (n_test,)
        Speaker of each test clip.
    rows : array of shape (n_test,)
        Rows of the test clips in the corpus's table.
    history : digitlab.training.History
        Loss and accuracy after each epoch.
    recogniser : digitlab.recognisers.Recogniser
        What was trained; None where several runs are pooled.
    notes : tuple of str
        What the user should know of the run, such as how many clips were cut.
    parts : tuple of Report
        The runs that a pooled report stands for; empty for a single run.
    versions : dict
        Of Python and the libraries.
    """

    recipe: str
    framework: str
    corpus: str
    corpus_digest: str
    test_corpus: str
    split: str
    fold: str
    scale: str
    seed: int
    device: str
    classes: tuple[str, ...]
    n_speakers: int
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
    history: "History | None" = field(default=None, repr=False)
    recogniser: "Recogniser | None" = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    parts: tuple["Report", ...] = field(default=(), repr=False)
    versions: dict[str, str] = field(default_factory=lambda: versions(), repr=False)

    @property
    def correct(self) -> pd.Series:
        """Share of runs that recognised each test clip, by its row in the corpus's table."""
        right = pd.Series((self.y_true == self.y_pred).astype(float), index=self.rows)
        return right.groupby(level=0).mean()

    @property
    def n_test(self) -> int:
        """Number of different test clips; a clip tested in several runs counts once."""
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
        """Student's 95 % interval of the test accuracy, over the speakers."""
        speakers = pd.Series(self.speakers, index=self.rows).groupby(level=0).first()
        return speaker_interval(self.correct, speakers)

    @property
    def speaker_accuracy(self) -> float:
        """Share of test clips recognised, the mean over speakers."""
        return float(self.by_speaker["accuracy"].mean())

    @property
    def micro_f1(self) -> float:
        """F1 over all predictions together: where each clip has one label, the accuracy."""
        return float(f1_score(self.y_true, self.y_pred, average="micro"))

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1; each class counts alike."""
        return float(f1_score(self.y_true, self.y_pred, average="macro", zero_division=0))

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the classes' accuracies; each class counts alike."""
        return float(np.mean(self.by_class["accuracy"]))

    @property
    def by_seed(self) -> pd.Series:
        """Accuracy of each seed, over all its folds; its spread shows the chance in training."""
        runs = self.parts or (self,)
        right = pd.concat([run._answers.assign(seed=run.seed) for run in runs])
        return right.groupby("seed")["correct"].mean().rename("accuracy")

    @property
    def confusion(self) -> np.ndarray:
        """Counts, (n_classes, n_classes): a row for each true class, a column for predicted."""
        return confusion_matrix(self.y_true, self.y_pred, labels=range(len(self.classes)))

    def worst_pairs(self, n: int = 5) -> pd.DataFrame:
        """Return the most frequent confusions, and the clips in which to hear them.

        Parameters
        ----------
        n : int
            Number of pairs, at most.

        Returns
        -------
        pandas.DataFrame
            ``true``, ``predicted``, ``clips`` and ``share`` as in :func:`flows`, and ``rows``: the
            clips' rows in the corpus's table, a list without repeats. Of several runs pooled,
            ``clips`` counts the predictions of every run.
        """
        table = flows(self.confusion, self.classes).drop(columns="shown")
        worst = table[table["true"] != table["predicted"]].head(n)
        names, pair = np.asarray(self.classes), ["true", "predicted"]
        clips = pd.DataFrame(
            {"true": names[self.y_true], "predicted": names[self.y_pred], "rows": self.rows}
        )
        rows = clips.groupby(pair)["rows"].agg(lambda same: same.unique().tolist())
        return worst.join(rows, on=pair).reset_index(drop=True)

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

    def to_dict(self) -> dict[str, object]:
        """Return what a JSON file or ``results.csv`` keeps of the run: numbers, texts, versions."""
        low, high = self.interval
        speaker_low, speaker_high = self.speaker_interval
        derived = (
            self.history.epochs if self.history else None,
            self.n_test,
            self.test_accuracy,
            self.balanced_accuracy,
            low,
            high,
            self.speaker_accuracy,
            None if np.isnan(speaker_low) else speaker_low,
            None if np.isnan(speaker_high) else speaker_high,
            self.confusion.tolist(),
            bool(self.parts),
            self.versions,
        )
        kept = {name: getattr(self, name) for name in KEPT}
        return kept | dict(zip(DERIVED, derived, strict=True))

    def to_dicts(self) -> list[dict[str, object]]:
        """Return one dictionary for each run (seed or fold), and a last one, pooled over them."""
        runs = self.parts or (self,)
        return [run.to_dict() for run in runs] + [self.to_dict() | {"pooled": True}]


NOT_KEPT = {"classes", "history", "notes", "parts", "recogniser", "rows", "speakers", "versions",
            "y_pred", "y_true"}  # fmt: skip
KEPT = tuple(f.name for f in fields(Report) if f.name not in NOT_KEPT)
DERIVED = ("epochs", "n_test", "test_accuracy", "balanced_accuracy", "interval_low",
           "interval_high", "speaker_accuracy", "speaker_interval_low", "speaker_interval_high",
           "confusion", "pooled", "versions")  # fmt: skip
COLUMNS = (*KEPT, *DERIVED)


def pool(parts: Sequence[Report]) -> Report:
    """Pool runs of one system, over seeds or folds, into one report with all their predictions.

    A clip tested in several runs counts once in the intervals.

    Parameters
    ----------
    parts : sequence of Report
        The runs.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("y_true", "y_pred", "speakers", "rows")
    }
    return replace(
        first,
        fold="all" if len({part.fold for part in parts}) > 1 else first.fold,
        n_train=round(np.mean([part.n_train for part in parts])),
        n_speakers=round(np.mean([part.n_speakers for part in parts])),
        train_accuracy=float(np.mean([part.train_accuracy for part in parts])),
        seconds_training=sum(part.seconds_training for part in parts),
        history=None,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        parts=tuple(parts),
        **joined,
    )


def _with_wilson(table: pd.DataFrame) -> pd.DataFrame:
    """Add Wilson's interval, ``low`` and ``high``, to columns ``accuracy`` and ``n_clips``."""
    bounds = [wilson_interval(*row) for row in table[["accuracy", "n_clips"]].to_numpy()]
    low, high = np.reshape(bounds, (-1, 2)).T
    return table.assign(low=low, high=high)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries that decide a result.

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
