"""Holds what is known of one behaviour: its evaluations, stage by stage, and the trials that wait for them."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing.policies import Moments, Record


class Evaluation:
    """One evaluation; or several, of which only means and scatter are known.

    Attributes:
      index: which of the behaviour's evaluations it is, counted from 0: its random numbers depend on it.
      stages: metrics after each stage evaluated so far.
      seconds: wall time of each of these stages.
      artifacts: names of the files that these stages have written.
      failure: what came of the stage after these, if it failed.
      weight: how many evaluations it stands for.
      m2: where these are several, by metric of the last stage the sum of squared deviations from the mean.
    """

    __slots__ = ("artifacts", "failure", "index", "m2", "seconds", "stages", "weight")

    def __init__(self, index: int = 0) -> None:
        self.index, self.weight = index, 1
        self.stages: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.artifacts: tuple[str, ...] = ()
        self.failure: Outcome | None = None
        self.m2: Mapping[str, float] = {}

    def extend(self, outcomes: tuple[Outcome, ...]) -> None:
        """Takes in the outcomes of further stages."""
        for outcome in outcomes:
            if outcome.status is Status.OK:
                self.stages.append(outcome.metrics)
                self.seconds.append(outcome.seconds)
                self.artifacts += outcome.artifacts
            else:
                self.failure = outcome

    def to_json(self) -> list[Any]:
        """Returns the evaluation as plain JSON."""
        failure = self.failure and [self.failure.status, self.failure.reason, self.failure.metrics]
        return [self.index, self.stages, self.seconds, failure, self.weight, dict(self.m2), self.artifacts]

    @classmethod
    def from_json(cls, values: list[Any]) -> "Evaluation":
        """Reads what `to_json` returned."""
        made = cls(values[0])
        _, made.stages, made.seconds, failure, made.weight, made.m2, artifacts = values
        made.artifacts = tuple(artifacts)
        made.failure = failure and Outcome(Status(failure[0]), failure[1], failure[2])
        return made


class Behaviour:
    """One behaviour, owned by the first trial that showed it.

    Trials of one behaviour are concluded in the order of their numbers, so that each sees the evaluations of those
    before it and no others, whatever the timing. Counts change as trials are proposed, evaluations as they come in.

    Attributes:
      keys: its behaviour key, and the shifted one where there is one.
      evaluations: its evaluations; a policy that forgets begins a new list, and earlier trials keep the old one.
      begun: how many evaluations have begun in all.
      record: what has been asked for.
      forgotten: whether the next request starts afresh.
      waiting: numbers of the trials that have yet to be concluded, in their order; the first one may be evaluating.
      measured: what measuring has told, by static key: it depends on how a candidate is written.
    """

    __slots__ = ("begun", "evaluations", "forgotten", "keys", "measured", "record", "waiting")

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self.keys = keys
        self.evaluations: list[Evaluation] = []
        self.begun, self.forgotten = 0, False
        self.record = Record()
        self.waiting: deque[int] = deque()
        self.measured: dict[bytes, Outcome] | None = None  # Most runs measure nothing.

    def begin(self, evaluations: list[Evaluation]) -> Evaluation:
        """Begins another evaluation, which is added to `evaluations`."""
        evaluations.append(Evaluation(self.begun))
        self.begun += 1
        return evaluations[-1]

    def measurement(self, static: bytes) -> Outcome | None:
        """Returns what measuring the candidate of a static key has told; None if it has not been measured."""
        return None if self.measured is None else self.measured.get(static)

    def add_measurement(self, static: bytes, outcome: Outcome) -> None:
        """Takes in what measuring a candidate has told."""
        if self.measured is None:
            self.measured = {}
        self.measured[static] = outcome


def furthest(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Returns the evaluation that has come furthest; of several, the first."""
    return max(evaluations, key=lambda one: (len(one.stages), one.failure is None))


def metrics_after(evaluations: Sequence[Evaluation], stage: int) -> dict[str, float]:
    """Returns metrics after a stage: means over the evaluations that got there, of which there has to be one."""
    if len(evaluations) == 1:
        return evaluations[0].stages[stage]
    reached = [one for one in evaluations if stage < len(one.stages)]
    if len(reached) == 1:
        return reached[0].stages[stage]
    return {name: one.mean for name, one in moments(reached, stage).items()}


def seconds_of(evaluations: Sequence[Evaluation], stage: int) -> float:
    """Returns the mean wall time of a stage."""
    if len(evaluations) == 1:
        return evaluations[0].seconds[stage]
    reached = [one for one in evaluations if stage < len(one.stages)]
    return math.fsum(one.weight * one.seconds[stage] for one in reached) / sum(one.weight for one in reached)


def moments(evaluations: Sequence[Evaluation], stage: int) -> dict[str, Moments]:
    """Returns number, mean and scatter of each metric after a stage."""
    found: dict[str, Moments] = {}
    for one in evaluations:
        if stage < len(one.stages):
            scatter = one.m2 if stage == len(one.stages) - 1 else {}
            for name, value in one.stages[stage].items():
                found.setdefault(name, Moments()).merge(Moments(one.weight, value, scatter.get(name, 0.0)))
    return found
