"""The search for optimizers against the paper's baselines, at the same number of programs (Lion, arXiv 2302.06675).

    python benchmarks/lion_baselines.py [--quick] [--programs 20000] [--workers 1] [--seeds 1] [--chart FILE]

The search is that of launch/configs/lion.py:laptop. The baselines differ from it in one thing each: only AdamW's
constants are tuned (--patch=constants_only); programs are random (--patch=random_search; AdamW, its first trial, does
not count); or the cache is off (--config.equivalence.keys=off). Evaluations repeat exactly, so that without the cache
a search takes nearly the same path (its twins count at the hurdle): what the cache saves is time. Hence losses are
compared at the same number of evaluations too: as many as the method with the fewest had. The best program of each is
scored again with fresh seeds on data that no search sees. Each worker is a process that runs whole searches.
"""

import argparse
import json
import math
import multiprocessing
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

from isozyme.benchmarks.charts.svg import svg  # noqa: E402
from isozyme.benchmarks.lion import searches  # noqa: E402
from isozyme.benchmarks.lion.searches import Incumbent  # noqa: E402
from isozyme.launch import Experiment  # noqa: E402
from isozyme.launch.configs import lion  # noqa: E402
from isozyme.launch.overrides import override  # noqa: E402
from isozyme.launch.patches import patch  # noqa: E402
from isozyme.search.executors.in_process import InProcessExecutor  # noqa: E402
from isozyme.spaces.lion import NAMED  # noqa: E402

_QUICK = 300  # programs
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00")  # Told apart by the colour-blind too.

METHODS: Mapping[str, Callable[[Experiment], Experiment]] = {
    "search": lambda experiment: experiment,
    "constants of AdamW": lambda experiment: patch(experiment, "constants_only"),
    "random search": lambda experiment: patch(experiment, "random_search"),
    "without the cache": lambda experiment: override(experiment, "equivalence.keys", "off"),
}


class Result(NamedTuple):
    """What one method found with one seed.

    Attributes:
      incumbents: best programs so far; losses are shares of what a uniform guess gets.
      selection: loss of the last one on the selection split, with fresh seeds.
      adamw: AdamW's there.
      evaluations: programs that owned their behaviour.
      hits: the others, by the key that found their twin.
      hours: of wall time, the scores of `selection` not included.
    """

    incumbents: list[Incumbent]
    selection: float
    adamw: float
    evaluations: int
    hits: dict[str, int]
    hours: float

    def loss(self, evaluations: int | None = None) -> float:
        """The least loss after so many evaluations, or after all; infinite before there was any."""
        known = [one.loss for one in self.incumbents if evaluations is None or one.evaluations <= evaluations]
        return known[-1] if known else math.inf


def measure(name: str, seed: int, programs: int, quick: bool) -> Result:
    """Runs one method with one seed."""
    base = _base(seed, quick)
    experiment, executor = METHODS[name](base), _executor(seed, quick)
    searches.assess(base, executor, NAMED["adamw"], "search")  # Whoever comes first would pay for compiling.
    incumbents, progress, seconds = searches.search(experiment, executor, programs)
    best = incumbents[-1].program if incumbents else None
    selection, adamw = (
        math.inf if one is None else searches.assess(base, executor, one, "selection") for one in (best, NAMED["adamw"])
    )
    return Result(incumbents, selection, adamw, progress.unique, dict(progress.hits), seconds / 3600)


def _base(seed: int, quick: bool) -> Experiment:
    experiment = override(lion.laptop(), "seed", str(seed))
    if not quick:
        return experiment
    return override(patch(experiment, "cheaper?factor=5"), "search.population_size", "50")


@cache
def _executor(seed: int, quick: bool) -> InProcessExecutor:
    """One for all methods, whose evaluators are the same."""
    return searches.in_process(_base(seed, quick))


def figures(results: Sequence[Result], fewest: Sequence[int], programs: int) -> dict[str, list[float | None]]:
    """Figures of one method, a list over seeds each; None where nothing had a loss.

    Args:
      results: by seed.
      fewest: by seed, evaluations of the method with the fewest.
      programs: of each search.
    """
    found: dict[str, list[float]] = {
        "loss": [one.loss() for one in results],
        "loss_at_equal_evaluations": [one.loss(n) for one, n in zip(results, fewest, strict=True)],
        "selection_loss": [one.selection for one in results],
        "selection_loss_over_adamw": [one.selection / one.adamw for one in results],
        "evaluations": [one.evaluations for one in results],
        "static_hits": [one.hits.get("static", 0) for one in results],
        "numeric_hits": [one.hits.get("numeric", 0) for one in results],
        "hours": [one.hours for one in results],
        "programs_per_hour": [programs / one.hours for one in results],
    }
    return {name: [v if math.isfinite(v) else None for v in values] for name, values in found.items()}


_COLUMNS = {
    "loss": "{:.4f}", "loss_at_equal_evaluations": "{:.4f}", "selection_loss": "{:.4f}",
    "selection_loss_over_adamw": "{:.3f}", "evaluations": "{:,.0f}", "static_hits": "{:,.0f}",
    "numeric_hits": "{:,.0f}", "hours": "{:.3f}", "programs_per_hour": "{:,.0f}",
}  # fmt: skip


def show(by_method: Mapping[str, Mapping[str, Sequence[float | None]]], title: str) -> None:
    """Prints medians over seeds, and the least and the most where there are several."""
    table = Table("", *[name.replace("_", " ") for name in _COLUMNS], title=title)
    for method, found in by_method.items():
        table.add_row(method, *[_cell(found[name], form) for name, form in _COLUMNS.items()])
    Console(width=180).print(table)


def _cell(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "none"
    middle = form.format(np.median(known))
    return middle if len(values) == 1 else f"{middle} ({form.format(min(known))} to {form.format(max(known))})"


def draw(path: Path, results: Mapping[str, Sequence[Result]], programs: int) -> None:
    """The least loss so far by programs and by evaluations, a line for every seed, as SVG."""
    with svg(path, (9.4, 3.6)) as figure:
        panels: Any = figure.subplots(1, 2, sharey=True)
        for axes, which in zip(panels, ("programs", "evaluations"), strict=True):
            for colour, (name, each) in zip(_COLOURS, results.items(), strict=True):
                for seed, one in enumerate(each):
                    end = [programs if which == "programs" else one.evaluations] * bool(one.incumbents)
                    at = [getattr(incumbent, which) for incumbent in one.incumbents]
                    losses = [incumbent.loss for incumbent in one.incumbents]
                    axes.step([*at, *end], [*losses, *losses[-1:]], where="post", color=colour, lw=1,
                              label=name if seed == 0 else None)  # fmt: skip
            axes.set(xscale="log", xlabel=which)
        panels[0].set_ylabel("least loss in the search (1: uniform guess)")
        panels[0].legend(fontsize=8)


def main() -> None:
    """Runs all methods, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} programs on tasks of a fifth of the steps")
    parser.add_argument("--programs", type=int, default=20_000, help="of each search")
    parser.add_argument("--workers", type=int, default=1, help="searches at once")
    parser.add_argument("--seeds", type=int, default=1, help="searches of each method")
    parser.add_argument("--chart", type=Path, help="where to draw the curves, as SVG")
    options = parser.parse_args()
    programs, seeds = (_QUICK if options.quick else options.programs), range(options.seeds)
    order = list(product(seeds, METHODS))  # Searches that share executables are neighbours.
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(measure, name, seed, programs, options.quick) for seed, name in order]
        by_search = {key: one.result() for key, one in zip(order, found, strict=True)}
    results = {name: [by_search[seed, name] for seed in seeds] for name in METHODS}
    fewest = [min(results[name][seed].evaluations for name in METHODS) for seed in seeds]
    by_method = {name: figures(each, fewest, programs) for name, each in results.items()}
    title = (
        f"{platform.machine()}, {options.workers} at once; {programs:,} programs a search, {len(seeds)} seeds from 0"
    )
    show(by_method, title)
    adamw = [by_search[seed, "search"].adamw for seed in seeds]
    print("AdamW's selection loss:", ", ".join(f"{loss:.4f}" for loss in adamw))
    if options.chart:
        draw(options.chart, results, programs)
    print(json.dumps({"programs": programs, "seeds": len(seeds), "equal_evaluations": fewest, "adamw": adamw,
                      "methods": by_method}))  # fmt: skip


if __name__ == "__main__":
    main()
