"""Costs that a closed form gives, as symbolic objects: called with a candidate, and as tables over pairs of decisions.

Candidates are those of a template whose decisions are plain choices: tuples of indices, one a decision.

>>> from isozyme.spaces.costs import ParameterCount
>>> widths = [8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144]
>>> count = ParameterCount([widths] * 3, inputs=1027, outputs=1)
>>> count((3, 10, 2))  # 32-144-24
41153
>>> [table.shape for table in count.tables()]
[(1, 11), (11, 11), (11, 11)]
"""

import itertools
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyglove as pg


class CandidateCost(Protocol):
    """Says what a candidate costs without running it; symbolic, if experiments with it are to be stored."""

    def __call__(self, candidate: Any) -> float:
        """Returns the cost, at least 0."""
        ...


@runtime_checkable
class Tabulated(Protocol):
    """Writes a cost as a sum over pairs of neighbouring decisions, which exact limits need."""

    def tables(self) -> list[np.ndarray]:
        """Returns what pairs of neighbouring choices add, float [1 or choices before, choices] of each decision."""
        ...


def tables_of(cost: CandidateCost) -> list[np.ndarray]:
    """Returns the tables of a cost; raises `ValueError` where it has none."""
    if not isinstance(cost, Tabulated):
        raise ValueError(f"{type(cost).__name__} has no tables of what pairs of decisions add; name a cost that has")
    return cost.tables()


_COSTS: Any = pg.typing.List(pg.typing.List(pg.typing.Float(min_value=0.0), min_size=1), min_size=1)
_WIDTHS: Any = pg.typing.List(pg.typing.List(pg.typing.Int(min_value=1), min_size=1), min_size=1)


@pg.members(
    [("costs", _COSTS, "Of each decision, what each of its choices costs.")], serialization_key="isozyme.AdditiveCost"
)
class AdditiveCost(pg.Object):
    """Adds up what the choices cost, whatever the others are."""

    costs: list[list[float]]

    def _on_bound(self) -> None:
        super()._on_bound()
        self._costs = [tuple(row) for row in self.costs]  # Reading symbolic fields is slow.

    def __call__(self, candidate: Sequence[int]) -> float:
        """Returns the sum, from the first decision to the last."""
        return sum([row[choice] for row, choice in zip(self._costs, candidate, strict=True)])

    def tables(self) -> list[np.ndarray]:
        """Returns what pairs of neighbouring choices add, float [1 or choices before, choices] of each decision."""
        return additive_tables(self._costs)


@pg.members(
    [
        ("widths", _WIDTHS, "Of each hidden layer, the widths to choose from."),
        ("inputs", pg.typing.Int(min_value=1), "Numbers that the network takes."),
        ("outputs", pg.typing.Int(1, min_value=1), "Numbers that it returns."),
    ],
    serialization_key="isozyme.ParameterCount",
)
class ParameterCount(pg.Object):
    """Counts weights and biases of a feed-forward network: Σ h_i·h_{i+1} + h_{i+1}, from its inputs to its outputs."""

    widths: list[list[int]]
    inputs: int
    outputs: int

    def _on_bound(self) -> None:
        super()._on_bound()
        self._widths = [tuple(row) for row in self.widths]
        self._inputs, self._outputs = self.inputs, self.outputs

    def __call__(self, candidate: Sequence[int]) -> int:
        """Returns the number of parameters."""
        count, before = 0, self._inputs
        for row, choice in zip(self._widths, candidate, strict=True):
            count += _dense(before, row[choice])
            before = row[choice]
        return count + _dense(before, self._outputs)

    def tables(self) -> list[np.ndarray]:
        """Returns what pairs of neighbouring choices add, float [1 or choices before, choices] of each decision."""
        return parameter_tables(self._widths, self._inputs, self._outputs)


def additive_tables(costs: Sequence[Any] | np.ndarray) -> list[np.ndarray]:
    """Returns what choices cost as tables: of each decision, float [1, choices]."""
    return [np.asarray(row, np.float64)[None, :] for row in costs]


def parameter_tables(widths: Sequence[Any] | np.ndarray, inputs: int, outputs: int) -> list[np.ndarray]:
    """Returns parameters as tables: of each layer, float [widths of the layer before, widths]."""
    sizes = [np.asarray(row, np.float64) for row in ([inputs], *widths)]
    tables = [_dense(before[:, None], width) for before, width in itertools.pairwise(sizes)]
    if tables:
        tables[-1] += _dense(sizes[-1], outputs)
    return tables


def _dense(fan_in: Any, fan_out: Any) -> Any:
    """Counts weights and biases of one layer; of numbers and arrays."""
    return (fan_in + 1) * fan_out
