"""Compares candidates in pairs: evaluates them with the same seeds, and bounds the mean of their differences."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.validation.held_out_assessment import HeldOutAssessor


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval; all infinite where a candidate failed."""

    mean: float
    low: float
    high: float


def paired_costs(
    assessor: HeldOutAssessor, candidates: Sequence[Any], evaluations: Sequence[int], split: str, objective: Objective
) -> np.ndarray:
    """Returns costs in one objective, float64 [candidates, evaluations]; infinite where an evaluation failed.

    The columns are paired: evaluations of one number meet the same seeds.

    Args:
      assessor: evaluates what is not in its journal yet.
      candidates: valid ones.
      evaluations: numbers of independent evaluations.
      split: the data split to score on.
      objective: which metric, in which direction.
    """
    outcomes = assessor.assess_repeatedly(candidates, split, evaluations)
    # Metrics of form are there for failures too.
    found = [[objective.cost(o.metrics) if o.status is Status.OK else math.inf for o in row] for row in outcomes]
    return np.array(found, np.float64).reshape(len(candidates), len(evaluations))


def relative_differences(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Returns the differences of costs to a baseline's, as shares of the baseline's; below 0 is better.

    This is `values / baseline - 1` for positive costs. A candidate that failed is infinitely worse, even if the
    baseline failed too. If the baseline alone failed, the difference is -1. If the baseline costs 0, no share exists,
    and the difference is -1, 0 or 1: its sign.

    Args:
      values: costs, [..., evaluations].
      baseline: costs, [evaluations].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = (values - baseline) / np.abs(baseline)  # A negative cost is one that is maximized.
    differences = np.where(baseline == 0.0, np.sign(values), differences)  # Of nothing, all of it.
    differences = np.where(values == baseline, 0.0, differences)
    differences = np.where(np.isinf(baseline), -1.0, differences)
    return np.where(np.isinf(values), np.inf, differences)


def t_interval(differences: np.ndarray, confidence: float) -> Interval:
    """Returns the two-sided t interval of the mean of paired differences.

    Args:
      differences: [evaluations], at least two.
      confidence: of the interval, between 0 and 1.
    """
    if not np.isfinite(differences).all():
        return Interval(math.inf, math.inf, math.inf)
    from scipy import stats  # Takes longer to import than all of this room.

    mean, count = float(differences.mean()), len(differences)
    reach = float(stats.t.ppf(0.5 + confidence / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    return Interval(mean, mean - reach, mean + reach)
