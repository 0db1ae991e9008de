"""A hard limit on what a candidate may cost, where the cost is known without evaluating it."""

from typing import Any

import pyglove as pg

from isozyme.spaces.costs import CandidateCost

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("cost", _ANY, "Of a candidate: a `CandidateCost`, such as `ParameterCount`."),
        ("limit", pg.typing.Float(), "T0: the most that a candidate may cost."),
    ],
    serialization_key="isozyme.Limit",
)
class Limit(pg.Object):
    """Says what is feasible: candidates that cost no more than the limit.

    Spaces, variations and policies take it whole.
    """

    cost: Any
    limit: float

    def _on_bound(self) -> None:
        super()._on_bound()
        self._cost: CandidateCost = self.cost  # Reading symbolic fields takes as long as computing a cost.
        self._limit: float = self.limit

    def allows(self, candidate: Any) -> bool:
        """Says whether a candidate is feasible."""
        return self._cost(candidate) <= self._limit

    def refusal(self, candidate: Any) -> str | None:
        """Says why a candidate is infeasible, in one line, or None."""
        cost = self._cost(candidate)
        return None if cost <= self._limit else f"costs {cost:.10g}, more than {self._limit:.10g}"
