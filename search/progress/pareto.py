"""The Pareto front so far, and the hypervolume it dominates."""

import math
import operator
from collections.abc import Sequence

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial


class ParetoArchive:
    """Keeps the trials that no other trial dominates; of equal ones the first."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = tuple(objectives)
        self.trials: list[Trial] = []
        self._costs = np.empty((0, len(self.objectives)))
        self._reference = np.array([o.reference_cost for o in self.objectives])
        self._cost_functions = [o.cost for o in self.objectives]
        self._dominator: tuple[float, ...] = (math.inf,) * len(self.objectives)

    def add(self, trial: Trial) -> bool:
        """Takes in a trial; returns whether the front changed."""
        if trial.status is not Status.OK:
            return False
        costs = tuple([cost(trial.metrics) for cost in self._cost_functions])
        # Most trials are dominated, and most often by the one that dominated the last of them.
        if all(map(operator.le, self._dominator, costs)) or not all(map(math.isfinite, costs)):
            return False
        dominators = (self._costs <= costs).all(axis=1)
        if dominators.any():
            self._dominator = tuple(self._costs[dominators.argmax()].tolist())
            return False
        kept = np.atleast_1d(~(costs <= self._costs).all(axis=1))
        self.trials = [t for t, keep in zip(self.trials, kept, strict=True) if keep] + [trial]
        self._costs = np.vstack([self._costs[kept], costs])
        return True

    def hypervolume(self) -> float:
        """Volume between the front and the objectives' references; points beyond a reference count nothing."""
        inside = self._costs[(self._costs < self._reference).all(axis=1)]
        if not len(inside):
            return 0.0
        import moocore

        return float(moocore.hypervolume(inside, ref=self._reference))
