"""Runs the stages of one request in the evaluator's process, and turns whatever it raises into a typed outcome."""

import math
import signal
import threading
import time

from isozyme.evaluators.protocol import Evaluator, Job, Outcome, Status
from isozyme.search.executors.protocol import Request, passes_hurdle
from isozyme.search.objectives import Cost


class TimedOut(Exception):
    """Raised inside an evaluation that has reached the wall-clock limit, where evaluations run in this process."""


class Alarm:
    """Keeps the wall-clock limit of one stage where evaluations run in this process, as a context around the stage.

    It raises `TimedOut` as soon as Python gets to run, which native code can delay. Workers of a cluster keep their
    limits by a supervisor instead.

    Args:
      limit: wall-clock seconds that one stage may take, or None. Off the main thread, where signals do not arrive, no
        limit is kept.
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

    Returns:
      the outcomes of the stages that were run, in order.
    """
    outcomes: list[Outcome] = []
    for stage in range(request.first, request.last + 1):
        outcomes.append(_run(evaluator, Job(request.candidate, request.split, stage, request.evaluation), alarm))
        if outcomes[-1].status is not Status.OK or not passes_hurdle(request, stage, outcomes[-1].metrics, cost):
            break
    return tuple(outcomes)


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
    """Returns status, reason and finite metrics of an outcome; a metric that is not finite makes it diverged."""
    metrics = {name: float(value) for name, value in outcome.metrics.items()}
    for name, value in metrics.items():
        if not math.isfinite(value):
            finite = {key: number for key, number in metrics.items() if math.isfinite(number)}
            return Status.DIVERGED, f"{name} is {value}", finite
    return outcome.status, outcome.reason, metrics
