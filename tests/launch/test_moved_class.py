"""A run goes on after the classes that it is made of have been moved to other files."""

import shutil
from pathlib import Path

import pytest
from launch_helpers import OWN_CONFIG, ROOT, Ended, committed, launch, trajectory

ROOMS = ("hashing", "spaces", "evaluators", "search", "launch")
# An algorithm, an objective and a space: parts of a run's identity, and of the conditions of its evaluations.
MOVES = {
    "search/algorithms/regularized_evolution": "search/algorithms/aging",
    "search/objectives": "search/aims",
    "spaces/lion/space": "spaces/lion/programs_of_updates",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, away from the checkout."""
    copy = tmp_path / "checkout" / "isozyme"
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "__init__.py", copy)
    return copy


def search(package: Path, config: Path, folder: Path, trials: int) -> Ended:
    """Runs the config with a copy of the package, in one process."""
    script = package / "launch" / "run.py"
    arguments = (f"--config={config}", f"--workdir={folder}", f"--config.budget.trials={trials}", "--workers=0")
    ended = launch(script, *arguments, PYTHONPATH=str(package.parent))
    assert (ended.code, ended.err) == (0, "")
    return ended


def move(package: Path, old: str, new: str) -> None:
    """Gives a module another name, and mends every import of it."""
    (package / f"{old}.py").rename(package / f"{new}.py")
    before, after = (f"from isozyme.{name.replace('/', '.')} import" for name in (old, new))
    mended = 0
    for path in package.rglob("*.py"):
        text = path.read_text()
        if before in text:
            path.write_text(text.replace(before, after))
            mended += 1
    assert mended


def test_a_run_survives_the_move_of_its_classes(package: Path, tmp_path: Path) -> None:
    """The run folder is known again, and the trajectory is that of a run in which nothing moved."""
    config = tmp_path / "mine.py"
    config.write_text(OWN_CONFIG)
    search(package, config, tmp_path / "whole", 30)
    search(package, config, tmp_path / "run", 12)
    assert "isozyme.search." not in (tmp_path / "run" / "experiment.json").read_text()  # No path of a module.
    for old, new in MOVES.items():
        move(package, old, new)
    search(package, config, tmp_path / "run", 30)
    assert committed(tmp_path / "run") == 30
    assert trajectory(tmp_path / "run") == trajectory(tmp_path / "whole")
