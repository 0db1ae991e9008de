"""The choice points of a space as a tree, and candidates as rows of indices, one for each choice point.

Arrays of one shape for all candidates are what a policy compiles for: a choice point that a candidate does not reach
has the index `DEAD` in its row. Points are numbered in the order of the genes, parents before their children.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

DEAD = -1

Genes = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice point.

    Attributes:
      number: its place in a row.
      candidates: for each candidate the points that come with it.
    """

    number: int
    candidates: tuple["Points", ...]


Points = tuple[Choice | tuple[Choice, ...], ...]
"""What stands side by side: choice points, and the slots of lists (`pg.manyof`), whose genes are tuples."""


class Decision(NamedTuple):
    """A choice point without its tree.

    Attributes:
      size: how many candidates.
      parent: the point that has to choose `trigger` for this one to be reached; -1 for those that always are.
    """

    size: int
    parent: int
    trigger: int


def of_sizes(sizes: Sequence[int]) -> Points:
    """Independent choices: candidates are plain tuples of indices.

    Args:
      sizes: how many candidates each choice has.
    """
    return tuple(Choice(number, ((),) * size) for number, size in enumerate(sizes))


def of_template(template: Any) -> Points:
    """The choice points of a PyGlove template, nested ones included.

    Raises:
      ValueError: it contains a decision that is no independent choice; the message names its path.
    """
    return _points(pg.dna_spec(template), count())


def _points(spec: Any, numbers: Iterator[int]) -> Points:
    return tuple(_point(element, numbers) for element in getattr(spec, "elements", ()))


def _point(element: Any, numbers: Iterator[int]) -> Choice | tuple[Choice, ...]:
    path = element.id.path or "template"
    if not element.is_categorical:
        raise ValueError(f"{path}: a policy over choices cannot draw numbers; give a pg.oneof of some values instead")
    if element.num_choices == 1:
        return _choice(element, numbers)
    if element.distinct or element.sorted:
        raise ValueError(f"{path}: the choices of a list have to be independent: distinct=False and sorted=False")
    return tuple(_choice(element, numbers) for _ in range(element.num_choices))


def _choice(element: Any, numbers: Iterator[int]) -> Choice:
    number = next(numbers)
    return Choice(number, tuple(_points(candidate, numbers) for candidate in element.candidates))


def choices(points: Points) -> Iterator[Choice]:
    """The points of a row side by side, those of lists among them."""
    for point in points:
        yield from point if isinstance(point, tuple) else (point,)


def decisions(points: Points, parent: int = -1, trigger: int = 0) -> Iterator[Decision]:
    """All choice points in the order of their numbers."""
    for choice in choices(points):
        yield Decision(len(choice.candidates), parent, trigger)
        for index, inner in enumerate(choice.candidates):
            yield from decisions(inner, choice.number, index)


def row_of(points: Points, genes: Genes, length: int) -> np.ndarray:
    """A valid candidate as int32 indices [length]."""
    row = np.full(length, DEAD, np.int32)
    _fill(points, genes, row)
    return row


def _fill(points: Points, genes: Genes, row: np.ndarray) -> None:
    for point, gene in zip(points, genes, strict=True):
        if isinstance(point, tuple):
            _fill(point, gene, row)
            continue
        index, inner = (gene[0], gene[1:]) if type(gene) is tuple else (gene, ())
        row[point.number] = index
        _fill(point.candidates[index], inner, row)


def genes_of(points: Points, row: Sequence[int]) -> Genes:
    """The candidate of a row."""
    return tuple([genes_of(p, row) if isinstance(p, tuple) else _gene(p, row) for p in points])


def _gene(choice: Choice, row: Sequence[int]) -> Any:
    index = row[choice.number]
    inner = genes_of(choice.candidates[index], row)
    return (index, *inner) if inner else index


def reaching(points: Points) -> Iterator[Genes]:
    """For each choice point a candidate that reaches it and takes the last of its choices; at others the first."""
    known = tuple(decisions(points))
    for number, (size, parent, trigger) in enumerate(known):
        row = [0] * len(known)
        row[number] = size - 1
        while parent >= 0:
            row[parent] = trigger
            _, parent, trigger = known[parent]
        yield genes_of(points, row)
