"""Explorers of chapter 2: what sampling and rounding do to a sound."""

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from digitlab import audio, plotting
from digitlab.widgets.flipbook import Explorer, Frame, counted, explorer, one_channel


def aliasing(rate: int = 4000) -> Explorer:
    """Sample tones, some of them too high for the rate, and hear which tones come back.

    The 16 tones reach nearly twice the rate. Shown in chapter 2, "Digital audio".

    Parameters
    ----------
    rate : int
        Samples per second, in Hz.

    Examples
    --------
    >>> aliasing().places[0]
    '300 Hz'
    """
    tones = (np.arange(16) + 0.6) * rate / 8  # none at half the rate, nor at the rate itself
    places = [f"{tone:,.0f} Hz" for tone in tones]
    return explorer(lambda place: _draw_aliasing(tones[place], rate), places, "tone")


def _draw_aliasing(tone: float, rate: int) -> Frame:
    alias = _alias(tone, rate)
    figure, (wave, fold) = plt.subplots(
        1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[3, 2], dpi=120
    )
    fine, sampled = np.linspace(0, 12, 3001) / rate, np.arange(13) / rate
    wave.plot(fine * 1e3, np.sin(2 * np.pi * tone * fine), "-", color="#9fb3c0", linewidth=1)
    wave.plot(fine * 1e3, np.sin(2 * np.pi * alias * fine), "--", color=plotting.SECOND)
    wave.plot(sampled * 1e3, np.sin(2 * np.pi * tone * sampled), "o", color=plotting.INK)
    wave.set(xlabel="time [ms]", ylabel="amplitude [peak]", ylim=(-1.15, 1.15))
    wave.set_title(f"in: {tone:,.0f} Hz; out: {abs(alias):,.0f} Hz")
    tones = np.linspace(0, 2 * rate, 401)
    fold.plot(tones, np.abs(_alias(tones, rate)), "-", color=plotting.ACCENT)
    fold.plot(tone, abs(alias), "o", color=plotting.SECOND, markersize=8)
    fold.set(xlabel="tone in [Hz]", ylabel="tone out [Hz]", ylim=(0, 0.55 * rate))
    fold.axvline(rate / 2, color=plotting.INK, linestyle=":", linewidth=1)
    alt = (
        f"Left, a tone of {tone:,.0f} Hz with dots where it is sampled, and the tone of "
        f"{abs(alias):,.0f} Hz through the same dots. Right, a zigzag: the tone that comes out "
        "rises to half the rate, falls to zero, rises again."
    )
    seconds = np.arange(1.2 * rate) / (4 * rate)
    sounds = (np.sin(2 * np.pi * frequency * seconds) for frequency in (tone, alias))
    before, after = (0.4 * audio.fade(sound, 4 * rate) for sound in sounds)
    sound = audio.players(
        audio.player(before, 4 * rate, f"The tone: {tone:,.0f} Hz."),
        audio.player(after, 4 * rate, f"Sampled at {rate:,} Hz and played."),
    )
    return Frame(figure, alt, sound)


def _alias(frequency: float | np.ndarray, rate: int) -> float | np.ndarray:
    """Return the nearest frequency to 0 with the same samples; a negative one is upside down."""
    return frequency - rate * np.round(frequency / rate)


def quantisation(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Give a sound 1 to 16 bits, and hear the error.

    Shown in chapter 2, "Digital audio".

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Floats of full scale 1, or integers, which :func:`digitlab.audio.as_sound` scales.
    rate : int
        In Hz.
    caption : str
        Source of the recording; stands under every player.

    Raises
    ------
    ValueError
        If the samples are no sound, or have several channels.

    Examples
    --------
    >>> tone = np.sin(np.arange(8000) / 4)
    >>> quantisation(tone, 8000).place
    3
    """
    samples = audio.peak_normalize(one_channel(samples))
    bits = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16]
    places = [counted(n, "bit") for n in bits]

    def draw(place):
        return _draw_quantisation(samples, rate, bits[place], f"{places[place]}. {caption}".strip())

    return explorer(draw, places, "word length", start=3)


def _draw_quantisation(samples: np.ndarray, rate: int, bits: int, caption: str) -> Frame:
    quantised = audio.quantise(samples, bits)
    error = quantised - samples
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(6.4, 3.4), sharex=True, height_ratios=[3, 2], layout="constrained", dpi=120
    )
    half = rate // 125  # 8 ms either side of the loudest sample
    middle = np.clip(np.abs(samples).argmax(), half, max(len(samples) - half, half))
    part = slice(middle - half, middle + half)
    ms = np.arange(len(samples))[part] / rate * 1000
    top.plot(ms, samples[part], "-", color="#9fb3c0", linewidth=2.5, label="before")
    top.step(ms, quantised[part], "-", where="mid", color=plotting.INK, linewidth=1)
    top.set(ylabel="amplitude\n[full scale]", ylim=(-1.1, 1.1), title=_snr(samples, error, bits))
    bottom.plot(ms, error[part], "-", color=plotting.SECOND, linewidth=1)
    bottom.set(xlabel="time [ms]", ylabel="error\n[full scale]", xlim=(ms[0], ms[-1]))
    largest, limit = np.abs(error).max(), 0.6 * 2.0 ** (1 - bits)
    if largest <= limit:
        bottom.set_ylim(-limit, limit)
    alt = (
        f"16 ms of the sound before and after rounding to {counted(bits, 'bit')}, a staircase of "
        f"at most {2**bits:,} levels; below, the difference, jagged."
    )
    gain = max(0.5 / largest, 1) if largest else 1
    change = f"{gain:,.3g} times louder" if gain > 1 else "not made louder"
    sound = audio.players(
        audio.player(quantised, rate, f"With {caption}"),
        audio.player(gain * error, rate, f"The error alone, {change}. {caption}"),
    )
    return Frame(figure, alt, sound)


def _snr(samples: np.ndarray, error: np.ndarray, bits: int) -> str:
    """Compare the measured ratio of signal to error with the formula of chapter 2."""
    if not (samples.any() and error.any()):
        return "no error"
    power = np.mean(samples.astype(float) ** 2)
    measured = 10 * np.log10(power / np.mean(error.astype(float) ** 2))
    formula = 6.02 * bits + 4.77 + 10 * np.log10(power)
    return f"signal over error: {measured:.1f} dB measured, {formula:.1f} dB by the formula"
