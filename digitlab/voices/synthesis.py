"""From phonemes to sound: glottal source, vocal tract, noise, room and microphone.

Source, cascade of formants and fricative branch are laid out after Klatt (1980), "Software for a
cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 971-995. Chapter 5, "Speech
synthesis", builds all of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from numbers import Real

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import convolve1d
from scipy.signal import butter, lfilter, oaconvolve, sosfilt

from digitlab.audio import peak_normalize, resample
from digitlab.voices.phonemes import PHONEMES, Phoneme, check_known, check_whole
from digitlab.voices.speakers import UPPER_FORMANTS, Speaker

RENDER_RATE = 48_000  # Hz; everything is synthesised at this rate
FRAME = 240  # samples: the filters change every 5 ms, as in Klatt (1980)
FRAMES_PER_SECOND = RENDER_RATE / FRAME
SHORTEST, LONGEST = 12_480, 42_720  # samples: a recorded word lasts from 0.26 to 0.89 s
TRACKS = [field.name for field in fields(Phoneme) if field.name != "seconds"]
FORMANTS, LEVELS, HISS = slice(0, 3), slice(3, 6), TRACKS.index("hiss")  # columns of the targets
NEUTRAL = np.array([500, 1500, 2500])  # Hz: formants of a man's vocal tract at rest
LAST = 1.4  # factor of the duration of the last phoneme
BEFORE, AFTER = 6, 12  # frames of silence around a word
SMOOTHING = {"f1": 0.05, "f2": 0.05, "f3": 0.05, "voicing": 0.035}  # seconds; other tracks: 0.02


def glottal_source(
    pitch: ArrayLike, rng: Generator, *, jitter: float = 0, shimmer: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Synthesise the sound of the vocal folds: the derivative of the air flow through them.

    Parameters
    ----------
    pitch : array_like, shape (n_samples,)
        Fundamental frequency in Hz, for each sample at 48 kHz.
    rng : numpy.random.Generator
        Source of the jitter and shimmer.
    jitter, shimmer : float
        Standard deviations of the lengths and of the amplitudes of cycles, as fractions.

    Returns
    -------
    source : ndarray, shape (n_samples,)
        At each closure of the vocal folds it jumps from -1 to 0.
    is_open : ndarray of bool, shape (n_samples,)
        Whether the vocal folds are open.

    Raises
    ------
    ValueError
        If the pitch has another shape or is not between 1 and 24000 Hz.

    Notes
    -----
    In the open 60 % of a cycle the flow is ``x**2 - x**3``, after Rosenberg (1971), "Effect of
    glottal pulse shape on the quality of natural vowels", J. Acoust. Soc. Am. 49; what the lips
    radiate is its derivative.

    Examples
    --------
    >>> source, is_open = glottal_source(np.full(48000, 100.0), np.random.default_rng(0))
    >>> int((np.diff(source) > 0.9).sum()), float(is_open.mean().round(2))
    (100, 0.6)
    """
    pitch = _hertz("pitch", pitch, 1, RENDER_RATE / 2)
    if pitch.ndim != 1:
        raise ValueError(f"pitch must have the shape (n_samples,), not {pitch.shape}")
    cycles = np.cumsum(pitch) / RENDER_RATE
    starts = np.arange(int(cycles[-1]) + 3)
    uneven_starts = starts + 1 + jitter * rng.standard_normal(len(starts))
    cycles = np.interp(cycles, starts, uneven_starts)
    amplitudes = 1 + shimmer * rng.standard_normal(len(starts) + 2)
    x = (cycles % 1) / 0.6
    is_open = x < 1
    return is_open * (2 * x - 3 * x**2) * amplitudes[cycles.astype(int)], is_open


def resonator(frequency: ArrayLike, bandwidth: ArrayLike) -> np.ndarray:
    """Return the filter of one formant: gain 1 at 0 Hz and a peak (Klatt 1980, equation 1).

    Parameters
    ----------
    frequency, bandwidth : array_like
        Of the peak, in Hz; of one shape or one broadcastable to it.

    Returns
    -------
    ndarray, shape (..., 6)
        Second-order sections for `scipy.signal.sosfilt` at 48 kHz.

    Raises
    ------
    ValueError
        If a frequency is not between 0 and 24000 Hz, or a bandwidth not between 1 and 48000 Hz.

    Examples
    --------
    >>> section = resonator(500, 60)
    >>> from scipy.signal import sosfreqz
    >>> _, response = sosfreqz(section[None], [0, 500], fs=48000)
    >>> np.abs(response).round(1)
    array([1. , 8.4])
    """
    frequency, bandwidth = np.broadcast_arrays(
        _hertz("frequency", frequency, 0, RENDER_RATE / 2),
        _hertz("bandwidth", bandwidth, 1, RENDER_RATE),
    )
    radius = np.exp(-np.pi * bandwidth / RENDER_RATE)
    a1 = -2 * radius * np.cos(2 * np.pi * frequency / RENDER_RATE)
    a2 = radius**2
    zero = np.zeros_like(a1)
    return np.stack([1 + a1 + a2, zero, zero, zero + 1, a1, a2], axis=-1)


def _antiresonance(frequency, bandwidth):
    """Return the numerator that cancels a resonator."""
    section = resonator(frequency, bandwidth)
    return section[..., 3:] / section[..., :1]


def _nasal_sections(nasality):
    """Return a resonance of the nose and an antiresonance, which cancels it at nasality 0."""
    section = resonator(np.full(len(nasality), 270.0), 100.0)
    section[:, :3] = section[:, :1] * _antiresonance(270 + 200 * nasality, 100.0)
    return section


def _higher_pole_correction(n_frames):
    """Return a gain that rises with frequency, in place of the formants above the eighth."""
    return np.tile([*_antiresonance(0.0, 5000.0), 1, 0, 0], (n_frames, 1))


def _band_pass(frequency, bandwidth):
    """Return resonators with gain 0 at 0 Hz and gain 1 at their peak."""
    section = resonator(frequency, bandwidth)
    section[..., 0] = (1 - section[..., 5]) / 2
    section[..., 2] = -section[..., 0]
    return section


def filter_frames(samples: ArrayLike, sections: ArrayLike) -> np.ndarray:
    """Filter a sound with a cascade of resonators that changes every 5 ms.

    Parameters
    ----------
    samples : array_like of float, shape (n_frames * 240,)
        At 48 kHz.
    sections : array_like, shape (n_frames, n_sections, 6)
        Second-order sections for each frame.

    Returns
    -------
    ndarray, shape (n_frames * 240,)
        The state of the filters is carried from frame to frame.

    Raises
    ------
    ValueError
        If the samples are no floats, NaN or infinite, or if a shape is wrong.

    Examples
    --------
    >>> click = np.zeros(480)
    >>> click[0] = 1
    >>> ringing = filter_frames(click, resonator(np.full((2, 1), 500), 60))
    >>> bool(np.abs(ringing[240:]).max() > 0.3 * np.abs(ringing[:240]).max())
    True
    """
    samples, sections = _as_samples(samples), np.asarray(sections, dtype=float)
    if sections.ndim != 3 or sections.shape[2] != 6 or len(samples) != len(sections) * FRAME:
        raise ValueError(
            f"sections must have the shape (n_frames, n_sections, 6) and samples {FRAME} values "
            f"for each frame; their shapes are {sections.shape} and {samples.shape}"
        )
    filtered = np.zeros(len(samples))
    state = np.zeros((sections.shape[1], 2))
    for i, section in enumerate(sections):
        frame = slice(i * FRAME, (i + 1) * FRAME)
        if samples[frame].any() or np.abs(state).max() > 1e-7:  # silence in, silence out
            filtered[frame], state = sosfilt(section, samples[frame], zi=state)
    return filtered


def vocal_tract(tracks: Mapping[str, np.ndarray], speaker: Speaker) -> np.ndarray:
    """Return the filter of the vocal tract, frame by frame.

    Parameters
    ----------
    tracks : mapping of str to ndarray of shape (n_frames,)
        From `controls`.
    speaker : Speaker
        Gives the higher formants and the bandwidths.

    Returns
    -------
    ndarray, shape (n_frames, 10, 6)
        Second-order sections: the nose, eight formants, and a correction for those above.

    Raises
    ------
    ValueError
        If a track is missing or has another length than the others.

    Examples
    --------
    >>> from digitlab.voices import speaker
    >>> tracks = controls(["iy"], speaker(0), np.random.default_rng(0))
    >>> vocal_tract(tracks, speaker(0)).shape == (len(tracks["f1"]), 10, 6)
    True
    """
    needed = ("f1", "f2", "f3", "nasality", "damping")
    shapes = {np.shape(tracks[name]) if name in tracks else () for name in needed}
    if len(shapes) > 1 or len(shapes.pop()) != 1:
        raise ValueError(f"tracks must hold {', '.join(needed)}, each of the shape (n_frames,)")
    damping = tracks["damping"] * speaker.damping
    formants: list[ArrayLike] = [tracks["f1"], tracks["f2"], tracks["f3"], *speaker.upper_formants]
    widths = [60, 90, 130, 200, 250, 350, 450, 550]  # Hz
    cascade = [resonator(f, w * damping) for f, w in zip(formants, widths, strict=True)]
    nose, above = _nasal_sections(tracks["nasality"]), _higher_pole_correction(len(damping))
    return np.stack([nose, *cascade, above], axis=1)


def controls(
    phonemes: Sequence[str], speaker: Speaker, rng: Generator, *, variation: float = 1.0
) -> dict[str, np.ndarray]:
    """Turn phonemes into control tracks of the synthesiser, one value every 5 ms.

    Parameters
    ----------
    phonemes : sequence of str
        Keys of `PHONEMES`.
    speaker : Speaker
        Gives the size of the vocal tract, the habits and the tempo.
    rng : numpy.random.Generator
        Source of what differs from take to take: durations and formants.
    variation : float
        How much takes differ, from 0 (not at all) to 1.

    Returns
    -------
    dict of str to ndarray of shape (n_frames,)
        A track for each field of `Phoneme` but its duration; levels are amplitudes. Formants stay
        at the middle of a phoneme and glide between phonemes (coarticulation); all tracks are
        smoothed.

    Raises
    ------
    ValueError
        If there is no phoneme, or one is not known (the message lists those that are), or if
        the variation is out of range.

    Examples
    --------
    >>> from digitlab.voices import phonemes_of, speaker
    >>> tracks = controls(phonemes_of("nine"), speaker(0), np.random.default_rng(0))
    >>> bool(tracks["nasality"].max() > 0.9), bool(tracks["frication"].any())
    (True, False)
    """
    if isinstance(phonemes, str) or not len(phonemes):
        raise ValueError(
            f"phonemes must be names such as ['s', 'iy'], not {phonemes!r}; "
            "phonemes_of(word) gives those of a word"
        )
    for name in phonemes:
        check_known("phoneme", name, PHONEMES)
    if not (isinstance(variation, Real) and 0 <= variation <= 1):
        raise ValueError(f"variation must be a number from 0 to 1, not {variation!r}")
    targets = _targets(phonemes, speaker, rng, variation)
    lengths = _lengths(phonemes, speaker, rng, variation)
    tracks = np.repeat(targets, lengths, axis=0)
    for i in range(3):
        tracks[:, i] = _glide(targets[:, i], lengths)
    tracks = np.pad(tracks, ((BEFORE, AFTER), (0, 0)), mode="edge")
    tracks[:BEFORE, LEVELS] = tracks[-AFTER:, LEVELS] = 0
    return {name: _smooth(track, name) for name, track in zip(TRACKS, tracks.T, strict=True)}


def _targets(phonemes, speaker, rng, variation):
    """Return the speaker's targets, shape (n_phonemes, n_tracks), with levels as amplitudes."""
    targets = np.array([[getattr(PHONEMES[name], t) for t in TRACKS] for name in phonemes], float)
    habits = np.array([speaker.habits[name] for name in phonemes])
    deviations = rng.lognormal(0, 0.03 * variation, (len(targets), 3))
    targets[:, FORMANTS] *= speaker.tract * habits[:, :3] * deviations
    targets[:, FORMANTS] = _fill_from_next(targets[:, FORMANTS], NEUTRAL * speaker.tract)
    targets[:, HISS] *= np.sqrt(speaker.tract) * habits[:, 4]
    levels = targets[:, LEVELS]
    targets[:, LEVELS] = np.where(levels > 0, _amplitude(levels - 60), 0)
    return targets


def _lengths(phonemes, speaker, rng, variation):
    """Return the durations of phonemes, in frames."""
    habits = np.array([speaker.habits[name][3] for name in phonemes])
    seconds = habits * [PHONEMES[name].seconds for name in phonemes]
    seconds[-1] *= LAST
    seconds *= speaker.tempo * rng.lognormal(0, 0.07 * variation)
    seconds *= rng.lognormal(0, 0.15 * variation, len(seconds))
    return np.maximum(1, np.rint(seconds * FRAMES_PER_SECOND)).astype(int)


def _fill_from_next(formants, at_the_end):
    """Replace missing formants by those of the next phoneme."""
    formants = np.vstack([formants, at_the_end])
    for i in range(len(formants) - 2, -1, -1):  # backwards, since the next may be missing too
        formants[i] = np.where(np.isnan(formants[i]), formants[i + 1], formants[i])
    return formants[:-1]


def _glide(targets, lengths):
    """Stay at each target for 40 % of its duration and interpolate between."""
    ends = np.cumsum(lengths)
    corners = np.stack([ends - 0.7 * lengths, ends - 0.3 * lengths], axis=1).ravel()
    return np.interp(np.arange(ends[-1]) + 0.5, corners, np.repeat(targets, 2))


def _smooth(track, name):
    window = np.hanning(SMOOTHING.get(name, 0.02) * FRAMES_PER_SECOND + 2)[1:-1]
    return convolve1d(track, window / window.sum(), mode="nearest")


def render(
    phonemes: Sequence[str], speaker: Speaker, rng: Generator, *, variation: float = 1.0
) -> np.ndarray:
    """Synthesise a voice that says a sequence of phonemes.

    Parameters
    ----------
    phonemes, speaker, rng, variation
        As in `controls`. At variation 0 durations, formants, melody and loudness are the mean ones,
        without jitter and shimmer; only the noise of breath and hisses is random.

    Returns
    -------
    ndarray, shape (n_samples,)
        At 48 kHz, with some silence around it, at any level: as it leaves the lips.

    Raises
    ------
    ValueError
        As `controls`.

    Examples
    --------
    >>> from digitlab.voices import speaker
    >>> sound = render(["s", "iy"], speaker(1), np.random.default_rng(0))
    >>> 0.2 < len(sound) / 48000 < 0.6
    True
    """
    tracks = controls(phonemes, speaker, rng, variation=variation)
    pitch = _to_samples(_melody(len(tracks["f1"]), speaker, rng, variation))
    jitter, shimmer = variation * speaker.jitter, variation * speaker.shimmer
    buzz, is_open = glottal_source(pitch, rng, jitter=jitter, shimmer=shimmer)
    buzz = _low_pass(buzz, speaker.tilt * rng.lognormal(0, 0.3 * variation))
    voicing = _to_samples(tracks["voicing"] * _loudness(len(tracks["f1"]), rng, variation))
    breath = _amplitude(speaker.breath - 60) * voicing * is_open
    breath += 0.3 * _to_samples(tracks["aspiration"])
    source = voicing * buzz + breath * rng.standard_normal(len(buzz))
    gain = _amplitude(speaker.sharpness + rng.normal(0, 2 * variation))
    hiss = gain * _to_samples(tracks["frication"])
    hiss *= np.where((voicing > 0.05) & ~is_open, 0.4, 1) * rng.standard_normal(len(buzz))
    narrow = _band_pass(tracks["hiss"], tracks["hiss_width"])
    return filter_frames(source, vocal_tract(tracks, speaker)) + filter_frames(
        hiss, np.stack([narrow, narrow], axis=1)
    )


def _to_samples(track):
    n_frames = len(track)
    return np.interp(np.arange(n_frames * FRAME) / FRAME, np.arange(n_frames) + 0.5, track)


def _melody(n_frames, speaker, rng, variation):
    """Return the pitch of one word in Hz, which mostly falls at its end."""
    semitones = rng.normal([1, 1.5, -4], variation * np.array([1, 1, 2.5]))
    semitones += rng.normal(0, 0.7 * variation)
    line = np.interp(np.linspace(0, 1, n_frames), [0, 0.35, 1], semitones)
    return speaker.pitch * 2 ** (line / 12)


def _loudness(n_frames, rng, variation):
    """Return the amplitude of the voice during one word: onset, steady part, decay."""

    def between(low, high):
        margin = (1 - variation) * (high - low) / 2
        return rng.uniform(low + margin, high - margin)

    times = [0, 0.1, between(0.3, 0.6), 1]
    levels = [between(-10, 0), 0, 0, between(-30, -10)]
    return _amplitude(np.interp(np.linspace(0, 1, n_frames), times, levels))


def _low_pass(source, cutoff):
    """Attenuate the source above a cutoff in Hz, and keep its standard deviation."""
    pole = np.exp(-2 * np.pi * cutoff / RENDER_RATE)
    soft = lfilter([1 - pole], [1, -pole], source)
    return soft * source.std() / soft.std()


def record(
    sound: ArrayLike, speaker: Speaker, rng: Generator, *, seconds: float | None = None
) -> np.ndarray:
    """Simulate a recording: room, microphone, noise, and silence trimmed at both ends.

    Parameters
    ----------
    sound : array_like of float, shape (n_samples,)
        From `render`, at 48 kHz.
    speaker : Speaker
        Gives the room and the microphone.
    rng : numpy.random.Generator
        Source of the noise and of what differs from take to take.
    seconds : float, optional
        Length of the recording, the word near its middle; a longer word is cut at its end. By
        default as long as the word.

    Returns
    -------
    ndarray, shape (n_recorded,)
        At 48 kHz; full scale is 1. Ends that stay below 0.005 are trimmed, as in FSDD's
        recordings, before the word is placed in `seconds` of noise.

    Raises
    ------
    ValueError
        If the sound is silent, holds no floats or has a wrong shape, or if seconds is out of
        range.

    Examples
    --------
    >>> from digitlab.voices import phonemes_of, speaker
    >>> anton, rng = speaker(0), np.random.default_rng(0)
    >>> voice = record(render(phonemes_of("one"), anton, rng), anton, rng)
    >>> bool(0.1 < np.abs(voice).max() < 1)
    True
    """
    sound = _as_samples(sound)
    if not sound.any():
        raise ValueError("the sound is silent: there is no word to record")
    if seconds is not None:
        _check_seconds(seconds)
    distance = rng.lognormal(0, 0.25)
    sound = _add_microphone(_add_echo(sound, distance * speaker.room, rng), speaker)
    sound *= min(0.95, speaker.level / distance) / np.abs(sound).max()
    loud = np.flatnonzero(np.abs(sound) > 0.005)
    margin = int(rng.uniform(0.005, 0.04) * RENDER_RATE)
    start = max(0, loud[0] - margin)
    sound = sound[start : np.clip(loud[-1] + margin, start + SHORTEST, start + LONGEST)]
    if seconds is not None:
        sound = _place(sound, round(seconds * RENDER_RATE), rng)
    noise = lfilter([1], [1, -speaker.rumble], rng.standard_normal(len(sound)))
    return sound + distance * _amplitude(speaker.noise) * np.abs(sound).max() * noise / noise.std()


def _place(sound: np.ndarray, n_samples: int, rng: Generator) -> np.ndarray:
    """Pad a sound with zeros at both ends, or cut its end."""
    sound = sound[:n_samples]
    spare = n_samples - len(sound)
    before = int(spare * rng.uniform(0.25, 0.75))
    return np.pad(sound, (before, spare - before))


def _add_echo(sound: np.ndarray, amplitude: float, rng: Generator) -> np.ndarray:
    time = np.arange(int(0.125 * RENDER_RATE)) / RENDER_RATE
    echo = rng.standard_normal(len(time)) * np.exp(-time / 0.025)
    echo *= amplitude / np.linalg.norm(echo)
    echo[0] = 1  # the direct sound
    return oaconvolve(sound, echo)


def _add_microphone(sound: np.ndarray, speaker: Speaker) -> np.ndarray:
    band = butter(2, [speaker.low_cut, speaker.high_cut], "bandpass", fs=RENDER_RATE, output="sos")
    bright = butter(1, 2000, "highpass", fs=RENDER_RATE, output="sos")
    recorded = sosfilt(band, sound)
    return recorded + (_amplitude(speaker.presence) - 1) * sosfilt(bright, recorded)


def mouth(f1: float, f2: float, f3: float = 2500) -> np.ndarray:
    """Return the resonances of a man's vocal tract during a steady vowel.

    Parameters
    ----------
    f1, f2, f3 : float
        Formants, in Hz; five fixed ones lie above them.

    Returns
    -------
    ndarray, shape (8, 6)
        Second-order sections at 48 kHz, as `resonator` gives them.

    Examples
    --------
    >>> mouth(300, 2070, 2980).shape
    (8, 6)
    """
    formants = np.array([f1, f2, f3, *UPPER_FORMANTS])
    return resonator(formants, 40 + 0.04 * formants)


def vowel(
    f1: float,
    f2: float,
    f3: float = 2500,
    *,
    pitch: float = 120,
    seconds: float = 0.5,
    rate: int = 8000,
) -> np.ndarray:
    """Synthesise a steady vowel.

    Parameters
    ----------
    f1, f2, f3 : float
        Its formants, in Hz.
    pitch : float
        Fundamental frequency, in Hz.
    seconds : float
        Its duration, at least 0.005.
    rate : int
        In Hz, 4000 to 48000.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Its peak is 0.5.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> vowel(300, 2070, 2980).shape  # a man's "ee": Klatt (1980)
    (4000,)
    """
    check_whole("rate", rate, 4000, RENDER_RATE)
    _check_seconds(seconds)
    n_frames = round(seconds * FRAMES_PER_SECOND)
    source, _ = glottal_source(np.full(n_frames * FRAME, float(pitch)), np.random.default_rng(0))
    sections = np.tile(mouth(f1, f2, f3), (n_frames, 1, 1))
    return 0.5 * peak_normalize(resample(filter_frames(source, sections), RENDER_RATE, rate))


def _amplitude(level):
    """Return the amplitude that belongs to a level in dB."""
    return 10 ** (level / 20)


def _hertz(name: str, values: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    values = np.asarray(values)
    is_real = values.dtype.kind in "iuf" and values.size
    if not is_real or not np.all((low <= values) & (values <= high)):
        raise ValueError(f"{name} must be from {low:g} to {high:g} Hz, not {values}")
    return values.astype(float)


def _as_samples(samples: ArrayLike) -> NDArray[np.float64]:
    """Return samples as float64; refuse integers, whose full scale is not 1, and channels."""
    samples = np.asarray(samples)
    if samples.dtype.kind != "f" or samples.ndim != 1 or not samples.size:
        raise ValueError(
            "samples must be floats (full scale 1) of the shape (n_samples,), not "
            f"{samples.dtype} of the shape {samples.shape}; audio.to_float converts integers"
        )
    if not np.isfinite(samples).all():
        raise ValueError("samples are NaN or infinite: remove those first")
    return samples.astype(float)


def _check_seconds(seconds):
    if not (isinstance(seconds, Real) and 1 / FRAMES_PER_SECOND <= float(seconds) < np.inf):
        raise ValueError(f"seconds must be a number from 0.005 up, not {seconds!r}")
