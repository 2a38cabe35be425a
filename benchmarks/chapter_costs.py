"""How long does each chapter run, and how much memory does it need? Writes book/chapter_costs.csv.

Each chapter runs in a kernel of its own, one after the other, at the scale that DIGITLAB_SCALE
names. Its peak is that of the resident memory of the kernel and of the processes that it starts:
Linux's own mark of the kernel's peak, or the largest sum that was seen while it ran, whichever is
larger. Rows of other scales, and of chapters that are not named, stay.

    DIGITLAB_SCALE=smoke .venv/bin/python benchmarks/chapter_costs.py        # all chapters
    DIGITLAB_SCALE=smoke .venv/bin/python benchmarks/chapter_costs.py 09 11  # two of them
"""

import re
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import psutil
from nbclient import NotebookClient

from digitlab.environment import scale_from_environment

BOOK = Path(__file__).parent.parent / "book"
TABLE = BOOK / "chapter_costs.csv"
PAUSE = 0.2  # seconds between two looks at the processes
MB = 1e6


class Watch(threading.Thread):
    """Look at a process and those that it started, until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.done = threading.Event()
        self.peak = 0

    def run(self) -> None:
        """Keep the largest sum of resident memory."""
        while not self.done.wait(PAUSE):
            total = 0
            for process in [self.process, *self.process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    total += process.memory_info().rss
            self.peak = max(self.peak, total)


def high_water(pid: int) -> int:
    """Return the most bytes that a process has held, or 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0


def cost(path: Path) -> tuple[float, float]:
    """Run a chapter; return the seconds and the peak in MB."""
    notebook = nbformat.read(path, 4)
    client = NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": path.parent}})
    start = time.perf_counter()
    with client.setup_kernel():
        pid = client.km.provisioner.pid
        watch = Watch(pid)
        watch.start()
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        seconds = time.perf_counter() - start
        peak = high_water(pid)
        watch.done.set()
        watch.join()
    return seconds, max(peak, watch.peak) / MB


def main() -> None:
    scale, wanted = scale_from_environment(), sys.argv[1:]
    table = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame()
    rows = {(row.chapter, row.scale): row for row in table.itertuples(index=False)}
    for path in sorted(BOOK.glob("[0-9]*_*.ipynb")):
        if wanted and not path.name.startswith(tuple(wanted)):
            continue
        seconds, peak = cost(path)
        print(f"{path.stem:24} {seconds:6.1f} s {peak:8.0f} MB", flush=True)
        rows[path.stem, scale] = (path.stem, scale, round(seconds, 1), round(peak))
        columns = ["chapter", "scale", "seconds", "peak_mb"]
        kept = pd.DataFrame(list(rows.values()), columns=columns)
        kept.sort_values(["scale", "chapter"]).to_csv(TABLE, index=False)


if __name__ == "__main__":
    main()
