"""Features called by their names, as recipes and recognisers do."""

import time

import numpy as np

from digitlab.features import scattering_transform, spectrograms

FEATURES = (
    "magnitude_spectrogram",
    "spectrogram",
    "log_mel_spectrogram",
    "log_mel",
    "log_mel_frames",
    "samples",
    "sample_frames",
    "mean_spectrum",
    "mfcc_means",
    "scattering",
    "log_scattering",
    "scattering_course",
)


def compute(
    name: str, waveforms: np.ndarray, rate: float, device: str | None = None, *, keep: bool = True
) -> np.ndarray:
    """Compute a feature by its name, with its default settings.

    Parameters
    ----------
    name : str
        Such as ``"log_mel"``.
    waveforms : array of shape (n_clips, n_samples)
        Samples, one clip a row.
    rate : float
        In Hz.
    device : str, optional
        Where to compute features of scattering, as for :func:`log_scattering`; the others are
        computed on the CPU.
    keep : bool
        Whether ``"log_scattering"`` and ``"scattering_course"`` are read from the disk if they are
        there, and kept there if not. False for recordings that are private: nothing is written.

    Returns
    -------
    array of shape (n_clips, ...), float32
        The feature.

    Raises
    ------
    ValueError
        If there is no such feature, or as the feature itself does.

    Examples
    --------
    >>> compute("log_mel", np.zeros((2, 17640)), 22050).shape
    (2, 64, 35)
    """
    return _compute(name, waveforms, rate, device, keep)[0]


def timed(
    name: str, waveforms: np.ndarray, rate: float, device: str | None = None
) -> tuple[np.ndarray, float, bool]:
    """Compute a feature by its name, and report how long it took.

    Parameters
    ----------
    name, waveforms, rate, device
        As for :func:`compute`.

    Returns
    -------
    x : array of shape (n_clips, ...), float32
        The feature.
    seconds : float
        How long it took.
    cached : bool
        Whether it was on disk already.

    Raises
    ------
    ValueError
        As for :func:`compute`.

    Examples
    --------
    >>> x, seconds, cached = timed("samples", np.zeros((2, 8000)), 8000)
    >>> x.shape, seconds < 1, cached
    ((2, 8000, 1), True, False)
    """
    start = time.perf_counter()
    x, cached = _compute(name, waveforms, rate, device, keep=True)
    return x, time.perf_counter() - start, cached


def is_cached(name: str, waveforms: np.ndarray, rate: float, device: str | None = None) -> bool:
    """Tell whether a feature of these clips is on disk already.

    Parameters
    ----------
    name, waveforms, rate, device
        As for :func:`compute`.

    Returns
    -------
    bool
        True if nothing will have to be computed. Only ``"log_scattering"`` and
        ``"scattering_course"`` are kept on disk.

    Raises
    ------
    ValueError
        As for :func:`compute`.

    Examples
    --------
    >>> clip = np.zeros((1, 8192), np.float32)
    >>> x = compute("log_scattering", clip, 8000)
    >>> is_cached("log_scattering", clip, 8000)
    True
    """
    _refuse_name(name)
    if name not in scattering_transform.KEPT_ON_DISK:
        return False
    return scattering_transform.is_kept(name, waveforms, rate, device)


def _compute(
    name: str, waveforms: np.ndarray, rate: float, device: str | None, keep: bool
) -> tuple[np.ndarray, bool]:
    """Return the feature, and whether it was on disk already."""
    _refuse_name(name)
    if name in scattering_transform.KEPT_ON_DISK:
        return scattering_transform.describe(name, waveforms, rate, device=device, keep=keep)
    if name == "scattering":
        return scattering_transform.scattering(waveforms, rate, device=device), False
    return getattr(spectrograms, name)(waveforms, rate), False


def _refuse_name(name: str) -> None:
    if name not in FEATURES:
        raise ValueError(f"there is no features.{name}; there are {', '.join(FEATURES)}")
