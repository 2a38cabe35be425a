"""Explorers: a slider that redraws a picture, and often a sound.

In JupyterLab an explorer is live: each place of the slider is computed when it is reached. In the
rendered book, where no Python runs, all places are computed beforehand and a native slider turns
them over like the pages of a flipbook. Both show the same frames.
"""

import base64
import html
import io
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import librosa
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy.signal import sosfreqz

from digitlab import audio, features, plotting, voices
from digitlab.environment import require

__all__ = [
    "Frame",
    "aliasing",
    "averaging_scale",
    "explorer",
    "fourier_series",
    "mel_bands",
    "quantisation",
    "vowels",
    "wavelets_per_octave",
    "waves",
    "window_length",
]

SPEED_OF_SOUND = 343  # m/s, in air of 20 °C (chapter 1)


class Frame(NamedTuple):
    """What an explorer shows at one place of its slider.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The picture.
    alt : str
        What is drawn, for someone who cannot see it.
    sound : IPython.display.HTML or None
        From :func:`digitlab.audio.player` or :func:`digitlab.audio.players`.
    """

    figure: Figure
    alt: str
    sound: object = None


def explorer(
    draw: Callable[[int], Frame],
    places: Sequence[str],
    label: str,
    *,
    start: int = 0,
    play: bool = False,
):
    """Let the reader move a slider through frames.

    Parameters
    ----------
    draw : callable
        From the number of a place, 0 for the first, to its :class:`Frame`.
    places : sequence of str
        What the slider says at each place, with its unit, such as ``"8 bits"``.
    label : str
        What the slider moves.
    start : int
        The place it begins at.
    play : bool
        Whether a button plays the frames as a film.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        Live in Jupyter; a flipbook where ``DIGITLAB_FLIPBOOK`` is set, as the book's build does.

    Raises
    ------
    ImportError
        If ipywidgets or IPython is missing (extra ``book``).

    Examples
    --------
    >>> def circle(place):
    ...     figure, ax = plt.subplots(figsize=(2, 2))
    ...     ax.plot(0, 0, "o", markersize=10 * (place + 1))
    ...     return Frame(figure, "A dot.")
    >>> len(explorer(circle, ["small", "large"], "size").children)
    2
    """
    page = cache(lambda place: _frame_html(draw(place)))
    if os.environ.get("DIGITLAB_FLIPBOOK"):
        return _flipbook([page(place) for place in range(len(places))], places, label, start, play)
    return _live(page, places, label, start, play)


def _frame_html(frame: Frame) -> str:
    picture = io.BytesIO()
    frame.figure.savefig(picture, format="webp", pil_kwargs={"quality": 70, "method": 6})
    plt.close(frame.figure)
    source = base64.b64encode(picture.getvalue()).decode()
    image = (
        f'<img style="max-width: 100%" alt="{html.escape(frame.alt)}" '
        f'src="data:image/webp;base64,{source}">'
    )
    return image + (frame.sound.data if frame.sound else "")


def _flipbook(frames: Sequence[str], places: Sequence[str], label: str, start: int, play: bool):
    """Stack all frames, one of them showing; book/assets/flipbook.js brings slider and button."""
    pages = "".join(
        f'<div class="frame" data-place="{html.escape(place)}"{"" if i == start else " hidden"}>'
        f"{frame}</div>"
        for i, (frame, place) in enumerate(zip(frames, places, strict=True))
    )
    button = '<button type="button">Play</button>' if play else ""
    return require("IPython.display", extra="book").HTML(
        f'<div class="flipbook">{pages}<div class="controls" hidden>{button}'
        f"<label><span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" value="{start}" '
        f'aria-valuetext="{html.escape(places[start])}">'
        f"<output>{html.escape(places[start])}</output></label></div></div>"
    )


def _live(page: Callable[[int], str], places: Sequence[str], label: str, start: int, play: bool):
    ipywidgets = require("ipywidgets", extra="book")
    slider = ipywidgets.SelectionSlider(
        options=[(place, i) for i, place in enumerate(places)],
        index=start,
        description=label,
        style={"description_width": "initial"},
        layout={"width": "90%"},
    )
    view = ipywidgets.HTML(page(start))
    slider.observe(lambda change: setattr(view, "value", page(change["new"])), "value")
    if not play:
        return ipywidgets.VBox([slider, view])
    film = ipywidgets.Play(max=len(places) - 1, interval=100, repeat=True)
    ipywidgets.jslink((film, "value"), (slider, "index"))
    return ipywidgets.VBox([ipywidgets.HBox([film, slider]), view])


# ---------------------------------------------------------------------------------- chapter 1


def waves():
    """Show a longitudinal wave over a transverse one, passing by: the film of chapter 1.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` through one period of a tone of 343 Hz.

    Notes
    -----
    Shown in chapter 1, "Sound waves".

    Examples
    --------
    >>> waves().children[1].value[:30]
    '<img style="max-width: 100%" a'
    """
    n_frames = 20
    period = 1000 / SPEED_OF_SOUND  # ms of a wave one metre long
    places = [f"{period * i / n_frames:.2f} ms" for i in range(n_frames)]
    rng = np.random.default_rng(1)
    columns = np.arange(-3, 59) / 28
    lines = (np.arange(10) + 0.5) / 10
    resting_x, resting_y = np.meshgrid(columns, lines, indexing="ij")
    resting_x = resting_x + rng.uniform(-0.014, 0.014, resting_x.shape)
    resting_y = resting_y + rng.uniform(-0.035, 0.035, resting_y.shape)
    marked = 31  # the column at 1 m

    def sway(x, place):
        return np.sin(2 * np.pi * (x - place / n_frames))

    def draw(place):
        figure, (air, curve, rope) = plt.subplots(
            3, 1, figsize=(6.4, 3.9), sharex=True, layout="constrained", height_ratios=[3, 2, 2]
        )
        x = resting_x + 0.07 * sway(resting_x, place)
        air.plot(x.ravel(), resting_y.ravel(), ".", color=plotting.ACCENT, markersize=4)
        air.plot(x[marked, 5], resting_y[marked, 5], "o", color=plotting.SECOND, markersize=9)
        air.set(ylim=(-0.05, 1.05), yticks=[], title="Sound in air: particles sway along its way")
        fine = np.linspace(0, 2, 400)
        pressure = -np.cos(2 * np.pi * (fine - place / n_frames))
        curve.plot(fine, pressure, color=plotting.INK, linestyle="-")
        curve.fill_between(fine, pressure, 0, color=plotting.ACCENT, alpha=0.15, linewidth=0)
        curve.set(ylim=(-1.3, 1.3), yticks=[-1, 0, 1], ylabel="pressure")
        curve.set_yticklabels(["low", "mean", "high"])
        y = sway(columns, place)
        rope.plot(columns, y, ".-", color=plotting.ACCENT, markersize=4, linewidth=0.6)
        rope.plot(columns[marked], y[marked], "o", color=plotting.SECOND, markersize=9)
        rope.set(ylim=(-1.4, 1.4), yticks=[], title="A rope: particles sway across its way")
        rope.set(xlabel="place [m]", xlim=(0, 2))
        for ax in (air, rope):
            ax.grid(False)
        alt = (
            f"At {places[place]}: dots of air crowd where the pressure is high and thin out where "
            "it is low; below, dots of a rope stand in a sine. One dot of each is marked."
        )
        return Frame(figure, alt)

    return explorer(draw, places, "time", play=True)


# ---------------------------------------------------------------------------------- chapter 2


def aliasing(rate: int = 4000):
    """Sample tones, also those that are too high for it, and hear what comes back.

    Parameters
    ----------
    rate : int
        Samples a second, in Hz.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over 16 tones, up to nearly twice the rate.

    Notes
    -----
    Shown in chapter 2, "Digital audio".

    Examples
    --------
    >>> aliasing().children[0].options[0]
    ('300 Hz', 0)
    """
    tones = (np.arange(16) + 0.6) * rate / 8  # none at half the rate, nor at the rate itself
    places = [f"{tone:,.0f} Hz" for tone in tones]
    play_rate = 4 * rate

    def draw(place):
        tone, heard = tones[place], _alias(tones[place], rate)
        figure, (wave, fold) = plt.subplots(
            1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[3, 2]
        )
        fine, dots = np.linspace(0, 12, 3000), np.arange(13)  # in samples
        wave.plot(fine / rate * 1e3, _wave(tone / rate * fine), "-", color="#9fb3c0", linewidth=1)
        back = _wave(heard / rate * fine, turned=_is_turned(tone, rate))
        wave.plot(fine / rate * 1e3, back, "--", color=plotting.SECOND)
        wave.plot(dots / rate * 1e3, _wave(tone / rate * dots), "o", color=plotting.INK)
        wave.set(xlabel="time [ms]", ylabel="amplitude [peak]", ylim=(-1.15, 1.15))
        wave.set_title(f"in: {tone:,.0f} Hz; out: {heard:,.0f} Hz")
        way = np.linspace(0, 2 * rate, 401)
        fold.plot(way, [_alias(f, rate) for f in way], "-", color=plotting.ACCENT)
        fold.plot(tone, heard, "o", color=plotting.SECOND, markersize=8)
        fold.set(xlabel="tone in [Hz]", ylabel="tone out [Hz]", ylim=(0, 0.55 * rate))
        fold.axvline(rate / 2, color=plotting.INK, linestyle=":", linewidth=1)
        alt = (
            f"Left, a tone of {tone:,.0f} Hz with dots where it is sampled, and the tone of "
            f"{heard:,.0f} Hz through the same dots. Right, a zigzag: the tone that comes out "
            "rises to half the rate, falls to zero, rises again."
        )
        seconds = np.arange(0.3 * play_rate) / play_rate
        original = audio.fade(_wave(tone * seconds), play_rate)
        sampled = audio.fade(_wave(heard * seconds, turned=_is_turned(tone, rate)), play_rate)
        sound = audio.players(
            audio.player(0.4 * original, play_rate, f"The tone: {tone:,.0f} Hz."),
            audio.player(0.4 * sampled, play_rate, f"Sampled at {rate:,} Hz and played."),
        )
        return Frame(figure, alt, sound)

    return explorer(draw, places, "tone")


def _alias(frequency: float, rate: float) -> float:
    """Return the lowest frequency, in Hz, with the same samples."""
    return abs(frequency - rate * round(frequency / rate))


def _is_turned(frequency: float, rate: float) -> bool:
    """Tell whether a sine comes back upside down: its nearest multiple of the rate is above it."""
    return frequency < rate * round(frequency / rate)


def _wave(cycles: np.ndarray, *, turned: bool = False) -> np.ndarray:
    return np.sin(2 * np.pi * cycles) * (-1 if turned else 1)


def quantisation(samples: np.ndarray, rate: int, *, caption: str = ""):
    """Give a sound fewer and fewer bits, and hear what they cost.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        Full scale is 1.
    rate : int
        In Hz.
    caption : str
        Whose recording it is; stands under every player.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over 1 to 16 bits.

    Notes
    -----
    Shown in chapter 2, "Digital audio".

    Examples
    --------
    >>> tone = np.sin(np.arange(8000) / 4)
    >>> quantisation(tone, 8000).children[0].index
    3
    """
    samples = audio.peak_normalize(samples)
    bits = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16]
    middle = min(max(int(np.abs(samples).argmax()), rate // 125), len(samples) - rate // 125)
    part = slice(middle - rate // 125, middle + rate // 125)  # 16 ms around the loudest sample
    level = 10 * np.log10(np.mean(samples.astype(float) ** 2))  # dB below full scale

    def draw(place):
        quantised = audio.quantise(samples, bits[place])
        error = quantised - samples
        measured = 10 * np.log10(np.sum(samples**2.0) / np.sum(error**2.0))
        predicted = 6.02 * bits[place] + 4.77 + level
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.4, 3.4), sharex=True, layout="constrained", height_ratios=[3, 2]
        )
        ms = np.arange(part.start, part.stop) / rate * 1000
        top.plot(ms, samples[part], "-", color="#9fb3c0", linewidth=2.5, label="before")
        top.step(ms, quantised[part], "-", where="mid", color=plotting.INK, linewidth=1)
        top.set(ylabel="amplitude\n[full scale]", ylim=(-1.1, 1.1))
        top.set_title(
            f"signal over error: {measured:.1f} dB measured, {predicted:.1f} dB by the formula"
        )
        bottom.plot(ms, error[part], "-", color=plotting.SECOND, linewidth=1)
        limit = 0.6 * 2.0 ** (1 - bits[place])
        bottom.set(xlabel="time [ms]", ylabel="error\n[full scale]", xlim=(ms[0], ms[-1]))
        if np.abs(error).max() <= limit:
            bottom.set_ylim(-limit, limit)
        alt = (
            f"16 ms of the sound before and after rounding to {bits[place]} bits, a staircase of "
            f"at most {2 ** bits[place]:,} levels; below, the difference, jagged."
        )
        gain = 0.5 / np.abs(error).max()
        change = f"{gain:,.3g} times louder" if gain > 1 else "not made louder"
        sound = audio.players(
            audio.player(quantised, rate, f"With {_counted(bits[place], 'bit')}. {caption}"),
            audio.player(max(gain, 1) * error, rate, f"The error alone, {change}. {caption}"),
        )
        return Frame(figure, alt, sound)

    return explorer(draw, [_counted(b, "bit") for b in bits], "word length", start=3)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# ---------------------------------------------------------------------------------- chapter 3


def fourier_series():
    """Add sinusoids until they are a square wave.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over 1 to 30 sinusoids of 110, 330, 550 Hz and so on.

    Notes
    -----
    Shown in chapter 3, "Fourier".

    Examples
    --------
    >>> fourier_series().children[0].options[2]
    ('3 sinusoids', 2)
    """
    pitch, rate = 110, 16000
    counts = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30]

    def partial_sum(count, cycles):
        odd = 2 * np.arange(count) + 1
        return np.sin(2 * np.pi * np.outer(cycles, odd)) @ (4 / (np.pi * odd))

    def draw(place):
        count = counts[place]
        figure, (wave, stems) = plt.subplots(
            1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[3, 2]
        )
        cycles = np.linspace(0, 2, 2401)
        ms = cycles / pitch * 1000
        square = np.where(cycles % 1 < 0.5, 1, -1)
        wave.plot(ms, square, "--", color="#9fb3c0", linewidth=1.2, label="square wave")
        if count > 1:
            last = (2 * count - 1) * cycles
            wave.plot(ms, _wave(last) * 4 / np.pi / (2 * count - 1), ":", color=plotting.SECOND)
        wave.plot(ms, partial_sum(count, cycles), "-", color=plotting.ACCENT)
        wave.set(xlabel="time [ms]", ylabel="amplitude", ylim=(-1.45, 1.45), xlim=(0, ms[-1]))
        wave.set_title(f"{_counted(count, 'sinusoid')} added")
        odd = 2 * np.arange(count) + 1
        stems.vlines(odd * pitch, 0, 4 / (np.pi * odd), color=plotting.ACCENT)
        stems.plot(odd * pitch, 4 / (np.pi * odd), "o", color=plotting.ACCENT, markersize=4)
        stems.plot(odd[-1] * pitch, 4 / (np.pi * odd[-1]), "o", color=plotting.SECOND)
        stems.set(xlabel="frequency [Hz]", ylabel="amplitude", xlim=(0, 6700), ylim=(0, 1.4))
        stems.set_title("what was added")
        alt = (
            f"Left, the sum of {_counted(count, 'sinusoid')} against a square wave, closer the "
            f"more there are, with an overshoot at each jump. Right, their amplitudes, falling "
            f"as one over the frequency, up to {odd[-1] * pitch:,} Hz."
        )
        tone = audio.fade(partial_sum(count, np.arange(int(0.6 * rate)) / rate * pitch), rate)
        caption = f"{_counted(count, 'sinusoid')}: {pitch} Hz"
        caption += f" to {odd[-1] * pitch:,} Hz." if count > 1 else "."
        return Frame(figure, alt, audio.player(0.3 * tone, rate, caption))

    return explorer(draw, [_counted(count, "sinusoid") for count in counts], "added")


# ---------------------------------------------------------------------------------- chapter 4


def window_length(samples: np.ndarray, rate: int):
    """Look at one sound through short windows and long ones.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        The sound.
    rate : int
        In Hz.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over windows of 2 to about 256 ms.

    Notes
    -----
    Shown in chapter 4, "Spectrograms".

    Examples
    --------
    >>> window_length(np.zeros(8000), 8000).children[0].options[0]
    ('16 samples, 2 ms', 0)
    """
    samples = np.asarray(samples, np.float32)
    shortest = 2 ** round(np.log2(0.002 * rate))
    lengths = [shortest * 2**i for i in range(8)]
    places = [f"{length:,} samples, {1000 * length / rate:.0f} ms" for length in lengths]

    def draw(place):
        length, hop = lengths[place], max(rate // 500, 1)
        n_fft = max(length, 512)  # zeros behind a short window only smooth the picture
        spectrum = np.abs(librosa.stft(samples, n_fft=n_fft, win_length=length, hop_length=hop))
        level = librosa.amplitude_to_db(spectrum, ref=max(spectrum.max(), 1e-9), top_db=60)
        figure, ax = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
        times = np.arange(level.shape[1]) * hop / rate
        frequencies = np.arange(level.shape[0]) * rate / n_fft
        plotting.spectrogram(level, times, frequencies, title=f"window: {places[place]}", ax=ax)
        alt = (
            f"A spectrogram through a window of {places[place]}. The shorter the window, the "
            "sharper in time and the more smeared in frequency; the longer, the other way round."
        )
        return Frame(figure, alt)

    return explorer(draw, places, "window", start=3)


def mel_bands(samples: np.ndarray, rate: int, *, caption: str = ""):
    """Describe a word by a few mel bands, and hear what they still say.

    The sound is noise, shaped in each band as strongly as the word was there: what the bands do
    not hold is not heard. Shannon et al. (1995), "Speech recognition with primarily temporal
    cues", Science 270, found that three or four bands are nearly enough.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        The word.
    rate : int
        In Hz.
    caption : str
        Whose recording it is; stands under every player.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over 1 to 64 bands.

    Notes
    -----
    Shown in chapter 4, "Spectrograms".

    Examples
    --------
    >>> mel_bands(np.ones(4000), 8000).children[0].options[0]
    ('1 band', 0)
    """
    samples = audio.peak_normalize(samples)
    counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    n_fft, hop = 512, 64
    spectrum = librosa.stft(samples, n_fft=n_fft, hop_length=hop)
    hiss = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
    noise = librosa.stft(hiss, n_fft=n_fft, hop_length=hop)
    times = np.arange(spectrum.shape[1]) * hop / rate

    def draw(place):
        count = counts[place]
        bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=count, htk=True, norm=None)
        power = bank @ np.abs(spectrum) ** 2
        level = librosa.power_to_db(power, ref=max(power.max(), 1e-9), top_db=60)
        edges = librosa.mel_frequencies(count + 2, fmax=rate / 2, htk=True)
        figure, (filters, picture) = plt.subplots(
            2, 1, figsize=(6.4, 4.2), layout="constrained", height_ratios=[2, 3]
        )
        hertz = np.arange(bank.shape[1]) * rate / n_fft
        for i, triangle in enumerate(bank):
            style = "-" if i % 2 else "--"
            color = plotting.SECOND if i % 2 else plotting.ACCENT
            filters.plot(hertz, triangle, style, color=color, linewidth=1)
        filters.set(xlabel="frequency [Hz]", ylabel="gain", xlim=(0, rate / 2), ylim=(0, 1.05))
        mesh = picture.pcolormesh(times, np.arange(count), level, shading="nearest")
        ticks = np.unique(np.linspace(0, count - 1, min(count, 5)).round().astype(int))
        picture.set_yticks(ticks, [f"{edges[tick + 1]:,.0f}" for tick in ticks])
        picture.set(xlabel="time [s]", ylabel="centre of band [Hz]")
        picture.grid(False)
        figure.colorbar(mesh, ax=picture, label="level [dB]")
        alt = (
            f"Above, {_counted(count, 'triangle')}, the filters of {_counted(count, 'mel band')}, "
            "wider towards high frequencies; below, the word in as many rows."
        )
        shaped = _shaped_noise(noise, bank, power, hop, len(samples))
        words = f"Noise through {_counted(count, 'mel band')}. {caption}"
        return Frame(figure, alt, audio.player(0.7 * shaped, rate, words))

    return explorer(draw, [_counted(count, "band") for count in counts], "mel bands", start=3)


def _shaped_noise(
    noise: np.ndarray, bank: np.ndarray, power: np.ndarray, hop: int, n_samples: int
) -> np.ndarray:
    """Give noise in each band the power that the word has there."""
    wanted = power / np.maximum(bank.sum(axis=1, keepdims=True), 1e-9)  # per frequency bin
    gain = np.sqrt(bank.T @ wanted)
    return audio.peak_normalize(librosa.istft(noise * gain, hop_length=hop, length=n_samples))


# ---------------------------------------------------------------------------------- chapter 5

VOWEL_PATH = {"ee": "iy", "eh": "eh", "ah": "aa", "oh": "o", "oo": "uw"}  # as spelt, as named


def vowels(pitch: float = 110):
    """Move the formants from "ee" over "eh", "ah" and "oh" to "oo", and hear the vowel change.

    Parameters
    ----------
    pitch : float
        Of all vowels, in Hz.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over 13 places on the vowel chart.

    Notes
    -----
    Shown in chapter 5, "A machine that talks".

    Examples
    --------
    >>> vowels().children[0].options[0]
    ('ee: 310 and 2,120 Hz', 0)
    """
    rate, steps = 8000, 3  # from one named vowel to the next
    names = list(VOWEL_PATH)
    targets = np.array([(v.f1, v.f2, v.f3) for v in map(voices.PHONEMES.get, VOWEL_PATH.values())])
    stations = np.arange((len(names) - 1) * steps + 1) / steps
    path = np.exp([np.interp(stations, range(len(names)), np.log(f)) for f in targets.T]).T
    places = []
    for i, (f1, f2, _) in enumerate(path):
        here, after = names[i // steps], names[min(i // steps + 1, len(names) - 1)]
        name = f"{here} to {after}" if i % steps else here
        places.append(f"{name}: {f1:.0f} and {f2:,.0f} Hz")

    def draw(place):
        formants = path[place]
        figure, (chart, hills) = plt.subplots(
            1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[2, 3]
        )
        chart.plot(path[:, 1], path[:, 0], "--", color="#9fb3c0", linewidth=1)
        for name, (f1, f2, _) in zip(names, targets, strict=True):
            chart.plot(f2, f1, ".", color=plotting.INK)
            left = f2 > 1000
            chart.annotate(
                name,
                (f2, f1),
                xytext=(-4 if left else 4, -12 if name == "ah" else 5),
                textcoords="offset points",
                ha="right" if left else "left",
            )
        chart.plot(formants[1], formants[0], "o", color=plotting.SECOND, markersize=9)
        chart.set(xlim=(2600, 600), ylim=(800, 230), xlabel="F2 [Hz]", ylabel="F1 [Hz]")
        sound = voices.vowel(*formants, pitch=pitch, rate=rate, seconds=0.6)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        teeth = np.arange(pitch, rate / 2, pitch)
        bins = np.rint(teeth * len(sound) / rate).astype(int)
        level = 20 * np.log10(spectrum[bins] / spectrum.max())
        hills.vlines(teeth, -70, level, color=plotting.ACCENT, linewidth=1.2)
        fine = np.linspace(0, rate / 2, 801)
        mouth = _mouth(formants, fine)
        hills.plot(fine, mouth - mouth.max() + 3, "--", color=plotting.SECOND)
        for number, formant in enumerate(formants, 1):
            top = _mouth(formants, np.array([formant]))[0] - mouth.max() + 3
            hills.text(formant, top + 2, f"F{number}", ha="center", va="bottom")
        hills.set(xlabel="frequency [Hz]", ylabel="level [dB]", xlim=(0, 3600), ylim=(-70, 16))
        hills.set_title(places[place])
        alt = (
            f"Left, a vowel chart with a dot at F1 = {formants[0]:.0f} and F2 = "
            f"{formants[1]:,.0f} Hz on a path from ee over eh, ah and oh to oo. Right, a comb of "
            f"harmonics {pitch:g} Hz apart, and the hills of the mouth, the first three at "
            f"{formants[0]:.0f}, {formants[1]:,.0f} and {formants[2]:,.0f} Hz."
        )
        words = f"F1 {formants[0]:.0f} Hz, F2 {formants[1]:,.0f} Hz."
        return Frame(figure, alt, audio.player(0.7 * audio.fade(sound, rate), rate, words))

    return explorer(draw, places, "vowel")


def _mouth(formants: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """Return how strongly the mouth of `voices.vowel` answers, in dB."""
    _, response = sosfreqz(voices.mouth(*formants), hertz, fs=voices.RENDER_RATE)
    return 20 * np.log10(np.abs(response))


# ---------------------------------------------------------------------------------- chapter 8


def averaging_scale(samples: np.ndarray, rate: int, *, caption: str = ""):
    """Average the strengths of a word's bands over longer and longer times, and hear what is left.

    The sound is noise, as strong in each band and at each moment as the averages say.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        The word, of at most about a second: 8,192 samples are looked at.
    rate : int
        In Hz.
    caption : str
        Whose recording it is; stands under every player.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over J from 4 to 11, with 8 wavelets per octave.

    Notes
    -----
    Shown in chapter 8, "Why average a modulus?".

    Examples
    --------
    >>> averaging_scale(np.ones(4000), 8000).children[0].options[4]
    ('J = 8: 256 samples, 32 ms', 4)
    """
    scales = range(4, 12)
    places = [f"J = {J}: {2**J:,} samples, {1000 * 2**J / rate:.0f} ms" for J in scales]

    def draw(place):
        return _order_1(samples, rate, scales[place], 8, places[place], caption)

    return explorer(draw, places, "averaging scale", start=4)


def wavelets_per_octave(samples: np.ndarray, rate: int, *, caption: str = ""):
    """Split a word into more and more bands an octave, and hear what their averages hold.

    The sound is noise, as strong in each band and at each moment as the averages say.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        The word, of at most about a second: 8,192 samples are looked at.
    rate : int
        In Hz.
    caption : str
        Whose recording it is; stands under every player.

    Returns
    -------
    ipywidgets.VBox or IPython.display.HTML
        An :func:`explorer` over Q from 1 to 24, with averages over 256 samples (J = 8).

    Notes
    -----
    Shown in chapter 8, "Why average a modulus?".

    Examples
    --------
    >>> wavelets_per_octave(np.ones(4000), 8000).children[0].options[6]
    ('Q = 12', 6)
    """
    counts = [1, 2, 3, 4, 6, 8, 12, 16, 24]
    places = [f"Q = {Q}" for Q in counts]

    def draw(place):
        return _order_1(samples, rate, 8, counts[place], places[place], caption)

    return explorer(draw, places, "wavelets per octave", start=5)


def _order_1(
    samples: np.ndarray, rate: int, J: int, Q: int, place: str, caption: str, n_samples: int = 8192
) -> Frame:
    """Draw a filter bank over a word's averages in it; play noise that is shaped by them."""
    frequencies, wavelets, average = features.filter_bank(n_samples, J, Q)
    word = audio.peak_normalize(audio.fit(samples, n_samples))
    _, heard = _bands(word, wavelets, average)
    noise = np.random.default_rng(0).standard_normal(n_samples)
    bands, noisy = _bands(noise, wavelets, average)
    quiet = 1e-3 * max(heard.max(), 1e-9)  # 60 dB below the strongest
    shaped = (bands.real * heard / np.maximum(noisy, 1e-9)).sum(axis=0)
    figure, (bank, picture) = plt.subplots(
        2, 1, figsize=(6.4, 4.4), layout="constrained", height_ratios=[2, 3]
    )
    plotting.filter_bank(frequencies, wavelets, average, rate, ax=bank)
    logs = np.log(np.maximum(heard[:, :: 2**J], quiet) / max(heard.max(), 1e-9))
    centres = frequencies[wavelets.argmax(axis=1)] * rate
    plotting.scattering(logs, centres, n_samples / rate, ax=picture)
    title = f"{place}: {_counted(len(wavelets), 'wavelet')}, {_counted(logs.shape[1], 'moment')}"
    picture.set_title(title)
    alt = (
        f"Above, the responses of {_counted(len(wavelets), 'wavelet')} and of the averaging "
        f"filter. Below, the word's averages in these bands, {logs.shape[1]:,} in each."
    )
    sound = audio.player(0.7 * audio.peak_normalize(shaped), rate, f"{place}. {caption}".strip())
    return Frame(figure, alt, sound)


def _bands(
    samples: np.ndarray, wavelets: np.ndarray, average: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a sound's bands, complex, and their averaged moduli, (n_wavelets, n_samples) each."""
    n_padded, n_samples = 2 * (average.size - 1), len(samples)
    spectrum = np.fft.rfft(samples, n_padded)
    bands = np.fft.ifft(spectrum * wavelets, n_padded)  # no negative frequencies: zeros behind
    strengths = np.fft.irfft(np.fft.rfft(np.abs(bands)) * average, n_padded)
    return bands[:, :n_samples], np.maximum(strengths[:, :n_samples], 0)
