"""The command ``digitlab doctor``, which tells whether everything is in place."""

import importlib.util
import shutil
import sys

import click

from digitlab import environment
from digitlab.cli.shared import echo
from digitlab.environment import printable


@click.command()
def doctor() -> None:
    """Check Python, libraries, GPU, corpora and disk; exit with 1 where something is wrong."""
    from digitlab import corpora, reports

    problems = []
    for library, version in reports.versions().items():
        echo(f"{library:22} {version}")
    for framework in ("torch", "keras", "tensorflow"):
        if importlib.util.find_spec(framework) is None:
            extra = "torch" if framework == "torch" else "keras"
            problems.append(f"{framework} is not installed: pip install 'digitlab[{extra}]'")
    if importlib.util.find_spec("torch"):
        echo(f"{'device':22} {environment.torch_device()}")
    for name in corpora.SOURCES:
        try:
            echo(f"{name:22} {corpora.find(name) or 'not on this machine yet'}")
        except (corpora.CorpusError, OSError) as error:
            problems.append(str(error))
    for check in (corpora.scale_from_environment, _check_cache):
        try:
            check()
        except (ValueError, OSError) as error:
            problems.append(str(error))
    for problem in dict.fromkeys(problems):
        click.secho(printable(problem), fg="red", err=True)
    sys.exit(1 if problems else 0)


def _check_cache() -> None:
    """Print where the cache is; raise what is wrong with it."""
    folder = environment.made_cache_folder()
    free_gb = shutil.disk_usage(folder).free / 1e9
    echo(f"{'cache':22} {folder}, {free_gb:.1f} GB free")
    if free_gb < 1:
        raise OSError(f"less than 1 GB is free at {folder}: make room, or set DIGITLAB_CACHE")
