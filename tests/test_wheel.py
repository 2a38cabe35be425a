"""The package as the index of packages would hand it out: a wheel, installed without the book."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT

from digitlab import audio, voices
from digitlab.cli import main

SOURCE = ("digitlab", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of what it is made of."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "book").mkdir()
    for table in (ROOT / "book").glob("*.csv"):
        shutil.copy(table, folder / "book")
    call = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*call, "--wheel-dir", "dist", "."], cwd=folder, check=True)
    [file] = (folder / "dist").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def outside(wheel, tmp_path_factory):
    """Unpack the wheel where no book is; return a function that runs its digitlab."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}

    def run(*arguments):
        call = [sys.executable, *arguments]
        done = subprocess.run(
            call, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert str(folder) in run("-c", "import digitlab; print(digitlab.__file__)")
    return run


def test_it_holds_the_model_the_tables_and_the_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"digitlab/pretrained/b2.npz", "digitlab/py.typed", "digitlab/results.csv"}
    wanted |= {f"digitlab/{table.name}" for table in (ROOT / "book").glob("*.csv")}
    assert not wanted - names
    assert {name.rpartition("/")[2] for name in names} >= {"LICENSE"}
    assert not any(name.startswith(("book/", "tests/")) for name in names)
    assert sum(info.file_size for info in zipfile.ZipFile(wheel).infolist()) < 5e6


def test_every_command_and_the_model_work_without_the_book(outside, tmp_path):
    said = outside("-m", "digitlab.cli", "--help")
    assert not [name for name in main.commands if name not in said]
    file = tmp_path / "seven.wav"
    audio.write_wav(file, voices.say("seven", rate=16000), 16000)
    [answer] = json.loads(outside("-m", "digitlab.cli", "predict", "--json", str(file)))
    assert answer["label"] == "7"
    counted = outside("-c", "from digitlab import results; print(len(results.load()))")
    assert int(counted) > 100
