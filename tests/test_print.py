"""A chapter on paper: the print button's way and `make pdf`, which are the same."""

import io
import re
import unicodedata

import pytest
from bs4 import BeautifulSoup

sync_api = pytest.importorskip("playwright.sync_api")
pypdf = pytest.importorskip("pypdf")
import print_pdf  # noqa: E402

pytestmark = pytest.mark.xdist_group("print")  # one process does these
SHEETS = {"02_digital_audio": 32}  # it was 41


@pytest.fixture(scope="module", params=SHEETS)
def chapter(request, html):
    return html / f"book/{request.param}.html"


@pytest.fixture(scope="module")
def soup(chapter):
    return BeautifulSoup(chapter.read_text("utf-8"), "html.parser").article


@pytest.fixture(scope="module")
def sheets(browser, chapter):
    """Return the text of every sheet."""
    pdf = pypdf.PdfReader(io.BytesIO(print_pdf.print_chapter(browser, chapter)))
    return [sheet.extract_text() for sheet in pdf.pages]


@pytest.fixture(scope="module")
def text(sheets):
    """Return all sheets as one line, in which no line break and no ligature gets in the way."""
    return plain(" ".join(sheets))


@pytest.fixture
def page(browser, chapter):
    page = browser.new_page(viewport={"width": 660, "height": 930})  # between A4's margins
    page.goto(chapter.as_uri())
    page.wait_for_function("!document.querySelector('.math:not(:has(mjx-container))')")
    yield page
    page.close()


def plain(text):
    """Return the letters and digits of a text alone: a PDF moves spaces and signs about."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text))


def words_of(tag):
    """Return what a tag says in plain letters, without the formulas."""
    return plain("".join(t for t in tag.find_all(string=True) if not t.find_parent(class_="math")))


def test_paper_is_spared(sheets, chapter):
    assert 5 < len(sheets) <= SHEETS[chapter.stem]
    last = len(sheets)
    assert all(plain(f"{i} / {last}") in plain(sheet) for i, sheet in enumerate(sheets, 1))


def test_solutions_answers_and_references_stand_at_the_end(text, soup):
    order = ["Goingfurther", "SolutiontoExercise", "Answers1", "References"]
    places = [text.rfind(plain("Going further"))] + [text.find(word) for word in order[1:]]
    assert -1 not in places and places == sorted(places)
    assert text.count("SolutiontoExercise") == len(soup.select(".solution"))
    answers = text[places[2] : places[3]]
    rights = soup.select("details.right")
    assert len(rights) >= 3
    for i, right in enumerate(rights, 1):
        assert f"{i}{words_of(right.select_one('.sd-summary-text'))}" in answers
        reason = right.select_one(".sd-card-body p")
        reason.strong.extract()
        assert words_of(reason)[:40] in answers
    for title in {a["title"] for a in soup.select(".bibtex-citation a")}:
        assert plain(title) in text[places[3] :]


def test_answers_are_not_given_away(text, soup):
    questions = text[: text.rfind(plain("Going further"))]
    for option in soup.select("details.sd-dropdown"):
        assert words_of(option.select_one(".sd-summary-text")) in questions
        assert words_of(option.select_one(".sd-card-body"))[:40] not in questions


def test_folded_code_and_buttons_are_left_out(text, soup):
    assert "Showthecode" not in text and "Clicktoshow" not in text
    for folded in soup.select("details.hide pre"):
        assert words_of(folded) not in text
    for shown in soup.select(".cell:not(.tag_hide-input) .cell_input pre"):
        assert words_of(shown) in text


def test_sounds_are_lines_and_figures_have_numbers(text, soup):
    for player in soup.select("figure.player"):
        if not player.find_parent(class_="frame", hidden=True):
            assert "Sound" + words_of(player.figcaption) in text
    for link in soup.select("a[href^='#fig-']"):
        number = soup.find(id=link["href"][1:]).select_one(".caption-number")
        assert words_of(link) + words_of(number) in text or words_of(number) in words_of(link)


def test_no_line_is_cut_off(page):
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    cut = page.evaluate(
        """() => [...document.querySelectorAll("pre, .cell_output, mjx-container[display]")]
            .filter((tag) => tag.checkVisibility() && tag.scrollWidth > tag.clientWidth + 1)
            .map((tag) => tag.textContent.slice(0, 80))"""
    )
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not cut and not wide


def test_every_tab_is_printed(browser, html):
    page = browser.new_page()
    page.goto((html / "book/12_augmentation.html").as_uri())
    page.emulate_media(media="print")
    tabs = page.locator(".sd-tab-content").all()
    assert len(tabs) > 1 and all(tab.is_visible() for tab in tabs)
    page.close()


def test_nothing_of_it_stays_on_the_screen(page):
    state = "document.body.outerHTML + document.documentElement.dataset.theme"
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    before = page.evaluate(state)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("h2", has_text="Answers").count() == 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(state) == before
