"""What is installed is what is on disk: mapped packages are listed by hand, so a list and a wheel can go wrong."""

import configparser
import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

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
