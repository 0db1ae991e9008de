"""What an executor is asked and answers."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from isozyme.evaluators.protocol import Outcome
from isozyme.search.objectives import Cost


class Request(NamedTuple):
    """Stages of one candidate's evaluation, to be run one after the other where the evaluator lives.

    Attributes:
      candidate: a valid candidate.
      split: which held-out data to score on.
      first, last: the stages to run, both included; earlier ones are known already.
      hurdles: by stage, the largest cost that goes on to the next one; None lets everything pass.
      evaluation: which of several independent evaluations.
    """

    candidate: Any
    split: str = "search"
    first: int = 0
    last: int = 0
    hurdles: tuple[float | None, ...] = ()
    evaluation: int = 0


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


def passes(request: Request, stage: int, metrics: Mapping[str, float], cost: Cost | None) -> bool:
    """Whether a candidate that has these metrics after `stage` goes on to the next stage."""
    if cost is None or stage >= min(request.last, len(request.hurdles)):
        return True
    limit = request.hurdles[stage]
    return limit is None or cost(metrics) <= limit
