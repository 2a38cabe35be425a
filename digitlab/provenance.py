"""What decides a result: the settings of a system, and what its code makes of a few sounds."""

import hashlib
import json
import tempfile
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitlab import audio, corpora, experiment, recipes
from digitlab.environment import SCALES

DOES_NOT_COUNT = ("title", "published", "source", "shares")
TOLERANCE = 2e-3  # relative: other processors and other numbers of threads stay below
SPEAKERS = (*recipes.FOUR, "george")
RATE = 8000  # Hz
N_COPIES = 9  # of each clip, where a recipe asks for copies
LENGTHS = {"raw_lstm": 441, "deep_cnn": 4000}  # samples: whole clips would take minutes
AT_ONCE = {"deep_cnn": 40}  # clips: after three batches of 16, the number of threads shows


class Provenance(NamedTuple):
    """What decides a result.

    Attributes
    ----------
    settings : str
        Digest of the recipe as it is at a scale, of all that is not mere description.
    fingerprint : tuple of float
        Numbers that the system computes from a few sounds, see :func:`fingerprint`.
    """

    settings: str
    fingerprint: tuple[float, ...]

    def agrees(self, other: "Provenance") -> bool:
        """Tell whether results of both are results of one system.

        Parameters
        ----------
        other : Provenance
            Of the same recipe, framework and scale.
        """
        if self.settings != other.settings or len(self.fingerprint) != len(other.fingerprint):
            return False
        return bool(np.allclose(self.fingerprint, other.fingerprint, rtol=TOLERANCE, atol=1e-6))


def of(recipe: str, framework: str, scale: str) -> Provenance:
    """Return what decides the results of a system now.

    Parameters
    ----------
    recipe : str
        A key of ``RECIPES``.
    framework : str
        ``"torch"`` or ``"keras"``.
    scale : str
        ``"smoke"``, ``"laptop"`` or ``"full"``.

    Returns
    -------
    Provenance
        Comments, names and the order of the code have no part in it.

    Raises
    ------
    ValueError
        If there is no such recipe or scale.

    Examples
    --------
    >>> of("K2", "torch", "laptop").agrees(of("K2", "torch", "laptop"))
    True
    """
    if scale not in SCALES:
        raise ValueError(f"there is no scale {scale!r}; there are {', '.join(SCALES)}")
    system, every = recipes.find(recipe).at_scale(scale)
    settings = asdict(system) | {"every": every}
    kept = {name: value for name, value in settings.items() if name not in DOES_NOT_COUNT}
    text = json.dumps(kept, sort_keys=True, default=str)
    return Provenance(
        hashlib.sha256(text.encode()).hexdigest()[:16], fingerprint(recipe, framework)
    )


@cache
def fingerprint(recipe: str, framework: str) -> tuple[float, ...]:
    """Run a system on a few sounds, and return what it computed.

    It goes the whole way, from files through the preparation, the split, the features and one
    epoch of training to the test. Where the code of any of them changes what it does, so do these
    numbers; where it is only written differently, they do not.

    Parameters
    ----------
    recipe : str
        A key of ``RECIPES``.
    framework : str
        ``"torch"`` or ``"keras"``.

    Returns
    -------
    tuple of float
        Of the features, mean magnitude and standard deviation; of the training clips, the loss; of
        the logarithms of the test clips' probabilities, mean and standard deviation; the sum of the
        test clips' rows. To six digits.

    Examples
    --------
    >>> len(fingerprint("K2", "torch"))
    6
    """
    system = recipes.find(recipe)
    changes = shortened(system)
    if system.model in AT_ONCE:
        changes["batch_size"] = AT_ONCE[system.model]
    with tempfile.TemporaryDirectory() as folder:
        plan = experiment.plan(
            recipe,
            framework=framework,
            corpus=_sounds(Path(folder)),
            scale="laptop",
            device="cpu",
            **changes,
        )
        data = experiment.prepare(plan)
        fold = plan.folds[0]
        trained = experiment.train(plan, data, fold)
        report = experiment.score(plan, data, fold, trained)
        waveforms, _ = plan.corpus.select(fold.test).prepare(plan.recipe.preparation)
    assert report.recogniser is not None and data.x is not None
    logarithms = np.log(report.recogniser.probabilities(waveforms) + 1e-12)
    numbers = (
        np.abs(data.x).mean(),
        data.x.std(),
        trained.history.loss[-1],
        logarithms.mean(),
        logarithms.std(),
        plan.places[fold.test].sum(),
    )
    return tuple(float(f"{number:.6g}") for number in numbers)


def shortened(recipe: recipes.Recipe) -> dict[str, Any]:
    """Return changes that let a recipe be run in a second: one epoch, in few batches.

    After many steps, rounding would differ from machine to machine in digits that count.

    Parameters
    ----------
    recipe : Recipe
        A system. Where its model takes samples one by one, or many of them, clips are cut, too.

    Returns
    -------
    dict
        For :func:`digitlab.experiment.plan`.

    Examples
    --------
    >>> shortened(recipes.find("L1"))["preparation"].n_samples
    441
    """
    preparation = recipe.preparation
    n_samples = LENGTHS.get(recipe.model, preparation.n_samples)
    return {
        "epochs": 1,
        "batch_size": min(recipe.batch_size, 16) * (N_COPIES if recipe.copies else 1),
        "also": (),
        "shares": {},
        "preparation": replace(preparation, n_samples=n_samples),
    }


def _sounds(folder: Path) -> corpora.Corpus:
    """Write hums that rise with the digit, by five speakers, and return them as a corpus."""
    rng = np.random.default_rng(0)
    times = np.arange(3000) / RATE
    for digit in range(10):
        for pitch, speaker in enumerate(SPEAKERS):
            for take in (0, 9):  # one of the official test, one of the training clips
                hum = np.sin(2 * np.pi * (100 + 20 * pitch + 250 * digit) * times) / 2
                hum = hum * np.sin(np.pi * times / times[-1])
                noise = rng.normal(0, 0.02, len(times))
                audio.write_wav(folder / f"{digit}_{speaker}_{take}.wav", hum + noise, RATE)
    return corpora.load(folder)
