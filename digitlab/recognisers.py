"""Trained systems, kept in a file, that recognise the word in any recording."""

import inspect
import json
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from digitlab import features, recipes
from digitlab.environment import FRAMEWORKS, refuse_unwritable, replacing
from digitlab.layouts import OTHER
from digitlab.models import twins
from digitlab.preparation import Preparation, prepare
from digitlab.riff import MAX_RATE

FORMAT = 2  # 1 knew no preparation
ARRAYS = ("mean", "spread")


class RecogniserError(ValueError):
    """A file is no recogniser that can be used; the message names it and the reason."""


class Answer(NamedTuple):
    """What a recogniser makes of a recording.

    Attributes
    ----------
    label : str
        The likeliest class; ``"other"`` says that no digit was spoken.
    probabilities : array of shape (n_classes,)
        Of each class, in the order of its ``classes``.
    done : tuple of str
        What was changed in the recording beforehand, in words.
    """

    label: str
    probabilities: np.ndarray
    done: tuple[str, ...]


@dataclass(frozen=True)
class Recogniser:
    """A trained model, and all that must be done to a recording before it can answer.

    Attributes
    ----------
    recipe, framework, corpus, corpus_digest, split, scale : str
        What was trained, on what.
    seed, n_train : int
        The seed of the training, and how many clips it was trained on.
    test_accuracy : float
        Share of its test clips that it recognised.
    preparation : Preparation
        Rate and length of the clips that it takes, and how a recording is fitted to them.
    features, builder : str
        Functions of :mod:`digitlab.features` and of :mod:`digitlab.models`.
    model_settings : dict
        Keyword arguments of the builder.
    classes : tuple of str
        What it can answer.
    model : object
        The framework's own.
    refuse_above : float
        Probability of ``"other"`` above which no digit is answered, where that is a class.
    mean, spread : array or None
        Of each feature over the training clips, where features are standardised.
    """

    recipe: str
    framework: str
    corpus: str
    corpus_digest: str
    split: str
    scale: str
    seed: int
    n_train: int
    test_accuracy: float
    preparation: Preparation
    features: str
    builder: str
    model_settings: dict
    classes: tuple[str, ...]
    model: Any = field(repr=False)
    refuse_above: float = 0.5
    mean: np.ndarray | None = field(default=None, repr=False)
    spread: np.ndarray | None = field(default=None, repr=False)

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora that it was trained on, as far as its recipe is known."""
        recipe = recipes.RECIPES.get(self.recipe.partition(",")[0])  # "B2, everything adapted"
        return list(dict.fromkeys([self.corpus, *(recipe.also if recipe else ())]))

    def probabilities(self, waveforms: np.ndarray) -> np.ndarray:
        """Return the probability of each class, for clips that are prepared already.

        Parameters
        ----------
        waveforms : array of shape (n_clips, n_samples)
            Clips of its rate and length, as :meth:`digitlab.corpora.Corpus.prepare` makes them.

        Returns
        -------
        array of shape (n_clips, n_classes), float32
            Each row sums to 1. Where ``"other"`` is a class, a clip of zeros belongs to it.
        """
        # private recordings leave nothing in the cache
        x = features.compute(self.features, waveforms, self.preparation.rate, keep=False)
        if self.mean is not None:
            x = ((x - self.mean) / self.spread).astype(np.float32)
        probabilities = import_module(f"digitlab.training.{self.framework}").predict(self.model, x)
        if OTHER in self.classes:
            probabilities[~np.any(waveforms, axis=1)] = self._is_other
        return probabilities

    def labels(self, waveforms: np.ndarray) -> np.ndarray:
        """Return the answers for clips that are prepared already.

        Parameters
        ----------
        waveforms : array of shape (n_clips, n_samples)
            As for :meth:`probabilities`.

        Returns
        -------
        array of str, shape (n_clips,)
            The likeliest class of each, and ``"other"`` only above its threshold, as
            :meth:`predict` answers.
        """
        return np.array([self.label_of(row) for row in self.probabilities(waveforms)])

    @property
    def _is_other(self) -> np.ndarray:
        """Tell which classes, one at most, say that no digit was spoken."""
        return np.array([name == OTHER for name in self.classes])

    def predict(self, samples: np.ndarray, rate: int) -> Answer:
        """Say which class a recording of any rate, length and number of channels belongs to.

        Parameters
        ----------
        samples : array of shape (n_frames,) or (n_frames, n_channels)
            The recording. Whole numbers are scaled by their type.
        rate : int
            In Hz.

        Returns
        -------
        Answer
            With what was changed in the recording: it is prepared as the training clips were.

        Raises
        ------
        ValueError
            If these are no samples, as for :func:`digitlab.preparation.prepare`.
        """
        prepared = prepare(samples, rate, self.preparation)
        [probabilities] = self.probabilities(prepared.samples[np.newaxis])
        return Answer(self.label_of(probabilities), probabilities, prepared.describe())

    def label_of(self, probabilities: np.ndarray) -> str:
        """Return the likeliest class, and ``"other"`` only above its threshold.

        Parameters
        ----------
        probabilities : array of shape (n_classes,)
            A row of :meth:`probabilities`.
        """
        if (probabilities[self._is_other] > self.refuse_above).any():
            return OTHER
        return self.classes[np.where(self._is_other, -1, probabilities).argmax()]

    def save(self, file: Path) -> None:
        """Write it to a file that holds numbers and words alone.

        Parameters
        ----------
        file : pathlib.Path
            Nothing may be there yet. By custom it ends in ``.npz``.

        Raises
        ------
        FileExistsError
            If something is there.

        Notes
        -----
        An archive of NumPy arrays: the weights, in the model's own order, and a description in
        JSON.
        """
        refuse_place(file)
        about = {name: getattr(self, name) for name in DESCRIBED}
        about["preparation"] = asdict(self.preparation)
        weights = import_module(f"digitlab.models.{self.framework}").get_weights(self.model)
        arrays = {f"weights_{i}": values for i, values in enumerate(weights)}
        if self.mean is not None:
            arrays |= {"mean": self.mean, "spread": self.spread}
        with replacing(Path(file)) as out:
            np.savez(out, about=json.dumps({"format": FORMAT} | about), **arrays)


def in_framework(recogniser: Recogniser, framework: str) -> Recogniser:
    """Return a recogniser whose network computes the same in the other framework.

    Parameters
    ----------
    recogniser : Recogniser
        Trained in either framework; it stays as it is.
    framework : {"torch", "keras"}
        The one wanted.

    Returns
    -------
    Recogniser
        With the same weights; `recogniser` itself, if it is of that framework.

    Raises
    ------
    ValueError
        If there is no such framework.
    ImportError
        If one of both is not installed.

    Examples
    --------
    >>> from digitlab import pretrained
    >>> in_framework(pretrained.load(), "keras").framework
    'keras'
    """
    if framework not in FRAMEWORKS:
        raise ValueError(f"there is no framework {framework!r}; there are {', '.join(FRAMEWORKS)}")
    if framework == recogniser.framework:
        return recogniser
    builder = _builder(import_module(f"digitlab.models.{framework}"), recogniser.builder)
    shape = _shape(recogniser.features, recogniser.preparation)
    twin = builder(*shape, len(recogniser.classes), **recogniser.model_settings)
    getattr(twins, f"to_{framework}")(recogniser.model, twin)
    return replace(recogniser, framework=framework, model=twin)


MAX_SAMPLES = 10_000_000  # of a clip: far more than any system takes
DESCRIBED = tuple(f.name for f in fields(Recogniser) if f.name not in ("model", *ARRAYS))
TYPES: dict[str, Any] = dict.fromkeys(DESCRIBED, str) | {
    "seed": int,
    "n_train": int,
    "test_accuracy": float | int,
    "refuse_above": float | int,
    "preparation": dict,
    "model_settings": dict,
    "classes": list,
}
PREPARATION_TYPES = {
    "rate": int,
    "n_samples": int,
    "align": str,
    "normalize": bool,
    "background": bool,
}
WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float | int: "a number",
    bool: "true or false",
    dict: "a table of names and values",
    list: "a list",
}


def refuse_place(file: Path) -> None:
    """Refuse a place where a recogniser cannot be kept, before any time is spent on training it.

    Parameters
    ----------
    file : pathlib.Path
        Where it is to be written.

    Raises
    ------
    FileExistsError
        If something is there already.
    OSError
        If nothing can be written there.
    """
    file = Path(file)
    if file.exists():
        raise FileExistsError(f"{file} exists already: choose another name, or move it away")
    refuse_unwritable(file)


def free_name(file: Path) -> Path:
    """Return a name beside a file's at which there is nothing yet.

    Parameters
    ----------
    file : pathlib.Path
        Such as ``k2.npz``.

    Returns
    -------
    pathlib.Path
        The same, if nothing is there; else ``k2-2.npz`` or the next that is free.

    Examples
    --------
    >>> free_name(Path("no-such-file.npz")).name
    'no-such-file.npz'
    """
    number = 1
    tried = file
    while tried.exists():
        number += 1
        tried = file.with_name(f"{file.stem}-{number}{file.suffix}")
    return tried


def load(file: Path) -> Recogniser:
    """Read a recogniser from its file; nothing in the file is executed.

    Parameters
    ----------
    file : pathlib.Path
        What :meth:`Recogniser.save` wrote.

    Returns
    -------
    Recogniser
        As it was when it was saved.

    Raises
    ------
    RecogniserError
        If the file is missing, damaged, of another kind or of a newer version, or if its weights do
        not fit its model.
    ImportError
        If its framework is not installed.
    """
    try:
        with np.load(file, allow_pickle=False) as kept:
            about = json.loads(str(kept["about"]))
            arrays = {name: kept[name] for name in kept.files if name != "about"}
    except FileNotFoundError as error:
        raise RecogniserError(f"{file}: there is no such file") from error
    except Exception as error:  # damage makes the readers of archives raise errors of any type
        raise RecogniserError(
            f"{file}: this is no recogniser, or a damaged one; "
            "make one with  digitlab run K2 --save FILE"
        ) from error
    try:
        _check_description(about)
        _check_arrays(arrays)
        return _built(about, arrays)
    except ValueError as error:
        raise RecogniserError(f"{file}: {error}") from error


def _check_description(about: Any) -> None:
    """Refuse a description that lacks something or holds values of another type."""
    if not isinstance(about, dict):
        raise ValueError("its description is no table of names and values: the file is damaged")
    version = about.get("format")
    if version == 1:
        raise ValueError(
            "an older digitlab wrote it, which prepared recordings otherwise: train anew"
        )
    if version != FORMAT:
        raise ValueError("another version of digitlab wrote it, which this one cannot read")
    about.setdefault("refuse_above", 0.5)  # unknown when the first files were written
    _check_types("description", about, TYPES)
    if about["framework"] not in FRAMEWORKS:
        raise ValueError(f"it is for {about['framework']!r}, not for {' or '.join(FRAMEWORKS)}")
    classes = about["classes"]
    words = {label for label in classes if isinstance(label, str)}
    if not 0 < len(words) == len(classes):
        raise ValueError(f"its classes must be different words, not {classes!r:.60}")
    preparation = about["preparation"]
    _check_types("preparation", preparation, PREPARATION_TYPES)
    if unknown := set(preparation) - set(PREPARATION_TYPES):
        raise ValueError(f"its preparation has unknown entries: {', '.join(sorted(unknown))}")
    if preparation["align"] not in ("center", "start"):
        raise ValueError(f'its align is {preparation["align"]!r}, not "center" or "start"')
    for name, most in (("rate", MAX_RATE), ("n_samples", MAX_SAMPLES)):
        if not 1 <= preparation[name] <= most:
            raise ValueError(f"its {name} is {preparation[name]}, not from 1 to {most:,}")


def _check_types(what: str, entries: dict, types: dict[str, Any]) -> None:
    if missing := set(types) - set(entries):
        raise ValueError(f"its {what} lacks {', '.join(sorted(missing))}")
    for name, kind in types.items():
        value = entries[name]
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
            word = WORDS[kind]
            raise ValueError(f"its {what} says {name}={value!r:.60}, which is not {word}")


def _check_arrays(arrays: dict) -> None:
    """Refuse arrays that are no finite numbers, and a mean without a spread."""
    for name, values in arrays.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiubc":
            raise ValueError(f"its {name} holds something other than numbers")
        if not np.isfinite(values).all():
            raise ValueError(f"its {name} holds NaN or infinite numbers: train anew")
    if ("mean" in arrays) != ("spread" in arrays):
        raise ValueError("it has only one of mean and spread; features are scaled by both")
    if any(arrays[name].dtype.kind not in "fiu" for name in ARRAYS if name in arrays):
        raise ValueError("its mean and spread must be real numbers")
    if "spread" in arrays and not (arrays["spread"] > 0).all():
        raise ValueError("its spread holds zero or negative numbers; features are divided by it")


def _built(about: dict, arrays: dict) -> Recogniser:
    models = import_module(f"digitlab.models.{about['framework']}")
    builder = _builder(models, about["builder"])
    preparation = Preparation(**about["preparation"])
    scaling = {name: arrays.pop(name) for name in ARRAYS if name in arrays}
    if set(arrays) != {f"weights_{i}" for i in range(len(arrays))}:
        raise ValueError("its weights are not all there, or there are arrays of other names")
    shape = _shape(about["features"], preparation)
    settings = about["model_settings"]
    if unknown := set(settings) - set(inspect.signature(builder).parameters):
        raise ValueError(f"its model has no setting {', '.join(sorted(unknown))}")
    try:
        model = builder(*shape, len(about["classes"]), **settings)
    except ImportError:
        raise
    except Exception as error:  # of any type, from the framework
        raise ValueError(
            f"{about['builder']} cannot be built for features of shape {shape} with the settings "
            f"{settings!r:.200}"
        ) from error
    if any(values.shape != shape for values in scaling.values()):
        raise ValueError("its features have another shape than those this digitlab computes")
    models.set_weights(model, [arrays[f"weights_{i}"] for i in range(len(arrays))])
    about = {name: about[name] for name in DESCRIBED}
    about |= {"classes": tuple(about["classes"]), "preparation": preparation}
    return Recogniser(**about, **scaling, model=model)


def _shape(name: str, preparation: Preparation) -> tuple[int, ...]:
    """Return the shape of the features of one clip."""
    silence = np.zeros((1, preparation.n_samples), np.float32)
    try:
        return features.compute(name, silence, preparation.rate, keep=False).shape[1:]
    except (ImportError, ValueError):
        raise
    except Exception as error:  # of any type, from the arithmetic
        raise ValueError(
            f"its features, {name}, cannot be computed for clips of {preparation.n_samples:,} "
            f"samples at {preparation.rate:,} Hz"
        ) from error


def _builder(models: ModuleType, name: str):
    """Return a builder of models, whatever a file may ask for."""
    found = getattr(models, name, None)
    if not inspect.isfunction(found) or found.__module__ != f"{models.__name__}.networks":
        raise ValueError(f"it needs {models.__name__}.{name}, which this digitlab does not have")
    return found
