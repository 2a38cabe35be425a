"""What the tests share."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("DIGITLAB_SCALE", "smoke")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the Makefile does

ROOT = Path(__file__).parents[1]

# What Numba compiles for librosa is kept in a folder for each of pytest's processes. Two that
# compile the same function at once mix their files in a shared one: whoever loads them crashes,
# until they are deleted.
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "alone")
os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".pytest_cache" / "numba" / PROCESS)

sys.path.insert(0, str(ROOT / "book"))  # the scripts that make pages, notebooks and PDFs
CHAPTERS = sorted(ROOT.glob("book/[0-9]*_*.ipynb"))


@pytest.fixture(scope="session")
def html():
    """Return the folder of the rendered book."""
    folder = Path(os.environ.get("DIGITLAB_HTML", ROOT / "_build/smoke/_build/html"))
    if not (folder / "index.html").exists():
        pytest.skip(f"no rendered book in {folder}; `make test` builds it, or set DIGITLAB_HTML")
    return folder


@pytest.fixture(scope="session")
def page_files(html):
    """Return the book's pages: no files of the theme, no slides, no redirect at the root."""
    others = {html / "_static", html / "slides"}
    pages = (path for path in sorted(html.rglob("*.html")) if not others & set(path.parents))
    return [path for path in pages if path != html / "index.html"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Three synthetic voices, seven takes each: small enough to scatter in seconds."""
    from digitlab import corpora, voices

    folder = tmp_path_factory.mktemp("voices") / "three"
    voices.write_corpus(folder, n_speakers=3, n_takes=7)
    return corpora.load(folder)


@pytest.fixture(scope="session")
def playwright():
    """Return what starts browsers; a process can have one alone."""
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def start(playwright):
    """Return a function that starts Chromium without a window, with further flags if wanted."""
    import print_pdf

    browsers = []

    def with_flags(*flags):
        browser = print_pdf.start(playwright, *flags)
        if browser is None:
            pytest.skip("no Chromium or Chrome on this machine")
        browsers.append(browser)
        return browser

    yield with_flags
    for browser in browsers:
        browser.close()


@pytest.fixture(scope="session")
def browser(start):
    """Return Chromium without a window, one for all tests of this process."""
    return start()
