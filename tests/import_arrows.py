"""Checks which room imports which (docs/architecture.md): python tests/import_arrows.py"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a room may import of the project; "room/file" allows that file only.
ALLOWED = {
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
# What some folders of a room may import besides.
ALSO = {"search/pyglove_bridge/": {"spaces/template"}}
# Packages that only some files, or folders (with a slash at the end), may import.
ONLY_IN = {
    "ray": {"search/executors/ray_cluster/", "launch/run.py"},
    "psycopg": {"hashing/stores/"},
    "redis": {"hashing/stores/"},
}


def imports(path: Path) -> list[tuple[int, str]]:
    """Line and full name of every import, those inside functions included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
    return found


def violations(path: Path) -> list[str]:
    """Forbidden imports of one file, a line each."""
    relative = path.relative_to(ROOT)
    room = relative.parts[0]
    wrong = []
    for line, name in imports(path):
        parts = name.split(".")
        if parts[0] in ONLY_IN and not any(str(relative).startswith(place) for place in ONLY_IN[parts[0]]):
            wrong.append(f"{relative}:{line}: only {', '.join(sorted(ONLY_IN[parts[0]]))} may import {parts[0]}")
        if parts[0] != "isozyme" or len(parts) < 2 or parts[1] in (room, "__version__"):
            continue
        target, file = parts[1], "/".join(parts[1:3])
        also = set().union(*(extra for place, extra in ALSO.items() if str(relative).startswith(place)))
        if not {target, file} & (ALLOWED[room] | also):
            wrong.append(f"{relative}:{line}: {room} must not import {name}")
    return wrong


def main() -> int:
    """Prints violations; 1 if there are any."""
    files = [path for room in ALLOWED for path in sorted((ROOT / room).rglob("*.py"))]
    wrong = [line for path in files for line in violations(path)]
    print("\n".join(wrong) or f"{len(files)} files, all imports run the right way")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
