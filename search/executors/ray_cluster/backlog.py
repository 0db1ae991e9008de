"""Keeps the requests that wait for workers, and what is known of those that have been tried."""

from collections import Counter, deque
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.protocol import Answer, Request
from isozyme.search.executors.ray_cluster.evaluation_process import unpacked
from isozyme.search.executors.ray_cluster.worker import Report

_BATCH_SECONDS = 0.02  # what a batch should take: long against the price of a call, short against a person's patience
_LARGEST_BATCH = 256
_STARVED_DEATHS = 2  # A request whose workers have run out of memory so often with a node to themselves is given up.
LONE_DEATHS = 8  # The same for workers that died of anything else while they evaluated nothing else.

Waiting = deque[tuple[int, Request]]
"""Requests with their tickets, the next one first."""


class SentBatch(NamedTuple):
    """A batch at a worker: its requests by ticket, the queue they were taken from, the reference to its report."""

    requests: list[tuple[int, Request]]
    queue: Waiting
    report: Any


class Backlog:
    """Holds requests on their way to an answer.

    Attributes:
      queue: requests that wait for any worker.
      suspects: requests of which a worker may have died; each runs alone on its worker.
      starved: requests for which a worker may have run out of memory; each gets a node to itself.
      answered: answers by ticket, until they are taken.
      seconds: that a typical request takes.
      at_once: how many requests the evaluator likes to have together.
    """

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = at_once
        self.queue: Waiting = deque()
        self.suspects: Waiting = deque()
        self.starved: Waiting = deque()
        self.answered: list[tuple[int, Answer]] = []
        self._known: dict[int, list[Outcome]] = {}  # Stages of requests that run stage by stage.
        self._attempts: Counter[int] = Counter()
        self._lone_deaths: Counter[int] = Counter()
        self._under_way = 0
        self.seconds = _BATCH_SECONDS

    def batch_size(self, places: int) -> int:
        """Returns how many requests make a batch: enough to take a while, few enough that every place gets a share.

        An evaluator that likes several at once gets as many, as far as so many wait.
        """
        share = -(-(len(self.queue) + self._under_way) // max(places, 1))
        quick = max(1, min(int(_BATCH_SECONDS / max(self.seconds, 1e-9)), share, _LARGEST_BATCH))
        return max(quick, min(self.at_once, len(self.queue)))

    def take_batch(self, queue: Waiting, count: int = 1) -> list[tuple[int, Request]]:
        """Takes up to `count` requests from the head of a queue, to be sent to a worker."""
        batch = [queue.popleft() for _ in range(min(count, len(queue)))]
        self._attempts.update(ticket for ticket, _ in batch)
        self._under_way += len(batch)
        return batch

    def take_report(self, sent: SentBatch, report: Report, worker: str) -> None:
        """Answers the requests that a batch's report says are done, and requeues the others."""
        self._under_way -= len(sent.requests)
        outcomes: list[list[Outcome]] = [[] for _ in sent.requests]
        done = [False] * len(sent.requests)
        for record in unpacked(report.records):
            outcomes[record.place].append(record.outcome)
            done[record.place] = record.done
        if report.casualty is not None:
            place, attempts = report.casualty
            self._attempts[sent.requests[place][0]] += attempts - 1
        left = []
        for (ticket, request), stages, over in zip(sent.requests, outcomes, done, strict=True):
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
        self.seconds += (0.05 if took < self.seconds else 0.5) * (took - self.seconds)
        self._lone_deaths.pop(ticket, None)
        self.answered.append((ticket, Answer(outcomes, self._attempts.pop(ticket), worker)))

    def requeue(self, lost: list[SentBatch], begun: int) -> None:
        """Requeues the batches of a worker that is gone or out of reach; the first `begun` of them count as tried."""
        for place, sent in reversed(list(enumerate(lost))):
            self._under_way -= len(sent.requests)
            if place >= begun:
                self._attempts.subtract(ticket for ticket, _ in sent.requests)
            sent.queue.extendleft(reversed(sent.requests))

    def requeue_alone(self, sent: SentBatch, starved: bool, why: str) -> None:
        """Requeues the batch of a dead worker to run alone.

        A request whose worker died too often while alone is quarantined.

        Args:
          sent: the batch.
          starved: whether the worker ran out of memory.
          why: what is known of the death, in a line.
        """
        self._under_way -= len(sent.requests)
        if sent.queue is self.starved or (sent.queue is self.suspects and not starved):
            ((ticket, _),) = sent.requests
            self._lone_deaths[ticket] += 1
            if self._lone_deaths[ticket] == (_STARVED_DEATHS if starved else LONE_DEATHS):
                status = Status.OUT_OF_MEMORY if starved else Status.CRASHED
                reason = f"quarantined: the worker died {self._attempts[ticket]} times while evaluating it: {why}"
                self._answer(ticket, [Outcome(status, reason)], "")
                return
        (self.starved if starved else self.suspects).extend(sent.requests)

    def clear(self) -> None:
        """Forgets everything."""
        known = (self._known, self._attempts, self._lone_deaths)
        for kept in (self.queue, self.suspects, self.starved, self.answered, *known):
            kept.clear()
        self._under_way = 0
