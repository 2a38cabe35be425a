"""Each feature of :mod:`digitlab.features` as a graph: the same numbers, from the same samples.

Every function takes clips (n_clips, n_samples) of a fixed length, their rate, and `lib`:
:mod:`digitlab.export.with_torch` or :mod:`digitlab.export.with_keras`, whose functions have the
same names. It returns what the feature of its name does, to within the rounding of float32.
"""

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from scipy.signal import get_window

from digitlab import features
from digitlab.features import normalised, scattering_transform
from digitlab.features.executors import plan as scattering_plan
from digitlab.features.settings import FLOOR, hann, n_samples_of, octave_of
from digitlab.features.settings import mel_filters as librosa_filters
from digitlab.features.spectrograms import HOP_S, WINDOW_S

DECIBELS = 10 / math.log(10)  # of a natural logarithm
FAINTEST, RANGE_DB = 1e-10, 80  # librosa's, of power and of levels below the maximum


def samples(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_samples, 1)."""
    return lib.reshape(clips, (clips.shape[1], 1))


def sample_frames(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_frames, frame_length)."""
    length = n_samples_of(0.01, rate)
    n_frames = clips.shape[1] // length
    return lib.reshape(clips[:, : n_frames * length], (n_frames, length))


def magnitude_spectrogram(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_frames, 129, 1)."""
    window = get_window("hann", 233, fftbins=False)
    powers = _powers(_frames(clips, 233, 128, lib), window, 256, lib)
    return lib.sqrt(powers)[..., None]


def log_mel(clips, rate: int, lib: ModuleType):
    """Return (n_clips, 64, n_frames)."""
    return lib.swapaxes(_log_mel_frames(clips, rate, lib))


def log_mel_frames(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_frames, 64)."""
    levels = _log_mel_frames(at_peak_1(clips, lib), rate, lib)
    is_level = lib.number(levels > -RANGE_DB)
    sounding = lib.max(is_level, 2) * lib.number(lib.max(lib.abs(clips), 1)[..., None] > 0)
    n_sounding = lib.at_least(lib.sum(sounding, 1), 1) * levels.shape[2]
    mean = lib.sum(lib.sum(levels * sounding, 1), 2) / n_sounding
    return (levels - mean) / 20 * sounding


def log_mel_moments(clips, rate: int, lib: ModuleType):
    """Return (n_clips, 120)."""
    n_fft = 1 << (n_samples_of(WINDOW_S, rate) - 1).bit_length()
    settings = SimpleNamespace(
        power=2,
        n_fft=n_fft,
        win_length=n_samples_of(WINDOW_S, rate),
        hop_length=n_samples_of(HOP_S, rate),
        pad=0,
    )
    powers = spectrogram(clips, settings, lib)[0]
    levels = lib.log(lib.project(powers, librosa_filters(rate, n_fft, 40).T) + FLOOR)
    mean = lib.mean(levels, 1)
    deviation = lib.sqrt(lib.mean((levels - mean) * (levels - mean), 1))
    changes = lib.mean(lib.abs(levels[:, 1:] - levels[:, :-1]), 1)
    return lib.concat([mean, deviation, changes], 2)[:, 0]


def normalised_log_mel(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_frames, 40)."""
    return _normalised(_mel_powers(clips, rate, lib), lib)


def loudness_normalised_log_mel(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_frames, 40)."""
    return _normalised(_mel_powers(clips, rate, lib), lib, each_band=False)


def log_mel_statistics(clips, rate: int, lib: ModuleType):
    """Return (n_clips, 120)."""
    powers = _mel_powers(clips, rate, lib)
    levels = _normalised(powers, lib, each_band=False)
    frames, loudest = _loudness(powers, lib)
    sounds = _is_within(frames, loudest, normalised.SOUNDING_DB, lib)
    n_frames = lib.sum(sounds, 1)
    mean = lib.sum(levels * sounds, 1) / n_frames
    variance = lib.sum((levels - mean) * (levels - mean) * sounds, 1) / n_frames
    steps = lib.abs(levels[:, 1:] - levels[:, :-1]) * (sounds[:, 1:] * sounds[:, :-1])
    speed = lib.sum(steps, 1) / lib.at_least(n_frames - 1, 1)
    return lib.concat([mean, lib.sqrt(variance), speed], 2)[:, 0]


def log_scattering(clips, rate: int, lib: ModuleType):
    """Return (n_clips, n_paths)."""
    coefficients = scattering(clips, _scale(rate), 12, lib)[:, 1:]
    return lib.mean(lib.log(lib.abs(coefficients) + 1e-6), 2)[..., 0]


def scattering_course(clips, rate: int, lib: ModuleType):
    """Return (n_clips, 5 * n_paths)."""
    n_stages = scattering_transform.STAGES
    coefficients = scattering(clips, _scale(rate), 12, lib)[:, 1:]
    levels = lib.log(1 + lib.abs(coefficients) / 1e-5)
    loudness = lib.at_least(lib.mean(levels, 1), 1e-9)
    positions = (lib.cumsum(loudness) - loudness / 2) / lib.sum(loudness, 2)
    stages = []
    for stage in range(n_stages):
        deviation = (positions - (stage + 0.5) / n_stages) * (2 * n_stages)
        weights = lib.exp(-deviation * deviation / 2) * loudness
        means = lib.sum(levels * (weights / lib.sum(weights, 2)), 2)
        stages.append(means - lib.mean(means, 1))
    return lib.concat(stages, 1)[..., 0]


FRONT_ENDS = {
    one.__name__: one
    for one in (
        samples,
        sample_frames,
        magnitude_spectrogram,
        log_mel,
        log_mel_frames,
        log_mel_moments,
        normalised_log_mel,
        loudness_normalised_log_mel,
        log_mel_statistics,
        log_scattering,
        scattering_course,
    )
}


def fitted(sounds, n_samples: int, align: str, lib: ModuleType):
    """Make recordings of any one length clips of `n_samples`, as :meth:`Preparation.fit` does.

    Shorter ones get zeros on both sides, or all at the end; of longer ones, the end is cut off.
    """
    padded = lib.pad(sounds, 0, n_samples)
    if align == "start":
        return lib.first(padded, n_samples)
    return lib.centred(padded, n_samples)


def at_peak_1(clips, lib: ModuleType):
    """Scale each clip to peak 1; zeros stay zeros."""
    peaks = lib.max(lib.abs(clips), 1)
    return clips / lib.where(peaks > 0, peaks, 1)


def spectrogram(clips, settings, lib: ModuleType) -> list:
    """Compute what the layers ``Spectrogram`` of both frameworks do, time before frequency.

    Returns real and imaginary parts, or the magnitudes to a power, each (n_clips, n_frames,
    n_bins). `settings` has the attributes of such a layer.
    """
    clips = lib.pad(clips, settings.pad, settings.pad) if settings.pad else clips
    clips = lib.mirror(clips, settings.n_fft // 2, settings.n_fft // 2)
    before = (settings.n_fft - settings.win_length) // 2
    after = settings.n_fft - settings.win_length - before
    window = np.pad(hann(settings.win_length), (before, after))
    frames = _frames(clips, settings.n_fft, settings.hop_length, lib)
    if settings.power is None:
        return _spectra(frames, window, settings.n_fft, lib)
    powers = _powers(frames, window, settings.n_fft, lib)
    return [powers if settings.power == 2 else powers ** (settings.power / 2)]


def scattering(clips, J: int, Q: int, lib: ModuleType):
    """Scatter clips to (n_clips, n_paths, n_frames), with one complex transform for each wavelet.

    The modulus does not change when a spectrum is conjugated, so a forward transform serves as the
    inverse one.
    """
    plan = scattering_plan(clips.shape[1], J, Q)
    padded = lib.mirror(clips, *plan.padding)[:, None]
    spectrum = lib.fft(padded, None)
    paths, parents = [lib.project(padded, plan.average)], list[Any]()
    for level in plan.levels:
        if level.second:
            lowest = [_lowest(parent, level.length, lib) for parent in parents]
            above = [lib.concat(list(parts), 1) for parts in zip(*lowest, strict=True)]
        for pairs in level.first:
            here = _lowest(spectrum, level.length, lib)
            responses = _responses(pairs, level.length)
            here = [part[:, 0] for part in here]
            envelope = _modulus(lib.filtered(here, responses), lib)
            parents.append(lib.fft(envelope, None))
            paths.append(lib.project(envelope, level.average))
        for pairs in level.second:
            [response] = _responses(pairs, level.length)
            envelope = _modulus(lib.scale(above, response), lib)
            paths.append(lib.project(envelope, level.average))
    return lib.take(lib.concat(paths, 1), plan.order)


def _scale(rate: int) -> int:
    return octave_of(scattering_transform.SCALE_S, rate)


def _lowest(spectrum, length: int, lib: ModuleType) -> list:
    """Return the lowest bins of both signs of a spectrum (real part, imaginary part)."""
    if spectrum[0].shape[-1] == length:
        return list(spectrum)
    half = length // 2
    return [lib.concat([part[..., :half], part[..., -half:]], 2) for part in spectrum]


def _responses(pairs: np.ndarray, length: int) -> np.ndarray:
    """Return the responses (n_wavelets, length) of pairs of a plan, over the length."""
    cosine, sine = pairs[0, :, 0].real, -pairs[1, :, 0].imag
    above, below = (cosine + sine) / length, (cosine - sine) / length
    return np.concatenate([above[:, :-1], cosine[:, -1:] / length, below[:, -2:0:-1]], axis=1)


def _modulus(spectrum: list, lib: ModuleType):
    real, imaginary = lib.fft(spectrum[0], -spectrum[1])
    return lib.sqrt(real * real + imaginary * imaginary)


def _log_mel_frames(clips, rate: int, lib: ModuleType):
    """Return librosa's mel bands in dB below the maximum, (n_clips, n_frames, 64)."""
    frames = _frames(lib.pad(clips, 1024, 1024), 2048, 512, lib)
    powers = _powers(frames, get_window("hann", 2048), 2048, lib)
    powers = lib.project(powers, librosa_filters(rate, 2048, 64).T)
    loudest = lib.max(lib.max(powers, 1), 2)
    levels = lib.log(lib.at_least(powers, FAINTEST)) - lib.log(lib.at_least(loudest, FAINTEST))
    levels = levels * DECIBELS
    return lib.maximum(levels, lib.max(lib.max(levels, 1), 2) - RANGE_DB)


def _mel_powers(clips, rate: int, lib: ModuleType):
    n_fft = n_samples_of(normalised.FRAME_S, rate)
    frames = _frames(
        lib.pad(clips, n_fft // 2, n_fft // 2), n_fft, n_samples_of(normalised.HOP_S, rate), lib
    )
    return lib.project(_powers(frames, hann(n_fft), n_fft, lib), features.mel_filters(rate).T)


def _normalised(powers, lib: ModuleType, *, each_band: bool = True):
    """Do what :func:`digitlab.features.normalise_levels` does."""
    frames, loudest = _loudness(powers, lib)
    floor = loudest * 10 ** (-normalised.DYNAMIC_RANGE_DB / 10)
    levels = lib.log(lib.maximum(powers, floor)) * DECIBELS
    is_loud = _is_within(frames, loudest, normalised.LOUD_DB, lib)
    mean = lib.sum(levels * is_loud, 1) / lib.sum(is_loud, 1)
    return (levels - (mean if each_band else lib.mean(mean, 2))) / normalised.SCALE_DB


def _loudness(powers, lib: ModuleType) -> tuple:
    frames = lib.sum(powers, 2)
    return frames, lib.at_least(lib.max(frames, 1), normalised.LEAST_POWER)


def _is_within(frames, loudest, range_db: float, lib: ModuleType):
    # not a sum as in NumPy: exporters to ONNX take the addition of 1e-20 for one of nothing
    frames = lib.at_least(frames, normalised.LEAST_POWER)
    return lib.number(frames >= loudest * 10 ** (-range_db / 10))


def _frames(clips, length: int, hop: int, lib: ModuleType):
    """Cut clips into frames (n_clips, n_frames, length), from blocks of a hop each."""
    n_samples = clips.shape[1]
    n_frames, n_blocks = 1 + (n_samples - length) // hop, -(-length // hop)
    needed = (n_frames + n_blocks - 1) * hop
    clips = lib.pad(clips, 0, needed - n_samples) if needed > n_samples else clips[:, :needed]
    blocks = lib.reshape(clips, (n_frames + n_blocks - 1, hop))
    return lib.concat([blocks[:, i : i + n_frames] for i in range(n_blocks)], 2)[..., :length]


def _spectra(frames, window: np.ndarray, n_fft: int, lib: ModuleType) -> list:
    """Return real and imaginary parts, (n_clips, n_frames, n_bins), of frames in a window."""
    [frames] = lib.scale([frames], window)
    if len(window) < n_fft:
        frames = lib.pad(frames, 0, n_fft - len(window))
    return [part[..., : n_fft // 2 + 1] for part in lib.fft(frames, None)]


def _powers(frames, window: np.ndarray, n_fft: int, lib: ModuleType):
    real, imaginary = _spectra(frames, window, n_fft, lib)
    return real * real + imaginary * imaginary
