"""What is searched in benchmarks/scale.py, and how: NK landscapes (Kauffman and Levin, 1987) on virtual workers."""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search import Controller, Journal, Maximize, Progress, Trial
from isozyme.search.controller.controller import Listener
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.simulated import SimulatedExecutor, Times, Usage
from isozyme.search.rules import Rules
from isozyme.spaces.template import TemplateSpace

SIZE, CHOICES, K = 20, 4, 3
OBJECTIVES = [Maximize("fitness", 0.0)]


def space() -> TemplateSpace:
    """Twenty four-way decisions."""
    return TemplateSpace([pg.oneof(list(range(CHOICES))) for _ in range(SIZE)])


class Landscape:
    """The mean of one table a decision, each indexed by that decision and K others: smooth, with epistasis.

    All values are uniform in [0, 1] and drawn from `seed`; `nap` is how many seconds an evaluation really sleeps.
    """

    def __init__(self, seed: int, nap: float = 0.0) -> None:
        rng = np.random.default_rng([seed, SIZE, K])
        self._nap, self._tables = nap, rng.random((SIZE, CHOICES ** (K + 1))).tolist()
        others = [[j for j in range(SIZE) if j != i] for i in range(SIZE)]
        self._neighbours = [[i, *rng.choice(others[i], K, replace=False).tolist()] for i in range(SIZE)]

    def prepare(self) -> None:
        """Needs no data."""

    def setup(self, space: object, seed: int) -> None:
        """Needs no set-up."""

    def conditions(self, split: str) -> str:
        """All landscapes of a run are one."""
        return f"nk-1/{split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Fitness in [0, 1]."""
        if self._nap:
            time.sleep(self._nap)
        return [Outcome(Status.OK, None, {"fitness": self._fitness(job.candidate)}) for job in jobs]

    def _fitness(self, candidate: Sequence[int]) -> float:
        total = 0.0
        for table, neighbours in zip(self._tables, self._neighbours, strict=True):
            index = 0
            for neighbour in neighbours:
                index = index * CHOICES + candidate[neighbour]
            total += table[index]
        return total / SIZE


class Workers(NamedTuple):
    """Virtual workers, and how the controller treats them."""

    number: int
    times: Times
    lag: int
    asynchronous: bool = False


class Run(NamedTuple):
    """What came of a simulated search.

    Attributes:
      usage: of the whole run.
      steady: of its middle: from when `lag` trials have been fed back until the last one is proposed.
      finished, fitness: of each trial, in the order of feedback; virtual seconds, and the metric.
      progress: what the controller counted.
      seconds: wall time of it all.
    """

    usage: Usage
    steady: Usage
    finished: np.ndarray
    fitness: np.ndarray
    progress: Progress
    seconds: float


def simulate(
    workers: Workers, algorithm: Any, trials: int, seed: int, price: float | None, listeners: Sequence[Listener] = ()
) -> Run:
    """A search by the real controller, with its journal in a folder below the current one.

    Args:
      workers: virtual ones.
      algorithm: who proposes.
      trials: more than twice the lag, for there to be a steady part.
      seed: of landscape, search and times.
      price: see `SimulatedExecutor`.
      listeners: see `Controller`.
    """
    rules = Rules(space(), OBJECTIVES, seed=seed, lag=workers.lag, asynchronous=workers.asynchronous)
    inner = InProcessExecutor(Landscape(seed), rules)
    executor = SimulatedExecutor(inner, rules, workers.number, workers.times, price=price)
    marks, finished, fitness = {}, [], []

    def watch(trial: Trial, progress: Progress) -> None:
        finished.append(trial.finished)
        fitness.append(trial.metrics["fitness"])
        if progress.trials in (workers.lag, trials - workers.lag):
            marks[progress.trials] = executor.usage()

    with journal() as opened:
        heard = [watch, *listeners]
        controller = Controller(rules, algorithm, opened, executor, listeners=heard, clock=executor.now)
        began = time.perf_counter()
        progress = controller.run(trials)
        seconds = time.perf_counter() - began
    usage = executor.usage()
    steady = marks[trials - workers.lag].since(marks[workers.lag]) if trials > 2 * workers.lag else usage
    return Run(usage, steady, np.array(finished), np.array(fitness), progress, seconds)


@contextlib.contextmanager
def journal() -> Any:
    """A fresh journal on the disk of the current folder."""
    with scratch() as folder, contextlib.closing(Journal.open(folder)) as opened:
        yield opened


@contextlib.contextmanager
def scratch() -> Any:
    """A folder that goes away again."""
    with tempfile.TemporaryDirectory(prefix="isozyme-scale-", dir=".") as folder:
        yield Path(folder)
