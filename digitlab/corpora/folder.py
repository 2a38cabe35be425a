"""Read a folder of recordings into a table and a corpus, and verify what it must hold."""

import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from digitlab import audio, riff
from digitlab.corpora.corpus import Corpus
from digitlab.corpora.sources import DIGITS, SOURCES, Source, known_hashes
from digitlab.environment import printable, progress
from digitlab.layouts import (
    CONVERT,
    LAYOUTS,
    METADATA,
    WAV,
    CorpusError,
    complain_of,
    is_hidden,
    layout_of,
    listed,
    sounds_in,
    which_set,
)

OLDEST = 120


def read_source(name: str, folder: Path, sounds: Sequence[str], *, strict: bool) -> Corpus:
    """Read the recordings of a corpus that has a name.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.
    folder : pathlib.Path
        Where they lie.
    sounds : sequence of str
        From `layouts.sounds_in`.
    strict : bool
        Whether what does not fit is a CorpusError, or left out with a warning.
    """
    source = SOURCES[name]
    table, classes = _table(folder, sounds, source.layout, source.classes, strict=strict)
    corpus = Corpus(name, table, source.rate, classes, source.title, source.licence, folder)
    if not source.large:
        corpus = _whole(corpus, source, strict=strict)
    return corpus if strict else corpus.readable()


def read_own(folder: Path, *, strict: bool) -> Corpus:
    """Read a folder of somebody's own recordings, in whatever layout and at whatever rate.

    Parameters
    ----------
    folder : pathlib.Path
        Where they lie.
    strict : bool
        Whether what does not fit is a CorpusError, or left out with a warning.
    """
    folder = Path(os.path.realpath(folder))
    if os.path.isdir(folder / "recordings"):
        folder = folder / "recordings"
    elif os.path.isfile(folder / "data" / METADATA):
        folder = folder / "data"
    sounds = sounds_in(folder, strict=strict)
    if not any(sound.lower().endswith(WAV) for sound in sounds):
        others = f", but {len(sounds)} others such as {sounds[0]}. {CONVERT}" if sounds else ""
        raise CorpusError(f"{folder} holds no .wav file{others}")
    layout = layout_of(sounds)
    classes = None if LAYOUTS[layout].inside == "" else DIGITS
    table, classes = _table(folder, sounds, layout, classes, strict=strict)
    if table.empty:
        form = f"each must be called {LAYOUTS[layout].form}"
        raise CorpusError(f"{folder} holds no recording with a name that says what it is: {form}")
    name, title = printable(folder.name, "utf-8"), printable(f"recordings in {folder}", "utf-8")
    corpus = Corpus(name, table, _usual_rate(table["path"]), classes, title, "", folder)
    copies = corpus.duplicates()
    names = [
        " = ".join(table["path"][row].relative_to(folder).as_posix() for row in rows)
        for rows in copies
    ]
    problem = f"in {folder}, {len(names)} recordings are there more than once:"
    complain_of(problem, names, "Keep one of each.", strict=strict)
    if strict:
        return corpus
    again = [row for rows in copies for row in rows[1:]]
    return corpus.select(~table.index.isin(again)).readable()


def verify_folder(name: str, folder: Path) -> str:
    """Return the digest of a corpus, or raise a CorpusError that names what is wrong with it.

    Parameters
    ----------
    name : str
        A key of `SOURCES`.
    folder : pathlib.Path
        Where its recordings lie.
    """
    source = SOURCES[name]
    corpus = read_source(name, folder, sounds_in(folder, strict=True), strict=True)
    corpus = _whole(corpus, source, strict=True)
    if not source.digest or corpus.digest == source.digest:
        for _ in progress(corpus._each(corpus._read), "Checking", len(corpus), unit="file"):
            pass
        return corpus.digest
    known = known_hashes(name)
    corrupt = [
        str(folder / file)
        for file in source.names
        if not corpus.hashes[file].startswith(known[file])
    ]
    raise CorpusError(
        listed(f"{len(corrupt)} files are not what was published:", corrupt)
        + "\nDelete the corpus and fetch it again."
    )


def _table(
    folder: Path,
    sounds: Sequence[str],
    layout: str,
    classes: Sequence[str] | None,
    *,
    strict: bool,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Tabulate recordings by their names; without classes, the folders in it are the classes."""
    pattern = LAYOUTS[layout].pattern
    named = {sound: match for sound in sounds if (match := pattern.fullmatch(sound))}
    words = {sound: printable(match["label"], "utf-8") for sound, match in named.items()}
    classes = tuple(classes or sorted(set(words.values())))

    def complain(problem: str, names: Sequence[str], remedy: str) -> None:
        complain_of(f"in {folder}, {len(names)} {problem}", names, remedy, strict=strict)

    others = [sound for sound in sounds if not sound.lower().endswith(WAV)]
    complain("files are no WAV files:", others, CONVERT)
    misnamed = [sound for sound in sounds if sound not in named and sound not in set(others)]
    complain("files are misnamed:", misnamed, f"Each must be called {LAYOUTS[layout].form}.")
    strangers = [sound for sound in named if words[sound] not in classes]
    complain("files are in no class of this corpus:", strangers, f"There are {', '.join(classes)}.")
    if layout != "fsdd":
        complain("folders hold no recording:", _idle(folder, sounds), "Fill them, or remove them.")
    rows = [
        (Path(folder, sound), classes.index(words[sound]), match["speaker"], match["take"])
        for sound, match in named.items()
        if words[sound] in classes
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "speaker", "take"])
    table["speaker"] = [printable(speaker, "utf-8") for speaker in table["speaker"]]
    if layout == "words":
        table["take"] = table.groupby(["label", "speaker"]).cumcount()
    table["take"] = table["take"].astype(int)
    table = table.sort_values(["label", "speaker", "take"], kind="stable", ignore_index=True)
    again = table.duplicated(["label", "speaker", "take"])
    twice = [path.relative_to(folder).as_posix() for path in table["path"][again]]
    complain("files have speaker and take of another:", twice, "Give them other takes.")
    return _with_more(table[~again].reset_index(drop=True), folder, layout), classes


def _idle(folder: Path, sounds: Sequence[str]) -> list[str]:
    """List the folders in a folder that no recording lies in, but for links to what is read."""
    idle, root = [], Path(os.path.realpath(folder))
    for name in sorted(set(os.listdir(folder)) - {sound.partition("/")[0] for sound in sounds}):
        real = Path(os.path.realpath(root / name))
        is_seen = real.is_relative_to(root) or root.is_relative_to(real)
        if os.path.isdir(real) and not is_hidden(name) and (real == root / name or not is_seen):
            idle.append(name)
    return idle


def _with_more(table: pd.DataFrame, folder: Path, layout: str) -> pd.DataFrame:
    """Add what a layout's own files and rules say."""
    if layout == "audiomnist":
        return table.join(_people(folder / METADATA, set(table["speaker"])), on="speaker")
    if layout == "speech_commands":
        table["split"] = _splits(
            folder, [path.relative_to(folder).as_posix() for path in table["path"]]
        )
    return table


def _whole(corpus: Corpus, source: Source, *, strict: bool) -> Corpus:
    """Complain of recordings that are missing, or do not belong and are left out."""
    names = [path.relative_to(corpus.folder).as_posix() for path in corpus.table["path"]]
    problem = source.problem_of(names)
    if problem and strict:
        remedy = "Complete it, or load what there is: load(..., strict=False)."
        if source.large:
            remedy = f"It loads as it is; all of it comes with  digitlab data fetch {corpus.name}"
        elif not source.urls:
            remedy = "Delete that folder: it is then made again."
        raise CorpusError(f"{corpus.folder} {problem}\n{remedy}")
    if problem:
        warnings.warn(printable(f"{corpus.folder} {problem}"), stacklevel=2)
    return corpus.select(np.isin(names, source.names or names))


def _usual_rate(paths: pd.Series) -> int:
    """Return the rate that most recordings have, of a hundred if there are many."""
    rates, problem = Counter[int](), ""
    for path in paths[:: max(len(paths) // 100, 1)]:
        try:
            rates[riff.check(path).rate] += 1
        except audio.WavError as error:
            problem = f", such as {error}"
    if not rates:
        raise CorpusError(f"none of the recordings can be read{problem}")
    return rates.most_common(1)[0][0]


def _splits(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the set of each recording by the rule, or by the corpus's own lists if they differ."""
    by_rule = [which_set(name) for name in names]
    lists = {split: folder / f"{split}_list.txt" for split in ("validation", "testing")}
    if not all(file.is_file() for file in lists.values()):
        return by_rule
    split_of = {
        line.strip(): split
        for split, file in lists.items()
        for line in file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    }
    by_list = [split_of.get(name, "training") for name in names]
    differ = [
        f"{name}: {ruled} by the rule, {published} by the list"
        for name, ruled, published in zip(names, by_rule, by_list, strict=True)
        if ruled != published
    ]
    if differ:
        heading = f"{lists['validation']} and {lists['testing'].name} are followed, not the rule:"
        warnings.warn(printable(listed(heading, differ)), stacklevel=2)
    return by_list


def _age(entry: Any) -> int:
    if not 0 < int(entry) < OLDEST:
        raise ValueError(entry)
    return int(entry)


def _date(entry: Any) -> datetime:
    return datetime.strptime(entry, "%y-%m-%d-%H-%M-%S")


PERSON: dict[str, tuple[str, Callable]] = {  # column: key in AudioMNIST's file, and how to read it
    "gender": ("gender", str.strip),
    "age": ("age", _age),
    "accent": ("accent", str.strip),
    "native_speaker": ("native speaker", {"yes": True, "no": False}.__getitem__),
    "origin": ("origin", str.strip),
    "recording_date": ("recordingdate", _date),
    "recording_room": ("recordingroom", str.strip),
}


def _people(file: Path, speakers: set[str]) -> pd.DataFrame:
    """Read what is known of AudioMNIST's speakers; print what makes no sense and is left out."""
    people: dict[str, list[Any]] = {}
    odd = []
    try:
        known = {who: dict(entries) for who, entries in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        print(printable(f"{file} cannot be read: nothing is known of the speakers."))
        known = {}
    for speaker in sorted(known):
        people[speaker] = []
        for key, parse in PERSON.values():
            entry = known[speaker].get(key)
            try:
                people[speaker].append(None if entry == "" else parse(entry))
            except (KeyError, TypeError, ValueError, OverflowError):
                people[speaker].append(None)
                odd.append(f"{key} {entry!r} of speaker {speaker}")
    if known:
        odd += [f"all about speaker {speaker}" for speaker in sorted(speakers - set(known))]
    if odd:
        print(printable(listed(f"Kept as missing, since {file.name} says:", odd)))
    return pd.DataFrame.from_dict(people, orient="index", columns=list(PERSON)).astype(
        {"age": "Int64", "native_speaker": "boolean", "recording_date": "datetime64[s]"}
    )
