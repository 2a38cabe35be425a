"""Training: the same lesson in both frameworks."""

import importlib

import numpy as np
import pandas as pd
import pytest

from digitlab.training import Checkpoint, EarlyStopping, Logger

torch = pytest.importorskip("torch")

FRAMEWORKS = ["torch", "keras"]


@pytest.fixture(params=FRAMEWORKS)
def lab(request):
    """The models and the training of one framework."""
    pytest.importorskip(request.param)
    return tuple(
        importlib.import_module(f"digitlab.{kind}.{request.param}")
        for kind in ("models", "training")
    )


@pytest.fixture
def task():
    """Three clouds of points that a linear classifier can tell apart."""
    dice = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 50)
    x = dice.normal(size=(150, 8)) + 4 * np.eye(8)[y]
    return x.astype(np.float32), y


def test_it_learns_and_says_how(lab, task):
    models, training = lab
    model = models.logistic_regression(8, 3)
    history = training.fit(model, *task, epochs=30, batch_size=16, learning_rate=0.05)
    assert len(history.loss) == len(history.accuracy) == 30
    assert history.loss[-1] < 0.3 * history.loss[0]
    assert history.accuracy[-1] > 0.97
    assert history.seconds > 0
    assert history.device
    probabilities = training.predict(model, task[0])
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == task[1]) == pytest.approx(history.accuracy[-1])


def test_a_seed_gives_one_result(lab, task):
    models, training = lab
    losses = [
        training.fit(
            models.logistic_regression(8, 3, seed=5), *task, epochs=3, batch_size=16, seed=s
        ).loss
        for s in (5, 5, 6)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_labels_that_mean_nothing_cannot_be_learned(lab, task):
    models, training = lab
    x, y = task
    shuffled = np.random.default_rng(1).permutation(y)
    history = training.fit(models.logistic_regression(8, 3), x, shuffled, epochs=20, batch_size=16)
    assert history.accuracy[-1] < 0.6


def test_a_loss_that_is_no_number_stops_the_training(lab, task):
    models, training = lab
    x, y = task
    x = x.copy()
    x[3] = np.nan
    with pytest.raises(FloatingPointError, match="epoch 1"):
        training.fit(models.logistic_regression(8, 3), x, y, epochs=2, batch_size=16)


def test_too_few_clips_are_refused(lab, task):
    models, training = lab
    x, y = task
    with pytest.raises(ValueError, match="do not fill one batch of 151: record or load more clips"):
        training.fit(models.logistic_regression(8, 3), x, y, epochs=1, batch_size=151)


def test_the_settings_in_keras_json_change_nothing(task):
    keras = pytest.importorskip("keras")
    from digitlab.models.keras import normalised_regression
    from digitlab.training.keras import fit, predict

    def learn():
        model = normalised_regression(8, 3, seed=1)
        history = fit(model, *task, epochs=3, batch_size=16, validation=task, learning_rate=0.01)
        return history.curves, predict(model, task[0])

    curves, probabilities = learn()
    before = keras.config.floatx()
    keras.config.set_floatx("float16")
    try:
        assert (again := learn())[0] == curves and np.array_equal(again[1], probabilities)
        assert keras.config.floatx() == "float16"
    finally:
        keras.config.set_floatx(before)


def test_the_twins_learn_alike(task):
    pytest.importorskip("keras")
    finals = {}
    for framework in FRAMEWORKS:
        models, training = (
            importlib.import_module(f"digitlab.{kind}.{framework}")
            for kind in ("models", "training")
        )
        finals[framework] = [
            training.fit(
                models.logistic_regression(8, 3, seed=s),
                *task,
                epochs=40,
                batch_size=16,
                learning_rate=0.01,
                seed=s,
            ).loss[-1]
            for s in range(4)
        ]
    assert np.mean(finals["torch"]) == pytest.approx(np.mean(finals["keras"]), rel=0.15)


def test_an_optimizer_that_nobody_knows_is_refused(lab, task):
    models, training = lab
    with pytest.raises(ValueError, match="adam, rmsprop"):
        training.fit(
            models.logistic_regression(8, 3), *task, epochs=1, batch_size=16, optimizer="lion"
        )


def test_clips_set_aside_are_measured_and_not_learned_from(lab, task):
    models, training = lab
    x, y = task
    alone, watched = (
        training.fit(
            model := models.logistic_regression(8, 3),
            x[20:],
            y[20:],
            epochs=4,
            batch_size=16,
            validation=validation,
        )
        for validation in (None, (x[:20], y[:20]))
    )
    assert watched.loss == alone.loss and not alone.validation_loss
    assert len(watched.validation_loss) == 4
    truth = np.mean(training.predict(model, x[:20]).argmax(axis=1) == y[:20])
    assert watched.validation_accuracy[-1] == pytest.approx(truth)


def test_accuracy_is_micro_f1_where_each_clip_has_one_label(lab, task):
    from sklearn.metrics import f1_score

    models, training = lab
    model = models.logistic_regression(8, 3)
    history = training.fit(model, *task, epochs=1, batch_size=16)
    heard = training.predict(model, task[0]).argmax(axis=1)
    assert f1_score(task[1], heard, average="micro") == pytest.approx(history.accuracy[-1])


def test_steps_that_grow_small_change_little_in_the_end(lab, task):
    models, training = lab
    level, falling, cycle = (
        training.fit(
            models.logistic_regression(8, 3),
            *task,
            epochs=10,
            batch_size=16,
            learning_rate=0.05,
            schedule=schedule,
        ).loss
        for schedule in ("constant", "cosine", "one-cycle")
    )
    assert falling[0] == level[0] < cycle[0]
    assert abs(cycle[-1] - cycle[-2]) < abs(falling[-1] - falling[-2])
    assert abs(falling[-1] - falling[-2]) < abs(level[-1] - level[-2]) / 3


def test_each_epoch_may_learn_from_other_versions(lab, task):
    models, training = lab
    x, y = task
    varied_clips = []

    def louder(clips, rng):
        varied_clips.append(clips * rng.uniform(0.5, 2, (len(clips), 1)).astype(np.float32))
        return varied_clips[-1]

    plain, varied, again = (
        training.fit(
            models.logistic_regression(8, 3), x, y, epochs=3, batch_size=16, augment=augment
        ).loss
        for augment in (None, louder, louder)
    )
    assert varied == again != plain
    assert len(varied_clips) == 6
    assert not np.allclose(*varied_clips[:2])
    assert np.array_equal(varied_clips[0], varied_clips[3])


@pytest.mark.parametrize(
    "losses, min_delta, patience, last",
    [
        ([2.30, 2.25, 2.19, 1.0], 0.1, 1, 2),  # as published for L1: over before it began
        ([2.3, 2.1, 1.9, 1.87, 1.86, 1.7], 0.05, 2, 5),
        ([2.3, 2.4, 2.2, 2.5, 2.6, 2.1], 0, 2, 5),
        ([1.0, 0.9, 0.8, 0.7], 0, 1, None),
    ],
)
def test_early_stopping_stops_where_keras_does(losses, min_delta, patience, last):
    ours = EarlyStopping(min_delta, patience)
    stops = [ours.stops(losses[:n]) for n in range(1, len(losses) + 1)]
    assert (stops.index(True) + 1 if any(stops) else None) == last
    keras = pytest.importorskip("keras")
    theirs = keras.callbacks.EarlyStopping("val_loss", min_delta, patience)
    theirs.set_model(model := keras.Sequential())
    theirs.on_train_begin()
    for epoch, loss in enumerate(losses):
        model.stop_training = False
        theirs.on_epoch_end(epoch, {"val_loss": loss})
        assert model.stop_training == (last == epoch + 1)
        if model.stop_training:
            break


def test_a_training_that_gets_no_better_stops_early(lab, task):
    models, training = lab
    history = training.fit(
        models.logistic_regression(8, 3),
        *task,
        epochs=9,
        batch_size=16,
        validation=task,
        callbacks=[EarlyStopping(min_delta=10, patience=2)],
    )
    assert len(history.loss) == 3
    with pytest.raises(ValueError, match="needs validation clips"):
        training.fit(
            models.logistic_regression(8, 3),
            *task,
            epochs=9,
            batch_size=16,
            callbacks=[EarlyStopping()],
        )


def test_the_best_weights_come_back_also_after_a_break(lab, task, tmp_path):
    models, training = lab
    x, y = task
    held_back = x[:30], y[:30]
    shuffled = np.random.default_rng(1).permutation(y[30:])  # teaches what does not hold

    def learn(*callbacks):
        model = models.logistic_regression(8, 3, seed=3)
        callbacks = [EarlyStopping(patience=4, restore_best=True), *callbacks]
        settings = {"validation": held_back, "callbacks": callbacks, "learning_rate": 0.1}
        history = training.fit(model, x[30:], shuffled, epochs=12, batch_size=16, **settings)
        return history, training.predict(model, x[:30])

    def kill(history):
        if history.epochs == history.best_epoch + 2:
            raise Killed

    history, probabilities = learn()
    loss = -np.log(probabilities[np.arange(30), y[:30]]).mean()
    assert history.best_epoch < history.epochs
    assert loss == pytest.approx(min(history.validation_loss), rel=1e-4)
    with pytest.raises(Killed):
        learn(kill, Checkpoint(tmp_path))
    for _ in range(2):  # the second time it is over already
        _, again = learn(Checkpoint(tmp_path))
        assert np.allclose(again, probabilities, atol=1e-6)


class Killed(Exception):
    """As if somebody had pulled the plug."""


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(lab, task, tmp_path):
    models, training = lab

    def learn(*callbacks, **settings):
        model = models.normalised_regression(8, 3, seed=2)
        settings = {"epochs": 5, "batch_size": 16, "seed": 3, "schedule": "cosine"} | settings
        history = training.fit(
            model,
            *task,
            validation=(task[0][:30], task[1][:30]),
            callbacks=[EarlyStopping(min_delta=0.001, patience=4), *callbacks],
            **settings,
        )
        return history, training.predict(model, task[0])

    def kill(history):
        if history.epochs == 2:
            raise Killed

    unbroken, expected = learn()
    with pytest.raises(Killed):
        learn(kill, Checkpoint(tmp_path))
    epochs_run = []
    resumed, actual = learn(lambda history: epochs_run.append(history.epochs), Checkpoint(tmp_path))
    assert epochs_run == [3, 4, 5]
    assert resumed.loss == pytest.approx(unbroken.loss, rel=1e-6)
    assert resumed.validation_accuracy == pytest.approx(unbroken.validation_accuracy)
    assert resumed.seconds > 0
    assert np.allclose(actual, expected, atol=1e-6)

    again, actual = learn(kill, Checkpoint(tmp_path))  # it is over: nothing is done anew
    assert again.loss == resumed.loss and np.allclose(actual, expected, atol=1e-6)
    other, _ = learn(Checkpoint(tmp_path), seed=4)
    assert other.loss[0] != unbroken.loss[0]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_seed_and_the_epoch_decide_what_dropout_silences(task, tmp_path):
    from digitlab.training.torch import fit

    def learn(seed_before, **settings):
        torch.manual_seed(0)
        layers = [torch.nn.Dropout(0.5), torch.nn.Linear(8, 3), torch.nn.LogSoftmax(dim=1)]
        torch.manual_seed(seed_before)
        return fit(torch.nn.Sequential(*layers), *task, batch_size=16, **settings).loss

    def kill(history):
        if history.epochs == 2:
            raise Killed

    losses = learn(1, epochs=4, seed=7)
    after = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(3))  # PyTorch's own generator is as it was
    assert learn(2, epochs=4, seed=7) == losses != learn(1, epochs=4, seed=8)
    with pytest.raises(Killed):
        learn(3, epochs=4, seed=7, callbacks=[Checkpoint(tmp_path), kill])
    assert learn(4, epochs=4, seed=7, callbacks=[Checkpoint(tmp_path)]) == losses


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(lab, task, tmp_path):
    from digitlab.environment import replacing

    file = tmp_path / "a.checkpoint"
    file.write_bytes(b"whole")
    with pytest.raises(Killed), replacing(file) as out:
        out.write(b"ha")
        raise Killed
    assert file.read_bytes() == b"whole"


def test_tensorboard_and_a_spreadsheet_read_the_curves(lab, task, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    models, training = lab
    history = training.fit(
        models.logistic_regression(8, 3),
        *task,
        epochs=3,
        batch_size=16,
        validation=task,
        callbacks=[Logger(tmp_path)],
    )
    board = EventAccumulator(str(tmp_path)).Reload()
    curves = history.curves
    assert set(board.Tags()["tensors"]) == set(curves)
    for name, values in curves.items():
        events = board.Tensors(name)
        assert [event.step for event in events] == [1, 2, 3]
        assert [event.tensor_proto.float_val[0] for event in events] == pytest.approx(values)
    table = pd.read_csv(tmp_path / "metrics.csv", index_col="epoch")
    assert table.index.tolist() == [1, 2, 3]
    assert table["validation_loss"].tolist() == pytest.approx(history.validation_loss)


def test_validation_clips_that_give_no_number_stop_the_training(lab, task):
    models, training = lab
    x, y = task
    with pytest.raises(FloatingPointError, match="the validation loss was nan after epoch 1"):
        training.fit(
            models.logistic_regression(8, 3),
            x,
            y,
            epochs=2,
            batch_size=16,
            validation=(x * np.nan, y),
        )


def test_a_device_that_is_not_there_is_refused():
    from digitlab.environment import torch_device

    with pytest.raises(ValueError, match="a GPU is used where there is one"):
        torch_device("cuda:99")
    assert torch_device("cpu") == "cpu"
