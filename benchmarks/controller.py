"""Trials a second of this controller and of its peers, side by side on one machine.

    python benchmarks/controller.py [--quick]

All of them search a space of 20 four-way decisions with an evaluator that does nothing but a sum:

* this controller with regularized evolution, Ray workers, keys, cache, and every trial committed to its journal;
* bare Ray actor calls, a candidate a call, as many under way as ours: what Ray itself costs without batches;
* Optuna with random sampling, in memory and with SQLite;
* `pg.sample` with PyGlove's own regularized evolution;
* Ray Tune with random search.

Start-up of Ray and of the studies is left out everywhere. The sides take turns, once a repeat.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyglove as pg
from rich.console import Console
from rich.table import Table

from isozyme.evaluators import Outcome, Status, process
from isozyme.search import Controller, Journal, Maximize, RegularizedEvolution
from isozyme.search.executors.ray_cluster.cluster import Cluster
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.rules import Rules
from isozyme.spaces.template import TemplateSpace

_LAG = 1024
_DECISIONS = 20


class Trivial:
    """Scores a candidate by the sum of its choices."""

    def prepare(self) -> None:
        """Needs no data."""

    def setup(self, space: object, seed: int) -> None:
        """Needs no set-up."""

    def conditions(self, split: str) -> str:
        """Nothing that scores depend on changes."""
        return f"trivial-1/{split}"

    def evaluate(self, jobs: list) -> list[Outcome]:
        """Sums."""
        return [Outcome(Status.OK, None, {"score": float(sum(job.candidate))}) for job in jobs]


class Bare:
    """An actor that scores one candidate a call."""

    def score(self, candidate: tuple[int, ...]) -> float:
        """The sum of the choices."""
        return float(sum(candidate))


class Ours:
    """This controller with a number of workers that stay up between repeats."""

    def __init__(self, workers: int) -> None:
        space = TemplateSpace([pg.oneof([0, 1, 2, 3]) for _ in range(_DECISIONS)])
        self._rules = Rules(space, [Maximize("score", 0.0)], lag=_LAG)
        evaluator: Any = Trivial()
        self._executor = RayExecutor(evaluator, self._rules, Cluster(workers, None, process.environment()))
        self._executor.conditions("search")
        self.unique = 0.0

    def __call__(self, trials: int) -> float:
        """Trials a second."""
        with tempfile.TemporaryDirectory(prefix="isozyme-bench-", dir=".") as folder:
            journal = Journal.open(Path(folder))
            controller = Controller(self._rules, RegularizedEvolution(100, 10), journal, self._executor)
            began = time.perf_counter()
            progress = controller.run(trials)
            seconds = time.perf_counter() - began
            self.unique = progress.unique / trials
            journal.close()
        return trials / seconds

    def close(self) -> None:
        """Stops the workers."""
        self._executor.close()


def actor_calls(actors: int) -> Callable[[int], float]:
    """Bare calls to actors, `_LAG` under way; to be called while a Ray of ours is up."""
    import ray

    candidates = [tuple(c) for c in np.random.default_rng(0).integers(4, size=(_LAG, _DECISIONS)).tolist()]
    actor_class: Any = ray.remote(Bare).options(num_cpus=0)
    pool = [actor_class.remote() for _ in range(actors)]
    ray.get([actor.score.remote(candidates[0]) for actor in pool])

    def measure(trials: int) -> float:
        began, under_way, done = time.perf_counter(), [], 0
        for number in range(trials):
            if len(under_way) >= _LAG:
                ready, under_way = ray.wait(under_way, num_returns=_LAG // 4)
                done += len(ray.get(ready))
            under_way.append(pool[number % actors].score.remote(candidates[number % _LAG]))
        done += len(ray.get(under_way))
        assert done == trials
        return trials / (time.perf_counter() - began)

    return measure


def optuna_rate(storage: str | None) -> Callable[[int], float]:
    """Optuna with its fastest sampler."""
    import optuna  # pyright: ignore[reportMissingImports]

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: Any) -> float:
        return float(sum(trial.suggest_categorical(f"x{i}", [0, 1, 2, 3]) for i in range(_DECISIONS)))

    def measure(trials: int) -> float:
        with tempfile.TemporaryDirectory(prefix="isozyme-bench-", dir=".") as folder:
            url = None if storage is None else f"{storage}:///{os.path.abspath(folder)}/study.db"
            sampler = optuna.samplers.RandomSampler(seed=0)
            study = optuna.create_study(storage=url, direction="maximize", sampler=sampler)
            began = time.perf_counter()
            study.optimize(objective, n_trials=trials)
            return trials / (time.perf_counter() - began)

    return measure


def pyglove_rate(trials: int) -> float:
    """PyGlove's own loop and algorithm."""
    template = pg.List([pg.oneof([0, 1, 2, 3]) for _ in range(_DECISIONS)])
    algorithm = pg.evolution.regularized_evolution(population_size=100, tournament_size=10)
    began = time.perf_counter()
    for example, feedback in pg.sample(template, algorithm, num_examples=trials):
        choices: Any = example
        feedback(float(sum(choices)))
    return trials / (time.perf_counter() - began)


def tune_rate(trials: int) -> float:
    """Ray Tune on a Ray of its own, whose start does not count."""
    import ray
    from ray import tune

    ray.init(address="local", num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)
    space = {f"x{i}": tune.choice([0, 1, 2, 3]) for i in range(_DECISIONS)}
    config = tune.TuneConfig(num_samples=trials, metric="score", mode="max")
    with tempfile.TemporaryDirectory(prefix="isozyme-bench-", dir=".") as folder:
        quiet = tune.RunConfig(verbose=0, storage_path=os.path.abspath(folder))
        tuner = tune.Tuner(_summed, param_space=space, tune_config=config, run_config=quiet)
        began = time.perf_counter()
        tuner.fit()
        seconds = time.perf_counter() - began
    ray.shutdown()
    return trials / seconds


def _summed(config: dict[str, int]) -> dict[str, float]:
    return {"score": float(sum(config.values()))}


def main() -> None:
    """Measures, prints a table and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials and repeats")
    quick = parser.parse_args().quick
    repeats, trials = (3, 10_000) if quick else (5, 40_000)
    warnings.simplefilter("ignore")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    rates: dict[str, list[float]] = {}
    unique = 0.0
    for workers in (1, 2):
        ours = Ours(workers)
        sides: dict[str, tuple[Callable[[int], float], int]] = {}
        sides[f"isozyme, {workers} worker(s), journal on"] = (ours, trials)
        sides[f"bare Ray calls, {workers} actor(s)"] = (actor_calls(workers), trials // 2)
        if workers == 2:
            sides |= {
                "Optuna, in memory": (optuna_rate(None), 300 if quick else 1000),
                "Optuna, SQLite": (optuna_rate("sqlite"), 10 if quick else 40),
                "pg.sample, regularized evolution": (pyglove_rate, 20 if quick else 100),
            }
        for _ in range(repeats):
            for name, (measure, count) in sides.items():
                rates.setdefault(name, []).append(measure(count))
        unique = ours.unique
        ours.close()
    rates["Ray Tune, random search"] = [tune_rate(8 if quick else 40)]
    report(rates, unique, repeats)


def report(rates: dict[str, list[float]], unique: float, repeats: int) -> None:
    """Prints the table and the JSON line."""
    title = f"{platform.machine()}, {os.cpu_count()} cores, seed 0, {repeats} repeats, lag {_LAG}"
    table = Table("", "trials/s: median", "least", "most", title=title)
    for name, values in rates.items():
        table.add_row(name, f"{statistics.median(values):,.1f}", f"{min(values):,.1f}", f"{max(values):,.1f}")
    Console().print(table)
    print(f"{unique:.0%} of our trials were evaluated, in batches of up to 256; the rest were twins")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ours = max(value for name, value in medians.items() if name.startswith("isozyme"))
    calls = max(value for name, value in medians.items() if name.startswith("bare"))
    print(
        json.dumps(
            {
                "trials_per_s": ours,
                "over_actor_calls": ours / calls,
                "over_optuna_memory": ours / medians["Optuna, in memory"],
                "over_optuna_sqlite": ours / medians["Optuna, SQLite"],
                "over_pg_sample": ours / medians["pg.sample, regularized evolution"],
                "over_ray_tune": ours / medians["Ray Tune, random search"],
                "lag": _LAG,
                "unique_share": unique,
            }
        )
    )


if __name__ == "__main__":
    main()
