"""Successive halving without waiting (Li et al., arXiv 1810.05934)."""

import itertools
from collections import Counter

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import Minimize, Proposal, SuccessiveHalving, Trial
from isozyme.search.exam.toy_search import SPACE, PointsEvaluator, record

LOSS = (Minimize("loss", 1.0),)


def rng(*seed):
    return np.random.default_rng(seed)


def trials_of(events):
    return [event for event in events if isinstance(event, Trial)]


def proposals_of(events):
    return [event for event in events if isinstance(event, Proposal)]


@pytest.mark.parametrize(("n", "eta", "stages"), [(9, 3, 3), (20, 2, 4), (4, 4, 2), (5, 2, 1)])
@pytest.mark.parametrize("lag", [1, 4, 17])
def test_halving(n, eta, stages, lag):
    """arXiv 1810.05934, algorithm 1: the best 1/η of each rung go on, once each, though many are under way."""
    events = record(SuccessiveHalving(n, eta), 800, PointsEvaluator(stages), lag=lag)
    trials = trials_of(events)
    rungs = [[t for t in trials if len(t.stages) == stage + 1] for stage in range(stages)]
    promoted = Counter(t.parents for t in trials if t.parents)
    assert set(promoted.values()) <= {1}
    for rung, (level, above) in enumerate(itertools.pairwise(rungs)):
        size = n // eta**rung
        expected = set()
        for start in range(0, len(level) - size + 1, size):
            cohort = sorted(level[start : start + size], key=lambda t: t.metrics["loss"])
            expected |= {t.number for t in cohort[: size // eta]}
        missing = expected - {t.parents[0] for t in above}
        assert {t.parents[0] for t in above} <= expected
        assert len(missing) <= lag + size // eta  # Those of the last cohort, which came too late.
    assert all(t.status is (Status.OK if len(t.stages) == stages else Status.PARTIAL) for t in trials)


def test_halving_out_of_order():
    """arXiv 1810.05934: asynchronous; a promotion that is proposed again is a twin, and is not promoted twice."""
    for lag in (3, 16):
        events = record(SuccessiveHalving(9, 3), 2_000, PointsEvaluator(3), lag=lag, shuffled=True)
        promotions = Counter((p.parents[0], p.stages) for p in proposals_of(events) if p.operator == "promote")
        assert promotions.total() < 1.6 * len(promotions)
        rungs = Counter(stages for _, stages in promotions)
        bottom = sum(p.stages == 1 for p in proposals_of(events))
        assert rungs[2] == pytest.approx(bottom / 3, rel=0.03)
        assert rungs[3] == pytest.approx(bottom / 9, rel=0.06)


def test_halving_never_promotes_failures():
    """Design, section 3.7: failures take their place on a rung and go no further."""
    failing = dict.fromkeys([point for point in range(16) if point != 3], Status.DIVERGED)
    trials = trials_of(record(SuccessiveHalving(9, 3), 500, PointsEvaluator(2, failing)))
    promoted = [t for t in trials if t.proposal.operator == "promote"]
    assert promoted
    assert {t.candidate[0] for t in promoted} == {3}


def test_halving_by_another_metric():
    """evaluators/protocol.py: an early stage need not know the metric of the objective."""
    for metric, expected in ((None, set()), ("short_loss", {2, 5})):
        algorithm = SuccessiveHalving(6, 3, metric).start(SPACE, LOSS, 2)
        for number, short in enumerate([5.0, 4.0, 1.0, 6.0, 3.0, 2.0]):
            metrics = {"short_loss": short}
            trial = Trial(number, Proposal((number, 0)), Status.PARTIAL, "as asked", metrics, stages=(metrics,))
            algorithm.feedback(trial)
        proposals = [algorithm.propose(number, rng(number)) for number in range(6, 12)]
        assert {p.candidate[0] for p in proposals if p.operator == "promote"} == expected


def test_halving_needs_enough_candidates():
    """arXiv 1810.05934: n is at least η^(stages - 1)."""
    with pytest.raises(ValueError, match="n is 8; with 3 stages and eta 3 it must be 9 or more"):
        SuccessiveHalving(8, 3).start(SPACE, LOSS, 3)
