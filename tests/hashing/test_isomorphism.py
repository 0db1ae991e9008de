"""Canonical forms of labelled graphs, against brute force and published counts."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import Node, graph_digest, isomorphism_digest


def dags(size):
    """The edges of every graph whose edges lead from lower to higher numbers."""
    pairs = list(itertools.combinations(range(size), 2))
    for taken in itertools.product((False, True), repeat=len(pairs)):
        yield [pair for pair, take in zip(pairs, taken, strict=True) if take]


def brute_force(labels, edges):
    """The least of all ways to write the graph down, over every permutation of its nodes."""
    forms = []
    for places in itertools.permutations(range(len(labels))):
        names = [""] * len(labels)
        for node, place in enumerate(places):
            names[place] = labels[node]
        forms.append((names, sorted((places[parent], places[child]) for parent, child in edges)))
    return repr(min(forms))


def permuted(labels, edges, places):
    names = [""] * len(labels)
    for node, place in enumerate(places):
        names[place] = labels[node]
    return names, [(places[parent], places[child]) for parent, child in edges][::-1]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (2, 2), (3, 6), (4, 31), (5, 302)])
def test_all_small_dags(size, count):
    """As many digests as there are unlabelled acyclic graphs (OEIS A003087)."""
    assert len({isomorphism_digest(["a"] * size, edges) for edges in dags(size)}) == count


def partition(graphs, key):
    """Each graph's class, numbered by first appearance."""
    classes = {}
    return [classes.setdefault(key(*graph), len(classes)) for graph in graphs]


def test_all_labelled_dags_of_four_nodes_against_brute_force():
    graphs = [(labels, edges) for labels in itertools.product("ab", repeat=4) for edges in dags(4)]
    assert partition(graphs, isomorphism_digest) == partition(graphs, brute_force)


def test_all_dags_of_five_nodes_against_brute_force():
    graphs = [(["in", "a", "a", "a", "out"], edges) for edges in itertools.islice(dags(5), 0, None, 7)]
    assert partition(graphs, isomorphism_digest) == partition(graphs, brute_force)


def test_random_dags_of_seven_nodes_against_brute_force():
    """Nearly regular graphs, so that colours alone leave ties, each also permuted."""
    rng = np.random.default_rng(0)
    graphs = []
    for _ in range(6):
        edges = [(parent, child) for child in range(3, 7) for parent in sorted(rng.permutation(3)[:2].tolist())]
        graphs += [(["a"] * 7, edges), permuted(["a"] * 7, edges, rng.permutation(7).tolist())]
    classes = partition(graphs, isomorphism_digest)
    assert classes == partition(graphs, brute_force)
    assert classes[::2] == classes[1::2]
    assert len(set(classes)) > 1


@st.composite
def labelled(draw):
    size = draw(st.integers(1, 12))
    labels = draw(st.lists(st.sampled_from(["a", "b"]), min_size=size, max_size=size))
    pairs = list(itertools.combinations(range(size), 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=20)) if pairs else []
    return labels, edges, draw(st.permutations(range(size)))


@given(labelled())
def test_numbers_of_nodes_do_not_matter(graph):
    """g_augment.md, fact 5: relabelling nodes preserves the hash. Repeated edges count."""
    labels, edges, places = graph
    digest = isomorphism_digest(labels, edges)
    assert isomorphism_digest(*permuted(labels, edges, places)) == digest
    if edges:
        assert isomorphism_digest(labels, edges[1:]) != digest
        assert isomorphism_digest(labels, [*edges, edges[0]]) != digest
    assert isomorphism_digest(["c", *labels[1:]], edges) != digest


def circles(*lengths):
    """Alternating circles: as bipartite graphs, no refinement of colours tells 6 + 10 from 16."""
    edges, first = [], 0
    for length in lengths:
        for i in range(0, length, 2):
            edges += [(first + i, first + i + 1), (first + i, first + (i - 1) % length)]
        first += length
    return ["a"] * first, edges


def test_graphs_that_colours_cannot_tell_apart():
    sets = [(16,), (6, 10), (8, 8), (4, 12), (4, 4, 8), (4, 4, 4, 4), (6, 6, 4)]
    digests = [isomorphism_digest(*circles(*lengths)) for lengths in sets]
    assert len(set(digests)) == len(sets)
    assert isomorphism_digest(*circles(10, 6)) == digests[1]


def test_sixteen_nodes_of_every_symmetry():
    """Without pruning by automorphisms each of these would take 8! leaves or more."""
    none = isomorphism_digest(["a"] * 16, [])
    complete = isomorphism_digest(["a"] * 16, [(i, 8 + j) for i in range(8) for j in range(8)])
    cube = isomorphism_digest(["a"] * 16, [(i, i | 1 << b) for i in range(16) for b in range(4) if not i >> b & 1])
    assert len({none, complete, cube}) == 3


def test_skipped_layers():
    """tunas.md, fact 14: the 343 triples of six operations and skip have 259 classes."""

    def digest(triple):
        layers = ["in", *(layer for layer in triple if layer != "skip"), "out"]
        return isomorphism_digest(layers, list(itertools.pairwise(range(len(layers)))))

    choices = ["skip", "k3e3", "k3e6", "k5e3", "k5e6", "k7e3", "k7e6"]
    assert len({digest(triple) for triple in itertools.product(choices, repeat=3)}) == 259


def test_blocks_with_two_parents():
    """spinenet.md, fact 8: swapped parents and permuted blocks of one level change nothing, in either digest."""
    labels = ["stem 1", "stem 2", "level 3", "level 3", "out"]
    edges = [(0, 2), (1, 2), (0, 3), (0, 3), (2, 4), (3, 4)]
    swapped = [(1, 2), (0, 2), (0, 3), (0, 3), (3, 4), (2, 4)]
    exchanged = [(0, 3), (1, 3), (0, 2), (0, 2), (3, 4), (2, 4)]
    assert isomorphism_digest(labels, edges) == isomorphism_digest(labels, swapped)
    assert isomorphism_digest(labels, edges) == isomorphism_digest(labels, exchanged)

    def nodes(edges):
        parents = [tuple(p for p, child in edges if child == node) for node in range(len(labels))]
        return [Node(label, inputs, commutative=True) for label, inputs in zip(labels, parents, strict=True)]

    assert graph_digest(nodes(edges), [4]) == graph_digest(nodes(swapped), [4]) == graph_digest(nodes(exchanged), [4])
    dead = [*nodes(edges), Node("level 4", (2, 3), commutative=True)]
    assert graph_digest(dead, [4]) == graph_digest(nodes(edges), [4])


def test_twins_count():
    """Two layers of equal wiring have weights of their own; `graph_digest` takes them for one value."""
    one = (["in", "conv", "out"], [(0, 1), (1, 2), (1, 2)])
    two = (["in", "conv", "conv", "out"], [(0, 1), (0, 2), (1, 3), (2, 3)])
    assert isomorphism_digest(*one) != isomorphism_digest(*two)
    values = [Node("in"), Node("conv", (0,)), Node("conv", (0,)), Node("out", (1, 2)), Node("out", (1, 1))]
    assert graph_digest(values, [3]) == graph_digest(values, [4])


@pytest.mark.parametrize("edge", [(0, 2), (-1, 0)])
def test_edges_to_nowhere(edge):
    with pytest.raises(ValueError, match=f"edge {edge[0]} → {edge[1]} in a graph of 2 nodes"):
        isomorphism_digest(["a", "b"], [edge])


def test_the_empty_graph():
    assert isomorphism_digest([], []) != isomorphism_digest([""], [])
