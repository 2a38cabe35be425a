"""Record from the microphone of this machine."""

from collections.abc import Callable

import numpy as np

from digitlab.environment import require

BLOCK_S = 0.05  # seconds between two measurements of the level
SILENT = 1e-3  # a recording whose peak is below is no recording
CLIPPED = 0.999


class MicrophoneError(RuntimeError):
    """There is no recording; the message says why, and what to do."""


def record(
    seconds: float = 2.5, show_level: Callable[[float], None] = lambda level: None
) -> tuple[np.ndarray, int]:
    """Record from the microphone that the system uses.

    Parameters
    ----------
    seconds : float
        How long.
    show_level : callable
        Is given the peak of every 50 ms while it records, from 0 to 1.

    Returns
    -------
    samples : array of shape (n_samples,), float32
        One channel; full scale is 1.
    rate : int
        In Hz: that of the microphone.

    Raises
    ------
    ImportError
        If sounddevice is not installed (extra ``mic``), or PortAudio, which it needs, is not.
    MicrophoneError
        If there is no microphone, or nothing comes from it.
    ValueError
        If no time is left to record in.

    Examples
    --------
    >>> record(0)
    Traceback (most recent call last):
    ValueError: 0 seconds: give a time above 0
    """
    if not seconds > 0:
        raise ValueError(f"{seconds} seconds: give a time above 0")
    try:
        sounddevice = require("sounddevice", extra="mic")
    except OSError as error:
        raise ImportError(
            f"recording needs PortAudio ({error}): on Debian or Ubuntu, apt install libportaudio2"
        ) from error
    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
        samples = _read(sounddevice, seconds, rate, show_level)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"there is no microphone that can be used ({error}): connect one, allow it in the "
            "system's settings, or give a file to  digitlab predict"
        ) from error
    if np.abs(samples).max() < SILENT:
        raise MicrophoneError("the recording is silent: is the microphone switched off, or muted?")
    return samples, rate


def is_clipped(samples: np.ndarray) -> bool:
    """Tell whether a recording reaches full scale, so that its peaks are cut off.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        From :func:`record`.

    Examples
    --------
    >>> is_clipped(np.array([0.2, -1.0])), is_clipped(np.array([0.2, -0.9]))
    (True, False)
    """
    return bool(np.abs(samples).max() >= CLIPPED)


def _read(sounddevice, seconds: float, rate: int, show_level: Callable) -> np.ndarray:
    n_block = round(BLOCK_S * rate)
    blocks = []
    with sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32") as stream:
        for _ in range(max(round(seconds / BLOCK_S), 1)):
            block, _ = stream.read(n_block)
            blocks.append(block[:, 0].copy())
            show_level(float(np.abs(block).max()))
    return np.concatenate(blocks)
