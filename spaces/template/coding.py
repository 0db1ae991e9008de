"""Between genes and the values that they stand for, and between genes and the numbers of a `pg.DNA`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.spaces.choices import Gene, Genes, join, split
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace


def decode(subspace: Subspace, genes: Genes) -> Any:
    """The value with its decisions taken; it shares no symbolic object with the template.

    Cloned is a sample of the value, not the template, with which all candidates of all decisions would be cloned.
    """
    if subspace.sample is not None:
        taken = {
            location.path: decode_point(point, gene)
            for location, point, gene in zip(subspace.locations, subspace.points, genes, strict=True)
        }
        return subspace.sample.clone().rebind(taken)
    if subspace.points:
        return decode_point(subspace.points[0], genes[0])
    return subspace.template.clone() if isinstance(subspace.template, pg.Symbolic) else subspace.template


def decode_point(point: Point, gene: Gene) -> Any:
    """What a decision puts in its place."""
    if isinstance(point, Float):
        return gene
    if isinstance(point, ManyOf):
        return [decode_point(point.choice, chosen) for chosen in gene]
    index, genes = split(gene)
    return decode(point.candidates[index], genes)


def encodings(subspace: Subspace, value: Any) -> Iterator[Genes]:
    """All genes of the space that stand for `value`; derived values in it are not looked at."""
    decided = _decided(subspace.template, value)
    if decided is not None:
        yield from _each(subspace.points, decided)


def _each(points: tuple[Point, ...], values: list[Any]) -> Iterator[Genes]:
    if not points:
        yield ()
        return
    for gene in _genes(points[0], values[0]):
        for rest in _each(points[1:], values[1:]):
            yield (gene, *rest)


def _genes(point: Point, value: Any) -> Iterator[Gene]:
    if isinstance(point, OneOf):
        for index, candidate in enumerate(point.candidates):
            for genes in encodings(candidate, value):
                yield join(index, genes)
    elif isinstance(point, ManyOf):
        if isinstance(value, list) and len(value) == point.number:
            yield from _slots(point, value, ())
    elif point.check(value) is None:
        yield value


def _slots(point: ManyOf, values: list[Any], genes: Genes) -> Iterator[Genes]:
    """Continues the genes of the first slots in all ways."""
    if len(genes) == len(values):
        yield genes
        return
    taken = [split(gene)[0] for gene in genes]
    for gene in _genes(point.choice, values[len(genes)]):
        if point.allows(split(gene)[0], taken):
            yield from _slots(point, values, (*genes, gene))


def _decided(template: Any, value: Any) -> list[Any] | None:
    """What stands in `value` in the places of the template's decisions; None where the rest differs."""
    if isinstance(template, pg.hyper.HyperValue):
        return [value]
    if isinstance(template, pg.hyper.DerivedValue):
        return []
    ours, theirs = children(template), children(value)
    if ours is None:
        return [] if _equal(template, value) else None
    if theirs is None or _kind(template) is not _kind(value) or ours.keys() != theirs.keys():
        return None
    found = []
    for key, item in ours.items():
        inner = _decided(item, theirs[key])
        if inner is None:
            return None
        found += inner
    return found


def children(value: Any) -> dict[Any, Any] | None:
    """The parts of a value among which PyGlove looks for decisions, by key; None where it does not look."""
    if isinstance(value, pg.Symbolic):
        return dict(value.sym_items())
    if isinstance(value, list):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else None


def _kind(value: Any) -> type:
    return next((kind for kind in (list, dict) if isinstance(value, kind)), type(value))


def _equal(one: Any, other: Any) -> bool:
    if one is other or type(one) is not type(other):
        return one is other
    return np.array_equal(one, other) if hasattr(one, "shape") else bool(one == other)


def numbers(genes: Genes) -> Iterator[int | float]:
    """All decisions in a row: what `pg.DNA.to_numbers` returns for the same candidate."""
    for gene in genes:
        if type(gene) is tuple:
            yield from numbers(gene)
        else:
            yield gene


def from_numbers(subspace: Subspace, row: Iterator[Any]) -> Genes:
    """Takes the genes of a space from a row of decisions; whether they are valid is left to `Subspace.check`."""
    return tuple([_from_numbers(point, row) for point in subspace.points])


def _from_numbers(point: Point, row: Iterator[Any]) -> Gene:
    if isinstance(point, ManyOf):
        return tuple([_from_numbers(point.choice, row) for _ in range(point.number)])
    number = next(row, None)
    if isinstance(point, Float) or type(number) is not int or not 0 <= number < len(point.candidates):
        return number
    return join(number, from_numbers(point.candidates[number], row))
