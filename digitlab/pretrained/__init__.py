"""The model that comes with digitlab, so that a recording can be recognised at once.

Its card is ``README.md`` in this folder: what it was trained on, how well it does for whom, and
what it is not for.
"""

import hashlib
from pathlib import Path

from digitlab import recognisers
from digitlab.recognisers import Recogniser, RecogniserError

FILE = Path(__file__).with_name("b2.npz")
DIGEST = FILE.with_suffix(".sha256")


def load() -> Recogniser:
    """Return the recogniser that comes with digitlab.

    Returns
    -------
    Recogniser
        It answers with a digit, or with ``"other"`` where none is spoken.

    Raises
    ------
    RecogniserError
        If its file is missing or is not the one that was published.
    ImportError
        If PyTorch is not installed.

    Examples
    --------
    >>> from digitlab import audio, voices
    >>> load().predict(voices.say("seven", rate=16000), 16000).label
    '7'
    """
    wanted, found = DIGEST.read_text("ascii").split()[0], digest(FILE)
    if found != wanted:
        raise RecogniserError(
            f"{FILE} is not the model that digitlab was published with (SHA-256 {found:.8}..., "
            f"not {wanted:.8}...): install digitlab again"
        )
    return recognisers.load(FILE)


def digest(file: Path) -> str:
    """Return the SHA-256 of a file.

    Parameters
    ----------
    file : pathlib.Path
        The model's, or another.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    RecogniserError
        If the file cannot be read.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise RecogniserError(
            f"{file} cannot be read ({error.strerror}): install digitlab again"
        ) from error
