"""Files that a run leaves: the front and the winner."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from isozyme.launch.workdir import write
from isozyme.search.pareto import ParetoArchive
from isozyme.search.protocol import Trial

FRONT_FILE = "pareto.csv"


def write_front(folder: Path, archive: ParetoArchive) -> None:
    """Rewrites `pareto.csv`, best in the first objective first."""
    names = [o.metric for o in archive.objectives]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *names, "key"])
    first = archive.objectives[0]
    for trial in sorted(archive.trials, key=lambda t: first.cost(t.metrics)):
        writer.writerow([trial.number, *(trial.metrics[name] for name in names), trial.key])
    write(folder / FRONT_FILE, text.getvalue())


def write_winner(folder: Path, space: Any, winner: Trial, lineage: list[int], scores: dict[str, Any]) -> Path:
    """Writes `best/`: the usable form of the winner and a card with its metrics, lineage and keys."""
    best = folder / "best"
    best.mkdir(exist_ok=True)
    for name, text in space.export(winner.candidate).items():
        write(best / name, text)
    card = {
        "trial": winner.number,
        "metrics": winner.metrics,
        "scores": scores,
        "lineage": lineage,
        "static_key": winner.static_key,
        "key": winner.key,
        "candidate": space.to_source(winner.candidate),
    }
    write(best / "card.json", json.dumps(card, indent=1) + "\n")
    return best
