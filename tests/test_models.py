"""Models: the same sizes, first weights and outputs in both frameworks, on any device."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

import backend_checks as checks  # noqa: E402
from test_backends import as_in_keras  # noqa: E402

from digitlab.models import keras as in_keras  # noqa: E402
from digitlab.models import torch as in_torch  # noqa: E402
from digitlab.training import keras as keras_training  # noqa: E402
from digitlab.training import torch as torch_training  # noqa: E402

KITS = {"torch": in_torch, "keras": in_keras}
TRAININGS = {"torch": torch_training, "keras": keras_training}
SEQUENCE_MODELS = ["raw_lstm", "mel_lstm", "frame_lstm", "raw_cnn"]
COUNTS = {  # sizes as published, all numbers, and those that are learned
    "logistic_regression": ((336, 10), {}, 3370, 3370),
    "normalised_regression": ((336, 10), {}, 4714, 4042),
    "scattering_regression": ((8192, 1, 10), {}, 4714, 4042),
    "raw_lstm": ((17640, 1, 10), {}, 4510, 4510),
    "mel_lstm": ((64, 35, 10), {}, 318218, 318218),
    "frame_lstm": ((35, 64, 10), {}, 33674, 33674),
    "raw_cnn": ((8192, 1, 10), {}, 132778, 132202),
    "picture_dense": ((233, 129, 1, 10), {}, 14206282, 14206282),
    "mel_dense": ((35, 64, 10), {}, 252122, 252122),
    "mel_cnn": ((35, 64, 10), {}, 28762, 28538),
    "deep_cnn": ((16000, 1, 30), {}, 1852350, 1849342),
    "deep_cnn magnitude": ((16000, 1, 30), {"front_end": "magnitude"}, 1852062, 1849054),
    "deep_cnn power": ((16000, 1, 30), {"front_end": "power"}, 1852062, 1849054),
    "deep_cnn log-mel": ((16000, 1, 30), {"front_end": "log-mel"}, 1852062, 1849054),
    "separable_cnn": ((16000, 1, 30), {}, 64350, 63390),
    "residual_cnn": ((65, 40, 10), {}, 125930, 125066),
}
HOSTILE = {"half": ("float16", "float16"), "mixed": ("float32", "mixed_float16")}


@pytest.fixture(params=KITS)
def lab(request):
    """The models and the training of one framework."""
    return KITS[request.param], TRAININGS[request.param]


@pytest.fixture
def words():
    """Sequences that rise, fall or stay, each after and before some silence."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 40)
    x = np.zeros((120, 20, 4), np.float32)
    courses = np.stack([np.linspace(0.2, 2, 12), np.linspace(2, 0.2, 12), np.ones(12)])
    for clip, start, course in zip(x, rng.integers(0, 8, 120), courses[y], strict=True):
        clip[start : start + 12] = course[:, np.newaxis] + rng.normal(0, 0.05, (12, 4))
    return x, y


def as_noise(x):
    """Turn sequences into noise that swells and fades, for a network that takes many samples."""
    x = np.repeat(x, 80, axis=1)
    return x * np.random.default_rng(0).normal(size=x.shape).astype(np.float32)


# --- sizes and first weights ----------------------------------------------------------------------


@pytest.mark.parametrize("framework", KITS)
@pytest.mark.parametrize("name", COUNTS)
def test_it_has_the_published_size(name, framework):
    sizes, settings, *counts = COUNTS[name]
    kit = KITS[framework]
    model = getattr(kit, name.split()[0])(*sizes, **settings)
    assert kit.count_parameters(model) == tuple(counts)


def test_both_frameworks_have_the_same_names_and_all_are_counted():
    assert set(in_torch.__all__) - {"LSTM", "count_multiplications"} == set(in_keras.__all__)
    others = {"count_parameters", "get_weights", "set_weights"}
    builders = {name for name in in_keras.__all__ if name.islower()} - others
    assert builders == {name.split()[0] for name in COUNTS}
    assert set(checks.NETWORKS) == set(COUNTS)


@pytest.mark.parametrize("framework", KITS)
@pytest.mark.parametrize("name", checks.NETWORKS)
def test_its_seed_decides_every_weight(name, framework):
    kit = KITS[framework]
    first, same, other = (kit.get_weights(checks.build(kit, name, seed=s)) for s in (1, 1, 2))
    assert all(map(np.array_equal, first, same))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)


def test_the_first_weights_are_those_of_earlier_versions(lab):
    models, _ = lab
    weights = models.get_weights(models.logistic_regression(2, 2, seed=1))[0]
    expected = {
        in_torch: [[0.364, -0.312], [-0.137, 0.332]],
        in_keras: [[0.426, 0.290], [0.279, 0.304]],
    }
    if models is in_torch or keras.backend.backend() == "tensorflow":
        assert np.allclose(weights, expected[models], atol=1e-3)


@pytest.mark.parametrize("name", [*SEQUENCE_MODELS, "deep_cnn", "separable_cnn", "residual_cnn"])
def test_the_twins_start_alike(name):
    sizes = COUNTS[name][0] if name.endswith("_cnn") else (2000, 64, 10)
    first, second = (getattr(kit, name)(*sizes, seed=3) for kit in KITS.values())
    weights = [
        [values.detach().numpy() for values in first.parameters()],
        [keras.ops.convert_to_numpy(values) for values in second.trainable_weights],
    ]
    weights = [sorted(values, key=np.size) for values in weights]  # shortcuts come earlier in Keras
    if "lstm" not in name:  # there, PyTorch has a second bias
        assert [np.size(values) for values in weights[0]] == list(map(np.size, weights[1]))
    spreads = [
        [np.std(values) for values in of_one if np.any(values) and np.size(values) > 64]
        for of_one in weights
    ]
    assert np.allclose(*spreads, rtol=0.2)


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_twins_with_the_same_weights_learn_the_same(name, words):
    x, y = words
    if name == "raw_cnn":
        x = as_noise(x)
    twins = [getattr(kit, name)(*x.shape[1:], 3, seed=1) for kit in KITS.values()]
    values = zip(as_in_keras(twins[0]), twins[1].weights, strict=True)
    in_keras.set_weights(twins[1], [value.reshape(own.shape) for value, own in values])
    how = {"epochs": 3, "batch_size": 16, "seed": 4, "learning_rate": 1e-4}
    losses = [
        training.fit(model, x, y, **how).loss
        for training, model in zip(TRAININGS.values(), twins, strict=True)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_weights_that_were_taken_stay_as_they_were(lab, words):
    models, training = lab
    model = models.frame_lstm(20, 4, 3)
    before = models.get_weights(model)
    copies = [values.copy() for values in before]
    training.fit(model, *words, epochs=1, batch_size=16)
    assert all(map(np.array_equal, before, copies))
    assert not np.array_equal(models.get_weights(model)[0], before[0])
    models.set_weights(model, before)
    assert all(map(np.array_equal, models.get_weights(model), before))
    with pytest.raises(ValueError, match="do not fit"):
        models.set_weights(model, before[1:])


# --- what is refused ------------------------------------------------------------------------------


def test_a_front_end_that_does_not_exist_is_refused(lab):
    with pytest.raises(ValueError, match=r"'mel'.*complex, magnitude, power, log-mel"):
        lab[0].deep_cnn(16000, 1, 30, front_end="mel")


@pytest.mark.parametrize(
    "name, sizes, words",
    [
        ("deep_cnn", (16000, 2, 30), "takes one channel, not 2"),
        ("separable_cnn", (16000, 2, 30), "takes one channel, not 2"),
        ("deep_cnn", (2399, 1, 30), "at least 2,400 samples, not 2,399"),
        ("mel_cnn", (35, 7, 10), "8 frames and 8 bands, not 35 and 7"),
    ],
)
def test_clips_that_a_network_cannot_take_are_refused(lab, name, sizes, words):
    with pytest.raises(ValueError, match=words):
        getattr(lab[0], name)(*sizes)


@pytest.mark.parametrize("framework", KITS)
@pytest.mark.parametrize(
    "layer, x, words",
    [
        ("Scattering", np.zeros(2048, np.float32), "must be .n_clips, n_samples., not .2048,."),
        ("Spectrogram", np.zeros(2048, np.float32), "must be .n_clips, n_samples., not .2048,."),
        ("Scattering", np.zeros((2, 2048), np.int16), "must be floats .* not .*int16"),
        ("Spectrogram", np.zeros((2, 2048), np.uint8), "must be floats .* not .*uint8"),
        ("SkipZeros", np.zeros((2, 20), np.float32), "must be .n_clips, n_steps, n_features."),
        ("LogMel", np.zeros((2, 3, 3, 3), np.float32), "3 bins does not fit n_fft=512"),
    ],
)
def test_layers_refuse_what_they_cannot_take(framework, layer, x, words):
    array = torch.from_numpy(x) if framework == "torch" else x
    with pytest.raises(ValueError, match=words):
        getattr(KITS[framework], layer)()(array)


# --- silence --------------------------------------------------------------------------------------


def test_silence_is_skipped_wherever_it_stands(lab, words):
    models, training = lab
    model = models.raw_lstm(20, 4, 3, seed=1)
    x = words[0][:2]
    loud = [clip[clip.any(axis=1)] for clip in x]
    at_the_end, with_holes = np.zeros((2, *x.shape), np.float32)
    for row, steps in enumerate(loud):
        at_the_end[row, : len(steps)] = steps
        with_holes[row, [0, 1, 2, 5, 6, 8, 9, 10, 11, 12, 17, 19]] = steps
    expected = training.predict(model, np.stack(loud))
    for padded in (x, at_the_end, with_holes):
        assert np.allclose(training.predict(model, padded), expected, atol=1e-6)
    changed = at_the_end.copy()
    changed[:, 3:] += 1
    assert not np.allclose(training.predict(model, changed), expected, atol=1e-3)


def test_a_silent_clip_is_no_reason_to_fail(lab):
    models, training = lab
    for name in ("raw_lstm", "frame_lstm"):
        model = getattr(models, name)(20, 4, 3, seed=1)
        assert np.isfinite(training.predict(model, np.zeros((2, 20, 4), np.float32))).all()


def test_skipped_steps_teach_nothing(lab, words):
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
    model = in_torch.raw_lstm(20, 4, 3)
    before = model[1].weight_hh_l0.clone()
    torch_training.fit(model, *words, epochs=1, batch_size=16, device="cpu")
    assert not model[1].bias_hh_l0.any()
    assert not torch.equal(model[1].weight_hh_l0, before)


# --- global settings and devices ------------------------------------------------------------------


@pytest.fixture(params=HOSTILE)
def hostile(request):
    """Keras as a keras.json or a global policy may set it, for the length of a test."""
    config = keras.config
    before = config.floatx(), config.dtype_policy(), config.image_data_format()
    yield HOSTILE[request.param]
    config.set_floatx(before[0])
    config.set_dtype_policy(before[1])
    config.set_image_data_format(before[2])


@pytest.mark.parametrize("name", checks.NETWORKS)
def test_keras_models_do_not_depend_on_global_settings(name, hostile, tmp_path):
    x = checks.batch(name)
    usual = checks.build(in_keras, name)
    expected = checks.outputs(usual, x)
    usual.save(tmp_path / "usual.keras")
    keras.config.set_floatx(hostile[0])
    keras.config.set_dtype_policy(hostile[1])
    keras.config.set_image_data_format("channels_first")
    model = checks.build(in_keras, name)
    model.save(tmp_path / "hostile.keras")
    loaded = [
        keras.saving.load_model(tmp_path / f"{file}.keras", compile=False)
        for file in ("usual", "hostile")
    ]
    assert in_keras.count_parameters(model) == in_keras.count_parameters(usual)
    for each in (model, *loaded):
        assert {weight.dtype for weight in each.weights} == {"float32"}
        computing = [
            layer for layer in each.layers if not isinstance(layer, keras.layers.InputLayer)
        ]
        assert {layer.compute_dtype for layer in computing} == {"float32"}
        assert np.array_equal(checks.outputs(each, x), expected)
    assert keras.config.floatx() == hostile[0]
    assert keras.config.dtype_policy().name == hostile[1]
    assert keras.config.image_data_format() == "channels_first"


@pytest.mark.parametrize("name", checks.NETWORKS)
def test_pytorch_models_do_not_depend_on_global_settings(name):
    usual = checks.build(in_torch, name).state_dict()
    state = torch.get_rng_state()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            model = checks.build(in_torch, name)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(values, usual[key]) for key, values in model.state_dict().items())
    assert {values.dtype for values in model.parameters()} == {torch.float32}
    assert torch.equal(torch.get_rng_state(), state)


def test_layers_go_where_their_input_is():
    clips = torch.zeros(2, 2048, device="meta")
    powers = in_torch.Spectrogram(power=2)(clips)
    assert powers.device.type == in_torch.LogMel()(powers).device.type == "meta"
    assert in_torch.Scattering(6, 4)(clips).device.type == "meta"


def test_an_lstm_has_gradients_in_evaluation_mode_also_with_cudnn(monkeypatch):
    modes = []
    run = torch.nn.LSTM.forward

    def forward(self, *inputs):
        modes.append(self.training)  # cuDNN computes no gradient where this is false
        return run(self, *inputs)

    monkeypatch.setattr(torch.nn.LSTM, "forward", forward)
    model = in_torch.raw_lstm(20, 4, 3).eval()
    x = torch.ones(2, 20, 4, requires_grad=True)
    model(x).sum().backward()
    assert x.grad.any()
    with torch.no_grad():
        model.train()(x)
    assert modes == [True, False] and model[1].training


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that PyTorch can use")
@pytest.mark.parametrize("name", checks.NETWORKS)
def test_a_gpu_gives_the_same_outputs_and_gradients(name):
    found = []
    for device in ("cpu", "cuda"):
        model = checks.build(in_torch, name).eval().to(device)
        x = torch.tensor(checks.batch(name), device=device, requires_grad=True)
        outputs = model(x)
        outputs[:, 0].sum().backward()
        found.append([outputs.detach().cpu(), x.grad.cpu()])
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert torch.allclose(on_cpu, on_gpu, atol=1e-3)


# --- work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, shape, expected",
    [
        ("logistic_regression", (336,), 336 * 10),
        ("separable_cnn", (16000, 1), 51 * (5 * 40 * 96 + 4 * (9 * 96 + 96 * 96)) + 96 * 10),
    ],
)
def test_multiplications_are_counted_as_by_hand(name, shape, expected):
    model = getattr(in_torch, name)(*shape, n_classes=10)
    counted = in_torch.count_multiplications(model, *shape)
    assert counted == pytest.approx(expected, rel=0.02)
    assert model.training
    lstm = torch.nn.LSTM(3, 5, batch_first=True)
    assert in_torch.count_multiplications(lstm, 7, 3) == 7 * (4 * 5 * 3 + 4 * 5 * 5)
