"""Regularized (aging) evolution: Real, Aggarwal, Huang, Le, AAAI 2019, arXiv 1802.01548, algorithm 1."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space


@pg.members(
    [
        ("population_size", pg.typing.Int(100, min_value=1), "P: the newest trials, from which parents are drawn."),
        (
            "tournament_size",
            pg.typing.Int(25, min_value=1),
            "S: drawn uniformly with replacement; the best is the parent.",
        ),
    ]
)
class RegularizedEvolution(pg.Object):
    """The first P proposals are the space's initial candidates; each later one is a mutated tournament winner.

    The population is a queue: each trial leaves after P further ones, however good it is. A trial without a full
    score (a failure, or stopped at a hurdle) takes its place in the queue and loses every tournament against one with.
    """

    population_size: int
    tournament_size: int

    def setup(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Empties the population."""
        self._space, self._objective = space, objectives[0]
        self._population: deque[tuple[float, Trial]] = deque(maxlen=self.population_size)
        self._size = self.tournament_size

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """The child of a tournament's winner; ties keep the first drawn."""
        if number < self.population_size or not self._population:
            return Proposal(self._space.initial(rng))
        drawn = rng.integers(len(self._population), size=self._size).tolist()
        _, parent = min((self._population[i] for i in drawn), key=lambda member: member[0])
        return Proposal(self._space.mutate(parent.candidate, rng), (parent.number,))

    def feedback(self, trial: Trial) -> None:
        """Appends the trial; the oldest one leaves."""
        cost = self._objective.cost(trial.metrics) if trial.status is Status.OK else math.inf
        self._population.append((cost, trial))
