"""Regularized (aging) evolution: Real, Aggarwal, Huang, Le, AAAI 2019, arXiv 1802.01548, algorithm 1."""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member, member, tournament
from isozyme.search.algorithms.variation import Mutation, Variation
from isozyme.search.objectives import Objective
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

    def setup(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> None:
        """Empties the population."""
        del stages
        vary: Variation = self.variation
        draw = partial(tournament, size=self.tournament_size, replacement=self.replacement)
        self._parts = space, vary, vary.parents, draw
        self._objective, self._initial = objectives[0], self.population_size
        self._population: deque[Member] = deque(maxlen=self._initial)

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """A child; for the first P trials, and as long as none has finished, a starting point."""
        space, vary, parents, draw = self._parts  # One look: attributes of symbolic objects are slow to read.
        population = self._population
        if number < self._initial or not population:
            return Proposal(space.initial(rng), operator="initial")
        return vary(space, [draw(population, rng=rng) for _ in range(parents)], rng)

    def feedback(self, trial: Trial) -> None:
        """Appends the trial; the oldest one leaves."""
        self._population.append(member(trial, self._objective))

    def snapshot(self) -> dict[str, Any]:
        """The population, oldest first."""
        return {"population": [one.number for one in self._population]}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Fills the population again."""
        self._population.extend(member(trial(number), self._objective) for number in snapshot["population"])
