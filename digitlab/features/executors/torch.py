"""Scattering with PyTorch: on a CPU or a GPU, and with gradients."""

import sys
from functools import lru_cache

import torch

from digitlab.features.executors import Plan, plan, run


def scatter(clips: torch.Tensor, J: int, Q: int) -> torch.Tensor:
    """Scatter a tensor (n_clips, n_samples) of float32 or float64, on the device it lies on."""
    return run(clips, _plan(clips.shape[1], J, Q, clips.dtype, clips.device), sys.modules[__name__])


@lru_cache(maxsize=4)
def _plan(n_samples: int, J: int, Q: int, dtype: torch.dtype, device: torch.device) -> Plan:
    dtypes = {"i": torch.int64, "f": dtype, "c": dtype.to_complex()}
    with torch.inference_mode(False):  # else no later call could have a gradient
        return plan(n_samples, J, Q).of(
            lambda array: torch.from_numpy(array).to(device, dtypes[array.dtype.kind])
        )


def mirror(clips, left, right):
    return torch.nn.functional.pad(clips[None], (left, right), mode="reflect")


def rfft(signals):
    return torch.fft.rfft(signals)


def lowest(spectra, bins):
    return torch.cat([spectrum[..., :bins] for spectrum in spectra])


def envelope(spectrum, pairs, length):
    cosine, sine = torch.fft.irfft(spectrum[..., : pairs.shape[-1]] * pairs, length)
    # Far faster than the modulus of a complex tensor; `tiny` keeps the gradient finite in silence.
    tiny = cosine.new_tensor(torch.finfo(cosine.dtype).tiny)
    return torch.addcmul(tiny, cosine, cosine).addcmul_(sine, sine).sqrt_()


def average(signals, matrix):
    return signals @ matrix


def join(paths, order):
    return torch.cat(paths)[order].swapaxes(0, 1)
