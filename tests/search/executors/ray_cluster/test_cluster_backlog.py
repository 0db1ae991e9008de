"""What waits for workers, in which order, and what is counted against whom. No cluster here."""

import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.ray_cluster.backlog import Backlog, SentBatch
from isozyme.search.executors.ray_cluster.evaluation_process import packed
from isozyme.search.executors.ray_cluster.worker import Report

FINE = Outcome(Status.OK, None, {"loss": 1.0}, 1.0)


def full(size):
    """A backlog with requests of two stages."""
    backlog = Backlog()
    backlog.queue.extend((ticket, Request(f"candidate {ticket}", last=1)) for ticket in range(size))
    return backlog


def send(backlog, queue=None, count=1):
    queue = backlog.queue if queue is None else queue
    return SentBatch(backlog.take_batch(queue, count), queue, None)


def waiting(queue):
    return [ticket for ticket, _ in queue]


def both(place):
    """Records of both stages of a request."""
    return packed(place, False, FINE) + packed(place, True, FINE)


def test_what_a_worker_did_not_get_to_waits_first_and_has_not_been_tried():
    backlog = full(5)
    sent = send(backlog, count=4)
    backlog.take_report(sent, Report(both(0) + both(1)), "a")
    assert [(ticket, answer.attempts, answer.worker) for ticket, answer in backlog.answered] == [
        (0, 1, "a"),
        (1, 1, "a"),
    ]
    assert waiting(backlog.queue) == [2, 3, 4]
    backlog.take_report(send(backlog), Report(both(0)), "b")
    assert backlog.answered[-1][1].attempts == 1


def test_stages_that_come_one_by_one_are_put_together():
    backlog = full(1)
    backlog.requeue_alone(send(backlog), False, "why")
    backlog.take_report(send(backlog, backlog.suspects), Report(packed(0, False, FINE)), "a")
    ((ticket, request),) = backlog.suspects
    assert (ticket, request.first, request.last) == (0, 1, 1)
    backlog.take_report(send(backlog, backlog.suspects), Report(packed(0, True, FINE)), "b")
    ((_, answer),) = backlog.answered
    assert (answer.outcomes, answer.attempts) == ((FINE, FINE), 2)


def test_batches_of_a_lost_node_wait_again_in_their_order():
    """Of the first one every request may have been begun, of the second none."""
    backlog = full(6)
    lost = [send(backlog, count=2), send(backlog, count=2)]
    backlog.requeue(lost, begun=1)
    assert waiting(backlog.queue) == [0, 1, 2, 3, 4, 5]
    backlog.take_report(send(backlog, count=4), Report(b"".join(map(both, range(4)))), "a")
    assert [answer.attempts for _, answer in backlog.answered] == [2, 2, 1, 1]


@pytest.mark.parametrize(("starved", "alone", "status"), [(False, 8, Status.CRASHED), (True, 2, Status.OUT_OF_MEMORY)])
def test_only_deaths_alone_count(starved, alone, status):
    """A batch that a worker died of is tried one by one; what dies alone too often is given up, the others are not."""
    backlog = full(3)
    queue = backlog.starved if starved else backlog.suspects
    backlog.requeue_alone(send(backlog, count=3), starved, "why")
    assert waiting(queue) == [0, 1, 2]
    for _ in range(alone):
        assert not backlog.answered
        backlog.requeue_alone(send(backlog, queue), starved, "why")
        queue.rotate(1)  # It goes first again.
    ((ticket, answer),) = backlog.answered
    assert (ticket, answer.attempts) == (0, alone + 1)
    reason = f"quarantined: the worker died {alone + 1} times while evaluating it: why"
    assert answer.outcomes == (Outcome(status, reason),)
    assert sorted(waiting(queue)) == [1, 2]


def test_want_of_memory_next_to_others_does_not_count():
    """The others of its node may be what took it."""
    backlog = full(1)
    backlog.requeue_alone(send(backlog), False, "why")
    for _ in range(20):
        backlog.requeue_alone(send(backlog, backlog.suspects), True, "why")
        backlog.suspects.append(backlog.starved.popleft())
    assert not backlog.answered


def test_batches_grow_as_evaluations_get_shorter():
    """Up to a fiftieth of a second and 256, and never more than leaves something for every place."""
    backlog = full(10_000)
    assert backlog.batch_size(4) == 1
    quick = Outcome(Status.OK, None, {}, 1e-6)
    for _ in range(200):
        backlog.take_report(send(backlog), Report(packed(0, True, quick)), "a")
    assert backlog.batch_size(4) == 256
    assert backlog.batch_size(2_000) == 5
    slow = Outcome(Status.OK, None, {}, 10.0)
    backlog.take_report(send(backlog), Report(packed(0, True, slow)), "a")
    assert backlog.batch_size(4) == 1
