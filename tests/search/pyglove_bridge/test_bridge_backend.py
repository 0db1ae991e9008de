"""The backend 'isozyme' of `pg.sample`: what a loop in one thread sees, and what its run folder holds."""

# PyGlove makes its types at run time, out of pyright's sight.
# pyright: reportAttributeAccessIssue=false, reportFunctionMemberAccess=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import json
import math
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pyglove as pg
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import NSGA2, Maximize, Minimize, RandomSearch
from isozyme.search.pyglove_bridge import generator
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.search.pyglove_bridge.bridge_helpers import (
    EVOLUTION,
    TRIALS,
    journalled,
    poll,
    sample,
    score,
    search,
    template,
    traces,
)

VALUES = TemplateSpace(template())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The trials of a loop that nothing interrupted, and the values that its body saw."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    values = []
    for value, feedback in sample(folder):
        values.append(value)
        feedback(score(value))
    return folder, values


def test_trials_are_journalled_and_cached(whole, tmp_path):
    """The trajectory is that of our controller; twins never reach the loop body, and count as examples."""
    folder, values = whole
    trials = journalled(folder)
    assert len(trials) == TRIALS
    owners = [trial for trial in trials if trial.cached_from is None]
    assert len(owners) < TRIALS
    assert values == [VALUES.decode(trial.candidate) for trial in owners]
    assert all(trial.metrics == {"reward": score(VALUES.decode(trial.candidate))} for trial in trials)
    _, ours = search(tmp_path / "ours", EVOLUTION, TRIALS, objectives=(Maximize("score", 0.0),), seed=3)
    assert [t.candidate for t in ours] == [t.candidate for t in trials]


def test_a_result_is_read_back(whole):
    folder, values = whole
    result = poll(folder)
    assert [trial.id for trial in result.trials] == list(range(1, TRIALS + 1))
    best = result.best_trial
    assert best.final_measurement.reward == max(map(score, values))
    assert score(pg.template(template()).decode(best.dna)) == best.final_measurement.reward
    assert best.get_reward_for_feedback(["reward"]) == best.final_measurement.reward
    twins = [trial for trial in result.trials if trial.description]
    assert twins
    assert all(trial.description.startswith("the same as trial ") for trial in twins)
    assert not result.is_active
    assert result.last_updated.timestamp() <= time.time()
    assert f'"trials": {TRIALS}' in str(result)


@pytest.mark.parametrize("lag", [1, 3])
@pytest.mark.parametrize("end", ["break", "exception", "interrupt", "close"])
def test_a_loop_goes_on_where_it_was_left(end, lag, tmp_path):
    """However it was left: nothing reported is lost or done again, and the trajectory is the undisturbed one."""
    for _, feedback in sample(tmp_path / "whole", lag=lag):
        feedback(float(sum(feedback.dna.to_numbers())))
    seen = []
    for stop in (1, 4, 9, None):
        loop = sample(tmp_path / "cut", lag=lag)
        try:
            for value, feedback in loop:
                if len(seen) == stop and end == "break":
                    break
                if len(seen) == stop:
                    raise {"exception": RuntimeError, "interrupt": KeyboardInterrupt, "close": GeneratorExit}[end]
                seen.append(value)
                feedback(float(sum(feedback.dna.to_numbers())))
        except (RuntimeError, KeyboardInterrupt):
            pass
        except GeneratorExit:
            loop.close()
        del loop
    assert traces(tmp_path / "cut") == traces(tmp_path / "whole")
    assert len(seen) == len({str(value) for value in seen}), "a candidate was evaluated twice"


def test_a_finished_loop_has_nothing_to_do_and_can_be_made_longer(tmp_path):
    for trials, bodies in ((3, True), (3, False), (2, False), (12, True)):
        count = 0
        for value, feedback in sample(tmp_path / "run", trials=trials):
            count += 1
            feedback(score(value))
        assert bool(count) == bodies
        assert len(journalled(tmp_path / "run")) == max(trials, 3)
    for value, feedback in sample(tmp_path / "whole", trials=12):
        feedback(score(value))
    assert traces(tmp_path / "run") == traces(tmp_path / "whole")


def test_failures_do_not_poison_pyglove_s_algorithms(tmp_path):
    """hill_climb goes on from the best score, although every third report is no number and it begins with one."""
    mutator = pg.evolution.mutators.Uniform(seed=1)
    algorithm = pg.evolution.hill_climb(mutator, init_population_size=4, seed=1)
    for number, (value, feedback) in enumerate(sample(tmp_path / "run", algorithm, 40)):
        feedback(math.nan if number % 3 == 0 else score(value))
    trials = journalled(tmp_path / "run")
    assert trials[0].status is Status.DIVERGED
    for trial in trials[4:]:
        earlier = [one for one in trials[: trial.number] if one.status is Status.OK]
        best = max(one.metrics["reward"] for one in earlier)
        parents = [one.candidate for one in earlier if one.metrics["reward"] == best]
        assert any(sum(map(lambda a, b: a != b, trial.candidate, parent)) <= 1 for parent in parents)


def test_end_loop_ends_it_for_good(tmp_path):
    for number, (_, feedback) in enumerate(sample(tmp_path / "run", lag=3)):
        if number == 2:
            feedback.end_loop()
        assert poll(tmp_path / "run").is_active or number == 2
        feedback(float(number))
    assert number == 2
    assert len([trial for trial in journalled(tmp_path / "run") if trial.hit is None]) == 3
    assert not poll(tmp_path / "run").is_active
    assert list(sample(tmp_path / "run", lag=3)) == []


def test_a_sweep_ends_with_its_space(tmp_path):
    """Without num_examples, and however it was interrupted."""
    space = pg.Dict(a=pg.oneof([1, 2, 3]), b=pg.oneof("xy"))
    values = []
    for stop in (1, 3, None):
        for value, feedback in pg.sample(
            space, pg.geno.Sweeping(), name=str(tmp_path / "run"), backend="isozyme", lag=2
        ):
            if len(values) == stop:
                break
            values.append((value.a, value.b))
            feedback(float(value.a))
    assert values == [(a, b) for a in (1, 2, 3) for b in "xy"]


def test_a_loop_without_limit_ends_when_all_is_known(tmp_path):
    """Everything else would be twins, which never reach the loop body."""
    space, seen = pg.oneof([1, 2, 3, 4]), []
    for value, feedback in pg.sample(space, generator(RandomSearch()), name=str(tmp_path / "run"), backend="isozyme"):
        seen.append(value)
        feedback(float(value))
    assert sorted(seen) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("make", "sign"),
    [
        (lambda: generator(NSGA2(8), [Maximize("score", 0.0), Minimize("size", 9.0)], seed=2), 1.0),
        (lambda: pg.evolution.nsga2(pg.evolution.mutators.Uniform(seed=2), population_size=4, seed=2), -1.0),
    ],
    ids=["ours", "pyglove"],
)
def test_several_objectives(make, sign, tmp_path):
    """PyGlove's algorithm maximises both, ours takes each in its direction; the result has the front of small sizes."""
    gains = set()
    for value, feedback in sample(tmp_path / "run", make(), 30, metrics_to_optimize=["score", "size"]):
        size = float(sum(value.z))
        gains.add((score(value), -size))
        feedback((score(value), sign * size))
    assert all(set(trial.metrics) == {"score", "size"} for trial in journalled(tmp_path / "run"))
    result = poll(tmp_path / "run")
    found = [trial.final_measurement.metrics for trial in result.front]
    front = {p for p in gains if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in gains)}
    assert {(metrics.score, -abs(metrics.size)) for metrics in found} == front
    assert result.best_trial.final_measurement.metrics.score == max(gains)[0]


def test_a_metric_may_take_the_place_of_the_reward(tmp_path):
    for value, feedback in sample(tmp_path / "run", trials=5, metrics_to_optimize=["accuracy"]):
        feedback(metrics={"accuracy": score(value), "loss": 1.0})
    assert all(set(trial.metrics) == {"accuracy", "loss"} for trial in journalled(tmp_path / "run"))
    best = poll(tmp_path / "run").best_trial
    assert best.final_measurement.reward == best.final_measurement.metrics.accuracy


def test_other_kinds_of_spaces(tmp_path):
    """A bare spec yields DNA; a traced function is run under its choices."""

    def traced():
        return pg.oneof([1, 2]) + pg.oneof([10, 20])

    sums = []
    context = pg.hyper.trace(traced, per_thread=True)
    for apply, feedback in pg.sample(context, pg.geno.Sweeping(), name=str(tmp_path / "a"), backend="isozyme"):
        with apply():
            sums.append(traced())
        feedback(float(sums[-1]))
    assert sums == [11, 21, 12, 22]
    spec = pg.dna_spec(template())
    for dna, feedback in pg.sample(spec, generator(EVOLUTION), 3, name=str(tmp_path / "b"), backend="isozyme"):
        assert isinstance(dna, pg.DNA)
        feedback(float(dna.to_numbers()[0]))


def test_nothing_stored_can_be_executed(whole):
    """All of the journal is numbers and plain JSON, without names of types to load."""
    folder, _ = whole
    with closing(sqlite3.connect(folder / "trials.db")) as connection:
        facts = dict(connection.execute("SELECT name, value FROM meta"))
        texts = [row[0] for row in connection.execute("SELECT candidate FROM trials")]
        notes = Counter(row[0] for row in connection.execute("SELECT note FROM trials"))
    assert {"pyglove/identity", "pyglove/state"} <= facts.keys()
    for name, text in facts.items():
        if name.startswith("pyglove/"):
            assert "_type" not in json.dumps(json.loads(text))
    assert all(isinstance(json.loads(text), list) for text in texts)
    assert set(notes) == {""}
