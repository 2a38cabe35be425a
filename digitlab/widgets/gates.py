"""The explorer of chapter 11: how long an LSTM's forget gate lets a memory last."""

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from digitlab import audio, plotting
from digitlab.widgets.flipbook import Explorer, Frame, counted, explorer, one_channel

BIASES = range(-2, 13)
N_STEPS = 17640  # samples that the published LSTM reads (chapter 11)


def forget_bias(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Set the bias of a forget gate, and hear how much of a word is left in the cell at its end.

    The gate stays at the logistic sigmoid of the bias, so the share of a sample that is left after
    n steps is that number to the power n. Shown in chapter 11, "LSTM networks".

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
    >>> forget_bias(np.sin(np.arange(8000) / 4), 8000).places[3]
    'b = 1: half is left after 2 steps'
    """
    samples = audio.peak_normalize(one_channel(samples))
    places = [f"b = {bias}: half is left after {_steps(bias)}" for bias in BIASES]

    def draw(place):
        return _draw_memory(samples, rate, BIASES[place], places[place], caption)

    return explorer(draw, places, "forget bias", start=3)


def _half_life(bias: ArrayLike) -> np.ndarray:
    """Return after how many steps half is left, where a gate stays at the sigmoid of the bias."""
    return np.log(2) / np.log1p(np.exp(-np.asarray(bias, float)))


def _steps(bias: float) -> str:
    steps = float(_half_life(bias))
    return counted(round(steps), "step") if steps >= 1 else f"{steps:.1f} steps"


def _draw_memory(samples: np.ndarray, rate: int, bias: float, place: str, caption: str) -> Frame:
    figure, (share, length) = plt.subplots(
        1, 2, figsize=(6.4, 3), layout="constrained", width_ratios=[3, 2]
    )
    steps = np.geomspace(1, N_STEPS, 400)
    share.plot(steps, 0.5 ** (steps / _half_life(bias)), "-", color=plotting.ACCENT, linewidth=2)
    share.axhline(0.5, color=plotting.INK, linestyle=":", linewidth=1)
    share.set(xlabel="steps", ylabel="share left in the cell", xscale="log", ylim=(-0.03, 1.03))
    share.set_title(f"forget gate at {1 / (1 + np.exp(-float(bias))):.6f}")
    fine = np.linspace(BIASES[0], BIASES[-1], 200)
    length.plot(fine, _half_life(fine), "-", color=plotting.ACCENT)
    length.plot(bias, _half_life(bias), "o", color=plotting.SECOND, markersize=8)
    length.axhline(N_STEPS, color=plotting.INK, linestyle="--", linewidth=1)
    length.set(xlabel="forget bias b", ylabel="steps until half is left", yscale="log")
    length.set_title(f"dashed: {N_STEPS:,} steps")
    alt = (
        f"Left, the share left in the cell against the number of steps, for {place}. Right, the "
        "steps until half is left: each unit of the bias multiplies them by nearly three."
    )
    left = samples * 0.5 ** (np.arange(len(samples))[::-1] / _half_life(bias))
    words = f"The word, as much as is left of it after its end. {place}. {caption}".strip()
    return Frame(figure, alt, audio.player(left, rate, words, max_rate=8000))
