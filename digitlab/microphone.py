"""Record from the microphone of this machine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

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
    blocks = []
    with opened() as (incoming, rate):
        for _ in range(max(round(seconds / BLOCK_S), 1)):
            blocks.append(next(incoming).samples)
            show_level(float(np.abs(blocks[-1]).max()))
    samples = np.concatenate(blocks)
    if np.abs(samples).max() < SILENT:
        raise MicrophoneError("the recording is silent: is the microphone switched off, or muted?")
    return samples, rate


class Block(NamedTuple):
    """What came from the microphone in 50 ms.

    Attributes
    ----------
    samples : array of shape (n_samples,), float32
        One channel; full scale is 1.
    is_after_loss : bool
        Whether sound before it was lost, because nobody fetched it in time (an overflow).
    """

    samples: np.ndarray
    is_after_loss: bool


@contextmanager
def opened() -> Iterator[tuple[Iterator[Block], int]]:
    """Listen to the microphone that the system uses, until the ``with`` block is left.

    Yields
    ------
    blocks : iterator of Block
        It never ends; each takes 50 ms to come.
    rate : int
        In Hz: that of the microphone.

    Raises
    ------
    ImportError
        If sounddevice is not installed (extra ``mic``), or PortAudio, which it needs, is not.
    MicrophoneError
        If there is no microphone, or it is taken away.
    """
    try:
        sounddevice = require("sounddevice", extra="mic")
    except OSError as error:
        raise ImportError(
            f"recording needs PortAudio ({error}): on Debian or Ubuntu, apt install libportaudio2"
        ) from error
    with ExitStack() as open_streams:
        with _explained(sounddevice):
            rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
            stream = sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32")
            open_streams.enter_context(stream)
        yield _blocks(sounddevice, stream, round(BLOCK_S * rate)), rate


def _blocks(sounddevice, stream, n_block: int) -> Iterator[Block]:
    while True:
        with _explained(sounddevice):
            samples, is_after_loss = stream.read(n_block)
        yield Block(samples[:, 0].copy(), bool(is_after_loss))


@contextmanager
def _explained(sounddevice) -> Iterator[None]:
    """Say what to do where PortAudio raises an error."""
    try:
        yield
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"there is no microphone that can be used ({error}): connect one, allow it in the "
            "system's settings, or give a file to  digitlab predict"
        ) from error


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
