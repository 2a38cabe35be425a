"""What a score means: accuracy with its intervals, confusions, reports. Taught in chapter 9."""

import platform
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

LIBRARIES = ("digitlab", "numpy", "scipy", "kymatio", "torch", "keras", "tensorflow")


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

    Notes
    -----
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22,
    1927. Taught in chapter 9.

    Examples
    --------
    >>> low, high = wilson_interval(0.967, 300)
    >>> round(low, 3), round(high, 3)
    (0.94, 0.982)
    """
    low, high = proportion_confint(accuracy * n_clips, n_clips, method="wilson")
    return float(low), float(high)


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
    Percentiles of 9,999 draws, always the same ones. Taught in chapter 9.

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
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return tuple(float(bound) for bound in drawn.confidence_interval)


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
    def confusion(self) -> np.ndarray:
        """Counts, (n_classes, n_classes): a row for what was said, a column for what was heard."""
        return confusion_matrix(self.y_true, self.y_pred, labels=range(len(self.classes)))

    @property
    def by_class(self) -> pd.DataFrame:
        """Accuracy, Wilson interval and number of clips of each class."""
        return self._accuracy_by(np.asarray(self.classes)[self.y_true], "digit")

    @property
    def by_speaker(self) -> pd.DataFrame:
        """Accuracy, Wilson interval and number of clips of each speaker."""
        return self._accuracy_by(self.speakers, "speaker")

    def _accuracy_by(self, group: np.ndarray, name: str) -> pd.DataFrame:
        answers = pd.DataFrame(
            {name: group, "correct": self.y_true == self.y_pred, "row": self.rows}
        )
        table = answers.groupby(name).agg(accuracy=("correct", "mean"), n_clips=("row", "nunique"))
        bounds = [wilson_interval(*row) for row in table.itertuples(index=False)]
        table[["low", "high"]] = np.reshape(bounds, (-1, 2))
        return table[["accuracy", "low", "high", "n_clips"]]

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
            "parts",
            "versions",
        }
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        return kept | {
            "n_test": self.n_test,
            "test_accuracy": self.test_accuracy,
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
    Taught in chapter 9.
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
