"""A proposal under way: how far it goes through the stages, and the trial it becomes."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from isozyme.evaluators.protocol import Status
from isozyme.search.controller.behaviour import Behaviour, Draw, furthest, metrics_after, moments, seconds_of
from isozyme.search.controller.behaviours import written
from isozyme.search.controller.equivalence import Equivalence, Plan
from isozyme.search.executors.protocol import Answer, Request, passes_hurdle
from isozyme.search.protocol import Effort, Keys, Proposal, Trial
from isozyme.search.rules import Rules


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
      running: whether it is being evaluated.
    """

    __slots__ = (
        "_attempts", "_audit", "_auditing", "_bar", "_cpu_seconds", "_draw", "_draws", "_first", "_hit", "_hurdles",
        "_last", "_plan", "_seconds", "_static", "_worker", "number", "owner", "proposal", "running",
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
        plan: Plan,
        draws: list[Draw],
        bar: float,
    ) -> None:
        self.number, self.proposal, self.owner, self.running = number, proposal, owner, False
        self._static, self._hit, self._last, self._hurdles, self._first = static, hit, last, hurdles, last + 1
        self._plan, self._draws, self._bar = plan, draws, bar
        self._draw: Draw | None = None  # The evaluation that it goes on with, if it has to.
        self._attempts, self._worker, self._seconds, self._cpu_seconds = 0, "", 0.0, 0.0
        self._auditing, self._audit = False, None

    @property
    def owns(self) -> bool:
        """Whether it is the first of its behaviour."""
        return self.owner == self.number

    def step(self, behaviour: Behaviour, rules: Rules, equivalence: Equivalence) -> Verdict | Request:
        """How it ends given what is known of its behaviour, or what has to be evaluated first."""
        if self._draw is None:
            self._draw = behaviour.begin(self._draws) if self._plan.fresh else furthest(self._draws)
        verdict = self._verdict(self._draw, rules)
        if isinstance(verdict, Verdict) and verdict.status is Status.OK:
            if self._leads(verdict, rules, equivalence):
                self._draw = behaviour.begin(self._draws)
                return self._request(self._draw, 0)
            if self._plan.audit and self._audit is None and not self._attempts and self._evaluations(verdict) == 1:
                self.running = self._auditing = True
                return Request(self.proposal.candidate, "search", 0, self._last, (), self._draw.index)
        return verdict

    def _verdict(self, draw: Draw, rules: Rules) -> Verdict | Request:
        for stage in range(self._last + 1):
            if stage == len(draw.stages):
                if draw.failure is not None:
                    return Verdict(draw.failure.status, draw.failure.reason, stage)
                return self._request(draw, stage)
            cost = rules.hurdle_cost
            if cost is None:
                continue
            metrics = metrics_after(self._draws, stage)
            if not passes_hurdle(self._as_request(draw, stage), stage, metrics, cost):
                reason = (
                    f"cost {cost(metrics):.4g} after stage {stage + 1} is above the hurdle {self._hurdles[stage]:.4g}"
                )
                return Verdict(Status.HURDLE, reason, stage + 1)
        if self._last < rules.stages - 1:
            reason = f"scored after stage {self._last + 1} of {rules.stages}, as asked"
            return Verdict(Status.PARTIAL, reason, self._last + 1)
        return Verdict(Status.OK, None, self._last + 1)

    def _leads(self, verdict: Verdict, rules: Rules, equivalence: Equivalence) -> bool:
        """Whether it would be the best so far and the policy wants to see more of it first."""
        if self._plan.counts is None:
            return False
        cost = rules.cost(self._metrics(verdict.used))
        return cost < self._bar and equivalence.doubts(self._evaluations(verdict), self._plan.counts[1])

    def _request(self, draw: Draw, first: int) -> Request:
        self.running, self._first = True, min(self._first, first)
        return self._as_request(draw, first)

    def _as_request(self, draw: Draw, first: int) -> Request:
        return Request(self.proposal.candidate, "search", first, self._last, self._hurdles, draw.index)

    def take(self, answer: Answer) -> None:
        """Takes in the answer to its request."""
        self.running = False
        self._attempts += answer.attempts
        self._worker = answer.worker
        for outcome in answer.outcomes:
            self._seconds += outcome.seconds
            self._cpu_seconds += outcome.cpu_seconds
        assert self._draw is not None
        if self._auditing:
            self._auditing = False
            self._audit = _difference(self._draw, answer)
        else:
            self._draw.extend(answer.outcomes)

    def _evaluations(self, verdict: Verdict) -> int:
        """Of how many evaluations its metrics are means."""
        if len(self._draws) == 1:
            return self._draws[0].weight
        return sum(draw.weight for draw in self._draws if len(draw.stages) >= verdict.used) if verdict.used else 1

    def _metrics(self, used: int) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for stage in range(used):
            metrics |= metrics_after(self._draws, stage)
        return metrics

    def trial(self, verdict: Verdict, behaviour: Behaviour, form: Mapping[str, float], now: float) -> Trial:
        """The finished trial."""
        status, reason, used = verdict
        draws, draw = self._draws, self._draw
        assert draw is not None
        if len(draws) == 1:
            stages, seconds = tuple(draw.stages[:used]), tuple(draw.seconds[:used])
        else:
            stages = tuple([metrics_after(draws, stage) for stage in range(used)])
            seconds = tuple([seconds_of(draws, stage) for stage in range(used)])
        metrics: dict[str, float] = {}
        for stage in stages:
            metrics |= stage
        if draw.failure is not None and used == len(draw.stages) and used <= self._last:
            metrics |= draw.failure.metrics
        metrics |= form
        evaluations, m2 = max(self._evaluations(verdict), 1), {}
        if evaluations > 1:
            m2 = {name: one.m2 for name, one in moments(draws, used - 1).items()}
        taken, counts = min(self._first, used), self._plan.counts
        return Trial(
            number=self.number,
            proposal=self.proposal,
            status=status,
            reason=reason,
            metrics=metrics,
            keys=Keys(self._static.hex(), *[key.hex() for key in behaviour.keys]),
            cached_from=None if self.owns else self.owner,
            hit=self._hit,
            effort=Effort(self._seconds, self._cpu_seconds, self._attempts, self._worker),
            finished=now,
            stages=stages,
            stage_seconds=seconds,
            taken=taken,
            saved_seconds=math.fsum(seconds[:taken]) if self._audit is None else 0.0,
            evaluations=evaluations,
            m2=m2,
            audit=self._audit,
            record=written(draws, behaviour.begun, counts) if counts is not None else "",
        )


def refused(number: int, proposal: Proposal, reason: str, now: float) -> Trial:
    """Makes the trial of an invalid candidate, which has no behaviour."""
    return Trial(number, proposal, Status.INVALID, reason, finished=now)


def _difference(draw: Draw, answer: Answer) -> float:
    """The largest difference of a metric between an evaluation and its repetition, as a share of it."""
    worst = 0.0
    for known, outcome in zip(draw.stages, answer.outcomes, strict=False):
        if outcome.status is not Status.OK:
            return math.inf
        for name, value in known.items():
            worst = max(worst, abs(outcome.metrics.get(name, math.inf) - value) / (abs(value) or 1.0))
    return worst
