"""What a user relies on when a WAV file is taken apart or refused."""

import os
import pickle
import struct

import numpy as np
import pytest

from digitlab import riff


def chunk(name, content=b"", size=None):
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + b"\0" * (len(content) % 2)


def wav(*chunks, name=b"RIFF", form=b"WAVE", size=None):
    body = form + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def fmt(code=1, channels=1, rate=8000, bits=16, block_align=None, extension=b""):
    if block_align is None:
        block_align = channels * bits // 8
    fields = (code, channels, rate, rate * block_align % 2**32, block_align, bits)
    return chunk(b"fmt ", struct.pack("<HHIIHH", *fields) + extension)


def extensible(code, bits, channels=1, valid_bits=None, block_align=None):
    guid = struct.pack("<H", code) + bytes.fromhex("000000001000800000aa00389b71")
    extension = struct.pack("<HHI", 22, valid_bits or bits, 0) + guid
    return fmt(0xFFFE, channels, bits=bits, block_align=block_align, extension=extension)


def ds64(data_size):
    return chunk(b"ds64", struct.pack("<QQQI", 0, data_size, data_size // 2, 0))


DATA = chunk(b"data", bytes(range(8)))
STREAM = chunk(b"data", bytes(8), size=0xFFFFFFFF)
LIST = chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0")

BAD = {
    # name: (content, words of the message, byte)
    "empty": (b"", "the file is empty", 0),
    "zero bytes": (bytes(500), "a run of zero bytes", 0),
    "text": (b"0.1, 0.2, 0.3\n", "a text file", 0),
    "accented text": ("l'été, près d'ici\n".encode(), "a text file", 0),
    "web page": (b"\n<!DOCTYPE html><html><body>404</body>", "a web page", 0),
    "web page without doctype": (b"<HTML><body>Sign in</body>", "a web page", 0),
    "web page behind a byte order mark": (b"\xef\xbb\xbf<html>", "a web page", 0),
    "an error message in XML": (b'<?xml version="1.0"?><Error>', "a web page", 0),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull", 0),
    "zip": (b"PK\x03\x04\x14" + bytes(60), "a compressed archive", 0),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(60), "a compressed archive", 0),
    "no known format": (b"\x07\x93\0\1" + bytes(60), r"begins with b'\x07\x93\x00\x01'", 0),
    "RIFF in small letters": (b"riff" + wav()[4:], "begins with b'riff', not with b'RIFF'", 0),
    "a text about MAC addresses": (b"MAC addresses of our microphones", "a text file", 0),
    "cut inside RIFF": (b"RIF", "ends inside its header", 3),
    "cut inside the first twelve bytes": (wav()[:10], "ends inside its header", 10),
    "a picture in RIFF": (wav(form=b"WEBP"), "not of the form WAVE but b'WEBP'", 8),
    "no chunks": (wav(), "no fmt chunk", None),
    "no fmt": (wav(DATA), "no fmt chunk", None),
    "no data": (wav(fmt()), "no data chunk", None),
    "data before fmt": (wav(DATA, fmt()), "data chunk comes before the fmt chunk", 12),
    "cut inside a chunk's header": (wav(fmt(), DATA)[:41], "inside the header of a chunk", 36),
    "no chunk where one should be": (wav(fmt(), bytes(50)), "none does", 36),
    "fmt too short": (wav(chunk(b"fmt ", bytes(14)), DATA), "14 bytes where it needs 16", 20),
    "fmt cut": (wav(fmt())[:30], "no data chunk", None),
    "fmt without its extension": (
        wav(fmt(0xFFFE, extension=bytes(2)), DATA),
        "18 bytes where it needs 40",
        20,
    ),
    "zero channels": (wav(fmt(channels=0), DATA), "0 channels", 22),
    "zero rate": (wav(fmt(rate=0), DATA), "a rate of 0 Hz", 24),
    "rate of 4 GHz": (wav(fmt(rate=4_000_000_000), DATA), "4,000,000,000 Hz", 24),
    "block align too large": (
        wav(fmt(block_align=4), DATA),
        "4 bytes a frame, yet 1 × 16 bits take 2",
        32,
    ),
    "block align of zero": (wav(fmt(block_align=0), DATA), "0 bytes a frame", 32),
    "extensible block align": (
        wav(extensible(1, 24, block_align=5), DATA),
        "5 bytes a frame, yet 1 × 24 bits take 3",
        32,
    ),
    "data cut": (
        wav(fmt(), chunk(b"data", bytes(1200), size=4000)),
        "promises 4,000 bytes and 1,200 are there",
        44,
    ),
    "data gone": (wav(fmt(), chunk(b"data", size=8)), "8 bytes and 0 are there", 44),
    "data cut behind other chunks": (
        wav(chunk(b"JUNK", b"odd"), fmt(), chunk(b"data", bytes(2), size=4)),
        "promises 4 bytes and 2 are there",
        56,
    ),
    "a chunk beyond the end": (wav(fmt(), chunk(b"LIST", size=900), DATA), "no data chunk", None),
    "RF64 that promises too much": (
        wav(ds64(5_000_000_000), fmt(), STREAM, name=b"RF64"),
        "promises 5,000,000,000 bytes and 8 are there",
        80,
    ),
    "half a frame": (
        wav(fmt(channels=2), chunk(b"data", bytes(6))),
        "6 bytes are not a whole number of frames of 4 bytes",
        44,
    ),
    "no samples": (wav(fmt(), chunk(b"data")), "holds no samples", 44),
    "no samples, yet a title": (wav(fmt(), chunk(b"data"), LIST), "holds no samples", 44),
    "a size never filled in, half a frame": (
        wav(fmt(), chunk(b"data", b"\1", size=0))[:45],
        "holds no samples",
        44,
    ),
}

CONTAINERS = {
    # name: (first bytes, words of the message)
    "FLAC": (b"fLaC\0\0\0\x22", "a FLAC file"),
    "Ogg": (b"OggS\0\2", "an Ogg file"),
    "MP3 with tags": (b"ID3\3\0\0", "an MP3 file"),
    "MP3 of MPEG-1": (b"\xff\xfb\x90\x64", "an MP3 file"),
    "MP3 of MPEG-2": (b"\xff\xf3\x40\xc0", "an MP3 file"),
    "MP3 of MPEG-2.5, 8 kHz": (b"\xff\xe3\x18\xc4", "an MP3 file"),
    "MP2": (b"\xff\xfd\x90\x04", "an MP3 file"),
    "AAC": (b"\xff\xf1\x50\x80", "an AAC file"),
    "AAC of MPEG-2": (b"\xff\xf9\x50\x80", "an AAC file"),
    "AIFF": (b"FORM\0\0\0\x40AIFFCOMM", "an AIFF file"),
    "AIFF whose size holds a line feed": (b"FORM\0\0\n\nAIFC", "an AIFF file"),
    "CAF": (b"caff\0\1\0\0desc", "a CAF file"),
    "AMR": (b"#!AMR\n<\x91", "an AMR file"),
    "AMR wideband": (b"#!AMR-WB\n", "an AMR file"),
    "M4A": (b"\0\0\0\x20ftypM4A ", "an MP4 or M4A file"),
    "3GP": (b"\0\0\0\x18ftyp3gp4", "or 3GP"),
    "MOV": (b"\0\0\0\x08wide\0\0", "or 3GP, MOV"),
    "WMA": (b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel", "a Windows Media file"),
    "WebM": (b"\x1aE\xdf\xa3\x9f", "a WebM file"),
    "big-endian": (b"RIFX\0\0\0\x24WAVEfmt ", "big-endian"),
    "Wave64": (bytes.fromhex("726966662e91cf11a5d628db04c10000"), "a Wave64 file"),
    "VOC": (b"Creative Voice File\x1a\x1a\0", "a VOC file"),
    "WavPack": (b"wvpk\xf4\0\0\0\x10\4", "a WavPack file"),
    "APE": (b"MAC \x96\x0f\0\0", "an APE file"),
    "NIST SPHERE": (b"NIST_1A\n   1024\n", "a NIST SPHERE file"),
    "AU": (b".snd\0\0\0\x18", "an AU file"),
    "an AVI film": (wav(form=b"AVI "), "b'AVI '"),
}


@pytest.mark.parametrize(("head", "words"), CONTAINERS.values(), ids=CONTAINERS)
def test_other_formats_under_the_name_of_wav_are_named_and_can_be_converted(store, head, words):
    with pytest.raises(riff.WavError, match="ffmpeg -i") as caught:
        riff.check(store(head + bytes(60)))
    assert words in caught.value.problem


@pytest.fixture
def store(tmp_path):
    def store(content):
        path = tmp_path / "7_theo_3.wav"
        path.write_bytes(content)
        return path

    return store


@pytest.mark.parametrize(("content", "words", "byte"), BAD.values(), ids=BAD)
def test_bad_file_is_named_with_fault_byte_and_remedy(store, content, words, byte):
    path = store(content)
    with pytest.raises(riff.WavError) as caught:
        riff.check(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert caught.value.byte == byte
    assert ("(byte" in message) == (byte is not None)
    assert message.endswith(f". {caught.value.remedy}") and len(caught.value.remedy) > 10


def test_every_cut_of_a_good_file_is_refused(store):
    content = wav(fmt(), DATA)
    riff.check(store(content))
    for length in range(len(content)):
        with pytest.raises(riff.WavError):
            riff.check(store(content[:length]))


def test_missing_file(tmp_path):
    with pytest.raises(riff.WavError, match=r"no such file.*Check the name"):
        riff.check(tmp_path / "gone.wav")


def test_file_used_as_folder(store):
    with pytest.raises(riff.WavError, match="no such file"):
        riff.check(store(b"x") / "inside.wav")


def test_folder(tmp_path):
    with pytest.raises(riff.WavError, match="this is a folder"):
        riff.check(tmp_path)


def test_no_permission(store, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = store(wav(fmt(), DATA))
    monkeypatch.setattr(riff, "open", refuse, raising=False)  # root may read every real file
    with pytest.raises(riff.WavError, match=r"may not read.*Change its permissions"):
        riff.check(path)


def test_other_failures_of_the_disk_are_told(store, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    path = store(wav(fmt(), DATA))
    monkeypatch.setattr(riff, "open", fail, raising=False)
    with pytest.raises(riff.WavError, match="Input/output error"):
        riff.check(path)


def test_failures_while_reading_are_told(store, monkeypatch):
    def fail(*_):
        raise OSError(116, "Stale file handle")

    path = store(wav(fmt(), DATA))
    monkeypatch.setattr(riff, "_walk", fail)
    with pytest.raises(riff.WavError, match=r"7_theo_3\.wav: Stale file handle"):
        riff.check(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(riff.WavError, match="a pipe"):
        riff.check(tmp_path / "pipe.wav")


def test_error_survives_the_way_back_from_another_process():
    error = riff.WavError("a.wav", "it ends early", 44, "Copy it again.")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.wav: it ends early (byte 44). Copy it again."
    assert (again.path, again.problem, again.byte, again.remedy) == error.args
    assert isinstance(error, ValueError)


def test_chunks_before_and_after_the_samples_are_kept(store):
    path = store(wav(chunk(b"JUNK", b"odd"), fmt(), DATA, chunk(b"LIST", b"INFO"), chunk(b"who?")))
    found = riff.chunks(path)
    assert [(one.id, one.offset, one.size) for one in found] == [
        ("JUNK", 12, 3),
        ("fmt ", 24, 16),
        ("data", 48, 8),
        ("LIST", 64, 4),
        ("who?", 76, 0),
    ]
    assert found[2].start == 56
    assert found[2].meaning == "the samples" and "unknown" in found[4].meaning


@pytest.mark.parametrize("after", [b"\0", b"\0" * 100, b"LIS", b"LIST\xff\xff\0\0half"])
def test_what_follows_whole_samples_does_no_harm(store, after):
    path = store(wav(fmt(), DATA) + after)
    assert riff.check(path).n_frames == 4
    assert riff.chunks(path)[1].id == "data"


@pytest.mark.parametrize("size", [0, 4, 1000, 0xFFFFFFFF])
def test_wrong_size_in_the_first_twelve_bytes_is_forgiven(store, size):
    assert riff.check(store(wav(fmt(), DATA, size=size))).data_size == 8


def test_missing_last_pad_byte_is_forgiven(store):
    content = wav(fmt(bits=8), chunk(b"data", b"odd"))
    assert riff.check(store(content)).n_frames == 3
    assert riff.check(store(content[:-1])).n_frames == 3


NEVER_FILLED_IN = [0, 0x7FFFF000, 0x7FFFFF00, 0x7FFFFFFF, 0x80000000, 0xFFFFFFDB, 0xFFFFFFFF]


@pytest.mark.parametrize("size", NEVER_FILLED_IN)
@pytest.mark.parametrize("riff_size", [0, 0xFFFFFFFF])
def test_a_size_never_filled_in_is_counted_to_the_end(store, size, riff_size):
    path = store(wav(fmt(), LIST, chunk(b"data", bytes(11), size=size), size=riff_size))
    found = riff.check(path)
    assert (found.data_size, found.n_frames, found.unfinished) == (12, 6, True)
    assert riff.wav_format(path).data_size == size


@pytest.mark.parametrize("size", NEVER_FILLED_IN)
@pytest.mark.parametrize("behind", [LIST, LIST + chunk(b"id3 ", b"odd"), chunk(b"JUNK", LIST)])
def test_samples_of_a_size_never_filled_in_end_at_the_tags_behind_them(store, size, behind):
    samples = b"\1\xff" * 50
    content = wav(fmt(), chunk(b"data", samples, size=size) + behind)
    found = riff.check(store(content))
    assert (found.data_size, found.unfinished) == (100, True)
    assert riff.rebuilt(store(content)) == wav(fmt(), chunk(b"data", samples))
    found = riff.check(store(content + b"\1\xff"))
    assert found.data_size == 102 + len(behind)  # no chunk ends where the file does


@pytest.mark.parametrize("size", [0, 2**64 - 1, 2**64 - 2])
def test_rf64_sizes_never_filled_in_are_counted_to_the_end(store, size):
    found = riff.check(store(wav(ds64(size), fmt(), STREAM, name=b"RF64", size=0xFFFFFFFF)))
    assert (found.n_frames, found.unfinished) == (4, True)
    assert riff.check(store(wav(fmt(), STREAM, name=b"RF64"))).n_frames == 4


def test_a_complete_file_is_finished(store):
    assert not riff.check(store(wav(fmt(), DATA))).unfinished


def test_truncated_file_is_not_taken_for_an_unfinished_one(store):
    path = store(wav(fmt(), chunk(b"data", bytes(1200), size=1_000_000)))
    with pytest.raises(riff.WavError, match=r"1,200 are there.*download the file again"):
        riff.check(path)


@pytest.mark.parametrize("odd", [b"odd", b"odd, and longer"])
@pytest.mark.parametrize("data", [DATA, chunk(b"data", bytes(range(64)))])
def test_odd_chunks_without_padding_are_followed(store, odd, data):
    path = store(wav(chunk(b"JUNK", odd)[:-1], fmt(), chunk(b"who?", odd)[:-1], data, LIST))
    assert [one.id for one in riff.chunks(path)] == ["JUNK", "fmt ", "who?", "data", "LIST"]
    assert riff.check(path).data_size == len(data) - 8
    rows = riff.fields(path)
    assert [row.offset for row in rows[1:]] == [row.offset + row.size for row in rows[:-1]]


@pytest.mark.parametrize("padding", [b"\0", b" ", b"x"])
def test_padding_may_be_any_byte(store, padding):
    path = store(wav(fmt(), chunk(b"JUNK", b"odd")[:-1] + padding, DATA))
    assert [one.id for one in riff.chunks(path)] == ["fmt ", "JUNK", "data"]


def test_sizes_may_look_like_line_feeds(store):
    assert riff.check(store(wav(fmt(), chunk(b"data", bytes(10))))).n_frames == 5


def test_first_of_two_chunks_counts(store):
    path = store(wav(fmt(rate=8000), fmt(rate=16000), DATA, chunk(b"data", bytes(2))))
    found = riff.check(path)
    assert (found.rate, found.n_frames) == (8000, 4)


def test_twelve_bits_take_two_bytes(store):
    assert riff.check(store(wav(fmt(bits=12, block_align=2), DATA))).n_frames == 4


def test_rf64_takes_its_size_from_ds64(store):
    path = store(wav(ds64(8), fmt(), STREAM, name=b"RF64", size=0xFFFFFFFF))
    assert [one.id for one in riff.chunks(path)] == ["ds64", "fmt ", "data"]
    assert riff.check(path).n_frames == 4


def test_format_gives_every_field(store):
    path = store(wav(fmt(channels=2, rate=44100), DATA))
    assert riff.wav_format(path) == riff.WavFormat(
        code=1,
        channels=2,
        rate=44100,
        byte_rate=176400,
        block_align=4,
        bits_per_sample=16,
        valid_bits=None,
        channel_mask=None,
        sub_format=None,
        data_offset=44,
        data_size=8,
    )
    assert riff.wav_format(path).name == "PCM"
    assert riff.wav_format(path).duration == 2 / 44100


def test_extensible_format_names_what_it_extends(store):
    found = riff.check(store(wav(extensible(3, bits=32, valid_bits=24), DATA)))
    assert (found.code, found.sub_format, found.codec, found.name) == (65534, 3, 3, "IEEE float")
    assert (found.valid_bits, found.channel_mask, found.n_frames) == (24, 0, 2)


def test_compressed_format_is_named_and_its_frames_are_unknown(store):
    found = riff.check(store(wav(fmt(0x55, bits=0, block_align=1), DATA)))
    assert (found.name, found.n_frames, found.duration) == ("MP3", None, None)
    found = riff.check(store(wav(fmt(0x1234, bits=4, block_align=1), DATA)))
    assert found.name == "unknown codec 0x1234"


def test_formats_can_be_looked_at_before_they_are_judged(store):
    found = riff.wav_format(store(wav(fmt(rate=0, block_align=0), DATA)))
    assert (found.rate, found.n_frames, found.duration) == (0, None, None)
    assert riff.wav_format(store(wav(fmt(rate=0), DATA))).duration is None


def test_fields_cover_every_byte_once(store):
    content = wav(
        ds64(6), extensible(1, 16), chunk(b"fact", bytes(4)), chunk(b"JUNK", bytes(99)), DATA
    )
    rows = riff.fields(store(content))
    position = 0
    for row in rows:
        assert row.offset == position, row
        assert row.raw == content[position : position + min(row.size, 16)], row
        assert row.meaning and len(row.raw) == min(row.size, 16)
        position += row.size
    assert position == len(content)
    values = {row.name: row.value for row in rows}
    assert (values["rate"], values["byte rate"], values["valid bits"]) == (8000, 16000, 16)
    assert str(values["sub-format"]) == "00000001-0000-0010-8000-00aa00389b71"
    assert values["frames"] == 0 and values["data size"] == 6


def test_a_file_without_chunks_can_be_described(store):
    assert len(riff.fields(store(wav()))) == 3


@pytest.mark.parametrize("length", range(44, 53))
def test_a_cut_file_can_be_described(store, length):
    rows = riff.fields(store(wav(fmt(), DATA)[:length]))
    assert rows[-1].offset + rows[-1].size == length


@pytest.mark.parametrize("length", range(20, 36))
def test_a_header_cut_inside_fmt_can_be_described(store, length):
    rows = riff.fields(store(wav(fmt())[:length]))
    assert rows[-1].offset + rows[-1].size == length


def test_description_is_a_table(store):
    lines = riff.describe(store(wav(fmt(), DATA))).splitlines()
    assert lines[0].split() == ["byte", "size", "in", "hex", "field", "value", "meaning"]
    rows = {line.split()[0]: line for line in lines if line[5] != " "}
    assert rows["24"].split(maxsplit=8)[:8] == ["24", "4", "40", "1f", "00", "00", "rate", "8000"]
    assert len(rows) == 1 + 3 + 2 + 6 + 2 + 1
    assert rows["24"].index("rate") == rows["28"].index("byte rate")


def test_description_fits_a_page(store):
    lines = riff.describe(store(wav(fmt(), DATA))).splitlines()
    assert max(map(len, lines)) <= 75


def test_the_fast_way_and_the_careful_one_agree_on_damaged_files(store):
    good = wav(fmt(), DATA)
    rng = np.random.default_rng(0)
    accepted = 0
    for _ in range(1000):
        content = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(0, 3)):
            content[place] = rng.choice([0, 1, 2, 255, rng.integers(256)])
        content = bytes(content[: rng.choice([len(good), rng.integers(len(good) + 1)])])
        if (plain := riff.plain_header(content[:44])) and plain[1] == len(content) - 44:
            found = riff.check(store(content))
            assert (found.rate, found.data_size, found.data_offset) == (*plain, 44)
            assert (found.codec, found.channels, found.bits_per_sample) == (riff.PCM, 1, 16)
            accepted += 1
    assert 150 < accepted < 850
