"""Checks what a space offers besides what every space offers (`spaces/abilities.py`)."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from isozyme import hashing
from isozyme.spaces.abilities import ABILITIES, Simplifiable, Tunable, WithChoices, Wrapping, attributes, offered
from isozyme.spaces.choices import decisions, genes_of, reaching, row_of
from isozyme.spaces.exam.findings import shown
from isozyme.spaces.exam.proposals import leaves_itself, sample
from isozyme.spaces.protocol import Space

_CANDIDATES = 2  # that are tuned and simplified
_LONGEST = 5  # tunings or simplifications of a candidate


def are_whole(space: Space) -> str | None:
    """Whoever has one part of an ability has all of it."""
    for ability in ABILITIES:
        missing = [name for name in attributes(ability) if not hasattr(space, name)]
        there = [name for name in attributes(ability) if hasattr(space, name)]
        if there and missing:
            return f"has `{there[0]}` without `{missing[0]}`, so nothing uses it; `{ability.__name__}` asks for both"
        if there and offered(space, ability) is None:
            return f"`{there[0]}` is {shown(getattr(space, there[0]))}; expected is a method"
    return None


def are_passed_on(space: Space) -> str | None:
    """A space that wraps another one passes its abilities on."""
    if not isinstance(space, Wrapping):
        return None
    for ability in ABILITIES:
        lost = [name for name in attributes(ability) if not hasattr(space, name)]
        if lost and offered(space.wrapped, ability) is not None:
            return f"the space inside has `{lost[0]}`, the one around it has not; pass on what it does not change"
    return None


def tunings_are_valid(space: Space) -> str | None:
    """Tunings, where there are any, are valid candidates by name."""
    tunable = offered(space, Tunable)
    if tunable is None:
        return None
    for candidate in sample(space)[:_CANDIDATES]:
        tuned = tunable.tunings(candidate)
        if not isinstance(tuned, Mapping):
            return f"tunings of {shown(candidate)} are {shown(tuned)}; expected are candidates by name"
        if wrong := _invalid(space, tuned.items()):
            return f"tunings of {shown(candidate)}: {wrong}"
    return None


def simplifications_are_sound(space: Space) -> str | None:
    """Simplifications and reductions, where there are any, are valid; simplifications keep the key."""
    simplifiable = offered(space, Simplifiable)
    if simplifiable is None:
        return None
    for candidate in sample(space)[:_CANDIDATES]:
        steps = simplifiable.simplifications(candidate)
        if wrong := _invalid(space, steps) or _different(space, candidate, steps):
            return f"simplifications of {shown(candidate)}: {wrong}"
        if wrong := _invalid(space, simplifiable.reductions(candidate)):
            return f"reductions of {shown(candidate)}: {wrong}"
    return None


def choices_are_its_own(space: Space) -> str | None:
    """Choice points, where they are independent, spell every candidate, and all that they spell is valid."""
    choosing = offered(space, WithChoices)
    if choosing is None:
        return None
    try:
        points = choosing.choices()
    except ValueError:
        return None  # So it says that its decisions are no independent choices.
    number = len(list(decisions(points)))
    for candidate in sample(space):
        row = row_of(points, candidate, number).tolist()
        if genes_of(points, row) != candidate:
            return f"choices spell {shown(candidate)} as {shown(row)}, with a loss"
    for candidate in () if leaves_itself(space) else reaching(points):
        if (reason := space.validate(candidate)) is not None:
            return f"choices spell {shown(candidate)}, of which validate says: {reason}"
    return None


def _invalid(space: Space, offers: Iterable[tuple[str, Any]]) -> str | None:
    for what, one in islice(offers, _LONGEST):
        if (reason := space.validate(one)) is not None:
            return f"{what} gives {shown(one)}, of which validate says: {reason}"
    return None


def _different(space: Space, candidate: Any, offers: Iterable[tuple[str, Any]]) -> str | None:
    for what, one in islice(offers, _LONGEST):
        if not _equivalent(space, one, candidate):
            return f"{what} gives {shown(one)}, which behaves differently"
    return None


def _equivalent(space: Space, one: Any, other: Any) -> bool:
    return hashing.static_key(space, one) == hashing.static_key(space, other) or (
        (key := hashing.numeric_key(space, one)) is not None and key == hashing.numeric_key(space, other)
    )
