"""Runs the stages of requests in the evaluator's process, and turns whatever it raises into typed outcomes."""

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from isozyme.evaluators.protocol import Evaluator, Job, Measuring, Outcome, Status
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

    def of_several(self, count: int) -> "Alarm":
        """Makes an alarm for stages that run together, which may take as long as one after the other."""
        return Alarm(self.limit and self.limit * count)

    def __enter__(self) -> None:
        if self.limit is not None:
            signal.setitimer(signal.ITIMER_REAL, self.limit)

    def __exit__(self, *_: object) -> None:
        if self.limit is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)


def run_requests(
    evaluator: Evaluator, requests: Sequence[Request], cost: Cost | None, alarm: Alarm
) -> Iterator[tuple[int, Outcome, bool]]:
    """Runs the stages of requests together, each until a stage fails or does not pass its hurdle.

    Args:
      evaluator: set up.
      requests: as many as the evaluator likes at once, or fewer.
      cost: of a stage's metrics, for the hurdles; None where there are none.
      alarm: keeps the limit of each stage.

    Yields:
      the place of a request, the outcome of its next stage, and whether that is its last one.
    """
    stages = {place: request.first for place, request in enumerate(requests)}
    while stages:
        under_way = list(stages.items())
        jobs = [_job(requests[place], stage) for place, stage in under_way]
        for (place, stage), outcome in zip(under_way, _run_together(evaluator, jobs, alarm), strict=True):
            request = requests[place]
            passed = outcome.status is Status.OK and passes_hurdle(request, stage, outcome.metrics, cost)
            last = stage == request.last or not passed
            if last:
                del stages[place]
            else:
                stages[place] = stage + 1
            yield place, outcome, last


def run_request(evaluator: Evaluator, request: Request, cost: Cost | None, alarm: Alarm) -> tuple[Outcome, ...]:
    """Runs the stages of one request, or its measurement; see `run_requests`. Returns their outcomes in order."""
    if request.measures:
        return (_measure(evaluator, request, alarm),)
    return tuple([outcome for _, outcome, _ in run_requests(evaluator, [request], cost, alarm)])


def _job(request: Request, stage: int) -> Job:
    """Makes the job of one stage. It has a folder only where this machine sees the run folder, in which all lie."""
    folder = request.folder
    if folder is not None and not folder.parents[1].is_dir():
        folder = None
    return Job(request.candidate, request.split, stage, request.evaluation, folder)


def _run_together(evaluator: Evaluator, jobs: Sequence[Job], alarm: Alarm) -> list[Outcome]:
    """Evaluates jobs in one call. If that raises or takes too long, nobody knows whose fault it was: one by one."""
    if len(jobs) == 1:
        return [_run(evaluator, jobs[0], alarm)]
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with alarm.of_several(len(jobs)):
            outcomes = evaluator.evaluate(jobs)
        checked = [_checked(outcome) for outcome in outcomes]
    except Exception:
        return [_run(evaluator, job, alarm) for job in jobs]
    if len(checked) != len(jobs):
        return [_run(evaluator, job, alarm) for job in jobs]
    wall, cpu = (time.perf_counter() - wall) / len(jobs), (time.process_time() - cpu) / len(jobs)
    return [Outcome(*parts, wall, cpu, outcome.artifacts) for parts, outcome in zip(checked, outcomes, strict=True)]


def _run(evaluator: Evaluator, job: Job, alarm: Alarm) -> Outcome:
    """Evaluates a job and turns whatever it raises into a typed outcome."""
    wall, cpu = time.perf_counter(), time.process_time()
    artifacts: tuple[str, ...] = ()
    try:
        with alarm:
            (outcome,) = evaluator.evaluate([job])
        status, reason, metrics = _checked(outcome)
        artifacts = outcome.artifacts
    except Exception as error:
        (status, reason), metrics = _raised(error), {}
    return Outcome(status, reason, metrics, time.perf_counter() - wall, time.process_time() - cpu, artifacts)


def _measure(evaluator: Evaluator, request: Request, alarm: Alarm) -> Outcome:
    """Measures a candidate: the median of each metric, and as NAME/spread the distance between its quartiles."""
    assert isinstance(evaluator, Measuring)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with alarm:
            found = evaluator.measure(request.candidate)
        status, reason, metrics = _checked(Outcome(Status.OK, None, _summaries(found)))
    except Exception as error:
        (status, reason), metrics = _raised(error), {}
    return Outcome(status, reason, metrics, time.perf_counter() - wall, time.process_time() - cpu)


def _summaries(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for name, values in found.items():
        low, median, high = np.percentile(np.asarray(values, float), [25, 50, 75]).tolist()
        metrics |= {name: median, f"{name}/spread": high - low}
    return metrics


def _raised(error: Exception) -> tuple[Status, str]:
    """Tells how an evaluation ends that has raised, and why in one line."""
    if isinstance(error, TimedOut):
        return Status.TIMED_OUT, str(error)
    reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in reason
    return (Status.OUT_OF_MEMORY if exhausted else Status.CRASHED), reason


def _checked(outcome: Outcome) -> tuple[Status, str | None, dict[str, float]]:
    """Returns status, reason and finite metrics of an outcome; a metric that is not finite makes it diverged."""
    metrics = {name: float(value) for name, value in outcome.metrics.items()}
    for name, value in metrics.items():
        if not math.isfinite(value):
            finite = {key: number for key, number in metrics.items() if math.isfinite(number)}
            return Status.DIVERGED, f"{name} is {value}", finite
    return outcome.status, outcome.reason, metrics
