"""Variation: how a proposal is made of its parents, which any algorithm that has some can use."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pyglove as pg

from isozyme.search.algorithms.population import Member
from isozyme.search.protocol import Proposal
from isozyme.spaces.abilities import Crossing, NamedOperators, offered
from isozyme.spaces.protocol import Space

_TRIES = 1_000


class Parent(Protocol):
    """What is varied: a `Member`, or another record of a trial."""

    @property
    def number(self) -> int: ...
    @property
    def candidate(self) -> Any: ...


class RunningVariation(Protocol):
    """Makes children in one space. What it remembers may save time, and changes no child."""

    @property
    def parents(self) -> int:
        """How many it takes, at least one."""
        ...

    def __call__(self, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """Returns a child, with its lineage and the name of the operator that made it."""
        ...


class Variation(Protocol):
    """The settings of a variation, a symbolic object; no run changes them."""

    def start(self, space: Space) -> RunningVariation:
        """Returns a new variation in a space, which knows of no other."""
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

    def start(self, space: Space) -> "RunningMutation":
        """Returns the mutation of a space."""
        return RunningMutation(space, self.identity)


class RunningMutation:
    """`Mutation` in one space.

    Args:
      space: of the parents.
      identity: share of children that are copies.
    """

    parents = 1

    def __init__(self, space: Space, identity: float) -> None:
        named = offered(space, NamedOperators)
        self._operators = tuple(named.operators.items()) if named is not None else ()
        self._mutate, self._identity = space.mutate, identity

    def __call__(self, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """Returns a child of the first parent.

        Raises:
          ValueError: no operator of the space applies to the parent.
        """
        parent = parents[0]
        lineage = (parent.number,)
        if self._identity and rng.random() < self._identity:
            return Proposal(parent.candidate, lineage, "identity")
        if not self._operators:
            return Proposal(self._mutate(parent.candidate, rng), lineage, "mutate")
        for _ in range(_TRIES):
            name, operator = self._operators[rng.integers(len(self._operators))]
            child = operator(parent.candidate, rng)
            if child is not None:
                return Proposal(child, lineage, name)
        names = ", ".join(name for name, _ in self._operators)
        raise ValueError(f"none of {names} applied to {parent.candidate!r} in {_TRIES} tries")


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

    def start(self, space: Space) -> "RunningCrossover":
        """Returns the crossover of a space."""
        return RunningCrossover(space, self.rate, self.mutation.start(space))


class RunningCrossover:
    """`Crossover` in one space.

    Args:
      space: of the parents.
      rate: share of children that have two parents.
      mutation: what happens to every child afterwards.
    """

    parents = 2

    def __init__(self, space: Space, rate: float, mutation: RunningMutation) -> None:
        self._crossing, self._rate, self._mutation = offered(space, Crossing), rate, mutation

    def __call__(self, parents: Sequence[Parent], rng: np.random.Generator) -> Proposal:
        """Returns a child of two parents, or of the first alone."""
        first, second = parents
        if self._crossing is None or rng.random() >= self._rate:
            return self._mutation(parents, rng)
        crossed = self._crossing.cross(first.candidate, second.candidate, rng)
        mutated = self._mutation([Member(0.0, first.number, crossed)], rng)
        return Proposal(mutated.candidate, (first.number, second.number), f"cross+{mutated.operator}")
