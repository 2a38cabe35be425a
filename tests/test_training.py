"""What a user of any trainer relies on: plain refusals, checkpoints, devices, early stopping."""

import errno
import importlib
import io
import pickle
from contextlib import contextmanager

import numpy as np
import pytest

from digitlab.training import Checkpoint, CheckpointError, EarlyStopping, Logger

torch = pytest.importorskip("torch")

TRAINERS = ["torch", "keras", "lightning"]
RNG = np.random.default_rng(0)
Y = np.tile([0, 1, 2], 20)
X = (RNG.normal(size=(60, 8)) + 2 * np.eye(8)[Y]).astype(np.float32)


class Trainer:
    """One of the three, called in one way."""

    def __init__(self, name):
        framework = "keras" if name == "keras" else "torch"
        pytest.importorskip(framework)
        pytest.importorskip(name)
        self.name = name
        self.models = importlib.import_module(f"digitlab.models.{framework}")
        self.training = importlib.import_module(f"digitlab.training.{name}")

    def fit(self, *callbacks, x=X, y=Y, n_in=8, **settings):
        model = self.models.normalised_regression(n_in, 3, seed=1)
        data = [(x, y)] if self.name == "lightning" else [x, y]
        settings = {"epochs": 3, "batch_size": 16, "device": "cpu"} | settings
        history = self.training.fit(model, *data, callbacks=list(callbacks), **settings)
        return history, self.models.get_weights(model)

    def predict(self, x):
        return self.training.predict(self.models.normalised_regression(8, 3, seed=1), x)


@pytest.fixture(params=TRAINERS)
def trainer(request):
    return Trainer(request.param)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, words",
    [
        ({"x": (100 * X).astype(np.int16)}, "features are int16.*to_float"),
        ({"x": X.astype(complex)}, "features are complex128"),
        ({"y": Y[:50]}, "one label for each clip"),
        ({"y": Y + 1}, "a label 3, and the model has classes 0 to 2"),
        ({"y": Y - 1}, "count from 0"),
        ({"y": Y.astype(float)}, "whole numbers"),
        ({"n_in": 7}, r"cannot be given clips of shape \(8,\)"),
        ({"validation": (X[:0], Y[:0])}, "there are no clips"),
        ({"validation": (X, Y + 1)}, "a label 3"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0}, "number above 0"),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_refused(trainer, data, words):
    with pytest.raises(ValueError, match=words):
        trainer.fit(**data)


@pytest.mark.parametrize(
    "x, words",
    [
        (X.astype(np.uint8), "features are uint8"),
        (X[:0], "there are no clips"),
        (X[:, :5], r"cannot be given clips of shape \(5,\)"),
        (X[0], r"cannot be given clips of shape \(\)"),
    ],
)
def test_features_that_a_model_cannot_be_given_are_refused(trainer, x, words):
    with pytest.raises(ValueError, match=words):
        trainer.predict(x)


@pytest.mark.parametrize(
    "callbacks, words",
    [
        ([EarlyStopping()], "needs validation clips"),
        ([EarlyStopping(), EarlyStopping(patience=2)], "more than one EarlyStopping"),
        ([EarlyStopping], "cannot be a callback"),
        (["logs"], "cannot be a callback"),
    ],
)
def test_callbacks_that_mean_nothing_are_refused(trainer, callbacks, words):
    with pytest.raises(ValueError, match=words):
        trainer.fit(*callbacks)


def test_a_single_callback_must_stand_in_a_list():
    model = Trainer("torch").models.logistic_regression(8, 3)
    with pytest.raises(ValueError, match=r"callbacks=\[...\]"):
        Trainer("torch").training.fit(model, X, Y, epochs=1, batch_size=8, callbacks=print)


def test_a_folder_that_cannot_be_written_is_refused_before_the_training(trainer, tmp_path):
    (tmp_path / "file").write_text("")
    epochs = []
    for callback in (Checkpoint(tmp_path / "file" / "kept"), Logger(tmp_path / "file" / "kept")):
        with pytest.raises(OSError, match="nothing can be written into"):
            trainer.fit(callback, epochs.append)
    assert not epochs


def test_a_folder_that_cannot_be_made_is_named_in_one_plain_sentence(trainer, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "kept"):
        for callback in (Checkpoint(folder), Logger(folder)):
            with pytest.raises(OSError, match="no such folder can be made there") as caught:
                trainer.fit(callback)
            assert str(folder) in str(caught.value) and "Errno" not in str(caught.value)


class FullDisk(io.BytesIO):
    """A file for which there is no room."""

    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_during_a_training_is_said(trainer, tmp_path, monkeypatch):
    module = "trainer" if trainer.name == "lightning" else "common"
    full = contextmanager(lambda _: (yield FullDisk()))
    monkeypatch.setattr(f"digitlab.training.{module}.replacing", full)
    with pytest.raises(OSError, match="No space left"):
        trainer.fit(Checkpoint(tmp_path))


def test_a_folder_in_the_place_of_a_checkpoint_is_named(trainer, tmp_path):
    trainer.fit(Checkpoint(tmp_path), epochs=1)
    [file] = tmp_path.glob("*.checkpoint")
    file.unlink()
    file.mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder") as caught:
        trainer.fit(Checkpoint(tmp_path), epochs=1)
    assert str(file) in str(caught.value) and "Errno" not in str(caught.value)


# --- checkpoints ------------------------------------------------------------------------------


class Bomb:
    """Runs a program when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return type(self.file).touch, (self.file,)


def damaged(kind, whole, folder, other):
    """What may stand where a checkpoint stood."""
    if kind == "bomb in a zip":
        file = folder / "bomb.zip"
        torch.save({"model": Bomb(folder / "exploded")}, file)
        return file.read_bytes()
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "random": np.random.default_rng(0).bytes(2000),
        "text": b"my notes",
        "bit flips": whole[:400] + bytes(255 - byte for byte in whole[400:500]) + whole[500:],
        "of another model": other,
        "bomb": pickle.dumps(Bomb(folder / "exploded")),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["empty", "cut", "random", "text", "bit flips", "of another model", "bomb", "bomb in a zip"],
)
def test_a_damaged_checkpoint_is_named_and_the_remedy_works(trainer, tmp_path, kind):
    expected = trainer.fit(Checkpoint(tmp_path))
    [file] = tmp_path.glob("*.checkpoint")
    trainer.fit(Checkpoint(tmp_path / "other"), x=X[:, :5], n_in=5)
    [other] = (tmp_path / "other").iterdir()
    file.write_bytes(damaged(kind, file.read_bytes(), tmp_path, other.read_bytes()))
    with pytest.raises(CheckpointError, match="delete it to begin anew") as caught:
        trainer.fit(Checkpoint(tmp_path))
    assert str(file) in str(caught.value)
    assert not (tmp_path / "exploded").exists()
    file.unlink()
    history, weights = trainer.fit(Checkpoint(tmp_path))
    assert history.loss == expected[0].loss
    assert all(map(np.array_equal, weights, expected[1]))


def test_a_model_is_as_it_was_after_a_damaged_checkpoint(tmp_path):
    trainer = Trainer("torch")
    trainer.fit(Checkpoint(tmp_path))
    [file] = tmp_path.iterdir()
    kept = torch.load(file, weights_only=True)
    torch.save(kept | {"optimizer": {}}, file)
    model = trainer.models.normalised_regression(8, 3, seed=1)
    before = [values.copy() for values in trainer.models.get_weights(model)]
    settings = {"epochs": 3, "batch_size": 16, "device": "cpu"}
    with pytest.raises(CheckpointError):
        trainer.training.fit(model, X, Y, callbacks=[Checkpoint(tmp_path)], **settings)
    assert all(map(np.array_equal, trainer.models.get_weights(model), before))


def test_an_interrupted_training_ends_as_it_would_have_whatever_the_schedule(trainer, tmp_path):
    def stop(history):
        if history.epochs == 2:
            raise KeyboardInterrupt

    stopping = EarlyStopping(patience=5, restore_best=True)
    schedule = {} if trainer.name == "lightning" else {"schedule": "one-cycle"}
    settings = {"epochs": 4, "validation": (X[:20], Y[:20]), "seed": 3} | schedule
    expected = trainer.fit(stopping, **settings)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(stop, stopping, Checkpoint(tmp_path), **settings)
    history, weights = trainer.fit(stopping, Checkpoint(tmp_path), **settings)
    assert history.curves == expected[0].curves
    assert all(map(np.array_equal, weights, expected[1]))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_wants_functions_that_it_can_recognise(tmp_path):
    with pytest.raises(ValueError, match="define it at the top of a file"):
        Trainer("torch").fit(Checkpoint(tmp_path), augment=lambda x, rng: x)


# --- early stopping ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "losses, min_delta, patience",
    [
        ([2.30, 2.25, 2.19, 1.0], 0.1, 1),
        ([2.3, 2.1, 1.9, 1.87, 1.86, 1.7], 0.05, 2),
        ([2.3, 2.4, 2.2, 2.5, 2.6, 2.1], 0, 2),
        ([1.0, 0.9, 0.8, 0.7], 0, 1),
        ([1.0, 1.1, 1.2], 0, 0),
    ],
)
def test_early_stopping_stops_where_lightnings_does(losses, min_delta, patience):
    L = pytest.importorskip("lightning.pytorch")
    theirs = L.callbacks.EarlyStopping("loss", min_delta=min_delta, patience=patience)
    ours = EarlyStopping(min_delta, patience)
    for epoch, loss in enumerate(losses, start=1):
        stops, _ = theirs._evaluate_stopping_criteria(torch.tensor(loss, dtype=torch.float64))
        assert ours.stops(losses[:epoch]) == stops
        if stops:
            break


def test_every_trainer_calls_functions_after_each_epoch(trainer):
    epochs = []
    history, _ = trainer.fit(lambda history: epochs.append(history.epochs))
    assert epochs == [1, 2, 3] and history.epochs == 3


# --- devices ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tpu:9", "gpu:7", "cuda:7", "cpu:5", "nonsense", "", "meta"])
def test_a_device_that_is_not_there_is_refused(trainer, name):
    with pytest.raises(ValueError, match="a GPU is used where there is one") as caught:
        trainer.fit(device=name)
    if trainer.name == "keras" and importlib.import_module("keras").backend.backend() == "torch":
        name = name.replace("gpu", "cuda")
    assert repr(name) in str(caught.value)


def test_the_one_cpu_goes_by_two_names(trainer):
    assert trainer.fit(device="cpu:0")[0].loss == trainer.fit(device="cpu")[0].loss
