"""Rewards of quality Q and cost T with a target T0. All take numbers and arrays, of JAX too, and are symmetric in none:
with an exponent or weight β < 0 a higher cost is never worth more above the target.

The multiplicative ones expect Q ≥ 0: of a negative Q they would reward cost.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pyglove as pg


def mnasnet_soft(Q: Any, T: Any, T0: Any, beta: float = -0.07) -> Any:
    """Returns Q·(T/T0)^β: MnasNet, Tan et al., CVPR 2019, arXiv 1807.11626, with α = β = -0.07.

    T0 multiplies all rewards by the same number: it does not steer the search to a cost.
    """
    return Q * (T / T0) ** beta


def mnasnet_hard(Q: Any, T: Any, T0: Any, beta: float = -1.0) -> Any:
    """Returns Q up to the target, Q·(T/T0)^β beyond: MnasNet's α = 0, β = -1."""
    return capped(Q, T, T0, beta)


def capped(Q: Any, T: Any, T0: Any, beta: float) -> Any:
    """Returns Q·max(1, T/T0)^β: the capped reward that TabNAS compares with, Yang et al., NeurIPS 2022.

    TuNAS's code calls it 'mnas_hard', with the β of the soft one.
    """
    excess = T / T0 - 1.0
    return Q * (1.0 + (excess + abs(excess)) / 2.0) ** beta  # max(0, excess), for numbers and arrays alike.


def absolute(Q: Any, T: Any, T0: Any, beta: float = -0.1) -> Any:
    """Returns Q + β·|T/T0 - 1|: TuNAS, Bender et al., CVPR 2020, arXiv 2008.06120."""
    return Q + beta * abs(T / T0 - 1.0)


_ANY: Any = pg.typing.Any()  # pyright: ignore[reportCallIssue]
REWARDS: Mapping[str, Callable[[Any, Any, Any, float], Any]] = {
    "mnasnet_soft": mnasnet_soft,
    "mnasnet_hard": mnasnet_hard,
    "capped": capped,
    "absolute": absolute,
}


@pg.members(
    [
        ("kind", pg.typing.Enum("absolute", list(REWARDS)), "Which of the rewards of this file."),
        ("cost", pg.typing.Str(), "Name of the metric that is T."),
        ("target", pg.typing.Float(), "T0."),
        ("beta", pg.typing.Float(-0.1), "β."),
    ],
    serialization_key="isozyme.CostAware",
)
class CostAware(pg.Object):
    """Rewards trials by their metrics: the first objective is Q, a metric is T."""

    kind: str
    cost: str
    target: float
    beta: float

    def __call__(self, quality: float, metrics: Mapping[str, float]) -> float | None:
        """Returns the reward; None where the cost is missing."""
        cost = metrics.get(self.cost)
        return None if cost is None else float(REWARDS[self.kind](quality, cost, self.target, self.beta))


@pg.members(
    [
        ("kind", pg.typing.Enum("absolute", list(REWARDS)), "Which of the rewards of this file."),
        ("cost", _ANY, "Of a candidate: `ParameterCount` or another cost that has tables."),
        ("target", pg.typing.Float(), "T0."),
        ("beta", pg.typing.Float(-0.1), "β."),
    ],
    serialization_key="isozyme.Shaped",
)
class Shaped(pg.Object):
    """Rewards quality and cost together, as TuNAS and MnasNet do: costs beyond the target are discouraged only."""

    kind: str
    cost: Any
    target: float
    beta: float

    def __call__(self, quality: Any, cost: Any) -> Any:
        """Returns the reward; takes numbers and traced arrays."""
        return REWARDS[self.kind](quality, cost, self.target, self.beta)
