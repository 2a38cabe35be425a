"""What every feature asks of its clips and their rate."""

import math
from collections.abc import Iterator
from numbers import Real

import numpy as np

from digitlab import audio

CLIPS_AT_ONCE = 256  # a batch for which spectrograms do not fill the memory


def checked(
    waveforms: np.ndarray, rate: float, shortest: int = 1, remedy: str = "take a shorter window"
) -> np.ndarray:
    """Return the clips as float32, or refuse what is no array of clips and a rate."""
    refuse_rate(rate)
    waveforms = np.ascontiguousarray(audio.to_float(waveforms))
    if waveforms.ndim != 2:
        raise ValueError(
            f"waveforms must be (n_clips, n_samples), not {waveforms.shape}: "
            "one clip a row, one channel; give one clip as waveform[np.newaxis]"
        )
    n_clips, n_samples = waveforms.shape
    if n_clips == 0:
        raise ValueError(f"there are no clips: waveforms have the shape {waveforms.shape}")
    if n_samples < shortest:
        raise ValueError(
            f"clips of {n_samples} samples are too short, "
            f"{shortest} are needed: pad them, or {remedy}"
        )
    if n_clips > 1000 * n_samples:
        raise ValueError(
            f"waveforms of shape {waveforms.shape} look like (n_samples, n_channels): "
            "give (n_clips, n_samples), one channel of each clip"
        )
    if not np.isfinite(waveforms).all():
        row = int(np.argmin(np.isfinite(waveforms).all(axis=1)))
        raise ValueError(f"clip {row} holds NaN or infinite samples")
    return waveforms


def batches(waveforms: np.ndarray, rate: float, shortest: int) -> Iterator[np.ndarray]:
    """Divide many clips into batches."""
    waveforms = checked(waveforms, rate, shortest)
    starts = range(0, len(waveforms), CLIPS_AT_ONCE)
    return (waveforms[i : i + CLIPS_AT_ONCE] for i in starts)


def refuse_rate(rate: float) -> None:
    """Refuse what is no rate."""
    if not isinstance(rate, Real) or not 0 < rate < math.inf:
        raise ValueError(f"rate={rate!r}: give the samples per second of the clips, such as 8000")


def n_samples_of(seconds: float, rate: float) -> int:
    """Return how many samples a duration takes, at least 1."""
    refuse_rate(rate)
    return max(1, round(seconds * rate))


def octave_of(seconds: float, rate: float) -> int:
    """Return the exponent of the power of two that is nearest to a duration in samples."""
    refuse_rate(rate)
    return max(1, round(math.log2(seconds * rate)))
