"""A Sphinx extension: while pages are built, explorers become flipbooks (digitlab.widgets)."""

import os


def setup(app):
    """Tell the chapters, which run as child processes, that a page is being made."""
    os.environ["DIGITLAB_FLIPBOOK"] = "1"
    return {"parallel_read_safe": True}
