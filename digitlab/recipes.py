"""Each system of the book as data, and one function that runs any of them."""

import csv
import json
import time
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from digitlab import augment, corpora, environment, evaluation, features, recognisers, splits
from digitlab.environment import reports_here
from digitlab.training.callbacks import Checkpoint, EarlyStopping, Logger

FRAMEWORKS = ("torch", "keras")
MOST_IN_MEMORY = 2**30  # bytes: where Lightning trains, larger sets are read as they are needed


@dataclass(frozen=True)
class Recipe:
    """A system: what it hears, what it is, how it learns, and what its authors printed.

    Attributes
    ----------
    title : str
        What it is called in tables.
    framework, corpus, split : str
        As published.
    clips : dict
        How :meth:`digitlab.corpora.Corpus.waveforms` is to fit the clips.
    features : str
        A function of :mod:`digitlab.features`.
    model : str
        A builder of :mod:`digitlab.models`.
    epochs, batch_size : int
        How it learns.
    published : dict
        Figures its authors printed; none if it is the book's own.
    source : str
        Key in ``references.bib``; empty where there is none.
    optimizer : str
        As for :func:`digitlab.training.torch.fit`.
    learning_rate : float
        Its step size.
    schedule : str
        How the step size changes.
    trainer : str
        ``"lightning"`` if :mod:`digitlab.training.lightning` trains it in PyTorch, through a cycle
        of its own; by default the plain loop does.
    early_stopping : EarlyStopping, optional
        When to stop before the last epoch, and with which weights.
    standardise : bool
        Whether the features are brought to mean 0 and spread 1 by those of the training clips.
    copies : bool
        Whether it learns from the nine copies of each clip that :func:`digitlab.augment.copies`
        makes.
    vary : dict
        How :func:`digitlab.augment.vary` is to change the training clips, anew for each epoch. Not
        along with `copies` or `standardise`.
    set_aside : float
        Share of the training clips, drawn with the seed, that it does not learn from: the
        validation set of its authors.
    validates_on_test : bool
        Whether its authors took the test clips for validation, too.
    at_least : int
        How many clips of its corpus are enough to learn from.
    test_size : float
        The share of the clips that a random split tests on.
    speakers : tuple of str
        Who spoke, when it was published. Where the corpus has them all, the published split is made
        of their clips alone.
    shares : dict
        What is otherwise at a scale: attributes, what is to replace some of `clips`, and ``every``:
        of how many takes that scale has one is used, the first included. A laptop does all of what
        has no share.
    """

    title: str
    framework: str
    corpus: str
    split: str
    clips: dict
    features: str
    model: str
    epochs: int
    batch_size: int
    published: dict
    source: str
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    trainer: str = ""
    early_stopping: EarlyStopping | None = None
    standardise: bool = False
    copies: bool = False
    vary: dict = field(default_factory=dict)
    set_aside: float = 0.0
    validates_on_test: bool = False
    at_least: int = 1
    test_size: float = 0.1
    speakers: tuple[str, ...] = ()
    shares: dict = field(default_factory=dict)


FOUR = ("jackson", "nicolas", "theo", "yweweler")  # all of FSDD when it held 2,000 recordings
RESAMPLED = {"n_samples": 17640, "rate": 22050, "align": "start", "normalize": False}
SHIFTED = {"shift": (-800, 800)}  # a tenth of a second at 8 kHz
A_TENTH = {"test_size": 0.1, "set_aside": 1 / 9}  # for the test, and as many for validation
WORDS = {
    "corpus": "speech_commands",
    "split": "random",
    "clips": {"n_samples": 16000, "rate": 16000, "align": "start", "normalize": False},
    "features": "samples",
    "batch_size": 128,
    "at_least": 2500,
    "test_size": 0.2,
    "set_aside": 0.25,
    "source": "",
}
AS_C1 = WORDS | {
    "framework": "torch",
    "epochs": 50,
    "learning_rate": 0.01,
    "schedule": "one-cycle",
    "trainer": "lightning",
    "early_stopping": EarlyStopping(patience=3, restore_best=True),
    "shares": {"laptop": {"epochs": 30, "early_stopping": None}},
}

RECIPES = {
    "K1": Recipe(
        title="log-scattering, batch normalisation and logistic regression",
        framework="keras",
        corpus="fsdd",
        split="official",
        clips={"n_samples": 8192},
        features="log_scattering",
        model="normalised_regression",
        epochs=50,
        batch_size=64,
        published={"train_accuracy": 0.997, "test_accuracy": 0.98, "seconds": 360},
        source="kymatio2022keras",
        set_aside=0.2,
    ),
    "K2": Recipe(
        title="log-scattering and logistic regression",
        framework="torch",
        corpus="fsdd",
        split="official",
        clips={"n_samples": 8192},
        features="log_scattering",
        model="logistic_regression",
        epochs=50,
        batch_size=32,
        published={"train_accuracy": 0.991, "test_accuracy": 0.967, "seconds": 122},
        source="kymatio2022torch",
        standardise=True,
    ),
    "K3": Recipe(
        title="the course of scattering and logistic regression",
        framework="torch",
        corpus="fsdd",
        split="official",
        clips={"n_samples": 8192},
        features="scattering_course",
        model="logistic_regression",
        epochs=50,
        batch_size=32,
        published={},
        source="",
        standardise=True,
    ),
    "L1": Recipe(
        title="LSTM, sample by sample",
        framework="keras",
        corpus="fsdd",
        split="random",
        clips=RESAMPLED,
        features="samples",
        model="raw_lstm",
        epochs=5,
        batch_size=8,
        early_stopping=EarlyStopping(min_delta=0.1, patience=1),
        validates_on_test=True,
        test_size=0.3,
        speakers=FOUR,
        shares={
            "laptop": {"every": 10, "clips": {"n_samples": 8820}},
            "smoke": {"clips": {"n_samples": 441}},
        },
        published={
            "train_loss": 2.3038,
            "test_loss": 2.3026,
            "train_accuracy": 0.1,
            "test_accuracy": 0.1033,
        },
        source="",
    ),
    "L2": Recipe(
        title="LSTM over the mel bands",
        framework="keras",
        corpus="fsdd",
        split="random",
        clips=RESAMPLED,
        features="log_mel",
        model="mel_lstm",
        epochs=15,
        batch_size=16,
        learning_rate=5e-4,
        early_stopping=EarlyStopping(min_delta=0.05, patience=2),
        validates_on_test=True,
        test_size=0.3,
        speakers=FOUR,
        published={
            "train_loss": 0.5249,
            "test_loss": 0.4618,
            "train_accuracy": 0.8771,
            "test_accuracy": 0.87,
            "epochs": 13,
        },
        source="",
    ),
    "L3": Recipe(
        title="LSTM, sample by sample, nine copies of each clip",
        framework="keras",
        corpus="fsdd",
        split="random",
        clips=RESAMPLED,
        features="samples",
        model="raw_lstm",
        epochs=5,
        batch_size=8,
        early_stopping=EarlyStopping(min_delta=0.1, patience=1),
        copies=True,
        validates_on_test=True,
        test_size=0.2,
        speakers=FOUR,
        shares={
            "laptop": {"every": 20, "clips": {"n_samples": 8820}},
            "smoke": {"every": 2, "clips": {"n_samples": 441}},
        },
        published={
            "train_loss": 2.3027,
            "test_loss": 2.3027,
            "train_accuracy": 0.1056,
            "test_accuracy": 0.1275,
        },
        source="",
    ),
    "L4": Recipe(
        title="LSTM over the mel bands, nine copies of each clip",
        framework="keras",
        corpus="fsdd",
        split="random",
        clips=RESAMPLED,
        features="log_mel",
        model="mel_lstm",
        epochs=15,
        batch_size=64,
        learning_rate=5e-4,
        early_stopping=EarlyStopping(min_delta=0.005, patience=1),
        copies=True,
        validates_on_test=True,
        test_size=0.2,
        speakers=FOUR,
        shares={"laptop": {"every": 10}, "smoke": {"every": 2}},
        published={
            "train_loss": 0.3069,
            "test_loss": 0.2648,
            "train_accuracy": 0.9131,
            "test_accuracy": 0.9125,
            "epochs": 7,
        },
        source="",
    ),
    "L5": Recipe(
        title="LSTM over the frames of a log-mel spectrogram",
        framework="torch",
        corpus="fsdd",
        split="official",
        clips=RESAMPLED,
        features="log_mel_frames",
        model="frame_lstm",
        epochs=20,
        batch_size=32,
        learning_rate=5e-3,
        schedule="cosine",
        published={},
        source="",
    ),
    "L6": Recipe(
        title="LSTM over frames of raw samples",
        framework="torch",
        corpus="fsdd",
        split="official",
        clips={"n_samples": 8192},
        features="sample_frames",
        model="frame_lstm",
        epochs=40,
        batch_size=32,
        learning_rate=5e-3,
        schedule="cosine",
        vary=SHIFTED,
        published={},
        source="",
    ),
    "L7": Recipe(
        title="strided convolutions over raw samples",
        framework="torch",
        corpus="fsdd",
        split="official",
        clips={"n_samples": 8192},
        features="samples",
        model="raw_cnn",
        epochs=20,
        batch_size=32,
        learning_rate=3e-3,
        schedule="cosine",
        vary=SHIFTED,
        published={},
        source="",
    ),
    "D1": Recipe(
        title="dense network on spectrogram pictures",
        framework="keras",
        corpus="audiomnist",
        split="random",
        clips={"n_samples": 30000, "rate": 48000, "align": "start", "normalize": False},
        features="magnitude_spectrogram",
        model="picture_dense",
        epochs=10,
        batch_size=6,
        optimizer="rmsprop",
        at_least=3000,
        **A_TENTH,
        shares={"laptop": {"every": 5}},
        published={
            "train_accuracy": 0.9893,
            "validation_accuracy": 0.9825,
            "test_accuracy": 0.9813,
            "test_loss": 1.1754,
            "seconds": 1200,
        },
        source="",
    ),
    "D2": Recipe(
        title="dense network on log-mel frames",
        framework="keras",
        corpus="audiomnist",
        split="random",
        clips=RESAMPLED,
        features="log_mel_frames",
        model="mel_dense",
        epochs=20,
        batch_size=32,
        schedule="cosine",
        at_least=3000,
        **A_TENTH,
        published={},
        source="",
    ),
    "D3": Recipe(
        title="small convolutional network on log-mel frames",
        framework="keras",
        corpus="audiomnist",
        split="random",
        clips=RESAMPLED,
        features="log_mel_frames",
        model="mel_cnn",
        epochs=5,
        batch_size=32,
        learning_rate=3e-3,
        schedule="cosine",
        at_least=3000,
        **A_TENTH,
        published={},
        source="",
    ),
    "C1": Recipe(
        title="convolutional network on complex spectrograms",
        model="complex_cnn",
        **AS_C1,
        published={
            "train_accuracy": 0.9427,
            "validation_accuracy": 0.9394,
            "test_accuracy": 0.9324,
            "test_loss": 0.2373,
            "epochs": 40,
        },
    ),
    "C2": Recipe(
        title="C1's network on magnitudes",
        model="magnitude_cnn",
        **AS_C1,
        published={},
    ),
    "C3": Recipe(
        title="C1's network on squared magnitudes",
        model="power_cnn",
        **AS_C1,
        published={},
    ),
    "C4": Recipe(
        title="C1's network on log-mel bands",
        model="log_mel_cnn",
        **AS_C1,
        published={},
    ),
    "C5": Recipe(
        title="small network of separable convolutions on log-mel bands",
        framework="torch",
        model="separable_cnn",
        **WORDS | {"batch_size": 64},
        epochs=40,
        learning_rate=3e-3,
        schedule="cosine",
        vary={"shift": (-1600, 1600)},
        published={},
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
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32-true",
    checkpoint_folder: Path | None = None,
    log_folder: Path | None = None,
    model_file: Path | None = None,
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
    devices, nodes : int
        How many devices learn, on each of how many machines, as for
        :func:`digitlab.training.lightning.fit`.
    precision : str
        In which numbers they learn, as for the same function.
    checkpoint_folder : pathlib.Path, optional
        Where to keep each training after every epoch: after an interruption, the same call goes on
        from there.
    log_folder : pathlib.Path, optional
        Where to write curves for TensorBoard and as a CSV file, in a folder for each training.
    model_file : pathlib.Path, optional
        Where to keep what was trained, for ``digitlab predict``. Nothing may be there yet. Where
        several processes share a training, the first one writes it.

    Returns
    -------
    Report
        Of the run, with what was trained as its ``recogniser``; or pooled over seeds and folds,
        with those in its ``parts``.

    Raises
    ------
    ValueError
        If a name, scale or count is unknown, if one file is to keep several trainings, or if
        several devices, or numbers of 16 bits, are to train what Lightning does not.
    CorpusError
        If the corpus cannot be had.

    Examples
    --------
    >>> report = run("K2", corpus="voices", scale="smoke")
    >>> report.n_parameters, report.n_test
    (3370, 120)
    """
    recipe = _recipe(name)
    if model_file:
        recognisers.refuse_place(model_file)
    framework = framework or recipe.framework
    if framework not in FRAMEWORKS:
        raise ValueError(f"there is no framework {framework!r}; there are {', '.join(FRAMEWORKS)}")
    if framework != "torch":
        recipe = replace(recipe, trainer="")
    lightning = {"devices": devices, "nodes": nodes, "precision": precision}
    if tuple(lightning.values()) != (1, 1, "32-true") and not recipe.trainer:
        trained = [key for key, other in RECIPES.items() if other.trainer]
        raise ValueError(
            f"{name} learns on one device in {framework}, in full precision: devices, nodes and "
            f"precision are for what Lightning trains in PyTorch ({', '.join(trained) or 'none'})"
        )
    if seeds < 1:
        raise ValueError(f"{seeds} seeds: at least one is needed")
    scale = scale or environment.scale_from_environment()
    if scale not in environment.SCALES:
        raise ValueError(f"there is no scale {scale!r}; there are {', '.join(environment.SCALES)}")
    if not isinstance(corpus, corpora.Corpus):
        least = 1 if corpus else recipe.at_least
        corpus = corpora.load(corpus or recipe.corpus, at_least=least)
    whole = corpus
    shared = {
        "recipe": name,
        "framework": framework,
        "corpus": corpus.name,
        "corpus_digest": corpus.digest,
        "split": recipe.split if split == "published" else split,
        "scale": scale,
        "classes": corpus.classes,
    }
    if split == "published":
        corpus = _of_speakers(corpus, recipe.speakers)
    recipe, corpus = _at_scale(recipe, corpus, scale)
    places = pd.Index(whole.table["path"]).get_indexer(corpus.table["path"])
    where = {"device": device, "checkpoint_folder": checkpoint_folder, "log_folder": log_folder}
    if recipe.trainer:
        where |= lightning
    waveforms = None if recipe.trainer else corpus.waveforms(**recipe.clips)
    trainings = [
        (train, test, seed_used)
        for seed_used in range(seed, seed + seeds)
        for train, test in splits.split(
            corpus, shared["split"], test_size=recipe.test_size, seed=seed_used
        )
    ]
    if model_file and len(trainings) > 1:
        raise ValueError(
            f"{model_file} can keep one model, and these are {len(trainings)} trainings: "
            "ask for one seed, and for a split that is not by speakers"
        )
    x, timing = _features(recipe, waveforms, device if framework == "torch" else None)
    if not recipe.vary:
        waveforms = None  # they may take gigabytes
    reports = []
    for training in trainings:
        report = _fit_and_test(recipe, corpus, waveforms, x, *training, where, shared | timing)
        report = replace(report, rows=places[report.rows])
        reports.append(report if len(trainings) == 1 else replace(report, recogniser=None))
    if model_file and reports_here(devices * nodes):
        report.recogniser.save(model_file)
    return evaluation.pool(reports)


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


def _of_speakers(corpus: corpora.Corpus, speakers: tuple[str, ...]) -> corpora.Corpus:
    """Return the clips of these speakers alone, if the corpus has them all."""
    theirs = corpus.table["speaker"].isin(speakers)
    everybody = corpus.table["speaker"][theirs].nunique() == len(speakers)
    return corpus.select(theirs) if speakers and everybody else corpus


def _at_scale(recipe: Recipe, corpus: corpora.Corpus, scale: str) -> tuple:
    """Return the recipe and the clips of a scale."""
    share = {"every": 1, "clips": {}} | recipe.shares.get(scale, {})
    every, clips = share.pop("every"), recipe.clips | share.pop("clips")
    corpus = corpus.at_scale(scale)
    takes = corpus.table.groupby(["label", "speaker"]).cumcount()
    corpus = corpus.select(takes % every == 0)
    return replace(recipe, clips=clips, **share), corpus


def _features(recipe, waveforms, device) -> tuple[np.ndarray | None, dict]:
    if waveforms is None:
        return None, {"seconds_features": 0.0, "features_cached": False}
    settings = {"device": device} if recipe.features in features.KEPT_ON_DISK else {}
    cached = features.is_cached(waveforms, feature=recipe.features, device=device)
    start = time.perf_counter()
    x = getattr(features, recipe.features)(waveforms, **settings)
    seconds = time.perf_counter() - start
    return x, {"seconds_features": seconds, "features_cached": cached}


def _clips(recipe, corpus):
    """Return clips with their features, for Lightning: if many, read as they are needed."""
    lightning = import_module("digitlab.training.lightning")
    n_bytes = len(corpus) * recipe.clips["n_samples"] * np.float32().nbytes
    settings = {"in_memory": n_bytes <= MOST_IN_MEMORY, **recipe.clips}
    return lightning.Clips(corpus, transform=getattr(features, recipe.features), **settings)


def _fit_and_test(
    recipe, corpus, waveforms, x, train, test, seed, where, shared
) -> evaluation.Report:
    models = import_module(f"digitlab.models.{shared['framework']}")
    training = import_module(f"digitlab.training.{recipe.trainer or shared['framework']}")
    y = corpus.table["label"].to_numpy()
    speakers = corpus.table["speaker"].to_numpy()
    fold = " ".join(sorted(set(speakers[test]))) if shared["split"] in splits.BY_SPEAKER else ""
    validation_rows = test if recipe.validates_on_test else ()
    if recipe.set_aside:
        n_kept = int(len(train) * (1 - recipe.set_aside))
        train, validation_rows = np.split(np.random.default_rng(seed).permutation(train), [n_kept])
    where, callbacks = dict(where), [recipe.early_stopping] if recipe.early_stopping else []
    if checkpoint_folder := where.pop("checkpoint_folder"):
        callbacks.append(Checkpoint(checkpoint_folder))
    if log_folder := where.pop("log_folder"):
        run = (shared["recipe"], shared["framework"], shared["corpus"], shared["split"], fold, seed)
        callbacks.append(Logger(Path(log_folder, "-".join(str(p) for p in run if p != ""))))
    how = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "learning_rate": recipe.learning_rate,
        "callbacks": callbacks,
        "seed": seed,
        **where,
    }
    build = partial(getattr(models, recipe.model), n_classes=len(corpus.classes), seed=seed)
    y_train, scaling = y[train], {}
    if recipe.trainer:
        x_train, validation, x_test = (
            _clips(recipe, corpus.select(rows)) for rows in (train, validation_rows, test)
        )
        model = build(*x_train[0][0].shape)
        history = training.fit(model, x_train, validation=validation or None, **how)
    else:
        x_train = x[train]
        if recipe.copies:
            x_train, y_train, timing = _copies(recipe, corpus.select(train))
            shared = shared | {"seconds_features": shared["seconds_features"] + timing}
        if recipe.standardise:
            scaler = StandardScaler().fit(x_train)
            scaling = {"mean": scaler.mean_, "spread": scaler.scale_}
            x, x_train = scaler.transform(x), scaler.transform(x_train)
        varied = None
        if recipe.vary:
            varied = partial(_varied, recipe, waveforms[train])
        x_test, model = x[test], build(*x.shape[1:])
        history = training.fit(
            model,
            x_train,
            y_train,
            optimizer=recipe.optimizer,
            schedule=recipe.schedule,
            augment=varied,
            validation=(x[validation_rows], y[validation_rows]) if len(validation_rows) else None,
            **how,
        )
    n_parameters, n_trainable = models.count_parameters(model)
    y_pred = training.predict(model, x_test).argmax(axis=1)
    train_accuracy = history.accuracy[-1]
    if recipe.trainer or (recipe.early_stopping and recipe.early_stopping.restore_best):
        train_accuracy = float(np.mean(training.predict(model, x_train).argmax(axis=1) == y_train))
    clips = {"align": "center", "normalize": True} | recipe.clips
    described = {"seed": seed, "n_train": len(x_train)}
    recogniser = recognisers.Recogniser(
        **{key: shared[key] for key in set(shared) & set(recognisers.DESCRIBED)},
        **described,
        test_accuracy=float(np.mean(y_pred == y[test])),
        rate=clips.pop("rate", corpus.rate),
        clips=clips,
        features=recipe.features,
        builder=recipe.model,
        model=model,
        **scaling,
    )
    return evaluation.Report(
        **shared,
        **described,
        fold=fold,
        device=history.device,
        n_parameters=n_parameters,
        n_trainable=n_trainable,
        train_accuracy=train_accuracy,
        seconds_training=history.seconds,
        y_true=y[test],
        y_pred=y_pred,
        speakers=speakers[test],
        rows=test,
        history=history,
        recogniser=recogniser,
    )


def _copies(recipe, corpus) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the features and labels of nine copies of every clip, and the seconds they took."""
    start = time.perf_counter()
    settings = {key: recipe.clips[key] for key in ("rate", "n_samples")}
    waveforms, table = augment.copies(corpus, **settings)
    x = getattr(features, recipe.features)(waveforms)
    return x, np.array(table["label"]), time.perf_counter() - start


def _varied(recipe, waveforms, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the features of the training clips, each changed by lot."""
    return getattr(features, recipe.features)(np.stack(augment.vary(waveforms, rng, **recipe.vary)))
