"""Single takes of words, and whole synthetic corpora in the layouts of real ones."""

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from hashlib import sha1
from itertools import product
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from digitlab.audio import peak_normalize, resample, write_wav
from digitlab.environment import progress
from digitlab.layouts import LAYOUTS, METADATA, NOISE, which_set
from digitlab.voices.faults import MISTYPED, original_take, spoil
from digitlab.voices.phonemes import DIGIT_WORDS, WORDS, check_known, check_whole
from digitlab.voices.speakers import speaker as make_speaker
from digitlab.voices.synthesis import RENDER_RATE, record, render

# The cache keeps the built-in corpora by this number. Raise it when anything that `write_corpus`
# writes has changed: samples, file names, numbers of speakers and takes.
VERSION = 3


def say(
    word: int | str,
    speaker: int = 0,
    take: int = 0,
    *,
    rate: int = 8000,
    seconds: float | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Synthesise one take of a word.

    Parameters
    ----------
    word : int or str
        A digit, 0 to 9, or one of `WORDS`.
    speaker : int
        Which speaker, from 0 up.
    take : int
        Which take, from 0 up; no two are the same.
    rate : int
        In Hz, 4000 to 48000.
    seconds : float, optional
        Length of the recording, at least 0.005, the word near its middle; a longer word is cut at
        its end. By default as long as the word, which is 0.9 s at most.
    seed : int
        Another seed gives other speakers with the same names.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Its peak is below 1. The same arguments always give the same samples.

    Raises
    ------
    ValueError
        If there is no such word, or a number is not whole or out of range.

    Examples
    --------
    >>> seven = say(7)
    >>> seven.dtype, bool(0.25 < len(seven) / 8000 < 0.9), np.array_equal(seven, say("seven"))
    (dtype('float32'), True, True)
    >>> say("marvin", rate=16000, seconds=1).shape
    (16000,)
    """
    if isinstance(word, Integral) and 0 <= word <= 9:
        word = DIGIT_WORDS[word]
    if not isinstance(word, str) or word not in WORDS:
        raise ValueError(
            f"word must be a digit, 0 to 9, or one of {', '.join(WORDS)}, not {word!r}"
        )
    check_whole("take", take, 0)
    check_whole("rate", rate, 4000, RENDER_RATE)
    person = make_speaker(speaker, seed=seed)
    rng = np.random.default_rng([seed, speaker, list(WORDS).index(word), take])
    sound = record(render(person.words[word], person, rng), person, rng, seconds=seconds)
    sound = resample(sound, RENDER_RATE, rate)
    return sound * min(1, np.float32(0.99) / np.abs(sound).max())


class Plan(NamedTuple):
    """What a synthetic corpus holds, and what it takes from the real corpus of its layout."""

    words: tuple[str, ...]
    n_speakers: int
    n_takes: int
    rate: int  # Hz
    speaker_name: Callable[[int, int], str]  # in file names, by index and seed
    seconds: float | None = None  # length of a recording; by default that of the word
    most_speakers: int | None = None  # that the layout can name
    other_files: tuple[str, ...] = ()  # beside the folders of words
    write_other_files: Callable | None = None


def _write_metadata(folder, n_speakers, rate, seed, faults):
    """Describe the speakers with the keys of AudioMNIST, as far as they apply."""
    people = {}
    mistyped = MISTYPED if faults else {}
    for index in range(n_speakers):
        person = make_speaker(index, seed=seed)
        people[f"{index + 1:02d}"] = {
            "accent": person.accent,
            "age": {"man": 30, "woman": 30, "child": 8}[person.kind],
            "gender": {"man": "male", "woman": "female", "child": ""}[person.kind],
            "native speaker": "yes" if person.accent in ("american", "british") else "no",
            "origin": "synthesised",
            "recordingdate": "",
            "recordingroom": "simulated",
            **mistyped.get(f"{index + 1:02d}", {}),
        }
    text = json.dumps(people, indent=4, sort_keys=True)
    (folder / LAYOUTS["audiomnist"].inside / METADATA).write_text(text, encoding="utf-8")


def _write_sets_and_noises(folder, n_speakers, rate, seed, faults):
    """Write the lists and the background noises that come with Speech Commands."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.wav"))
    for part in ("validation", "testing"):
        text = "".join(f"{name}\n" for name in names if which_set(name) == part)
        (folder / f"{part}_list.txt").write_text(text, encoding="utf-8", newline="\n")
    (folder / NOISE).mkdir()
    for name, noise in _background_noises(5 * rate, rate, seed).items():
        noise = 0.3 * peak_normalize(noise.astype(np.float32))
        write_wav(folder / NOISE / f"{name}.wav", noise, rate)


def _background_noises(n_samples, rate, seed):
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(n_samples)
    frequencies = np.fft.rfftfreq(n_samples, 1 / rate)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(frequencies, 20)), n_samples)
    harmonics = np.arange(1, 13)[:, np.newaxis]
    time = np.arange(n_samples) / rate
    phases = rng.uniform(0, 2 * np.pi, harmonics.shape)
    hum = (np.sin(2 * np.pi * 50 * harmonics * time + phases) / harmonics).sum(axis=0)
    babble = np.zeros(n_samples)
    for word in rng.choice(list(WORDS), 60):
        voice = peak_normalize(say(str(word), int(rng.integers(12)), rate=rate, seed=seed + 1))
        start = rng.integers(n_samples - len(voice))
        babble[start : start + len(voice)] += voice
    return {"white_noise": white, "pink_noise": pink, "hum": hum, "babble": babble}


PLANS = {
    "fsdd": Plan(
        *(DIGIT_WORDS, 60, 8, 8000),
        speaker_name=lambda index, seed: make_speaker(index, seed=seed).name,
    ),
    "audiomnist": Plan(
        *(DIGIT_WORDS, 60, 5, 48000),
        speaker_name=lambda index, seed: f"{index + 1:02d}",
        most_speakers=99,
        write_other_files=_write_metadata,
    ),
    "speech_commands": Plan(
        *(tuple(WORDS), 45, 2, 16000),
        speaker_name=lambda index, seed: sha1(f"{seed} {index}".encode()).hexdigest()[:8],
        seconds=1,
        other_files=("validation_list.txt", "testing_list.txt", NOISE),
        write_other_files=_write_sets_and_noises,
    ),
}


def write_corpus(
    folder: str | os.PathLike,
    layout: str = "fsdd",
    *,
    n_speakers: int | None = None,
    n_takes: int | None = None,
    rate: int | None = None,
    seed: int = 0,
    faults: bool = False,
) -> None:
    """Write a synthetic corpus of spoken words in the layout of a real one.

    Parameters
    ----------
    folder : str or path-like
        Gets all files, or none.
    layout : str
        ``"fsdd"``: digits. ``"audiomnist"``: digits, and ``audioMNIST_meta.txt``, which describes
        the speakers. ``"speech_commands"``: `WORDS`, each 1 s long or, now and then, shorter; lists
        of the validation and test sets; background noises. `digitlab.layouts` names the files.
    n_speakers, n_takes : int, optional
        How many speakers (of ``"audiomnist"`` at most 99), and how many takes of each word by each
        of them; by default as in `PLANS`.
    rate : int, optional
        In Hz, 4000 to 48000; by default that of the real corpus: 8000, 48000, 16000.
    seed : int
        Another seed gives other speakers.
    faults : bool
        Whether to plant a few of the faults that real corpora have, as in the built-in ones; always
        the same, and none in the layout ``"fsdd"``. ``"audiomnist"``: the seventh speaker is
        recorded with 8 bits, the fifth is said to be 1234 years old, and the eleventh is "German"
        where others are "german". ``"speech_commands"``: about 1 % of the recordings are clipped, a
        few are 50 dB too soft, and two takes of the fifth speaker are copies of others.

    Raises
    ------
    FileExistsError
        If something that would be written is there already; it is left alone.
    OSError
        If the folder cannot be written.
    ValueError
        If there is no such layout, or a number is not whole or out of range.

    Notes
    -----
    Taught in chapter 5, "Speech synthesis"; chapter 6 finds the faults. Works on all processor
    cores, and shows a progress bar on standard error.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_corpus(folder, n_speakers=1, n_takes=1)
    ...     sorted(path.name for path in Path(folder, "recordings").iterdir())[:3]
    ['0_anton_0.wav', '1_anton_0.wav', '2_anton_0.wav']
    """
    check_known("layout", layout, PLANS)
    plan = PLANS[layout]
    n_speakers = plan.n_speakers if n_speakers is None else n_speakers
    n_takes = plan.n_takes if n_takes is None else n_takes
    rate = plan.rate if rate is None else rate
    check_whole("n_speakers", n_speakers, 1, plan.most_speakers)
    check_whole("n_takes", n_takes, 1)
    check_whole("rate", rate, 4000, RENDER_RATE)
    check_whole("seed", seed, 0)
    folder = Path(folder).resolve()
    inside = LAYOUTS[layout].inside
    _refuse_to_replace(folder, [inside] if inside else [*plan.words, *plan.other_files])
    with _scratch_folder(folder) as scratch:
        unfinished = Path(scratch, folder.name)
        unfinished.mkdir()
        _write_recordings(unfinished, layout, n_speakers, n_takes, rate, seed, faults)
        if plan.write_other_files:
            plan.write_other_files(unfinished, n_speakers, rate, seed, faults)
        _move(unfinished, folder)


def _refuse_to_replace(folder, names):
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: write to another folder")
    for name in sorted(names):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} exists: remove it, or write elsewhere")


def _scratch_folder(folder):
    """Make a temporary folder in the folder, or beside it where it does not exist yet."""
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder if folder.is_dir() else folder.parent
        return tempfile.TemporaryDirectory(prefix=".corpus-", dir=place, ignore_cleanup_errors=True)
    except OSError as error:
        problem = f"{folder} cannot be written ({error.strerror}): write to another folder"
        raise type(error)(problem) from error


def _write_recordings(folder, layout, n_speakers, n_takes, rate, seed, faults):
    words = list(product(range(n_speakers), PLANS[layout].words))
    settings = n_takes, rate, seed, faults
    jobs = (delayed(_write_takes)(folder, layout, *word, *settings) for word in words)
    with Parallel(n_jobs=-1, return_as="generator") as parallel:
        for _ in progress(parallel(jobs), "Synthesising voices", len(words), unit="word"):
            pass


def _write_takes(folder, layout, index, word, n_takes, rate, seed, faults):
    plan, place = PLANS[layout], LAYOUTS[layout]
    number, name = list(WORDS).index(word), plan.speaker_name(index, seed)
    for take in range(n_takes):
        path = place.template.format(word=word, digit=number, speaker=name, take=take)
        path = folder / place.inside / path
        path.parent.mkdir(parents=True, exist_ok=True)
        said = original_take(layout, index, word, take) if faults else take
        seconds = plan.seconds
        if seconds and (index + number + said) % 40 == 39:
            seconds *= 0.9  # now and then a recording stops too early, as in Speech Commands
        samples = say(word, index, said, rate=rate, seconds=seconds, seed=seed)
        if faults:
            samples = spoil(samples, layout, index, number, said)
        write_wav(path, samples, rate)


def _move(unfinished, folder):
    """Move everything into the folder, or, if that fails on the way, nothing."""
    if not folder.exists():
        os.replace(unfinished, folder)
        return
    names = os.listdir(unfinished)
    _refuse_to_replace(folder, names)
    with ExitStack() as way_back:
        for name in names:
            os.replace(unfinished / name, folder / name)
            way_back.callback(os.replace, folder / name, unfinished / name)
        way_back.pop_all()
