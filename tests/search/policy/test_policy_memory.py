"""MAPO's memory and its systematic exploration (mapo.md, facts 4-6, 8 and 13), alone and in a search."""

import itertools

import jax.numpy as jnp
import numpy as np
import pyglove as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Trial
from isozyme.search.algorithms import PolicyGradient
from isozyme.search.policy import estimators
from isozyme.search.policy.mapo import MAPO, Exploration, Memory, Row
from isozyme.search.policy.policy import FactorisedPolicy
from isozyme.search.protocol import Keys
from isozyme.spaces.template import TemplateSpace

SPACE = TemplateSpace(
    pg.Dict(a=pg.oneof([0, pg.Dict(b=pg.oneof([1, 2, 3]), c=pg.oneof([1, 2])), 2]), d=pg.oneof([0, 1, 2, 3]))
)
POLICY = FactorisedPolicy(SPACE.choices())
ROWS = np.array([POLICY.row(genes) for genes in SPACE.points()])  # 8 · 4
N = len(ROWS)
REWARDS = np.random.default_rng(5).random(N)
LOGITS = [jnp.asarray(np.random.default_rng(6).normal(size=d.size), jnp.float32) for d in POLICY.decisions]


# --- exploration ---


@pytest.mark.parametrize("seed", range(3))
def test_exploration_never_repeats(seed):
    """Facts 4 and 6: all 32 candidates come once each, and then the root is exhausted."""
    exploration, rng = Exploration(POLICY.decisions), np.random.default_rng(seed)
    table = np.asarray(POLICY.log_softmax(LOGITS))
    seen = []
    while not exploration.exhausted:
        seen.append(exploration.draw(table, rng))
        exploration.add(seen[-1])
    assert sorted(seen) == sorted(map(tuple, ROWS.tolist()))
    assert exploration.explored == {()}
    with pytest.raises(ValueError, match="everything is explored"):
        exploration.draw(table, rng)


def test_exploration_renormalises():
    """Fact 5: at each point the policy's probabilities over what is not explored; frequencies follow. The policy
    that learns knows nothing of it."""
    exploration = Exploration(POLICY.decisions)
    table = np.asarray(POLICY.log_softmax(LOGITS))
    for genes in ((0, 1), (0, 3), (2, 0), (2, 1), (2, 2), (2, 3)):
        exploration.add(tuple(POLICY.row(genes).tolist()))
    p = np.exp(table[0, :3]) * [1, 1, 0]
    np.testing.assert_allclose(exploration.probabilities((), table[0, :3]), p / p.sum(), rtol=1e-6)
    inner = np.exp(table[3]) * [1, 0, 1, 0]
    np.testing.assert_allclose(exploration.probabilities((0,), table[3]), inner / inner.sum(), rtol=1e-6)
    rng = np.random.default_rng(0)
    drawn = [exploration.draw(table, rng) for _ in range(4_000)]
    share = np.mean([row[0] == 0 for row in drawn])
    assert abs(share - (p / p.sum())[0]) < 4 * np.sqrt(0.25 / 4_000)
    assert {row[3] for row in drawn if row[0] == 0} == {0, 2}
    np.testing.assert_array_equal(table, np.asarray(POLICY.log_softmax(LOGITS)))


# --- the memory ---


@given(st.lists(st.integers(0, N - 1), max_size=40))
def test_the_memory_grows_and_truncates(arrivals):
    """Fact 8: nothing leaves a memory that is large enough; a small one keeps the most probable ones by the present
    policy, whatever the order of arrival; nothing is there twice."""
    p = np.asarray(estimators.log_probabilities(POLICY, LOGITS, ROWS))
    rows = list(map(tuple, ROWS.tolist()))

    def log_probability(asked):
        return [float(p[rows.index(row)]) for row in asked]

    large, small, seen = Memory(N), Memory(5), set()
    for arrival in arrivals:
        row = rows[arrival]
        new = large.admit(repr(row), row, arrival, log_probability)
        assert new == (arrival not in seen)
        seen.add(arrival)
        small.admit(repr(row), row, arrival, log_probability)
        assert {item for _, _, item in large.rows()} == seen
        assert len(small) == min(5, len(seen))
    best = sorted(seen, key=lambda number: -p[number])[:5]
    assert {item for _, _, item in small.rows()} == set(best)


def test_behaviours_share_an_entry():
    """Fact 13: equivalent candidates share an entry, whose mass is that of all of them: two that are rare apart stay
    where one more probable one goes; the objective is that of the same candidates kept apart."""
    p: dict[Row, float] = {(0,): 0.3, (1,): 0.3, (2,): 0.4}
    apart, together = Memory(2), Memory(2)
    for row, key in (((0,), "same"), ((1,), "same"), ((2,), "other")):
        for memory, name in ((apart, repr(row)), (together, key)):
            memory.admit(name, row, None, lambda rows: [float(np.log(p[row])) for row in rows])
    assert {row for _, row, _ in together.rows()} == {(0,), (1,)}
    assert list(together.entries) == ["same"]
    assert {row for _, row, _ in apart.rows()} == {(2,), (0,)}


# --- in a search ---


def test_the_algorithm_admits_and_explores():
    """Facts 4 and 8 in a search: every second trial is new as long as any is, what is rewarding is kept under its
    behaviour, and proposals of the policy come from outside the memory."""
    settings = PolicyGradient(0.02, memory=MAPO(threshold=0.8, size=4))
    algorithm = settings.start(SPACE, (Maximize("quality", 0.0),))
    proposed, keys = {}, {}
    rewards = {tuple(row): float(r) for row, r in zip(ROWS.tolist(), REWARDS, strict=True)}
    explored = []
    for number in range(80):
        proposal = algorithm.propose(number, np.random.default_rng(number))
        row = tuple(POLICY.row(proposal.candidate).tolist())
        inside = [proposed[own] for _, own in algorithm.snapshot()["memory"]]
        proposed[number] = row
        if proposal.operator == "explore":
            explored.append(row)
        else:
            assert row not in inside
        key = keys[number] = "low" if rewards[row] < 0.9 else "high"
        told = Trial(number, proposal, Status.OK, metrics={"quality": rewards[row]}, keys=Keys(behaviour=key))
        algorithm.feedback(told)
        assert all(rewards[proposed[own]] > 0.8 for _, own in algorithm.snapshot()["memory"])
    assert len(set(explored)) == len(explored)
    assert algorithm.snapshot()["explored"] == [[]]  # The empty prefix stands for everything.
    kept = [keys[own] for _, own in algorithm.snapshot()["memory"]]
    assert len(kept) == min(4, sum(REWARDS > 0.8))
    assert len(list(itertools.groupby(kept))) == len(set(kept))  # One behaviour after the other.
