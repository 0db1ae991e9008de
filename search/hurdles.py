"""Hurdles: who goes on from one stage of an evaluation to the next."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyglove as pg

from isozyme.search.objectives import Cost, Objective, cost_of
from isozyme.search.protocol import Trial


@pg.members(
    [
        (
            "metric",
            pg.typing.Str().noneable(),
            "What is compared, less is better unless an objective says otherwise; None: what the evaluator names.",
        ),
        (
            "quantile",
            pg.typing.Float(0.75, min_value=0.0, max_value=1.0),
            "Share of recent evaluations that would pass.",
        ),
        ("window", pg.typing.Int(100, min_value=1), "How many of a stage's latest evaluations count."),
        ("warmup", pg.typing.Int(20, min_value=1), "Evaluations of a stage before its hurdle stands."),
    ],
    serialization_key="isozyme.QuantileHurdle",
)
class QuantileHurdle(pg.Object):
    """Sets a hurdle after every stage but the last: a rolling quantile of the costs of those that ran the stage.

    With quantile 0.25 the hurdle of AutoML-Zero (arXiv 2003.03384, section 3.2); with 0.5 the halving hurdles of Primer
    (arXiv 2109.08668, appendix), each of which passes half, whatever the scale of the costs: see `halving_bands`.
    """

    metric: str | None
    quantile: float
    window: int
    warmup: int

    def comparing(self, metric: str | None) -> "QuantileHurdle":
        """Returns the hurdle that compares a metric, where this one names none.

        Args:
          metric: the evaluator's `stage_metric`; None leaves the first objective to compare.
        """
        if metric is None or self.metric is not None:
            return self
        return type(self)(metric, self.quantile, self.window, self.warmup)

    def start(self, objectives: Sequence[Objective], stages: int) -> "RunningHurdle":
        """Returns a run of `stages - 1` hurdles, which has seen no trial."""
        return RunningHurdle(self.cost(objectives), stages, self.quantile, self.window, self.warmup)

    def cost(self, objectives: Sequence[Objective]) -> Cost:
        """Returns what makes of metrics the cost that is compared with a threshold; infinite where one is missing."""
        return cost_of(self.metric, objectives)


class RunningHurdle:
    """A run of `QuantileHurdle`.

    Args:
      cost: of metrics.
      stages: of the evaluator.
      quantile: share of recent evaluations that would pass.
      window: how many of a stage's latest evaluations count.
      warmup: evaluations of a stage before its hurdle stands.
    """

    def __init__(self, cost: Cost, stages: int, quantile: float, window: int, warmup: int) -> None:
        self._cost, self._quantile, self._warmup = cost, quantile, warmup
        self._costs: list[deque[float]] = [deque(maxlen=window) for _ in range(stages - 1)]
        self._thresholds: list[float | None] = [None] * (stages - 1)

    def thresholds(self) -> tuple[float | None, ...]:
        """Returns for each stage but the last the largest cost that goes on, or None while everything does."""
        return tuple(self._thresholds)

    def feedback(self, trial: Trial) -> None:
        """Counts the stages that the trial evaluated itself, or that a store knew of its behaviour.

        Those taken from a twin were counted when that one ran.
        """
        for stage in range(0 if trial.hit == "store" else trial.taken, min(len(trial.stages), len(self._costs))):
            cost = self._cost(trial.stages[stage])
            if math.isfinite(cost):
                self._costs[stage].append(cost)
                self._stand(stage)

    def _stand(self, stage: int) -> None:
        costs = self._costs[stage]
        if len(costs) >= self._warmup:
            self._thresholds[stage] = float(np.quantile(costs, self._quantile))

    def snapshot(self) -> dict[str, Any]:
        """Returns the costs that count, oldest first."""
        return {"costs": [list(costs) for costs in self._costs]}

    def restore(self, snapshot: Any) -> None:
        """Takes in a snapshot, before anything else."""
        for stage, costs in enumerate(snapshot["costs"]):
            self._costs[stage].extend(costs)
            self._stand(stage)


class Bands(NamedTuple):
    """How an evaluation is cut at its hurdles; all in the unit of the total.

    Attributes:
      bands: length of each stage.
      hurdles: where the hurdles stand, from the start.
      mean: expected cost of a candidate.
    """

    bands: tuple[float, ...]
    hurdles: tuple[float, ...]
    mean: float

    @property
    def saving(self) -> float:
        """Returns how many times more an evaluation without hurdles costs."""
        return sum(self.bands) / self.mean


def halving_bands(total: float, hurdles: int, share: float = 0.5) -> Bands:
    """Stages that all cost the same in expectation: one that fewer reach lasts longer (Primer, arXiv 2109.08668).

    >>> halving_bands(31.0, 4)
    Bands(bands=(1.0, 2.0, 4.0, 8.0, 16.0), hurdles=(1.0, 3.0, 7.0, 15.0), mean=5.0)

    Args:
      total: cost of a whole evaluation.
      hurdles: how many; there is one band more.
      share: of the candidates that each hurdle passes, over 0.
    """
    lengths = [share**-i for i in range(hurdles + 1)]
    unit = total / sum(lengths)
    bands = tuple(unit * length for length in lengths)
    return Bands(bands, tuple(sum(bands[: i + 1]) for i in range(hurdles)), unit * len(bands))
