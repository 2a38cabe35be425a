"""The commands that say how well a model does for whom: card, compare."""

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from digitlab.cli.shared import MODEL, echo, the_recogniser


@click.command()
@MODEL
@click.argument("corpus")
def card(model: Path | None, corpus: str) -> None:
    """Print a model card in Markdown: how well a model does on a CORPUS, by speaker and accent.

    CORPUS is a name from `digitlab data list`, or a folder of recordings. Take recordings by people
    whom the model was not trained on.
    """
    from digitlab import corpora, model_cards, pretrained

    recogniser = the_recogniser(model)
    with redirect_stdout(sys.stderr):  # remarks on recordings are no part of the card
        recordings = corpora.load(corpus)
        text = model_cards.card(recogniser, recordings, file=model or pretrained.FILE)
    echo(text.rstrip())


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.argument("corpus")
@click.option(
    "--margin",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.02,
    show_default=True,
    help="The largest loss of accuracy that does not matter.",
)
def compare(old: Path, new: Path, corpus: str, margin: float) -> None:
    """Say whether the model in NEW may replace the one in OLD, as tested on a CORPUS.

    It may if it is shown to lose no more than the margin, over speakers and over clips. If not, the
    exit status is 1.
    """
    from digitlab import corpora, model_cards, recognisers

    models = recognisers.load(new), recognisers.load(old)
    verdict = model_cards.may_replace(*models, corpora.load(corpus), margin=margin)
    echo(f"New minus old, mean over speakers: {100 * verdict.difference:+.1f} points")
    for what in ("speaker", "clip"):
        low, high = getattr(verdict, f"{what}_interval")
        echo(f"95 % over {what}s: {100 * low:+.1f} to {100 * high:+.1f} points")
    if not verdict.is_shown:
        echo(f"Not shown to lose less than {100 * margin:g} points: keep {old}.")
        sys.exit(1)
    echo(f"It loses less than {100 * margin:g} points: {new} may replace {old}.")
