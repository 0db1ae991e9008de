"""A candidate that exhausts the memory of its node: Ray ends all workers there, and only it is given up."""

import time

import psutil
import pytest

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Status
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.ray_cluster import connection
from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.rules import Rules
from isozyme.tests.toys import OBJECTIVES, SEED, SPACE, BitEvaluator

pytestmark = [pytest.mark.ray, pytest.mark.alone]  # What else takes or frees memory meanwhile would move the threshold.

HANG = 120.0  # seconds
POISON = (7, 7)
ROOM = 2e9  # bytes that are left below the threshold, of the 5 GB that the poison takes


@pytest.fixture
def ray(monkeypatch):
    """Ray that holds memory to be exhausted soon."""
    memory = psutil.virtual_memory()
    if memory.available < 8e9:
        pytest.skip("takes 8 GB of free memory")
    threshold = (memory.total - memory.available + ROOM) / memory.total
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{threshold:.4f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "50")
    connection.start_cluster(2, Resources())
    import ray

    yield ray
    ray.shutdown()


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (7 - first) + [1] * second + [0] * (7 - second) + [0, 0])


def test_what_exhausts_memory_is_given_up_alone(ray):
    """It gets the node to itself before; whose workers died next to it are evaluated, and its first stage counts."""
    evaluator = BitEvaluator(trouble={POISON: "fill memory"}, troubled_from=1, delay=0.2)
    made = RayExecutor(evaluator, Rules(SPACE, OBJECTIVES, 2, seed=SEED), Cluster(2, None, process.environment()))
    behaviours = [(first, 1) for first in range(6)] + [POISON] + [(first, 2) for first in range(6)]
    made.conditions("search")
    for ticket, behaviour in enumerate(behaviours):
        made.submit(ticket, Request(bits(*behaviour), last=1))
    answers, deadline = {}, time.monotonic() + HANG
    while len(answers) < len(behaviours):
        assert time.monotonic() < deadline
        answers |= dict(made.collect(1.0))
    made.close()
    poisoned = answers.pop(behaviours.index(POISON))
    first, second = poisoned.outcomes
    assert first.status is Status.OK
    assert second.status is Status.OUT_OF_MEMORY
    assert second.reason == (
        "quarantined: the worker died 3 times while evaluating it: the memory of its node was exhausted"
    )
    assert poisoned.attempts == 3
    assert {tuple(o.status for o in answer.outcomes) for answer in answers.values()} == {(Status.OK, Status.OK)}
    assert {answer.attempts for answer in answers.values()} <= {1, 2}
