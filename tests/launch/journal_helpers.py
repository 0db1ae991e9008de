"""Run folders with trials of a test's own choice, written by the journal itself."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search import Trial
from isozyme.search.journal.journal import Journal

TWO = (("minimize", "loss", 10.0), ("maximize", "score", 0.0))
BEGAN = 1_000_000.0


def run_folder(folder: Path, objectives: Sequence[tuple[str, str, float]] = TWO, seed: int = 3) -> Path:
    """A run folder without a journal."""
    folder.mkdir(parents=True)
    record = {
        "format": 1,
        "identity": {"seed": seed},
        "seed": seed,
        "objectives": [list(objective) for objective in objectives],
        "commit": None,
    }
    (folder / "experiment.json").write_text(json.dumps(record))
    return folder


def add(folder: Path, *trials: Trial, arrived: int | None = None) -> None:
    """Adds trials to the journal of a folder, which is made with the first of them."""
    journal = Journal.open(folder)
    try:
        journal.add(trials, str, arrived)
    finally:
        journal.close()


def scored(number: int, *values: float, names: Sequence[str] = ("loss", "score"), **fields: Any) -> Trial:
    """A finished trial with a behaviour of its own, unless fields say otherwise."""
    key = f"{number:032x}"
    known: dict[str, Any] = {
        "candidate": f"candidate {number}\n",
        "parents": (),
        "status": Status.OK,
        "reason": None,
        "metrics": {name: float(value) for name, value in zip(names, values, strict=True)},
        "static_key": key,
        "key": key,
        "finished": BEGAN + number,
        "operator": "mutate",
        "attempts": 1,
    }
    return Trial(number, **(known | fields))


def failed(number: int, status: Status, reason: str, **fields: Any) -> Trial:
    """A trial without metrics."""
    keys = {"static_key": "", "key": "", "attempts": 0} if status is Status.INVALID else {}
    return scored(number, names=(), status=status, reason=reason, **(keys | fields))
