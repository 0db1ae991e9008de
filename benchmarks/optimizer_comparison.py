"""Candidates against tuned optimizers of optax, on problems that took no part in the search.

    python benchmarks/optimizer_comparison.py [--quick] [--program PATH]... [--seeds N] [--chart FILE]

A PATH is a file with a program's source, or the `best/card.json` of a run. Without one the candidate is the program
that the paper's search found (`NAMED["discovered"]`).

Every contestant gets the same number of (rate, decay) points on each problem, with the same tuning seeds, scored on
the split 'search' (benchmarks/comparison/tuning.py); what both numbers mean for an optimizer and for a program is said
in contestants.py. A * marks a best rate at an end of the range of four decades. The tuned ones
meet on the split 'final' with N fresh seeds, paired: the same initial weights and batches for all. Intervals are of
95 % over seeds (Student's t); they do not hold what another draw of tuning seeds or of held-out rows would change, nor
are they widened for the number of comparisons. "all" is the mean over these problems, seed by seed.

The last table is the candidate as a library, `to_optax`, beside `optax.adamw`: state, and time of a step in an ordinary
jitted loop.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

import optax  # noqa: E402

from isozyme.benchmarks.comparison import charts, cost, problems  # noqa: E402
from isozyme.benchmarks.comparison.contestants import ADAMW, LION, OTHERS, Contestant, of_program  # noqa: E402
from isozyme.benchmarks.comparison.tuning import FULL, QUICK, Grid, Tuned, final_losses, runner, tune  # noqa: E402
from isozyme.search.validation.paired_test import Interval, relative_differences, t_interval  # noqa: E402
from isozyme.spaces.lion import NAMED, OptimizerPrograms, Program, to_optax  # noqa: E402
from isozyme.spaces.protocol import InvalidCandidate  # noqa: E402

_CONFIDENCE = 0.95
_ALL = "all"
_TAKEN = {one.name for one in (ADAMW, LION, *OTHERS)}


def candidates(paths: list[Path]) -> dict[str, Program]:
    """Programs by name: of the file, or of the run folder that holds the card."""
    found = {}
    for path in paths:
        try:
            text = path.read_text()
            source = json.loads(text)["candidate"] if path.suffix == ".json" else text
            program = OptimizerPrograms().from_source(source)
        except (OSError, ValueError, KeyError, InvalidCandidate) as error:
            raise SystemExit(f"--program {path}: {error}; give a program's source or a run's best/card.json") from None
        name = path.resolve().parents[1].name if path.name == "card.json" else path.stem
        name = f"{name} (found)" if name in _TAKEN else name  # runs/lion is where runs of lion.py are.
        found[name if name not in found else str(path)] = program
    return found or {"discovered": NAMED["discovered"]}


class Result:
    """What all contestants reached on one problem."""

    def __init__(self, problem: problems.Problem, contestants: list[Contestant], grid: Grid, seeds: int) -> None:
        self.tuned: dict[str, Tuned] = {}
        losses = {}
        for one in contestants:
            run = runner(problem, one)
            self.tuned[one.name] = tune(run, one.centre, grid)
            losses[one.name] = final_losses(run, self.tuned[one.name], grid, seeds)
        self.losses: dict[str, Interval] = {name: t_interval(x, _CONFIDENCE) for name, x in losses.items()}
        self.differences: dict[str, np.ndarray] = {
            name: relative_differences(x, losses[ADAMW.name]) for name, x in losses.items() if name != ADAMW.name
        }
        order = sorted(self.losses, key=lambda name: self.losses[name].mean)
        self.ranks: dict[str, int] = {name: 1 + order.index(name) for name in self.losses}


def print_problem(console: Console, title: str, result: Result) -> None:
    """One line an optimizer, the best first."""
    table = Table("", "rate", "decay", "held-out loss", "to AdamW", "", title=title)
    for name in sorted(result.ranks, key=lambda name: result.ranks[name]):
        tuned, loss = result.tuned[name], result.losses[name]
        compared = ("", "") if name == ADAMW.name else verdict(t_interval(result.differences[name], _CONFIDENCE))
        rate = f"{tuned.rate:.2g}{'*' if tuned.at_edge else ''}"
        table.add_row(name, rate, f"{tuned.decay:g}", f"{loss.mean:.4f} ± {loss.mean - loss.low:.4f}", *compared)
    console.print(table)


def verdict(difference: Interval) -> tuple[str, str]:
    """A relative difference to AdamW in per cent, and in a word."""
    mean, low, high = (100 * value for value in difference)
    word = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
    return f"{mean:+.1f} % ({low:+.1f} to {high:+.1f})", word


def overall(results: dict[str, Result]) -> dict[str, dict[str, Any]]:
    """By optimizer: rank averaged over problems, and the relative difference averaged over them seed by seed."""
    first = next(iter(results.values()))
    found: dict[str, dict[str, Any]] = {}
    for name in first.ranks:
        found[name] = {"rank": float(np.mean([result.ranks[name] for result in results.values()]))}
        if name != ADAMW.name:
            mean = np.mean([result.differences[name] for result in results.values()], axis=0)
            found[name]["difference"] = t_interval(mean, _CONFIDENCE)
    return found


def print_overall(console: Console, found: dict[str, dict[str, Any]]) -> None:
    """One line an optimizer, the best mean rank first."""
    table = Table("", "mean rank", "to AdamW, mean over problems", "", title="all problems")
    for name in sorted(found, key=lambda name: found[name]["rank"]):
        compared = ("", "") if name == ADAMW.name else verdict(found[name]["difference"])
        table.add_row(name, f"{found[name]['rank']:.1f}", *compared)
    console.print(table)


def print_costs(console: Console, costs: dict[str, cost.Cost]) -> dict[str, dict[str, float]]:
    """Prints state and times; ratios to AdamW."""
    table = Table("", "state bytes a weight", "step ms", "to AdamW", "update ms, 1M weights", "to AdamW",
                  title="as a library, in turns, medians")  # fmt: skip
    reference, ratios = costs[ADAMW.name], {}
    for name, one in costs.items():
        ratios[name] = {
            "state_bytes": one.state_bytes,
            "step": one.step / reference.step,
            "update": one.update / reference.update,
        }
        times = (f"{1e3 * one.step:.3f}", f"{ratios[name]['step']:.2f}", f"{1e3 * one.update:.3f}")
        table.add_row(name, f"{one.state_bytes:g}", *times, f"{ratios[name]['update']:.2f}")
    console.print(table)
    return ratios


def figures(results: dict[str, Result]) -> dict[str, Any]:
    """Plain numbers of every problem, for the last line."""
    return {
        problem: {
            name: {
                "rate": result.tuned[name].rate,
                "decay": result.tuned[name].decay,
                "at_edge": result.tuned[name].at_edge,
                "loss": finite(result.losses[name]),
                "difference": finite(t_interval(result.differences[name], _CONFIDENCE)) if name != ADAMW.name else None,
                "rank": result.ranks[name],
            }
            for name in result.ranks
        }
        for problem, result in results.items()
    }


def finite(values: Interval) -> list[float] | None:
    """Mean, low, high; None where training failed, since JSON has no infinity."""
    return list(values) if np.isfinite(values).all() else None


def main() -> None:
    """Compares, prints tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two problems, short runs, a small grid, 4 seeds")
    parser.add_argument("--program", type=Path, action="append", default=[], help="a candidate; may be given again")
    parser.add_argument("--seeds", type=int, help="fresh seeds of the final comparison (16, with --quick 4)")
    parser.add_argument("--chart", type=Path, help="an SVG file to write")
    options = parser.parse_args()
    seeds = options.seeds or (4 if options.quick else 16)
    if seeds < 2:
        raise SystemExit(f"--seeds {seeds}: an interval takes at least 2")
    grid = QUICK if options.quick else FULL
    programs = candidates(options.program)
    contestants = [*(of_program(name, program) for name, program in programs.items()), ADAMW, LION, *OTHERS]
    console = Console(width=120)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; {grid.runs} tuning runs a contestant and problem, "
        f"then {seeds} fresh seeds"
    )
    results, smallest = {}, None
    for problem in problems.final(options.quick):
        began = time.perf_counter()
        results[problem.name] = Result(problem, contestants, grid, seeds)
        smallest = smallest or problem
        size = f"{sum(problem.network.sizes):,} weights, {problem.steps} steps of {problem.batch_size}"
        print_problem(console, f"{problem.name}: {size}; {time.perf_counter() - began:.0f} s", results[problem.name])
    if smallest is None:
        raise SystemExit("no problem is left: install what the lines above name")
    summary = overall(results)
    print_overall(console, summary)
    if options.chart:
        differences = {
            problem: {name: t_interval(x, _CONFIDENCE) for name, x in result.differences.items()}
            for problem, result in results.items()
        }
        charts.draw_differences(options.chart, differences, "AdamW")
    libraries = {ADAMW.name: optax.adamw(1e-3)} | {name: to_optax(one, 1e-3) for name, one in programs.items()}
    costs = cost.measure(smallest, libraries, turns=10 if options.quick else 40, weights=1_000_000)
    ratios = print_costs(console, costs)
    averages = {
        name: {"rank": one["rank"], "difference": finite(one["difference"]) if "difference" in one else None}
        for name, one in summary.items()
    }
    print(json.dumps({"seeds": seeds, "problems": figures(results), _ALL: averages, "library": ratios}))


if __name__ == "__main__":
    main()
