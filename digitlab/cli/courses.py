"""The commands ``digitlab course ...``: a chapter's exercises become an assignment."""

import importlib
import sys
from pathlib import Path

import click

from digitlab import environment
from digitlab.cli.shared import echo

BOOK = Path("book")


@click.group()
def course() -> None:
    """Make assignments of the book's exercises."""


@course.command()
@click.argument("chapter", type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder for it.")
def make(chapter: int, out: Path) -> None:
    """Turn the exercises of a CHAPTER, named by its number, into an assignment.

    It writes a notebook for students, the source notebook for nbgrader, with solutions and hidden
    tests, and a rubric for what a person marks. It says how many of the exercises a machine marks.
    What you have changed in the files since is kept.
    """
    maker = _maker()
    for what, file in maker.make(chapter, out).items():
        echo(f"{what:8} {file}")
    echo(maker.summary(chapter))


def _maker():
    """Return the book's own module, which reads its chapters."""
    if not (BOOK / "course.py").is_file():
        raise ValueError(f"there is no file {BOOK / 'course.py'}: run this in the book's folder")
    for library in ("nbformat", "pybtex"):
        environment.require(library, "book")
    sys.path.insert(0, str(BOOK.absolute()))
    try:
        return importlib.import_module("course")
    finally:
        sys.path.remove(str(BOOK.absolute()))
