"""The explorer of chapter 5: vowels, their formants, and how they sound."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from scipy.signal import sosfreqz

from digitlab import audio, plotting, voices
from digitlab.widgets.flipbook import Explorer, Frame, explorer

VOWEL_PATH = {"ee": "iy", "eh": "eh", "ah": "aa", "oh": "o", "oo": "uw"}  # spelling: phoneme
RATE = 8000  # Hz
STEPS = 3  # from one named vowel to the next


def vowels(pitch: float = 110) -> Explorer:
    """Move the formants from "ee" over "eh", "ah" and "oh" to "oo", and hear the vowel change.

    The slider has 13 places on the vowel chart. Shown in chapter 5, "Speech synthesis".

    Parameters
    ----------
    pitch : float
        Of all vowels, in Hz.

    Examples
    --------
    >>> vowels().places[0]
    'ee: 310 and 2,120 Hz'
    """
    names = list(VOWEL_PATH)
    phonemes = [voices.PHONEMES[phoneme] for phoneme in VOWEL_PATH.values()]
    targets = np.array([(vowel.f1, vowel.f2, vowel.f3) for vowel in phonemes])
    stations = np.arange((len(names) - 1) * STEPS + 1) / STEPS
    path = np.exp([np.interp(stations, range(len(names)), np.log(f)) for f in targets.T]).T
    places = []
    for i, (f1, f2, _) in enumerate(path):
        name = names[i // STEPS] + (f" to {names[i // STEPS + 1]}" if i % STEPS else "")
        places.append(f"{name}: {f1:.0f} and {f2:,.0f} Hz")
    return explorer(lambda i: _draw_vowel(path, path[i], places[i], pitch), places, "vowel")


def _draw_vowel(path: np.ndarray, formants: np.ndarray, place: str, pitch: float) -> Frame:
    figure, (chart, spectrum) = plt.subplots(
        1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[2, 3]
    )
    _draw_chart(chart, path, formants)
    vowel = voices.vowel(*formants, pitch=pitch, rate=RATE, seconds=0.6)
    _draw_spectrum(spectrum, vowel, formants, pitch)
    spectrum.set_title(place)
    f1, f2, f3 = (f"{formant:,.0f}" for formant in formants)
    alt = (
        f"Left, a vowel chart with a dot at F1 = {f1} and F2 = {f2} Hz on a path from ee over eh, "
        f"ah and oh to oo. Right, harmonics {pitch:g} Hz apart, and the resonances of the vocal "
        f"tract, the first three at {f1}, {f2} and {f3} Hz."
    )
    sound = audio.player(0.7 * audio.fade(vowel, RATE), RATE, f"F1 {f1} Hz, F2 {f2} Hz.")
    return Frame(figure, alt, sound)


def _draw_chart(ax: Axes, path: np.ndarray, formants: np.ndarray) -> None:
    ax.plot(path[:, 1], path[:, 0], "--", color="#9fb3c0", linewidth=1)
    for name, (f1, f2, _) in zip(VOWEL_PATH, path[::STEPS], strict=True):
        ax.plot(f2, f1, ".", color=plotting.INK)
        side, x = ("right", -4) if f2 > 1000 else ("left", 4)
        y = -12 if name == "ah" else 5
        ax.annotate(name, (f2, f1), xytext=(x, y), textcoords="offset points", ha=side)
    ax.plot(formants[1], formants[0], "o", color=plotting.SECOND, markersize=9)
    ax.set(xlim=(2600, 600), ylim=(800, 230), xlabel="F2 [Hz]", ylabel="F1 [Hz]")


def _draw_spectrum(ax: Axes, vowel: np.ndarray, formants: np.ndarray, pitch: float) -> None:
    magnitudes = np.abs(np.fft.rfft(vowel * np.hanning(len(vowel))))
    harmonics = np.arange(pitch, RATE / 2, pitch)
    bins = np.rint(harmonics * len(vowel) / RATE).astype(int)
    level = 20 * np.log10(magnitudes[bins] / magnitudes.max())
    ax.vlines(harmonics, -70, level, color=plotting.ACCENT, linewidth=1.2)
    fine = np.linspace(0, RATE / 2, 801)
    gain = _tract(formants, fine)
    ax.plot(fine, gain - gain.max() + 3, "--", color=plotting.SECOND)
    heights = _tract(formants, formants) - gain.max() + 5
    for number in range(3):
        ax.text(formants[number], heights[number], f"F{number + 1}", ha="center", va="bottom")
    ax.set(xlabel="frequency [Hz]", ylabel="level [dB]", xlim=(0, 3600), ylim=(-70, 16))


def _tract(formants: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the gain of the vocal tract of `voices.vowel`, in dB."""
    _, response = sosfreqz(voices.mouth(*formants), frequencies, fs=voices.RENDER_RATE)
    return 20 * np.log10(np.abs(response))
