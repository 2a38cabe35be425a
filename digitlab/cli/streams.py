"""The commands that listen on: detect, and listen --continuous."""

from pathlib import Path

import click

from digitlab.cli.shared import MODEL, echo, the_recogniser

THRESHOLD = click.option(
    "--threshold",
    type=click.FloatRange(min=0, max=1),
    help="The least probability that is reported.",
)


@click.command()
@MODEL
@THRESHOLD
@click.argument("file", type=click.Path(path_type=Path))
def detect(model, threshold, file) -> None:
    """Report each digit in a long WAV FILE: from when to when, which, and how probable it is.

    The file is listened to block by block, as a microphone is by `digitlab listen --continuous`.
    """
    from digitlab import streaming

    blocks, rate = streaming.read_blocks(file)
    listener = _listener(the_recogniser(model), rate, threshold)
    n_found = 0
    for block in blocks:
        n_found += _print(listener.feed(block))
    n_found += _print(listener.finish())
    echo(f"{_digits(n_found)} in {listener.seconds:.1f} s")


def listen_on(recogniser, threshold: float | None) -> None:
    """Listen to the microphone until Ctrl-C, and print a line for each digit."""
    from digitlab import microphone

    n_found = n_lost = 0
    with microphone.opened() as (blocks, rate):
        listener = _listener(recogniser, rate, threshold)
        echo("Listening; Ctrl-C ends it.")
        try:
            for block in blocks:
                if block.is_after_loss:
                    n_lost += 1
                    click.secho(f"{listener.seconds:8.2f} s  sound was lost", fg="yellow", err=True)
                n_found += _print(listener.feed(block.samples))
        except KeyboardInterrupt:
            echo("")
    echo(f"{_digits(n_found)} in {listener.seconds:.1f} s; sound was lost {n_lost} times")


def _listener(recogniser, rate: float, threshold: float | None):
    from digitlab.streaming import Listener, Settings

    settings = Settings() if threshold is None else Settings(threshold=threshold)
    return Listener(recogniser, rate, settings)


def _print(detections) -> int:
    """Print a line for each detection, and return how many there were."""
    for found in detections:
        when = f"{found.start:8.2f} to {found.end:.2f} s"
        echo(f"{when}  {found.label}  probability {found.probability:.2f}")
    return len(detections)


def _digits(number: int) -> str:
    return f"{number} digit" + "s" * (number != 1)
