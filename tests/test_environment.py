"""One project, three lists of what it needs: they must not drift apart."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
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
    assert whole.extras == set(EXTRAS)


def test_pytorch_scipy_and_jupyter_book_are_the_ones_that_work_here():
    assert pins()["torch"] == "2.13.0"
    assert SpecifierSet("<1.17").contains(pins()["scipy"])
    assert SpecifierSet(">=1.0.4,<2").contains(pins()["jupyter-book"], prereleases=True)


def test_conda_installs_this_package_with_these_pins_and_nothing_besides():
    pip = next(part["pip"] for part in environment() if isinstance(part, dict))
    assert pip == ["--constraint constraints.txt", "--editable .[all]"]


def test_conda_takes_the_pythons_that_pyproject_takes():
    [python] = [part for part in environment() if str(part).startswith("python")]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
