"""Run a recipe: prepare its clips, train its model, score it on clips that it was not trained on.

Data flows one way: recordings, clips at the recipe's rate, features, a trained model, a report.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from digitlab import (
    augment,
    corpora,
    features,
    perturbation,
    reports,
)
from digitlab.environment import progress
from digitlab.plans import Fold, Plan, plan
from digitlab.recipes import Recipe
from digitlab.recognisers import Recogniser
from digitlab.training.callbacks import Callback, Checkpoint, Logger

N_SOUNDS = {"smoke": 20, "laptop": 600, "full": 600}  # without speech, where words are refused
UNCHANGED: Any = {"speeds": (1, 1, 1), "semitones": (0, 0, 0)}  # of the nine copies
MOST_IN_MEMORY = 2**30  # bytes: where Lightning trains, larger sets are read as they are needed


class Data(NamedTuple):
    """What all trainings of a plan share.

    Attributes
    ----------
    x : array of shape (n_clips, ...), or None
        Features of all clips; None where Lightning reads clips as they are needed.
    waveforms : array of shape (n_clips, n_samples), or None
        The clips themselves, where they are varied in training.
    recordings : list of array, or None
        The clips before padding, where copies of them are made.
    also : Also, or None
        Clips of other corpora that are trained on, too.
    x_test : array of shape (n_test_clips, ...), or None
        Features of another corpus that is the test.
    seconds, cached
        How long the features took, and whether they lay on disk.
    notes : tuple of str
        What was changed in the recordings.
    """

    x: np.ndarray | None
    waveforms: np.ndarray | None
    recordings: list[np.ndarray] | None
    also: "Also | None"
    x_test: np.ndarray | None
    seconds: float
    cached: bool
    notes: tuple[str, ...]


class Also(NamedTuple):
    """Clips of other corpora that a recipe is trained on, too.

    Attributes
    ----------
    x : array of shape (n_clips, ...)
        Features.
    y : array of shape (n_clips,)
        Labels, as in the recipe's own corpus.
    waveforms : array of shape (n_clips, n_samples)
        The clips.
    """

    x: np.ndarray
    y: np.ndarray
    waveforms: np.ndarray


class Trained(NamedTuple):
    """A trained model, and how it came about.

    Attributes
    ----------
    model : object
        The framework's own.
    history : digitlab.training.History
        Loss and accuracy of every epoch.
    scaler : StandardScaler or None
        Fitted to the training clips, where features are standardised.
    accuracy : float
        On the training clips.
    n_clips : int
        How many clips it was trained on, copies included.
    seconds : float
        How long the copies took.
    notes : tuple of str
        What was changed in the copies.
    """

    model: Any
    history: Any
    scaler: StandardScaler | None
    accuracy: float
    n_clips: int
    seconds: float
    notes: tuple[str, ...]


def run(recipe: str | Recipe, **settings) -> reports.Report:
    """Run a recipe: features, training and test.

    Parameters
    ----------
    recipe : str or Recipe
        A system, or its name, such as ``"K2"``.
    **settings
        As for :func:`plan`: where, on what, how much; and attributes of the recipe to be changed.

    Returns
    -------
    Report
        Of the run, with what was trained as its ``recogniser``; or pooled over seeds and folds,
        with those in its ``parts``.

    Raises
    ------
    ValueError
        As for :func:`plan`, and where training refuses its settings.
    CorpusError
        If the corpus cannot be had, or holds files that cannot be used.

    Examples
    --------
    >>> report = run("K2", corpus="voices", scale="smoke", epochs=2)
    >>> report.n_parameters, report.n_test, report.history.epochs
    (3370, 150, 2)
    """
    return execute(plan(recipe, **settings))


def execute(plan: Plan) -> reports.Report:
    """Do what was planned: prepare once, then train and score fold by fold.

    Parameters
    ----------
    plan : Plan
        From :func:`plan`.

    Returns
    -------
    Report
        As for :func:`run`.
    """
    n_folds = len(plan.folds)
    hidden = n_folds == 1 or not sys.stderr.isatty()
    trained = progress(fold_by_fold(plan), total=n_folds, unit="training", disable=hidden)
    return reports.pool(
        [report if n_folds == 1 else replace(report, recogniser=None) for report in trained]
    )


def fold_by_fold(plan: Plan) -> Iterator[reports.Report]:
    """Prepare once, then train and score a fold whenever the next report is asked for.

    Parameters
    ----------
    plan : Plan
        From :func:`plan`.

    Yields
    ------
    Report
        Of each fold, with what was trained as its ``recogniser``.

    Examples
    --------
    >>> decided = plan("K2", corpus="voices", scale="smoke", seeds=2, epochs=1)
    >>> [report.seed for report in fold_by_fold(decided)]
    [42, 43]
    """
    data = prepare(plan)
    for fold in plan.folds:
        yield score(plan, data, fold, train(plan, data, fold))


def prepare(plan: Plan) -> Data:
    """Read every clip once, at the recipe's rate, and compute its features.

    Parameters
    ----------
    plan : Plan
        From :func:`plan`.

    Returns
    -------
    Data
        What all trainings share.

    Raises
    ------
    CorpusError
        If files cannot be used; it names them.
    """
    recipe, corpus = plan.recipe, plan.corpus
    preparation = recipe.preparation
    n_bytes = len(corpus) * preparation.n_samples * np.float32().nbytes
    if recipe.trainer and not recipe.copies and n_bytes > MOST_IN_MEMORY:
        return Data(None, None, None, None, _x_test(plan), 0.0, False, ())
    recordings = None
    if recipe.copies:
        recordings, notes = corpus.cut(preparation)
        waveforms = np.stack([preparation.fit(recording) for recording in recordings])
    else:
        waveforms, notes = corpus.prepare(preparation)
    device = plan.device if plan.framework == "torch" else None
    x, seconds, cached = features.timed(recipe.features, waveforms, preparation.rate, device)
    is_varied = recipe.vary or recipe.perturb is not None
    kept = waveforms if is_varied else None  # they may take gigabytes
    return Data(x, kept, recordings, _also(plan), _x_test(plan), seconds, cached, notes)


def train(plan: Plan, data: Data, fold: Fold) -> Trained:
    """Train the recipe's model on the training clips of a fold.

    Parameters
    ----------
    plan : Plan
        From :func:`plan`.
    data : Data
        From :func:`prepare`.
    fold : Fold
        One of the plan's.

    Returns
    -------
    Trained
        For :func:`score`.
    """
    recipe = plan.recipe
    models = import_module(f"digitlab.models.{plan.framework}")
    trainer = import_module(f"digitlab.training.{recipe.trainer or plan.framework}")
    clips, seconds, notes = _training_clips(plan, data, fold)
    scaler = StandardScaler().fit(clips[0]) if recipe.standardise else None
    clips = _scaled(clips, scaler)
    build = partial(getattr(models, recipe.model), **recipe.model_settings, seed=fold.seed)
    model = build(*clips[0][0].shape, n_classes=len(plan.corpus.classes))
    has_validation = len(fold.validation) > 0
    settings = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "validation": _clips(plan, data, fold.validation, scaler) if has_validation else None,
        "callbacks": _callbacks(plan, fold),
        "seed": fold.seed,
        "device": plan.device,
    }
    if recipe.trainer:
        history = trainer.fit(model, clips, **settings, **plan.sharing)
    else:
        settings |= {"optimizer": recipe.optimizer, "schedule": recipe.schedule}
        history = trainer.fit(model, *clips, **settings, augment=_variation(plan, data, fold))
    accuracy = history.accuracy[-1]
    if recipe.trainer or (recipe.early_stopping and recipe.early_stopping.restore_best):
        accuracy = _accuracy(trainer, model, clips)  # not measured with these weights yet
    return Trained(model, history, scaler, accuracy, _n_clips(clips), seconds, notes)


def score(plan: Plan, data: Data, fold: Fold, trained: Trained) -> reports.Report:
    """Test a trained model on the test clips of a fold.

    Parameters
    ----------
    plan : Plan
        From :func:`plan`.
    data : Data
        From :func:`prepare`.
    fold : Fold
        One of the plan's.
    trained : Trained
        From :func:`train`.

    Returns
    -------
    Report
        With the model as its ``recogniser``.
    """
    models = import_module(f"digitlab.models.{plan.framework}")
    trainer = import_module(f"digitlab.training.{plan.recipe.trainer or plan.framework}")
    table, rows, test_clips = _test_clips(plan, data, fold, trained.scaler)
    y_true = table["label"].to_numpy()
    probabilities = _probabilities(trainer, trained.model, test_clips)
    y_pred = probabilities.argmax(axis=1)
    n_parameters, n_trainable = models.count_parameters(trained.model)
    shared: dict[str, Any] = {
        "recipe": plan.recipe.name,
        "framework": plan.framework,
        "corpus": plan.corpus.name,
        "corpus_digest": plan.corpus.digest,
        "split": plan.split,
        "scale": plan.scale,
        "seed": fold.seed,
        "classes": plan.corpus.classes,
        "n_train": trained.n_clips,
    }
    return reports.Report(
        **shared,
        test_corpus=(plan.test_corpus or plan.corpus).name,
        n_speakers=plan.corpus.table["speaker"].iloc[fold.train].nunique(),
        fold=fold.left_out,
        device=trained.history.device,
        n_parameters=n_parameters,
        n_trainable=n_trainable,
        train_accuracy=trained.accuracy,
        test_loss=float(log_loss(y_true, probabilities, labels=range(len(plan.corpus.classes)))),
        seconds_features=data.seconds + trained.seconds,
        features_cached=data.cached,
        seconds_training=trained.history.seconds,
        y_true=y_true,
        y_pred=y_pred,
        speakers=table["speaker"].to_numpy(),
        rows=rows,
        history=trained.history,
        recogniser=_recogniser(plan, trained, float(np.mean(y_pred == y_true)), shared),
        notes=data.notes + trained.notes,
    )


def _recogniser(plan: Plan, trained: Trained, accuracy: float, shared: dict) -> Recogniser:
    recipe, scaler = plan.recipe, trained.scaler
    return Recogniser(
        **shared,
        test_accuracy=accuracy,
        preparation=recipe.preparation,
        features=recipe.features,
        builder=recipe.model,
        model_settings=recipe.model_settings,
        model=trained.model,
        mean=scaler.mean_ if scaler else None,
        spread=scaler.scale_ if scaler else None,
    )


def _also(plan: Plan) -> Also | None:
    """Prepare the other corpora that the recipe is trained on, and sounds that are no word."""
    preparation, classes = plan.recipe.preparation, plan.corpus.classes
    waveforms, labels = [], []
    for name in plan.recipe.also:
        corpus = corpora.load(name).as_digits().at_scale(plan.scale)
        waveforms.append(corpus.prepare(preparation)[0])
        labels += [classes.index(corpus.classes[label]) for label in corpus.table["label"]]
    if corpora.OTHER in classes:
        n_sounds = N_SOUNDS[plan.scale]
        waveforms.append(
            perturbation.sounds_without_speech(n_sounds, preparation.n_samples, preparation.rate)
        )
        labels += n_sounds * [classes.index(corpora.OTHER)]
    if not labels:
        return None
    clips = np.concatenate(waveforms)
    x = features.compute(plan.recipe.features, clips, preparation.rate)
    return Also(x, np.array(labels), clips)


def _x_test(plan: Plan) -> np.ndarray | None:
    """Compute the features of another corpus that is the test."""
    if plan.test_corpus is None:
        return None
    preparation = plan.recipe.preparation
    waveforms, _ = plan.test_corpus.prepare(preparation, most_rate=plan.corpus.rate)
    device = plan.device if plan.framework == "torch" else None
    return features.compute(plan.recipe.features, waveforms, preparation.rate, device)


def _training_clips(plan: Plan, data: Data, fold: Fold) -> tuple[Any, float, tuple[str, ...]]:
    """Return the clips to train on, how long their copies took, and what to say of these."""
    if data.recordings is None:
        return _with(data.also, _clips(plan, data, fold.train, None)), 0.0, ()
    start = time.perf_counter()
    rate, n_samples = plan.recipe.preparation.rate, plan.recipe.preparation.n_samples
    recordings = [data.recordings[row] for row in fold.train]
    kept = UNCHANGED if plan.recipe.copies == "unchanged" else {}
    waveforms, table = augment.copies_of(recordings, rate, n_samples=n_samples, **kept)
    x = features.compute(plan.recipe.features, waveforms, rate)
    y = plan.corpus.table["label"].to_numpy()[fold.train][table["copy_of"]]
    n_cut = int(table["cut"].sum())
    seconds = plan.recipe.preparation.seconds
    note = (
        f"{n_cut:,} of {len(table):,} copies are longer than {seconds:.2f} s: "
        "their ends were cut off."
    )
    return (x, y), time.perf_counter() - start, (note,) if n_cut else ()


def _with(also: Also | None, clips):
    return clips if also is None else (np.r_[clips[0], also.x], np.r_[clips[1], also.y])


def _clips(plan: Plan, data: Data, rows: np.ndarray, scaler: StandardScaler | None):
    """Return features and labels of some clips; a data set, where they are read as needed."""
    if data.x is None:
        lightning = import_module("digitlab.training.lightning")
        recipe = plan.recipe
        feature = partial(features.compute, recipe.features)
        return lightning.Clips(plan.corpus.select(rows), recipe.preparation, feature=feature)
    y = plan.corpus.table["label"].to_numpy()
    return _scaled((data.x[rows], y[rows]), scaler)


def _test_clips(plan: Plan, data: Data, fold: Fold, scaler: StandardScaler | None):
    """Return the table, the rows, and the features and labels of the test clips."""
    if plan.test_corpus is None:
        table, rows = plan.corpus.table.iloc[fold.test], plan.places[fold.test]
        return table, rows, _clips(plan, data, fold.test, scaler)
    table = plan.test_corpus.table
    clips = _scaled((data.x_test, table["label"].to_numpy()), scaler)
    return table, np.arange(len(table)), clips


def _scaled(clips, scaler: StandardScaler | None):
    return clips if scaler is None else (scaler.transform(clips[0]), clips[1])


def _n_clips(clips) -> int:
    return len(clips[0]) if isinstance(clips, tuple) else len(clips)


def _probabilities(trainer, model, clips) -> np.ndarray:
    return trainer.predict(model, clips[0] if isinstance(clips, tuple) else clips)


def _accuracy(trainer, model, clips) -> float:
    y = clips[1] if isinstance(clips, tuple) else clips.labels.numpy()
    return float(np.mean(_probabilities(trainer, model, clips).argmax(axis=1) == y))


def _callbacks(plan: Plan, fold: Fold) -> list[Callback]:
    callbacks: list[Callback] = [plan.recipe.early_stopping] if plan.recipe.early_stopping else []
    if plan.checkpoint_folder:
        callbacks.append(Checkpoint(plan.checkpoint_folder))
    if plan.log_folder:
        run = (
            plan.recipe.name,
            plan.framework,
            plan.corpus.name,
            plan.split,
            fold.left_out,
            fold.seed,
        )
        name = "-".join(str(part) for part in run if part != "")
        callbacks.append(Logger(Path(plan.log_folder, name)))
    return callbacks


def _variation(plan: Plan, data: Data, fold: Fold) -> Callable | None:
    if data.waveforms is None:
        return None
    waveforms = data.waveforms[fold.train]
    if data.also:
        waveforms = np.concatenate([waveforms, data.also.waveforms])
    if plan.recipe.perturb is None:
        return partial(_varied, plan.recipe, waveforms)
    rate = plan.recipe.preparation.rate
    powers = features.power_frames(waveforms, rate)
    return partial(_perturbed, powers, rate, plan.recipe.perturb)


def _varied(recipe: Recipe, waveforms: np.ndarray, x: np.ndarray, rng: np.random.Generator):
    """Return the features of the training clips, each changed at random."""
    rate = recipe.preparation.rate
    clips = np.stack(augment.vary(waveforms, rate, rng, **recipe.vary))
    return features.compute(recipe.features, clips, rate, keep=False)


def _perturbed(powers: np.ndarray, rate: float, settings: dict, x: np.ndarray, rng):
    """Return the features of the training clips, their spectrograms changed at random."""
    return perturbation.perturb(powers, rate, rng, **settings)
