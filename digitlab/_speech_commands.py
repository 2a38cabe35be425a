"""The rule that puts every speaker of Speech Commands into one set."""

from hashlib import sha1
from pathlib import PurePath

__all__ = ["which_set"]

VALIDATION, TEST = 10, 10  # percent of the speakers
BUCKETS = 2**27


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
