"""Each system of the book as data, and one function that runs any of them."""

import csv
import json
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from sklearn.preprocessing import StandardScaler

from digitlab import corpora, evaluation, features, splits

FRAMEWORKS = ("torch", "keras")


@dataclass(frozen=True)
class Recipe:
    """A system: what it hears, what it is, how it learns, and what its authors printed.

    Attributes
    ----------
    title : str
        What it is called in tables.
    framework, corpus, split : str
        As published.
    n_samples : int
        Length to which clips are fitted.
    features : str
        A function of :mod:`digitlab.features`.
    model : str
        A builder of :mod:`digitlab.models`.
    epochs, batch_size : int
        How it learns.
    standardise : bool
        Whether the features are brought to mean 0 and spread 1 by those of the training clips.
    set_aside : float
        Share of the training clips, drawn with the seed, that it does not learn from: the
        validation set of its authors.
    published : dict
        Figures its authors printed; none if it is the book's own.
    source : str
        Key in ``references.bib``; empty if it is the book's own.
    """

    title: str
    framework: str
    corpus: str
    split: str
    n_samples: int
    features: str
    model: str
    epochs: int
    batch_size: int
    published: dict
    source: str
    standardise: bool = True
    set_aside: float = 0.0


RECIPES = {
    "K1": Recipe(
        title="log-scattering, batch normalisation and logistic regression",
        framework="keras",
        corpus="fsdd",
        split="official",
        n_samples=8192,
        features="log_scattering",
        model="normalised_regression",
        epochs=50,
        batch_size=64,
        published={"train_accuracy": 0.997, "test_accuracy": 0.98, "seconds": 360},
        source="kymatio2022keras",
        standardise=False,
        set_aside=0.2,
    ),
    "K2": Recipe(
        title="log-scattering and logistic regression",
        framework="torch",
        corpus="fsdd",
        split="official",
        n_samples=8192,
        features="log_scattering",
        model="logistic_regression",
        epochs=50,
        batch_size=32,
        published={"train_accuracy": 0.991, "test_accuracy": 0.967, "seconds": 122},
        source="kymatio2022torch",
    ),
    "K3": Recipe(
        title="the course of scattering and logistic regression",
        framework="torch",
        corpus="fsdd",
        split="official",
        n_samples=8192,
        features="scattering_course",
        model="logistic_regression",
        epochs=50,
        batch_size=32,
        published={},
        source="",
    ),
}


def run(
    name: str,
    *,
    framework: str | None = None,
    corpus: str | corpora.Corpus | None = None,
    split: str = "published",
    scale: str | None = None,
    seed: int = 42,
    seeds: int = 1,
    device: str | None = None,
) -> evaluation.Report:
    """Run a recipe: features, training, and the test.

    Parameters
    ----------
    name : str
        A key of ``RECIPES``, such as ``"K2"``.
    framework : str, optional
        ``"torch"`` or ``"keras"``; by default the published one.
    corpus : str or Corpus, optional
        Another corpus than the published one: a name, a folder, or a corpus loaded already.
    split : str
        ``"published"``, or a kind of :func:`digitlab.splits.split`.
    scale : str, optional
        ``"smoke"``, ``"laptop"`` or ``"full"``; by default ``$DIGITLAB_SCALE``, else laptop.
    seed, seeds : int
        The first seed, and how many to run.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    Report
        Of the run, or pooled over seeds and folds, with those in its ``parts``.

    Raises
    ------
    ValueError
        If a name, scale or count is unknown.
    CorpusError
        If the corpus cannot be had.

    Examples
    --------
    >>> report = run("K2", corpus="voices", scale="smoke")
    >>> report.n_parameters, report.n_test
    (3370, 120)
    """
    recipe = _recipe(name)
    framework = framework or recipe.framework
    if framework not in FRAMEWORKS:
        raise ValueError(f"there is no framework {framework!r}; there are {', '.join(FRAMEWORKS)}")
    if seeds < 1:
        raise ValueError(f"{seeds} seeds: at least one is needed")
    scale = scale or corpora.scale_from_environment()
    if scale not in corpora.SCALES:
        raise ValueError(f"there is no scale {scale!r}; there are {', '.join(corpora.SCALES)}")
    if not isinstance(corpus, corpora.Corpus):
        corpus = corpora.load(corpus or recipe.corpus)
    shared = {
        "recipe": name,
        "framework": framework,
        "corpus": corpus.name,
        "corpus_digest": corpus.digest,
        "split": recipe.split if split == "published" else split,
        "scale": scale,
        "classes": corpus.classes,
    }
    corpus = corpus.at_scale(scale)
    x, timing = _features(recipe, corpus, device if framework == "torch" else None)
    return evaluation.pool(
        [
            _fit_and_test(recipe, corpus, x, train, test, seed_used, device, shared | timing)
            for seed_used in range(seed, seed + seeds)
            for train, test in splits.split(corpus, shared["split"], seed=seed_used)
        ]
    )


def append_results(report: evaluation.Report, file: Path) -> None:
    """Add a report's runs to a CSV file, one row a run; the file is made if it is missing.

    Parameters
    ----------
    report : Report
        What :func:`run` returned.
    file : pathlib.Path
        The book's ``results.csv``.

    Raises
    ------
    ValueError
        If the file has other columns.
    """
    rows = [row | {"versions": json.dumps(row["versions"])} for row in report.to_dicts()[:-1]]
    is_new = not file.exists() or file.stat().st_size == 0
    if not is_new:
        with file.open(newline="", encoding="utf-8") as lines:
            header = next(csv.reader(lines))
        if header != list(rows[0]):
            raise ValueError(f"{file} has other columns than {', '.join(rows[0])}: move it away")
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]))
        if is_new:
            writer.writeheader()
        writer.writerows(rows)


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def _features(recipe, corpus, device) -> tuple[np.ndarray, dict]:
    waveforms = corpus.waveforms(recipe.n_samples)
    cached = features.is_cached(waveforms, feature=recipe.features, device=device)
    start = time.perf_counter()
    x = getattr(features, recipe.features)(waveforms, device=device)
    seconds = time.perf_counter() - start
    return x, {"seconds_features": seconds, "features_cached": cached}


def _fit_and_test(recipe, corpus, x, train, test, seed, device, shared) -> evaluation.Report:
    models = import_module(f"digitlab.models.{shared['framework']}")
    training = import_module(f"digitlab.training.{shared['framework']}")
    y = corpus.table["label"].to_numpy()
    speakers = corpus.table["speaker"].to_numpy()
    if recipe.set_aside:
        n_kept = int(len(train) * (1 - recipe.set_aside))
        train = np.random.default_rng(seed).permutation(train)[:n_kept]
    if recipe.standardise:
        x = StandardScaler().fit(x[train]).transform(x)
    model = getattr(models, recipe.model)(x.shape[1], len(corpus.classes), seed=seed)
    history = training.fit(
        model,
        x[train],
        y[train],
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=seed,
        device=device,
    )
    n_parameters, n_trainable = models.count_parameters(model)
    fold = " ".join(sorted(set(speakers[test]))) if shared["split"] in splits.BY_SPEAKER else ""
    return evaluation.Report(
        **shared,
        fold=fold,
        seed=seed,
        device=history.device,
        n_train=len(train),
        n_parameters=n_parameters,
        n_trainable=n_trainable,
        train_accuracy=history.accuracy[-1],
        seconds_training=history.seconds,
        y_true=y[test],
        y_pred=training.predict(model, x[test]).argmax(axis=1),
        speakers=speakers[test],
        rows=test,
        history=history,
    )
