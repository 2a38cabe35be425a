"""Trained systems that can be kept in a file and asked about any recording."""

import inspect
import json
from dataclasses import dataclass, field, fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from zipfile import BadZipFile

import librosa
import numpy as np

from digitlab import audio, features
from digitlab.environment import replacing

FORMAT = 1
FRAMEWORKS = ("torch", "keras")
ARRAYS = ("mean", "spread")
QUIET_DB = 30  # below the loudest frame


class RecogniserError(ValueError):
    """A file is no recogniser that can be used; the message names it and the reason."""


class Answer(NamedTuple):
    """What a recogniser heard in a recording.

    Attributes
    ----------
    label : str
        The likeliest class.
    probabilities : array of shape (n_classes,)
        What it gives to each class, in the order of its ``classes``.
    done : tuple of str
        What was done to the recording before it was heard, in words.
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
        By which dice, and on how many clips.
    test_accuracy : float
        Share of its test clips that it recognised.
    rate : int
        In Hz: of the sound that it hears.
    clips : dict
        ``n_samples``, ``align`` and ``normalize``, as for
        :meth:`digitlab.corpora.Corpus.waveforms`.
    features, builder : str
        Functions of :mod:`digitlab.features` and of :mod:`digitlab.models`.
    classes : tuple of str
        What it can answer.
    model : object
        The framework's own.
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
    rate: int
    clips: dict
    features: str
    builder: str
    classes: tuple[str, ...]
    model: Any = field(repr=False)
    mean: np.ndarray | None = field(default=None, repr=False)
    spread: np.ndarray | None = field(default=None, repr=False)

    def probabilities(self, waveforms: np.ndarray) -> np.ndarray:
        """Return what it gives to each class, for clips that are prepared already.

        Parameters
        ----------
        waveforms : array of shape (n_clips, n_samples)
            Clips at its rate, of the length it hears, as
            :meth:`digitlab.corpora.Corpus.waveforms` makes them.

        Returns
        -------
        array of shape (n_clips, n_classes), float32
            Each row sums to 1.
        """
        x = features.compute(self.features, waveforms, self.rate, keep=False)
        if self.mean is not None:
            x = ((x - self.mean) / self.spread).astype(np.float32)
        return import_module(f"digitlab.training.{self.framework}").predict(self.model, x)

    def hear(self, samples: np.ndarray, rate: int) -> Answer:
        """Answer what was said in a recording of any rate, length and number of channels.

        A recording that is longer than what the recogniser hears loses the quiet at its ends first.

        Parameters
        ----------
        samples : array of shape (n_frames,) or (n_frames, n_channels)
            The recording.
        rate : int
            In Hz.

        Returns
        -------
        Answer
            With what was done to the recording.
        """
        clip, done = _prepared(samples, rate, self.rate, **self.clips)
        [probabilities] = self.probabilities(clip[np.newaxis])
        return Answer(self.classes[probabilities.argmax()], probabilities, tuple(done))

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
        weights = import_module(f"digitlab.models.{self.framework}").get_weights(self.model)
        arrays = {f"weights_{i}": values for i, values in enumerate(weights)}
        if self.mean is not None:
            arrays |= {"mean": self.mean, "spread": self.spread}
        with replacing(Path(file)) as out:
            np.savez(out, about=json.dumps({"format": FORMAT} | about), **arrays)


DESCRIBED = tuple(f.name for f in fields(Recogniser) if f.name not in ("model", *ARRAYS))


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
    FileNotFoundError
        If there is no such folder.
    """
    file = Path(file)
    if file.exists():
        raise FileExistsError(f"{file} exists already: choose another name, or move it away")
    if not file.absolute().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {file.absolute().parent}: make it first")


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
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise RecogniserError(
            f"{file}: this is no recogniser, or a damaged one; "
            "make one with  digitlab run K2 --save FILE"
        ) from error
    try:
        return _built(about, arrays)
    except (ValueError, TypeError, KeyError, MemoryError) as error:
        raise RecogniserError(f"{file}: {error}") from error


def _built(about: dict, arrays: dict) -> Recogniser:
    if about.pop("format", None) != FORMAT:
        raise ValueError("another version of digitlab wrote it, which this one cannot read")
    if missing := set(DESCRIBED) - set(about):
        raise ValueError(f"its description lacks {', '.join(sorted(missing))}")
    if about["framework"] not in FRAMEWORKS:
        raise ValueError(f"it is for {about['framework']!r}, not for {' or '.join(FRAMEWORKS)}")
    models = import_module(f"digitlab.models.{about['framework']}")
    builder = _function(models, about["builder"])
    silence, _ = _prepared(np.zeros(100), 8000, about["rate"], **about["clips"])
    x = features.compute(about["features"], silence[np.newaxis], about["rate"], keep=False)
    model = builder(*x.shape[1:], len(about["classes"]))
    scaling = {name: arrays.pop(name) for name in ARRAYS if name in arrays}
    if any(values.shape != x.shape[1:] for values in scaling.values()):
        raise ValueError("its features have another shape than those this digitlab computes")
    models.set_weights(model, [arrays[f"weights_{i}"] for i in range(len(arrays))])
    about = {name: about[name] for name in DESCRIBED} | {"classes": tuple(about["classes"])}
    return Recogniser(**about, **scaling, model=model)


def _function(module: ModuleType, name: str):
    """Return a public function that this module itself defines, whatever a file may ask for."""
    found = vars(module).get(name)
    own = inspect.isfunction(found) and found.__module__ == module.__name__
    if not own or name.startswith("_"):
        raise ValueError(f"it needs {module.__name__}.{name}, which this digitlab does not have")
    return found


def _prepared(samples, rate: int, new_rate: int, *, n_samples: int, align: str, normalize: bool):
    """Return a clip of the length that is heard, and in words what was done to make it."""
    done = []
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim == 2:
        done.append(f"{samples.shape[1]} channels mixed down to one")
        samples = samples.mean(axis=1)
    if rate != new_rate:
        done.append(f"resampled from {rate:,} to {new_rate:,} Hz")
        samples = audio.resample(samples, rate, new_rate)
    if not samples.any():
        done.append("nothing but zeros: its answer means nothing")
    if len(samples) > n_samples:
        loud = librosa.effects.trim(samples, top_db=QUIET_DB)[0]
        if quiet := len(samples) - len(loud):
            done.append(f"{quiet / new_rate:.2f} s of quiet taken from its ends")
        samples = loud
    if len(samples) > n_samples:
        done.append(f"its last {(len(samples) - n_samples) / new_rate:.2f} s cut off")
    elif len(samples) < n_samples:
        where = "on both sides" if align == "center" else "at its end"
        done.append(f"{(n_samples - len(samples)) / new_rate:.2f} s of zeros {where}")
    if normalize:
        done.append("brought to peak 1")
        samples = audio.peak_normalize(samples)
    return audio.fit(samples, n_samples, align=align), done
