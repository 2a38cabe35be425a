"""Voice activity detection: the level of a stream, its noise floor, and where a word is."""

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi

from digitlab import audio
from digitlab.preparation import HIGH_PASS_HZ

FRAME_S = 0.02
LOWEST_DB = -80.0  # relative to full scale: softer is as good as silent
STEP_DB = 0.1  # by which the noise floor rises or falls in a frame
WARM_UP = 25  # frames, in which it takes larger steps
ON_DB, OFF_DB, HANGOVER_S = 6.0, 3.0, 0.14  # chosen by benchmarks/streaming.py
LONGEST_WORD_S = 2.0  # what lasts longer is a new noise


class LevelMeter:
    """The level of a stream, frame by frame, whatever the blocks that it comes in.

    Parameters
    ----------
    rate : int
        In Hz.
    """

    def __init__(self, rate: int) -> None:
        self._n_frame = round(FRAME_S * rate)
        self._filter = butter(2, HIGH_PASS_HZ, "highpass", fs=rate, output="sos")
        self._state: np.ndarray | None = None
        self._rest = np.zeros(0)

    def measure(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples, and return the levels of the frames that are complete now.

        Parameters
        ----------
        samples : array of shape (n_samples,)
            One channel.

        Returns
        -------
        array of shape (n_frames,)
            In dB relative to full scale, without what lies below 80 Hz.
        """
        if len(samples) == 0:
            return np.zeros(0)
        if self._state is None:  # as if the first sample had lasted for ever: no click
            self._state = sosfilt_zi(self._filter) * samples[0]
        filtered, self._state = sosfilt(self._filter, samples, zi=self._state)
        filtered = np.concatenate([self._rest, filtered])
        n_frames = len(filtered) // self._n_frame
        frames = filtered[: n_frames * self._n_frame].reshape(n_frames, self._n_frame)
        self._rest = filtered[n_frames * self._n_frame :]
        return 10 * np.log10(np.maximum((frames**2).mean(axis=1), 10 ** (LOWEST_DB / 10)))


def levels(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the level of each 20 ms of a sound.

    Parameters
    ----------
    samples : array of shape (n_samples,)
        One channel; full scale is 1.
    rate : int
        In Hz, above 160.

    Returns
    -------
    array of shape (n_frames,)
        In dB relative to full scale, -80 or more, without what lies below 80 Hz. What is left of
        the last frame is not counted. Taught in chapter 18.

    Raises
    ------
    ValueError
        If these are no samples of one channel.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    >>> level = levels(0.1 * tone, 8000)
    >>> level.shape, round(float(level[-1]))
    ((50,), -23)
    """
    sound = audio.as_sound(samples)
    if sound.ndim != 1:
        raise ValueError(f"samples of shape {sound.shape}: give one channel, of shape (n_samples,)")
    return LevelMeter(rate).measure(sound)


class VoiceActivityDetector:
    """Tell, frame by frame, whether something stands out from the noise.

    Parameters
    ----------
    on_db : float
        How far above the noise floor a level must lie for a word to begin.
    off_db : float
        How far it must stay above for the word to go on; lower, so that a level about the
        threshold does not switch to and fro (hysteresis).
    hangover_s : float
        How long a level may lie below before the word has ended, in seconds.

    Attributes
    ----------
    floor : float
        The noise floor, in dB: the median of the levels, tracked. It rises or falls by 5 dB a
        second, and faster in the first half second.
    is_active : bool
        Whether a word is going on, hangover included.
    is_loud : bool
        Whether the last frame was above the threshold.
    is_new_noise : bool
        Whether what ended last was no word, but a new noise.

    Notes
    -----
    What stays above for 2 s is no word, but a new noise: it ends there, and the floor jumps to the
    lowest of its levels. Taught in chapter 18.

    Examples
    --------
    >>> detector = VoiceActivityDetector()
    >>> [detector.step(level) for level in (-60, -60, -20, -60, -60)]
    [False, False, True, True, True]
    """

    def __init__(
        self,
        on_db: float = ON_DB,
        off_db: float = OFF_DB,
        hangover_s: float = HANGOVER_S,
    ) -> None:
        self.on_db, self.off_db = on_db, off_db
        self.floor = np.nan
        self.is_active = self.is_loud = self.is_new_noise = False
        self._hangover = round(hangover_s / FRAME_S)
        self._n_frames = self._n_active = self._n_quiet = 0
        self._lowest = np.inf

    def step(self, level: float) -> bool:
        """Take the level of the next frame, and tell whether a word is going on.

        Parameters
        ----------
        level : float
            In dB.

        Returns
        -------
        bool
            As `is_active`.
        """
        if np.isnan(self.floor):
            self.floor = float(level)
        self._n_frames += 1
        size = STEP_DB * max(WARM_UP / self._n_frames, 1)
        self.floor += min(max(level - self.floor, -size), size)
        self.is_loud = level > self.floor + (self.off_db if self.is_active else self.on_db)
        if not self.is_active:
            self.is_active = bool(self.is_loud)
            self._n_active, self._n_quiet, self._lowest = 0, 0, level
            self.is_new_noise = False
            return self.is_active
        self._n_active += 1
        self._lowest = min(self._lowest, level)
        self._n_quiet = 0 if self.is_loud else self._n_quiet + 1
        if self._n_quiet >= max(self._hangover, 1):
            self.is_active = False
        elif self._n_active >= LONGEST_WORD_S / FRAME_S:
            self.is_active, self.is_new_noise = False, True
            self.floor = max(self.floor, float(self._lowest))
        return self.is_active
