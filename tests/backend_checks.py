"""What Keras must do in every backend. test_backends.py runs this once in a process of each.

``python backend_checks.py FOLDER`` reads ``FOLDER/given.npz`` and writes ``FOLDER/found.json``.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from digitlab import recognisers
from digitlab.models import keras as models
from digitlab.preparation import Preparation
from digitlab.training.keras import fit, predict

LAYOUT = {"n_fft": 400, "win_length": 201, "hop_length": 57, "pad": 31}
NETWORKS = {  # a small size of each builder, and its settings
    "logistic_regression": ((8, 3), {}),
    "normalised_regression": ((8, 3), {}),
    "scattering_regression": ((1024, 1, 3), {}),
    "raw_lstm": ((20, 4, 3), {}),
    "mel_lstm": ((20, 4, 3), {}),
    "frame_lstm": ((20, 4, 3), {}),
    "raw_cnn": ((1600, 4, 3), {}),
    "picture_dense": ((40, 20, 1, 3), {}),
    "mel_dense": ((20, 16, 3), {}),
    "mel_cnn": ((20, 16, 3), {}),
    "deep_cnn": ((2400, 1, 3), {}),
    "deep_cnn magnitude": ((2400, 1, 3), {"front_end": "magnitude"}),
    "deep_cnn power": ((2400, 1, 3), {"front_end": "power"}),
    "deep_cnn log-mel": ((2400, 1, 3), {"front_end": "log-mel"}),
    "separable_cnn": ((2400, 1, 3), {}),
    "residual_cnn": ((20, 16, 3), {}),
}


COMPILES = keras.backend.backend() == "jax"  # seconds for each model: fewer are enough
CHECKED = ("raw_lstm", "mel_cnn", "separable_cnn") if COMPILES else tuple(NETWORKS)
TRAINED = ("deep_cnn",)
if keras.backend.backend() == "torch":  # which compiles nothing
    TRAINED += ("raw_lstm", "separable_cnn")


def build(kit, name, seed=1):
    """Build one of these networks with the builders of a framework."""
    sizes, settings = NETWORKS[name]
    return getattr(kit, name.split()[0])(*sizes, seed=seed, **settings)


def batch(name):
    """Return four clips for one of these networks: loud, faint, with silent steps, silent."""
    *shape, _ = NETWORKS[name][0]
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    x[1] /= 50
    x[2, ::3] = 0
    x[3] = 0
    return x


def outputs(model, x):
    """Return a model's output, of samples that Keras has not rounded to keras.json's floatx."""
    return model.predict(x, verbose=0) if COMPILES else keras.ops.convert_to_numpy(model(x))


def deviation(ours, theirs):
    return float(np.abs(ours - theirs).max())


def stack(n_samples, *layers):
    return keras.Sequential([keras.Input((n_samples,), dtype="float32"), *layers])


def classifier(n_samples, *layers):
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(3, activation="softmax", dtype="float32")
    return stack(n_samples, *layers, keras.layers.Flatten(dtype="float32"), dense)


def front_ends():
    """Return the layers before a network, and how many samples they are given."""
    return {
        "scattering": ([models.Scattering(6, 4)], 2048),
        "complex": ([models.Spectrogram(**LAYOUT)], 3001),
        "roots": ([models.Spectrogram(0.5, **LAYOUT)], 3001),
        "log_mel": ([models.Spectrogram(2, **LAYOUT), models.LogMel(8000, 20, 400)], 3001),
    }


def check_layers(given, folder):
    """Return each layer's deviation from its reference, its output shape and its weights."""
    found = {}
    for name, (layers, n_samples) in front_ends().items():
        model = stack(n_samples, *layers)
        error = deviation(outputs(model, given["clips"][:, :n_samples]), given[name])
        found[name] = error, model.output_shape[1:], model.count_params()
    return found


def check_skip_zeros(given, folder):
    """Return steps without zeros in front, and their mask."""
    layer = models.SkipZeros()
    steps, mask = layer(given["steps"]), layer.compute_mask(given["steps"])
    return [np.ravel(keras.ops.convert_to_numpy(each)).tolist() for each in (steps, mask)]


def check_networks(given, folder):
    """Return how far each network's probabilities are from its twin's with the same weights."""
    found = {}
    for name in CHECKED:
        model = build(models, name)
        own = [weight.shape for weight in model.weights]
        values = [given[f"{name} {i}"].reshape(shape) for i, shape in enumerate(own)]
        models.set_weights(model, values)
        found[name] = deviation(outputs(model, given[f"{name} x"]), given[f"{name} y"])
    return found


def check_training(given, folder):
    """Return the losses of trainings through layers, masks, dropout and batch normalisation."""
    found = {}
    layers, n_samples = front_ends()["scattering"]
    model, x = classifier(n_samples, *layers), given["clips"][:, :n_samples]
    found["scattering"] = fit(model, x, np.arange(4) % 3, epochs=4, batch_size=4).loss
    for name in TRAINED:
        model, x = build(models, name), given[f"{name} x"]
        found[name] = fit(model, x, np.arange(4) % 3, epochs=1, batch_size=4).loss
    return found


def check_saving(given, folder):
    """Return how far a loaded model's outputs are from the saved one's, and its settings."""
    found = {}
    cases = {
        name: (classifier(n_samples, *layers), given["clips"][:, :n_samples])
        for name, (layers, n_samples) in front_ends().items()
        if name in ("scattering", "log_mel")
    }
    cases["raw_lstm"] = build(models, "raw_lstm"), given["raw_lstm x"]
    for name, (model, x) in cases.items():
        model.save(folder / f"{name}.keras")
        again = keras.saving.load_model(folder / f"{name}.keras")
        settings = {}
        for layer in again.layers:
            settings |= layer.get_config()
        kept = {key: settings.get(key) for key in ("J", "Q", "power", "rate", "n_mels", *LAYOUT)}
        found[name] = deviation(outputs(again, x), outputs(model, x)), kept
    return found


def check_recogniser(given, folder):
    """Return how far a recogniser's outputs are from its own after it was kept in a file."""
    about = dict.fromkeys(recognisers.DESCRIBED, "") | {
        "framework": "keras",
        "seed": 3,
        "n_train": 1,
        "test_accuracy": 1.0,
        "refuse_above": 0.5,
        "preparation": Preparation(rate=8000, n_samples=1600),
        "features": "samples",
        "builder": "raw_cnn",
        "model_settings": {},
        "classes": ("one", "two"),
    }
    trained = recognisers.Recogniser(**about, model=models.raw_cnn(1600, 1, 2, seed=3))
    trained.save(folder / "trained.npz")
    x = given["clips"][:, :1600, None]
    again = recognisers.load(folder / "trained.npz")
    return deviation(predict(again.model, x), predict(trained.model, x))


def main(folder):
    given = dict(np.load(folder / "given.npz"))
    checks = (check_layers, check_skip_zeros, check_networks, check_training, check_saving)
    found = {check.__name__: check(given, folder) for check in (*checks, check_recogniser)}
    found["settings"] = keras.backend.backend(), keras.config.floatx()
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
