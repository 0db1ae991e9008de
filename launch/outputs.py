"""Files that a run leaves: the front and the winner."""

import csv
import io
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isozyme.launch.closing import Closing
from isozyme.launch.workdir import write
from isozyme.search.progress.pareto import ParetoArchive
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial
from isozyme.search.validation.funnel import Comparison
from isozyme.search.validation.simplification import Step
from isozyme.spaces.protocol import Space

FRONT_FILE = "pareto.csv"
ARTIFACTS = "artifacts"


def write_front(folder: Path, archive: ParetoArchive) -> None:
    """Rewrites `pareto.csv`, best in the first objective first."""
    names = [o.metric for o in archive.objectives]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *names, "key"])
    first = archive.objectives[0]
    for trial in sorted(archive.trials, key=lambda t: first.cost(t.metrics)):
        writer.writerow([trial.number, *(trial.metrics[name] for name in names), trial.keys.behaviour])
    write(folder / FRONT_FILE, text.getvalue())


class FrontFile:
    """Rewrites `pareto.csv` whenever the front has changed: a listener of the controller."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Looks whether a trial came upon the front."""
        if progress.archive.trials[-1:] == [trial] and progress.trials > progress.restored:
            write_front(self._folder, progress.archive)


def write_winner(folder: Path, space: Space, closing: Closing, lineage: list[int]) -> None:
    """Writes `best/`: the usable form of what was found, and a card with its metrics, lineage and keys.

    Its artifacts, such as trained weights, lie beside it. A simplified winner is joined by its usable form as found, in
    `best/raw/`, and by `best/simplification.jsonl`.
    """
    best, winner = folder / "best", closing.winner
    kept = artifacts_of(folder, winner)
    _write_all(best, {**({} if closing.steps else kept), **space.export(closing.candidate)})
    # A run may be closed again, with other settings.
    shutil.rmtree(best / "raw", ignore_errors=True)
    (best / "simplification.jsonl").unlink(missing_ok=True)
    if closing.steps:
        _write_all(best / "raw", {**kept, **space.export(winner.candidate)})
        write(best / "simplification.jsonl", "".join(_line(space, step) for step in closing.steps))
    card = {
        "trial": winner.number,
        "metrics": winner.metrics,
        "scores": {
            name: {split: {"status": o.status, **o.metrics} for split, o in by_split.items()}
            for name, by_split in closing.scores.items()
        },
        "lineage": lineage,
        "static_key": winner.keys.static,
        "key": winner.keys.behaviour,
        "candidate": space.to_source(closing.candidate),
    }
    if closing.steps:
        card["raw"] = space.to_source(winner.candidate)
    if closing.comparisons:
        card["funnel"] = [_figures(comparison) for comparison in closing.comparisons]
    write(best / "card.json", json.dumps(card, indent=1) + "\n")


def artifacts_of(folder: Path, trial: Trial) -> dict[str, bytes]:
    """Reads the artifacts that a run still has of a trial, by file name.

    Args:
      folder: of the run.
      trial: its paths come from a file, so those that lead out of the folder of artifacts are left out.
    """
    root = (folder / ARTIFACTS).resolve()
    files = [(root / path).resolve() for path in trial.artifacts]
    return {file.name: file.read_bytes() for file in files if file.is_relative_to(root) and file.is_file()}


def _write_all(folder: Path, files: Any) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        write(folder / name, content)


def _line(space: Space, step: Step) -> str:
    return json.dumps(step._asdict() | {"candidate": space.to_source(step.candidate)}) + "\n"


def _figures(comparison: Comparison) -> dict[str, Any]:
    """A rung as JSON; null stands for the difference of a candidate that failed."""
    verdicts: Sequence[dict[str, Any]] = [
        {
            "trial": verdict.trial,
            "tuning": verdict.tuning,
            **{k: v if math.isfinite(v) else None for k, v in verdict.difference._asdict().items()},
            "passed": verdict.passed,
        }
        for verdict in comparison.verdicts
    ]
    cost = comparison.cost if math.isfinite(comparison.cost) else None
    return comparison._asdict() | {"cost": cost, "verdicts": verdicts}
