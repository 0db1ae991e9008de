"""Static keys of callables: functional_hashing.md, fact 9 and section 10 (two-stage key)."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import Node, callable_key, constant_node, evaluate, static_callable_key, trace


def test_a_trace():
    """Operators, functions and constants become nodes; those that no output needs are there and do not matter."""
    traced = trace(lambda x, y: (np.maximum(x, 0.5 * y), np.exp(x))[0], 2)
    assert traced is not None
    nodes, roots = traced
    assert nodes == [
        Node("input 0"),
        Node("input 1"),
        constant_node(0.5),
        Node("multiply", (2, 1), True),
        Node("maximum", (0, 3), True),
        Node("exp", (0,)),
    ]
    assert roots == [4]


def statements(x, y):
    a = x * y
    b = np.exp(-a)
    return b + a


def reordered(first, second):
    np.tanh(first)
    return second * first + np.exp(-(first * second))


EQUAL = {
    "order, names, dead code, repeated computations": (statements, reordered),
    "commuted sum": (lambda x, y: x + y, lambda x, y: y + x),
    "commuted product": (lambda x, y: x * 2.0, lambda x, y: 2 * x),
    "commuted maximum": (lambda x, y: np.maximum(x, y), lambda x, y: np.maximum(y, x)),
    "commuted minimum": (lambda x, y: np.minimum(x, y), lambda x, y: np.minimum(y, x)),
    "commuted conditions": (lambda x, y: (x > 0) & (y > 0), lambda x, y: (y > 0) & (x > 0.0)),
    "method": (lambda x, y: x.sum(0) + x.max(), lambda x, y: np.sum(x, axis=0) + np.max(x)),
    "operator": (lambda x, y: abs(x) @ y.T, lambda x, y: np.matmul(np.abs(x), np.transpose(y))),
    "list": (lambda x, y: (x, 1), lambda x, y: [x, np.float32(1.0)]),
}


@pytest.mark.parametrize("pair", EQUAL)
def test_equal_functions_share_a_static_key(pair):
    """Fact 9: renaming, dead code, commuted +, ×, max and min; nothing is computed."""
    one, other = [static_callable_key(function, 2) for function in EQUAL[pair]]
    assert one is not None
    assert one == other


DIFFERENT = [
    lambda x, y: x - y,
    lambda x, y: y - x,
    lambda x, y: x / y,
    lambda x, y: x * 2.0,
    lambda x, y: x * np.nextafter(2.0, 3.0),
    lambda x, y: x * 0.0,
    lambda x, y: x * -0.0,
    lambda x, y: x * np.array([2.0]),
    lambda x, y: x * [2.0, 2.0],
    lambda x, y: x * [[2.0, 2.0]],
    lambda x, y: np.sum(x),
    lambda x, y: np.sum(x, axis=0),
    lambda x, y: np.sum(x, axis=1),
    lambda x, y: np.sum(x, axis=0, keepdims=True),
    lambda x, y: np.clip(x, 0, None),
    lambda x, y: np.clip(x, None, 0),
    lambda x, y: np.where(x > y, x, y),
    lambda x, y: np.where(x > y, y, x),
    lambda x, y: x[0],
    lambda x, y: x[0:1],
    lambda x, y: x[..., 0],
    lambda x, y: (x > 0) + (y > 0),
    lambda x, y: (x > 0) * 1 + (y > 0),
    lambda x, y: (x > 0) * 1.0 + (y > 0),
    lambda x, y: ~(x > 0),
    lambda x, y: (x, y),
    lambda x, y: (y, x),
    lambda x, y: 3.0,
    lambda x, y: math.nan,
]


def test_different_functions_have_different_static_keys():
    """Fact 9: x−y and y−x; constants, settings, types and shapes of constants, order of outputs."""
    keys = [static_callable_key(function, 2) for function in DIFFERENT]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def writes(x):
    x += 1
    return x


def writes_into_constant(x):
    total = np.zeros(3)
    total += x
    return total


def swallows(x):
    try:
        return x if x > 0 else -x
    except TypeError:
        return x


def asks(x):
    return x if hasattr(x, "shape") else 2 * x


def counts(x):
    try:
        return len(x) * x
    except TypeError:
        return x


UNTRACEABLE = {
    "decision on a value": lambda x: x if x > 0 else -x,
    "decision inside of try": swallows,
    "python's maximum": lambda x: max(x, 0),
    "mathematics of numbers": lambda x: math.exp(x),
    "shape": lambda x: x.shape[0] * x,
    "whether it has a shape": asks,
    "length": counts,
    "loop over values": lambda x: [2 * value for value in x],
    "write": writes,
    "write into a constant": writes_into_constant,
    "output argument": lambda x: np.exp(x, out=np.zeros(3)),
    "index by values": lambda x: x[x > 0],
    "unknown function": lambda x: np.sort(x),
    "unknown setting": lambda x: np.sum(x, where=[True]),
    "method of a ufunc": lambda x: np.add.reduce(x),
    "several outputs": lambda x: np.modf(x)[0],
    "sum of conditions": lambda x: np.sum(x > 0),
    "number too large": lambda x: x + 10**400,
    "random number": lambda x: x + np.random.normal(),
    "as an array": lambda x: np.asarray(x) + 1,
    "jax": lambda x: jnp.exp(x),
    "no output": lambda x: None,
    "exception": lambda x: 1 / 0,
    "text": lambda x: x * len(str(x)),
}


@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_traced(name):
    assert trace(UNTRACEABLE[name], 1) is None
    assert static_callable_key(UNTRACEABLE[name], 1) is None


UNARY = ["np.negative", "np.tanh", "np.abs", "np.sign", "np.square", "np.floor"]
BINARY = ["np.add", "np.subtract", "np.multiply", "np.divide", "np.maximum", "np.minimum", "np.greater"]
LEAVES = st.sampled_from(["x", "y", "0.5", "2", "-1.0"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds("{}({})".format, st.sampled_from(UNARY), inner.map(lambda text: f"(1.0 * {text})"))
        | st.builds("{}({}, {})".format, st.sampled_from(BINARY), inner, inner)
        | st.builds("np.where({} > x, {}, 1.0 * y)".format, inner, inner)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
def test_a_trace_computes_what_the_function_does(text):
    """The nodes, evaluated with numpy's functions of these names, give the outputs of the function."""
    function = eval(f"lambda x, y: 1.0 * x + {text}", {"np": np})
    traced = trace(function, 2)
    assert traced is not None
    nodes, roots = traced
    if any(node.label.startswith("array") for node in nodes):
        return  # Integers among integers: `evaluate` knows floats only.
    inputs = [np.array([-1.5, 0.0, 0.5, 3.0]), np.array([2.0, 0.0, -0.5, 3.0])]
    operations = {node.label: getattr(np, node.label) for node in nodes if hasattr(np, node.label)}
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(evaluate(nodes, roots, operations, inputs)[0], function(*inputs))


class Swapped:
    """numpy, with the operands of commutative functions the other way round."""

    def __getattr__(self, name):
        function = getattr(np, name)
        return (lambda a, b: function(b, a)) if name in ("add", "multiply", "maximum", "minimum") else function


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4))
def test_equal_static_keys_mean_equal_behaviour(texts):
    """Section 10: commuted twins are static hits, and no static hit is what the numeric key would tell apart."""
    numeric = {}
    for text in texts:
        one, other = [eval(f"lambda x, y: 1.0 * x + {text}", {"np": module}) for module in (np, Swapped())]
        static = static_callable_key(one, 2)
        assert static is not None
        assert static_callable_key(other, 2) == static
        for function in (one, other):
            key = callable_key(function, [(16,), (16,)])
            assert numeric.setdefault(static, key) == key
