"""C1's spectrogram is PyTorch's, in every library, and its networks are twins."""

import importlib
import subprocess
import sys

import numpy as np
import pytest

from digitlab import features
from digitlab.features import settings

torch = pytest.importorskip("torch")

from digitlab.models.torch import LogMel, Spectrogram  # noqa: E402

BACKENDS = ["tensorflow", "torch", "jax"]
FRAMEWORKS = ["torch", "keras"]
LAYOUTS = [
    {},
    {"n_fft": 256, "win_length": 256, "hop_length": 100},
    {"n_fft": 400, "win_length": 201, "hop_length": 57, "pad": 31},
]
SIZES = {
    "complex_cnn": (1852350, 1849342),
    "magnitude_cnn": (1852062, 1849054),
    "power_cnn": (1852062, 1849054),
    "log_mel_cnn": (1852062, 1849054),
    "separable_cnn": (64350, 63390),
}


def built(framework, name, *sizes, seed=1):
    pytest.importorskip(framework)
    models = importlib.import_module(f"digitlab.models.{framework}")
    return models, getattr(models, name)(*sizes, seed=seed)


def predict(framework, model, x):
    return importlib.import_module(f"digitlab.training.{framework}").predict(model, x)


def as_in_keras(model):
    """Lay out the numbers of a PyTorch model as its twin has them."""
    values = [value.numpy() for value in model.state_dict().values() if value.is_floating_point()]
    return [np.moveaxis(v, (1, 0), (-2, -1)) if v.ndim > 1 else v for v in values]


@pytest.fixture
def clips():
    """Noise, a tone, a click, and silence."""
    t = np.arange(3001)
    noise = np.random.default_rng(0).normal(size=len(t))
    return np.stack([noise, np.sin(0.3 * t), t == 1000, 0 * t]).astype(np.float32)


def stft(clips, *, n_fft=512, win_length=480, hop_length=160, pad=0):
    """PyTorch's transform, divided by the root of the window's summed squares."""
    window = torch.hann_window(win_length, dtype=torch.float64)
    clips = torch.from_numpy(np.pad(clips, ((0, 0), (pad, pad)))).double()
    lengths = {"n_fft": n_fft, "hop_length": hop_length, "win_length": win_length}
    spectra = torch.stft(clips, **lengths, window=window, return_complex=True)
    return (spectra / window.square().sum().sqrt()).numpy()


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("power", [None, 0.5, 1, 2])
def test_it_is_pytorchs_transform(clips, power, layout):
    theirs = stft(clips, **layout)
    parts = [theirs.real, theirs.imag] if power is None else [np.abs(theirs) ** power]
    expected = np.stack(parts, axis=1)
    with_numpy = features.spectrogram(clips, 16000, power=power, **layout)
    module = Spectrogram(power, **layout)
    single = module(torch.from_numpy(clips))
    double = module(torch.from_numpy(clips).double())
    assert (with_numpy.dtype, single.dtype, double.dtype) == (
        np.float32,
        torch.float32,
        torch.float64,
    )
    small = 2e-3 if power == 0.5 else 2e-5  # the root of what should be nothing is not so small
    for ours, error in ((with_numpy, small), (single, small), (double, 1e-7)):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=error)


@pytest.mark.parametrize("settings", [{}, {"n_mels": 20, "n_fft": 1024, "win_length": 1000}])
def test_log_mel_is_the_logarithm_of_librosas_mel_bands(clips, settings):
    from librosa.feature import melspectrogram

    n_mels, n_fft = settings.get("n_mels", 64), settings.get("n_fft", 512)
    lengths = {"n_fft": n_fft, "win_length": settings.get("win_length", 480)}
    power = np.abs(stft(clips, **lengths)) ** 2
    expected = np.log(melspectrogram(S=power, sr=16000, n_fft=n_fft, n_mels=n_mels) + 1e-6)
    ours = features.log_mel_spectrogram(clips, 16000, **settings)
    assert ours.shape == (4, 1, n_mels, 19) and ours.dtype == np.float32
    np.testing.assert_allclose(ours[:, 0], expected, atol=1e-3)
    module = torch.nn.Sequential(Spectrogram(2, **lengths), LogMel(16000, n_mels, n_fft))
    np.testing.assert_allclose(module(torch.from_numpy(clips)), ours, atol=1e-4)


def test_no_clip_changes_the_spectrogram_of_another(clips, monkeypatch):
    many = np.tile(clips, (5, 1))
    monkeypatch.setattr(settings, "CLIPS_AT_ONCE", 8)
    assert len(many) > 2 * settings.CLIPS_AT_ONCE
    alone = features.spectrogram(clips, 16000, power=1)
    together = features.spectrogram(many, 16000, power=1)
    assert np.array_equal(together, np.tile(alone, (5, 1, 1, 1)))


@pytest.mark.parametrize("power", [None, 0.5, 1, 2])
def test_the_gradient_is_the_slope_and_finite_in_silence(power):
    module = Spectrogram(power, n_fft=32, win_length=30, hop_length=10)
    clips = torch.randn(1, 64, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, clips, fast_mode=True)
    silence = torch.zeros(1, 64, requires_grad=True)
    module(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()


def test_the_stages_before_a_network_have_nothing_to_keep():
    stages = torch.nn.Sequential(Spectrogram(power=2), LogMel())
    assert not list(stages.parameters()) and not stages.state_dict()
    assert "power=2" in str(stages) and "n_mels=64" in str(stages)


@pytest.fixture(params=["numpy", *FRAMEWORKS])
def make(request):
    """What makes spectrograms in one library, of an array and with settings."""
    if request.param == "numpy":
        return lambda clips, **settings: features.spectrogram(clips, 16000, **settings)
    pytest.importorskip(request.param)
    layer = importlib.import_module(f"digitlab.models.{request.param}").Spectrogram
    array = {"torch": torch.from_numpy, "keras": np.asarray}[request.param]
    return lambda clips, **settings: layer(**settings)(array(clips))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"power": -1}, "power=-1: give None for real and imaginary parts"),
        ({"power": 0}, "power=0"),
        ({"power": np.nan}, "power=nan"),
        ({"win_length": 600, "n_fft": 512}, "a window of 600 samples does not fit n_fft=512"),
        ({"win_length": 0}, "a window of 0 samples"),
        ({"hop_length": 0}, "hop_length=0"),
        ({"pad": -5}, "pad=-5"),
    ],
)
def test_settings_that_make_no_spectrogram_are_refused(make, clips, settings, words):
    with pytest.raises(ValueError, match=words):
        make(clips, **settings)


def test_clips_that_are_too_short_are_refused(make, clips):
    with pytest.raises(ValueError, match="clips of 500 samples are too short, 512 are needed"):
        make(clips[:, :500])
    with pytest.raises(ValueError, match=r"\(n_clips, n_samples\)"):
        make(clips[0])


IN_KERAS = """
import sys
import keras, numpy as np
from digitlab.models.keras import LogMel, Spectrogram, complex_cnn, separable_cnn
from digitlab.training.keras import fit, predict

clips, complex, power, log_mel, *weights, answers = np.load(sys.argv[1]).values()
layout = {"n_fft": 400, "win_length": 201, "hop_length": 57, "pad": 31}
expected = {None: complex, 0.5: power}
stages = {power: [Spectrogram(power, **layout)] for power in expected}
stages["mel"] = [Spectrogram(2, **layout), LogMel(8000, 20, 400)]
expected["mel"] = log_mel
deviations = []
for name, layers in stages.items():
    model = keras.Sequential([keras.Input((clips.shape[1],)), *layers])
    theirs = np.moveaxis(expected[name], 1, 3)
    assert model.output_shape == (None, *theirs.shape[1:]), model.output_shape
    assert not model.weights
    deviations.append(np.abs(model.predict(clips, verbose=0) - theirs).max())
print("deviation", max(deviations))

keras.utils.set_random_seed(0)
layers = [*stages["mel"], keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
model = keras.Sequential([keras.Input((clips.shape[1],)), *layers])
losses = fit(model, clips, np.arange(4) % 3, epochs=8, batch_size=4).loss
print("learned", min(losses) < losses[0])

model.save(sys.argv[2])
again = keras.saving.load_model(sys.argv[2])
first, second = again.layers[:2]
print("config", first.power, first.n_fft, first.win_length, first.hop_length, first.pad,
      second.rate, second.n_mels, second.n_fft)
print("loaded", np.abs(predict(model, clips) - predict(again, clips)).max())

network = separable_cnn(clips.shape[1], 1, 3)
network.set_weights([v.reshape(own.shape) for v, own in zip(weights, network.weights)])
print("heard", np.abs(predict(network, clips[..., None]) - answers).max())
for network in (network, complex_cnn(clips.shape[1], 1, 3)):
    fit(network, clips[..., None], np.arange(4) % 3, epochs=1, batch_size=4)
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_keras_layers_are_pytorchs_transform_and_are_saved(
    backend, clips, tmp_path, monkeypatch
):
    pytest.importorskip("keras")
    pytest.importorskip(backend)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    layout = LAYOUTS[2]
    pictures = [features.spectrogram(clips, 8000, power=power, **layout) for power in (None, 0.5)]
    log_mel = features.log_mel_spectrogram(clips, 8000, n_mels=20, **layout)
    file = tmp_path / "clips.npz"
    network = built("torch", "separable_cnn", 3001, 1, 3)[1]
    answers = predict("torch", network, clips[..., None])
    np.savez(file, clips, *pictures, log_mel, *as_in_keras(network), answers)
    run = subprocess.run(
        [sys.executable, "-c", IN_KERAS, file, tmp_path / "model.keras"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert float(said["deviation"]) < 1e-3
    assert said["learned"] == "True"
    assert said["config"] == "2 400 201 57 31 8000 20 400"
    assert float(said["loaded"]) < 1e-5
    assert float(said["heard"]) < 1e-5


# --- the networks -------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", SIZES)
def test_it_has_the_published_size(name, framework):
    models, model = built(framework, name, 16000, 1, 30)
    assert models.count_parameters(model) == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
def test_twins_hear_the_same(name):
    from digitlab.training.torch import fit

    models, twin = built("keras", name, 3000, 1, 3)
    _, trained = built("torch", name, 3000, 1, 3)
    dice, y = np.random.default_rng(0), np.tile([0, 1, 2], 4)
    tones = np.sin(0.3 * (1 + y[:, None]) * np.arange(3000))[..., None]
    x = (tones * dice.uniform(0.1, 1, (12, 1, 1))).astype(np.float32)
    fit(trained, x, y, epochs=5, batch_size=6)  # its statistics move, too
    weights = zip(as_in_keras(trained), twin.weights, strict=True)
    models.set_weights(twin, [value.reshape(own.shape) for value, own in weights])
    answers = predict("torch", trained, x), predict("keras", twin, x)
    assert np.ptp(answers[0], axis=0).max() > 0.02
    np.testing.assert_allclose(*answers, atol=1e-4)


@pytest.mark.parametrize("name", SIZES)
def test_twins_start_alike(name):
    _, first = built("keras", name, 16000, 1, 30, seed=3)
    _, second = built("torch", name, 16000, 1, 30, seed=3)
    theirs = [values.detach() for values in second.parameters()]
    for one, other in zip(first.trainable_weights, theirs, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.size == other.size
        if one.size > 200:
            assert np.abs(one).max() == pytest.approx(np.abs(other).max(), rel=0.05)
            assert one.std() == pytest.approx(other.std(), rel=0.2)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_seed_decides_every_weight(framework):
    models, first = built(framework, "complex_cnn", 16000, 1, 30)
    same, other = (built(framework, "complex_cnn", 16000, 1, 30, seed=s)[1] for s in (1, 2))
    first, same, other = map(models.get_weights, (first, same, other))
    assert all(map(np.array_equal, first, same))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)
