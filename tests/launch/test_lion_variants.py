"""The Lion search against its baselines and in several objectives, and how meta-overfitting is told from luck.

Issue 6, deliverables 7 and 8, must show 1 and 3.
"""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from launch_helpers import LION

from isozyme.benchmarks import lion_baselines, meta_overfitting
from isozyme.benchmarks.lion import searches
from isozyme.launch import Experiment, config_file
from isozyme.launch.errors import UsageError
from isozyme.launch.overrides import paths
from isozyme.launch.patches import patch
from isozyme.search import NSGA2, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.spaces.lion import NAMED

PROGRAMS = 60
VARIANTS = ("experiment", "laptop", "beyond_constants", "pareto", "step_time", "demo", "smoke")


@pytest.fixture(scope="module")
def small() -> Experiment:
    """The smoke run on a task of 20 steps."""
    overrides = [("evaluator.repeats", "1"), ("search.population_size", "10"), ("hurdle", "None")]
    return config_file.load(f"{LION}:smoke", ["cheaper?factor=10"], overrides)


@pytest.fixture(scope="module")
def executor(small: Experiment) -> InProcessExecutor:
    """Compiles once for all searches."""
    return searches.in_process(small)


def skeleton(program: Any) -> Any:
    """A program without its literals."""
    return [(s.target, s.operation, [a for a in s.arguments if isinstance(a, str)]) for s in program.statements]


def changed(one: Experiment, other: Experiment) -> set[str]:
    """Paths of the fields that differ."""
    first, second = paths(one), paths(other)
    leaves = {p for p in {*first, *second} if not any(q.startswith((f"{p}.", f"{p}[")) for q in {*first, *second})}
    return {path for path in leaves if first.get(path) != second.get(path)}


def test_the_experiment_is_like_the_papers() -> None:
    """lion.md, section 6: population 1,000 of AdamW, tournaments of 2, 300,000 programs (must show 1)."""
    experiment = config_file.load(str(LION), [], [])
    search = experiment.search
    assert (search.population_size, search.tournament_size, experiment.budget.trials) == (1000, 2, 300_000)
    assert experiment.space.initial(None) == NAMED["adamw"]
    assert config_file.load(f"{LION}:laptop", [], []).budget.trials == 300_000


@pytest.mark.parametrize("variant", VARIANTS)
def test_constants_only_is_one_flag_away(variant: str) -> None:
    """Deliverable 8: the patch turns every variant into the baseline, and changes nothing else."""
    experiment = config_file.load(f"{LION}:{variant}", [], [])
    assert changed(experiment, patch(experiment, "constants_only")) == {"space.mutates"}


def test_constants_only_fits_no_other_space() -> None:
    """A patch that changes nothing says so; Lion's own patch is known once its config is."""
    config_file.load(str(LION), [], [])
    tabnas = config_file.load(str(LION.with_name("tabnas.py")), [], [])
    with pytest.raises(UsageError, match=r"constants_only.*fits"):
        patch(tabnas, "constants_only")


def test_baselines_differ_from_the_search_in_one_thing() -> None:
    """Deliverable 8: constants, random programs, no cache; the evaluator, which all of them share, stays."""
    base = config_file.load(f"{LION}:laptop", [], [])
    differences = {name: changed(base, make(base)) for name, make in lion_baselines.METHODS.items()}
    assert differences.pop("search") == set()
    assert differences.pop("constants of AdamW") == {"space.mutates"}
    assert differences.pop("without the cache") == {"equivalence.keys"}
    assert {path.split(".")[0] for path in differences.pop("random search")} == {"search"}
    assert not differences


def test_a_search_of_constants(small: Experiment, executor: InProcessExecutor) -> None:
    """Deliverable 8: it starts from AdamW, finds better constants, and never leaves AdamW's statements."""
    found = searches.search(patch(small, "constants_only"), executor, PROGRAMS)
    first, *others = found.incumbents
    assert first.program == NAMED["adamw"]
    assert others
    assert all(skeleton(one.program) == skeleton(NAMED["adamw"]) for one in others)
    losses = [one.loss for one in found.incumbents]
    assert losses == sorted(losses, reverse=True)
    assert found.progress.operators.tallies.keys() == {"initial", "scale"}


def test_random_search_is_not_given_adamw(small: Experiment, executor: InProcessExecutor) -> None:
    """lion.md, section 6: random search draws programs; its first trial, the start, is for comparison only."""
    found = searches.search(patch(small, "random_search"), executor, PROGRAMS)
    assert found.incumbents
    assert found.incumbents[0].programs > 1
    assert NAMED["adamw"] not in [one.program for one in found.incumbents]


def test_the_cache_saves_evaluations_alone(small: Experiment, executor: InProcessExecutor) -> None:
    """Deliverable 8: where evaluations repeat exactly, a search without the cache takes the same path, at more cost."""
    runs = {}
    for keys in ("numeric", "off"):
        experiment: Any = small.clone(deep=True)
        experiment.rebind({"equivalence.keys": keys}, raise_on_no_change=False)
        runs[keys] = searches.search(experiment, executor, PROGRAMS)
    with_it, without = runs["numeric"], runs["off"]
    assert with_it.progress.unique < without.progress.unique == PROGRAMS
    assert [(one.programs, one.program) for one in with_it.incumbents] == [
        (one.programs, one.program) for one in without.incumbents
    ]


def test_several_objectives(small: Experiment, executor: InProcessExecutor) -> None:
    """Deliverable 7: loss, live length and state bytes span a front, of programs none of which beats another in all."""
    search = config_file.load(f"{LION}:pareto", [], [("search.population_size", "10")]).search
    assert isinstance(search, NSGA2)
    experiment: Any = small.clone(deep=True)
    experiment.rebind(search=search)
    archive = searches.search(experiment, executor, 2 * PROGRAMS).progress.archive.trials
    names = [objective.metric for objective in experiment.objectives]
    assert names == ["loss", "live_length", "state_bytes"]
    points = [tuple(trial.metrics[name] for name in names) for trial in archive]
    assert len(points) > 2
    for one, other in combinations(points, 2):
        assert any(a < b for a, b in zip(one, other, strict=True))
        assert any(a > b for a, b in zip(one, other, strict=True))
    assert len({state for _, _, state in points}) > 1
    assert {state for _, _, state in points} <= {0.0, 4.0, 8.0}
    assert isinstance(small.search, RegularizedEvolution)


def one_run(best: int, found: list[float], last_is_worse_by: list[float]) -> meta_overfitting.Run:
    """A run of three incumbents: which was best on larger tasks, when each was found, and the last one's losses."""
    fresh_best = np.linspace(0.7, 0.8, len(last_is_worse_by))
    elsewhere = np.where(np.arange(3) == best, 0.7, 0.9)
    return meta_overfitting.Run(
        np.array(found), np.array([1.0, 0.8, 0.6]), elsewhere, best, fresh_best, fresh_best + np.array(last_is_worse_by)
    )


def test_overfitting_is_told_from_luck() -> None:
    """Must show 3: early if the best was found in the first half, and the last is worse than it on fresh seeds."""
    times, worse, noise = [0.0, 0.3, 0.8], [0.1, 0.12, 0.09, 0.11], [0.1, -0.12, 0.09, -0.11]
    early, noisy = one_run(1, times, worse), one_run(1, times, noise)
    later, never = one_run(1, [0.0, 0.6, 0.8], worse), one_run(2, times, [0.0] * 4)
    same = one_run(1, times, [0.0] * 4)  # Another program of the same losses.
    assert [(run.overfits, run.early) for run in (early, noisy, later, never, same)] == [
        (True, True), (False, False), (True, False), (False, False), (False, False),
    ]  # fmt: skip
    assert not one_run(1, times, [-loss for loss in worse]).overfits  # Better on fresh seeds.
    found = meta_overfitting.summary([early, noisy, later, never])
    assert (found["runs"], found["overfit"], found["early"]) == (4, 2, 1)
    share, low, high = found["early_share"]
    assert 0.0 < low < share == 0.25 < high < 1.0
