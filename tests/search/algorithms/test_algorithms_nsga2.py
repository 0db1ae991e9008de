"""NSGA-II (Deb et al. 2002): ranks against moocore, survival and final fronts against pymoo, constraints, failures."""

from typing import Any

import moocore
import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import NSGA2, AtLeast, AtMost, Crossover, Minimize, Proposal, Trial
from isozyme.search.algorithms.dominance import crowding, dominates, ranks, survivors
from isozyme.search.exam.toy_search import OBJECTIVES, SPACE, ask_and_tell, record
from isozyme.tests.toys import Runs

TWO = (Minimize("first", 1.1), Minimize("second", 1.1))


def feasible(costs):
    return np.zeros(len(costs))


def random_sets(count, seed=0):
    """Sets of points: half of them on a coarse grid, so that many are equal in one objective or in all."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        shape = int(rng.integers(1, 60)), int(rng.integers(2, 5))
        yield rng.integers(4, size=shape).astype(float) if i % 2 else rng.random(shape)


def test_ranks_agree_with_moocore():
    """Deb et al., section III-A: fronts of 1,000 random sets, ties and duplicates among them."""
    duplicates = 0
    for costs in random_sets(1_000):
        duplicates += len(np.unique(costs, axis=0)) < len(costs)
        np.testing.assert_array_equal(ranks(costs, feasible(costs)), moocore.pareto_rank(costs))
    assert duplicates > 300
    large = np.random.default_rng(1).random((2_000, 3))
    np.testing.assert_array_equal(ranks(large, feasible(large)), moocore.pareto_rank(large))


def test_constrained_domination():
    """Deb et al., definition 1, literally: feasibility first, then the sum of violations, then the objectives."""
    rng = np.random.default_rng(2)
    for costs in random_sets(60, seed=3):
        violations = np.maximum(rng.integers(-2, 3, size=len(costs)), 0).astype(float)
        violations[rng.random(len(costs)) < 0.1] = np.inf  # Failures.
        found = dominates(costs, violations)
        for i in range(len(costs)):
            for j in range(len(costs)):
                if violations[i] == violations[j] == 0.0:
                    expected = (costs[i] <= costs[j]).all() and (costs[i] < costs[j]).any()
                else:
                    expected = violations[i] < violations[j]
                assert found[i, j] == expected
        rank = ranks(costs, violations)
        for i in range(len(costs)):  # A point's front follows that of the last one that dominates it.
            assert rank[i] == max(rank[found[:, i]], default=-1) + 1


def test_crowding_distance():
    """Deb et al., section III-B, by hand; a second copy of a point has no distance, and takes none from others."""
    costs = np.array([[0.0, 4.0], [1.0, 2.0], [2.0, 1.0], [4.0, 0.0]])
    expected = [np.inf, 2 / 4 + 3 / 4, 3 / 4 + 2 / 4, np.inf]
    np.testing.assert_allclose(crowding(costs), expected)
    np.testing.assert_allclose(crowding(costs[[1, 0, 1, 2, 3, 3]]), [1.25, np.inf, 0.0, 1.25, np.inf, 0.0])
    np.testing.assert_array_equal(crowding(np.full((3, 2), 7.0)), [np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(crowding(np.array([[0.0, np.inf], [np.inf, np.inf]])), [0.0, 0.0])


def pymoo_survival(costs, violations, count):
    """Indices of pymoo's survivors, and of the feasible ones rank and crowding."""
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    problem = Problem(n_var=1, n_obj=costs.shape[1], n_ieq_constr=1)
    numbers = np.arange(len(costs))
    population = Population.new(X=numbers[:, None], F=costs, G=violations[:, None], H=np.empty((len(costs), 0)))
    kept = RankAndCrowding().do(problem, population, n_survive=count, random_state=np.random.default_rng(0))
    measured = [(one.get("rank"), one.get("crowding")) for one in kept if one.FEAS[0]]
    return {int(one.X[0]) for one in kept}, sorted(measured)


def test_survival_agrees_with_pymoo():
    """Deb et al., section III-C: who survives by rank and crowding, constraints included, exactly as in pymoo."""
    rng = np.random.default_rng(4)
    compared = 0
    for _ in range(200):
        total, objectives = int(rng.integers(4, 80)), int(rng.integers(2, 4))
        costs = rng.random((total, objectives))
        violations = np.maximum(rng.random(total) - rng.random(), 0.0)  # From none infeasible to all.
        count = int(rng.integers(1, total + 1))
        chosen, rank, distance = survivors(costs, violations, count)
        expected, measured = pymoo_survival(costs, violations, count)
        sound = violations[chosen] == 0.0
        found = np.array(sorted(zip(rank[sound], distance[sound] / objectives, strict=True)))
        np.testing.assert_allclose(found, np.array(measured).reshape(found.shape), rtol=1e-12)
        last = rank == rank[-1]
        whole = last.sum() == (ranks(costs, violations) == rank[-1]).sum()
        if whole or np.isfinite(distance[last]).any():  # Else chance decides between the ends of the last front.
            compared += 1
            assert set(chosen.tolist()) == expected
    assert compared > 150


class Box:
    """Vectors of [0, 1]^10 under simulated binary crossover and polynomial mutation, with pymoo's settings."""

    size = 10

    def __init__(self):
        from pymoo.operators.crossover.sbx import cross_sbx
        from pymoo.operators.mutation.pm import mut_pm

        self._cross, self._mutate = cross_sbx, mut_pm
        self._bounds = np.zeros(self.size), np.ones(self.size)

    def initial(self, rng):
        return tuple(rng.random(self.size).tolist())

    def cross(self, first, second, rng):
        parents = np.array([first, second])[:, None, :]
        half = np.array([[0.5]])
        children = self._cross(parents, *self._bounds, np.array([[15.0]]), 0.5, half, random_state=rng)
        return tuple(children[0, 0].tolist())

    def mutate(self, candidate, rng):
        if rng.random() >= 0.9:
            return candidate
        share, strength = np.array([1 / self.size]), np.array([20.0])
        child = self._mutate(np.array([candidate]), *self._bounds, strength, share, False, random_state=rng)
        return tuple(child[0].tolist())


def zdt1(vector):
    """Zitzler, Deb, Thiele 2000, the first problem."""
    distance = 1 + 9 * sum(vector[1:]) / (len(vector) - 1)
    return vector[0], distance * (1 - (vector[0] / distance) ** 0.5)


def our_front(seed, size, trials):
    space: Any = Box()  # Only what NSGA-II asks for.
    algorithm = NSGA2(size, variation=Crossover(0.9)).start(space, TWO)
    costs = {}

    def finish(number, proposal):
        costs[number] = zdt1(proposal.candidate)
        first, second = costs[number]
        return Trial(number, proposal, Status.OK, metrics={"first": first, "second": second})

    ask_and_tell(algorithm, trials, finish, lambda number: np.random.default_rng([seed, number]))
    return np.array([costs[number] for number, _, _ in algorithm.snapshot()["population"]])


def pymoo_front(seed, size, trials):
    from pymoo.algorithms.moo.nsga2 import NSGA2 as Theirs  # noqa: N811
    from pymoo.optimize import minimize
    from pymoo.problems import get_problem

    problem = get_problem("zdt1", n_var=Box.size)
    front = minimize(problem, Theirs(pop_size=size), ("n_gen", trials // size), seed=seed).F
    assert front is not None
    return front


def test_final_hypervolume_agrees_with_pymoo():
    """Deb et al., section IV: on ZDT1, with the same operators, as good a front as pymoo's after the same trials."""
    size, trials, seeds = 40, 2_000, 6
    volumes = np.array(
        [
            [moocore.hypervolume(front(seed, size, trials), ref=[1.1, 1.1]) for seed in range(1, seeds + 1)]
            for front in (our_front, pymoo_front)
        ]
    )
    ours, theirs = volumes.mean(axis=1)
    error = np.sqrt(volumes.var(axis=1, ddof=1).sum() / seeds)
    assert abs(ours - theirs) < 3 * error
    assert error < 0.02 * theirs  # So small that a worse algorithm would show.


# --- the algorithm ---


def told(algorithm, rows):
    """Numbers of the population of a run that has been fed trials given as (status, metrics)."""
    for number, (status, metrics) in enumerate(rows):
        algorithm.feedback(Trial(number, Proposal((number % 16, 0)), status, metrics=metrics))
    return {number for number, _, _ in algorithm.snapshot()["population"]}


def two(first, second, **more):
    return Status.OK, {"first": first, "second": second, **more}


def nsga2(size, **members):
    return NSGA2(size, **members).start(SPACE, TWO)


def test_selection_whenever_n_more_are_back():
    """Deb et al., section III-C, in steady state: the population changes with every N trials fed back."""
    algorithm = nsga2(3)
    assert told(algorithm, [two(1, 9), two(2, 2)]) == set()
    assert algorithm.propose(4, np.random.default_rng(0)).operator == "initial"
    rows = [two(1, 9), two(2, 2), two(9, 1), two(0, 0), two(8, 8)]
    assert told(nsga2(3), rows) == {0, 1, 2}
    assert told(nsga2(3), [*rows, two(1, 8.5)]) == {3, 5, 2}  # Then the ends of the second front.


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_failures_are_dominated_by_everything(status):
    """Design, section 3.7: a failure is worse than any score, whatever metrics it brings."""
    rows = [(status, {"first": -9.0, "second": -9.0}), two(5, 5), (status, {}), two(6, 6)]
    assert told(nsga2(2), rows) == {1, 3}
    algorithm = nsga2(2)
    assert told(algorithm, [rows[0], rows[2]]) == {0, 1}  # Nothing else is there, and the search goes on from them.
    assert algorithm.propose(9, np.random.default_rng(0)).parents


def test_constraints():
    """Deb et al., section VI: the feasible first, then by the sum of violations, in units of their limits."""
    constraints = [AtMost("bytes", 100.0), AtLeast("accuracy", 0.5)]
    rows = [
        two(0, 0, bytes=150.0, accuracy=0.5),  # 0.5
        two(0, 0, bytes=100.0, accuracy=0.3),  # 0.4
        two(0, 0, bytes=120.0, accuracy=0.45),  # 0.2 + 0.1
        two(9, 9, bytes=100.0, accuracy=0.5),  # Feasible.
        two(0, 0, bytes=10.0),  # Unknown, as good as a failure.
        (Status.CRASHED, {}),
    ]
    orders = [told(nsga2(size, constraints=constraints), rows[: 6 // size * size]) for size in (2, 3)]
    assert orders == [{3, 2}, {3, 2, 1}]
    assert told(nsga2(3), rows[:3]) == {0, 1, 2}
    assert told(nsga2(3), rows) == {0, 3, 1}  # Without constraints all at 0 are the same, and copies go last.


def test_copies_do_not_fill_the_population():
    """Our own addition: what repeats costs goes after all others but failures, so that small fronts leave room."""
    rows = [two(1, 1), two(1, 1), two(2, 2), (Status.CRASHED, {}), two(1, 1), two(3, 3)]
    assert told(nsga2(3), rows) == {0, 2, 5}
    assert told(nsga2(2), rows[:4]) == {0, 2}
    assert told(nsga2(4), [*rows[:4], *[(Status.CRASHED, {})] * 4]) == {0, 1, 2, 3}


def test_constraint_units():
    """Deb et al., section VI: violations are added, so they are relative; a limit of 0 has no size."""
    assert AtMost("a", 200.0).violation({"a": 250.0}) == 0.25
    assert AtMost("a", 200.0).violation({"a": 200.0}) == 0.0
    assert AtMost("a", -4.0).violation({"a": -3.0}) == 0.25
    assert AtLeast("a", 4.0).violation({"a": 3.0}) == 0.25
    assert AtLeast("a", 0.0).violation({"a": -3.0}) == 3.0
    assert AtMost("a", 1.0).violation({"b": 0.0}) == np.inf


def test_twins_do_not_fill_the_population():
    """Deb et al., section III-B, with equal points: a population of twins makes room for whoever differs."""
    rows = [*[two(1, 1)] * 4, two(0, 2), two(2, 0), two(0.5, 1.5), two(5, 5)]
    assert told(nsga2(4), rows) == {0, 4, 5, 6}


def costs_in(trial):
    return tuple(objective.cost(trial.metrics) for objective in OBJECTIVES)


def test_it_finds_the_front():
    """Deb et al., section IV, on 16 points: the final population holds all of the front that can be had."""
    algorithm = Runs(NSGA2(16).start)
    costs_of = {t.number: costs_in(t) for t in record(algorithm, 400, lag=8, shuffled=True) if isinstance(t, Trial)}
    found = {costs_of[number] for number, _, _ in algorithm.started[0].snapshot()["population"]}
    everything = {}
    for trial in record(NSGA2(400), 400):
        if isinstance(trial, Trial):
            everything[trial.candidate[0]] = costs_in(trial)
    costs = np.array(list(everything.values()))
    assert len(costs) == 16
    front = {tuple(point) for point in costs[moocore.is_nondominated(costs)].tolist()}
    assert front <= found
