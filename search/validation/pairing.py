"""Paired comparisons: candidates evaluated with the same seeds, and an interval of what one has over the other."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.validation.assessment import Assessor


class Interval(NamedTuple):
    """A mean and the ends of its confidence interval; all infinite where a candidate failed."""

    mean: float
    low: float
    high: float


def costs(
    assessor: Assessor, candidates: Sequence[Any], draws: Sequence[int], split: str, objective: Objective
) -> np.ndarray:
    """Costs in one objective, float64 [candidates, draws]; infinite where an evaluation failed.

    The columns are paired: in one draw all candidates meet the same seeds.

    Args:
      assessor: evaluates what is not in its journal yet.
      candidates: valid ones.
      draws: numbers of independent evaluations.
      split: what to score on.
      objective: which metric, in which direction.
    """
    outcomes = assessor.assess_draws(candidates, split, draws)
    # Metrics of form are there for failures too.
    found = [[objective.cost(o.metrics) if o.status is Status.OK else math.inf for o in row] for row in outcomes]
    return np.array(found, np.float64).reshape(len(candidates), len(draws))


def relative(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """What costs have over a baseline's, as a share of those; below 0 where they are better.

    For positive costs `values / baseline - 1`. A failure of a candidate is infinitely worse, also where the baseline
    failed; where the baseline alone failed the whole of its cost is saved, -1. Of a baseline of 0 no share can be told:
    what is better or worse is so by 1.

    Args:
      values: costs, [..., draws].
      baseline: costs, [draws].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = (values - baseline) / np.abs(baseline)  # A negative cost is one that is maximized.
    differences = np.where(baseline == 0.0, np.sign(values), differences)  # Of nothing, all of it.
    differences = np.where(values == baseline, 0.0, differences)
    differences = np.where(np.isinf(baseline), -1.0, differences)
    return np.where(np.isinf(values), np.inf, differences)


def interval(differences: np.ndarray, confidence: float) -> Interval:
    """The two-sided t interval of the mean of paired differences.

    Args:
      differences: [draws], at least two.
      confidence: of the interval, between 0 and 1.
    """
    if not np.isfinite(differences).all():
        return Interval(math.inf, math.inf, math.inf)
    from scipy import stats  # Takes longer to import than all of this room.

    mean, count = float(differences.mean()), len(differences)
    reach = float(stats.t.ppf(0.5 + confidence / 2, count - 1) * differences.std(ddof=1) / math.sqrt(count))
    return Interval(mean, mean - reach, mean + reach)
