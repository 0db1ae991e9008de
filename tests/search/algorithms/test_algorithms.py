"""Search algorithms and their parts, but for evolution and NSGA-II, which have tests of their own; golden traces.

After an intended change of a trajectory, write the golden files anew from the checkout and read the difference:

    .venv/bin/python tests/search/algorithms/test_algorithms.py
"""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import (
    ALGORITHMS,
    HillClimbing,
    Islands,
    Minimize,
    Proposal,
    RandomSearch,
    RegularizedEvolution,
    Restarts,
    Trial,
)
from isozyme.search.exam.toy_search import SPACE, PointsEvaluator, ask_and_tell, record
from isozyme.tests.toys import BitStrings

GOLDEN = Path(__file__).parent / "golden" / "algorithms"
LOSS = (Minimize("loss", 1.0),)


def rng(*seed):
    return np.random.default_rng(seed)


def finished(number, candidate, loss, parents=(), status=Status.OK, **fields):
    return Trial(number, Proposal(candidate, parents), status, metrics={"loss": loss}, **fields)


def trials_of(events):
    return [event for event in events if isinstance(event, Trial)]


# --- hill climbing and random search ---


def test_hill_climbing_keeps_the_best_and_drifts():
    """pyglove.md, section 2.1: hill climbing; among equals the latest."""
    algorithm = HillClimbing().start(SPACE, LOSS)
    parents = []
    for number, (loss, status) in enumerate(
        [(3.0, "ok"), (4.0, "ok"), (3.0, "ok"), (1.0, "crashed"), (2.0, "partial"), (2.5, "ok"), (2.6, "ok")]
    ):
        algorithm.feedback(finished(number, (number, 0), loss, status=Status(status)))
        parents.append(algorithm.propose(99, rng(0)).parents[0])
    assert parents == [0, 0, 2, 2, 2, 5, 5]


def test_hill_climbing_leaves_failures():
    """Design, section 3.7: a failure is a result; as long as there is nothing else, the search goes on from it."""
    algorithm = HillClimbing().start(SPACE, LOSS)
    for number in range(3):
        algorithm.feedback(finished(number, (number, 0), 0.0, status=Status.CRASHED))
        assert algorithm.propose(9, rng(0)).parents == (number,)


def test_random_search_starts_at_the_start():
    """Design, section 3.9: the control."""
    space = BitStrings(start=(1,) * 12)
    algorithm = RandomSearch().start(space, LOSS)
    assert algorithm.propose(0, rng(0)).candidate == space.start
    assert algorithm.propose(1, rng(1)) == Proposal(space.random(rng(1)), (), "random")


# --- restarts ---


def test_restarts_from_the_best():
    """lion.md, section 5: after a plateau the search starts again from the best program found."""
    algorithm = Restarts(RegularizedEvolution(4, 2), patience=6).start(SPACE, LOSS)
    losses = [5.0, 4.0, 3.0, 9.0, 9.0, 9.0, 9.0, 2.0, *[9.0] * 5]  # The last improvement is trial 7.
    for number, loss in enumerate(losses):
        algorithm.feedback(finished(number, (number, 0), loss))
    assert algorithm.propose(13, rng(13)).operator != "initial"  # Trial 13 may still be the one.
    algorithm.feedback(finished(13, (13, 0), 9.0))
    first_population = [algorithm.propose(number, rng(number)) for number in range(14, 18)]
    assert first_population == [Proposal((7, 0), (), "initial")] * 4
    for number in range(14, 18):
        algorithm.feedback(finished(number, (7, 0), 2.0))
    for number in range(18, 30):  # Lineage is told in the numbers of the whole search.
        assert set(algorithm.propose(number, rng(number)).parents) <= {14, 15, 16, 17}


def test_restarts_wait_again_after_each():
    """lion.md, section 5: a restart gets as much patience as the first start; trials under way count from it on."""
    algorithm = Restarts(HillClimbing(), patience=5).start(SPACE, LOSS)
    starts = []
    for number in range(40):
        algorithm.feedback(finished(number, (number % 16, 0), 1.0 if number == 0 else 2.0))
        starts.append((algorithm.snapshot() or {})["first"])
    assert sorted(set(starts)) == [0, *range(6, 41, 5)]


def ones_of(number, proposal):
    return finished(number, proposal.candidate, -float(sum(proposal.candidate)))


def test_restarts_improve_further():
    """lion.md, section 5: restarts from the best improve the fitness further; here of a walk that forgets it."""
    space = BitStrings(size=40, dead=0)
    ones = {"alone": [], "restarted": []}
    for seed in range(10):
        for name, searched in ones.items():
            walk = RegularizedEvolution(4, 1)
            algorithm = (walk if name == "alone" else Restarts(walk, patience=15)).start(space, LOSS)
            events = ask_and_tell(algorithm, 600, ones_of, partial(rng, seed))
            searched.append(max(sum(trial.candidate) for trial in trials_of(events)))
    alone, restarted = np.array(ones["alone"]), np.array(ones["restarted"])
    error = math.sqrt((alone.var(ddof=1) + restarted.var(ddof=1)) / 10)
    assert restarted.mean() - alone.mean() > 4 * error


# --- islands ---


def test_islands_are_apart():
    """automl_zero.md, section 4: each island is a search of its own, told of its own trials only."""
    evolution = RegularizedEvolution(5, 2)
    islands = Islands(evolution, islands=3, interval=1_000).start(SPACE, LOSS)
    alone = [evolution.start(SPACE, LOSS) for _ in range(3)]
    for number in range(90):
        own, island = divmod(number, 3)
        proposal = islands.propose(number, rng(number))
        expected = alone[island].propose(own, rng(number))
        assert (proposal.candidate, proposal.operator) == (expected.candidate, expected.operator)
        assert proposal.parents == tuple(3 * parent + island for parent in expected.parents)
        loss = float(rng(number).random())
        islands.feedback(finished(number, proposal.candidate, loss, proposal.parents))
        alone[island].feedback(finished(own, proposal.candidate, loss, expected.parents))


def test_migration():
    """automl_zero.md, section 4: now and then an island takes a candidate of another; with a cache it costs nothing."""
    events = record(Islands(RegularizedEvolution(5, 2), islands=3, interval=10), 300, PointsEvaluator(1), lag=3)
    trials = {trial.number: trial for trial in trials_of(events)}
    immigrants = [trial for trial in trials.values() if trial.proposal.operator == "migrate"]
    assert [trial.number // 3 for trial in immigrants] == [own for own in range(9, 100, 10) for _ in range(3)]
    for trial in immigrants:
        (home,) = trial.parents
        assert home % 3 == (trial.number - 1) % 3
        assert trial.candidate == trials[home].candidate
        assert not trial.evaluated
        interval = [t for t in trials.values() if t.number % 3 == home % 3 and t.number // 30 == trial.number // 30]
        seen = [t.metrics["loss"] for t in interval if t.number <= trial.number - 3]
        assert trial.metrics["loss"] == min(seen)


# --- golden traces ---


def golden_rows(name):
    """A seeded search of three stages, a point that fails in each way among others."""
    failing = {0: Status.DIVERGED, 5: Status.CRASHED, 6: Status.HURDLE, 14: Status.TIMED_OUT}
    trials = trials_of(record(ALGORITHMS[name](), 60, PointsEvaluator(3, failing), lag=4, seed=1))
    return [
        {
            "number": t.number,
            "candidate": SPACE.to_source(t.candidate),
            "parents": list(t.parents),
            "operator": t.proposal.operator,
            "status": str(t.status),
            "stages": [stage["loss"] for stage in t.stages],
            "cached_from": t.cached_from,
        }
        for t in trials
    ]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_golden_traces(name):
    """habits.md, 7; regularized_evolution.md, fact 5: the same seed, the same history, from version to version."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    rows = golden_rows(name)
    assert len(golden) == 60
    for row, expected in zip(rows, golden, strict=True):
        assert row == expected | {"stages": pytest.approx(expected["stages"], rel=1e-12)}


def test_golden_traces_are_all_in_the_table():
    """habits.md, 6: one table of everything registered."""
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(ALGORITHMS)
    assert len({(GOLDEN / f"{name}.json").read_text() for name in ALGORITHMS}) == len(ALGORITHMS)


if __name__ == "__main__":
    for each in ALGORITHMS:
        text = ",\n".join(json.dumps(row) for row in golden_rows(each))
        (GOLDEN / f"{each}.json").write_text(f"[\n{text}\n]\n")
