"""What is posted: read within limits, decoded, judged, prepared and measured."""

import asyncio
from typing import NamedTuple

import numpy as np

from digitlab import audio, riff, speech_measures
from digitlab.environment import require
from digitlab.preparation import Preparation, mix_down, prepare
from digitlab.riff import WavError
from digitlab.serving.limits import Limits

require("fastapi", extra="serve")

from fastapi import Request  # noqa: E402

DECODED = (riff.PCM, riff.FLOAT, riff.A_LAW, riff.MU_LAW)  # whose header tells how long they are
LEAST_LEVEL_DB = -100.0  # of silence
POST_FILE = "Send the file itself as the body: curl --data-binary @FILE URL"


class Refused(Exception):
    """A request that is not answered: the status of HTTP, and why, with the remedy."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Heard(NamedTuple):
    """A recording that can be answered."""

    clip: np.ndarray  # as the recogniser takes it
    done: tuple[str, ...]  # what was changed
    level_db: float  # RMS, re full scale
    signal_to_noise_db: float | None  # None for silence


async def read_body(request: Request, limits: Limits) -> bytes:
    """Read what is posted, no further than the limit, whatever its header says.

    Parameters
    ----------
    request : fastapi.Request
        Its body comes in pieces.
    limits : Limits
        How much is taken, and how long it may take.

    Returns
    -------
    bytes
        The whole body.

    Raises
    ------
    Refused
        If it is too large, too slow, or a form.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise Refused(400, f"this is a form. {POST_FILE}")
    too_large = Refused(
        413,
        f"the file is larger than {limits.n_bytes:,} bytes. Cut it to the word, or save it with "
        "one channel and 16 bits.",
    )
    announced = request.headers.get("content-length", "0")
    if len(announced) > 15 or int(announced) > limits.n_bytes:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(limits.upload_s):
            async for piece in request.stream():
                content += piece
                if len(content) > limits.n_bytes:
                    raise too_large
            request.state.is_read = True
    except TimeoutError as error:
        raise Refused(
            408,
            f"the file did not arrive within {limits.upload_s:g} s. Send a smaller one, or try "
            "again over a faster network.",
        ) from error
    return bytes(content)


def hear(content: bytes, preparation: Preparation, limits: Limits) -> Heard:
    """Decode a WAV file and prepare it for a recogniser.

    Parameters
    ----------
    content : bytes
        The file.
    preparation : Preparation
        What the recogniser takes.
    limits : Limits
        How long it may be.

    Returns
    -------
    Heard
        The clip, with measures of the recording.

    Raises
    ------
    Refused
        If it is no WAV file, is damaged, compressed or too long, or holds no sound.

    Examples
    --------
    >>> content = audio.wav_bytes("a tone", np.sin(np.arange(4000) / 5) / 2, 8000)
    >>> heard = hear(content, Preparation(rate=8000, n_samples=8192), Limits())
    >>> heard.clip.shape, round(heard.level_db, 1)
    ((8192,), -9.0)
    """
    try:
        refuse_length(riff.check(audio.InMemory(content)), preparation, limits)
        samples, rate, remarks = audio.decode_wav(content)
        prepared = prepare(samples, rate, preparation)
    except WavError as error:
        raise Refused(400, str(error)) from error
    except ValueError as error:
        raise Refused(400, f"the recording: {error}") from error
    mono, _ = mix_down(samples)
    is_silent = not mono.any()
    level = LEAST_LEVEL_DB if is_silent else 20 * np.log10(audio.rms(mono))
    ratio = None if is_silent else max(-speech_measures.noise_db(mono, rate), 0.0)
    return Heard(prepared.samples, remarks + prepared.describe(), float(level), ratio)


def refuse_length(wav: riff.WavFormat, preparation: Preparation, limits: Limits) -> None:
    """Refuse a recording by its header, before its samples are decoded.

    Parameters
    ----------
    wav : riff.WavFormat
        What the header says.
    preparation : Preparation
        What the recogniser takes.
    limits : Limits
        How long it may be.

    Raises
    ------
    WavError
        If it is compressed: how long it is, only decoding would tell. Or if it is no sample long.
    Refused
        If it is too long.
    """
    if wav.codec not in DECODED or wav.duration is None:
        problem = f"its samples are compressed ({wav.name})"
        raise WavError("the recording", problem, None, riff.CONVERT)
    if wav.duration * preparation.rate < 1:
        problem = f"it is only {1e6 * wav.duration:.3g} \u00b5s long"
        raise WavError("the recording", problem, None, "Record it again.")
    if wav.duration > limits.seconds:
        raise Refused(
            413,
            f"the recording is {wav.duration:,.1f} s long, and at most {limits.seconds:g} s are "
            "taken. Cut it to the word.",
        )
