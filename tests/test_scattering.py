"""Our scattering transform is kymatio's, in every library, and has a gradient."""

import numpy as np
import pytest

from digitlab import features
from digitlab.features.executors import filters, plan
from digitlab.features.executors import numpy as with_numpy


def signals(n_samples: int) -> np.ndarray:
    """Return noise, a tone, a click, and a noise that stops halfway."""
    rng = np.random.default_rng(0)
    t = np.arange(n_samples)
    stopping = rng.standard_normal(n_samples) * (t < n_samples // 2)
    tone = np.sin(2 * np.pi * 0.2 * t)
    return np.stack([rng.standard_normal(n_samples), tone, t == n_samples // 3, stopping])


def of_kymatio(n_samples: int, J: int, Q: int):
    return pytest.importorskip("kymatio").Scattering1D(J=J, shape=n_samples, Q=Q, frontend="numpy")


def kymatio(clips: np.ndarray, J: int, Q: int) -> np.ndarray:
    return of_kymatio(clips.shape[1], J, Q)(clips.astype(float))


def deviation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest error, relative to each clip's largest coefficient."""
    assert ours.shape == theirs.shape
    axes = (1, 2)
    return (np.abs(ours - theirs).max(axis=axes) / np.abs(theirs).max(axis=axes)).max()


@pytest.mark.parametrize("n_samples", [1024, 2**15, 8192, 5000, 16001, 20000])
@pytest.mark.parametrize("J, Q", [(4, 1), (5, 16), (6, 4), (8, 12), (9, 8), (10, 1), (11, 4)])
def test_the_filters_are_kymatios(n_samples, J, Q):
    """So are the resolutions and the padding; also of clips that are shorter than the average."""
    theirs = of_kymatio(n_samples, J, Q)
    padding = filters.padding(n_samples, J)
    n_padded = n_samples + sum(padding)
    assert padding == (theirs.pad_left, theirs.pad_right)
    expected = np.ravel(theirs.phi_f["levels"][0])
    assert np.abs(filters.average(n_padded, J) - expected).max() < 1e-9
    for per_octave, bank in ((Q, theirs.psi1_f), (1, theirs.psi2_f)):
        ours = filters.wavelets(J, per_octave)
        assert [wavelet.resolution for wavelet in ours] == [wavelet["j"] for wavelet in bank]
        parameters = [(wavelet.centre, wavelet.width) for wavelet in ours]
        np.testing.assert_allclose(parameters, [(w["xi"], w["sigma"]) for w in bank], rtol=1e-9)
        for n in {0, len(bank) // 2, len(bank) - 1}:
            expected = np.ravel(bank[n]["levels"][0])
            deviation = np.abs(ours[n].response(n_padded) - expected).max()
            assert deviation < 1e-9 * np.abs(expected).max()


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
    # At J = 10 the average adds 16,384 products, which processors round in different orders.
    assert deviation(single.numpy(), theirs) < 5e-5


@pytest.mark.parametrize("n_clips", [1, 7, 64])
def test_a_clip_is_scattered_alike_in_any_company(n_clips):
    clips = np.random.default_rng(1).standard_normal((n_clips, 2048)).astype(np.float32)
    together = features.scattering(clips, 8000, 6, 4)
    assert deviation(together, kymatio(clips, 6, 4)) < 1e-5
    assert np.allclose(together[-1:], features.scattering(clips[-1:], 8000, 6, 4), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8, None])
def test_the_size_of_the_batches_does_not_matter(batch_size):
    pytest.importorskip("torch")
    from digitlab.features.executors.torch import in_batches

    clips = np.random.default_rng(1).standard_normal((5, 1000)).astype(np.float32)
    batches = list(in_batches(clips, 6, 4, "cpu", batch_size=batch_size))
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    together = np.concatenate(batches)
    assert deviation(together, kymatio(clips, 6, 4)) < 1e-5


def test_a_gpu_gets_as_many_clips_at_once_as_half_its_memory_holds(monkeypatch):
    torch = pytest.importorskip("torch")
    from digitlab.features.executors.torch import _batch_size

    gigabyte = 2**30
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: gigabyte)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    sizes = []
    for free in (0, 3 * gigabyte, 79 * gigabyte):
        monkeypatch.setattr(
            torch.cuda, "mem_get_info", lambda device, free=free: (free, 80 * gigabyte)
        )
        sizes.append(_batch_size(plan(8192, 8, 12), torch.device("cuda")))
    assert 30 < sizes[0] < sizes[1] < sizes[2]


def test_silence_stays_silent():
    assert np.abs(features.scattering(np.zeros((2, 2048)), 8000, 6, 4)).max() < 1e-15


def test_the_plan_names_kymatios_paths():
    paths = features.scattering_paths(4096, 7, 6)
    meta = of_kymatio(4096, 7, 6).meta()
    assert np.array_equal(paths["order"], meta["order"])
    np.testing.assert_allclose(paths["first"], meta["xi"][:, 0], rtol=1e-9)
    np.testing.assert_allclose(paths["second"], meta["xi"][:, 1], rtol=1e-9)
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
