"""The notebooks that students open and readers download: plain, whole, with the chapters' code."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import nbformat
import plain_notebooks
import pytest
from conftest import CHAPTERS, ROOT

RAW = re.compile(r"^:::|^```\{|\{[\w:]+\}`|^: \S|\((?:eq|fig|ex)-\d\d-[\w-]+\)|<div|<input", re.M)
LINK = re.compile(r"\]\(([^)\s\"]+)")
HEADING = re.compile(r"^(#{1,6}) (.+)$", re.M)


@pytest.fixture(scope="module")
def notebooks():
    chapters = plain_notebooks.chapters()
    return {name: plain_notebooks.convert(chapter, name) for name, chapter in chapters.items()}


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def name(request):
    return request.param.name


@pytest.fixture
def cells(notebooks, name):
    return notebooks[name].cells


def words(cells):
    return [cell for cell in cells if cell.cell_type == "markdown"]


def anchor(heading):
    """Return what JupyterLab makes of a heading, for a link to it."""
    return re.sub(r"[*`]", "", heading).replace(" ", "-")


def test_nothing_is_left_of_what_only_the_pages_understand(notebooks, name):
    nbformat.validate(notebooks[name])
    ids = [cell.id for cell in notebooks[name].cells]
    assert len(ids) == len(set(ids))
    assert not [
        match for cell in words(notebooks[name].cells) for match in RAW.findall(cell.source)
    ]


def test_cells_of_both_frameworks_stand_under_their_names(notebooks, name):
    chapter, copied = plain_notebooks.chapters()[name], notebooks[name].cells
    tagged = [plain_notebooks.framework(cell) for cell in chapter.cells]
    begun = [now for before, now in pairwise(tagged) if now and now != before]
    expected = [f"**In {'PyTorch' if name == 'torch' else 'Keras'}**" for name in begun]
    assert [cell.source for cell in copied if cell.source.startswith("**In ")] == expected


@pytest.fixture(scope="module")
def places(notebooks):
    """Return {chapter: the places in it that a link can name}."""
    return {
        chapter: {f"#cell-id={cell.id}" for cell in notebook.cells}
        | {
            f"#heading={anchor(heading)}"
            for cell in words(notebook.cells)
            for _, heading in HEADING.findall(cell.source)
        }
        for chapter, notebook in notebooks.items()
    }


def test_every_link_leads_somewhere(notebooks, places, name):
    links = [link for cell in words(notebooks[name].cells) for link in LINK.findall(cell.source)]
    assert sum(link.startswith("#heading=") for link in links) >= 3, "the glossary is linked"
    for link in links:
        if not link.startswith("http"):
            file, hash_, place = link.partition("#")
            assert (file or name) in notebooks, link
            assert not hash_ or hash_ + place in places[file or name], link


def test_exercises_are_numbered_and_solutions_folded_under_their_headings(cells, name):
    number, open_until, seen = int(name[:2]), None, []
    for cell in cells:
        levels = [len(marks) for marks, _ in HEADING.findall(cell.source)]
        if match := re.match(r"### Exercise (\S+): \S", cell.source):
            seen.append(match[1])
        if match := re.fullmatch(r"#### Solution to exercise (\S+)", cell.source):
            assert match[1] == seen[-1]
            assert cell.metadata["jp-MarkdownHeadingCollapsed"]
            open_until = "code"
        elif open_until and cell.cell_type == "code":
            open_until = "heading"
        elif open_until == "heading" and levels:
            assert levels[0] <= 3
            open_until = None
        elif open_until == "code":
            assert not levels, "a solution holds code before the next heading"
    assert seen == [f"{number}.{i}" for i in range(1, len(seen) + 1)] and len(seen) >= 3
    assert open_until is None


def test_the_code_is_the_chapters(cells, name):
    chapter = nbformat.read(ROOT / "book" / name, 4).cells
    ours = [cell.source for cell in chapter if cell.cell_type == "code"]
    copied = [cell for cell in cells if cell.cell_type == "code"]
    assert copied[0].source == plain_notebooks.install()
    assert all(cell.outputs == [] and cell.execution_count is None for cell in copied)
    sources = [re.sub(r"^# (Figure \d+\.\d+|Folded)\n", "", cell.source) for cell in copied[1:]]
    assert sources == ours


def test_figures_have_their_caption_and_their_words(cells, name):
    chapter = nbformat.read(ROOT / "book" / name, 4).cells
    figures = [
        cell.metadata.mystnb for cell in chapter if "figure" in cell.metadata.get("mystnb", {})
    ]
    captions = [cell.source for cell in words(cells) if cell.id.startswith("fig-")]
    assert len(captions) == len(figures) >= 3
    for count, (caption, figure) in enumerate(zip(captions, figures, strict=True), start=1):
        assert caption.startswith(f"**Figure {int(name[:2])}.{count}:** ")
        assert figure.get("image", {}).get("alt", "") in caption


def test_html_is_closed(cells):
    class Folds(HTMLParser):
        open = 0

        def handle_starttag(self, tag, attrs):
            self.open += tag in ("details", "summary")

        def handle_endtag(self, tag):
            self.open -= tag in ("details", "summary")

    for cell in words(cells):
        (parser := Folds()).feed(cell.source)
        assert parser.open == 0, cell.source


def test_what_somebody_has_changed_is_kept(tmp_path, capsys):
    plain_notebooks.write(tmp_path)
    path = tmp_path / CHAPTERS[0].name
    notebook = nbformat.read(path, 4)
    notebook.cells[3].source = "mine = 7"
    nbformat.write(notebook, path)
    mine = path.read_bytes()
    plain_notebooks.write(tmp_path)
    assert path.read_bytes() == mine
    assert f"{path} is kept" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b'{"cells": [', b"\xff", b"[]", b"<<<<<<< mine"])
def test_what_is_damaged_is_kept_and_takes_no_other_notebook_with_it(content, tmp_path, capsys):
    path, name = tmp_path / CHAPTERS[0].name, CHAPTERS[0].name
    path.write_bytes(content)
    plain_notebooks.put(plain_notebooks.chapters()[name], path)
    assert path.read_bytes() == content
    assert f"{path} is kept, since it cannot be read" in capsys.readouterr().out
    plain_notebooks.put(plain_notebooks.chapters()[name], tmp_path / "new.ipynb")
    assert nbformat.read(tmp_path / "new.ipynb", 4).cells
