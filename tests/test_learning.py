"""Models and their training: the same size and the same lesson in both frameworks."""

import importlib

import numpy as np
import pytest

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


def test_it_has_the_published_size(lab):
    models, _ = lab
    assert models.count_parameters(models.logistic_regression(336, 10)) == (3370, 3370)


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


def test_a_device_that_is_not_there_is_refused():
    from digitlab._devices import torch_device

    with pytest.raises(ValueError, match="a GPU is used where there is one"):
        torch_device("cuda:99")
    assert torch_device("cpu") == "cpu"
