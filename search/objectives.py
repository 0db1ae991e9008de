"""Objectives: which metric, in which direction, and from where hypervolume is counted."""

import math
from collections.abc import Mapping
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

    def cost(self, metrics: Mapping[str, float]) -> float:
        """The metric turned so that less is better; infinite where it is missing."""
        value = metrics.get(self.metric)
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
