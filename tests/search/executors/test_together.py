"""Evaluators that score several candidates at once: they get them, and what one of them does hurts no other."""

import pickle
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.ray_cluster.backlog import Backlog
from isozyme.search.executors.ray_cluster.evaluation_process import Payload, unpacked
from isozyme.search.executors.ray_cluster.worker import Worker
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.stages import Alarm, run_request, run_requests
from isozyme.search.objectives import Minimize
from isozyme.search.rules import Rules
from isozyme.tests.toys import BitEvaluator, BitStrings

SPACE = BitStrings()
AT_ONCE = 3
POISON = (3, 3)


@dataclass
class Together(BitEvaluator):
    """Likes three candidates at once, and tells in a metric how many it was given; one that fails takes all along."""

    at_once: ClassVar[int] = AT_ONCE
    sizes: list[int] = field(default_factory=list)

    def evaluate(self, jobs):
        self.sizes.append(len(jobs))
        if len(jobs) > 1 and any(self.space.behaviour(job.candidate) in self.trouble for job in jobs):
            raise RuntimeError("one of several fails")
        return [Outcome(o.status, o.reason, o.metrics | {"together": float(len(jobs))}) for o in super().evaluate(jobs)]


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (5 - first) + [1] * second + [0] * (5 - second) + [0, 0])


BEHAVIOURS = [(0, 1), (1, 0), (1, 1), (0, 2), POISON, (2, 0), (2, 1)]


def alone(behaviour, trouble):
    evaluator = BitEvaluator(trouble=trouble)
    evaluator.setup(SPACE, 0)
    return [(o.status, o.metrics) for o in run_request(evaluator, Request(bits(*behaviour), last=1), None, Alarm(None))]


def without_count(outcomes):
    return [(o.status, {k: v for k, v in o.metrics.items() if k != "together"}) for o in outcomes]


@pytest.mark.parametrize("trouble", [{}, {POISON: "raise"}])
def test_in_process_it_gets_as_many_as_it_likes(trouble):
    """Each call has up to three jobs, and every candidate the outcomes that it has alone."""
    evaluator = Together(trouble=trouble)
    executor = InProcessExecutor(evaluator, Rules(SPACE, [Minimize("fitness", 1.0)], stages=2))
    for ticket, behaviour in enumerate(BEHAVIOURS):
        executor.submit(ticket, Request(bits(*behaviour), last=1))
    answers = {}
    while len(answers) < len(BEHAVIOURS):
        answers |= dict(executor.collect(0.0))
    assert max(evaluator.sizes) == AT_ONCE
    assert evaluator.sizes[0] == AT_ONCE
    for ticket, behaviour in enumerate(BEHAVIOURS):
        assert without_count(answers[ticket].outcomes) == alone(behaviour, trouble)


def test_a_hurdle_stops_one_of_several():
    """The others go on to the next stage without it."""
    evaluator = Together()
    evaluator.setup(SPACE, 0)
    requests = [Request(bits(*one), last=1, hurdles=(19.5,)) for one in ((0, 1), (1, 1), (2, 0))]
    found = list(run_requests(evaluator, requests, lambda metrics: metrics["short_loss"], Alarm(None)))
    assert [(place, last) for place, _, last in found] == [(0, True), (1, False), (2, False), (1, True), (2, True)]
    assert evaluator.sizes == [3, 2]


@pytest.mark.parametrize("trouble", [None, "raise", "exit"])
def test_in_an_evaluation_process(trouble):
    """What kills the process of several is found: it alone is quarantined, and the others are asked for again."""
    known: dict[tuple[int, int], str] = {POISON: trouble} if trouble else {}
    payload = Payload(Sources(), pickle.dumps((Together(trouble=known), SPACE, 0, None)), {}, AT_ONCE)
    worker = Worker(payload, None, 0)
    assert worker.set_up() == ""
    waiting, outcomes = list(BEHAVIOURS), {}
    for _ in range(len(BEHAVIOURS)):
        if not waiting:
            break
        batch = pickle.dumps([tuple(Request(bits(*one), last=1)) for one in waiting])
        written = list(unpacked(worker.run(batch, len(waiting), False).records))
        for place in {record.place for record in written if record.done}:
            outcomes[waiting[place]] = [record.outcome for record in written if record.place == place]
        waiting = [one for one in waiting if one not in outcomes]
    worker.close()
    assert waiting == []
    for behaviour in BEHAVIOURS:
        if trouble == "exit" and behaviour == POISON:
            assert outcomes[behaviour][-1].status is Status.CRASHED
            assert outcomes[behaviour][-1].reason.startswith("quarantined: the worker died 3 times")
        else:
            assert without_count(outcomes[behaviour]) == alone(behaviour, known)
    assert any(outcome.metrics.get("together") == AT_ONCE for one in outcomes.values() for outcome in one)


def test_a_worker_gets_as_many_as_are_liked():
    """Slow evaluations travel one by one, but for those that are scored together."""
    for at_once, expected in ((1, 1), (4, 4), (20, 10)):
        backlog = Backlog(at_once)
        backlog.seconds = 5.0
        backlog.queue.extend((ticket, Request(bits(0, 1))) for ticket in range(10))
        assert backlog.batch_size(4) == expected
