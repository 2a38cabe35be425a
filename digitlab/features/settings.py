"""What the spectrograms of all libraries share: NumPy, PyTorch and Keras."""

import numpy as np

FLOOR = 1e-6  # added to the power of a mel band before the logarithm


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


def refuse_shape(shape: tuple, n_fft: int) -> None:
    """Refuse what is no array of clips, or whose clips are shorter than `n_fft`."""
    if len(shape) != 2:
        raise ValueError(f"waveforms must be (n_clips, n_samples), not {tuple(shape)}")
    if shape[1] < n_fft:
        raise ValueError(
            f"clips of {shape[1]} samples are too short, {n_fft} are needed: "
            "pad them, or take a shorter window"
        )


def hann(win_length: int) -> np.ndarray:
    """Return the periodic Hann window, divided by the root of its summed squares."""
    from scipy.signal import get_window

    window = get_window("hann", win_length)
    return window / np.sqrt(np.sum(window**2))


def mel_filters(rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Return librosa's mel filters, (n_mels, n_bins), float32."""
    from librosa.filters import mel

    return mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
