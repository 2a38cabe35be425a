"""What is published: addresses, descriptions, cards, workflows, and what refuses to be."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import address
import check_links
import plain_notebooks
import publishing
import pytest
import run_workflow
from conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VARIABLES = ("DIGITLAB_REPOSITORY", "DIGITLAB_SITE", "DIGITLAB_HUB", "DIGITLAB_PUBLISH")
GITHUB = "https://github.com/Owner/hearing-digits"


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """Return a function that says where the repository is; nobody does at first."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def tell(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        address.repository.cache_clear()
        address.commit.cache_clear()

    monkeypatch.setattr(address, "git", lambda *arguments: "")
    tell()
    yield tell
    address.repository.cache_clear()
    address.commit.cache_clear()


def program(name):
    """Return where a program lies that was installed beside Python."""
    return str(Path(sysconfig.get_path("scripts"), name))


# --- where the repository is ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "remote, url",
    [
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("ssh://git@gitlab.com/group/part/name.git", "https://gitlab.com/group/part/name"),
        ("https://user@codeberg.org/owner/name.git/", "https://codeberg.org/owner/name"),
        ("https://user:secret@gitlab.com/owner/name.git", "https://gitlab.com/owner/name"),
        ("ssh://git@git.example.org:2222/owner/name.git", "https://git.example.org/owner/name"),
        ("https://git.example.org:3000/owner/name", "https://git.example.org:3000/owner/name"),
        ("/srv/books/hearing.git", None),
        ("../seed.git", None),
        ("file:///srv/books/hearing.git", None),
        ("", None),
    ],
)
def test_a_remote_gives_the_address_of_its_pages(remote, url):
    found = address.parsed(remote)
    assert (found and found.url) == url


def test_a_wrong_address_is_refused(told):
    told(DIGITLAB_REPOSITORY="hearing-digits")
    with pytest.raises(ValueError, match=r"github\.com/owner/name"):
        address.repository()


def test_pages_of_github_are_found_and_others_must_be_named(told):
    assert address.site() == ""
    told(DIGITLAB_REPOSITORY=GITHUB)
    assert address.site() == "https://owner.github.io/hearing-digits/"
    told(DIGITLAB_REPOSITORY="https://github.com/Owner/owner.github.io")
    assert address.site() == "https://owner.github.io/"
    told(DIGITLAB_REPOSITORY="https://gitlab.com/owner/name")
    assert address.site() == ""
    told(DIGITLAB_SITE="https://digits.example.org")
    assert address.site() == "https://digits.example.org/"
    for wrong in ("digits.example.org", "https://", 'https://digits.example.org/"x" y'):
        told(DIGITLAB_SITE=wrong)
        with pytest.raises(ValueError, match="https://"):
            address.site()
        with pytest.raises(publishing.ConfigError, match="DIGITLAB_SITE is"):
            publishing.setup(None)


def test_a_repository_around_the_book_is_not_the_books(tmp_path):
    """Somebody unpacks the book inside a repository of their own."""
    book = tmp_path / "hearing-digits" / "book"
    book.mkdir(parents=True)
    shutil.copy(ROOT / "book" / "address.py", book)
    call = ["git", "-C", str(tmp_path)]
    subprocess.run([*call, "init", "--quiet"], check=True)
    subprocess.run([*call, "remote", "add", "origin", GITHUB], check=True)
    show = [sys.executable, "-c", "import address; print(address.repository())"]
    environment = os.environ | {"PYTHONPATH": str(book)}
    done = subprocess.run(show, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


def test_a_downloaded_notebook_says_or_does_how_it_is_installed(told, monkeypatch):
    assert plain_notebooks.install() == plain_notebooks.INSTALL
    told(DIGITLAB_REPOSITORY=GITHUB)
    monkeypatch.setattr(plain_notebooks, "commit", lambda: "abc123")
    cell = plain_notebooks.install()
    assert f"git+{GITHUB}@abc123" in cell and 'find_spec("digitlab") is None' in cell


# --- what the pages are made from -----------------------------------------------------------------


PARTS = {"fsdd": (3000, 3000), "audiomnist": (876, 30000), "speech_commands": (0, 64721)}


def test_publishing_refuses_parts_of_corpora_and_says_what_to_do(told):
    publishing.refuse_parts(PARTS)
    told(DIGITLAB_PUBLISH="whole")
    with pytest.raises(publishing.ConfigError) as refused:
        publishing.refuse_parts(PARTS)
    for words in ("audiomnist (876 of 30,000", "digitlab data fetch speech_commands", "=parts"):
        assert words in str(refused.value)
    assert "data fetch fsdd" not in str(refused.value)
    publishing.refuse_parts({"fsdd": (3000, 3000)})
    told(DIGITLAB_PUBLISH="parts")
    publishing.refuse_parts(PARTS)
    told(DIGITLAB_PUBLISH="yes")
    with pytest.raises(publishing.ConfigError, match="whole or parts"):
        publishing.refuse_parts(PARTS)


def test_the_footer_names_version_day_and_recordings(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    text = publishing.edition(PARTS)
    assert "on 21 September 2026" in text
    assert "3,000 recordings" in text and "876 of the 30,000 recordings" in text
    assert "synthetic voices in place of Speech Commands" in text


# --- a small book ---------------------------------------------------------------------------------


def built(folder, **variables):
    """Build a book of two chapters that are not run; return the folder of its pages."""
    for name in ("_config.yml", "book", "digitlab", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n"
        "  - file: book/01_sound_waves\n  - file: book/glossary\n  - file: book/references\n"
    )
    config = (ROOT / "_config.yml").read_text("utf-8").replace(": cache", ': "off"', 1)
    (folder / "_config.yml").unlink()
    (folder / "_config.yml").write_text(config, "utf-8")
    call = [program("jupyter-book"), "build", "--path-output", "out", "."]
    environment = os.environ | variables
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-6000:]
    return folder / "out/_build/html"


def test_pages_lead_where_the_repository_is(tmp_path):
    html = built(tmp_path, DIGITLAB_REPOSITORY=GITHUB, DIGITLAB_HUB="https://hub.example.org")
    page = (html / "book/01_sound_waves.html").read_text("utf-8")
    site = "https://owner.github.io/hearing-digits/"
    for link in (
        f"{GITHUB}/edit/main/book/01_sound_waves.ipynb",
        f"{GITHUB}/issues/new",
        "https://mybinder.org/v2/gh/Owner/hearing-digits/main?urlpath=lab%2Ftree%2Flab%2F01_",
        "https://colab.research.google.com/github/Owner/hearing-digits/blob/notebooks/01_",
        "https://hub.example.org/hub/user-redirect/git-pull?repo=https%3A%2F%2Fgithub.com",
        f'<link rel="canonical" href="{site}book/01_sound_waves.html"',
        f'<meta property="og:url" content="{site}book/01_sound_waves.html"',
    ):
        assert link in page, link
    [card] = re.findall(rf'property="og:image" content="{site}([^"]+)"', page)
    assert (html / card).stat().st_size > 5000
    assert f"<loc>{site}book/glossary.html</loc>" in (html / "sitemap.xml").read_text("utf-8")
    lost = (html / "404.html").read_text("utf-8")
    assert "There is no such page" in lost and 'href="/hearing-digits/book/' in lost
    root = (html / "index.html").read_text("utf-8")
    assert '<html lang="en">' in root and "<title>Hearing Digits</title>" in root
    notebook = json.loads((html / "_sources/book/01_sound_waves.ipynb").read_text("utf-8"))
    assert GITHUB in "".join(notebook["cells"][1]["source"])


# --- workflows ------------------------------------------------------------------------------------


def test_workflows_are_what_github_reads():
    check = [program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    assert len(WORKFLOWS) == 3
    done = subprocess.run([*check, *map(str, WORKFLOWS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_workflows_give_nothing_away():
    call = [program("zizmor"), "--offline", "--no-progress", *map(str, WORKFLOWS)]
    done = subprocess.run(call, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_of_a_workflow_are_read_and_run_from_its_file(tmp_path, capfd):
    file = tmp_path / "small.yml"
    file.write_text(
        "env: { A: 'one' }\njobs:\n  job:\n    steps:\n      - uses: somebody/something\n"
        "      - { name: Say, run: 'echo $A-${{ matrix.b }}' }\n"
        "      - { name: Fail, run: exit 3 }\n"
        "      - { name: Never, run: echo never }\n"
    )
    assert run_workflow.main(str(file), "job", "matrix.b=two") == 3
    said = capfd.readouterr().out
    assert "one-two" in said and "never" not in said
    with pytest.raises(ValueError, match=r"matrix\.b"):
        run_workflow.main(str(file), "job")
    with pytest.raises(ValueError, match="no job 'jobs'"):
        run_workflow.main(str(file), "jobs")
    with pytest.raises(ValueError, match="b is no setting: write NAME=VALUE"):
        run_workflow.main(str(file), "job", "b")


def test_what_only_github_can_do_with_a_step_is_refused(tmp_path):
    file = tmp_path / "a.yml"
    job = "jobs: {job: {env: {A: one}, steps: [{run: a, env: {B: two}}, {run: b%s}]}}"
    file.write_text(job % "")
    assert [variables for *_, variables in run_workflow.commands(file, "job", {})] == [
        {"A": "one", "B": "two"},
        {"A": "one"},
    ]
    file.write_text(job % ", if: never()")
    with pytest.raises(ValueError, match=r"a\.yml: steps have if: only GitHub knows how"):
        run_workflow.commands(file, "job", {})


def test_every_command_of_the_workflows_names_files_and_targets_that_are_there():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    values = {"matrix.python": "3.11", "matrix.os": "ubuntu-latest", "github.token": "x"}
    values |= {"github.server_url": "https://github.com", "github.repository": "Owner/name"}
    values["vars.DIGITLAB_PUBLISH || 'parts'"] = "parts"
    jobs = {
        ("test.yml", "whole"), ("test.yml", "units"), ("test.yml", "newest"),
        ("pages.yml", "build"), ("pages.yml", "notebooks"), ("links.yml", "links"),
    }  # fmt: skip
    for name, job in jobs:
        text = "\n".join(
            command
            for _, command, _ in run_workflow.commands(
                ROOT / ".github/workflows" / name, job, values
            )
        )
        assert text
        for file in re.findall(r"\b(?:book|tests|\.ci)/[\w.]+", text):
            assert (ROOT / file).exists(), file
        for target in re.findall(r"\bmake ([\w./-]+)", text):
            assert re.search(rf"^{re.escape(target)}:", makefile, re.M), target


# --- links ----------------------------------------------------------------------------------------


def test_addresses_are_found_without_what_surrounds_them():
    text = "[a](https://a.org/x), `https://b.org` and https://192.0.2.10/x.\n  doi = {10.1/abc},"
    assert check_links.addresses(text) == {
        "https://a.org/x",
        "https://b.org",
        "https://doi.org/10.1/abc",
    }


def test_the_pages_for_teachers_are_looked_through_too():
    assert {path.parent.name for path in check_links.texts()} >= {"book", "teaching", ROOT.name}


def test_an_address_that_fails_is_named(monkeypatch, capsys):
    monkeypatch.setattr(
        check_links, "texts", lambda: {ROOT / "a.md": "https://a.org https://b.org"}
    )
    monkeypatch.setattr(check_links, "problem", lambda a: "status 404" if "a.org" in a else "")
    assert check_links.main() == 1
    assert "https://a.org: status 404, in a.md" in capsys.readouterr().out


def test_the_citation_is_one_and_names_this_version():
    from importlib.metadata import version

    file = ROOT / "CITATION.cff"
    check = [program("check-jsonschema"), "--builtin-schema", "vendor.citation-file-format"]
    done = subprocess.run([*check, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert file.read_text("utf-8").count(f"version: {version('digitlab')}\n") == 2
