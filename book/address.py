"""Where the book's source lies, and where its pages are to be read, if anything says so.

The repository is ``DIGITLAB_REPOSITORY``, such as https://github.com/owner/name, or git's remote
``origin``. The pages are at ``DIGITLAB_SITE``, or at GitHub Pages if the repository is on GitHub.
"""

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ON_GITHUB = "github.com"
BRANCH = "main"
REMOTE = re.compile(
    r"(?:https?://|ssh://|git://)?(?:[\w.-]+(?::[^@/\s]*)?@)?"  # perhaps a user, and a password
    r"(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+(?=/))?)[:/](?P<path>[\w.-]+(?:/[\w.-]+)+)/?"
)
SSH_PORT = re.compile(r"(?<=^ssh://)([^/:]+):\d+(?=/)")
SITE = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w.~%-]*)*")


class Repository(NamedTuple):
    """Where the book's source lies."""

    host: str
    path: str

    @property
    def url(self) -> str:
        """Return its address."""
        return f"https://{self.host}/{self.path}"


@cache
def repository() -> Repository | None:
    """Return the book's repository, or None where nothing says which it is."""
    told = os.environ.get("DIGITLAB_REPOSITORY", "")
    found = parsed(told or git("remote", "get-url", "origin"))
    if told and not found:
        raise ValueError(
            f"DIGITLAB_REPOSITORY is {told!r}: give an address such as "
            "https://github.com/owner/name, or unset it"
        )
    return found


def parsed(address: str) -> Repository | None:
    """Return the repository that an address of git's names, if it is on a server.

    Examples
    --------
    >>> parsed("git@github.com:owner/name.git").url
    'https://github.com/owner/name'
    >>> parsed("../name") is None
    True
    """
    match = REMOTE.fullmatch(SSH_PORT.sub(r"\1", address.strip()))
    return Repository(match["host"], match["path"].removesuffix(".git")) if match else None


def git(*arguments: str) -> str:
    """Return what git says of this folder, or nothing: a repository around it is another one."""
    call = ["git", "-C", str(ROOT), *arguments]
    only_here = os.environ | {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)}
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=only_here)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


@cache
def commit() -> str:
    """Return the commit that the pages are made from, or nothing."""
    return git("rev-parse", "HEAD")


def site() -> str:
    """Return the address at which the pages are to be read, with a slash at its end, or nothing."""
    if told := os.environ.get("DIGITLAB_SITE", ""):
        if not SITE.fullmatch(told):
            raise ValueError(
                f"DIGITLAB_SITE is {told!r}: give an address that begins with https://, such as "
                "https://digits.example.org, or unset it"
            )
        return told.rstrip("/") + "/"
    if not (found := repository()) or found.host != ON_GITHUB:
        return ""
    owner, name = found.path.split("/")[:2]
    root = f"{owner.lower()}.github.io"
    return f"https://{root}/" if name.lower() == root else f"https://{root}/{name}/"
