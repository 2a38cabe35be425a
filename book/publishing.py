"""A Sphinx extension: what pages say that are published, and where they lead.

Where the repository is known (see ``address.py``), pages lead to their source, to its issues, and
to machines that run the chapters. Where it is known at which address the pages are to be read, they
have canonical links, a sitemap, cards for links to them, and a page for addresses that do not
exist. None of these appears otherwise. ``DIGITLAB_HUB`` may be the address of a JupyterHub.

With ``DIGITLAB_PUBLISH=whole``, a build refuses corpora of which only a part is there; with
``DIGITLAB_PUBLISH=parts``, it makes do with them and says so under every figure.
"""

import os
import re
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, urlsplit

from address import BRANCH, ON_GITHUB, commit, repository, site
from docutils import nodes
from sphinx.errors import ConfigError

from digitlab import corpora
from digitlab.layouts import sounds_in

NOTEBOOKS = "notebooks"  # the branch to which pages.yml pushes the chapters as plain notebooks
PUBLISHED = ("fsdd", "audiomnist", "speech_commands")
EXTENSIONS = ("notfound.extension", "sphinx_sitemap", "sphinxext.opengraph")
LOST = """\
<h1>There is no such page</h1>
<p>Perhaps it has moved, or its address was misspelt. The contents beside this page list the
chapters, and the search looks into all of them.</p>"""
FRONT = "book/index.html"
ROOT_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="description" content="{title}: a book that runs, from sound waves to neural networks.">
{canonical}<meta http-equiv="Refresh" content="0; url={front}" />
</head>
<body><p><a href="{front}">{title}</a></p></body>
</html>
"""
MOST_WORDS = 200  # characters of a page's description


@cache
def shares() -> dict[str, tuple[int, int]]:
    """Return {corpus: (recordings here, recordings of all)} of the book's three corpora."""
    folders = {name: corpora.find(name) for name in PUBLISHED}
    return {
        name: (
            len(sounds_in(folder)) if folder else 0,
            corpora.SOURCES[name].n_clips,
        )
        for name, folder in folders.items()
    }


def refuse_parts(counts: dict[str, tuple[int, int]]) -> None:
    """Refuse to publish pages that are made from parts of corpora, unless that is wanted."""
    wanted = os.environ.get("DIGITLAB_PUBLISH", "")
    if wanted not in ("", "whole", "parts"):
        raise ConfigError(f"DIGITLAB_PUBLISH is {wanted!r}: set it to whole or parts, or unset it")
    lacking = [
        f"{name} ({n_here:,} of {n_all:,} recordings are here): digitlab data fetch {name}"
        for name, (n_here, n_all) in counts.items()
        if n_here < n_all
    ]
    if wanted == "whole" and lacking:
        raise ConfigError(
            "pages are published from whole corpora, and some are not whole:\n"
            + "\n".join(lacking)
            + "\nSet DIGITLAB_PUBLISH=parts to publish all the same; every figure then says so."
        )


def configure(app, config) -> None:
    """Tell the theme and the other extensions where the pages and their source are."""
    try:
        counts = shares()
    except (corpora.CorpusError, OSError) as error:
        raise ConfigError(str(error)) from error
    refuse_parts(counts)
    options = config.html_theme_options
    options["extra_footer"] = f"{options.get('extra_footer', '')}<br>{edition(counts)}"
    if found := repository():
        buttons = dict.fromkeys(
            ("use_repository_button", "use_issues_button", "use_edit_page_button"), True
        )
        options |= {"repository_url": found.url, "repository_branch": BRANCH, **buttons}
    if address := site():
        config.html_baseurl = address
        config.sitemap_url_scheme = "{link}"
        config.sitemap_excludes = ["404.html", "search.html"]
        config.notfound_urls_prefix = urlsplit(address).path
        config.notfound_context = {"title": "No such page", "body": LOST}
        config.ogp_site_url = address
        config.ogp_site_name = config.html_title
        config.ogp_enable_meta_description = False  # ours: see describe
        config.ogp_social_cards = {"line_color": "#0072b2", "image_mini": "book/assets/card.png"}


def edition(counts: dict[str, tuple[int, int]]) -> str:
    """Return which edition of the book this is, made from what, as HTML."""
    moment = os.environ.get("SOURCE_DATE_EPOCH")  # for builds that are to be the same
    now = datetime.fromtimestamp(int(moment), UTC) if moment else datetime.now(UTC)
    text = f"Version {version('digitlab')}, made on {now.day} {now:%B %Y}"
    if digest := commit():
        text += f" from commit {digest[:7]}"
    return escape(f"{text}, with {', '.join(map(stock, counts, counts.values()))}.")


def stock(name: str, count: tuple[int, int]) -> str:
    """Say how much of a corpus there is."""
    n_here, n_all = count
    title = corpora.SOURCES[name].title
    if not n_here:
        return f"synthetic voices in place of {title}"
    return f"{title} ({n_here:,} recordings)" if n_here >= n_all else part(name, count)


def part(name: str, count: tuple[int, int]) -> str:
    """Say which part of a corpus there is."""
    return f"{count[0]:,} of the {count[1]:,} recordings of {corpora.SOURCES[name].title}"


def qualify_captions(app, doctree, docname) -> None:
    """Say under the figures of a chapter that uses a part of a corpus that it does."""
    if os.environ.get("DIGITLAB_PUBLISH") != "parts" or not re.match(r"book/\d", docname):
        return
    source = Path(app.env.doc2path(docname)).read_text("utf-8")
    parts = [
        part(name, count)
        for name, count in shares().items()
        if 0 < count[0] < count[1] and f'\\"{name}\\"' in source
    ]
    for figure in doctree.findall(nodes.figure) if parts else ():
        for caption in figure.findall(nodes.caption):
            caption += nodes.Text(f" (This chapter is made from {' and '.join(parts)}.)")


def describe(app, pagename, templatename, context, doctree) -> None:
    """Give a page its description: its first paragraph."""
    text = app.config.html_title
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if len(words := " ".join(paragraph.astext().split())) > len(text):
            text = words
            break
    if len(text) > MOST_WORDS:
        text = text[:MOST_WORDS].rsplit(" ", 1)[0] + " …"
    context["meta"] = (context.get("meta") or {}) | {"og:description": text}
    context["metatags"] = (
        f'{context.get("metatags", "")}\n<meta name="description" content="{escape(text)}">'
    )


def add_launch_buttons(app, pagename, templatename, context, doctree) -> None:
    """Lead from a chapter to machines that run it: Binder, Colab, a course's JupyterHub."""
    found = repository()
    if not found or found.host != ON_GITHUB or not re.match(r"book/\d", pagename):
        return
    notebook = f"{pagename.removeprefix('book/')}.ipynb"
    links = {
        "Binder": f"https://mybinder.org/v2/gh/{found.path}/{BRANCH}"
        f"?urlpath={quote(f'lab/tree/lab/{notebook}', safe='')}",
        "Colab": f"https://colab.research.google.com/github/{found.path}/blob/{NOTEBOOKS}/{notebook}",
    }
    if hub := os.environ.get("DIGITLAB_HUB", "").rstrip("/"):
        folder = found.path.rsplit("/", 1)[1]
        links["JupyterHub"] = (
            f"{hub}/hub/user-redirect/git-pull?repo={quote(found.url, safe='')}"
            f"&branch={NOTEBOOKS}&urlpath={quote(f'lab/tree/{folder}/{notebook}', safe='')}"
        )
    buttons = [
        {
            "type": "link",
            "text": name,
            "tooltip": f"Run this chapter on {name}",
            "icon": "fas fa-play",
            "url": url,
            "label": f"launch-{name.lower()}",
        }
        for name, url in links.items()
    ]
    context["header_buttons"].append(
        {
            "type": "group",
            "tooltip": "Run this chapter",
            "icon": "fas fa-rocket",
            "buttons": buttons,
            "label": "launch-buttons",
        }
    )


def write_root(app, exception) -> None:
    """Replace the bare redirect at the root by a page that search engines understand."""
    if exception is None:
        canonical = f'<link rel="canonical" href="{site()}{FRONT}">\n' if site() else ""
        page = ROOT_PAGE.format(
            title=escape(app.config.html_title),
            language=app.config.language,
            canonical=canonical,
            front=FRONT,
        )
        Path(app.outdir, "index.html").write_text(page, "utf-8")


def setup(app):
    """Configure first; describe pages while they are written."""
    try:
        repository()
        is_published = bool(site())
    except ValueError as error:
        raise ConfigError(str(error)) from error
    app.connect("config-inited", configure, priority=1)
    for extension in EXTENSIONS if is_published else ():
        app.setup_extension(extension)
    app.connect("doctree-resolved", qualify_captions)
    app.connect("html-page-context", describe, priority=400)  # before cards are made
    app.connect("html-page-context", add_launch_buttons, priority=502)
    app.connect("build-finished", write_root, priority=900)  # after the redirect is there
    return {"parallel_read_safe": True}
