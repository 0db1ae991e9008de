"""Stochastic hill climbing: the (1+1) evolution strategy of Rechenberg (1973) on any space."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member, member
from isozyme.search.algorithms.variation import Mutation
from isozyme.search.objectives import Cost, Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space


@pg.members([], serialization_key="isozyme.HillClimbing")
class HillClimbing(pg.Object):
    """Each proposal is a mutation of the best trial so far; of equally good ones of the latest.

    So the search drifts over plateaus, which programs have many of: changes without effect are stepping stones.
    """

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningHillClimbing":
        """Returns a run that knows no best."""
        return RunningHillClimbing(space, objectives[0].cost)


class RunningHillClimbing:
    """A run of `HillClimbing`.

    Args:
      space: what is searched.
      cost: of metrics; the less, the better.
    """

    def __init__(self, space: Space, cost: Cost) -> None:
        self._space, self._cost, self._vary = space, cost, Mutation().start(space)
        self._best: Member | None = None

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a neighbour of the best; a starting point as long as no trial has finished."""
        if self._best is None:
            return Proposal(self._space.initial(rng), operator="initial")
        return self._vary([self._best], rng)

    def feedback(self, trial: Trial) -> None:
        """Moves to a trial that is no worse. While all fail, that is every one: a random walk out of the failures."""
        found = member(trial, self._cost)
        if self._best is None or found.cost <= self._best.cost:
            self._best = found

    def snapshot(self) -> dict[str, Any]:
        """Returns the best."""
        return {"best": None if self._best is None else self._best.number}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Moves to the best."""
        if snapshot["best"] is not None:
            self._best = member(trial(snapshot["best"]), self._cost)
