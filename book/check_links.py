"""Ask every address in the chapters, pages and references whether something answers there.

It reads them from the sources, asks each once, a few at a time, and prints those that fail. The
exit status is 1 if there are any. Wants a network; a workflow runs it once a month.

    python book/check_links.py
"""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

BOOK = Path(__file__).parent
ADDRESS = re.compile(r"https?://[^\s<>\"'`\\{}|^]+")
EXAMPLES = re.compile(r"https?://(127\.|localhost|192\.0\.2\.|[\w.-]*\bexample\b|www\.w3\.org/)")
DOI = re.compile(r"^\s*doi\s*=\s*\{([^}]+)\}", re.M)
SECONDS = 30
AT_ONCE = 8
REFUSES_PROGRAMS = {401, 403, 405, 418, 429, 999}  # somebody is there, who wants a browser


def texts() -> dict[Path, str]:
    """Return {file: what is written in it}: of notebooks the cells, without their outputs."""
    found = {}
    for path in sorted([*BOOK.rglob("*.md"), *BOOK.glob("*.bib"), *BOOK.parent.glob("*.md")]):
        found[path] = path.read_text("utf-8")
    for path in sorted(BOOK.glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        found[path] = "\n".join("".join(cell["source"]) for cell in cells)
    return found


def addresses(text: str) -> set[str]:
    """Return the addresses in a text, without what ends the sentence around them.

    Examples
    --------
    >>> sorted(addresses("See https://a.org/b_(c), and (https://d.org/)."))
    ['https://a.org/b_(c)', 'https://d.org/']
    """
    found = set()
    for address in ADDRESS.findall(text):
        address = address.rstrip(".,;:!?*_")
        while address.endswith((")", "]")) and address.count("(") < address.count(")"):
            address = address[:-1].rstrip(".,;:")
        if not EXAMPLES.match(address):
            found.add(address)
    return found | {f"https://doi.org/{doi.strip()}" for doi in DOI.findall(text)}


def problem(address: str) -> str:
    """Return what is wrong with an address, or nothing."""
    try:
        answer = requests.get(
            address, timeout=SECONDS, stream=True, headers={"User-Agent": "Mozilla/5.0"}
        )
    except requests.RequestException as error:
        return type(error).__name__
    answer.close()
    is_there = answer.ok or answer.status_code in REFUSES_PROGRAMS
    return "" if is_there else f"status {answer.status_code}"


def main() -> int:
    """Print the addresses that fail, and where they stand; return the exit status."""
    where: dict[str, list[str]] = {}
    for path, text in texts().items():
        for address in addresses(text):
            where.setdefault(address, []).append(path.name)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = dict(zip(where, pool.map(problem, where), strict=True))
    broken = {address: what for address, what in problems.items() if what}
    for address, what in broken.items():
        print(f"{address}: {what}, in {', '.join(where[address])}")
    print(f"{len(where)} addresses, {len(broken)} of them broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
