"""Adaptation: a trained recogniser learns a voice from a few recordings of it.

Three ways, from the one that changes least to the one that changes most: the statistics of batch
normalisation, the last layer, every weight. All are built in the open in chapter 16.
"""

import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from digitlab import perturbation, voices
from digitlab.corpora import Corpus
from digitlab.environment import require
from digitlab.features.normalised import normalised_log_mel, power_frames
from digitlab.layouts import OTHER
from digitlab.preparation import Preparation, prepare
from digitlab.recognisers import Recogniser

require("torch", extra="torch")

import torch  # noqa: E402

from digitlab.training.torch import fit  # noqa: E402

WAYS = ("statistics", "last layer", "everything")
FEATURES = "normalised_log_mel"
PRIOR = 16  # clips that the statistics of the training count for
EPOCHS, COPIES, BATCH_SIZE = 10, 4, 32
LEARNING_RATE = {"last layer": 1e-2, "everything": 3e-4}
N_SOUNDS, N_WORDS = 30, 30  # that stay refused
OTHER_WORDS = tuple(voices.WORDS)[10::2]  # every second one, so that the others are a test
N_LAST = 2  # the dense layer, and what makes probabilities of its output


def settings() -> str:
    """Return what the rows of ``book/adaptation.csv`` depend on of this module, as a text.

    Examples
    --------
    >>> settings()[:10]
    'prior 16, '
    """
    rates = ", ".join(f"{way} {rate}" for way, rate in LEARNING_RATE.items())
    counts = f"epochs {EPOCHS}, copies {COPIES}, batch {BATCH_SIZE}"
    return f"prior {PRIOR}, {counts}, {rates}, others {N_SOUNDS} and {N_WORDS}"


def adapt(
    recogniser: Recogniser,
    waveforms: np.ndarray,
    labels: np.ndarray,
    *,
    way: str = "everything",
    seed: int = 42,
) -> Recogniser:
    """Return a recogniser that has learned from clips of one speaker as well.

    Parameters
    ----------
    recogniser : Recogniser
        A network on normalised log-mel spectrograms in PyTorch, such as B1 or the one that comes
        with digitlab. It stays as it is.
    waveforms : array of shape (n_clips, n_samples)
        Clips of the speaker, prepared as the recogniser takes them; one of each digit at least.
    labels : array of shape (n_clips,)
        Places in its ``classes``.
    way : {"statistics", "last layer", "everything"}
        What changes. The *statistics* of batch normalisation become those of the clips, mixed with
        the ones from training, which count for 16 clips. The *last layer*, or *everything* but
        these statistics, is trained further on perturbed copies of the clips. Where ``"other"`` is
        a class, noises and synthetic words are trained on, too, so that they stay refused.
    seed : int
        Decides the perturbations and the order of the clips.

    Returns
    -------
    Recogniser
        With the name of the recipe and the way as its ``recipe``.

    Raises
    ------
    ValueError
        If the recogniser is of another kind, if clips and labels do not fit it, or if it would be
        trained without one of its digits.

    Notes
    -----
    The mixed statistics are due to S. Schneider, E. Rusak, L. Eck, O. Bringmann, W. Brendel and
    M. Bethge, "Improving robustness against common corruptions by covariate shift adaptation",
    NeurIPS 2020. Taught in chapter 16.

    Examples
    --------
    >>> from digitlab import pretrained
    >>> recogniser = pretrained.load()
    >>> clips = np.stack([np.resize(voices.say(7, take=take, rate=8000), 8192) for take in (0, 1)])
    >>> adapt(recogniser, clips, np.array([7, 7]), way="statistics").recipe
    'B2, statistics adapted'
    """
    waveforms, labels = _checked(recogniser, waveforms, labels, way)
    model = copy.deepcopy(recogniser.model).cpu()
    preparation = recogniser.preparation
    if way == "statistics":
        mix_statistics(model, normalised_log_mel(waveforms, preparation.rate))
    else:
        _refuse_missing(recogniser, labels)
        if OTHER in recogniser.classes:
            others = _no_digits(preparation, seed)
            waveforms = np.concatenate([waveforms, others])
            labels = np.r_[labels, np.full(len(others), recogniser.classes.index(OTHER))]
        _train(model, way, waveforms, labels, preparation.rate, seed)
    return replace(recogniser, model=model.eval(), recipe=f"{recogniser.recipe}, {way} adapted")


def adapt_to(
    recogniser: Recogniser, corpus: Corpus, *, way: str = "everything", seed: int = 42
) -> tuple[Recogniser, tuple[int, int, int]]:
    """Adapt to all recordings of a corpus, and tell how much that helps on ones held back.

    The last take of each digit of which there are several is held back first: a recogniser that is
    adapted to the rest says what to expect. The one that is returned has learned from all.

    Parameters
    ----------
    recogniser : Recogniser
        As for :func:`adapt`.
    corpus : Corpus
        Recordings of the speaker; those that are no digits are left out.
    way, seed
        As for :func:`adapt`.

    Returns
    -------
    adapted : Recogniser
        It has learned from all of the recordings.
    counts : tuple of int
        How many recordings were held back, and of these, how many were recognised before and after.

    Raises
    ------
    ValueError
        If there is no digit in the corpus, or as for :func:`adapt`.

    Examples
    --------
    >>> import tempfile
    >>> from digitlab import corpora, pretrained
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = voices.write_corpus(folder, n_speakers=1, n_takes=2)
    ...     adapted, counts = adapt_to(pretrained.load(), corpora.load(folder), way="statistics")
    >>> adapted.recipe, counts[0]
    ('B2, statistics adapted', 10)
    """
    corpus = corpus.digits()
    if not len(corpus):
        raise ValueError(f"{corpus.title}: there is no digit among them to adapt to")
    waveforms, _ = corpus.prepare(recogniser.preparation)
    labels = corpus.table["label"].to_numpy()
    names = [corpus.classes[label] for label in labels]
    answers = np.array([recogniser.classes.index(name) for name in names])
    takes = corpus.table.groupby("label").cumcount()
    is_last = (takes > 0) & (takes == takes.groupby(labels).transform("max"))
    test, rest = is_last.to_numpy(), ~is_last.to_numpy()
    counts = (0, 0, 0)
    if test.any():
        trial = adapt(recogniser, waveforms[rest], answers[rest], way=way, seed=seed)
        right = [
            int((system.probabilities(waveforms[test]).argmax(axis=1) == answers[test]).sum())
            for system in (recogniser, trial)
        ]
        counts = (int(test.sum()), right[0], right[1])
    return adapt(recogniser, waveforms, answers, way=way, seed=seed), counts


def mix_statistics(model: torch.nn.Module, x: np.ndarray, n_before: float = PRIOR) -> None:
    """Mix the statistics of batch normalisation with those of some clips, in place.

    Parameters
    ----------
    model : torch.nn.Module
        A trained network.
    x : array of shape (n_clips, ...), float
        Features of the clips.
    n_before : float
        How many clips the statistics that it has count for.

    Notes
    -----
    Means are weighted by the numbers of clips; variances, too, with the squared distances of both
    means from the new one added. All layers are measured in one pass, in which each normalises by
    the statistics of these clips. Taught in chapter 16.

    Examples
    --------
    >>> layer = torch.nn.BatchNorm1d(1)
    >>> mix_statistics(layer, np.array([[2.0], [4.0]]), n_before=2)
    >>> layer.running_mean.item(), round(layer.running_var.item(), 2)
    (1.5, 3.75)
    """
    layers = _normalisations(model)
    before = [(layer.running_mean.clone(), layer.running_var.clone()) for layer in layers]
    momentum = [layer.momentum for layer in layers]
    for layer in layers:
        layer.train()
        layer.momentum = 1.0  # keep the statistics of this batch
    with torch.no_grad():
        model(torch.as_tensor(x).float())
    share = len(x) / (len(x) + n_before)
    for layer, (mean, variance), usual in zip(layers, before, momentum, strict=True):
        mixed = share * layer.running_mean + (1 - share) * mean
        new = layer.running_var + (layer.running_mean - mixed) ** 2
        old = variance + (mean - mixed) ** 2
        layer.running_mean.copy_(mixed)
        layer.running_var.copy_(share * new + (1 - share) * old)
        layer.momentum = usual
        layer.eval()


class _FixedStatistics(torch.nn.Module):
    """A network whose batch normalisation keeps its statistics while the weights are trained."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)

    def train(self, mode: bool = True) -> "_FixedStatistics":
        super().train(mode)
        for layer in _normalisations(self.model):
            layer.eval()
        return self


def _normalisations(model: torch.nn.Module) -> list[Any]:
    kinds = torch.nn.BatchNorm1d | torch.nn.BatchNorm2d
    return [layer for layer in model.modules() if isinstance(layer, kinds)]


def _train(
    model: torch.nn.Sequential,
    way: str,
    waveforms: np.ndarray,
    labels: np.ndarray,
    rate: int,
    seed: int,
) -> None:
    """Train the last layer, or everything, further on perturbed copies of the clips."""
    powers = np.tile(power_frames(waveforms, rate), (COPIES, 1, 1))
    labels = np.tile(labels, COPIES)
    x = np.tile(normalised_log_mel(waveforms, rate), (COPIES, 1, 1))
    body, last = model[:-N_LAST].eval(), model[-N_LAST:]

    def embedded(pictures: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return body(torch.as_tensor(pictures)).numpy()

    def perturbed(_, rng: np.random.Generator) -> np.ndarray:
        pictures = perturbation.perturb(powers, rate, rng)
        return pictures if way == "everything" else embedded(pictures)

    trained = _FixedStatistics(model) if way == "everything" else last
    fit(
        trained,
        x if way == "everything" else embedded(x),
        labels,
        epochs=EPOCHS,
        batch_size=min(BATCH_SIZE, len(labels)),
        learning_rate=LEARNING_RATE[way],
        augment=perturbed,
        seed=seed,
        device="cpu",
    )


def _refuse_missing(recogniser: Recogniser, labels: np.ndarray) -> None:
    """Refuse clips of some classes alone: the network would forget the others."""
    there = set(np.unique(labels))
    missing = [
        name
        for label, name in enumerate(recogniser.classes)
        if label not in there and name != OTHER
    ]
    if missing:
        raise ValueError(
            f"there is no recording of {', '.join(missing)}: a network that is adapted without "
            "them would forget them. Record each at least once"
        )


@lru_cache(maxsize=4)
def _no_digits(preparation: Preparation, seed: int) -> np.ndarray:
    """Return noises, hums and notes, and synthetic words that are no digits."""
    rate, n_samples = preparation.rate, preparation.n_samples
    sounds = perturbation.sounds_without_speech(N_SOUNDS, n_samples, rate, seed)
    rng = np.random.default_rng(seed)
    words = rng.choice(OTHER_WORDS, N_WORDS)
    said = [voices.say(word, speaker=speaker, rate=rate) for speaker, word in enumerate(words)]
    clips = [prepare(samples, rate, preparation).samples for samples in said]
    return np.concatenate([sounds, np.stack(clips)])


def _checked(
    recogniser: Recogniser, waveforms: np.ndarray, labels: np.ndarray, way: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return clips and labels as arrays, or say what is wrong with them."""
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r}; there are {', '.join(WAYS)}")
    if (recogniser.framework, recogniser.features) != ("torch", FEATURES):
        raise ValueError(
            f"{recogniser.recipe} works on {recogniser.features} in {recogniser.framework}: only "
            f"networks on {FEATURES} in torch can be adapted, such as B1 and B2"
        )
    waveforms, labels = np.asarray(waveforms, np.float32), np.asarray(labels)
    n_samples, n_classes = recogniser.preparation.n_samples, len(recogniser.classes)
    if waveforms.ndim != 2 or len(waveforms) == 0 or waveforms.shape[1] != n_samples:
        raise ValueError(f"clips of shape (n_clips, {n_samples}) are needed, not {waveforms.shape}")
    if labels.shape != waveforms.shape[:1] or not np.isin(labels, range(n_classes)).all():
        raise ValueError(f"a label from 0 to {n_classes - 1} is needed for each of the clips")
    return waveforms, labels
