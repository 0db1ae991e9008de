"""How many candidates a space has, and all of them in a row."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from isozyme.spaces.choices import Gene, Genes, join, split
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace


def size(subspace: Subspace) -> int | None:
    """The number of candidates; None where there is no end of them."""
    sizes = [_point_size(point) for point in subspace.points]
    return None if None in sizes else math.prod(n for n in sizes if n is not None)


def _point_size(point: Point) -> int | None:
    if isinstance(point, Float):
        return None if point.low < point.high else 1
    choice = point if isinstance(point, OneOf) else point.choice
    found = [size(candidate) for candidate in choice.candidates]
    sizes = [n for n in found if n is not None]
    if len(sizes) < len(found):
        return None
    return sum(sizes) if isinstance(point, OneOf) else _lists(point, sizes)


def _lists(point: ManyOf, sizes: list[int]) -> int:
    """Lists of `number` choices, where candidate i stands for sizes[i] values.

    Sorted ones are counted by symmetric polynomials of the sizes, elementary where they are distinct and complete where
    they are not: ways[j] is the polynomial of degree j of the sizes so far.
    """
    number = point.number
    if not point.distinct and not point.sorted:
        return sum(sizes) ** number
    ways = [1] + [0] * number
    for n in sizes:
        for j in range(number, 0, -1) if point.distinct else range(1, number + 1):
            ways[j] += n * ways[j - 1]
    return ways[number] * (1 if point.sorted else math.factorial(number))


def points(subspace: Subspace) -> Iterator[Genes]:
    """All candidates of a finite space, one at a time, the last decision changing first."""
    return _tuples([partial(_genes, point) for point in subspace.points])


def _tuples(makers: Sequence[Callable[[], Iterator[Gene]]]) -> Iterator[Genes]:
    """Like `itertools.product`, which would hold all genes of each decision in memory."""
    if not makers:
        yield ()
        return
    for gene in makers[0]():
        for rest in _tuples(makers[1:]):
            yield (gene, *rest)


def _genes(point: Point) -> Iterator[Gene]:
    if isinstance(point, Float):
        yield point.low
    elif isinstance(point, OneOf):
        for index in range(len(point.candidates)):
            yield from _choices(point, index)
    else:
        yield from _slots(point, ())


def _choices(point: OneOf, index: int) -> Iterator[Gene]:
    for genes in points(point.candidates[index]):
        yield join(index, genes)


def _slots(point: ManyOf, genes: Genes) -> Iterator[Genes]:
    """Continues the genes of the first slots in all ways."""
    if len(genes) == point.number:
        yield genes
        return
    taken = [split(gene)[0] for gene in genes]
    for index in range(len(point.choice.candidates)):
        if point.allows(index, taken):
            for gene in _choices(point.choice, index):
                yield from _slots(point, (*genes, gene))
