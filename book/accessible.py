"""A Sphinx extension: what folds, links and lists say to a screen reader, and on a phone.

Folded code and solutions are native `<details>`, whose summary names what it opens; they work
without JavaScript, are found by a search in the page, and open for a link that leads inside.
"""

import re
from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx_exercise.nodes import solution_node

COLUMNS = re.compile(r"\S {2,}\S")  # more than one space: something stands below something


def fold_name(translator, cell):
    """Return "Code of figure 9.2" for a cell that draws one, or "Code"."""
    docname = translator.builder.current_docname
    numbers = translator.builder.env.toc_fignumbers.get(docname, {}).get("figure", {})
    for figure in cell.findall(nodes.figure):
        for name in figure["ids"]:
            if name in numbers:
                return f"Code of figure {'.'.join(map(str, numbers[name]))}"
    return "Code"


def visit_code(translator, node):
    """Open folded code, with its name in place of "Toggle hidden content"."""
    classes = " ".join(["admonition", "hide", *node["classes"]])
    name = escape(fold_name(translator, node.parent))
    translator.body.append(
        f'<details class="{classes}">\n<summary><p class="admonition-title">{name}</p></summary>\n'
    )


def visit_solution(translator, node):
    """Open a solution, named after its exercise without a second link to it."""
    name = escape(node.pop(0).astext())
    node["classes"] = [name for name in node["classes"] if name != "dropdown"]
    translator.body.append(translator.starttag(node, "details", CLASS="admonition"))
    translator.body.append(f'<summary class="admonition-title">{name}</summary>\n')


def depart_details(translator, node):
    """Close a fold."""
    translator.body.append("</details>\n")


def visit_citation(translator, node):
    """Open an entry of the bibliography as a list's item: ARIA 1.2 has given up its own role."""
    if not isinstance(node.previous_sibling(), nodes.citation):
        translator.body.append('<div role="list" class="citation-list">\n')
    translator.body.append(translator.starttag(node, "div", CLASS="citation", role="listitem"))


def depart_citation(translator, node):
    """Close an entry, and the list after the last."""
    translator.body.append("</div>\n")
    if not isinstance(node.next_node(descend=False, siblings=True), nodes.citation):
        translator.body.append("</div>\n")


def mark_columns(app, doctree, docname):
    """Mark printed output in columns: on a phone it scrolls, while other lines wrap."""
    for block in doctree.findall(nodes.literal_block):
        if "output" in block["classes"] and COLUMNS.search(block.astext()):
            block["classes"].append("in-columns")


def setup(app):
    """Write these elements ourselves."""
    app.add_node(HideCodeCellNode, override=True, html=(visit_code, depart_details))
    app.add_node(solution_node, override=True, html=(visit_solution, depart_details))
    app.add_node(nodes.citation, override=True, html=(visit_citation, depart_citation))
    app.connect("doctree-resolved", mark_columns)
    return {"parallel_read_safe": True}
