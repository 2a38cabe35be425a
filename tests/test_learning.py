"""Models and their training: the same size and the same lesson in both frameworks."""

import importlib

import numpy as np
import pandas as pd
import pytest

from digitlab.training import Checkpoint, EarlyStopping, Logger

torch = pytest.importorskip("torch")

FRAMEWORKS = ["torch", "keras"]
SEQUENCE_MODELS = ["raw_lstm", "mel_lstm", "frame_lstm", "raw_cnn"]
PICTURE_MODELS = {"picture_dense": (40, 20, 1), "mel_dense": (20, 16), "mel_cnn": (20, 16)}


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


@pytest.fixture
def words():
    """Sequences that rise, fall or stay, each after and before some silence."""
    dice = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 40)
    x = np.zeros((120, 20, 4), np.float32)
    courses = np.stack([np.linspace(0.2, 2, 12), np.linspace(2, 0.2, 12), np.ones(12)])
    for clip, start, course in zip(x, dice.integers(0, 8, 120), courses[y], strict=True):
        clip[start : start + 12] = course[:, np.newaxis] + dice.normal(0, 0.05, (12, 4))
    return x, y


SIZES = {
    "logistic_regression": ((336, 10), 3370),
    "raw_lstm": ((17640, 1, 10), 4510),
    "mel_lstm": ((64, 35, 10), 318218),
    "frame_lstm": ((35, 64, 10), 33674),
    "picture_dense": ((233, 129, 1, 10), 14206282),
    "mel_dense": ((35, 64, 10), 252122),
}


@pytest.mark.parametrize("name", SIZES)
def test_it_has_the_published_size(name, lab):
    models, _ = lab
    sizes, n_parameters = SIZES[name]
    model = getattr(models, name)(*sizes)
    assert models.count_parameters(model) == (n_parameters, n_parameters)


def test_it_starts_as_its_seed_says(lab):
    models, training = lab
    x = np.eye(6, dtype=np.float32)
    answers = [training.predict(models.logistic_regression(6, 3, seed=s), x) for s in (1, 1, 2)]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


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
    with pytest.raises(ValueError, match="do not fill one batch of 151"):
        training.fit(models.logistic_regression(8, 3), x, y, epochs=1, batch_size=151)


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
                epochs=10,
                batch_size=16,
                learning_rate=0.01,
                seed=s,
            ).loss[-1]
            for s in range(4)
        ]
    assert np.mean(finals["torch"]) == pytest.approx(np.mean(finals["keras"]), rel=0.15)


def twins(name, *sizes):
    """A model in Keras, and its twin in PyTorch with the same weights."""
    pytest.importorskip("keras")
    models = [importlib.import_module(f"digitlab.models.{name}") for name in ("keras", "torch")]
    first, second = (getattr(module, name)(*sizes, seed=1) for module in models)
    weights = [p for p in second.parameters() if p.requires_grad]
    for value, weight in zip(first.trainable_weights, weights, strict=True):
        value = np.moveaxis(np.asarray(value), (-2, -1), (1, 0)) if value.ndim > 1 else value
        weight.data = torch.tensor(np.asarray(value))
    return first, second


def heard_by(name, x):
    """Turn the sequences into noise that swells and fades, for what works on many samples."""
    if name != "raw_cnn":
        return x
    x = np.repeat(x, 80, axis=1)
    return x * np.random.default_rng(0).normal(size=x.shape).astype(np.float32)


def answers(name, model, x):
    return importlib.import_module(f"digitlab.training.{name}").predict(model, x)


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_twins_with_the_same_weights_give_the_same_answers(name, words):
    x = heard_by(name, words[0])
    first, second = twins(name, *x.shape[1:], 3)
    assert np.allclose(answers("keras", first, x), answers("torch", second, x), atol=1e-5)


@pytest.mark.parametrize("name", PICTURE_MODELS)
def test_twins_see_the_same_picture(name):
    shape = PICTURE_MODELS[name]
    pictures = np.random.default_rng(0).uniform(size=(24, *shape)).astype(np.float32)
    first, second = twins(name, *shape, 3)
    assert np.allclose(answers("keras", first, pictures), answers("torch", second, pictures))
    y = np.arange(24) % 3
    losses = [
        importlib.import_module(f"digitlab.training.{framework}")
        .fit(model, pictures, y, epochs=3, batch_size=8, learning_rate=1e-5, optimizer="rmsprop")
        .loss
        for framework, model in (("keras", first), ("torch", second))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_an_optimizer_that_nobody_knows_is_refused(lab, task):
    models, training = lab
    with pytest.raises(ValueError, match="adam, rmsprop"):
        training.fit(
            models.logistic_regression(8, 3), *task, epochs=1, batch_size=16, optimizer="lion"
        )


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_twins_with_the_same_weights_learn_the_same(name, words):
    x, y = heard_by(name, words[0]), words[1]
    losses = [
        importlib.import_module(f"digitlab.training.{framework}")
        .fit(model, x, y, epochs=3, batch_size=16, seed=4, learning_rate=1e-4)
        .loss
        for framework, model in zip(("keras", "torch"), twins(name, *x.shape[1:], 3), strict=True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_the_twins_start_alike(name):
    pytest.importorskip("keras")
    spreads = []
    for framework in FRAMEWORKS:
        models = importlib.import_module(f"digitlab.models.{framework}")
        model = getattr(models, name)(2000, 64, 10, seed=3)
        keras_has_it = framework == "keras"
        weights = model.trainable_weights if keras_has_it else map(torch.detach, model.parameters())
        spreads.append([values.std() for values in map(np.asarray, weights) if values.any()])
    assert np.allclose(*spreads, rtol=0.2)


def test_a_seed_decides_every_weight_of_an_lstm(lab, words):
    models, training = lab
    x, _ = words
    first, same, other = (training.predict(models.raw_lstm(20, 4, 3, seed=s), x) for s in (1, 1, 2))
    assert np.array_equal(first, same) and not np.allclose(first, other)


def test_silence_is_skipped_wherever_it_stands(lab, words):
    models, training = lab
    model = models.raw_lstm(20, 4, 3, seed=1)
    x = words[0][:2]
    heard = [clip[clip.any(axis=1)] for clip in x]
    at_the_end, with_holes = np.zeros((2, *x.shape), np.float32)
    for row, steps in enumerate(heard):
        at_the_end[row, : len(steps)] = steps
        with_holes[row, [0, 1, 2, 5, 6, 8, 9, 10, 11, 12, 17, 19]] = steps
    expected = training.predict(model, np.stack(heard))
    for padded in (x, at_the_end, with_holes):
        assert np.allclose(training.predict(model, padded), expected, atol=1e-6)
    changed = at_the_end.copy()
    changed[:, 3, 0] += 1
    assert not np.allclose(training.predict(model, changed), expected, atol=1e-3)


def test_a_silent_clip_is_no_reason_to_fail(lab):
    models, training = lab
    silent = training.predict(models.raw_lstm(20, 4, 3, seed=1), np.zeros((2, 20, 4), np.float32))
    assert np.isfinite(silent).all()


def test_a_hidden_sample_teaches_nothing(lab, words):
    models, training = lab
    x, y = words
    short = x[:, :15] * (np.arange(15) < 12)[:, np.newaxis]
    longer = np.pad(short, ((0, 0), (0, 5), (0, 0)))
    losses = [
        training.fit(models.raw_lstm(x_.shape[1], 4, 3), x_, y, epochs=2, batch_size=16).loss
        for x_ in (short, longer)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_pytorchs_second_bias_stays_zero(words):
    models, training = (
        importlib.import_module(f"digitlab.{kind}.torch") for kind in ("models", "training")
    )
    model = models.raw_lstm(20, 4, 3)
    before = model[1].weight_hh_l0.clone()
    training.fit(model, *words, epochs=1, batch_size=16)
    assert not model[1].bias_hh_l0.any()
    assert not torch.equal(model[1].weight_hh_l0, before)


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
            callbacks=[EarlyStopping(min_delta=0.001, patience=3), *callbacks],
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
    curves = {
        "loss/training": history.loss,
        "accuracy/training": history.accuracy,
        "loss/validation": history.validation_loss,
        "accuracy/validation": history.validation_accuracy,
    }
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
