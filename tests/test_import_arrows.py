"""Arrows between rooms and wings: none today, and each kind of violation is found."""

from pathlib import Path

import import_arrows
import pytest


def test_imports_run_the_right_way(capsys: pytest.CaptureFixture[str]) -> None:
    """The check that CI runs finds nothing today."""
    assert import_arrows.main() == 0
    assert "all imports run the right way" in capsys.readouterr().out


def test_every_wing_stands_on_one_floor() -> None:
    """Floors are data: what they name exists, and stands on one of them only."""
    named = [wing for floor in import_arrows.FLOORS for wing in floor]
    assert len(named) == len(set(named))
    search = import_arrows.ROOT / "search"
    folders = {path.parent for path in search.rglob("*.py")}
    files = {path.with_suffix("") for path in search.glob("*.py") if path.name != "__init__.py"}
    assert {path.relative_to(import_arrows.ROOT).as_posix() for path in folders | files} == set(named)


def plant(root: Path, files: dict[str, str]) -> list[str]:
    """What is found in a checkout of these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return import_arrows.violations(root)


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("hashing/a.py", "from isozyme.spaces.lion import NAMED", "hashing must not import isozyme.spaces.lion"),
        ("search/rules.py", "import isozyme.evaluators.optimizer", "search must not import isozyme.evaluators"),
        ("spaces/lion/a.py", "from isozyme import launch", "spaces must not import isozyme.launch"),
        ("evaluators/a.py", "def f():\n    from isozyme.search import Journal", "evaluators must not import"),
        ("search/controller/controller.py", "import ray", "may import ray"),
        ("launch/session.py", "from ray.util import ActorPool", "may import ray"),
        ("launch/run.py", "import ray", "may import ray"),
        ("search/policy/a.py", "from isozyme.search.algorithms.one_shot import OneShot", "must not import"),
        ("search/journal/a.py", "from isozyme.search.controller import controller", "stands as high or higher"),
        ("search/journal/a.py", "from isozyme.search.policy import policy", "stands as high or higher"),
        ("search/executors/a.py", "from isozyme.search.executors.ray_cluster import worker", "must not import"),
        ("search/algorithms/a.py", "from isozyme.search import Journal", "must not import isozyme.search.Journal"),
        ("search/protocol.py", "from isozyme.search.journal.journal import Journal", "search/protocol must not import"),
        ("search/new.py", "import isozyme.search.protocol", "stands on no floor"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, line: str, told: str) -> None:
    """Also inside a function; with the file and the line."""
    (wrong,) = plant(tmp_path, {file: f'"""A file."""\n{line}\n'})
    assert wrong.startswith(f"{file}:")
    assert told in wrong


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("search/controller/a.py", "from isozyme.evaluators.protocol import Job"),
        ("search/controller/a.py", "from isozyme.search.journal.journal import Journal"),
        ("search/executors/ray_cluster/executor.py", "import ray"),
        ("search/pyglove_bridge/a.py", "from isozyme.spaces.template import TemplateSpace"),
        ("launch/a.py", "from isozyme.search import Journal"),
        ("hashing/a.py", "from isozyme.hashing.digest import digest"),
    ],
)
def test_an_allowed_import_is_not(tmp_path: Path, file: str, line: str) -> None:
    """The check does not cry wolf."""
    assert plant(tmp_path, {file: f"{line}\n"}) == []


def test_a_circle_of_folders_is_found(tmp_path: Path) -> None:
    """Of two files in either folder, none of which imports back."""
    files = {
        "launch/one/__init__.py": "",
        "launch/one/a.py": "from isozyme.launch.other import c\n",
        "launch/one/b.py": "",
        "launch/other/__init__.py": "",
        "launch/other/c.py": "",
        "launch/other/d.py": "def f():\n    from isozyme.launch.one.b import g\n",
    }
    (wrong,) = plant(tmp_path, files)
    assert "circle" in wrong
    assert {"launch/one", "launch/other"} <= set(wrong.split(": ")[1].split(" ← "))
    files["launch/other/d.py"] = ""
    assert plant(tmp_path, files) == []


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("launch/summary.py", "from isozyme.spaces.lion import NAMED", "may import the family spaces/lion"),
        (
            "launch/summary.py",
            "from isozyme.evaluators.sounds import Sounds",
            "may import the family evaluators/sounds",
        ),
        ("launch/display.py", "title = f'of {1} Lion programs'", "names the family lion"),
        ("hashing/a.py", "def of_lion():\n    pass", "names the family lion"),
        ("search/policy/a.py", "class LionPolicy:\n    pass", "names the family lion"),
    ],
)
def test_a_family_in_a_shared_room_is_found(tmp_path: Path, file: str, text: str, told: str) -> None:
    """By import and by name; a config may do both."""
    families = {"spaces/lion/__init__.py": "", "evaluators/sounds/__init__.py": ""}
    assert any(told in wrong for wrong in plant(tmp_path, families | {file: f"{text}\n"}))
    (tmp_path / file).unlink()
    assert plant(tmp_path, families | {"launch/configs/mine.py": f"{text}\n"}) == []


def test_papers_and_examples_may_be_cited(tmp_path: Path) -> None:
    """In docstrings and comments, and a config by its path; other words that hold the letters are no names."""
    text = '"""Lion (arXiv 2302.06675)."""\n# As Lion does.\nhint = "such as launch/configs/lion.py"\nmillion = 1\n'
    assert plant(tmp_path, {"spaces/lion/__init__.py": "", "launch/a.py": text}) == []
