"""The runs that the book quotes, and how those that are missing are made.

``digitlab run --all --append`` completes ``book/results.csv`` by them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.live import Live
from rich.table import Table

from digitlab import corpora, experiment, reports, results, splits

SECOND_HALF = ", second half"
PEOPLE = f"speech_commands{SECOND_HALF}"  # the digits of people on whom nothing was chosen
IN_TURN = "leave-one-speaker-out"
MOST_SHOWN = 10  # runs
UNKNOWN_SECONDS = 600.0  # of a training that no row tells of


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A system, on what it is trained and tested, and how often.

    Attributes
    ----------
    recipe, framework, corpus, split, scale
        As for :func:`digitlab.experiment.plan`.
    test_corpus : str
        Another corpus that is the test, all of it or the second half of its speakers.
    n_speakers : int, optional
        As for :func:`digitlab.experiment.plan`.
    seeds : int
        How many, from 42 on.
    """

    recipe: str
    framework: str = "torch"
    corpus: str = "fsdd"
    split: str = "official"
    test_corpus: str = ""
    n_speakers: int | None = None
    scale: str = "laptop"
    seeds: int = 1

    def plan(self) -> experiment.Plan:
        """Return what is to be run, all seeds of it.

        Raises
        ------
        CorpusError
            If a corpus is not on this machine, or only its stand-in is.
        """
        return experiment.plan(
            self.recipe,
            framework=self.framework,
            corpus=self.corpus,
            split=self.split,
            test_corpus=_digits_of(self.test_corpus) if self.test_corpus else None,
            n_speakers=self.n_speakers,
            scale=self.scale,
            seeds=self.seeds,
        )


def _several(names: str, **settings) -> list[Planned]:
    return [Planned(recipe=name, **settings) for name in names.split()]


WORDS: dict[str, Any] = {"corpus": "speech_commands", "split": "random"}
PLANNED = (
    # as published, whole
    *_several("K1-inside", framework="keras"),
    *_several("L1 L3", framework="keras", split="published", scale="full"),
    *_several("L4 L4-unchanged", framework="keras", split="published", scale="full", seeds=3),
    *_several("D1", framework="keras", split="random", scale="full", seeds=3),
    *_several("D1", framework="keras", corpus="audiomnist", split="random", scale="full", seeds=3),
    *_several("C1 C2 C3 C4 C5", **WORDS, seeds=3),  # C1 to C4: a GPU's work
    *_several("C5", corpus="speech_commands", split="speaker"),
    # their twins in the other framework
    *_several("L1 L3 L4", split="published", scale="full"),
    *_several("L2", split="published", seeds=3),
    *_several("L5", framework="keras", seeds=3),
    *_several("L6 L7", framework="keras"),
    *_several("D1", split="random", scale="full"),
    *_several("D2 D3", split="random", seeds=3),
    *_several("C4 C5", framework="keras", **WORDS),
    # the book's recognisers of digits: known speakers, each of six unseen, and 195 others
    *_several("K0 K1 K2 K3", seeds=10),
    *_several("K1 K2 K3", framework="keras", seeds=10),
    *_several("L5 L6 L7 B1", seeds=3),
    *_several("B1", framework="keras"),
    *_several("A1 A2 A3 A4 A5"),
    *_several("L2", framework="keras", split="published", seeds=3),
    *_several("D2 D3", framework="keras", split="random", seeds=3),
    *_several("K0 K1 K2 K3", split=IN_TURN, seeds=10),
    *_several("L5 L6 L7 B1 A5", split=IN_TURN),
    *_several("L2 D2 D3", framework="keras", split=IN_TURN),
    *_several("K0 K1 K2 K3 L5 L6 L7", test_corpus=PEOPLE),
    *_several("A1 A2 A3 A4 B1 A5", test_corpus=PEOPLE, seeds=3),
    *_several("L2", framework="keras", split="published", test_corpus=PEOPLE),
    *_several("D2 D3", framework="keras", split="random", test_corpus=PEOPLE),
    # more and more speakers to train on
    *(
        planned
        for n_speakers in range(1, 6)
        for planned in _several("K3", test_corpus=PEOPLE, n_speakers=n_speakers, seeds=10)
        + _several("B1", test_corpus=PEOPLE, n_speakers=n_speakers)
    ),
    # other words refused
    *_several("B2", corpus="speech_commands", split="speaker"),
    # the built-in voices
    *_several("K1 K2 K3", corpus="voices", seeds=10),
    *_several("K1 K2 K3", corpus="voices", framework="keras", seeds=10),
    *_several("K2 K3", corpus="voices", split="speaker", seeds=10),
    *_several("A1", corpus="voices"),
)


@dataclass(frozen=True, eq=False)
class Missing:
    """What a file lacks of a planned run.

    Attributes
    ----------
    planned : Planned
        The run.
    plan : digitlab.experiment.Plan
        With the folds and seeds that are missing.
    n_there : int
        How many rows of it are there.
    seconds : float
        How long the rest will take, judged by what rows tell.
    """

    planned: Planned
    plan: experiment.Plan
    n_there: int
    seconds: float


def missing(
    file: Path, planned: Sequence[Planned] = PLANNED
) -> tuple[list[Missing], dict[Planned, str]]:
    """Find out which planned runs have no row, or one that is stale.

    Parameters
    ----------
    file : pathlib.Path
        The book's ``results.csv``.
    planned : sequence of Planned
        The runs.

    Returns
    -------
    missing : list of Missing
        The quickest first; one for each run, those without missing folds included.
    impossible : dict
        Of runs that cannot be planned on this machine: why not.
    """
    rows = [row for row in results.read(file) if row["pooled"] == "False"]
    found, impossible = [], {}
    for run in planned:
        try:
            plan = run.plan()
        except (corpora.CorpusError, ImportError, ValueError, OSError) as error:
            impossible[run] = str(error)
            continue
        there = {_key(row) for row in rows if _is_of(row, plan) and not results.is_stale(row)}
        keys = [_fold_key(plan, fold) for fold in plan.folds]
        folds = [fold for fold, key in zip(plan.folds, keys, strict=True) if key not in there]
        seconds = len(folds) * _seconds(rows, plan)
        n_there = len(keys) - len(folds)
        found.append(Missing(run, replace(plan, folds=tuple(folds)), n_there, seconds))
    return sorted(found, key=lambda what: what.seconds), impossible


def complete(what: Missing, file: Path) -> Iterator[reports.Report]:
    """Train and test each missing fold, and add its row to the file at once.

    Parameters
    ----------
    what : Missing
        From :func:`missing`.
    file : pathlib.Path
        The book's ``results.csv``.

    Yields
    ------
    Report
        Of each training, after its row is in the file.
    """
    if not what.plan.folds:
        return
    for report in experiment.fold_by_fold(what.plan):
        results.append(report, file)
        yield report


class Progress:
    """Print a line for each training, and below them a table of what is being done and comes next.

    Parameters
    ----------
    missing : list of Missing
        From :func:`missing`.
    """

    def __init__(self, missing: Sequence[Missing]) -> None:
        self._left = {what: len(what.plan.folds) for what in missing}
        self._there = sum(what.n_there for what in missing)
        self._live = Live(self._table(), refresh_per_second=1)

    def __enter__(self) -> "Progress":
        """Show the table."""
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the table as it is."""
        self._live.stop()

    def record(self, what: Missing, report: reports.Report) -> None:
        """Print the line of a training.

        Parameters
        ----------
        what : Missing
            What it is a part of.
        report : Report
            How it did.
        """
        self._there += 1
        self._left[what] -= 1
        where = (report.fold or report.test_corpus)[:28]
        self._live.console.print(
            f"{report.recipe:3} {report.framework:6} {report.split:21} {where:28} "
            f"{report.seed:3} {report.test_accuracy:.3f} {report.seconds_training:6.0f} s",
            highlight=False,
        )
        self._live.update(self._table())

    def _table(self) -> Table | str:
        left = [what for what, n in self._left.items() if n]
        n_left = sum(self._left.values())
        minutes = sum(self._seconds(what) for what in left) / 60
        title = f"{self._there} rows are there, {n_left} to go"
        if not left:
            return title
        table = Table(title=f"{title}, about {minutes:.0f} min")
        columns = ("recipe", "framework", "trained on", "tested on", "split", "to go", "min")
        for name in columns:
            table.add_column(name, justify="right" if name in ("to go", "min") else "left")
        for what in left[:MOST_SHOWN]:
            run, minutes = what.planned, self._seconds(what) / 60
            table.add_row(
                *(run.recipe, run.framework, run.corpus, run.test_corpus or run.corpus, run.split),
                *(str(self._left[what]), f"{minutes:.1f}"),
            )
        if len(left) > MOST_SHOWN:
            table.add_row(f"and {len(left) - MOST_SHOWN} more")
        return table

    def _seconds(self, what: Missing) -> float:
        return what.seconds * self._left[what] / max(len(what.plan.folds), 1)


@cache
def _digits_of(name: str) -> corpora.Corpus:
    """Return the digits of a corpus, or of the second half of its speakers."""
    corpus = corpora.load(name.removesuffix(SECOND_HALF)).digits()
    return splits.halves(corpus)[1] if name.endswith(SECOND_HALF) else corpus


def _is_of(row: dict[str, str], plan: experiment.Plan) -> bool:
    """Tell whether a row is of a run, whatever its fold, seed and data."""
    same = row["recipe"] == plan.recipe.name and row["framework"] == plan.framework
    same = same and "bf16" not in row["device"]
    where = (plan.corpus.name, (plan.test_corpus or plan.corpus).name, plan.split, plan.scale)
    return same and where == tuple(
        row[name] for name in ("corpus", "test_corpus", "split", "scale")
    )


def _fold_key(plan: experiment.Plan, fold: experiment.Fold) -> tuple[str, ...]:
    speakers = plan.corpus.table["speaker"].iloc[fold.train].nunique()
    return (plan.corpus.digest, fold.left_out, str(fold.seed), str(speakers))


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("corpus_digest", "fold", "seed", "n_speakers"))


def _seconds(rows: list[dict[str, str]], plan: experiment.Plan) -> float:
    """Return how long a training of a run takes, from rows of the recipe."""
    of_recipe = [row for row in rows if row["recipe"] == plan.recipe.name]
    alike = [row for row in of_recipe if _is_of(row, plan)] or of_recipe
    return float(np.median([float(row["seconds_training"]) for row in alike] or [UNKNOWN_SECONDS]))
