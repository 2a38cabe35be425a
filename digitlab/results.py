"""The results that the book quotes: one row a run, with all that is needed to run it again."""

import csv
import io
import json
import os
from pathlib import Path

import pandas as pd

import digitlab
from digitlab.environment import refuse_unwritable
from digitlab.evaluation import COLUMNS, Report

PACKAGED = Path(digitlab.__file__).with_name("results.csv")  # where the package is installed alone
IN_THE_BOOK = Path(digitlab.__file__).parents[1] / "book" / "results.csv"
FILE = PACKAGED if PACKAGED.is_file() else IN_THE_BOOK


def load() -> pd.DataFrame:
    """Read the book's results, wherever it is read from.

    Returns
    -------
    pandas.DataFrame
        A row a run, with the columns of :meth:`digitlab.evaluation.Report.to_dict`.

    Raises
    ------
    FileNotFoundError
        If they were neither installed with the package nor lie beside it, in the book.

    Examples
    --------
    >>> results = load()
    >>> "K2" in set(results["recipe"])
    True
    """
    if not FILE.is_file():
        raise FileNotFoundError(
            f"{FILE} is missing: the results come with the package, so install digitlab again"
        )
    return pd.read_csv(FILE)


def append(report: Report, file: Path) -> None:
    """Add a report's runs to a CSV file, one row a run; the file is made if it is missing.

    Parameters
    ----------
    report : Report
        What :func:`digitlab.experiment.run` returned.
    file : pathlib.Path
        The book's ``results.csv``.

    Raises
    ------
    ValueError
        If the file has other columns, or the runs are of a changed recipe.
    OSError
        If it cannot be written: it then stays as it was.
    """
    if report.recipe.endswith("(changed)"):
        raise ValueError(f"{report.recipe}: {file} keeps runs of the book's own recipes only")
    refuse(file)
    rows = [row | {"versions": json.dumps(row["versions"])} for row in report.to_dicts()[:-1]]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=COLUMNS)
    with file.open("a+b") as out:
        size = out.seek(0, os.SEEK_END)
        if not size:
            writer.writeheader()
        elif _lacks_line_feed(out):
            lines.write("\r\n")
        writer.writerows(rows)
        try:
            out.write(lines.getvalue().encode())
            out.flush()
        except OSError:
            out.truncate(size)
            raise


def refuse(file: Path) -> None:
    """Refuse a file to which no row can be added, before any time is spent on a training.

    Parameters
    ----------
    file : pathlib.Path
        May be missing or empty.

    Raises
    ------
    ValueError
        If it has other columns, or a row that is not whole.
    OSError
        If it cannot be written.
    """
    refuse_unwritable(file)
    if not file.exists() or not file.stat().st_size:
        return
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        header, *rows = csv.reader(lines)
    if header != list(COLUMNS):
        raise ValueError(f"{file} has other columns than {', '.join(COLUMNS)}: move it away")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS) or not row[-1].endswith("}"):
            raise ValueError(f"{file} is damaged: row {number} is not whole. Mend or remove it")


def _lacks_line_feed(out) -> bool:
    out.seek(-1, os.SEEK_END)
    return out.read(1) != b"\n"
