"""Keys of computation graphs: functional_hashing.md, facts 9 and 10."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import Node, callable_key, constant_node, evaluate, graph_digest, graph_key, input_node

X, Y = input_node(0), input_node(1)
OPERATIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "square": np.square,
    "log": np.log,
    "fail": lambda x: [][1],
}
SHAPES = [(3,), (3,)]


def key(*nodes, roots=None, shapes=SHAPES, **options):
    return graph_key(nodes, [len(nodes) - 1] if roots is None else roots, OPERATIONS, shapes, **options)


def test_evaluation():
    """Roots in order, constants exact, dead nodes not computed."""
    nodes = [X, Y, constant_node(0.1), Node("fail", (0,)), Node("mul", (0, 2)), Node("sub", (4, 1))]
    values = evaluate(nodes, [5, 2, 0], OPERATIONS, [np.array([1.0, 2.0]), 3.0])
    np.testing.assert_array_equal(values[0], np.array([1.0, 2.0]) * 0.1 - 3.0)
    assert values[1] == 0.1
    assert values[2].tolist() == [1.0, 2.0]


def test_equal_graphs_share_a_key():
    """Fact 9: renumbering, dead code, commuted operands, square(x) and x·x."""
    assert key(X, Y, Node("add", (0, 1))) == key(Y, X, Node("add", (0, 1)))
    assert key(X, Y, Node("mul", (0, 1))) == key(X, Y, Node("mul", (1, 0)))
    assert key(X, Y, Node("max", (0, 1))) == key(X, Y, Node("max", (1, 0)))
    assert key(X, Node("square", (0,))) == key(X, Node("mul", (0, 0))) == key(Y, X, Node("mul", (1, 1)))
    assert key(X, Node("fail", (0,)), roots=[0]) == key(X)


def test_different_graphs_have_different_keys():
    """Fact 9: x−y and y−x. Fact 10: a NaN is not a number."""
    keys = [
        key(X),
        key(Y),
        key(X, Y, Node("sub", (0, 1))),
        key(X, Y, Node("sub", (1, 0))),
        key(X, Y, Node("max", (0, 1))),
        key(X, constant_node(1.001), Node("mul", (0, 1))),
        key(X, Node("log", (0,))),
        key(X, Node("fail", (0,))),
        key(X, Y, roots=[0, 1]),
        key(X, Y, roots=[1, 0]),
        key(X, shapes=[(2,)]),
    ]
    assert len(set(keys)) == len(keys)


def test_zeros_of_either_sign():
    """Fact 10: −0.0 and +0.0 are one."""
    assert key(constant_node(0.0)) == key(constant_node(-0.0))
    assert constant_node(0.0) != constant_node(-0.0)


def test_mantissa_bits():
    """Fact 9: a constant changed by 1e-9 is seen at 52 bits only. Fact 2: 1 to 52."""
    one, other = constant_node(0.3), constant_node(0.3 * (1 + 1e-9))
    assert key(one) == key(other)
    assert key(one, mantissa_bits=52) != key(other, mantissa_bits=52)
    with pytest.raises(ValueError, match="mantissa_bits is 53"):
        key(one, mantissa_bits=53)


def test_a_graph_has_the_key_of_its_function():
    """Section 1, "unified": one procedure for graphs and for callables."""
    graph = key(X, Y, constant_node(0.1), Node("mul", (2, 0)), Node("max", (0, 3)), Node("add", (1, 4)))
    assert graph == callable_key(lambda x, y: y + np.where(x > 0, x, x / 10), SHAPES)
    assert key(X, Node("fail", (0,))) == callable_key(lambda x, y: {}["no"] if False else [][0], SHAPES)


@pytest.mark.parametrize("label", ["input 2", "input -1", "input", "cosine"])
def test_unknown_labels(label):
    """Misspelt operations must not become a behaviour that all such graphs share."""
    with pytest.raises(ValueError, match=f"'{label}' is none of 2 inputs, no constant and no operation"):
        key(X, Node(label))
    with pytest.raises(ValueError, match=f"'{label}' is none of 2 inputs"):
        evaluate([X, Node(label)], [1], OPERATIONS, [1.0, 2.0])
    assert key(Node(label), X) == key(X)


@st.composite
def graphs(draw):
    nodes = [X, Y, constant_node(0.5)]
    for _ in range(draw(st.integers(1, 6))):
        label = draw(st.sampled_from(["add", "sub", "mul", "max"]))
        inputs = draw(st.tuples(*[st.integers(0, len(nodes) - 1)] * 2))
        nodes.append(Node(label, inputs, label != "sub"))
    return nodes


@given(st.lists(graphs(), min_size=2, max_size=8))
def test_equal_digests_mean_equal_behaviour(population):
    """Section 10: the static stage merges nothing that the numeric stage parts."""
    known = {}
    for nodes in population + [[*nodes, Node("fail", (0,))] for nodes in population]:
        root = len(nodes) - 1 - (nodes[-1].label == "fail")
        numeric = key(*nodes, roots=[root])
        assert known.setdefault(graph_digest(nodes, [root]), numeric) == numeric
