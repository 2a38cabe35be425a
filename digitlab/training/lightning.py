"""Training with Lightning: clips read as they are needed, one cycle, several devices and machines.

The model, its loss and its clips make a `LightningModule`; Lightning's `Trainer` brings it to the
devices and runs the epochs, with Lightning's early stopping, checkpoints and logs. Ours are the
order of the clips, of which each process takes its share of every batch, and the seed of every
epoch: so an interrupted training ends as it would have ended.
"""

import copy
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np

from digitlab.environment import keep_freed_memory, refuse_devices, require, torch_device
from digitlab.training import torch as plain
from digitlab.training.callbacks import Callback, Logger, call
from digitlab.training.clips import Clips as Clips
from digitlab.training.clips import Dataset, TensorDataset, as_dataset, identity, load, read
from digitlab.training.common import as_features, epoch_order, full_batches, refuse_settings
from digitlab.training.history import History
from digitlab.training.rates import FEWEST_STEPS, LearningRates, read_course
from digitlab.training.trainer import refuse_sharing, running

require("lightning.pytorch", extra="torch")

import lightning.pytorch as L  # noqa: E402
import torch  # noqa: E402
from lightning.pytorch.tuner import Tuner  # noqa: E402

PREDICTED_AT_ONCE = 128  # clips; the first block of C1 takes 3 MB for each feature map of a clip


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

    The learning rate changes from step to step. The training clips are measured while the model
    learns from them, with dropout. Devices and machines share each batch: together they learn what
    one would.

    Parameters
    ----------
    model, epochs, seed, device
        As for :func:`digitlab.training.torch.fit`, as are the errors that are not described here.
    train, validation : tuple of arrays, or Dataset
        Features and labels; or a data set of such pairs, as :class:`Clips`.
    batch_size : int
        How many clips at a time, on all devices together.
    learning_rate : float
        The highest learning rate.
    callbacks : list
        As there. For several devices a function must stand at the top of a file; several machines
        need one folder for checkpoints that all of them see.
    devices, nodes : int
        How many GPUs, or processes without one, on each of how many machines. The same program runs
        on every machine, with ``NODE_RANK`` (0, 1, ...), ``MASTER_ADDR`` and ``MASTER_PORT`` of the
        first one set; or under ``torchrun`` or Slurm, which set what is needed.
    workers : int
        How many processes read clips ahead, for each device. Arrays need none.
    precision : {"32-true", "bf16-mixed"}
        ``"bf16-mixed"`` multiplies numbers of 16 bits. Where a GPU or a processor is made for that,
        it is about twice as fast; what it learns differs a little.

    Raises
    ------
    ValueError
        Also if there are not so many devices, or if a notebook is to use several.
    CorpusError
        If a clip cannot be read; it names the file.

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
    clips = as_dataset(train)
    held_back = None if validation is None else as_dataset(validation)
    settings = (epochs, batch_size, learning_rate)
    refuse_settings(len(clips), *settings, held_back, callbacks, precision=precision)
    device = torch_device(device)
    refuse_devices(device, devices, nodes, batch_size)
    if device == "cpu":
        keep_freed_memory()
    refuse_sharing(devices * nodes, held_back, callbacks)
    learner = _Learner(model, clips, held_back, *settings, workers, seed)
    about = f"{devices * nodes} x " * (devices * nodes > 1) + device
    about += ", bf16-mixed" * (precision == "bf16-mixed")
    run = _Run(learner, callbacks, about, precision, devices, nodes)
    # a third faster where there are pictures
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch lacks it
    if any(run.epochs(epochs)):
        kept = run.file if run.file and run.file.exists() else None
        with running(device, devices, nodes, epochs, precision, run) as trainer:
            trainer.fit(learner, ckpt_path=kept, weights_only=True)
    model.to(device)
    return run.finish()


def predict(model: "torch.nn.Module", x: "np.ndarray | torch.utils.data.Dataset") -> np.ndarray:
    """Return the probabilities of each class, for part of the clips at a time.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    x : array of shape (n_clips, ...), float, or Dataset
        Features; or a data set such as :class:`Clips`, whose labels are not looked at.
    """
    given = x if isinstance(x, Dataset) else TensorDataset(torch.as_tensor(as_features(x)))
    clips = as_dataset(given)
    batches = load(clips, PREDICTED_AT_ONCE, range(len(clips)), workers=1)
    return np.concatenate([plain.predict(model, batch) for batch, *_ in map(read, batches)])


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
    """Try learning rates from low to high on a copy of a model, each for one step.

    What comes after the loss is NaN, or has grown to four times its lowest, is left out. The first
    ten rates are not suggested.

    Parameters
    ----------
    model, train, batch_size, seed, device
        As for :func:`fit`.
    lowest, highest : float
        The first learning rate and the last; those between grow from step to step by one factor.
    n_steps : int
        How many, at least 13.

    Raises
    ------
    ValueError
        Also if there are too few steps; if the loss grew from the first steps on; or if it hardly
        changed.
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
    clips = as_dataset(train)
    refuse_settings(len(clips), 1, batch_size, lowest, None, ())
    if n_steps < FEWEST_STEPS or not lowest < highest < np.inf:
        raise ValueError(
            f"{n_steps} steps from {lowest:g} to {highest:g} show no slope: take n_steps=100 (at "
            f"least {FEWEST_STEPS}), and a highest rate above the lowest"
        )
    device = torch_device(device)
    learner = _Learner(copy.deepcopy(model), clips, None, 1, batch_size, lowest, 0, seed)
    silence = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())
    with silence, running(device, 1, 1, -1, "32-true") as trainer:
        torch.manual_seed(seed)
        found: Any = Tuner(trainer).lr_find(
            learner,
            min_lr=lowest,
            max_lr=highest,
            num_training=n_steps,
            early_stop_threshold=None,  # it would take noise for growth
        )
    rates, averages = (np.array(found.results[name]) for name in ("lr", "loss"))
    return read_course(rates, averages, lowest, highest)


# --- the model, its clips and its epochs -------------------------------------------------------


class _Learner(L.LightningModule):
    """A model with what it learns from and how: what Lightning sends to every device."""

    def __init__(self, model, train, validation, epochs, batch_size, learning_rate, workers, seed):
        super().__init__()
        self.model, self.train_clips, self.validation_clips = model, train, validation
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.workers, self.seed = workers, seed
        self.run, self.sums = None, {}
        for data in filter(None, (train, validation)):
            is_tensors = isinstance(data, TensorDataset)
            labels = data.tensors[1] if is_tensors else getattr(data, "labels", None)
            plain.refuse_misfits(model, data[0][0][np.newaxis], labels)
        model.train()

    def train_dataloader(self):
        return self._load(self.train_clips, _Order(self))

    def val_dataloader(self):
        if self.validation_clips is None:
            return []
        mine = range(self.global_rank, len(self.validation_clips), self.trainer.world_size)
        return self._load(self.validation_clips, mine)

    def _load(self, clips, order):
        return load(clips, self.batch_size // self.trainer.world_size, order, self.workers)

    def configure_optimizers(self):
        optimizer = plain.make_optimizer("adam", self, self.learning_rate)
        n_steps = self.epochs * (len(self.train_clips) // self.batch_size)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, n_steps)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]

    def training_step(self, batch, number):
        return self._measured(batch, "training")

    def validation_step(self, batch, number):
        self._measured(batch, "validation")

    def _measured(self, batch, clips: str) -> "torch.Tensor":
        """Return the mean loss; add up losses, clips that were recognised, and clips."""
        x, y = read(batch)
        log_probabilities = self.model(x)
        loss = torch.nn.functional.nll_loss(log_probabilities, y)
        right = (log_probabilities.argmax(dim=1) == y).sum()
        sums = torch.stack([loss.detach() * len(y), right, torch.full_like(right, len(y))])
        self.sums[clips] = self.sums.get(clips, 0) + sums
        return loss

    def get_extra_state(self) -> dict | None:
        """Return what a checkpoint keeps besides weights, and what comes back from a process."""
        return self.run and self.run.state

    def set_extra_state(self, state: dict | None) -> None:
        if self.run:
            self.run.state = state


class _Order(torch.utils.data.Sampler):
    """The order of an epoch's clips: to each process its share of every batch."""

    def __init__(self, learner: _Learner):
        self.learner = learner

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows().tolist())

    def __len__(self) -> int:
        return len(self.rows())

    def rows(self) -> np.ndarray:
        learner = self.learner
        epoch = learner.run.history.epochs + 1 if learner.run else 1
        order, _ = epoch_order(len(learner.train_clips), learner.seed, epoch)
        order = full_batches(order, learner.batch_size).ravel()
        return order[learner.global_rank :: learner.trainer.world_size]


class _Run(plain._Run, L.Callback):
    """What is kept of a training by Lightning: it seeds every epoch, and notes its figures."""

    def __init__(self, learner: _Learner, callbacks, device: str, *training):
        self.learner, learner.run = learner, self
        clips = map(identity, (learner.train_clips, learner.validation_clips))
        training += learner.epochs, learner.batch_size, learner.learning_rate, learner.seed
        [optimizer], _ = learner.configure_optimizers()
        super().__init__(learner.model, optimizer, callbacks, device, *clips, *training)

    def read(self, file: Path) -> dict:
        """Give back what Lightning keeps, so that damage shows before Lightning reads it."""
        kept = torch.load(file, map_location="cpu", weights_only=True)
        self.learner.load_state_dict(kept["state_dict"])
        plain.load_optimizer(self.optimizer, kept["optimizer_states"][0])
        return self.state

    def on_train_start(self, trainer, learner):
        for epoch in range(1, self.history.epochs + 1):
            self._log(trainer, epoch)  # a log begins anew, and is whole

    def on_train_epoch_start(self, trainer, learner):
        entropy = [learner.seed, self.history.epochs + 1, trainer.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        learner.sums = {}

    def on_train_epoch_end(self, trainer, learner):
        # Lightning's own means are wrong where processes have unequal numbers of clips
        sums = [trainer.strategy.reduce(s, reduce_op="sum") for s in learner.sums.values()]
        self.note(*[(total[:2] / total[2]).tolist() for total in sums])
        learner.log_dict(self._log(trainer, self.history.epochs), logger=False, prog_bar=True)
        if trainer.is_global_zero:
            functions = [one for one in self.callbacks if not isinstance(one, Logger)]
            call(functions, self.history)

    def _log(self, trainer, epoch: int) -> dict[str, float]:
        """Write and return the figures of an epoch."""
        figures = {name: values[epoch - 1] for name, values in self.history.curves.items()}
        for logger in trainer.loggers:
            logger.log_metrics({"epoch": epoch} | figures, step=epoch)
        return figures
