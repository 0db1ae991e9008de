"""A proposal under way: how far it goes through the stages, and the trial it becomes."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from isozyme.evaluators.protocol import Status
from isozyme.search.executors import Answer, Cost, Request, passes
from isozyme.search.memory import Behaviour
from isozyme.search.protocol import Proposal, Trial


class Verdict(NamedTuple):
    """How a trial ends: its status, why, and how many stages of its behaviour it used."""

    status: Status
    reason: str | None
    used: int = 0


class Pending:
    """A proposal that has been keyed and not yet concluded.

    Attributes:
      number: of the trial.
      proposal: what was proposed.
      owner: the trial that owns its behaviour, maybe itself.
      last: the last stage it may run.
      running: whether it is being evaluated.
    """

    __slots__ = (
        "_attempts", "_cpu_seconds", "_first", "_hit", "_hurdles", "_seconds", "_static", "_worker", "last", "number",
        "owner", "proposal", "running",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        proposal: Proposal,
        static: bytes,
        owner: int,
        hit: str | None,
        last: int,
        hurdles: tuple[float | None, ...],
    ) -> None:
        self.number, self.proposal, self.owner, self.last, self.running = number, proposal, owner, last, False
        self._static, self._hit, self._hurdles, self._first = static, hit, hurdles, last + 1
        self._attempts, self._worker, self._seconds, self._cpu_seconds = 0, "", 0.0, 0.0

    @property
    def owns(self) -> bool:
        """Whether it is the first of its behaviour."""
        return self.owner == self.number

    def verdict(self, behaviour: Behaviour, cost: Cost | None, stages: int) -> Verdict | None:
        """How it ends given what is known of its behaviour; None if a stage has to be evaluated first."""
        for stage in range(self.last + 1):
            if stage == len(behaviour.stages):
                failure = behaviour.failure
                return Verdict(failure.status, failure.reason, stage) if failure is not None else None
            metrics = behaviour.stages[stage]
            if not passes(self._as_request(stage), stage, metrics, cost):
                assert cost is not None
                reason = (
                    f"cost {cost(metrics):.4g} after stage {stage + 1} is above the hurdle {self._hurdles[stage]:.4g}"
                )
                return Verdict(Status.HURDLE, reason, stage + 1)
        if self.last < stages - 1:
            return Verdict(Status.PARTIAL, f"scored after stage {self.last + 1} of {stages}, as asked", self.last + 1)
        return Verdict(Status.OK, None, self.last + 1)

    def request(self, first: int) -> Request:
        """Marks it as running and asks for the stages from `first` on."""
        self.running, self._first = True, first
        return self._as_request(first)

    def _as_request(self, first: int) -> Request:
        return Request(self.proposal.candidate, "search", first, self.last, self._hurdles)

    def take(self, answer: Answer) -> None:
        """Takes in the answer to its request."""
        self.running = False
        self._attempts, self._worker = answer.attempts, answer.worker
        for outcome in answer.outcomes:
            self._seconds += outcome.seconds
            self._cpu_seconds += outcome.cpu_seconds

    def trial(self, verdict: Verdict, behaviour: Behaviour | None, form: Mapping[str, float], now: float) -> Trial:
        """The finished trial; an invalid candidate has no behaviour."""
        status, reason, used = verdict
        stages: tuple[dict[str, float], ...] = ()
        seconds: tuple[float, ...] = ()
        metrics: dict[str, float] = {}
        taken = min(self._first, used)
        if behaviour is not None:
            stages, seconds = tuple(behaviour.stages[:used]), tuple(behaviour.seconds[:used])
            for stage in stages:
                metrics |= stage
            if behaviour.failure is not None and used == len(behaviour.stages) and used <= self.last:
                metrics |= behaviour.failure.metrics
            metrics |= form
        return Trial(
            self.number, self.proposal.candidate, self.proposal.parents, status, reason, metrics,
            self._static.hex(), behaviour.key.hex() if behaviour is not None else "",
            None if self.owns else self.owner, self._hit, self._seconds, now, self.proposal.operator,
            stages, seconds, taken, math.fsum(seconds[:taken]), self._cpu_seconds, self._attempts, self._worker,
            self.proposal.note,
        )  # fmt: skip
