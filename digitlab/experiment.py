"""Run a recipe: prepare its clips, train its model, score it on clips that it was not trained on.

Data flows one way: recordings, clips at the recipe's rate, features, a trained model, a report.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from digitlab import (
    augment,
    corpora,
    environment,
    evaluation,
    features,
    perturbation,
    recipes,
    splits,
)
from digitlab.corpora import Corpus
from digitlab.recipes import Recipe
from digitlab.recognisers import Recogniser
from digitlab.training.callbacks import Callback, Checkpoint, Logger

N_SOUNDS = {"smoke": 20, "laptop": 600, "full": 600}  # without speech, where words are refused
ALONE = {"devices": 1, "nodes": 1, "precision": "32-true"}
MOST_IN_MEMORY = 2**30  # bytes: where Lightning trains, larger sets are read as they are needed


class Fold(NamedTuple):
    """One training: rows of the plan's corpus, and the seed.

    Attributes
    ----------
    train, validation, test : array of int
        Rows. `validation` may be empty.
    seed : int
        Of the weights, the order of the clips and all that is drawn.
    left_out : str
        The test speakers, where they are kept apart.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    seed: int
    left_out: str


@dataclass(frozen=True)
class Plan:
    """What is to be run, on what: all decisions taken, and nothing computed yet.

    Attributes
    ----------
    recipe : Recipe
        As it is at this scale, with the settings that were changed, and renamed if any was.
    framework, split, scale : str
        As run.
    corpus : Corpus
        The clips in use.
    places : array of int
        Where these clips stand in the corpus that was given.
    test_corpus : Corpus or None
        Whose clips are the test, where it is another corpus.
    folds : tuple of Fold
        One for each training.
    device : str
        Where to train.
    sharing : dict
        ``devices``, ``nodes`` and ``precision``, as for :func:`digitlab.training.lightning.fit`.
    checkpoint_folder, log_folder : pathlib.Path or None
        Where checkpoints and learning curves go.
    """

    recipe: Recipe
    framework: str
    split: str
    scale: str
    corpus: Corpus
    places: np.ndarray
    test_corpus: Corpus | None
    folds: tuple[Fold, ...]
    device: str
    sharing: dict
    checkpoint_folder: Path | None
    log_folder: Path | None


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


def run(recipe: str | Recipe, **settings) -> evaluation.Report:
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


def plan(
    recipe: str | Recipe,
    *,
    framework: str | None = None,
    corpus: str | Corpus | None = None,
    split: str = "published",
    test_corpus: str | Corpus | None = None,
    n_speakers: int | None = None,
    scale: str | None = None,
    seed: int = 42,
    seeds: int = 1,
    device: str | None = None,
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32-true",
    checkpoint_folder: Path | None = None,
    log_folder: Path | None = None,
    **changes,
) -> Plan:
    """Decide what is to be run, and refuse what cannot be, before any time is spent on it.

    Parameters
    ----------
    recipe : str or Recipe
        A system, or its name.
    framework : str, optional
        ``"torch"`` or ``"keras"``; by default the published one.
    corpus : str or Corpus, optional
        Another corpus than the published one: a name, a folder, or a corpus loaded already.
    split : str
        ``"published"``, or a kind of :func:`digitlab.splits.split`.
    test_corpus : str or Corpus, optional
        Test on all clips of another corpus instead of the test clips of the split. They are brought
        to the rate of the training corpus first, if that is lower.
    n_speakers : int, optional
        Train on the clips of so many of the training speakers, drawn with the seed, for as many
        more epochs: about as many steps as with all of them.
    scale : str, optional
        ``"smoke"``, ``"laptop"`` or ``"full"``; by default ``$DIGITLAB_SCALE``, else laptop.
    seed, seeds : int
        The first seed, and how many to run.
    device : str, optional
        By default a GPU where there is one.
    devices, nodes : int
        How many devices share a training, on each of how many machines, as for
        :func:`digitlab.training.lightning.fit`.
    precision : str
        Of the numbers in training, as for the same function.
    checkpoint_folder : pathlib.Path, optional
        Where to keep each training after every epoch: after an interruption, the same call goes on
        from there.
    log_folder : pathlib.Path, optional
        Where to write curves for TensorBoard and as a CSV file, in a folder for each training.
    **changes
        Attributes of the recipe that are to be different, such as ``epochs=5``, at every scale.

    Returns
    -------
    Plan
        For :func:`prepare`, :func:`train` and :func:`score`.

    Raises
    ------
    ValueError
        If a name, a scale or a count is unknown, if the test corpus has other classes or clips in
        common with the other, or if several devices, or numbers of 16 bits, are to train what
        Lightning does not.
    CorpusError
        If a corpus cannot be had.

    Examples
    --------
    >>> decided = plan("K2", corpus="voices", scale="smoke", seeds=3)
    >>> [(len(fold.train), len(fold.test), fold.seed) for fold in decided.folds]
    [(150, 150, 42), (150, 150, 43), (150, 150, 44)]
    """
    scale = _known("scale", scale or environment.scale_from_environment(), environment.SCALES)
    recipe, every, framework = _settle(recipes.find(recipe), changes, scale, framework)
    if seeds < 1:
        raise ValueError(f"{seeds} seeds: at least one is needed")
    sharing = {"devices": devices, "nodes": nodes, "precision": precision}
    _refuse_sharing(recipe, framework, sharing)
    device = getattr(environment, f"{framework}_device")(device)
    whole, used = _corpora(recipe, corpus, split, scale, every)
    split = recipe.split if split == "published" else split
    folds = _folds(recipe, used, split, range(seed, seed + seeds))
    if n_speakers is not None:
        recipe, folds = _fewer_speakers(recipe, used, folds, n_speakers)
    return Plan(
        recipe=recipe,
        framework=framework,
        split=split,
        scale=scale,
        corpus=used,
        places=pd.Index(whole.table["path"]).get_indexer(used.table["path"]),
        test_corpus=None if test_corpus is None else _test_corpus(test_corpus, used, scale),
        folds=folds,
        device=device,
        sharing=sharing,
        checkpoint_folder=checkpoint_folder,
        log_folder=log_folder,
    )


def execute(plan: Plan) -> evaluation.Report:
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
    data = prepare(plan)
    reports = []
    for fold in plan.folds:
        report = score(plan, data, fold, train(plan, data, fold))
        reports.append(report if len(plan.folds) == 1 else replace(report, recogniser=None))
    return evaluation.pool(reports)


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
        return Data(None, None, None, None, None, 0.0, False, ())
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


def score(plan: Plan, data: Data, fold: Fold, trained: Trained) -> evaluation.Report:
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
    if plan.test_corpus is None:
        table, rows = plan.corpus.table.iloc[fold.test], plan.places[fold.test]
        test_clips = _clips(plan, data, fold.test, trained.scaler)
    else:
        table, rows = plan.test_corpus.table, np.arange(len(plan.test_corpus))
        test_clips = _scaled((data.x_test, None), trained.scaler)
    y_true = table["label"].to_numpy()
    y_pred = _probabilities(trainer, trained.model, test_clips).argmax(axis=1)
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
    return evaluation.Report(
        **shared,
        test_corpus=(plan.test_corpus or plan.corpus).name,
        n_speakers=plan.corpus.table["speaker"].iloc[fold.train].nunique(),
        fold=fold.left_out,
        device=trained.history.device,
        n_parameters=n_parameters,
        n_trainable=n_trainable,
        train_accuracy=trained.accuracy,
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


def _known(kind: str, name: str, names: tuple[str, ...]) -> str:
    if name not in names:
        raise ValueError(f"there is no {kind} {name!r}; there are {', '.join(names)}")
    return name


def _settle(
    recipe: Recipe, changes: dict, scale: str, framework: str | None
) -> tuple[Recipe, int, str]:
    """Return the recipe as it is to be run, of how many takes it uses one, and the framework."""
    names = [field.name for field in fields(Recipe)]
    if unknown := sorted(set(changes) - set(names)):
        raise ValueError(f"a recipe has no {', '.join(unknown)}; it has {', '.join(names)}")
    if changes or recipe != recipes.RECIPES.get(recipe.name):
        changes = changes | {"name": f"{recipe.name} (changed)"}
    recipe, every = replace(recipe, **changes).at_scale(scale)
    framework = _known("framework", framework or recipe.framework, environment.FRAMEWORKS)
    if framework != "torch":
        changes = changes | {"trainer": ""}
    return replace(recipe, **changes), every, framework


def _refuse_sharing(recipe: Recipe, framework: str, sharing: dict) -> None:
    if sharing == ALONE or recipe.trainer:
        return
    trained = [name for name, other in recipes.RECIPES.items() if other.trainer]
    raise ValueError(
        f"{recipe.name} is trained on one device in {framework}, in full precision: devices, nodes "
        f"and precision are for what Lightning trains in PyTorch ({', '.join(trained)})"
    )


def _corpora(
    recipe: Recipe, corpus: str | Corpus | None, split: str, scale: str, every: int
) -> tuple[Corpus, Corpus]:
    """Return the whole corpus, and what of it is used."""
    least = 1 if corpus else recipe.at_least
    if not isinstance(corpus, Corpus):
        corpus = corpora.load(corpus or recipe.corpus, at_least=least)
    corpus = corpus.as_digits() if recipe.digits else corpus
    used = _of_speakers(corpus, recipe.speakers) if split == "published" else corpus
    return corpus, _every(used.at_scale(scale), every)


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


def _test_corpus(corpus: str | Corpus, trained_on: Corpus, scale: str) -> Corpus:
    """Return the other corpus that is the test, its classes those of the first."""
    if not isinstance(corpus, Corpus):
        corpus = corpora.load(corpus)
    if corpus.classes != trained_on.classes:
        corpus = corpus.as_digits()
    if corpus.classes != trained_on.classes:
        raise ValueError(
            f"{corpus.name} has other words than {trained_on.name}: a test needs the same ones"
        )
    if set(corpus.table["path"]) & set(trained_on.table["path"]):
        raise ValueError(f"{corpus.name} holds clips that are trained on: test on another corpus")
    return corpus.at_scale(scale)


def _x_test(plan: Plan) -> np.ndarray | None:
    """Compute the features of another corpus that is the test."""
    if plan.test_corpus is None:
        return None
    preparation = plan.recipe.preparation
    waveforms, _ = plan.test_corpus.prepare(preparation, most_rate=plan.corpus.rate)
    device = plan.device if plan.framework == "torch" else None
    return features.timed(plan.recipe.features, waveforms, preparation.rate, device)[0]


def _fewer_speakers(
    recipe: Recipe, corpus: Corpus, folds: tuple[Fold, ...], n_speakers: int
) -> tuple[Recipe, tuple[Fold, ...]]:
    """Keep the training clips of some speakers; go through them more often instead."""
    speakers = corpus.table["speaker"].to_numpy()
    fewer = []
    for fold in folds:
        names = np.unique(speakers[fold.train])
        if not 1 <= n_speakers <= len(names):
            raise ValueError(f"n_speakers={n_speakers}: there are 1 to {len(names)} to train on")
        drawn = np.random.default_rng(fold.seed).permutation(names)[:n_speakers]
        fewer.append(fold._replace(train=fold.train[np.isin(speakers[fold.train], drawn)]))
    share = np.mean([len(fold.train) for fold in fewer]) / np.mean([len(f.train) for f in folds])
    return replace(recipe, epochs=round(recipe.epochs / share)), tuple(fewer)


def _of_speakers(corpus: Corpus, speakers: tuple[str, ...]) -> Corpus:
    """Return the clips of these speakers alone, if the corpus has them all."""
    theirs = corpus.table["speaker"].isin(speakers)
    everybody = corpus.table["speaker"][theirs].nunique() == len(speakers)
    return corpus.select(theirs) if speakers and everybody else corpus


def _every(corpus: Corpus, every: int) -> Corpus:
    """Return one of so many takes of each word by each speaker, the first included."""
    takes = corpus.table.groupby(["label", "speaker"]).cumcount()
    return corpus.select(takes % every == 0)


def _folds(recipe: Recipe, corpus: Corpus, split: str, seeds: range) -> tuple[Fold, ...]:
    folds, speakers = [], corpus.table["speaker"].to_numpy()
    for seed in seeds:
        for train, test in splits.split(corpus, split, test_size=recipe.test_size, seed=seed):
            validation = test if recipe.validates_on_test else test[:0]
            if recipe.set_aside:
                n_kept = int(len(train) * (1 - recipe.set_aside))
                shuffled = np.random.default_rng(seed).permutation(train)
                train, validation = np.split(shuffled, [n_kept])
            left_out = " ".join(sorted(set(speakers[test]))) if split in splits.BY_SPEAKER else ""
            folds.append(Fold(train, validation, test, seed, left_out))
    return tuple(folds)


def _training_clips(plan: Plan, data: Data, fold: Fold) -> tuple[Any, float, tuple[str, ...]]:
    """Return the clips to train on, how long their copies took, and what to say of these."""
    if data.recordings is None:
        return _with(data.also, _clips(plan, data, fold.train, None)), 0.0, ()
    start = time.perf_counter()
    rate, n_samples = plan.recipe.preparation.rate, plan.recipe.preparation.n_samples
    recordings = [data.recordings[row] for row in fold.train]
    waveforms, table = augment.copies_of(recordings, rate, n_samples=n_samples)
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
