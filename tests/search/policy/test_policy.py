"""The factorised policy, rewards, baselines and schedules, by enumeration and finite differences (tunas.md, 7-11)."""

import math
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest

from isozyme.search.policy import estimators
from isozyme.search.policy.policy import FactorisedPolicy
from isozyme.spaces.choices import DEAD, reaching
from isozyme.spaces.template import TemplateSpace

NESTED = TemplateSpace(pg.Dict(a=pg.oneof([0, pg.Dict(b=pg.oneof(["x", "y", "z"]))]), c=pg.oneof([0, 1])))
DEEP = TemplateSpace(
    pg.Dict(
        a=pg.oneof([pg.Dict(b=pg.oneof([1, pg.Dict(c=pg.oneof([1, 2]), d=pg.oneof([1, 2, 3]))])), 5]),
        e=pg.manyof(2, [0, pg.Dict(f=pg.oneof([1, 2]))], distinct=False, sorted=False),
        g=pg.oneof([7]),
        h=pg.manyof(1, [1, 2]),
    )
)


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


def everything(space):
    """The policy of a space, and all its candidates as rows."""
    policy = FactorisedPolicy(space.choices())
    return policy, np.array([policy.row(genes) for genes in space.points()])


def logits_of(policy, seed=0, scale=1.0):
    draws = np.random.default_rng(seed)
    return [jnp.asarray(scale * draws.normal(size=decision.size)) for decision in policy.decisions]


def log_p_of(policy, logits, rows):
    return np.asarray(jax.jit(partial(estimators.log_probabilities, policy))(logits, rows))


def differences(function, logits, step=1e-5):
    """Central differences of a scalar by each logit."""
    gradient = []
    for i, row in enumerate(logits):
        gradient.append(np.zeros(len(row)))
        for j in range(len(row)):
            up, down = ([*logits[:i], row.at[j].add(sign * step), *logits[i + 1 :]] for sign in (1, -1))
            gradient[-1][j] = (function(up) - function(down)) / (2 * step)
    return gradient


def close(one, other, tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


# --- the tree ---


@pytest.mark.parametrize("space", [NESTED, DEEP])
def test_rows_and_genes(space):
    """Fact 11 of tunas.md needs nested decisions: candidates come back from rows, dead points are marked."""
    policy, rows = everything(space)
    reached = jax.jit(policy.reached)
    assert len({tuple(row) for row in rows.tolist()}) == len(rows) == space.size
    for row, genes in zip(rows, space.points(), strict=True):
        assert policy.genes(row.tolist()) == genes
        assert ((row != DEAD) == reached(row)).all()
    reaches = np.array([policy.row(genes) for genes in reaching(policy.points)])
    assert (np.diag(reaches) == [decision.size - 1 for decision in policy.decisions]).all()
    assert all(space.validate(genes) is None for genes in reaching(policy.points))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (pg.Dict(x=pg.oneof([1, pg.Dict(rate=pg.floatv(0.0, 1.0))])), "x.*rate: .*cannot draw numbers"),
        (pg.Dict(x=pg.permutate([1, 2, 3])), "x: the choices of a list have to be independent"),
        (pg.Dict(x=pg.manyof(2, [1, 2], sorted=True, distinct=False)), "x: the choices of a list"),
    ],
)
def test_what_is_refused(template, message):
    """Task: floats are refused in one line that says where; so are lists whose choices depend on each other."""
    with pytest.raises(ValueError, match=message) as refusal:
        TemplateSpace(template).choices()
    assert "\n" not in str(refusal.value)


def test_search_does_not_import_jax():
    """docs/architecture.md: the thread count has to be fixed before jax is imported."""
    code = "import sys, isozyme.search, isozyme.search.policy; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


# --- the policy ---


@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0])
def test_probabilities_and_entropy(scale, double):
    """tunas.md, section 3: log P and entropy are summed over active decisions only; exactly, by enumeration."""
    policy, rows = everything(DEEP)
    logits = logits_of(policy, scale=scale)
    tables = [np.exp(row - np.logaddexp.reduce(row)) for row in map(np.asarray, logits)]
    p = np.array([math.prod(t[i] for t, i in zip(tables, row, strict=True) if i != DEAD) for row in rows])
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_p_of(policy, logits, rows)), p, rtol=1e-10)
    entropy = -(p * np.log(p)).sum()
    np.testing.assert_allclose(jax.jit(policy.entropy)(logits), entropy, rtol=1e-10)
    sampled = jax.jit(jax.vmap(policy.sampled_entropy, in_axes=(None, 0)))(logits, rows)
    np.testing.assert_allclose((p * sampled).sum(), entropy, rtol=1e-10)


def test_entropy_gradient(double):
    """Section 3: the entropy bonus, through points that may not be reached; by central differences."""
    policy, _ = everything(DEEP)
    logits = logits_of(policy)
    close(jax.grad(policy.entropy)(logits), differences(jax.jit(policy.entropy), logits), 1e-9)


def test_draws_have_their_probabilities():
    """Section 3: the policy draws what it says; chi-square of 20,000 draws, one seed."""
    policy, rows = everything(DEEP)
    logits = logits_of(policy)
    p = np.exp(log_p_of(policy, logits, rows))
    keys = jax.random.split(jax.random.key(0), 20_000)
    drawn = np.asarray(jax.jit(jax.vmap(policy.sample, in_axes=(0, None)))(keys, logits))
    number = {tuple(row): i for i, row in enumerate(rows.tolist())}
    counts = np.bincount([number[tuple(row)] for row in drawn.tolist()], minlength=len(rows))
    chi_square = ((counts - len(drawn) * p) ** 2 / (len(drawn) * p)).sum()
    freedom = len(rows) - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)


def test_one_compilation_serves_a_space():
    """Task: arrays of one shape for all candidates and all logits; the extremes give numbers, too."""
    policy, rows = everything(DEEP)
    traces = []

    @jax.jit
    def value_and_gradient(logits, row):
        traces.append(1)
        return jax.value_and_grad(policy.log_probability)(logits, row)

    for scale in (0.0, 1.0, 1_000.0):
        for row in rows:
            value, gradient = value_and_gradient(logits_of(policy, scale=scale), row)
            assert np.isfinite(value)
            assert all(np.isfinite(part).all() for part in gradient)
    assert len(traces) == 1


def test_policy_gradient_by_enumeration(double):
    """Fact 11: on three decisions, one of them nested, the mean of -advantage·∇log P is -∇E[r], whatever the constant
    baseline; dead decisions get no gradient."""
    policy, rows = everything(NESTED)
    assert policy.decisions == ((2, -1, 0), (3, 0, 1), (2, -1, 0))
    logits, reward = logits_of(policy), np.random.default_rng(1).normal(size=len(rows))

    def expected(own):
        return (jnp.exp(estimators.log_probabilities(policy, own, rows)) * reward).sum()

    exact = jax.grad(expected)(logits)
    close(exact, differences(jax.jit(expected), logits), 1e-9)
    p = np.exp(log_p_of(policy, logits, rows))

    @jax.jit
    @jax.vmap
    def gradients(row, advantage):
        return jax.grad(lambda own: estimators.reinforce(policy, own, row[None], advantage[None]))(logits)

    for baseline in (0.0, 0.7):
        parts = gradients(rows, reward - baseline)
        close([p @ part for part in parts], exact, 1e-12)
        for i, part in enumerate(parts):
            assert (part[rows[:, i] == DEAD] == 0.0).all()


def test_importance_of_an_old_draw(double):
    """Lag: weighted with min(1, p/p_then), draws of an older policy give the present gradient where nothing is cut,
    and a weight of exactly 1 where nothing has changed."""
    policy, rows = everything(NESTED)
    now, then = logits_of(policy), logits_of(policy, seed=2)
    present, past = (log_p_of(policy, own, rows) for own in (now, then))
    assert (estimators.importance(jnp.asarray(present), jnp.asarray(present)) == 1.0).all()
    weights = np.asarray(estimators.importance(jnp.asarray(present), jnp.asarray(past)))
    lower = present < past
    assert lower.any()
    assert not lower.all()
    np.testing.assert_allclose(np.exp(past) * weights, np.exp(np.minimum(present, past)), rtol=1e-12)
