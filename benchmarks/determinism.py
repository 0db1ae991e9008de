"""What one trajectory for every timing costs: the order of numbers against the order of arrival.

    python benchmarks/determinism.py [--quick]

Four Ray workers evaluate for exponentially distributed times (they sleep, so that two cores are enough). In the order
of numbers, proposal i waits for all trials up to i - lag: a slow one holds the others up once the lag is used up.
Asynchronously, a new proposal is made as soon as fewer than lag trials are under way. Utilisation is the time spent
evaluating over workers times wall time. The same run on 1, 2 and 4 workers, with times that are shuffled anew, shows
whether its trajectory is the same.
"""

import argparse
import json
import os
import platform
import random
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyglove as pg
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import Outcome, Status, process
from isozyme.search import Controller, Journal, Maximize, RegularizedEvolution
from isozyme.search.executors.ray_cluster.cluster import Cluster
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.rules import Rules
from isozyme.spaces.template import TemplateSpace

_WORKERS = 4
_MEAN = 0.05  # seconds


class Sleeping:
    """Sleeps, then scores a candidate by the choices that differ from their neighbours."""

    def prepare(self) -> None:
        """Needs no data."""

    def setup(self, space: object, seed: int) -> None:
        """Needs no set-up."""

    def conditions(self, split: str) -> str:
        """Nothing that scores depend on changes."""
        return f"sleeping-1/{split}"

    def evaluate(self, jobs: list) -> list[Outcome]:
        """Takes a time that no seed determines."""
        time.sleep(random.expovariate(1 / _MEAN))
        return [Outcome(Status.OK, None, {"score": self._score(job.candidate)}) for job in jobs]

    def _score(self, choices: tuple[int, ...]) -> float:
        return float(sum((i + 1) * (a != b) for i, (a, b) in enumerate(pairwise(choices))))


class Run(NamedTuple):
    """What came of one search."""

    seconds: float
    utilisation: float
    trajectory: list[Any]


class Workers:
    """Workers that stay up between searches."""

    def __init__(self, count: int) -> None:
        self._count = count
        space = TemplateSpace([pg.oneof([0, 1, 2, 3]) for _ in range(20)])
        self._rules = Rules(space, [Maximize("score", 0.0)])
        evaluator: Any = Sleeping()
        self._executor = RayExecutor(evaluator, self._rules, Cluster(count, None, process.environment()))
        self._executor.conditions("search")

    def search(self, trials: int, lag: int, asynchronous: bool) -> Run:
        """One search in a folder of its own."""
        with tempfile.TemporaryDirectory(prefix="isozyme-bench-", dir=".") as folder:
            journal = Journal.open(Path(folder))
            rules = replace(self._rules, lag=lag, asynchronous=asynchronous)
            controller = Controller(rules, RegularizedEvolution(50, 5), journal, self._executor)
            began = time.perf_counter()
            progress = controller.run(trials)
            seconds = time.perf_counter() - began
            rows = [(t.number, t.candidate, t.parents, t.metrics, t.cached_from) for t in journal.trials(str)]
            journal.close()
        return Run(seconds, progress.evaluation_seconds / (self._count * seconds), rows)

    def close(self) -> None:
        """Stops the workers."""
        self._executor.close()


def main() -> None:
    """Measures, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and repeats")
    trials, repeats = (300, 1) if parser.parse_args().quick else (1000, 3)
    trajectories = []
    for count in (1, 2):
        workers = Workers(count)
        trajectories.append(workers.search(300, 2 * _WORKERS, asynchronous=False).trajectory)
        workers.close()
    workers = Workers(_WORKERS)
    trajectories.append(workers.search(300, 2 * _WORKERS, asynchronous=False).trajectory)
    runs: dict[tuple[bool, int], list[Run]] = {}
    for _ in range(repeats):
        for factor in (1, 2, 4):
            for asynchronous in (False, True):
                run = workers.search(trials, factor * _WORKERS, asynchronous)
                runs.setdefault((asynchronous, factor), []).append(run)
    workers.close()
    same = all(one == trajectories[0] for one in trajectories)
    report(runs, same, trials, repeats)


def report(runs: dict[tuple[bool, int], list[Run]], same: bool, trials: int, repeats: int) -> None:
    """Prints the table and the JSON line."""
    title = (
        f"{platform.machine()}, {os.cpu_count()} cores, {_WORKERS} workers, seed 0, {trials} trials, {repeats} repeats"
    )
    table = Table("order", "lag / workers", "s: median", "utilisation: median", "least", "most", title=title)
    for (asynchronous, factor), each in sorted(runs.items()):
        shares = [run.utilisation for run in each]
        table.add_row(
            "arrival" if asynchronous else "numbers",
            str(factor),
            f"{statistics.median(run.seconds for run in each):.1f}",
            f"{statistics.median(shares):.2f}",
            f"{min(shares):.2f}",
            f"{max(shares):.2f}",
        )
    Console().print(table)
    print(f"trajectory on 1, 2 and 4 workers: {'same' if same else 'different'}")
    rates = {key: statistics.median(run.utilisation for run in each) for key, each in runs.items()}
    print(
        json.dumps(
            {
                "same_trajectory": same,
                **{f"utilisation_lag_{factor}": rates[False, factor] for factor in (1, 2, 4)},
                **{f"utilisation_asynchronous_{factor}": rates[True, factor] for factor in (1, 2, 4)},
                **{f"price_at_lag_{factor}": rates[True, factor] / rates[False, factor] for factor in (1, 2, 4)},
            }
        )
    )


if __name__ == "__main__":
    main()
