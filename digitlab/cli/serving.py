"""The command ``digitlab serve``: a recogniser as an HTTP service."""

import ipaddress
import signal
import sys
from pathlib import Path

import click

from digitlab.cli.shared import MODEL, echo, the_recogniser
from digitlab.environment import wrapped


@click.command()
@MODEL
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="0 takes one that is free.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    help="Add a line of JSON to this file for each answer, before it is sent.",
)
def serve(model: Path | None, host: str, port: int, answers: Path | None) -> None:
    """Answer recordings over HTTP: POST a WAV file to /predict, and read JSON.

    /docs in a browser describes it, /health says which model answers, and /metrics counts, for
    Prometheus. Ctrl-C stops it. It has no password.
    """
    from digitlab import pretrained, serving
    from digitlab.environment import sha256

    recogniser, digest = the_recogniser(model), sha256(model or pretrained.FILE)
    application = serving.app(recogniser, digest, answers=answers)
    listener = serving.listen(host, port)
    echo(_first_line(*listener.getsockname()[:2]))
    echo(f"It answers with {recogniser.recipe}, SHA-256 {digest}.")
    sys.stdout.flush()
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again in the end
        signal.signal(number, lambda *_: sys.exit(0))
    serving.run(application, listener)


def _first_line(address: str, port: int) -> str:
    """Say where it listens, and who can reach it."""
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    if ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        return f"Listening on {url}, which only this machine can reach. Ctrl-C stops it."
    return wrapped(
        f"Listening on {url}: anybody on that network can send recordings, and there is no "
        "password and no encryption. Ctrl-C stops it."
    )
