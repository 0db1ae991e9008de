"""What a space may offer besides what every space offers: one small protocol an ability, asked for by `offered`.

A space has an ability when it has its attributes; nobody inherits from here.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from isozyme.spaces.choices import Points

T = TypeVar("T")
Operator = Callable[[Any, np.random.Generator], Any]


@runtime_checkable
class NamedOperators(Protocol):
    """Mutates by named operators, so that a search can count what each is worth."""

    @property
    def operators(self) -> Mapping[str, Operator]:
        """Functions (candidate, rng) that return a neighbour, or None where they do not apply; `mutate` uses these."""
        ...


@runtime_checkable
class Crossing(Protocol):
    """Makes one candidate of two."""

    def cross(self, first: Any, second: Any, rng: np.random.Generator) -> Any:
        """Returns a child of two candidates."""
        ...


@runtime_checkable
class WithBaselines(Protocol):
    """Names what a winner has to beat in the funnel."""

    @property
    def baselines(self) -> Mapping[str, Any]:
        """Lists candidates by a name that says their constants; the best of them is what others have to beat."""
        ...


@runtime_checkable
class Tunable(Protocol):
    """Offers a candidate with other constants, as a user would tune it for another task."""

    def tunings(self, candidate: Any) -> Mapping[str, Any]:
        """Returns the candidate with other constants, by name."""
        ...


@runtime_checkable
class Simplifiable(Protocol):
    """Makes candidates simpler."""

    def simplifications(self, candidate: Any) -> Sequence[tuple[str, Any]]:
        """Returns what was done and the candidate after it, one step after another; all behave like the first."""
        ...

    def reductions(self, candidate: Any) -> Sequence[tuple[str, Any]]:
        """Returns simpler candidates of another behaviour and what was done, those that save most first."""
        ...


@runtime_checkable
class WithChoices(Protocol):
    """Offers its choice points as a tree, over which a policy can be learned."""

    def choices(self) -> Points:
        """Returns the choice points; raises `ValueError` where some decision is no independent choice."""
        ...


@runtime_checkable
class LeavesItself(Protocol):
    """Says that children may be invalid; a search refuses those."""

    @property
    def leaves_itself(self) -> bool:
        """True where `mutate`, `cross` and the operators may give invalid candidates."""
        ...


@runtime_checkable
class Wrapping(Protocol):
    """Wraps another space and passes on all that it does not change, abilities included."""

    @property
    def wrapped(self) -> Any:
        """Names the space inside."""
        ...


ABILITIES: tuple[type[Any], ...] = (
    NamedOperators,
    Crossing,
    WithBaselines,
    Tunable,
    Simplifiable,
    WithChoices,
    LeavesItself,
)
"""What a space may offer; `Wrapping` is how it passes that on."""


def attributes(protocol: type[Any]) -> list[str]:
    """Names the methods and properties that a protocol asks for."""
    return [name for name, member in vars(protocol).items() if _asked(member) and not name.startswith("_")]


def missing_method(value: Any, protocol: type[Any]) -> str | None:
    """Returns the name of a method that a protocol asks for and `value` lacks; None if it has them all."""
    asked = [name for name in attributes(protocol) if inspect.isfunction(vars(protocol)[name])]
    return next((name for name in asked if not callable(getattr(value, name, None))), None)


def _asked(member: Any) -> bool:
    return inspect.isfunction(member) or isinstance(member, property)


def offered(space: Any, ability: type[T]) -> T | None:
    """Returns `space` itself if it, or the space that it wraps, has an ability; else None.

    `isinstance` alone would overlook abilities that a wrapper passes on by `__getattr__` (Python 3.12 and newer).
    """
    inner = space
    while True:
        if isinstance(inner, ability):
            return space
        if not isinstance(inner, Wrapping):
            return None
        inner = inner.wrapped
