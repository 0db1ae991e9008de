"""The exact probability of a feasible set against enumeration. Facts are those of tabnas.md."""

import itertools
import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from isozyme.search.policy.additive import feasible_log_probability
from isozyme.search.policy.chain import chain_feasible_argmax, chain_feasible_log_probability
from isozyme.search.policy.trellis import build_trellis
from isozyme.spaces.costs import ParameterCount
from isozyme.tests.search.policy.feasibility_helpers import WIDTHS, assert_close, enumerated, normal, softmax

TOY = ([[2, 3, 4]] * 2, 2, 1, 25)
LOSS = np.array([[0.90, 0.90, 0.66], [0.90, 0.66, 0.30], [0.60, 0.30, 0.10]])
THREE = ([WIDTHS] * 3, 1027, 1, 41_153)
TEN = ([WIDTHS] * 10, 1027, 1, 41_153)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def central_differences(function, logits, step=1e-5):
    gradient = [np.zeros(len(row)) for row in logits]
    for i, j in ((i, j) for i, row in enumerate(logits) for j in range(len(row))):
        ends = []
        for sign in (1, -1):
            moved = [row.copy() for row in logits]
            moved[i][j] += sign * step
            ends.append(float(function(moved)))
        gradient[i][j] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def conditional_quality(logits):
    """E[Q | V] on the toy, in JAX."""
    log_p = [jax.nn.log_softmax(row) for row in logits]
    joint = jnp.exp(log_p[0][:, None] + log_p[1] - chain_feasible_log_probability(logits, *TOY))
    feasible = np.array([[PARAMETERS((a, b)) <= 25 for b in range(3)] for a in range(3)])
    return jnp.sum(joint * (1 - LOSS) * feasible)


PARAMETERS = ParameterCount([[2, 3, 4]] * 2, 2)


def test_toy():
    """Fact 1: the parameter grid, the mask, P(V) = 2/3 and E[Q | V] = 0.23 at the uniform policy."""
    grid = [[PARAMETERS((a, b)) for b in range(3)] for a in range(3)]
    assert grid == [[15, 19, 23], [20, 25, 30], [25, 31, 37]]
    uniform = [jnp.zeros(3)] * 2
    assert abs(jnp.exp(chain_feasible_log_probability(uniform, *TOY)) - 2 / 3) < 1e-15
    assert abs(conditional_quality(uniform) - 0.23) < 1e-15


def test_toy_gradient():
    """Fact 3: the exact conditional gradient at the uniform policy."""
    gradient = jax.grad(conditional_quality)([jnp.zeros(3)] * 2)
    assert_close(gradient, [[-0.025, -1 / 300, 17 / 600], [-0.015, -1 / 300, 11 / 600]], 1e-15)


def test_any_logits():
    """Fact 4: P(V), ∇log P(V) and ∇E[Q | V] equal enumeration and central differences within 1e-9."""
    logits = [np.array([0, 0.5, 1]), np.array([1, 0, -0.5])]

    def log_probability(logits):
        return chain_feasible_log_probability(logits, *TOY)

    value, gradient = jax.value_and_grad(log_probability)(logits)
    expected, expected_gradient, _ = enumerated(logits, PARAMETERS, 25)
    assert abs(math.exp(value) - math.exp(expected)) < 1e-9
    assert_close(gradient, expected_gradient)
    assert_close(gradient, central_differences(log_probability, logits))
    assert_close(jax.grad(conditional_quality)(logits), central_differences(conditional_quality, logits))


def test_criteo():
    """Fact 10: 32-144-24 on 1027 inputs has 41,153 parameters; 856 of 8,000 are feasible, and it alone has as many."""
    count = ParameterCount([WIDTHS] * 3, 1027, 1)
    assert count((WIDTHS.index(32), WIDTHS.index(144), WIDTHS.index(24))) == 41_153
    uniform = [jnp.zeros(20)] * 3
    for limit, feasible in ((41_153, 856), (41_152, 855)):
        found = jnp.exp(chain_feasible_log_probability(uniform, *THREE[:3], limit))
        assert abs(found - feasible / 8_000) < 1e-15
    logits = normal(0, [20] * 3, 2.0)
    value, gradient = jax.value_and_grad(lambda logits: chain_feasible_log_probability(logits, *THREE))(logits)
    expected, expected_gradient, mode = enumerated(logits, count, 41_153)
    assert abs(value - expected) < 1e-9
    assert_close(gradient, expected_gradient)
    assert tuple(chain_feasible_argmax(logits, *THREE).tolist()) == mode


def on_a_grid(logits, widths, inputs, limit, unit=8):
    """log P(V) of a chain with one output by another way: forward, over all multiples of `unit` at each width."""
    p = [softmax(row) for row in logits]
    room = (limit - 1) // unit + 1  # The bias of the output is the only odd number.
    mass = np.zeros((len(widths), room))
    for chance, width in zip(p[0], widths, strict=True):
        if (inputs + 1) * width // unit < room:
            mass[widths.index(width), (inputs + 1) * width // unit] = chance
    for row in p[1:]:
        after = np.zeros_like(mass)
        for (i, before), (j, width) in itertools.product(enumerate(widths), repeat=2):
            step = (before + 1) * width // unit
            if step < room:
                after[j, step:] += row[j] * mass[i, : room - step]
        mass = after
    ends = [(np.arange(room) * unit + width + 1 <= limit) for width in widths]
    return math.log(sum(row[end].sum() for row, end in zip(mass, ends, strict=True)))


def test_ten_layers():
    """Beyond the paper: ten layers of 20 widths, against a forward program over a grid; times are printed."""
    logits = normal(1, [20] * 10)
    start = time.perf_counter()
    function = jax.jit(jax.value_and_grad(lambda logits: chain_feasible_log_probability(logits, *TEN)))
    value, gradient = jax.block_until_ready(function(logits))
    first, start = time.perf_counter() - start, time.perf_counter()
    jax.block_until_ready(function(logits))
    print(f"10 layers: tables and compilation {first:.1f} s, then {1e3 * (time.perf_counter() - start):.1f} ms a call")
    assert abs(value - on_a_grid(logits, WIDTHS, 1027, 41_153)) < 1e-9
    # Conditional minus unconditional probabilities: every decision's sum to zero, none is below -p.
    assert max(abs(jnp.sum(row)) for row in gradient) < 1e-12
    assert all((row >= -softmax(logit) - 1e-12).all() for row, logit in zip(gradient, logits, strict=True))


@pytest.mark.parametrize("precision", [jnp.float32, jnp.float64])
def test_improbable_sets(precision):
    """Design: stable in log space; P(V) of e^-4000, and what rounds to it, has the gradient of any other."""
    logits = [jnp.array([1000.0, -1000.0], precision)] * 2

    def log_probability(logits):
        return feasible_log_probability(logits, [[1, 0], [2, 0]], 0)

    value, gradient = jax.value_and_grad(log_probability)(logits)
    assert value == -4000
    assert_close(gradient, [[-1, 1]] * 2, 0)
    ruled_out = [jnp.array([0.0, -jnp.inf], precision), jnp.array([0.0, 0.0], precision)]
    value, gradient = jax.value_and_grad(log_probability)(ruled_out)
    assert value == -jnp.inf
    assert all(np.isfinite(row).all() for row in gradient)
    assert np.isnan(log_probability([jnp.array([0.0, jnp.nan], precision)] * 2))  # Hides no mistake.


def test_nothing_is_feasible():
    """Design: then log P(V) is -inf, and its gradient zero by definition, so that a step changes nothing."""
    logits = normal(0, [3, 3])
    for function in (
        lambda logits: chain_feasible_log_probability(logits, *TOY[:3], 14),
        lambda logits: feasible_log_probability(logits, [[1, 2, 3]] * 2, 1),
    ):
        value, gradient = jax.value_and_grad(function)(logits)
        assert value == -jnp.inf
        assert_close(gradient, np.zeros((2, 3)), 0)


def test_single_precision():
    """Measured: float32 is off by less than 1e-6 of 1 + |log P(V)|, and by less than 1e-5 in the gradient."""
    worst = np.zeros(2)
    function = jax.jit(jax.value_and_grad(lambda logits: chain_feasible_log_probability(logits, *THREE)))
    for seed, scale in itertools.product(range(20), (0.1, 1.0, 10.0, 100.0)):
        logits = [row.astype(np.float32) for row in normal(seed, [20] * 3, scale)]
        value, gradient = function(logits)
        exact, exact_gradient = function([row.astype(np.float64) for row in logits])
        assert value.dtype == jnp.float32
        distance = max(float(abs(a - b).max()) for a, b in zip(gradient, exact_gradient, strict=True))
        worst = np.maximum(worst, [abs(value - exact) / (1 + abs(exact)), distance])
    print(f"float32: {worst[0]:.1e} of 1 + |log P|, {worst[1]:.1e} in the gradient")
    assert worst[0] < 1e-6
    assert worst[1] < 1e-5


def test_compiles_once():
    """Design: tables are static, logits are not."""
    traces = []

    @jax.jit
    def function(logits):
        traces.append(logits)
        return jax.grad(lambda logits: chain_feasible_log_probability(logits, *TOY))(logits)

    first, second = (function([jnp.array(row) for row in normal(seed, [3, 3])]) for seed in (0, 1))
    assert len(traces) == 1
    assert (first[0] != second[0]).any()


def test_batches():
    """Design: vmap over policies."""
    rows = [jnp.array(row) for row in normal(3, [(5, 3), (5, 3)])]
    together = jax.vmap(lambda *logits: chain_feasible_log_probability(logits, *TOY))(*rows)
    alone = [chain_feasible_log_probability([row[i] for row in rows], *TOY) for i in range(5)]
    assert_close(together, alone, 1e-15)


def test_refusals():
    """CONTRIBUTING: what a user can mend is said."""
    with pytest.raises(ValueError, match="at least 0"):
        feasible_log_probability([np.zeros(2)], [[1, -1]], 1)
    with pytest.raises(ValueError, match=r"logits have shapes \[\(3,\)\], but there are \[2\] choices"):
        feasible_log_probability([np.zeros(3)], [[1, 1]], 1)
    costs = np.random.default_rng(0).random((10, 12))
    with pytest.raises(ValueError, match="round the costs to a coarser grid"):
        feasible_log_probability([np.zeros(12)] * 10, costs, 5.0)
    rounded = build_trellis([np.ceil(row[None] * 100) for row in costs], 500)
    assert max(map(len, rounded.tables)) <= 501
