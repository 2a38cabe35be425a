"""Lightning's `Trainer`, told what the trainings of this book need, on one device or several."""

import logging
import multiprocessing
import pickle
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitlab.environment import launched, replacing, require
from digitlab.training.callbacks import Callback, EarlyStopping, Logger, find
from digitlab.training.common import Run
from digitlab.training.torch import packed

require("lightning.pytorch", extra="torch")

import lightning.fabric.plugins.environments as clusters  # noqa: E402
import lightning.pytorch as L  # noqa: E402
from torch.multiprocessing.spawn import ProcessException  # noqa: E402

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way to end a process
LAUNCHERS = (clusters.TorchElasticEnvironment, clusters.SLURMEnvironment)
NOISY = ("lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn")


class _CheckpointFiles(L.plugins.TorchCheckpointIO):
    """Lightning's checkpoints, whole or not at all."""

    def save_checkpoint(self, checkpoint: dict, path: "str | Path", storage_options=None) -> None:
        with replacing(path) as out:
            out.write(packed(checkpoint))


class Trainer(L.Trainer):
    """Lightning's, which hands an error in a process to the process that started it."""

    def __init__(self, device, devices, nodes, epochs, precision, run=None):
        kind, _, number = device.partition(":")
        is_shared = devices * nodes > 1
        spawns = is_shared and not _is_launched()
        super().__init__(
            accelerator=kind,
            devices=[int(number)] if number else devices,
            num_nodes=nodes,
            precision=precision,
            max_epochs=epochs,
            strategy="ddp_spawn" if spawns else "ddp" if is_shared else "auto",
            sync_batchnorm=is_shared and kind == "cuda",
            use_distributed_sampler=False,  # clips are shared out already
            num_sanity_val_steps=0,
            logger=_loggers(run) if run else False,
            enable_checkpointing=bool(run and run.file),
            enable_model_summary=False,
            enable_progress_bar=sys.stdout.isatty(),
            callbacks=_callbacks(run) if run else None,
            plugins=[_CheckpointFiles()],
            default_root_dir=tempfile.gettempdir(),  # where the learning-rate finder keeps a copy
        )
        self.errors = multiprocessing.get_context("spawn").SimpleQueue() if spawns else None

    def _fit_impl(self, *args, **settings):
        _silence()
        try:
            super()._fit_impl(*args, **settings)
        except Exception as error:
            if self.errors:
                self.errors.put(error)
            raise


def _callbacks(run: Run) -> list:
    """Return Lightning's callbacks for ours."""
    callbacks: list[Any] = [run]
    if stopping := find(run.callbacks, EarlyStopping):
        rule = ("validation_loss", stopping.min_delta, stopping.patience)
        callbacks.append(L.callbacks.EarlyStopping(*rule, check_on_train_epoch_end=True))
    if file := run.file:
        settings: Any = {"save_on_train_epoch_end": True, "enable_version_counter": False}
        callbacks.append(L.callbacks.ModelCheckpoint(file.parent, file.stem, **settings))
        callbacks[-1].FILE_EXTENSION = file.suffix
    return callbacks


def _loggers(run: Run) -> list:
    """Return Lightning's loggers for ours, which write into the folder itself."""
    if not (logger := find(run.callbacks, Logger)):
        return []
    place: Any = {"save_dir": logger.folder, "name": "", "version": ""}
    csv = L.loggers.CSVLogger(**place, flush_logs_every_n_steps=1)
    return [csv, L.loggers.TensorBoardLogger(**place)]


@contextmanager
def running(*settings: Any) -> Iterator[Trainer]:
    """Yield a trainer; leave random generators, Ctrl+C and warnings as they were."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    levels = {name: logging.getLogger(name).level for name in NOISY}
    with warnings.catch_warnings(), L.utilities.seed.isolate_rng():
        _silence()
        trainer = Trainer(*settings)
        try:
            yield trainer
        except SystemExit as stopped:  # Lightning's answer to Ctrl+C, which it then ignores
            signal.signal(signal.SIGINT, on_interrupt)
            raise KeyboardInterrupt from stopped
        except ProcessException as error:
            if trainer.errors and not trainer.errors.empty():
                raise trainer.errors.get() from None
            raise ChildProcessError(
                "one of the processes that share the training has ended: see what it printed, "
                "whether memory is short, and whether the script does its work under "
                '`if __name__ == "__main__":`'
            ) from error
        finally:
            if trainer.errors and trainer.strategy.launcher:
                trainer.strategy.launcher.kill(KILL)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _silence() -> None:
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised, too
    warnings.filterwarnings("ignore", module=r"lightning\.")
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view")  # channels last


def refuse_sharing(n_devices: int, validation, callbacks: Sequence[Callback]) -> None:
    """Refuse several devices without work for each, or where no program can be started anew."""
    if validation is not None and len(validation) < n_devices:
        raise ValueError(f"{len(validation)} validation clips are too few for {n_devices} devices")
    devices, nodes = launched()
    if devices * nodes not in (1, n_devices):
        raise ValueError(
            f"torchrun started {devices} x {nodes} processes, and {n_devices} devices are to share "
            f"the training: say devices={devices} and nodes={nodes}"
        )
    if n_devices == 1 or _is_launched():
        return
    anew = f"{n_devices} devices cannot share this training: each starts this program anew"
    program = getattr(sys.modules["__main__"], "__file__", None)
    if hasattr(sys, "ps1") or (program and not Path(program).exists()):
        raise ValueError(
            f"{anew}, and a notebook or an interactive session cannot be. Leave devices at 1, or "
            f"run it as a script, such as `digitlab run C1 --devices {n_devices}`"
        )
    try:
        pickle.dumps(callbacks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{anew}, and calls the callbacks there. Define their functions at the top of a file"
        ) from error


def _is_launched() -> bool:
    """Tell whether torchrun or Slurm started this process, as one of several."""
    return any(launcher.detect() for launcher in LAUNCHERS)
