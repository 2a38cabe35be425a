"""Each system of the book as data: what it takes, what it is, how it learns.

:func:`digitlab.experiment.run` runs any of them.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from digitlab.preparation import Preparation
from digitlab.training.callbacks import EarlyStopping


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A system, and what its authors printed.

    Attributes
    ----------
    name : str
        Its key in ``RECIPES``.
    title : str
        What it is called in tables.
    framework, corpus, split : str
        As published.
    preparation : Preparation
        Rate and length of its clips, and how a recording is fitted to them.
    features : str
        A function of :mod:`digitlab.features`.
    model : str
        A builder of :mod:`digitlab.models`.
    epochs, batch_size : int
        How long it is trained, and on how many clips at a time.
    model_settings : dict
        Keyword arguments of the builder.
    published : dict
        Figures that its authors printed; none if it is the book's own.
    source : str
        Key in ``references.bib``; empty where there is none.
    optimizer, learning_rate, schedule
        As for :func:`digitlab.training.torch.fit`.
    trainer : str
        ``"lightning"`` if :mod:`digitlab.training.lightning` trains it in PyTorch, with one cycle
        of the learning rate; by default the plain loop does.
    early_stopping : EarlyStopping, optional
        When to stop before the last epoch, and with which weights.
    standardise : bool
        Whether features are scaled to mean 0 and standard deviation 1 over the training clips.
    copies : bool or "unchanged"
        Whether it is trained on the nine copies of each clip of :func:`digitlab.augment.copies`,
        or, as their control, on nine unchanged ones.
    vary : dict
        How :func:`digitlab.augment.vary` changes the training clips, anew for each epoch. Not along
        with `copies` or `standardise`.
    perturb : dict, optional
        How :func:`digitlab.perturbation.perturb` changes their spectrograms instead, for
        ``features="normalised_log_mel"``.
    digits : bool
        Whether its classes are the ten digits, and one for all other words of its corpus.
    also : tuple of str
        Other corpora that it is trained on, too, all of their clips, and never tested on.
    set_aside : float
        Share of the training clips, drawn with the seed, that are validation clips instead.
    validates_on_test : bool
        Whether its authors took the test clips for validation, too.
    at_least : int
        How many clips of its corpus are enough to train on.
    test_size : float
        The share of the clips that a random split tests on.
    speakers : tuple of str
        Who spoke, when it was published. Where the corpus has them all, the published split is made
        of their clips alone.
    shares : dict
        What is different at a scale: attributes, ``n_samples`` of the preparation, and ``every``:
        of how many takes that scale uses one, the first included.
    """

    name: str
    title: str
    framework: str
    corpus: str
    split: str
    preparation: Preparation
    features: str
    model: str
    epochs: int
    batch_size: int
    model_settings: dict = field(default_factory=dict)
    published: dict = field(default_factory=dict)
    source: str = ""
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    trainer: str = ""
    early_stopping: EarlyStopping | None = None
    standardise: bool = False
    copies: bool | Literal["unchanged"] = False
    vary: dict = field(default_factory=dict)
    perturb: dict | None = None
    digits: bool = False
    also: tuple[str, ...] = ()
    set_aside: float = 0.0
    validates_on_test: bool = False
    at_least: int = 1
    test_size: float = 0.1
    speakers: tuple[str, ...] = ()
    shares: dict = field(default_factory=dict)

    def at_scale(self, scale: str) -> tuple["Recipe", int]:
        """Return what the recipe is at a scale, and of how many takes it uses one.

        Parameters
        ----------
        scale : str
            ``"smoke"``, ``"laptop"`` or ``"full"``.

        Returns
        -------
        recipe : Recipe
            With what is different there.
        every : int
            1 for all takes.

        Examples
        --------
        >>> recipe, every = RECIPES["L1"].at_scale("laptop")
        >>> recipe.preparation.n_samples, every
        (8820, 10)
        """
        share = dict(self.shares.get(scale, {}))
        every = share.pop("every", 1)
        n_samples = share.pop("n_samples", self.preparation.n_samples)
        return replace(
            self, preparation=replace(self.preparation, n_samples=n_samples), **share
        ), every


def find(recipe: "str | Recipe") -> Recipe:
    """Return the recipe of a name; a recipe is returned as it is.

    Parameters
    ----------
    recipe : str or Recipe
        A key of ``RECIPES``, such as ``"K2"``.

    Returns
    -------
    Recipe
        The system.

    Raises
    ------
    ValueError
        If there is none of that name.

    Examples
    --------
    >>> find("K2").title
    'log-scattering and logistic regression'
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    return RECIPES[recipe]


FOUR = ("jackson", "nicolas", "theo", "yweweler")  # all of FSDD when it held 2,000 recordings
AT_8_KHZ = Preparation(rate=8000, n_samples=8192)
AT_22_KHZ = Preparation(rate=22050, n_samples=17640, align="start", normalize=False)
AT_48_KHZ = Preparation(rate=48000, n_samples=30000, align="start", normalize=False)
AT_16_KHZ = Preparation(
    rate=16000, n_samples=16000, align="start", normalize=False, background=True
)
SHIFTED = {"shift": (-0.1, 0.1)}  # seconds
A_TENTH_EACH: dict[str, Any] = {"test_size": 0.1, "set_aside": 1 / 9}  # for test and validation
WORDS: dict[str, Any] = {
    "corpus": "speech_commands",
    "split": "random",
    "preparation": AT_16_KHZ,
    "features": "samples",
    "batch_size": 128,
    "at_least": 2500,
    "test_size": 0.2,
    "set_aside": 0.25,
}
AS_B1: dict[str, Any] = {
    "framework": "torch",
    "preparation": AT_8_KHZ,
    "features": "normalised_log_mel",
    "model": "residual_cnn",
    "epochs": 30,
    "batch_size": 64,
    "learning_rate": 4e-3,
    "schedule": "one-cycle",
    "perturb": {},
}
AS_C1 = WORDS | {
    "model": "deep_cnn",
    "framework": "torch",
    "epochs": 50,
    "learning_rate": 0.01,
    "schedule": "one-cycle",
    "trainer": "lightning",
    "early_stopping": EarlyStopping(patience=3, restore_best=True),
    "shares": {"laptop": {"early_stopping": None}},  # the whole cycle: few clips make few steps
}

AS_K2: dict[str, Any] = {
    "framework": "torch",
    "corpus": "fsdd",
    "split": "official",
    "preparation": AT_8_KHZ,
    "model": "logistic_regression",
    "epochs": 50,
    "batch_size": 32,
    "standardise": True,
}
AS_K1 = {"train_accuracy": 0.997, "test_accuracy": 0.98, "seconds": 360}  # with its features

AS_L4: dict[str, Any] = {
    "framework": "keras",
    "corpus": "fsdd",
    "split": "random",
    "preparation": AT_22_KHZ,
    "features": "log_mel",
    "model": "mel_lstm",
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 5e-4,
    "early_stopping": EarlyStopping(min_delta=0.005, patience=1),
    "validates_on_test": True,
    "test_size": 0.2,
    "speakers": FOUR,
    "shares": {"laptop": {"every": 10}, "smoke": {"every": 2}},
}
SYSTEMS = (
    Recipe(
        name="K1",
        title="log-scattering, batch normalisation and logistic regression",
        framework="keras",
        corpus="fsdd",
        split="official",
        preparation=AT_8_KHZ,
        features="log_scattering",
        model="normalised_regression",
        epochs=50,
        batch_size=64,
        published=AS_K1,
        source="kymatio2022keras",
        set_aside=0.2,
    ),
    Recipe(
        name="K1-inside",
        title="K1 as published: its scattering transform a layer of the model",
        framework="keras",
        corpus="fsdd",
        split="official",
        preparation=AT_8_KHZ,
        features="samples",
        model="scattering_regression",
        epochs=50,
        batch_size=64,
        published=AS_K1 | {"n_parameters": 4714},
        source="kymatio2022keras",
        set_aside=0.2,
    ),
    Recipe(
        name="K2",
        title="log-scattering and logistic regression",
        **AS_K2,
        features="log_scattering",
        published={
            "train_loss": 0.062,
            "train_accuracy": 0.991,
            "test_loss": 0.110,
            "test_accuracy": 0.967,
            "seconds": 122,
        },
        source="kymatio2022torch",
    ),
    Recipe(
        name="K3",
        title="scattering in five stages of the word, and logistic regression",
        **AS_K2,
        features="scattering_course",
    ),
    Recipe(
        name="K0",
        title="log-mel moments and logistic regression",
        **AS_K2,
        features="log_mel_moments",
    ),
    Recipe(
        name="L1",
        title="LSTM, sample by sample",
        framework="keras",
        corpus="fsdd",
        split="random",
        preparation=AT_22_KHZ,
        features="samples",
        model="raw_lstm",
        epochs=5,
        batch_size=8,
        early_stopping=EarlyStopping(min_delta=0.1, patience=1),
        validates_on_test=True,
        test_size=0.3,
        speakers=FOUR,
        shares={
            "laptop": {"every": 10, "n_samples": 8820},
            "smoke": {"n_samples": 441},
        },
        published={
            "n_parameters": 4510,
            "train_loss": 2.3038,
            "test_loss": 2.3026,
            "train_accuracy": 0.1,
            "test_accuracy": 0.1033,
        },
    ),
    Recipe(
        name="L2",
        title="LSTM over the mel bands",
        framework="keras",
        corpus="fsdd",
        split="random",
        preparation=AT_22_KHZ,
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
            "n_parameters": 318218,
            "train_loss": 0.5249,
            "test_loss": 0.4618,
            "train_accuracy": 0.8771,
            "test_accuracy": 0.87,
            "epochs": 13,
        },
    ),
    Recipe(
        name="L3",
        title="LSTM, sample by sample, nine copies of each clip",
        framework="keras",
        corpus="fsdd",
        split="random",
        preparation=AT_22_KHZ,
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
            "laptop": {"every": 20, "n_samples": 8820},
            "smoke": {"every": 2, "n_samples": 441},
        },
        published={
            "train_loss": 2.3027,
            "test_loss": 2.3027,
            "train_accuracy": 0.1056,
            "test_accuracy": 0.1275,
        },
    ),
    Recipe(
        name="L4",
        title="LSTM over the mel bands, nine copies of each clip",
        **AS_L4,
        copies=True,
        published={
            "train_loss": 0.3069,
            "test_loss": 0.2648,
            "train_accuracy": 0.9131,
            "test_accuracy": 0.9125,
            "epochs": 7,
        },
    ),
    Recipe(
        name="L4-unchanged",
        title="L4 as published, but on nine unchanged copies of each clip",
        **AS_L4,
        copies="unchanged",
    ),
    Recipe(
        name="L5",
        title="LSTM over the frames of a log-mel spectrogram",
        framework="torch",
        corpus="fsdd",
        split="official",
        preparation=AT_22_KHZ,
        features="log_mel_frames",
        model="frame_lstm",
        epochs=20,
        batch_size=32,
        learning_rate=5e-3,
        schedule="cosine",
    ),
    Recipe(
        name="L6",
        title="LSTM over frames of raw samples",
        framework="torch",
        corpus="fsdd",
        split="official",
        preparation=AT_8_KHZ,
        features="sample_frames",
        model="frame_lstm",
        epochs=40,
        batch_size=32,
        learning_rate=5e-3,
        schedule="cosine",
        vary=SHIFTED,
    ),
    Recipe(
        name="L7",
        title="strided convolutions over raw samples",
        framework="torch",
        corpus="fsdd",
        split="official",
        preparation=AT_8_KHZ,
        features="samples",
        model="raw_cnn",
        epochs=20,
        batch_size=32,
        learning_rate=3e-3,
        schedule="cosine",
        vary=SHIFTED,
    ),
    Recipe(
        name="D1",
        title="dense network on spectrograms",
        framework="keras",
        corpus="audiomnist",
        split="random",
        preparation=AT_48_KHZ,
        features="magnitude_spectrogram",
        model="picture_dense",
        epochs=10,
        batch_size=6,
        optimizer="rmsprop",
        at_least=3000,
        **A_TENTH_EACH,
        shares={"laptop": {"every": 5}},
        published={
            "n_parameters": 14206282,
            "train_accuracy": 0.9893,
            "validation_accuracy": 0.9825,
            "validation_loss": 0.1657,
            "test_accuracy": 0.9813,
            "test_loss": 1.1754,
            "seconds": 1200,
        },
    ),
    Recipe(
        name="D2",
        title="dense network on log-mel frames",
        framework="keras",
        corpus="audiomnist",
        split="random",
        preparation=AT_22_KHZ,
        features="log_mel_frames",
        model="mel_dense",
        epochs=20,
        batch_size=32,
        schedule="cosine",
        at_least=3000,
        **A_TENTH_EACH,
    ),
    Recipe(
        name="D3",
        title="small convolutional network on log-mel frames",
        framework="keras",
        corpus="audiomnist",
        split="random",
        preparation=AT_22_KHZ,
        features="log_mel_frames",
        model="mel_cnn",
        epochs=5,
        batch_size=32,
        learning_rate=3e-3,
        schedule="cosine",
        at_least=3000,
        **A_TENTH_EACH,
    ),
    Recipe(
        name="C1",
        title="convolutional network on complex spectrograms",
        **AS_C1,
        model_settings={"front_end": "complex"},
        published={
            "n_trainable": 1849342,
            "train_accuracy": 0.9427,
            "validation_accuracy": 0.9394,
            "test_accuracy": 0.9324,
            "test_loss": 0.2373,
            "epochs": 40,
        },
    ),
    Recipe(
        name="C2",
        title="convolutional network on magnitude spectrograms",
        **AS_C1,
        model_settings={"front_end": "magnitude"},
    ),
    Recipe(
        name="C3",
        title="convolutional network on power spectrograms",
        **AS_C1,
        model_settings={"front_end": "power"},
    ),
    Recipe(
        name="C4",
        title="convolutional network on log-mel spectrograms",
        **AS_C1,
        model_settings={"front_end": "log-mel"},
    ),
    Recipe(
        name="C5",
        title="small network of separable convolutions on log-mel bands",
        framework="torch",
        model="separable_cnn",
        **WORDS | {"batch_size": 64},
        epochs=40,
        learning_rate=3e-3,
        schedule="cosine",
        vary=SHIFTED,
    ),
    Recipe(
        name="B1",
        title="small residual network, trained on perturbed spectrograms",
        corpus="fsdd",
        split="official",
        **AS_B1,
    ),
    Recipe(
        name="A1",
        title="log-mel statistics and logistic regression",
        corpus="fsdd",
        split="official",
        **AS_B1
        | {"features": "log_mel_statistics", "model": "logistic_regression", "perturb": None},
        standardise=True,
    ),
    Recipe(
        name="A2",
        title="the residual network in its place",
        corpus="fsdd",
        split="official",
        **AS_B1 | {"features": "loudness_normalised_log_mel", "perturb": None},
    ),
    Recipe(
        name="A3",
        title="each band normalised",
        corpus="fsdd",
        split="official",
        **AS_B1 | {"perturb": None},
    ),
    Recipe(
        name="A4",
        title="room, microphone, noise, time shift and masks perturbed",
        corpus="fsdd",
        split="official",
        **AS_B1 | {"perturb": {"vocal_tract": False, "tempo": 1.0}},
    ),
    Recipe(
        name="A5",
        title="B1, trained on the synthetic voices, too",
        corpus="fsdd",
        split="official",
        **AS_B1 | {"epochs": 11},  # as many steps: 4,800 clips more
        also=("voices",),
    ),
    Recipe(
        name="B2",
        title="the same network, trained on all corpora, which knows other words as such",
        corpus="speech_commands",
        split="speaker",
        **AS_B1 | {"epochs": 20},
        digits=True,
        also=("fsdd", "audiomnist"),
    ),
)
RECIPES = {recipe.name: recipe for recipe in SYSTEMS}
