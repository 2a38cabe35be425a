"""How the recordings of a corpus lie in its folder, and the table that their names make."""

import json
import os
import re
import warnings
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha1
from pathlib import Path, PurePath
from typing import NamedTuple

import pandas as pd

NOISE = "_background_noise_"
METADATA = "audioMNIST_meta.txt"
SOUNDS = (".wav", ".wave", ".aiff", ".flac", ".m4a", ".mp3", ".mp4", ".ogg", ".opus", ".webm")
OLDEST = 120
VALIDATION, TEST = 10, 10  # percent of the speakers of Speech Commands
BUCKETS = 2**27


class CorpusError(Exception):
    """A corpus is missing, incomplete or damaged; the message says which file, and what to do."""


class Layout(NamedTuple):
    """Where a corpus keeps its recordings."""

    inside: str  # the folder in its folder that holds them; empty: they lie in it themselves
    pattern: re.Pattern  # of a recording's path below that
    form: str  # the same for a reader
    template: str  # the same to fill in


LAYOUTS = {
    "fsdd": Layout(
        "recordings",
        re.compile(r"(?P<label>\d)_(?P<speaker>[^_/]+)_(?P<take>\d+)\.(?i:wav)"),
        "{digit}_{speaker}_{take}.wav, such as 7_anna_3.wav",
        "{digit}_{speaker}_{take}.wav",
    ),
    "audiomnist": Layout(
        "data",
        re.compile(r"(?P<speaker>\d\d)/(?P<label>\d)_(?P=speaker)_(?P<take>\d+)\.(?i:wav)"),
        "{speaker}/{digit}_{speaker}_{take}.wav, such as 03/7_03_12.wav",
        "{speaker}/{digit}_{speaker}_{take}.wav",
    ),
    "speech_commands": Layout(
        "",
        re.compile(r"(?P<label>[^/]+)/(?P<speaker>[0-9a-f]+)_nohash_(?P<take>\d+)\.(?i:wav)"),
        "{word}/{speaker}_nohash_{take}.wav, such as seven/0e17f595_nohash_0.wav",
        "{word}/{speaker}_nohash_{take}.wav",
    ),
    "words": Layout(
        "",
        re.compile(r"(?P<label>[^/]+)/(?P<speaker>[^_/]+)(?P<take>_[^/]*)?\.(?i:wav)"),
        "{word}/{speaker}_{anything}.wav, such as seven/anna_3.wav, or, in no folder, "
        "{digit}_{speaker}_{take}.wav, such as 7_anna_3.wav",
        "{word}/{speaker}_{take}.wav",
    ),
}


def sounds_in(folder: Path) -> list[str]:
    """List the sound files below a folder, without hidden ones and Speech Commands' noise.

    Parameters
    ----------
    folder : pathlib.Path
        Where to look, links followed.

    Returns
    -------
    list of str
        Their paths below it, sorted.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if _is_shown(name)]
        above = "".join(f"{part}/" for part in Path(place).relative_to(folder).parts)
        found += [
            above + name for name in names if name.lower().endswith(SOUNDS) and _is_shown(name)
        ]
    return sorted(found)


def layout_of(sounds: Sequence[str]) -> str:
    """Return the layout that most of the files of a folder have.

    Parameters
    ----------
    sounds : sequence of str
        From `sounds_in`.

    Returns
    -------
    str
        A key of `LAYOUTS`.

    Examples
    --------
    >>> layout_of(["7_anna_0.wav", "seven_anna_1.wav", "7_anna_2.wav"])
    'fsdd'
    """
    for name, layout in LAYOUTS.items():
        if 2 * sum(layout.pattern.fullmatch(sound) is not None for sound in sounds) > len(sounds):
            return name
    return "words"


def table_of(
    folder: Path,
    sounds: Sequence[str],
    layout: str,
    classes: Sequence[str] | None,
    *,
    strict: bool,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Tabulate the recordings of a folder by their names.

    Parameters
    ----------
    folder : pathlib.Path
        That they lie in.
    sounds : sequence of str
        From `sounds_in`.
    layout : str
        A key of `LAYOUTS`.
    classes : sequence of str or None
        What is said; by default what the folders in it are called.
    strict : bool
        Whether what does not fit is an error or left out with a warning.

    Returns
    -------
    table : pandas.DataFrame
        Sorted, with ``path``, ``label``, ``speaker``, ``take`` and what the layout adds.
    classes : tuple of str
        By label.

    Raises
    ------
    CorpusError
        If something does not fit; it names the files.
    """
    matches = {sound: LAYOUTS[layout].pattern.fullmatch(sound) for sound in sounds}
    named = {sound: match for sound, match in matches.items() if match}
    classes = tuple(classes or sorted({match["label"] for match in named.values()}))
    rows = [
        (Path(folder, sound), classes.index(match["label"]), match["speaker"], match["take"])
        for sound, match in named.items()
        if match["label"] in classes
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "speaker", "take"])
    if layout == "words":
        table["take"] = table.groupby(["label", "speaker"]).cumcount()
    table["take"] = table["take"].astype(int)
    table = table.sort_values(["label", "speaker", "take"], kind="stable", ignore_index=True)
    again = table.duplicated(["label", "speaker", "take"])

    def complain(problem, names, remedy):
        complain_of(f"in {folder}, {len(names)} {problem}", names, remedy, strict=strict)

    form = f"Each must be called {LAYOUTS[layout].form}."
    complain("files are misnamed:", [name for name in sounds if not matches[name]], form)
    strangers = [sound for sound, match in named.items() if match["label"] not in classes]
    complain("files are in no class of this corpus:", strangers, f"There are {', '.join(classes)}.")
    if layout != "fsdd":
        idle = {path.name for path in folder.iterdir() if path.is_dir() and _is_shown(path.name)}
        idle -= {sound.partition("/")[0] for sound in sounds}
        complain("folders hold no recording:", sorted(idle), "Fill them, or remove them.")
    twice = [name_of(path, folder) for path in table["path"][again]]
    complain("files have speaker and take of another:", twice, "Give them other takes.")
    table = table[~again].reset_index(drop=True)
    if layout == "audiomnist":
        table = table.join(_people(folder / METADATA, set(table["speaker"])), on="speaker")
    if layout == "speech_commands":
        table["split"] = _splits(folder, [name_of(path, folder) for path in table["path"]])
    return table, classes


def complain_of(problem: str, names: Sequence[str], remedy: str, *, strict: bool) -> None:
    """Raise an error about files, or warn that they are left out; without files do nothing.

    Parameters
    ----------
    problem : str
        What is wrong with them.
    names : sequence of str
        Theirs.
    remedy : str
        What to do about it, as a sentence.
    strict : bool
        Whether to raise.

    Raises
    ------
    CorpusError
        If there are names, and it is strict.
    """
    if names and strict:
        remedy = f"{remedy} Or load the rest: load(..., strict=False)."
        raise CorpusError(f"{listed(problem, names)}\n{remedy}")
    if names:
        warnings.warn(f"left out: {listed(problem, names)}", stacklevel=2)


def listed(heading: str, lines: Sequence[str], most: int = 10) -> str:
    """Put lines below a heading, and say how many more there are.

    Parameters
    ----------
    heading : str
        The first line.
    lines : sequence of str
        The others.
    most : int
        How many of them to show.

    Returns
    -------
    str
        One text.

    Examples
    --------
    >>> print(listed("three:", ["a", "b", "c"], most=2))
    three:
      a
      b
      and 1 more
    """
    more = [f"and {len(lines) - most:,} more"] if len(lines) > most else []
    return "\n  ".join([heading, *lines[:most], *more])


def name_of(path: Path, folder: Path | None) -> str:
    """Return what a recording is called in its corpus.

    Parameters
    ----------
    path : pathlib.Path
        Of the recording.
    folder : pathlib.Path or None
        Of the corpus.

    Returns
    -------
    str
        Its path below the folder, or its name where there is none.

    Examples
    --------
    >>> name_of(Path("/words/seven/anna_3.wav"), Path("/words"))
    'seven/anna_3.wav'
    """
    return path.relative_to(folder).as_posix() if folder else path.name


def _is_shown(name):
    return not name.startswith(".") and name != NOISE


def _splits(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the set of each recording by the rule, or by the corpus's own lists if they differ."""
    by_rule = [which_set(name) for name in names]
    lists = {split: folder / f"{split}_list.txt" for split in ("validation", "testing")}
    if not all(file.is_file() for file in lists.values()):
        return by_rule
    split_of = {
        line.strip(): split
        for split, file in lists.items()
        for line in file.read_text(encoding="utf-8").splitlines()
    }
    by_list = [split_of.get(name, "training") for name in names]
    differ = [
        f"{name}: {ruled} by the rule, {published} by the list"
        for name, ruled, published in zip(names, by_rule, by_list, strict=True)
        if ruled != published
    ]
    if differ:
        heading = f"{lists['validation']} and {lists['testing'].name} are followed, not the rule:"
        warnings.warn(listed(heading, differ), stacklevel=2)
    return by_list


def _age(entry):
    if not 0 < int(entry) < OLDEST:
        raise ValueError(entry)
    return int(entry)


PERSON = {  # column: key in AudioMNIST's file, and how to read it
    "gender": ("gender", str.strip),
    "age": ("age", _age),
    "accent": ("accent", str.strip),
    "native_speaker": ("native speaker", {"yes": True, "no": False}.__getitem__),
    "origin": ("origin", str.strip),
    "recording_date": (
        "recordingdate",
        lambda entry: datetime.strptime(entry, "%y-%m-%d-%H-%M-%S"),
    ),
    "recording_room": ("recordingroom", str.strip),
}


def _people(file: Path, speakers: set[str]) -> pd.DataFrame:
    """Read what is known of AudioMNIST's speakers; print what makes no sense and is left out."""
    people, odd = {}, []
    try:
        known = {who: dict(entries) for who, entries in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        print(f"{file} cannot be read: nothing is known of the speakers ({error}).")
        known = {}
    for speaker in sorted(known):
        people[speaker] = []
        for key, parse in PERSON.values():
            entry = known[speaker].get(key)
            try:
                people[speaker].append(None if entry == "" else parse(entry))
            except (KeyError, TypeError, ValueError):
                people[speaker].append(None)
                odd.append(f"{key} {entry!r} of speaker {speaker}")
    if known:
        odd += [f"all about speaker {speaker}" for speaker in sorted(speakers - set(known))]
    if odd:
        print(listed(f"Kept as missing, since {file.name} says:", odd))
    return pd.DataFrame.from_dict(people, orient="index", columns=list(PERSON)).astype(
        {"age": "Int64", "native_speaker": "boolean", "recording_date": "datetime64[s]"}
    )


def which_set(file_name: str) -> str:
    """Say in which set of Speech Commands a recording is, by the hash of its speaker.

    Parameters
    ----------
    file_name : str
        Such as ``"seven/0e17f595_nohash_0.wav"``, with folders or without.

    Returns
    -------
    str
        ``"training"``, ``"validation"`` or ``"testing"``: about 80, 10 and 10 % of the speakers.

    Notes
    -----
    As described in the corpus's README, "Partitioning": what stands before ``_nohash_`` is hashed,
    and the hash decides, so that no speaker is in two sets and new recordings move nobody. Warden
    (2018), "Speech Commands: a dataset for limited-vocabulary speech recognition",
    arXiv:1804.03209.

    Examples
    --------
    >>> which_set("right/a69b9b3e_nohash_0.wav"), which_set("bb05582b_nohash_3.wav")
    ('validation', 'testing')
    """
    speaker = PurePath(file_name).name.partition("_nohash_")[0]
    bucket = int(sha1(speaker.encode()).hexdigest(), 16) % BUCKETS
    percent = 100 * bucket / (BUCKETS - 1)
    if percent < VALIDATION:
        return "validation"
    return "testing" if percent < VALIDATION + TEST else "training"
