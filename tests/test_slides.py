"""Slides: what a deck takes from a chapter, and all decks in a browser, without a network."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import CHAPTERS
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

sync_api = pytest.importorskip("playwright.sync_api")
import slides  # noqa: E402
from test_browser import AXE_RULES, LONG, PARTS, turn  # noqa: E402

TWO = "$$\na\n$$ (eq-03-a)\n\n$$\nb\n$$ (eq-03-b)"
NOTEBOOK = new_notebook(
    cells=[
        new_markdown_cell("# 3 · A title"),
        new_code_cell("plot()", metadata={"tags": ["hide-input", "slide"]}),
        new_markdown_cell(TWO, metadata={"tags": ["slide"]}),
        new_markdown_cell("$$\nc\n$$ (eq-03-c)"),
        new_code_cell("play()", metadata={"tags": ["fragment"]}),
    ]
)
PAGE = """
<article><section id="a-title"><h1>3 · A title<a class="headerlink" href="#a-title">#</a></h1>
<p>A sentence with <em>seven</em>.</p>
<dl><dt><em>You will learn</em></dt><dd><p>to see; to hear; and to count.</p></dd>
<dt><em>You need</em></dt><dd><p>ears.</p></dd></dl>
<section id="first"><h2>First<a class="headerlink" href="#first">#</a></h2>
<p>Prose that nobody projects, and a <a href="glossary.html">link</a>.</p>
<div class="cell tag_hide-input tag_slide"><details><pre>plot()</pre></details>
<div class="cell_output"><div class="output stream"><pre>chatter</pre></div>
<figure id="fig-03-x"><img src="../_images/x.webp" alt="a wave" loading="lazy">
<figcaption><span class="caption-number">Fig. 3.1</span> <span class="caption-text">Short. LONG
It has <em>some</em> more. And more.</span></figcaption></figure></div></div>
<div class="cell"><div class="cell_output"><pre>not chosen</pre></div></div>
<section id="second"><h3>Second</h3>
<div class="math" id="equation-eq-03-a">\\[a\\]</div>
<div class="math" id="equation-eq-03-b">\\[b\\]</div>
<div class="math" id="equation-eq-03-c">\\[c\\]</div>
<div class="cell tag_fragment"><div class="cell_output"><div class="text_html">
<figure class="player"><audio controls src="data:,"></audio>
<figcaption>Listen. Twice.</figcaption></figure></div></div></div>
</section></section>
<section id="what-to-remember"><h2>What to remember</h2><ul><li><p>A fact.</p></li></ul></section>
<section id="exercises"><h2>Exercises</h2><div class="exercise" id="ex-03-a">
<p class="admonition-title">Exercise 3.1 (Count)</p><section id="exercise-content"><p>How many?</p>
</section></div></section>
<section id="check-yourself"><h2>Check yourself</h2><p>All of these:</p>
<p><strong>1.</strong> Which?</p>
<details class="sd-dropdown"><summary><span class="sd-summary-text">This</span></summary>
<div class="sd-card-body"><p><strong>Not quite.</strong> Too short.</p></div></details>
<details class="sd-dropdown right"><summary><span class="sd-summary-text">That</span></summary>
<div class="sd-card-body"><p><strong>Right.</strong> It fits.</p></div></details></section>
</section></article>
""".replace("LONG", "It " + "goes on and " * 20 + "ends.")


@pytest.fixture(scope="module")
def deck():
    """The slides of a chapter of five cells."""
    article = BeautifulSoup(PAGE, "html.parser").article
    made = slides.slides(article, NOTEBOOK, "03_title")
    return BeautifulSoup("".join(made), "html.parser").find_all("section")


def words(tag):
    return " ".join(tag.get_text(" ").split())


def test_a_deck_has_the_slides_that_tags_and_the_frame_ask_for(deck):
    headings = [words(slide.find(["h1", "h2"])) for slide in deck]
    frame = ["What to remember", "Check yourself", "Exercises"]
    assert headings == ["3 · A title", "First", "Second", *frame]
    assert not [tag for slide in deck for tag in slide("a") if not slide.h1]
    assert not [tag for slide in deck for tag in slide.select("[id], img[loading]")]


def test_the_title_says_what_students_can_do_afterwards(deck):
    assert [words(item) for item in deck[0]("li")] == ["to see", "to hear", "to count"]
    assert deck[0].select_one("a.book")["href"] == "../book/03_title.html"


def test_a_picture_keeps_its_words_and_loses_code_and_chatter(deck):
    slide = deck[1]
    assert slide.img["alt"] == "a wave" and slide.img["src"] == "../_images/x.webp"
    assert words(slide.figcaption) == "Fig. 3.1 Short."
    assert "chatter" not in words(slide) and "plot" not in words(slide)
    assert "Prose" in words(slide.aside) and "And more." in words(slide.aside)
    assert "Prose" not in words(slide.select_one(".shown"))


@pytest.mark.parametrize(
    "html, left",
    [
        ("One. Two.", "One. Two."),
        ("A <em>b</em> c. " + "D" * 150 + ".", "A b c."),
        ("A" * 100 + ". <em>B</em> c. " + "D" * 50 + ". E.", "A" * 100 + ". B c."),
        ("D" * 200 + ". E.", "D" * 200 + "."),
        ("D" * 200, "D" * 200),
    ],
)
def test_captions_are_cut_after_whole_sentences(html, left):
    caption = BeautifulSoup(f"<span>{html}</span>", "html.parser").span
    slides.shorten(caption)
    assert words(caption) == left


def test_formulas_of_one_cell_come_together_and_a_sound_at_the_next_step(deck):
    slide = deck[2]
    assert [words(tag) for tag in slide.select(".main .math")] == [r"\[a\]", r"\[b\]"]
    assert not slide.select(".main .fragment")
    [sound] = slide.select(".side .fragment")
    assert sound.audio and words(sound) == "Listen. Twice."


def test_the_answer_waits_for_the_next_step(deck):
    slide = deck[4]
    assert [words(item) for item in slide("li")] == ["This", "That"]
    right, reason = slide.select(".fragment")
    assert words(right) == "That" and words(reason) == "Right. It fits."
    assert right["data-fragment-index"] == reason["data-fragment-index"]
    assert "Too short." in words(slide.aside)


# --- the chapters' tags ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_says_what_is_projected(path):
    cells = nbformat.read(path, 4).cells
    last = next(i for i, cell in enumerate(cells) if "## What to remember" in cell.source)
    tagged = {
        i: tag
        for i, cell in enumerate(cells)
        for tag in slides.TAGS
        if tag in cell.metadata.get("tags", [])
    }
    assert all(0 < i < last for i in tagged), "before What to remember, which has its own slide"
    assert next(iter(tagged.values())) == "slide"
    assert 8 <= list(tagged.values()).count("slide") <= 18
    pictures = [i for i in tagged if "figure" in cells[i].metadata.get("mystnb", {})]
    assert len(pictures) >= 3
    players = {i for i, cell in enumerate(cells[:last]) if "audio.player" in cell.source}
    assert players & set(tagged) or not players
    for i in tagged:
        if cells[i].cell_type == "markdown":
            assert "$$ (eq-" in cells[i].source, f"no numbered formula:\n{cells[i].source}"


# --- the decks ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(html, tmp_path_factory):
    """What `make slides` makes, with nothing beside it."""
    made = tmp_path_factory.mktemp("carried") / "slides"
    slides.pack(html, made)
    return made


def test_without_pages_it_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match="make book"):
        slides.pack(tmp_path / "html", tmp_path / "slides")
    assert not (tmp_path / "slides").exists()


READY = """async () => {
  await MathJax.startup.promise;
  await document.fonts.ready;
  return [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src);
}"""
LOOK = """() => {
  const boxOf = (tag) => tag.getBoundingClientRect();
  const isSeen = (tag) => tag.checkVisibility() && !tag.closest("mjx-assistive-mml, svg *");
  return Reveal.getSlides().map((slide, number) => {
    Reveal.slide(number);
    while (Reveal.availableFragments().next) Reveal.nextFragment();
    const room = boxOf(slide.querySelector(".seen .shown") ?? slide);
    const heading = slide.querySelector("h1, h2");
    const outside = [...slide.querySelectorAll(".shown *, li, .links")].filter(isSeen).filter(
      (tag) => boxOf(tag).bottom > room.bottom + 1 || boxOf(tag).right > room.right + 1
        || boxOf(tag).left < room.left - 1
        || (tag.closest(".shown") && boxOf(tag).top < boxOf(heading).bottom - 1));
    const pictures = [...slide.querySelectorAll("img")].filter(isSeen);
    return {
      title: heading.innerText,
      outside: outside.map((tag) => tag.outerHTML.slice(0, 80)),
      tiny: pictures.some((picture) => picture.height < 250 || picture.width < 400),
    };
  });
}"""


def open_deck(browser, path, width=1280, height=720):
    """Open a deck as a file; collect what goes wrong in `page.troubles`."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(LONG)
    page.context.set_offline(True)
    page.troubles = troubles = []
    home = (path.parent.as_uri(), "data:")
    page.on("request", lambda r: r.url.startswith(home) or troubles.append(f"foreign: {r.url}"))
    page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url[:80]}"))
    page.on("console", lambda m: m.type in ("error", "warning") and troubles.append(m.text))
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.goto(path.as_uri())
    troubles += [f"no picture: {source}" for source in page.evaluate(READY)]
    return page


@pytest.mark.parametrize("part", range(PARTS))
def test_decks_open_from_a_disk_and_nothing_is_cut_off(browser, folder, part):
    troubles = []
    for path in CHAPTERS[part::PARTS]:
        page = open_deck(browser, folder / f"{path.stem}.html")
        seen = page.evaluate(LOOK)
        for slide in seen:
            title = f"{path.stem}: {slide['title']}"
            troubles += [f"{title}: {tag} leaves the slide" for tag in slide["outside"]]
            troubles += [f"{title}: a picture is tiny"] if slide["tiny"] else []
        bad = page.locator(".math:not(:has(mjx-container)), [data-mml-node=merror]")
        troubles += [f"{path.stem}: formula not typeset: {text}" for text in bad.all_inner_texts()]
        troubles += [f"{path.stem}: {trouble}" for trouble in page.troubles]
        assert page.title() and page.locator("html").get_attribute("lang") == "en"
        assert 12 <= len(seen) <= 25
        page.context.close()
    assert not troubles


@pytest.fixture
def open_one(browser, folder):
    """Open a deck at a size."""
    page = open_deck(browser, folder / "02_digital_audio.html")
    yield page
    assert not page.troubles
    page.context.close()


def state(page):
    return page.evaluate("[Reveal.getIndices().h, Reveal.getIndices().f ?? -1]")


def show(page, selector):
    """Go to the slide that holds something; return what it holds."""
    page.evaluate(
        "s => Reveal.slide(Reveal.getIndices(document.querySelector(s).closest('section')).h)",
        selector,
    )
    return page.locator(selector).first


def test_keys_turn_slides_and_steps(open_one):
    page = open_one
    for key in ("ArrowRight", "Space", "PageDown"):
        before = state(page)
        page.keyboard.press(key)
        assert state(page) > before
    page.keyboard.press("Home")
    assert state(page)[0] == 0
    question = show(page, ".question")
    right = question.locator("li.fragment")
    reason = question.locator("div.fragment")
    colour = "tag => getComputedStyle(tag).color"
    before = right.evaluate(colour)
    assert right.is_visible() and reason.evaluate("tag => getComputedStyle(tag).opacity") == "0"
    page.keyboard.press("ArrowRight")
    assert reason.evaluate("tag => getComputedStyle(tag).visibility") == "visible"
    assert right.evaluate(colour) != before


def test_a_sound_has_the_space_key_and_leaves_the_arrows_alone(open_one):
    page = open_one
    player = show(page, ".seen audio")
    page.wait_for_function("player => player.duration > 0", arg=player.element_handle())
    player.focus()
    before = state(page)
    page.keyboard.press("Space")
    assert state(page) == before
    page.wait_for_function("player => player.played.length > 0", arg=player.element_handle())
    page.keyboard.press("ArrowRight")
    assert state(page) > before


def test_an_explorer_turns_and_gives_the_arrows_back(open_one):
    page = open_one
    flipbook = show(page, ".flipbook")
    before = state(page)
    turn(flipbook)
    assert state(page) == before
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert state(page) > before


def test_a_slide_fills_a_phone(browser, folder):
    page = open_deck(browser, folder / "02_digital_audio.html", 390, 844)
    picture = show(page, ".seen img")
    assert picture.bounding_box()["width"] > 350
    assert page.evaluate("document.body.scrollWidth") <= 390
    heading = page.locator(".seen.present h2")
    assert heading.evaluate("tag => tag.getBoundingClientRect().height / tag.offsetHeight") > 0.6
    page.context.close()


def test_the_speaker_has_notes_in_a_window_of_their_own(open_one):
    show(open_one, ".seen")
    with open_one.context.expect_page() as opened:
        open_one.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.get_by_text("samples").first.wait_for(timeout=LONG)


@pytest.mark.parametrize("selector", [".seen .flipbook", ".question"])
def test_axe_finds_nothing(browser, folder, selector):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = [rule for rule in AXE_RULES if rule.startswith("wcag")]
    page = open_deck(browser, folder / "02_digital_audio.html")
    show(page, selector)
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    results = axe.run(page, {"include": [["section.present"]]}, options)
    page.context.close()
    found = [(v["id"], v["nodes"][0]["html"][:100]) for v in results.response["violations"]]
    assert not found


def test_the_list_leads_to_every_deck_and_each_back(html, folder):
    for root in (html / "slides", folder):
        names = [f"{path.stem}.html" for path in CHAPTERS]
        for page in ("index.html", *names):
            links = re.findall(r'<a\b[^>]* href="([^"]*)"', (root / page).read_text("utf-8"))
            book = [f"../book/{page}"] if root == html / "slides" else []
            inner = names if page == "index.html" else ["index.html"]
            assert links == [*book, *inner] and all((root / link).is_file() for link in links)
