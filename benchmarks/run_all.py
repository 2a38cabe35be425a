"""How long does ``digitlab run --all`` take from nothing, at laptop scale?

Every planned run of the recipes that are named (of all, if none is) is made in an empty folder with
an empty cache. Beside the seconds that this takes stand those that the book's rows tell for the
same trainings. All of them take about half a day on two cores, and some 30 hours more for C1 to C4
where there is no GPU:

    python benchmarks/run_all.py K0 K2 K3
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from digitlab import planned, recipes, results


def seconds_of(name: str, folder: Path) -> float:
    """Make all planned runs of a recipe there, and return how long that took."""
    environment = os.environ | {"DIGITLAB_CACHE": str(folder / "cache")}
    program = [sys.executable, "-m", "digitlab.cli", "run", name, "--all", "--append"]
    start = time.perf_counter()
    subprocess.run(program, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    known = results.load()
    told = known.groupby("recipe")["seconds_training"].sum()
    names = sys.argv[1:] or sorted({run.recipe for run in planned.PLANNED})
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "book").mkdir()
        for name in [recipes.find(name).name for name in names]:
            seconds = seconds_of(name, Path(folder))
            total += seconds
            n_rows = (known["recipe"] == name).sum()
            print(f"{name:10} {n_rows:3} trainings {seconds:8.0f} s, ", end="")
            print(f"of which training, by the book's rows, {told.get(name, 0):8.0f} s", flush=True)
    print(f"in all {total:.0f} s; the rows of all recipes tell of {told.sum():.0f} s of training")


if __name__ == "__main__":
    main()
