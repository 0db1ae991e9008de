"""The Pareto front so far, and the hypervolume it dominates."""

import math
import operator
from collections.abc import Sequence

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial


class Front:
    """Keeps the points that no other point dominates; of equal ones the first.

    Attributes:
      costs: float64 [points, axes] of those kept, in the order in which they came; less is better.
    """

    def __init__(self, axes: int) -> None:
        self.costs = np.empty((0, axes))
        self._dominator: tuple[float, ...] = (math.inf,) * axes

    def add(self, costs: tuple[float, ...]) -> np.ndarray | None:
        """Takes in a point of finite costs.

        Returns:
          bool, which of the points so far stay; the new one comes last. None if it is no better than one of them.
        """
        # Most points are dominated, and most often by the one that dominated the last of them.
        if all(map(operator.le, self._dominator, costs)):
            return None
        dominators = (self.costs <= costs).all(axis=1)
        if dominators.any():
            self._dominator = tuple(self.costs[dominators.argmax()].tolist())
            return None
        kept = np.asarray(~(costs <= self.costs).all(axis=1))
        self.costs = np.vstack([self.costs[kept], costs])
        return kept

    def dominates(self, costs: np.ndarray) -> np.ndarray:
        """Returns bool [n], which of n points, float64 [n, axes], are no better than one on the front."""
        beaten = np.ones((len(costs), len(self.costs)), bool)
        for mine, theirs in zip(self.costs.T, costs.T, strict=True):
            beaten &= mine <= theirs[:, None]
        return np.asarray(beaten.any(axis=1))

    def hypervolume(self, reference: np.ndarray) -> float:
        """Returns the volume between the front and a point, float64 [axes]; what lies beyond it counts nothing."""
        inside = self.costs[(self.costs < reference).all(axis=1)]
        if not len(inside):
            return 0.0
        import moocore

        return float(moocore.hypervolume(inside, ref=reference))


class ParetoArchive:
    """Keeps the trials on the front."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.objectives = tuple(objectives)
        self.trials: list[Trial] = []
        self._front = Front(len(self.objectives))
        self._reference = np.array([o.reference_cost for o in self.objectives])
        self._cost_functions = [o.cost for o in self.objectives]

    def add(self, trial: Trial) -> bool:
        """Takes in a trial; returns whether the front changed."""
        if trial.status is not Status.OK:
            return False
        costs = tuple([cost(trial.metrics) for cost in self._cost_functions])
        kept = self._front.add(costs) if all(map(math.isfinite, costs)) else None
        if kept is None:
            return False
        self.trials = [t for t, keep in zip(self.trials, kept, strict=True) if keep] + [trial]
        return True

    def hypervolume(self) -> float:
        """Returns the volume between the front and the objectives' references."""
        return self._front.hypervolume(self._reference)
