"""Sound as arrays: read and write WAV files, resample, round, level, fit to a length, play.

Everywhere in the book a sound is a pair ``(samples, rate)``: float32 samples whose full scale is 1,
of shape (n_frames,) or (n_frames, n_channels), and a rate in Hz. Every function here also takes
samples of other floats, of int8, int16 and int32, and uint8, which it scales as `to_float` does.
Chapter 2, "Digital audio", builds the ideas in the open.
"""

import base64
import html
import io
import os
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike, NDArray

from digitlab import riff
from digitlab.decoding import InMemory, decode_wav, read_wav
from digitlab.environment import replacing, require
from digitlab.riff import WavError

if TYPE_CHECKING:
    from IPython.display import HTML

__all__ = [
    "InMemory",
    "WavError",
    "as_sound",
    "decode_wav",
    "fade",
    "fit",
    "peak_normalize",
    "player",
    "players",
    "quantise",
    "read_wav",
    "resample",
    "rms",
    "to_float",
    "write_wav",
]

MAX_CHANNELS = 64  # the largest arrays of microphones and loudspeakers in use


def to_float(samples: ArrayLike) -> NDArray[np.float32]:
    """Return samples as float32 whose full scale is 1.

    Parameters
    ----------
    samples : array_like, any shape
        Floats, which are kept, or int8, int16, int32 or uint8 (with silence at 128), which are
        divided by the full scale of their type.

    Returns
    -------
    ndarray of float32, the same shape

    Raises
    ------
    ValueError
        If they are of another type, such as int64 or bool, whose full scale is unknown, a masked
        array, or a tensor that NumPy cannot read.

    Examples
    --------
    >>> to_float(np.array([0, 16384, -32768], np.int16))
    array([ 0. ,  0.5, -1. ], dtype=float32)
    """
    return _as_float32(_scaled(samples))


def as_sound(samples: ArrayLike) -> NDArray[np.float32]:
    """Return samples as `to_float` does, if they have the shape of a sound.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        One sound; time runs along axis 0.

    Returns
    -------
    ndarray of float32, the same shape

    Raises
    ------
    ValueError
        If there are no samples, more channels than frames, more than 64 channels, or other than
        one or two axes, or for what `to_float` refuses.

    Examples
    --------
    >>> as_sound([[0.0, 0.5], [0.25, -1.0]]).shape
    (2, 2)
    """
    return _as_float32(_sound(samples))


def _as_float32(samples: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        return np.asarray(samples, dtype=np.float32)


def _scaled(samples: ArrayLike) -> NDArray[np.floating]:
    """Scale integers as `to_float` does; floats keep their type."""
    if isinstance(samples, np.ma.MaskedArray):
        raise ValueError(
            "a sound cannot have masked samples; fill them first, such as samples.filled(0)"
        )
    try:
        samples = np.asarray(samples)
    except (ValueError, TypeError, RuntimeError) as error:
        if hasattr(samples, "detach"):
            raise ValueError(
                "NumPy cannot read this tensor; give samples.detach().cpu().numpy()"
            ) from error
        raise ValueError(f"samples must form one array of numbers ({error})") from error
    kind = samples.dtype.name
    if samples.dtype.kind == "f":
        return samples
    if kind == "uint8":
        return (samples.astype(np.float32) - 128) / 128
    if kind in ("int8", "int16", "int32"):
        return samples.astype(np.float32) / -np.float32(np.iinfo(kind).min)
    raise ValueError(
        f"samples of type {kind} have no known full scale; give floats from -1 to 1 "
        "(for 16-bit values samples / 32768), or int8, int16, int32 or uint8 as files hold them"
    )


def _sound(samples: ArrayLike) -> NDArray[np.floating]:
    """Refuse what `as_sound` refuses; floats keep their type."""
    samples = _scaled(samples)
    shape = samples.shape
    if samples.size == 0 or samples.ndim not in (1, 2):
        raise ValueError(
            f"samples of shape {shape} are no sound; "
            "give at least one sample, as (n_frames,) or (n_frames, n_channels)"
        )
    if samples.ndim == 2 and min(shape) > MAX_CHANNELS:
        raise ValueError(
            f"samples of shape {shape} look like a batch of clips or a spectrogram; "
            f"give one sound at a time, of at most {MAX_CHANNELS} channels"
        )
    if samples.ndim == 2 and shape[1] > shape[0]:
        raise ValueError(
            f"samples of shape {shape} look like (channels, frames); "
            "transpose them (samples.T), or give one clip at a time"
        )
    return samples


def _check_rate(rate: Any, kind: type = Real) -> None:
    """Refuse what is no rate in Hz; kind is Integral where it must be whole."""
    is_number = isinstance(rate, kind) and not isinstance(rate, bool)
    if not is_number or not 1 <= rate <= riff.MAX_RATE:
        number = "whole number" if kind is Integral else "number"
        raise ValueError(
            f"a rate cannot be {rate!r}; "
            f"give it in Hz, as a {number} from 1 to {riff.MAX_RATE:,}, such as 8000"
        )


def _peak(sound: ArrayLike) -> np.float32:
    """Return the largest magnitude; refuse a sound that has none."""
    peak = np.abs(_as_float32(sound)).max()
    if not np.isfinite(peak):
        raise ValueError("some samples are NaN or infinite; replace or remove them first")
    return peak


def write_wav(path: str | os.PathLike[str], samples: ArrayLike, rate: int) -> None:
    """Write a 16-bit PCM WAV file, whole or not at all.

    Every value ``k / 32768`` comes back exactly; only +1 itself, which 16 bits cannot hold,
    becomes 32767 / 32768.

    Parameters
    ----------
    path : str or path-like
        Where to write; an existing file is replaced.
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        From -1 to 1.
    rate : int
        Frames a second, in Hz.

    Raises
    ------
    ValueError
        For what `as_sound` refuses, if samples are not finite or beyond full scale, or if the rate
        is not a whole number from 1 to 10,000,000.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_wav(f"{folder}/click.wav", [0.0, 1.0, -1.0], 8000)
    ...     print(read_wav(f"{folder}/click.wav")[0] * 32768)
    [     0.  32767. -32768.]
    """
    path = Path(path)
    content = wav_bytes(path, samples, rate)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: its folder does not exist; create it first")
    with replacing(path) as file:
        file.write(content)


def wav_bytes(name: str | os.PathLike, samples: ArrayLike, rate: int) -> bytes:
    """Encode a sound as a 16-bit WAV file in memory.

    Parameters
    ----------
    name : str
        What an error message calls the sound.
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound; full scale is 1.
    rate : int
        Frames a second, in Hz.

    Raises
    ------
    ValueError
        For what `write_wav` refuses.

    Examples
    --------
    >>> wav_bytes("a click", [0.0, 0.5], 8000)[:4]
    b'RIFF'
    """
    try:
        _check_rate(rate, Integral)
        samples = _sound(samples)
        if (peak := _peak(samples)) > 1:
            raise ValueError(
                f"samples reach {peak:.6g} times full scale; "
                "bring them within it with peak_normalize(samples)"
            )
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    steps = np.rint(samples * 32768.0).clip(-32768, 32767).astype(np.int16)
    content = io.BytesIO()
    soundfile.write(content, steps, int(rate), format="WAV", subtype="PCM_16")
    return content.getvalue()


def resample(samples: ArrayLike, rate: float, new_rate: float) -> NDArray[np.float32]:
    """Change the rate of a sound and keep its pitch and duration.

    What the new rate cannot hold is removed, not aliased (soxr, "very high quality"); chapter 3
    builds such a filter. Near a sharp edge the result may go beyond full scale.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound; time runs along axis 0.
    rate, new_rate : float
        Frames a second before and after, in Hz.

    Returns
    -------
    ndarray of float32, shape (n_new,) or (n_new, n_channels)
        ``n_new`` is ``n_frames * new_rate / rate``, rounded. The samples themselves if the
        rates are equal.

    Raises
    ------
    ValueError
        If a rate is not a number from 1 to 10,000,000, for what `as_sound` refuses, or if samples
        are not finite.

    Examples
    --------
    >>> resample([0.0] * 48000, 48000, 8000).shape
    (8000,)
    """
    _check_rate(rate)
    _check_rate(new_rate)
    sound = as_sound(samples)
    if rate == new_rate:
        return sound
    _peak(sound)  # one NaN would spread over all samples
    return soxr.resample(sound, rate, new_rate, quality="VHQ")


def peak_normalize(samples: ArrayLike) -> NDArray[np.float32]:
    """Scale a sound so that its largest magnitude is 1; silence stays zeros.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound; all channels are scaled alike.

    Returns
    -------
    ndarray of float32, the same shape

    Raises
    ------
    ValueError
        For what `as_sound` refuses, or if samples are not finite.

    Examples
    --------
    >>> peak_normalize([0.0, 0.1, -0.2])
    array([ 0. ,  0.5, -1. ], dtype=float32)
    """
    sound = as_sound(samples)
    return sound / (_peak(sound) or np.float32(1))


def rms(samples: ArrayLike) -> float:
    """Return the root mean square of a sound: its level as one number (chapter 1).

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound; at least one sample.

    Returns
    -------
    float
        Between 0 and the largest magnitude; full scale is 1. In decibels relative to full scale it
        is ``20 * np.log10(rms(samples))``.

    Raises
    ------
    ValueError
        For what `as_sound` refuses, such as a sound without samples.

    Examples
    --------
    >>> round(rms([0.5, -0.5, 0.5, -0.5]), 3)
    0.5
    """
    return float(np.sqrt(np.mean(np.square(_sound(samples), dtype=np.float64))))


def fade(samples: ArrayLike, rate: float, seconds: float = 0.02) -> NDArray[np.floating]:
    """Fade a sound in at its start and out at its end, so that it does not click (chapter 1).

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound.
    rate : float
        In Hz.
    seconds : float
        The duration of each of the two, along a straight line.

    Returns
    -------
    ndarray, the same shape
        The sound, from 0 to 0. Floats keep their type; integers become float32.

    Raises
    ------
    ValueError
        If the duration is not positive, if the rate is not a number from 1 to 10,000,000, or for
        what `as_sound` refuses.

    Examples
    --------
    >>> fade(np.ones(5), rate=4, seconds=0.5)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    _check_rate(rate)
    if not seconds > 0:
        raise ValueError(f"a fade cannot take {seconds} s; give a positive number")
    samples = _sound(samples)
    steps = np.arange(len(samples))
    gain = np.minimum(1, np.minimum(steps, steps[::-1]) / (seconds * rate))
    return (samples.T * gain.astype(samples.dtype)).T


def quantise(
    samples: ArrayLike, bits: int, *, dither: np.random.Generator | None = None
) -> NDArray[np.float32]:
    """Round samples to the levels that a number of `bits` bits can hold.

    The 2**bits levels are whole multiples of the step, 2 / 2**bits, from -1 to one step below +1.
    Samples beyond them are clipped.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        Full scale is 1.
    bits : int
        From 1 up.
    dither : numpy.random.Generator, optional
        Draws triangular noise of up to one step, which is added before rounding. The error is then
        noise too, whatever the sound.

    Returns
    -------
    ndarray of float32, the same shape

    Raises
    ------
    ValueError
        If `bits` is not a whole number from 1 to 24, for what `as_sound` refuses, or if samples
        are not finite.

    Examples
    --------
    >>> quantise([-1.0, -0.2, 0.1, 0.3, 1.0], 3)
    array([-1.  , -0.25,  0.  ,  0.25,  0.75], dtype=float32)
    """
    if not isinstance(bits, Integral) or not 1 <= bits <= 24:
        raise ValueError(f"bits must be a whole number from 1 to 24, not {bits!r}")
    samples = _sound(samples)
    _peak(samples)
    steps = samples.astype(np.float64) * 2 ** (bits - 1)
    if dither is not None:
        steps = steps + dither.uniform(-0.5, 0.5, (2, *steps.shape)).sum(axis=0)
    highest = 2 ** (bits - 1) - 1
    return (np.rint(steps).clip(-highest - 1, highest) / 2 ** (bits - 1)).astype(np.float32)


def fit(
    samples: ArrayLike, n_samples: int, *, align: Literal["center", "start"] = "center"
) -> NDArray[np.floating]:
    """Make a sound exactly `n_samples` long: cut its end off, or pad it with zeros.

    Parameters
    ----------
    samples : array_like, shape (n,) or (n, 1)
        One channel.
    n_samples : int
        The length wanted.
    align : {"center", "start"}
        Where the zeros go if the sound is too short: to both sides, the odd one to the end, or all
        to the end.

    Returns
    -------
    ndarray, shape (n_samples,)
        Floats keep their type; integers become float32.

    Raises
    ------
    ValueError
        If there is more than one channel, `n_samples` is negative or not whole, `align` is neither
        of the two, or for what `as_sound` refuses.

    Examples
    --------
    >>> fit([1.0, 2.0], 5)
    array([0., 1., 2., 0., 0.])
    >>> fit([1.0, 2.0], 5, align="start")
    array([1., 2., 0., 0., 0.])
    """
    samples = _sound(samples)
    if samples.size != len(samples):
        raise ValueError(
            f"fit takes one channel, not {samples.shape[1]}: "
            "choose one (samples[:, 0]) or their mean (samples.mean(axis=1))"
        )
    if not isinstance(n_samples, Integral) or n_samples < 0:
        raise ValueError(f"a sound cannot be {n_samples} samples long")
    if align not in ("center", "start"):
        raise ValueError(f'align is "center" or "start", not {align!r}')
    kept = samples.ravel()[:n_samples]
    start = (n_samples - len(kept)) // 2 if align == "center" else 0
    fitted = np.zeros(n_samples, samples.dtype)  # many times faster than np.pad
    fitted[start : start + len(kept)] = kept
    return fitted


def wav_url(name: str, samples: ArrayLike, rate: int) -> str:
    """Return a sound as a data URL, for a page that holds it itself.

    Parameters
    ----------
    name, samples, rate
        As for :func:`wav_bytes`.

    Examples
    --------
    >>> wav_url("a click", [0.0, 0.5], 8000)[:26]
    'data:audio/wav;base64,UklG'
    """
    return f"data:audio/wav;base64,{base64.b64encode(wav_bytes(name, samples, rate)).decode()}"


def player(samples: ArrayLike, rate: int, caption: str, *, max_rate: int | None = 16000) -> "HTML":
    r"""Show a sound that the reader can play, in JupyterLab and in the rendered book.

    Parameters
    ----------
    samples : array_like, shape (n_frames,) or (n_frames, n_channels)
        The sound. Beyond full scale it is scaled down to play, and the caption says so, unless
        only resampling took it there.
    rate : int
        Frames a second, in Hz.
    caption : str
        What to listen for; for somebody's recording also corpus, speaker and licence. The
        duration is added.
    max_rate : int or None
        In Hz. A higher rate is reduced to this one, so that pages stay small. None keeps the rate.

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

    Examples
    --------
    >>> player([0.0, 0.5, 0.0, -0.5], 8000, "A click & a hum.").data[-62:]
    '<figcaption>A click &amp; a hum, 0.5\xa0ms.</figcaption></figure>'
    """
    try:
        _check_rate(rate)
        if max_rate is not None:
            _check_rate(max_rate, Integral)
        sound = as_sound(samples)
        peak = _peak(sound)
    except ValueError as error:
        raise ValueError(f"{caption}: {error}") from error
    words = _with_duration(caption, len(sound) / rate)
    if peak > 1:
        words += f" (beyond full scale, peak {peak:.3g}: scaled down for playing)"
    if max_rate is not None and rate > max_rate:
        sound, rate = resample(sound, rate, max_rate), max_rate
    if _peak(sound) > 1:
        sound = peak_normalize(sound)
    source = wav_url(caption, sound, rate)
    words = html.escape(words)
    return _html(
        f'<figure class="player"><audio controls aria-label="{words}" '
        f'src="{source}"></audio>'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _with_duration(caption: str, seconds: float) -> str:
    duration = f"{seconds:.1f}\u00a0s" if seconds >= 0.095 else f"{1000 * seconds:.2g}\u00a0ms"
    if caption.endswith("."):
        return f"{caption[:-1]}, {duration}."
    return f"{caption} {duration}" if caption.endswith(("?", "!")) else f"{caption}, {duration}"


def players(*players: "HTML") -> "HTML":
    """Put players side by side, to compare by ear.

    Parameters
    ----------
    *players : IPython.display.HTML
        What `player` returned.

    Returns
    -------
    IPython.display.HTML
        All of them in one row.

    Examples
    --------
    >>> original, aliased = (player([0.0, 0.5], 8000, name) for name in ("original", "aliased"))
    >>> players(original, aliased).data.count("<audio")
    2
    """
    return _html(f'<div class="players">{"".join(one.data for one in players)}</div>')


def _html(markup: str) -> "HTML":
    return require("IPython.display", extra="book").HTML(markup)
