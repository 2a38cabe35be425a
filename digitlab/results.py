"""The results that the book quotes: one row a run, with all that is needed to run it again."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

import digitlab
from digitlab import evaluation, provenance, recipes, reports
from digitlab.environment import refuse_unwritable, replacing
from digitlab.reports import Report

PACKAGED = Path(digitlab.__file__).with_name("results.csv")  # where the package is installed alone
IN_THE_BOOK = Path(digitlab.__file__).parents[1] / "book" / "results.csv"
FILE = PACKAGED if PACKAGED.is_file() else IN_THE_BOOK
COLUMNS = (*reports.COLUMNS, "settings", "fingerprint")
KEY = (
    "recipe", "framework", "corpus", "test_corpus", "split", "fold", "scale", "seed", "n_speakers",
    "device",
)  # fmt: skip
PUBLISHED_COLUMNS = ("recipe", "figure", "published", "measured", "seeds", "corpus", "clips")
TWIN_COLUMNS = ("torch", "keras", "n_test", "difference", "low", "high", "equivalent")
SAME_TEST = ("corpus", "corpus_digest", "test_corpus", "split", "fold", "seed")
JSON = ("accuracy_by_speaker", "confusion", "versions", "fingerprint")


def load() -> pd.DataFrame:
    """Read the book's results, wherever it is read from.

    Returns
    -------
    pandas.DataFrame
        A row a run, with the columns of :meth:`digitlab.reports.Report.to_dict`, and with
        ``settings`` and ``fingerprint`` of :func:`digitlab.provenance.of`.
        ``accuracy_by_speaker``, ``confusion``, ``fingerprint`` and ``versions`` are JSON;
        ``mistakes`` lists, as ``row:label``, what each misrecognised clip was taken for.

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
    rows = pd.read_csv(FILE, keep_default_na=True, dtype={"fold": str, "mistakes": str})
    knows = rows["test_loss"].notna() & (rows["test_accuracy"] == 1)  # that there are no mistakes
    rows.loc[knows, "mistakes"] = rows.loc[knows, "mistakes"].fillna("")
    return rows


def measured(name: str) -> pd.DataFrame:
    """Read what a benchmark measured for the book.

    Parameters
    ----------
    name : str
        ``"adaptation"``: what adaptation to a speaker gained, a row for each speaker, way and
        number of takes; ``accuracy`` on the speaker's other clips, ``accuracy_of_others`` on clips
        of the speakers whom the network was trained on. Chapter 16.
        ``"export"``: six systems in Python and as ONNX files, a row for each runtime; ``ms`` is the
        median time a clip on one thread, ``largest_difference`` that of any probability from
        Python's. Chapter 17.
        ``"raw_lstm"``: what variants of L1 learned in equally many steps. ``"l2_curves"``: what L2
        had learned after each epoch, without early stopping. Chapter 11.
        ``"cluster"``: features of many clips, computed by one worker and by two; ``clips``,
        ``seconds``, ``clips_a_second_a_worker``, the peak memory of the process that submits and
        of a worker, and what was written, in MB; ``load`` is the machine's afterwards. Chapter 19.
        ``"streaming"``: how the packaged recogniser does on streams, a row for each kind of stream
        (with digits, with other words alone, with the noise alone), noise, signal-to-noise ratio,
        way of asking and threshold: digits and what became of them, ``false_alarms_an_hour``,
        ``latency`` (the median) and ``latency_95`` in seconds, and ``seconds_of_computing``, of one
        core, for each second of sound. Of ``speakers``, the synthetic voices are unseen, the people
        are those whom it was trained on. Chapter 18.
        ``"serving"``: how fast three services answered, a row for each ``service``, number of
        ``clients`` and repetition; ``per_second`` counts answers, ``mean_ms``, ``p50_ms``,
        ``p95_ms`` and ``p99_ms`` are latencies, ``mean_batch`` is how many clips were answered
        together, and ``memory_start_mb`` and ``memory_end_mb`` what the process held. Chapter 17.

    Returns
    -------
    pandas.DataFrame
        As the benchmark of that name wrote it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> sorted(set(measured("adaptation")["n_takes"]))
    [0, 1, 3, 5]
    """
    file = FILE.with_name(f"{name}.csv")
    if not file.is_file():
        script = {"serving": "serve"}.get(name, name)
        raise FileNotFoundError(f"{file} is missing: run  python benchmarks/{script}.py")
    return pd.read_csv(file, dtype={"speaker": str, "decided_by": str})


def published(*names: str) -> pd.DataFrame:
    """Set every figure that the authors of systems printed beside what the book measured.

    The rows are those of the published framework and split, on the most clips that there are. A
    dash stands where nothing was measured.

    Parameters
    ----------
    *names : str
        Keys of ``RECIPES``, such as ``"K2"``; all systems with printed figures, if left out.

    Returns
    -------
    pandas.DataFrame
        A row for each figure and corpus, as text: ``recipe``, ``figure``, ``published``,
        ``measured`` (the mean over seeds, and the lowest and highest), ``seeds``, ``corpus`` and
        ``clips``, those trained on.

    Raises
    ------
    ValueError
        If there is no recipe of that name.

    Examples
    --------
    >>> table = published("K2").set_index("figure")
    >>> set(table.loc["test accuracy", "published"])
    {'0.967'}
    """
    kept = load()
    kept["seconds"] = (kept["seconds_features"] + kept["seconds_training"]).where(
        ~kept["features_cached"].astype(bool)
    )
    systems = [recipes.find(name) for name in names or recipes.RECIPES]
    lines = [line for system in systems for line in _printed(system, kept)]
    return pd.DataFrame(lines, columns=PUBLISHED_COLUMNS)


def _printed(system: recipes.Recipe, kept: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the lines of one system, for each corpus that it was run on as published."""
    own = {"recipe": system.name, "framework": system.framework, "split": system.split}
    rows = kept[(kept[list(own)] == pd.Series(own)).all(axis=1)]
    rows = rows[rows["test_corpus"] == rows["corpus"]]
    for corpus in list(rows["corpus"].unique()) or [system.corpus]:
        same = rows[rows["corpus"] == corpus]
        most = same[same["n_train"] == same["n_train"].max()]
        clips = f"{most['n_train'].max():,}" if len(most) else "–"
        for figure, printed in system.published.items():
            measured = most[figure].dropna()
            text = "–"
            if len(measured):
                text = _as_figure(measured.mean(), figure)
                low, high = (_as_figure(x, figure) for x in (measured.min(), measured.max()))
                text += f" ({low} to {high})" * (low != high)
            name = figure.removeprefix("n_").replace("_", " ")
            yield (system.name, name, _as_figure(printed, figure), text, str(len(measured)),
                   corpus, clips)  # fmt: skip


def _as_figure(value: float, figure: str) -> str:
    if figure.endswith(("accuracy", "loss")):
        return f"{value:.4f}" if figure.endswith("loss") else f"{value:.3f}"
    return f"{value:,.0f}" if figure != "epochs" else f"{value:.3g}"


def twins(*names: str, margin: float) -> pd.DataFrame:
    """Compare each system's two frameworks on the same test clips, seed by seed.

    Parameters
    ----------
    *names : str
        Keys of ``RECIPES``; all that were run in both frameworks, if left out.
    margin : float
        As for :func:`digitlab.evaluation.equivalence`. Choose it before looking.

    Returns
    -------
    pandas.DataFrame
        A row for each recipe, corpus, split and seed that was tested alike in both: accuracies in
        ``torch`` and in ``keras``, ``n_test``, their ``difference``, its 90 % interval (``low``,
        ``high``) over clips, and whether they are ``equivalent``.

    Examples
    --------
    >>> table = twins("K2", margin=0.03)
    >>> bool((table["low"] <= table["difference"]).all())
    True
    """
    kept = load()
    kept = kept[kept["recipe"].isin(names or recipes.RECIPES) & kept["mistakes"].notna()]
    same = [*SAME_TEST, "recipe", "n_speakers", "scale"]
    rows = []
    for key, pair in kept.groupby(same, sort=False, dropna=False):
        by_framework = {row["framework"]: row for row in pair.to_dict("records")}
        if set(by_framework) != {"torch", "keras"} or len(pair) != 2:
            continue
        in_torch, in_keras = by_framework["torch"], by_framework["keras"]
        result = evaluation.equivalence(*recognised(in_torch, in_keras), margin=margin)
        rows.append(
            dict(zip(same, key, strict=True))
            | {"torch": in_torch["test_accuracy"], "keras": in_keras["test_accuracy"]}
            | {"n_test": in_torch["n_test"], "difference": result.difference}
            | {"low": result.interval[0], "high": result.interval[1]}
            | {"equivalent": result.is_shown}
        )
    return pd.DataFrame(rows, columns=[*same, *TWIN_COLUMNS])


def recognised(first: Mapping, second: Mapping) -> tuple[np.ndarray, np.ndarray]:
    """Return which test clips two runs recognised, so that they can be compared clip by clip.

    Parameters
    ----------
    first, second : mapping
        Rows of :func:`load`, of runs with the same test clips and with ``mistakes``.

    Returns
    -------
    first, second : array of int, shape (n_test,)
        1 where a clip was recognised, 0 where not: for :func:`digitlab.evaluation.compare` and
        :func:`digitlab.evaluation.equivalence`. The clips that either mistook come first.

    Raises
    ------
    ValueError
        If the runs had other test clips, or a row does not tell its mistakes.

    Examples
    --------
    >>> first = {"n_test": 4, "mistakes": "7:1 9:2"} | dict.fromkeys(SAME_TEST, "same")
    >>> recognised(first, first | {"mistakes": "9:3"})
    (array([0, 0, 1, 1]), array([1, 0, 1, 1]))
    """
    for name in (*SAME_TEST, "n_test"):
        if str(first[name]) != str(second[name]):
            raise ValueError(f"the runs differ in {name}: {first[name]} and {second[name]}")
    wrong = []
    for row in (first, second):
        if not isinstance(row["mistakes"], str):
            raise ValueError(f"the row of {row['recipe']} does not tell which clips it mistook")
        wrong.append(set(_mistaken(row)))
    either = sorted(set.union(*wrong))
    right = np.ones((2, first["n_test"]), int)
    for place, clip in enumerate(either):
        right[:, place] = [clip not in mine for mine in wrong]
    return right[0], right[1]


def accuracy_by_speaker(rows: pd.DataFrame) -> pd.Series:
    """Return how much of each test speaker's clips was recognised, the mean over some runs.

    Chapters 10, 12, 14, 15 and 19 compare systems by it, with Student's interval over the speakers.

    Parameters
    ----------
    rows : pandas.DataFrame
        Rows of :func:`load`, such as the seeds of one system.

    Returns
    -------
    pandas.Series
        Mean accuracy, by speaker. Two such series of the same test are subtracted speaker by
        speaker.

    Raises
    ------
    ValueError
        If there is no row, or a row does not tell its speakers' accuracies.

    Examples
    --------
    >>> rows = pd.DataFrame({"recipe": "K2", "accuracy_by_speaker": ['{"theo": 0.8, "jackson": 1}',
    ...                                                              '{"theo": 1, "jackson": 1}']})
    >>> accuracy_by_speaker(rows).to_dict()
    {'jackson': 1.0, 'theo': 0.9}
    """
    if rows.empty:
        raise ValueError("there is no such run in the results")
    silent = rows.loc[rows["accuracy_by_speaker"].isna(), "recipe"]
    if len(silent):
        raise ValueError(f"a row of {silent.iloc[0]} does not tell its speakers' accuracies")
    runs = [pd.Series(json.loads(text), dtype=float) for text in rows["accuracy_by_speaker"]]
    return pd.concat(runs).groupby(level=0).mean().rename("accuracy")


def _mistaken(row: Mapping) -> list[int]:
    """Return the clips that a run mistook: their rows in the corpus."""
    return [int(mistake.split(":")[0]) for mistake in row["mistakes"].split()]


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
