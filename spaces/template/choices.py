"""From the nodes of a template to the choice points that a policy learns over."""

from collections.abc import Iterator
from itertools import count

from isozyme.spaces.choices import Choice, Points
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace


def choices_of(subspace: Subspace) -> Points:
    """Returns the choice points of a template, nested ones included.

    Raises:
      ValueError: it contains a decision that is no independent choice; the message names its path.
    """
    return _points(subspace, count())


def _points(subspace: Subspace, numbers: Iterator[int]) -> Points:
    return tuple(_point(point, numbers) for point in subspace.points)


def _point(point: Point, numbers: Iterator[int]) -> Choice | tuple[Choice, ...]:
    if isinstance(point, Float):
        raise ValueError(
            f"{point.path}: a policy over choices cannot draw numbers; give a pg.oneof of some values instead"
        )
    if isinstance(point, OneOf):
        return _choice(point, numbers)
    return _slots(point, numbers)


def _slots(point: ManyOf, numbers: Iterator[int]) -> tuple[Choice, ...]:
    if point.number > 1 and (point.distinct or point.sorted):
        raise ValueError(f"{point.path}: the choices of a list have to be independent: distinct=False and sorted=False")
    return tuple(_choice(point.choice, numbers) for _ in range(point.number))


def _choice(point: OneOf, numbers: Iterator[int]) -> Choice:
    number = next(numbers)
    return Choice(number, tuple(_points(candidate, numbers) for candidate in point.candidates))
