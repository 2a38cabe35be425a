"""A Sphinx extension: chapter 9 counts its figures, exercises and formulas 9.1, 9.2, ..."""

import re


def number(app, env):
    """Put the number in a chapter's file name before the numbers that Sphinx has given."""
    for page, kinds in env.toc_fignumbers.items():
        chapter = re.match(r"book/(\d+)_", page)
        for names in kinds.values():
            for i, name in enumerate(names, 1):
                names[name] = (int(chapter[1]), i) if chapter else (i,)
    return []


def setup(app):
    """Run after Sphinx has counted."""
    app.connect("env-get-updated", number, priority=900)
    return {"parallel_read_safe": True}
