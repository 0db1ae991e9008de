"""Digest of a labelled graph, equal exactly for isomorphic graphs.

`graph_digest` counts equal computations once. That is right where they give equal values and wrong where each has
weights of its own, as the layers of a network have: there this digest is the static key.
"""

from collections.abc import Sequence
from typing import NamedTuple

from isozyme.hashing.digest import digest


class _Graph(NamedTuple):
    """A graph and the neighbours of its nodes."""

    labels: Sequence[str]
    edges: Sequence[tuple[int, int]]
    parents: list[list[int]]
    children: list[list[int]]


Colours = list[int]  # Of each node; 0, 1, 2, … without a gap.
Certificate = tuple[tuple[str, ...], tuple[tuple[int, int], ...]]


def isomorphism_digest(labels: Sequence[str], edges: Sequence[tuple[int, int]]) -> bytes:
    """Digest of a canonical form: colours refined (Weisfeiler and Lehman), ties broken in every way that may matter.

    The search over ties is exact for every size; it takes milliseconds for up to 16 nodes and may take exponentially
    long for large graphs that are highly regular. Nodes that reach no output take part: leave them out before.

    Args:
      labels: of the nodes. Inputs and outputs are told apart by theirs; where the order of parents matters, so has a
        label on a node between.
      edges: pairs (parent, child) of indices of nodes; a pair given twice is two edges.

    Raises:
      ValueError: an edge to a node that there is not.
    """
    parents: list[list[int]] = [[] for _ in labels]
    children: list[list[int]] = [[] for _ in labels]
    for parent, child in edges:
        if not (0 <= parent < len(labels) and 0 <= child < len(labels)):
            raise ValueError(f"edge {parent} → {child} in a graph of {len(labels)} nodes")
        parents[child].append(parent)
        children[parent].append(child)
    graph = _Graph(labels, edges, parents, children)
    names, places = min(_certificates(graph, _refine(graph, _ranks(list(labels)))))
    return digest(b"isomorphism", *(name.encode() for name in names), repr(places).encode())


def _ranks(keys: list) -> Colours:
    order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [order[key] for key in keys]


def _refine(graph: _Graph, colours: Colours) -> Colours:
    """Parts nodes by the colours of their neighbours until no class parts any more."""
    while True:
        refined = _ranks(
            [
                (colour, _sorted_colours(colours, graph.parents[node]), _sorted_colours(colours, graph.children[node]))
                for node, colour in enumerate(colours)
            ]
        )
        if max(refined, default=0) == max(colours, default=0):
            return refined
        colours = refined


def _sorted_colours(colours: Colours, nodes: list[int]) -> tuple[int, ...]:
    return tuple(sorted([colours[node] for node in nodes]))


def _certificates(graph: _Graph, colours: Colours) -> set[Certificate]:
    """Certificates of numberings that agree with the colours; for isomorphic graphs the least of them is the same.

    Each node of the smallest ambiguous class is tried as its first. Two numberings with the same certificate are one
    automorphism apart, which maps the choices made for one to those made for the other; so a node whose first
    numbering gives a certificate that was seen needs no further look.
    """
    tied = _smallest_class(colours)
    if not tied:
        return {_certificate(graph, colours)}
    found: set[Certificate] = set()
    for node in tied:
        chosen = _individualise(graph, colours, node)
        if _first_certificate(graph, chosen) not in found:
            found |= _certificates(graph, chosen)
    return found


def _first_certificate(graph: _Graph, colours: Colours) -> Certificate:
    while tied := _smallest_class(colours):
        colours = _individualise(graph, colours, tied[0])
    return _certificate(graph, colours)


def _smallest_class(colours: Colours) -> list[int]:
    """The nodes of the smallest class of two or more, of equally small ones the first; none if all are told apart."""
    classes: list[list[int]] = [[] for _ in colours]
    for node, colour in enumerate(colours):
        classes[colour].append(node)
    return min((tied for tied in classes if len(tied) > 1), key=len, default=[])


def _individualise(graph: _Graph, colours: Colours, node: int) -> Colours:
    """Gives a node a colour of its own, just before that of its class."""
    return _refine(graph, _ranks([2 * colour + (other != node) for other, colour in enumerate(colours)]))


def _certificate(graph: _Graph, colours: Colours) -> Certificate:
    """The graph written down with every node's colour as its number."""
    names = dict(zip(colours, graph.labels, strict=True))
    edges = sorted([(colours[parent], colours[child]) for parent, child in graph.edges])
    return tuple(names[number] for number in range(len(names))), tuple(edges)
