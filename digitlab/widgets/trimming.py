"""Explorer of chapter 6: how much of a recording a trimmer keeps."""

import librosa
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

from digitlab import audio, plotting
from digitlab.widgets.flipbook import Explorer, Frame, explorer, one_channel

THRESHOLDS = range(10, 65, 5)  # dB below the strongest frame
FRAME_S, HOP_S = 0.032, 0.008


def trimming(samples: ArrayLike, rate: int, *, caption: str = "") -> Explorer:
    """Cut the soft ends off a recording, at one threshold after another, and hear what is left.

    The threshold is how far below the strongest frame a frame counts as silent; the frames are 32
    ms long and 8 ms apart. Trimmed by ``librosa.effects.trim``. Shown in chapter 6, "Speech
    corpora".

    Parameters
    ----------
    samples, rate, caption
        As for :func:`digitlab.widgets.quantisation`, which also says what is refused.

    Examples
    --------
    >>> trimming(np.hanning(4000), 8000).places[4]
    '30 dB'
    """
    samples = audio.peak_normalize(one_channel(samples))
    places = [f"{threshold} dB" for threshold in THRESHOLDS]

    def draw(place):
        return _draw_trimming(samples, rate, THRESHOLDS[place], caption)

    return explorer(draw, places, "threshold below the strongest frame", start=4)


def _draw_trimming(samples: np.ndarray, rate: int, threshold: int, caption: str) -> Frame:
    frame, hop = max(round(FRAME_S * rate), 1), max(round(HOP_S * rate), 1)
    kept, (start, end) = librosa.effects.trim(
        samples, top_db=threshold, frame_length=frame, hop_length=hop
    )
    rms = librosa.feature.rms(y=samples, frame_length=frame, hop_length=hop)[0]
    levels = librosa.amplitude_to_db(rms, ref=np.max, top_db=None)
    n_seconds, share = len(samples) / rate, len(kept) / len(samples)
    figure, (wave, level) = plt.subplots(
        2, 1, figsize=(6.4, 3.8), sharex=True, layout="constrained", height_ratios=[3, 2]
    )
    seconds = np.arange(len(samples)) / rate
    wave.plot(seconds, samples, "-", color="#9fb3c0", linewidth=0.6)
    wave.plot(seconds[start:end], kept, "-", color=plotting.ACCENT, linewidth=0.6)
    wave.set(ylabel="amplitude [peak]", ylim=(-1.05, 1.05), xlim=(0, n_seconds))
    wave.set_title(f"kept: {len(kept) / rate:.3f} s of {n_seconds:.3f} s, {share:.0%}")
    level.plot(np.arange(len(levels)) * hop / rate, levels, "-", color=plotting.INK)
    level.axhline(-threshold, color=plotting.SECOND, linestyle=":")
    level.set(xlabel="time [s]", ylabel="level of the\nframe [dB]", ylim=(-70, 5))
    for ax in (wave, level):
        for edge in (start, end):
            ax.axvline(edge / rate, color=plotting.SECOND, linestyle="--", linewidth=1.5)
    alt = (
        f"Above, the waveform, between dashed lines at {start / rate:.3f} and {end / rate:.3f} s "
        f"what is kept. Below, the level of its frames, with a dotted line {threshold} dB below "
        "the strongest."
    )
    words = f"Trimmed at {threshold} dB: {share:.0%} is kept. {caption}".strip()
    return Frame(figure, alt, audio.player(kept, rate, words))
