"""What the features share, and the layers of the models with them: checks, lengths and filters."""

import math
import reprlib
from collections.abc import Iterator
from numbers import Real

import numpy as np

from digitlab import audio

FLOOR = 1e-6  # added to the power of a mel band before the logarithm
CLIPS_AT_ONCE = 256  # a batch whose spectrograms do not fill the memory


def checked(
    waveforms: np.ndarray, rate: float, shortest: int = 1, remedy: str = "take a shorter window"
) -> np.ndarray:
    """Return the clips as float32, or refuse what is no array of clips or no rate."""
    refuse_rate(rate)
    waveforms = np.ascontiguousarray(audio.to_float(waveforms))
    refuse_shape(waveforms.shape, shortest, remedy)
    if not np.isfinite(waveforms).all():
        row = int(np.argmin(np.isfinite(waveforms).all(axis=1)))
        raise ValueError(f"clip {row} holds NaN or infinite samples")
    return waveforms


def batches(waveforms: np.ndarray, rate: float, shortest: int) -> Iterator[np.ndarray]:
    """Divide many clips into batches."""
    waveforms = checked(waveforms, rate, shortest)
    starts = range(0, len(waveforms), CLIPS_AT_ONCE)
    return (waveforms[i : i + CLIPS_AT_ONCE] for i in starts)


def n_samples_of(seconds: float, rate: float) -> int:
    """Return how many samples a duration takes, at least 1."""
    refuse_rate(rate)
    return max(1, round(seconds * rate))


def octave_of(seconds: float, rate: float) -> int:
    """Return the exponent of the power of two that is nearest to a duration in samples."""
    refuse_rate(rate)
    return max(1, round(math.log2(seconds * rate)))


def refuse_rate(rate: float) -> None:
    """Refuse what is no rate."""
    if not isinstance(rate, Real) or not 0 < rate < math.inf:
        raise ValueError(
            f"rate={reprlib.repr(rate)}: give the samples per second of the clips, such as 8000"
        )


def refuse_shape(
    shape: tuple[int, ...], shortest: int, remedy: str = "take a shorter window"
) -> None:
    """Refuse what is no array of clips, or whose clips are too short."""
    if len(shape) != 2:
        raise ValueError(
            f"waveforms must be (n_clips, n_samples), not {tuple(shape)}: one clip a row, "
            "one channel; a single clip is given as waveform[np.newaxis]"
        )
    n_clips, n_samples = shape
    if n_samples < shortest:
        raise ValueError(
            f"clips of {n_samples} samples are too short, "
            f"{shortest} are needed: pad them, or {remedy}"
        )
    if n_clips is not None and not 0 < n_clips <= 1000 * n_samples:
        raise ValueError(
            f"waveforms of shape {tuple(shape)} are not (n_clips, n_samples): "
            "give at least one clip, as a row of samples of one channel"
        )


def refuse_settings(
    power: float | None, n_fft: int, win_length: int, hop_length: int, pad: int
) -> None:
    """Refuse settings that make no spectrogram."""
    if power is not None and not 0 < power < np.inf:
        raise ValueError(
            f"power={power}: give None for real and imaginary parts, or a number above 0: "
            "1 for magnitudes, 2 for their squares"
        )
    if not 0 < win_length <= n_fft:
        raise ValueError(
            f"a window of {win_length} samples does not fit n_fft={n_fft}: "
            "give 1 to n_fft samples, or raise n_fft"
        )
    if hop_length < 1:
        raise ValueError(f"hop_length={hop_length}: give at least 1 sample from frame to frame")
    if pad < 0:
        raise ValueError(f"pad={pad}: give 0, or how many zeros to put at either end")


def hann(win_length: int) -> np.ndarray:
    """Return the periodic Hann window, divided by the root of its summed squares."""
    from scipy.signal import get_window

    window = get_window("hann", win_length)
    return window / np.sqrt(np.sum(window**2))


def mel_filters(rate: float, n_fft: int, n_mels: int) -> np.ndarray:
    """Return librosa's mel filters, (n_mels, n_bins), float32."""
    from librosa.filters import mel

    return mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
