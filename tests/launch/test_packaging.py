"""What is installed is what is on disk: mapped packages are listed by hand, so a list and a wheel can go wrong."""

import configparser
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from launch_helpers import ROOT, environment

ROOMS = ("hashing", "spaces", "evaluators", "search", "launch")


def _modules() -> set[str]:
    """Every Python file of the rooms, as it is called inside a wheel."""
    files = [ROOT / "__init__.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    return {f"isozyme/{path.relative_to(ROOT)}" for path in files}


def _data() -> set[str]:
    """The files of TensorBoard's tab, likewise."""
    return {f"isozyme/{path.relative_to(ROOT)}" for path in (ROOT / "launch" / "pareto_tab" / "static").iterdir()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout, tests and benchmarks included."""
    source = tmp_path_factory.mktemp("source")
    for name in ("__init__.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in (*ROOMS, "tests", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    try:
        recent = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    except importlib.metadata.PackageNotFoundError:
        recent = False
    isolation = ["--no-isolation"] if recent else []  # An environment of its own needs a package index.
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(out), str(source)],
        cwd=out,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    """No room forgotten; no tests, no benchmarks, nothing outside the package."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")]
    assert set(names) == _modules() | _data()
    assert len(names) == len(set(names))


def test_the_wheel_names_its_licence_and_needs(wheel: Path) -> None:
    """Apache-2.0, Python 3.11 or newer, and the extras."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()
        assert [name for name in archive.namelist() if name.endswith("LICENSE")]
        (entries,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        assert "isozyme.launch.pareto_tab.plugin:ParetoPlugin" in archive.read(entries).decode()
    for line in ("Name: isozyme", "Requires-Python: >=3.11", "Requires-Dist: jax>=", "Provides-Extra: bench"):
        assert line in text
    assert "Apache-2.0" in text


def test_listed_packages_are_the_folders_on_disk() -> None:
    """setup.cfg lists a package for each folder of a room, and no other."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = config["options"]["packages"].split()
    folders = {path.parent.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert sorted(listed) == sorted(["isozyme", *(".".join(("isozyme", *folder.parts)) for folder in folders)])
    for folder in folders:
        assert (ROOT / folder / "__init__.py").is_file(), folder


def test_every_module_of_the_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, away from the checkout, each module is found under its mapped name."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    names = sorted(name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in _modules())
    script = f"""
import importlib, sys
sys.path.insert(0, {str(tmp_path)!r})
from isozyme.evaluators import process
process.fix()
for name in {names!r}:
    module = importlib.import_module(name)
    assert module.__file__.startswith({str(tmp_path)!r}), module.__file__
print(len({names!r}), "imported")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, f"{len(names)} imported\n"), done.stderr


@pytest.fixture
def arrows() -> ModuleType:
    """tests/import_arrows.py as a module."""
    spec: Any = importlib.util.spec_from_file_location("import_arrows_under_test", ROOT / "tests" / "import_arrows.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_imports_run_the_right_way(arrows: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The check that CI runs finds nothing today."""
    assert arrows.main() == 0
    assert "all imports run the right way" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        ("hashing/a.py", "from isozyme.spaces.lion import NAMED", "hashing must not import isozyme.spaces.lion"),
        ("search/a.py", "import isozyme.evaluators.optimizer", "search must not import isozyme.evaluators.optimizer"),
        ("spaces/lion/a.py", "from isozyme import launch", "spaces must not import isozyme.launch"),
        ("evaluators/a.py", "def f():\n    from isozyme.search import Journal", "evaluators must not import"),
        ("search/controller/controller.py", "import ray", "may import ray"),
        ("launch/session.py", "from ray.util import ActorPool", "may import ray"),
    ],
)
def test_a_forbidden_import_is_found(
    arrows: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    line: str,
    told: str,
) -> None:
    """Also inside a function; with the file and the line."""
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f'"""A file."""\n{line}\n')
    monkeypatch.setattr(arrows, "ROOT", tmp_path)
    (wrong,) = arrows.violations(path)
    assert wrong.startswith(f"{file}:")
    assert told in wrong
    assert arrows.main() == 1
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("search/a.py", "from isozyme.evaluators.protocol import Job"),
        ("search/executors/ray_cluster/executor.py", "import ray"),
        ("launch/a.py", "from isozyme.search import Journal"),
        ("hashing/a.py", "from isozyme.hashing.digest import digest"),
    ],
)
def test_an_allowed_import_is_not(
    arrows: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, line: str
) -> None:
    """The check does not cry wolf."""
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    monkeypatch.setattr(arrows, "ROOT", tmp_path)
    assert arrows.violations(path) == []
