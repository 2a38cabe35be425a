"""A Sphinx extension: the page of run times names chapters by their titles, and says what it means.

MyST-NB's ``nb-exec-table`` names files, and has a column that says ``cache`` for each of them.
"""

from docutils import nodes

PAGE = "book/status"
KEPT = ("Document", "Modified", "Run Time (s)")
NAMES = {"Document": "chapter", "Modified": "run on", "Run Time (s)": "seconds"}


def use_titles(app, doctree, docname):
    """Put titles in the place of file names, and leave out what says nothing."""
    for table in doctree.findall(nodes.table) if docname == PAGE else ():
        header, *rows = table.findall(nodes.row)
        names = [entry.astext() for entry in header]
        if names[:1] != ["Document"]:
            continue
        for row in rows:
            link = next(row.findall(nodes.reference))
            title = app.env.titles[link.astext()].astext()
            link.children[:] = [nodes.Text(title)]
        for row in (header, *rows):
            row[:] = [entry for entry, name in zip(row, names, strict=True) if name in KEPT]
        for entry, name in zip(header, KEPT, strict=True):
            entry[:] = [nodes.paragraph("", NAMES[name])]
        for spec in list(table.findall(nodes.colspec))[len(KEPT) :]:
            spec.parent.remove(spec)
        next(table.findall(nodes.tgroup))["cols"] = len(KEPT)


def setup(app):
    """Change the table once its numbers are in it."""
    app.connect("doctree-resolved", use_titles)
    return {"parallel_read_safe": True}
