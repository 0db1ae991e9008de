"""What lag and asynchrony cost: workers that wait, and proposals that know less."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from isozyme.benchmarks.scaling.landscape import Workers, simulate
from isozyme.search import RandomSearch, RegularizedEvolution
from isozyme.search.executors.simulated import Times, constant, exponential, lognormal, straggling

MEAN = 60.0  # seconds an evaluation, stragglers aside
TIMES: dict[str, Times] = {
    "constant": constant(MEAN),
    "lognormal, σ 0.5": lognormal(MEAN, 0.5),
    "exponential": exponential(MEAN),
    "1 % take 10 times as long": straggling(constant(MEAN), 0.01, 10.0),
}
RATIOS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # lag over workers
AIM = 0.9
WORKERS = 32  # of the searches whose quality is compared
TRIALS = 2_000
POPULATION = 100
UNTIL = TRIALS / 2 * MEAN / WORKERS  # seconds in which workers that never wait evaluate half of the trials
REPEATS = {16: 2, 64: 2, 256: 1}  # of simulations of utilisation, by workers
SHOWN = 64  # of these, in the chart


class Utilisation(NamedTuple):
    """Of workers, by the ratio of lag and workers; one figure a repeat."""

    times: str
    workers: int
    asynchronous: bool
    by_ratio: dict[float, list[float]]

    def needed(self) -> float | None:
        """The least ratio that keeps workers as busy as aimed at, between two that were simulated; None: more."""
        points = [(ratio, float(np.median(found))) for ratio, found in self.by_ratio.items()]
        for (lower, low), (higher, high) in pairwise(points):
            if low < AIM <= high:
                return lower + (higher - lower) * (AIM - low) / (high - low)
        return None


def utilisation(times: str, count: int, asynchronous: bool, repeats: int) -> Utilisation:
    """Simulates a controller that takes no time, so that all waiting comes from the lag."""
    by_ratio = {}
    for ratio in (0.5, 1.0, 2.0) if asynchronous else RATIOS:
        lag = round(ratio * count)
        workers = Workers(count, TIMES[times], lag, asynchronous)
        trials = 2 * lag + max(10 * count, 2_000)
        runs = [simulate(workers, RandomSearch(), trials, seed, 0.0) for seed in range(repeats)]
        by_ratio[ratio] = [run.steady.utilisation for run in runs]
    return Utilisation(times, count, asynchronous, by_ratio)


class Quality(NamedTuple):
    """Best fitness after a number of trials, and after a time, one a repeat; and the mean utilisation.

    Attributes:
      name: of the setting.
      lag: trials under way.
      asynchronous: whether they are fed back as they finish.
      by_trials: after all `TRIALS` trials.
      by_time: after `UNTIL` virtual seconds.
      utilisation: mean over repeats, of the whole run.
    """

    name: str
    lag: int
    asynchronous: bool
    by_trials: np.ndarray
    by_time: np.ndarray
    utilisation: float


def _evolution() -> RegularizedEvolution:
    return RegularizedEvolution(POPULATION, 25)


def settings() -> dict[str, tuple[int, bool, Callable[[], Any]]]:
    """Lag, whether asynchronous, and the algorithm, by name; random search is the control."""
    found: dict[str, tuple[int, bool, Callable[[], Any]]] = {"lag 1": (1, False, _evolution)}
    for factor in (1, 2, 4, 8, 16):
        found[f"lag {factor} W"] = (factor * WORKERS, False, _evolution)
    for factor in (1, 2):
        found[f"asynchronous, lag {factor} W"] = (factor * WORKERS, True, _evolution)
    found["random search"] = (WORKERS, True, RandomSearch)
    return found


def quality(name: str, repeats: int) -> Quality:
    """Runs one setting on landscapes 0, 1, …: the same for every setting."""
    lag, asynchronous, algorithm = settings()[name]
    workers = Workers(WORKERS, TIMES["exponential"], lag, asynchronous)
    runs = [simulate(workers, algorithm(), TRIALS, seed, 0.0) for seed in range(repeats)]
    by_trials = np.array([run.fitness.max() for run in runs])
    by_time = np.array([run.fitness[run.finished <= UNTIL].max() for run in runs])
    return Quality(name, lag, asynchronous, by_trials, by_time, float(np.mean([r.usage.utilisation for r in runs])))


def interval(scores: np.ndarray) -> tuple[float, float, float]:
    """Mean, and its 95 % interval by the percentile bootstrap over 10,000 resamples."""
    drawn = np.random.default_rng(0).choice(scores, (10_000, len(scores)))
    low, high = np.quantile(drawn.mean(axis=1), (0.025, 0.975))
    return float(scores.mean()), float(low), float(high)
