"""Draws from p(choices | feasible) against enumeration. Facts are those of tabnas.md."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from isozyme.search.policy.additive import feasible_argmax, sample_feasible
from isozyme.search.policy.chain import chain_feasible_argmax, chain_sample_feasible
from isozyme.spaces.costs import AdditiveCost, ParameterCount
from isozyme.tests.search.policy.feasibility_helpers import WIDTHS

TOY = ([[2, 3, 4]] * 2, 2, 1, 25)
COSTS = [[3, 0, 1.5], [2, 1], [0.5, 2.5, 4, 1]]
IMPROBABLE = [jnp.array([1000.0, -1000.0, -3000.0]), jnp.array([2000.0, -500.0])]


def draws(function, seed, count):
    return np.asarray(jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(seed), count)))


def conditional(logits, cost, limit):
    """Feasible choices and their probabilities, by enumeration."""
    log_p = [np.asarray(jax.nn.log_softmax(jnp.asarray(row)), np.float64) for row in logits]
    ways = [way for way in itertools.product(*[range(len(row)) for row in log_p]) if cost(way) <= limit]
    chances = np.exp([sum(row[choice] for row, choice in zip(log_p, way, strict=True)) for way in ways])
    return ways, chances / chances.sum()


def assert_distributed(drawn, ways, chances):
    """Only feasible draws, and as often as they should be: chi-square at 0.1 %, rare ways taken together."""
    found = dict.fromkeys(ways, 0)
    for way in map(tuple, drawn.tolist()):
        found[way] += 1  # Raises KeyError for an infeasible one.
    counts, expected = np.array(list(found.values())), chances * len(drawn)
    rare = expected < 5
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    kept = expected > 0
    assert counts[~kept].sum() == 0
    assert stats.chisquare(counts[kept], expected[kept] * counts.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("logits", [[np.zeros(3)] * 2, [np.array([0, 0.5, 1]), np.array([1, 0, -0.5])]])
def test_toy(logits):
    """Fact 1: six of nine cells are feasible, and drawn as often as p(y) / P(V) says."""
    drawn = draws(lambda key: chain_sample_feasible(key, logits, *TOY), 0, 20_000)
    assert drawn.dtype == np.int32
    assert_distributed(drawn, *conditional(logits, ParameterCount(*TOY[:3]), TOY[3]))


def test_criteo():
    """Fact 10: 856 of 8,000 are feasible; every draw is one of them, without rejection."""
    logits = np.random.default_rng(0).normal(size=(3, 20))
    drawn = draws(lambda key: chain_sample_feasible(key, list(logits), [WIDTHS] * 3, 1027, 1, 41_153), 1, 50_000)
    ways, chances = conditional(logits, ParameterCount([WIDTHS] * 3, 1027, 1), 41_153)
    assert len(ways) == 856
    assert_distributed(drawn, ways, chances)


def test_sums():
    """Fact 1, for a sum of costs over decisions of different sizes."""
    logits = [np.array([1.0, -1.0, 0.0]), np.array([0.5, 0.0]), np.array([0.0, 1.0, 2.0, -1.0])]
    drawn = draws(lambda key: sample_feasible(key, logits, COSTS, 5), 2, 20_000)
    assert_distributed(drawn, *conditional(logits, AdditiveCost(COSTS), 5))


def test_tiny_probabilities():
    """Design: exact where P(V) is nothing, which the paper leaves open: e^-4000; feasible even at logits of -inf."""
    costs, limit = [[5, 1, 1], [3, 1]], 3
    drawn = draws(lambda key: sample_feasible(key, IMPROBABLE, costs, limit), 3, 1_000)
    assert set(map(tuple, drawn.tolist())) == {(1, 1)}  # (2, 1) is e^-2000 times as likely.
    never = [jnp.array([0.0, -jnp.inf, -jnp.inf]), jnp.zeros(2)]
    drawn = draws(lambda key: sample_feasible(key, never, costs, limit), 4, 1_000)
    assert set(map(tuple, drawn.tolist())) <= {(1, 1), (2, 1)}
    assert feasible_argmax(IMPROBABLE, costs, limit).tolist() == [1, 1]


def test_the_mode_is_feasible():
    """Section 3, final choice: the unconditional arg-max is often infeasible; this one never is."""
    logits = [np.array([0.0, 0.0, 9.0]), np.array([0.0, 0.1, 0.2])]
    assert chain_feasible_argmax(logits, *TOY).tolist() == [2, 0]  # 4-2; without the limit it would be 4-4.
    rng = np.random.default_rng(5)
    cost = ParameterCount(*TOY[:3])
    for _ in range(50):
        logits = list(rng.normal(size=(2, 3)).astype(np.float32))
        ways, chances = conditional(logits, cost, 25)
        assert tuple(chain_feasible_argmax(logits, *TOY).tolist()) == ways[int(chances.argmax())]


def test_nothing_to_draw():
    """CONTRIBUTING: what a user can mend is said."""
    for function in (lambda *given: sample_feasible(jax.random.key(0), *given), feasible_argmax):
        with pytest.raises(ValueError, match="nothing is feasible"):
            function([np.zeros(2)], [[1, 2]], 0.5)
