"""Assignments: complete, without solutions for students, marked by nbgrader as they should be."""

import builtins
import copy
import os
import re
import sys
from pathlib import Path

import cell_slices
import course
import nbformat
import pytest
import wrong_answers
import wrong_answers_networks
from click.testing import CliRunner
from conftest import CHAPTERS, ROOT
from traitlets.config import PyFileConfigLoader

from digitlab.cli import main

MARKED = [path.name for path in CHAPTERS if '"course": {' in path.read_text("utf-8")]
WRONG = wrong_answers.WRONG | wrong_answers_networks.WRONG
ALSO_RIGHT = wrong_answers.ALSO_RIGHT | wrong_answers_networks.ALSO_RIGHT

# `make test-course` sets this: then every chapter goes through nbgrader, and every exercise is
# marked. Else the exercises are left out whose set-up trains networks or starts another Python.
ALL = os.environ.get("DIGITLAB_COURSE") == "all"
SLOW = set() if ALL else wrong_answers_networks.SLOW
THIRD = "03_fourier"  # the chapter whose set-up and answers take the least time


def quick(name):
    """Return the exercises of a chapter that are marked here."""
    found = [exercise for exercise in course.exercises(name) if "check" in exercise.course]
    return [exercise for exercise in found if exercise.label not in SLOW]


def part(cell):
    """Return what a cell is for: "answer", "check", "words", or else "given"."""
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    found = re.fullmatch(r"ex-.*-(answer|check|words)", grade_id)
    return found[1] if found else "given"


def run(source, names):
    exec(compile(source, "a cell", "exec"), names)


def test_a_slice_holds_what_is_read_and_what_changed_it():
    cells = ["import json", "a = 1\nb = [a]", "def f(x):\n    return x * scale", "scale = 2"]
    cells += ["b.append(3)\nlen(b)", "scale = 3", "if a:\n    b[0] = 5", "c = f(1)", "print(b)\n7"]
    assert cell_slices.needed(cells, "b") == [1, 4, 6]
    assert cell_slices.needed(cells, "c") == [2, 3, 5, 7]  # both scales: who knows which it reads
    assert cell_slices.needed(cells, "[json.dumps(c) for c in 'ab']") == [0]
    assert cell_slices.needed(cells, "for scale in (1, 2):\n    scale += 1") == []


def test_every_assignment_has_three_exercises_for_the_machine():
    checked = {
        name: [exercise.label for exercise in course.exercises(name) if "check" in exercise.course]
        for name in MARKED
    }
    assert len(MARKED) >= 16 and min(map(len, checked.values())) >= 3
    labels = set().union(*checked.values())
    assert labels == set(WRONG) and labels >= wrong_answers_networks.SLOW | set(ALSO_RIGHT)


def test_an_assignment_brings_along_the_loop_that_trains_its_network():
    name = "09_scattering_pytorch.ipynb"  # "needs" names it: no code shows that a loop changes it
    cells = [cell.source for cell in course.setup(name, course.exercises(name))]
    trains = next(place for place, cell in enumerate(cells) if "train_one_epoch(k2_torch" in cell)
    predicts = next(place for place, cell in enumerate(cells) if "y_pred_torch = " in cell)
    assert trains < predicts


@pytest.mark.parametrize("name", MARKED)
def test_rubrics_give_the_points_that_they_promise(name):
    for exercise in course.exercises(name):
        questions = [exercise.question] if "question" in exercise.course else []
        if "rubric" in exercise.course:
            questions.append(exercise.course)
            assert "check" not in exercise.course, "a machine or a person marks the code"
        for question in questions:
            given = [re.match(r"(\d+) points?: ", line) for line in question["rubric"]]
            assert sum(int(points[1]) for points in given) == question["points"], exercise.label


@pytest.mark.parametrize("name", MARKED)
def test_no_slow_check_is_content_with_what_the_chapter_binds(name):
    found = course.exercises(name)
    cells = [*course.setup(name, found), *(cell for exercise in found for cell in exercise.given)]
    chapter = cell_slices.names("\n".join(c.source for c in cells if c.cell_type == "code"))
    for exercise in found:
        if exercise.label in wrong_answers_networks.SLOW:
            asked = cell_slices.names(exercise.course["check"]).reads
            answered = cell_slices.names(exercise.answer).binds
            assert (asked & answered) - chapter.binds - chapter.changes, exercise.label


@pytest.mark.parametrize("name", [path.name for path in CHAPTERS])
def test_students_see_neither_solutions_nor_hidden_tests(name):
    found, student = course.exercises(name), course.student(name)
    nbformat.validate(student)
    text = "\n".join(cell.source for cell in student.cells)
    assert "BEGIN" not in text and not any("course" in cell.metadata for cell in student.cells)
    answers = {c.id: c.source for c in student.cells if c.id.endswith(("-answer", "-words"))}
    chapter = "\n".join(cell.source for cell in course.setup(name, found))
    assert len(found) >= 3
    for exercise in found:
        assert answers[f"{exercise.label}-answer"] == course.YOURS["code"]
        if exercise.question:
            assert answers[f"{exercise.label}-words"].endswith(course.YOURS["markdown"])
        given = [cell.source for cell in exercise.given]
        shown = lines("\n".join([chapter, exercise.course.get("check", ""), *given]))
        secret = lines(exercise.answer + "\n" + exercise.course.get("hidden", ""))
        assert not [line for line in (secret - shown) & lines(text) if len(line) > 15]


def lines(text):
    return {line.strip() for line in text.splitlines()}


@pytest.mark.parametrize("name", [path.name for path in CHAPTERS])
def test_links_lead_somewhere_and_marked_cells_have_names(name):
    source = course.source(name)
    ids = {cell.id for cell in source.cells}
    headings = [cell.source for cell in source.cells if cell.cell_type == "markdown"]
    anchors = {
        re.sub(r"[*`]", "", heading).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", "\n".join(headings), re.M)
    }
    for target in re.findall(r"\]\(([^)\s\"]+)", "\n".join(headings)):
        place = target.partition("=")
        there = {"#cell-id": ids, "#heading": anchors}.get(place[0], {place[2]})
        assert target.startswith("http") or place[2] in there, target
    grade_ids = [c.metadata.nbgrader.grade_id for c in source.cells if "nbgrader" in c.metadata]
    assert len(grade_ids) == len(set(grade_ids))


@pytest.mark.parametrize("name", [path.name for path in CHAPTERS])
def test_no_name_is_missing(name):
    code = [c for c in course.source(name).cells if c.cell_type == "code" and c.id != "install"]
    found = cell_slices.names("\n".join(cell.source for cell in code))
    missing = (found.reads | found.reads_later) - found.binds - found.changes
    assert not missing - set(dir(builtins)) - {"display"}  # IPython's
    assert not found.reads - set(dir(builtins)) - {"display"}


@pytest.mark.parametrize("name", [name for name in MARKED if quick(name)])
def test_checks_take_right_answers_and_refuse_wrong_ones(name, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    names, taken = {"__name__": "__main__"}, []
    found = quick(name)
    for cell in course.setup(name, found):
        run(cell.source, names)
    for exercise in found:
        for cell in exercise.given:
            run(cell.source if cell.cell_type == "code" else "", names)
        right, check = dict(names), course.check(exercise).source
        run(exercise.answer, right)  # alone: it does not rest on the answers before
        run(check, dict(right))
        taken += [wrong for wrong in WRONG[exercise.label] if takes(check, right, wrong)]
        taken += [f"nothing for {exercise.label}"] * takes(check, names, "")
        for other in ALSO_RIGHT.get(exercise.label, []):
            assert takes(check, right, other), other
    assert not taken


def takes(check, right, wrong):
    """Tell whether a check passes once something wrong replaces a part of the right answer."""
    names = dict(right)
    run(wrong, names)
    try:
        run(check, names)
    except Exception:
        return False
    return True


def test_what_the_metadata_may_hold():
    with pytest.raises(ValueError, match=r"ex-1 has \['pionts'\] in its metadata"):
        course.known({"pionts": 2}, "ex-1")
    with pytest.raises(ValueError, match="no check that students see"):
        course.known({"hidden": "assert a == 1"}, "ex-1")
    with pytest.raises(ValueError, match="ex-1 has a question without points and rubric"):
        course.known({"question": {"ask": "Why?"}}, "ex-1")
    with pytest.raises(ValueError, match="no chapter 99: the book has 1 to"):
        course.chapter(99)


def test_the_command_writes_and_keeps_what_was_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments = ["course", "make", "1", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = course.exercises(MARKED[0])
    n_checked = sum("check" in exercise.course for exercise in found)
    assert f" by machine, for {n_checked} of {len(found)} exercises; " in result.output
    student = tmp_path / "student" / MARKED[0]
    rubric = tmp_path / "rubric" / "01_sound_waves.md"
    assert "| 1.2 | 3 | 2 |" in rubric.read_text("utf-8")
    assert "1 point: equal noises" in rubric.read_text("utf-8")
    notebook = nbformat.read(student, 4)
    notebook.cells[-1].source = "mine"
    nbformat.write(notebook, student)
    rubric.write_text("mine", "utf-8")
    result = CliRunner().invoke(main, arguments)
    assert f"{student} is kept" in result.output and f"{rubric} is kept" in result.output
    assert nbformat.read(student, 4).cells[-1].source == "mine"
    assert rubric.read_text("utf-8") == "mine"


def test_places_where_nothing_can_be_written_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    (tmp_path / "file").write_text("mine")
    arguments = ["course", "make", "1", "--out", str(tmp_path / "file")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "what should be its folder is a file" in result.output
    assert (tmp_path / "file").read_text() == "mine"


def test_a_rubric_is_kept_whatever_stands_in_it(tmp_path, capsys):
    (tmp_path / "a.md").write_bytes(b"m\xe9in")  # in another encoding
    course.put_text("the book's", tmp_path / "a.md")
    assert (tmp_path / "a.md").read_bytes() == b"m\xe9in"
    assert "is kept, since it differs" in capsys.readouterr().out


def test_without_the_book_the_command_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["course", "make", "1", "--out", "handout"])
    assert result.exit_code == 1 and "run this in the book's folder" in result.output


@pytest.fixture(scope="module", params=MARKED if ALL else [f"{THIRD}.ipynb"])
def classroom(request, tmp_path_factory):
    """Return what runs nbgrader, the folder it runs in, a chapter's name, and its release."""
    apps = pytest.importorskip("nbgrader.apps")
    folder, stem = tmp_path_factory.mktemp("handout"), Path(request.param).stem
    course.make(int(stem[:2]), folder)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder)
    with pytest.MonkeyPatch.context() as patch:  # nbgrader calls the command alembic
        patch.setenv(
            "PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        nbgrader = apps.NbGraderAPI(config=config)
        done(nbgrader.generate_assignment(stem))
        release = nbformat.read(folder / "release" / stem / f"{stem}.ipynb", 4)
        yield nbgrader, folder, stem, release


def done(result):
    assert result["success"], result.get("error") or result.get("log")


def test_the_release_of_nbgrader_says_what_the_student_notebook_says(classroom):
    _, _, stem, release = classroom
    ours = [cell.source for cell in course.student(f"{stem}.ipynb").cells]
    assert [cell.source for cell in release.cells] == ours


def submission(release, student, found):
    """Return what a student hands in, cell by cell."""
    notebook = copy.deepcopy(release)
    answers = {f"{exercise.label}-answer": exercise.answer for exercise in found}
    marked = [exercise.label for exercise in found if "check" in exercise.course]
    if student == "wrong":
        for label in marked:
            answers[f"{label}-answer"] += "\n" + WRONG[label][0]
    elif student == "crashing":
        answers[f"{marked[0]}-answer"] = "1 / 0"
        answers[f"{marked[1]}-answer"] = "def read_number(call) return 7"  # no Python at all
    for cell in notebook.cells if student != "empty" else ():
        if part(cell) == "answer":
            cell.source = answers[cell.metadata.nbgrader.grade_id]
        elif part(cell) == "words":
            cell.source = "They look different and sound alike."
        elif part(cell) == "check" and student == "wrong":
            cell.source = "assert True  # better so"
    return notebook


def test_nbgrader_gives_the_right_marks(classroom):
    nbgrader, folder, stem, release = classroom
    found = course.exercises(f"{stem}.ipynb")
    ours = nbformat.read(folder / "student" / f"{stem}.ipynb", 4)
    for student in ("right", "wrong", "empty", "crashing"):
        file = folder / "submitted" / student / stem / f"{stem}.ipynb"
        file.parent.mkdir(parents=True)
        given = ours if student == "right" else release
        nbformat.write(submission(given, student, found), file)
    done(nbgrader.autograde(stem, "*"))
    by_machine = [exercise.points for exercise in found if "check" in exercise.course]
    questions = [exercise for exercise in found if exercise.question]
    code_by_hand = [exercise.points for exercise in found if "check" not in exercise.course]
    in_words = [exercise.question["points"] for exercise in questions]
    most, words = sum(by_machine + code_by_hand + in_words), f"{questions[0].label}-words"
    with nbgrader.gradebook as gradebook:
        assert gradebook.find_assignment(stem).max_score == most
        by_hand = gradebook.find_grade(words, stem, stem, "right")
        assert by_hand.needs_manual_grade and by_hand.auto_score is None
        by_hand.manual_score, by_hand.needs_manual_grade = 0.5, False
        gradebook.db.commit()
        scores = {s.student_id: s.score for s in gradebook.assignment_submissions(stem)}
        assert not gradebook.find_grade(words, stem, stem, "empty").needs_manual_grade
    right, crashing = sum(by_machine) + 0.5, sum(by_machine[2:])
    assert scores == {"right": right, "wrong": 0, "empty": 0, "crashing": crashing}
    done(nbgrader.generate_feedback(stem))
    for student, score in scores.items():
        page = (folder / "feedback" / student / stem / f"{stem}.html").read_text("utf-8")
        assert f"Score: {score} / {most}" in page
        assert ("SyntaxError" in page) == (student == "crashing")
