"""Keys of callables: functional_hashing.md, facts 8 to 10."""

import math
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import isozyme.hashing
from isozyme.hashing import callable_key

SHAPES = ((), (4,), (3, 2))

EQUAL = {
    "commuted sum": (lambda x, y: x + y * 2, lambda x, y: 2 * y + x),
    "commuted maximum": (lambda x, y: np.maximum(x, y), lambda x, y: np.maximum(y, x)),
    "commuted minimum": (lambda x, y: np.minimum(x, y), lambda x, y: np.minimum(y, x)),
    "renamed": (lambda x, y: x - y, lambda a, b: a - b),
    "square": (lambda x, y: np.square(x), lambda x, y: x * x),
    "associated": (lambda x, y: (x * y) * 3, lambda x, y: x * (y * 3)),
    "reciprocal": (lambda x, y: x / y, lambda x, y: x * (1 / y)),
    "branch": (lambda x, y: np.maximum(x, 0.1 * x), lambda x, y: np.where(x > 0, x, x / 10)),
    "dead code": (lambda x, y: (np.exp(x), y)[1], lambda x, y: y),
    "signed zeros": (lambda x, y: x * 0.0, lambda x, y: x * -0.0),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", EQUAL)
def test_equal_functions_share_a_key(pair, shape):
    """Facts 9 and 10: renaming, dead code, commuted operands, square(x) and x·x, −0.0 and +0.0."""
    one, other = EQUAL[pair]
    assert callable_key(one, [shape, shape]) == callable_key(other, [shape, shape])


DIFFERENT = [
    lambda x, y: x,
    lambda x, y: y,
    lambda x, y: x - y,
    lambda x, y: y - x,
    lambda x, y: np.abs(x),
    lambda x, y: np.maximum(x, y),
    lambda x, y: np.minimum(x, y),
    lambda x, y: np.maximum(x, 0),
    lambda x, y: np.sign(x),
    lambda x, y: np.tanh(x),
    lambda x, y: np.where(x > 0, 1.0, -1.0),
    lambda x, y: np.where(x >= 0, 1.0, -1.0),
    lambda x, y: np.where(x > y, 1.0, -1.0),
    lambda x, y: np.where(x >= y, 1.0, -1.0),
    lambda x, y: np.clip(x, -1, 1),
    lambda x, y: np.clip(x, -1e3, 1e3),
    lambda x, y: np.sign(x - y),
    lambda x, y: x * 1.001,
    lambda x, y: x + 0.001 * y,
    lambda x, y: x + 0.001001 * y,
    lambda x, y: x + 1e-8,
    lambda x, y: x / y,
    lambda x, y: x / (y + 1e-8),
    lambda x, y: x / (y + 1.001e-8),
    lambda x, y: np.sqrt(x),
    lambda x, y: np.sqrt(np.abs(x)),
    lambda x, y: np.log(x),
    lambda x, y: np.log(np.abs(x)),
    lambda x, y: np.log1p(np.abs(x)),
    lambda x, y: np.exp(-x * x),
    lambda x, y: np.sin(x),
    lambda x, y: np.rint(x),
    lambda x, y: np.abs(np.rint(x)),
    lambda x, y: np.clip(x, -1, 1) * np.rint(x),
    lambda x, y: np.where(y >= x, x, 1.0),
    lambda x, y: np.where(np.sign(y) >= x, x, 1.0),
    lambda x, y: np.floor(x),
    lambda x, y: np.trunc(x),
    lambda x, y: (x, y),
    lambda x, y: (y, x),
    lambda x, y: 0.0,
    lambda x, y: 1,
    lambda x, y: math.nan,
    lambda x, y: math.inf,
    lambda x, y: (),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_different_functions_have_different_keys(shape):
    """Facts 9 and 10, section 10: x−y and y−x, ties of sign, thresholds, constants changed by a thousandth."""
    keys = [callable_key(function, [shape, shape]) for function in DIFFERENT]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("shape", [(), (30,)])
def test_a_billionth_in_a_constant(shape):
    """Fact 9: equal at m=24 in most cases, different at m=52. A millionth is different at either."""
    rng = np.random.default_rng(0)

    def share_of_equals(relative, bits):
        pairs = [(constant, constant * (1 + relative)) for constant in rng.normal(size=50)]
        keys = [[callable_key(lambda x, c=c: c * x, [shape], bits) for c in pair] for pair in pairs]
        return np.mean([one == other for one, other in keys])

    assert share_of_equals(1e-9, 24) > 0.6
    assert share_of_equals(1e-9, 52) == 0
    assert share_of_equals(1e-6, 24) == 0


def test_nan_positions():
    """Fact 10: all-NaN functions share a key, whatever they did; one NaN here differs from one there."""

    def broken(place):
        def function(x):
            x[place] = math.nan
            return x

        return function

    assert callable_key(lambda x: x * math.nan, [(4,)]) == callable_key(lambda x: np.sqrt(-1 - x * x), [(4,)])
    assert len({callable_key(broken(place), [(4,)]) for place in (0, 1, 3, slice(None))}) == 4


def test_random_functions_are_reset():
    """Fact 8: A, then one that draws random numbers, then A again."""

    def noisy(x):
        return x + np.random.normal(size=4) + random.random()

    keys = [callable_key(function, [(4,)]) for function in (noisy, np.tanh, noisy, noisy, np.tanh)]
    assert keys[0] == keys[2] == keys[3] != keys[1] == keys[4]


def test_exceptions_are_behaviour():
    def raises(kind, threshold=-math.inf):
        def function(x):
            if x > threshold:
                raise kind("a text that may hold an address and does not matter", id(function))
            return x

        return function

    keys = [callable_key(f, [()]) for f in (raises(ValueError), raises(KeyError), raises(ValueError, 0.0), abs)]
    assert len(set(keys)) == 4
    assert callable_key(raises(ValueError), [()]) == keys[0]


def test_want_of_memory_is_none():
    def greedy(x):
        raise MemoryError

    with pytest.raises(MemoryError):
        callable_key(greedy, [()])


def test_functions_get_copies():
    def spoils(x):
        x[:] = 7.0
        return 0.0

    first = callable_key(np.tanh, [(4,)])
    assert callable_key(spoils, [(4,)]) == callable_key(lambda x: 0.0, [(4,)])
    assert callable_key(np.tanh, [(4,)]) == first


def test_outputs_may_come_in_lists():
    keys = {callable_key(f, [(2,)]) for f in (lambda x: x, lambda x: (x,), lambda x: [x.astype(np.float64)])}
    assert len(keys) == 1
    assert callable_key(lambda x: x.astype(complex), [(2,)]) != callable_key(lambda x: x, [(2,)])


def test_wrong_calls_are_no_behaviour():
    with pytest.raises(ValueError, match="3 is not callable"):
        callable_key(3, [()])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="does not take 1 arguments"):
        callable_key(lambda x, y: x, [()])
    with pytest.raises(TypeError, match="an output is NoneType"):
        callable_key(lambda x: None, [()])
    with pytest.raises(ValueError, match="mantissa_bits is 0"):
        callable_key(lambda x: x, [()], mantissa_bits=0)


PROGRAM = """
import numpy as np
if {jax}:
    import jax.numpy as jnp
    from jax import jit
else:
    jnp, jit = np, lambda function: function
from isozyme import hashing
functions = [
    lambda x, y: jnp.tanh(x) * jnp.exp(-y * y),
    lambda x, y: jnp.where(x > y, x, 0.1 * y).sum(),
    lambda x, y: (jnp.sqrt(jnp.abs(x)) / (jnp.abs(y) + 1e-8), jnp.sign(x - y)),
    lambda x, y: x @ y,
    lambda x, y: jnp.log1p(jnp.abs(x)) + jnp.arctan(y),
]
for function in functions:
    print(hashing.callable_key(jit(function), [(4,), (4,)]).hex())
print(hashing.static_callable_key(lambda x, y: np.where(x > y, x * 0.1, y), 2).hex())
nodes = [hashing.input_node(0), hashing.Node("twice", (0,))]
print(hashing.graph_key(nodes, [1], {{"twice": lambda x: x + x}}, [(3,)]).hex())
print(hashing.program_key(lambda inputs, state: (state[0] + inputs[0], inputs), [(3,)], [(3,)]).hex())
print(hashing.isomorphism_digest(["in", "conv", "conv", "out"], [(0, 1), (0, 2), (1, 3), (2, 3)]).hex())
"""


def test_keys_agree_between_processes_and_with_jax():
    """Section 10: never `hash()`; numpy and jax in float64 agree."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(jax=jax)],
            env=os.environ | {"PYTHONHASHSEED": seed, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, jax in (("1", False), ("2", False), ("3", True))
    ]
    outputs = [child.communicate(timeout=120)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(set(outputs[0])) == 9


def test_the_usage_in_the_package():
    """What the docstring of `isozyme.hashing` shows works as shown."""
    import doctest

    result = doctest.testmod(isozyme.hashing)
    assert result.failed == 0
    assert result.attempted > 10
