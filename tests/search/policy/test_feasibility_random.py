"""Feasible sets of small random costs against enumeration. Facts are those of tabnas.md."""

import itertools

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from isozyme.search.policy.additive import feasible_argmax, feasible_log_probability
from isozyme.search.policy.trellis import build_trellis
from isozyme.spaces.costs import AdditiveCost, ParameterCount
from isozyme.tests.search.policy.feasibility_helpers import assert_close, enumerated, normal


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=4)
whole = st.integers(0, 12).map(float)
real = st.floats(0, 12, allow_subnormal=False)


@st.composite
def additive(draw, numbers):
    costs = [draw(st.lists(numbers, min_size=size, max_size=size)) for size in draw(sizes)]
    return costs, draw(st.one_of(numbers, st.just(sum(row[-1] for row in costs))))


@st.composite
def chains(draw):
    widths = draw(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=4))
    inputs, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    count = ParameterCount(widths, inputs, outputs)
    some = count(tuple(draw(st.integers(0, len(row) - 1)) for row in widths))
    return count, some + draw(st.integers(-1, 1))


def follows(trellis, way):
    """Whether the tables let a way through."""
    state = 0
    for number, (table, choice) in enumerate(zip(trellis.tables, way, strict=True), 1):
        state = table[state, choice]
        if state == (len(trellis.tables[number]) if number < len(trellis.tables) else 1):
            return False
    return trellis.feasible


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    st.one_of(additive(whole), additive(real)).map(lambda drawn: (AdditiveCost(drawn[0]), drawn[1])) | chains()
)
def test_tables_hold_the_feasible_set(drawn):
    """Fact 1, for any costs: a way is in the tables if and only if it costs no more than the limit."""
    cost, limit = drawn
    trellis = build_trellis(cost.tables(), limit)
    ways = list(itertools.product(*map(range, trellis.sizes)))
    wanted = [cost(way) <= limit for way in ways]
    assert trellis.feasible == any(wanted)
    if trellis.feasible:
        assert [follows(trellis, way) for way in ways] == wanted
        for table in trellis.tables:  # Reduced: no two states are the same.
            assert len(np.unique(table, axis=0)) == len(table)


@hypothesis.settings(max_examples=6)  # Each of them is compiled.
@hypothesis.given(additive(whole) | additive(real), st.integers(0, 1000))
def test_additive_costs(drawn, seed):
    """Fact 4, for sums over decisions of different sizes."""
    costs, limit = drawn
    hypothesis.assume(sum(map(min, costs)) <= limit)
    logits = normal(seed, map(len, costs), 2.0)

    @jax.jit
    def found(logits):
        log_p, gradient = jax.value_and_grad(lambda logits: feasible_log_probability(logits, costs, limit))(logits)
        return log_p, gradient, feasible_argmax(logits, costs, limit)

    value, gradient, mode = found(logits)
    expected, expected_gradient, expected_mode = enumerated(logits, AdditiveCost(costs), limit)
    assert abs(value - expected) < 1e-9
    assert_close(gradient, expected_gradient)
    assert tuple(mode.tolist()) == expected_mode


def test_rounded_sums():
    """Design: floats are added from the first decision to the last, and 0.1 + 0.2 is more than 0.3."""
    cost = AdditiveCost([[0.1, 0.0], [0.2, 5.0]])
    assert [cost((0, 0)) <= 0.3, cost((1, 0)) <= 0.3] == [False, True]
    trellis = build_trellis(cost.tables(), 0.3)
    assert [follows(trellis, way) for way in itertools.product(range(2), range(2))] == [False, False, True, False]
