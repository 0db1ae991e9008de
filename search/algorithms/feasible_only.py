"""Variation within a limit: the answer of evolution to what TabNAS does for policies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member
from isozyme.search.algorithms.variation import Mutation, Parent, RunningVariation
from isozyme.search.protocol import Proposal
from isozyme.spaces.costs import CandidateCost
from isozyme.spaces.limits import Limit
from isozyme.spaces.protocol import Space

_VARIATION: Any = pg.typing.Any(Mutation())  # pyright: ignore[reportCallIssue]
_TRIES = 1_000


@pg.members(
    [
        ("variation", _VARIATION, "Makes the children."),
        ("limit", pg.typing.Object(Limit), "What a child may cost."),
    ],
    serialization_key="isozyme.FeasibleOnly",
)
class FeasibleOnly(pg.Object):
    """Varies the parents until the child is feasible: costs are free to compute, evaluations are not.

    A child of feasible parents has the distribution of the variation given that it is feasible. With `Mutation`, in a
    template whose decisions have equally many choices, that is uniform over the feasible neighbours. A parent that has
    none (in 1,000 tries) is proposed again, a twin that costs no evaluation.

    From an infeasible first parent, such as a starting point, the tries go on from the cheapest child so far, until one
    is feasible; so that child may be several steps away. `FeasibleSpace` draws feasible starting points.
    """

    variation: Any
    limit: Limit

    def start(self, space: Space) -> "RunningFeasibleOnly":
        """Returns the variation of a space, with the limit."""
        return RunningFeasibleOnly(self.variation.start(space), self.limit)


class RunningFeasibleOnly:
    """`FeasibleOnly` in one space.

    Args:
      variation: makes the children.
      limit: what a child may cost.
    """

    def __init__(self, variation: RunningVariation, limit: Limit) -> None:
        self._cost: CandidateCost = limit.cost
        self._vary, self._limit = variation, limit.limit
        self.parents = variation.parents

    def __call__(self, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """Returns a feasible child, with the lineage and the operator of its variation.

        Raises:
          ValueError: none was found on the way down from an infeasible parent.
        """
        first, *others = parents
        least = self._cost(first.candidate)
        feasible = least <= self._limit
        for _ in range(_TRIES):
            proposal = self._vary([first, *others], rng)
            cost = self._cost(proposal.candidate)
            if cost <= self._limit:
                return proposal
            if not feasible and cost < least:
                first, least = Member(0.0, first.number, proposal.candidate), cost
        if feasible:
            return Proposal(first.candidate, (first.number,), "identity")
        raise ValueError(f"no child of {_TRIES:,} costs at most {self._limit:.10g}; the cheapest costs {least:.10g}")
