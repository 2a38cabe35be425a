"""Write the chapters as notebooks that any Jupyter shows: no directive, no role, no other file.

The chapters are written in MyST Markdown for the pages. ``make lab`` opens what this module makes
of them, and the pages' download button hands out the same: exercises, figures and formulas carry
the numbers that they have in the pages, solutions are folded under their headings, citations are
names with links, and each notebook ends with its part of the glossary and of the references.

    python book/plain_notebooks.py _build/lab
"""

import hashlib
import re
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import nbformat
from address import BRANCH, commit, repository
from author_year import authors
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

from digitlab.environment import make_folder, printable, replacing

BOOK = Path(__file__).parent
CHAPTERS = "[0-9]*_*.ipynb"
FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras"}  # by the tag of a cell
INSTALL = """\
# This chapter needs Python 3.11 to 3.13 and the book's package, digitlab. To install both
# frameworks and all else, in a terminal, in the folder that holds the book's pyproject.toml:
#     pip install --editable ".[all]\""""
INSTALL_FROM = """\
# On a machine without the book's package, such as Colab's, this installs it (some minutes).
import importlib.util

if importlib.util.find_spec("digitlab") is None:
    %pip install --quiet "digitlab[all] @ git+{url}@{version}\""""

STYLE = find_plugin("pybtex.style.formatting", "plain")()
MARKDOWN = find_plugin("pybtex.backends", "markdown")()

ROLE = re.compile(r"\{(term|cite:t|cite:p|eq)\}`([^`]+)`")
LINK = re.compile(r"\[([^]\n]*)\]\((#[^)\s]+|[\w.-]+\.(?:ipynb|md))\)")
FORMULA = re.compile(r"^\$\$\n(.*?)^\$\$ \((eq-[\w-]+)\)$", re.M | re.S)
PIECE = re.compile(
    r"^```\{(exercise|exercise-start|exercise-end|solution-start|solution-end)\}(?: ([^\n]*))?\n"
    r"((?::[\w-]+:[^\n]*\n)*)(.*?)^```$\n?",
    re.M | re.S,
)
OPTION = re.compile(r"^:::\{dropdown\} ([^\n]*)\n(?::[\w-]+:[^\n]*\n)*(.*?)^:::$", re.M | re.S)
TERM = re.compile(r"^(\S[^\n]*)\n  (\S[^\n]*)$", re.M)


@cache
def chapters() -> dict[str, nbformat.NotebookNode]:
    """Return {file name: notebook} for every chapter."""
    return {path.name: nbformat.read(path, 4) for path in sorted(BOOK.glob(CHAPTERS))}


@cache
def numbers() -> dict[str, tuple[str, str, str]]:
    """Return {label: (file name, number, its cell)} for exercises, figures and formulas."""
    found = {}
    for name, notebook in chapters().items():
        chapter, counts = int(name.split("_")[0]), {"ex": 0, "fig": 0, "eq": 0}
        for cell in notebook.cells:
            first = {}
            for label in labels(cell):
                kind = label.split("-")[0]
                counts[kind] += 1
                of_cell = first.setdefault(kind, label) if kind == "eq" else label
                found[label] = name, f"{chapter}.{counts[kind]}", of_cell
    return found


def labels(cell) -> list[str]:
    """Return the labels of exercises, figures and formulas in a cell, in their order."""
    if cell.cell_type == "code":
        figure = cell.metadata.get("mystnb", {}).get("figure")
        return [figure["name"]] if figure else []
    return re.findall(r"^(?::label: |\$\$ \()((?:ex|eq)-[\w-]+)", cell.source, re.M)


@cache
def titles() -> dict[str, str]:
    """Return {file name: title} for every chapter."""
    return {
        name: re.match(r"# ([^\n]+)", notebook.cells[0].source)[1]
        for name, notebook in chapters().items()
    }


@cache
def glossary() -> dict[str, tuple[str, str]]:
    """Return {term in small letters: (term, meaning)}."""
    text = (BOOK / "glossary.md").read_text("utf-8")
    return {term.lower(): (term, meaning) for term, meaning in TERM.findall(text)}


@cache
def references() -> dict:
    """Return {key: entry} of references.bib."""
    return parse_file(BOOK / "references.bib", "bibtex").entries


def address(key: str) -> str:
    """Return where a reference can be read, or else the list at the end of the notebook."""
    fields = references()[key].fields
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    return fields.get("url", "#cell-id=references")


def link(label: str, name: str) -> str:
    """Return the address, seen from the chapter `name`, of what has the label."""
    file, _, cell = numbers()[label]
    return ("" if file == name else file) + f"#cell-id={cell}"


def anchor(term: str) -> str:
    """Return the address of a term in the glossary at the notebook's end."""
    return "#heading=" + glossary()[term.lower()][0].replace(" ", "-")


def linked(text: str, name: str) -> str:
    """Replace roles and the pages' links by links that lead somewhere in any Jupyter."""

    def role(match):
        kind, content = match.groups()
        if kind == "eq":
            return f"[({numbers()[content][1]})]({link(content, name)})"
        if kind == "term":
            shown, _, term = content.rstrip(">").partition(" <")
            meaning = plain(glossary()[(term or shown).lower()][1]).replace('"', '\\"')
            return f'[{shown}]({anchor(term or shown)} "{meaning}")'
        keys, year = content.split(","), lambda key: references()[key].fields["year"]
        if kind == "cite:t":
            return ", ".join(
                f"[{authors(references()[key])} ({year(key)})]({address(key)})" for key in keys
            )
        names = (f"[{authors(references()[key])}, {year(key)}]({address(key)})" for key in keys)
        return f"({'; '.join(names)})"

    def page_link(match):
        shown, target = match.groups()
        if target.startswith("#"):
            return f"[{shown or what(target[1:])}]({link(target[1:], name)})"
        if target == "glossary.md":
            return f"[{shown}](#cell-id=glossary)"
        return f"[{shown or titles()[target]}]({target})"

    return ROLE.sub(role, LINK.sub(page_link, text))


def what(label: str) -> str:
    """Return what a label names, with its number: "exercise 9.1"."""
    kinds = {"ex": "exercise", "fig": "figure", "eq": "formula"}
    return f"{kinds[label.split('-')[0]]} {numbers()[label][1]}"


def plain(text: str) -> str:
    """Return text without its roles, for a tooltip."""
    return ROLE.sub(lambda match: match[2].partition(" <")[0], text)


def as_html(line: str) -> str:
    """Return a line of Markdown as HTML: inside <summary>, Jupyter reads no Markdown."""
    line = re.sub(r"`([^`]+)`", r"<code>\1</code>", line)
    return re.sub(r"\*([^*\s][^*]*)\*", r"<em>\1</em>", line)


def marked_down(text: str, name: str) -> str:
    """Turn a Markdown cell of the book into Markdown that any Jupyter renders."""
    text = re.sub(r"^\*\*(?!1\.)\d+\.\*\*", r"<br>\n\n\g<0>", text, flags=re.M)  # not too near
    text = OPTION.sub(
        lambda option: (
            f"<details><summary>{as_html(option[1])}</summary>\n\n{option[2]}\n</details>"
        ),
        text,
    )
    text = FORMULA.sub(
        lambda formula: f"$$\n{formula[1]}\\tag{{{numbers()[formula[2]][1]}}}\n$$", text
    )
    return linked(text, name).strip()


def opening(cell, name: str) -> list:
    """Return a chapter's first cell, its frame as a list, and how to install what it needs."""
    text = re.sub(r"^\*(.+)\*\n: ", r"- **\1**: ", cell.source, flags=re.M)
    return [
        new_markdown_cell(marked_down(text, name), id=cell.id),
        new_code_cell(install(), id="install"),
    ]


def install() -> str:
    """Return the cell that installs the package, or says how where nobody knows from where."""
    found = repository()
    if not found:
        return INSTALL
    return INSTALL_FROM.format(url=found.url, version=commit() or BRANCH)


def markdown(cell, name: str) -> list:
    """Return the cells that a Markdown cell becomes: each exercise and solution begins one."""
    texts, settings, end = [""], [{"id": cell.id}], 0
    for piece in PIECE.finditer(cell.source):
        kind, title, options, body = piece.groups()
        texts[-1] += cell.source[end : piece.start()]
        end = piece.end()
        if kind.endswith("end"):
            texts.append("")
            settings.append({"id": f"{cell.id}-{len(texts)}"})
        elif kind == "solution-start":
            folded = {"jp-MarkdownHeadingCollapsed": True}
            texts += [f"#### Solution to exercise {numbers()[title][1]}", ""]
            settings += [{"id": f"{title}-solution", "metadata": folded}, {"id": f"{title}-words"}]
        else:
            label = re.search(":label: (.+)", options)[1]
            texts.append(f"### Exercise {numbers()[label][1]}: {title}\n\n{body}")
            settings.append({"id": label})
    texts[-1] += cell.source[end:]
    if formulas := [label for label in labels(cell) if label.startswith("eq-")]:
        settings[0]["id"] = formulas[0]
    return [
        new_markdown_cell(marked_down(text, name), **setting)
        for text, setting in zip(texts, settings, strict=True)
        if text.strip()
    ]


def framework(cell) -> str | None:
    """Return the framework whose tab a cell stands in, in the page."""
    return next((name for name in FRAMEWORKS if name in cell.metadata.get("tags", [])), None)


def code(cell, name: str) -> list:
    """Return a code cell, folded where it only draws, and its caption and description."""
    copied = new_code_cell(cell.source, id=cell.id)
    figure = cell.metadata.get("mystnb", {}).get("figure")
    folded = "hide-input" in cell.metadata.get("tags", [])
    number = f"Figure {numbers()[figure['name']][1]}" if figure else ""
    if folded:
        copied.source = f"# {number or 'Folded'}\n{cell.source}"
        copied.metadata = {"jupyter": {"source_hidden": True}}
    if not figure:
        return [copied]
    text = f"**{number}:** {linked(figure['caption'], name)}"
    if words := cell.metadata["mystnb"].get("image", {}).get("alt"):
        text += f"\n\n<details><summary>{number} in words</summary>\n\n{words}\n\n</details>"
    return [copied, new_markdown_cell(text, id=figure["name"])]


def closing(notebook, name: str) -> list:
    """Return the chapter's part of the glossary, and of the references."""
    roles = [match for cell in notebook.cells for match in ROLE.findall(cell.source)]
    terms = {content.rstrip(">").rpartition("<")[2] for kind, content in roles if kind == "term"}
    entries = sorted(
        {glossary()[term.lower()] for term in terms}, key=lambda entry: entry[0].lower()
    )
    words = [f"##### **{term}**\n\n{linked(meaning, name)}" for term, meaning in entries]
    keys = {key for kind, content in roles if kind.startswith("cite") for key in content.split(",")}
    cells = [new_markdown_cell("\n\n".join(["## Glossary", *words]), id="glossary")]
    if keys:
        cited = [f"- {reference(key)}" for key in sorted(keys)]
        cells.append(new_markdown_cell("\n".join(["## References\n", *cited]), id="references"))
    return cells


def reference(key: str) -> str:
    """Return a reference in full."""
    [entry] = STYLE.format_entries([references()[key]])
    return entry.text.render(MARKDOWN).replace("\n", " ").replace("\\", "")


def convert(notebook, name: str):
    """Return the plain notebook of a chapter."""
    cells = opening(notebook.cells[0], name)
    for before, cell in pairwise(notebook.cells):
        if framework(cell) and framework(cell) != framework(before):
            words = f"**In {FRAMEWORKS[framework(cell)]}**"
            cells.append(new_markdown_cell(words, id=f"{cell.id}-framework"))
        cells += markdown(cell, name) if cell.cell_type == "markdown" else code(cell, name)
    cells += closing(notebook, name)
    return signed(new_notebook(cells=cells, metadata=notebook.metadata))


def write(folder: Path) -> None:
    """Write all chapters into a folder; a copy in which somebody has changed cells is kept."""
    make_folder(folder)
    for name, notebook in chapters().items():
        put(convert(notebook, name), folder / name)


def put(notebook, path: Path) -> None:
    """Write a notebook, but not over one in which somebody has changed cells, or a damaged one."""
    try:
        old = nbformat.read(path, 4) if path.exists() else None
        changed = "you have changed it" if old and digest(old) != written(old) else ""
    except Exception as error:  # of any type, from whatever stands in the file
        old, changed = None, f"it cannot be read as a notebook ({error})".replace("\n", " ")
    if changed:
        print(printable(f"{path} is kept, since {changed}: rename it to get the book's own"))
    elif old is None or written(old) != written(notebook):
        with replacing(path, "w") as out:
            nbformat.write(notebook, out)


def signed(notebook):
    """Return a notebook with a digest of what its cells say, by which `put` sees changes."""
    notebook.metadata = notebook.metadata | {"hearing_digits": {"digest": digest(notebook)}}
    return notebook


def digest(notebook) -> str:
    """Return a digest of what the cells say."""
    return hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def written(notebook) -> str:
    """Return the digest that a copy was written with."""
    return notebook.metadata.get("hearing_digits", {}).get("digest", "")


def hand_out(app, exception) -> None:
    """Let the pages' download buttons give these notebooks, and give them as files."""
    for name, notebook in chapters().items():
        path = Path(app.outdir, "_sources", "book", name)
        page = Path(app.outdir, "book", name).with_suffix(".html")
        if exception is None and path.exists() and page.exists():
            nbformat.write(convert(notebook, name), path)
            link = f'<a href="../_sources/book/{name}" '
            as_file = page.read_text("utf-8").replace(f'{link}target="_blank"', f"{link}download")
            page.write_text(as_file, "utf-8")


def setup(app):
    """Wait until Sphinx has copied the sources."""
    app.connect("build-finished", hand_out)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name a folder for the notebooks: python book/plain_notebooks.py FOLDER")
    try:
        write(Path(sys.argv[1]))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
