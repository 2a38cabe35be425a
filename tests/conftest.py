"""What the tests share."""

import os
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

os.environ.setdefault("DIGITLAB_SCALE", "smoke")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the Makefile does

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted(ROOT.glob("book/[0-9]*_*.ipynb"))


class Executed:
    """Puts each chapter that nbval has run into the cache from which `jupyter-book` takes it.

    A chapter of which a cell fails is not put there: `jupyter-book` runs it again.
    """

    def __init__(self, folder):
        self.cache = get_cache(folder)
        self.cache.list_cache_records()  # makes it, before other processes come

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        result = yield
        if hasattr(item, "test_outputs"):  # a cell of nbval's, and it has passed
            item.cell.outputs = nbformat.from_dict(item.test_outputs)
            chapter = item.parent
            chapter.passed = getattr(chapter, "passed", 0) + 1
            if chapter.passed == sum(cell.cell_type == "code" for cell in chapter.nb.cells):
                executed = CacheBundleIn(chapter.nb, str(chapter.path))
                self.cache.cache_notebook_bundle(executed, check_validity=False, overwrite=True)
        return result


def pytest_configure(config):
    if folder := os.environ.get("DIGITLAB_EXECUTED"):
        config.pluginmanager.register(Executed(folder))


@pytest.fixture(scope="session")
def html():
    """Return the folder of the rendered book."""
    folder = Path(os.environ.get("DIGITLAB_HTML", ROOT / "_build/smoke/_build/html"))
    if not (folder / "index.html").exists():
        pytest.skip(f"no rendered book in {folder}; `make test` builds it, or set DIGITLAB_HTML")
    return folder


@pytest.fixture(scope="session")
def page_files(html):
    """Return the book's pages: every HTML file but the theme's own and the redirect at the root."""
    pages = (path for path in sorted(html.rglob("*.html")) if "_static" not in path.parts)
    return [path for path in pages if path != html / "index.html"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Three synthetic voices, seven takes each: small enough to scatter in seconds."""
    from digitlab import corpora, voices

    folder = tmp_path_factory.mktemp("voices") / "three"
    voices.write_corpus(folder, n_speakers=3, n_takes=7)
    return corpora.load(folder)
