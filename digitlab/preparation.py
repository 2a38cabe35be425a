"""Prepare a recording for a system, in the same way for training and for prediction.

A system takes clips of one length at one rate. Whatever a recording is like, it is mixed down to
one channel, freed of a DC offset, resampled, cut to the word in it if it is too long, and fitted to
that length; what was changed is said. Chapter 6 looks at the faults of real recordings.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.signal import butter, sosfilt, sosfiltfilt

from digitlab import audio

LEAST_OFFSET = 0.01  # of the peak: a smaller DC offset stays
HOP_S = 0.01
FRAME_S = 0.025
HIGH_PASS_HZ = 80  # hum and rumble below say nothing about where the word is
BELOW_PEAK_DB = 35  # what is softer belongs to no word
ABOVE_NOISE_DB = 6  # what is no louder than this above the noise does not, either
STANDS_OUT_DB = 10  # from the noise to the loudest frame
LONGEST_GAP_S = 0.2  # within a word: the silence before its last consonant
ALIKE = 0.7  # correlation of channels: mixed down, others would cancel or disturb one another
SHORTEST_WORD_S = 0.15
ANOTHER_WORD = 0.3  # of the loudest one's levels: what is more is another word, not a click
MARGIN_S = 0.05  # kept on both sides of the word
SURROUNDINGS_S = 0.35  # what may lie around a word, in all, before it is cut off
LOW_HZ = 10  # what lies below is no sound, but a DC offset that drifts
LEAST_DRIFT = 0.08  # of the peak: less of it stays


@dataclass(frozen=True)
class Preparation:
    """What a system's clips are like.

    Attributes
    ----------
    rate : int
        In Hz.
    n_samples : int
        Length of a clip.
    align : {"center", "start"}
        Where a shorter recording comes to lie: with zeros on both sides, or all at its end.
    normalize : bool
        Whether each clip is scaled to peak 1.
    background : bool
        Whether a recording keeps what surrounds the word, as far as there is room. If not, more
        than 0.35 s of it is cut off, and zeros surround the word, as in a corpus whose clips were
        cut to their words beforehand.

    Examples
    --------
    >>> Preparation(rate=8000, n_samples=8192).seconds
    1.024
    """

    rate: int
    n_samples: int
    align: Literal["center", "start"] = "center"
    normalize: bool = True
    background: bool = False

    @property
    def seconds(self) -> float:
        """Length of a clip in seconds."""
        return self.n_samples / self.rate

    def fit(self, samples: np.ndarray) -> np.ndarray:
        """Pad a recording that was cut already, and scale it if that is asked for.

        Parameters
        ----------
        samples : array of shape (n,)
            At `rate`, not longer than `n_samples`.

        Returns
        -------
        array of shape (n_samples,), float32
            The clip.
        """
        clip = audio.fit(samples, self.n_samples, align=self.align)
        return audio.peak_normalize(clip) if self.normalize else clip


@dataclass(frozen=True)
class Prepared:
    """A recording as a system takes it, and what was changed.

    Attributes
    ----------
    samples : array of shape (n_samples,), float32
        The clip.
    n_channels, n_mixed : int
        How many channels there were, and how many of them were mixed down to one.
    offset : float
        The DC offset that was removed, the largest value of one that drifts; 0 if there was none.
    old_rate, rate : int
        In Hz, before and after.
    removed_s : float
        How much was cut away before and after the word, in seconds.
    lost_s : float
        How much of the word itself did not fit, in seconds.
    stands_out : bool
        Whether a word stands out from the noise, where it had to be found.
    n_left_out : int
        How many other words the recording holds, where one had to be found.
    padded_s : float
        How much silence was added, in seconds.
    preparation : Preparation
        What was asked for.
    """

    samples: np.ndarray
    n_channels: int
    n_mixed: int
    offset: float
    old_rate: int
    rate: int
    removed_s: float
    lost_s: float
    stands_out: bool
    n_left_out: int
    padded_s: float
    preparation: Preparation

    @property
    def is_cut(self) -> bool:
        """Whether the recording was longer than a clip."""
        return self.removed_s + self.lost_s > 0

    def describe(self) -> tuple[str, ...]:
        """Say what was changed, a phrase a change.

        Returns
        -------
        tuple of str
            In the order in which it was done.
        """
        done = []
        if self.n_mixed > 1:
            done.append(f"{self.n_channels} channels mixed down to one")
        elif self.n_channels > 1:
            done.append(f"{self.n_channels} channels differ: the loudest was taken")
        if self.offset:
            done.append(f"a DC offset of {self.offset:+.3f} removed")
        if self.old_rate != self.rate:
            done.append(f"resampled from {self.old_rate:,} to {self.rate:,} Hz")
        if not self.samples.any():
            done.append("nothing but zeros: its answer means nothing")
        elif not self.stands_out:
            done.append("no word stands out from the noise: the loudest stretch was taken")
        if self.n_left_out:
            done.append(f"{self.n_left_out + 1} words found: the loudest was taken")
        if self.removed_s:
            done.append(f"{self.removed_s:.2f} s before and after the word cut off")
        if self.lost_s:
            done.append(f"{self.lost_s:.2f} s of the word itself cut off: it is too long")
        if self.padded_s:
            where = "on both sides" if self.preparation.align == "center" else "at its end"
            done.append(f"{self.padded_s:.2f} s of zeros {where}")
        if self.preparation.normalize and self.samples.any():
            done.append("scaled to peak 1")
        return tuple(done)


def prepare(samples: np.ndarray, rate: int, preparation: Preparation) -> Prepared:
    """Make a recording a clip of the rate and the length that a system takes.

    Parameters
    ----------
    samples : array of shape (n_frames,) or (n_frames, n_channels)
        The recording. Whole numbers are scaled by their type.
    rate : int
        In Hz.
    preparation : Preparation
        What the system takes.

    Returns
    -------
    Prepared
        The clip, and what was changed.

    Raises
    ------
    ValueError
        If these are no samples: another shape or type, NaN or infinity.

    Notes
    -----
    Mixed down; freed of a DC offset above 1 % of the peak, and of one that drifts (what lies below
    10 Hz, if it reaches 8 %); resampled; cut to its word, if it is longer than the clip or if more
    than 0.35 s lie around the word; scaled to peak 1, if that is asked for; padded with zeros.

    Examples
    --------
    >>> tone = np.sin(np.arange(4000) / 5)
    >>> prepared = prepare(tone, 8000, Preparation(rate=8000, n_samples=8192))
    >>> prepared.samples.shape, prepared.describe()
    ((8192,), ('0.52 s of zeros on both sides', 'scaled to peak 1'))
    """
    cut = cut_to_fit(samples, rate, preparation)
    padded_s = (preparation.n_samples - len(cut.samples)) / preparation.rate
    return replace(cut, samples=preparation.fit(cut.samples), padded_s=padded_s)


def cut_to_fit(samples: np.ndarray, rate: int, preparation: Preparation) -> Prepared:
    """Do all of :func:`prepare` but scaling and padding, for what is to be changed before it.

    Parameters
    ----------
    samples, rate, preparation
        As for :func:`prepare`.

    Returns
    -------
    Prepared
        At most ``n_samples`` samples.

    Examples
    --------
    >>> cut_to_fit(np.ones(100), 8000, Preparation(rate=4000, n_samples=8192)).samples.shape
    (50,)
    """
    samples = audio.as_sound(samples)
    if not np.isfinite(samples).all():
        raise ValueError("the recording holds NaN or infinite samples: export it again")
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    samples, n_mixed = mix_down(samples)
    samples, offset = _without_offset(samples, rate)
    samples = audio.resample(samples, rate, preparation.rate)
    kept, lost, n_words = _find(samples, preparation)
    n_kept = len(samples[kept])
    return Prepared(
        samples=samples[kept],
        n_channels=n_channels,
        n_mixed=n_mixed,
        offset=offset,
        old_rate=rate,
        rate=preparation.rate,
        removed_s=(len(samples) - n_kept - lost) / preparation.rate,
        lost_s=lost / preparation.rate,
        stands_out=n_words > 0,
        n_left_out=max(n_words - 1, 0),
        padded_s=0.0,
        preparation=preparation,
    )


def mix_down(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Make one channel of several: their mean, or the loudest where they are not alike.

    Parameters
    ----------
    samples : array of shape (n_frames,) or (n_frames, n_channels)
        A sound.

    Returns
    -------
    mixed : array of shape (n_frames,)
        One channel.
    n_mixed : int
        How many channels are in it: all, or 1.

    Examples
    --------
    >>> tone = np.sin(np.arange(100.0))
    >>> [mix_down(np.stack([tone, other], axis=1))[1] for other in (0.5 * tone, -tone)]
    [2, 1]
    """
    if samples.ndim == 1:
        return samples, 1
    deviations = samples - samples.mean(axis=0, dtype=np.float64)
    power = (deviations**2).sum(axis=0)
    loudest = int(power.argmax())
    products = deviations.T @ deviations[:, loudest]
    if (products < ALIKE * np.sqrt(power * power[loudest])).any() or not power.all():
        return samples[:, loudest], 1
    return samples.mean(axis=1), samples.shape[1]


def find_word(samples: np.ndarray, rate: int) -> tuple[int, int] | None:
    """Find the word in a recording: the stretch that stands out from the noise.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One channel.
    rate : int
        In Hz.

    Returns
    -------
    start, stop : int
        In samples, with 50 ms on both sides; or None, if nothing stands out.

    Notes
    -----
    Levels are those of frames of 25 ms. The noise is at the tenth percentile of them. A frame
    belongs to a word if it lies 6 dB, or a quarter of the way to the loudest frame, above the
    noise, and no more than 35 dB below the loudest. Gaps of up to 0.2 s are bridged. Of several
    stretches, the one whose levels above that threshold add up to most is taken, so that a click
    does not win over a word. Nothing stands out if the loudest frame is less than 10 dB above the
    noise.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0, 0.001, 24000)
    >>> noise[8000:12000] += np.sin(np.arange(4000) / 5) / 2
    >>> start, stop = find_word(noise, 8000)
    >>> 7400 < start < 8000 and 12000 < stop < 12600
    True
    """
    stretches = _find_words(samples, rate)
    return stretches[0] if stretches else None


def summarise(prepared: Iterable[Prepared], name: str = "recordings") -> tuple[str, ...]:
    """Say in a few lines what was changed in many recordings.

    Parameters
    ----------
    prepared : iterable of Prepared
        A part for each recording; their samples are not looked at.
    name : str
        What they are.

    Returns
    -------
    tuple of str
        A line for each kind of change that loses or mends something; none if there is nothing to
        say.

    Examples
    --------
    >>> system = Preparation(rate=8000, n_samples=8192)
    >>> summarise([prepare(np.ones(9000) * sign, 8000, system) for sign in (1, -1)])[0]
    '2 of 2 recordings had a DC offset: it was removed.'
    """
    prepared = list(prepared)
    n_all = f"{len(prepared):,} {name}"
    counts = {
        "{} of {} have several channels: they were mixed down to one.": (
            one.n_mixed > 1 for one in prepared
        ),
        "{} of {} have several channels that differ: the loudest was taken.": (
            one.n_channels > one.n_mixed for one in prepared
        ),
        "{} of {} had a DC offset: it was removed.": (one.offset != 0 for one in prepared),
        "{} of {} are longer than the {seconds:.2f} s of a clip, or have more than 0.35 s around "
        "the word: each was cut to its word.": (one.is_cut for one in prepared),
        "{} of {} hold a word longer than {seconds:.2f} s: a part of it was lost.": (
            one.lost_s > 0 and one.stands_out for one in prepared
        ),
        "In {} of {} no word stands out from the noise: the loudest stretch was taken.": (
            not one.stands_out for one in prepared
        ),
    }
    seconds = prepared[0].preparation.seconds if prepared else 0
    totals = {text: sum(cases) for text, cases in counts.items()}
    return tuple(
        text.format(f"{total:,}", n_all, seconds=seconds) for text, total in totals.items() if total
    )


def _without_offset(samples: np.ndarray, rate: int) -> tuple[np.ndarray, float]:
    """Remove a DC offset, and one that drifts; return the largest value that was removed."""
    peak, offset = np.abs(samples).max(), float(samples.mean(dtype=np.float64))
    if abs(offset) > LEAST_OFFSET * peak:
        samples = samples - np.float32(offset)
    else:
        offset = 0.0
    if len(samples) > rate / LOW_HZ > 2:
        low_pass = butter(2, LOW_HZ, fs=rate, output="sos")
        n_mirrored = min(len(samples) - 1, round(rate / LOW_HZ))
        drift = sosfiltfilt(low_pass, samples, padtype="even", padlen=n_mirrored)
        if (largest := np.abs(drift).max()) > LEAST_DRIFT * peak:
            samples, offset = samples - drift.astype(np.float32), max(offset, largest, key=abs)
    return samples, float(offset)


def _find_words(samples: np.ndarray, rate: int) -> list[tuple[int, int]]:
    """Return where words stand out from the noise, in samples, the loudest first."""
    levels = _levels(samples, rate)
    noise, peak = np.percentile(levels, 10), levels.max()
    if peak - noise < STANDS_OUT_DB:
        return []
    threshold = max(noise + max(ABOVE_NOISE_DB, (peak - noise) / 4), peak - BELOW_PEAK_DB)
    loud = np.flatnonzero(levels > threshold)
    gaps = np.flatnonzero(np.diff(loud) > LONGEST_GAP_S / HOP_S)
    stretches = np.split(loud, gaps + 1)
    sums = np.array([(levels[frames] - threshold).sum() for frames in stretches])
    first, *others = np.argsort(-sums, kind="stable")
    words = [first]
    for other in others:
        is_long = len(stretches[other]) * HOP_S >= SHORTEST_WORD_S
        words += [other] if is_long and sums[other] > ANOTHER_WORD * sums[first] else []
    hop, margin = HOP_S * rate, round(MARGIN_S * rate)
    ends = [(stretches[word][0] * hop, (stretches[word][-1] + 1) * hop) for word in words]
    return [(max(int(a) - margin, 0), min(int(b) + margin, len(samples))) for a, b in ends]


def _find(samples: np.ndarray, preparation: Preparation) -> tuple[slice, int, int]:
    """Return what of a recording is kept, what of its word does not fit, and how many there are."""
    n_samples = preparation.n_samples
    fits = len(samples) <= n_samples
    keeps_all = fits and preparation.background
    words = [] if keeps_all else _find_words(samples, preparation.rate)
    start, stop = words[0] if words else (0, len(samples))
    if fits and len(samples) - (stop - start) <= SURROUNDINGS_S * preparation.rate:
        return slice(None), 0, 1
    too_long = stop - start - n_samples
    if too_long > 0:
        start += _loudest(samples[start:stop], n_samples)
        stop = start + n_samples
    elif preparation.background:
        start = min(max((start + stop - n_samples) // 2, 0), len(samples) - n_samples)
        stop = start + n_samples
    return slice(start, stop), max(too_long, 0) if words else 0, len(words)


def _levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the level of each frame in dB, without what lies below 80 Hz."""
    if rate > 2 * HIGH_PASS_HZ:
        high_pass = butter(2, HIGH_PASS_HZ, "highpass", fs=rate, output="sos")
        samples = sosfilt(high_pass, samples)
    power = np.concatenate([[0], np.cumsum(np.square(samples, dtype=np.float64))])
    starts = np.arange(0, len(samples), HOP_S * rate).astype(int)
    stops = np.minimum(starts + max(round(FRAME_S * rate), 1), len(samples))
    means = (power[stops] - power[starts]) / (stops - starts)
    return 10 * np.log10(np.maximum(means, means.max() * 1e-10) + np.finfo(float).tiny)


def _loudest(samples: np.ndarray, n_samples: int) -> int:
    """Return where the stretch of so many samples begins that has the most energy."""
    power = np.concatenate([[0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(np.argmax(power[n_samples:] - power[:-n_samples]))
