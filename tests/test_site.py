"""The zip file of `make site`, unpacked somewhere else and read without a network."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

pytest.importorskip("playwright.sync_api")
from test_browser import LONG, read_to_the_end

LINK = re.compile(r'\s(?:href|src)="([^"]*)"')


@pytest.fixture
def unpacked(html, tmp_path):
    """Let `make site` pack these pages, as they are; return the folder into which they unpack."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    (tmp_path / "built").mkdir()
    (tmp_path / "built/_build").symlink_to(html.parent, target_is_directory=True)
    page = tmp_path / "built/_build/html/index.html"
    call = [make, "site", f"BUILT={tmp_path}/built", f"BIN={Path(sys.executable).parent}"]
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(
        [*call, "--old-file", str(page)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "built/hearing-digits.zip") as file:
        file.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def test_the_zip_file_holds_all_that_is_read_and_opens_from_a_disk(browser, unpacked):
    assert not links_that_lead_outside(unpacked)
    read_from_a_disk(browser, unpacked)


def links_that_lead_outside(folder):
    """Return the links of all pages and slides to what is not in the folder."""
    missing = []
    for page in sorted(folder.rglob("*.html")):
        if "_static" in page.relative_to(folder).parts:
            continue
        for link in set(LINK.findall(page.read_text("utf-8"))):
            address = urlsplit(link)
            if not address.scheme and not address.netloc and address.path:
                target = (page.parent / unquote(address.path)).resolve()
                if not (target.is_file() and target.is_relative_to(folder.resolve())):
                    missing.append(f"{page.relative_to(folder)}: {link}")
    return missing


def read_from_a_disk(browser, folder):
    """Go from the first page to a chapter, to its slides and back; see and listen."""
    context, troubles = browser.new_context(viewport={"width": 1280, "height": 720}), []
    context.set_default_timeout(LONG)
    context.set_offline(True)
    home = (folder.as_uri(), "data:", "blob:")
    context.on("request", lambda r: r.url.startswith(home) or troubles.append(f"foreign: {r.url}"))
    context.on("requestfailed", lambda r: troubles.append(f"failed: {r.url[:80]}"))
    context.on("console", lambda m: m.type == "error" and troubles.append(m.text))
    context.on("weberror", lambda e: troubles.append(str(e.error)))
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    page.locator("article a[href^='03_fourier.html']").first.click()
    page.wait_for_url("**/book/03_fourier.html")
    look_and_listen(page)
    with context.expect_page() as opened:  # a tab of its own
        page.locator("a[href='../slides/03_fourier.html']").first.click()
    deck = opened.value
    deck.wait_for_load_state()
    look_and_listen(deck)
    deck.get_by_role("link", name="The chapter").click()
    deck.wait_for_url("**/book/03_fourier.html")
    assert not troubles
    context.close()


def look_and_listen(page):
    """See whether the pictures of a page, its formulas and its first sound are there."""
    page.wait_for_function("window.MathJax?.startup?.promise")
    page.evaluate("MathJax.startup.promise")
    formulas, bare = page.locator(".math"), page.locator(".math:not(:has(mjx-container))")
    assert formulas.count() and not bare.count()
    read_to_the_end(page)
    pictures = page.locator("article img, .reveal img")
    absent = "all => all.filter(one => one.checkVisibility() && !one.naturalWidth).length"
    assert pictures.count() > 10 and pictures.evaluate_all(absent) == 0
    sound = page.locator("audio[src]").first.element_handle()
    page.wait_for_function("sound => sound.duration > 0", arg=sound)
