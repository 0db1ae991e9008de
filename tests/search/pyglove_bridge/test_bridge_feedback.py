"""The backend 'isozyme': what a loop body may say of its candidate."""

# PyGlove makes its types at run time, out of pyright's sight.
# pyright: reportAttributeAccessIssue=false, reportFunctionMemberAccess=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import math

import numpy as np
import pyglove as pg
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search.pyglove_bridge import generator
from isozyme.tests.search.pyglove_bridge.bridge_helpers import journalled, poll, sample, score
from isozyme.tests.toys import Scripted


class Listed(pg.Object):
    """Proposes the first points of the space, one after the other."""

    def start(self, space, objectives, stages=1):
        return Scripted(list(space.points()))


def test_what_feedback_says(tmp_path):
    """The last measurement counts; what is no number, and what is skipped, is a failure that the algorithm hears of."""
    says = [
        lambda f: f(1.5),
        lambda f: f(2.0, metrics={"loss": 0.25}),
        lambda f: (f.add_measurement(9.0, step=5), f.add_measurement(3.0, step=3), f.done()),
        lambda f: f(math.nan),
        lambda f: f(math.inf, metrics={"loss": 1.0}),
        lambda f: f(1.0, metrics={"loss": -math.inf}),
        lambda f: f.skip(),
        lambda f: f.skip("Traceback:\n  File\nValueError: too deep\n"),
        lambda f: f(np.float32(0.5), metrics={"loss": np.float32(0.125)}),
    ]
    for (_, feedback), say in zip(sample(tmp_path / "run", generator(Listed()), len(says)), says, strict=True):
        say(feedback)
    trials = journalled(tmp_path / "run")
    assert [(trial.status, trial.reason, trial.metrics) for trial in trials] == [
        (Status.OK, None, {"reward": 1.5}),
        (Status.OK, None, {"loss": 0.25, "reward": 2.0}),
        (Status.OK, None, {"reward": 3.0}),
        (Status.DIVERGED, "reward is nan", {}),
        (Status.DIVERGED, "reward is inf", {"loss": 1.0}),
        (Status.DIVERGED, "loss is -inf", {"reward": 1.0}),
        (Status.CRASHED, "skipped", {}),
        (Status.CRASHED, "skipped: ValueError: too deep", {}),
        (Status.OK, None, {"loss": 0.125, "reward": 0.5}),
    ]
    result = poll(tmp_path / "run")
    assert [trial.infeasible for trial in result.trials] == [trial.status is not Status.OK for trial in trials]
    assert [(m.step, m.reward) for m in result.trials[2].measurements] == [(5, 9.0), (3, 3.0)]
    assert result.trials[2].final_measurement.reward == 3.0
    assert result.trials[7].description == "skipped: ValueError: too deep"
    assert result.trials[7].final_measurement is None


def test_the_same_candidate_comes_until_it_is_done(tmp_path):
    """As in PyGlove; the measurements so far are kept meanwhile."""
    ids = []
    for value, feedback in sample(tmp_path / "run", trials=2):
        ids.append(feedback.id)
        feedback.add_measurement(score(value), step=len(ids))
        if ids.count(feedback.id) == 2:
            assert len(feedback.get_trial().measurements) == 2
            feedback.done()
    assert ids == [1, 1, 2, 2]


def test_misuse_of_a_feedback(tmp_path):
    """Only the first report counts, a report needs a measurement, and one of an abandoned loop is refused."""
    loop = sample(tmp_path / "run", trials=3)
    _, first = next(loop)
    with pytest.raises(ValueError, match="trial 1 has no measurement; call feedback"):
        first.done()
    first(1.0)
    first.done()
    first.skip()
    for late in (
        lambda: first.add_measurement(2.0),
        lambda: first.set_metadata("a", 1),
        lambda: first.add_link("a", ""),
    ):
        with pytest.raises(pg.tuning.RaceConditionError, match="trial 1 is done already"):
            late()
    with first.ignore_race_condition():
        first(3.0)
    _, second = next(loop)
    loop.close()
    del loop
    with pytest.raises(pg.tuning.RaceConditionError, match="trial 2 is no longer this loop's"):
        second(1.0)
    assert [trial.metrics for trial in journalled(tmp_path / "run")] == [{"reward": 1.0}]


def test_metadata_and_links_are_kept(tmp_path):
    """Those of a trial with the trial, those of the study over sessions; anything but plain JSON is refused."""
    for _, feedback in sample(tmp_path / "run", trials=3):
        count = feedback.get_metadata("count", per_trial=False) or 0
        feedback.set_metadata("count", count + 1, per_trial=False)
        feedback.set_metadata("files", {"model": ["a", "b"]})
        assert feedback.get_metadata("files") == {"model": ["a", "b"]}
        assert feedback.get_metadata("other") is None
        feedback.add_link("board", "http://localhost")
        feedback(1.0, metadata={"host": "here"}, related_links={"log": "file:///log"})
        break
    for _, feedback in sample(tmp_path / "run", trials=3):
        assert feedback.get_metadata("files") is None
        assert feedback.get_metadata("count", per_trial=False) == 1
        for wrong in (object(), (1, 2), {1: 2}, math.nan, {"a": {2}}):
            with pytest.raises(TypeError, match=r"metadata 'wrong': only plain JSON can be kept"):
                feedback.set_metadata("wrong", wrong)
        feedback(0.5)
        feedback.set_metadata("last", True, per_trial=False)
    result = poll(tmp_path / "run")
    assert result.trials[0].metadata == {"files": {"model": ["a", "b"]}, "host": "here"}
    assert result.trials[0].related_links == {"board": "http://localhost", "log": "file:///log"}
    assert result.trials[1].metadata == {}
    assert result.metadata == {"count": 1, "last": True}


class StopSecond(pg.tuning.EarlyStoppingPolicy):
    """Stops whoever measures less than the best before at step 1; counts what it has been told."""

    def _on_bound(self):
        super()._on_bound()
        self._best, self._recovered = -math.inf, 0

    def should_stop_early(self, trial):
        reward = trial.measurements[-1].reward
        stops, self._best = reward < self._best, max(self._best, reward)
        return stops

    def recover(self, history):
        for trial in history:
            self._recovered += 1
            self._best = max([self._best, *(measurement.reward for measurement in trial.measurements)])


def test_early_stopping(tmp_path):
    """A policy decides in the loop, and is recovered from all measurements in the journal."""
    measured = [[1.0, 5.0], [4.0], [6.0, 2.0], [5.5]]
    policies = [StopSecond(), StopSecond()]
    for policy, session in zip(policies, (measured[:2], measured[2:]), strict=True):
        loop = sample(tmp_path / "run", generator(Listed()), 4, early_stopping_policy=policy)
        for (_, feedback), rewards in zip(loop, session, strict=False):
            assert not feedback.should_stop_early()
            for step, reward in enumerate(rewards):
                feedback.add_measurement(reward, step=step)
                if feedback.should_stop_early():
                    break
            feedback.skip("stopped early") if len(rewards) == 1 else feedback.done()
        del loop
    assert policies[1]._recovered == 2
    assert [t.status for t in journalled(tmp_path / "run")] == [Status.OK, Status.CRASHED, Status.OK, Status.CRASHED]


def test_a_missing_metric_is_named_by_pyglove(tmp_path):
    """The loop body hears of it, and can report again."""
    (_, feedback), *_ = [next(sample(tmp_path / "run", metrics_to_optimize=["accuracy"]))]
    with pytest.raises(ValueError, match="'accuracy' must be provided"):
        feedback(metrics={"loss": 1.0})
