"""Listening on a stream: what is kept, when a word is there, what is reported, what is counted."""

import pickle
import sys
import zlib

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from test_microphone import RATE, card

from digitlab import audio, cli, pretrained, results, streaming, voices
from digitlab.preparation import Preparation
from digitlab.recognisers import Recogniser
from digitlab.streaming import Detection, Listener, RingBuffer, Settings, Word

FOUR, NINE = (voices.say(digit, speaker=4) for digit in (4, 9))


class Known(Recogniser):
    """A recogniser without a network: every sound is a four, the more probable the longer it is."""

    classes = (*map(str, range(10)), "other")
    preparation = Preparation(rate=8000, n_samples=8192)

    def __init__(self):
        pass

    def probabilities(self, waveforms):
        seconds = (waveforms != 0).sum(axis=1) / 8000
        p = np.zeros((len(waveforms), len(self.classes)))
        p[:, 4] = 0.6 + 0.3 * seconds
        return p


@pytest.fixture(scope="module")
def packaged():
    pytest.importorskip("torch")
    return pretrained.load()


@pytest.fixture(scope="module")
def stream():
    """Five words in white noise."""
    words = streaming.voice_words(5, range(6), seed=3)
    return streaming.synthetic_stream(words, 7, snr_db=20, seed=3)


def heard(listener, samples, n_block):
    blocks = [samples[start : start + n_block] for start in range(0, len(samples), n_block)]
    return [found for block in blocks for found in listener.feed(block)] + listener.finish()


def quiet(seconds, rate=8000, level=1e-4):
    return np.random.default_rng(0).normal(0, level, round(seconds * rate)).astype(np.float32)


def test_a_ring_buffer_that_wraps_keeps_the_last_samples():
    ring, stream = RingBuffer(7), np.arange(100, dtype=np.float32)
    place = 0
    for n in (3, 0, 5, 1, 20, 7, 4, 60):
        ring.append(stream[place : place + n])
        place += n
        kept = ring.read(max(place - 7, 0), place)
        assert kept.tolist() == stream[max(place - 7, 0) : place].tolist()
    kept[:] = -1
    assert ring.read(93, 100).tolist() == stream[93:].tolist(), "what is read is a copy"


@pytest.mark.parametrize("span", [(92, 100), (95, 101), (98, 97)])
def test_a_ring_buffer_does_not_return_what_it_does_not_have(span):
    ring = RingBuffer(7)
    ring.append(np.arange(100))
    with pytest.raises(ValueError, match="93 to 100 are kept"):
        ring.read(*span)


@pytest.mark.parametrize("rate", [8000, 16000, 11025, 44100])
def test_blocks_of_any_size_give_the_same_detections(stream, rate):
    samples = audio.resample(stream.samples, 8000, rate)
    at_once = heard(Listener(Known(), rate), samples, len(samples))
    assert len(at_once) == 5
    for n_block in (37, 160, 1024, 3 * rate + 1):
        assert heard(Listener(Known(), rate), samples, n_block) == at_once


def test_blocks_of_any_size_give_the_same_early_detections(stream):
    found = [
        heard(Listener(Known(), 8000, Settings(early=True)), stream.samples, n_block)
        for n_block in (100, 8000, 10**6)
    ]
    assert found[0] == found[1] == found[2] and len(found[0]) == 5


@pytest.mark.parametrize("early", [False, True])
def test_each_word_is_reported_once(packaged, early):
    digits = [(str(digit), voices.say(digit, speaker=4)) for digit in (4, 9, 9, 1, 5)]
    stream = streaming.synthetic_stream(digits, 12, snr_db=30)
    found = heard(Listener(packaged, 8000, Settings(early=early)), stream.samples, 400)
    score = streaming.score(found, stream.words, stream.seconds)
    assert len(found) == 5 and score.n_right >= 4 and score.n_false_alarms == 0
    if not early:
        assert [one.label for one in found] == ["4", "9", "9", "1", "5"]
        ends = [word.end for word in stream.words]
        assert [one.end for one in found] == pytest.approx(ends, abs=0.1)
        assert all(0.1 < one.latency < 0.3 for one in found)


def test_a_word_that_is_broken_in_two_is_reported_once():
    tone = np.sin(np.arange(1600) / 3).astype(np.float32) / 2
    said = np.concatenate([quiet(1), tone, quiet(0.25), tone, quiet(1)])
    assert len(heard(Listener(Known(), 8000), said, 800)) == 1
    assert len(heard(Listener(Known(), 8000, Settings(refractory_s=0)), said, 800)) == 2


def test_a_word_that_goes_on_at_the_end_of_the_stream_is_reported():
    listener = Listener(Known(), 16000)
    said = np.concatenate([quiet(1, 16000), audio.resample(FOUR, 8000, 16000)])
    assert listener.feed(said) == [] and len(listener.finish()) == 1


@pytest.mark.parametrize("level", [0, 1e-5, 0.1])
def test_silence_and_steady_noise_give_no_detection(level):
    assert heard(Listener(Known(), 8000), quiet(60, level=level), 8000) == []


@pytest.mark.parametrize("kind", ["white", "pink", "hum"])
def test_steady_noises_give_no_detection(kind):
    noise = 0.05 * audio.peak_normalize(streaming.background(kind, 240000, 8000, seed=1))
    assert heard(Listener(Known(), 8000), noise, 8000) == []


def test_a_click_is_no_word():
    samples = quiet(4)
    samples[16000:16040] = 0.9
    assert heard(Listener(Known(), 8000), samples, 800) == []


def test_a_noise_that_begins_is_soon_the_new_floor():
    samples = np.concatenate([quiet(2), quiet(20, level=0.1)])
    found = heard(Listener(Known(), 8000), samples, 800)
    assert found == []
    words = np.concatenate(
        [samples, audio.fit(5 * audio.peak_normalize(NINE), 16000) + quiet(2, level=0.1)]
    )
    assert heard(Listener(Known(), 8000), words, 800)[-1].start > 21


def test_an_hour_of_silence_takes_no_memory():
    listener = Listener(Known(), 8000)
    block, sizes = quiet(60), []
    for _ in range(60):
        assert listener.feed(block) == []
        sizes.append(len(pickle.dumps({**vars(listener), "recogniser": None})))
    assert listener.seconds == 3600 and max(sizes) < 1.01 * sizes[0] < 200_000


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_broken_block_is_refused_and_the_stream_goes_on(broken):
    listener = Listener(Known(), 8000)
    listener.feed(quiet(1))
    bad = quiet(0.1)
    bad[5] = broken
    with pytest.raises(ValueError, match=r"the block at 1\.00 s holds NaN or infinite"):
        listener.feed(bad)
    assert listener.seconds == 1
    assert len(heard(listener, np.concatenate([FOUR, quiet(1)]), 800)) == 1


def test_blocks_of_another_shape_or_type_are_refused():
    listener = Listener(Known(), 8000)
    with pytest.raises(ValueError, match=r"shape \(80, 2\): give one channel"):
        listener.feed(np.zeros((80, 2)))
    with pytest.raises(ValueError, match="no known full scale"):
        listener.feed(np.zeros(80, np.int64))
    assert listener.feed(np.zeros(0)) == []


@pytest.mark.parametrize("rate", [0, -8000, np.nan, 20_000_000, "8000", None])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(ValueError, match="a rate cannot be"):
        Listener(Known(), rate)


def test_whole_numbers_are_heard_as_floats_are():
    said = np.concatenate([quiet(1), FOUR, quiet(1)])
    steps = np.rint(said * 32768).clip(-32768, 32767).astype(np.int16)
    assert heard(Listener(Known(), 8000), steps, 800) == heard(
        Listener(Known(), 8000), steps / 32768, 800
    )


def test_without_hysteresis_and_hangover_the_decision_chatters():
    levels = -40 + 8 * np.abs(np.sin(np.arange(100) / 3))
    levels[:20] = -50

    def switches(*settings):
        detector = streaming.VoiceActivityDetector(*settings)
        return np.abs(np.diff([detector.step(level) for level in levels])).sum()

    assert switches(14, 14, 0) > 4 * switches(14, 6, 0.2)


def test_levels_do_not_depend_on_an_offset():
    tone = 0.1 * np.sin(np.arange(8000))
    assert streaming.levels(tone + 0.5, 8000)[10:] == pytest.approx(
        streaming.levels(tone, 8000)[10:], abs=0.1
    )
    with pytest.raises(ValueError, match="give one channel"):
        streaming.levels(np.zeros((80, 2)), 8000)


def test_the_truth_of_a_synthetic_stream_is_true():
    tone = np.sin(np.arange(2000) / 2).astype(np.float32)
    sounds = [np.concatenate([np.zeros(n), tone, np.zeros(n)]) for n in (0, 500, 1500)]
    stream = streaming.synthetic_stream(
        [(str(label), sound) for label, sound in enumerate(sounds)], 6, snr_db=40, seed=5
    )
    assert [word.label for word in stream.words] == ["0", "1", "2"]
    for word in stream.words:
        inside = stream.samples[round(word.start * 8000) : round(word.end * 8000)]
        assert word.end - word.start == pytest.approx(0.25, abs=0.08)
        assert audio.rms(inside) == pytest.approx(np.sqrt(0.5), rel=0.15)
    outside = stream.samples.copy()
    for word in stream.words:
        outside[round((word.start - 0.1) * 8000) : round((word.end + 0.1) * 8000)] = 0
    assert np.abs(outside).max() < 0.1


@pytest.mark.parametrize("snr_db", [0, 20])
@pytest.mark.parametrize("noise", streaming.NOISES)
def test_words_lie_as_far_above_the_noise_as_was_asked_for(noise, snr_db):
    words = [("7", voices.say(7))]
    with_word = streaming.synthetic_stream(words, 5, noise=noise, snr_db=snr_db, seed=2)
    [word] = with_word.words
    without = streaming.synthetic_stream([], 5, noise=noise, seed=2)
    added = with_word.samples.astype(float) - without.samples
    inside = added[round(word.start * 8000) : round(word.end * 8000)]
    snr = 20 * np.log10(audio.rms(inside) / audio.rms(without.samples))
    assert snr == pytest.approx(snr_db, abs=0.1)


def test_streams_are_the_same_for_the_same_seed_and_refuse_too_many_words():
    words = streaming.voice_words(3, [0], seed=1)
    one, same, other = (streaming.synthetic_stream(words, 5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, same.samples) and one.words == same.words
    assert one.words != other.words
    with pytest.raises(ValueError, match="3 words do not fit into 2 s"):
        streaming.synthetic_stream(words, 2)
    with pytest.raises(ValueError, match="no noise 'brown'"):
        streaming.synthetic_stream(words, 5, noise="brown")


def test_a_recorded_noise_is_repeated():
    noise = np.arange(8000.0) - 4000
    stream = streaming.synthetic_stream([], 2.5, noise=noise).samples
    assert np.array_equal(stream[:8000], stream[8000:16000]) and len(stream) == 20000


def test_words_of_the_voices_are_what_they_are_said_to_be():
    words = streaming.voice_words(40, [0, 1], share_of_digits=0.5, others=["bed"], seed=2)
    labels = [label for label, _ in words]
    assert 10 < labels.count("other") < 30
    assert set(labels) <= {*map(str, range(10)), "other"}
    [(_, backwards)] = streaming.voice_words(1, [0], share_of_digits=0, others=["bed"], seed=5)
    assert len(backwards) > 1000


def found(label, start, end, probability=0.9):
    return Detection(label, probability, start, end, 0.2)


SAID = (Word("1", 1, 1.5), Word("other", 2, 2.5), Word("2", 3, 3.5), Word("3", 5, 5.5))


@pytest.mark.parametrize(
    ("detections", "counts"),
    [
        ([], (0, 0, 3, 0)),
        ([found("1", 1, 1.5), found("2", 3, 3.4), found("3", 5.1, 5.6)], (3, 0, 0, 0)),
        ([found("1", 1, 1.5), found("1", 2.9, 3.5)], (1, 1, 1, 0)),
        ([found("7", 2, 2.5)], (0, 0, 3, 1)),  # another word was taken for a digit
        ([found("1", 1, 1.2), found("1", 1.3, 1.5)], (1, 0, 2, 1)),  # reported twice
        ([found("4", 1, 1.2), found("1", 1.3, 1.5)], (1, 0, 2, 1)),  # the right one counts
        ([found("1", 1.59, 1.8)], (1, 0, 2, 0)),  # within the tolerance
        ([found("1", 1.61, 1.8)], (0, 0, 3, 1)),
        ([found("2", 3, 5.2)], (1, 0, 2, 0)),  # one detection for two words
    ],
)
def test_detections_are_counted_as_by_hand(detections, counts):
    score = streaming.score(detections, SAID, 7200)
    assert (score.n_right, score.n_substituted, score.n_missed, score.n_false_alarms) == counts
    assert score.n_digits == 3 and score.miss_rate == pytest.approx(1 - counts[0] / 3)
    assert score.false_alarms_an_hour == counts[3] / 2
    assert len(score.latencies) == counts[0]


def test_latency_is_counted_from_the_true_end():
    score = streaming.score([found("1", 1, 1.4), found("2", 3, 3.6)], SAID, 10)
    assert score.latencies == pytest.approx([0.1, 0.3])
    assert score.latency() == pytest.approx(0.2)
    both = score + streaming.score([], SAID, 30)
    assert (both.seconds, both.n_digits, both.n_missed, len(both.latencies)) == (40, 6, 4, 2)
    with pytest.raises(ValueError, match="give a time above 0"):
        streaming.score([], SAID, 0)


def test_a_threshold_afterwards_does_what_a_listener_of_that_threshold_does(stream):
    class Varied(Known):
        def probabilities(self, waveforms):
            shares = 100 * np.abs(waveforms).mean(axis=1, keepdims=True) % 1
            return shares * super().probabilities(waveforms)

    for early in (False, True):
        everything = Settings(threshold=0, refractory_s=-np.inf, early=early)
        candidates = heard(Listener(Varied(), 8000, everything), stream.samples, 800)
        n_kept = []
        for threshold in (0.2, 0.5, 0.8):
            settings = Settings(threshold=threshold, early=early)
            alone = heard(Listener(Varied(), 8000, settings), stream.samples, 800)
            assert streaming.select(candidates, threshold) == alone
            n_kept.append(len(alone))
        assert n_kept[0] > n_kept[2]


@pytest.fixture
def long_file(tmp_path):
    stream = streaming.synthetic_stream([("4", FOUR), ("9", NINE)], 5, snr_db=30)
    both = np.stack([stream.samples, 0.5 * stream.samples], axis=1)
    audio.write_wav(tmp_path / "long.wav", both, 8000)
    return tmp_path / "long.wav"


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_a_long_file_is_read_in_blocks(long_file):
    blocks, rate = streaming.read_blocks(long_file, 0.3)
    blocks = list(blocks)
    assert rate == 8000 and {len(block) for block in blocks[:-1]} == {2400}
    whole = audio.read_wav(long_file, mono=True)[0]
    assert np.array_equal(np.concatenate(blocks), whole)


def test_the_digits_in_a_file_are_printed(packaged, long_file):
    said = run("detect", long_file)
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert [line.split(" s  ")[1][0] for line in lines[:2]] == ["4", "9"]
    assert lines[2] == "2 digits in 5.0 s"
    assert "0 digits in" in run("detect", "--threshold", "1", long_file).output


def test_what_is_no_sound_file_is_refused(packaged, tmp_path):
    (tmp_path / "text.wav").write_text("no sound at all, but text")
    said = run("detect", tmp_path / "text.wav")
    assert said.exit_code == 1 and "text.wav" in said.output
    assert run("detect", tmp_path / "nothing.wav").exit_code == 1


def test_a_file_with_nan_is_named(packaged, tmp_path):
    samples = np.zeros(8000, np.float32)
    samples[5000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 8000, subtype="FLOAT")
    said = run("detect", tmp_path / "nan.wav")
    assert said.exit_code == 1
    assert "nan.wav: some of its samples are NaN or infinite" in said.output
    assert "Export it again" in said.output


def until_interrupted(sound, n_lost=0):
    """Return a sound card that loses sound a few times, and a reader who presses Ctrl-C."""
    module = card(sound)
    read = module.InputStream.read

    def interrupted(self, n):
        if self.place >= len(sound):
            raise KeyboardInterrupt
        is_lost = self.place < n_lost * n
        return read(self, n)[0], is_lost

    module.InputStream.read = interrupted
    return module


def test_the_microphone_is_listened_to_until_it_is_interrupted(packaged, monkeypatch):
    stream = streaming.synthetic_stream([("4", FOUR), ("9", NINE)], 5, snr_db=30)
    sound = audio.resample(stream.samples, 8000, RATE)
    monkeypatch.setitem(sys.modules, "sounddevice", until_interrupted(sound, n_lost=3))
    said = run("listen", "--continuous")
    assert said.exit_code == 0, said.output
    assert "  4  probability" in said.output and "  9  probability" in said.output
    assert "2 digits in 5.0 s; sound was lost 3 times" in said.output


@pytest.mark.parametrize("wrong", [["--continuous", "--seconds", "2"], ["--threshold", "0.5"]])
def test_options_that_do_not_fit_together_are_refused(wrong):
    assert run("listen", *wrong).exit_code == 2


def test_the_rows_of_the_book_are_of_these_settings_and_add_up():
    rows = results.measured("streaming")
    decided = zlib.crc32(repr(Settings()).encode() + pretrained.DIGEST.read_bytes())
    assert set(rows["decided_by"]) == {f"{decided:08x}"}, "run benchmarks/streaming.py"
    assert (rows["misses"] + rows["substitutions"] <= rows["n_digits"]).all()
    alarms = 3600 * rows["false_alarms"] / rows["seconds"]
    assert rows["false_alarms_an_hour"].to_numpy() == pytest.approx(alarms, abs=0.01)
    once = rows[(rows["threshold"] == 0.5) & (rows["asked"] == "at the end")]
    minutes = once.groupby("stream")["seconds"].sum() / 60
    assert minutes["digits"] >= 20 and minutes.drop("digits").sum() >= 60
