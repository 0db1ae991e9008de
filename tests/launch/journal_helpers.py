"""Run folders with trials of a test's own choice, written by the journal itself."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search import Trial
from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Effort, Keys, Proposal

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
    """A finished trial with a behaviour of its own, unless fields, of the trial or of its proposal, say otherwise."""
    key = f"{number:032x}"
    made = Trial(
        number,
        Proposal(f"candidate {number}\n", operator="mutate"),
        Status.OK,
        metrics={name: float(value) for name, value in zip(names, values, strict=True)},
        keys=Keys(key, key),
        effort=Effort(attempts=1),
        finished=BEGAN + number,
    )
    proposed = {name: fields.pop(name) for name in ("candidate", "parents", "operator", "note") if name in fields}
    return replace(made, proposal=replace(made.proposal, **proposed), **fields)


def failed(number: int, status: Status, reason: str, **fields: Any) -> Trial:
    """A trial without metrics."""
    unkeyed: dict[str, Any] = {"keys": Keys(), "effort": Effort()} if status is Status.INVALID else {}
    return scored(number, names=(), status=status, reason=reason, **(unkeyed | fields))
