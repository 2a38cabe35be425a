"""Training with Lightning: clips read as they are needed, one cycle, several devices and machines.

The model, its loss and its clips make a `LightningModule`; Lightning's `Trainer` brings it to the
devices and runs the epochs. Ours are the order of the clips, of which each process takes its share
of every batch, and what makes an interrupted training end as it would have ended.
"""

import copy
import io
import logging
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitlab.corpora import Corpus, CorpusError
from digitlab.environment import refuse_devices, replacing, require, torch_device
from digitlab.models.torch import get_weights
from digitlab.training import torch as plain
from digitlab.training.callbacks import (
    Callback,
    Checkpoint,
    CheckpointError,
    EarlyStopping,
    call,
    find,
    reading,
)
from digitlab.training.common import (
    as_clips,
    as_features,
    epoch_order,
    full_batches,
    refuse_labels,
    refuse_settings,
)
from digitlab.training.history import History

torch = require("torch", extra="torch")
L = require("lightning.pytorch", extra="torch")
clusters = require("lightning.fabric.plugins.environments", extra="torch")
plugins = require("lightning.pytorch.plugins.io", extra="torch")
Dataset, TensorDataset = torch.utils.data.Dataset, torch.utils.data.TensorDataset

PRECISIONS = ("32-true", "bf16-mixed")
LAUNCHERS = (clusters.TorchElasticEnvironment, clusters.SLURMEnvironment)
PREDICTED_AT_ONCE = 128  # clips; the first block of C1 takes 3 MB for each feature map of a clip
NOISY = ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn")
SKIPPED = 10  # first steps that Lightning's suggestion leaves out; it leaves out the last, too
FEWEST_STEPS = SKIPPED + 3  # a slope needs two of those that remain
FLAT = 0.01  # of the loss: a smaller change is none


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
    callbacks: Sequence[Callback] = (),
    devices: int = 1,
    nodes: int = 1,
    workers: int = 1,
    precision: str = "32-true",
    seed: int = 0,
    device: str | None = None,
) -> History:
    """Train a classifier with Adam and a one-cycle schedule, on one device or on several.

    The rest is as in :func:`digitlab.training.torch.fit`, except that the learning rate changes from
    step to step, and that the training clips are measured while they are learned from, with
    dropout. Devices and machines share each batch among themselves: together they learn what one
    would.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities; it is trained in place.
    train : tuple of arrays, or Dataset
        Features and labels; or a data set of such pairs, as :class:`Clips`.
    epochs, batch_size : int
        How often each clip is seen, and how many at a time on all devices together.
    learning_rate : float
        The highest learning rate.
    validation : tuple of arrays, or Dataset, optional
        Clips that are measured after every epoch, and not learned from.
    callbacks : list
        As for :func:`digitlab.training.torch.fit`. With several devices, a function must stand at
        the top of a file, as it is called in another process. Several machines need one folder for
        checkpoints that all of them see.
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
        Decides the permutations, and what is random in dropout.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    History
        Loss and accuracy: of the training clips, the mean over the epoch; of the validation clips
        after every epoch.

    Raises
    ------
    ValueError
        As for :func:`digitlab.training.torch.fit`; or if there are not so many devices, or a
        notebook is to use several.
    CheckpointError
        If a checkpoint is damaged.
    FloatingPointError
        If a loss is NaN or infinite.
    CorpusError
        If a clip cannot be read; it names the file.
    OSError
        If nothing, or too little, can be written into a folder: before the training.

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
    clips = [data if data is None else _dataset(data) for data in (train, validation)]
    refuse_settings(len(clips[0]), epochs, batch_size, learning_rate, clips[1], callbacks)
    device = torch_device(device)
    _refuse_sharing(device, devices, nodes, batch_size, workers, precision, callbacks)
    how = (epochs, batch_size, learning_rate, workers, seed)
    learner = _Learner(model, *clips, *how)
    for data in clips:
        _refuse_clips(model, data)
    share = f"{devices * nodes} x " if devices * nodes > 1 else ""
    learner.history.device = share + device + ", bf16-mixed" * (precision == "bf16-mixed")
    file = _checkpoint_file(learner, callbacks, epochs, precision, devices, nodes)
    model.to(memory_format=torch.channels_last)  # a third faster where there are pictures
    resumes = file is not None and file.exists()
    if resumes:
        _resume(learner, file)
    history = learner.history
    if history.epochs < epochs and not _stops(find(callbacks, EarlyStopping), history):
        settings = {"max_epochs": epochs, "precision": precision}
        with _running(learner):
            trainer = _trainer(device, devices, nodes, _Epochs(callbacks, file), **settings)
            trainer.fit(learner, ckpt_path=file if resumes else None)
    if learner.best:
        model.load_state_dict(learner.best)
    model.to(device)
    return learner.history


class LearningRates(NamedTuple):
    """How the loss went while the learning rate grew.

    Attributes
    ----------
    rates, losses : array of shape (n_steps,)
        The learning rates tried, and the loss with each: a moving average, as it is noisy.
    suggestion : float
        The learning rate at which the loss fell most steeply.
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
    """Try learning rates from low to high, each for one step, to see at which a model learns.

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
        The first learning rate and the last; those between grow from step to step by one factor.
    n_steps : int
        How many, at least 13.
    seed : int
        Decides the permutation, and what is random in dropout.
    device : str, optional
        By default a GPU where there is one.

    Returns
    -------
    LearningRates
        Learning rates and losses, and a suggestion: Lightning's, which leaves the first ten steps
        out.

    Raises
    ------
    ValueError
        If there are fewer clips than a batch holds, or too few steps; if the loss grew from the
        first steps on; or if it hardly changed.
    FloatingPointError
        If the loss is NaN or infinite from the first steps on.

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
    train = _dataset(train)
    refuse_settings(len(train), 1, batch_size, lowest, None, ())
    if n_steps < FEWEST_STEPS or not lowest < highest < np.inf:
        raise ValueError(
            f"{n_steps} steps from {lowest:g} to {highest:g} are too few to see a slope: take "
            f"n_steps=100 (at least {FEWEST_STEPS}), and a highest rate above the lowest"
        )
    device = torch_device(device)
    learner = _Learner(copy.deepcopy(model), train, None, 1, batch_size, lowest, 0, seed)
    _refuse_clips(learner.model, train)
    learner.model.train(model.training)
    silence = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, silence, _running(learner):
        trainer = _trainer(device, 1, 1, max_epochs=-1, default_root_dir=folder)
        torch.manual_seed(seed)
        found = L.tuner.Tuner(trainer).lr_find(
            learner, min_lr=lowest, max_lr=highest, num_training=n_steps
        )
    losses = np.array(found.results["loss"])
    _refuse_course(losses, lowest, highest)
    return LearningRates(np.array(found.results["lr"]), losses, found.suggestion())


def _refuse_course(losses: np.ndarray, lowest: float, highest: float) -> None:
    """Say why no learning rate can be read from these losses, and what to do."""
    usable = losses[SKIPPED:-1]
    usable = usable[np.isfinite(usable)]
    if not np.isfinite(losses[: SKIPPED + 2]).all():
        raise FloatingPointError(
            f"the loss is NaN or infinite from a learning rate of {lowest:g} on: look for NaN and "
            "very large numbers in the features, or begin with a lower rate, as lowest="
        )
    if len(usable) < 2 or (np.diff(usable).min() >= 0 and np.ptp(losses) > FLAT * losses[0]):
        raise ValueError(f"the loss grew from {lowest:g} on: begin with a lower rate, as lowest=")
    if np.ptp(usable) <= FLAT * abs(losses[0]):
        raise ValueError(
            f"the loss hardly changed between {lowest:g} and {highest:g}: it stayed near "
            f"{usable.mean():.3g}. Try higher rates, as highest=, or more steps, as n_steps=; or "
            "see whether the model can learn from these features at all"
        )


def predict(model: "torch.nn.Module", x: "np.ndarray | torch.utils.data.Dataset") -> np.ndarray:
    """Return the probability that a trained model gives to each class, where clips are many.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    x : array of shape (n_clips, ...), float, or Dataset
        Features; or a data set such as :class:`Clips`, whose labels are not looked at.

    Returns
    -------
    array of shape (n_clips, n_classes), float32
        Each row sums to 1.

    Raises
    ------
    ValueError
        If there are no clips, or if the model cannot be given these features.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> predict(logistic_regression(4, 2), np.zeros((300, 4))).shape
    (300, 2)
    """
    if not isinstance(x, Dataset):
        x = TensorDataset(torch.as_tensor(as_features(x)))
    if not len(x):
        raise ValueError("there are no clips")
    with _quiet(), L.utilities.seed.isolate_rng():
        batches = _loader(x, PREDICTED_AT_ONCE, range(len(x)), workers=1)
        return np.concatenate([plain.predict(model, batch) for batch, *_ in map(_read, batches)])


# --- the model and its clips ------------------------------------------------------------------


class _Learner(L.LightningModule):
    """A model with what it learns from and how: what Lightning sends to every device."""

    def __init__(self, model, train, validation, epochs, batch_size, learning_rate, workers, seed):
        super().__init__()
        self.model, self.train_clips, self.validation_clips = model, train, validation
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.workers, self.seed = workers, seed
        self.history, self.best, self.sums = History(), {}, {}
        self.training_name, self.error_file = "", None

    def __setstate__(self, state: dict) -> None:
        """Begin in a process that shares the training, as quiet as the first one."""
        super().__setstate__(state)
        _silence()

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
        optimizer = torch.optim.Adam(self.parameters(), self.learning_rate)
        n_steps = self.epochs * (len(self.train_clips) // self.batch_size)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, n_steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]

    def training_step(self, batch, number):
        with self.noting():
            return self._measured(batch, "training")

    def validation_step(self, batch, number):
        with self.noting():
            self._measured(batch, "validation")

    def _measured(self, batch, clips: str) -> "torch.Tensor":
        """Return the mean loss; add up losses, clips that were recognised, and clips."""
        x, y = _read(batch)
        log_probabilities = self.model(x)
        loss = torch.nn.functional.nll_loss(log_probabilities, y)
        right = (log_probabilities.argmax(dim=1) == y).sum()
        sums = torch.stack([loss.detach() * len(y), right, torch.full_like(right, len(y))])
        self.sums[clips] = self.sums.get(clips, 0) + sums
        return loss

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Keep an error of a process that shares the training, so that the first can raise it."""
        try:
            yield
        except Exception as error:
            if (
                multiprocessing.parent_process()
                and self.error_file
                and not self.error_file.exists()
            ):
                with suppress(Exception):  # one that cannot be pickled
                    self.error_file.write_bytes(pickle.dumps(error))
            raise

    def get_extra_state(self) -> dict:
        """Return what a checkpoint keeps besides weights, and what comes back from a process."""
        history = asdict(self.history)
        return {"training": self.training_name, "history": history, "best": self.best}

    def set_extra_state(self, state: dict) -> None:
        self.training_name, self.best = state["training"], state["best"]
        self.history = History(**state["history"])


class _Order(torch.utils.data.Sampler):
    """The order of an epoch's clips: to each process its share of every batch."""

    def __init__(self, learner: _Learner):
        self.learner = learner

    def __len__(self) -> int:
        n_clips, batch_size = len(self.learner.train_clips), self.learner.batch_size
        return n_clips // batch_size * batch_size // self.learner.trainer.world_size

    def __iter__(self) -> Iterator[int]:
        # the history knows which epoch it is, also where Lightning resumes from a checkpoint
        learner = self.learner
        epoch = learner.history.epochs + 1
        order, _ = epoch_order(len(learner.train_clips), learner.seed, epoch)
        order = full_batches(order, learner.batch_size).ravel()
        yield from order[learner.global_rank :: learner.trainer.world_size].tolist()


class _Epochs(L.Callback):
    """Seeds every epoch; after it, records the figures, keeps them, and may end the training."""

    def __init__(self, callbacks: Sequence[Callback], file: Path | None):
        self.callbacks, self.file = callbacks, file
        self.stopping = find(callbacks, EarlyStopping)

    def on_train_start(self, trainer, learner):
        self.start = time.perf_counter() - learner.history.seconds

    def on_train_epoch_start(self, trainer, learner):
        entropy = [learner.seed, learner.history.epochs + 1, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        learner.sums = {}

    def on_train_epoch_end(self, trainer, learner):
        with learner.noting():
            learner.history.record(*self._figures(trainer, learner))
            self._keep(trainer, learner)
            if trainer.is_global_zero:
                call(self.callbacks, learner.history)
        trainer.should_stop = _stops(self.stopping, learner.history)

    def _figures(self, trainer, learner) -> Iterator[list[float]]:
        """Return loss and accuracy of the training clips, and of the validation clips."""
        for clips in ("training", "validation")[: 1 if learner.validation_clips is None else 2]:
            # Lightning's own means are wrong where processes have unequal numbers of clips
            sums = trainer.strategy.reduce(learner.sums[clips], reduce_op="sum")
            yield (sums[:2] / sums[2]).tolist()

    def _keep(self, trainer, learner) -> None:
        """Keep the best weights, and a checkpoint."""
        history = learner.history
        history.seconds = time.perf_counter() - self.start
        figures = {name: values[-1] for name, values in history.curves.items()}
        learner.log_dict(figures, prog_bar=True)
        restores = self.stopping is not None and self.stopping.restore_best
        if restores and history.best_epoch == history.epochs:
            learner.best = copy.deepcopy(learner.model).cpu().state_dict()
        if self.file:
            trainer.save_checkpoint(self.file)


class _Guarded(Dataset):
    """Clips that another process reads: an error comes back in place of a batch."""

    def __init__(self, clips: "torch.utils.data.Dataset"):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitems__(self, rows: list[int]):
        try:
            if hasattr(self.clips, "__getitems__"):
                return self.clips.__getitems__(rows)
            return [self.clips[row] for row in rows]
        except (CorpusError, OSError, ValueError) as error:
            return error


def _collate(clips):
    return clips if isinstance(clips, Exception) else torch.utils.data.default_collate(clips)


def _read(batch):
    """Return a batch; raise the error that stands in its place."""
    if isinstance(batch, Exception):
        raise batch
    return batch


def _dataset(clips) -> "torch.utils.data.Dataset":
    if isinstance(clips, Dataset):
        return clips
    return TensorDataset(*map(torch.from_numpy, as_clips(*clips)))


def _loader(data, batch_size: int, order, workers: int) -> "torch.utils.data.DataLoader":
    if isinstance(data, TensorDataset) or getattr(data, "waveforms", None) is not None:
        workers = 0  # there is nothing to read
    return torch.utils.data.DataLoader(
        _Guarded(data),
        batch_size,
        sampler=order,
        num_workers=workers,
        collate_fn=_collate,
        persistent_workers=workers > 0,
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # its own: else it would disturb what dropout draws from
    )


# --- before a training ------------------------------------------------------------------------


def _refuse_clips(model: "torch.nn.Module", data: "torch.utils.data.Dataset | None") -> None:
    """Refuse clips that the model cannot be given, and labels that it has no class for."""
    if data is None:
        return
    if not len(data):
        raise ValueError("there are no clips")
    mode = model.training
    n_classes = plain.predict(model, np.asarray(data[0][0])[np.newaxis]).shape[1]
    model.train(mode)
    if isinstance(data, TensorDataset):
        refuse_labels(data.tensors[1].numpy(), n_classes)


def _refuse_sharing(
    device: str,
    devices: int,
    nodes: int,
    batch_size: int,
    workers: int,
    precision: str,
    callbacks: Sequence[Callback],
) -> None:
    """Refuse what this machine, or this program, cannot do."""
    refuse_devices(device, devices, nodes, batch_size)
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
    if workers < 0:
        raise ValueError(f"{workers} workers: give 0, or how many processes are to read clips")
    if devices * nodes == 1 or _is_launched():
        return
    if nodes > 1 and not {"NODE_RANK", "MASTER_ADDR", "MASTER_PORT"} <= set(os.environ):
        raise ValueError(
            f"nodes={nodes} needs NODE_RANK, MASTER_ADDR and MASTER_PORT on every machine, or "
            "torchrun or Slurm, which set what is needed"
        )
    program = getattr(sys.modules["__main__"], "__file__", None)
    if hasattr(sys, "ps1") or sys.flags.interactive or (program and not Path(program).exists()):
        raise ValueError(
            f"devices={devices} cannot be used in a notebook or an interactive session, as every "
            "device starts this program anew: leave devices at 1, or run it as a script, such as "
            f"`digitlab run C1 --devices {devices}`"
        )
    if multiprocessing.parent_process():
        raise ValueError(
            f"devices={devices} starts this script anew for every device, and it began to train "
            'again: put what it does under `if __name__ == "__main__":`'
        )
    try:
        pickle.dumps(callbacks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"devices={devices} calls the callbacks in another process: define their functions "
            "at the top of a file, and use no lambda"
        ) from error


def _is_launched() -> bool:
    """Tell whether torchrun or Slurm started this process, as one of several."""
    return any(launcher.detect() for launcher in LAUNCHERS)


def _checkpoint_file(learner: _Learner, callbacks, epochs, precision, *sharing) -> Path | None:
    """Return where this training is kept, named after all that decides how it goes."""
    if not (checkpoint := find(callbacks, Checkpoint)):
        return None
    stopping = find(callbacks, EarlyStopping)
    clips = [
        data.tensors if isinstance(data, TensorDataset) else getattr(data, "identity", str)()
        for data in (learner.train_clips, learner.validation_clips)
    ]
    restores = stopping is not None and stopping.restore_best
    how = (epochs, learner.batch_size, learner.learning_rate, restores, precision, learner.seed)
    model = learner.model
    file = checkpoint.file(get_weights(model), "lightning", str(model), *clips, *how, *sharing)
    learner.training_name = file.stem
    return file


def _resume(learner: _Learner, file: Path) -> None:
    """Give history and best weights back; refuse a checkpoint that Lightning could not use."""
    before = copy.deepcopy(learner.model.state_dict())
    try:
        with reading(file):
            kept = torch.load(file, map_location="cpu", weights_only=True)
            learner.load_state_dict(kept["state_dict"])
            [optimizer], _ = learner.configure_optimizers()
            plain.load_optimizer(optimizer, kept["optimizer_states"][0])
            if learner.training_name != file.stem:
                raise ValueError("another training")
    except CheckpointError:
        learner.model.load_state_dict(before)
        raise


def _stops(stopping: EarlyStopping | None, history: History) -> bool:
    return stopping is not None and stopping.stops(history.validation_loss)


# --- Lightning itself -------------------------------------------------------------------------


class _CheckpointFiles(plugins.TorchCheckpointIO):
    """Lightning's checkpoints, whole or not at all, and read without running what they hold."""

    def save_checkpoint(self, checkpoint: dict, path: "str | Path", storage_options=None) -> None:
        with replacing(Path(path)) as out:
            torch.save(checkpoint, out)

    def load_checkpoint(self, path: "str | Path", *args: Any, **kwargs: Any) -> dict:
        return torch.load(path, map_location="cpu", weights_only=True)


def _trainer(device: str, devices: int, nodes: int, *callbacks, **settings) -> "L.Trainer":
    kind, _, number = device.partition(":")
    is_shared = devices * nodes > 1
    progress = [L.callbacks.TQDMProgressBar()] if sys.stdout.isatty() else []
    return L.Trainer(
        accelerator=kind,
        devices=[int(number)] if number else devices,
        num_nodes=nodes,
        strategy=("ddp" if _is_launched() else "ddp_spawn") if is_shared else "auto",
        sync_batchnorm=is_shared and kind == "cuda",
        use_distributed_sampler=False,  # clips are shared out already
        num_sanity_val_steps=0,
        logger=False,  # Lightning's own would delete the epochs before an interruption
        enable_checkpointing=False,  # they are saved before the callbacks are called
        enable_model_summary=False,
        enable_progress_bar=bool(progress),
        callbacks=[*callbacks, *progress],
        plugins=[_CheckpointFiles()],
        **settings,
    )


@contextmanager
def _running(learner: _Learner) -> Iterator[None]:
    """Leave random generators and Ctrl+C as they were, and say plainly what went wrong."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    with tempfile.TemporaryDirectory() as folder:
        learner.error_file = Path(folder, "error")
        try:
            with _quiet(), L.utilities.seed.isolate_rng():
                yield
        except SystemExit as stopped:  # Lightning's answer to Ctrl+C, which it then ignores
            signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from stopped
        except torch.multiprocessing.ProcessException as error:
            if learner.error_file.exists():
                raise pickle.loads(learner.error_file.read_bytes()) from None
            raise RuntimeError(
                "one of the processes that share the training has ended: see what it printed, and "
                "whether memory is short"
            ) from error
        except L.utilities.exceptions.MisconfigurationException as error:
            raise ValueError(
                "Lightning cannot train here with these devices and nodes: compare them with what "
                "torchrun or Slurm was told, or leave both at 1"
            ) from error
        finally:
            for process in multiprocessing.active_children():
                if process.name.startswith("SpawnProcess"):
                    process.kill()


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Lightning's remarks, which are about its own arguments."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        _silence()
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _silence() -> None:
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view")  # channels last
