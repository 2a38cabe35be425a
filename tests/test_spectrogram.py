"""The spectrogram is PyTorch's, in every library."""

import importlib

import numpy as np
import pytest

from digitlab import features
from digitlab.features import settings

torch = pytest.importorskip("torch")

from digitlab.models.torch import LogMel, Spectrogram  # noqa: E402

FRAMEWORKS = ["torch", "keras"]
LAYOUTS = [
    {},
    {"n_fft": 256, "win_length": 256, "hop_length": 100},
    {"n_fft": 400, "win_length": 201, "hop_length": 57, "pad": 31},
]


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
