"""What algorithms remember of a trial, and the tournament that draws parents."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Cost
from isozyme.search.protocol import Trial

T = TypeVar("T")


class Member(NamedTuple):
    """A trial, as much of it as selection and variation need.

    Attributes:
      cost: less is better; infinite without a full score.
      number: of the trial.
      candidate: what was tried.
    """

    cost: float
    number: int
    candidate: Any


NOBODY = Member(math.inf, -1, None)
"""Whom every trial with a score beats."""


def member(trial: Trial, cost: Cost) -> Member:
    """Returns a trial with its cost. What got no full score (a failure, a smaller budget) costs infinitely."""
    found = cost(trial.metrics) if trial.status is Status.OK else math.inf
    return Member(found, trial.number, trial.candidate)


_cost = attrgetter("cost")  # In C, since every trial compares a whole sample.


def tournament(
    population: Sequence[T],
    size: int,
    rng: np.random.Generator,
    replacement: bool = True,
    key: Callable[[T], Any] = _cost,
) -> T:
    """Draws a uniform sample and returns its best member; ties keep the first drawn.

    Args:
      population: at least one member.
      size: S, of the sample; without replacement no more than there are.
      rng: draws the sample.
      replacement: whether a member may be drawn more than once: with it the worst may win a tournament of any size.
      key: the least is the best.
    """
    count = len(population)
    if replacement:
        drawn = (rng.random(size) * count).astype(int)  # A third of the time that `rng.integers` takes for a few.
    else:
        drawn = rng.choice(count, min(size, count), replace=False)
    return min([population[i] for i in drawn.tolist()], key=key)
