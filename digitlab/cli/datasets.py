"""The commands ``digitlab data ...``: corpora are listed, found, fetched, checked and merged."""

from pathlib import Path

import click

from digitlab.cli.shared import echo


@click.group()
def data() -> None:
    """List, find, fetch, verify and merge corpora."""


@data.command("list")
def list_corpora() -> None:
    """List the corpora, and where each is on this machine."""
    from digitlab import corpora

    for name, source in corpora.SOURCES.items():
        echo(f"{name:22} {source.n_clips:7,} clips  {source.rate:6,} Hz  {_place(name)}")


@data.command()
@click.argument("name")
def path(name: str) -> None:
    """Print the folder that holds a corpus's recordings."""
    from digitlab import corpora

    folder = corpora.find(_known(name))
    if folder is None:
        raise corpora.CorpusError(f"{name} is not on this machine: run  digitlab data fetch {name}")
    echo(folder)


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download a corpus into the cache, or make the built-in voices.

    Run it again if it breaks off: what has arrived of AudioMNIST or Speech Commands is kept.
    """
    from digitlab import corpora
    from digitlab.corpora.fetch import cached

    source = corpora.SOURCES[_known(name)]
    if cached(name).is_dir():
        echo(f"{name} ({source.title}) is there already.")
    else:
        verb = "Downloading" if source.urls else "Making"
        echo(f"{verb} {name} ({source.title}), about {source.size_mb:,} MB.")
    folder = corpora.fetch(name)
    echo(folder)
    if corpora.find(name) != folder:
        echo(f"DIGITLAB_DATA comes first, though: {corpora.find(name)} is used.")


@data.command()
@click.argument("name")
def verify(name: str) -> None:
    """Check every file of a corpus; print its digest, and recordings that it holds twice."""
    from digitlab import corpora

    echo(corpora.verify(_known(name)))
    corpus = corpora.load(name)
    for rows in corpus.duplicates():
        paths = corpus.table["path"][rows]
        echo("the same recording: " + " = ".join(map(str, paths)))


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def merge(folder: Path, target: Path) -> None:
    """Make one corpus of the folders in which several people recorded themselves.

    FOLDER holds a folder for each person, with their recordings and a consent.txt. The good ones
    are copied to TARGET under pseudonyms; what is left out is listed, and why.
    """
    from digitlab import corpora

    report = corpora.merge(folder, target)
    kept = report[report["kept_as"] != ""]
    left_out = report[report["problem"] != ""]
    for (person, problem), rows in left_out.groupby(["person", "problem"], sort=False):
        if len(rows) == (report["person"] == person).sum() > 1:
            echo(f"{person}, all {len(rows)} recordings: {problem}")
        else:
            for file in rows["file"]:
                echo(f"{person}/{file}: {problem}")
    n_people = kept["speaker"].nunique()
    people = "one person" if n_people == 1 else f"{n_people} people"
    echo(f"{len(kept)} of {len(report)} recordings, by {people}, are in {target}.")


def _known(name: str) -> str:
    from digitlab import corpora

    if name not in corpora.SOURCES:
        raise ValueError(f"there is no corpus {name!r}; there are {', '.join(corpora.SOURCES)}")
    return name


def _place(name: str) -> str:
    from digitlab import corpora
    from digitlab.layouts import sounds_in

    try:
        folder = corpora.find(name)
    except corpora.CorpusError:
        return "not in DIGITLAB_DATA"
    if folder is None:
        return "not here yet"
    n_clips = len(sounds_in(folder))
    part = f" ({n_clips:,} of them)" if n_clips < corpora.SOURCES[name].n_clips else ""
    return f"{folder}{part}"
