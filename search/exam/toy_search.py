"""A search without controller, journal and workers: a tiny space, its evaluator, and a loop of ask and tell.

Trials come out as the controller makes them, with twins and stages, and in an order that depends on numbers only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search.objectives import Minimize
from isozyme.search.protocol import Algorithm, Effort, Proposal, RunningAlgorithm, Trial
from isozyme.search.randomness import Streams
from isozyme.spaces import choices
from isozyme.spaces.protocol import InvalidCandidate

Candidate = tuple[int, int]
OPTIMUM = 11
OBJECTIVES = (Minimize("loss", 10.0), Minimize("weight", 10.0))
_BITS = 4
_POINTS = 2**_BITS


class Points:
    """Sixteen behaviours: a candidate is a point and a label, which does nothing."""

    version = "points-1"
    references: Mapping[str, Candidate] = {"zero": (0, 0)}

    def initial(self, rng: np.random.Generator) -> Candidate:
        """Returns any candidate."""
        return self.random(rng)

    def random(self, rng: np.random.Generator) -> Candidate:
        """Returns a uniformly random candidate."""
        return int(rng.integers(_POINTS)), int(rng.integers(2))

    @property
    def operators(self) -> Mapping[str, Any]:
        """Changes of one bit, of the label, and of the place of all bits where none gets lost."""
        return {"flip": self.mutate, "relabel": self._relabel, "double": self._double}

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """Flips one bit."""
        point, label = candidate
        return point ^ (1 << int(rng.integers(_BITS))), label

    def _relabel(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        return candidate[0], 1 - candidate[1]

    def _double(self, candidate: Candidate, rng: np.random.Generator) -> Candidate | None:
        return (2 * candidate[0], candidate[1]) if 2 * candidate[0] < _POINTS else None

    def cross(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """Takes each bit from either parent."""
        mask = int(rng.integers(_POINTS))
        return first[0] & mask | second[0] & ~mask, first[1]

    def choices(self) -> choices.Points:
        """The point and the label."""
        return choices.of_sizes((_POINTS, 2))

    def validate(self, candidate: Candidate) -> str | None:
        """Rejects what is not one of the 32 candidates."""
        point, label = candidate
        return None if point in range(_POINTS) and label in range(2) else f"{candidate} is outside of the space"

    def canonical(self, candidate: Candidate) -> bytes:
        """The point."""
        return bytes([candidate[0]])

    def probe(self, candidate: Candidate) -> None:
        """Returns None: the canonical form tells all candidates apart."""

    def form(self, candidate: Candidate) -> Mapping[str, float]:
        """Counts the bits that are set."""
        return {"weight": float(candidate[0].bit_count())}

    def lower(self, candidate: Candidate) -> int:
        """The point."""
        return candidate[0]

    def to_source(self, candidate: Candidate) -> str:
        """Writes both numbers."""
        return f"{candidate[0]} {candidate[1]}"

    def from_source(self, text: str) -> Candidate:
        """Reads what `to_source` writes."""
        try:
            point, label = map(int, text.split())
        except ValueError:
            raise InvalidCandidate(f"{text!r} is not a point and a label") from None
        return point, label

    def export(self, candidate: Candidate) -> Mapping[str, str]:
        """Returns the text."""
        return {"point.txt": self.to_source(candidate)}


SPACE = Points()


@dataclass
class PointsEvaluator:
    """Loss: bits that differ from the optimum, and less than half a bit besides; early stages see it less clearly.

    Attributes:
      stages: how many there are.
      failing: what comes of the first stage of some points, all with a loss that would be the best of all.
    """

    stages: int = 2
    failing: Mapping[int, Status] = field(default_factory=dict)

    def prepare(self) -> None:
        """Needs no data."""

    def setup(self, space: Points, seed: int) -> None:
        """Builds nothing."""

    def conditions(self, split: str) -> str:
        """Returns stages and failures."""
        return f"{self.stages} {sorted(self.failing.items())} {split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Returns losses."""
        return [self._evaluate(job.candidate[0], job.stage) for job in jobs]

    def _evaluate(self, point: int, stage: int) -> Outcome:
        if point in self.failing:
            return Outcome(self.failing[point], "as the toy search demands", {"loss": -100.0})
        blur = (self.stages - 1 - stage) * (3 * point % 7)
        return Outcome(Status.OK, None, {"loss": (point ^ OPTIMUM).bit_count() + 0.02 * (5 * point % 11 + blur)})


class _Behaviours:
    """What a cache would know: outcomes of stages by point, and the trial that owns them."""

    def __init__(self, evaluator: PointsEvaluator) -> None:
        self._evaluator = evaluator
        self._known: dict[int, tuple[int, list[Outcome]]] = {}

    def trial(self, number: int, proposal: Proposal) -> Trial:
        """Returns the trial that a proposal becomes; runs the stages that no earlier trial ran."""
        candidate, stages = proposal.candidate, self._evaluator.stages
        owner, outcomes = self._known.setdefault(candidate[0], (number, []))
        asked = proposal.stages or stages
        taken = min(asked, len(outcomes))
        while len(outcomes) < asked and not (outcomes and outcomes[-1].status is not Status.OK):
            outcomes += self._evaluator.evaluate([Job(candidate, stage=len(outcomes))])
        used = outcomes[:asked]
        status, reason = used[-1].status, used[-1].reason
        if status is Status.OK and asked < stages:
            status, reason = Status.PARTIAL, f"{asked} of {stages} stages, as asked"
        scored = tuple(outcome.metrics for outcome in used if outcome.status is Status.OK)
        twin = owner != number
        return Trial(
            number,
            proposal,
            status,
            reason,
            metrics={**used[-1].metrics, **SPACE.form(candidate)},
            cached_from=owner if twin else None,
            hit="static" if twin else None,
            effort=Effort(attempts=int(len(used) > taken)),
            stages=scored,
            stage_seconds=(1.0,) * len(scored),
            taken=min(taken, len(scored)),
        )


Events = list[Proposal | Trial]


def rng(seed: int, number: int) -> np.random.Generator:
    """Makes the random numbers of a proposal."""
    return Streams(seed).of(number)


def ask_and_tell(
    running: RunningAlgorithm,
    trials: int,
    finish: Callable[[int, Proposal], Trial],
    random: Callable[[int], np.random.Generator],
    lag: int = 1,
    order: np.random.Generator | None = None,
) -> Events:
    """Runs trials, and lists proposals and finished trials in the order in which they happened.

    Args:
      running: the run of an algorithm.
      trials: how many.
      finish: makes a trial of its number and its proposal.
      random: makes the random numbers of a proposal from the number of its trial.
      lag: how many trials are under way.
      order: draws which of them finishes next; None: that of the lowest number.

    Raises:
      TypeError: the algorithm proposes something else than a `Proposal`.
    """
    events: Events = []
    under_way: list[Trial] = []
    for number in range(trials + lag):
        if under_way and (len(under_way) == lag or number >= trials):
            finished = under_way.pop(0 if order is None else int(order.integers(len(under_way))))
            running.feedback(finished)
            events.append(finished)
        if number < trials:
            proposal = running.propose(number, random(number))
            if not isinstance(proposal, Proposal):
                raise TypeError(f"trial {number}: {proposal!r} is not a Proposal")
            events.append(proposal)
            under_way.append(finish(number, proposal))
    return events


def record(
    algorithm: Algorithm,
    trials: int,
    evaluator: PointsEvaluator | None = None,
    lag: int = 4,
    shuffled: bool = False,
    seed: int = 0,
) -> Events:
    """Runs a search of the points, and lists its proposals and its finished trials as `ask_and_tell` does.

    Args:
      algorithm: started here.
      trials: how many.
      evaluator: what points are worth.
      lag: how many trials are under way.
      shuffled: whether they finish in any order instead of that of their numbers.
      seed: of proposals, and of the order in which trials finish.
    """
    evaluator = evaluator or PointsEvaluator()
    running = algorithm.start(SPACE, OBJECTIVES, evaluator.stages)
    order = np.random.default_rng(seed) if shuffled else None
    return ask_and_tell(running, trials, _Behaviours(evaluator).trial, partial(rng, seed), lag, order)


def follow(running: RunningAlgorithm, events: Events, number: int = 0, asks: int = 1, seed: int = 0) -> int | None:
    """Feeds recorded trials to a run; returns the first trial that it proposes otherwise than recorded.

    Args:
      running: as it was at the first of the events.
      events: of `record`, or the rest of them.
      number: of their first proposal.
      asks: how often it is asked for each proposal, and for the next one in between.
      seed: of the record.
    """
    for event in events:
        if isinstance(event, Trial):
            running.feedback(event)
            continue
        for _ in range(asks - 1):
            running.propose(number, rng(seed, number))
            running.propose(number + 1, rng(seed, number + 1))
        if running.propose(number, rng(seed, number)) != event:
            return number
        number += 1
    return None
