"""A Sphinx extension: a search that finds sections, without a server.

Sphinx's own search finds pages. This lists every section, exercise and glossary entry of the
finished pages in `_static/sections.js`, which the search page loads as a script, since a page
opened from a file cannot fetch. `assets/search.js` ranks what is asked for.
"""

import json
import re
from pathlib import Path

from bs4 import BeautifulSoup, SoupStrainer

PLACES = "section[id]:not(#exercise-content, #solution-content), .exercise[id], .glossary dt[id]"
CODE = re.compile("<pre\\b.*?</pre>", re.S)  # most of a page's tags: out before they are parsed
NOISE = "table, .solution, details, script, style, noscript, .headerlink, .own-recording"
CLOSING = {"What to remember", "Exercises", "Check yourself", "Going further"}
LAST = 99  # the number of pages that are no chapters


def words(tag):
    """Return a tag's text with single spaces."""
    return " ".join(tag.get_text().split()) if tag else ""


def strip(article):
    """Take away code, outputs, hidden answers and LaTeX; captions stay."""
    for output in article.select(".cell_output"):
        captions = output.select("figcaption")
        output.clear()
        output.extend(captions)
    for tag in article.select(NOISE):
        tag.decompose()
    for tag in article.select("p, li, dt, dd, figcaption"):
        tag.append(" ")
    for formula in article.select(".math"):
        latex = re.sub(r"^\\[(\[]|\\[)\]]$", "", formula.get_text().strip())
        formula.replace_with("…" if re.search(r"[\\^_{}]", latex) else latex)


def entry(place):
    """Return the heading, the glossary terms linked and the prose of a place, and take it out."""
    terms = [words(link) for link in place.select("a[href*='glossary.html#term-']")]
    if place.name == "dt":
        heading, prose = words(place), words(place.find_next_sibling("dd"))
        if short := re.match(r"([A-Z][A-Z-]+): ", prose):  # "FFT: a way to ..."
            heading += f" ({short[1]})"
        place.find_next_sibling("dd").decompose()
    else:
        title = place.select_one(".admonition-title") or place.find(re.compile("h[1-6]"))
        heading = re.sub(r" \((.*)\)$", r": \1", words(title)) if title else ""
        if title:
            title.decompose()
        prose = words(place)
    place.extract()
    return {"heading": heading, "terms": terms, "text": prose}


def sections(path, docname):
    """Return the entries of a page in the order of the page."""
    text = CODE.sub("", path.read_text("utf-8"))
    article = BeautifulSoup(text, "html.parser", parse_only=SoupStrainer("article")).article
    number = re.match(r"book/(\d+)_", docname)
    strip(article)
    found = []
    for place in reversed(article.select(PLACES)):  # inner ones first
        exercise = "exercise" in place.get("class", ())
        kind = "term" if place.name == "dt" else "exercise" if exercise else "section"
        anchor = place["id"]
        found.insert(0, {"page": f"{docname}.html", "anchor": anchor, "kind": kind} | entry(place))
    for section in found:
        section["chapter"] = int(number[1]) if number else LAST
        section["title"] = found[0]["heading"]
        aside = section["heading"] in CLOSING or not number
        if section["kind"] == "section" and aside:
            section["kind"] = "closing"
    found[0]["anchor"] = ""  # a page's first heading is its top
    return found


def name_abbreviations(entries):
    """Give a section that links the term "fast Fourier transform" the term's "(FFT)" too."""
    headings = [entry["heading"] for entry in entries if entry["kind"] == "term"]
    names = {heading.split(" (")[0].lower(): heading for heading in headings}
    for section in entries:
        terms = (names.get(term.lower(), term) for term in section["terms"])
        section["terms"] = " · ".join(dict.fromkeys(terms))


def write(app, exception):
    """Write the list of all sections."""
    if exception or app.builder.name != "html":
        return
    found = []
    for docname in sorted(app.env.found_docs):
        found += sections(Path(app.builder.get_outfilename(docname)), docname)
    name_abbreviations(found)
    rows = ",\n".join(json.dumps(section, ensure_ascii=False) for section in found)
    static = Path(app.outdir, "_static")
    (static / "sections.js").write_text(f"window.sections = [\n{rows}\n];\n", "utf-8")
    for name in ("searchtools.js", "language_data.js"):
        (static / name).unlink(missing_ok=True)
    Path(app.outdir, "searchindex.js").unlink(missing_ok=True)


def load(app, pagename, templatename, context, doctree):
    """Load the list and the script that reads it on the search page alone."""
    if pagename == "search":
        app.add_js_file("sections.js", loading_method="defer")
        app.add_js_file("search.js", loading_method="defer")


def setup(app):
    """Read the pages once they are written."""
    app.connect("html-page-context", load)
    app.connect("build-finished", write, priority=600)
    return {"parallel_read_safe": True}
