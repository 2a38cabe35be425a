"""WAV files as arrays of samples, from the disk or from memory; :mod:`digitlab.audio` hands it on.

The headers are judged by :mod:`digitlab.riff`, and libsndfile decodes the samples.
"""

import io
import os
import warnings

import numpy as np
import soundfile
from numpy.typing import NDArray

from digitlab import riff
from digitlab.riff import WavError

__all__ = ["InMemory", "decode_wav", "read_wav"]


def read_wav(path: riff.Name, *, mono: bool = False) -> tuple[NDArray[np.float32], int]:
    """Read a WAV file, or say precisely why it cannot be trusted.

    Parameters
    ----------
    path : str or path-like
        PCM of 8 to 32 bits, float, mu-law, A-law or what else libsndfile decodes; plain, extensible
        or RF64.
    mono : bool
        Return the mean of the channels. By default they are not mixed.

    Returns
    -------
    samples : ndarray of float32, shape (n_frames,) or (n_frames, n_channels)
        One axis for one channel. Full scale is 1, and what a float file holds beyond it is kept.
    rate : int
        Frames a second, in Hz.

    Raises
    ------
    WavError
        If the file is missing, is no WAV file, is damaged, holds no samples, or holds NaN or
        infinite ones.

    Warns
    -----
    UserWarning
        If a float file goes beyond full scale, or if the recorder never filled in the size of the
        samples, so that they are read to the end of the file. The message names the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/click.wav", [0.0, 0.5, -1.0], 8000)
    ...     read_wav(f"{folder}/click.wav")
    (array([ 0. ,  0.5, -1. ], dtype=float32), 8000)
    """
    if (plain := _read_plain(path)) is not None:
        return plain
    samples, rate, remarks = _read_any(path)
    for remark in remarks:
        warnings.warn(f"{path}: {remark}", stacklevel=2)
    if mono and samples.ndim == 2:
        samples = samples.mean(axis=1)
    return samples, rate


def decode_wav(content: bytes) -> tuple[NDArray[np.float32], int, tuple[str, ...]]:
    """Read a WAV file that is in memory, as `read_wav` reads one on the disk.

    Parameters
    ----------
    content : bytes
        The whole file.

    Returns
    -------
    samples, rate
        As for `read_wav`.
    remarks : tuple of str
        What `read_wav` warns of.

    Raises
    ------
    WavError
        As for `read_wav`; the file is called "the recording".

    Notes
    -----
    Nothing is written to the disk: a service that is killed leaves no recording behind.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [0.0, 0.5], 8000, format="WAV")
    >>> decode_wav(file.getvalue())
    (array([0. , 0.5], dtype=float32), 8000, ())
    """
    return _read_any(InMemory(content))


class InMemory(io.BytesIO):
    """A WAV file in memory: :mod:`digitlab.riff` takes it in place of a path.

    Parameters
    ----------
    initial_bytes : bytes
        The whole file.

    Examples
    --------
    >>> riff.check(InMemory(b""))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    digitlab.riff.WavError: the recording: the file is empty (byte 0). ...
    """

    def __str__(self):
        """Return what messages call it."""
        return "the recording"


def _read_any(path):
    """Read a file on the disk or in memory; return what is remarkable of it, too."""
    wav = riff.check(path)
    samples = _decode(path, wav)
    remarks = []
    if wav.unfinished:
        remarks.append("its size was never filled in, so it is read to the end of the file")
    if wav.codec == riff.FLOAT:
        _refuse_non_finite(path, wav, samples)
        if (peak := np.abs(samples).max()) > 1:
            remarks.append(f"samples reach {peak:.6g} times full scale and are kept as they are")
    return samples, wav.rate, tuple(remarks)


def _read_plain(path):
    """Read 16-bit mono PCM with no chunk but its samples in an eighth of the time; else None."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            rate, size = riff.plain_header(file.read(44)) or (0, 0)
            content = file.read() if size else b""
    except OSError:
        return None
    if not size or len(content) != size:
        return None
    return np.frombuffer(content, "<i2") * np.float32(1 / 32768), rate


def _decode(path, wav):
    """Decode the samples; where libsndfile does not find all of them, rebuild the file for it."""
    for rebuild in (False, True):
        try:  # with a file object, since libsndfile does not take every name
            with io.BytesIO(riff.rebuilt(path)) if rebuild else _opened(path) as source:
                samples, _ = soundfile.read(source, dtype="float32")
        except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name in .raw
            reason = getattr(error, "error_string", str(error)).rstrip(".")
            problem = f"libsndfile cannot decode its samples, coded as {wav.name}: {reason}"
        else:
            if len(samples) and wav.n_frames in (None, len(samples)):
                return samples
            promised = "some" if wav.n_frames is None else f"{wav.n_frames:,}"
            problem = f"its header promises {promised} frames and libsndfile reads {len(samples):,}"
    raise WavError(path, problem, wav.data_offset, riff.CONVERT)


def _opened(path):
    return io.BytesIO(path.getvalue()) if isinstance(path, InMemory) else open(path, "rb")


def _refuse_non_finite(path, wav, samples):
    bad = np.flatnonzero(~np.isfinite(samples))
    if bad.size:
        byte = wav.data_offset + int(bad[0]) * wav.bits_per_sample // 8
        problem = f"{bad.size:,} of its {samples.size:,} samples are NaN or infinite"
        raise WavError(path, problem, byte, "Export it again, or leave it out.")
