"""The service: what is posted is read, prepared, answered in batches, counted and kept."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np

import digitlab
from digitlab import audio
from digitlab.environment import require
from digitlab.monitoring import Drift
from digitlab.recognisers import Recogniser
from digitlab.serving import page
from digitlab.serving.answers import AnswerLog, read_answers
from digitlab.serving.batches import Batcher
from digitlab.serving.limits import Limits
from digitlab.serving.metrics import Metrics
from digitlab.serving.recordings import Heard, Refused, hear, read_body

require("fastapi", extra="serve")

from fastapi import FastAPI, Request  # noqa: E402
from fastapi.responses import (  # noqa: E402
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from pydantic import BaseModel  # noqa: E402
from starlette.requests import ClientDisconnect  # noqa: E402

logger = logging.getLogger("digitlab.serving")
GONE = 499  # what nginx calls a client that did not wait
LINGER_S, LINGER_BYTES = 1.0, 50_000_000
N_DECODERS = 2  # threads: decoding and resampling free Python's lock
DESCRIPTION = "Post a recording, and read which digit is spoken in it."


class Reply(BaseModel):
    """An answer, as JSON."""

    id: str
    time: str
    label: str
    probabilities: dict[str, float]
    done: list[str]
    model: str
    sha256: str


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    detail: str


class Health(BaseModel):
    """What is running."""

    ready: bool
    model: str
    sha256: str
    since: str
    digitlab: str


PROBLEMS: dict[int | str, dict] = {
    400: {"model": Problem, "description": "No WAV file, or a damaged one: what is wrong."},
    408: {"model": Problem, "description": "The file came too slowly."},
    413: {"model": Problem, "description": "The file is too large, or the recording too long."},
    503: {"model": Problem, "description": "Too many wait: try again after Retry-After seconds."},
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Refusal(JSONResponse):
    """Tell why there is no answer, then throw away what the client still sends.

    A client that reads only when it has sent everything would find a broken connection instead. It
    is waited for a second at most.
    """

    def __init__(self, status: int, detail: str, is_read: bool) -> None:
        headers = {"Retry-After": "1"} if status == 503 else {}
        headers |= {} if is_read else {"Connection": "close"}
        super().__init__({"detail": detail}, status, headers)
        self.is_read = is_read

    async def __call__(self, scope, receive, send) -> None:
        """Send it, and linger."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        n_bytes = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self.is_read and n_bytes < LINGER_BYTES:
                    message = await receive()
                    n_bytes += len(message.get("body", b""))
                    self.is_read = not message.get("more_body", False)
        await send({"type": "http.response.body", "body": b""})


def app(
    recogniser: Recogniser,
    digest: str,
    *,
    answers: Path | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Make a service of a recogniser.

    Parameters
    ----------
    recogniser : Recogniser
        What answers.
    digest : str
        SHA-256 of its file, by which every answer names it: :func:`digitlab.environment.sha256`.
    answers : pathlib.Path, optional
        Keeps a line of JSON for each answer; it may be there already.
    limits : Limits, optional
        How much it takes.

    Returns
    -------
    fastapi.FastAPI
        With ``POST /predict``, ``GET /health``, ``GET /metrics`` and a page, ``GET /docs``. Run it
        with `started` or `run`.

    Raises
    ------
    OSError
        If `answers` cannot be written.

    Notes
    -----
    The reference of ``digitlab_drift_index`` are the first 500 answers of this very model: those in
    `answers`, if there are any. Taught in chapter 17.

    Examples
    --------
    >>> from digitlab import pretrained
    >>> service = app(pretrained.load(), "the digest")
    >>> sorted(service.openapi()["paths"])
    ['/health', '/metrics', '/predict']
    """
    service = _Service(recogniser, digest, answers, limits or Limits())
    application = FastAPI(
        title="Digits",
        description=DESCRIPTION,
        version=digitlab.__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=service.running,
    )
    application.post(
        "/predict",
        responses=PROBLEMS,
        response_model=Reply,
        response_description="The answer.",
        openapi_extra=BODY,
    )(service.predict)
    application.get("/health", response_description="What is running.")(service.health)
    application.get(
        "/metrics", response_class=PlainTextResponse, response_description="A line a number."
    )(service.text_of_metrics)
    html = page.page(application.openapi())
    for path in ("/", "/docs"):
        application.get(path, include_in_schema=False)(
            lambda: HTMLResponse(html, headers=page.HEADERS)
        )
    application.get("/docs.js", include_in_schema=False)(
        lambda: Response(page.SCRIPT, media_type="text/javascript")
    )
    return application


class _Service:
    """What the routes share."""

    def __init__(
        self, recogniser: Recogniser, digest: str, answers: Path | None, limits: Limits
    ) -> None:
        self.recogniser, self.limits = recogniser, limits
        self.model = {"model": f"{recogniser.recipe} ({recogniser.framework})", "sha256": digest}
        self.since = _now()
        self.metrics = Metrics(recogniser.classes)
        self.drift = Drift(limits.n_drift)
        self.metrics.drift_limit.set(self.drift.limit)
        self.batcher = Batcher(self.answer_all, limits.batch_size)
        self.log = AnswerLog(answers) if answers else None
        if answers:
            self.take_up(answers)
        self.n_in_progress = 0
        self.metrics.in_progress.set_function(lambda: self.n_in_progress)
        self.metrics.waiting.set_function(lambda: self.batcher.n_waiting)
        self.recogniser.probabilities(self.hear(_warm_up())[0][np.newaxis])  # its imports are slow

    def take_up(self, answers: Path) -> None:
        """Go on from the answers of this model that were kept before."""
        for answer in read_answers(answers):
            if answer.get("sha256") == self.model["sha256"]:
                with suppress(LookupError, TypeError, ValueError, AttributeError):  # not ours
                    self.drift.add(float(max(answer["probabilities"].values())))
        self.metrics.drift.set(self.drift.index())

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(N_DECODERS, "decoders") as self.decoders:
            async with self.batcher:
                yield
        if self.log:
            self.log.close()

    async def predict(self, request: Request) -> Response:
        """Say which digit is spoken in a WAV file, which is the body of the request.

        Any rate and number of channels will do. The file is not kept.
        """
        start = time.perf_counter()
        response: Response
        try:
            response = JSONResponse(await self.reply(request))
            self.metrics.latencies.observe(time.perf_counter() - start)
        except Refused as refused:
            is_read = getattr(request.state, "is_read", False)
            response = Refusal(refused.status, refused.detail, is_read)
        except ClientDisconnect:
            response = Response(status_code=GONE)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            logger.error("%r in %s, line %s", error, Path(place.filename).name, place.lineno)
            response = Refusal(500, "something is wrong with the service, not with you.", True)
        self.metrics.requests.labels(response.status_code).inc()
        return response

    async def reply(self, request: Request) -> dict:
        """Return the answer to what is posted, or raise why there is none."""
        if self.n_in_progress >= self.limits.n_waiting:
            raise Refused(503, "too many recordings wait. Try again in a second.")
        self.n_in_progress += 1
        try:
            content = await read_body(request, self.limits)
            loop = asyncio.get_running_loop()
            heard = await loop.run_in_executor(self.decoders, self.hear, content)
            return await self.batcher.answer(heard)
        finally:
            self.n_in_progress -= 1

    def hear(self, content: bytes) -> Heard:
        return hear(content, self.recogniser.preparation, self.limits)

    def answer_all(self, batch: Sequence[Heard]) -> list[dict]:
        """Answer recordings together, and keep the answers before anybody sees them."""
        rows = self.recogniser.probabilities(np.stack([heard.clip for heard in batch]))
        answers = [self.answer(heard, row) for heard, row in zip(batch, rows, strict=True)]
        if self.log:
            self.log.write(answers)
        self.metrics.batches.observe(len(batch))
        for heard, row, answer in zip(batch, rows, answers, strict=True):
            self.measure(heard, float(row.max()), answer["label"])
        self.metrics.drift.set(self.drift.index())
        return answers

    def answer(self, heard: Heard, probabilities: np.ndarray) -> dict:
        shares = [round(share, 6) for share in probabilities.tolist()]
        return {
            "id": uuid4().hex,
            "time": _now(),
            "label": self.recogniser.label_of(probabilities),
            "probabilities": dict(zip(self.recogniser.classes, shares, strict=True)),
            "done": list(heard.done),
            **self.model,
        }

    def measure(self, heard: Heard, confidence: float, label: str) -> None:
        self.drift.add(confidence)
        self.metrics.answers.labels(label).inc()
        self.metrics.confidences.observe(confidence)
        self.metrics.levels.observe(heard.level_db)
        if heard.signal_to_noise_db is not None:
            self.metrics.ratios.observe(heard.signal_to_noise_db)

    async def health(self) -> Health:
        """Say which model answers, and since when."""
        about = {"since": self.since, "digitlab": digitlab.__version__}
        return Health(ready=self.batcher.is_running, **self.model, **about)

    async def text_of_metrics(self) -> str:
        """Return what was counted and measured, for Prometheus."""
        return self.metrics.text()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _warm_up() -> bytes:
    tone = 0.5 * np.sin(np.arange(4000) / 5)
    return audio.wav_bytes("a tone", tone, 8000)
