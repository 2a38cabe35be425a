"""Decide what is to be run, on which clips, before anything is computed."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from digitlab import corpora, environment, recipes, splits
from digitlab.corpora import Corpus
from digitlab.recipes import Recipe

ALONE = {"devices": 1, "nodes": 1, "precision": "32-true"}


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
        For :func:`digitlab.experiment.execute`.

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
    sharing = _sharing(recipe, framework, devices=devices, nodes=nodes, precision=precision)
    whole, used = _corpora(recipe, corpus, split, scale, every)
    split = recipe.split if split == "published" else split
    folds = _folds(recipe, used, split, range(seed, seed + seeds))
    recipe, folds = _fewer_speakers(recipe, used, folds, n_speakers)
    return Plan(
        recipe=recipe,
        framework=framework,
        split=split,
        scale=scale,
        corpus=used,
        places=pd.Index(whole.table["path"]).get_indexer(used.table["path"]),
        test_corpus=_test_corpus(test_corpus, used, scale),
        folds=folds,
        device=getattr(environment, f"{framework}_device")(device),
        sharing=sharing,
        checkpoint_folder=checkpoint_folder,
        log_folder=log_folder,
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


def _sharing(recipe: Recipe, framework: str, **sharing) -> dict:
    """Return how a training is shared out, or refuse it."""
    if sharing == ALONE or recipe.trainer:
        return sharing
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


def _test_corpus(corpus: str | Corpus | None, trained_on: Corpus, scale: str) -> Corpus | None:
    """Return the other corpus that is the test, if one is, its classes those of the first."""
    if corpus is None:
        return None
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


def _fewer_speakers(
    recipe: Recipe, corpus: Corpus, folds: tuple[Fold, ...], n_speakers: int | None
) -> tuple[Recipe, tuple[Fold, ...]]:
    """Keep the training clips of some speakers, or all; go through them more often instead."""
    if n_speakers is None:
        return recipe, folds
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
    if not seeds:
        raise ValueError(f"{len(seeds)} seeds: at least one is needed")
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
