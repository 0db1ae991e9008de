"""Evaluates in the controller's own process."""

import time
from collections import deque

from isozyme.evaluators.protocol import Evaluator, Measuring, Outcome, at_once_of
from isozyme.search.executors.protocol import Answer, Request, SetupFailed
from isozyme.search.executors.stages import Alarm, run_request, run_requests
from isozyme.search.rules import Rules

BATCH_SECONDS = 0.005  # Quick evaluations are handed over, and journalled, many at a time.
_NAME = "in-process"


class InProcessExecutor:
    """Evaluates in this process when asked to collect (`--workers 0`).

    Args:
      evaluator: configured; it is set up when it is first used.
      rules: of the run.
      limit: wall-clock seconds that one stage of one candidate may take, or None.
    """

    def __init__(self, evaluator: Evaluator, rules: Rules, limit: float | None = None) -> None:
        self._evaluator, self._rules = evaluator, rules
        self._alarm = Alarm(limit)
        self._at_once = at_once_of(evaluator)
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

    def device(self) -> str:
        """See `Executor`."""
        self._start()
        assert isinstance(self._evaluator, Measuring)
        return self._evaluator.device()

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`."""
        self._queue.append((ticket, request))

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Evaluates the oldest requests, at least one, until 5 ms are over."""
        del seconds
        self._start()
        answers, until = [], time.monotonic() + BATCH_SECONDS
        while self._queue and (not answers or time.monotonic() < until):
            answers += self._evaluate(self._group())
        return answers

    def _group(self) -> list[tuple[int, Request]]:
        """Takes the oldest request, and with it as many as the evaluator likes to score at once."""
        group = [self._queue.popleft()]
        while self._queue and len(group) < self._at_once and not (group[-1][1].measures or self._queue[0][1].measures):
            group.append(self._queue.popleft())
        return group

    def _evaluate(self, group: list[tuple[int, Request]]) -> list[tuple[int, Answer]]:
        cost = self._rules.hurdle_cost
        if len(group) == 1:
            ((ticket, request),) = group
            return [(ticket, Answer(run_request(self._evaluator, request, cost, self._alarm), 1, _NAME))]
        outcomes: list[list[Outcome]] = [[] for _ in group]
        for place, outcome, _ in run_requests(self._evaluator, [request for _, request in group], cost, self._alarm):
            outcomes[place].append(outcome)
        return [(ticket, Answer(tuple(found), 1, _NAME)) for (ticket, _), found in zip(group, outcomes, strict=True)]

    def close(self) -> None:
        """See `Executor`."""
        self._queue.clear()
