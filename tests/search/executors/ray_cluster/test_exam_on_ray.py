"""Every registered algorithm through the real controller, with a journal and four Ray workers."""

from collections import Counter
from dataclasses import replace
from operator import attrgetter

import pytest

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Status
from isozyme.search.algorithms import ALGORITHMS
from isozyme.search.exam.toy_search import OBJECTIVES, OPTIMUM, SPACE, PointsEvaluator
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.ray_cluster.cluster import Cluster
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.rules import Rules
from isozyme.tests.toys import Dawdling, run_search

pytestmark = pytest.mark.ray

_WORKERS = _LAG = 4
_STAGES, _TRIALS, _SEED = 3, 200, 0
_RULES = Rules(SPACE, OBJECTIVES, _STAGES, seed=_SEED, lag=_LAG)
# All of a trial but times and the name of the worker.
_SAME = attrgetter(
    "number", "proposal", "status", "reason", "metrics", "keys", "cached_from", "hit", "stages", "taken",
    "effort.attempts",
)  # fmt: skip


@pytest.fixture(scope="module")
def workers():
    """Four workers that dawdle."""
    executor = RayExecutor(Dawdling(_STAGES), _RULES, Cluster(_WORKERS, None, process.environment()))
    yield executor
    executor.close()


def search(folder, executor, name, asynchronous=False):
    rules = replace(_RULES, asynchronous=asynchronous)
    return run_search(folder, rules, ALGORITHMS[name](), executor, _TRIALS)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_optimum_for_sixteen_evaluations_a_stage(name, workers, tmp_path):
    """Issue 3, exam: 200 proposals, four workers in flight, at most 16 evaluations a budget level."""
    progress, trials = search(tmp_path / "ray", workers, name)
    evaluations = Counter(stage for t in trials if t.effort.attempts for stage in range(t.taken, len(t.stages)))
    assert all(count <= 16 for count in evaluations.values()), evaluations
    assert progress.best is not None
    assert progress.best.candidate[0] == OPTIMUM
    assert {t.status for t in trials} <= {Status.OK, Status.PARTIAL}

    _, alone = search(tmp_path / "alone", InProcessExecutor(PointsEvaluator(_STAGES), _RULES), name)
    for one, other in zip(trials, alone, strict=True):
        assert _SAME(one) == _SAME(other)


@pytest.mark.parametrize("name", ["regularized_evolution", "successive_halving"])
def test_asynchronously_as_well(name, workers, tmp_path):
    progress, trials = search(tmp_path / "ray", workers, name, asynchronous=True)
    evaluations = Counter(stage for t in trials if t.effort.attempts for stage in range(t.taken, len(t.stages)))
    assert all(count <= 16 for count in evaluations.values()), evaluations
    assert len(trials) == _TRIALS
    assert progress.best is not None
    assert progress.best.candidate[0] == OPTIMUM
