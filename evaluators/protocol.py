"""What every evaluator offers, what it is asked and what it answers. Structural: an evaluator inherits nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

SPLITS = ("search", "selection", "final")


class Status(StrEnum):
    """How a trial ended. All but `OK` carry a reason."""

    OK = "ok"
    INVALID = "invalid"
    """Rejected by the space before anything ran."""
    HURDLE = "hurdle"
    """Stopped after the short run, which was not good enough to go on."""
    DIVERGED = "diverged"
    """A metric is not a finite number."""
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"
    """The evaluator raised, or its process died."""


class DataUnavailable(ValueError):
    """A data set that cannot be had here; the message names the choices."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to evaluate.

    Attributes:
      candidate: a valid candidate of the space.
      split: which held-out data to score on: 'search' guides the search, 'selection' chooses the winner, 'final' is
        touched by the closing report only. The last two use repeats that the search never saw.
      hurdle: the largest cost after the short run that still goes on to the full run; None lets everything pass.
    """

    candidate: Any
    split: str = "search"
    hurdle: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
      status: how it ended.
      reason: one line, for every status but OK.
      metrics: finite numbers by name; of behaviour only.
      seconds: wall time of the evaluation.
    """

    status: Status
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0


class Evaluator(Protocol):
    """Scores candidates. Configured once, set up once in every process that evaluates."""

    def prepare(self) -> None:
        """Gets the data in place before workers start; raises `DataUnavailable`."""
        ...

    def setup(self, space: Any, seed: int) -> None:
        """Loads data and builds executables; random numbers derive from (seed, task, repeat) alone."""
        ...

    def conditions(self, split: str) -> str:
        """All that a metric depends on besides the candidate: part of the behaviour key."""
        ...

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Outcomes in the order of `jobs`."""
        ...
