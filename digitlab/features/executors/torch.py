"""Scattering with PyTorch: on a CPU or a GPU, and with gradients."""
# ruff: noqa: D103 (the functions at the end are described in numpy.py)

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch

from digitlab.environment import progress
from digitlab.features.executors.plans import CPU_BATCH, Plan, plan, run

MOST_AT_ONCE = 1024  # clips: enough to keep any GPU busy


def scatter(clips: torch.Tensor, J: int, Q: int) -> torch.Tensor:
    """Scatter a tensor (n_clips, n_samples) of float32 or float64, on the device it lies on."""
    return run(clips, _plan(clips.shape[1], J, Q, clips.dtype, clips.device), sys.modules[__name__])


def in_batches(
    clips: np.ndarray,
    J: int,
    Q: int,
    device: str,
    reduce: Callable | None = None,
    batch_size: int | None = None,
) -> Iterator[np.ndarray]:
    """Scatter an array on a device, batch by batch; the GPU goes on while a result is fetched.

    `reduce` takes the coefficients of a batch and a library, NumPy or PyTorch, and runs on a GPU
    where there is one. The size of the batches is by default what the device has memory for.
    """
    where = torch.device(device)
    size = batch_size or _batch_size(plan(clips.shape[1], J, Q), where)
    starts = range(0, len(clips), size)
    fetch = None
    for i in progress(starts, desc="scattering", unit="batch", disable=len(starts) < 8):
        with torch.inference_mode():
            batch = torch.from_numpy(clips[i : i + size])
            if where.type == "cuda":  # from locked memory, a copy needs no waiting
                batch = batch.pin_memory().to(where, non_blocking=True)
            next_fetch = _fetching(scatter(batch.to(where), J, Q), reduce)
        if fetch is not None:
            yield fetch()
        fetch = next_fetch
    if fetch is not None:
        yield fetch()


def _fetching(coefficients: torch.Tensor, reduce: Callable | None) -> Callable[[], np.ndarray]:
    """Begin to copy a result to the host; return the function that waits for it."""
    reduce = reduce or (lambda whole, library: whole)
    if coefficients.device.type == "cpu":
        here = reduce(coefficients.numpy(), np)
        return lambda: here
    result = reduce(coefficients, torch)
    if result.device.type != "cuda":
        return lambda: result.cpu().numpy()
    on_host = result.to("cpu", non_blocking=True)
    done = torch.cuda.Event()
    done.record(torch.cuda.current_stream(result.device))

    def wait() -> np.ndarray:
        done.synchronize()
        return on_host.numpy()

    return wait


def _batch_size(plan: Plan, device: torch.device) -> int:
    """Return how many clips to scatter at once: on a GPU, what half of its memory holds."""
    if device.type == "cpu":
        return CPU_BATCH
    if device.type != "cuda":
        return 8 * CPU_BATCH
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, min(MOST_AT_ONCE, free // 2 // plan.bytes_per_clip()))


@lru_cache(maxsize=4)
def _plan(n_samples: int, J: int, Q: int, dtype: torch.dtype, device: torch.device) -> Plan:
    dtypes = {"i": torch.int64, "f": dtype, "c": dtype.to_complex()}
    with torch.inference_mode(False):  # else no later call could have a gradient
        return plan(n_samples, J, Q).of(
            lambda array: torch.from_numpy(array).to(dtypes[array.dtype.kind]).to(device)
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
    tiny = cosine.new_full((), torch.finfo(cosine.dtype).tiny)
    return torch.addcmul(tiny, cosine, cosine).addcmul_(sine, sine).sqrt_()


def average(signals, matrix):
    return signals @ matrix


def join(paths, order):
    return torch.cat(paths)[order].swapaxes(0, 1)
