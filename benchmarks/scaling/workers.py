"""How many workers one controller feeds."""

import contextlib
import time
import tracemalloc
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from isozyme.benchmarks.scaling.landscape import OBJECTIVES, Landscape, Run, Workers, journal, simulate, space
from isozyme.search import Controller, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.simulated import SimulatedExecutor, exponential
from isozyme.search.rules import Rules

EVALUATIONS = (0.1, 1.0, 60.0, 3600.0)  # seconds
AIM = 0.9
MEMORY = 16e9  # bytes that trials under way may take
_AROUND = (0.8, 1.0, 1.25, 1.5)  # workers, in multiples of what the controller's time allows
_MANY = 2_000  # workers with evaluations of 0.1 s that no controller feeds: it never waits
_LARGEST = 10_000  # workers, simulated
_NAP, _FIRST = 0.025, 20  # seconds an evaluation on Ray; trials until workers have started


class Point(NamedTuple):
    """A simulation: `price` is the controller's time for each evaluation, in seconds."""

    seconds: float
    workers: int
    utilisation: float
    price: float


class Figures(NamedTuple):
    """What was measured.

    Attributes:
      prices: seconds of the controller for each evaluation when it never waits, one a repeat.
      twins: share of trials that cost the controller time and no evaluation.
      overhead: wall time of a simulation over the controller's part of it.
      points: simulations.
      bytes_in_flight: memory that a trial under way takes.
      ray_price: processor seconds of the controller's process for each evaluation on two Ray workers.
    """

    prices: list[float]
    twins: float
    overhead: float
    points: list[Point]
    bytes_in_flight: float
    ray_price: float

    @property
    def price(self) -> float:
        """Median price, in seconds."""
        return float(np.median(self.prices))

    def bound(self, seconds: float) -> float:
        """Workers that the controller's time allows at an evaluation time, in seconds, at the utilisation aimed at."""
        return seconds / self.price / AIM

    def bound_on_ray(self, seconds: float) -> float:
        """The same with the time that Ray's client takes of the controller's process."""
        return seconds / self.ray_price / AIM

    def bound_by_memory(self) -> float:
        """Workers with two trials under way for each that `MEMORY` has room for."""
        return MEMORY / self.bytes_in_flight / 2

    def kept(self, seconds: float) -> float | None:
        """Workers at the utilisation aimed at, between two simulations; None where all simulations are on one side."""
        points = sorted((p.workers, p.utilisation) for p in self.points if p.seconds == seconds)
        for (few, high), (many, low) in pairwise(points):
            if high >= AIM > low:
                return few + (many - few) * (high - AIM) / (high - low)
        return None


def _algorithm(lag: int) -> RegularizedEvolution:
    """A large population and a low pressure of selection: few trials are twins, which feed no worker."""
    return RegularizedEvolution(max(lag, 1_000), 2)


def _run(seconds: float, count: int, seed: int) -> Run:
    """Exponential times and two trials under way for each worker, fed back as they finish, so that only the controller
    keeps workers waiting. The steady part has three evaluations for each worker, and 2,000 at least."""
    lag = 2 * count
    workers = Workers(count, exponential(seconds), lag, asynchronous=True)
    return simulate(workers, _algorithm(lag), 2 * lag + max(3 * count, 2_000), seed, None)


def measure(quick: bool) -> Figures:
    """Measures; with `quick` only evaluations of 0.1 s are simulated around the bound."""
    memory = bytes_in_flight(2_000 if quick else 20_000)
    saturated = [_run(0.1, _MANY, seed) for seed in range(2 if quick else 5)]
    prices = [run.steady.controller / run.steady.answers for run in saturated]
    points = []
    for seconds in EVALUATIONS:
        bound = seconds / float(np.median(prices))
        counts = [round(bound * share) for share in _AROUND] if bound < 2 * _LARGEST else [_LARGEST]
        if quick and seconds > 0.1:
            counts = [1_000]
        for count in counts:
            steady = _run(seconds, count, 0).steady
            points.append(Point(seconds, count, steady.utilisation, steady.controller / steady.answers))
    progress = saturated[0].progress
    overhead = sum(run.seconds for run in saturated) / sum(run.usage.controller for run in saturated)
    twins = 1 - progress.unique / progress.trials
    return Figures(prices, twins, overhead, points, memory, ray_price(100 if quick else 400))


def bytes_in_flight(count: int) -> float:
    """Memory that Python holds for each trial under way, the simulated executor's part included."""
    seen = []

    def look(*_: object) -> None:
        if not seen:
            seen.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    rules = Rules(space(), OBJECTIVES, lag=count, asynchronous=True)
    executor = SimulatedExecutor(InProcessExecutor(Landscape(0), rules), rules, count, exponential(60.0), price=0.0)
    with journal() as opened:
        before = tracemalloc.get_traced_memory()[0]
        Controller(rules, _algorithm(count), opened, executor, listeners=[look]).run(count)
    tracemalloc.stop()
    return (seen[0] - before) / count


def ray_price(trials: int) -> float:
    """Processor seconds of this process for each evaluation, Ray's threads included; two workers, one call each."""
    from isozyme.evaluators import process
    from isozyme.search.executors.ray_cluster.cluster import Cluster
    from isozyme.search.executors.ray_cluster.executor import RayExecutor

    began: list[tuple[float, int]] = []

    def watch(trial: Any, progress: Any) -> None:
        if progress.trials == _FIRST:
            began.append((time.process_time(), progress.unique))

    rules = Rules(space(), OBJECTIVES, lag=8)
    executor = RayExecutor(Landscape(0, _NAP), rules, Cluster(2, None, process.environment(1)))
    with journal() as opened, contextlib.closing(executor):
        controller = Controller(rules, _algorithm(8), opened, executor, listeners=[watch])
        progress = controller.run(trials)
        (cpu, unique), now = began[0], time.process_time()
    return (now - cpu) / (progress.unique - unique)
