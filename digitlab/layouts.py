"""How the recordings of a corpus lie in its folder: one table of layouts, and what it decides."""

import errno
import os
import re
import stat
import warnings
from collections import deque
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path, PurePath
from typing import NamedTuple

from digitlab.environment import printable

NOISE = "_background_noise_"
METADATA = "audioMNIST_meta.txt"
OTHER = "other"  # the class of all words that are no digits, and of what is no word
CONVERT = "Convert each to WAV (for example: ffmpeg -i in.m4a out.wav)."
WAV = (".wav", ".wave")
SOUNDS = (
    *(*WAV, ".3g2", ".3ga", ".3gp", ".3gpp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr"),
    *(".ape", ".asf", ".au", ".awb", ".caf", ".dss", ".flac", ".gsm", ".m4a", ".m4b", ".mka"),
    *(".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpga", ".oga", ".ogg", ".opus", ".ra", ".rf64"),
    *(".snd", ".sph", ".spx", ".voc", ".w64", ".weba", ".webm", ".wma", ".wv"),
)
VALIDATION, TEST = 10, 10  # percent of the speakers of Speech Commands
BUCKETS = 2**27


class CorpusError(Exception):
    """A corpus is missing, incomplete or damaged; the message says which file, and what to do."""

    def __str__(self) -> str:
        """Say it in what standard output can print."""
        return printable(super().__str__())


class Layout(NamedTuple):
    """Where a corpus keeps its recordings, and what it calls them."""

    inside: str  # the folder in its folder that holds them; empty: they lie in it themselves
    template: str  # of a recording's path below that
    pattern: re.Pattern  # the same, to be matched
    example: str  # of such a path

    @property
    def form(self) -> str:
        """The template and an example, for a reader."""
        return f"{self.template}, such as {self.example}"

    def glob(self, digit: int, word: str) -> str:
        """Return the pattern of the paths of a digit's recordings.

        Parameters
        ----------
        digit : int
            0 to 9.
        word : str
            What it is called, such as "seven".
        """
        return self.template.format(digit=digit, word=word, speaker="*", take="*")


LAYOUTS = {
    "fsdd": Layout(
        "recordings",
        "{digit}_{speaker}_{take}.wav",
        re.compile(r"(?P<label>[0-9])_(?P<speaker>[^_/]+)_(?P<take>[0-9]{1,18})\.(?i:wav)"),
        "7_anna_3.wav",
    ),
    "audiomnist": Layout(
        "data",
        "{speaker}/{digit}_{speaker}_{take}.wav",
        re.compile(
            r"(?P<speaker>[0-9]{2})/(?P<label>[0-9])_(?P=speaker)_(?P<take>[0-9]{1,18})\.(?i:wav)"
        ),
        "03/7_03_12.wav",
    ),
    "speech_commands": Layout(
        "",
        "{word}/{speaker}_nohash_{take}.wav",
        re.compile(
            r"(?P<label>[^/]+)/(?P<speaker>[0-9a-f]+)_nohash_(?P<take>[0-9]{1,18})\.(?i:wav)"
        ),
        "seven/0e17f595_nohash_0.wav",
    ),
    "words": Layout(
        "",
        "{word}/{speaker}_{anything}.wav",
        re.compile(r"(?P<label>[^/]+)/(?P<speaker>[^_/]+)(?P<take>_[^/]*)?\.(?i:wav)"),
        "seven/anna_3.wav, or, in no folder, {digit}_{speaker}_{take}.wav, such as 7_anna_3.wav",
    ),
}


def layout_of(sounds: Sequence[str]) -> str:
    """Return the layout, a key of `LAYOUTS`, that most of the files of a folder have.

    Parameters
    ----------
    sounds : sequence of str
        From `sounds_in`.

    Examples
    --------
    >>> layout_of(["7_anna_0.wav", "seven_anna_1.wav", "7_anna_2.wav"])
    'fsdd'
    """
    for name, layout in LAYOUTS.items():
        if 2 * sum(layout.pattern.fullmatch(sound) is not None for sound in sounds) > len(sounds):
            return name
    return "words"


def sounds_in(folder: Path, *, strict: bool = False) -> list[str]:
    """List the sound files below a folder, without hidden ones and Speech Commands' noise.

    Links are followed. A file that several links lead to is listed once, by its path without links
    if it has one. Files that are no WAV files are listed too, so that they can be complained of.

    Parameters
    ----------
    folder : pathlib.Path
        Where to look.
    strict : bool
        Whether a folder that cannot be looked into, a link that leads nowhere, or a pipe or device
        in place of a recording is a CorpusError, or named in a warning.

    Returns
    -------
    list of str
        Their paths below it, sorted.
    """
    root = os.path.realpath(folder)
    seen = {str(parent) for parent in Path(root).parents}
    folders, others = deque([""]), deque[str]()
    found: dict[str, str] = {}
    closed = []
    while folders or others:
        name = (folders or others).popleft()
        try:
            real = os.path.realpath(os.path.join(root, name), strict=True)
            mode = os.stat(real).st_mode
            if stat.S_ISDIR(mode) and real not in seen:
                seen.add(real)
                _look_into(real, name, folders, others, found)
            elif stat.S_ISREG(mode) and name.lower().endswith(SOUNDS):
                found.setdefault(real, name)
            elif not stat.S_ISDIR(mode) and name.lower().endswith(SOUNDS):
                closed.append(f"{name}: a pipe, a socket or a device")
        except OSError as error:
            nowhere = error.errno in (errno.ENOENT, errno.ELOOP)
            closed.append(f"{name or '.'}: {'a link to nowhere' if nowhere else error.strerror}")
    heading = f"in {folder}, {len(closed)} folders or files cannot be looked into:"
    complain_of(heading, closed, "Mend or remove them.", strict=strict)
    return sorted(found.values())


def _look_into(real: str, name: str, folders: deque, others: deque, found: dict) -> None:
    """Sort what lies in a folder: its folders, its sound files, and its links and the like."""
    with os.scandir(real) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path = f"{name}/{entry.name}" if name else entry.name
            if is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif not entry.is_file(follow_symlinks=False):
                others.append(path)
            elif path.lower().endswith(SOUNDS):
                found[entry.path] = path


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is passed over, by its own name.

    Parameters
    ----------
    name : str
        Without folders.
    """
    return name.startswith(".") or name == NOISE


def which_set(file_name: str) -> str:
    """Return the set of Speech Commands that a recording is in, by the hash of its speaker.

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
    bucket = int(sha1(speaker.encode(errors="surrogateescape")).hexdigest(), 16) % BUCKETS
    percent = 100 * bucket / (BUCKETS - 1)
    if percent < VALIDATION:
        return "validation"
    return "testing" if percent < VALIDATION + TEST else "training"


def complain_of(heading: str, names: Sequence[str], remedy: str, *, strict: bool) -> None:
    """Raise an error about files, or warn that they are left out; without files do nothing.

    Parameters
    ----------
    heading : str
        What is wrong with them, ending in a colon.
    names : sequence of str
        Theirs.
    remedy : str
        What to do about it, as a sentence.
    strict : bool
        Whether to raise a CorpusError.
    """
    problem = f"{listed(heading, names)}\n{remedy}"
    if names and strict:
        raise CorpusError(f"{problem} Or load the rest: load(..., strict=False).")
    if names:
        warnings.warn(printable(f"left out: {problem}"), stacklevel=2)


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
