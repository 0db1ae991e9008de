"""What is known of one behaviour: its evaluations, stage by stage, and the trials that wait for them."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing.policies import Moments, Record


class Draw:
    """One evaluation; or several, of which only means and scatter are known.

    Attributes:
      index: which of the behaviour's evaluations it is, counted from 0: its random numbers depend on it.
      stages: metrics after each stage evaluated so far.
      seconds: wall time of each of these stages.
      failure: what came of the stage after these, if it failed.
      weight: how many evaluations it stands for.
      m2: where these are several, by metric of the last stage the sum of squared deviations from the mean.
    """

    __slots__ = ("failure", "index", "m2", "seconds", "stages", "weight")

    def __init__(self, index: int = 0) -> None:
        self.index, self.weight = index, 1
        self.stages: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.failure: Outcome | None = None
        self.m2: Mapping[str, float] = {}

    def extend(self, outcomes: tuple[Outcome, ...]) -> None:
        """Takes in the outcomes of further stages."""
        for outcome in outcomes:
            if outcome.status is Status.OK:
                self.stages.append(outcome.metrics)
                self.seconds.append(outcome.seconds)
            else:
                self.failure = outcome

    def to_json(self) -> list[Any]:
        """As plain JSON."""
        failure = self.failure and [self.failure.status, self.failure.reason, self.failure.metrics]
        return [self.index, self.stages, self.seconds, failure, self.weight, dict(self.m2)]

    @classmethod
    def from_json(cls, values: list[Any]) -> "Draw":
        """What `to_json` returned."""
        made = cls(values[0])
        _, made.stages, made.seconds, failure, made.weight, made.m2 = values
        made.failure = failure and Outcome(Status(failure[0]), failure[1], failure[2])
        return made


class Behaviour:
    """One behaviour, owned by the first trial that showed it.

    Trials of one behaviour are concluded in the order of their numbers, so that each sees the evaluations of those
    before it and no others, whatever the timing. Counts change as trials are proposed, evaluations as they come in.

    Attributes:
      keys: its behaviour key, and the shifted one where there is one.
      draws: its evaluations; a policy that forgets begins a new list, and earlier trials keep the old one.
      begun: how many evaluations have begun in all.
      record: what has been asked for.
      forgotten: whether the next request starts afresh.
      waiting: numbers of the trials that have yet to be concluded, in their order; the first one may be evaluating.
    """

    __slots__ = ("begun", "draws", "forgotten", "keys", "record", "waiting")

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self.keys = keys
        self.draws: list[Draw] = []
        self.begun, self.forgotten = 0, False
        self.record = Record()
        self.waiting: deque[int] = deque()

    def begin(self, draws: list[Draw]) -> Draw:
        """Another evaluation, which is added to `draws`."""
        draws.append(Draw(self.begun))
        self.begun += 1
        return draws[-1]


def furthest(draws: Sequence[Draw]) -> Draw:
    """The evaluation that has come furthest; of several, the first."""
    return max(draws, key=lambda draw: (len(draw.stages), draw.failure is None))


def metrics_after(draws: Sequence[Draw], stage: int) -> dict[str, float]:
    """Metrics after a stage: means over the evaluations that got there, of which there has to be one."""
    if len(draws) == 1:
        return draws[0].stages[stage]
    reached = [draw for draw in draws if stage < len(draw.stages)]
    if len(reached) == 1:
        return reached[0].stages[stage]
    return {name: one.mean for name, one in moments(reached, stage).items()}


def seconds_of(draws: Sequence[Draw], stage: int) -> float:
    """Mean wall time of a stage."""
    if len(draws) == 1:
        return draws[0].seconds[stage]
    reached = [draw for draw in draws if stage < len(draw.stages)]
    return math.fsum(d.weight * d.seconds[stage] for d in reached) / sum(d.weight for d in reached)


def moments(draws: Sequence[Draw], stage: int) -> dict[str, Moments]:
    """Number, mean and scatter of each metric after a stage."""
    found: dict[str, Moments] = {}
    for draw in draws:
        if stage < len(draw.stages):
            scatter = draw.m2 if stage == len(draw.stages) - 1 else {}
            for name, value in draw.stages[stage].items():
                found.setdefault(name, Moments()).merge(Moments(draw.weight, value, scatter.get(name, 0.0)))
    return found
