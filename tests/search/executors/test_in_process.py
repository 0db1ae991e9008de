"""How requests are run, and how whatever they raise becomes a typed outcome of the stage that raised it."""

import time

import pytest

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Request, SetupFailed
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.search.rules import Rules
from isozyme.tests.toys import OBJECTIVES, BitEvaluator, BitStrings

SPACE = BitStrings()
NEVER = Alarm(None)
RULES = Rules(SPACE, OBJECTIVES)


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (5 - first) + [1] * second + [0] * (5 - second) + [0, 0])


def evaluator(**members):
    made = BitEvaluator(**members)
    made.setup(SPACE, 0)
    return made


def short_loss(metrics):
    return metrics["short_loss"]


@pytest.mark.parametrize(
    ("trouble", "status", "reason"),
    [
        ("raise", Status.CRASHED, "RuntimeError: trouble: raise"),
        ("memory", Status.OUT_OF_MEMORY, "MemoryError: no room for 9 GB"),
        ("exhausted", Status.OUT_OF_MEMORY, "RuntimeError: RESOURCE_EXHAUSTED: out of device memory"),
        ("diverge", Status.DIVERGED, "loss is nan after step 7"),
    ],
)
def test_whatever_goes_wrong_is_an_outcome(trouble, status, reason):
    """Design, section 3.7: a failure is a result, with a reason; no later stage is tried."""
    (outcome,) = run_request(evaluator(trouble={(2, 2): trouble}), Request(bits(2, 2), last=1), None, NEVER)
    assert (outcome.status, outcome.reason, outcome.metrics) == (status, reason, {})
    assert outcome.seconds > 0.0


def test_stages_run_in_order():
    made = evaluator()
    outcomes = run_request(made, Request(bits(1, 2), last=1), None, NEVER)
    assert made.evaluated == [Job(bits(1, 2), "search", 0), Job(bits(1, 2), "search", 1)]
    assert [list(outcome.metrics) for outcome in outcomes] == [["short_loss"], ["fitness"]]


def test_known_stages_are_not_run_again():
    made = evaluator()
    (outcome,) = run_request(made, Request(bits(1, 2), first=1, last=1), None, NEVER)
    assert [job.stage for job in made.evaluated] == [1]
    assert list(outcome.metrics) == ["fitness"]


@pytest.mark.parametrize(("limit", "stages"), [(None, 2), (19.9, 1), (20.0, 2)])
def test_a_hurdle_stops_what_costs_more(limit, stages):
    request = Request(bits(1, 2), last=1, hurdles=(limit,))  # Its short loss is 20.
    assert len(run_request(evaluator(), request, short_loss, NEVER)) == stages


def test_the_last_stage_has_no_hurdle():
    assert len(run_request(evaluator(), Request(bits(1, 2), last=0, hurdles=(0.0,)), short_loss, NEVER)) == 1


def test_a_metric_that_is_no_number_fails_its_stage():
    class Careless(BitEvaluator):
        def evaluate(self, jobs):
            return [Outcome(Status.OK, None, {"loss": float("inf"), "other": 1}) for _ in jobs]

    (outcome,) = run_request(Careless(), Request(bits(1, 1), last=1), None, NEVER)
    assert (outcome.status, outcome.reason, outcome.metrics) == (Status.DIVERGED, "loss is inf", {"other": 1.0})


def test_an_error_without_a_message_has_a_reason():
    class Silent(BitEvaluator):
        def evaluate(self, jobs):
            raise KeyError

    (outcome,) = run_request(Silent(), Request(bits(1, 1)), None, NEVER)
    assert (outcome.status, outcome.reason) == (Status.CRASHED, "KeyError: ")


def test_an_interrupt_is_no_failure():
    """Design, section 3.7: what the user interrupts is not journalled."""
    with pytest.raises(KeyboardInterrupt):
        run_request(evaluator(trouble={(1, 1): "interrupt"}), Request(bits(1, 1)), None, NEVER)


def test_the_limit_stops_a_stage_in_this_process():
    class Slow(BitEvaluator):
        def evaluate(self, jobs):
            if jobs[0].candidate == bits(0, 0):
                while True:
                    time.sleep(60.0)
            return super().evaluate(jobs)

    executor = InProcessExecutor(Slow(), RULES, limit=0.2)
    executor.submit(0, Request(bits(0, 0)))
    executor.submit(1, Request(bits(1, 1)))
    answers = {}
    while len(answers) < 2:
        answers.update(executor.collect(1.0))
    assert answers[0].outcomes[0].status is Status.TIMED_OUT
    assert answers[0].outcomes[0].reason == "stopped at the limit of 0.2 s"
    assert answers[1].outcomes[0].status is Status.OK


def test_in_process_requests_run_in_order_and_only_when_asked():
    made = BitEvaluator()
    executor = InProcessExecutor(made, RULES)
    requests = [Request(bits(i, 1)) for i in range(3)]
    for ticket, request in enumerate(requests):
        executor.submit(ticket + 5, request)
    assert made.evaluated == []
    arrived = []
    while len(arrived) < 3:
        arrived += executor.collect(0.0)
    assert [ticket for ticket, _ in arrived] == [5, 6, 7]
    assert made.begun == [request.candidate for request in requests]
    assert {answer.attempts for _, answer in arrived} == {1}
    assert executor.collect(0.0) == []


def test_closing_drops_unfinished_requests():
    made = BitEvaluator()
    executor = InProcessExecutor(made, RULES)
    executor.submit(0, Request(bits(1, 1)))
    executor.close()
    executor.submit(1, Request(bits(2, 2)))
    assert [ticket for ticket, _ in executor.collect(0.0)] == [1]
    assert made.begun == [bits(2, 2)]


def test_a_failed_setup_says_why():
    class Unready(BitEvaluator):
        def setup(self, space, seed):
            raise OSError("no such data set")

    executor = InProcessExecutor(Unready(), RULES)
    with pytest.raises(SetupFailed, match="cannot be set up: OSError: no such data set"):
        executor.conditions("search")
