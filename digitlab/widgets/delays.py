"""Explorer of chapter 13: what networks answer when a word comes later."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from digitlab import audio, augment, plotting
from digitlab.widgets.flipbook import Explorer, Frame, explorer, one_channel

DELAYS = range(0, 220, 20)  # ms


def delays(
    samples: ArrayLike,
    rate: int,
    networks: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    classes: Sequence[str],
    *,
    true: int,
    caption: str = "",
) -> Explorer:
    """Delay a word by 0 to 200 ms, hear it, and see the probabilities that networks give it.

    Zeros move in before the word; what is moved beyond the end of the clip is lost. Shown in
    chapter 13, "Dense networks on spectrograms".

    Parameters
    ----------
    samples, rate, caption
        As for :func:`digitlab.widgets.quantisation`, which also says what is refused.
    networks : mapping of str to callable
        By their names, what each answers to a clip of this rate: from its samples, as many as
        were given, to the probabilities of the classes.
    classes : sequence of str
        Names of the classes, short enough to stand below bars.
    true : int
        The class of the word. Its bars are hatched.

    Examples
    --------
    >>> delays(np.ones(4000), 8000, {"fair": lambda clip: [0.5, 0.5]}, "ab", true=0).places[2]
    '40 ms'
    """
    samples = one_channel(samples)
    places = [f"{delay} ms" for delay in DELAYS]

    def draw(place):
        clip = augment.time_shift(samples, round(DELAYS[place] * rate / 1000))
        answers = {name: np.asarray(answer(clip)) for name, answer in networks.items()}
        figure = _draw_answers(clip, rate, answers, classes, true)
        figure.axes[0].set_title(f"delay: {places[place]}")
        given = ", ".join(f"{name} {values[true]:.0%}" for name, values in answers.items())
        alt = (
            f"Above, the waveform, delayed by {places[place]}. Below, a bar chart of probabilities "
            f"for each network. Probability of {classes[true]}: {given}."
        )
        words = f"Delayed by {places[place]}. {caption}".strip()
        return Frame(figure, alt, audio.player(0.6 * audio.peak_normalize(clip), rate, words))

    return explorer(draw, places, "delay")


def _draw_answers(
    clip: np.ndarray,
    rate: int,
    answers: Mapping[str, np.ndarray],
    classes: Sequence[str],
    true: int,
) -> Figure:
    """Draw a waveform above one bar chart for each network."""
    figure = plt.figure(figsize=(6.4, 4), layout="constrained")
    grid = figure.add_gridspec(2, len(answers), height_ratios=[2, 3])
    plotting.waveform(clip, rate, ax=figure.add_subplot(grid[0, :])).set_ylabel("amplitude")
    for column, (name, values) in enumerate(answers.items()):
        ax = figure.add_subplot(grid[1, column])
        title = f"{name}: {classes[int(values.argmax())]}"
        plotting.probabilities(values, classes, true=true, title=title, ax=ax)
        ax.tick_params(axis="x", labelsize="small")
        if column:
            ax.set_ylabel("")
    return figure
