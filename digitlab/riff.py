"""Take a WAV file apart, chunk by chunk.

A WAV file is a RIFF file: twelve bytes that say so, then chunks. A chunk is a name of four
letters, a size, and that many bytes, padded to an even number. The ``fmt`` chunk says how the
samples are coded, ``data`` holds them. Only headers are understood here, never the samples.

Chapter 2, "Digital audio", walks through one file byte by byte. Sources: IBM and Microsoft,
*Multimedia Programming Interface and Data Specifications 1.0* (1991); Microsoft,
*Multiple channel audio data and WAVE files* (2007), for the extensible format; RFC 2361, for the
codec numbers; EBU Tech 3306 (2009), for RF64.
"""

import io
import os
import re
import stat
import struct
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple

from digitlab.environment import printable

__all__ = [
    "Chunk",
    "Field",
    "WavError",
    "WavFormat",
    "check",
    "chunks",
    "describe",
    "fields",
    "plain_header",
    "rebuilt",
    "wav_format",
]

Name = str | os.PathLike[str] | io.BytesIO  # of a file, or the file in memory

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
PLACEHOLDERS = 65536  # how far below a round limit a size is no real size
MAX_RATE = 10_000_000  # Hz; even bats and hydrophones stay below
UNKNOWN_SIZE = 0xFFFFFFFF  # in RF64, ds64 holds the size
TAIL = 1 << 24  # bytes at the end of a file in which chunks behind the samples are looked for
PLAIN_HEADER = struct.Struct("<4sI8sIHHIIHH4sI")

CONVERT = "Convert it, for example with: ffmpeg -i FILE -c:a pcm_s16le NEW.wav"
FETCH_AGAIN = "Copy or download the file again."
EXPORT_AGAIN = "Export it again from the program that made it."
RECORD_AGAIN = "Copy or download the file again; if the original is empty too, record it again."
CHECK_NAME = "Check that it is the file you mean."

CODECS = {
    PCM: "PCM",
    0x0002: "Microsoft ADPCM",
    FLOAT: "IEEE float",
    A_LAW: "A-law",
    MU_LAW: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0040: "G.721 ADPCM",
    0x0050: "MPEG audio, layer 1 or 2",
    0x0055: "MP3",
    0x0064: "G.726 ADPCM",
    0x0161: "Windows Media Audio",
    0x0270: "ATRAC3",
    0x2000: "AC-3",
    0x674F: "Ogg Vorbis",
    0xF1AC: "FLAC",
    0x00FF: "AAC",
    EXTENSIBLE: "extensible",
}

MEANINGS = {
    "fmt ": "how the samples are coded",
    "data": "the samples",
    "fact": "how many frames a compressed file holds",
    "ds64": "the sizes of a file beyond 4 GiB",
    "LIST": "a list, mostly of texts: title, artist, software",
    "id3 ": "tags, as in an MP3 file",
    "bext": "broadcast extension: who recorded it, and when",
    "iXML": "the recorder's production notes",
    "cue ": "marks in the sound",
    "smpl": "loops, for a sampler",
    "PEAK": "the largest sample of each channel",
    "JUNK": "filler, to be ignored",
    "PAD ": "filler, to be ignored",
}

# What a file that is no WAV file often is instead: first bytes, name, remedy.
IMPOSTORS = [
    (rb"fLaC", "a FLAC file", CONVERT),
    (rb"OggS", "an Ogg file (Vorbis or Opus)", CONVERT),
    (rb"ID3|\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd]", "an MP3 file", CONVERT),
    (rb"\xff[\xf0\xf1\xf8\xf9]|ADIF", "an AAC file", CONVERT),
    (rb"FORM....AIF[FC]", "an AIFF file", CONVERT),
    (rb"caff", "a CAF file (Core Audio)", CONVERT),
    (rb"....ftyp|\0...(moov|mdat|wide|free|skip)", "an MP4 or M4A file (or 3GP, MOV)", CONVERT),
    (rb"#!AMR", "an AMR file", CONVERT),
    (rb"0&\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file (WMA)", CONVERT),
    (rb"\x1aE\xdf\xa3", "a WebM file (or Matroska), as web browsers record", CONVERT),
    (rb"NIST_1A", "a NIST SPHERE file", CONVERT),
    (rb"RIFX", "a big-endian WAV file (RIFX)", CONVERT),
    (rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", "a Wave64 file", CONVERT),
    (rb"Creative Voice File", "a VOC file (Creative Voice)", CONVERT),
    (rb"wvpk", "a WavPack file", CONVERT),
    (rb"MAC .[\x0b-\x0f]", "an APE file (Monkey's Audio)", CONVERT),
    (rb"BW64", "a BW64 file", CONVERT),
    (rb"\.snd", "an AU file", CONVERT),
    (rb"MThd", "a MIDI file, which holds notes and no sound", CHECK_NAME),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|%PDF", "a picture or a document", CHECK_NAME),
    (rb"\0\x05\x16\x07", "a companion file of macOS (AppleDouble)", "Take the file without ._"),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc|Rar!|BZh|\xfd7z", "a compressed archive", "Unpack it first."),
    (rb"version https://git-lfs", "a Git LFS pointer", "Fetch what it points to: git lfs pull"),
    (rb"(\xef\xbb\xbf)?\s*<[!?A-Za-z]", "a web page", "Download the recording behind the link."),
    (rb"\0+\Z", "a run of zero bytes", FETCH_AGAIN),
    (rb"[\t\r\n -~\x80-\xff]+\Z", "a text file", "Look inside: it may say what went wrong."),
]

# The fields of the chunks that every reader needs: name, struct code, meaning.
FIELDS = {
    "fmt ": [
        ("format code", "<H", "1 PCM, 3 float, 6 A-law, 7 mu-law"),
        ("channels", "<H", "1 mono, 2 stereo"),
        ("rate", "<I", "frames a second, in Hz"),
        ("byte rate", "<I", "bytes a second: rate × block align"),
        ("block align", "<H", "bytes a frame: channels × bytes a sample"),
        ("bits per sample", "<H", "8, 16, 24 or 32; 64 for some float files"),
        ("extension size", "<H", "how many bytes of this chunk follow"),
        ("valid bits", "<H", "bits that carry the sample, of those that hold it"),
        ("channel mask", "<I", "which loudspeakers, one bit each"),
        ("sub-format", "16s", "begins with the real format code, if that says 65534"),
    ],
    "fact": [("frames", "<I", "samples a channel")],
    "ds64": [
        ("RIFF size", "<Q", "bytes after byte 8"),
        ("data size", "<Q", "bytes in the data chunk"),
        ("frames", "<Q", "samples a channel"),
    ],
}


class WavError(ValueError):
    """A WAV file that cannot be read: what is wrong, where, and what to do about it.

    Parameters
    ----------
    path : str or path-like
        The file.
    problem : str
        What is wrong with it.
    byte : int or None
        Where, counted from 0, if it has a place.
    remedy : str
        What to do about it, as a sentence.

    Examples
    --------
    >>> print(WavError("7_theo_3.wav", "the file ends early", 1244, "Copy the file again."))
    7_theo_3.wav: the file ends early (byte 1,244). Copy the file again.
    """

    def __init__(self, path: Name, problem: str, byte: int | None, remedy: str) -> None:
        super().__init__(path, problem, byte, remedy)  # as args, so that it can be pickled
        self.path, self.problem, self.byte, self.remedy = self.args

    def __str__(self) -> str:
        """Return all of it as one line."""
        place = "" if self.byte is None else f" (byte {self.byte:,})"
        return printable(f"{self.path}: {self.problem}{place}. {self.remedy}")


@dataclass(frozen=True)
class Chunk:
    """One chunk of a file.

    Parameters
    ----------
    id : str
        Its name, four letters, such as ``"fmt "``.
    offset : int
        The byte at which its name begins.
    size : int
        How many bytes it promises, after its name and size.
    meaning : str
        What such a chunk is for.
    """

    id: str
    offset: int
    size: int
    meaning: str

    @property
    def start(self) -> int:
        """The byte at which its content begins."""
        return self.offset + 8

    @property
    def end(self) -> int:
        """The byte at which the next chunk should begin: sizes are padded to even ones."""
        return self.start + self.size + self.size % 2


@dataclass(frozen=True)
class WavFormat:
    """What the headers of a WAV file say.

    Parameters
    ----------
    code : int
        The format code; 65534 is extensible.
    channels, rate, byte_rate, block_align, bits_per_sample : int
        As stored: rate in Hz, byte rate in bytes a second, block align in bytes a frame.
    valid_bits, channel_mask, sub_format : int or None
        Of the extensible format only.
    data_offset, data_size : int
        Where the samples begin, and how many bytes of them there are.
    unfinished : bool
        Whether the program that wrote the file never filled in the size of the samples, so that
        `check` counted them up to the end of the file, or up to the chunks behind them.
    """

    code: int
    channels: int
    rate: int
    byte_rate: int
    block_align: int
    bits_per_sample: int
    valid_bits: int | None
    channel_mask: int | None
    sub_format: int | None
    data_offset: int
    data_size: int
    unfinished: bool = False

    @property
    def codec(self) -> int:
        """The number that says how samples are coded: the sub-format if there is one."""
        return self.code if self.sub_format is None else self.sub_format

    @property
    def name(self) -> str:
        """The name of the codec."""
        return CODECS.get(self.codec, f"unknown codec 0x{self.codec:04X}")

    @property
    def n_frames(self) -> int | None:
        """How many frames there are; None in a compressed file, where only decoding tells."""
        if self.codec in (PCM, FLOAT, A_LAW, MU_LAW) and self.block_align:
            return self.data_size // self.block_align
        return None

    @property
    def duration(self) -> float | None:
        """Seconds; None where the number of frames is, or the rate is 0."""
        return self.n_frames / self.rate if self.rate and self.n_frames is not None else None


class Field(NamedTuple):
    """One row of the table that `describe` prints."""

    offset: int  # in bytes, from the start of the file
    size: int  # in bytes
    raw: bytes  # the first bytes, 16 at most
    name: str  # as the format's description calls it
    value: object  # a number or a text
    meaning: str  # in words


def chunks(path: Name) -> list[Chunk]:
    """List the chunks of a WAV file, in the order of the file.

    Unknown chunks are kept. What follows the samples and looks like no chunk is left out.

    Parameters
    ----------
    path : str or path-like
        A RIFF or RF64 WAV file.

    Returns
    -------
    list of Chunk
        Sizes are what the file promises; `check` compares them with what is there.

    Raises
    ------
    WavError
        If this is no WAV file, or it ends before its samples.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/click.wav", [0.0, 0.5], 8000)
    ...     for chunk in chunks(f"{folder}/click.wav"):
    ...         print(chunk)
    Chunk(id='fmt ', offset=12, size=16, meaning='how the samples are coded')
    Chunk(id='data', offset=36, size=4, meaning='the samples')
    """
    with _open(path) as file:
        return _walk(path, file)


def wav_format(path: Name) -> WavFormat:
    """Read what the headers say about the samples.

    Parameters
    ----------
    path : str or path-like
        A RIFF or RF64 WAV file.

    Returns
    -------
    WavFormat
        As stored, believable or not; `check` judges it.

    Raises
    ------
    WavError
        If this is no WAV file, or its ``fmt`` or ``data`` chunk is missing or out of order.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/click.wav", [0.0, 0.5], 8000)
    ...     wav = wav_format(f"{folder}/click.wav")
    >>> wav.name, wav.bits_per_sample, wav.channels, wav.rate, wav.n_frames, wav.duration
    ('PCM', 16, 1, 8000, 2, 0.00025)
    """
    with _open(path) as file:
        return _format(path, file, *_fmt_and_data(path, _walk(path, file)))


def check(path: Name) -> WavFormat:
    """Raise an error for anything in the headers that keeps the samples from being trusted.

    Faults of real recorders are forgiven where no sample is lost: a wrong size in the first twelve
    bytes, a chunk that is not padded to an even size, and a size of the samples that was never
    filled in (0, 0x7FFFF000, 0xFFFFFFFF or the like): these samples reach to the end of the file,
    or to the chunks of texts and tags behind them.

    Parameters
    ----------
    path : str or path-like
        A RIFF or RF64 WAV file.

    Returns
    -------
    WavFormat
        What the headers say, now known to be true, with the size of the samples that are there.

    Raises
    ------
    WavError
        The first fault found: what, at which byte, and what to do.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check(folder)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    digitlab.riff.WavError: ...: this is a folder. Name one file in it.
    """
    with _open(path) as file:
        found = _walk(path, file)
        fmt, data = _fmt_and_data(path, found)
        wav = _format(path, file, fmt, data)
        file_size = _size(file)
        unfinished = _is_unfinished(data, found[-1], file_size)
        end = _end_of_samples(file, data.start) if unfinished else file_size
    _check_format(path, wav, fmt.start)
    if unfinished:
        available = end - data.start
        whole = available - available % (wav.block_align or 1)
        wav = replace(wav, data_size=whole, unfinished=True)
    _check_data(path, wav, file_size - data.start)
    return wav


def plain_header(header: bytes) -> tuple[int, int] | None:
    """Recognise the header of the plainest WAV files, many times faster than `check`.

    Parameters
    ----------
    header : bytes
        The first 44 bytes of a file.

    Returns
    -------
    tuple of int, or None
        The rate in Hz and the size of the samples in bytes, if this is a good header of 16-bit mono
        PCM that ends where the samples begin. `check` accepts such a file if it is that long.
    """
    if len(header) < PLAIN_HEADER.size:
        return None
    found = PLAIN_HEADER.unpack(header)
    riff_size, rate, size = found[1], found[6], found[11]
    plain = (b"RIFF", riff_size, b"WAVEfmt ", 16, PCM, 1, rate, 2 * rate, 2, 16, b"data", size)
    good = found == plain and 0 < rate <= MAX_RATE and size > 0 and size % 2 == 0
    return (rate, size) if good else None


def rebuilt(path: Name) -> bytes:
    """Return the file as a strict reader wants it: the fmt and data chunks with true sizes.

    Parameters
    ----------
    path : str or path-like
        What `check` accepts.

    Returns
    -------
    bytes
        A WAV file for readers that rely on every size.
    """
    wav = check(path)
    with _open(path) as file:
        fmt, _ = _fmt_and_data(path, _walk(path, file))
        coding = _bytes(file, fmt.start, fmt.size)
        samples = _bytes(file, wav.data_offset, wav.data_size)
    coding, samples = _packed(b"fmt ", coding), _packed(b"data", samples)
    return _packed(b"RIFF", b"WAVE" + coding + samples)


def fields(path: Name) -> list[Field]:
    """List every field of the headers: where it is, what it holds and what it means.

    Parameters
    ----------
    path : str or path-like
        A RIFF or RF64 WAV file.

    Returns
    -------
    list of Field
        Rows ``(offset, size, raw, name, value, meaning)``, fit for a table. A content that is
        not taken further apart, such as the samples, is one row.

    Raises
    ------
    WavError
        If this is no WAV file, or it ends before its samples.

    See Also
    --------
    describe : The same as text, with an example.
    """
    with _open(path) as file:
        found = _walk(path, file)
        rows = [
            _field(file, 0, "id", "4s", "a file of chunks"),
            _field(file, 4, "size", "<I", "bytes after this field, in all chunks"),
            _field(file, 8, "form", "4s", "the chunks hold a sound"),
        ]
        ends = [*(chunk.offset for chunk in found[1:]), _size(file)]
        for chunk, end in zip(found, ends, strict=False):  # a cut file has no chunks
            rows += _chunk_fields(file, chunk, min(chunk.end, end))
    return rows


def describe(path: Name) -> str:
    """Return `fields` as a text to print.

    Parameters
    ----------
    path : str or path-like
        A RIFF or RF64 WAV file.

    Returns
    -------
    str
        For each field: its first byte, its size in bytes, its first bytes in hexadecimal, its
        name, its value and its meaning, which goes on below where a line would grow longer than
        75 characters.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/click.wav", [0.0, 0.5], 8000)
    ...     table = describe(f"{folder}/click.wav")
    >>> for line in table.splitlines()[12:14]:
    ...     print(line)
        24     4 40 1f 00 00   rate            8000     frames a second, in Hz
        28     4 80 3e 00 00   byte rate       16000    bytes a second: rate ×
    """
    lines: list[tuple[object, ...]] = [("byte", "size", "in hex", "field", "value", "meaning")]
    for row in fields(path):
        dots = " …" if row.size > 4 else ""
        first_bytes = row.raw[:4].hex(" ") + dots
        meaning = textwrap.wrap(row.meaning, 75 - 52)
        if len(str(row.value)) > 8:
            meaning.insert(0, "")  # below
        text = f"\n{'':52}".join(meaning)
        lines.append((row.offset, row.size, first_bytes, row.name, row.value, text))
    return "\n".join("{:>6} {:>5} {:13} {:15} {!s:8} {}".format(*line) for line in lines)


@contextmanager
def _open(path: Name) -> Iterator[BinaryIO]:
    """Open a file to read; whatever the disk reports becomes a WavError."""
    if isinstance(path, io.BytesIO):  # a file in memory
        yield path
        return
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            problem = "this is no file but a pipe, a socket or a device"
            raise WavError(path, problem, None, "Save the sound to a file first.")
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        if os.path.isdir(path):
            problem, remedy = "this is a folder", "Name one file in it."
        elif isinstance(error, PermissionError):
            problem, remedy = "you may not read this file", "Change its permissions."
        elif not os.path.exists(path):
            problem, remedy = "there is no such file", "Check the name and the folder."
        else:
            problem, remedy = error.strerror or str(error), "Try again, then check the disk."
        raise WavError(path, problem, None, remedy) from error


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _walk(path, file):
    """List the chunks of an open file."""
    _check_first_bytes(path, _bytes(file, 0, 64))
    file_size = _size(file)
    data_size, position = UNKNOWN_SIZE, 12
    found: list[Chunk] = []
    while position < file_size:
        header = _bytes(file, position, 8)
        if not re.fullmatch(rb"[ -~]{4}.{4}", header, re.DOTALL):
            if any(chunk.id == "data" for chunk in found):
                break
            problem = "the file ends inside the header of a chunk"
            if len(header) == 8:
                problem = "a chunk should begin here and none does"
            raise WavError(path, problem, position, FETCH_AGAIN)
        name, size = header[:4].decode(), int.from_bytes(header[4:], "little")
        if name == "ds64":
            data_size = int.from_bytes(file.read(16)[8:], "little")
        if name == "data" and size == UNKNOWN_SIZE:
            size = data_size
        found.append(Chunk(name, position, size, MEANINGS.get(name, "unknown; readers skip it")))
        position = _next(file, found[-1])
    return found


def _next(file, chunk):
    """Return where the next chunk begins: one byte early if the program wrote no padding."""
    if chunk.size % 2 and chunk.end < _size(file):
        near = _bytes(file, chunk.end - 1, 5).decode("latin-1")
        early, due = near[:4], near[1:]
        if (early in MEANINGS, early.isprintable()) > (due in MEANINGS, due.isprintable()):
            return chunk.end - 1
    return chunk.end


def _is_unfinished(data, last, file_size):
    """Tell whether a recorder left a placeholder for the size of its data chunk.

    Placeholders are 0, if no other chunk follows, or lie just below 2 GiB, 4 GiB or 2**64 bytes.
    """
    available = file_size - data.start
    if data.size == 0:
        return available > 0 and (last == data or last.start + last.size > file_size)
    return data.size > available and any(
        0 <= limit - data.size <= PLACEHOLDERS for limit in (2**31, 2**32, 2**64)
    )


def _end_of_samples(file, start):
    """Return where samples of unknown size end: at known chunks that reach to the file's end."""
    file_size = _size(file)
    start = max(start, file_size - TAIL)
    tail = _bytes(file, start, TAIL)
    names = "|".join(set(MEANINGS) - {"fmt ", "data", "ds64"}).encode()
    ends = {len(tail)}
    for match in reversed(list(re.finditer(names, tail, re.IGNORECASE))):
        size = int.from_bytes(tail[match.end() : match.end() + 4], "little")
        if ends & {match.end() + 4 + size, match.end() + 4 + size + size % 2}:
            ends.add(match.start())
    return start + min(ends)


def _check_first_bytes(path, head):
    if not head:
        raise WavError(path, "the file is empty", 0, RECORD_AGAIN)
    if head[:4] in (b"RIFF"[: len(head)], b"RF64"):
        if len(head) < 12:
            raise WavError(path, "the file ends inside its header", len(head), RECORD_AGAIN)
        if head[8:12] != b"WAVE":
            problem = f"a RIFF file, yet not of the form WAVE but {head[8:12]!r}"
            raise WavError(path, problem, 8, CONVERT if head[8:11] == b"AVI" else CHECK_NAME)
        return
    for pattern, kind, remedy in IMPOSTORS:
        if re.match(pattern, head, re.DOTALL):
            raise WavError(path, f"this is no WAV file but {kind}", 0, remedy)
    problem = f"this is no WAV file: it begins with {head[:4]!r}, not with b'RIFF'"
    raise WavError(path, problem, 0, CHECK_NAME)


def _fmt_and_data(path, found):
    first = {chunk.id: chunk for chunk in reversed(found)}
    for name, purpose in [("fmt ", "says how samples are coded"), ("data", "holds the samples")]:
        if name not in first:
            problem = f"there is no {name.strip()} chunk, which {purpose}"
            raise WavError(path, problem, None, FETCH_AGAIN)
    if first["data"].offset < first["fmt "].offset:
        problem = "the data chunk comes before the fmt chunk"
        raise WavError(path, problem, first["data"].offset, EXPORT_AGAIN)
    return first["fmt "], first["data"]


def _format(path, file, fmt, data):
    content = _bytes(file, fmt.start, min(fmt.size, 40))
    needed = 40 if content[:2] == b"\xfe\xff" else 16
    if len(content) < needed:
        problem = f"the fmt chunk holds {len(content)} bytes where it needs {needed}"
        raise WavError(path, problem, fmt.start, EXPORT_AGAIN)
    extension = struct.unpack_from("<HIH", content, 18) if needed == 40 else (None,) * 3
    values = (*struct.unpack_from("<HHIIHH", content), *extension, data.start, data.size)
    return WavFormat(*values)


def _check_format(path, wav, start):
    """Judge the fmt chunk whose content begins at byte `start`."""
    if wav.channels == 0:
        raise WavError(path, "the fmt chunk says 0 channels", start + 2, EXPORT_AGAIN)
    if not 0 < wav.rate <= MAX_RATE:
        problem = f"the fmt chunk says a rate of {wav.rate:,} Hz"
        raise WavError(path, problem, start + 4, EXPORT_AGAIN)
    expected = wav.channels * -(-wav.bits_per_sample // 8)
    if wav.codec in (PCM, FLOAT, A_LAW, MU_LAW) and wav.block_align != expected:
        problem = (
            f"the fmt chunk says {wav.block_align:,} bytes a frame, yet {wav.channels:,} "
            f"× {wav.bits_per_sample} bits take {expected:,}"
        )
        raise WavError(path, problem, start + 12, EXPORT_AGAIN)


def _check_data(path, wav, available):
    """Judge the data chunk, of whose bytes `available` are there."""
    if wav.data_size == 0:
        raise WavError(path, "the file holds no samples", wav.data_offset, RECORD_AGAIN)
    if wav.data_size > available:
        problem = f"the data chunk promises {wav.data_size:,} bytes and {available:,} are there"
        raise WavError(path, problem, wav.data_offset, FETCH_AGAIN)
    if wav.n_frames is not None and wav.data_size % wav.block_align:
        problem = (
            f"the data chunk's {wav.data_size:,} bytes are not a whole number of frames "
            f"of {wav.block_align:,} bytes"
        )
        raise WavError(path, problem, wav.data_offset, CONVERT)


def _chunk_fields(file, chunk, whole):
    """Take apart what is there of a chunk up to byte `whole`, which may be less than promised."""
    yield _field(file, chunk.offset, "id", "4s", chunk.meaning)
    yield _field(file, chunk.offset + 4, "size", "<I", "bytes in this chunk after this field")
    position, end = chunk.start, min(chunk.start + chunk.size, _size(file))
    for name, code, meaning in FIELDS.get(chunk.id, []):
        if position + struct.calcsize(code) <= end:
            yield _field(file, position, name, code, meaning)
            position += struct.calcsize(code)
    if position < end:
        raw = _bytes(file, position, min(end - position, 16))
        yield Field(position, end - position, raw, "content", "", chunk.meaning)
    if end < whole:
        yield Field(end, 1, _bytes(file, end, 1), "padding", "", "makes the size even")


def _field(file, offset, name, code, meaning):
    raw = _bytes(file, offset, struct.calcsize(code))
    value = uuid.UUID(bytes_le=raw) if code == "16s" else struct.unpack(code, raw)[0]
    if isinstance(value, bytes):
        value = value.decode("ascii")
    return Field(offset, len(raw), raw, name, value, meaning)


def _packed(name, content):
    size = min(len(content), UNKNOWN_SIZE)
    return struct.pack("<4sI", name, size) + content + b"\0" * (size % 2)


def _bytes(file, offset, size):
    file.seek(offset)
    return file.read(size)
