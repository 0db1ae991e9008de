"""NSGA-II: Deb, Pratap, Agarwal, Meyarivan, IEEE Transactions on Evolutionary Computation 6(2), 2002."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.algorithms.dominance import survivors
from isozyme.search.algorithms.population import tournament
from isozyme.search.algorithms.variation import Crossover, RunningVariation
from isozyme.search.objectives import Constraint, Objective
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space

_VARIATION: Any = pg.typing.Any(Crossover())  # pyright: ignore[reportCallIssue]


class Point(NamedTuple):
    """A trial in all objectives.

    Attributes:
      number: of the trial.
      candidate: what was tried.
      costs: less is better.
      violation: of all constraints together; infinite without a full score.
      rank: of its front when it last survived.
      crowding: its distance to its neighbours in that front.
    """

    number: int
    candidate: Any
    costs: tuple[float, ...]
    violation: float
    rank: int = 0
    crowding: float = 0.0


def _preference(point: Point) -> tuple[int, float]:
    """Orders points by the crowded-comparison operator: a lower rank, or the same and less crowded."""
    return point.rank, -point.crowding


@pg.members(
    [
        (
            "population_size",
            pg.typing.Int(100, min_value=2),
            "N: survivors; selection is after every N trials.",
        ),
        ("constraints", pg.typing.List(pg.typing.Object(Constraint), default=[]), "What a feasible trial satisfies."),
        ("variation", _VARIATION, "Makes a child of its parents."),
    ],
    serialization_key="isozyme.NSGA2",
)
class NSGA2(pg.Object):
    """Evolves an approximation of the Pareto front of all objectives.

    The first N proposals are the space's initial candidates; each later one is a child of winners of binary
    tournaments. Whenever N more trials have been fed back, the best N of these and the population survive: asynchrony
    shifts which trials meet, and makes nobody wait. Failures are dominated by everything; trials that repeat the costs
    of another survive only where room is left, which is our own addition.
    """

    population_size: int
    constraints: list[Constraint]
    variation: Any

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningNSGA2":
        """Returns a run with an empty population."""
        vary = self.variation.start(space)
        return RunningNSGA2(space, objectives, self.constraints, vary, self.population_size)


class RunningNSGA2:
    """A run of `NSGA2`.

    Args:
      space: what is searched.
      objectives: what for, all of them.
      constraints: what a feasible trial satisfies.
      variation: makes a child of its parents.
      size: N.
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint],
        variation: RunningVariation,
        size: int,
    ) -> None:
        self._space = space
        self._costs = [objective.cost for objective in objectives]
        self._violations = [constraint.violation for constraint in constraints]
        self._vary, self._size = variation, size
        self._population: list[Point] = []
        self._arrived: list[Point] = []

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a child; for the first N trials, and until as many have finished, a starting point."""
        if number < self._size or not self._population:
            return Proposal(self._space.initial(rng), operator="initial")
        winners = [tournament(self._population, 2, rng, key=_preference) for _ in range(self._vary.parents)]
        return self._vary(winners, rng)

    def feedback(self, trial: Trial) -> None:
        """Takes in the trial, and selects if it completes N."""
        self._arrived.append(self._point(trial))
        if len(self._arrived) == self._size:
            self._select()

    def _point(self, trial: Trial) -> Point:
        costs = tuple(cost(trial.metrics) for cost in self._costs)
        violation = math.inf
        if trial.status is Status.OK and math.inf not in costs:
            violation = sum(beyond(trial.metrics) for beyond in self._violations)
        return Point(trial.number, trial.candidate, costs, violation)

    def _select(self) -> None:
        points = self._population + self._arrived
        costs, violations = np.array([p.costs for p in points]), np.array([p.violation for p in points], float)
        found = zip(*(values.tolist() for values in survivors(costs, violations, self._size)), strict=True)
        self._population = [points[i]._replace(rank=rank, crowding=distance) for i, rank, distance in found]
        self._arrived = []

    def snapshot(self) -> dict[str, Any]:
        """Returns the population with ranks and distances, null for an infinite one: their fronts are gone in part."""
        population = [[p.number, p.rank, p.crowding if p.crowding < math.inf else None] for p in self._population]
        return {"population": population, "arrived": [p.number for p in self._arrived]}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Fills the population again."""
        for number, rank, distance in snapshot["population"]:
            crowding = math.inf if distance is None else distance
            self._population.append(self._point(trial(number))._replace(rank=rank, crowding=crowding))
        self._arrived = [self._point(trial(number)) for number in snapshot["arrived"]]
