"""The chapters in JupyterLab, in a real browser: opened, run, read, worked with."""

import os
import re

import plain_notebooks
import pytest
from conftest import CHAPTERS
from lab_server import READY, served, set_lab

RAW = re.compile(r":::|```|\{[\w:]+\}`|\((?:eq|fig|ex)-\d\d-|\bcell-id=|⚠")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve copies of all chapters in JupyterLab; return its address."""
    folder, settings = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("settings")
    plain_notebooks.write(folder)
    # draw also what is out of sight
    set_lab(settings, "@jupyterlab/notebook-extension/tracker", {"windowingMode": "none"})
    with served(folder, settings) as address:
        yield address


@pytest.fixture
def opened(browser, lab):
    """Return a function that opens a chapter and runs all its cells."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.foreign = []
    ours = (
        lab.removesuffix("lab"),
        "data:",
        "blob:",
        lab.replace("http", "ws").removesuffix("lab"),
    )
    page.on("request", lambda r: r.url.startswith(ours) or page.foreign.append(r.url))

    def open_chapter(name):
        page.goto(f"{lab}/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function(READY)
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_timeout(500)  # the last outputs are on their way
        return page

    yield open_chapter
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    context.close()


# `make test-lab` runs every chapter, which takes some minutes; `make test` three of them.
SEEN = CHAPTERS if os.environ.get("DIGITLAB_LAB") == "all" else [CHAPTERS[i] for i in (0, 7, 15)]


@pytest.mark.parametrize("chapter", SEEN, ids=lambda path: path.stem)
def test_a_chapter_runs_and_gives_no_answer_away(opened, chapter):
    page = opened(chapter.name)
    assert (
        page.locator(".jp-CodeCell").count() == page.locator(".jp-CodeCell .jp-InputPrompt").count()
    )
    errors = page.locator("[data-mime-type*='jupyter.error']").all_inner_texts()
    red = page.locator("[data-mime-type*='jupyter.stderr']").all_inner_texts()
    assert not errors and not red
    said = page.locator(".jp-RenderedMarkdown").all_inner_texts()
    assert not [match for text in said for match in RAW.findall(text)]
    assert not page.locator("mjx-merror").count()

    solutions = page.locator(".jp-CodeCell:has-text('# Solution')")
    assert solutions.count() >= 3 and not any(s.is_visible() for s in solutions.all())
    headings = page.locator("h4:has-text('Solution to exercise')").all()
    assert headings and all(heading.is_visible() for heading in headings)

    folded = page.locator(".jp-CodeCell:has-text('# Figure') .jp-InputPlaceholder")
    assert folded.count() == page.locator(".jp-CodeCell:has-text('# Figure')").count()
    for slider in page.locator(".jp-Notebook input[type=range]").all():
        assert slider.get_attribute("aria-label")
        assert re.search(r"[^\d.\s]", slider.get_attribute("aria-valuetext")), "words or a unit"
    assert not page.foreign


def test_a_reader_moves_a_slider_opens_a_solution_and_follows_links(opened):
    page = opened("01_sound_waves.ipynb")
    slider = page.locator(".explorer input[type=range]").first
    before = page.locator(".explorer img").first.get_attribute("src")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("old => document.querySelector('.explorer img').src !== old", arg=before)
    assert (
        slider.get_attribute("aria-valuetext")
        == page.locator(".explorer output").first.inner_text()
    )

    solution = page.locator(".jp-CodeCell:has-text('# Solution')").first
    page.locator("button.jp-showHiddenCellsButton").first.click()
    solution.wait_for(state="visible")

    page.locator("a:has-text('waveform')").first.click()
    page.locator("h5:has-text('waveform')").wait_for(state="visible")
    page.wait_for_function(
        "[...document.querySelectorAll('h5')].some(h => h.textContent.startsWith('waveform')"
        " && h.getBoundingClientRect().top > 0 && h.getBoundingClientRect().top < innerHeight)"
    )
    page.locator("a[href*='02_digital_audio.ipynb']").first.click()
    page.wait_for_selector("h1:has-text('2 ·')")
