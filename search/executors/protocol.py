"""Defines what an executor is asked and answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from isozyme.evaluators.protocol import Outcome
from isozyme.search.objectives import Cost


class Request(NamedTuple):
    """Stages of one candidate's evaluation, to be run one after the other where the evaluator lives.

    Attributes:
      candidate: a valid candidate.
      split: the data split to score on, see `evaluators.protocol.SPLITS`.
      first, last: the stages to run, both included; earlier ones are known already.
      hurdles: by stage, the largest cost that goes on to the next one; None lets everything pass.
      evaluation: which of several independent evaluations, counted from 0.
      folder: where its stages keep artifacts, see `evaluators.protocol.Job`.
      measures: whether the candidate is to be measured instead, see `evaluators.protocol.Measuring`; stages do not
        matter then, and there is one outcome.
    """

    candidate: Any
    split: str = "search"
    first: int = 0
    last: int = 0
    hurdles: tuple[float | None, ...] = ()
    evaluation: int = 0
    folder: Path | None = None
    measures: bool = False


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
    """Runs requests. It starts itself when it is first used, so that a finished run costs nothing."""

    def conditions(self, split: str) -> str:
        """Returns the evaluator's conditions on a data split, as seen where it runs.

        Raises:
          SetupFailed: the evaluator cannot be set up.
        """
        ...

    def device(self) -> str:
        """Returns the name of the device that the evaluator measures on; asked for where it is `Measuring`.

        Raises:
          SetupFailed: the evaluator cannot be set up.
        """
        ...

    def submit(self, ticket: int, request: Request) -> None:
        """Queues a request; `ticket` comes back with its answer."""
        ...

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Returns the answers that have arrived, by ticket, in any order; waits up to `seconds` for the first.

        Raises:
          SetupFailed: the evaluator cannot be set up.
        """
        ...

    def close(self) -> None:
        """Stops and drops unfinished requests; the next use starts the executor again."""
        ...


DEATHS = 3
"""How many deaths of its process while it was evaluated quarantine a candidate."""


class SetupFailed(RuntimeError):
    """Raised where the evaluator cannot be set up; the message says why."""


def passes_hurdle(request: Request, stage: int, metrics: Mapping[str, float], cost: Cost | None) -> bool:
    """Tells whether a candidate that has these metrics after `stage` goes on to the next stage.

    Args:
      request: what was asked.
      stage: the stage that has just ended.
      metrics: of that stage.
      cost: of metrics, for the hurdles; None where there are no hurdles.
    """
    if cost is None or stage >= min(request.last, len(request.hurdles)):
        return True
    threshold = request.hurdles[stage]
    return threshold is None or cost(metrics) <= threshold
