"""Restarts from the best: as in the search for Lion (Chen et al. 2023, arXiv 2302.06675, section 2)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.nested import inward, outward
from isozyme.search.algorithms.population import Member, member
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Algorithm, Proposal, Trial
from isozyme.spaces.protocol import Space

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
_NOBODY = Member(math.inf, -1, None)


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

    def setup(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> None:
        """Starts from the space's starting point."""
        self._space, self._objectives, self._stages = space, objectives, stages
        self._patience: int = self.patience
        self._inner: Algorithm = self.algorithm
        self._best, self._last = _NOBODY, -1
        self._restart()

    def _restart(self) -> None:
        """Begins a life whose trials are those with higher numbers than all so far."""
        self._first, self._start, self._waited = self._last + 1, self._best, 0
        space: Any = _StartingAt(self._space, self._start.candidate) if self._start.cost < math.inf else self._space
        self._inner.setup(space, self._objectives, self._stages)

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """The algorithm's proposal."""
        return outward(self._inner.propose(number - self._first, rng), lambda own: own + self._first)

    def feedback(self, trial: Trial) -> None:
        """Passes it on, and restarts if that was one too many without improvement."""
        self._inner.feedback(inward(trial, self._inner_number))
        self._last = max(self._last, trial.number)
        found = member(trial, self._objectives[0])
        self._waited += 1
        if found.cost < self._best.cost:
            self._best, self._waited = found, 0
        elif self._waited >= self._patience:
            self._restart()

    def _inner_number(self, number: int) -> int:
        return number - self._first

    def snapshot(self) -> dict[str, Any] | None:
        """The best, where this life began, and the algorithm's own."""
        inner = self._inner.snapshot()
        if inner is None:
            return None
        numbers = {"best": self._best.number, "start": self._start.number, "first": self._first, "last": self._last}
        return {**numbers, "waited": self._waited, "algorithm": inner}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Begins the same life again."""

        def known(number: int) -> Member:
            return member(trial(number), self._objectives[0]) if number != _NOBODY.number else _NOBODY

        self._best, self._last = known(snapshot["start"]), snapshot["first"] - 1
        self._restart()
        self._best, self._last, self._waited = known(snapshot["best"]), snapshot["last"], snapshot["waited"]
        self._inner.restore(snapshot["algorithm"], lambda own: inward(trial(own + self._first), self._inner_number))


class _StartingAt:
    """A space with another starting point."""

    def __init__(self, space: Space, start: Any) -> None:
        self._space, self._start = space, start

    def initial(self, rng: np.random.Generator) -> Any:
        """The starting point, for every member of the first population."""
        del rng
        return self._start

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)
