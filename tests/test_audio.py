"""What a user relies on when a sound is read, written, resampled, levelled, fitted, played."""

import base64
import io
import os
import subprocess
import sys
import tempfile
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from test_riff import BAD, LIST, NEVER_FILLED_IN, STREAM, chunk, ds64, extensible, fmt, wav

from digitlab import audio

INTEGERS = [np.int8, np.int16, np.int32]
SAMPLES = np.array([0, 1, -1, 100, -12345, 32767, -32768], dtype=np.float32) / 32768


@pytest.fixture
def path(tmp_path):
    return tmp_path / "7_theo_3.wav"


def tone(frequency, rate, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def pcm(bits):
    return (SAMPLES.astype(np.float64) * 2 ** (bits - 1)).astype("<i4")


def pcm24():
    return pcm(24).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def as_float(kind):
    return SAMPLES.astype(kind).tobytes()


FORMATS = {
    "16 bits": wav(fmt(), chunk(b"data", pcm(16).astype("<i2").tobytes())),
    "24 bits": wav(fmt(bits=24), chunk(b"data", pcm24())),
    "32 bits": wav(fmt(bits=32), chunk(b"data", pcm(32).tobytes())),
    "float of 32 bits": wav(fmt(3, bits=32), chunk(b"data", as_float("<f4"))),
    "float of 64 bits": wav(fmt(3, bits=64), chunk(b"data", as_float("<f8"))),
    "extensible, 16 bits": wav(extensible(1, 16), chunk(b"data", pcm(16).astype("<i2").tobytes())),
    "extensible, 20 of 24 bits": wav(extensible(1, 24, valid_bits=20), chunk(b"data", pcm24())),
    "extensible, float": wav(extensible(3, 32), chunk(b"data", as_float("<f4"))),
    "RF64": wav(
        ds64(28), fmt(3, bits=32), STREAM[:8] + as_float("<f4"), name=b"RF64", size=0xFFFFFFFF
    ),
    "chunks before and after": wav(
        chunk(b"JUNK", b"odd"),
        chunk(b"bext", bytes(5000)),
        fmt(),
        chunk(b"data", pcm(16).astype("<i2").tobytes()),
        chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0"),
        chunk(b"who?", b"?"),
    ),
    "24 bits, no padding": wav(fmt(bits=24), chunk(b"data", pcm24()))[:-1],
    "wrong RIFF size": wav(fmt(), chunk(b"data", pcm(16).astype("<i2").tobytes()), size=0),
    "odd chunks without padding": wav(
        chunk(b"JUNK", b"odd")[:-1],
        fmt(bits=24),
        chunk(b"who?", b"?")[:-1],
        chunk(b"data", pcm24())[:-1],
        LIST,
    ),
    "leftovers": wav(fmt(), chunk(b"data", pcm(16).astype("<i2").tobytes())) + b"\0" * 99,
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_formats_read_to_the_same_samples(path, content):
    path.write_bytes(content)
    samples, rate = audio.read_wav(path)
    assert (samples.dtype, samples.shape, rate) == (np.float32, (7,), 8000)
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.parametrize("size", NEVER_FILLED_IN)
@pytest.mark.parametrize("bits", [16, 24])
def test_a_file_whose_size_was_never_filled_in_is_read_to_its_end(path, size, bits):
    content = pcm24() if bits == 24 else pcm(16).astype("<i2").tobytes()
    path.write_bytes(wav(fmt(bits=bits), chunk(b"data", content, size=size))[: 44 + len(content)])
    with pytest.warns(
        UserWarning, match=r"7_theo_3\.wav: .*never filled in.*end of the file"
    ) as one:
        samples, rate = audio.read_wav(path)
    assert (one[0].filename, len(one), rate) == (__file__, 1, 8000)
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("bits", [16, 24])
def test_a_file_name_in_latin_1_is_read(tmp_path, bits):
    path = tmp_path / os.fsdecode(b"sept\xe9.wav")
    soundfile.write(os.fsencode(path), SAMPLES, 8000, f"PCM_{bits}", format="WAV")
    np.testing.assert_array_equal(audio.read_wav(path)[0], SAMPLES)
    path.write_bytes(b"")
    with pytest.raises(audio.WavError, match="the file is empty"):
        audio.read_wav(path)


def test_a_wav_file_of_another_extension_is_read(path):
    path.write_bytes(FORMATS["24 bits"])
    path = path.rename(path.with_suffix(".raw"))
    np.testing.assert_array_equal(audio.read_wav(path)[0], SAMPLES)


def test_eight_bits_are_unsigned(path):
    path.write_bytes(wav(fmt(bits=8), chunk(b"data", bytes([0, 127, 128, 129, 255]))))
    np.testing.assert_array_equal(audio.read_wav(path)[0] * 128, [-128, -1, 0, 1, 127])


@pytest.mark.parametrize(
    ("code", "expected"),
    # ITU-T G.711: the codes for the largest and the smallest value of either sign
    [(7, {0x80: 32124, 0x00: -32124, 0xFF: 0}), (6, {0xAA: 32256, 0x2A: -32256, 0xD5: 8})],
    ids=["mu-law", "A-law"],
)
def test_companded_codes(path, code, expected):
    path.write_bytes(wav(fmt(code, bits=8), chunk(b"data", bytes(expected))))
    np.testing.assert_array_equal(audio.read_wav(path)[0] * 32768, list(expected.values()))


def test_compressed_file_that_libsndfile_decodes_is_read(path):
    soundfile.write(path, 0.5 * tone(440, 8000), 8000, "IMA_ADPCM")
    samples, rate = audio.read_wav(path)
    assert rate == 8000
    np.testing.assert_allclose(samples[100:4000], 0.5 * tone(440, 8000)[100:], atol=0.05)


def test_channels_are_mixed_only_when_asked(path):
    stereo = np.stack([SAMPLES, np.zeros_like(SAMPLES)], axis=1)
    audio.write_wav(path, stereo, 16000)
    np.testing.assert_array_equal(audio.read_wav(path)[0], stereo)
    mono, rate = audio.read_wav(path, mono=True)
    assert (mono.dtype, rate) == (np.float32, 16000)
    np.testing.assert_array_equal(mono, SAMPLES / 2)


def test_mono_of_one_channel_changes_nothing(path):
    audio.write_wav(path, SAMPLES, 8000)
    np.testing.assert_array_equal(audio.read_wav(path, mono=True)[0], SAMPLES)


def test_silence_stays_zeros(path):
    audio.write_wav(path, np.zeros(9), 8000)
    samples, _ = audio.read_wav(path)
    assert not audio.peak_normalize(samples).any()


@pytest.mark.filterwarnings("error")
def test_full_scale_is_no_reason_to_warn(path):
    soundfile.write(path, np.array([1.0, -1.0]), 8000, "FLOAT")
    np.testing.assert_array_equal(audio.read_wav(path)[0], [1, -1])


def test_float_file_beyond_full_scale_is_kept_and_reported(path):
    soundfile.write(path, np.array([0.5, -2.5]), 8000, "FLOAT")
    with pytest.warns(UserWarning, match=r"7_theo_3\.wav.* 2\.5 times full scale") as caught:
        samples, _ = audio.read_wav(path)
    np.testing.assert_array_equal(samples, [0.5, -2.5])
    assert caught[0].filename == __file__


def test_extensible_float_files_are_watched_too(path):
    path.write_bytes(wav(extensible(3, 32), chunk(b"data", np.array([2], "<f4").tobytes())))
    with pytest.warns(UserWarning, match="2 times full scale"):
        audio.read_wav(path)
    path.write_bytes(wav(extensible(3, 32), chunk(b"data", np.array([0, np.nan], "<f4").tobytes())))
    with pytest.raises(audio.WavError, match="byte 72"):
        audio.read_wav(path)


@pytest.mark.parametrize("content", [case[0] for case in BAD.values()], ids=BAD)
def test_bad_files_raise_the_one_error(path, content):
    path.write_bytes(content)
    with pytest.raises(audio.WavError, match=r"7_theo_3\.wav"):
        audio.read_wav(path)


BAD_SAMPLES = {
    "NaN": (3, 32, 1, np.array([0, 0, np.nan, np.inf], "<f4"), "2 of its 4 samples", 52),
    "infinite": (3, 64, 1, np.array([0, -np.inf], "<f8"), "1 of its 2 samples", 52),
    "too large for float32": (3, 64, 1, np.array([1e300, 0], "<f8"), "infinite", 44),
    "NaN in channel 2": (3, 32, 2, np.array([0, 0, 0, np.nan], "<f4"), "1 of its 4", 56),
    "MP3": (0x55, 0, 1, np.zeros(4, "u1"), "MP3", 44),
    "Windows Media": (0x161, 16, 1, np.zeros(8, "u1"), "coded as Windows Media Audio", 44),
    "ATRAC3": (0x270, 16, 1, np.zeros(8, "u1"), "coded as ATRAC3", 44),
    "unknown codec": (0x7777, 16, 1, np.zeros(8, "u1"), "unknown codec 0x7777", 44),
    "float of 16 bits": (3, 16, 1, np.zeros(8, "u1"), "coded as IEEE float", 44),
    "PCM of 64 bits": (1, 64, 1, np.zeros(8, "u1"), "coded as PCM", 44),
    "PCM of 0 bits": (1, 0, 1, np.zeros(8, "u1"), "coded as PCM", 44),
    "2,000 channels": (1, 8, 2000, np.zeros(2000, "u1"), "coded as PCM", 44),
}


@pytest.mark.parametrize(
    ("code", "bits", "channels", "values", "words", "byte"), BAD_SAMPLES.values(), ids=BAD_SAMPLES
)
def test_bad_samples_are_placed(path, code, bits, channels, values, words, byte):
    path.write_bytes(wav(fmt(code, channels, bits=bits), chunk(b"data", values.tobytes())))
    with pytest.raises(audio.WavError) as caught:
        audio.read_wav(path)
    assert words in str(caught.value)
    assert caught.value.byte == byte


def test_two_readers_must_agree_on_the_length(path, monkeypatch):
    soundfile.write(path, SAMPLES, 8000, subtype="PCM_24")
    monkeypatch.setattr(soundfile, "read", lambda *_, **__: (SAMPLES[:5], 8000))
    with pytest.raises(audio.WavError, match=r"promises 7 frames and libsndfile reads 5"):
        audio.read_wav(path)


def test_every_sixteen_bit_value_comes_back(path):
    samples = np.arange(-32768, 32768) / 32768
    audio.write_wav(path, samples, 8000)
    np.testing.assert_array_equal(audio.read_wav(path)[0], samples)
    assert soundfile.info(path).subtype == "PCM_16"
    assert path.stat().st_size == 44 + 2 * 65536


def test_plus_one_is_the_only_value_clipped(path):
    audio.write_wav(path, [1.0, -1.0, 32767 / 32768], 8000)
    np.testing.assert_array_equal(audio.read_wav(path)[0] * 32768, [32767, -32768, 32767])


def test_values_in_between_are_rounded_not_cut(path):
    audio.write_wav(path, np.array([0.9, -0.9, 1.2]) / 32768, 8000)
    np.testing.assert_array_equal(audio.read_wav(path)[0] * 32768, [1, -1, 1])


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        ([0, np.nan], 8000, "NaN or infinite"),
        ([0, -np.inf], 8000, "NaN or infinite"),
        ([0, 1.5], 8000, r"1\.5 times full scale.*peak_normalize"),
        ([0, -1.001], 8000, "peak_normalize"),
        ([0.0, 1e300], 8000, "NaN or infinite"),
        ([0, 1, -1], 8000, "int64 have no known full scale"),
        (np.zeros((2, 8000)), 8000, r"transpose"),
        ([0.0], 0, "whole number"),
        ([0.0], -8000, "whole number"),
        ([0.0], 8000.5, "whole number"),
        ([0.0], 8000.0, "whole number"),
        ([0.0], None, "whole number"),
        ([0.0], 10**8, "whole number"),
        ([], 8000, r"\(0,\)"),
        (0.5, 8000, r"\(\)"),
        (np.zeros((2, 2, 2)), 8000, r"\(2, 2, 2\)"),
        (np.zeros((2, 0)), 8000, r"\(2, 0\)"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(path, samples, rate, words):
    with pytest.raises(ValueError, match=rf"7_theo_3\.wav: .*{words}"):
        audio.write_wav(path, samples, rate)
    assert not list(path.parent.iterdir())


def test_numpy_rates_are_whole_numbers_too(path):
    audio.write_wav(path, SAMPLES, np.int64(8000))
    assert audio.read_wav(path)[1] == 8000


def test_missing_folder_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"inner.*create it first"):
        audio.write_wav(path.parent / "inner" / "a.wav", SAMPLES, 8000)


def test_a_failed_move_keeps_the_old_file_and_leaves_nothing(path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    audio.write_wav(path, SAMPLES, 8000)
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        audio.write_wav(path, np.zeros(100), 8000)
    np.testing.assert_array_equal(audio.read_wav(path)[0], SAMPLES)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="there no limit can be set")
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(path):
    import resource

    audio.write_wav(path, SAMPLES, 8000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError):
            audio.write_wav(path, np.zeros(100_000), 8000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_array_equal(audio.read_wav(path)[0], SAMPLES)
    assert list(path.parent.iterdir()) == [path]


def test_existing_file_is_replaced_and_open_to_the_same_people(path):
    audio.write_wav(path, np.zeros(100), 8000)
    audio.write_wav(path, SAMPLES, 8000)
    np.testing.assert_array_equal(audio.read_wav(path)[0], SAMPLES)
    assert list(path.parent.iterdir()) == [path]
    plain = path.with_name("plain")
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


def test_resampling_keeps_the_pitch():
    low = audio.resample(tone(1000, 44100), 44100, 8000)
    assert (low.dtype, low.shape) == (np.float32, (4000,))
    np.testing.assert_allclose(low[200:-200], tone(1000, 8000)[200:-200], atol=1e-4)


def test_resampling_does_not_alias():
    assert np.abs(audio.resample(tone(6000, 16000), 16000, 8000)[200:-200]).max() < 1e-4


def test_resampling_runs_along_time():
    stereo = np.stack([tone(300, 8000), tone(700, 8000)], axis=1)
    new = audio.resample(stereo, 8000, 11025)
    for channel in (0, 1):
        alone = audio.resample(stereo[:, channel], 8000, 11025)
        np.testing.assert_allclose(new[:, channel], alone, atol=1e-6)


@pytest.mark.parametrize(("n", "rate", "new_rate"), [(12345, 44100, 16000), (1, 48000, 8000)])
def test_resampled_length_is_rounded(n, rate, new_rate):
    assert len(audio.resample(np.zeros(n), rate, new_rate)) == round(n * new_rate / rate)


def test_same_rate_returns_the_samples():
    assert audio.resample(SAMPLES, 8000, 8000) is SAMPLES
    assert audio.resample(SAMPLES.astype(float), 8000, 8000).dtype == np.float32


def test_resampling_does_not_spread_a_nan_over_the_sound():
    with pytest.raises(ValueError, match="NaN or infinite"):
        audio.resample([0.0, np.nan] * 100, 8000, 16000)


NO_RATES = [0, -8000, 1e-3, 10**9, np.inf, np.nan, True, np.True_, None, "8000", 8000j, [8000]]


@pytest.mark.parametrize("rate", NO_RATES, ids=repr)
def test_what_is_no_rate_is_refused(path, rate):
    takers = [
        lambda: audio.resample(SAMPLES, rate, 8000),
        lambda: audio.resample(SAMPLES, 8000, rate),
        lambda: audio.fade(SAMPLES, rate),
        lambda: audio.player(SAMPLES, rate, "Theo"),
        lambda: audio.write_wav(path, SAMPLES, rate),
    ]
    for take in takers:
        with pytest.raises(ValueError, match=r"a rate cannot be .* from 1 to 10,000,000"):
            take()


@pytest.mark.parametrize("kind", [int, float, np.int32, np.int64, np.float32, np.float64])
def test_rates_are_numbers_of_any_type(kind):
    assert len(audio.resample(np.zeros(100), kind(8000), kind(4000))) == 50
    assert audio.fade(np.ones(100), kind(8000)).shape == (100,)


def test_peak_normalize_leaves_its_argument_alone():
    quiet = np.array([[0.25, -0.5], [0.125, 0]])
    loud = audio.peak_normalize(quiet)
    assert loud.dtype == np.float32
    np.testing.assert_array_equal(loud, [[0.5, -1], [0.25, 0]])
    assert quiet[0, 1] == -0.5


def test_peak_normalize_needs_a_peak():
    with pytest.raises(ValueError, match="NaN or infinite"):
        audio.peak_normalize([0, np.nan])


@pytest.mark.parametrize(
    ("samples", "n", "align", "expected"),
    [
        ([1, 2, 3], 3, "center", [1, 2, 3]),
        ([1, 2, 3], 2, "center", [1, 2]),
        ([1, 2, 3], 2, "start", [1, 2]),
        ([1, 2, 3], 0, "center", []),
        ([1, 2, 3], 5, "center", [0, 1, 2, 3, 0]),
        ([1, 2, 3], 6, "center", [0, 1, 2, 3, 0, 0]),
        ([1, 2, 3], 6, "start", [1, 2, 3, 0, 0, 0]),
        ([[1], [2]], 4, "center", [0, 1, 2, 0]),
    ],
)
def test_fit(samples, n, align, expected):
    fitted = audio.fit(np.array(samples, np.float32), n, align=align)
    assert fitted.dtype == np.float32
    assert fitted.tolist() == expected


def test_fit_centres_unless_told():
    assert audio.fit([1.0, 2.0], 4).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("samples", "n", "align", "words"),
    [
        (np.zeros((4, 2)), 4, "center", "one channel"),
        ([1.0], -1, "center", "-1 samples"),
        ([1.0], 2.5, "center", "2.5 samples"),
        ([1.0], 3, "end", "not 'end'"),
        ([], 3, "center", "at least one"),
    ],
)
def test_fit_refuses(samples, n, align, words):
    with pytest.raises(ValueError, match=words):
        audio.fit(samples, n, align=align)


class Page(HTMLParser):
    def __init__(self, markup):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    @property
    def sound(self):
        kind, content = dict(self.tags)["audio"]["src"].split(",")
        assert kind == "data:audio/wav;base64"
        return soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")


def test_player_holds_sound_and_caption():
    caption = 'Theo says "7" <b>loud</b> & clear'
    page = Page(audio.player(SAMPLES, 8000, caption).data)
    assert [tag for tag, _ in page.tags] == ["figure", "audio", "figcaption"]
    assert page.tags[0][1] == {"class": "player"}
    said = f"{caption}, 0.88\xa0ms"
    assert "controls" in page.tags[1][1] and page.tags[1][1]["aria-label"] == said
    assert page.text == said
    np.testing.assert_array_equal(page.sound[0], SAMPLES)
    assert page.sound[1] == 8000


@pytest.mark.parametrize(
    ("rate", "options", "played"),
    [
        (8000, {}, 8000),
        (16000, {}, 16000),
        (44100, {}, 16000),
        (44100, {"max_rate": 8000}, 8000),
        (44100, {"max_rate": None}, 44100),
    ],
)
def test_player_keeps_pages_small(rate, options, played):
    samples, rate = Page(audio.player(0.5 * tone(440, rate), rate, "A", **options).data).sound
    assert (rate, len(samples)) == (played, played // 2)
    np.testing.assert_allclose(samples[200:-200], 0.5 * tone(440, played)[200:-200], atol=1e-4)


@pytest.mark.parametrize(
    ("caption", "n_samples", "said"),
    [
        ("Theo says seven.", 4800, "Theo says seven, 0.6\xa0s."),
        ("Whose seven is it?", 100_000, "Whose seven is it? 12.5\xa0s"),
        ("A click", 16, "A click, 2\xa0ms"),
        ("A swing", 759, "A swing, 95\xa0ms"),
        ("A swing", 760, "A swing, 0.1\xa0s"),
    ],
)
def test_player_says_how_long_it_plays(caption, n_samples, said):
    assert Page(audio.player(np.zeros(n_samples), 8000, caption).data).text == said


def test_player_scales_down_and_says_so():
    samples = np.array([0.75, -1.5])
    page = Page(audio.player(samples, 8000, "Loud").data)
    assert page.text == "Loud, 0.25\xa0ms (beyond full scale, peak 1.5: scaled down for playing)"
    np.testing.assert_array_equal(page.sound[0], [0.5, -1])
    assert samples[1] == -1.5


def test_player_plays_what_resampling_overshoots():
    square = np.sign(tone(440, 44100) + 1e-9)
    assert np.abs(audio.resample(square, 44100, 16000)).max() > 1
    page = Page(audio.player(square, 44100, "Square").data)
    assert page.text == f"Square, {len(square) / 44100:.1f}\xa0s"
    assert np.abs(page.sound[0]).max() > 0.999


@pytest.mark.parametrize("samples", [[], [np.nan, 0], [0, 1], np.zeros((2, 99))])
@pytest.mark.parametrize("rate", [8000, 48000])
def test_player_names_what_it_cannot_play(samples, rate):
    with pytest.raises(ValueError, match=r"^Theo: "):
        audio.player(samples, rate, "Theo")


def test_players_stand_side_by_side():
    page = Page(audio.players(*(audio.player(SAMPLES, 8000, name) for name in "AB")).data)
    assert page.tags[0] == ("div", {"class": "players"})
    assert [tag for tag, _ in page.tags[1:]] == ["figure", "audio", "figcaption"] * 2
    assert page.text == "A, 0.88\xa0msB, 0.88\xa0ms"


def test_player_without_ipython_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ImportError, match=r"digitlab\[book\]"):
        audio.player(SAMPLES, 8000, "A")


def test_import_is_light():
    code = (
        "import sys, digitlab.audio; "
        "print({'IPython', 'matplotlib', 'librosa', 'scipy', 'pandas'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.stdout.decode().strip() == "set()", run.stderr.decode()


# What each function makes of a sound, whatever the type of its samples.
TAKERS = {
    "as_sound": audio.as_sound,
    "to_float": audio.to_float,
    "resample": lambda samples: audio.resample(samples, 8000, 11025),
    "resample to the same rate": lambda samples: audio.resample(samples, 8000, 8000),
    "peak_normalize": audio.peak_normalize,
    "fade": lambda samples: audio.fade(samples, 8000),
    "quantise": lambda samples: audio.quantise(samples, 8),
    "fit": lambda samples: audio.fit(samples, 500),
    "player": lambda samples: Page(audio.player(samples, 8000, "A").data).sound[0],
    "write_wav": lambda samples: written(samples),
}
SHAPED = {name: take for name, take in TAKERS.items() if name != "to_float"}


def written(samples):
    with tempfile.TemporaryDirectory() as folder:
        audio.write_wav(f"{folder}/a.wav", samples, 8000)
        return audio.read_wav(f"{folder}/a.wav")[0]


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("kind", [*INTEGERS, np.uint8, ">i2", np.float16, np.float64, ">f4"])
def test_samples_of_any_type_are_the_same_sound(take, kind):
    steps = np.rint(100 * tone(300, 8000, 0.1))  # of 1/128
    if np.dtype(kind).kind == "f":
        samples = (steps / 128).astype(kind)
    else:
        shift = 128 if kind is np.uint8 else 0
        samples = (steps.astype(np.int64) + shift).astype(kind)
        samples = samples * samples.dtype.type(1 if shift else 2 ** (8 * samples.itemsize - 8))
    np.testing.assert_allclose(take(samples), take(steps / 128), atol=1e-3)


@pytest.mark.parametrize("kind", [*INTEGERS, np.uint8])
def test_integers_span_full_scale(kind):
    limits = np.iinfo(kind)
    middle = 128 if kind is np.uint8 else 0
    samples = audio.to_float(np.array([limits.min, middle, limits.max], kind))
    assert samples.dtype == np.float32
    assert samples.tolist() == pytest.approx([-1, 0, 1], abs=0.01)
    assert samples[1] == 0


@pytest.mark.parametrize("kind", [*INTEGERS, np.uint8])
def test_silence_of_integers_is_written_as_silence(kind):
    silence = np.full(100, 128 if kind is np.uint8 else 0, kind)
    assert not written(silence).any()


NOT_SAMPLES = {
    "whole numbers": [0, 1, -1],
    "int64": np.arange(9),
    "uint16": np.arange(9, dtype=np.uint16),
    "bool": np.ones(9, bool),
    "complex": np.ones(9, complex),
    "text": ["0.5", "0.25"],
    "objects": np.array([0.5, None], object),
    "ragged": [[0.5], [0.5, 0.25]],
    "nothing": None,
}


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
@pytest.mark.parametrize("samples", NOT_SAMPLES.values(), ids=NOT_SAMPLES)
def test_what_has_no_full_scale_is_refused(take, samples):
    with pytest.raises(ValueError, match=r"give floats from -1 to 1|one array of numbers"):
        take(samples)


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_masked_samples_are_refused(take):
    with pytest.raises(ValueError, match=r"masked samples.*filled\(0\)"):
        take(np.ma.masked_greater(np.linspace(0, 1, 99), 0.5))


@pytest.mark.parametrize("take", TAKERS.values(), ids=TAKERS)
def test_tensors_with_a_gradient_are_refused(take):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"detach\(\)\.cpu\(\)\.numpy\(\)"):
        take(torch.zeros(99, requires_grad=True))


@pytest.mark.parametrize("take", SHAPED.values(), ids=SHAPED)
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 8000), r"\(2, 8000\) look like \(channels, frames\); transpose"),
        ((1, 8000), "transpose"),
        ((600, 500), "a batch of clips or a spectrogram"),
        ((100, 80), "a batch of clips or a spectrogram"),
        ((80, 8000), "a batch of clips or a spectrogram"),
        ((1, 2), "transpose"),
        ((), "at least one"),
        ((0,), "at least one"),
        ((8000, 0), "at least one"),
        ((9, 2, 2), r"\(9, 2, 2\) are no sound"),
    ],
)
def test_what_has_not_the_shape_of_a_sound_is_refused(take, shape, words):
    with pytest.raises(ValueError, match=words):
        take(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(1,), (1, 1), (8000, 1), (8000, 2), (3, 3), (6, 5), (90, 64)])
def test_sounds_of_every_shape_are_taken_and_kept(shape):
    samples = np.full(shape, 0.5, np.float32)
    assert audio.as_sound(samples) is samples
    for take in (audio.peak_normalize, TAKERS["fade"], TAKERS["quantise"]):
        assert take(samples).shape == shape
    assert len(TAKERS["resample"](samples)) == round(len(samples) * 11025 / 8000)
    np.testing.assert_array_equal(written(samples).reshape(shape), samples)


def test_lists_of_floats_are_sounds():
    assert audio.as_sound([0, 0.5, -1]).tolist() == [0, 0.5, -1]


@pytest.mark.parametrize("take", [TAKERS["fade"], TAKERS["fit"]], ids=["fade", "fit"])
def test_fade_and_fit_keep_the_type_of_floats(take):
    for kind in (np.float16, np.float32, np.float64):
        assert take(np.ones(900, kind)).dtype == kind
    assert take(np.ones(900, np.int16)).dtype == np.float32


def test_root_mean_square():
    sine = np.sin(2 * np.pi * np.arange(800) / 80)
    assert audio.rms(sine) == pytest.approx(np.sqrt(0.5))
    assert audio.rms(np.stack([sine, 0 * sine], axis=1)) == pytest.approx(0.5)
    assert audio.rms(np.array([16384, -16384], np.int16)) == 0.5, "full scale is 1"
    assert audio.rms(np.full(100_000, 1e-3, np.float32)) == pytest.approx(1e-3, rel=1e-6)
    with pytest.raises(ValueError, match="at least one sample"):
        audio.rms([])


def test_both_channels_fade():
    stereo = np.stack([np.ones(1000), np.full(1000, 0.5)], axis=1)
    np.testing.assert_array_equal(audio.fade(stereo, 8000)[:, 1], audio.fade(stereo[:, 1], 8000))


@pytest.mark.parametrize("seconds", [0, -1, np.nan])
def test_fade_takes_time(seconds):
    with pytest.raises(ValueError, match="positive"):
        audio.fade(np.ones(9), 8000, seconds)
