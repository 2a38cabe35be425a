"""What `import digitlab` promises: it is light, it is typed, and its examples are true."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT
from numpydoc.docscrape import ClassDoc, FunctionDoc

import digitlab
from digitlab.environment import require

HEAVY = {"tensorflow", "keras", "torch", "kymatio", "librosa", "matplotlib", "pandas", "scipy"}
MODULES = [module.name for module in pkgutil.walk_packages(digitlab.__path__, "digitlab.")]
PER_FRAMEWORK = ("models.keras", "models.torch", "training.keras", "training.lightning")
FACES = [f"digitlab.{name}" for name in (*digitlab.__all__, *PER_FRAMEWORK, "training.torch")]
HANDED_ON = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}  # to a framework
TWIN = re.compile(r"digitlab\.(?:models|training)\.(?:torch|lightning)\.\w+")


def python(code):
    """Run code in a fresh process and return what it prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def load(name):
    """Import a module, or skip the test where its framework is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(str(error))


def test_import_brings_in_nothing_heavy():
    loaded = python("import digitlab, sys; print(*sys.modules)").split()
    assert "digitlab" in loaded and not HEAVY & set(loaded)


def test_every_module_named_by_the_face_is_there_and_editors_are_told():
    stub = ast.parse(Path(digitlab.__path__[0], "__init__.pyi").read_text())
    named = {
        alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert (
        named
        == set(digitlab.__all__)
        == {
            module.name
            for module in pkgutil.iter_modules(digitlab.__path__)
            if not module.name.startswith("_") and module.name != "cli"
        }
    )
    for name in digitlab.__all__:
        assert getattr(digitlab, name).__name__ == f"digitlab.{name}"
    assert Path(digitlab.__path__[0], "py.typed").exists()


def test_a_missing_framework_names_its_extra():
    with pytest.raises(ImportError, match=r"digitlab\[torch\]"):
        require("no_such_framework", extra="torch")


def test_without_pytorch_everything_but_its_own_modules_works():
    said = python("""
import sys

class NoPyTorch:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError(f"No module named {name}")

sys.meta_path.insert(0, NoPyTorch)
from digitlab import corpora, evaluation, plotting, recipes, splits
try: from digitlab.models import torch
except ImportError as error: print(error)
""")
    assert "digitlab[torch]" in said


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_are_true(name):
    """In a thread: in this one, the event loop of a browser test may be running."""
    module = load(name)
    with ThreadPoolExecutor(1) as thread:
        failures, _ = thread.submit(doctest.testmod, module).result()
    assert failures == 0


def exported(face):
    """Yield (name, value) for each function and class that a face exports."""
    for name in getattr(face, "__all__", [key for key in vars(face) if not key.startswith("_")]):
        value = getattr(face, name)
        if callable(value) and str(getattr(value, "__module__", "")).startswith(face.__name__):
            yield name, value


def own_methods(cls):
    """Yield (name, function) for each public method that no class outside digitlab prescribes."""
    foreign = [base for base in cls.__mro__ if not base.__module__.startswith("digitlab")]
    for name, value in vars(cls).items():
        prescribed = any(hasattr(base, name) for base in foreign)
        if isinstance(value, property):
            value = value.fget
        elif isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if inspect.isfunction(value) and not name.startswith("_") and not prescribed:
            yield name, value


def names(doc, *sections):
    """Return the names that sections of a docstring explain."""
    entries = [entry for section in sections for entry in doc[section]]
    return {name.strip().lstrip("*") for entry in entries for name in entry.name.split(",")}


def undocumented(name, value, method=False):
    """Return what a docstring leaves unexplained, or explains although it is not there."""
    text = inspect.getdoc(value)
    if not text:
        return f"{name}: no docstring"
    is_class = inspect.isclass(value)
    if TWIN.search(text) or (is_class and issubclass(value, Exception)):
        return ""
    parameters = inspect.signature(value).parameters
    handed_on = {name for name, one in parameters.items() if is_class and one.kind in HANDED_ON}
    known = set(parameters) - ({"self", "cls"} if method else set())
    arguments = known - handed_on
    if is_class:
        doc = ClassDoc(value, config={"show_class_members": False})
        fields_with_comments = set(
            re.findall(r"^    (\w+): .*  # ", inspect.getsource(value), re.M)
        )
        explained = names(doc, "Parameters", "Attributes") | fields_with_comments
        invented = names(doc, "Parameters") - known
    else:
        explained = names(FunctionDoc(value), "Parameters", "Other Parameters")
        invented = explained - known
    wrong = (arguments - explained) | invented
    return f"{name}: {', '.join(sorted(wrong))}" if wrong else ""


@pytest.mark.parametrize("name", FACES)
def test_public_docstrings_explain_every_argument(name):
    wrong, n_seen = [], 0
    for key, value in exported(load(name)):
        n_seen += 1
        wrong.append(undocumented(key, value))
        if inspect.isclass(value):
            for method, function in own_methods(value):
                wrong.append(undocumented(f"{key}.{method}", function, method=True))
    assert not list(filter(None, wrong))
    assert n_seen or name in ("digitlab.models", "digitlab.training")


@pytest.mark.parametrize("framework", ["models.keras", "training.keras"])
def test_docstrings_of_twins_point_to_something_that_is_there(framework):
    for key, value in exported(load(f"digitlab.{framework}")):
        for place in TWIN.findall(inspect.getdoc(value) or ""):
            module, _, sibling = place.rpartition(".")
            assert hasattr(load(module), sibling), f"{key} points to {place}"


TAUGHT = re.compile(r"[Tt]aught in chapters? (\d+)(?:(?:, (\d+))? and (\d+))?")


@pytest.mark.parametrize("name", FACES)
def test_what_is_taught_in_a_chapter_is_named_there(name):
    for key, value in exported(load(name)):
        for match in TAUGHT.finditer(inspect.getdoc(value) or ""):
            for number in filter(None, match.groups()):
                [chapter] = ROOT.glob(f"book/{int(number):02}_*.ipynb")
                assert re.search(rf"\b{key}\b", chapter.read_text("utf-8")), f"{key}: {number}"


@pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="PyTorch is not one for GPUs")
def test_pytorch_trains_after_tensorflow_was_imported():
    """Triton crashes where TensorFlow came first: digitlab imports it before anybody can."""
    pytest.importorskip("tensorflow")
    code = (
        "import digitlab, tensorflow, torch\ntorch.optim.Adam([torch.zeros(1, requires_grad=True)])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
