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

pytestmark = pytest.mark.xdist_group("site")  # one process does these
LINK = re.compile(r'\s(?:href|src)="([^"]*)"')


@pytest.fixture(scope="module")
def unpacked(html, tmp_path_factory):
    """Let `make site` pack these pages, as they are; return the folder into which they unpack."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    built = tmp_path_factory.mktemp("built")
    (built / "_build").symlink_to(html.parent, target_is_directory=True)
    page = built / "_build/html/index.html"
    call = [make, "site", f"BUILT={built}", f"BIN={Path(sys.executable).parent}"]
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(
        [*call, "--old-file", str(page)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(done.stdout.splitlines()[-1].removeprefix(f"{ROOT}/")) as file:
        file.extractall(folder)
    return folder


def test_everything_that_is_linked_is_in_it(unpacked):
    missing = []
    for page in sorted(unpacked.rglob("*.html")):
        if "_static" in page.relative_to(unpacked).parts:
            continue
        for link in set(LINK.findall(page.read_text("utf-8"))):
            address = urlsplit(link)
            if not address.scheme and not address.netloc and address.path:
                target = (page.parent / unquote(address.path)).resolve()
                if not (target.is_file() and target.is_relative_to(unpacked)):
                    missing.append(f"{page.relative_to(unpacked)}: {link}")
    assert not missing


def test_it_is_read_from_a_disk(browser, unpacked):
    """From the first page to a chapter and to its slides, with pictures, formulas and sounds."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.set_default_timeout(LONG)
    troubles = []
    home = (unpacked.as_uri(), "data:", "blob:")
    page.on("request", lambda r: r.url.startswith(home) or troubles.append(f"foreign: {r.url}"))
    page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url[:80]}"))
    page.on("console", lambda m: m.type == "error" and troubles.append(m.text))
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.goto((unpacked / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    page.locator("article a[href^='03_fourier.html']").first.click()
    page.wait_for_url("**/book/03_fourier.html")
    look_and_listen(page)
    page.locator("a[href='../slides/03_fourier.html']").first.click()
    page.wait_for_url("**/slides/03_fourier.html*")
    look_and_listen(page)
    page.get_by_role("link", name="The chapter").click()
    page.wait_for_url("**/book/03_fourier.html")
    assert not troubles
    page.context.close()


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
