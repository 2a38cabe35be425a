"""How a system did on its test clips, and all that is needed to run it again."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, f1_score

from digitlab.evaluation import flows, speaker_interval, wilson_interval, with_wilson

if TYPE_CHECKING:
    from digitlab.recognisers import Recogniser
    from digitlab.training import History

LIBRARIES = (
    "digitlab", "numpy", "scipy", "librosa", "scikit-learn", "soxr", "kymatio", "torch",
    "lightning", "keras", "tensorflow",
)  # fmt: skip


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
    test_loss : float
        Mean cross-entropy of the test clips, in nats a clip. No probability counts as less
        than 1e-7.
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
    test_loss: float
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
    def mistakes(self) -> dict[int, int]:
        """What each misrecognised clip of a single run was taken for, by its row."""
        wrong = self.y_true != self.y_pred
        return dict(zip(self.rows[wrong].tolist(), self.y_pred[wrong].tolist(), strict=True))

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
        return with_wilson(table)[["accuracy", "low", "high", "n_clips"]]

    @property
    def _answers(self) -> pd.DataFrame:
        return pd.DataFrame({"correct": self.y_true == self.y_pred, "row": self.rows})

    def to_dict(self) -> dict[str, object]:
        """Return what a JSON file or ``results.csv`` keeps of the run: numbers, texts, versions."""
        low, high = self.interval
        speaker_low, speaker_high = self.speaker_interval
        curves = self.history.curves if self.history else {}
        last = {name: values[-1] for name, values in curves.items()}
        mistakes = {} if self.parts else self.mistakes
        derived = (
            self.history.epochs if self.history else None,
            last.get("loss"),
            last.get("validation_loss"),
            last.get("validation_accuracy"),
            self.n_test,
            self.test_accuracy,
            self.balanced_accuracy,
            low,
            high,
            self.speaker_accuracy,
            None if np.isnan(speaker_low) else speaker_low,
            None if np.isnan(speaker_high) else speaker_high,
            self.by_speaker["accuracy"].rename(index=str).round(4).to_dict(),
            self.confusion.tolist(),
            " ".join(f"{row}:{label}" for row, label in mistakes.items()),
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
DERIVED = (
    "epochs", "train_loss", "validation_loss", "validation_accuracy", "n_test", "test_accuracy",
    "balanced_accuracy", "interval_low", "interval_high", "speaker_accuracy",
    "speaker_interval_low", "speaker_interval_high", "accuracy_by_speaker", "confusion", "mistakes",
    "pooled", "versions",
)  # fmt: skip
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
        test_loss=float(np.mean([part.test_loss for part in parts])),
        seconds_training=sum(part.seconds_training for part in parts),
        history=None,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        parts=tuple(parts),
        **joined,
    )


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
