"""Requests that wait for workers, and what is known of those that have been tried."""

from collections import Counter, deque
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.protocol import Answer, Request
from isozyme.search.executors.ray_cluster.evaluation_process import unpacked
from isozyme.search.executors.ray_cluster.worker import Report

_BATCH_SECONDS = 0.02  # what a batch should take: long against the price of a call, short against a person's patience
_LARGEST_BATCH = 256
_ALONE_DEATHS = 2  # a request whose worker has run out of memory so often, with the node to itself, is given up
_ALONE_LOSSES = 8  # the same for workers that died of anything else while nothing else was there

Waiting = deque[tuple[int, Request]]


class Sent(NamedTuple):
    """A batch at a worker: what was asked, by ticket, the queue it was taken from, and the reference to its report."""

    batch: list[tuple[int, Request]]
    queue: Waiting
    report: Any


class Backlog:
    """Requests on their way to an answer.

    Attributes:
      queue: what waits for any worker.
      suspects: what a worker has died of, maybe: it runs by itself.
      starved: what ran out of memory, maybe: it gets a node to itself.
      answered: what came of requests, until it is taken.
    """

    def __init__(self) -> None:
        self.queue: Waiting = deque()
        self.suspects: Waiting = deque()
        self.starved: Waiting = deque()
        self.answered: list[tuple[int, Answer]] = []
        self._known: dict[int, list[Outcome]] = {}  # Stages of requests that run stage by stage.
        self._attempts: Counter[int] = Counter()
        self._deaths: Counter[int] = Counter()
        self._under_way = 0
        self._seconds = _BATCH_SECONDS  # of a typical request

    def size(self, places: int) -> int:
        """How many requests make a batch: enough to take a while, few enough that every place gets its share."""
        share = -(-(len(self.queue) + self._under_way) // max(places, 1))
        return max(1, min(int(_BATCH_SECONDS / max(self._seconds, 1e-9)), share, _LARGEST_BATCH))

    def take(self, queue: Waiting, count: int = 1) -> list[tuple[int, Request]]:
        """Takes up to `count` requests from the head of a queue, to be sent to a worker."""
        batch = [queue.popleft() for _ in range(min(count, len(queue)))]
        self._attempts.update(ticket for ticket, _ in batch)
        self._under_way += len(batch)
        return batch

    def report(self, sent: Sent, report: Report, worker: str) -> None:
        """Takes in what came of a batch; what the worker did not get to waits again."""
        self._under_way -= len(sent.batch)
        outcomes: list[list[Outcome]] = [[] for _ in sent.batch]
        done = [False] * len(sent.batch)
        for record in unpacked(report.records):
            outcomes[record.place].append(record.outcome)
            done[record.place] = record.done
        if report.casualty is not None:
            place, attempts = report.casualty
            self._attempts[sent.batch[place][0]] += attempts - 1
        left = []
        for (ticket, request), stages, over in zip(sent.batch, outcomes, done, strict=True):
            if over:
                self._answer(ticket, stages, worker)
                continue
            self._attempts[ticket] -= 1
            if stages:
                self._known.setdefault(ticket, []).extend(stages)
            left.append((ticket, request._replace(first=request.first + len(stages))))
        sent.queue.extendleft(reversed(left))

    def _answer(self, ticket: int, stages: list[Outcome], worker: str) -> None:
        outcomes = (*self._known.pop(ticket, ()), *stages)
        took = sum(outcome.seconds for outcome in outcomes)
        self._seconds += (0.05 if took < self._seconds else 0.5) * (took - self._seconds)
        self._deaths.pop(ticket, None)
        self.answered.append((ticket, Answer(outcomes, self._attempts.pop(ticket), worker)))

    def lose(self, lost: list[Sent], begun: int) -> None:
        """Batches of a worker that is gone or out of reach, of which so many had begun, wait again."""
        for place, sent in reversed(list(enumerate(lost))):
            self._under_way -= len(sent.batch)
            if place >= begun:
                self._attempts.subtract(ticket for ticket, _ in sent.batch)
            sent.queue.extendleft(reversed(sent.batch))

    def suspect(self, sent: Sent, starved: bool, why: str) -> None:
        """What a worker was at when it died waits again, to be alone; what was alone too often is quarantined.

        Args:
          sent: the batch.
          starved: whether it was for want of memory.
          why: what is known of it, in a line.
        """
        self._under_way -= len(sent.batch)
        if sent.queue is self.starved or (sent.queue is self.suspects and not starved):
            ((ticket, _),) = sent.batch
            self._deaths[ticket] += 1
            if self._deaths[ticket] == (_ALONE_DEATHS if starved else _ALONE_LOSSES):
                status = Status.OUT_OF_MEMORY if starved else Status.CRASHED
                reason = f"quarantined: the worker died {self._attempts[ticket]} times while evaluating it: {why}"
                self._answer(ticket, [Outcome(status, reason)], "")
                return
        (self.starved if starved else self.suspects).extend(sent.batch)

    def clear(self) -> None:
        """Forgets everything."""
        for kept in (self.queue, self.suspects, self.starved, self.answered, self._known, self._attempts, self._deaths):
            kept.clear()
        self._under_way = 0
