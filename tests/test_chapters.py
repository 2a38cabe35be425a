"""Every chapter has the same frame, and stores no output but its promises.

CONTRIBUTING.md shows what each of these looks like in a notebook.
"""

import re

import nbformat
import pandas as pd
import pytest
from conftest import CHAPTERS, ROOT

END = ["What to remember", "Exercises", "Check yourself", "Going further"]
EXERCISE = re.compile(r"\{exercise(?:-start)?\}[^\n]*\n:label: (\S+)")
SOLUTION = re.compile(r"\{solution-start\} (\S+)\n:class: dropdown\n")
OPTION = re.compile(
    r"^:::\{dropdown\} \S[^\n]*\n(:class-container: right\n)?(.*?)^:::$", re.M | re.S
)
ABSOLUTE = re.compile(r"(?<![\w./:~])/(home|Users|root|tmp|work|usr|opt|mnt|data|var)/|\b[A-Z]:\\")


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return nbformat.read(path, 4).cells


def tags(cell):
    return cell.metadata.get("tags", [])


def section(cells, title):
    """Return the Markdown under a heading of the second level."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], flags=re.M)[0]


def test_opening(path, cells):
    title, hook, *frame = cells[0].source.split("\n\n")
    assert title.startswith(f"# {int(path.stem.split('_')[0])} · ")
    assert hook and "\n" not in hook and hook.endswith((".", "?")), "one sentence to want it"
    terms = [re.match(r"\*(.+)\*\n: \S", item) for item in frame]
    assert all(terms), "each of the frame's words has its answer: *You need*, then : ..."
    assert [t[1] for t in terms] == ["You will learn", "You need", "Time", "Runs on"]


def test_the_opening_names_the_memory_that_was_measured(path, cells):
    """By benchmarks/chapter_costs.py, with the exercises' solutions; none named: below 1 GB."""
    costs = pd.read_csv(ROOT / "book/chapter_costs.csv")
    peak = costs[costs["chapter"] == path.stem]["peak_mb"].max()
    named = re.search(r"([\d.]+) GB of memory", cells[0].source)
    assert peak <= 1000 * (float(named[1]) if named else 1)


def test_closing(cells):
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (.+)$", text, re.M)[-4:] == END
    assert 3 <= len(re.findall(r"^- ", section(cells, "What to remember"), re.M)) <= 6
    assert "{cite" in section(cells, "Going further")


def test_exercises_have_solutions_that_run(cells):
    exercises, solved, now = [], {}, None
    for cell in cells:
        if cell.cell_type == "markdown":
            exercises += EXERCISE.findall(cell.source)
            for start in SOLUTION.findall(cell.source):
                now, solved[start] = start, 0
            if "{solution-end}" in cell.source.rpartition("{solution-start}")[2]:
                now = None
        elif now or "solution" in tags(cell):
            assert now and "solution" in tags(cell), f"tag and place disagree:\n{cell.source}"
            assert cell.metadata.get("jupyter", {}).get("source_hidden"), cell.source
            assert cell.source.startswith("# Solution\n"), "JupyterLab shows a folded first line"
            solved[now] += 1
    assert len(exercises) >= 3
    assert sorted(exercises) == sorted(solved), "each exercise has one solution"
    assert all(solved.values()), f"a solution without code: {solved}"


def test_questions_give_reasons(cells):
    text = section(cells, "Check yourself")
    questions = re.split(r"^\*\*(\d+)\.\*\* ", text, flags=re.M)[1:]
    numbers, bodies = questions[::2], questions[1::2]
    assert [int(n) for n in numbers] == list(range(1, len(numbers) + 1)) and len(numbers) >= 3
    assert text.count("{dropdown}") == len(OPTION.findall(text)), "an option of another form"
    for body in bodies:
        options = OPTION.findall(body)
        assert len(options) >= 3, body
        assert sum(bool(right) for right, _ in options) == 1, f"one option is right:\n{body}"
        for right, reason in options:
            assert reason.startswith("**Right.** " if right else "**Not quite.** "), reason


def test_cells_are_short(cells):
    for cell in cells:
        if cell.cell_type == "code" and not {"solution", "hide-input"} & set(tags(cell)):
            assert len(cell.source.splitlines()) <= 8, f"more than 8 lines:\n{cell.source}"


def test_figures_have_words(cells):
    for cell in cells:
        if "figure" in (words := cell.metadata.get("mystnb", {})):
            assert words["figure"].get("caption") and words["figure"].get("name"), cell.source
            explorer = re.search(r"^widgets\.", cell.source, re.M)  # describes each frame itself
            assert explorer or words.get("image", {}).get("alt"), f"no alt text:\n{cell.source}"


def test_stored_outputs_are_promises(cells):
    for cell in cells:
        if cell.cell_type != "code":
            continue
        promised = "nbval-check-output" in tags(cell)
        assert bool(cell.outputs) == promised, f"run `make promises`:\n{cell.source}"
        assert bool(cell.execution_count) == promised, f"run `make promises`:\n{cell.source}"
        for output in cell.outputs:
            text = output.get("name") == "stdout" or list(output.get("data", {})) == ["text/plain"]
            assert text, f"not text:\n{cell.source}"


def test_fit_for_any_machine(path, cells):
    metadata = nbformat.read(path, 4).metadata
    assert metadata.kernelspec.name == "python3"
    assert "widgets" not in metadata
    for cell in cells:
        assert not ABSOLUTE.search(cell.source), f"an absolute path:\n{cell.source}"
