"""What an algorithm is asked and told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.spaces.protocol import Space


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate to try.

    Attributes:
      candidate: what to try.
      parents: numbers of the trials it descends from.
      operator: which variation made it, for statistics: 'mutate', 'cross', 'random', ….
      stages: run only the first so many stages of the evaluator; None runs all of them.
      note: whatever text the algorithm wants to find again in the trial.
    """

    candidate: Any
    parents: tuple[int, ...] = ()
    operator: str = ""
    stages: int | None = None
    note: str = ""


class Keys(NamedTuple):
    """What a candidate is recognised by, hexadecimal; empty for an invalid candidate.

    Attributes:
      static: of how it is written.
      behaviour: of what it does under the conditions of its evaluation.
      shifted: the second key of what it does, where the run uses one.
    """

    static: str = ""
    behaviour: str = ""
    shifted: str = ""


class Effort(NamedTuple):
    """What was spent on a trial itself; nothing for a twin.

    Attributes:
      seconds: wall time of the stages that were evaluated for it, and of measuring it.
      cpu_seconds: processor time of these stages.
      attempts: how often its evaluation was started.
      worker: the name of the process that evaluated it.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    attempts: int = 0
    worker: str = ""


_NO_KEYS, _NO_EFFORT = Keys(), Effort()


@dataclass(slots=True)
class Trial:
    """A finished trial, not to be changed. (It is not frozen: that would take longer than to write it to the journal.)

    Attributes:
      number: counts proposals from 0.
      proposal: what was proposed.
      status: how it ended.
      reason: one line for every status but OK.
      metrics: of behaviour, later stages over earlier ones (a twin takes its owner's), and its own of form and of what
        is measured: a median, and as NAME/spread the distance between the quartiles.
      keys: what it is recognised by.
      cached_from: the trial that owns the behaviour, if this one is its twin.
      hit: what spared the evaluation: 'static' or 'numeric' after the key that found the owner; 'store' if this trial
        owns its behaviour and another run has shared what came of it.
      effort: what was spent on this trial itself.
      finished: seconds since the epoch.
      stages: metrics of behaviour after each stage, in order, whoever evaluated it.
      stage_seconds: wall time of each of these stages.
      taken: how many of these stages an earlier trial of this behaviour had evaluated; all of them for a plain twin.
      saved_seconds: wall time that the stages taken had cost their trials.
      evaluations: of how many evaluations of this behaviour, its own and earlier ones, the metrics are means.
      m2: where these are several, by metric of the last stage the sum of squared deviations from the mean.
      audit: if a twin was evaluated all the same, to see whether its key tells the truth: the largest difference of a
        metric from its owner's, as a share of it; infinite if one of them failed. The metrics stay the owner's.
      record: what a cache policy knew of the behaviour after this trial, as JSON; empty without such a policy.
      device: what its measured metrics were measured on; empty if nothing was measured.
      artifacts: paths of the files that its stages have written, in the run's folder of artifacts. They are removed
        once the trial is neither among the best nor on the front.
    """

    number: int
    proposal: Proposal
    status: Status
    reason: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    keys: Keys = _NO_KEYS
    cached_from: int | None = None
    hit: str | None = None
    effort: Effort = _NO_EFFORT
    finished: float = 0.0
    stages: tuple[dict[str, float], ...] = ()
    stage_seconds: tuple[float, ...] = ()
    taken: int = 0
    saved_seconds: float = 0.0
    evaluations: int = 1
    m2: Mapping[str, float] = field(default_factory=dict)
    audit: float | None = None
    record: str = ""
    device: str = ""
    artifacts: tuple[str, ...] = ()

    @property
    def candidate(self) -> Any:
        """Returns what was tried."""
        return self.proposal.candidate

    @property
    def parents(self) -> tuple[int, ...]:
        """Returns the numbers of the trials that the candidate descends from."""
        return self.proposal.parents

    @property
    def owns(self) -> bool:
        """Tells whether it is the first trial of its behaviour."""
        return self.cached_from is None and self.status is not Status.INVALID

    @property
    def unique(self) -> bool:
        """Tells whether it is the first trial of a behaviour that no store knew."""
        return self.owns and self.hit is None

    @property
    def evaluated(self) -> bool:
        """Tells whether any stage was evaluated for this trial itself."""
        return self.effort.attempts > 0


class Exhausted(Exception):
    """Raised by an algorithm that has nothing more to propose; the run ends as with a spent budget."""


Listen = Callable[[int, dict[str, float]], None]
"""Told the number of steps taken and what was seen in the last of them."""


class Algorithm(Protocol):
    """The settings of a search, usually a symbolic object. They start runs, and no run changes them."""

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningAlgorithm":
        """Returns a new run, which knows of no other.

        Args:
          space: what is searched.
          objectives: the first one is to be optimised.
          stages: how many the evaluator has.

        Raises:
          ValueError: the settings do not suit the space or the stages.
        """
        ...


class RunningAlgorithm(Protocol):
    """Proposes candidates and learns from trials; usable without the controller.

    Proposals change nothing: all state comes from feedback, so that replaying a journal's trials rebuilds it. Up to
    `lag` trials may be proposed before the first of them is fed back.
    """

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns the proposal of trial `number`; `rng` depends on seed and number, and serves this call alone.

        Raises:
          Exhausted: there is none.
        """
        ...

    def feedback(self, trial: Trial) -> None:
        """Takes in a finished trial; in the order of their numbers, or of arrival in an asynchronous run."""
        ...

    def snapshot(self) -> Any:
        """Returns the state as plain JSON, trials given by their numbers; None if only a replay restores it."""
        ...

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Takes in what `snapshot` returned, before anything else; `trial` looks a finished trial up by its number."""
        ...


@runtime_checkable
class Learning(Protocol):
    """Settings of a search that learns before its first trial."""

    def learn(self, space: Space, seed: int, folder: Path, listen: Listen | None = None) -> Algorithm:
        """Learns, or goes on where an earlier session stopped, and returns the algorithm that makes use of it.

        Args:
          space: what is searched.
          seed: of the run.
          folder: of the run, where a checkpoint lies.
          listen: told of the progress.

        Raises:
          JournalError: the checkpoint is damaged, or of other conditions.
        """
        ...
