"""Regularized (aging) evolution: Real, Aggarwal, Huang, Le, AAAI 2019, arXiv 1802.01548, algorithm 1."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member, member, tournament
from isozyme.search.algorithms.variation import Mutation, RunningVariation
from isozyme.search.objectives import Cost, Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space

_VARIATION: Any = pg.typing.Any(Mutation())  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("population_size", pg.typing.Int(100, min_value=1), "P: the newest trials, from which parents are drawn."),
        ("tournament_size", pg.typing.Int(25, min_value=1), "S: drawn uniformly; the best is the parent."),
        ("replacement", pg.typing.Bool(True), "Whether a tournament may draw a member twice; in Primer it may not."),
        ("variation", _VARIATION, "Makes a child of its parents."),
    ],
    serialization_key="isozyme.RegularizedEvolution",
)
class RegularizedEvolution(pg.Object):
    """The first P proposals are the space's initial candidates; each later one is a child of tournament winners.

    The population is a queue: each trial leaves after P further ones, however good it is. A trial without a full
    score (a failure, or stopped at a hurdle) takes its place in the queue and loses every tournament against one with.
    """

    population_size: int
    tournament_size: int
    replacement: bool
    variation: Any

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningEvolution":
        """Returns a run with an empty population."""
        sizes = self.population_size, self.tournament_size
        return RunningEvolution(space, objectives[0].cost, self.variation.start(space), *sizes, self.replacement)


class RunningEvolution:
    """A run of `RegularizedEvolution`.

    Args:
      space: what is searched.
      cost: of metrics; the less, the better.
      variation: makes a child of its parents.
      population_size: P.
      tournament_size: S.
      replacement: whether a tournament may draw a member twice.
    """

    def __init__(
        self,
        space: Space,
        cost: Cost,
        variation: RunningVariation,
        population_size: int,
        tournament_size: int,
        replacement: bool,
    ) -> None:
        self._space, self._cost, self._vary = space, cost, variation
        self._size, self._drawn, self._replacement = population_size, tournament_size, replacement
        self._population: deque[Member] = deque(maxlen=population_size)

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a child; for the first P trials, and as long as none has finished, a starting point."""
        population = self._population
        if number < self._size or not population:
            return Proposal(self._space.initial(rng), operator="initial")
        size, again, count = self._drawn, self._replacement, self._vary.parents
        return self._vary([tournament(population, size, rng, again) for _ in range(count)], rng)

    def feedback(self, trial: Trial) -> None:
        """Appends the trial; the oldest one leaves."""
        self._population.append(member(trial, self._cost))

    def snapshot(self) -> dict[str, Any]:
        """Returns the population, oldest first."""
        return {"population": [one.number for one in self._population]}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Fills the population again."""
        self._population.extend(member(trial(number), self._cost) for number in snapshot["population"])
