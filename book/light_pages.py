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
    r"design-tabs\.js": "sd-tab-set",
    r"sphinx-design\.min\.css": r'class="[^"]*\bsd-',
    r"mystnb\.\w+\.css": r'class="cell\b',
    r"exercise\.css": r'class="(exercise|solution)\b',
    r"pygments\.css": r'class="highlight\b',
    r"mathjax/|window\.MathJax": r'class="math\b|class="output text_latex',
    r"flipbook\.js": r'class="flipbook"',
    r"listener\.js": r'class="listener"',
    r"recording\.js|own_(controls|pictures)\.js": r'class="(listener|own-recording)"',
    r"own_(signals|digital_audio|spectra|chapters)\.js": 'class="own-recording"',
    r"\bword\.js": 'class="word"',
    r"search\.js|sections\.js": 'id="search-results"',
}
LOADED = re.compile(r"[ \t]*(?:<script\b[^>]*>[^<]*</script>|<link\b[^>]*>)[ \t]*\n?")
PICTURE = re.compile(r"<img\b[^>]*>")
SECOND_LOGO = re.compile(r'<img\b[^>]* class="logo__image only-dark[^>]*>')
ONLY_LIGHT = re.compile(r'(?<= class="logo__image) only-light')  # ours suits the dark as well
LINKED = re.compile(r'(?<= href=")[^"]*_images/[^"]*\.png')
SOURCE = re.compile(r'(?<= src=")[^"]*')
DATA = re.compile(r"data:image/(\w+);base64,(.*)", re.S)


def unload(text):
    """Take out what is loaded twice or has no use on the page."""
    body = text[text.index("<body") :]
    seen = set()

    def keep(match):
        tag = match[0].strip()
        uses = [use for name, use in USED_FOR.items() if re.search(name, tag)]
        wanted = tag not in seen and all(re.search(use, body) for use in uses)
        seen.add(tag)
        return match[0] if wanted else ""

    return LOADED.sub(keep, text)


def webp(path):
    """Make a lossless WebP file of a PNG file, unless it is there; return its path."""
    made = path.with_suffix(".webp")
    if path.exists():  # Sphinx copies it again with its page
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


def address(source, page):
    """Return where a picture is, seen from its page; write the file if it came as a data URL."""
    if not (data := DATA.match(source)):
        png = source.endswith(".png")
        return f"{source.rpartition('/')[0]}/{webp(page.parent / source).name}" if png else source
    content = base64.b64decode(data[2])
    name = f"../_images/{hashlib.sha256(content).hexdigest()[:24]}.{data[1]}"
    if not (page.parent / name).exists():
        (page.parent / name).write_bytes(content)
    return name


def lighten(page):
    """Rewrite a page."""
    text = before = page.read_text("utf-8")
    n_pictures = 0

    def improve(match):
        nonlocal n_pictures
        tag = match[0]
        if " width=" in tag or not (source := SOURCE.search(tag)):
            return tag
        place = address(source[0], page)
        n_pictures += not place.endswith(".svg")
        lazy = ' loading="lazy" decoding="async"' if n_pictures > 1 else ""
        return f"<img {size(page.parent / place)}{lazy}{SOURCE.sub(place, tag)[4:]}"

    text = PICTURE.sub(improve, ONLY_LIGHT.sub("", SECOND_LOGO.sub("", unload(text))))
    for png in set(LINKED.findall(text)):  # a link to the picture alone
        text = text.replace(png, address(png, page))
    if text != before:
        page.write_text(text, "utf-8")


def lighten_all(app, exception):
    """Rewrite all pages."""
    if exception or app.builder.name != "html":
        return
    size.cache_clear()
    for page in Path(app.outdir).rglob("*.html"):
        text = "" if page.name == "404.html" else page.read_text("utf-8")  # served anywhere
        if "<article" in text or 'id="search-results"' in text:
            lighten(page)
    for png in Path(app.outdir, "_images").glob("*.png"):
        if png.with_suffix(".webp").exists():
            png.unlink()


def setup(app):
    """Take MathJax in parts, less than half of the whole; run when all pages are written."""
    app.config.mathjax_path = "mathjax/startup.js"  # loads what `mathjax3_config` names
    app.add_js_file("loading.js", priority=400, loading_method="defer")  # before MathJax
    app.connect("build-finished", lighten_all, priority=800)
    return {"parallel_read_safe": True}
