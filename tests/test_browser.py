"""The rendered book in a real browser: wide and phone-sized, with the network watched."""

import functools
import http.server
import re
import threading

import pytest
from small_pages import LONG

sync_api = pytest.importorskip("playwright.sync_api")

AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
AXE_RULES += ["best-practice"]
MARK_AGAIN = """spans => {
  const seen = new Set();
  for (const span of spans) {
    if (seen.has(span.className)) span.dataset.again = 1;
    seen.add(span.className);
  }
}"""
CUT_OFF = ".cell_output .output:not(.in-columns) pre, mjx-container[display]:not([tabindex='0'])"
WIDER = "boxes => boxes.filter(b => b.scrollWidth > b.clientWidth + 1).map(b => b.outerHTML)"
PARTS = 3  # that one process each can take of the pages
THUMB = 44  # pixels, the least height of what a thumb should hit


@pytest.fixture(scope="module")
def site(html):
    """Serve the book on a free port of this machine and return its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=html)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def addresses(html, page_files, site):
    return [site + path.relative_to(html).as_posix() for path in page_files]


def open_page(browser, address, width=1400, **context):
    """Open a page in a context of its own; collect what goes wrong in `page.troubles`."""
    page = browser.new_context(viewport={"width": width, "height": 844}, **context).new_page()
    page.set_default_timeout(LONG)
    page.troubles = troubles = []
    ours = (address[: address.index("/", 8)], "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(ours) or troubles.append(f"foreign: {r.url}"))
    page.on("response", lambda r: r.ok or r.status == 304 or troubles.append(f"{r.status} {r.url}"))
    page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url[:80]}"))
    page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.goto(address, wait_until="load")
    if page.locator(".math").count() and context.get("java_script_enabled", True):
        page.wait_for_selector("mjx-container", state="attached", timeout=LONG)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_keep_to_themselves_and_are_light(browser, addresses, part):
    """Read wide, to the end; then in a window as narrow as a phone, where printed lines wrap.

    A reader who reads to the end has loaded 4 MB, on the front page 2 MB, at the most.
    """
    troubles = []
    for address in addresses[part::PARTS]:
        page = open_page(browser, address)
        read_to_the_end(page)
        size, most = bytes_loaded(page), 2e6 if address.endswith("book/index.html") else 4e6
        assert size > 5e5
        troubles += [f"{address}: {size / 1e6:.2f} MB"] if size > most else []
        troubles += [f"{address}: {trouble}" for trouble in page.troubles]
        bad = page.locator(".math:not(:has(mjx-container)), mjx-merror, mjx-mtext[style*=red]")
        troubles += [f"{address}: formula not typeset: {text}" for text in bad.all_inner_texts()]
        for width in (1400, 390):
            page.set_viewport_size({"width": width, "height": 844})
            wide = page.evaluate("document.body.scrollWidth")
            if wide > page.evaluate("document.body.clientWidth"):
                troubles.append(f"{address}: {wide} pixels wide in a window of {width}")
        cut = page.locator(CUT_OFF)
        troubles += [f"{address}: cut off: {text}" for text in cut.evaluate_all(WIDER)]
        page.context.close()
    assert not troubles


def read_to_the_end(page):
    """Scroll through a page until all that it shows is loaded."""
    for y in range(0, page.evaluate("document.body.scrollHeight"), 800):
        page.evaluate("y => new Promise(done => { scrollTo(0, y); setTimeout(done, 20) })", y)
    seen = "[...document.querySelectorAll('article img')].filter(i => i.checkVisibility())"
    page.evaluate(f"{seen}.forEach(i => i.loading = 'eager')")  # however fast the scrolling was
    page.wait_for_function(f"{seen}.every(i => i.complete)")
    page.wait_for_load_state("networkidle")


def bytes_loaded(page):
    """Return how many bytes, uncompressed, the page and what it loaded have."""
    entries = page.evaluate("performance.getEntries().map(e => [e.name, e.decodedBodySize ?? 0])")
    return sum(size for name, size in entries if name.startswith("http"))


@pytest.mark.parametrize(
    ("name", "width", "colours"),
    [
        ("index", 1400, "light"),
        ("09_scattering_pytorch", 390, "dark"),
        ("references", 1400, "dark"),
    ],
)
def test_axe_finds_nothing(browser, site, name, width, colours):
    """With every fold open; of coloured words in code, one of each kind is enough."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    address = f"{site}book/{name}.html"
    page = open_page(browser, address, width, color_scheme=colours, reduced_motion="reduce")
    page.locator("summary").evaluate_all("folds => folds.forEach(fold => fold.click())")
    page.locator("pre span[class]").evaluate_all(MARK_AGAIN)
    options = {"runOnly": AXE_RULES, "resultTypes": ["violations"]}
    results = axe.run(page, {"exclude": [["[data-again]"]]}, options)
    page.context.close()
    found = [(v["id"], v["nodes"][0]["html"][:100]) for v in results.response["violations"]]
    assert not found


def test_the_colour_switch_says_its_mode(browser, addresses):
    page = open_page(browser, addresses[0])
    switch, said = page.locator(".theme-switch-button:visible"), {}
    for _ in range(3):
        said[page.locator("html").get_attribute("data-mode")] = switch.get_attribute("aria-label")
        assert page.locator(".logo__image").is_visible(), "the logo, light and dark"
        switch.click()
    assert said == {
        "auto": "Colours: System Settings",
        "light": "Colours: Light",
        "dark": "Colours: Dark",
    }


def test_focus_is_always_visible(browser, explorable):
    """An outline stands at every stop of the tab key; buttons in a player have the browser's."""
    page, bare = open_page(browser, explorable[0]), set()
    stop = """() => {
      const {outlineStyle: style, outlineWidth: width} = getComputedStyle(document.activeElement);
      const {tagName, className, title} = document.activeElement;
      return [tagName, style === "none" || parseFloat(width) < 2, `${className} ${title}`];
    }"""
    for _ in range(120):
        page.keyboard.press("Tab")
        tag, unseen, name = page.evaluate(stop)
        if unseen and tag != "AUDIO":
            bare.add(f"{tag} {name}")
    assert not bare


def test_a_thumb_hits_sliders_players_and_folds(browser, explorable):
    sizes = """targets => targets.filter(target => target.checkVisibility()).map(target => {
      const {width, height} = target.getBoundingClientRect();
      return [target.outerHTML.slice(0, 80), width, height];
    })"""
    for address in explorable:
        page = open_page(browser, address, 390)
        targets = page.locator("audio, .flipbook input, .flipbook button, main summary")
        assert not [name for name, _, height in targets.evaluate_all(sizes) if height < THUMB]
        long = page.locator(".flipbook input, .flipbook audio").evaluate_all(sizes)
        assert long and not [name for name, width, _ in long if width < 250]
        page.context.close()


@pytest.mark.parametrize(("width", "most"), [(1400, 2), (390, 1)])
def test_few_players_stand_in_a_row(browser, addresses, width, most):
    rows = """groups => groups.map(group => {
      const tops = [...group.querySelectorAll("audio")].map(audio => audio.offsetTop);
      return Math.max(...tops.map(top => tops.filter(other => other === top).length));
    })"""
    page = open_page(browser, next(a for a in addresses if "/01_" in a), width)
    assert max(page.locator(".players:visible").evaluate_all(rows)) == most


def test_a_tap_shows_a_picture_at_its_own_size(browser, explorable):
    page = open_page(browser, explorable[0], 390)
    pictures = page.locator("figure > img").first, page.locator(".frame img:visible").first
    ways = (lambda: shown.click()), (lambda: page.keyboard.press("Escape"))
    for picture, close in zip(pictures, ways, strict=True):
        full = picture.evaluate("image => image.naturalWidth")
        assert picture.bounding_box()["width"] < full
        picture.click()
        shown = page.locator("dialog.full-size img")
        assert shown.bounding_box()["width"] == full
        assert shown.get_attribute("alt") == picture.get_attribute("alt")
        close()
        shown.wait_for(state="hidden", timeout=LONG)


def presses(page, target, inside):
    """Open and close a fold from the keyboard, once with each key that a reader may try."""
    for key in ("Enter", "Space"):
        assert not inside.is_visible()
        target.focus()
        page.keyboard.press(key)
        inside.wait_for(state="visible", timeout=LONG)
        page.keyboard.press(key)
        inside.wait_for(state="hidden", timeout=LONG)


@pytest.fixture(scope="module")
def explorable(html, addresses):
    """The addresses of the pages that hold explorers."""
    return [
        address
        for address in addresses
        if 'class="flipbook"' in (html / address.split("/", 3)[3]).read_text("utf-8")
    ]


def shown(flipbook):
    """Return the one picture that a flipbook shows, whole, in a window wide enough for it."""
    [picture] = flipbook.locator("img:visible").element_handles()  # at one moment of a film
    picture.scroll_into_view_if_needed()  # it is lazy
    whole = "image => image.complete && image.naturalWidth > 0"
    flipbook.page.wait_for_function(whole, arg=picture, timeout=LONG)
    return picture.get_attribute("src")


@pytest.mark.parametrize("part", range(PARTS))
def test_chapters_work_from_the_keyboard(browser, addresses, explorable, part):
    """Folds open and close, the first player holds sound, sliders turn pictures, films play."""
    chapters = [address for address in addresses if re.search(r"/\d\d_", address)]
    assert chapters and explorable and set(explorable) <= set(chapters)
    for address in chapters[part::PARTS]:
        page = open_page(browser, address)
        solution = page.locator(".solution").first
        presses(page, solution.locator("summary").first, solution.locator(".cell").first)
        option = page.locator("details.sd-dropdown").first
        presses(page, option.locator("summary"), option.locator("p").first)
        player = page.locator("audio[controls]:visible").first  # not that of an empty recorder
        if player.count():
            player.focus()
            assert page.evaluate("document.activeElement.tagName") == "AUDIO"
            loaded = "player => player.duration > 0"
            page.wait_for_function(loaded, arg=player.element_handle(), timeout=LONG)
        flipbooks = page.locator(".flipbook").all()
        assert bool(flipbooks) == (address in explorable)
        for flipbook in flipbooks:
            turn(flipbook)
        for flipbook in page.locator(".flipbook:has(button)").all():
            play(flipbook)
        assert not page.troubles
        page.context.close()


def turn(flipbook):
    """Turn an explorer's slider from one end to the other and back."""
    slider, said = flipbook.get_by_role("slider"), flipbook.locator("output")
    last, keyboard = int(slider.get_attribute("max")), flipbook.page.keyboard
    slider.focus()
    keyboard.press("Home")
    seen = {shown(flipbook): said.inner_text()}
    for _ in range(last):
        keyboard.press("ArrowRight")
        seen[shown(flipbook)] = said.inner_text()
        assert slider.get_attribute("aria-valuetext") == said.inner_text()
    assert len(seen) == len(set(seen.values())) == last + 1
    keyboard.press("Home")
    assert shown(flipbook) == next(iter(seen))


def play(flipbook):
    """Play a film and pause it."""
    page, button, before = flipbook.page, flipbook.get_by_role("button"), shown(flipbook)
    assert button.inner_text() == "Play"
    button.focus()
    page.keyboard.press("Enter")
    moved = "([book, old]) => book.querySelector('.frame:not([hidden]) img').src !== old"
    source = flipbook.locator("img:visible").evaluate("image => image.src")
    page.wait_for_function(moved, arg=[flipbook.element_handle(), source], timeout=LONG)
    page.keyboard.press("Enter")
    assert button.inner_text() == "Play"
    after = shown(flipbook)
    assert after != before
    page.wait_for_timeout(300)
    assert shown(flipbook) == after


PAUSES = """([book, count]) => new Promise((done) => {
  const shown = () => book.querySelector(".frame:not([hidden]) img").src;
  let [before, since, pauses] = [shown(), performance.now(), []];
  book.querySelector("button").click();
  const watch = setInterval(() => {
    if (shown() === before) return;
    pauses.push(performance.now() - since);
    [before, since] = [shown(), performance.now()];
    if (pauses.length < count) return;
    clearInterval(watch);
    done(pauses);
  }, 5);
})"""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_film_is_slow_for_a_reader_who_asks_for_less_motion(browser, explorable, motion):
    """On a busy machine pauses grow, so that the shortest tells how fast a film is."""
    page = open_page(browser, explorable[0], reduced_motion=motion)
    film = page.locator(".flipbook:has(button)").first.element_handle()
    pauses = page.evaluate(PAUSES, [film, 2 if motion == "reduce" else 9])
    assert (min(pauses) > 450) == (motion == "reduce")
    page.context.close()


def test_a_cell_of_a_sound_table_plays_from_the_keyboard(browser, site):
    page = open_page(browser, f"{site}book/15_unseen_speakers.html", width=390)
    table = page.locator(".sound-table")
    for number in (0, -1):
        button = table.locator("button").nth(number)
        button.focus()
        page.keyboard.press("Enter")
        said = button.get_attribute("aria-label")
        assert table.locator("output").inner_text() == said and len(said) > 10
        sound = table.locator(f"audio[data-name={button.get_attribute('data-sound')}]")
        page.wait_for_function(
            "sound => sound.currentTime > 0 || sound.ended", arg=sound.element_handle()
        )
    assert not page.troubles
    page.context.close()


def test_without_javascript_the_first_picture_teaches(browser, explorable):
    assert explorable
    for address in explorable:
        page = open_page(browser, address, java_script_enabled=False)
        for flipbook in page.locator(".flipbook").all():
            assert not flipbook.locator(".controls").is_visible()
            assert flipbook.locator(".frame:not([hidden]) img").is_visible()
            assert flipbook.locator("img:visible").count() == 1
        page.context.close()


def test_a_framework_chosen_once_is_shown_in_every_chapter(browser, site):
    page = open_page(browser, f"{site}book/11_lstm.html")
    first = page.locator(".sd-tab-set").first
    first.get_by_text("PyTorch", exact=True).click()
    first.locator("input").nth(0).press("ArrowRight")  # by the keyboard to Keras
    for name in ("11_lstm", "12_augmentation"):
        assert page.url.endswith(f"{name}.html")
        shown = page.locator(".sd-tab-content:visible").all()
        assert shown and all("keras" in tab.inner_text() for tab in shown)
        page.goto(f"{site}book/12_augmentation.html")
    page.context.close()


SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => list.getEntries().forEach((e) => (window.shifts += e.value)))
  .observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize("width", [1400, 390])
def test_a_link_into_a_page_leads_to_its_place_and_stays(browser, html, addresses, width):
    restless = []
    for address in [a for a in addresses if re.search(r"/\d\d_", a)][1:17:4]:  # with formulas
        soup = (html / address.split("/", 3)[3]).read_text("utf-8")
        anchors = re.findall(r'<section id="([^"/]+)">\s*<h[23]', soup)
        page = browser.new_context(viewport={"width": width, "height": 844}).new_page()
        page.add_init_script(SHIFTS)
        page.goto(f"{address}#{anchors[len(anchors) * 2 // 3]}", wait_until="networkidle")
        page.wait_for_selector("mjx-container", state="attached", timeout=LONG)
        page.wait_for_function(
            "getComputedStyle(document.querySelector('article')).visibility == 'visible'"
        )
        page.wait_for_timeout(500)
        top = page.locator(":target").evaluate("place => place.getBoundingClientRect().top")
        shifts = page.evaluate("window.shifts")
        if not 0 <= top < 150 or shifts > 0.05:
            restless.append(f"{page.url}: {top:.0f} pixels from the top, moved by {shifts:.3f}")
        page.context.close()
    assert not restless


# What a reader asks, and something in the section, whatever its heading, that explains it.
QUESTIONS = {
    "mel": ("04_spectrograms", 'id="fig-04-mel"'),
    "fft": ("03_fourier", 'id="fig-03-timing"'),
    "FFTs": ("03_fourier", 'id="fig-03-timing"'),
    "learning rate": ("14_convnet_words", 'id="fig-14-finder"'),
    "consent": ("16_your_voice", "consent.txt"),
    "aliasing": ("02_digital_audio", 'id="fig-02-aliasing"'),
    "exercise 9.1": ("09_scattering_pytorch", "Exercise 9.1"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_search_finds_the_section_that_explains(browser, html, question):
    """The pages are opened as files, as from a memory stick."""
    chapter, content = QUESTIONS[question]
    page = browser.new_page(viewport={"width": 1400, "height": 844})
    page.goto((html / "book/index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    first = page.locator("#search-results li").first
    first.wait_for()
    assert first.locator("mark").count()
    first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/book/{chapter}.html#*")
    place = page.locator(":target")
    assert content in place.evaluate("place => place.outerHTML")
    page.wait_for_function(
        "place => Math.abs(place.getBoundingClientRect().top - 75) < 75",
        arg=place.element_handle(),
    )
    page.close()


def test_search_gives_the_definition_and_orders_chapters_by_number(browser, site):
    page = open_page(browser, f"{site}search.html?q=mel")
    assert page.locator(".definition a").get_attribute("href").endswith("glossary.html#term-mel")
    page.goto(f"{site}search.html?q=what+to+remember")
    titles = page.locator(
        "#search-results li:has-text('What to remember') .where"
    ).all_inner_texts()
    numbers = [int(title.split(" ")[0]) for title in titles if title[0].isdigit()]
    assert len(numbers) > 10 and numbers[:10] == sorted(numbers[:10])
    page.goto(f"{site}search.html?q=xylophone+yodel")
    assert "No place" in page.get_by_role("status").inner_text()
    assert not page.troubles
    page.context.close()


def test_search_without_javascript_says_what_is_missing(browser, site):
    page = open_page(browser, f"{site}search.html?q=mel", java_script_enabled=False)
    assert page.locator(".bd-search-container noscript p").is_visible()
    page.context.close()
