"""From a PyGlove value with hyper primitives in it to the nodes of `decisions.py`, once for each template.

The value is walked as `pg.template` walks it, so that decisions come in the order of a `pg.DNA`. On the way it is
written down as text: of symbolic objects their fields, of classes and functions their names. What cannot be told apart
by that (lambdas, arrays, objects that are not symbolic) is numbered in the order in which it stands.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pyglove as pg

from isozyme.hashing.names import stable_name
from isozyme.spaces.template.coding import children, decode_point
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace

Seen = dict[str, list[Any]]
"""Classes, functions and objects that cannot be written down, by name."""

_WIDEST = 1e300  # Differences of two such numbers are finite.


def compiled(template: Any) -> Subspace:
    """The nodes of a template.

    Raises:
      ValueError: it contains a hyper value that is no `pg.oneof`, `pg.manyof`, `pg.permutate` or `pg.floatv`, or one
        where PyGlove does not look for it; the message names its path.
    """
    return _subspace(template, pg.KeyPath(), {})


def structure(node: Subspace | Point) -> str:
    """All that a space is made of as text; the same in every process."""
    match node:
        case Float():
            return f"floatv({node.low!r},{node.high!r},{node.scale})"
        case OneOf():
            return f"oneof({','.join(map(structure, node.candidates))})"
        case ManyOf():
            return f"manyof({node.number},{node.distinct},{node.sorted},{structure(node.choice)})"
        case Subspace():
            decisions = [*map(structure, node.points), ""]
            return "".join(text for pair in zip(node.fragments, decisions, strict=True) for text in pair)


def _subspace(value: Any, path: pg.KeyPath, seen: Seen) -> Subspace:
    fragments, locations, points = [""], [], []
    for piece in _pieces(value, pg.KeyPath(), seen):
        if isinstance(piece, str):
            fragments[-1] += piece
        else:
            location, primitive = piece
            locations.append(location)
            points.append(_point(primitive, path + location, seen))
            fragments.append("")
    sample = None
    if points and locations[0]:
        first = [decode_point(point, point.draw(lambda: 0.0)) for point in points]
        sample = value.clone().rebind({location.path: part for location, part in zip(locations, first, strict=True)})
    draws = sum(point.draws for point in points)
    choices = [point.texts for point in points if isinstance(point, OneOf) and all(point.texts)]
    leaves = tuple(choices) if len(choices) == len(points) else None
    return Subspace(_name(path), tuple(points), tuple(locations), tuple(fragments), value, sample, draws, leaves)


def _point(primitive: Any, path: pg.KeyPath, seen: Seen) -> Point:
    match primitive:
        case pg.hyper.Float():
            low, high = float(primitive.min_value), float(primitive.max_value)
            if not (abs(low) <= _WIDEST and abs(high) <= _WIDEST):
                raise ValueError(f"{_name(path)}: bounds of {low!r} and {high!r}; they must lie within ±{_WIDEST}")
            return Float(_name(path), low, high, primitive.scale)
        case pg.hyper.Choices() if primitive.num_choices > 0:
            choice = _choice(primitive, path, seen)
            if isinstance(primitive, pg.hyper.OneOf):
                return choice
            number, distinct = primitive.num_choices, primitive.choices_distinct
            draws = number * choice.draws
            return ManyOf(choice.path, number, choice, distinct, primitive.choices_sorted, draws)
    raise ValueError(
        f"{_name(path)}: {type(primitive).__name__} cannot be searched in a template; these can: pg.oneof, pg.manyof "
        "of one or more, pg.permutate and pg.floatv"
    )


def _choice(primitive: Any, path: pg.KeyPath, seen: Seen) -> OneOf:
    subspaces = [
        _subspace(candidate, pg.KeyPath(index, path + "candidates"), seen)
        for index, candidate in enumerate(primitive.candidates)
    ]
    texts = tuple("" if subspace.points else subspace.fragments[0] for subspace in subspaces)
    return OneOf(_name(path), tuple(subspaces), texts, 1 + max(subspace.draws for subspace in subspaces))


def _name(path: pg.KeyPath) -> str:
    return path.path or "template"


def _pieces(value: Any, path: pg.KeyPath, seen: Seen) -> Iterator[str | tuple[pg.KeyPath, Any]]:
    """The value as text, with (path, primitive) in place of its decisions."""
    parts = children(value)
    if isinstance(value, pg.hyper.HyperValue):
        yield path, value
    elif parts is None:
        yield _constant(value, path, seen)
    else:
        yield "[" if isinstance(value, list) else "{" if isinstance(value, dict) else f"{_named(type(value), seen)}("
        for key, part in parts.items():
            yield "" if isinstance(value, list) else f"{key!r}:"
            yield from _pieces(part, pg.KeyPath(key, path), seen)
            yield ","
        yield "]" if isinstance(value, list) else "}" if isinstance(value, dict) else ")"


def _constant(value: Any, path: pg.KeyPath, seen: Seen) -> str:
    if type(value) is float:
        return repr(value + 0.0)
    if value is None or type(value) in (bool, int, str, bytes):
        return repr(value)
    if isinstance(value, pg.KeyPath):
        return f"path({value.path!r})"
    if isinstance(value, Enum):
        return f"{_named(type(value), seen)}.{value.name}"
    if isinstance(value, tuple):
        kind = "" if type(value) is tuple else _named(type(value), seen)
        return f"{kind}({','.join(_without_decisions(item, path, seen) for item in value)},)"
    return _named(value, seen)


def _without_decisions(value: Any, path: pg.KeyPath, seen: Seen) -> str:
    pieces = list(_pieces(value, path, seen))
    if any(isinstance(piece, tuple) for piece in pieces):
        raise ValueError(f"{_name(path)}: PyGlove looks for no decisions in a tuple; use a list in its place")
    return "".join(map(str, pieces))


def _named(value: Any, seen: Seen) -> str:
    """The name of a class or function, or of an object's class, and its number among all that bear this name."""
    name = stable_name(value)
    others = seen.setdefault(name, [])
    number = next((i for i, other in enumerate(others) if other is value), len(others))
    if number == len(others):
        others.append(value)
    return f"<{name} {number}>"
