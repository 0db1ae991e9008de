"""Searches within a hard limit, compared on an enumerated real space: docs/results/tabnas.md tells what came out.

    python benchmarks/tabnas_table.py [--quick] [--chart FILE]

All networks of a three-layer TabNAS space have been trained on one table (benchmarks/tabnas/table.py), so that a search
is a walk through a file. Quality is Q = 1 - cross-entropy, as in TabNAS's toy: accuracy on a few thousand rows orders
networks less surely. Each method's own setting is chosen on other seeds than those that are reported.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import process

process.fix()

from isozyme.benchmarks.charts.svg import svg  # noqa: E402
from isozyme.benchmarks.tabnas import replay  # noqa: E402
from isozyme.benchmarks.tabnas.replay import Course, Method  # noqa: E402
from isozyme.benchmarks.tabnas.table import Landscape, landscape  # noqa: E402
from isozyme.search import NSGA2, AtMost, Crossover, RandomSearch, RegularizedEvolution  # noqa: E402
from isozyme.search.algorithms.feasible_only import FeasibleOnly  # noqa: E402
from isozyme.spaces.feasible import FeasibleSpace  # noqa: E402

_REPEATS, _QUICK = 200, 100
_SHOWN = (50, 100, 200)
_COLOURS = ("#56b4e9", "#0072b2", "#7b3294", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#8c564b")
_RATES, _POPULATIONS = (0.01, 0.03, 0.1, 0.3), (10, 20, 40, 80)
_BETAS = (-0.1, -0.5, -1.0, -2.0, -4.0)

Run = Callable[[Course, Any, range], np.ndarray]
"""(course, setting, seeds) to proposals [repeats, trials, layers]."""


class Result(NamedTuple):
    """What a method found.

    Attributes:
      setting: the one that was chosen: a rate, a population, or None.
      best: index of the best feasible network so far, [repeats, evaluations].
      evaluated: networks in a repeat, on average and at most as many as count.
    """

    setting: float | None
    best: np.ndarray
    evaluated: float


def _evolution(on: Course, population: int, seeds: range) -> np.ndarray:
    within = FeasibleSpace(on.space, on.limit)
    vary = FeasibleOnly(limit=on.limit)
    make = partial(RegularizedEvolution, population, max(2, population // 4), variation=vary)
    return replay.walk(make, within, on, seeds)


def _nsga2(on: Course, population: int, seeds: range) -> np.ndarray:
    """Learns the limit from trials."""
    make = partial(NSGA2, population, [AtMost("parameters", on.limit.limit)])
    return replay.walk(make, on.space, on, seeds)


def _nsga2_within(on: Course, population: int, seeds: range) -> np.ndarray:
    make = partial(NSGA2, population, variation=FeasibleOnly(Crossover(), on.limit))
    return replay.walk(make, FeasibleSpace(on.space, on.limit), on, seeds)


def _random(within: bool, on: Course, _: None, seeds: range) -> np.ndarray:
    return replay.walk(RandomSearch, FeasibleSpace(on.space, on.limit) if within else on.space, on, seeds)


def _policy(kind: str, number: float, on: Course, rate: float, seeds: range) -> np.ndarray:
    return replay.learn(Method(kind, number), rate, on, seeds)


METHODS: Mapping[str, tuple[Run, tuple[Any, ...]]] = {
    "TabNAS, N = 5": (partial(_policy, "rejection", 5), _RATES),
    "TabNAS, N = 50": (partial(_policy, "rejection", 50), _RATES),
    "exact": (partial(_policy, "exact", 0), _RATES),
    **{f"absolute, β = {beta:g}": (partial(_policy, "absolute", beta), _RATES) for beta in _BETAS},
    "evolution, feasible only": (_evolution, _POPULATIONS),
    "NSGA-II, feasible only": (_nsga2_within, _POPULATIONS),
    "NSGA-II": (_nsga2, _POPULATIONS),
    "random, feasible only": (partial(_random, True), (None,)),
    "random": (partial(_random, False), (None,)),
}
"""By name, how it runs and the settings to choose from."""


def measure(on: Course, name: str, repeats: int) -> Result:
    """Chooses a method's setting by the search split alone, and runs it.

    Args:
      on: where.
      name: of the method.
      repeats: seeds from 0 on; settings are compared on as many others.
    """
    run, settings = METHODS[name]
    seen = on.quality[..., 0].ravel()
    chosen = settings[0]
    if len(settings) > 1:
        seeds = range(1_000_000, 1_000_000 + repeats)
        means = [seen[replay.progress(on, run(on, setting, seeds))[:, -1]].mean() for setting in settings]
        chosen = settings[int(np.argmax(means))]
    rows = run(on, chosen, range(repeats))
    evaluated = [min(len(set(map(tuple, one))), replay.EVALUATIONS) for one in rows.tolist()]
    return Result(chosen, replay.progress(on, rows), float(np.mean(evaluated)))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean over repeats and half of its 95 % interval (normal)."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def summary(on: Course, fresh: np.ndarray, result: Result) -> dict[str, Any]:
    """Figures of one method.

    Args:
      on: where.
      fresh: accuracy and loss with fresh seeds, [k, k, k, 2, split].
      result: of the method.
    """
    search, final = (on.quality[..., split].ravel() for split in (0, 2))
    top, last = np.ravel_multi_index(on.best, on.parameters.shape), result.best[:, -1]
    by_number = {number: interval(final[result.best[:, number - 1]]) for number in _SHOWN}
    return {
        "setting": result.setting,
        "final_q": {str(number): [round(mean, 5), round(half, 5)] for number, (mean, half) in by_number.items()},
        "fresh_q": [round(one, 5) for one in interval(1.0 - fresh[..., 1, 2].ravel()[last])],
        "fresh_accuracy": [round(one, 5) for one in interval(fresh[..., 0, 2].ravel()[last])],
        "search_regret": [round(one, 5) for one in interval(search[top] - search[last])],
        "final_regret": round(float(final[top] - final[last].mean()), 5),
        "found": round(float((last == top).mean()), 4),
        "evaluated": round(result.evaluated, 1),
    }


def describe(on: Course, known: Landscape) -> dict[str, Any]:
    """The space and its best networks: widths, parameters, Q and accuracy on search and final splits, fresh Q."""

    def one(genes: tuple[int, ...]) -> dict[str, Any]:
        figures = {"q": on.quality[genes], "accuracy": known.score[genes], "fresh_q": 1.0 - known.fresh[genes][1]}
        rounded = {name: [round(float(values[split]), 4) for split in (0, 2)] for name, values in figures.items()}
        rounded = {name: values for name, values in rounded.items() if np.isfinite(values).all()}
        return {"widths": on.space.to_source(genes), "parameters": int(on.parameters[genes]), **rounded}

    def ranked(quality: np.ndarray) -> list[tuple[int, ...]]:
        order = np.argsort(-quality[on.feasible], kind="stable")
        return [tuple(genes) for genes in np.argwhere(on.feasible)[order].tolist()]

    def neck(genes: tuple[int, ...]) -> bool:
        return genes[1] < min(genes[0], genes[2])

    best, fresh = ranked(on.quality[..., 0]), ranked(1.0 - known.fresh[..., 1, 2])
    first = next(genes for genes in best if neck(genes))
    return {
        "networks": on.parameters.size, "feasible": len(best), "limit": int(on.limit.limit),
        "unconstrained": one(on.unconstrained), "best": one(on.best), "best_fresh": one(fresh[0]),
        "bottlenecks": {
            "share": round(float(np.mean([neck(genes) for genes in np.ndindex(on.parameters.shape)])), 3),
            "feasible_share": round(float(np.mean(list(map(neck, best)))), 3),
            "rank_of_best": 1 + best.index(first),
            "of_best_20": sum(map(neck, best[:20])),
            "of_best_20_fresh": sum(map(neck, fresh[:20])),
            "best": one(first),
        },
    }  # fmt: skip


def show(figures: Mapping[str, dict[str, Any]]) -> None:
    """Prints ranks and figures of all methods."""
    ranks = {number: sorted(figures, key=lambda name: -figures[name]["final_q"][str(number)][0]) for number in _SHOWN}
    head = [f"final Q at {number} (rank)" for number in _SHOWN]
    table = Table("", "setting", *head, "fresh Q, final", "fresh accuracy", "regret, search", "found", "evaluated")
    for name, one in figures.items():
        cells = [
            f"{one['final_q'][str(number)][0]:.4f} ± {one['final_q'][str(number)][1]:.4f} ({1 + order.index(name)})"
            for number, order in ranks.items()
        ]
        means = [
            f"{mean:.4f} ± {half:.4f}" for mean, half in (one["fresh_q"], one["fresh_accuracy"], one["search_regret"])
        ]
        setting = "" if one["setting"] is None else f"{one['setting']:g}"
        table.add_row(name, setting, *cells, *means, f"{one['found']:.2f}", f"{one['evaluated']:.0f}")  # fmt: skip
    Console(width=200).print(table)


def draw(path: Path, on: Course, fresh: np.ndarray, results: Mapping[str, Result]) -> None:
    """Q of the best feasible network so far by evaluations, with 95 % intervals, as SVG.

    Args:
      path: of the file.
      on: where.
      fresh: Q on the final split with fresh seeds, [k, k, k].
      results: of the methods.
    """
    at = np.unique(np.geomspace(1, replay.EVALUATIONS, 100).astype(int))  # All 200 would double the file.
    top = np.ravel_multi_index(on.best, on.parameters.shape)
    panels = {"search split": on.quality[..., 0], "final split": on.quality[..., 2], "final split, fresh seeds": fresh}
    with svg(path, (13.5, 4.2)) as figure:
        for axes, (title, quality) in zip(figure.subplots(1, 3), panels.items(), strict=True):
            colours = iter(_COLOURS)
            for name, result in results.items():
                colour = "grey" if name.startswith("absolute") else next(colours)  # These cannot be told apart.
                values = quality.ravel()[result.best[:, at - 1]]
                mean, half = values.mean(axis=0), 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
                axes.plot(at, mean, color=colour, lw=1, label=name, ls="--" if colour == "grey" else "-")
                axes.fill_between(at, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
            best = quality.ravel()[top]
            axes.axhline(best, color="black", lw=1, ls=":", label="best feasible by the search split")
            axes.set(xlabel="networks evaluated", ylabel="Q = 1 − cross-entropy", xlim=(0, replay.EVALUATIONS))
            axes.set_ylim(best - 0.02, best + 0.002)
            axes.set_title(title, fontsize=9)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def main() -> None:
    """Runs all methods, prints tables and one JSON line."""
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} repeats in place of {_REPEATS}")
    parser.add_argument("--chart", type=Path, help="where to draw the curves, as SVG")
    arguments = parser.parse_args()
    repeats = _QUICK if arguments.quick else _REPEATS
    began, known = time.perf_counter(), landscape()
    on = replay.course(known, 1.0 - known.loss)
    space = describe(on, known)
    print(json.dumps(space, indent=1))
    results = {name: measure(on, name, repeats) for name in METHODS}
    figures = {name: summary(on, known.fresh, result) for name, result in results.items()}
    show(figures)
    if arguments.chart:
        draw(arguments.chart, on, 1.0 - known.fresh[..., 1, 2], results)
    print(f"{repeats} repeats of {len(METHODS)} methods, {platform.machine()}: {time.perf_counter() - began:.0f} s")
    print(json.dumps({"space": space, "repeats": repeats, "methods": figures}))


if __name__ == "__main__":
    main()
