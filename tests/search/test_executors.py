"""How jobs are run, and how whatever they raise becomes a typed outcome of the job that raised it."""

import pytest

from isozyme.evaluators.protocol import Job, Status
from isozyme.search.executors import InProcessExecutor, SetupFailed, run_jobs
from isozyme.tests.toys import BitEvaluator, BitStrings

SPACE = BitStrings()


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (5 - first) + [1] * second + [0] * (5 - second) + [0, 0])


def evaluator(**members):
    made = BitEvaluator(**members)
    made.setup(SPACE, 0)
    return made


@pytest.mark.parametrize(
    ("trouble", "status", "reason"),
    [
        ("raise", Status.CRASHED, "RuntimeError: trouble: raise"),
        ("memory", Status.OUT_OF_MEMORY, "MemoryError: no room for 9 GB"),
        ("exhausted", Status.OUT_OF_MEMORY, "RuntimeError: RESOURCE_EXHAUSTED: out of device memory"),
        ("diverge", Status.DIVERGED, "loss is nan after step 7"),
    ],
)
def test_one_poison_job_does_not_hurt_its_batch(trouble, status, reason):
    """Design, section 3.7: a failure is a result, with a reason, of the one job that failed."""
    jobs = [Job(bits(1, 0)), Job(bits(2, 2)), Job(bits(0, 3)), Job(bits(4, 4))]
    outcomes = run_jobs(evaluator(trouble={(2, 2): trouble}), jobs)
    clean = run_jobs(evaluator(), jobs)
    assert [outcome.status for outcome in outcomes] == [Status.OK, status, Status.OK, Status.OK]
    assert outcomes[1].reason == reason
    assert outcomes[1].metrics == {}
    for i in (0, 2, 3):
        assert outcomes[i].metrics == clean[i].metrics


def test_every_job_of_a_batch_may_fail():
    made = evaluator(trouble={(1, 1): "raise", (2, 2): "memory"})
    outcomes = run_jobs(made, [Job(bits(1, 1)), Job(bits(2, 2))])
    assert [outcome.status for outcome in outcomes] == [Status.CRASHED, Status.OUT_OF_MEMORY]


def test_an_error_without_a_message_has_a_reason():
    class Silent(BitEvaluator):
        def evaluate(self, jobs):
            raise KeyError

    (outcome,) = run_jobs(Silent(), [Job(bits(1, 1))])
    assert (outcome.status, outcome.reason) == (Status.CRASHED, "KeyError: ")


def test_an_interrupt_is_no_failure():
    """Design, section 3.7: what the user interrupts is not journalled."""
    with pytest.raises(KeyboardInterrupt):
        run_jobs(evaluator(trouble={(1, 1): "interrupt"}), [Job(bits(1, 1))])


def test_in_process_jobs_run_in_order_and_only_when_asked():
    made = BitEvaluator()
    executor = InProcessExecutor(made, SPACE, 0)
    jobs = [Job(bits(i, 1)) for i in range(3)]
    for ticket, job in enumerate(jobs):
        executor.submit(ticket + 5, job)
    assert made.evaluated == []
    arrived = [executor.collect(0.0) for _ in jobs]
    assert [ticket for ((ticket, _),) in arrived] == [5, 6, 7]
    assert made.evaluated == jobs
    executor.close()


def test_closing_drops_unfinished_jobs():
    made = BitEvaluator()
    executor = InProcessExecutor(made, SPACE, 0)
    executor.submit(0, Job(bits(1, 1)))
    executor.close()
    executor.submit(1, Job(bits(2, 2)))
    assert [ticket for ticket, _ in executor.collect(0.0)] == [1]
    assert made.evaluated == [Job(bits(2, 2))]


def test_a_failed_setup_says_why():
    class Unready(BitEvaluator):
        def setup(self, space, seed):
            raise OSError("no such data set")

    executor = InProcessExecutor(Unready(), SPACE, 0)
    with pytest.raises(SetupFailed, match="cannot be set up: OSError: no such data set"):
        executor.conditions("search")
