"""Searches of optimizer programs as benchmarks run them: in this process, on journals that are thrown away."""

import math
import time
from typing import Any, NamedTuple

from isozyme.benchmarks.scaling.landscape import journal
from isozyme.evaluators.protocol import Status, stages_of
from isozyme.launch import Experiment
from isozyme.search import Controller, Progress, RandomSearch, Trial
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Executor, Request
from isozyme.spaces.lion import Program


class Incumbent(NamedTuple):
    """A program that was the best one so far.

    Attributes:
      programs: how many had been fed back when it was found, itself included.
      evaluations: how many of these owned their behaviour.
      loss: its own in the search.
      program: itself.
    """

    programs: int
    evaluations: int
    loss: float
    program: Program


class Found(NamedTuple):
    """What came of one search.

    Attributes:
      incumbents: in the order in which they were found, each better than the one before.
      progress: counters of the whole search.
      seconds: wall time of the whole search.
    """

    incumbents: list[Incumbent]
    progress: Progress
    seconds: float


class _Incumbents:
    """A listener that keeps every incumbent."""

    def __init__(self, experiment: Experiment) -> None:
        self.found: list[Incumbent] = []
        self._cost = experiment.objectives[0].cost
        # The paper does not hand AdamW to random search, which proposes the space's start first, to compare with.
        self._start_counts = not isinstance(experiment.search, RandomSearch)

    def __call__(self, trial: Trial, progress: Progress) -> None:
        if trial.status is not Status.OK or (trial.proposal.operator == "initial" and not self._start_counts):
            return
        loss = self._cost(trial.metrics)
        if loss < (self.found[-1].loss if self.found else math.inf):
            self.found.append(Incumbent(progress.trials, progress.unique, loss, trial.candidate))


def in_process(experiment: Experiment) -> InProcessExecutor:
    """Where the programs of an experiment, and of others that differ in no more than space and search, are evaluated.

    Its executables are compiled once for all the searches that use it.
    """
    return InProcessExecutor(experiment.evaluator, experiment.rules())


def search(experiment: Experiment, executor: Executor, programs: int) -> Found:
    """Runs one search to the end.

    Args:
      experiment: what and how; its budget and closing do not count here.
      executor: idle.
      programs: trials, twins included.
    """
    incumbents = _Incumbents(experiment)
    with journal() as opened:
        controller = Controller(
            experiment.rules(),
            experiment.search,
            opened,
            executor,
            equivalence=experiment.equivalence,
            listeners=[incumbents],
        )
        began = time.perf_counter()
        progress = controller.run(programs)
        return Found(incumbents.found, progress, time.perf_counter() - began)


def assess(experiment: Experiment, executor: Executor, program: Any, split: str) -> float:
    """Loss of one program in full on a split, 'selection' and 'final' with fresh seeds; infinite if it fails."""
    full = stages_of(experiment.evaluator) - 1
    executor.submit(0, Request(program, split, full, full))
    ((_, answer),) = executor.collect(0.0)
    outcome = answer.outcomes[-1]
    return experiment.objectives[0].cost(outcome.metrics) if outcome.status is Status.OK else math.inf
