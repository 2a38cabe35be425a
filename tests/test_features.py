"""Features are what was published; scattering is kept on disk; nonsense is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitlab import features


@pytest.fixture
def clips():
    return np.random.default_rng(0).standard_normal((5, 8192)).astype(np.float32)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIGITLAB_CACHE", str(tmp_path))
    return tmp_path


def test_it_is_the_published_definition(clips, empty_cache):
    from kymatio import Scattering1D

    coefficients = Scattering1D(J=8, shape=8192, Q=12, frontend="numpy")(clips.astype(float))
    published = np.log(np.abs(coefficients[:, 1:, :]) + 1e-6).mean(axis=-1)
    ours = features.log_scattering(clips)
    assert ours.shape == (5, 336)
    assert ours.dtype == np.float32
    assert np.abs(ours - published).max() < 1e-3


def test_numpy_and_pytorch_agree(clips):
    numpy = features._log_scattering(clips, 8, 12, "numpy")
    assert np.abs(numpy - features._log_scattering(clips, 8, 12, "cpu")).max() < 1e-3


def test_the_size_of_the_batches_does_not_matter(clips, monkeypatch):
    whole = features._log_scattering(clips, 6, 4, "cpu")
    monkeypatch.setattr(features, "BATCH", 2)
    assert np.allclose(whole, features._log_scattering(clips, 6, 4, "cpu"), atol=1e-4)


@pytest.mark.parametrize("feature", ["log_scattering", "scattering_course"])
def test_the_second_time_nothing_is_computed(feature, clips, empty_cache, monkeypatch):
    describe = getattr(features, feature)
    assert not features.is_cached(clips, feature=feature)
    first = describe(clips)
    assert features.is_cached(clips, feature=feature)
    monkeypatch.setattr(features, "_scattered", None)
    assert np.array_equal(describe(clips), first)


@pytest.mark.parametrize("change", [lambda x: x * 0.999, lambda x: x[::-1], lambda x: x[:4]])
def test_other_clips_are_other_features(clips, empty_cache, change):
    features.log_scattering(clips)
    assert not features.is_cached(change(clips))
    assert not features.is_cached(clips, Q=8)
    assert not features.is_cached(clips, feature="scattering_course")


def test_silence_has_the_smallest_features_there_are():
    assert np.allclose(features.log_scattering(np.zeros((1, 8192))), np.log(1e-6), atol=1e-3)


def test_a_shift_by_a_few_milliseconds_changes_little(clips):
    word = np.pad(clips[:1, :3000], ((0, 0), (2000, 3192)))
    shifted = np.roll(word, 80, axis=1)
    change = np.abs(features.log_scattering(shifted) - features.log_scattering(word)).mean()
    assert (
        change
        < 0.05
        < np.abs(features.log_scattering(clips[1:2]) - features.log_scattering(word)).mean()
    )


@pytest.mark.parametrize(
    "waveforms, words",
    [
        (np.zeros(8192), "n_clips, n_samples"),
        (np.zeros((2, 100)), "too short, 256 are needed"),
        (np.full((2, 8192), np.nan), "clip 0 holds NaN"),
    ],
)
def test_nonsense_is_refused(waveforms, words):
    with pytest.raises(ValueError, match=words):
        features.log_scattering(waveforms)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_memory_stays_bounded():
    """400 clips in one go would take over 4 GB; in batches they take no more than 64.

    The kernel is asked for the peak of this program alone: getrusage begins with its parent's.
    """
    code = r"""
import re, numpy as np
from digitlab import features
peaks = []
for n in (64, 400):
    features._log_scattering(np.zeros((n, 8192), np.float32), 8, 12, "cpu")
    status = open("/proc/self/status").read()
    peaks.append(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)
print(*peaks)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    few, many = map(float, run.stdout.split())
    assert many < 1500
    assert many - few < 100


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
    ours = features.scattering_course(clips).reshape(5, 5, 336)
    assert ours.dtype == np.float32
    for coefficients, stages in zip(features.scattering(clips)[:, 1:], ours, strict=True):
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
    course = features.scattering_course(placed(word, 2048))
    away = np.abs(features.scattering_course(placed(other, 2048)) - course).mean()
    moved = np.abs(features.scattering_course(placed(word, 2048 + 4 * 256)) - course).mean()
    longer = np.abs(features.scattering_course(placed(a_word(6000), 1024)) - course).mean()
    assert moved < 0.01 * away
    assert longer < 0.5 * away


def test_silence_and_a_click_have_a_course():
    assert np.abs(features.scattering_course(np.zeros((1, 8192)))).max() < 1e-9
    assert np.isfinite(features.scattering_course(np.eye(1, 8192))).all()


def test_no_clip_has_a_say_in_the_course_of_another(clips, monkeypatch):
    together = features.scattering_course(clips)
    assert np.allclose(together[3:4], features.scattering_course(clips[3:4]), atol=1e-4)
    monkeypatch.setattr(features, "BATCH", 2)
    assert np.allclose(together, features._scattering_course(clips, 8, 12, "cpu"), atol=1e-4)


def test_paths_and_filters_describe_the_coefficients():
    paths = features.scattering_paths()
    frequencies, wavelets, average = features.filter_bank()
    assert len(paths) == features.scattering(np.zeros((1, 8192))).shape[1]
    first = paths["first"][paths["order"] == 1]
    peaks = frequencies[wavelets.argmax(axis=1)]
    assert np.abs(peaks - first).max() < 2e-4
    assert (np.diff(first) < 0).all()
    assert average.argmax() == 0


def test_a_tone_lights_the_wavelet_of_its_frequency():
    paths = features.scattering_paths()
    order_1 = paths["order"] == 1
    tone = np.sin(2 * np.pi * 0.1 * np.arange(8192))[None]
    loudest = features.scattering(tone)[0][order_1].mean(axis=1).argmax()
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
        clips, frame_length=frame_length, frame_step=frame_step, fft_length=fft_length
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


@pytest.mark.parametrize(
    "feature",
    [
        features.magnitude_spectrogram,
        features.spectrogram,
        features.log_mel_spectrogram,
        features.log_mel,
    ],
)
def test_spectrograms_refuse_what_is_too_short_or_broken(feature):
    with pytest.raises(ValueError, match="too short"):
        feature(np.zeros((1, 100)))
    with pytest.raises(ValueError, match=r"\(n_clips, n_samples\)"):
        feature(np.zeros(16000))
    with pytest.raises(ValueError, match="clip 1 holds NaN"):
        feature(np.stack([np.zeros(16000), np.full(16000, np.nan)]))
    assert np.isfinite(feature(np.zeros((1, 30000)))).all()


def test_mean_spectrum_is_the_mean_of_the_frames_and_peaks_at_the_tone():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8192) / 8000)[None]
    means = features.mean_spectrum(tone)
    assert means.shape == (1, 129) and means.dtype == np.float32
    assert means[0].argmax() == 32  # 1,000 Hz in bins of 31.25 Hz
    frames = features.magnitude_spectrogram(tone, frame_length=256, frame_step=128, fft_length=256)
    assert np.allclose(means, frames[..., 0].mean(axis=1))


def test_mfcc_means_are_the_means_of_librosas_mfcc(clips):
    import librosa

    mel = librosa.feature.melspectrogram(y=clips[2], sr=8000, n_mels=40, n_fft=256, hop_length=128)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, ref=np.max), n_mfcc=13)
    assert np.allclose(features.mfcc_means(clips, 8000, n_mfcc=13)[2], mfcc.mean(axis=1), atol=1e-3)


@pytest.mark.parametrize("describe", [features.mean_spectrum, features.mfcc_means])
def test_no_clip_has_a_say_in_the_means_of_another(describe, clips):
    many = np.tile(clips * [[1], [0.01], [1], [1], [1]], (60, 1))  # more than one batch
    assert len(many) > 16 * features.BATCH
    alone = [describe(clip[None])[0] for clip in many[-5:]]
    assert np.allclose(describe(many)[-5:], alone, atol=1e-4)
    with pytest.raises(ValueError, match="clip 1 holds NaN"):
        describe(clips * [[1], [np.nan], [1], [1], [1]])


# --- what the LSTMs of chapter 11 see -----------------------------------------------------------


def words_and_silence():
    """Three clips of noise that end after 5,000, 9,000 and 17,640 samples, and one of silence."""
    clips = np.random.default_rng(0).normal(0, 0.1, (4, 17640)).astype(np.float32)
    clips[0, 5000:], clips[1, 9000:], clips[3] = 0, 0, 0
    return clips


def test_log_mel_frames_are_log_mel_with_time_first_around_the_mean_of_what_sounds():
    clips = words_and_silence()
    frames, levels = features.log_mel_frames(clips), features.log_mel(clips).swapaxes(1, 2)
    assert frames.shape == (4, 35, 64) and frames.dtype == np.float32
    heard = frames.any(axis=2)
    for clip, level, sounds in zip(frames[:3], levels[:3], heard[:3], strict=True):
        assert np.allclose(clip[sounds].mean(), 0, atol=1e-5)
        assert np.allclose(20 * np.ptp(clip[sounds]), np.ptp(level[sounds]), atol=1e-3)
    assert list(heard.sum(axis=1)) == [12, 20, 35, 0]  # a frame is of 2,048 samples


def test_how_loud_a_clip_is_does_not_change_its_log_mel_frames():
    clips = words_and_silence()
    assert np.allclose(
        features.log_mel_frames(clips), features.log_mel_frames(clips / 1000), atol=1e-4
    )


def test_samples_and_their_frames_are_the_samples(clips):
    assert np.array_equal(features.samples(clips)[..., 0], clips)
    frames = features.sample_frames(clips)
    assert np.array_equal(frames.reshape(5, -1), clips[:, :8160])
    assert np.array_equal(frames[2, 7], clips[2, 560:640])


@pytest.mark.parametrize(
    "feature, shortest", [("log_mel_frames", 512), ("samples", 1), ("sample_frames", 80)]
)
def test_the_lstms_features_refuse_what_is_too_short_or_broken(feature, shortest):
    compute = getattr(features, feature)
    with pytest.raises(ValueError, match=f"{shortest} are needed"):
        compute(np.zeros((2, shortest - 1)))
    with pytest.raises(ValueError, match=r"\(n_clips, n_samples\)"):
        compute(np.zeros(4000))
    broken = np.zeros((3, 4000))
    broken[1, 7] = np.nan
    with pytest.raises(ValueError, match="clip 1 holds NaN"):
        compute(broken)
