"""Names: symbolic classes bear one that survives a move, no two classes are called alike, nothing is called utils."""

import ast
import importlib
import pkgutil
from collections import Counter
from pathlib import Path

import pyglove as pg
import pytest

import isozyme

ROOT = Path(isozyme.__file__).parent
ROOMS = ("hashing", "spaces", "evaluators", "search", "launch")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def symbolic_classes() -> list[type]:
    """All of ours that an experiment may hold, with every module imported; patches are functions, and not stored."""
    for room in ROOMS:
        package = importlib.import_module(f"isozyme.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found, waiting = [], [pg.Object]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if not issubclass(kind, pg.Functor) and kind.__module__.startswith(
                tuple(f"isozyme.{room}." for room in ROOMS)
            ):
                found.append(kind)
    return list(dict.fromkeys(found))


def test_symbolic_classes_bear_names_that_survive_a_move() -> None:
    """house.md, 1: `isozyme.<name>` in place of the module's path, each once."""
    keys = {kind: kind.__serialization_key__ for kind in symbolic_classes()}
    assert len(keys) > 40
    assert [kind for kind, key in keys.items() if not key.startswith("isozyme.") or key.count(".") > 1] == []
    assert [key for key, times in Counter(keys.values()).items() if times > 1] == []


def test_no_two_classes_are_called_alike() -> None:
    """house.md, 4: one term, one meaning."""
    names = [
        node.name for path in FILES for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]  # fmt: skip
    assert len(names) > 150
    assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_file_says_nothing(word: str) -> None:
    assert [path for path in FILES if word in path.stem] == []
