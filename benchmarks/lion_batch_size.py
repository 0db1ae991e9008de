"""Does Lion's gain over AdamW grow with batch size? (Lion, arXiv 2302.06675, section 4.6: batch size.)

    python benchmarks/lion_batch_size.py [--quick] [--equal examples|steps] [--chart FILE]

The paper trains for equal epochs at every batch size: AdamW is best at 256, Lion at 4,096, and below 64 it promises no
gain. So do we: a larger batch means fewer steps over the same stream of examples (--equal steps: the same number of
steps, hence more examples). Rate and decay of both are tuned at every batch size, at equal budget
(benchmarks/comparison/tuning.py). The tuned ones meet on the split 'final' with fresh seeds, which are paired between
optimizers and, by initial weights, between batch sizes.

The gain is the share of AdamW's held-out loss that Lion saves. The claim is tested by the slope of the gain on log2 of
the batch size: least squares for each seed, then Student's t over seeds. Intervals are of 95 % and hold what seeds
change, not what another tuning would.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

from isozyme.benchmarks.comparison import charts, problems  # noqa: E402
from isozyme.benchmarks.comparison.contestants import ADAMW, LION  # noqa: E402
from isozyme.benchmarks.comparison.problems import Data, Problem  # noqa: E402
from isozyme.benchmarks.comparison.tuning import FULL, QUICK, Grid, Tuned, final_losses, runner, tune  # noqa: E402
from isozyme.evaluators.optimizer.networks import MultiLayerPerceptron  # noqa: E402
from isozyme.evaluators.protocol import DataUnavailable  # noqa: E402
from isozyme.search.validation.paired_test import Interval, relative_differences, t_interval  # noqa: E402

_CONFIDENCE = 0.95
_EQUAL_STEPS = 128


class Course(NamedTuple):
    """A problem at several batch sizes; `examples` are seen in all at each."""

    name: str
    data: Data
    sizes: tuple[int, ...]
    examples: int

    def at(self, size: int, equal: str) -> Problem:
        """The problem at one batch size."""
        return Problem(self.name, self.data, size, self.examples // size if equal == "examples" else _EQUAL_STEPS)


class Row(NamedTuple):
    """What was found at one batch size: settings, losses float64 [seeds], and gains [seeds]."""

    steps: int
    adamw: Tuned
    lion: Tuned
    adamw_losses: np.ndarray
    lion_losses: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        """Shares of AdamW's loss that Lion saves."""
        return -relative_differences(self.lion_losses, self.adamw_losses)


def courses(quick: bool) -> Iterator[Course]:
    """A perceptron on MNIST and a transformer on text. 28 and 0.08 epochs; the largest batches take 32 steps."""
    try:
        data = problems.mnist(MultiLayerPerceptron, hidden=(64,))
        yield Course("mnist_mlp", data, (32, 256) if quick else (8, 32, 128, 512, 2048), 2**13 if quick else 2**16)
    except DataUnavailable as error:
        print(f"mnist_mlp is left out: {error}", flush=True)
    data = problems.text("python_source", context=16, width=24, heads=2, depth=1)
    yield Course("source_transformer", data, (16, 64) if quick else (8, 32, 128, 512), 2**11 if quick else 2**14)


def measure(problem: Problem, grid: Grid, seeds: int) -> Row:
    """Tunes both optimizers on one problem and trains with fresh seeds."""
    tuned, losses = [], []
    for contestant in (ADAMW, LION):
        run = runner(problem, contestant)
        tuned.append(tune(run, contestant.centre, grid))
        losses.append(final_losses(run, tuned[-1], grid, seeds))
    return Row(problem.steps, *tuned, *losses)


def slope(gains: np.ndarray, sizes: tuple[int, ...]) -> Interval:
    """Growth of the gain for each doubling of the batch size.

    Args:
      gains: [sizes, seeds].
      sizes: batch sizes.
    """
    if not np.isfinite(gains).all():
        return t_interval(np.full(2, np.inf), _CONFIDENCE)
    doublings = np.log2(sizes) - np.log2(sizes).mean()
    return t_interval(doublings @ gains / (doublings @ doublings), _CONFIDENCE)


def report(console: Console, course: Course, rows: dict[int, Row], seconds: float) -> Interval:
    """Prints the table of one course and the verdict on the claim; returns the slope."""
    table = Table("batch", "steps", "AdamW: rate", "decay", "loss", "Lion: rate", "decay", "loss", "Lion saves",
                  title=f"{course.name}; {seconds:.0f} s")  # fmt: skip
    for size, row in rows.items():
        gain = t_interval(row.gains, _CONFIDENCE)
        cells = []
        for tuned, losses in ((row.adamw, row.adamw_losses), (row.lion, row.lion_losses)):
            cells += [f"{tuned.rate:.2g}{'*' if tuned.at_edge else ''}", f"{tuned.decay:g}", f"{losses.mean():.4f}"]
        table.add_row(f"{size:,}", f"{row.steps:,}", *cells, percent(gain))
    console.print(table)
    found = slope(np.array([row.gains for row in rows.values()]), course.sizes)
    word = "grows" if found.low > 0 else "shrinks" if found.high < 0 else "shows no trend"
    console.print(f"{course.name}: Lion's gain {word} with batch size, {percent(found)} a doubling\n")
    return found


def percent(value: Interval) -> str:
    """A mean and its interval."""
    return f"{100 * value.mean:+.1f} % ({100 * value.low:+.1f} to {100 * value.high:+.1f})"


def figures(rows: dict[int, Row], trend: Interval) -> dict[str, Any]:
    """Plain numbers of one course; what failed is None, since JSON has no infinity."""
    by_size = {}
    for size, row in rows.items():
        gain = t_interval(row.gains, _CONFIDENCE)
        by_size[size] = {
            "steps": row.steps,
            "adamw": {"rate": row.adamw.rate, "decay": row.adamw.decay, "loss": finite(row.adamw_losses.mean())},
            "lion": {"rate": row.lion.rate, "decay": row.lion.decay, "loss": finite(row.lion_losses.mean())},
            "gain": [finite(value) for value in gain],
        }
    return {"sizes": by_size, "slope": [finite(value) for value in trend]}


def finite(value: float) -> float | None:
    """The number, or None for one that is not finite."""
    return float(value) if np.isfinite(value) else None


def main() -> None:
    """Trains, prints a table a course and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two batch sizes, short runs, a small grid, 4 seeds")
    parser.add_argument("--equal", choices=["examples", "steps"], default="examples", help="at all batch sizes")
    parser.add_argument("--chart", type=Path, help="an SVG file to write")
    options = parser.parse_args()
    grid, seeds = (QUICK, 4) if options.quick else (FULL, 16)
    console = Console(width=140)
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, 1 thread; equal {options.equal}; {grid.runs} tuning runs for "
        f"each optimizer and batch size, then {seeds} fresh seeds; * a rate at an end of its range"
    )
    found, trends = {}, {}
    for course in courses(options.quick):
        began = time.perf_counter()
        rows = {size: measure(course.at(size, options.equal), grid, seeds) for size in course.sizes}
        trends[course.name] = report(console, course, rows, time.perf_counter() - began)
        found[course.name] = rows
    if options.chart:
        gains = {
            name: {size: t_interval(row.gains, _CONFIDENCE) for size, row in rows.items()}
            for name, rows in found.items()
        }
        charts.draw_gains(options.chart, gains)
    print(json.dumps({name: figures(rows, trends[name]) for name, rows in found.items()} | {"equal": options.equal}))


if __name__ == "__main__":
    main()
