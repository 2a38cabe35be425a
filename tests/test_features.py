"""Features are what was published, at any rate; scattering is kept on disk; nonsense is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitlab import audio, features
from digitlab.features import scattering_transform, settings

RATE = 8000
ALL = [
    "log_mel",
    "log_mel_frames",
    "log_mel_moments",
    "log_mel_spectrogram",
    "log_mel_statistics",
    "log_scattering",
    "loudness_normalised_log_mel",
    "magnitude_spectrogram",
    "mean_spectrum",
    "mfcc_means",
    "normalised_log_mel",
    "sample_frames",
    "samples",
    "scattering",
    "scattering_course",
    "spectrogram",
]


@pytest.fixture
def clips():
    return np.random.default_rng(0).standard_normal((5, 8192)).astype(np.float32)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    return tmp_path


def test_it_is_the_published_definition(clips, empty_cache):
    Scattering1D = pytest.importorskip("kymatio").Scattering1D
    coefficients = Scattering1D(J=8, shape=8192, Q=12, frontend="numpy")(clips.astype(float))
    published = np.log(np.abs(coefficients[:, 1:, :]) + 1e-6).mean(axis=-1)
    ours = features.log_scattering(clips, RATE)
    assert ours.shape == (5, 336)
    assert ours.dtype == np.float32
    assert np.abs(ours - published).max() < 1e-3


def test_numpy_and_pytorch_agree(clips):
    pytest.importorskip("torch")
    with_numpy, with_torch = (
        scattering_transform._log_scattering(clips, 8, 12, device) for device in ("numpy", "cpu")
    )
    assert np.abs(with_numpy - with_torch).max() < 1e-3


def test_without_pytorch_a_gpu_is_refused_and_the_cpu_is_not(clips, monkeypatch):
    monkeypatch.setattr(scattering_transform, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert features.scattering(clips[:1], RATE, device="cpu").shape == (1, 337, 32)
    with pytest.raises(ImportError, match=r"digitlab\[torch\]"):
        features.scattering(clips, RATE, device="cuda")


# --- the cache ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["log_scattering", "scattering_course"])
def test_the_second_time_nothing_is_computed(name, clips, empty_cache, monkeypatch):
    assert not features.is_cached(name, clips, RATE)
    first, seconds, cached = features.timed(name, clips, RATE)
    assert seconds > 0 and not cached
    assert features.is_cached(name, clips, RATE)
    monkeypatch.setattr(scattering_transform, "_batches", None)
    again, _, cached = features.timed(name, clips, RATE)
    assert cached and np.array_equal(again, first)
    assert np.array_equal(features.compute(name, clips, RATE), first)
    assert np.array_equal(getattr(features, name)(clips, RATE), first)


@pytest.mark.parametrize("change", [lambda x: x * 0.999, lambda x: x[::-1], lambda x: x[:4]])
def test_other_clips_are_other_features(clips, empty_cache, change):
    features.log_scattering(clips, RATE, Q=8)
    assert not features.is_cached("log_scattering", clips, RATE)
    features.log_scattering(clips, RATE)
    assert features.is_cached("log_scattering", clips.copy(), RATE)
    assert not features.is_cached("log_scattering", change(clips), RATE)
    assert not features.is_cached("log_scattering", clips, 16000)
    assert not features.is_cached("scattering_course", clips, RATE)


@pytest.mark.parametrize("name", ["log_scattering", "scattering_course", "log_mel"])
def test_nothing_of_a_private_recording_is_kept(name, clips, empty_cache):
    private = features.compute(name, clips, RATE, keep=False)
    assert not [path for path in empty_cache.rglob("*") if path.is_file()]
    assert np.array_equal(private, getattr(features, name)(clips, RATE))


def test_silence_has_the_smallest_features_there_are():
    silent = features.log_scattering(np.zeros((1, 8192)), RATE)
    assert np.allclose(silent, np.log(1e-6), atol=1e-3)


def test_a_shift_by_a_few_milliseconds_changes_little(clips):
    word = np.pad(clips[:1, :3000], ((0, 0), (2000, 3192)))
    shifted = np.roll(word, 80, axis=1)
    of_word, of_shifted, of_other = features.log_scattering(
        np.concatenate([word, shifted, clips[1:2]]), RATE
    )
    assert np.abs(of_shifted - of_word).mean() < 0.05 < np.abs(of_other - of_word).mean()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_memory_stays_bounded():
    """300 clips in one go would take over 3 GB; in batches, with PyTorch itself, half of one.

    The kernel is asked for the peak of this program alone: getrusage begins with its parent's.
    """
    code = r"""
import re, numpy as np
from digitlab import features
features.compute("log_scattering", np.zeros((300, 8192)), 8000, "cpu", keep=False)
print(int(re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())[1]) / 1024)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 1000


def a_word(n_samples):
    """Three sounds, one after the other, loud and soft by turns."""
    time = np.arange(n_samples) / n_samples
    tone = np.sin(
        2 * np.pi * np.array([0.06, 0.12, 0.2])[(time * 3).astype(int)] * np.arange(n_samples)
    )
    return tone * (0.2 + np.sin(3 * np.pi * time) ** 2)


def placed(word, start):
    return np.pad(word, (start, 8192 - start - len(word)))[None]


def test_the_course_is_five_means_by_loudness(clips):
    ours = features.scattering_course(clips, RATE).reshape(5, 5, 336)
    assert ours.dtype == np.float32
    for coefficients, stages in zip(features.scattering(clips, RATE)[:, 1:], ours, strict=True):
        levels = np.log(1 + np.abs(coefficients.astype(float)) / 1e-5)
        loudness = levels.mean(axis=0)
        sounded = 0
        places = []
        for now in loudness:
            places.append((sounded + now / 2) / loudness.sum())
            sounded += now
        for centre, stage in zip((0.1, 0.3, 0.5, 0.7, 0.9), stages, strict=True):
            bell = np.exp(-0.5 * ((np.array(places) - centre) / 0.1) ** 2)
            expected = np.average(levels, axis=1, weights=bell * loudness)
            np.testing.assert_allclose(stage, expected - expected.mean(), atol=1e-3)


def test_when_a_word_begins_does_not_change_its_course_and_how_long_it_lasts_little():
    word, other = a_word(3000), a_word(3000)[::-1]
    placements = [(word, 2048), (other, 2048), (word, 2048 + 4 * 256), (a_word(6000), 1024)]
    clips = np.concatenate([placed(sound, start) for sound, start in placements])
    course, *changed = features.scattering_course(clips, RATE)
    away, moved, longer = (np.abs(each - course).mean() for each in changed)
    assert moved < 0.01 * away
    assert longer < 0.5 * away


def test_silence_and_a_click_have_a_course():
    assert np.abs(features.scattering_course(np.zeros((1, 8192)), RATE)).max() < 1e-9
    assert np.isfinite(features.scattering_course(np.eye(1, 8192), RATE)).all()


@pytest.mark.parametrize("name", ["scattering", "log_scattering", "scattering_course"])
def test_no_clip_changes_the_features_of_another(name, clips):
    many = np.tile(clips, (4, 1))  # more than one batch
    together = features.compute(name, many, RATE)
    assert len(together) == len(many)
    for rows in ([3], [16], [19, 0]):
        alone = features.compute(name, many[rows], RATE)
        assert np.allclose(together[rows], alone, atol=1e-4)


def test_paths_and_filters_describe_the_coefficients():
    paths = features.scattering_paths()
    frequencies, wavelets, average = features.filter_bank()
    assert len(paths) == features.scattering(np.zeros((1, 8192)), RATE).shape[1]
    first = paths["first"][paths["order"] == 1]
    peaks = frequencies[wavelets.argmax(axis=1)]
    assert np.abs(peaks - first).max() < 2e-4
    assert (np.diff(first) < 0).all()
    assert average.argmax() == 0


def test_a_tone_lights_the_wavelet_of_its_frequency():
    paths = features.scattering_paths()
    order_1 = paths["order"] == 1
    tone = np.sin(2 * np.pi * 0.1 * np.arange(8192))[None]
    loudest = features.scattering(tone, RATE)[0][order_1].mean(axis=1).argmax()
    assert abs(paths["first"][order_1][loudest] - 0.1) < 0.005


@pytest.fixture
def seconds():
    return np.random.default_rng(1).standard_normal((3, 16000)).astype(np.float32)


@pytest.mark.parametrize("lengths", [(233, 128, 256), (256, 128, 256)])
def test_the_magnitude_spectrogram_is_tensorflows(lengths):
    tensorflow = pytest.importorskip("tensorflow")
    clips = np.random.default_rng(2).standard_normal((2, 30000)).astype(np.float32)
    published = np.abs(tensorflow.signal.stft(clips, *lengths))
    frame_length, frame_step, fft_length = lengths
    ours = features.magnitude_spectrogram(
        clips, 48000, frame_length=frame_length, frame_step=frame_step, fft_length=fft_length
    )
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours[..., 0], published, atol=1e-4)


def test_log_mel_is_librosas_of_each_clip_alone(seconds):
    import librosa

    seconds[1] *= 1e-3
    together = features.log_mel(seconds, 16000)
    for clip, ours in zip(seconds, together, strict=True):
        mel = librosa.feature.melspectrogram(y=clip, sr=16000, n_mels=64)
        np.testing.assert_allclose(ours, librosa.power_to_db(mel, ref=np.max), atol=1e-3)
        assert ours.max() == 0
        assert ours.min() >= -80


# --- any rate -----------------------------------------------------------------------------------


def test_these_are_all_the_features():
    others = {"compute", "timed", "is_cached", "filter_bank", "scattering_paths", "power_frames"}
    others |= {"mel_filters", "normalise_levels", "compute_to_disk", "read_shards"}
    assert set(features.__all__) - others == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_feature_asks_for_the_rate(name, clips):
    with pytest.raises(TypeError, match="rate"):
        getattr(features, name)(clips)
    for rate in (0, -8000, np.nan, np.inf, "8000", None, clips):
        with pytest.raises(ValueError, match=r"(?s)rate=.*samples per second"):
            getattr(features, name)(clips, rate)


@pytest.mark.parametrize(
    "rate, shapes",
    [
        (8000, {"spectrogram": (2, 129, 101), "log_mel_spectrogram": (1, 64, 101)}),
        (16000, {"spectrogram": (2, 257, 101), "log_mel_spectrogram": (1, 64, 101)}),
        (44100, {"spectrogram": (2, 1025, 101), "log_mel_spectrogram": (1, 64, 101)}),
        (48000.0, {"spectrogram": (2, 1025, 101), "log_mel_spectrogram": (1, 64, 101)}),
        (8000, {"sample_frames": (100, 80), "mean_spectrum": (129,), "mfcc_means": (20,)}),
        (22050, {"sample_frames": (100, 220), "mean_spectrum": (257,), "mfcc_means": (20,)}),
        (44100, {"sample_frames": (100, 441), "mean_spectrum": (513,), "mfcc_means": (20,)}),
        (np.int64(16000), {"sample_frames": (100, 160), "mean_spectrum": (257,)}),
    ],
)
def test_lengths_are_durations_whatever_the_rate(rate, shapes):
    second = np.random.default_rng(0).normal(0, 0.1, (1, int(rate)))
    for name, shape in shapes.items():
        assert features.compute(name, second, rate).shape[1:] == shape


@pytest.mark.parametrize("rate, J", [(8000, 8), (16000, 9), (22050, 9), (44100, 10), (48000, 11)])
def test_scattering_averages_over_the_power_of_two_nearest_to_32_ms(rate, J):
    clip = np.random.default_rng(0).normal(0, 0.1, (1, 2**13))
    for describe in (features.scattering, features.log_scattering, features.scattering_course):
        assert np.array_equal(describe(clip, rate), describe(clip, rate, J))


@pytest.mark.parametrize("name", ["mfcc_means", "mean_spectrum", "log_mel_spectrogram"])
def test_a_word_has_nearly_the_same_features_when_it_is_stored_at_another_rate(name):
    """At 16 kHz instead of 8: other words differ more than the same word at the two rates."""
    words = np.stack([np.pad(a_word(4000), (2000, 2000)), np.pad(a_word(4000)[::2], (2000, 4000))])
    words = 0.3 * words.astype(np.float32)
    finer = np.stack([audio.resample(word, 8000, 16000) for word in words])
    settings = {"mfcc_means": {"n_mels": 20}, "log_mel_spectrogram": {"n_mels": 20}}.get(name, {})
    compute = getattr(features, name)
    at_8k, at_16k = compute(words, 8000, **settings), compute(finer, 16000, **settings)
    assert at_8k.shape == at_16k.shape or name == "mean_spectrum"
    if name == "mean_spectrum":
        assert np.abs(at_16k[:, :129].argmax(axis=1) - at_8k.argmax(axis=1)).max() <= 1
    else:
        same = np.linalg.norm(at_8k - at_16k)
        assert same < np.linalg.norm(at_8k - at_8k[::-1])


# --- samples and shapes -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_integer_samples_are_scaled_by_their_type(name, clips, empty_cache):
    steps = np.clip(clips[:2] * 8000, -32768, 32767).astype(np.int16)
    expected = features.compute(name, steps / np.float32(32768), RATE)
    assert np.array_equal(features.compute(name, steps, RATE), expected)
    with pytest.raises(ValueError, match="int64"):
        features.compute(name, steps.astype(np.int64), RATE)


@pytest.mark.parametrize(
    "waveforms, words",
    [
        (np.zeros(8192), r"\(n_clips, n_samples\).*np.newaxis"),
        (np.zeros((3, 2, 8192)), r"\(n_clips, n_samples\)"),
        (np.zeros((8192, 2)), "too short|at least one clip"),
        (np.zeros((0, 8192)), "at least one clip"),
        (np.stack([np.zeros(8192), np.full(8192, np.nan)]), "clip 1 holds NaN"),
        (np.zeros((1, 8192), complex), "complex"),
        ([["seven"]], "samples of type"),
    ],
)
@pytest.mark.parametrize("name", ALL)
def test_nonsense_is_refused(name, waveforms, words):
    with pytest.raises(ValueError, match=words):
        features.compute(name, waveforms, RATE)


@pytest.mark.parametrize(
    "name, shortest",
    [
        ("log_mel", 512),
        ("log_mel_frames", 512),
        ("log_scattering", 256),
        ("magnitude_spectrogram", 233),
        ("sample_frames", 80),
        ("samples", 1),
        ("spectrogram", 256),
    ],
)
def test_clips_that_are_too_short_are_refused(name, shortest):
    with pytest.raises(ValueError, match=f"too short, {shortest} are needed"):
        features.compute(name, np.zeros((1, shortest - 1)), RATE)


@pytest.mark.parametrize("scales", [{"J": 0}, {"J": 7.5}, {"Q": 0}, {"Q": -1}, {"J": "8"}])
def test_scales_that_are_none_are_refused(scales, clips):
    with pytest.raises(ValueError, match=f"{next(iter(scales))}=.*whole number"):
        features.scattering(clips, RATE, **scales)


@pytest.mark.parametrize("name", ["mel", "", "np", "_log_scattering", "compute", "filter_bank"])
def test_a_name_that_is_no_feature_is_refused_with_those_that_are(name, clips):
    for call in (features.compute, features.timed, features.is_cached):
        with pytest.raises(ValueError, match=r"log_mel_frames, .*scattering_course"):
            call(name, clips, RATE)


def test_the_face_is_light_and_kymatio_is_not_needed():
    code = """
import sys
sys.modules["kymatio"] = None
import digitlab.features, digitlab.features.settings
assert not {"librosa", "torch", "scipy", "joblib"} & set(sys.modules), "the face is heavy"
import numpy as np
from digitlab.models.torch import Scattering
from digitlab import features
print(features.scattering(np.zeros((1, 2048)), 8000).shape, len(features.filter_bank()))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split("\n")[0] == "(1, 337, 8) 3", run.stderr


# --- means --------------------------------------------------------------------------------------


def test_mean_spectrum_is_the_mean_of_the_frames_and_peaks_at_the_tone():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8192) / 8000)[None]
    means = features.mean_spectrum(tone, RATE)
    assert means.shape == (1, 129) and means.dtype == np.float32
    assert means[0].argmax() == 32  # 1,000 Hz in bins of 31.25 Hz
    lengths = {"frame_length": 256, "frame_step": 128, "fft_length": 256}
    frames = features.magnitude_spectrogram(tone, RATE, **lengths)
    assert np.allclose(means, frames[..., 0].mean(axis=1))


def test_mfcc_means_are_the_means_of_librosas_mfcc(clips):
    import librosa

    mel = librosa.feature.melspectrogram(y=clips[2], sr=8000, n_mels=40, n_fft=256, hop_length=128)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, ref=np.max), n_mfcc=13)
    assert np.allclose(features.mfcc_means(clips, 8000, n_mfcc=13)[2], mfcc.mean(axis=1), atol=1e-3)


@pytest.mark.parametrize("describe", [features.mean_spectrum, features.mfcc_means])
def test_no_clip_has_a_say_in_the_means_of_another(describe, clips):
    many = np.tile(clips * [[1], [0.01], [1], [1], [1]], (60, 1))  # more than one batch
    assert len(many) > settings.CLIPS_AT_ONCE
    alone = [describe(clip[None], RATE)[0] for clip in many[-5:]]
    assert np.allclose(describe(many, RATE)[-5:], alone, atol=1e-4)


# --- what the LSTMs of chapter 11 see -----------------------------------------------------------


def words_and_silence():
    """Three clips of noise that end after 5,000, 9,000 and 17,640 samples, and one of silence."""
    clips = np.random.default_rng(0).normal(0, 0.1, (4, 17640)).astype(np.float32)
    clips[0, 5000:], clips[1, 9000:], clips[3] = 0, 0, 0
    return clips


def test_log_mel_frames_are_log_mel_with_time_first_around_the_mean_of_what_sounds():
    clips = words_and_silence()
    frames = features.log_mel_frames(clips, 22050)
    levels = features.log_mel(clips, 22050).swapaxes(1, 2)
    assert frames.shape == (4, 35, 64) and frames.dtype == np.float32
    heard = frames.any(axis=2)
    for clip, level, sounds in zip(frames[:3], levels[:3], heard[:3], strict=True):
        assert np.allclose(clip[sounds].mean(), 0, atol=1e-5)
        assert np.allclose(20 * np.ptp(clip[sounds]), np.ptp(level[sounds]), atol=1e-3)
    assert list(heard.sum(axis=1)) == [12, 20, 35, 0]  # a frame is of 2,048 samples


def test_how_loud_a_clip_is_does_not_change_its_log_mel_frames():
    clips = words_and_silence()
    assert np.allclose(
        features.log_mel_frames(clips, 22050),
        features.log_mel_frames(clips / 1000, 22050),
        atol=1e-4,
    )


def test_samples_and_their_frames_are_the_samples(clips):
    assert np.array_equal(features.samples(clips, RATE)[..., 0], clips)
    frames = features.sample_frames(clips, RATE)
    assert np.array_equal(frames.reshape(5, -1), clips[:, :8160])
    assert np.array_equal(frames[2, 7], clips[2, 560:640])


def test_statistics_are_those_of_the_frames_that_sound(clips):
    words = np.pad(clips[:, :4096], ((0, 0), (2048, 2048)))
    longer = np.pad(words, ((0, 0), (0, 8000)))
    x, same = (features.log_mel_statistics(c, RATE) for c in (words, longer))
    assert np.allclose(x, same, atol=1e-3)  # silence around the word does not count
    swelling = clips * np.sin(np.arange(8192) / 500)
    mean, spread, speed = np.split(features.log_mel_statistics(swelling, RATE).mean(axis=0), 3)
    _, steady_spread, steady_speed = np.split(features.log_mel_statistics(clips, RATE)[0], 3)
    assert spread.mean() > 1.2 * steady_spread.mean() and abs(mean.mean()) < 1
    assert speed.mean() > steady_speed.mean()


def test_log_mel_moments_are_those_of_all_frames(clips):
    levels = features.log_mel_spectrogram(clips, RATE, n_mels=40)[:, 0]
    mean, spread, change = np.split(features.log_mel_moments(clips, RATE), 3, axis=1)
    assert np.allclose(mean, levels.mean(axis=2)) and np.allclose(spread, levels.std(axis=2))
    assert np.allclose(change[3, 7], np.mean(np.abs(levels[3, 7, 1:] - levels[3, 7, :-1])))


def test_a_microphone_changes_levels_unless_each_band_is_normalised(clips):
    thin = np.diff(clips, prepend=0, axis=1)
    moved = {
        name: np.abs(getattr(features, name)(clips, RATE) - getattr(features, name)(thin, RATE))
        for name in ("normalised_log_mel", "loudness_normalised_log_mel")
    }
    middle = slice(2, -2)  # frames at the ends hold zeros as well
    assert moved["normalised_log_mel"][:, middle].mean() < 0.05
    assert moved["loudness_normalised_log_mel"][:, middle].mean() > 0.2
