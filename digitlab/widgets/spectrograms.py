"""Explorers of chapter 4: windows, short and long, and mel bands, few and many."""

import librosa
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from digitlab import audio, plotting
from digitlab.widgets.flipbook import Explorer, Frame, counted, explorer, one_channel


def window_length(samples: ArrayLike, rate: int) -> Explorer:
    """Look at one sound through windows of 2 to about 256 ms.

    Shown in chapter 4, "Spectrograms and MFCCs".

    Parameters
    ----------
    samples, rate
        As for :func:`digitlab.widgets.quantisation`, which also says what is refused.

    Examples
    --------
    >>> window_length(np.zeros(8000), 8000).places[0]
    '16 samples, 2 ms'
    """
    samples = one_channel(samples)
    shortest = 2 ** round(np.log2(0.002 * rate))
    lengths = [shortest * 2**i for i in range(8)]
    places = [f"{length:,} samples, {1000 * length / rate:.0f} ms" for length in lengths]

    def draw(place):
        length, hop = lengths[place], max(rate // 500, 1)
        n_fft = max(length, 512)  # zeros behind a short window only smooth the picture
        magnitudes = np.abs(librosa.stft(samples, n_fft=n_fft, win_length=length, hop_length=hop))
        level = librosa.amplitude_to_db(magnitudes, ref=max(magnitudes.max(), 1e-9), top_db=60)
        figure, ax = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
        times = np.arange(level.shape[1]) * hop / rate
        frequencies = np.arange(level.shape[0]) * rate / n_fft
        plotting.spectrogram(level, times, frequencies, title=f"window: {places[place]}", ax=ax)
        alt = (
            f"A spectrogram through a window of {places[place]}. A shorter window makes it sharper "
            "in time and blurred in frequency; a longer window, the other way round."
        )
        return Frame(figure, alt)

    return explorer(draw, places, "window", start=3)


def mel_bands(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Describe a word by 1 to 64 mel bands, and hear what they keep of it.

    The sound is noise that has in each band, at each moment, the power that the word has there.
    Three or four bands are nearly enough: R. V. Shannon et al., "Speech recognition with primarily
    temporal cues", Science 270, 1995. Shown in chapter 4.

    Parameters
    ----------
    samples, rate, caption
        As for :func:`digitlab.widgets.quantisation`, which also says what is refused.

    Examples
    --------
    >>> mel_bands(np.ones(4000), 8000).places[0]
    '1 band'
    """
    samples = audio.peak_normalize(one_channel(samples))
    n_fft = 2 ** round(np.log2(0.064 * rate))  # 512 at 8 kHz; a filter needs a bin to itself
    hop = n_fft // 8
    noise = np.random.default_rng(0).standard_normal(len(samples)).astype(np.float32)
    word, noise = (librosa.stft(x, n_fft=n_fft, hop_length=hop) for x in (samples, noise))
    counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]

    def draw(place):
        bands = counted(counts[place], "mel band")
        bank = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=counts[place], htk=True, norm=None)
        power = bank @ np.abs(word) ** 2
        figure, (filters, picture) = plt.subplots(
            2, 1, figsize=(6.4, 4.2), layout="constrained", height_ratios=[2, 3]
        )
        _draw_filters(filters, bank, rate)
        _draw_bands(picture, power, rate, hop)
        alt = (
            f"Above, {counted(counts[place], 'triangle')}, the filters of {bands}, wider towards "
            "high frequencies; below, the word in as many rows."
        )
        gain = np.sqrt(bank.T @ (power / np.maximum(bank.sum(axis=1, keepdims=True), 1e-9)))
        sound = librosa.istft(noise * gain, hop_length=hop, length=len(samples))
        sound = 0.7 * audio.peak_normalize(sound)
        words = f"Noise through {bands}. {caption}".strip()
        return Frame(figure, alt, audio.player(sound, rate, words))

    return explorer(draw, [counted(count, "band") for count in counts], "mel bands", start=3)


def _draw_filters(ax: Axes, bank: np.ndarray, rate: int) -> None:
    frequencies = np.linspace(0, rate / 2, bank.shape[1])
    for i, triangle in enumerate(bank):
        style, colour = ("-", plotting.SECOND) if i % 2 else ("--", plotting.ACCENT)
        ax.plot(frequencies, triangle, style, color=colour, linewidth=1)
    ax.set(xlabel="frequency [Hz]", ylabel="gain", xlim=(0, rate / 2), ylim=(0, 1.05))


def _draw_bands(ax: Axes, power: np.ndarray, rate: int, hop: int) -> None:
    count, n_frames = power.shape
    level = librosa.power_to_db(power, ref=max(power.max(), 1e-9), top_db=60)
    times = (np.arange(n_frames + 1) - 0.5) * hop / rate  # edges, since there may be one band
    mesh = ax.pcolormesh(times, np.arange(count + 1) - 0.5, level)
    rows = np.unique(np.linspace(0, count - 1, min(count, 5)).round().astype(int))
    centres = librosa.mel_frequencies(count + 2, fmax=rate / 2, htk=True)[1:]
    ax.set_yticks(rows, [f"{centres[row]:,.0f}" for row in rows])
    ax.set(xlabel="time [s]", ylabel="centre of band [Hz]")
    ax.grid(False)
    ax.figure.colorbar(mesh, ax=ax, label="level [dB]")
