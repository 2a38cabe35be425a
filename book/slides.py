"""A Sphinx extension and a script: a deck of slides for each chapter, to be projected in a lecture.

A deck is taken from the chapter's finished page, so that it shows the same pictures, sounds and
numbers, and nothing is written twice. What is on its slides, the tags of the chapter's cells say:

- ``slide``: what the cell shows stands on a new slide, under the heading of its section;
- ``fragment``: it joins the slide before, if that is of the same section, at the next step.

Of a code cell these are its outputs, of a Markdown cell its numbered formulas. The opening, "What
to remember", the questions and the exercises have slides without any tag. Speaker notes hold the
prose of the section. The show itself is reveal.js, in the release that sphinx-revealjs carries.

Decks lie in the folder ``slides`` of the pages and share their pictures and scripts. The script
copies the decks, and all that they load, into a folder of its own that can be carried away:

    python book/slides.py _build/laptop/_build/html _build/laptop/slides
"""

import copy
import re
import shutil
import sys
from html import escape
from importlib.resources import files
from itertools import takewhile
from pathlib import Path

import plain_notebooks
from bs4 import BeautifulSoup, NavigableString

TAGS = ("slide", "fragment")
SHEETS = ("dist/reset.css", "dist/reveal.css")
SCRIPTS = ("dist/reveal.js", "plugin/notes/notes.js", "plugin/zoom/zoom.js")
LONGEST = 150  # characters of a caption
CODE = re.compile(r'(<div class="highlight-ipython3.*?)<pre>.*?</pre>', re.S)
SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
AND = re.compile("; (?:and )?")
SHARED = re.compile(r'(?<=")\.\./(?=_(?:images|static)/)')  # how a deck names a file of the pages
TO_THE_BOOK = re.compile(r'<a class="book"[^>]*>[^<]*</a> ?')
PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../_static/favicon.svg">
{styles}
</head>
{body}
</html>
"""
DECK = """\
<body class="mathjax_ignore">
<div class="reveal"><div class="slides">
{slides}
</div></div>
{scripts}
</body>"""
SLIDE = """\
<section class="{kind}">
<h2>{heading}</h2>
<div class="shown">{shown}</div>
<aside class="notes">{notes}</aside>
</section>"""
SEEN = '<div class="main">{main}</div><div class="side">{side}</div>'
TITLE = """\
<section class="title">
<h1>{title}</h1>
<p>{hook}</p>
<h2>{learn}</h2>
<ul>{aims}</ul>
<p class="links"><a class="book" href="../book/{name}.html">The chapter</a> \
<a href="index.html">All slides</a></p>
<aside class="notes">{notes}</aside>
</section>"""
INDEX = """\
<body class="contents">
<main>
<h1>{title}</h1>
<p><a class="book" href="../book/index.html">The book</a></p>
<ul>
{decks}
</ul>
<p>Arrow keys turn the slides. F fills the screen, S opens the speaker's notes, O shows all slides,
Alt and a click enlarge what is clicked, and ? lists the other keys.</p>
</main>
</body>"""


def cleaned(tag):
    """Return a copy of a tag without links and names: a deck leads nowhere by accident."""
    tag = copy.copy(tag)
    for anchor in tag.select("a.headerlink"):
        anchor.decompose()
    for link in tag("a"):
        link.unwrap()
    for named in [tag, *tag.select("[id]")]:
        named.attrs.pop("id", None)
    for picture in tag("img"):
        for attribute in ("loading", "decoding", "style"):
            picture.attrs.pop(attribute, None)
    return tag


def inside(tag) -> str:
    """Return what is inside a tag as HTML."""
    return cleaned(tag).decode_contents().strip()


def shorten(caption) -> None:
    """Leave as many whole sentences of a caption as fit in a line or two, but at least one."""
    cut, length = None, 0
    for child in caption.children:
        if isinstance(child, NavigableString):
            for end in SENTENCE.finditer(child):
                if cut is None or length + end.start() <= LONGEST:
                    cut = child, end.start()
        length += len(child.get_text())
    if cut and length > LONGEST:
        for later in list(cut[0].next_siblings):
            later.extract()
        cut[0].replace_with(cut[0][: cut[1]])


def formulas(notebook) -> dict[str, str]:
    """Return {id in the page: "slide", "fragment" or nothing} of the formulas on slides.

    Formulas of one cell appear together, so that its tag belongs to the first of them.
    """
    found = {}
    for cell in notebook.cells:
        tags = [tag for tag in TAGS if tag in cell.metadata.get("tags", [])]
        if tags and cell.cell_type == "markdown":
            labels = [label for label in plain_notebooks.labels(cell) if label.startswith("eq-")]
            for label in labels:
                found[f"equation-{label}"] = tags[0] if label == labels[0] else ""
    return found


def chosen(article, notebook):
    """Yield (tag of the page, how it appears, what it shows), in the order of the page."""
    of_formulas = formulas(notebook)
    selectors = [f".cell.tag_{tag}" for tag in TAGS] + [f"#{name}" for name in of_formulas]
    for found in article.select(", ".join(selectors)):
        if found.get("id") in of_formulas:
            yield found, of_formulas[found["id"]], [found]
        else:
            how = next(tag for tag in TAGS if f"tag_{tag}" in found["class"])
            shown = found.select(":scope > .cell_output > *")
            drawn = [part for part in shown if part.select_one("img, audio, table")]
            has_picture = any(part("img") for part in shown)
            yield found, how, drawn if has_picture else shown


def notes(section) -> str:
    """Return the prose of a section, and the whole captions of its figures."""
    found = section.select(":scope > p, :scope > .cell figcaption .caption-text")
    return "".join(f"<p>{inside(tag)}</p>" for tag in found)


def content_slides(article, notebook) -> list[str]:
    """Return the slides of what the tags choose: sounds stand beside the picture."""
    made, step, now = [], 0, None
    for tag, how, shown in chosen(article, notebook):
        section = tag.find_parent("section")
        if how == "slide" or section is not now:
            now, how, step = section, "slide", 0
            heading = inside(section.find(re.compile("h[1-6]")))
            made.append({"heading": heading, "main": "", "side": "", "notes": notes(section)})
        for part in map(cleaned, shown):
            for caption in part.select(".caption-text"):
                shorten(caption)
            if how == "fragment":
                part["class"] = [*part.get("class", ()), "fragment"]
                part["data-fragment-index"] = step
            sound = part("audio") and not part(["img", "table"])
            made[-1]["side" if sound else "main"] += str(part)
        step += how == "fragment"
    return [SLIDE.format(kind="seen", shown=SEEN.format(**slide), **slide) for slide in made]


def title_slide(article, name) -> str:
    """Return the slide with the chapter's title and what students can do afterwards."""
    first, *others = article.dl("dt")
    aims = AND.split(inside(first.find_next("p")).rstrip("."))
    return TITLE.format(
        title=inside(article.h1),
        hook=inside(article.h1.find_next_sibling("p")),
        learn=inside(first),
        aims="".join(f"<li>{aim}</li>" for aim in aims),
        name=name,
        notes="".join(f"<p>{inside(dt)}: {inside(dt.find_next('p'))}</p>" for dt in others),
    )


def summary_slide(article) -> str:
    """Return the slide "What to remember"."""
    section = article.find(id="what-to-remember")
    shown = f"<ul>{inside(section.ul)}</ul>"
    return SLIDE.format(kind="list", heading=inside(section.h2), shown=shown, notes="")


def question_slides(article) -> list[str]:
    """Return a slide for each question; the next step shows which option is right, and why."""
    section, made = article.find(id="check-yourself"), []
    for question in section.find_all("p", recursive=False):
        options = list(takewhile(lambda tag: tag.name == "details", question.find_next_siblings()))
        if not options:
            continue
        items, reasons = "", {True: "", False: ""}
        for option in options:
            right = "right" in option["class"]
            step = ' class="fragment custom right" data-fragment-index="0"' if right else ""
            items += f"<li{step}>{inside(option.select_one('.sd-summary-text'))}</li>"
            reasons[right] += f"<p>{inside(option.select_one('.sd-card-body p'))}</p>"
        shown = (
            f'<p>{inside(question)}</p><ol type="A">{items}</ol>'
            f'<div class="fragment" data-fragment-index="0">{reasons[True]}</div>'
        )
        heading = inside(section.h2)
        made.append(
            SLIDE.format(kind="question", heading=heading, shown=shown, notes=reasons[False])
        )
    return made


def exercise_slide(article) -> str:
    """Return the slide that lists the exercises, to be given as homework."""
    section = article.find(id="exercises")
    titles = [inside(title) for title in section.select(".exercise > .admonition-title")]
    shown = f"<ul>{''.join(f'<li>{title}</li>' for title in titles)}</ul>"
    return SLIDE.format(kind="list", heading=inside(section.h2), shown=shown, notes="")


def slides(article, notebook, name) -> list[str]:
    """Return the slides of a chapter as HTML.

    Parameters
    ----------
    article : bs4.Tag
        What the chapter's page shows.
    notebook : nbformat.NotebookNode
        The chapter.
    name : str
        The page's file name, without its ending.
    """
    return [
        title_slide(article, name),
        *content_slides(article, notebook),
        summary_slide(article),
        *question_slides(article),
        exercise_slide(article),
    ]


def page(title, language, body) -> str:
    """Return a page in the style of the slides."""
    names = [*(f"slides/{Path(file).name}" for file in SHEETS), "slides.css"]
    styles = "\n".join(f'<link rel="stylesheet" href="../_static/{name}">' for name in names)
    return PAGE.format(title=escape(title), language=language, styles=styles, body=body)


def copy_show(static) -> None:
    """Copy what shows slides from sphinx-revealjs."""
    static.mkdir(parents=True, exist_ok=True)
    for file in SHEETS + SCRIPTS:
        source = files("sphinx_revealjs") / "_static" / "revealjs" / file
        (static / Path(file).name).write_bytes(source.read_bytes())


def write(pages) -> None:
    """Write the decks of all chapters among the pages, and the list of them."""
    copy_show(pages / "_static" / "slides")
    folder, decks = pages / "slides", []
    shutil.rmtree(folder, ignore_errors=True)  # no deck outlives its chapter
    folder.mkdir()
    names = [f"slides/{Path(file).name}" for file in SCRIPTS]
    names += ["slides.js", "mathjax/tex-svg.js", "flipbook.js"]
    scripts = "\n".join(f'<script src="../_static/{name}"></script>' for name in names)
    for file, notebook in plain_notebooks.chapters().items():
        name = Path(file).stem
        if not (path := pages / "book" / f"{name}.html").exists():
            continue
        text = CODE.sub(r"\1", path.read_text("utf-8"))  # most tags of a page: they take time
        soup = BeautifulSoup(text, "html.parser")
        body = DECK.format(slides="\n".join(slides(soup.article, notebook, name)), scripts=scripts)
        title = cleaned(soup.article.h1).get_text()
        text = page(f"{title}: slides", soup.html["lang"], body)
        (folder / f"{name}.html").write_text(text, "utf-8")
        decks.append(f'<li><a href="{name}.html">{escape(title)}</a></li>')
    body = INDEX.format(title="Slides", decks="\n".join(decks))
    (folder / "index.html").write_text(page("Slides", "en", body), "utf-8")


def pack(pages, folder) -> None:
    """Copy the decks and all that they load into a folder that needs no other."""
    decks = sorted((pages / "slides").glob("*.html"))
    if not decks:
        sys.exit(f"there are no slides in {pages / 'slides'}: build the book first, with make book")
    for deck in decks:
        text = deck.read_text("utf-8")
        for name in set(re.findall(r'"\.\./(_(?:images|static)/[^"]+)"', text)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(pages / name, folder / name)
        (folder / deck.name).write_text(TO_THE_BOOK.sub("", SHARED.sub("", text)), "utf-8")


def add_button(app, pagename, templatename, context, doctree) -> None:
    """Lead from a chapter to its slides."""
    if re.match(r"book/\d", pagename):
        name = pagename.removeprefix("book/")
        button = {
            "type": "link",
            "url": f"../slides/{name}.html",
            "tooltip": "Slides of this chapter",
            "icon": "fas fa-person-chalkboard",
            "label": "slides-button",
        }
        context["header_buttons"].append(button)


def write_all(app, exception) -> None:
    """Write the decks once the pages are finished."""
    if exception is None and app.builder.name == "html":
        write(Path(app.outdir))


def setup(app):
    """Read the pages after they were made light."""
    app.connect("html-page-context", add_button, priority=503)
    app.connect("build-finished", write_all, priority=850)
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    pack(*map(Path, sys.argv[1:]))
