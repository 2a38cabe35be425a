"""Where digitlab keeps what it downloads and computes."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the folder of downloads and computed features, made if it is missing.

    It is ``$DIGITLAB_CACHE`` if that is set, else the user's cache folder.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Examples
    --------
    >>> cache_folder().is_dir()
    True
    """
    folder = Path(os.environ.get("DIGITLAB_CACHE") or platformdirs.user_cache_path("digitlab"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
