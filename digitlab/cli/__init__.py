"""The command line: ``digitlab data``, ``run``, ``predict``, ``card`` and others."""

import os

import click

from digitlab.cli.cards import card, compare
from digitlab.cli.checks import doctor
from digitlab.cli.courses import course
from digitlab.cli.datasets import data
from digitlab.cli.exports import export
from digitlab.cli.recordings import adapt, listen, predict
from digitlab.cli.runs import run
from digitlab.cli.serving import serve
from digitlab.cli.shared import PlainGroup
from digitlab.cli.streams import detect


@click.group(cls=PlainGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="digitlab")
def main() -> None:
    """Run the laboratory of Hearing Digits."""
    # Waiting threads that spin for long make PyTorch on Linux ten times slower on two busy cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


COMMANDS = (data, run, predict, listen, detect, adapt, card, compare, export, serve, course, doctor)
for command in COMMANDS:
    main.add_command(command)
