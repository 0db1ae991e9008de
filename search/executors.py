"""Where jobs run: what an executor offers, and the one that evaluates in this process."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from isozyme.evaluators.protocol import Evaluator, Job, Outcome, Status


class Executor(Protocol):
    """Runs jobs. Starts itself when first used, so that a finished run costs nothing."""

    def conditions(self, split: str) -> str:
        """The evaluator's conditions, as seen where it runs."""
        ...

    def submit(self, ticket: int, job: Job) -> None:
        """Queues a job; `ticket` comes back with its outcome."""
        ...

    def collect(self, seconds: float) -> list[tuple[int, Outcome]]:
        """Outcomes that have arrived, in any order; waits up to `seconds` for the first."""
        ...

    def close(self) -> None:
        """Stops; unfinished jobs are dropped."""
        ...


def run_jobs(evaluator: Evaluator, jobs: Sequence[Job]) -> list[Outcome]:
    """Evaluates jobs and turns whatever is raised into a typed outcome of the job that raised it."""
    try:
        return [_checked(outcome) for outcome in evaluator.evaluate(jobs)]
    except Exception as error:
        if len(jobs) > 1:  # Find the culprit: each job alone.
            return [outcome for job in jobs for outcome in run_jobs(evaluator, [job])]
        message = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in message
        return [Outcome(Status.OUT_OF_MEMORY if exhausted else Status.CRASHED, message)]


def _checked(outcome: Outcome) -> Outcome:
    """Keeps what is no finite number out of journal and algorithm."""
    metrics = {name: float(value) for name, value in outcome.metrics.items()}
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if not bad:
        return replace(outcome, metrics=metrics)
    finite = {name: value for name, value in metrics.items() if name not in bad}
    return Outcome(Status.DIVERGED, f"{bad[0]} is {metrics[bad[0]]}", finite, outcome.seconds)


class SetupFailed(RuntimeError):
    """The evaluator cannot be set up; the message says why."""


class InProcessExecutor:
    """Evaluates in this process, one job at a time, when asked to collect (`--workers 0`)."""

    def __init__(self, evaluator: Evaluator, space: Any, seed: int) -> None:
        self._evaluator, self._space, self._seed = evaluator, space, seed
        self._queue: deque[tuple[int, Job]] = deque()
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

    def submit(self, ticket: int, job: Job) -> None:
        """See `Executor`."""
        self._queue.append((ticket, job))

    def collect(self, seconds: float) -> list[tuple[int, Outcome]]:
        """Evaluates the oldest job."""
        del seconds
        self._start()
        ticket, job = self._queue.popleft()
        return [(ticket, run_jobs(self._evaluator, [job])[0])]

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()
