"""Features called by their names, as recipes and recognisers do."""

import time

import numpy as np

from digitlab import features
from digitlab.features.scattering_transform import KEPT_ON_DISK, describe, is_kept

ON_A_DEVICE = ("scattering", *KEPT_ON_DISK)
NO_FEATURES = (
    "compute", "compute_to_disk", "read_shards", "timed", "is_cached", "scattering_paths",
    "filter_bank", "power_frames", "mel_filters", "normalise_levels",
)  # fmt: skip


def compute(
    name: str, waveforms: np.ndarray, rate: float, device: str | None = None, *, keep: bool = True
) -> np.ndarray:
    """Compute a feature by its name, with its default settings.

    Parameters
    ----------
    name : str
        Such as ``"log_mel"``.
    waveforms : array of shape (n_clips, n_samples)
    rate : float, in Hz
    device : str, optional
        As for :func:`log_scattering`; features without scattering are computed on the CPU.
    keep : bool
        Whether ``"log_scattering"`` and ``"scattering_course"`` are looked up and kept on disk.
        With False nothing is read or written, as it should be for private recordings.

    Returns
    -------
    array of shape (n_clips, ...), float32

    Raises
    ------
    ValueError
        If there is no such feature, or as the feature itself does.

    Examples
    --------
    >>> compute("log_mel", np.zeros((2, 17640)), 22050).shape
    (2, 64, 35)
    """
    _refuse_name(name)
    if name in KEPT_ON_DISK:
        return describe(name, waveforms, rate, device=device, keep=keep)[0]
    settings = {"device": device} if name in ON_A_DEVICE else {}
    return getattr(features, name)(waveforms, rate, **settings)


def timed(
    name: str, waveforms: np.ndarray, rate: float, device: str | None = None
) -> tuple[np.ndarray, float, bool]:
    """Compute a feature as :func:`compute` does, and report what it took.

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
    >>> x.shape, cached
    ((2, 8000, 1), False)
    """
    start = time.perf_counter()
    if name in KEPT_ON_DISK:
        x, cached = describe(name, waveforms, rate, device=device)
    else:
        x, cached = compute(name, waveforms, rate, device), False
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
        Only ``"log_scattering"`` and ``"scattering_course"`` are ever kept on disk.

    Raises
    ------
    ValueError
        As for :func:`compute`.

    Examples
    --------
    >>> is_cached("samples", np.zeros((2, 8000)), 8000)
    False
    """
    _refuse_name(name)
    return name in KEPT_ON_DISK and is_kept(name, waveforms, rate, device)


def _refuse_name(name: str) -> None:
    """Refuse what is no feature, whatever a file may ask for."""
    known = [feature for feature in dir(features) if feature not in NO_FEATURES]
    if name not in known:
        raise ValueError(f"there is no features.{name}; there are {', '.join(known)}")
