"""Learning with Lightning: clips read as they are needed, one cycle, several devices and machines.

The model, its loss and its clips make a `LightningModule`; Lightning's `Trainer` brings it to the
devices and goes through the epochs; after each, a `Callback` takes down how it went.
"""

import copy
import io
import logging
import os
import re
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from digitlab.corpora import Corpus, CorpusError
from digitlab.environment import refuse_devices, require, torch_device
from digitlab.models.torch import get_weights
from digitlab.training import torch as plain
from digitlab.training.common import checkpoint_file, lots, prepare, refuse
from digitlab.training.history import NEVER, EarlyStopping, History

torch = require("torch", extra="torch")
L = require("lightning.pytorch", extra="torch")
clusters = require("lightning.fabric.plugins.environments", extra="torch")
Dataset, TensorDataset = torch.utils.data.Dataset, torch.utils.data.TensorDataset

LAUNCHERS = (clusters.TorchElasticEnvironment, clusters.SLURMEnvironment)
ANSWERED_AT_ONCE = 128  # clips; C1's first block takes 3 MB for each of its maps of a clip
SAID_PLAINLY = {error.__name__: error for error in (CorpusError, FloatingPointError, OSError)}

for name in ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn"):
    logging.getLogger(name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"lightning\.")
warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")  # channels last


class Clips(Dataset):
    """Clips of a corpus, read from their files whenever they are asked for.

    A corpus of any size can be learned from so, and other processes can read ahead.

    Parameters
    ----------
    corpus : Corpus
        Its clips, in its order.
    in_memory : bool
        Whether all are read at once instead, and kept.
    transform : callable, optional
        Is given samples, (n_clips, n_samples), and returns what is learned from: a module such as
        :class:`digitlab.models.torch.Scattering`, or a function of :mod:`digitlab.features`. By
        default the samples are learned from.
    **fitting
        `n_samples`, `align`, `normalize` and `rate`, as for
        :meth:`digitlab.corpora.Corpus.waveforms`.

    Raises
    ------
    CorpusError
        When a clip is asked for that cannot be used; it names the file.

    Notes
    -----
    Taught in chapter 14.

    Examples
    --------
    >>> from digitlab import corpora
    >>> clips = Clips(corpora.load("voices"), n_samples=4000)
    >>> x, y = clips[700]
    >>> x.shape, bool(y == clips.corpus.table["label"][700])
    (torch.Size([4000]), True)
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        in_memory: bool = False,
        transform: Callable | None = None,
        **fitting,
    ):
        self.corpus, self.transform, self.fitting = corpus, transform, fitting
        self.waveforms = corpus.waveforms(**fitting) if in_memory else None
        self.labels = torch.tensor(corpus.table["label"].to_numpy(), dtype=torch.long)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.corpus)

    def __getitem__(self, row: int) -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return what is learned from a clip, and its label."""
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: list[int]) -> list[tuple["torch.Tensor", "torch.Tensor"]]:
        """Return what is learned from some clips, and their labels: PyTorch asks for a batch so."""
        if self.waveforms is None:
            x = self.corpus.select(rows).waveforms(**self.fitting)
        else:
            x = self.waveforms[rows]
        x = torch.from_numpy(x)
        if self.transform is not None:
            x = torch.as_tensor(self.transform(x))
        return list(zip(x, self.labels[rows], strict=True))

    def identity(self) -> tuple:
        """Return all that decides what is learned from."""
        is_module = isinstance(self.transform, torch.nn.Module)
        transform = str(self.transform) if is_module else self.transform
        files = [str(path) for path in self.corpus.table["path"]]
        return self.corpus.digest, files, self.labels.numpy(), self.fitting, transform


def fit(
    model: "torch.nn.Module",
    train: "tuple[np.ndarray, np.ndarray] | torch.utils.data.Dataset",
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float = 1e-2,
    validation: "tuple[np.ndarray, np.ndarray] | torch.utils.data.Dataset | None" = None,
    early_stopping: EarlyStopping = NEVER,
    checkpoint_folder: Path | None = None,
    log_folder: Path | None = None,
    devices: int = 1,
    nodes: int = 1,
    workers: int = 1,
    precision: str = "32-true",
    seed: int = 0,
    device: str | None = None,
) -> History:
    """Train a classifier with Adam through one cycle, on a fresh permutation of the clips an epoch.

    The step size rises and falls from step to step. Devices and machines share each batch out among
    themselves: together they learn what one would. The clips that do not fill the last batch of an
    epoch are left out of that epoch.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities; it is trained in place.
    train : tuple of arrays, or Dataset
        Features and labels; or a data set of such pairs, as :class:`Clips`.
    epochs, batch_size : int
        How often each clip is seen, and how many at a time on all devices together.
    learning_rate : float
        The largest step size.
    validation : tuple of arrays, or Dataset, optional
        Clips that are measured after every epoch, and not learned from.
    early_stopping : EarlyStopping
        When to stop before the last epoch, and with which weights. It looks at the validation
        clips.
    checkpoint_folder : pathlib.Path, optional
        Where to keep all that is needed to go on, after every epoch. If the training was
        interrupted, the same call goes on after the last whole epoch, and ends as it would have
        ended. Several machines need one folder that all of them see.
    log_folder : pathlib.Path, optional
        Where to write curves for TensorBoard, and the same as a CSV file.
    devices, nodes : int
        How many GPUs, or processes without one, on each of how many machines. The same program runs
        on every machine, with ``NODE_RANK`` (0, 1, ...), ``MASTER_ADDR`` and ``MASTER_PORT`` of the
        first one set; or under ``torchrun`` or Slurm, which set what is needed.
    workers : int
        How many processes read clips ahead, for each device. Arrays need none.
    precision : {"32-true", "bf16-mixed"}
        ``"bf16-mixed"`` multiplies numbers of 16 bits. Where a GPU or a processor is made for that,
        it is about twice as fast; what it learns differs a little.
    seed : int
        Decides the permutations, and what is drawn by dropout.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    History
        Loss and accuracy: of the training clips as they were learned from, the mean over the epoch,
        dropout at work; of the validation clips after every epoch.

    Raises
    ------
    ValueError
        If there are fewer clips than a batch holds, nothing to stop by, or not so many devices.
    FloatingPointError
        If a loss is no longer a number.
    CorpusError
        If a clip cannot be read; it names the file.
    OSError
        If nothing can be kept in a folder, or too little: before the training.

    Notes
    -----
    L. N. Smith, "A disciplined approach to neural network hyper-parameters: part 1", 2018, in
    PyTorch's ``OneCycleLR``. Batch normalisation takes its statistics over all GPUs; without any,
    over the clips of each process. Taught in chapter 14.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> clips = np.eye(4, dtype=np.float32), np.arange(4)
    >>> history = fit(logistic_regression(4, 4), clips, epochs=60, batch_size=4, learning_rate=0.3)
    >>> history.accuracy[-1]
    1.0
    """
    device = torch_device(device)
    refuse(_dataset(train), batch_size, validation, early_stopping)
    refuse_devices(device, devices, nodes, batch_size)
    if log_folder:
        prepare(log_folder)
    checkpoint = kept = None
    if checkpoint_folder:
        clips = [
            data.identity() if isinstance(data, Clips) else data for data in (train, validation)
        ]
        how = (epochs, batch_size, learning_rate, early_stopping.restore_best, precision, seed)
        training = (str(model), *clips, *how, devices, nodes)
        checkpoint = checkpoint_file(checkpoint_folder, get_weights(model), "lightning", *training)
        kept = checkpoint if checkpoint.exists() else None
    model.to(memory_format=torch.channels_last)  # a third faster where there are pictures
    learner = _Learner(model, train, validation, epochs, batch_size, learning_rate, workers, seed)
    shared_out = f"{devices * nodes} x " if devices * nodes > 1 else ""
    learner.history.device = shared_out + device + ", bf16-mixed" * (precision == "bf16-mixed")
    if kept:
        learner.load_state_dict(torch.load(kept, map_location="cpu")["state_dict"])
    history = learner.history
    if history.epochs < epochs and not early_stopping.stops(history.validation_loss):
        callbacks = [_Bookkeeper(early_stopping, checkpoint, log_folder)]
        settings = {"max_epochs": epochs, "precision": precision, "callbacks": callbacks}
        with _plainly():
            _trainer(device, devices, nodes, **settings).fit(learner, ckpt_path=kept)
    if learner.best:
        model.load_state_dict(learner.best)
    model.to(device)
    return learner.history


class LearningRates(NamedTuple):
    """How the loss went while the step size grew.

    Attributes
    ----------
    rates, losses : array of shape (n_steps,)
        The step sizes tried, and the loss with each: a moving average, as it is noisy.
    suggestion : float
        The step size at which the loss fell most steeply.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def find_learning_rate(
    model: "torch.nn.Module",
    train: "tuple[np.ndarray, np.ndarray] | torch.utils.data.Dataset",
    *,
    batch_size: int,
    lowest: float = 1e-7,
    highest: float = 1.0,
    n_steps: int = 100,
    seed: int = 0,
    device: str | None = None,
) -> LearningRates:
    """Try step sizes from small to large, each for one step, to see at which a model learns.

    It ends early where the loss has grown to four times its lowest. A copy of the model learns; the
    model stays as it is.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    train : tuple of arrays, or Dataset
        Features and labels; or a data set of such pairs, as :class:`Clips`.
    batch_size : int
        How many clips at a time.
    lowest, highest : float
        The first step size and the last; those between grow from step to step by one factor.
    n_steps : int
        How many.
    seed : int
        Decides the permutation, and what is drawn by dropout.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    LearningRates
        Step sizes and losses, and a suggestion: Lightning's, which leaves the first ten steps out.

    Raises
    ------
    ValueError
        If there are fewer clips than a batch holds, or if the loss grew from the first steps on.

    Notes
    -----
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017. Drawn by
    :func:`digitlab.plotting.learning_rates`. Taught in chapter 14.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> clips = np.eye(4, dtype=np.float32), np.arange(4)
    >>> found = find_learning_rate(logistic_regression(4, 4), clips, batch_size=4, n_steps=30)
    >>> len(found.rates), bool(found.rates[10] < found.suggestion <= 1)
    (30, True)
    """
    refuse(_dataset(train), batch_size, None, NEVER)
    learner = _Learner(copy.deepcopy(model), train, None, 1, batch_size, lowest, 0, seed)
    silence = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, silence, _plainly():
        trainer = _trainer(torch_device(device), 1, 1, max_epochs=-1, default_root_dir=folder)
        torch.manual_seed(seed)
        found = L.tuner.Tuner(trainer).lr_find(
            learner, min_lr=lowest, max_lr=highest, num_training=n_steps
        )
    suggestion = found.suggestion()
    if suggestion is None:
        raise ValueError(f"the loss grew from {lowest:g} on: begin with a lower step size")
    return LearningRates(*map(np.array, (found.results["lr"], found.results["loss"])), suggestion)


def predict(model: "torch.nn.Module", x: "np.ndarray | torch.utils.data.Dataset") -> np.ndarray:
    """Return the probability that a trained model gives to each class, where clips are many.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    x : array of shape (n_clips, ...), or Dataset
        Features; or a data set such as :class:`Clips`, whose labels are not looked at.

    Returns
    -------
    array of shape (n_clips, n_classes), float32
        Each row sums to 1.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> predict(logistic_regression(4, 2), np.zeros((300, 4))).shape
    (300, 2)
    """
    if not isinstance(x, Dataset):
        x = TensorDataset(torch.as_tensor(x))
    with _plainly():
        batches = _loader(x, ANSWERED_AT_ONCE, range(len(x)), workers=1)
        return np.concatenate([plain.predict(model, batch) for batch, *_ in batches])


class _Learner(L.LightningModule):
    """A model with what it learns from and how: what Lightning sends to every device."""

    def __init__(self, model, train, validation, epochs, batch_size, learning_rate, workers, seed):
        super().__init__()
        self.model, self.train_clips = model, _dataset(train)
        self.validation_clips = None if validation is None else _dataset(validation)
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.workers, self.seed = workers, seed
        self.history, self.best, self.sums = History(), {}, {}

    def train_dataloader(self):
        return self._loader(self.train_clips, _Order(self))

    def val_dataloader(self):
        if self.validation_clips is None:
            return []
        mine = range(self.global_rank, len(self.validation_clips), self.trainer.world_size)
        return self._loader(self.validation_clips, mine)

    def _loader(self, clips, order):
        return _loader(clips, self.batch_size // self.trainer.world_size, order, self.workers)

    def configure_optimizers(self):
        descent = torch.optim.Adam(self.parameters(), self.learning_rate)
        n_steps = self.epochs * (len(self.train_clips) // self.batch_size)
        cycle = torch.optim.lr_scheduler.OneCycleLR(descent, self.learning_rate, n_steps)
        return [descent], [{"scheduler": cycle, "interval": "step"}]

    def training_step(self, batch, number):
        return self._measured(batch, "training")

    def validation_step(self, batch, number):
        self._measured(batch, "validation")

    def _measured(self, batch, clips: str) -> "torch.Tensor":
        """Return the mean loss; add up losses, clips that were recognised, and clips."""
        x, y = batch
        log_probabilities = self.model(x)
        loss = torch.nn.functional.nll_loss(log_probabilities, y)
        right = (log_probabilities.argmax(dim=1) == y).sum()
        sums = torch.stack([loss.detach() * len(y), right, torch.full_like(right, len(y))])
        self.sums[clips] = self.sums.get(clips, 0) + sums
        return loss

    def get_extra_state(self) -> dict:
        """Return what a checkpoint keeps besides weights, and what comes back from a process."""
        return {"history": asdict(self.history), "best": self.best}

    def set_extra_state(self, state: dict) -> None:
        self.history, self.best = History(**state["history"]), state["best"]


class _Order(torch.utils.data.Sampler):
    """The order of an epoch's clips: to each process its share of every batch."""

    def __init__(self, learner: _Learner):
        self.learner = learner

    def __len__(self):
        n_clips, batch_size = len(self.learner.train_clips), self.learner.batch_size
        return n_clips // batch_size * batch_size // self.learner.trainer.world_size

    def __iter__(self):
        # the history knows which epoch it is, also where Lightning goes on from a checkpoint
        learner, world = self.learner, self.learner.trainer.world_size
        order, _ = lots(len(learner.train_clips), learner.seed, learner.history.epochs + 1)
        yield from order[learner.global_rank : len(self) * world : world].tolist()


class _Bookkeeper(L.Callback):
    """Seeds every epoch; after it, takes down the figures, keeps them, and may end the training."""

    def __init__(self, early_stopping, checkpoint, log_folder):
        self.early_stopping, self.checkpoint = early_stopping, checkpoint
        self.log_folder = log_folder

    def on_train_start(self, trainer, learner):
        self.start = time.perf_counter() - learner.history.seconds
        if trainer.world_size > 1:  # where one process fails the others end at once, and in silence
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_train_epoch_start(self, trainer, learner):
        entropy = [learner.seed, learner.history.epochs + 1, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        learner.sums = {}

    def on_train_epoch_end(self, trainer, learner):
        history = learner.history
        measured = []
        for clips in ("training", "validation")[: 1 if learner.validation_clips is None else 2]:
            # Lightning's own means are wrong where processes have unequal numbers of clips
            sums = trainer.strategy.reduce(learner.sums[clips], reduce_op="sum")
            measured.append((sums[:2] / sums[2]).tolist())
        history.record(*measured)
        history.seconds = time.perf_counter() - self.start
        learner.log_dict(
            {name: values[-1] for name, values in history.curves.items()}, prog_bar=True
        )
        if self.early_stopping.restore_best and history.best_epoch == history.epochs:
            learner.best = copy.deepcopy(learner.model).cpu().state_dict()
        if self.log_folder and trainer.is_global_zero:
            history.log(self.log_folder)
        if self.checkpoint:
            part = self.checkpoint.with_suffix(".part")
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                os.replace(part, self.checkpoint)
        trainer.should_stop = self.early_stopping.stops(history.validation_loss)


def _trainer(device: str, devices: int, nodes: int, *, callbacks=(), **settings) -> "L.Trainer":
    kind, _, number = device.partition(":")
    is_shared = devices * nodes > 1
    strategy = "ddp" if any(launcher.detect() for launcher in LAUNCHERS) else "ddp_spawn"
    progress = [L.callbacks.TQDMProgressBar()] if sys.stdout.isatty() else []
    return L.Trainer(
        accelerator=kind,
        devices=[int(number)] if number else devices,
        num_nodes=nodes,
        strategy=strategy if is_shared else "auto",
        sync_batchnorm=is_shared and kind == "cuda",
        use_distributed_sampler=False,  # clips are shared out already
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,  # as well as logs: the bookkeeper's
        enable_model_summary=False,
        enable_progress_bar=bool(progress),
        callbacks=[*callbacks, *progress],
        **settings,
    )


def _dataset(clips) -> "torch.utils.data.Dataset":
    return clips if isinstance(clips, Dataset) else TensorDataset(*plain._tensors(*clips, "cpu"))


def _loader(data, batch_size: int, order, workers: int) -> "torch.utils.data.DataLoader":
    if isinstance(data, TensorDataset) or getattr(data, "waveforms", None) is not None:
        workers = 0  # there is nothing to read
    return torch.utils.data.DataLoader(
        data,
        batch_size,
        sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # of its own: else it would draw from what dropout draws from
    )


@contextmanager
def _plainly() -> Iterator[None]:
    """Leave dice and keys as they lay; say what went wrong elsewhere without its traceback."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        with L.utilities.seed.isolate_rng():
            yield
    except SystemExit as stopped:  # Lightning's answer to Ctrl+C, to which it then goes deaf
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from stopped
    except Exception as error:
        _, elsewhere, trace = str(error).rpartition("Traceback (most recent call last):")
        last = re.search(r"^(?:\w+\.)*(\w+): (.*)", trace, re.MULTILINE | re.DOTALL)
        if not (elsewhere and last and last[1] in SAID_PLAINLY):
            raise
        raise SAID_PLAINLY[last[1]](last[2].strip()) from None
