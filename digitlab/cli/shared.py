"""What commands share: an option, plain messages, and the model that is asked."""

import traceback
from pathlib import Path

import click

from digitlab.environment import printable

MODEL = click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="What `digitlab run --save` kept; the model that comes with digitlab, if left out.",
)


def echo(text: object) -> None:
    """Print a text, or what of it the terminal can show."""
    click.echo(printable(str(text)))


def the_recogniser(model: Path | None):
    """Return the recogniser of a file; without one, that of the package."""
    from digitlab import pretrained, recognisers

    return recognisers.load(model) if model else pretrained.load()


class PlainGroup(click.Group):
    """Commands whose errors are one plain message, without a traceback."""

    def invoke(self, context: click.Context):
        """Run a command; what goes wrong in it ends it with the exit status 1."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows what to do with them
        except Exception as error:
            raise click.ClickException(printable(plain(error))) from error


def plain(error: Exception) -> str:
    """Return what an error says; where nobody foresaw it, where it arose, too."""
    from digitlab.corpora import CorpusError
    from digitlab.microphone import MicrophoneError

    foreseen = (CorpusError, MicrophoneError, ValueError, ImportError, OSError, FloatingPointError)
    if isinstance(error, foreseen):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"this should not have happened ({type(error).__name__}: {error}, in "
        f"{Path(place.filename).name}, line {place.lineno}): please report it, with what you did"
    )
