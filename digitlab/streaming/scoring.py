"""How well a listener did: misses, substitutions, false alarms an hour, latency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from digitlab.layouts import OTHER
from digitlab.streaming.listener import Detection
from digitlab.streaming.synthetic import Word

TOLERANCE_S = 0.1  # by which a detection may lie beside its word


@dataclass(frozen=True)
class Score:
    """What became of the digits in a stream.

    Attributes
    ----------
    seconds : float
        How long the stream is.
    n_digits, n_right, n_substituted, n_missed : int
        How many digits were said, and how many of them were reported rightly, reported as another
        digit, and not reported.
    n_false_alarms : int
        Reports where no digit was said, and second reports of a digit (insertions).
    latencies : array of shape (n_right,)
        From the end of a word to its report, in seconds; negative if it was reported before its
        end.
    """

    seconds: float
    n_digits: int
    n_right: int
    n_substituted: int
    n_missed: int
    n_false_alarms: int
    latencies: np.ndarray

    @property
    def false_alarms_an_hour(self) -> float:
        """False alarms in an hour of this stream."""
        return 3600 * self.n_false_alarms / self.seconds

    @property
    def miss_rate(self) -> float:
        """Share of the digits that were not reported, or as another; NaN if none was said."""
        return 1 - self.n_right / self.n_digits if self.n_digits else np.nan

    def latency(self, share: float = 0.5) -> float:
        """Return the latency that this share of the reports do not exceed.

        Parameters
        ----------
        share : float
            0.5 for the median, 0.95 for the 95th percentile.

        Returns
        -------
        float
            In seconds; NaN if nothing was reported rightly.
        """
        return float(np.quantile(self.latencies, share)) if len(self.latencies) else np.nan

    def __add__(self, other: "Score") -> "Score":
        """Return the score of both streams together."""
        counts = ("seconds", "n_digits", "n_right", "n_substituted", "n_missed", "n_false_alarms")
        sums = {name: getattr(self, name) + getattr(other, name) for name in counts}
        return Score(**sums, latencies=np.concatenate([self.latencies, other.latencies]))


def score(detections: Iterable[Detection], words: Sequence[Word], seconds: float) -> Score:
    """Compare what was reported with what was said.

    Parameters
    ----------
    detections : iterable of Detection
        From a listener.
    words : sequence of Word
        What was said; words of the label ``"other"`` should not be reported.
    seconds : float
        How long the stream is.

    Returns
    -------
    Score
        A detection belongs to a digit if it overlaps with it, or lies no more than 0.1 s beside it.
        Each digit takes one detection, one of the right label if there is one. Taught in chapter
        18.

    Raises
    ------
    ValueError
        If the stream has no length.

    Examples
    --------
    >>> said = [Word("7", 1.0, 1.5), Word("2", 3.0, 3.4)]
    >>> reported = [Detection("7", 0.9, 1.0, 1.5, 0.2), Detection("4", 0.8, 6.0, 6.4, 0.2)]
    >>> result = score(reported, said, seconds=60)
    >>> result.n_right, result.n_missed, result.false_alarms_an_hour
    (1, 1, 60.0)
    """
    if not seconds > 0:
        raise ValueError(f"a stream of {seconds} s cannot be scored: give a time above 0")
    left = sorted(detections, key=lambda found: found.start)
    digits = [word for word in words if word.label != OTHER]
    n_right, n_substituted, latencies = 0, 0, []
    for word in digits:
        near = [found for found in left if _is_near(found, word)]
        right = [found for found in near if found.label == word.label]
        if not near:
            continue
        taken = (right or near)[0]
        left.remove(taken)
        n_right += bool(right)
        n_substituted += not right
        if right:
            latencies.append(taken.end + taken.latency - word.end)
    n_missed = len(digits) - n_right - n_substituted
    return Score(
        *(seconds, len(digits), n_right, n_substituted, n_missed, len(left)),
        latencies=np.array(latencies),
    )


def _is_near(found: Detection, word: Word) -> bool:
    return found.start < word.end + TOLERANCE_S and word.start < found.end + TOLERANCE_S


def select(
    detections: Iterable[Detection], threshold: float, refractory_s: float = 0.3
) -> list[Detection]:
    """Return what a listener of another threshold would have reported.

    Parameters
    ----------
    detections : iterable of Detection
        In the order of their reports, from a listener that reports everything: of the settings
        ``threshold=0, refractory_s=-np.inf``.
    threshold : float
        The least probability that is reported.
    refractory_s : float
        As in :class:`Settings`.

    Returns
    -------
    list of Detection
        Some of them. So a stream is listened to once for a whole curve.

    Examples
    --------
    >>> heard = [Detection("7", 0.9, 1.0, 1.5, 0.2), Detection("4", 0.4, 3.0, 3.4, 0.2)]
    >>> [found.label for found in select(heard, threshold=0.5)]
    ['7']
    """
    kept: list[Detection] = []
    for found in detections:
        is_free = not kept or found.start >= kept[-1].end + refractory_s
        if found.probability >= threshold and is_free:
            kept.append(found)
    return kept
