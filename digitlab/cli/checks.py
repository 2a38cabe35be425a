"""The command ``digitlab doctor``, which tells whether everything is in place."""

import importlib
import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import click

from digitlab import environment
from digitlab.cli.shared import echo, plain
from digitlab.environment import printable

LEAST_CORES = 2
LEAST_FREE_GB = 3  # of memory: what all but the largest chapters need
LEAST_DISK_GB = 2
MOST_SECONDS = 60  # for the trial; a slower machine takes too long for the chapters
FOR_THE_COURSE = (
    "jupyterlab", "ipywidgets", "anywidget", "kymatio", "lightning", "onnxruntime", "fastapi",
    "distributed",
)  # fmt: skip


@click.command()
@click.option(
    "--course",
    is_flag=True,
    help="Also whether this machine will do for all chapters; takes a minute, at first three.",
)
def doctor(course: bool) -> None:
    """Check Python, libraries, GPU, corpora and disk; exit with 1 where something is wrong."""
    from digitlab import corpora, reports

    problems = _framework_problems()
    for library, version in reports.versions().items():
        echo(f"{library:22} {version}")
    for name in corpora.SOURCES:
        try:
            echo(f"{name:22} {corpora.find(name) or 'not on this machine yet'}")
        except (corpora.CorpusError, OSError) as error:
            problems.append(str(error))
    of_the_course = (_check_machine, _check_recordings, _check_trial) if course else ()
    if course:
        problems += _missing_libraries()
    for check in (_check_device, corpora.scale_from_environment, _check_cache, *of_the_course):
        try:
            check()
        except Exception as error:  # whatever it is, the other checks go on
            problems.append(plain(error))
    for problem in dict.fromkeys(problems):
        click.secho(printable(problem), fg="red", err=True)
    if not problems:
        echo("All is in place." if course else "Nothing is wrong. With --course, more is checked.")
    sys.exit(1 if problems else 0)


def _framework_problems() -> list[str]:
    """Say which frameworks are not there."""
    return [
        f"{framework} is not installed: pip install 'digitlab[{extra}]'"
        for framework, extra in (("torch", "torch"), ("keras", "keras"), ("tensorflow", "keras"))
        if importlib.util.find_spec(framework) is None
    ]


def _check_device() -> None:
    """Print on which device PyTorch computes; raise what is wrong with an installed PyTorch."""
    if importlib.util.find_spec("torch"):
        try:
            echo(f"{'device':22} {environment.torch_device()}")
        except (ImportError, OSError) as error:
            raise ImportError(
                f"torch is installed, but broken ({error}): install it again with  "
                "python -m pip install --force-reinstall 'digitlab[torch]'"
            ) from error


def _check_cache() -> None:
    """Print where the cache is; raise what is wrong with it."""
    folder = environment.made_cache_folder()
    free_gb = shutil.disk_usage(folder).free / 1e9
    echo(f"{'cache':22} {folder}, {free_gb:.1f} GB free")
    if free_gb < 1:
        raise OSError(f"less than 1 GB is free at {folder}: make room, or set DIGITLAB_CACHE")


def _missing_libraries() -> list[str]:
    """Say which libraries of the chapters are not there."""
    return [
        f"{name} is not installed, and a chapter wants it: pip install 'digitlab[all]'"
        for name in FOR_THE_COURSE
        if importlib.util.find_spec(name) is None
    ]


def _check_machine() -> None:
    """Print cores, free memory and disk; raise what is too little."""
    cores = os.cpu_count() or 1
    disk_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    lacking = [f"{cores} core, and the chapters want {LEAST_CORES}"] * (cores < LEAST_CORES)
    about = f"{cores} cores, {disk_gb:.1f} GB of disk"
    if importlib.util.find_spec("psutil"):  # comes with Jupyter
        free_gb = importlib.import_module("psutil").virtual_memory().available / 1e9
        about += f", {free_gb:.1f} GB of memory free"
        if free_gb < LEAST_FREE_GB:
            lacking.append(
                f"{free_gb:.1f} GB of memory are free, and most chapters want "
                f"{LEAST_FREE_GB}: close other programs"
            )
    if disk_gb < LEAST_DISK_GB:
        lacking.append(f"{disk_gb:.1f} GB of disk are free here: make room for {LEAST_DISK_GB}")
    echo(f"{'machine':22} {about}")
    if lacking:
        raise OSError("; ".join(lacking))


def _check_recordings() -> None:
    """Raise what to do where the chapters would go on with synthetic voices."""
    from digitlab import corpora

    if corpora.find("fsdd") is None:
        raise OSError(
            "the Free Spoken Digit Dataset is not on this machine, so chapters would use synthetic "
            "voices: digitlab data fetch fsdd, or set DIGITLAB_DATA"
        )


def _check_trial() -> None:
    """Train a small system, ask the packaged recogniser, and print how long that took."""
    from digitlab import corpora, experiment, pretrained, voices

    corpus = corpora.load("voices")  # which is made once, and not timed
    start = time.perf_counter()
    experiment.run("K2", corpus=corpus, scale="smoke", epochs=2)
    label = pretrained.load().predict(voices.say("seven", rate=16000), 16000).label
    seconds = time.perf_counter() - start
    echo(f"{'trial':22} a small training and an answer, {seconds:.0f} s")
    if label != "7":
        raise OSError(f'the packaged recogniser takes a synthetic "seven" for {label}')
    if seconds > MOST_SECONDS:
        raise OSError(
            f"the trial took {seconds:.0f} s, and should take less than {MOST_SECONDS}: chapters "
            "will take longer than they say; set DIGITLAB_SCALE=smoke, or use a faster machine"
        )
