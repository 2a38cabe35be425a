"""A Sphinx extension: a page loads what it uses, and its pictures have a size before they come.

Sphinx and its extensions put all of their scripts and style sheets on every page. This goes
through the finished pages, takes out what finds no use on each, makes lossless WebP files of PNG
pictures (half the size), moves pictures out of data URLs, and gives every picture its width and
height. A page that has been through is not changed again.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from PIL import Image

# What a script or style sheet is for: some part of the page that matches.
NEVER = r"(?!)"
USED_FOR = {
    r"scripts/fontawesome\.js": NEVER,  # the style sheet has the same icons as a font
    r"searchtools\.js|language_data\.js|searchindex\.js": NEVER,  # ours: section_index.py
    r"sphinx_highlight\.js|doctools\.js": NEVER,  # marks the words of Sphinx's own search
    r"clipboard\.min\.js|copybutton": r'class="highlight"',
    r"togglebutton|toggleHint|toggleOpenOnPrint": r'class="[^"]*\b(toggle|dropdown)\b',
    r"design-tabs\.js": "sd-tab-set",
    r"sphinx-design\.min\.css": r'class="[^"]*\bsd-',
    r"mystnb\.\w+\.css": r'class="cell\b',
    r"exercise\.css": r'class="(exercise|solution)\b',
    r"pygments\.css": r'class="highlight\b',
    r"mathjax/|window\.MathJax": r'class="math\b|class="output text_latex',
    r"flipbook\.js|frames\.js": r'class="flipbook"',
    r"search\.js|sections\.js": 'id="search-results"',
}
LOADED = re.compile(r"[ \t]*(?:<script\b[^>]*>[^<]*</script>|<link\b[^>]*>)[ \t]*\n?")
PICTURE = re.compile(r"<img\b[^>]*>")
SOURCE = re.compile(r'(?<= src=")[^"]*')
DATA = re.compile(r"data:image/(\w+);base64,(.*)", re.S)


def unload(text):
    """Take out what is loaded twice or has no use on the page."""
    body = text[text.index("<body") :]
    seen = set()

    def keep(match):
        tag = match[0].strip()
        used = all(re.search(use, body) for of, use in USED_FOR.items() if re.search(of, tag[:2000]))
        twice = tag in seen
        seen.add(tag)
        return match[0] if used and not twice else ""

    return LOADED.sub(keep, text)


@cache
def webp(path):
    """Make a lossless WebP file of a PNG file, unless it is there; return its path."""
    made = path.with_suffix(".webp")
    if not made.exists():
        with Image.open(path) as picture:
            picture.save(made, lossless=True, method=3)
    return made


@cache
def size(path):
    """Return a picture's width and height as attributes."""
    if path.suffix == ".svg":
        box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', path.read_text("utf-8"))
        width, height = (round(float(side)) for side in box.groups())
    else:
        with Image.open(path) as picture:
            width, height = picture.size
    return f'width="{width}" height="{height}"'


def picture_file(source, page):
    """Return the file of a picture, written first if it came as a data URL."""
    images = page.parent / "../_images"
    if not (data := DATA.match(source)):
        path = page.parent / source
        return webp(path) if path.suffix == ".png" else path
    content = base64.b64decode(data[2])
    path = images / f"{hashlib.sha256(content).hexdigest()[:24]}.{data[1]}"
    if not path.exists():
        path.write_bytes(content)
    return path


def lighten(page):
    """Rewrite a page."""
    text = before = page.read_text("utf-8")
    n_pictures = 0

    def improve(match):
        nonlocal n_pictures
        tag = match[0]
        if " width=" in tag or not (source := SOURCE.search(tag)):
            return tag
        path = picture_file(source[0], page)
        folder = source[0].rpartition("/")[0] if "/_" in source[0][:20] else "../_images"
        tag = SOURCE.sub(f"{folder}/{path.name}", tag)
        n_pictures += path.suffix != ".svg"
        lazy = ' loading="lazy" decoding="async"' if n_pictures > 1 else ""
        return f"<img {size(path)}{lazy}{tag[4:]}"

    text = PICTURE.sub(improve, unload(text))
    if text != before:
        page.write_text(text, "utf-8")


def lighten_all(app, exception):
    """Rewrite all pages."""
    if exception or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        if "_static" not in page.parts and page.parent / page.name != Path(app.outdir, "index.html"):
            lighten(page)


def setup(app):
    """Run when everything else has been written."""
    app.connect("build-finished", lighten_all, priority=800)
    return {"parallel_read_safe": True}
