"""Which choices keep a sum of costs within a limit, as tables that dynamic programs run over.

A trellis has one layer a decision. A state stands for all beginnings that leave the same continuations feasible; its
row of the layer's table names, for each choice, the state that follows. Tables hold no probabilities: they are made
once, in numpy, and serve every policy.

Two beginnings of the same costs and the same last choice are one state from the start. Then, from the last layer to
the first, states with equal rows become one, as in a reduced decision diagram (Bryant, 1986), so that what remains is
the smallest trellis: 25 states for the 8,000 networks of three layers and 20 widths under 41,153 parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_MOST = 200_000  # States of a layer before the reduction; with 20 choices each, a table of 16 MB.
_SLACK = 1e-9  # Sums of floats depend on their order in the last bits; the last layer compares without it.


@dataclass(frozen=True, slots=True, eq=False)
class Trellis:
    """Holds all feasible ways through some decisions; compared by identity, so that it can be a static argument of jit.

    Attributes:
      sizes: how many choices each decision has.
      tables: of each decision, int32 [states, choices]: the state of the next layer, or the number of states there
        where the choice leaves nothing feasible. The first layer has one state, as has the end. No row is without a
        feasible choice.
    """

    sizes: tuple[int, ...]
    tables: tuple[np.ndarray, ...]

    @property
    def feasible(self) -> bool:
        """Says whether anything is feasible; if not, there are no tables."""
        return bool(self.tables)


def build_trellis(costs: Sequence[np.ndarray], limit: float) -> Trellis:
    """Builds the trellis of all choices whose costs add up to at most `limit`.

    Sums are taken in double precision from the first decision to the last: exact for integers up to 2**53. The same
    costs and limit give the same object, so that what is compiled for a trellis is compiled once.

    Args:
      costs: of each decision, float [previous choices, choices], at least 0: what a choice costs after each choice of
        the decision before; one row where that does not matter.
      limit: the most that all may cost, by the same sums: 0.1 + 0.2 is more than 0.3.

    Raises:
      ValueError: costs are negative or not finite; or there are too many different sums to list.
    """
    costs = [np.asarray(table, np.float64) for table in costs]
    if (
        not costs
        or any(not np.isfinite(table).all() or table.size == 0 or table.min() < 0 for table in costs)
        or np.isnan(limit)
    ):
        raise ValueError("costs must be finite numbers of at least 0, one or more a decision, and the limit a number")
    return _built(tuple((table.shape, table.tobytes()) for table in costs), float(limit))


@lru_cache(maxsize=64)
def _built(content: tuple[tuple[tuple[int, ...], bytes], ...], limit: float) -> Trellis:
    costs = [np.frombuffer(raw).reshape(shape) for shape, raw in content]
    return Trellis(tuple(table.shape[1] for table in costs), _reduced(_reachable(costs, limit)))


def _reachable(costs: list[np.ndarray], limit: float) -> list[np.ndarray]:
    """Makes tables between all sums that can be reached and completed; -1 stands for none."""
    used, previous = np.zeros(1), np.zeros(1, np.int64)
    tables = []
    rests = _cheapest(costs)
    for number, (cost, rest) in enumerate(zip(costs, rests[1:], strict=True), 1):
        total = used[:, None] + (cost[previous] if len(cost) > 1 else cost)
        end = number == len(costs)
        state, choice = np.nonzero(total + rest <= limit + (0.0 if end else _SLACK * abs(limit)))
        table = np.full(total.shape, -1, np.int32)
        # What comes after the end depends on nothing; what comes after another decision perhaps not on the choice.
        sums = np.zeros(len(state)) if end else total[state, choice]
        kind = choice if not end and len(costs[number]) > 1 else np.zeros_like(choice)
        table[state, choice], used, previous = _distinct(sums, kind)
        tables.append(table)
        if len(used) > _MOST:
            raise ValueError(
                f"more than {_MOST:,} different sums after decision {number} of {len(costs)}; round the costs to a "
                "coarser grid, such as multiples of a thousandth of the limit"
            )
    return tables


def _cheapest(costs: list[np.ndarray]) -> list[np.ndarray]:
    """Returns by decision, and by the choice before it, the least that it and all later ones can cost; then 0."""
    rests = [np.zeros(1)]
    for cost in reversed(costs):
        rests.append((cost + rests[-1]).min(axis=1))
    return rests[::-1]


def _distinct(sums: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers the different pairs; returns the number of each, and sum and kind by number."""
    order = np.lexsort((sums, kind))
    sums, kind = sums[order], kind[order]
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(sums) != 0) | (np.diff(kind) != 0)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers, sums[new], kind[new]


def _reduced(tables: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Merges states with equal rows, from the last layer to the first, and leaves out those that lead nowhere."""
    reduced: list[np.ndarray] = []
    names = np.array([0, -1])  # New numbers by old ones; the last is that of none.
    for table in reversed(tables):
        rows, inverse = np.unique(names[table], axis=0, return_inverse=True)
        live = (rows >= 0).any(axis=1)
        if not live.any():
            return ()
        states = names.max() + 1
        reduced.append(np.where(rows >= 0, rows, states)[live].astype(np.int32))
        names = np.append(np.where(live, np.cumsum(live) - 1, -1)[inverse.reshape(-1)], -1)
    return tuple(reduced[::-1])
