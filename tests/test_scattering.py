"""Our scattering transform is kymatio's, in every library, and has a gradient."""

import numpy as np
import pytest

from digitlab import features
from digitlab.features.executors import numpy as with_numpy
from digitlab.features.executors import plan


def signals(n_samples: int) -> np.ndarray:
    """Return noise, a tone, a click, and a noise that stops halfway."""
    rng = np.random.default_rng(0)
    t = np.arange(n_samples)
    stopping = rng.standard_normal(n_samples) * (t < n_samples // 2)
    tone = np.sin(2 * np.pi * 0.2 * t)
    return np.stack([rng.standard_normal(n_samples), tone, t == n_samples // 3, stopping])


def kymatio(clips: np.ndarray, J: int, Q: int) -> np.ndarray:
    from kymatio import Scattering1D

    return Scattering1D(J=J, shape=clips.shape[1], Q=Q, frontend="numpy")(clips.astype(float))


def deviation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest error, relative to each clip's largest coefficient."""
    assert ours.shape == theirs.shape
    axes = (1, 2)
    return (np.abs(ours - theirs).max(axis=axes) / np.abs(theirs).max(axis=axes)).max()


@pytest.fixture(
    params=[
        (3, 1, 512),
        (4, 16, 700),
        (5, 3, 1000),
        (6, 8, 2048),
        (7, 12, 3001),
        (8, 12, 8192),
        (9, 5, 5000),
        (10, 1, 8192),
    ],
    ids=lambda case: "J={} Q={} n={}".format(*case),
)
def case(request):
    """J, Q, clips and kymatio's coefficients of them."""
    J, Q, n_samples = request.param
    clips = signals(n_samples)
    return J, Q, clips, kymatio(clips, J, Q)


def test_numpy_is_kymatio(case):
    J, Q, clips, theirs = case
    double = with_numpy.scatter(clips, J, Q)
    single = with_numpy.scatter(clips.astype(np.float32), J, Q)
    assert (double.dtype, single.dtype) == (np.float64, np.float32)
    assert deviation(double, theirs) < 1e-6
    assert deviation(single, theirs) < 1e-5


def test_pytorch_is_kymatio(case):
    torch = pytest.importorskip("torch")
    from digitlab.models.torch import Scattering

    J, Q, clips, theirs = case
    scatter = Scattering(J, Q)
    assert deviation(scatter(torch.from_numpy(clips)).numpy(), theirs) < 1e-6
    single = scatter(torch.from_numpy(clips).float())
    assert single.dtype == torch.float32
    assert deviation(single.numpy(), theirs) < 1e-5


@pytest.mark.parametrize("n_clips", [1, 7, 64])
def test_a_clip_is_scattered_alike_in_any_company(n_clips):
    clips = np.random.default_rng(1).standard_normal((n_clips, 2048)).astype(np.float32)
    together = features.scattering(clips, 6, 4)
    assert deviation(together, kymatio(clips, 6, 4)) < 1e-5
    assert np.allclose(together[-1:], features.scattering(clips[-1:], 6, 4), atol=1e-6)


def test_silence_stays_silent():
    assert np.abs(features.scattering(np.zeros((2, 2048)), 6, 4)).max() < 1e-15


def test_the_plan_names_kymatios_paths():
    paths = features.scattering_paths(4096, 7, 6)
    what = plan(4096, 7, 6)
    assert sorted(what.order) == list(range(len(paths)))
    assert what.n_frames == 4096 // 2**7


def test_the_gradient_is_the_slope_and_finite_in_silence():
    torch = pytest.importorskip("torch")
    from digitlab.models.torch import Scattering

    scatter = Scattering(4, 2)
    clips = torch.randn(1, 512, dtype=torch.float64, requires_grad=True)
    with torch.inference_mode():
        scatter(clips)  # what is kept from here must serve the gradients below
    assert torch.autograd.gradcheck(scatter, clips, fast_mode=True)
    silence = torch.zeros(1, 512, requires_grad=True)
    scatter(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()
