"""Sound as arrays: read and write WAV files, resample, round, level, fit to a length, play.

Everywhere in the book a sound is a pair ``(samples, rate)``: float32 samples whose full scale
is 1, and a rate in Hz. Chapter 2, "Digital audio", builds the ideas in the open.
"""

import base64
import html
import io
import os
import struct
import uuid
import warnings
from numbers import Integral
from pathlib import Path

import numpy as np
import soundfile
import soxr

from digitlab import riff
from digitlab.environment import require
from digitlab.riff import WavError

__all__ = [
    "WavError",
    "as_sound",
    "fade",
    "fit",
    "peak_normalize",
    "player",
    "players",
    "quantise",
    "read_wav",
    "resample",
    "to_float",
    "write_wav",
]

PLAIN_HEADER = struct.Struct("<4sI8sIHHIIHH4sI")
FULL_SCALE = {"int8": 2**7, "int16": 2**15, "int32": 2**31, "uint8": 2**7}


def to_float(samples) -> np.ndarray:
    """Return samples as float32, with integers scaled so that full scale is 1.

    Parameters
    ----------
    samples : array_like
        Floats, which pass, or int8, int16, int32 or uint8, whose full scale their type tells.

    Returns
    -------
    ndarray of float32
        Of the same shape.

    Raises
    ------
    ValueError
        If the samples are of any other type.

    Examples
    --------
    >>> to_float(np.array([-32768, 16384], dtype=np.int16))
    array([-1. ,  0.5], dtype=float32)
    """
    samples = np.asarray(samples)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    if samples.dtype.name not in FULL_SCALE:
        raise ValueError(
            f"samples of type {samples.dtype} have no known full scale: give floats from -1 to 1"
        )
    offset = 128 if samples.dtype == np.uint8 else 0
    return ((samples.astype(np.float64) - offset) / FULL_SCALE[samples.dtype.name]).astype(
        np.float32
    )


def as_sound(samples) -> np.ndarray:
    """Return samples as float32 of shape (n_frames,) or (n_frames, n_channels), or refuse them.

    Parameters
    ----------
    samples : array_like
        As for :func:`to_float`.

    Returns
    -------
    ndarray of float32, shape (n_frames,) or (n_frames, n_channels)
        The sound.

    Raises
    ------
    ValueError
        If there are no samples, other dimensions, or more channels than frames.

    Examples
    --------
    >>> as_sound([0.5, -0.5]).shape
    (2,)
    """
    samples = to_float(samples)
    if samples.ndim not in (1, 2) or not samples.size:
        raise ValueError(
            f"samples of shape {samples.shape}: give at least one, as (n_frames,) or "
            "(n_frames, n_channels)"
        )
    if samples.ndim == 2 and samples.shape[1] > samples.shape[0]:
        raise ValueError(f"shape {samples.shape} looks like (channels, frames): transpose it")
    return samples


def read_wav(path, *, mono=False):
    """Read a WAV file, or say precisely why it cannot be trusted.

    Parameters
    ----------
    path : str or path-like
        A WAV file: PCM of 8 to 32 bits, float, mu-law or A-law, plain, extensible or RF64.
    mono : bool
        Return the mean of the channels. Channels are never mixed unasked.

    Returns
    -------
    samples : ndarray of float32, shape (n_frames,) or (n_frames, n_channels)
        One axis for one channel. Full scale is 1; a float file beyond it is kept as it is.
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
        If the samples of a float file go beyond full scale; the message names file and peak.

    See Also
    --------
    digitlab.riff.describe : Every byte of the header, explained.

    Notes
    -----
    Taught in chapter 2, "Digital audio"; `soundfile` (libsndfile) decodes the samples. The plainest
    of files, 16-bit mono PCM with no chunk but its samples, is read without it, in a third of the
    time.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wav(f"{folder}/click.wav", [0, 0.5, -1], 8000)
    ...     read_wav(f"{folder}/click.wav")
    (array([ 0. ,  0.5, -1. ], dtype=float32), 8000)
    """
    if (plain := _read_plain(path)) is not None:
        return plain
    wav = riff.check(path)
    samples = _decode(path, wav)
    if wav.codec == riff.FLOAT:
        _refuse_non_finite(path, wav, samples)
        peak = np.abs(samples).max()
        if peak > 1:
            message = f"{path}: samples reach {peak:.6g} times full scale and are kept as they are"
            warnings.warn(message, stacklevel=2)
    if mono and samples.ndim == 2:
        samples = samples.mean(axis=1)
    return samples, wav.rate


def _read_plain(path):
    """Read mono 16-bit PCM behind a header of 44 bytes, as most files have; None if it is not."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read()
    except OSError:
        return None
    size = len(content) - PLAIN_HEADER.size
    if size <= 0 or size % 2:
        return None
    header = PLAIN_HEADER.unpack_from(content)
    rate = header[6]
    plain = (b"RIFF", header[1], b"WAVEfmt ", 16, riff.PCM, 1, rate, 2 * rate, 2, 16, b"data", size)
    if header != plain or not 0 < rate <= riff.MAX_RATE:
        return None
    steps = np.frombuffer(content, "<i2", offset=PLAIN_HEADER.size)
    return np.multiply(steps, np.float32(1 / 32768), dtype=np.float32), rate


def _decode(path, wav):
    try:
        samples, _ = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        problem = f"libsndfile cannot decode its samples, coded as {wav.name}: {reason}"
        raise WavError(path, problem, wav.data_offset, riff.CONVERT) from error
    if len(samples) == 0 or wav.n_frames not in (None, len(samples)):
        promised = "some" if wav.n_frames is None else f"{wav.n_frames:,}"
        problem = f"its header promises {promised} frames and libsndfile reads {len(samples):,}"
        raise WavError(path, problem, wav.data_offset, riff.FETCH_AGAIN)
    return samples


def _refuse_non_finite(path, wav, samples):
    bad = np.flatnonzero(~np.isfinite(samples))
    if bad.size:
        byte = wav.data_offset + int(bad[0]) * wav.bits_per_sample // 8
        problem = f"{bad.size:,} of its {samples.size:,} samples are NaN or infinite"
        raise WavError(path, problem, byte, "Export it again, or leave it out.")


def write_wav(path, samples, rate):
    """Write a 16-bit PCM WAV file, whole or not at all.

    Every value ``k / 32768`` comes back exactly; only +1 itself, which 16 bits cannot hold,
    becomes 32767 / 32768. The file is made beside its place and moved there when complete.

    Parameters
    ----------
    path : str or path-like
        Where to write; an existing file is replaced.
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        Values from -1 to 1.
    rate : int
        Frames a second, in Hz.

    Raises
    ------
    ValueError
        If the samples are empty, of another shape, not finite or beyond full scale, or if the
        rate is not a positive whole number.
    FileNotFoundError
        If the folder does not exist.

    See Also
    --------
    peak_normalize : Brings samples within full scale.

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wav(f"{folder}/click.wav", [0, 1, -1], 8000)
    ...     print(read_wav(f"{folder}/click.wav")[0] * 32768)
    [     0.  32767. -32768.]
    """
    path = Path(path)
    content = _wav_bytes(path, samples, rate)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: its folder does not exist; create it first")
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _wav_bytes(name, samples, rate):
    """Encode as a 16-bit WAV file in memory; `name` is what an error message calls the sound."""
    samples = np.asarray(samples)
    if samples.ndim not in (1, 2) or samples.size == 0:
        raise ValueError(
            f"{name}: samples of shape {samples.shape} cannot be written; "
            "give at least one, as (n_frames,) or (n_frames, n_channels)"
        )
    if not isinstance(rate, Integral) or not 0 < rate <= riff.MAX_RATE:
        raise ValueError(
            f"{name}: a rate of {rate!r} Hz cannot be written; "
            f"give a whole number from 1 to {riff.MAX_RATE:,}, such as 8000"
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: NaN or infinite samples; replace or remove them first")
    peak = np.abs(samples.astype(np.float32)).max()
    if peak > 1:
        raise ValueError(
            f"{name}: samples reach {peak:.6g} times full scale; "
            "bring them within it with peak_normalize(samples)"
        )
    steps = np.rint(samples * 32768).clip(-32768, 32767).astype(np.int16)
    content = io.BytesIO()
    soundfile.write(content, steps, int(rate), format="WAV", subtype="PCM_16")
    return content.getvalue()


def resample(samples, rate, new_rate):
    """Change the rate of a sound and keep its pitch and duration.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound; time runs along axis 0.
    rate, new_rate : int
        Frames a second before and after, in Hz.

    Returns
    -------
    ndarray of float32, shape (n_new,) or (n_new, n_channels)
        ``n_new`` is ``n_frames * new_rate / rate``, rounded. The samples themselves if the
        rates are equal.

    Raises
    ------
    ValueError
        If a rate is not positive, or the samples have more than two axes.

    Notes
    -----
    Taught in chapter 2, "Digital audio". A band-limited resampler (soxr, "very high quality"):
    what the new rate cannot hold is removed, not aliased. Near a sharp edge it may overshoot
    full scale.

    Examples
    --------
    >>> resample([0.0] * 48000, 48000, 8000).shape
    (8000,)
    """
    if not (rate > 0 and new_rate > 0):
        raise ValueError(f"rates must be positive, not {rate} Hz and {new_rate} Hz")
    samples = np.asarray(samples, dtype=np.float32)
    return samples if rate == new_rate else soxr.resample(samples, rate, new_rate, quality="VHQ")


def peak_normalize(samples):
    """Scale a sound so that its largest magnitude is 1; silence stays zeros.

    Parameters
    ----------
    samples : array_like, any shape
        The sound; all channels are scaled alike.

    Returns
    -------
    ndarray of float32, the same shape
        A new array.

    Raises
    ------
    ValueError
        If a sample is NaN or infinite.

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> peak_normalize([0.0, 0.1, -0.2])
    array([ 0. ,  0.5, -1. ], dtype=float32)
    """
    samples = np.asarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("samples are NaN or infinite, so they have no peak; remove those first")
    return samples / (np.abs(samples).max(initial=0) or np.float32(1))


def fade(samples, rate, seconds=0.02):
    """Let a sound swell at its start and fade at its end, so that neither clicks.

    Parameters
    ----------
    samples : array_like, shape (n_samples,)
        The sound.
    rate : int
        In Hz.
    seconds : float
        How long either takes, along a straight line.

    Returns
    -------
    ndarray, shape (n_samples,)
        The same sound, from 0 to 0.

    Notes
    -----
    Taught in chapter 1, "Sound waves".

    Examples
    --------
    >>> fade(np.ones(5), rate=4, seconds=0.5)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    samples = np.asarray(samples)
    steps = np.arange(len(samples))
    return samples * np.minimum(1, np.minimum(steps, steps[::-1]) / (seconds * rate))


def quantise(samples, bits, *, dither=None):
    """Round samples to the levels that a word of so many bits can hold.

    The 2**bits levels lie at whole multiples of the step, 2 / 2**bits, from -1 to one step below
    +1; what is beyond them is clipped.

    Parameters
    ----------
    samples : array_like
        Full scale is 1.
    bits : int
        From 1 up.
    dither : numpy.random.Generator, optional
        Draws noise, triangular and up to one step either way, that is added before rounding: the
        error is then noise too, whatever the sound.

    Returns
    -------
    ndarray of float32
        Of the same shape.

    Raises
    ------
    ValueError
        If `bits` is not a whole number from 1 to 24.

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> quantise([-1, -0.2, 0.1, 0.3, 1], 3)
    array([-1.  , -0.25,  0.  ,  0.25,  0.75], dtype=float32)
    """
    if not isinstance(bits, Integral) or not 1 <= bits <= 24:
        raise ValueError(f"bits must be a whole number from 1 to 24, not {bits!r}")
    steps = np.asarray(samples, dtype=np.float64) * 2 ** (bits - 1)
    if dither is not None:
        steps = steps + dither.uniform(-0.5, 0.5, (2, *steps.shape)).sum(axis=0)
    highest = 2 ** (bits - 1) - 1
    return (np.rint(steps).clip(-highest - 1, highest) / 2 ** (bits - 1)).astype(np.float32)


def fit(samples, n_samples, *, align="center"):
    """Make a sound exactly `n_samples` long: cut its end off, or pad it with zeros.

    Parameters
    ----------
    samples : array_like, shape (n,)
        One channel.
    n_samples : int
        The length wanted.
    align : {"center", "start"}
        Where a sound that is too short comes to lie: with zeros on both sides, the odd one at
        the end, or with all zeros at its end.

    Returns
    -------
    ndarray, shape (n_samples,)
        Of the samples' own type.

    Raises
    ------
    ValueError
        If the samples have more than one axis, `n_samples` is negative or `align` is neither.

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> fit([1, 2], 5)
    array([0, 1, 2, 0, 0])
    >>> fit([1, 2], 5, align="start")
    array([1, 2, 0, 0, 0])
    >>> fit([1, 2, 3], 2)
    array([1, 2])
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ValueError(f"fit takes one channel, of shape (n,), not {samples.shape}")
    if n_samples < 0:
        raise ValueError(f"a sound cannot be {n_samples} samples long")
    if align not in ("center", "start"):
        raise ValueError(f'align is "center" or "start", not {align!r}')
    kept = samples[:n_samples]
    start = (n_samples - len(kept)) // 2 if align == "center" else 0
    fitted = np.zeros(n_samples, samples.dtype)  # many times faster than np.pad
    fitted[start : start + len(kept)] = kept
    return fitted


def player(samples, rate, caption, *, max_rate=16000):
    """Show a sound that the reader can play, in JupyterLab and in the rendered book.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound. Beyond full scale it is scaled down to play, and the caption says so; what
        resampling overshoots is scaled down without a word.
    rate : int
        Frames a second, in Hz.
    caption : str
        What to listen for; for somebody's recording also corpus, speaker and licence.
    max_rate : int or None
        A higher rate is brought down to this one, in Hz, so that pages stay small. None keeps
        the rate, for where it is the lesson.

    Returns
    -------
    IPython.display.HTML
        A figure that holds the sound itself, as a 16-bit WAV file.

    Raises
    ------
    ValueError
        For what `write_wav` refuses, except beyond full scale.
    ImportError
        If IPython is missing (extra ``book``).

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> page = player([0, 0.5, 0, -0.5], 8000, "A click & a hum")
    >>> page.data[:53]
    '<figure class="player"><audio controls aria-label="A '
    >>> page.data[-53:]
    '<figcaption>A click &amp; a hum</figcaption></figure>'
    """
    samples = np.asarray(samples, dtype=np.float32)
    peak = np.abs(samples).max(initial=0)
    if peak > 1:
        caption += f" (beyond full scale, peak {peak:.3g}: scaled down for playing)"
    if max_rate is not None and rate > max_rate:
        samples, rate = resample(samples, rate, max_rate), max_rate
    if np.abs(samples).max(initial=0) > 1:
        samples = peak_normalize(samples)
    sound = base64.b64encode(_wav_bytes(caption, samples, rate)).decode()
    caption = html.escape(caption)
    return _html(
        f'<figure class="player"><audio controls aria-label="{caption}" '
        f'src="data:audio/wav;base64,{sound}"></audio>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def players(*players):
    """Put players side by side, to compare by ear.

    Parameters
    ----------
    *players : IPython.display.HTML
        What `player` returned.

    Returns
    -------
    IPython.display.HTML
        All of them in one row.

    Notes
    -----
    Taught in chapter 2, "Digital audio".

    Examples
    --------
    >>> original, aliased = (player([0, 0.5], 8000, name) for name in ("original", "aliased"))
    >>> players(original, aliased).data.count("<audio")
    2
    """
    return _html(f'<div class="players">{"".join(one.data for one in players)}</div>')


def _html(markup):
    return require("IPython.display", extra="book").HTML(markup)
