"""How the code is laid out: small files, short functions, and imports that lead downwards only."""

import ast
import io
import tokenize

import pytest
from conftest import ROOT

ROOMS = [
    "environment",
    "layouts",
    "riff",
    "decoding",
    "audio",
    "microphone",
    "voices",
    "preparation",
    "corpora",
    "splits",
]
ROOMS += ["augment", "features", "speech_measures", "perturbation", "models", "training"]
ROOMS += ["evaluation", "reports", "plotting", "widgets", "recipes", "recognisers", "pretrained"]
ROOMS += ["model_cards", "export", "streaming", "adaptation", "plans", "experiment"]
ROOMS += ["provenance", "results", "planned", "monitoring", "serving", "cli"]
NEVER = {("plotting", "training"), ("widgets", "training"), ("models", "corpora")}
PACKAGE = sorted(ROOT.glob("digitlab/**/*.py"))
FILES = [*PACKAGE, *sorted(ROOT.glob("tests/*.py")), *sorted(ROOT.glob("benchmarks/*.py"))]
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def short(path):
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees():
    """Return {file: its syntax tree}."""
    return {path: ast.parse(path.read_text("utf-8")) for path in FILES}


def imported(tree):
    """Yield the full name of everything that a module imports from digitlab, but for typing."""
    for_typing = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - for_typing:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "digitlab":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("digitlab."))


def lines_of_code(text):
    """Return the numbers of the lines that hold code: no comments, no empty lines."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = [(t.start[0], t.end[0]) for t in tokens if t.type not in NO_CODE]
    return {line for first, last in spans for line in range(first, last + 1)}


def test_no_file_is_longer_than_700_lines():
    lengths = {short(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {name: n for name, n in lengths.items() if n > 700}


def test_no_function_is_longer_than_40_lines_of_code(trees):
    long = {}
    for path, tree in trees.items():
        code = lines_of_code(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = set(range(node.lineno, node.end_lineno + 1)) & code
                if ast.get_docstring(node) is not None:
                    lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
                if len(lines) > 40:
                    long[f"{short(path)}: {node.name}"] = len(lines)
    assert not long


def test_every_module_is_in_a_room():
    rooms = {path.relative_to(ROOT / "digitlab").parts[0].removesuffix(".py") for path in PACKAGE}
    assert rooms - {"__init__"} <= set(ROOMS)


def test_rooms_import_only_downwards(trees):
    upwards = []
    for path in PACKAGE:
        room = path.relative_to(ROOT / "digitlab").parts[0].removesuffix(".py")
        for name in imported(trees[path]) if room in ROOMS else ():
            other = name.split(".")[1]
            if other not in ROOMS or other == room:
                continue
            if ROOMS.index(other) > ROOMS.index(room) or (room, other) in NEVER:
                upwards.append(f"{short(path)} imports {name}")
    assert not upwards


def test_private_modules_are_imported_by_their_own_package_alone(trees):
    strangers = []
    for path in PACKAGE:
        tree = trees[path]
        own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name in imported(tree):
            home, private, _ = name.partition("._")
            if private and not own.startswith(f"{home}."):
                strangers.append(f"{short(path)} imports {name}")
    assert not strangers
