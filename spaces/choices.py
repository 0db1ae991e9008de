"""The choice points of a space as a tree, and candidates as rows of indices, one for each choice point.

Arrays of one shape for all candidates are what a policy compiles for: a choice point that a candidate does not reach
has the index `DEAD` in its row. Points are numbered in the order of the genes, parents before their children.

A candidate of such a space is a tuple of genes, one for each choice point: the index of the chosen candidate;
(index, *genes) where that one brings choice points itself; a tuple of such choices for a list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

DEAD = -1

Gene = Any  # int, float, or a tuple of genes.
Genes = tuple[Any, ...]


def split(gene: Gene) -> tuple[int, Genes]:
    """Returns index and genes of a valid choice."""
    return (gene[0], gene[1:]) if type(gene) is tuple else (gene, ())


def join(index: int, genes: Genes) -> Gene:
    """Makes a choice of an index and genes."""
    return (index, *genes) if genes else index


@dataclass(frozen=True, slots=True)
class Choice:
    """Names a choice point and the points below it.

    Attributes:
      number: its place in a row.
      candidates: for each candidate the points that come with it.
    """

    number: int
    candidates: tuple["Points", ...]


Points = tuple[Choice | tuple[Choice, ...], ...]
"""What stands side by side: choice points, and the slots of lists (`pg.manyof`), whose genes are tuples."""


class Decision(NamedTuple):
    """Describes a choice point without its tree.

    Attributes:
      size: how many candidates.
      parent: the point that has to choose `trigger` for this one to be reached; -1 for those that always are.
      trigger: the index that the parent has to choose; 0 without a parent.
    """

    size: int
    parent: int
    trigger: int


def of_sizes(sizes: Sequence[int]) -> Points:
    """Makes independent choices: candidates are plain tuples of indices.

    Args:
      sizes: how many candidates each choice has.
    """
    return tuple(Choice(number, ((),) * size) for number, size in enumerate(sizes))


def decisions(points: Points, parent: int = -1, trigger: int = 0) -> Iterator[Decision]:
    """Lists all choice points in the order of their numbers."""
    for choice in _side_by_side(points):
        yield Decision(len(choice.candidates), parent, trigger)
        for index, inner in enumerate(choice.candidates):
            yield from decisions(inner, choice.number, index)


def _side_by_side(points: Points) -> Iterator[Choice]:
    for point in points:
        yield from point if isinstance(point, tuple) else (point,)


def row_of(points: Points, genes: Genes, length: int) -> np.ndarray:
    """Writes a valid candidate as int32 indices [length]."""
    row = np.full(length, DEAD, np.int32)
    _fill(points, genes, row)
    return row


def _fill(points: Points, genes: Genes, row: np.ndarray) -> None:
    for point, gene in zip(points, genes, strict=True):
        if isinstance(point, tuple):
            _fill(point, gene, row)
            continue
        index, inner = split(gene)
        row[point.number] = index
        _fill(point.candidates[index], inner, row)


def genes_of(points: Points, row: Sequence[int]) -> Genes:
    """Reads the candidate of a row."""
    return tuple([genes_of(p, row) if isinstance(p, tuple) else _gene(p, row) for p in points])


def _gene(choice: Choice, row: Sequence[int]) -> Gene:
    index = row[choice.number]
    return join(index, genes_of(choice.candidates[index], row))


def reaching(points: Points) -> Iterator[Genes]:
    """Makes for each choice point a candidate that takes the last choice there, and elsewhere the first that may be."""
    known = tuple(decisions(points))
    for number, (size, parent, trigger) in enumerate(known):
        row = [0] * len(known)
        row[number] = size - 1
        while parent >= 0:
            row[parent] = trigger
            _, parent, trigger = known[parent]
        yield genes_of(points, row)
