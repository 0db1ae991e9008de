"""Statistics of variation operators: what each is worth (lion.md, section 4; regularized_evolution.md, section 7)."""

import json

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Minimize, OperatorStatistics, Proposal, RegularizedEvolution, Trial
from isozyme.search.exam.toy_search import OBJECTIVES, PointsEvaluator, record


def trial(number, loss, parents=(), operator="modify", status=Status.OK, hit=None):
    return Trial(number, Proposal(number, parents, operator), status, metrics={"loss": loss}, hit=hit)


def counted(trials, objective=None):
    statistics = OperatorStatistics(objective or Minimize("loss", 1.0))
    for one in trials:
        statistics.add(one)
    return statistics


def test_tallies():
    """lion.md, section 4: proposals, twins, failures, and improvements over the parent, by operator."""
    tallies = counted(
        [
            trial(0, 5.0, operator="initial"),
            trial(1, 4.0, (0,)),
            trial(2, 4.0, (1,), hit="static"),
            trial(3, 2.0, (1,)),
            trial(4, 9.0, (1,), "insert", Status.DIVERGED),
            trial(5, 1.0, (4,), "insert"),  # Of a failure: nothing to compare with.
            trial(6, 0.5, (2, 3), "cross"),  # Compared with the better parent.
            trial(7, 0.0, (3,), "insert", Status.PARTIAL),
            trial(8, 9.0, (3,), "insert", Status.HURDLE),
            trial(9, 7.0, (3,), "insert", hit="numeric"),
            trial(10, 7.0, operator=""),
        ]
    ).tallies
    assert set(tallies) == {"initial", "modify", "insert", "cross"}
    modify, insert, cross = tallies["modify"], tallies["insert"], tallies["cross"]
    assert (modify.proposals, modify.twins, modify.failures) == (3, {"static": 1}, 0)
    assert (modify.compared, modify.improvements, modify.mean_gain) == (3, 2, 1.5)
    assert (insert.proposals, insert.twins, insert.failures) == (5, {"numeric": 1}, 1)
    assert (insert.compared, insert.improvements, insert.mean_gain) == (1, 0, 0.0)
    assert (cross.compared, cross.improvements, cross.mean_gain) == (1, 1, 1.5)
    assert tallies["initial"].compared == 0


def test_direction():
    """Objectives: gains are in cost, so that more is better where the objective says so."""
    tallies = counted([trial(0, 1.0), trial(1, 3.0, (0,))], Maximize("loss", 0.0)).tallies
    assert (tallies["modify"].improvements, tallies["modify"].mean_gain) == (1, 2.0)


def test_bounded():
    """Design, section 3.3: a million trials take no more room than a few thousand; who still has children is kept."""
    statistics = OperatorStatistics(Minimize("loss", 1.0))
    sizes = []
    for number in range(6_000):
        statistics.add(trial(number, 5.0, (0,) if number else (), f"operator {number}"))
        if number % 1_000 == 999:
            sizes.append(len(json.dumps(statistics.snapshot())))
    assert max(sizes[3:]) < 1.05 * sizes[2]
    assert sum(tally.proposals for tally in statistics.tallies.values()) == 6_000
    assert sum(tally.compared for tally in statistics.tallies.values()) == 5_999


@pytest.mark.parametrize("cut", [0, 1, 137, 299])
def test_snapshots(cut):
    """Design, section 3.3: restored from its snapshot, it counts on as if nothing had happened."""
    events = record(RegularizedEvolution(10, 3), 300, PointsEvaluator(2, {5: Status.CRASHED}), lag=4)
    trials = [event for event in events if isinstance(event, Trial)]
    whole = counted(trials, OBJECTIVES[0])
    first = counted(trials[:cut], OBJECTIVES[0])
    restored = OperatorStatistics(OBJECTIVES[0])
    restored.restore(json.loads(json.dumps(first.snapshot(), allow_nan=False)))
    for one in trials[cut:]:
        restored.add(one)
    assert restored.snapshot() == whole.snapshot()
    assert restored.tallies == whole.tallies
    assert sum(tally.proposals for tally in whole.tallies.values()) == 300
    gains = np.array([tally.mean_gain for tally in whole.tallies.values()])
    assert gains.max() > 0
