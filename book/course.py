"""Turn a chapter's exercises into an assignment: for students, for nbgrader, and with a rubric.

``digitlab course make 3 --out handout`` writes

    handout/student/03_fourier.ipynb               exercises, empty cells, checks
    handout/source/03_fourier/03_fourier.ipynb     for nbgrader: with solutions and hidden tests
    handout/rubric/03_fourier.md                   how to mark what no machine can mark
    handout/nbgrader_config.py                     so that nbgrader runs in this folder

The chapter's code that the exercises use comes along as set-up. What a machine marks is written in
the metadata of a solution's code cell, under "course": CONTRIBUTING.md shows it.
"""

import copy
import re
import textwrap
from dataclasses import dataclass, field
from itertools import takewhile
from keyword import iskeyword
from pathlib import Path
from types import SimpleNamespace

import cell_slices
import plain_notebooks as book
from address import site
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from digitlab.environment import make_folder, printable, replacing

POINTS = 2  # of an exercise whose metadata names none
KEYS = {"ask", "points", "needs", "solution", "check", "hidden", "rubric", "question"}
YOURS = {"code": "# Your code here\n", "markdown": "*Your answer here.*"}
CONFIG = f"""\
# nbgrader reads this in the folder in which it is called.
c = get_config()
c.CourseDirectory.course_id = "hearing-digits"
c.ClearSolutions.code_stub = {{"python": {YOURS["code"]!r}}}
c.ClearSolutions.text_stub = {YOURS["markdown"]!r}
c.Execute.timeout = 900  # seconds for one cell: then it is stopped, and the next cell runs
"""
FRONT = """\
# Assignment {number}: {title}

These are the exercises of {chapter}.

1. Run the cells under *Set-up*. They come from the chapter; do not change them.
2. Write your answers into the cells that say "Your code here" or "Your answer here".
3. Run the check below an answer. It finds many mistakes, but not all.
4. At the end, choose *Restart Kernel and Run All Cells* in the menu *Kernel*, and save."""
SOLUTION = "### BEGIN SOLUTION\n{}\n### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS\n{}\n### END HIDDEN TESTS\n"
SILENT = """\
import warnings

warnings.simplefilter("ignore")  # nbgrader takes a warning in a check for a failure"""
NAME = re.compile(r"`([A-Za-z_]\w*)")
INNER = re.compile(r'\[([^]\n]+)\]\(#[^\s)]+(?: "(?:[^"\\]|\\.)*")?\)')  # links into the notebook
LINK = re.compile(r"\[([^]\n]*)\]\(([\w.-]+\.ipynb)?(?:#cell-id=([\w-]+))?\)")


@dataclass
class Exercise:
    """An exercise of a chapter, what it gives, its solution, and how it is marked."""

    label: str
    text: str
    given: list = field(default_factory=list)  # cells of the plain notebook
    solution: list = field(default_factory=list)  # its code cells, likewise
    words: str = ""  # the solution's
    course: dict = field(default_factory=dict)  # the metadata

    @property
    def number(self) -> str:
        """Return the number that the pages give it, such as "3.2"."""
        return book.numbers()[self.label][1]

    @property
    def points(self) -> int:
        """Return the points for its code."""
        return self.course.get("points", POINTS)

    @property
    def question(self) -> dict:
        """Return what is to be answered in words. An exercise without metadata has it, too."""
        default = {} if self.course else {"points": 1, "rubric": [self.words]}
        return self.course.get("question", default)

    @property
    def by_machine(self) -> int:
        """Return the points that a machine gives."""
        return self.points if "check" in self.course else 0

    @property
    def by_hand(self) -> int:
        """Return the points that a person gives, for code and words."""
        return self.points - self.by_machine + self.question.get("points", 0)

    @property
    def answer(self) -> str:
        """Return the code of a right answer."""
        book_code = [cell.source.removeprefix("# Solution\n") for cell in self.solution]
        return "\n\n".join([*book_code, *filter(None, [self.course.get("solution")])])

    @property
    def code(self) -> str:
        """Return all code that runs for this exercise, and the names that its text names."""
        given = [cell.source for cell in self.given if cell.cell_type == "code"]
        checks = [self.course.get(key, "") for key in ("check", "hidden")]
        named = [name for name in NAME.findall(self.text) if not iskeyword(name)]
        return "\n".join([*given, self.answer, *checks, *named, *self.course.get("needs", [])])


def chapter(number: int) -> str:
    """Return the file name of the chapter with a number."""
    files = {int(name.split("_")[0]): name for name in book.chapters()}
    if number not in files:
        raise ValueError(f"there is no chapter {number}: the book has 1 to {max(files)}")
    return files[number]


def exercises(name: str) -> list[Exercise]:
    """Return the exercises of a chapter."""
    notebook = book.chapters()[name]
    metadata = {cell.id: cell.metadata for cell in notebook.cells}
    found, solving = [], False
    for cell in takewhile(before_the_questions, book.convert(notebook, name).cells):
        if cell.id.startswith("ex-") and cell.id in book.numbers():
            found.append(Exercise(cell.id, re.sub(r"\n{3,}", "\n\n", cell.source)))
            solving = False
        elif found and cell.id == f"{found[-1].label}-solution":
            solving = True
        elif found and not solving:
            found[-1].given.append(cell)
        elif found and cell.cell_type == "code":
            found[-1].solution.append(cell)
            found[-1].course |= known(metadata[cell.id].get("course", {}), found[-1].label)
        elif found and not cell.id.startswith("fig-"):  # a caption
            found[-1].words += cell.source
    if unsolved := [exercise.label for exercise in found if not exercise.solution]:
        raise ValueError(f"{name}: there is no code in the solution of {', '.join(unsolved)}")
    return found


def before_the_questions(cell) -> bool:
    """Tell whether a cell stands before "Check yourself", which follows the exercises."""
    return not cell.source.startswith("## Check yourself")


def known(course: dict, label: str) -> dict:
    """Return an exercise's metadata, or say what in it is not understood."""
    if unknown := set(course) - KEYS:
        raise ValueError(f"{label} has {sorted(unknown)} in its metadata: known are {sorted(KEYS)}")
    if "hidden" in course and "check" not in course:
        raise ValueError(f"{label} has a hidden test, but no check that students see")
    if missing := {"points", "rubric"} - set(course.get("question", ("points", "rubric"))):
        raise ValueError(f"{label} has a question without {' and '.join(sorted(missing))}")
    return course


def setup(name: str, found: list[Exercise]) -> list:
    """Return the chapter's cells without which its exercises neither run nor are understood."""
    every = [cell for cell in book.chapters()[name].cells if cell.cell_type == "code"]
    code = [cell for cell in every if "solution" not in cell.metadata.get("tags", [])]
    sources, ids = [cell.source for cell in code], [cell.id for cell in every]
    wanted = {0}  # imports and style
    for exercise in found:
        before = set(ids[: ids.index(exercise.solution[0].id)])
        n_before = sum(cell.id in before for cell in code)
        wanted.update(cell_slices.needed(sources[:n_before], exercise.code))
    linked = labels_in(found)
    for place, cell in enumerate(code):
        if linked & set(book.labels(cell)):
            wanted.update([*cell_slices.needed(sources[:place], cell.source), place])
    given = {cell.id for exercise in found for cell in exercise.given}
    return [code[place] for place in sorted(wanted) if code[place].id not in given]


def labels_in(found: list[Exercise]) -> set[str]:
    """Return the labels of the figures and formulas that exercises link."""
    return {label for exercise in found for _, _, label in LINK.findall(exercise.text)}


def formulas(name: str, found: list[Exercise]) -> list:
    """Return the formulas of the chapter that its exercises link."""
    text = "\n".join(cell.source for cell in book.chapters()[name].cells)
    return [
        new_markdown_cell(book.marked_down(match[0], name), id=match[2])
        for match in book.FORMULA.finditer(text)
        if match[2] in labels_in(found)
    ]


def front(name: str) -> list:
    """Return the title, what to do, and how to install the package."""
    number, _, title = book.titles()[name].partition(" · ")
    where = f"[chapter {number}]({page(name)})" if site() else f"chapter {number} of Hearing Digits"
    text = FRONT.format(number=number, title=title, chapter=where)
    return [new_markdown_cell(text, id="front"), new_code_cell(book.install(), id="install")]


def page(name: str) -> str:
    """Return the address of a chapter's page."""
    return f"{site()}book/{Path(name).stem}.html"


def locked(cell, linked: set[str]) -> list:
    """Return a chapter's code cell that students do not change, with its caption if it is shown."""
    shown = bool(linked & set(book.labels(cell)))
    first, *caption = book.code(cell, book.numbers()[book.labels(cell)[0]][0]) if shown else [cell]
    copied = new_code_cell(first.source, id=cell.id)
    copied.metadata = {"nbgrader": graded(cell.id, locked=True)}
    copied.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": not shown}
    return [copied, *caption]


def graded(grade_id: str, **settings) -> dict:
    """Return a cell's metadata for nbgrader."""
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return plain | {"schema_version": 3, "grade_id": grade_id} | settings


def cells_of(exercise: Exercise) -> list:
    """Return an exercise's cells: what is asked and given, the answer, its check and its words."""
    course, machine = exercise.course, "check" in exercise.course
    asked = [exercise.text, f"**To hand in:** {course['ask']}" if "ask" in course else ""]
    cells = [new_markdown_cell("\n\n".join(filter(None, asked)), id=exercise.label)]
    for cell in exercise.given:
        given = copy.deepcopy(cell)
        if cell.cell_type == "code":
            given.metadata["nbgrader"] = graded(cell.id, locked=True)
        cells.append(given)
    by_hand = {} if machine else {"grade": True, "points": exercise.points}
    answer = new_code_cell(SOLUTION.format(exercise.answer), id=f"{exercise.label}-answer")
    answer.metadata["nbgrader"] = graded(answer.id, solution=True, **by_hand)
    cells.append(answer)
    if machine:
        cells.append(check(exercise))
    if exercise.question:
        cells.append(in_words(exercise))
    return cells


def check(exercise: Exercise):
    """Return the cell that marks an answer: what students see, and what they do not."""
    course, number = exercise.course, exercise.number
    source = HIDDEN.format(SILENT) + f"# Check of exercise {number}: {points(exercise.points)}\n"
    source += f"{course['check']}\n"
    if "hidden" in course:  # as a function, so that it binds none of the students' names
        body = textwrap.indent(course["hidden"], "    ")
        source += HIDDEN.format(f"def hidden_test():\n{body}\n\nhidden_test()")
    source += f'print("Exercise {number} passes this check.")'
    settings = {"grade": True, "locked": True, "points": exercise.points}
    metadata = {"nbgrader": graded(f"{exercise.label}-check", **settings)}
    return new_code_cell(source, id=f"{exercise.label}-check", metadata=metadata)


def in_words(exercise: Exercise):
    """Return the cell for an answer in words, with the book's own."""
    question = exercise.question
    ask = question.get("ask", "Answer the exercise's questions in a few sentences.")
    source = f"**Exercise {exercise.number}, in words, {points(question['points'])}.** {ask}\n\n"
    source += SOLUTION.format(exercise.words)
    settings = {"grade": True, "solution": True, "points": question["points"]}
    metadata = {"nbgrader": graded(f"{exercise.label}-words", **settings)}
    return new_markdown_cell(source, id=f"{exercise.label}-words", metadata=metadata)


def points(n: float) -> str:
    """Return a number of points in words."""
    return f"{n} point" if n == 1 else f"{n} points"


def closing(name: str, figures: list) -> list:
    """Return the glossary and the references of the exercises and of the figures they link."""
    notebook = book.chapters()[name]
    texts = [cell for cell in notebook.cells if ":label: ex-" in cell.source]
    texts += [SimpleNamespace(source=cell.metadata.mystnb.figure.caption) for cell in figures]
    cells = book.closing(SimpleNamespace(cells=texts), name)
    return [cell for cell in cells if cell.source != "## Glossary"]


def relinked(cells: list) -> list:
    """Let links lead to cells that are there, or else to the book's pages, or nowhere."""
    there = {cell.id for cell in cells}

    def target(match):
        shown, file, place = match.groups()
        if not file and place in there:
            return match[0]
        if file and site():
            return f"[{shown}]({page(file)})"
        return shown

    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(target, cell.source)
    return cells


def source(name: str):
    """Return nbgrader's source notebook of a chapter: everything, for the teacher's eyes."""
    found = exercises(name)
    linked, needed = labels_in(found), setup(name, found)
    cells = [*front(name), new_markdown_cell("## Set-up", id="set-up"), *formulas(name, found)]
    for cell in needed:
        cells += locked(cell, linked)
    cells.append(new_markdown_cell("## Exercises", id="exercises"))
    for exercise in found:
        cells += cells_of(exercise)
    cells += closing(name, [cell for cell in needed if linked & set(book.labels(cell))])
    metadata = book.chapters()[name].metadata
    return book.signed(new_notebook(cells=relinked(cells), metadata=copy.deepcopy(metadata)))


def student(name: str):
    """Return the notebook for students, which nbgrader can mark: no solution, no hidden test."""
    notebook = source(name)
    for cell in notebook.cells:
        cell.source = without(cell.source, "SOLUTION", YOURS.get(cell.cell_type, ""))
        cell.source = without(cell.source, "HIDDEN TESTS\n", "")
        marked = cell.metadata.get("nbgrader", {})
        if marked.get("locked"):
            cell.metadata |= {"editable": False, "deletable": False}
        elif marked:
            cell.metadata["deletable"] = False
    return book.signed(notebook)


def without(text: str, region: str, stub: str) -> str:
    """Return a text with a stub for each of its regions that students do not see."""
    return re.sub(f"### BEGIN {region}.*?### END {region}", lambda _: stub, text, flags=re.S)


def rubric(name: str) -> str:
    """Return how an assignment is marked: points, criteria, and the book's solutions."""
    number, _, title = book.titles()[name].partition(" · ")
    rows, parts, found = [], [], exercises(name)
    for exercise in found:
        rows.append(f"| {exercise.number} | {exercise.by_machine} | {exercise.by_hand} |")
        if exercise.by_hand:
            parts.append(criteria(exercise))
    table = ["| exercise | points by machine | points by hand |", "|:--|--:|--:|", *rows]
    return (
        "\n\n".join([f"# Rubric of assignment {number}: {title}", "\n".join(table), *parts]) + "\n"
    )


def criteria(exercise: Exercise) -> str:
    """Return what a person marks in an exercise, and the solution to compare with."""
    lines = [exercise.text.replace("### ", "## ", 1)]
    if "check" not in exercise.course:
        given = exercise.course.get("rubric", ["It does what is asked, as the solution does."])
        lines += [f"**The code, {points(exercise.points)}.**", bullets(given)]
    if exercise.question:
        ask = exercise.question.get("ask", "")
        lines.append(f"**The words, {points(exercise.question['points'])}.** {ask}".strip())
        lines.append(bullets(exercise.question["rubric"]))
    lines += ["**The book's solution.**", exercise.words, f"```python\n{exercise.answer}\n```"]
    return INNER.sub(r"\1", "\n\n".join(lines))


def bullets(items: list[str]) -> str:
    """Return a list in Markdown."""
    return "\n".join("- " + item.replace("\n", "\n  ") for item in items)


def totals(name: str) -> dict[str, int]:
    """Return how many exercises a chapter has, and the points of a machine and a person."""
    found = exercises(name)
    return {
        "exercises": len(found),
        "marked by machine": sum("check" in exercise.course for exercise in found),
        "points by machine": sum(exercise.by_machine for exercise in found),
        "points by hand": sum(exercise.by_hand for exercise in found),
    }


def summary(number: int) -> str:
    """Return a line about the points of a chapter's exercises."""
    n_exercises, n_checked, by_machine, by_hand = totals(chapter(number)).values()
    marked = f"{by_machine} by machine, for {n_checked} of {n_exercises} exercises"
    return f"points   {marked}; {by_hand} by hand, by the rubric"


def make(number: int, folder: Path) -> dict[str, Path]:
    """Write an assignment into a folder; return {what it is: its file}."""
    name = chapter(number)
    stem = Path(name).stem
    files = {
        "student": folder / "student" / name,
        "source": folder / "source" / stem / name,
        "rubric": folder / "rubric" / f"{stem}.md",
        "config": folder / "nbgrader_config.py",
    }
    for file in files.values():
        make_folder(file.parent)
    book.put(student(name), files["student"])
    book.put(source(name), files["source"])
    put_text(rubric(name), files["rubric"])
    put_text(CONFIG, files["config"])
    return files


def put_text(text: str, file: Path) -> None:
    """Write a text, but not over another that is there."""
    if not file.exists():
        with replacing(file, "w") as out:
            out.write(text)
    elif file.is_dir() or file.read_bytes() != text.encode():
        print(printable(f"{file} is kept, since it differs: rename it to get the book's own"))
