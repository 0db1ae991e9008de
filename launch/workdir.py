"""The run folder: what it holds, and whether this experiment may go on in it."""

import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.experiment import Experiment
from isozyme.search.journal.identity import difference
from isozyme.search.objectives import objective_from_json, objective_to_json

EXPERIMENT_FILE = "experiment.json"
_FORMAT = 1
_PARTIAL = ".partial"
_PACKAGES = ("isozyme", "jax", "numpy", "optax", "pyglove", "ray")


def enter(folder: Path, experiment: Experiment) -> list[str]:
    """Makes `folder` the run folder of `experiment`, or finds that it is already.

    Returns:
      warnings, one line each.

    Raises:
      UsageError: the folder cannot be written, or belongs to something else. Nothing has been changed then.
    """
    record = folder / EXPERIMENT_FILE
    try:
        if record.exists():
            return _compare(record, experiment)
        if folder.is_dir() and any(not entry.name.endswith(_PARTIAL) for entry in folder.iterdir()):
            raise UsageError(f"--workdir={folder}: holds other files and no {EXPERIMENT_FILE}; choose an empty folder")
        folder.mkdir(parents=True, exist_ok=True)
        write(record, json.dumps(_describe(experiment), indent=1) + "\n")
    except OSError as error:
        raise UsageError(f"--workdir={folder}: cannot be written: {error.strerror}; choose another folder") from error
    return []


def _describe(experiment: Experiment) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "experiment": experiment.record(),
        "identity": experiment.identity(),
        "seed": experiment.seed,
        "objectives": [objective_to_json(objective) for objective in experiment.objectives],
        "packages": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in _PACKAGES},
        "commit": _commit(),
    }


def _compare(record: Path, experiment: Experiment) -> list[str]:
    folder = record.parent
    known = read(folder)
    change = difference(known["identity"], json.loads(json.dumps(experiment.identity())))
    if change is not None:
        raise UsageError(f"--workdir={folder}: belongs to another experiment ({change}); choose another folder")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--workdir={folder}: cannot be written; change its permissions or choose another folder")
    commit = _commit()
    if commit and known["commit"] and commit != known["commit"]:
        return [f"this run began at commit {known['commit'][:10]}, the checkout is now at {commit[:10]}"]
    return []


def read(folder: Path) -> dict[str, Any]:
    """The record of a run folder, as plain JSON: nothing of it is executed.

    Raises:
      UsageError: there is none, or it cannot be read.
    """
    try:
        known = json.loads((folder / EXPERIMENT_FILE).read_text())
        if known["format"] != _FORMAT:
            raise UsageError(f"{folder}: {EXPERIMENT_FILE} has format {known['format']}, this version reads {_FORMAT}")
        _check(known)
    except FileNotFoundError:
        raise UsageError(f"{folder}: no {EXPERIMENT_FILE} here; name a run folder") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        what = type_and_first_line(error)
        raise UsageError(f"{folder}: {EXPERIMENT_FILE} is damaged ({what}); restore a copy") from error
    return known


def _check(known: dict[str, Any]) -> None:
    """Raises `ValueError` unless the parts that are read have the types that were written."""
    if not isinstance(known.get("identity"), dict) or not isinstance(known.get("commit"), str | None):
        raise ValueError("identity or commit is missing or of another type")
    for value in known["objectives"]:
        objective_from_json(value)


def _commit() -> str | None:
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def write(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all."""
    scratch = path.with_name(f".{path.name}{_PARTIAL}")
    scratch.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(scratch, path)
