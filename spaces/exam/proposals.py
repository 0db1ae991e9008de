"""Makes the candidates that the exam looks at, in all ways in which a space makes them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from isozyme.spaces.abilities import Crossing, LeavesItself, NamedOperators, offered
from isozyme.spaces.protocol import Space

STEPS = 60
"""Mutations in a row."""

_INITIAL, _RANDOM, _PAIRS = 5, 40, 10
_CHILDREN = ("mutate", "cross", "the operator")


def proposals(space: Space, seed: int) -> Iterator[tuple[str, Any]]:
    """Yields candidates, each with a word on how it was made; the seed determines them."""
    rng = np.random.default_rng(seed)
    for _ in range(_INITIAL):
        yield "initial", space.initial(rng)
    made = [space.random(rng) for _ in range(_RANDOM)]
    yield from (("random", one) for one in made)
    candidate = space.initial(rng)
    for _ in range(STEPS):
        child = space.mutate(candidate, rng)
        yield "mutate", child
        candidate = child if space.validate(child) is None else candidate
    if (named := offered(space, NamedOperators)) is not None:
        for name, operator in named.operators.items():
            children = [operator(one, rng) for one in made]
            yield from ((f"the operator {name!r}", child) for child in children if child is not None)
    if (crossing := offered(space, Crossing)) is not None:
        for first, second in zip(made[:_PAIRS], made[_PAIRS:], strict=False):
            yield "cross", crossing.cross(first, second, rng)


def leaves_itself(space: Space) -> bool:
    """Says whether children of a space may be invalid."""
    leaving = offered(space, LeavesItself)
    return leaving is not None and leaving.leaves_itself


def may_be_invalid(space: Space, how: str) -> bool:
    """Says whether a space may give invalid candidates this way: children of one that leaves itself."""
    return how.startswith(_CHILDREN) and leaves_itself(space)


def sample(space: Space) -> list[Any]:
    """Returns different valid candidates: the references and proposals, as they come."""
    made = dict.fromkeys([*space.references.values(), *(one for _, one in proposals(space, 0))])
    return [one for one in made if space.validate(one) is None]
