"""A Sphinx extension: cells in PyTorch and in Keras that follow one another become tabs.

A code cell with the tag ``torch`` or ``keras`` runs like any other. In the page, such cells that
follow one another stand in tabs, one for each framework, and the reader's choice holds for the
whole book. In the copies for JupyterLab each framework gets a heading (see plain_notebooks.py).
"""

from itertools import groupby

from docutils import nodes
from plain_notebooks import FRAMEWORKS
from sphinx_design.shared import create_component


def framework_of(node):
    """Return the framework of a cell in the page, or None."""
    classes = node.get("classes", ()) if isinstance(node, nodes.Element) else ()
    return next((name for name in FRAMEWORKS if f"tag_{name}" in classes), None)


def tab(framework, cells):
    """Return the tab of a framework."""
    sync = {"sync_group": "framework", "sync_id": framework}
    label = nodes.rubric("", FRAMEWORKS[framework], classes=["sd-tab-label"], **sync)
    content = create_component("tab-content", children=cells, classes=["sd-tab-content"])
    return create_component("tab-item", children=[label, content], classes=["sd-tab-item"])


def tab_set(cells):
    """Return the tabs of cells that follow one another, the first cell's framework in front."""
    of = {}
    for cell in cells:
        of.setdefault(framework_of(cell), []).append(cell)
    tabs = [tab(framework, found) for framework, found in of.items()]
    return create_component("tab-set", children=tabs, classes=["sd-tab-set"])


def make_tabs(app, doctree):
    """Put the cells of both frameworks that follow one another into tabs."""
    for parent in list(doctree.findall(nodes.section)):
        children = []
        for tagged, group in groupby(parent.children, lambda node: bool(framework_of(node))):
            together = list(group)
            children += [tab_set(together)] if tagged else together
        parent.children = []
        parent.extend(children)


def setup(app):
    """Make the tabs when a chapter has been read."""
    app.connect("doctree-read", make_tabs)
    return {"parallel_read_safe": True}
