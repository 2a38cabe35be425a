"""Evaluation: accuracy with its intervals, comparison of systems, calibration.

Taught in chapter 7, "Evaluation: splits, leaks and confidence intervals".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

MOST_DRAWN_AT_ONCE = 3_000_000  # numbers that a bootstrap holds in memory
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


def student_interval(values: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Return Student's interval of a mean of independent values, such as one for each speaker.

    It also serves differences: of two systems, speaker by speaker or seed by seed. Taught in
    chapter 7.

    Parameters
    ----------
    values : array of shape (n_values,)
        One number for each observation.
    level : float
        How often such an interval contains the true mean.

    Returns
    -------
    low, high : float
        The interval; both NaN for a single value.

    Notes
    -----
    The mean plus or minus t s / sqrt(n), as for :func:`speaker_interval`, which averages the clips
    of each speaker first.

    Examples
    --------
    Three speakers gain 1, 2 and 3 points:

    >>> low, high = student_interval([0.01, 0.02, 0.03])
    >>> round(low, 4), round(high, 4)
    (-0.0048, 0.0448)
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return NO_INTERVAL
    t = stats.t.ppf((1 + level) / 2, len(values) - 1)
    reach = t * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def _student(values: np.ndarray, speakers: np.ndarray, *, lowest: float) -> tuple[float, float]:
    low, high = student_interval(pd.Series(values).groupby(speakers).mean().to_numpy())
    return (low, high) if np.isnan(low) else (max(lowest, low), min(1.0, high))


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
    _refuse_answers(first, second)
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


class Equivalence(NamedTuple):
    """Whether two systems are equally good, but for a margin.

    Attributes
    ----------
    difference : float
        Accuracy of the first minus that of the second.
    interval : tuple of float
        90 % interval of the difference, over clips.
    margin : float
        What counts as no difference that matters.
    is_shown : bool
        Whether the interval lies within the margin on either side.
    """

    difference: float
    interval: tuple[float, float]
    margin: float
    is_shown: bool


def equivalence(first: ArrayLike, second: ArrayLike, *, margin: float) -> Equivalence:
    """Test whether two systems are equally good on the same clips, but for a margin.

    That no difference was found does not show that there is none: with few clips, large ones are
    missed. Here the two systems are taken for different until the clips say otherwise. Taught in
    chapter 10.

    Parameters
    ----------
    first, second : array of bool, shape (n_clips,)
        Whether each clip was recognised, the clips in the same order.
    margin : float
        The largest difference of accuracies that does not matter. Choose it before looking.

    Raises
    ------
    ValueError
        If there are no clips, the lengths differ, a clip is neither right nor wrong, or the margin
        is not between 0 and 1.

    Notes
    -----
    Two one-sided tests at 5 %, which is to say that a 90 % interval lies within the margin: D. J.
    Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987. The interval is the score
    interval of T. Tango, Statistics in Medicine 17, 1998, for paired proportions: it keeps its
    width where the systems agree on every clip.

    Examples
    --------
    Of 300 clips, each system alone recognises three:

    >>> first, second = np.ones(300), np.ones(300)
    >>> first[:3] = second[3:6] = 0
    >>> result = equivalence(first, second, margin=0.02)
    >>> [round(bound, 3) for bound in result.interval], result.is_shown
    ([-0.016, 0.016], True)
    """
    first, second = np.asarray(first), np.asarray(second)
    _refuse_answers(first, second)
    _refuse_margin(margin)
    only_first, only_second = int((first > second).sum()), int((first < second).sum())
    interval = _paired_interval(only_first, only_second, first.size, stats.norm.ppf(0.95))
    difference = (only_first - only_second) / first.size
    return Equivalence(difference, interval, margin, -margin < interval[0] < interval[1] < margin)


class NonInferiority(NamedTuple):
    """Whether a system may replace another one: it is no worse, but for a margin.

    Attributes
    ----------
    difference : float
        Accuracy of the new system minus that of the old one, the mean over speakers.
    speaker_interval : tuple of float
        Student's 95 % interval of that difference, over speakers.
    clip_interval : tuple of float
        95 % interval of the difference, over clips.
    margin : float
        The largest loss that does not matter.
    is_shown : bool
        Whether both intervals lie above minus the margin.
    """

    difference: float
    speaker_interval: tuple[float, float]
    clip_interval: tuple[float, float]
    margin: float
    is_shown: bool


def non_inferiority(
    new: ArrayLike, old: ArrayLike, speakers: ArrayLike, *, margin: float
) -> NonInferiority:
    """Test whether a system is no worse than another on the same clips, but for a margin.

    The new system is taken for worse until the clips say otherwise: few clips or few speakers do
    not let it pass. Taught in chapter 17.

    Parameters
    ----------
    new, old : array of bool, shape (n_clips,)
        Whether each clip was recognised, the clips in the same order.
    speakers : array of shape (n_clips,)
        Speaker of each clip.
    margin : float
        The largest loss of accuracy that does not matter, such as 0.02. Choose it before looking.

    Raises
    ------
    ValueError
        As for :func:`equivalence`, and if there is not a speaker for each clip.

    Notes
    -----
    One-sided tests at 2.5 %, which is to say that 95 % intervals lie above minus the margin. The
    interval over speakers is that of :func:`compare`. It has no width where all speakers differ
    alike, as they do where two systems agree on every clip. So the interval over clips must lie
    above minus the margin, too: T. Tango's, see :func:`equivalence`, which keeps its width.

    Examples
    --------
    Ten speakers say thirty clips each. The new system loses one clip of each of three speakers:

    >>> old, new = np.ones(300), np.ones(300)
    >>> new[[0, 30, 60]] = 0
    >>> result = non_inferiority(new, old, np.repeat(np.arange(10), 30), margin=0.03)
    >>> round(result.difference, 3), [round(x, 3) for x in result.speaker_interval]
    (-0.01, [-0.022, 0.002])
    >>> [round(x, 3) for x in result.clip_interval], result.is_shown
    ([-0.029, 0.003], True)
    """
    new, old, speakers = np.asarray(new), np.asarray(old), np.asarray(speakers)
    _refuse_answers(new, old)
    _refuse_margin(margin)
    if speakers.shape != new.shape:
        raise ValueError(f"{new.size} clips and {speakers.size} speakers: give one for each")
    difference = pd.Series(new.astype(float) - old).groupby(speakers).mean()
    over_speakers = student_interval(difference.to_numpy())
    only_new, only_old = int((new > old).sum()), int((new < old).sum())
    over_clips = _paired_interval(only_new, only_old, new.size, stats.norm.ppf(0.975))
    return NonInferiority(
        difference=float(difference.mean()),
        speaker_interval=over_speakers,
        clip_interval=over_clips,
        margin=margin,
        is_shown=bool(over_speakers[0] > -margin and over_clips[0] > -margin),
    )


def _paired_interval(b: int, c: int, n: int, z: float) -> tuple[float, float]:
    """Return Tango's score interval; b and c clips were recognised by one system alone."""

    def score(difference: float) -> float:
        linear = (2 * n - b + c) * difference - b - c
        root = np.sqrt(linear**2 + 8 * n * c * difference * (1 - difference))
        variance = n * ((root - linear) / (2 * n) + difference * (1 - difference))
        return (b - c - n * difference) / np.sqrt(max(variance, 1e-12))

    middle = (b - c) / n
    low = brentq(lambda d: score(d) - z, -1, middle) if middle > -1 else -1.0
    high = brentq(lambda d: score(d) + z, middle, 1) if middle < 1 else 1.0
    return float(low), float(high)


def _refuse_margin(margin: float) -> None:
    if not 0 < margin < 1:
        raise ValueError(f"margin {margin}: a share of the clips is needed, such as 0.02")


def _refuse_answers(*answers: np.ndarray) -> None:
    """Refuse what is not right and wrong of the same clips."""
    shapes = {right.shape for right in answers}
    if len(shapes) > 1 or not answers[0].size or answers[0].ndim != 1:
        raise ValueError(
            f"answers of shape {' and '.join(map(str, sorted(shapes)))}: both systems must have "
            "answered the same clips"
        )
    if not all(np.isin(right, (0, 1)).all() for right in answers):
        raise ValueError("a clip is right (1) or wrong (0): compare seeds or runs one by one")


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
    return with_wilson(table)[["confidence", "accuracy", "low", "high", "n_clips"]]


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
        :attr:`digitlab.reports.Report.confusion`.
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


def with_wilson(table: pd.DataFrame) -> pd.DataFrame:
    """Add Wilson's interval, ``low`` and ``high``, to a table of accuracies.

    Parameters
    ----------
    table : pandas.DataFrame
        With columns ``accuracy`` and ``n_clips``.

    Examples
    --------
    >>> with_wilson(pd.DataFrame({"accuracy": [0.967], "n_clips": [300]})).round(3)
       accuracy  n_clips   low   high
    0     0.967      300  0.94  0.982
    """
    bounds = [wilson_interval(*row) for row in table[["accuracy", "n_clips"]].to_numpy()]
    low, high = np.reshape(bounds, (-1, 2)).T
    return table.assign(low=low, high=high)
