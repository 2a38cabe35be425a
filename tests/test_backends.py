"""Keras's models do the same in each of its backends, and beside a hostile keras.json."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitlab import features

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

import backend_checks as checks  # noqa: E402

from digitlab.models import torch as in_torch  # noqa: E402
from digitlab.training.torch import predict  # noqa: E402

BACKENDS = ["tensorflow", "torch", "jax"]
HOSTILE = {"floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-7}


def as_in_keras(model):
    """Lay out the numbers of a PyTorch model as its twin has them."""
    values = [
        value.numpy()
        for name, value in model.state_dict().items()
        if value.is_floating_point() and "bias_hh" not in name
    ]
    return [np.moveaxis(v, (1, 0), (-2, -1)) if v.ndim > 1 else v for v in values]


def with_statistics(model, low, high):
    """Give the batch normalisation of a network in PyTorch something to do."""
    rng = np.random.default_rng(0)
    for key, values in model.state_dict().items():
        if "running_mean" in key:
            values.copy_(torch.from_numpy(rng.normal(0, 0.05, len(values))))
        elif "running_var" in key:
            values.copy_(torch.from_numpy(rng.uniform(low, high, len(values))))
    return model


def twin(name):
    """Build a network in PyTorch whose batch normalisation has something to do."""
    return with_statistics(checks.build(in_torch, name), 0.1, 1)


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    """Write what every backend is given, and what it is to find with it."""
    from kymatio import Scattering1D

    t = np.arange(3001)
    noise = np.random.default_rng(0).normal(size=len(t))
    clips = np.stack([noise, np.sin(0.3 * t), t == 1000, 0 * t]).astype(np.float32)
    scatter = Scattering1D(J=6, shape=2048, Q=4, frontend="numpy")
    layout = checks.LAYOUT
    references = {
        "scattering": scatter(clips[:, :2048].astype(float)),
        "complex": features.spectrogram(clips, 8000, **layout),
        "roots": features.spectrogram(clips, 8000, power=0.5, **layout),
        "log_mel": features.log_mel_spectrogram(clips, 8000, n_mels=20, **layout),
    }
    arrays = {name: np.moveaxis(x, 1, 3) if x.ndim == 4 else x for name, x in references.items()}
    arrays |= {"clips": clips, "steps": np.float32([[[0], [3], [0], [2], [0]], [[0]] * 5])}
    for name in checks.NETWORKS:
        model, x = twin(name), checks.batch(name)
        arrays |= {f"{name} {i}": values for i, values in enumerate(as_in_keras(model))}
        arrays |= {f"{name} x": x, f"{name} y": predict(model, x)}
    file = tmp_path_factory.mktemp("given") / "given.npz"
    np.savez(file, **arrays)
    return file


@pytest.fixture(scope="session", params=BACKENDS)
def found(request, given, tmp_path_factory):
    """Run all checks in one process of each backend: in this one, if it is its own."""
    backend = request.param
    pytest.importorskip(backend)
    folder = tmp_path_factory.mktemp(backend)
    (folder / "given.npz").symlink_to(given)
    if backend == keras.backend.backend():
        checks.main(folder)
    else:
        quick = "--xla_backend_optimization_level=0"  # for JAX: it compiles twice as fast
        environment = os.environ | {"KERAS_BACKEND": backend, "XLA_FLAGS": quick}
        if backend == "torch":
            (folder / "keras.json").write_text(json.dumps(HOSTILE))
            environment["KERAS_HOME"] = str(folder)
        command = [sys.executable, Path(checks.__file__), folder]
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert run.returncode == 0, run.stderr[-2000:]
    results = json.loads((folder / "found.json").read_text())
    floatx = "float16" if backend == "torch" else "float32"
    assert results["settings"] == [backend, floatx]
    return results


@pytest.mark.parametrize("name", ["scattering", "complex", "roots", "log_mel"])
def test_layers_compute_what_the_references_do(found, given, name):
    error, shape, n_weights = found["check_layers"][name]
    theirs = np.load(given)[name]
    assert tuple(shape) == theirs.shape[1:] and n_weights == 0
    assert error < (1e-3 if name == "roots" else 1e-4)


def test_steps_of_zeros_are_moved_to_the_end_and_masked(found):
    assert found["check_skip_zeros"] == [
        [3, 2, 0, 0, 0, 0, 0, 0, 0, 0],
        [True, True, False, False, False, True, False, False, False, False],
    ]


def test_networks_with_the_weights_of_their_twins_give_the_same_probabilities(found):
    errors = found["check_networks"]
    assert {"raw_lstm", "mel_cnn", "separable_cnn"} <= set(errors)
    # the logarithm of next to nothing turns rounding into something
    assert errors.pop("scattering_regression", 0) < 1e-3
    assert max(errors.values()) < 1e-5


def test_the_twins_inputs_make_a_difference(given):
    arrays = np.load(given)
    for name in checks.NETWORKS:
        assert np.ptp(arrays[f"{name} y"], axis=0).max() > 1e-4, name


def test_layers_and_networks_learn(found):
    losses = found["check_training"]
    assert all(np.isfinite(each).all() for each in losses.values())
    assert min(losses["scattering"]) < losses["scattering"][0]


def test_saved_models_come_back_with_their_settings(found):
    loaded = found["check_saving"]
    assert max(error for error, _ in loaded.values()) < 1e-6
    settings = {"rate": 8000, "n_mels": 20, **checks.LAYOUT, "power": 2}
    assert {key: loaded["log_mel"][1][key] for key in settings} == settings
    assert (loaded["scattering"][1]["J"], loaded["scattering"][1]["Q"]) == (6, 4)


def test_a_recogniser_comes_back_from_its_file(found):
    assert found["check_recogniser"] < 1e-6
