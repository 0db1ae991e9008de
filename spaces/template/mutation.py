"""Mutation: one decision is taken anew, each that a candidate takes equally likely.

Kinds of change: 'choice', another candidate, whose own decisions are drawn at random; 'float', another number; 'order',
two slots of a list change places. A slot of a list that can be changed and moved counts twice.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from isozyme.spaces.choices import Gene, Genes, join, split
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace, by_index

KINDS = ("choice", "float", "order")

_STEP = 0.1  # Standard deviation of a step, in parts of the way from low to high; ours.
_REDRAWN = 0.1  # Share of steps that may go anywhere; ours.
_TRIES = 100


class Site(NamedTuple):
    """Something that can be changed.

    Attributes:
      kind: one of KINDS.
      path: where the gene is in the nested tuples of the candidate.
      change: makes another gene of it, or None where it cannot.
    """

    kind: str
    path: tuple[int, ...]
    change: Callable[[Gene, np.random.Generator], Gene | None]


def kinds(subspace: Subspace) -> tuple[str, ...]:
    """What can be changed in candidates of a space, in the order of KINDS."""
    found = set()
    for point in _all_points(subspace):
        if isinstance(point, Float):
            found |= {"float"} if point.low < point.high else set()
        elif isinstance(point, OneOf):
            found |= {"choice"} if len(point.candidates) > 1 else set()
        else:
            found |= ({"choice"} if point.replaceable else set()) | ({"order"} if point.orderable else set())
    return tuple(kind for kind in KINDS if kind in found)


def _all_points(subspace: Subspace) -> Iterator[Point]:
    """Every decision of a space, those of candidates included."""
    for point in subspace.points:
        yield point
        if not isinstance(point, Float):
            choice = point.choice if isinstance(point, ManyOf) else point
            for candidate in choice.candidates:
                yield from _all_points(candidate)


def fixed_sites(subspace: Subspace) -> list[Site] | None:
    """All that can be changed in every candidate; None where that depends on what is chosen."""
    flat = len(subspace.points) == len(list(_all_points(subspace)))
    return sites(subspace, subspace.draw(lambda: 0.0)) if flat else None


def sites(subspace: Subspace, genes: Genes, path: tuple[int, ...] = (), first: int = 0) -> list[Site]:
    """All that can be changed in a candidate; empty only where the space has no other.

    Args:
      path: where `genes` are in the candidate.
      first: how many genes of others stand before them.
    """
    found = []
    for place, (point, gene) in enumerate(zip(subspace.points, genes, strict=True), first):
        here = (*path, place)
        if isinstance(point, ManyOf):
            for slot, chosen in enumerate(gene):
                if point.replaceable:
                    found.append(Site("choice", here, partial(_replace, point, slot)))
                if point.orderable:
                    found.append(Site("order", here, partial(_swap, slot)))
                found += _inner_sites(point.choice, chosen, (*here, slot))
        elif isinstance(point, OneOf):
            if len(point.candidates) > 1:
                found.append(Site("choice", here, partial(_choose, point)))
            found += _inner_sites(point, gene, here)
        elif point.low < point.high:
            found.append(Site("float", here, partial(_step, point)))
    return found


def _inner_sites(choice: OneOf, gene: Gene, path: tuple[int, ...]) -> list[Site]:
    return sites(choice.candidates[gene[0]], gene[1:], path, 1) if type(gene) is tuple else []


def mutate(genes: Genes, among: Sequence[Site], rng: np.random.Generator, kind: str | None = None) -> Genes | None:
    """A candidate that differs from `genes` in one of some sites.

    Args:
      kind: None is returned where the site drawn is not of this kind; None takes any kind.
    """
    while True:
        site = among[int(rng.random() * len(among))]
        if kind is not None and site.kind != kind:
            return None
        child = _changed(genes, site.path, site.change, rng)
        if child is not None or kind is not None:
            return child


def _changed(genes: Genes, path: tuple[int, ...], change: Callable, rng: np.random.Generator) -> Genes | None:
    place, *rest = path
    gene = genes[place]
    new = _changed(gene, tuple(rest), change, rng) if rest else change(gene, rng)
    return None if new is None else (*genes[:place], new, *genes[place + 1 :])


def _choose(point: OneOf, gene: Gene, rng: np.random.Generator) -> Gene:
    old = split(gene)[0]
    index = int(rng.random() * (len(point.candidates) - 1))
    return _chosen(point, index + (index >= old), rng)


def _chosen(point: OneOf, index: int, rng: np.random.Generator) -> Gene:
    return index if point.texts[index] else join(index, point.candidates[index].random(rng))


def _replace(point: ManyOf, slot: int, gene: Genes, rng: np.random.Generator) -> Genes:
    taken = {split(chosen)[0] for chosen in (gene if point.distinct else gene[slot : slot + 1])}
    free = [index for index in range(len(point.choice.candidates)) if index not in taken]
    new = _chosen(point.choice, free[int(rng.random() * len(free))], rng)
    changed = [*gene[:slot], new, *gene[slot + 1 :]]
    return by_index(changed) if point.sorted else tuple(changed)


def _swap(slot: int, gene: Genes, rng: np.random.Generator) -> Genes | None:
    other = int(rng.random() * (len(gene) - 1))
    other += other >= slot
    changed = list(gene)
    changed[slot], changed[other] = gene[other], gene[slot]
    return tuple(changed) if gene[slot] != gene[other] else None


def _step(point: Float, gene: float, rng: np.random.Generator) -> float:
    """A number close by on the scale of the decision, or any number of its range."""
    for _ in range(_TRIES):
        unit = rng.random() if rng.random() < _REDRAWN else point.unit(gene) + _STEP * rng.standard_normal()
        if 0.0 <= unit <= 1.0 and (new := point.at(unit)) != gene:
            return new
    return point.low if gene != point.low else point.high  # Hardly any other number lies between them.
