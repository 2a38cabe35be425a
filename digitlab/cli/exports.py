"""The command ``digitlab export``, which writes a model for other runtimes."""

from pathlib import Path

import click

from digitlab.cli.shared import MODEL, echo, the_recogniser


@click.command()
@MODEL
@click.option(
    "--to",
    type=click.Choice(["onnx", "keras", "torch"]),
    required=True,
    help="For ONNX Runtime (.onnx), Keras (.keras) or PyTorch (.pt2).",
)
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    help="The new file; by default the model's name, in this folder.",
)
def export(model: Path | None, to: str, save: Path | None) -> None:
    """Write a model as one file that needs no digitlab, and a card that describes it.

    The file holds features and network: samples go in, probabilities come out.
    """
    from digitlab import export as exporting

    recogniser = the_recogniser(model)
    name = model.stem if model else recogniser.recipe.lower()
    file = save or Path(f"{name}{exporting.FORMATS[to]}")
    exporting.write(recogniser, file, to)
    echo(f"{file} ({file.stat().st_size / 1000:,.0f} kB), described in {file}.md")
