"""One project, three lists of what it needs, and `make`: they must not drift apart."""

import os
import platform
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name != "all"}
NEEDED = [
    Requirement(need) for needs in (PROJECT["dependencies"], *EXTRAS.values()) for need in needs
]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def environment() -> list:
    return yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]


@pytest.mark.parametrize("need", NEEDED, ids=lambda need: need.name)
def test_everything_needed_is_pinned_to_a_version_that_pyproject_allows(need):
    assert need.specifier.contains(pins()[canonicalize_name(need.name)])


def test_the_extra_called_all_holds_every_other_extra():
    [whole] = map(Requirement, PROJECT["optional-dependencies"]["all"])
    assert whole.name == "digitlab"
    assert whole.extras == set(EXTRAS) - {"benchmarks", "mic"}  # one benchmark's own; PortAudio


def test_the_pins_fit_one_another():
    """As far as the pinned versions are the installed ones, which alone say what they need."""
    pinned, misfits = pins(), []
    for found in distributions():
        if pinned.get(canonicalize_name(found.name)) != found.version:
            continue
        for need in map(Requirement, found.requires or ()):
            pin = pinned.get(canonicalize_name(need.name))
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and not (pin and need.specifier.contains(pin, prereleases=True)):
                misfits.append(f"{found.name} {found.version} needs {need}, and the pin is {pin}")
    assert not misfits


def test_conda_installs_this_package_with_these_pins_and_nothing_besides():
    pip = next(part["pip"] for part in environment() if isinstance(part, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[all]"]


def test_conda_takes_the_pythons_that_pyproject_takes():
    [python] = [part for part in environment() if str(part).startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])


@pytest.mark.skipif(not shutil.which("make"), reason="make is not on this machine")
@pytest.mark.skipif(sys.platform == "win32", reason="the Makefile is for Linux and macOS")
@pytest.mark.parametrize("name", ["book (1)", "a & b", 'it\'s $HOME `x` ; "y"'])
def test_make_book_works_in_a_folder_of_any_name(tmp_path, name):
    """The last line is the path; jupyter-book and what is installed are stood in for."""
    folder = tmp_path / name
    program = folder / ".venv/bin/jupyter-book"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nmkdir -p _build/smoke/_build/html\n")
    program.chmod(0o755)
    for file in ("Makefile", "pyproject.toml", "constraints.txt", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / file, folder)
    for part in ("book/my notes.ipynb", "digitlab/x.py", ".venv/installed"):
        (folder / part).parent.mkdir(exist_ok=True)
        (folder / part).touch()
    environment = os.environ | {"SCALE": "smoke", "DIGITLAB_DATA": '/x y/$z "'}
    environment.pop("MAKEFLAGS", None)  # `make test` says which folder it is in, else
    environment.pop("MAKELEVEL", None)
    run = subprocess.run(
        ["make", "book"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == f"{folder}/_build/smoke/_build/html/index.html"
    assert (folder / "_build/smoke/data").read_text() == '/x y/$z "\n'


def test_the_readme_names_the_pytorch_that_is_pinned():
    assert f"`torch=={pins()['torch']}`" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library alone can do it")
def test_freed_memory_is_used_again():
    program = """
import resource, sys
from digitlab import environment
if sys.argv[1] == "keep":
    assert environment.keep_freed_memory()
for _ in range(20):
    b"x" * 2**26
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", program, how]))
        for how in ("keep", "give back")
    }
    assert faults["give back"] > 3 * faults["keep"]
