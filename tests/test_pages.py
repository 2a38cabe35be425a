"""The rendered book, read as files: links, figures, words for pictures and sounds, no strangers."""

import itertools
import json
import re
from urllib.parse import unquote, urljoin, urlsplit

import nbformat
import plain_notebooks
import pytest
from bs4 import BeautifulSoup
from conftest import CHAPTERS
from jupyter_cache import get_cache

pytestmark = pytest.mark.xdist_group("pages")  # one process does these
REQUESTS = "script[src], img[src], audio[src], video[src], source[src], iframe[src], link[href]"
FOREIGN = re.compile(r"(?:https?:)?//", re.I)
CSS_URL = re.compile(r"(?:url\(|@import\s+(?!url))\s*[\"']?([^\"')\s;]+)")
TENSORFLOW = "(?!: All log messages before absl)"  # its first line of logs
CHATTER = re.compile(
    rf"\w*Warning: |\bWARNING\b{TENSORFLOW}|\bERROR\b|Traceback \(most recent call"
)
UNRENDERED = re.compile(r"(:::|```)\s*\{|\{(numref|cite|cite:\w|ref|term|eq)\}`")


@pytest.fixture(scope="session")
def pages(html, page_files):
    """Return {page's path in the book: its soup}."""
    return {
        path.relative_to(html).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in page_files
    }


def address(tag):
    return tag.get("src") or tag.get("href")


def everywhere(pages, selector):
    """Yield (page, tag) for every tag that the CSS selector finds."""
    return ((page, tag) for page, soup in pages.items() for tag in soup.select(selector))


def test_cells_of_both_frameworks_stand_in_tabs(pages):
    """Whatever code stands in a tab has run: it is a cell of the chapter."""
    n_cells = 0
    for path in CHAPTERS:
        page = pages[f"book/{path.stem}.html"]
        tagged = [plain_notebooks.framework(cell) for cell in nbformat.read(path, 4).cells]
        shown = [tab["data-sync-id"] for tab in page.select(".sd-tab-label")]
        assert shown == [name for name, _ in itertools.groupby(tagged) if name], path.stem
        for tab in page.select(".sd-tab-content"):
            code = tab.select(".highlight")
            assert code and len(code) == len(tab.select(".cell .highlight"))
        in_tabs = page.select(".sd-tab-content > .cell")
        assert len(in_tabs) == len([name for name in tagged if name])
        n_cells += len(in_tabs)
    assert n_cells


def test_links_lead_somewhere(html, pages):
    broken = []
    ids = {page: {tag["id"] for tag in soup.select("[id]")} for page, soup in pages.items()}
    redirect = re.search(r"url=([^\"]+)", (html / "index.html").read_text("utf-8"))
    assert (html / redirect[1]).is_file()
    for page, tag in everywhere(pages, f"a[href], {REQUESTS}"):
        if FOREIGN.match(address(tag)) or re.match("mailto:|data:", address(tag)):
            continue
        link = urlsplit(urljoin(page, address(tag)))
        path, anchor = unquote(link.path) or page, unquote(link.fragment)
        if not (html / path).is_file() or (anchor and path in ids and anchor not in ids[path]):
            broken.append(f"{page}: {address(tag)}")
    assert not broken


def test_nothing_comes_from_a_foreign_server(html, pages):
    strangers = [
        f"{page}: {address(tag)}"
        for page, tag in everywhere(pages, REQUESTS)
        if FOREIGN.match(address(tag))
    ]
    for sheet in html.glob("_static/**/*.css"):
        for url in CSS_URL.findall(sheet.read_text("utf-8")):
            if FOREIGN.match(url):
                strangers.append(f"{sheet.name}: {url}")
    for page, tag in everywhere(pages, "style, [style]"):
        for url in CSS_URL.findall(tag.get("style") or tag.text):
            if FOREIGN.match(url):
                strangers.append(f"{page}: {url}")
    assert not strangers


def test_style_sheets_find_their_files(html, pages):
    sheets = {urljoin(page, tag["href"]) for page, tag in everywhere(pages, "link[rel=stylesheet]")}
    missing = []
    for sheet in {urlsplit(sheet).path for sheet in sheets}:
        for url in CSS_URL.findall((html / sheet).read_text("utf-8")):
            if not re.match("data:|#", url):
                path = (html / sheet).parent / unquote(urlsplit(url).path)
                missing += [] if path.is_file() else [f"{sheet}: {url}"]
    assert not missing


def test_pictures_have_words(pages):
    """A file's name, which Sphinx puts where nothing was written, is no description."""
    silent = [
        f"{page}: {tag['src']}"
        for page, tag in everywhere(pages, "img")
        if not tag.get("alt", "").strip() or re.search(r"\.(png|svg|jpe?g|gif)$", tag["alt"])
    ]
    assert not silent


def test_figures_have_a_number_and_a_caption(pages):
    bare = [
        f"{page}: {figure.get('id')}"
        for page, figure in everywhere(pages, "article figure:not(.player, .story)")
        if not figure.select_one(".caption-number")
        or not figure.select_one(".caption-text").get_text(strip=True)
    ]
    bare += [
        f"{page}: {image['src']}"
        for page, image in everywhere(pages, ".cell_output img")
        if not image.find_parent("figure")
    ]
    assert not bare


def test_players_have_a_label_and_a_caption(pages):
    bare = []
    for page, audio in everywhere(pages, "audio[controls]"):
        figure = audio.find_parent("figure")
        caption = figure and figure.find("figcaption")
        if not (audio.get("aria-label") and caption and caption.get_text(strip=True)):
            bare.append(f"{page}: {audio.get('aria-label') or 'a player without a label'}")
    assert not bare


def test_every_header_of_a_table_says_something(pages):
    """A screen reader reads a column's header before each of its cells."""
    empty = [
        f"{page}: {header.find_parent('table').get_text(' ', strip=True)[:60]}"
        for page, header in everywhere(pages, "table th")
        if not header.get_text(strip=True)
    ]
    assert not empty


def test_numbers_in_columns_of_counts_have_no_point(pages):
    """A column of whole numbers that pandas turned into floats, such as 30500.0."""
    odd = []
    for page, table in everywhere(pages, "table.dataframe"):
        rows = [[cell.get_text(strip=True) for cell in row("td")] for row in table("tr")]
        columns = itertools.zip_longest(*[row for row in rows if row], fillvalue="")
        odd += [
            f"{page}: {column[:3]}"
            for column in columns
            if len(column) > 1 and all(re.fullmatch(r"\d{3,}\.0", cell) for cell in column)
        ]
    assert not odd


def test_printed_lines_fit_the_page(pages):
    """A longer line has to be scrolled to; a path or a command may stay whole."""
    long = [
        f"{page}: {line}"
        for page, output in everywhere(pages, ".cell_output pre")
        for line in output.get_text().splitlines()
        if len(line) > 75 and " " in line.strip()
    ]
    assert not long


def test_players_say_how_long_they_play(pages):
    for page, caption in everywhere(pages, ".player figcaption"):
        assert re.search(r"[\d.]+\sm?s\b", caption.text), f"{page}: {caption.text}"


def test_folds_say_what_they_open(pages):
    n_figures, n_solutions = 0, 0
    for page, fold in everywhere(pages, "details"):
        name = fold.summary.get_text(" ", strip=True)
        assert name and not fold.summary.get("aria-label"), page
        figure = fold.parent.select_one("figure:has(.caption-number)")
        if "hide" in fold["class"] and figure:
            number = figure.select_one(".caption-number").text.split()[-1]
            assert name == f"Code of figure {number}", page
            n_figures += 1
        if "solution" in fold["class"]:
            exercise = fold.find_previous(class_="exercise").select_one(".caption-number")
            assert name.startswith(f"Solution to {exercise.text.strip()} ("), page
            n_solutions += 1
    assert n_figures and n_solutions


def test_no_page_shows_a_traceback(pages):
    assert not [page for page, soup in pages.items() if "Traceback (most recent call" in soup.text]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_cell_fails_or_warns(html, chapter):
    """What cells write to stderr is not on the pages, but in the cache that they were made from."""
    cache = get_cache(html.parent / ".jupyter_cache")
    _, executed = cache.merge_match_into_notebook(nbformat.read(chapter, 4))
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert outputs and not [output for output in outputs if output.output_type == "error"]
    texts = [output.text for output in outputs if output.get("name") == "stderr"]
    assert not [text for text in texts if CHATTER.search(text)]


def test_everything_was_rendered(pages):
    raw = []
    for page, article in everywhere(pages, "article"):
        prose = "".join(t for t in article.find_all(string=True) if not t.find_parent("pre"))
        raw += [f"{page}: {match[0]}" for match in UNRENDERED.finditer(prose)]
    assert not raw


def test_one_search(pages):
    for page, soup in pages.items():
        assert len(soup.select(".search-button__button")) == 1, page
        fields = soup.select("input[type=search]")
        assert len(fields) == (2 if page == "search.html" else 1), page  # it has one of its own


def test_title_and_language(pages):
    for page, soup in pages.items():
        assert soup.html.get("lang") == "en", page
        assert soup.title.text.strip() and "<no title>" not in soup.title.text, page


def test_headings_go_down_step_by_step(pages):
    for page, article in everywhere(pages, "article"):
        levels = [int(h.name[1]) for h in article.select("h1, h2, h3, h4, h5, h6")]
        assert levels[:1] == [1] and levels.count(1) == 1, page
        steps = itertools.pairwise(levels)
        assert all(after <= before + 1 for before, after in steps), f"{page}: {levels}"


def test_pictures_have_a_size_and_wait(pages):
    """Nothing jumps when a picture comes, and none comes before it is nearly in sight."""
    wrong = []
    for page, soup in pages.items():
        for image in soup.select("img"):
            if not (image.get("width", "").isdigit() and image.get("height", "").isdigit()):
                wrong.append(f"{page}: {image['src'][:80]} has no size")
        for image in soup.select("article img")[1:]:
            if (image.get("loading"), image.get("decoding")) != ("lazy", "async"):
                wrong.append(f"{page}: {image['src'][:80]} does not wait")
    assert not wrong


def test_pages_load_what_they_use_and_once(pages):
    unused = re.compile("fontawesome.js|searchindex.js|searchtools.js|language_data.js")
    formulas = {page for page, soup in pages.items() if soup.select_one(".math")}
    assert formulas and "book/index.html" not in formulas
    for page, soup in pages.items():
        loaded = [tag["src"] for tag in soup.select("script[src]")]
        loaded += [tag["href"] for tag in soup.select("link[rel=stylesheet]")]
        assert len(loaded) == len(set(loaded)), page
        assert not [name for name in loaded if unused.search(name)], page
        assert any("mathjax" in name for name in loaded) == (page in formulas), page
        assert any("sections.js" in name for name in loaded) == (page == "search.html"), page


def test_sections_hold_prose(html):
    """What the search shows of a place is neither code nor LaTeX, and the place is there."""
    text = (html / "_static/sections.js").read_text("utf-8")
    sections = json.loads(text.removeprefix("window.sections = ").rstrip(";\n"))
    assert {f"book/{path.stem}.html" for path in CHAPTERS} <= {s["page"] for s in sections}
    raw = [s["heading"] for s in sections if re.search(r"\\\\|^import |>>>|\{term\}", s["text"])]
    assert not raw
    kinds = {s["kind"] for s in sections}
    assert kinds == {"section", "closing", "exercise", "term"}
    assert all(s["heading"] for s in sections)


def test_pages_are_small(html, pages):
    for page, soup in pages.items():
        images = soup.select("img[src]:not([src^='data:'])")
        files = {urlsplit(urljoin(page, tag["src"])).path for tag in images}
        sizes = [(html / name).stat().st_size for name in files if (html / name).is_file()]
        assert (html / page).stat().st_size + sum(sizes) < 4e6, page


def test_citations_name_authors_and_year(pages):
    labels = [tag.text for tag in pages["book/references.html"].select(".citation .label")]
    assert labels and len(set(labels)) == len(labels)
    assert not [label for label in labels if not re.fullmatch(r"\[\D+, \d{4}[a-z]?\]", label)]
    cited = [tag.text for _, tag in everywhere(pages, "article .bibtex-citation")]
    assert "Mallat (2012)" in cited
    one = re.compile(r"\D+ \(\d{4}[a-z]?\)|\(\D+, \d{4}[a-z]?(; \D+, \d{4}[a-z]?)*\)")
    assert not [text for text in cited if not one.match(text)]
