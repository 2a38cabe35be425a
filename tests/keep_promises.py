"""Run the chapters and keep of their outputs what they promise: `make promises`.

A promise is the text printed by a cell tagged nbval-check-output. All else is stripped. Name
chapters to run only these.
"""

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def promise(output):
    """Return the output as text alone, or None where it has none that is worth keeping."""
    if output.get("name") == "stdout":
        return output
    if "text/plain" in output.get("data", {}):
        output.data = {"text/plain": output.data["text/plain"]}
        return output
    return None


def keep(path):
    """Run one chapter in its own folder and write it back with its promises."""
    notebook = nbformat.read(path, 4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": path.parent}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            kept = "nbval-check-output" in cell.metadata.get("tags", [])
            cell.outputs = [p for p in map(promise, cell.outputs) if p and kept]
            cell.execution_count = cell.execution_count if kept else None  # nbval wants it there
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    os.environ.setdefault("DIGITLAB_SCALE", "smoke")
    book = Path(__file__).parents[1] / "book"
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(book.glob("[0-9]*_*.ipynb")):
        print(path.name)
        keep(path)
