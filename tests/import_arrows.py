"""Checks which part of the package imports which (docs/architecture.md): python tests/import_arrows.py

Three rules: imports run down the floors, no folders import each other in a circle, and what is shared names no family.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What a room may import of the others; "room/file" allows that file or folder only.
ROOMS: Mapping[str, Set[str]] = {
    "hashing": set(),
    "spaces": {"hashing"},
    "evaluators": {"hashing", "spaces"},
    "search": {
        "hashing",
        "spaces/protocol",
        "spaces/abilities",
        "spaces/choices",
        "spaces/costs",
        "spaces/limits",
        "evaluators/protocol",
    },
    "launch": {"hashing", "spaces", "evaluators", "search"},
}
# What some folders may import besides.
BESIDES: Mapping[str, Set[str]] = {"search/pyglove_bridge/": {"spaces/template"}}

# The wings of the search and the files beside them, lowest first: each imports from lower floors and from itself only.
FLOORS: tuple[Set[str], ...] = (
    {"search/objectives", "search/randomness"},
    {"search/protocol"},
    {"search/hurdles"},
    {"search/rules"},
    {"search/accounting", "search/executors", "search/exam", "search/journal", "search/policy"},
    {"search/executors/ray_cluster", "search/algorithms", "search/progress"},
    {"search/controller", "search/validation"},
    {"search/pyglove_bridge"},
    {"search"},
)

# Packages that only some folders may import.
ONLY_IN: Mapping[str, Set[str]] = {
    "ray": {"search/executors/ray_cluster/"},
    "psycopg": {"hashing/stores/"},
    "redis": {"hashing/stores/"},
}

# Folders of `spaces/` and `evaluators/` that serve all families. Every other one there is a family, of which hashing/,
# search/ and launch/ know nothing, except for its configs. Docstrings and comments may cite papers.
SHARED = {
    "spaces/exam",
    "spaces/template",
    "spaces/networks",
    "evaluators/datasets",
    "evaluators/networks",
    "evaluators/latency",
}
CONFIGS = "launch/configs/"
_EXAMPLE = re.compile(r"launch/configs/\w+\.py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and full name of every import, those inside functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def sources(root: Path) -> list[Path]:
    """Returns the files of all rooms."""
    return [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]


def violations(root: Path = ROOT) -> list[str]:
    """Returns what is wrong with a checkout, a line each."""
    families = _families(root)
    circles = defaultdict[str, set[str]](set)
    wrong: list[str] = []
    for path in sources(root):
        place, tree = path.relative_to(root).as_posix(), ast.parse(path.read_text())
        for line, name in imports(tree):
            wrong += [f"{place}:{line}: {told}" for told in _wrong_import(place, name, families)]
            target = _existing(root, name)
            if target is not None and _node(target) != _node(place):
                circles[_node(place)].add(_node(target))
        if place.startswith(("search/", "hashing/", "launch/")) and not place.startswith(CONFIGS):
            wrong += [f"{place}:{line}: names the family {family}" for line, family in _named(tree, families)]
    try:
        TopologicalSorter(circles).prepare()
    except CycleError as error:
        wrong.append(f"a circle of imports: {' ← '.join(error.args[1])}")
    return wrong


def _families(root: Path) -> set[str]:
    """Folders of families, such as 'spaces/lion'."""
    found = [path.parent for room in ("spaces", "evaluators") for path in (root / room).glob("*/__init__.py")]
    return {folder.relative_to(root).as_posix() for folder in found} - SHARED


def _wrong_import(place: str, name: str, families: Set[str]) -> Iterator[str]:
    """Says what is wrong with an import by the file at `place`."""
    package, *parts = name.split(".")
    if package in ONLY_IN and not place.startswith(tuple(ONLY_IN[package])):
        yield f"only {', '.join(sorted(ONLY_IN[package]))} may import {package}"
    if package != "isozyme" or not parts or parts[0] == "__version__":
        return
    room, target = place.partition("/")[0], "/".join(parts[:2])
    if parts[0] != room:
        besides = set[str]().union(*(more for folder, more in BESIDES.items() if place.startswith(folder)))
        if not {parts[0], target} & (ROOMS[room] | besides):
            yield f"{room} must not import {name}"
        elif room == "launch" and target in families and not place.startswith(CONFIGS):
            yield f"only {CONFIGS} may import the family {target}"
    elif room == "search":
        yield from _wrong_floor(place.removesuffix(".py").removesuffix("/__init__"), name, "/".join(parts))


def _wrong_floor(place: str, name: str, target: str) -> Iterator[str]:
    mine, theirs = _wing(place), _wing(target)
    if mine == "search" and place != "search":
        yield f"{place} stands on no floor; add it to FLOORS"
    elif mine != theirs and _floor(theirs) >= _floor(mine):
        yield f"{mine} must not import {name}, which stands as high or higher"


def _wing(place: str) -> str:
    """The longest name on the floors that `place` begins with."""
    known = [wing for floor in FLOORS for wing in floor if f"{place}/".startswith(f"{wing}/")]
    return max(known, key=len)


def _floor(wing: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if wing in floor)


def _existing(root: Path, name: str) -> str | None:
    """The file of the package that an import reads last, if it is one of the rooms'."""
    package, *parts = name.split(".")
    if package != "isozyme":
        return None
    for length in range(len(parts), 0, -1):
        place = "/".join(parts[:length])
        for file in (f"{place}.py", f"{place}/__init__.py"):
            if (root / file).is_file():
                return file
    return None


def _node(place: str) -> str:
    """What circles are looked for among: folders inside of a room, and the files that lie directly in it."""
    folder, _, _ = place.rpartition("/")
    return folder if "/" in folder else place


def _named(tree: ast.Module, families: Set[str]) -> Iterator[tuple[int, str]]:
    """Lines of code that name a family of spaces, and which; evaluators' are common words."""
    words = [family.partition("/")[2] for family in sorted(families) if family.startswith("spaces/")]
    if not words:
        return
    known = re.compile("|".join(rf"(?<![A-Za-z])(?:{word}|{word.capitalize()})(?![a-z])" for word in words))
    docstrings = set(map(id, _docstrings(tree)))
    for node in ast.walk(tree):
        for text in () if id(node) in docstrings else _texts(node):
            if found := known.search(_EXAMPLE.sub("", text)):
                yield getattr(node, "lineno", 0), found[0].lower()


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _texts(node: ast.AST) -> Iterator[str]:
    """Identifiers and texts of one node."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, str):
            yield value


def main() -> int:
    """Prints violations; returns 1 if there are any."""
    wrong = violations()
    print("\n".join(wrong) or f"{len(sources(ROOT))} files, all imports run the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
