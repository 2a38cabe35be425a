"""The corpora that can be had by name: what they hold, and where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from digitlab import voices
from digitlab.layouts import LAYOUTS, listed

DIGITS = tuple("0123456789")
WORDS = tuple(sorted(voices.WORDS))
MORE_WORDS = tuple(sorted((*WORDS, "backward", "follow", "forward", "learn", "visual")))


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from, and what it must hold.

    Attributes
    ----------
    title, licence : str
        For captions.
    rate : int
        Sampling rate in Hz.
    layout : str
        How its recordings lie in its folder: ``"fsdd"``, ``"audiomnist"`` or ``"speech_commands"``.
    folder : str
        What its folder is called, in ``$DIGITLAB_DATA`` and in the cache.
    n_clips : int
        How many clips the whole corpus has.
    classes : tuple of str
        What is said.
    speakers : tuple of str
        Everyone who speaks in it, where files are named by speaker and take without a gap.
    n_speakers, n_takes : int
        How many speakers, and how often each says each class, where all do alike.
    urls : tuple of str
        Archives that hold it, the first choice first. Empty: made on this machine.
    size_mb : int
        Size of the download, or of what is made.
    large : bool
        Downloaded only when asked for; a part of it loads, too.
    sha256 : str
        Of the archive, where it was published.
    digest : str
        SHA-256 over the sorted lines ``name sha256``, where the contents are pinned by it.
    """

    title: str
    licence: str
    rate: int
    layout: str
    folder: str
    n_clips: int
    classes: tuple[str, ...] = DIGITS
    speakers: tuple[str, ...] = ()
    n_speakers: int = 0
    n_takes: int = 0
    urls: tuple[str, ...] = ()
    size_mb: int = 0
    large: bool = False
    sha256: str = ""
    digest: str = ""

    @property
    def names(self) -> list[str]:
        """The files that the whole corpus consists of, where that is known."""
        return [
            LAYOUTS[self.layout].template.format(digit=digit, speaker=speaker, take=take)
            for digit in DIGITS
            for speaker in self.speakers
            for take in range(self.n_takes)
        ]

    def problem_of(self, names: Sequence[str]) -> str:
        """Say which of the recordings are missing or do not belong; nothing if all is well.

        Parameters
        ----------
        names : sequence of str
            Of the recordings that there are.
        """
        expected = set(self.names or names)
        missing, extra = sorted(expected - set(names)), sorted(set(names) - expected)
        if not missing and not extra and len(names) == self.n_clips:
            return ""
        return (
            f"is not the {self.title} of {self.n_clips:,} recordings: it holds {len(names):,}."
            + (listed(f"\n{len(missing):,} are missing:", missing) if missing else "")
            + (listed(f"\n{len(extra):,} do not belong:", extra) if extra else "")
        )


def _github(repository: str, archive: str) -> tuple[str, ...]:
    return (
        f"https://github.com/{repository}/archive/{archive}.tar.gz",
        f"https://codeload.github.com/{repository}/tar.gz/{archive}",
    )


def _speech_commands(version: str, **details) -> Source:
    folder = f"speech_commands_{version}"
    place = f"download.tensorflow.org/data/{folder}.tar.gz"
    return Source(
        title=f"Speech Commands {version}",
        licence="CC BY 4.0",
        rate=16000,
        layout="speech_commands",
        folder=folder,
        urls=(f"https://storage.googleapis.com/{place}", f"http://{place}"),
        large=True,
        **details,
    )


def _voices(layout: str, size_mb: int) -> Source:
    plan = voices.PLANS[layout]
    return Source(
        title="built-in voices",
        licence="synthesised",
        rate=plan.rate,
        layout=layout,
        folder="voices" if layout == "fsdd" else f"voices-{layout}",
        n_clips=len(plan.words) * plan.n_speakers * plan.n_takes,
        classes=DIGITS if plan.words == voices.DIGIT_WORDS else WORDS,
        n_speakers=plan.n_speakers,
        n_takes=plan.n_takes,
        size_mb=size_mb,
    )


SOURCES = {
    "fsdd": Source(
        title="Free Spoken Digit Dataset",
        licence="CC BY-SA 4.0",
        rate=8000,
        layout="fsdd",
        folder="fsdd",
        n_clips=3000,
        speakers=("george", "jackson", "lucas", "nicolas", "theo", "yweweler"),
        n_takes=50,
        # The archives are packed anew at times, so their bytes are not pinned: their contents are.
        urls=_github("Jakobovski/free-spoken-digit-dataset", "refs/tags/v1.0.10"),
        size_mb=16,
        digest="dbd573d7cafe79c4b49f65718115e1304e24e067fa39eff18a660dc6cb9c360f",
    ),
    "audiomnist": Source(
        title="AudioMNIST",
        licence="MIT",
        rate=48000,
        layout="audiomnist",
        folder="audiomnist",
        n_clips=30000,
        speakers=tuple(f"{number:02}" for number in range(1, 61)),
        n_takes=50,
        urls=_github("soerenab/AudioMNIST", "630d7dab4c040882834de6fa21baf9a60372accd"),
        size_mb=1000,
        large=True,
    ),
    # The sums are those that torchaudio (datasets/speechcommands.py) and, for v0.02, TensorFlow
    # Datasets (url_checksums/speech_commands.txt) publish; the counts are those of the READMEs,
    # less the six recordings of noise that v0.01 counts as well.
    "speech_commands": _speech_commands(
        "v0.01",
        n_clips=64721,
        classes=WORDS,
        size_mb=1489,
        sha256="743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    ),
    "speech_commands_v0.02": _speech_commands(
        "v0.02",
        n_clips=105829,
        classes=MORE_WORDS,
        size_mb=2429,
        sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    ),
    "voices": _voices("fsdd", size_mb=40),
    "voices-audiomnist": _voices("audiomnist", size_mb=160),
    "voices-speech_commands": _voices("speech_commands", size_mb=90),
}


def known_hashes(name: str) -> dict[str, str]:
    """Read how the SHA-256 of each file of a corpus begins.

    Parameters
    ----------
    name : str
        A key of `SOURCES` with a file in ``registry``: a row a digit and speaker, takes in order.

    Returns
    -------
    dict of str to str
        Eight hexadecimal digits by file name.

    Examples
    --------
    >>> known_hashes("fsdd")["0_george_0.wav"]
    '228ab63f'
    """
    rows = files("digitlab").joinpath(f"registry/{name}.txt").read_text().splitlines()
    return {
        f"{prefix}_{take}.wav": start
        for prefix, *starts in (row.split() for row in rows)
        for take, start in enumerate(starts)
    }
