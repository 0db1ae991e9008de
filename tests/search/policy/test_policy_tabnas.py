"""TabNAS's rejection and its correction, on the toy of the paper, by enumeration (tabnas.md, facts 1-9 and 11)."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest

from isozyme.benchmarks.tabnas import toy
from isozyme.benchmarks.tabnas.runs import Method, run
from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Proposal, Trial
from isozyme.search.algorithms import PolicyGradient
from isozyme.search.policy import estimators
from isozyme.search.policy.chain import chain_feasible_log_probability
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.policy import policy_over
from isozyme.search.policy.trial_learner import TrialSettings, learner
from isozyme.spaces.limits import Limit
from isozyme.spaces.template import TemplateSpace

UNIFORM = [np.zeros(3), np.zeros(3)]
SKEWED = [np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.0, -0.5])]
SPACE = TemplateSpace(pg.Dict(a=pg.oneof(list(toy.WIDTHS)), b=pg.oneof(list(toy.WIDTHS))))
FEASIBLE = toy.FEASIBLE.reshape(-1)
log_share = partial(chain_feasible_log_probability, widths=[toy.WIDTHS] * 2, inputs=2, outputs=1, limit=toy.LIMIT)
double = pytest.mark.usefixtures("_double")


@pytest.fixture
def _double():
    with jax.enable_x64(True):
        yield


def arrays(logits):
    return [jnp.asarray(row) for row in logits]


def softmax(row):
    return np.exp(row) / np.exp(row).sum()


def shares(logits):
    """P(V), E[Q | V] and the probabilities of all cells, in numpy."""
    p = np.outer(*map(softmax, logits))
    return p[toy.FEASIBLE].sum(), (p * toy.QUALITY)[toy.FEASIBLE].sum() / p[toy.FEASIBLE].sum(), p.reshape(-1)


def differences(function, logits, step=1e-5):
    gradient = np.zeros((2, 3))
    for i, j in itertools.product(range(2), range(3)):
        moved = [[row.copy() for row in logits] for _ in range(2)]
        for own, sign in zip(moved, (1, -1), strict=True):
            own[i][j] += sign * step
        gradient[i, j] = (function(moved[0]) - function(moved[1])) / (2 * step)
    return gradient


def exact_gradient(logits, baseline=0.0, corrected=True):
    """E_{y|V}[(Q - b)·(∇log P(y) - ∇log P(V))], of the estimators, over all feasible y."""
    share, _, p = shares(logits)

    def surrogate(own, row, advantage):
        correction = advantage * log_share(own) if corrected else 0.0
        return estimators.reinforce(toy.POLICY, own, row[None], advantage[None]) - correction

    cells, advantages = toy.CELLS[FEASIBLE], toy.QUALITY.reshape(-1)[FEASIBLE] - baseline
    gradients = jax.jit(jax.vmap(jax.grad(surrogate), in_axes=(None, 0, 0)))(arrays(logits), cells, advantages)
    return np.array([(p[FEASIBLE] / share) @ part for part in gradients])


def log_gradients(logits):
    """∇log p of each cell, [9, 2, 3]."""
    gradient = jax.grad(toy.POLICY.log_probability)
    return np.stack(jax.jit(jax.vmap(gradient, in_axes=(None, 0)))(arrays(logits), toy.CELLS), axis=1)


@double
def test_the_toy():
    """Fact 1: parameters and feasible cells as tabulated; P(V) = 2/3 and E[Q | V] = 0.23 at the uniform policy."""
    assert toy.PARAMETERS.tolist() == [[15, 19, 23], [20, 25, 30], [25, 31, 37]]
    assert toy.FEASIBLE.tolist() == [[True] * 3, [True, True, False], [True, False, False]]
    share, quality, _ = shares(UNIFORM)
    assert share == pytest.approx(2 / 3, abs=1e-14)
    assert quality == pytest.approx(0.23, abs=1e-14)
    assert jnp.exp(log_share(arrays(UNIFORM))) == pytest.approx(2 / 3, abs=1e-12)


def test_the_shaped_reward_of_each_cell():
    """Fact 2: the grid at β = -2, where 4-2 is the best; at β = -1 that is 3-4, which is infeasible."""
    grid = toy.shaped(-2.0)
    expected = [[-0.70, -0.38, 0.18], [-0.30, 0.34, 0.30], [0.40, 0.22, -0.06]]
    np.testing.assert_allclose(grid, expected, atol=1e-12)
    assert np.unravel_index(grid.argmax(), grid.shape) == toy.OPTIMUM
    other = toy.shaped(-1.0)
    assert np.unravel_index(other.argmax(), other.shape) == (1, 2)
    assert other[1, 2] == pytest.approx(0.50, abs=1e-12)
    assert not toy.FEASIBLE[1, 2]


@double
def test_conditional_gradient_at_the_uniform_policy():
    """Fact 3."""
    expected = [[-0.02500, -0.00333, 0.02833], [-0.01500, -0.00333, 0.01833]]
    np.testing.assert_allclose(exact_gradient(UNIFORM), expected, atol=5e-6)


@double
@pytest.mark.parametrize("logits", [UNIFORM, SKEWED])
def test_probability_and_gradients(logits):
    """Fact 4: P(V), ∇log P(V) and ∇E[Q | V] are those of enumeration and central differences."""
    share, quality, _ = shares(logits)
    value, gradient = jax.value_and_grad(log_share)(arrays(logits))
    assert jnp.exp(value) == pytest.approx(share, abs=1e-12)
    np.testing.assert_allclose(gradient, differences(lambda own: np.log(shares(own)[0]), logits), atol=1e-9)
    conditional = differences(lambda own: shares(own)[1], logits)
    for baseline in (0.0, quality, 0.9):
        np.testing.assert_allclose(exact_gradient(logits, baseline), conditional, atol=1e-9)
    np.testing.assert_allclose(jax.grad(toy.expected_feasible)(arrays(logits)), conditional, atol=1e-9)


@double
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_monte_carlo_estimates_over_all_draws(n):
    """Facts 5 and 6: over all 9^N draws P̂ and ∇P̂ are unbiased; ∇log P̂ is, given a feasible draw; the released
    notebooks' weights p(z) are not; and no draw is feasible in 0.2312, 0.0535, 0.0124, 0.0029 of all cases."""
    logits = arrays(SKEWED)
    share, _, p = shares(SKEWED)
    draws = np.array(list(itertools.product(range(9), repeat=n)))
    weight, feasible = p[draws].prod(axis=1), FEASIBLE[draws]
    estimate = jax.value_and_grad(partial(estimators.feasible_share, toy.POLICY))
    value, gradient = jax.jit(jax.vmap(estimate, in_axes=(None, 0, 0)))(logits, toy.CELLS[draws], feasible)
    gradient = np.stack(gradient, axis=1)
    log_gradient = np.array(jax.grad(log_share)(logits))
    assert weight @ np.asarray(value) == pytest.approx(share, abs=1e-14)
    np.testing.assert_allclose(np.tensordot(weight, gradient, 1), share * log_gradient, atol=1e-14)

    some = feasible.any(axis=1)
    none = weight[~some].sum()
    assert none == pytest.approx([0.2312, 0.0535, 0.0124, 0.0029][n - 1], abs=5e-5)
    given = weight[some] / weight[some].sum()

    def correction(cells, allowed):  # ∇log P̂, by the estimator itself: with advantage -1, and without its first term.
        def negative(own):
            whole = estimators.rejection(toy.POLICY, own, cells[0], jnp.array(-1.0), cells, allowed)
            return whole + toy.POLICY.log_probability(own, cells[0])

        return jax.grad(negative)(logits)

    estimated = jax.jit(jax.vmap(correction))(toy.CELLS[draws[some]], feasible[some])
    bias = [given @ part - exact for part, exact in zip(estimated, log_gradient, strict=True)]
    np.testing.assert_allclose(bias, 0.0, atol=1e-14)

    mass = p[draws] * feasible
    released = np.einsum("mk,mkij->mij", mass[some], log_gradients(SKEWED)[draws[some]])
    released = np.tensordot(given, released / mass[some].sum(axis=1)[:, None, None], 1)
    off = np.abs(released - log_gradient).max()
    assert off == pytest.approx([0.0, 0.068, 0.114, 0.143][n - 1], abs=6e-4)


@double
def test_the_correction_vanishes_with_a_perfect_baseline():
    """Fact 7: with b = E[Q | V] the gradient without the correction is the same; with b = 0.3 it is not."""
    _, quality, _ = shares(SKEWED)
    perfect = exact_gradient(SKEWED, quality, corrected=False)
    np.testing.assert_allclose(perfect, exact_gradient(SKEWED), atol=1e-14)
    assert np.abs(exact_gradient(SKEWED, 0.3, corrected=False) - exact_gradient(SKEWED)).max() > 1e-3


def flow(objective, steps=20_000, rate=1.0):
    """The end of gradient ascent from the uniform policy, by small steps."""

    def step(logits, _):
        return jax.tree.map(lambda row, g: row + rate * g, logits, jax.grad(objective)(logits)), None

    logits, _ = jax.jit(lambda start: jax.lax.scan(step, start, length=steps))(arrays(UNIFORM))
    return [np.asarray(row) for row in logits]


@double
def test_where_the_flow_ends():
    """Fact 8: the shaped reward ends at 4-4, then 3-4, then 3-3 as β falls, and never at 4-2; rejection does."""
    ends = {0.0: (2, 2), -0.25: (2, 2), -0.5: (2, 2), -1.0: (1, 2), -2.0: (1, 1), -4.0: (1, 1), -10.0: (1, 1)}
    for beta, end in ends.items():
        rewards = toy.shaped(beta)
        logits = flow(lambda own, rewards=rewards: toy.expected(own, rewards), rate=0.1)
        assert tuple(int(row.argmax()) for row in logits) == end
        assert min(softmax(row).max() for row in logits) > 0.9
    first, second = map(softmax, flow(toy.expected_feasible))
    assert first[2] > 0.999
    joint = np.outer(first, second)
    assert joint[toy.OPTIMUM] / joint[toy.FEASIBLE].sum() > 0.99


def test_stochastic_runs():
    """Fact 9: with 200 seeds TabNAS finds 4-2 in 0.95 of runs or more, the shaped reward at β = -2 in 0.12 or less."""
    assert run(Method("rejection", 5), 0.02, 2_500, 200).found >= 0.95
    assert run(Method("absolute", -2.0), 0.02, 2_500, 200).found <= 0.12


def trial(number, candidate, quality, proposal=None):
    return Trial(number, proposal or Proposal(candidate), Status.OK, metrics={"quality": quality})


def limited(**fields):
    settings = PolicyGradient(0.1, limit=Limit(toy.COST, toy.LIMIT), feasible_share=FeasibleShare(**fields))
    return settings.start(SPACE, (Maximize("quality", 0.0),))


@pytest.mark.parametrize("fields", [{"samples": 5}, {"exact": True}])
def test_infeasible_samples_change_nothing(fields):
    """Fact 11: after some steps an infeasible trial leaves logits, moments and baseline as they are, to the bit; and
    none is ever proposed here, since the cost is free."""
    algorithm = limited(**fields)
    for number in range(30):
        proposal = algorithm.propose(number, np.random.default_rng(number))
        assert toy.FEASIBLE[proposal.candidate]
        algorithm.feedback(trial(number, proposal.candidate, toy.QUALITY[proposal.candidate], proposal))
    before = algorithm.snapshot()
    for number, cell in enumerate(((2, 2), (1, 2), (2, 1)), 30):
        for log_p in (-0.1, -3.0):
            algorithm.feedback(trial(number, cell, 0.9, Proposal(cell, operator="policy", note=f"{log_p} 7")))
    assert algorithm.snapshot() == before
    proposal = algorithm.propose(33, np.random.default_rng(33))
    algorithm.feedback(trial(33, proposal.candidate, 0.9, proposal))
    assert algorithm.snapshot() != before


def test_a_step_without_a_feasible_draw_is_skipped():
    """Facts 6 and 11: where none of the N draws is feasible the step is skipped, not divided by zero."""
    algorithm, skipped = limited(samples=1), 0
    draw = learner(policy_over(SPACE).points, TrialSettings(0.1, 0, 0.95, 0.0)).draw
    for number in range(60):
        before = algorithm.snapshot()["state"]
        proposal = algorithm.propose(number, np.random.default_rng(number))
        seed = int(proposal.note.split()[1])
        logits = [jnp.asarray(row, jnp.float32) for row in before[:2]]
        drawn = draw(logits, seed, 1)[0][0]
        algorithm.feedback(trial(number, proposal.candidate, float(number % 3), proposal))
        after = algorithm.snapshot()["state"]
        assert np.isfinite(np.concatenate([np.ravel(leaf) for leaf in after])).all()
        assert (before == after) == (not toy.FEASIBLE[tuple(np.asarray(drawn))])
        skipped += before == after
    assert 5 < skipped < 40
