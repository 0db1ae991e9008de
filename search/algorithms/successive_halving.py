"""Successive halving without waiting: Li et al., "A system for massively parallel hyperparameter tuning" (ASHA), MLSys
2020, arXiv 1810.05934, after Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyglove as pg

from isozyme.evaluators.protocol import Status
from isozyme.search.algorithms.population import Member
from isozyme.search.objectives import Cost, Objective, cost_of
from isozyme.search.protocol import Proposal, Trial
from isozyme.spaces.protocol import Space


@pg.members(
    [
        ("n", pg.typing.Int(27, min_value=2), "Candidates on the bottom rung."),
        ("eta", pg.typing.Int(3, min_value=2), "η: the best 1/η of a rung go on to the next one."),
        ("metric", pg.typing.Str().noneable(), "Cost after a stage; None: of the first objective."),
    ],
    serialization_key="isozyme.SuccessiveHalving",
)
class SuccessiveHalving(pg.Object):
    """Rung k runs k + 1 stages of random candidates; the best 1/η of a rung are proposed again, one stage further.

    Rung k is complete with n/η^k candidates, and then begins anew. Meanwhile the bottom rung takes new candidates, so
    that no worker waits.
    """

    n: int
    eta: int
    metric: str | None

    def start(self, space: Space, objectives: Sequence[Objective], stages: int = 1) -> "RunningHalving":
        """Returns a run with empty rungs.

        Raises:
          ValueError: n is too small for so many stages.
        """
        least = self.eta ** (stages - 1)
        if self.n < least:
            raise ValueError(f"n is {self.n}; with {stages} stages and eta {self.eta} it must be {least} or more")
        sizes = [self.n // self.eta**k for k in range(stages - 1)]
        return RunningHalving(space, cost_of(self.metric, objectives), self.eta, sizes)


class RunningHalving:
    """A run of `SuccessiveHalving`.

    Args:
      space: what is searched.
      cost: of a trial's metrics; less is better.
      eta: η.
      sizes: candidates that complete each rung but the topmost.
    """

    def __init__(self, space: Space, cost: Cost, eta: int, sizes: Sequence[int]) -> None:
        self._space, self._cost, self._eta, self._sizes = space, cost, eta, sizes
        self._rungs: list[list[Member]] = [[] for _ in sizes]
        self._due: dict[int, tuple[int, Any]] = {}
        self._fed = 0

    def propose(self, number: int, rng: np.random.Generator) -> Proposal:
        """Returns a candidate that is due on the next rung, or a new one.

        Nothing tells which promotions are under way. But a result comes back after as many further proposals as there
        are trials under way: so one in so many proposals is this promotion, until it is back. In order of numbers that
        is once; in order of arrival some are proposed again, as twins, which cost no evaluation.
        """
        under_way = max(number - self._fed, 0) + 1
        for earned, (rung, candidate) in self._due.items():
            if (number - earned) % under_way == 0:
                return Proposal(candidate, (earned,), "promote", rung + 1)
        if number == 0:
            return Proposal(self._space.initial(rng), operator="initial", stages=1)
        return Proposal(self._space.random(rng), operator="random", stages=1)

    def feedback(self, trial: Trial) -> None:
        """Puts the trial on its rung, and promotes the best if that completes it."""
        self._fed += 1
        rung = 0
        if trial.parents:
            rung, _ = self._due.pop(trial.parents[0], (len(self._rungs), None))
        if rung == len(self._rungs):  # At the top, or back before.
            return
        level = self._rungs[rung]
        level.append(self._member(trial))
        if len(level) == self._sizes[rung]:
            level.sort(key=lambda one: one.cost)
            for one in level[: len(level) // self._eta]:
                if one.cost < math.inf:
                    self._due[one.number] = (rung + 1, one.candidate)
            level.clear()

    def _member(self, trial: Trial) -> Member:
        scored = trial.status in (Status.OK, Status.PARTIAL)
        return Member(self._cost(trial.metrics) if scored else math.inf, trial.number, trial.candidate)

    def snapshot(self) -> dict[str, Any]:
        """Returns the incomplete rungs and what is due."""
        rungs = [[one.number for one in level] for level in self._rungs]
        return {"fed": self._fed, "rungs": rungs, "due": [[number, rung] for number, (rung, _) in self._due.items()]}

    def restore(self, snapshot: Any, trial: Callable[[int], Trial]) -> None:
        """Fills the rungs again."""
        self._fed = snapshot["fed"]
        self._rungs = [[self._member(trial(number)) for number in level] for level in snapshot["rungs"]]
        self._due = {number: (rung, trial(number).candidate) for number, rung in snapshot["due"]}
