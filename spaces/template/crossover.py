"""Uniform crossover: each decision comes from either parent, and what a choice brings along comes with it."""

import numpy as np

from isozyme.spaces.choices import Gene, Genes, join, split
from isozyme.spaces.template.decisions import Float, ManyOf, OneOf, Point, Subspace, Uniform, by_index, sample, uniforms


def cross(subspace: Subspace, first: Genes, second: Genes, rng: np.random.Generator) -> Genes:
    """A valid candidate whose every decision one of its parents has taken, alone or in its list."""
    return _cross(subspace, first, second, uniforms(rng, subspace.draws))


def _cross(subspace: Subspace, first: Genes, second: Genes, uniform: Uniform) -> Genes:
    return tuple([_cross_point(*each, uniform) for each in zip(subspace.points, first, second, strict=True)])


def _cross_point(point: Point, first: Gene, second: Gene, uniform: Uniform) -> Gene:
    if isinstance(point, Float):
        return first if uniform() < 0.5 else second
    if isinstance(point, OneOf):
        return _cross_choice(point, first, second, uniform)
    if point.distinct:
        return (_cross_sets if point.sorted else _cross_orders)(point, first, second, uniform)
    genes = [_cross_choice(point.choice, *pair, uniform) for pair in zip(first, second, strict=True)]
    return by_index(genes) if point.sorted else tuple(genes)


def _cross_choice(point: OneOf, first: Gene, second: Gene, uniform: Uniform) -> Gene:
    """The choice of either parent; where they agree, the decisions below it are crossed."""
    (index, ours), (other, theirs) = split(first), split(second)
    if index != other:
        return first if uniform() < 0.5 else second
    return join(index, _cross(point.candidates[index], ours, theirs, uniform))


def _cross_sets(point: ManyOf, first: Genes, second: Genes, uniform: Uniform) -> Genes:
    """All that both parents have chosen, filled up at random from what one of them has."""
    merged = _merged(point, first, second, uniform)
    both = {split(gene)[0] for gene in first} & {split(gene)[0] for gene in second}
    common = [gene for index, gene in merged.items() if index in both]
    others = [gene for index, gene in merged.items() if index not in both]
    return by_index([*common, *sample(others, point.number - len(common), uniform)])


def _cross_orders(point: ManyOf, first: Genes, second: Genes, uniform: Uniform) -> Genes:
    """Some places of the first parent, each with probability 1/2; the others are filled in the order of the second.

    Position-based crossover (Syswerda, "Schedule optimization using genetic algorithms", 1991).
    """
    merged = _merged(point, first, second, uniform)
    kept = [split(gene)[0] if uniform() < 0.5 else None for gene in first]
    rest = iter([index for index in (split(gene)[0] for gene in second) if index not in kept])
    return tuple([merged[next(rest) if index is None else index] for index in kept])


def _merged(point: ManyOf, first: Genes, second: Genes, uniform: Uniform) -> dict[int, Gene]:
    """The choices of both parents by index; of those that both have made, the decisions below are crossed."""
    merged = {split(gene)[0]: gene for gene in first}
    for gene in second:
        index = split(gene)[0]
        merged[index] = _cross_choice(point.choice, merged[index], gene, uniform) if index in merged else gene
    return merged
