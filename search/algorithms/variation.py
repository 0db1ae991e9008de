"""Variation: how a proposal is made of its parents, which any algorithm that has some can use."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member
from isozyme.search.protocol import Proposal
from isozyme.spaces.protocol import Space

_TRIES = 1_000


class Parent(Protocol):
    """What is varied: a `Member`, or another record of a trial."""

    @property
    def number(self) -> int: ...
    @property
    def candidate(self) -> Any: ...


class Variation(Protocol):
    """Makes a child of one parent or more."""

    @property
    def parents(self) -> int:
        """How many it takes."""
        ...

    def __call__(self, space: Space, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """A child, with its lineage and the name of the operator that made it."""
        ...


@pg.members(
    [
        (
            "identity",
            pg.typing.Float(0.0, min_value=0.0, max_value=1.0),
            "Share of children that are copies of their parent: 0.05 in AmoebaNet's search, 0.1 in AutoML-Zero's.",
        ),
    ],
    serialization_key="isozyme.Mutation",
)
class Mutation(pg.Object):
    """One of the space's operators, each equally likely, drawn again until it applies; `mutate` where it names none.

    A copy is evaluated again where evaluations are noisy and nothing is cached (arXiv 1802.01548, section 3.1).
    """

    identity: float

    parents = 1

    def _on_bound(self) -> None:
        super()._on_bound()
        self._identity: float = self.identity  # Reading a symbolic field takes as long as a whole tournament.

    def __call__(self, space: Space, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """A child of the first parent.

        Raises:
          ValueError: no operator of the space applies to the parent.
        """
        parent = parents[0]
        lineage = (parent.number,)
        if self._identity and rng.random() < self._identity:
            return Proposal(parent.candidate, lineage, "identity")
        operators = getattr(space, "operators", None)
        if not operators:
            return Proposal(space.mutate(parent.candidate, rng), lineage, "mutate")
        names = tuple(operators)
        for _ in range(_TRIES):
            name = names[rng.integers(len(names))]
            child = operators[name](parent.candidate, rng)
            if child is not None:
                return Proposal(child, lineage, name)
        raise ValueError(f"none of {', '.join(names)} applied to {parent.candidate!r} in {_TRIES} tries")


@pg.members(
    [
        ("rate", pg.typing.Float(0.9, min_value=0.0, max_value=1.0), "Share of children that have two parents."),
        ("mutation", pg.typing.Object(Mutation, default=Mutation()), "What happens to every child afterwards."),
    ],
    serialization_key="isozyme.Crossover",
)
class Crossover(pg.Object):
    """The space's `cross` of two parents, then mutation; mutation alone where the space offers no `cross`."""

    rate: float
    mutation: Mutation

    parents = 2

    def _on_bound(self) -> None:
        super()._on_bound()
        self._rate, self._mutation = self.rate, self.mutation

    def __call__(self, space: Space, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """A child of two parents, or of the first alone."""
        first, second = parents
        cross = getattr(space, "cross", None)
        if cross is None or rng.random() >= self._rate:
            return self._mutation(space, parents, rng)
        crossed = cross(first.candidate, second.candidate, rng)
        mutated = self._mutation(space, [Member(0.0, first.number, crossed)], rng)
        return Proposal(mutated.candidate, (first.number, second.number), f"cross+{mutated.operator}")
