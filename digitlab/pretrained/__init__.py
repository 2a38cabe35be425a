"""The model that comes with digitlab, so that a recording can be recognised at once.

Its card is ``README.md`` in this folder: what it was trained on, how well it does for whom, and
what it is not for.
"""

from pathlib import Path

from digitlab import recognisers
from digitlab.environment import sha256
from digitlab.recognisers import Recogniser, RecogniserError

FILE = Path(__file__).with_name("b2.npz")
DIGEST = FILE.with_suffix(".sha256")


def load() -> Recogniser:
    """Return the recogniser that comes with digitlab.

    Returns
    -------
    Recogniser
        It answers with a digit, or with ``"other"`` where none is spoken. Taught in chapter 15.

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
    try:
        wanted, found = DIGEST.read_text("ascii").split()[0], sha256(FILE)
    except OSError as error:
        raise RecogniserError(
            f"{error.filename} cannot be read ({error.strerror}): install digitlab again"
        ) from error
    if found != wanted:
        raise RecogniserError(
            f"{FILE} is not the model that digitlab was published with (SHA-256 {found:.8}..., "
            f"not {wanted:.8}...): install digitlab again"
        )
    return recognisers.load(FILE)
