"""The loop of ask and tell in which algorithms are examined: as the controller does it, without controller."""

from collections import Counter

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import Proposal, RandomSearch, Trial
from isozyme.search.exam.toy_search import OPTIMUM, SPACE, PointsEvaluator, record
from isozyme.tests.toys import Passing, Runs


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_the_toy_search_pays_for_each_behaviour_once(stages):
    """functional_hashing.md, fact 12, in the exam's own loop: 16 evaluations at each stage, twins say where from."""
    events = record(RandomSearch(), 300, PointsEvaluator(stages), lag=7, shuffled=True)
    trials = [event for event in events if isinstance(event, Trial)]
    assert sorted(trial.number for trial in trials) == list(range(300))
    assert len(events) == 600
    evaluated = Counter((t.candidate[0], stage) for t in trials for stage in range(t.taken, len(t.stages)))
    assert evaluated == {(point, stage): 1 for point in range(16) for stage in range(stages)}
    owners = {trial.candidate[0]: trial.number for trial in sorted(trials, key=lambda t: t.number, reverse=True)}
    for trial in trials:
        owner = owners[trial.candidate[0]]
        assert trial.cached_from == (None if trial.number == owner else owner)
        assert trial.evaluated == (trial.number == owner)
    best = min(trials, key=lambda t: t.metrics["loss"])
    assert best.candidate[0] == OPTIMUM


def test_the_toy_search_takes_a_twin_further():
    """evaluators/protocol.py, Job: stages are asked for one at a time, and cached apart."""

    class Climbing(Passing):
        def propose(self, number, rng):
            return Proposal((5, 0), stages=(1, 3, 2, None)[number])

    algorithm = Runs(lambda *told: Climbing(RandomSearch().start(*told)))
    events = record(algorithm, 4, PointsEvaluator(3), lag=1)
    trials = [event for event in events if isinstance(event, Trial)]
    assert [(t.status, t.taken, len(t.stages), t.effort.attempts) for t in trials] == [
        (Status.PARTIAL, 0, 1, 1),
        (Status.OK, 1, 3, 1),
        (Status.PARTIAL, 2, 2, 0),
        (Status.OK, 3, 3, 0),
    ]
    losses = [stage["loss"] for stage in trials[1].stages]
    assert len(set(losses)) == 3
    assert trials[1].metrics == {"loss": losses[-1], "weight": 2.0}


def test_lag_in_the_toy_search():
    """Design, section 3.4: proposal i sees exactly the trials up to i - lag."""
    events = record(RandomSearch(), 20, lag=4)
    for number in range(20):
        place = [i for i, event in enumerate(events) if isinstance(event, Proposal)][number]
        assert [e.number for e in events[:place] if isinstance(e, Trial)] == list(range(max(number - 3, 0)))


def test_points_are_a_space():
    """spaces/protocol.py: text without loss, valid neighbours, operators that may not apply."""
    rng = np.random.default_rng(0)
    applied = Counter()
    for _ in range(500):
        candidate, other = SPACE.random(rng), SPACE.random(rng)
        assert SPACE.from_source(SPACE.to_source(candidate)) == candidate
        children = [operator(candidate, rng) for operator in SPACE.operators.values()]
        children += [SPACE.mutate(candidate, rng), SPACE.cross(candidate, other, rng)]
        for child in children:
            applied[child is not None] += 1
            assert child is None or SPACE.validate(child) is None
    assert applied[False] > 0
