"""Objectives: which metric, in which direction, and from where hypervolume is counted. Constraints: which limit."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyglove as pg

_MEMBERS: list[Any] = [
    ("metric", pg.typing.Str(), "Name of a metric of the evaluator or of the space."),
    ("reference", pg.typing.Float(), "The worst value that still counts in the hypervolume."),
]


Cost = Callable[[Mapping[str, float]], float]


@pg.members(_MEMBERS, serialization_key="isozyme.Objective")
class Objective(pg.Object):
    """One axis of the Pareto front."""

    sign = 1.0
    direction = "minimize"

    @property
    def cost(self) -> Cost:
        """A function of metrics: the objective's, turned so that less is better, infinite where it is missing.

        Where trials pass, ask for it once: reading fields of symbolic objects takes longer than calling it.
        """
        metric, sign = self.metric, self.sign

        def cost(metrics: Mapping[str, float]) -> float:
            value = metrics.get(metric)
            return math.inf if value is None else sign * value

        return cost

    @property
    def reference_cost(self) -> float:
        """The reference, turned likewise."""
        return self.sign * self.reference


@pg.members([], serialization_key="isozyme.Minimize")
class Minimize(Objective):
    """Less is better."""


@pg.members([], serialization_key="isozyme.Maximize")
class Maximize(Objective):
    """More is better."""

    sign = -1.0
    direction = "maximize"


DIRECTIONS: Mapping[str, type[Objective]] = {kind.direction: kind for kind in (Minimize, Maximize)}


def objective_to_json(objective: Objective) -> list[Any]:
    """Returns an objective as plain JSON: direction, metric and reference."""
    return [objective.direction, objective.metric, objective.reference]


def objective_from_json(value: Any) -> Objective:
    """Reads what `objective_to_json` returned; nothing of it is executed.

    Raises:
      ValueError: it is no objective.
    """
    match value:
        case [str(direction), str(metric), float(reference)] if direction in DIRECTIONS:
            return DIRECTIONS[direction](metric, reference)
    raise ValueError(f"{value!r:.80} is no objective")


def cost_of(metric: str | None, objectives: Sequence[Objective]) -> Cost:
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
    ],
    serialization_key="isozyme.Constraint",
)
class Constraint(pg.Object):
    """What a trial has to satisfy to be feasible."""

    sign = 1.0

    @property
    def violation(self) -> Cost:
        """A function of metrics: how far the metric is beyond the limit, 0 if it is not, infinite where it is missing.

        In units of the limit's size, or of 1 if the limit is 0, so that violations of several metrics can be added.
        Where trials pass, ask for it once, as for `Objective.cost`.
        """
        metric, limit, sign = self.metric, self.limit, self.sign
        unit = abs(limit) or 1.0

        def violation(metrics: Mapping[str, float]) -> float:
            value = metrics.get(metric)
            return math.inf if value is None else max(sign * (value - limit), 0.0) / unit

        return violation


@pg.members([], serialization_key="isozyme.AtMost")
class AtMost(Constraint):
    """The metric may not exceed the limit."""


@pg.members([], serialization_key="isozyme.AtLeast")
class AtLeast(Constraint):
    """The metric may not fall below the limit."""

    sign = -1.0
