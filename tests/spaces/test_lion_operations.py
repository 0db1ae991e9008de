"""The 45 functions against a second, tree-level definition; facts of lion.md, section 14."""

import itertools
import math
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isozyme.spaces.lion import OPERATIONS, FlatLayout
from isozyme.spaces.lion.operations import NODE_SCALARS, SCALAR, TREE

SHAPES = {"a": (2, 3), "b": (4,)}
SIZES = [6, 4]
EPS = 1e-8


def leaves(tree):
    return jax.tree.leaves(tree)


def repeated(*trees):
    """The arguments with single numbers repeated for every leaf, as the release does."""
    many = next((t for t in trees if isinstance(t, dict)), None)
    if many is None:
        return trees
    return tuple(t if isinstance(t, dict) else dict.fromkeys(many, t) for t in trees)


def each(function, *trees):
    return jax.tree.map(function, *repeated(*trees))


def total(tree):
    return sum(jnp.sum(leaf) for leaf in leaves(tree))


def widened(x, y):
    """Both arguments with the shapes that their product has."""
    x, y = repeated(x, y)
    return each(lambda a, b: a + 0 * b, x, y), each(lambda a, b: b + 0 * a, x, y)


def dot(x, y):
    return total(each(lambda a, b: a * b, x, y))


def length(x):
    return jnp.sqrt(total(each(lambda a: a * a, x)))


def cosine(x, y):
    x, y = widened(x, y)
    return dot(x, y) / (length(x) * length(y) + EPS)


SAME_NAME = """abs cos sin tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 square cbrt
sign reciprocal negative"""
UNARY = {name: getattr(jnp, name) for name in SAME_NAME.split()} | {
    "exp10": lambda x: 10.0**x,
    "log": lambda x: jnp.log(abs(x)),
    "log10": lambda x: jnp.log10(abs(x)),
    "log2": lambda x: jnp.log2(abs(x)),
    "log1p": lambda x: jnp.log(abs(1 + x)),
    "sqrt": lambda x: jnp.sqrt(abs(x)),
    "cube": lambda x: x**3,
    "invert": lambda x: ~x.astype(int) + 0.0,
    "norm": lambda x: jnp.sqrt(jnp.sum(x * x)),
}
BINARY = {
    "+": jnp.add,
    "-": jnp.subtract,
    "*": jnp.multiply,
    "/": lambda x, y: x / (y + EPS),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "power": jnp.power,
}
REFERENCE = (
    {name: lambda x, f=f: each(f, x) for name, f in UNARY.items()}
    | {name: lambda x, y, f=f: each(f, x, y) for name, f in BINARY.items()}
    | {
        "get_pi": lambda: jnp.asarray(math.pi),
        "get_e": lambda: jnp.asarray(math.e),
        "get_eps": lambda: jnp.asarray(1e-8),
        "global_norm": length,
        "dot": dot,
        "cosine_sim": cosine,
        "clip_by_global_norm": lambda x, c: each(lambda a: a * jnp.minimum(1.0, c / length(x)), x),
        "interpolate": lambda x, y, a: each(lambda x, y, a: (1 - a) * x + a * y, x, y, a),
    }
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def argument(kind, rng):
    """A value of a kind as a tree and on the flat vector."""
    if kind == SCALAR:
        number = rng.uniform(0.1, 0.9)
        return jnp.asarray(number), np.float64(number)
    shapes = SHAPES if kind == TREE else dict.fromkeys(SHAPES, ())
    tree = {key: jnp.asarray(rng.uniform(0.1, 0.9, shape)) for key, shape in shapes.items()}
    flat = [np.broadcast_to(np.ravel(x), n) for x, n in zip(leaves(tree), SIZES, strict=True)]
    return tree, np.concatenate(flat)


def kind_of(tree):
    shapes = [x.shape for x in leaves(tree)]
    if not isinstance(tree, dict):
        assert shapes == [()]
        return SCALAR
    return {((), ()): NODE_SCALARS, tuple(SHAPES.values()): TREE}[tuple(shapes)]


def fits(name, kinds):
    return OPERATIONS[name].result(kinds) is not None


CASES = [
    pytest.param(name, kinds, id=f"{name}-{''.join('snt'[k] for k in kinds)}")
    for name, operation in OPERATIONS.items()
    for kinds in itertools.product((SCALAR, NODE_SCALARS, TREE), repeat=operation.arity)
]
FITTING = [case for case in CASES if fits(*case.values)]


def test_vocabulary():
    """Fact 1: 45 functions, split 3/6/30/6."""
    assert len(OPERATIONS) == 45
    assert Counter(o.group for o in OPERATIONS.values()) == {"constant": 3, "tree": 6, "unary": 30, "model": 6}
    assert set(REFERENCE) == set(OPERATIONS)


@pytest.mark.parametrize(("name", "kinds"), CASES)
def test_signature_agrees_with_eval_shape(name, kinds):
    """The table of signatures says what jax.eval_shape says of the tree-level function (issue 2, Must show 4)."""
    operation = OPERATIONS[name]
    trees = [argument(kind, np.random.default_rng(0))[0] for kind in kinds]
    found = operation.result(kinds)
    if found is None:
        # The one restriction of the table: a limit is one number.
        assert name == "clip_by_global_norm"
        assert kinds[1] != SCALAR
        return
    assert found == kind_of(jax.eval_shape(REFERENCE[name], *trees))


@pytest.mark.parametrize(("name", "kinds"), FITTING)
def test_value_agrees_with_the_tree_level_function(name, kinds):
    """Flat values mean what trees mean, for every function and every combination of kinds."""
    operation = OPERATIONS[name]
    rng = np.random.default_rng(1)
    pairs = [argument(kind, rng) for kind in kinds]
    flat: list[Any] = [pair[1] for pair in pairs]
    if name == "interpolate":
        flat.append(1.0 - flat[2])
    with np.errstate(invalid="ignore"):  # arccosh of numbers below 1 is NaN in both.
        got = operation.compute(np, FlatLayout(SIZES), max(kinds, default=SCALAR), *flat)
    tree = REFERENCE[name](*(pair[0] for pair in pairs))
    if not isinstance(tree, dict):
        np.testing.assert_allclose(got, tree, rtol=1e-12)
        return
    expected = [np.broadcast_to(np.ravel(x), n) for x, n in zip(leaves(tree), SIZES, strict=True)]
    np.testing.assert_allclose(np.broadcast_to(got, 10), np.concatenate(expected), rtol=1e-12)


def value(name, *arguments):
    operation = OPERATIONS[name]
    return operation.compute(np, FlatLayout([1]), SCALAR, *map(np.float64, arguments))


def test_protected_functions():
    """Fact 1: division by 0, square roots and logarithms of negative numbers."""
    assert value("/", 1, 0) == pytest.approx(1e8)
    assert value("sqrt", -4) == 2
    assert value("log1p", -3) == pytest.approx(math.log(2))
    assert [value("invert", n) for n in (0, 5, -3)] == [~0, ~5, ~-3]


def test_clip_never_raises_the_global_norm():
    """Fact 1: clip(t, c) never raises the global norm, for any limit that is not negative."""
    rng = np.random.default_rng(2)
    layout = FlatLayout(SIZES)
    clip = OPERATIONS["clip_by_global_norm"].compute
    for scale in 10.0 ** rng.uniform(-6, 6, 200):
        x, limit = rng.normal(size=10) * scale, np.float64(10.0 ** rng.uniform(-6, 6))
        after = np.linalg.norm(clip(np, layout, TREE, x, limit))
        assert after <= np.linalg.norm(x) * (1 + 1e-12)
        assert after <= limit * (1 + 1e-12) or np.linalg.norm(x) <= limit
