"""Searches of three families, each with the cache off, with static keys, and with static and numeric keys."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.benchmarks.equivalence.evaluators import ActivationEvaluator, FeatureEvaluator
from isozyme.benchmarks.equivalence.features import FeatureGraphs
from isozyme.benchmarks.scaling.landscape import journal
from isozyme.evaluators.protocol import stages_of
from isozyme.hashing import Claim, EquivalenceCache
from isozyme.launch.configs import lion
from isozyme.search import Controller, Equivalence, Minimize, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Request
from isozyme.search.rules import Rules

MODES = {"off": "off", "static": "static", "on": "numeric"}
_LAG = 8
_OBJECTIVES = [Minimize("loss", 1.0)]


class Family(NamedTuple):
    """What is searched, what it is worth, and how parents are found."""

    space: Any
    evaluator: Callable[[], Any]
    algorithm: Callable[[], RegularizedEvolution]


_LION = lion.smoke()  # One task of the three.
FAMILIES = {
    "programs": Family(_LION.space, lambda: lion.smoke().evaluator, lambda: RegularizedEvolution(100, 10)),
    "graphs": Family(FeatureGraphs(), FeatureEvaluator, lambda: RegularizedEvolution(100, 25)),
    "lambdas": Family(Activations(), ActivationEvaluator, lambda: RegularizedEvolution(100, 25)),
}
"""Imperative programs as in launch/configs/lion.py, computation graphs and lambdas; the last two are searched with the
default population and tournament."""


class Run(NamedTuple):
    """One search.

    Attributes:
      proposals: trials, twins included.
      evaluations: of them, evaluated.
      hits: the others, by the key that found their twin.
      seconds: wall time, keys and journal included.
      cpu_seconds: processor time of the same.
      evaluating: processor time of the evaluations.
      keying: processor time of keys and cache.
      loss: the least one found.
    """

    proposals: int
    evaluations: int
    hits: dict[str, int]
    seconds: float
    cpu_seconds: float
    evaluating: float
    keying: float
    loss: float


class Saving(NamedTuple):
    """Of a search with all keys over the same search without a cache.

    Attributes:
      measured: processor time of the whole search without the cache over that with it.
      predicted: 1 / ((1 − h) + c), with h and c of the same two searches.
      h: share of proposals that were not evaluated.
      c: keys and cache of a proposal over an evaluation.
      rest: proposals, controller and journal of a search without the cache, as a share of its time. Both searches pay
        for most of it, so that what is measured is smaller than what is predicted by about (h − c) times this share
        over (1 − h) + c.
    """

    measured: float
    predicted: float
    h: float
    c: float
    rest: float


def compare(family: Family, seed: int, trials: int) -> dict[str, Run]:
    """Runs by mode: one after the other, in one process, on one evaluator that has been warmed up."""
    evaluator = family.evaluator()
    rules = Rules(family.space, _OBJECTIVES, stages_of(evaluator), seed=seed, lag=_LAG)
    executor = InProcessExecutor(evaluator, rules)
    for candidate in family.space.references.values():
        executor.submit(0, Request(candidate, last=rules.stages - 1))
    while executor.collect(0.0):
        pass
    return {mode: _search(family, rules, executor, keys, trials) for mode, keys in MODES.items()}


class _Timed(Equivalence):
    """Adds up the processor time of keys and cache."""

    _spent = 0.0

    def claims(self, cache: EquivalenceCache, space: Any) -> Any:
        claim = super().claims(cache, space)

        def timed(number: int, candidate: Any, conditions: str) -> tuple[bytes, Claim]:
            began = time.process_time()
            found = claim(number, candidate, conditions)
            self._spent += time.process_time() - began
            return found

        return timed


def _search(family: Family, rules: Rules, executor: InProcessExecutor, keys: str, trials: int) -> Run:
    equivalence = _Timed(keys=keys, audit=0.0)
    with journal() as opened:
        controller = Controller(rules, family.algorithm(), opened, executor, equivalence=equivalence)
        wall, cpu = time.perf_counter(), time.process_time()
        progress = controller.run(trials)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Run(
        trials, progress.unique, dict(progress.hits), wall, cpu, progress.cpu_seconds, equivalence._spent,
        progress.best_cost,
    )  # fmt: skip


def saving(runs: dict[str, Run]) -> Saving:
    """Fact 13 on one seed: 'off' against 'on'. Processor time, since other programs lengthen any other."""
    off, on = runs["off"], runs["on"]
    h, c = 1 - on.evaluations / on.proposals, on.keying / off.evaluating
    return Saving(off.cpu_seconds / on.cpu_seconds, 1 / (1 - h + c), h, c, 1 - off.evaluating / off.cpu_seconds)
