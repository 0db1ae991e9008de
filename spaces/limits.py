"""A hard limit on what a candidate may cost, where the cost is known without evaluating it."""

from typing import Any

import pyglove as pg

_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]


@pg.members(
    [
        ("cost", _ANY, "(candidate) to a number: a symbolic object, so that experiments can be stored."),
        ("limit", pg.typing.Float(), "T0: the most that a candidate may cost."),
        ("samples", pg.typing.Int(5, min_value=1), "N: draws that estimate the feasible probability, each time anew."),
        ("exact", pg.typing.Bool(False), "Whether that probability, and draws, are exact; the cost has to allow it."),
    ],
    serialization_key="isozyme.Limit",
)
class Limit(pg.Object):
    """What is feasible, as an option of `PolicyGradient`: TabNAS, Yang et al., NeurIPS 2022, arXiv 2204.07615."""

    cost: Any
    limit: float
    samples: int
    exact: bool

    def allows(self, candidate: Any) -> bool:
        """Whether a candidate is feasible."""
        return self.cost(candidate) <= self.limit
