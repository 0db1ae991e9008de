"""One-shot search under a hard limit on real tables, next to floors that need no search.

    python benchmarks/tabnas_sets.py [--quick] [--seeds N] [--chart FILE]

Runs `launch/configs/tabnas.py` on each table (--quick: churn alone, a tenth of the steps), once a seed, one worker, and
reads the winner's card: its score on the final split with fresh seeds, that of the paper's 32-144-24, which sets the
limit on parameters, and wall time, everything included. Floors are linear models and boosted trees of scikit-learn on
the same splits (evaluators/datasets/floors.json), scored on all rows of the final one, networks on up to 4,096 of them.
Scores are accuracy or R².
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from isozyme.benchmarks.charts.svg import svg

ROOT = Path(__file__).resolve().parents[1]
SETS = {
    "diamonds_cut": "accuracy",
    "diamonds_price": "r2",
    "rand_visits": "accuracy",
    "churn": "accuracy",
    "earnings": "r2",
    "flights": "accuracy",
}
_FLOORS = ("constant", "linear", "trees")


def run(name: str, seed: int, quick: bool, folder: Path) -> dict[str, Any]:
    """One search, from the command line: scores on the final split, parameters, seconds."""
    variant = "experiment" if name == "diamonds_cut" else name
    launch = ROOT / "launch"
    command = [
        sys.executable, str(launch / "run.py"), f"--config={launch / 'configs' / 'tabnas.py'}:{variant}",
        f"--workdir={folder}", "--workers=1", f"--config.seed={seed}",
    ]  # fmt: skip
    if quick:
        steps = ("evaluator.task.steps=100", "search.steps=300", "search.supernet.task.steps=300", "finalists=2")
        command += [f"--config.{override}" for override in (*steps, "budget.trials=4")]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{name}, seed {seed}: {done.stderr or done.stdout[-500:]}")
    card = json.loads((folder / "best" / "card.json").read_text())
    winner, reference = card["scores"]["winner"]["final"], card["scores"]["tabnas"]["final"]
    return {
        "seed": seed,
        "score": winner["score"],
        "parameters": winner["parameters"],
        "limit": reference["parameters"],
        "reference": reference["score"],
        "seconds": seconds,
    }


def report(found: dict[str, list[dict[str, Any]]], floors: dict[str, Any]) -> dict[str, Any]:
    """Prints the table; figures by table."""
    title = f"{platform.machine()}, {os.cpu_count()} cores, 1 worker; final split, median (range) over seeds"
    table = Table("", "parameters", "limit", "one-shot search", "32-144-24", *_FLOORS, "wall s", title=title)
    figures: dict[str, Any] = {}
    for name, runs in found.items():
        floor = {kind: floors[name]["final"][kind][SETS[name]] for kind in _FLOORS}
        scores = [one["score"] for one in runs]
        median = statistics.median(scores)
        figures[name] = {
            "score": median,
            "range": [min(scores), max(scores)],
            "reference": statistics.median(one["reference"] for one in runs),
            "floors": floor,
            "feasible": all(one["parameters"] <= one["limit"] for one in runs),
            "seconds": statistics.median(one["seconds"] for one in runs),
        }
        table.add_row(
            f"{name} ({SETS[name]})",
            ", ".join(f"{one['parameters']:.0f}" for one in runs),
            f"{runs[0]['limit']:.0f}",
            f"{median:.4f} ({min(scores):.4f} to {max(scores):.4f})",
            f"{figures[name]['reference']:.4f}",
            *(f"{floor[kind]:.4f}" for kind in _FLOORS),
            f"{figures[name]['seconds']:.0f}",
        )
    Console(width=160).print(table)
    return figures


def chart(figures: dict[str, Any], path: Path) -> None:
    """What is left of the way from the constant model to a perfect one, by method: less is better."""
    methods = {"linear": "#999999", "trees": "#009e73", "32-144-24": "#0072b2", "one-shot search": "#d55e00"}
    with svg(path, (8.0, 3.4)) as figure:
        axes = figure.subplots()
        axes.grid(False)
        for place, (method, colour) in enumerate(methods.items()):
            values = [_left(one, method) for one in figures.values()]
            axes.bar([i + 0.2 * place for i in range(len(values))], values, 0.19, label=method, color=colour)
        axes.set_xticks([i + 0.3 for i in range(len(figures))], list(figures))
        axes.set_ylabel("error, as a share of the constant model's")
        axes.legend(ncols=4, loc="upper center")
        axes.set_ylim(0, 1.25)


def _left(one: dict[str, Any], method: str) -> float:
    score = {"one-shot search": one["score"], "32-144-24": one["reference"]}.get(method)
    score = one["floors"][method] if score is None else score
    return (1.0 - score) / (1.0 - one["floors"]["constant"])


def main() -> None:
    """Searches, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="churn alone, few steps")
    parser.add_argument("--seeds", type=int, default=3, help="searches of each table")
    parser.add_argument("--chart", type=Path, help="an SVG file to write")
    options = parser.parse_args()
    floors = json.loads((ROOT / "evaluators" / "datasets" / "floors.json").read_text())["floors"]
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="isozyme-tabnas-") as scratch:
        for name in ["churn"] if options.quick else SETS:
            for seed in range(1 if options.quick else options.seeds):
                found.setdefault(name, []).append(run(name, seed, options.quick, Path(scratch) / f"{name}-{seed}"))
    figures = report(found, floors)
    if options.chart:
        chart(figures, options.chart)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
