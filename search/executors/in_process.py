"""Evaluates in the controller's own process."""

import time
from collections import deque

from isozyme.evaluators.protocol import Evaluator
from isozyme.search.executors.protocol import Answer, Request, SetupFailed
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.search.rules import Rules

BATCH_SECONDS = 0.005  # Quick evaluations are handed over, and journalled, many at a time.


class InProcessExecutor:
    """Evaluates in this process, one request at a time, when asked to collect (`--workers 0`).

    Args:
      evaluator: configured; it is set up when it is first used.
      rules: of the run.
      limit: wall-clock seconds that one stage of one candidate may take, or None.
    """

    def __init__(self, evaluator: Evaluator, rules: Rules, limit: float | None = None) -> None:
        self._evaluator, self._rules = evaluator, rules
        self._alarm = Alarm(limit)
        self._queue: deque[tuple[int, Request]] = deque()
        self._started = False

    def _start(self) -> None:
        if not self._started:
            try:
                self._evaluator.setup(self._rules.space, self._rules.seed)
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
        """Evaluates the oldest requests, at least one, until 5 ms are over."""
        del seconds
        self._start()
        answers, until = [], time.monotonic() + BATCH_SECONDS
        while self._queue and (not answers or time.monotonic() < until):
            ticket, request = self._queue.popleft()
            outcomes = run_request(self._evaluator, request, self._rules.hurdle_cost, self._alarm)
            answers.append((ticket, Answer(outcomes, 1, "in-process")))
        return answers

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()
