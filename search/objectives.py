"""Objectives: which metric, in which direction, and from where hypervolume is counted. Constraints: which limit."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyglove as pg

_MEMBERS: list[Any] = [
    ("metric", pg.typing.Str(), "Name of a metric of the evaluator or of the space."),
    ("reference", pg.typing.Float(), "The worst value that still counts in the hypervolume."),
]


@pg.members(_MEMBERS)
class Objective(pg.Object):
    """One axis of the Pareto front."""

    sign = 1.0

    def _on_bound(self) -> None:
        super()._on_bound()
        self._name: str = self.metric  # Reading a symbolic field takes as long as all the rest of `cost`, ten times.

    def cost(self, metrics: Mapping[str, float]) -> float:
        """The metric turned so that less is better; infinite where it is missing."""
        value = metrics.get(self._name)
        return math.inf if value is None else self.sign * value

    @property
    def reference_cost(self) -> float:
        """The reference, turned likewise."""
        return self.sign * self.reference


class Minimize(Objective):
    """Less is better."""


class Maximize(Objective):
    """More is better."""

    sign = -1.0


def cost_of(metric: str | None, objectives: Sequence[Objective]) -> Callable[[Mapping[str, float]], float]:
    """The cost of one metric: in the direction of the objective that names it, else less is better.

    Args:
      metric: None is that of the first objective.
      objectives: of the search.
    """
    if metric is None:
        return objectives[0].cost
    return next((o.cost for o in objectives if o.metric == metric), Minimize(metric, 0.0).cost)


@pg.members(
    [
        ("metric", pg.typing.Str(), "Name of a metric of the evaluator or of the space."),
        ("limit", pg.typing.Float(), "The worst value that satisfies it."),
    ]
)
class Constraint(pg.Object):
    """What a trial has to satisfy to be feasible."""

    sign = 1.0

    def _on_bound(self) -> None:
        super()._on_bound()
        self._name: str = self.metric
        self._limit: float = self.limit

    def violation(self, metrics: Mapping[str, float]) -> float:
        """How far the metric is beyond the limit: 0 if it is not, infinite where it is missing.

        In units of the limit's size, or of 1 if the limit is 0, so that violations of several metrics can be added.
        """
        value = metrics.get(self._name)
        if value is None:
            return math.inf
        return max(self.sign * (value - self._limit), 0.0) / (abs(self._limit) or 1.0)


class AtMost(Constraint):
    """The metric may not exceed the limit."""


class AtLeast(Constraint):
    """The metric may not fall below the limit."""

    sign = -1.0
