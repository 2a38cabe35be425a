"""The results that the book quotes: one row a run, with all that is needed to run it again."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from filelock import FileLock

import digitlab
from digitlab import evaluation, provenance
from digitlab.environment import refuse_unwritable, replacing
from digitlab.evaluation import Report

PACKAGED = Path(digitlab.__file__).with_name("results.csv")  # where the package is installed alone
IN_THE_BOOK = Path(digitlab.__file__).parents[1] / "book" / "results.csv"
FILE = PACKAGED if PACKAGED.is_file() else IN_THE_BOOK
COLUMNS = (*evaluation.COLUMNS, "settings", "fingerprint")
KEY = (
    "recipe", "framework", "corpus", "test_corpus", "split", "fold", "scale", "seed", "n_speakers",
    "device",
)  # fmt: skip
JSON = ("confusion", "versions", "fingerprint")


def load() -> pd.DataFrame:
    """Read the book's results, wherever it is read from.

    Returns
    -------
    pandas.DataFrame
        A row a run, with the columns of :meth:`digitlab.evaluation.Report.to_dict`, and with
        ``settings`` and ``fingerprint`` of :func:`digitlab.provenance.of`. ``confusion``,
        ``fingerprint`` and ``versions`` are JSON.

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
    return pd.read_csv(FILE, keep_default_na=True, dtype={"fold": str})


def adaptation() -> pd.DataFrame:
    """Read what adaptation to a speaker gained, as ``benchmarks/adaptation.py`` measured it.

    Returns
    -------
    pandas.DataFrame
        A row for each speaker, way and number of takes: ``accuracy`` on the speaker's other clips,
        and ``accuracy_of_others`` on clips of the speakers whom the network was trained on.

    Raises
    ------
    FileNotFoundError
        As for :func:`load`.

    Examples
    --------
    >>> sorted(set(adaptation()["n_takes"]))
    [0, 1, 3, 5]
    """
    file = FILE.with_name("adaptation.csv")
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: run  python benchmarks/adaptation.py")
    return pd.read_csv(file, dtype={"speaker": str})


def append(report: Report, file: Path) -> None:
    """Add a report's runs to a CSV file, one row a run; the file is made if it is missing.

    A row of the same system, data and seed on the same kind of device is replaced, so that none is
    there twice. Several processes may add to one file.

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
    settings, fingerprint = provenance.of(report.recipe, report.framework, report.scale)
    decided = {"settings": settings, "fingerprint": fingerprint}
    new = [_as_text(row | decided) for row in report.to_dicts()[:-1]]
    keys = {_key(row) for row in new}
    with FileLock(f"{file}.lock"):
        rows = [row for row in read(file) if _key(row) not in keys]
        _write([*rows, *new], file)


def read(file: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file as they stand there, or refuse it.

    Parameters
    ----------
    file : pathlib.Path
        May be missing or empty.

    Returns
    -------
    list of dict
        A dictionary of texts a row.

    Raises
    ------
    ValueError
        If it has other columns, or a row that is not whole.
    """
    if not file.exists() or not file.stat().st_size:
        return []
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        header, *rows = csv.reader(lines)
    if header != list(COLUMNS):
        raise ValueError(f"{file} has other columns than {', '.join(COLUMNS)}: move it away")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(COLUMNS) or not row[-1].endswith("]"):
            raise ValueError(f"{file} is damaged: row {number} is not whole. Mend or remove it")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


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
    read(file)


def is_stale(row: dict[str, str]) -> bool:
    """Tell whether the code or the settings behind a row have changed since it was made.

    Parameters
    ----------
    row : dict
        From :func:`read`.

    Returns
    -------
    bool
        By :meth:`digitlab.provenance.Provenance.agrees`; also true where the recipe is gone.
    """
    made = provenance.Provenance(row["settings"], tuple(json.loads(row["fingerprint"])))
    try:
        return not made.agrees(provenance.of(row["recipe"], row["framework"], row["scale"]))
    except ValueError:
        return True


def _key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _as_text(row: dict) -> dict[str, str]:
    """Return what :mod:`csv` writes of each value, so that rows can be compared with those read."""
    texts = {}
    for name in COLUMNS:
        value = json.dumps(row[name]) if name in JSON else row[name]
        texts[name] = "" if value is None else str(value)
    return texts


def _write(rows: Iterable[dict[str, str]], file: Path) -> None:
    """Replace the file at once: whoever is interrupted leaves the old one."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, fieldnames=COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    with replacing(file) as out:
        out.write(lines.getvalue().encode())
