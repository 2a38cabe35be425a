"""Explorers of chapters 1 and 3: waves in air and on a rope, and sums of sinusoids."""

import matplotlib.pyplot as plt
import numpy as np

from digitlab import audio, plotting
from digitlab.widgets.flipbook import Explorer, Frame, counted, explorer

SPEED_OF_SOUND = 343  # m/s, in air of 20 °C (chapter 1)
COLUMNS = np.arange(-3, 59) / 28  # of particles at rest, in m
MARKED = 31  # the column at 1 m


def waves() -> Explorer:
    """Show one period of a wave of 343 Hz in air, longitudinal, and on a rope, transverse.

    The film of chapter 1, "Sound waves".

    Examples
    --------
    >>> waves().frame[:30]
    '<img style="max-width: 100%" a'
    """
    n_frames = 20
    period = 1000 / SPEED_OF_SOUND  # ms of a wave one metre long
    times = [f"{period * i / n_frames:.2f} ms" for i in range(n_frames)]
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(COLUMNS, (np.arange(10) + 0.5) / 10, indexing="ij")
    x, y = x + rng.uniform(-0.014, 0.014, x.shape), y + rng.uniform(-0.035, 0.035, y.shape)
    return explorer(lambda i: _draw_waves(x, y, i / n_frames, times[i]), times, "time", play=True)


def _draw_waves(x: np.ndarray, y: np.ndarray, periods: float, time: str) -> Frame:
    def displacement(at):
        return np.sin(2 * np.pi * (at - periods))

    figure, (air, curve, rope) = plt.subplots(
        3, 1, figsize=(6.4, 3.9), sharex=True, layout="constrained", height_ratios=[3, 2, 2]
    )
    moved = x + 0.07 * displacement(x)
    air.plot(moved.ravel(), y.ravel(), ".", color=plotting.ACCENT, markersize=4)
    air.plot(moved[MARKED, 5], y[MARKED, 5], "o", color=plotting.SECOND, markersize=9)
    air.set(ylim=(-0.05, 1.05), yticks=[], title="Sound in air: particles move along its direction")
    fine = np.linspace(0, 2, 400)
    pressure = -np.cos(2 * np.pi * (fine - periods))
    curve.plot(fine, pressure, color=plotting.INK, linestyle="-")
    curve.fill_between(fine, pressure, 0, color=plotting.ACCENT, alpha=0.15, linewidth=0)
    curve.set(ylim=(-1.3, 1.3), ylabel="pressure")
    curve.set_yticks([-1, 0, 1], ["low", "mean", "high"])
    height = displacement(COLUMNS)
    rope.plot(COLUMNS, height, ".-", color=plotting.ACCENT, markersize=4, linewidth=0.6)
    rope.plot(COLUMNS[MARKED], height[MARKED], "o", color=plotting.SECOND, markersize=9)
    rope.set(ylim=(-1.4, 1.4), yticks=[], title="A rope: particles move across its direction")
    rope.set(xlabel="position [m]", xlim=(0, 2))
    for ax in (air, rope):
        ax.grid(False)
    alt = (
        f"At {time}: particles of air are close together where the pressure is high and far apart "
        "where it is low; below, particles of a rope form a sine. One of each is marked."
    )
    return Frame(figure, alt)


def fourier_series() -> Explorer:
    """Add sinusoids of 110, 330, 550 Hz and so on, up to 30, until they are a square wave.

    Shown in chapter 3, "The Fourier transform".

    Examples
    --------
    >>> fourier_series().places[2]
    '3 sinusoids'
    """
    counts = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30]
    places = [counted(count, "sinusoid") for count in counts]
    return explorer(lambda place: _draw_series(counts[place], places[place]), places, "added")


def _draw_series(count: int, name: str) -> Frame:
    pitch, rate = 110, 16000
    odd = 2 * np.arange(count) + 1
    amplitudes, frequencies = 4 / (np.pi * odd), odd * pitch

    def partial_sum(cycles):
        return np.sin(2 * np.pi * np.outer(cycles, odd)) @ amplitudes

    figure, (wave, stems) = plt.subplots(
        1, 2, figsize=(6.4, 2.9), layout="constrained", width_ratios=[3, 2]
    )
    cycles = np.linspace(0, 2, 2401)
    ms = cycles / pitch * 1000
    square = np.where(cycles % 1 < 0.5, 1, -1)
    wave.plot(ms, square, "--", color="#9fb3c0", linewidth=1.2, label="square wave")
    if count > 1:
        last = amplitudes[-1] * np.sin(2 * np.pi * odd[-1] * cycles)
        wave.plot(ms, last, ":", color=plotting.SECOND)
    wave.plot(ms, partial_sum(cycles), "-", color=plotting.ACCENT)
    wave.set(xlabel="time [ms]", ylabel="amplitude", ylim=(-1.45, 1.45), xlim=(0, ms[-1]))
    wave.set_title(f"{name} added")
    stems.vlines(frequencies, 0, amplitudes, color=plotting.ACCENT)
    stems.plot(frequencies, amplitudes, "o", color=plotting.ACCENT, markersize=4)
    stems.plot(frequencies[-1], amplitudes[-1], "o", color=plotting.SECOND)
    stems.set(xlabel="frequency [Hz]", ylabel="amplitude", xlim=(0, 6700), ylim=(0, 1.4))
    stems.set_title("what was added")
    alt = (
        f"Left, the sum of {name} against a square wave: the more sinusoids, the closer, with an "
        "overshoot at each jump. Right, their amplitudes, proportional to one over the frequency, "
        f"up to {frequencies[-1]:,} Hz."
    )
    tone = audio.fade(partial_sum(np.arange(int(0.6 * rate)) / rate * pitch), rate)
    caption = f"{name}: {pitch} Hz" + (f" to {frequencies[-1]:,} Hz." if count > 1 else ".")
    return Frame(figure, alt, audio.player(0.3 * tone, rate, caption))
