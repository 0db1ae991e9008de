"""An experiment for drills: quick, with twins, failures and a hurdle, and pauses of random length."""

import math
import random
import time
from itertools import pairwise

import numpy as np
import pyglove as pg

from isozyme.evaluators import Outcome, Status
from isozyme.launch import Budget, Experiment
from isozyme.search import Maximize, QuantileHurdle, RegularizedEvolution
from isozyme.spaces.template import TemplateSpace

_DECISIONS = 8


@pg.members([("pause", pg.typing.Float(0.05), "Longest pause of a stage, in seconds.")])
class Pausing(pg.Object):
    """A rugged score of eight choices, the same on every machine; it fails here and there."""

    stages = 2
    stage_metric = "short_loss"

    def prepare(self):
        """Needs no data."""

    def setup(self, space, seed):
        """Draws the score of each pair of neighbouring choices."""
        del space
        self._pairs = np.random.default_rng(seed).normal(size=(_DECISIONS, 4, 4))

    def conditions(self, split):
        """What scores depend on."""
        return f"pausing-1/{split}"

    def evaluate(self, jobs):
        """Scores after a pause that is never the same."""
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job):
        time.sleep(self.pause * random.random())
        choices = job.candidate
        pairs = [self._pairs[i, a, b] for i, (a, b) in enumerate(pairwise(choices))]
        if job.stage == 0:
            return Outcome(Status.OK, None, {"short_loss": -math.fsum(pairs[:4])})
        if choices[:2] == (3, 3):
            raise RuntimeError("three and three do not go together")
        return Outcome(Status.OK, None, {"score": math.fsum(pairs) if choices[2:4] != (2, 2) else math.nan})


def experiment():
    """1,500 trials; a few seconds of pauses on two workers."""
    return Experiment(
        space=TemplateSpace([pg.oneof([0, 1, 2, 3]) for _ in range(_DECISIONS)]),
        evaluator=Pausing(),
        search=RegularizedEvolution(50, 5),
        objectives=[Maximize("score", -10.0)],
        budget=Budget(1500),
        lag=16,
        hurdle=QuantileHurdle(),
        finalists=2,
    )
