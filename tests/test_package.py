"""What `import digitlab` promises: it is light, it is typed, and its examples are true."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.docscrape import FunctionDoc

import digitlab
from digitlab.environment import require

HEAVY = {"tensorflow", "keras", "torch", "kymatio", "librosa", "matplotlib", "pandas", "scipy"}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(digitlab.__path__, "digitlab.")
    if not module.ispkg
]


def test_import_brings_in_nothing_heavy():
    code = "import digitlab, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert not HEAVY & set(loaded.split())


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
    code = """
import sys; sys.modules["torch"] = None
from digitlab import corpora, evaluation, plotting, recipes, splits
try: from digitlab.models import torch
except ImportError as error: print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "digitlab[torch]" in run.stdout, run.stderr


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_are_true(name):
    failures, _ = doctest.testmod(importlib.import_module(name))
    assert failures == 0


def public_functions():
    for name in MODULES:
        if "._" in name:
            continue
        module = importlib.import_module(name)
        for key, value in vars(module).items():
            ours = getattr(value, "__module__", None) == name
            if ours and not key.startswith("_") and callable(value) and not name.endswith("cli"):
                yield pytest.param(value, id=f"{name}.{key}")


@pytest.mark.parametrize("function", list(public_functions()))
def test_a_public_docstring_explains_every_argument(function):
    if isinstance(function, type):
        return
    documented = {
        name.strip()
        for parameter in FunctionDoc(function)["Parameters"]
        for name in parameter.name.split(",")
    }
    arguments = inspect.signature(function).parameters
    assert {name.lstrip("*") for name in documented} == set(arguments)
