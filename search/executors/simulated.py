"""Evaluates on virtual time: with as many workers as one likes, without a cluster and without waiting.

Everything but time is real: candidates are evaluated, the controller and its journal work as ever. The clock moves on
when the controller works and when it waits. So a search on ten thousand workers with evaluations of an hour takes as
long as its controller, and shows whether that one would keep up.
"""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import NamedTuple

import numpy as np

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import DEATHS, Answer, Request
from isozyme.search.rules import Rules

_WORKER = "simulated"

Times = Callable[[np.random.Generator], float]
"""Draws how long one stage of one candidate takes, in seconds."""


def constant(seconds: float) -> Times:
    """Returns the same time for every evaluation."""
    return lambda rng: seconds


def exponential(mean: float) -> Times:
    """Draws exponential times with that mean, in seconds; their standard deviation is as large."""
    return lambda rng: rng.exponential(mean)


def lognormal(mean: float, sigma: float) -> Times:
    """Draws lognormal times with that mean, in seconds; `sigma` is the standard deviation of their logarithm."""
    return lambda rng: rng.lognormal(math.log(mean) - sigma**2 / 2, sigma)


def straggling(times: Times, share: float, factor: float) -> Times:
    """Draws the same times, but makes a share of the evaluations take `factor` times as long."""
    return lambda rng: times(rng) * (factor if rng.random() < share else 1.0)


class Usage(NamedTuple):
    """What became of the workers' time, and of the controller's. All times are virtual, in seconds.

    Attributes:
      workers: how many there are.
      span: since the first request.
      busy: summed over workers, evaluating.
      lost: of these, in evaluations that killed their worker.
      queued: summed over requests, waiting for a worker.
      controller: how long the controller worked; the rest of the span it waited for answers.
      answers: requests answered.
      attempts: evaluations begun.
    """

    workers: int
    span: float
    busy: float
    lost: float
    queued: float
    controller: float
    answers: int
    attempts: int

    @property
    def utilisation(self) -> float:
        """Share of the workers' time in which they evaluate."""
        return self.busy / (self.workers * self.span)

    @property
    def idle(self) -> float:
        """Seconds, summed over workers, in which they do not evaluate: without work, or being restarted."""
        return self.workers * self.span - self.busy

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return self.answers / self.span

    def since(self, earlier: "Usage") -> "Usage":
        """Returns what has been added to an earlier report, for instance since the workers had all begun."""
        return self._replace(**{name: getattr(self, name) - getattr(earlier, name) for name in self._fields[1:]})


@dataclass(slots=True)
class _OpenRequest:
    """A request on its way, and how often its evaluation has begun."""

    ticket: int
    request: Request
    attempts: int = 0


class SimulatedExecutor:
    """Evaluates on virtual workers that take requests from one queue, in order.

    All is drawn from (seed, ticket, attempt), so that an evaluation takes as long whatever the number of workers. An
    evaluation that kills its worker does so at a time drawn uniformly; once restarted, the worker tries it again, and
    after `DEATHS` deaths it is quarantined.

    Args:
      inner: evaluates each candidate when its evaluation begins; the clock stands still meanwhile.
      rules: of the run, whose seed the draws derive from.
      workers: how many, at least 1.
      times: how long a stage takes.
      deaths: share of the evaluations that kill their worker.
      restart: seconds until a dead worker is there again.
      price: seconds that the controller works for each request, which makes a run the same every time; None: the time
        that it really takes between calls of the executor.
    """

    def __init__(
        self,
        inner: InProcessExecutor,
        rules: Rules,
        workers: int,
        times: Times,
        *,
        deaths: float = 0.0,
        restart: float = 0.0,
        price: float | None = None,
    ) -> None:
        self._inner, self._seed, self._workers, self._times = inner, rules.seed, workers, times
        self._deaths, self._restart, self._price = deaths, restart, price
        self._idle, self._running = workers, 0
        self._queue: deque[_OpenRequest] = deque()
        self._arrived: list[tuple[int, Answer]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []  # When, in which order at that time, and what.
        self._order = count()
        self._now = 0.0
        self._began: float | None = None
        self._left = time.perf_counter()  # When the controller was last let go on.
        self._busy = self._lost = self._queued = self._controller = 0.0
        self._answers = self._attempts = 0

    def now(self) -> float:
        """Returns virtual seconds since the start: the controller's clock."""
        return self._now + (time.perf_counter() - self._left if self._price is None else 0.0)

    def usage(self) -> Usage:
        """Returns what has become of everybody's time so far."""
        span = self._now - (self._began or 0.0)
        return Usage(
            self._workers, span, self._busy, self._lost, self._queued, self._controller, self._answers, self._attempts
        )

    def conditions(self, split: str) -> str:
        """See `Executor`; takes no time."""
        found = self._inner.conditions(split)
        self._left = time.perf_counter()
        return found

    def device(self) -> str:
        """See `Executor`; that of the executor inside."""
        return self._inner.device()

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`."""
        if self._began is None:
            self._began, self._left = self._now, time.perf_counter()
        self._charge(self._price or 0.0)
        self._queue.append(_OpenRequest(ticket, request))
        self._start_waiting()
        self._left = time.perf_counter()

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Returns answers in the order of their arrival; virtual time passes at once until there is one."""
        del seconds
        self._charge(0.0)
        while not self._arrived and self._events:
            self._advance(self._events[0][0])
        arrived, self._arrived = self._arrived, []
        self._left = time.perf_counter()
        return arrived

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()
        self._events.clear()
        self._inner.close()

    def _charge(self, price: float) -> None:
        """Moves the clock on by the time that the controller has worked since it was let go on."""
        seconds = time.perf_counter() - self._left if self._price is None else price
        self._controller += seconds
        self._advance(self._now + seconds)

    def _advance(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, happen = heapq.heappop(self._events)
            self._pass_time(at)
            happen()
            self._start_waiting()
        self._pass_time(until)

    def _pass_time(self, until: float) -> None:
        self._busy += self._running * (until - self._now)
        self._queued += len(self._queue) * (until - self._now)
        self._now = until

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self._now + seconds, next(self._order), happen))

    def _start_waiting(self) -> None:
        """Gives waiting requests to idle workers."""
        while self._queue and self._idle:
            self._idle -= 1
            self._attempt(self._queue.popleft())

    def _attempt(self, open_request: _OpenRequest) -> None:
        self._running += 1
        self._attempts += 1
        open_request.attempts += 1
        rng = np.random.default_rng([self._seed, open_request.ticket, open_request.attempts])
        seconds = self._times(rng)
        if rng.random() < self._deaths:
            took = seconds * rng.random()
            self._after(took, partial(self._die, open_request, took))
            return
        self._inner.submit(open_request.ticket, open_request.request)
        ((_, answer),) = self._inner.collect(0.0)
        outcomes = tuple(replace(outcome, seconds=seconds, cpu_seconds=seconds) for outcome in answer.outcomes)
        self._after(seconds * len(outcomes), partial(self._answer, open_request, outcomes))

    def _answer(self, open_request: _OpenRequest, outcomes: tuple[Outcome, ...]) -> None:
        self._running -= 1
        self._free()
        self._arrive(open_request, outcomes)

    def _die(self, open_request: _OpenRequest, took: float) -> None:
        self._running -= 1
        self._lost += took
        if open_request.attempts < DEATHS:
            self._after(self._restart, partial(self._attempt, open_request))
            return
        self._after(self._restart, self._free)
        reason = f"quarantined: the worker died {DEATHS} times while evaluating it: as drawn"
        self._arrive(open_request, (Outcome(Status.CRASHED, reason, {}, took),))

    def _free(self) -> None:
        self._idle += 1

    def _arrive(self, open_request: _OpenRequest, outcomes: tuple[Outcome, ...]) -> None:
        self._answers += 1
        self._arrived.append((open_request.ticket, Answer(outcomes, open_request.attempts, _WORKER)))
