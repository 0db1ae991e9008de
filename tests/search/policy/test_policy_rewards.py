"""Rewards of quality and cost, baselines and schedules (tunas.md, facts 7-10; mnasnet.md, facts 7-9)."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.search.policy import baselines, estimators, schedules
from isozyme.search.policy.policy import FactorisedPolicy
from isozyme.search.policy.rewards import CostAware, absolute, capped, mnasnet_hard, mnasnet_soft
from isozyme.spaces.choices import of_sizes


def test_absolute_reward():
    """Fact 7 of tunas.md: Q at the target; 0.01 less at ±10 % with β = -0.10; whether the target is the best point of
    a curve Q(T) of 5 % more a doubling hangs on |dQ/d ln T| = 0.054 against |β|."""
    assert absolute(0.75, 84.0, 84.0) == 0.75
    for T in (0.9 * 84.0, 1.1 * 84.0):
        assert absolute(0.75, T, 84.0) == pytest.approx(0.74, abs=1e-12)
    T = np.linspace(42.0, 168.0, 1_261)
    Q = 0.75 * 1.05 ** np.log2(T / 84.0)
    assert 0.75 * math.log(1.05) / math.log(2.0) == pytest.approx(0.0528, abs=1e-4)
    assert T[np.argmax(absolute(Q, T, 84.0, -0.10))] == pytest.approx(84.0, abs=0.05)
    assert T[np.argmax(absolute(Q, T, 84.0, -0.05))] > 84.5


def test_multiplicative_rewards():
    """mnasnet.md, facts 7 and 8: soft, ACC at the target and 0.95264 of it at twice it; hard, flat and then half."""
    assert mnasnet_soft(0.75, 80.0, 80.0) == 0.75
    assert mnasnet_soft(1.0, 160.0, 80.0) == pytest.approx(0.95264, abs=5e-6)
    assert mnasnet_soft(1.05, 160.0, 80.0) == pytest.approx(1.00027, abs=5e-6)
    assert [mnasnet_hard(0.75, T, 80.0) for T in (1.0, 40.0, 79.9, 80.0, 160.0)] == [0.75, 0.75, 0.75, 0.75, 0.375]
    assert capped(0.75, 160.0, 80.0, -0.07) == mnasnet_soft(0.75, 160.0, 80.0)
    values = jnp.array([40.0, 160.0])
    np.testing.assert_allclose(capped(0.75, values, 80.0, -1.0), [0.75, 0.375], rtol=1e-6)


def test_only_the_soft_reward_ignores_its_target():
    """mnasnet.md, fact 9, and tunas.md, fact 8: the rank order under the soft reward does not depend on the target."""
    draws = np.random.default_rng(0)
    Q, T = draws.uniform(0.6, 0.8, 50), draws.uniform(20.0, 200.0, 50)

    def orders(reward):
        return {tuple(np.argsort(reward(Q, T, target))) for target in (30.0, 75.0, 150.0)}

    assert len(orders(mnasnet_soft)) == 1
    assert len(orders(mnasnet_hard)) == len(orders(absolute)) == 3


def test_reward_of_metrics():
    """Task: a named function of metrics; a trial without its cost has none."""
    reward = CostAware(kind="absolute", cost="latency", target=80.0, beta=-0.1)
    assert reward(0.75, {"latency": 88.0}) == pytest.approx(0.74)
    assert reward(0.75, {}) is None
    assert pg.from_json_str(pg.to_json_str(reward)) == reward


# --- baselines and schedules ---


@given(st.floats(-1e6, 1e6, width=32))
def test_the_first_advantage_is_zero(reward):
    """Fact 10: after one step the baseline equals the reward, to the bit."""
    average = baselines.include(baselines.average(), jnp.float32(reward), 0.95)
    assert average.mean == jnp.float32(reward)


def test_debiased_average():
    """Fact 10: later on it is the mean of all rewards with weights that fall by the momentum."""
    average, rewards = baselines.average(), np.random.default_rng(0).normal(size=30)
    for reward in rewards:
        average = baselines.include(average, jnp.asarray(reward), 0.9)
    weights = 0.9 ** np.arange(29, -1, -1)
    assert average.mean == pytest.approx(np.average(rewards, weights=weights), abs=1e-6)


def test_leave_one_out():
    """tunas.md, where to go beyond: the mean of the others; by enumeration of all pairs of draws its gradient is
    unbiased."""
    with jax.enable_x64(True):
        np.testing.assert_allclose(baselines.leave_one_out(jnp.array([1.0, 2.0, 6.0])), [4.0, 3.5, 1.5])
        policy, logits = FactorisedPolicy(of_sizes([3])), [jnp.array([0.0, 0.5, 1.0])]
        p, reward = np.asarray(jax.nn.softmax(logits[0])), jnp.array([1.0, -2.0, 0.5])

        @jax.jit
        @jax.vmap
        def gradients(pair):
            advantages = reward[pair] - baselines.leave_one_out(reward[pair])
            return jax.grad(lambda own: estimators.reinforce(policy, own, pair[:, None], advantages))(logits)[0]

        pairs = np.array([(i, j) for i in range(3) for j in range(3)])
        mean = (p[pairs[:, 0]] * p[pairs[:, 1]]) @ gradients(pairs)
        np.testing.assert_allclose(mean, jax.grad(lambda own: jax.nn.softmax(own[0]) @ reward)(logits)[0], atol=1e-12)


def test_schedule():
    """Fact 9: 0 before a quarter, then the base, 10 times the base at the end, √10 of it half way."""
    schedule = schedules.delayed_exponential(4.8e-3, 1_000)
    rates = [float(schedule(step)) for step in (0, 249, 250, 625, 1_000)]
    assert rates == pytest.approx([0.0, 0.0, 4.8e-3, 4.8e-3 * math.sqrt(10.0), 4.8e-2], rel=1e-5)
    assert [float(schedules.delayed(0.1, 3)(step)) for step in (0, 2, 3)] == [0.0, 0.0, 0.1]
