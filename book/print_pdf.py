"""Print every chapter of the rendered book: python book/print_pdf.py PAGES FOLDER."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
READY = """async () => {
  const images = [...document.images];
  images.forEach((image) => (image.loading = "eager"));
  await Promise.all(images.map((image) => image.decode()));
}"""


def start(playwright, *flags):
    """Return Chromium without a window, or None where there is none on this machine."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return path and playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])


def print_chapter(browser, chapter):
    """Return a chapter as the bytes of a PDF.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
        Chromium without a window.
    chapter : pathlib.Path
        A rendered chapter.
    """
    page = browser.new_page()
    page.goto(chapter.resolve().as_uri())
    page.wait_for_function("!document.querySelector('.math:not(:has(mjx-container))')")
    page.evaluate(READY)
    pdf = page.pdf(format="A4", prefer_css_page_size=True, tagged=True, outline=True)
    page.close()
    return pdf


def main(pages, folder):
    """Print the chapters among the pages into a folder."""
    with sync_playwright() as playwright:
        browser = start(playwright)
        if browser is None:
            sys.exit("no Chromium or Chrome on this machine: it is what prints")
        folder.mkdir(parents=True, exist_ok=True)
        for chapter in sorted(pages.glob("book/[0-9]*_*.html")):
            pdf = folder / f"{chapter.stem}.pdf"
            pdf.write_bytes(print_chapter(browser, chapter))
            print(pdf)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
