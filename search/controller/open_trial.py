"""A proposal under way: how far it goes through the stages, and the trial that it becomes."""

import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from isozyme.evaluators.protocol import Status
from isozyme.search.controller.artifacts import evaluation_folder
from isozyme.search.controller.behaviour import Behaviour, Evaluation, furthest, metrics_after, moments, seconds_of
from isozyme.search.controller.behaviours import record_of
from isozyme.search.controller.equivalence import Equivalence, Plan
from isozyme.search.executors.protocol import Answer, Request, passes_hurdle
from isozyme.search.protocol import Effort, Keys, Proposal, Trial
from isozyme.search.rules import Rules


class Verdict(NamedTuple):
    """How a trial ends: its status, why, and how many stages of its behaviour it used."""

    status: Status
    reason: str | None
    used: int = 0


class TrialState(Enum):
    """What an open trial is at."""

    WAITING = "for earlier trials of its behaviour, or to be concluded"
    EVALUATING = "stages of its behaviour"
    AUDITING = "the stages of its owner once more, for comparison"
    MEASURING = "the candidate as it is written"


class OpenTrial:
    """A proposal that has been keyed and not yet concluded.

    Attributes:
      number: of the trial.
      proposal: what was proposed.
      owner: the trial that owns its behaviour, maybe itself.
      state: what it is at.
    """

    __slots__ = (
        "_attempts", "_audit", "_best_cost", "_cpu_seconds", "_evaluation", "_evaluations", "_first", "_folder",
        "_hit", "_hurdles", "_last", "_plan", "_seconds", "_static", "_worker", "number", "owner", "proposal", "state",
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
        evaluations: list[Evaluation],
        best_cost: float,
        folder: Path | None,
    ) -> None:
        self.number, self.proposal, self.owner, self.state = number, proposal, owner, TrialState.WAITING
        self._static, self._hit, self._last, self._hurdles, self._first = static, hit, last, hurdles, last + 1
        self._plan, self._evaluations, self._best_cost, self._folder = plan, evaluations, best_cost, folder
        self._evaluation: Evaluation | None = None  # The one that it goes on with, if it has to.
        self._attempts, self._worker, self._seconds, self._cpu_seconds = 0, "", 0.0, 0.0
        self._audit: float | None = None

    def step(self, behaviour: Behaviour, rules: Rules, equivalence: Equivalence) -> Verdict | Request:
        """Returns how it ends given what is known of its behaviour, or what has to be evaluated first."""
        if self._evaluation is None:
            own = self._plan.fresh
            self._evaluation = behaviour.begin(self._evaluations) if own else furthest(self._evaluations)
        verdict = self._verdict(self._evaluation, rules)
        if isinstance(verdict, Verdict) and verdict.status is Status.OK:
            if self._leads(verdict, rules, equivalence):
                self._evaluation = behaviour.begin(self._evaluations)
                return self._evaluate(self._evaluation, 0)
            if self._plan.audit and self._audit is None and not self._attempts and self._count(verdict) == 1:
                self.state = TrialState.AUDITING
                return Request(self.proposal.candidate, "search", 0, self._last, (), self._evaluation.index)
            if rules.measured:
                return self._measured(verdict, behaviour)
        return verdict

    def _measured(self, verdict: Verdict, behaviour: Behaviour) -> Verdict | Request:
        """Returns a verdict once the candidate has been measured; until then the request to measure it."""
        measured = behaviour.measurement(self._static)
        if measured is None:
            self.state = TrialState.MEASURING
            return Request(self.proposal.candidate, measures=True)
        if measured.status is Status.OK:
            return verdict
        return Verdict(measured.status, f"measuring: {measured.reason}", verdict.used)

    def _verdict(self, evaluation: Evaluation, rules: Rules) -> Verdict | Request:
        for stage in range(self._last + 1):
            if stage == len(evaluation.stages):
                if evaluation.failure is not None:
                    return Verdict(evaluation.failure.status, evaluation.failure.reason, stage)
                return self._evaluate(evaluation, stage)
            if self._hurdles:
                metrics, cost = metrics_after(self._evaluations, stage), rules.hurdle_cost
                if not passes_hurdle(self._request(evaluation, stage), stage, metrics, cost):
                    assert cost is not None
                    threshold = f"the hurdle {self._hurdles[stage]:.4g}"
                    reason = f"cost {cost(metrics):.4g} after stage {stage + 1} is above {threshold}"
                    return Verdict(Status.HURDLE, reason, stage + 1)
        if self._last < rules.stages - 1:
            reason = f"scored after stage {self._last + 1} of {rules.stages}, as asked"
            return Verdict(Status.PARTIAL, reason, self._last + 1)
        return Verdict(Status.OK, None, self._last + 1)

    def _leads(self, verdict: Verdict, rules: Rules, equivalence: Equivalence) -> bool:
        """Tells whether it would be the best so far and the policy wants to see more of it first."""
        if self._plan.counts is None:
            return False
        cost = rules.cost(self._metrics(verdict.used))
        return cost < self._best_cost and equivalence.doubts(self._count(verdict), self._plan.counts[1])

    def _evaluate(self, evaluation: Evaluation, first: int) -> Request:
        self.state, self._first = TrialState.EVALUATING, min(self._first, first)
        return self._request(evaluation, first)

    def _named_artifacts(self, evaluation: Evaluation) -> tuple[str, ...]:
        """Returns the paths of the evaluation's artifacts in the folder of all artifacts."""
        assert self._folder is not None
        folder = evaluation_folder(self._folder, evaluation.index).name
        return tuple([f"{folder}/{name}" for name in evaluation.artifacts])

    def _request(self, evaluation: Evaluation, first: int) -> Request:
        folder = self._folder and evaluation_folder(self._folder, evaluation.index)
        return Request(self.proposal.candidate, "search", first, self._last, self._hurdles, evaluation.index, folder)

    def take(self, answer: Answer, behaviour: Behaviour) -> None:
        """Takes in the answer to its request."""
        state, self.state = self.state, TrialState.WAITING
        for outcome in answer.outcomes:
            self._seconds += outcome.seconds
            self._cpu_seconds += outcome.cpu_seconds
        if state is TrialState.MEASURING:  # Says nothing of the stages, of which another trial may be the owner.
            (outcome,) = answer.outcomes
            return behaviour.add_measurement(self._static, outcome)
        assert self._evaluation is not None
        self._attempts += answer.attempts
        self._worker = answer.worker
        if state is TrialState.AUDITING:
            self._audit = _difference(self._evaluation, answer)
        else:
            self._evaluation.extend(answer.outcomes)
        return None

    def _count(self, verdict: Verdict) -> int:
        """Returns of how many evaluations its metrics are means."""
        if len(self._evaluations) == 1:
            return self._evaluations[0].weight
        return sum(one.weight for one in self._evaluations if len(one.stages) >= verdict.used) if verdict.used else 1

    def _metrics(self, used: int) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for stage in range(used):
            metrics |= metrics_after(self._evaluations, stage)
        return metrics

    def trial(
        self, verdict: Verdict, behaviour: Behaviour, form: Mapping[str, float], device: str, now: float
    ) -> Trial:
        """Returns the finished trial.

        Args:
          verdict: how it ends.
          behaviour: of its candidate.
          form: metrics of how the candidate is written.
          device: what is measured on; empty where nothing is.
          now: seconds since the epoch.
        """
        status, reason, used = verdict
        evaluations, evaluation = self._evaluations, self._evaluation
        assert evaluation is not None
        if len(evaluations) == 1:
            stages, seconds = tuple(evaluation.stages[:used]), tuple(evaluation.seconds[:used])
        else:
            stages = tuple([metrics_after(evaluations, stage) for stage in range(used)])
            seconds = tuple([seconds_of(evaluations, stage) for stage in range(used)])
        metrics: dict[str, float] = {}
        for stage in stages:
            metrics |= stage
        if evaluation.failure is not None and used == len(evaluation.stages) and used <= self._last:
            metrics |= evaluation.failure.metrics
        measured = behaviour.measurement(self._static) if behaviour.measured and status is Status.OK else None
        if measured is not None:
            metrics |= measured.metrics
        metrics |= form
        count, m2 = max(self._count(verdict), 1), {}
        if count > 1:
            m2 = {name: one.m2 for name, one in moments(evaluations, used - 1).items()}
        taken, counts = min(self._first, used), self._plan.counts
        return Trial(
            number=self.number,
            proposal=self.proposal,
            status=status,
            reason=reason,
            metrics=metrics,
            keys=Keys(self._static.hex(), *[key.hex() for key in behaviour.keys]),
            cached_from=None if self.owner == self.number else self.owner,
            hit=self._hit,
            effort=Effort(self._seconds, self._cpu_seconds, self._attempts, self._worker),
            finished=now,
            stages=stages,
            stage_seconds=seconds,
            taken=taken,
            saved_seconds=math.fsum(seconds[:taken]) if self._audit is None else 0.0,
            evaluations=count,
            m2=m2,
            audit=self._audit,
            record=record_of(evaluations, behaviour.begun, counts) if counts is not None else "",
            device=device if measured is not None else "",
            artifacts=self._named_artifacts(evaluation) if evaluation.artifacts else (),
        )


def refused_trial(number: int, proposal: Proposal, reason: str, now: float) -> Trial:
    """Returns the trial of an invalid candidate, which has no behaviour."""
    return Trial(number, proposal, Status.INVALID, reason, finished=now)


def _difference(evaluation: Evaluation, answer: Answer) -> float:
    """Returns the largest difference of a metric between an evaluation and its repetition, as a share of it."""
    worst = 0.0
    for known, outcome in zip(evaluation.stages, answer.outcomes, strict=False):
        if outcome.status is not Status.OK:
            return math.inf
        for name, value in known.items():
            worst = max(worst, abs(outcome.metrics.get(name, math.inf) - value) / (abs(value) or 1.0))
    return worst
