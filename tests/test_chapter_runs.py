"""Chapters run before the pages are made, two at a time; one that fails is left to its page."""

from concurrent.futures import ThreadPoolExecutor

import chapter_runs
import pytest
from nbformat.v4 import new_code_cell, new_notebook


@pytest.fixture
def run(tmp_path):
    """Return a function that runs one cell as the book runs a chapter."""

    def of(source: str):
        notebook = new_notebook(cells=[new_code_cell(source)])
        seconds = chapter_runs.run(tmp_path / "01_a.ipynb", notebook, 60, tmp_path / "numba")
        return notebook, seconds

    return of


def test_what_is_compiled_is_kept_apart_for_each_thread(run):
    with ThreadPoolExecutor(1, thread_name_prefix="chapters") as pool:
        notebook, seconds = pool.submit(run, "import os; os.environ['NUMBA_CACHE_DIR']").result()
    assert seconds > 0
    shown = notebook.cells[0].outputs[0].data["text/plain"]
    assert shown.endswith("numba/chapters_0'")
    assert notebook.cells[0].metadata == {}  # else the page would not find it in the cache


@pytest.mark.parametrize("source", ["1 / 0", "import os, signal; os.kill(os.getpid(), 9)"])
def test_a_chapter_that_fails_is_left_to_the_page(run, source):
    _, seconds = run(source)
    assert seconds is None
