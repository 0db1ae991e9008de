"""The decisions of a template as small immutable nodes, and the genes that say how each of them was taken.

A candidate is a tuple of genes, one for each decision, in the order in which they stand in the template:

    pg.floatv                   the number
    pg.oneof                    the index of the chosen candidate; (index, *genes) where that one has decisions itself
    pg.manyof, pg.permutate     a tuple of such choices

Only decisions that count are in it: what was not chosen has no genes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import getitem, lt
from typing import Any, ClassVar

import numpy as np
import pyglove as pg

from isozyme.spaces.choices import Gene, Genes, join, split

Uniform = Callable[[], float]
"""The next of a row of random numbers in [0, 1)."""


def uniforms(rng: np.random.Generator, count: int) -> Uniform:
    """A row of `count` random numbers; one call of the generator costs as much as twenty numbers."""
    return iter(rng.random(count).tolist()).__next__


def by_index(genes: list[Gene]) -> Genes:
    """Choices in the order of their indices; those of the same index stay as they are."""
    return tuple(sorted(genes, key=lambda gene: split(gene)[0]))


def _shown(gene: object) -> str:
    """A gene for a message: whatever it is, one short line."""
    short = type(gene) in (bool, float) or (type(gene) is int and abs(gene) < 10**18)
    return repr(gene) if short else f"a value of type {type(gene).__name__}"


def _miscounted(path: str, genes: object, number: int) -> str | None:
    """Why something is no tuple of `number` genes, or None."""
    if type(genes) is not tuple:
        return f"{path}: {_shown(genes)} is not a tuple"
    return None if len(genes) == number else f"{path}: {len(genes)} decisions instead of {number}"


@dataclass(frozen=True, slots=True, eq=False)
class Float:
    """A number from `low` to `high`, drawn uniformly on a scale: None and 'linear', 'log' or 'rlog' as in PyGlove."""

    path: str
    low: float
    high: float
    scale: str | None

    draws: ClassVar[int] = 1

    def check(self, gene: Gene) -> str | None:
        """Why `gene` is none of this decision's, or None."""
        if type(gene) is not float:
            return f"{self.path}: {_shown(gene)} is not a float"
        inside = self.low <= gene <= self.high
        return None if inside else f"{self.path}: {gene!r} is outside of {self.low} to {self.high}"

    def draw(self, uniform: Uniform) -> float:
        """A random number."""
        return self.at(uniform())

    def text(self, gene: float) -> str:
        """The number; -0.0 as 0.0, which it equals."""
        return repr(gene + 0.0)

    def at(self, unit: float) -> float:
        """The number at `unit`, from 0 to 1, of the way from low to high."""
        start, end = self._warp(self.low), self._warp(self.high)
        return min(max(self._unwarp(start + unit * (end - start)), self.low), self.high)

    def unit(self, number: float) -> float:
        """How much of the way from low to high a number has come."""
        start, end = self._warp(self.low), self._warp(self.high)
        return (self._warp(number) - start) / (end - start) if end > start else 0.5

    def _warp(self, number: float) -> float:
        if self.scale == "log":
            return math.log(number)
        if self.scale == "rlog":
            return -math.log(max(self.low, self.low + self.high - number))
        return number

    def _unwarp(self, number: float) -> float:
        if self.scale == "log":
            return math.exp(number)
        return self.low + self.high - math.exp(-number) if self.scale == "rlog" else number


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """One of some candidates, each of which may bring decisions of its own.

    Attributes:
      texts: what `Subspace.text` says of candidates without decisions; empty for the others.
    """

    path: str
    candidates: tuple["Subspace", ...]
    texts: tuple[str, ...]
    draws: int

    def check(self, gene: Gene) -> str | None:
        """Why `gene` is none of this decision's, or None."""
        index = gene[0] if type(gene) is tuple and len(gene) > 1 else gene
        if type(index) is not int:
            return f"{self.path}: {_shown(gene)} is not a choice"
        if not 0 <= index < len(self.candidates):
            return f"{self.path}: {_shown(index)} is not one of 0 to {len(self.candidates) - 1}"
        if index is gene and self.texts[index]:
            return None
        return self.candidates[index].check(() if index is gene else gene[1:])

    def draw(self, uniform: Uniform) -> Gene:
        """A random choice."""
        index = int(uniform() * len(self.candidates))
        return index if self.texts[index] else (index, *self.candidates[index].draw(uniform))

    def text(self, gene: Gene) -> str:
        """The chosen value as text; decisions taken."""
        return self.candidates[gene[0]].text(gene[1:]) if type(gene) is tuple else self.texts[gene]


@dataclass(frozen=True, slots=True, eq=False)
class ManyOf:
    """`number` choices of the same kind, in a list."""

    path: str
    number: int
    choice: OneOf
    distinct: bool
    sorted: bool
    draws: int

    @property
    def replaceable(self) -> bool:
        """Whether a slot can take another candidate."""
        return len(self.choice.candidates) > (self.number if self.distinct else 1)

    @property
    def orderable(self) -> bool:
        """Whether two slots can change places."""
        return not self.sorted and self.number > 1 and len(self.choice.candidates) > 1

    def allows(self, index: int, taken: list[int]) -> bool:
        """Whether a choice may follow those of the slots before it."""
        if self.distinct and index in taken:
            return False
        return not (self.sorted and taken and index < taken[-1])

    def check(self, gene: Gene) -> str | None:
        """Why `gene` is none of this decision's, or None."""
        reason = _miscounted(self.path, gene, self.number) or next(filter(None, map(self.choice.check, gene)), None)
        if reason is not None:
            return reason
        indices = [split(chosen)[0] for chosen in gene]
        if self.distinct and len(set(indices)) < len(indices):
            return f"{self.path}: {indices} are not distinct"
        if self.sorted and indices != sorted(indices):
            return f"{self.path}: {indices} are not sorted"
        return None

    def draw(self, uniform: Uniform) -> Genes:
        """Random choices; where they are distinct, the first steps of a shuffle."""
        if self.distinct:
            indices = sample(list(range(len(self.choice.candidates))), self.number, uniform)
            genes = [join(index, self.choice.candidates[index].draw(uniform)) for index in indices]
        else:
            genes = [self.choice.draw(uniform) for _ in range(self.number)]
        return by_index(genes) if self.sorted else tuple(genes)

    def text(self, gene: Genes) -> str:
        """The list as text; decisions taken."""
        return f"[{','.join(map(self.choice.text, gene))},]"


Point = Float | OneOf | ManyOf


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """A value with decisions in it: the whole template, or a candidate of one of its choices.

    Attributes:
      path: where it stands in the template.
      points: its decisions, apart from those of candidates.
      locations: where in the value the decisions stand.
      fragments: the value as text, cut at the decisions; equal values have equal texts.
      template: the value itself.
      sample: the value with any decisions taken, to be cloned; None where the template has none or is one itself.
      draws: how many random numbers its decisions take, at most.
      leaves: the texts to choose from at each point, if none has a choice that brings further decisions; else None.
    """

    path: str
    points: tuple[Point, ...]
    locations: tuple[pg.KeyPath, ...]
    fragments: tuple[str, ...]
    template: Any
    sample: Any
    draws: int
    leaves: tuple[tuple[str, ...], ...] | None

    def check(self, genes: Genes) -> str | None:
        """Why `genes` are none of this space's, or None. Takes anything."""
        if self.leaves is not None and _plain(genes, self.leaves):
            return None
        reason = _miscounted(self.path, genes, len(self.points))
        if reason is not None:
            return reason
        reasons = [point.check(gene) for point, gene in zip(self.points, genes, strict=True)]
        return next(filter(None, reasons), None)

    def draw(self, uniform: Uniform) -> Genes:
        """Random genes."""
        return tuple([point.draw(uniform) for point in self.points])

    def random(self, rng: np.random.Generator) -> Genes:
        """Random genes."""
        return self.draw(uniforms(rng, self.draws))

    def text(self, genes: Genes) -> str:
        """The value as text; decisions taken."""
        parts = [""] * (2 * len(genes) + 1)
        parts[::2] = self.fragments
        if self.leaves is not None:
            parts[1::2] = map(getitem, self.leaves, genes)
        else:
            parts[1::2] = [point.text(gene) for point, gene in zip(self.points, genes, strict=True)]
        return "".join(parts)


def _plain(genes: Any, leaves: tuple[tuple[str, ...], ...]) -> bool:
    """Whether genes take choices that are all of leaves; the longer check finds what is wrong with them."""
    return (
        type(genes) is tuple
        and len(genes) == len(leaves)
        and set(map(type, genes)) == {int}
        and min(genes) >= 0
        and all(map(lt, genes, map(len, leaves)))
    )


def sample(items: list[Any], number: int, uniform: Uniform) -> list[Any]:
    """`number` of the items in random order, each order equally likely."""
    for i in range(number):
        j = i + int(uniform() * (len(items) - i))
        items[i], items[j] = items[j], items[i]
    return items[:number]
