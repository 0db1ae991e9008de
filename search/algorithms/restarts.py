"""Restarts from the best: as in the search for Lion (Chen et al. 2023, arXiv 2302.06675, section 2)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.nested import inward, outward
from isozyme.search.algorithms.population import NOBODY, Member, member
from isozyme.search.objectives import Cost, Objective
from isozyme.search.protocol import Proposal, RunningAlgorithm, Trial
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("algorithm", _ANY, "What is started again."),
        (
            "patience",
            pg.typing.Int(min_value=1),
            "Trials without improvement before it is; those of its first population count.",
        ),
    ],
    serialization_key="isozyme.Restarts",
)
class Restarts(pg.Object):
    """Starts an algorithm afresh, from the best trial so far, whenever it has not improved on it for a while.

    Trials that were under way at a restart are told to the algorithm in its new life.
    """

    algorithm: Any
    patience: int

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningRestarts":
        """Returns a run whose first life starts from the space's starting point."""

        def begin(best: Member) -> RunningAlgorithm:
            place: Any = _StartingAt(space, best.candidate) if best.cost < math.inf else space
            return self.algorithm.start(place, objectives, stages)

        return RunningRestarts(begin, objectives[0].cost, self.patience)


class RunningRestarts:
    """A run of `Restarts`.

    Args:
      begin: starts the algorithm from the best so far.
      cost: of metrics, which is to fall.
      patience: trials without improvement before a restart.
    """

    def __init__(self, begin: Callable[[Member], RunningAlgorithm], cost: Cost, patience: int) -> None:
        self._begin, self._cost, self._patience = begin, cost, patience
        self._best, self._last = NOBODY, -1
        self._restart()

    def _restart(self) -> None:
        """Begins a life whose trials are those with higher numbers than all so far."""
        self._first, self._start, self._waited = self._last + 1, self._best, 0
        self._inner = self._begin(self._start)

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the algorithm's proposal."""
        return outward(self._inner.propose(number - self._first, rng), lambda own: own + self._first)

    def feedback(self, trial: Trial) -> None:
        """Passes it on, and restarts if that was one too many without improvement."""
        self._inner.feedback(inward(trial, self._inner_number))
        self._last = max(self._last, trial.number)
        found = member(trial, self._cost)
        self._waited += 1
        if found.cost < self._best.cost:
            self._best, self._waited = found, 0
        elif self._waited >= self._patience:
            self._restart()

    def _inner_number(self, number: int) -> int:
        return number - self._first

    def snapshot(self) -> dict[str, Any] | None:
        """Returns the best, where this life began, and the algorithm's own."""
        inner = self._inner.snapshot()
        if inner is None:
            return None
        numbers = {"best": self._best.number, "start": self._start.number, "first": self._first, "last": self._last}
        return {**numbers, "waited": self._waited, "algorithm": inner}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Begins the same life again."""

        def known(number: int) -> Member:
            return member(trial(number), self._cost) if number != NOBODY.number else NOBODY

        self._best, self._last = known(snapshot["start"]), snapshot["first"] - 1
        self._restart()
        self._best, self._last, self._waited = known(snapshot["best"]), snapshot["last"], snapshot["waited"]
        self._inner.restore(snapshot["algorithm"], lambda own: inward(trial(own + self._first), self._inner_number))


class _StartingAt:
    """A space with another starting point."""

    def __init__(self, space: Space, start: Any) -> None:
        self.wrapped, self._start = space, start

    def initial(self, rng: np.random.Generator) -> Any:
        """Returns the starting point, for every member of the first population."""
        return self._start

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)
