"""Where jobs run: what an executor is asked and answers, and the one that evaluates in this process."""

import math
import signal
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from isozyme.evaluators.protocol import Evaluator, Job, Outcome, Status
from isozyme.search.objectives import Cost

_SHARE = 0.005  # seconds: quick evaluations are handed over, and journalled, many at a time


class Request(NamedTuple):
    """Stages of one candidate's evaluation, to be run one after the other where the evaluator lives.

    Attributes:
      candidate: a valid candidate.
      split: which held-out data to score on.
      first, last: the stages to run, both included; earlier ones are known already.
      hurdles: by stage, the largest cost that goes on to the next one; None lets everything pass.
      draw: which of several independent evaluations.
    """

    candidate: Any
    split: str = "search"
    first: int = 0
    last: int = 0
    hurdles: tuple[float | None, ...] = ()
    draw: int = 0


class Answer(NamedTuple):
    """What came of a request.

    Attributes:
      outcomes: one a stage, in order; fewer than asked where a stage failed or did not pass its hurdle.
      attempts: how often the evaluation was started.
      worker: the name of the process that evaluated.
    """

    outcomes: tuple[Outcome, ...]
    attempts: int = 1
    worker: str = ""


class Executor(Protocol):
    """Runs requests. Starts itself when first used, so that a finished run costs nothing."""

    def conditions(self, split: str) -> str:
        """The evaluator's conditions, as seen where it runs."""
        ...

    def submit(self, ticket: int, request: Request) -> None:
        """Queues a request; `ticket` comes back with its answer."""
        ...

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Answers that have arrived, in any order; waits up to `seconds` for the first."""
        ...

    def close(self) -> None:
        """Stops; unfinished requests are dropped."""
        ...


class SetupFailed(RuntimeError):
    """The evaluator cannot be set up; the message says why."""


class TimedOut(Exception):
    """Raised inside an evaluation that has reached the wall-clock limit, where evaluations run in this process."""


class Alarm:
    """Keeps the wall-clock limit of one stage where evaluations run in this process: a context around each.

    It raises `TimedOut` as soon as Python gets to run, which native code can delay; workers of a cluster keep their
    limits by other means.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit if threading.current_thread() is threading.main_thread() else None
        if self.limit is not None:
            signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, *_: object) -> None:
        raise TimedOut(f"stopped at the limit of {self.limit:g} s")

    def __enter__(self) -> None:
        if self.limit is not None:
            signal.setitimer(signal.ITIMER_REAL, self.limit)

    def __exit__(self, *_: object) -> None:
        if self.limit is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)


def run_request(evaluator: Evaluator, request: Request, cost: Cost | None, alarm: Alarm) -> tuple[Outcome, ...]:
    """Runs the stages of a request until one fails or does not pass its hurdle.

    Args:
      evaluator: set up.
      request: what to run.
      cost: of a stage's metrics, for the hurdles; None where there are none.
      alarm: keeps the limit of each stage.
    """
    outcomes: list[Outcome] = []
    for stage in range(request.first, request.last + 1):
        outcomes.append(_run(evaluator, Job(request.candidate, request.split, stage, request.draw), alarm))
        if outcomes[-1].status is not Status.OK or not passes(request, stage, outcomes[-1].metrics, cost):
            break
    return tuple(outcomes)


def passes(request: Request, stage: int, metrics: Mapping[str, float], cost: Cost | None) -> bool:
    """Whether a candidate that has these metrics after `stage` goes on to the next stage."""
    if cost is None or stage >= min(request.last, len(request.hurdles)):
        return True
    limit = request.hurdles[stage]
    return limit is None or cost(metrics) <= limit


def _run(evaluator: Evaluator, job: Job, alarm: Alarm) -> Outcome:
    """Evaluates a job and turns whatever it raises into a typed outcome."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with alarm:
            (outcome,) = evaluator.evaluate([job])
        status, reason, metrics = _checked(outcome)
    except TimedOut as error:
        status, reason, metrics = Status.TIMED_OUT, str(error), {}
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in reason
        status, metrics = Status.OUT_OF_MEMORY if exhausted else Status.CRASHED, {}
    return Outcome(status, reason, metrics, time.perf_counter() - wall, time.process_time() - cpu)


def _checked(outcome: Outcome) -> tuple[Status, str | None, dict[str, float]]:
    """Keeps what is no finite number out of journal and algorithm."""
    metrics = {name: float(value) for name, value in outcome.metrics.items()}
    for name, value in metrics.items():
        if not math.isfinite(value):
            finite = {key: number for key, number in metrics.items() if math.isfinite(number)}
            return Status.DIVERGED, f"{name} is {value}", finite
    return outcome.status, outcome.reason, metrics


class InProcessExecutor:
    """Evaluates in this process, one request at a time, when asked to collect (`--workers 0`)."""

    def __init__(
        self, evaluator: Evaluator, space: Any, seed: int, cost: Cost | None = None, limit: float | None = None
    ) -> None:
        self._evaluator, self._space, self._seed, self._cost = evaluator, space, seed, cost
        self._alarm = Alarm(limit)
        self._queue: deque[tuple[int, Request]] = deque()
        self._started = False

    def _start(self) -> None:
        if not self._started:
            try:
                self._evaluator.setup(self._space, self._seed)
            except Exception as error:
                raise SetupFailed(f"the evaluator cannot be set up: {type(error).__name__}: {error}") from error
            self._started = True

    def conditions(self, split: str) -> str:
        """See `Executor`."""
        self._start()
        return self._evaluator.conditions(split)

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`."""
        self._queue.append((ticket, request))

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Evaluates the oldest requests for up to `_SHARE` seconds, and at least one."""
        del seconds
        self._start()
        answers, until = [], time.monotonic() + _SHARE
        while self._queue and (not answers or time.monotonic() < until):
            ticket, request = self._queue.popleft()
            outcomes = run_request(self._evaluator, request, self._cost, self._alarm)
            answers.append((ticket, Answer(outcomes, 1, "in-process")))
        return answers

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()
