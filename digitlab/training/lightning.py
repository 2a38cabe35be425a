"""Training with Lightning: clips read as they are needed, one cycle, several devices and machines.

The model, its loss and its clips make a `LightningModule`; Lightning's `Trainer` brings it to the
devices and runs the epochs. Ours are the order of the clips, of which each process takes its share
of every batch, and what makes an interrupted training end as it would have ended.
"""

import copy
import io
import logging
import multiprocessing
import pickle
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from digitlab.environment import refuse_devices, replacing, require, torch_device
from digitlab.models.torch import get_weights
from digitlab.training import torch as plain
from digitlab.training.callbacks import (
    Callback,
    CheckpointError,
    EarlyStopping,
    call,
    checkpoint_file,
    find,
    reading,
)
from digitlab.training.clips import Clips as Clips
from digitlab.training.clips import Dataset, TensorDataset, as_dataset, identity, load, read
from digitlab.training.common import (
    as_features,
    epoch_order,
    full_batches,
    improves,
    refuse_labels,
    refuse_settings,
    stops,
)
from digitlab.training.history import History

torch = require("torch", extra="torch")
L = require("lightning.pytorch", extra="torch")
clusters = require("lightning.fabric.plugins.environments", extra="torch")

PRECISIONS = ("32-true", "bf16-mixed")
LAUNCHERS = (clusters.TorchElasticEnvironment, clusters.SLURMEnvironment)
PROCESS_ERRORS = (
    torch.multiprocessing.ProcessRaisedException,
    torch.multiprocessing.ProcessExitedException,
)
PREDICTED_AT_ONCE = 128  # clips; the first block of C1 takes 3 MB for each feature map of a clip
NOISY = ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn")
SKIPPED = 10  # first steps that Lightning's suggestion leaves out; it leaves out the last, too
FEWEST_STEPS = SKIPPED + 3  # a slope needs two of those that remain
SMOOTHING = 0.98  # of Lightning's moving average
FLAT = 0.02  # of the loss: a smaller change is none


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

    What is not described here is as in :func:`digitlab.training.torch.fit`. The learning rate
    changes from step to step. The training clips are measured while the model learns from them,
    with dropout. Devices and machines share each batch: together they learn what one would.

    Parameters
    ----------
    model, epochs, seed, device
        As there.
    train, validation : tuple of arrays, or Dataset
        Features and labels; or a data set of such pairs, as :class:`Clips`.
    batch_size : int
        How many clips at a time, on all devices together.
    learning_rate : float
        The highest learning rate.
    callbacks : list
        With several devices a function must stand at the top of a file, as another process calls
        it. Several machines need one folder for checkpoints that all of them see.
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
    clips = [data if data is None else as_dataset(data) for data in (train, validation)]
    refuse_settings(len(clips[0]), epochs, batch_size, learning_rate, clips[1], callbacks)
    device = torch_device(device)
    refuse_devices(device, devices, nodes, batch_size)
    _refuse_sharing(devices * nodes, precision, callbacks)
    learner = _Learner(model, *clips, epochs, batch_size, learning_rate, workers, seed)
    history, stopping = learner.history, find(callbacks, EarlyStopping)
    share = f"{devices * nodes} x " if devices * nodes > 1 else ""
    history.device = share + device + ", bf16-mixed" * (precision == "bf16-mixed")
    file = _kept_in(learner, callbacks, epochs, precision, devices, nodes)
    kept = file if file and file.exists() else None
    for data in clips:
        _refuse_clips(model, data, begins=kept is None)
    model.to(memory_format=torch.channels_last)  # a third faster where there are pictures
    if kept:
        history = _resume(learner, kept)
    if history.epochs < epochs and not stops(history, stopping):
        with _running(learner):
            trainer = _trainer(device, devices, nodes, epochs, precision, _Epochs(callbacks, file))
            trainer.fit(learner, ckpt_path=kept)
    if learner.best:
        model.load_state_dict(learner.best)
    model.to(device)
    return learner.history


def predict(model: "torch.nn.Module", x: "np.ndarray | torch.utils.data.Dataset") -> np.ndarray:
    """Return the probabilities of each class, as :func:`digitlab.training.torch.predict` does.

    It works on part of the clips at a time.

    Parameters
    ----------
    model : torch.nn.Module
        Returns log-probabilities.
    x : array of shape (n_clips, ...), float, or Dataset
        Features; or a data set such as :class:`Clips`, whose labels are not looked at.

    Examples
    --------
    >>> from digitlab.models.torch import logistic_regression
    >>> predict(logistic_regression(4, 2), np.zeros((300, 4))).shape
    (300, 2)
    """
    if not isinstance(x, Dataset):
        x = TensorDataset(torch.as_tensor(as_features(x)))
    _refuse_clips(model, x, begins=False)
    with _quiet(), L.utilities.seed.isolate_rng():
        batches = load(x, PREDICTED_AT_ONCE, range(len(x)), workers=1)
        return np.concatenate([plain.predict(model, batch) for batch, *_ in map(read, batches)])


# --- the learning-rate finder -----------------------------------------------------------------


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
    model, train, batch_size, seed, device
        As for :func:`fit`.
    lowest, highest : float
        The first learning rate and the last; those between grow from step to step by one factor.
    n_steps : int
        How many, at least 13.

    Returns
    -------
    LearningRates
        Rates and losses, and a suggestion: Lightning's, which leaves the first ten steps out.

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
    train = as_dataset(train)
    refuse_settings(len(train), 1, batch_size, lowest, None, ())
    if n_steps < FEWEST_STEPS or not lowest < highest < np.inf:
        raise ValueError(
            f"{n_steps} steps from {lowest:g} to {highest:g} show no slope: take n_steps=100 (at "
            f"least {FEWEST_STEPS}), and a highest rate above the lowest"
        )
    device = torch_device(device)
    _refuse_clips(model, train)
    learner = _Learner(copy.deepcopy(model), train, None, 1, batch_size, lowest, 0, seed)
    silence = nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())
    with tempfile.TemporaryDirectory() as folder, silence, _running(learner):
        trainer = _trainer(device, 1, 1, -1, "32-true", default_root_dir=folder)
        torch.manual_seed(seed)
        found = L.tuner.Tuner(trainer).lr_find(
            learner, min_lr=lowest, max_lr=highest, num_training=n_steps
        )
    losses = np.array(found.results["loss"])
    _refuse_course(losses, lowest, highest)
    return LearningRates(np.array(found.results["lr"]), losses, found.suggestion())


def _refuse_course(losses: np.ndarray, lowest: float, highest: float) -> None:
    """Say why no learning rate can be read from these losses, and what to do."""
    if not np.isfinite(losses[: SKIPPED + 2]).all():
        raise FloatingPointError(
            f"the loss is NaN or infinite from the first steps on, at a learning rate of "
            f"{lowest:g}: look for NaN and very large numbers in the features, or lower `lowest`"
        )
    weights = SMOOTHING ** np.arange(1, len(losses) + 2)
    means = losses * (1 - weights[1:]) / (1 - weights[:-1])  # Lightning's begin too low
    usable = means[SKIPPED:-1][np.isfinite(means[SKIPPED:-1])]
    change = FLAT * means[0]
    if len(usable) > 1 and np.ptp(usable) <= change:
        raise ValueError(
            f"the loss hardly changed between {lowest:g} and {highest:g}: it stayed near "
            f"{usable.mean():.3g}. Raise `highest` or `n_steps`, or see whether the model can "
            "learn from these features at all"
        )
    if len(usable) < 2 or usable[0] - usable.min() <= change:
        raise ValueError(f"the loss grew from {lowest:g} on: begin lower, with another `lowest`")


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
        super().__setstate__(state)
        _silence()  # a process that shares the training

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
        with self.noting_errors():
            return self._measured(batch, "training")

    def validation_step(self, batch, number):
        with self.noting_errors():
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

    @contextmanager
    def noting_errors(self) -> Iterator[None]:
        """Keep an error of a process that shares the training, so that the first can raise it."""
        try:
            yield
        except Exception as error:
            if multiprocessing.parent_process() and not self.error_file.exists():
                with suppress(Exception):  # it cannot be pickled
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
        learner, epoch = self.learner, self.learner.history.epochs + 1
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
        history = learner.history
        with learner.noting_errors():
            history.record(*self._figures(trainer, learner))
            history.seconds = time.perf_counter() - self.start
            last = {name: values[-1] for name, values in history.curves.items()}
            learner.log_dict(last, prog_bar=True)
            if improves(history, self.stopping):
                learner.best = copy.deepcopy(learner.model).cpu().state_dict()
            if self.file:
                trainer.save_checkpoint(self.file)
            if trainer.is_global_zero:
                call(self.callbacks, history)
        trainer.should_stop = stops(history, self.stopping)

    def _figures(self, trainer, learner) -> Iterator[list[float]]:
        """Return loss and accuracy of the training clips, and of the validation clips."""
        for clips in ("training", "validation")[: 1 if learner.validation_clips is None else 2]:
            # Lightning's own means are wrong where processes have unequal numbers of clips
            sums = trainer.strategy.reduce(learner.sums[clips], reduce_op="sum")
            yield (sums[:2] / sums[2]).tolist()


# --- before a training ------------------------------------------------------------------------


def _refuse_clips(model: "torch.nn.Module", data: Any, begins: bool = True) -> None:
    """Refuse no clips; at the beginning, also those that the model does not fit."""
    if data is not None and not len(data):
        raise ValueError("there are no clips")
    if data is None or not begins:
        return
    learns = model.training
    n_classes = plain.predict(model, np.asarray(data[0][0])[np.newaxis]).shape[1]
    model.train(learns)
    if isinstance(data, TensorDataset):
        refuse_labels(data.tensors[1].numpy(), n_classes)


def _refuse_sharing(n_devices: int, precision: str, callbacks: Sequence[Callback]) -> None:
    """Refuse several devices where this program cannot be started anew for each."""
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; there are {', '.join(PRECISIONS)}")
    if n_devices == 1 or _is_launched():
        return
    anew = f"{n_devices} devices cannot share this training: each starts this program anew"
    program = getattr(sys.modules["__main__"], "__file__", None)
    if hasattr(sys, "ps1") or sys.flags.interactive or (program and not Path(program).exists()):
        raise ValueError(
            f"{anew}, and a notebook or an interactive session cannot be. Leave devices at 1, or "
            f"run it as a script, such as `digitlab run C1 --devices {n_devices}`"
        )
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ValueError(f'{anew}. Put what it does under `if __name__ == "__main__":`')
    try:
        pickle.dumps(callbacks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{anew}, and calls the callbacks there. Define their functions at the top of a file"
        ) from error


def _is_launched() -> bool:
    """Tell whether torchrun or Slurm started this process, as one of several."""
    return any(launcher.detect() for launcher in LAUNCHERS)


def _kept_in(learner: _Learner, callbacks: Sequence[Callback], *training: Any) -> Path | None:
    """Return where this training is kept."""
    model, clips = learner.model, (learner.train_clips, learner.validation_clips)
    how = (learner.batch_size, learner.learning_rate, learner.seed, str(model), *training)
    identities = map(identity, clips)
    file = checkpoint_file(callbacks, get_weights(model), "lightning", *identities, *how)
    learner.training_name = file.stem if file else ""
    return file


def _resume(learner: _Learner, file: Path) -> History:
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
    return learner.history


# --- Lightning itself -------------------------------------------------------------------------


class _CheckpointFiles(L.plugins.TorchCheckpointIO):
    """Lightning's checkpoints, whole or not at all, and read without running what they hold."""

    def save_checkpoint(self, checkpoint: dict, path: "str | Path", storage_options=None) -> None:
        with replacing(Path(path)) as out:
            torch.save(checkpoint, out)

    def load_checkpoint(self, path: "str | Path", *args: Any, **kwargs: Any) -> dict:
        return torch.load(path, map_location="cpu", weights_only=True)


def _trainer(
    device: str,
    devices: int,
    nodes: int,
    epochs: int,
    precision: str,
    *callbacks: "L.Callback",
    **settings: Any,
) -> "L.Trainer":
    kind, _, number = device.partition(":")
    is_shared = devices * nodes > 1
    progress = [L.callbacks.TQDMProgressBar()] if sys.stdout.isatty() else []
    return L.Trainer(
        accelerator=kind,
        devices=[int(number)] if number else devices,
        num_nodes=nodes,
        precision=precision,
        max_epochs=epochs,
        strategy=("ddp" if _is_launched() else "ddp_spawn") if is_shared else "auto",
        sync_batchnorm=is_shared and kind == "cuda",
        use_distributed_sampler=False,  # clips are shared out already
        num_sanity_val_steps=0,
        logger=False,  # Lightning's own would delete the epochs before an interruption
        enable_checkpointing=False,  # `_Epochs` saves before it calls other callbacks
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
        except PROCESS_ERRORS as error:
            if learner.error_file.exists():
                raise pickle.loads(learner.error_file.read_bytes()) from None
            raise ChildProcessError(
                "one of the processes that share the training has ended: see what it printed, and "
                "whether memory is short"
            ) from error
        except L.utilities.exceptions.MisconfigurationException as error:
            raise ValueError(
                "Lightning cannot train on these devices: compare their number with what torchrun "
                "or Slurm was told, or leave devices and nodes at 1"
            ) from error
        finally:
            for process in multiprocessing.active_children():
                if process.name.startswith("SpawnProcess"):
                    process.kill()


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out Lightning's remarks, which are about its own arguments."""
    levels = {name: logging.getLogger(name).level for name in NOISY}
    with warnings.catch_warnings():
        _silence()
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _silence() -> None:
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised, too
    warnings.filterwarnings("ignore", module=r"lightning\.")
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view")  # channels last
