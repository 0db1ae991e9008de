"""MAPO's gradient on an enumerable space (mapo.md, facts 1-3, 9 and 10); the memory is in `test_policy_memory.py`.

Facts 7, 11, 12 and most of 14 are about the paper's program language and its actors, which are not here.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.search.policy import estimators
from isozyme.search.policy.policy import FactorisedPolicy
from isozyme.spaces.template import TemplateSpace

SPACE = TemplateSpace(
    pg.Dict(a=pg.oneof([0, pg.Dict(b=pg.oneof([1, 2, 3]), c=pg.oneof([1, 2])), 2]), d=pg.oneof([0, 1, 2, 3]))
)
POLICY = FactorisedPolicy(SPACE.choices())
ROWS = np.array([POLICY.row(genes) for genes in SPACE.points()])  # 8 · 4
N = len(ROWS)
REWARDS = np.random.default_rng(5).random(N)
LOGITS = [np.random.default_rng(6).normal(size=decision.size) for decision in POLICY.decisions]


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def arrays(logits):
    return [jnp.asarray(row) for row in logits]


@jax.jit
def log_p(logits):
    return estimators.log_probabilities(POLICY, logits, ROWS)


def expected(logits, baseline=0.0):
    return jnp.exp(log_p(logits)) @ (REWARDS - baseline)


def split(logits, inside, outside, alpha=0.0, weighting="probability", rewards=REWARDS):
    """The surrogate with one draw outside the memory: `inside` bool [32], `outside` a number of a row."""
    memory = (jnp.asarray(ROWS), jnp.asarray(rewards), inside)
    draw = (jnp.asarray(ROWS)[outside][None], jnp.asarray(rewards)[outside][None], ~inside[outside][None])
    return estimators.mapo(POLICY, logits, memory, draw, alpha, weighting)


@partial(jax.jit, static_argnames=("alpha", "weighting"))
def gradients(logits, inside, alpha=0.0, weighting="probability", rewards=REWARDS):
    """Of the surrogate, for each draw there is: arrays [32, …]."""
    gradient = jax.grad(partial(split, alpha=alpha, weighting=weighting, rewards=rewards))
    return jax.vmap(gradient, in_axes=(None, None, 0))(logits, inside, jnp.arange(N))


def mean_gradient(logits, inside, **fields):
    """E of the estimate, its draw from π⁻."""
    outside = np.where(inside, 0.0, np.exp(log_p(logits)))
    return np.concatenate([outside / outside.sum() @ part for part in gradients(logits, inside, **fields)])


def flat(parts):
    return np.concatenate([np.ravel(part) for part in parts])


MEMORIES = st.lists(st.booleans(), min_size=N, max_size=N).filter(lambda one: not all(one)).map(np.array)


@given(inside=MEMORIES, baseline=st.sampled_from([0.0, 0.4]))
def test_the_split_is_unbiased(inside, baseline):
    """Fact 1: with α = 0 the split objective is the plain expected return, and so is its gradient, for any memory."""
    logits = arrays(LOGITS)
    p = np.exp(log_p(logits))
    mass = p[inside].sum()
    outside = np.where(inside, 0.0, p)
    mean_outside = outside @ REWARDS / outside.sum()
    mean_inside = p[inside] @ REWARDS[inside] / mass if mass else 0.0
    assert mass * mean_inside + (1.0 - mass) * mean_outside == pytest.approx(float(expected(logits)), abs=1e-12)
    gradient = mean_gradient(logits, inside, rewards=REWARDS - baseline)
    exact = flat(jax.grad(expected)(logits))
    np.testing.assert_allclose(gradient, exact, atol=1e-10)


def test_the_gradient_is_that_of_finite_differences():
    """Fact 1: the gradient of the plain return, by central differences."""
    gradient = jax.grad(expected)(arrays(LOGITS))
    for i, part in enumerate(LOGITS):
        for j in range(len(part)):
            up, down = ([row.copy() for row in LOGITS] for _ in range(2))
            up[i][j] += 1e-5
            down[i][j] -= 1e-5
            difference = (expected(arrays(up)) - expected(arrays(down))) / 2e-5
            assert gradient[i][j] == pytest.approx(float(difference), abs=1e-6)


@pytest.mark.parametrize("kept", [1, 4, 12])
def test_variance(kept):
    """Fact 2: at one draw each, the estimate varies less than plain REINFORCE, where π_B is in (0.05, 0.95); exactly,
    over all draws, in place of 100 repeats."""
    logits, inside = arrays(LOGITS), np.zeros(N, bool)
    inside[np.argsort(-REWARDS)[:kept]] = True
    p = np.exp(log_p(logits))
    assert 0.05 < p[inside].sum() < 0.95
    outside = np.where(inside, 0.0, p) / p[~inside].sum()

    def variance(weights, parts):
        rows = np.concatenate([np.asarray(part) for part in parts], axis=1)
        mean = weights @ rows
        return weights @ ((rows - mean) ** 2).sum(axis=1)

    plain = variance(p, gradients(logits, np.zeros(N, bool)))
    assert variance(outside, gradients(logits, inside)) < plain


def test_memory_weight():
    """Fact 3: π_B = 0.003 with α = 0.1 weighs 0.1, π_B = 0.4 weighs 0.4, an empty memory nothing."""
    weights = [float(estimators.memory_weight(jnp.log(mass), 0.1)) for mass in (0.003, 0.4, 0.0)]
    assert weights == pytest.approx([0.1, 0.4, 0.0], abs=1e-15)
    assert float(estimators.memory_weight(jnp.float32(-500.0), 0.1)) == pytest.approx(0.1)  # Too rare for a float32.
    logits, inside = arrays(LOGITS), np.zeros(N, bool)
    rare = int(np.argmin(log_p(logits)))
    inside[rare] = True
    p = float(np.exp(log_p(logits))[rare])
    assert p < 0.1
    one = jax.grad(POLICY.log_probability)
    other = (rare + 1) % N
    clipped = [part[other] for part in gradients(logits, inside, alpha=0.1)]
    expected_gradient = [
        0.1 * REWARDS[rare] * a + 0.9 * REWARDS[other] * b
        for a, b in zip(one(logits, ROWS[rare]), one(logits, ROWS[other]), strict=True)
    ]
    np.testing.assert_allclose(flat(clipped), flat(expected_gradient), atol=1e-12)


# --- relatives, and draws inside the memory ---


def test_relatives():
    """Fact 9: an empty memory is REINFORCE; α = 1 leaves only the memory: maximum marginal likelihood, hard EM, IML.
    With one candidate in the memory these three are the same."""
    logits, nothing = arrays(LOGITS), np.zeros(N, bool)
    one = jax.jit(jax.vmap(jax.grad(POLICY.log_probability), in_axes=(None, 0)))(logits, ROWS)
    log_gradients = np.concatenate([np.asarray(part) for part in one], axis=1)
    reinforce = np.concatenate(gradients(logits, nothing), axis=1)
    np.testing.assert_allclose(reinforce, REWARDS[:, None] * log_gradients, atol=1e-12)

    inside, ones = nothing.copy(), np.ones(N)
    inside[[3, 8, 20]] = True
    p = np.exp(log_p(logits))

    def replayed(weighting, memory=inside):
        return np.concatenate(gradients(logits, memory, alpha=1.0, weighting=weighting, rewards=ones), axis=1)

    marginal = flat(jax.grad(lambda own: jnp.log(jnp.exp(log_p(own)) @ inside))(logits))
    np.testing.assert_allclose(replayed("probability"), np.tile(marginal, (N, 1)), atol=1e-12)
    best = np.flatnonzero(inside)[p[inside].argmax()]
    np.testing.assert_allclose(replayed("best"), np.tile(log_gradients[best], (N, 1)), atol=1e-12)
    np.testing.assert_allclose(replayed("uniform"), np.tile(log_gradients[inside].mean(axis=0), (N, 1)), atol=1e-12)
    alone = nothing.copy()
    alone[8] = True
    np.testing.assert_allclose(replayed("probability", alone), replayed("best", alone), atol=1e-12)
    np.testing.assert_allclose(replayed("uniform", alone), replayed("best", alone), atol=1e-12)


def test_draws_in_the_memory():
    """Fact 10: ours are left out of the mean, so that the part outside weighs 1 - π_B^c; dropping them and dividing by
    all draws, as the released code does, leaves (1 - π_B)(1 - π_B^c)."""
    logits, inside = arrays(LOGITS), np.zeros(N, bool)
    inside[:16] = True
    p = np.exp(log_p(logits))
    mass, draws = p[inside].sum(), np.random.default_rng(0).choice(N, 20_000, p=p / p.sum())
    rewards = np.where(inside, 0.0, 1.0)
    memory = (jnp.asarray(ROWS), jnp.asarray(rewards), inside)

    def value(own):
        outside = (jnp.asarray(ROWS)[draws], jnp.asarray(rewards)[draws], ~inside[draws])
        return estimators.mapo(POLICY, own, memory, outside, 0.1)

    gradient = flat(jax.jit(jax.grad(value))(logits))
    one = jax.jit(jax.vmap(jax.grad(POLICY.log_probability), in_axes=(None, 0)))(logits, ROWS)
    log_gradients = np.concatenate([np.asarray(part) for part in one], axis=1)
    outside = np.where(inside, 0.0, p) / (1.0 - mass)
    direction = outside @ log_gradients
    weight = gradient @ direction / (direction @ direction)
    assert 0.1 < mass < 0.9
    assert weight == pytest.approx(1.0 - mass, rel=0.05)
    released = weight * (~inside[draws]).mean()
    assert released == pytest.approx((1.0 - mass) ** 2, rel=0.05)
    assert abs(weight - released) > 0.1 * weight
