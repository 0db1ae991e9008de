"""Islands with migration: populations that evolve apart and now and then exchange candidates, as the processes of
AutoML-Zero do (Real, Liang, So, Le, ICML 2020, arXiv 2003.03384; there random ones, here good ones)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.nested import inward, outward
from isozyme.search.algorithms.population import NOBODY, member
from isozyme.search.objectives import Cost, Objective
from isozyme.search.protocol import Proposal, RunningAlgorithm, Trial
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("algorithm", _ANY, "What runs on each island."),
        ("islands", pg.typing.Int(4, min_value=2), "How many; trial i is on island i mod islands."),
        ("interval", pg.typing.Int(100, min_value=2), "An island's trials from one immigrant to the next."),
    ],
    serialization_key="isozyme.Islands",
)
class Islands(pg.Object):
    """Runs of an algorithm, each told only of its own trials; every so often one receives a neighbour's best.

    An immigrant is the best of the current interval on the island before, in a ring. It is proposed again as a trial
    of its new island: with a cache this costs no evaluation.
    """

    algorithm: Any
    islands: int
    interval: int

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningIslands":
        """Returns a run that starts the algorithm once an island."""
        runs = [self.algorithm.start(space, objectives, stages) for _ in range(self.islands)]
        return RunningIslands(runs, objectives[0].cost, self.interval)


class RunningIslands:
    """A run of `Islands`.

    Args:
      islands: the run of the algorithm on each of them.
      cost: of metrics, by which an island's best is told.
      interval: an island's trials from one immigrant to the next.
    """

    def __init__(self, islands: Sequence[RunningAlgorithm], cost: Cost, interval: int) -> None:
        self._islands, self._cost, self._interval = islands, cost, interval
        self._count = len(islands)
        self._best = [NOBODY] * self._count

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the island's proposal, or its immigrant."""
        own, island = divmod(number, self._count)
        immigrant = self._best[island - 1]
        if own % self._interval == self._interval - 1 and immigrant.cost < math.inf:
            return Proposal(immigrant.candidate, (immigrant.number,), "migrate")
        return outward(self._islands[island].propose(own, rng), lambda n: n * self._count + island)

    def feedback(self, trial: Trial) -> None:
        """Tells the trial's island, and keeps the best of the interval."""
        own, island = divmod(trial.number, self._count)
        if own % self._interval == 0:
            self._best[island] = NOBODY
        self._best[island] = min(self._best[island], member(trial, self._cost), key=lambda one: one.cost)
        self._islands[island].feedback(self._inward(trial, island))

    def _inward(self, trial: Trial, island: int) -> Trial:
        """Returns a trial as its island knows it, which knows no parents on other islands."""
        return inward(trial, lambda n: n // self._count if n % self._count == island else None)

    def snapshot(self) -> dict[str, Any] | None:
        """Returns the best of each island and the algorithms' own."""
        inner = [island.snapshot() for island in self._islands]
        if None in inner:
            return None
        return {"best": [best.number if best.cost < math.inf else None for best in self._best], "algorithms": inner}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Restores every island."""
        for island, (best, inner) in enumerate(zip(snapshot["best"], snapshot["algorithms"], strict=True)):
            self._best[island] = NOBODY if best is None else member(trial(best), self._cost)
            self._islands[island].restore(inner, self._lookup(island, trial))

    def _lookup(self, island: int, trial: Callable[[int], Trial]) -> Callable[[int], Trial]:
        return lambda own: self._inward(trial(own * self._count + island), island)
