"""What every evaluator offers, what it is asked and what it answers. Structural: an evaluator inherits nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

SPLITS = ("search", "selection", "final")


class Status(StrEnum):
    """How a trial ended. All but `OK` carry a reason."""

    OK = "ok"
    INVALID = "invalid"
    """Rejected by the space before anything ran."""
    PARTIAL = "partial"
    """Scored after some of the stages, as its algorithm asked: a smaller budget than the full one."""
    HURDLE = "hurdle"
    """Stopped after a stage whose score was not good enough to go on."""
    DIVERGED = "diverged"
    """A metric is not a finite number."""
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    """Took longer than the wall-clock limit and was stopped."""
    CRASHED = "crashed"
    """The evaluator raised, or its process died."""

    __hash__ = str.__hash__  # That of an enumeration is computed in Python; counters ask for it with every trial.


class DataUnavailable(ValueError):
    """A data set that cannot be had here; the message names the choices."""


@dataclass(frozen=True, slots=True)
class Job:
    """One stage of one candidate's evaluation.

    Attributes:
      candidate: a valid candidate of the space.
      split: which data split to score on: 'search' guides the search, 'selection' chooses the winner, 'final' is
        touched by the closing report only. The last two use repeats that the search never saw.
      stage: 0 for the cheapest; `stages - 1` for the full run, which is the only one of the closing splits. Later
        stages come after earlier ones have passed their hurdles, maybe in another process.
      evaluation: which of several independent evaluations: 0 for nearly all; others, which have random numbers of
        their own, are asked for by policies that do not trust a single one.
      folder: where the stages of this evaluation keep artifacts, such as weights to go on from; made by whoever writes
        the first one. None where artifacts are not kept, as in closing assessments. What an earlier stage has written
        may be gone, or may lie on another machine: then a stage starts from nothing and comes out the same.
    """

    candidate: Any
    split: str = "search"
    stage: int = 0
    evaluation: int = 0
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
      status: how it ended.
      reason: one line, for every status but OK.
      metrics: finite numbers by name; of behaviour only.
      artifacts: names of files in the job's folder that this stage has written.
      seconds: wall time of the evaluation.
      cpu_seconds: processor time of the evaluation, over all threads of its process.
    """

    status: Status
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    artifacts: tuple[str, ...] = ()


def stages_of(evaluator: Any) -> int:
    """Reads how many stages (budget levels) an evaluator has: its attribute `stages`, or 1 where it has none."""
    return int(getattr(evaluator, "stages", 1))


def at_once_of(evaluator: Any) -> int:
    """Reads how many candidates an evaluator likes to score at once: its attribute `at_once`, or 1."""
    return int(getattr(evaluator, "at_once", 1))


def keeps_artifacts_of(evaluator: Any) -> bool:
    """Reads whether an evaluator wants a folder for artifacts (see `Job.folder`): its attribute `keeps_artifacts`."""
    return bool(getattr(evaluator, "keeps_artifacts", False))


def measured_of(evaluator: Any) -> tuple[str, ...]:
    """Reads which metrics of an evaluator are measured (see `Measuring`); none where it measures nothing."""
    return tuple(getattr(evaluator, "measured", ()))


def stage_metric_of(evaluator: Any) -> str | None:
    """Reads what a hurdle compares after a stage: the attribute `stage_metric`, or None where there is none."""
    return getattr(evaluator, "stage_metric", None)


class Evaluator(Protocol):
    """Scores candidates. Configured once, set up once in every process that evaluates.

    An evaluator that works in stages, from a cheap first look to the full run, says how many in an attribute `stages`
    (see `stages_of`), and which metric all stages but the last one give in an attribute `stage_metric`: a hurdle that
    names no metric compares that one. Stages are asked for one at a time, and their outcomes are cached apart. One
    that can score several candidates in one executable says how many it likes at once in an attribute `at_once`, and
    gets up to so many jobs in a call, of any stages. One whose later stages go on from what earlier ones have written
    says so by `keeps_artifacts = True`, and finds a folder in its jobs. One that measures is `Measuring` besides.
    """

    def prepare(self) -> None:
        """Gets the data in place before workers start; raises `DataUnavailable`."""
        ...

    def setup(self, space: Any, seed: int) -> None:
        """Loads data and builds executables; random numbers derive from (seed, task, repeat, evaluation) alone."""
        ...

    def conditions(self, split: str) -> str:
        """Tells all that a metric depends on besides the candidate; part of the behaviour key."""
        ...

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns outcomes in the order of `jobs`."""
        ...


@runtime_checkable
class Measuring(Protocol):
    """An evaluator some of whose metrics are measured: latency, step time, peak memory.

    They depend on how a candidate is written, on the device and on the day. So they are asked for apart from its
    behaviour, once all stages have passed; known by static key and device; never lent to a candidate that is written
    otherwise or shared between runs; and kept with their spread. A search that is guided by them is not the same on
    another machine.
    """

    @property
    def measured(self) -> Sequence[str]:
        """Names of the metrics that are measured; none where the configuration asks for none."""
        ...

    def device(self) -> str:
        """Names the device that is measured on; asked for after `setup`."""
        ...

    def measure(self, candidate: Any) -> Mapping[str, Sequence[float]]:
        """Measures a candidate; by metric several finite values, of which the median counts."""
        ...


class Supernet(Protocol):
    """Shared weights of all candidates of a space, as pure JAX functions.

    A candidate is given by its choices, int32 [decisions], the indices of its genes. `train` and `quality` depend on
    no value of theirs in Python, so that a one-shot search compiles them into one step together with its policy.
    """

    def prepare(self) -> None:
        """Gets the data in place; raises `DataUnavailable`."""
        ...

    def setup(self, space: Any, seed: int) -> None:
        """Loads data where they are computed on; random numbers derive from the seed and from the keys given below."""
        ...

    def conditions(self, split: str) -> str:
        """All that a score depends on besides weights and choices."""
        ...

    def start(self, seed: int) -> Any:
        """Weights before training and the optimizer's state: a pytree of arrays."""
        ...

    def train(self, state: Any, choices: Any, key: Any, warm: Any) -> Any:
        """The state after one weight step on a batch of the training split.

        Args:
          state: as `start` returns it.
          choices: of the candidate that learns.
          key: of random numbers: which batch.
          warm: whether the widest network learns instead (layer warm-up); a bool or a boolean scalar.
        """
        ...

    def quality(self, state: Any, choices: Any, key: Any) -> Any:
        """Accuracy or R² of a candidate, with the shared weights, on a batch of the search split; a scalar."""
        ...

    def score(self, state: Any, choices: Any, split: str) -> dict[str, float]:
        """Metrics of a candidate, with the shared weights, on a whole held-out split."""
        ...
