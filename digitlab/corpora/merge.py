"""Make one corpus of the folders in which several people recorded themselves."""

import re
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from digitlab import audio
from digitlab.environment import replacing
from digitlab.layouts import CorpusError, is_hidden, sounds_in
from digitlab.microphone import SILENT, is_clipped
from digitlab.preparation import find_word, mix_down

CONSENT = "consent.txt"
PEOPLE = "people.csv"
NAME = re.compile(r"(?P<digit>[0-9])_[^_/]+_[0-9]+\.(?i:wav)")  # the last part of a path
SHORTEST, LONGEST = 0.1, 5.0  # seconds of a recording of one word
CLIPPED = "clipped, but kept"
COLUMNS = ["person", "file", "speaker", "kept_as", "problem"]


def merge(folder: str | Path, target: str | Path, *, seed: int | None = None) -> pd.DataFrame:
    """Check the recordings of several people, and copy the good ones under pseudonyms.

    Each person has a folder of their own, with recordings called ``{digit}_{name}_{take}.wav``, as
    :func:`digitlab.widgets.recording_session` saves them, and with a file ``consent.txt`` in which
    they agree to what will be done with their voice. Without it, their folder is left out. So are
    recordings that cannot be read, are silent, hold no word, are shorter than 0.1 s or longer than
    5 s, or occur twice; one that two people handed in is left out of both folders. Nothing is left
    out because a system misunderstands it: that would make the test easier than life.

    Parameters
    ----------
    folder : str or pathlib.Path
        It holds the folders of the people.
    target : str or pathlib.Path
        Where the corpus goes: ``recordings/{digit}_{speaker}_{take}.wav`` and ``people.csv``.
        Nothing may be there yet. :func:`load` reads it.
    seed : int, optional
        Decides the order of the pseudonyms ``p01``, ``p02``, ...; by default nothing repeatable
        does.

    Returns
    -------
    pandas.DataFrame
        A row for each recording: ``person`` (their folder), ``file``, ``speaker`` (their
        pseudonym), ``kept_as`` (empty if it was left out) and ``problem``. It links people and
        pseudonyms: keep it apart from the corpus, or delete it.

    Raises
    ------
    CorpusError
        If there is no such folder, something is at the target, or no recording is left.

    Notes
    -----
    Copies hold the samples of one channel and no other part of the file, so that names and dates in
    it are gone. A voice itself can be recognised, however: these are not anonymous data. Taught in
    chapter 16.

    Examples
    --------
    >>> import tempfile
    >>> from digitlab import voices
    >>> with tempfile.TemporaryDirectory() as place:
    ...     anna = Path(place, "class", "anna")
    ...     anna.mkdir(parents=True)
    ...     _ = (anna / "consent.txt").write_text("My recordings may be used in this course.")
    ...     audio.write_wav(anna / "7_anna_0.wav", voices.say(7, rate=16000), 16000)
    ...     merge(anna.parent, Path(place, "merged"))["kept_as"].to_list()
    ['7_p01_0.wav']
    """
    folder, target = Path(folder), Path(target)
    if not folder.is_dir():
        raise CorpusError(f"{folder} is no folder: give one that holds a folder for each person")
    if target.exists():
        raise CorpusError(f"{target} exists already: choose another name, or move it away")
    people = sorted(p.name for p in folder.iterdir() if p.is_dir() and not is_hidden(p.name))
    order = np.random.default_rng(seed).permutation(len(people))
    speakers = {person: f"p{place + 1:02}" for person, place in zip(people, order, strict=True)}
    rows = [row for person in people for row in _checked(folder / person)]
    table = pd.DataFrame(rows, columns=["person", "file", "digest", "problem"])
    table = _without_copies(table)
    table["speaker"] = table["person"].map(speakers)
    table["kept_as"] = _new_names(table)
    if not (table["kept_as"] != "").any():
        reasons = sorted(set(table["problem"])) or ["there are no folders with recordings in it"]
        raise CorpusError(f"nothing in {folder} can be used: {'; '.join(reasons)}")
    _write(table, folder, target)
    return table[COLUMNS]


def _checked(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield person, file, digest of the samples, and problem of each recording of a folder."""
    consent = folder / CONSENT
    is_agreed = consent.is_file() and consent.read_bytes().strip()
    for name in sounds_in(folder):
        digest, problem = "", ""
        if not is_agreed:
            problem = f"no {CONSENT} beside it, or an empty one: say what it may be used for"
        elif not NAME.fullmatch(Path(name).name):
            problem = "not called {digit}_{name}_{take}.wav"
        else:
            digest, problem = _judged(folder / name)
        yield folder.name, name, digest, problem


def _read(file: Path) -> tuple[np.ndarray, int]:
    """Return the one channel of a recording that is checked, and kept if it is good."""
    samples, rate = audio.read_wav(file)
    return mix_down(samples)[0], rate


def _judged(file: Path) -> tuple[str, str]:
    """Return a digest of the samples of a recording, and what is wrong with it."""
    try:
        samples, rate = _read(file)
    except audio.WavError as error:
        return "", str(error).removeprefix(f"{file}: ")
    seconds = len(samples) / rate
    digest = sha256(samples.tobytes()).hexdigest()
    if np.abs(samples).max() < SILENT:
        return digest, "silent"
    if not SHORTEST <= seconds <= LONGEST:
        return digest, f"{seconds:.2f} s long, not {SHORTEST} to {LONGEST} s"
    if find_word(samples, rate) is None:
        return digest, "no word stands out from the noise"
    return digest, CLIPPED if is_clipped(samples) else ""


def _without_copies(table: pd.DataFrame) -> pd.DataFrame:
    """Name recordings that occur twice; the first one stays if they are one person's."""
    good = table[_is_good(table)]
    n_people = good.groupby("digest")["person"].transform("nunique")
    of_several, again = n_people > 1, (n_people == 1) & good.duplicated("digest")
    problem = table["problem"].copy()
    problem[good.index[of_several]] = "handed in by several people"
    problem[good.index[again]] = "a copy of another recording"
    return table.assign(problem=problem)


def _is_good(table: pd.DataFrame) -> pd.Series:
    return table["problem"].isin(["", CLIPPED])


def _new_names(table: pd.DataFrame) -> list[str]:
    """Return what each recording is called in the corpus; nothing for those that are left out."""
    good = table[_is_good(table)]
    digits = good["file"].map(lambda name: Path(name).name[0])
    takes = digits.groupby([good["speaker"], digits]).cumcount()
    names = digits + "_" + good["speaker"] + "_" + takes.astype(str) + ".wav"
    return names.reindex(table.index, fill_value="").to_list()


def _write(table: pd.DataFrame, folder: Path, target: Path) -> None:
    """Write the corpus, whole or not at all."""
    kept = table[table["kept_as"] != ""]
    try:
        (target / "recordings").mkdir(parents=True)
        for row in kept.itertuples():
            samples, rate = _read(folder / row.person / row.file)
            audio.write_wav(target / "recordings" / row.kept_as, np.clip(samples, -1, 1), rate)
        people = kept.groupby("speaker").size().rename("recordings").reset_index()
        with replacing(target / PEOPLE) as out:
            out.write(people.assign(consent="yes").to_csv(index=False).encode())
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
