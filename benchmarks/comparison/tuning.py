"""Tuning at equal budget, and the tuned ones against each other with fresh seeds."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from isozyme.benchmarks.comparison.contestants import Contestant
from isozyme.benchmarks.comparison.problems import Problem
from isozyme.evaluators.optimizer.training import Batches, train


class Grid(NamedTuple):
    """What every contestant is tried with, all on the split 'search'.

    First a wide range of rates without decay, one seed; then rates around the best of those, with each decay, the same
    seed; then the best points with the other seeds too, of which the least mean loss wins.

    Attributes:
      wide: multiples of the contestant's centre, ascending.
      near: multiples of the best of those, ascending.
      decays: summed over the steps of a run, ascending; with gradients of zero, weights would shrink by exp(-decay).
        Counted so, runs of few and of many steps share one range.
      kept: how many points meet all seeds.
      seeds: repeats 0, 1, …
    """

    wide: tuple[float, ...]
    near: tuple[float, ...]
    decays: tuple[float, ...]
    kept: int
    seeds: int

    @property
    def runs(self) -> int:
        """Training runs of one contestant on one problem."""
        return len(self.wide) + len(self.near) * len(self.decays) + self.kept * (self.seeds - 1)


def _powers(step: float, reach: int) -> tuple[float, ...]:
    """10^(i step) for i from -reach to reach."""
    return tuple(10 ** (i * step) for i in range(-reach, reach + 1))


FULL = Grid(_powers(1 / 2, 4), _powers(1 / 4, 1), (0.0, 0.1, 0.5, 2.0), kept=4, seeds=3)
QUICK = Grid(_powers(1, 2), _powers(1 / 3, 1), (0.0, 0.5), kept=2, seeds=2)


class Tuned(NamedTuple):
    """The best point of a grid, its mean loss in nats, and whether its rate lies at an end of the wide range."""

    rate: float
    decay: float
    loss: float
    at_edge: bool


Run = Callable[[str, int, float, float], float]
"""(split, repeat, rate, decay of the run) -> held-out cross-entropy in nats, infinite where training failed."""


def runner(problem: Problem, contestant: Contestant) -> Run:
    """Trains one contestant on one problem: one executable, since rate and decay are arguments of it."""
    network = problem.network

    @jax.jit
    def execute(rate: jax.Array, share: jax.Array, weights: jax.Array, batches: Batches) -> jax.Array:
        return train(network, contestant.update(network, rate, share), weights, batches)[0]

    def run(split: str, repeat: int, rate: float, decay: float) -> float:
        weights, batches = problem.start(split, repeat)
        share = decay / batches.rates.sum()  # In the step at the peak of the schedule, which is 1.
        loss = float(execute(np.float32(rate), np.float32(share), weights, batches))
        return loss if math.isfinite(loss) else math.inf

    return run


def tune(run: Run, centre: float, grid: Grid) -> Tuned:
    """The best point of the grid."""
    wide = {centre * factor: run("search", 0, centre * factor, 0.0) for factor in grid.wide}
    around = min(wide, key=lambda rate: wide[rate])
    points = [(around * factor, decay) for factor in grid.near for decay in grid.decays]
    losses = {point: [run("search", 0, *point)] for point in points}
    best = sorted(points, key=lambda point: losses[point][0])[: grid.kept]
    for point in best:
        losses[point] += [run("search", repeat, *point) for repeat in range(1, grid.seeds)]
    winner = min(best, key=lambda point: sum(losses[point]))
    inside = min(wide) < winner[0] < max(wide)
    return Tuned(*winner, sum(losses[winner]) / grid.seeds, not inside)


def final_losses(run: Run, tuned: Tuned, grid: Grid, seeds: int) -> np.ndarray:
    """Losses on the split 'final', float64 [seeds], with seeds that tuning has not met; paired by place."""
    return np.array([run("final", grid.seeds + i, tuned.rate, tuned.decay) for i in range(seeds)])
