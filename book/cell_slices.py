"""Find which cells of a notebook another cell needs: those that bind or change the names it reads.

An assignment holds a chapter's exercises without the chapter, so that it must bring along what the
exercises use. A name is followed back to the cells that assign, import, define or change it, and
from there to the names that those cells read.
"""

import ast
import copy
from collections.abc import Iterable, Iterator
from functools import cache
from symtable import SymbolTable, symtable
from typing import NamedTuple

COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}
BLOCKS = ("body", "orelse", "finalbody")
HAVE_A_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Names(NamedTuple):
    """What a cell does with names."""

    reads: set[str]  # when it runs, unless it has bound them itself before
    reads_later: set[str]  # inside functions, whenever somebody calls them
    binds: set[str]
    changes: set[str]  # an item, an attribute, a method's work, or bound in a branch


def needed(cells: list[str], code: str, later: Iterable[str] = ()) -> list[int]:
    r"""Return which cells have to run, in their order, before some code can.

    Examples
    --------
    >>> cells = ["a = 1", "b = [2]", "c = 3", "b.append(a)\nlen(b)"]
    >>> needed(cells, "print(b)")
    [0, 1, 3]
    """
    wanted = names(code).reads | names(code).reads_later | set(later)
    modules = frozenset().union(*map(imports, cells))
    kept, called = [], set(later)
    for place in reversed(range(len(cells))):
        found = names(cells[place])
        if wanted & (found.binds | (found.changes - modules)):
            kept.append(place)
            called |= found.reads_later
            # A function reads a name whenever it is called: all cells that bind it count.
            wanted = (wanted - found.binds) | found.reads | called
    return needed(cells, code, called) if called - set(later) else sorted(kept)


@cache
def names(cell: str) -> Names:
    """Return what a cell does with names: do not change it, it is kept."""
    found = Names(set(), set(), set(), set())
    body, bound_before = ast.parse(cell).body, set()
    for statement, certain in statements(body):
        table = symtable(ast.unparse(statement), "cell", "exec")
        now, afterwards = read(table)
        bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        if isinstance(statement, ast.AugAssign):
            now |= bound
        found.reads.update(now - bound_before)
        found.reads_later.update(afterwards)
        (found.binds if certain else found.changes).update(bound)
        bound_before |= bound
        shows = statement is body[-1]  # the value that the cell ends in
        found.changes.update(() if shows else changed(statement))
    return found


def statements(body: list[ast.stmt], certain: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield all statements outside of functions without their blocks, and whether they must run."""
    for statement in body:
        inner = [block for name in BLOCKS if (block := getattr(statement, name, []))]
        inner += [handler.body for handler in getattr(statement, "handlers", [])]
        if isinstance(statement, HAVE_A_SCOPE) or not inner:
            yield statement, certain
            continue
        head = copy.copy(statement)
        for name in BLOCKS:
            if getattr(head, name, []):
                setattr(head, name, [ast.Pass()])
        if getattr(head, "handlers", []):
            head.handlers = [
                ast.ExceptHandler(handler.type, handler.name, [ast.Pass()])
                for handler in statement.handlers
            ]
        yield head, certain
        for block in inner:
            yield from statements(block, certain and isinstance(statement, ast.With))


def read(table: SymbolTable) -> tuple[set[str], set[str]]:
    """Return the global names that a statement reads at once, and those that its functions read."""
    now = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    if table.get_type() != "module":
        now &= {s.get_name() for s in table.get_symbols() if s.is_global()}
    afterwards = set()
    for child in table.get_children():
        inside, deeper = read(child)
        (now if child.get_name() in COMPREHENSIONS else afterwards).update(inside)
        afterwards |= deeper
    return now, afterwards


def changed(statement: ast.stmt) -> set[str]:
    """Return the names whose objects a statement changes in place."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        targets = [statement.value.func]
    else:
        targets = [*getattr(statement, "targets", []), getattr(statement, "target", None)]
    roots = (
        root(target) for target in targets if isinstance(target, ast.Attribute | ast.Subscript)
    )
    return {name for name in roots if name}


def root(node: ast.AST) -> str | None:
    """Return the name that an attribute, an item or the result of a method leads back to."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


@cache
def imports(cell: str) -> frozenset[str]:
    """Return the names that a cell imports."""
    nodes = [n for n in ast.walk(ast.parse(cell)) if isinstance(n, ast.Import | ast.ImportFrom)]
    aliases = [alias for node in nodes for alias in node.names]
    return frozenset(alias.asname or alias.name.partition(".")[0] for alias in aliases)
