"""Recordings for tests: tones with names, and folders of them."""

import numpy as np

from digitlab import audio

SPEAKERS = ("anna", "ben")
SPOKEN = [f"{word}/{n:08x}_nohash_{n % 3}.wav" for word in ("yes", "no", "bed") for n in range(30)]


def tone(label, speaker, take):
    time_s = np.arange(1000 + 100 * take) / 8000
    return (0.4 * np.sin(2 * np.pi * (300 + 50 * label + speaker) * time_s)).astype(np.float32)


def write_tones(folder, n_takes=2):
    folder.mkdir(parents=True)
    for label in range(10):
        for i, speaker in enumerate(SPEAKERS):
            for take in range(n_takes):
                audio.write_wav(
                    folder / f"{label}_{speaker}_{take}.wav", tone(label, i, take), 8000
                )
    return folder


def write_words(folder, names, rate=16000):
    """Write a short recording at each path, no two the same."""
    for number, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write_wav(path, [number / 30000, 0.5, -0.5], rate)
    return folder
