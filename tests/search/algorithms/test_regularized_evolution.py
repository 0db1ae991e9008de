"""Regularized evolution: acceptance facts of regularized_evolution.md, section 6, and primer.md, fact 14."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from isozyme.evaluators.protocol import Job, Status
from isozyme.search import Mutation, Proposal, RegularizedEvolution, Trial
from isozyme.search.exam.toy_search import PointsEvaluator, ask_and_tell, record
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.objectives import Maximize
from isozyme.search.rules import Rules
from isozyme.tests.toys import OBJECTIVES, BitEvaluator, BitStrings, Runs, UniqueBitStrings, run_search, trace

GOLDEN = Path(__file__).parent / "golden" / "regularized_evolution.json"
FITNESS = (Maximize(metric="fitness", reference=0.0),)


def evolution(population_size, tournament_size, space=None, **members):
    return RegularizedEvolution(population_size, tournament_size, **members).start(space or BitStrings(), FITNESS)


def finished(number, candidate, fitness, parents=()):
    return Trial(number, Proposal(candidate, parents), Status.OK, metrics={"fitness": fitness})


def search_toy(rng, trials, tournament_size=10, sigma=0.01):
    """The toy of section 5 by ask and tell: the history as (reported, true) scores."""
    space = BitStrings(size=100, dead=0)
    algorithm = evolution(100, tournament_size, space)
    noise = rng.normal(0.0, sigma, trials).tolist()
    history = []

    def finish(number, proposal):
        true = sum(proposal.candidate) / 100
        reported = min(max(true + noise[number], 0.0), 1.0)
        history.append((reported, true))
        return finished(number, proposal.candidate, reported, proposal.parents)

    ask_and_tell(algorithm, trials, finish, lambda number: rng)
    return history


def test_c_evaluations_of_which_p_are_random(tmp_path):
    """Fact 1: exactly C evaluations in total, P of them random."""
    evaluator, space = BitEvaluator(), UniqueBitStrings()
    algorithm = RegularizedEvolution(population_size=15, tournament_size=4)
    rules = Rules(space, FITNESS, 2)
    progress, trials = run_search(tmp_path, rules, algorithm, InProcessExecutor(evaluator, rules), 60)
    assert len(evaluator.begun) == progress.unique == len(trials) == 60
    assert [len(trial.parents) for trial in trials] == [0] * 15 + [1] * 45
    assert len({trial.candidate for trial in trials[:15]}) > 10
    for trial in trials[15:]:
        parent = trials[trial.parents[0]].candidate
        assert sum(a != b for a, b in zip(parent, trial.candidate, strict=True)) == 1


@pytest.mark.parametrize("population_size", [1, 2, 7])
def test_each_trial_leaves_after_p_further_births(population_size):
    """Fact 1; primer.md, fact 14: each individual is removed after exactly P further births, however good it is."""
    algorithm = evolution(population_size, 400)  # So many draws leave no member out.
    rng = np.random.default_rng(0)
    for number in range(40):
        proposal = algorithm.propose(number, rng)
        if number >= population_size:  # The older, the better: the parent is the oldest one left.
            assert proposal.parents == (number - population_size,)
        algorithm.feedback(finished(number, proposal.candidate, -float(number)))


def test_the_newest_trial_may_be_a_parent():
    """Fact 1: a trial is in the population as soon as it is fed back."""
    algorithm, rng = evolution(5, 400), np.random.default_rng(0)
    for number in range(20):
        proposal = algorithm.propose(number, rng)
        assert proposal.parents == ((number - 1,) if number >= 5 else ())
        algorithm.feedback(finished(number, proposal.candidate, float(number)))


@pytest.mark.parametrize(("sigma", "mean", "deviation"), [(0.01, 0.891, 0.021), (0.05, 0.713, 0.036)])
def test_toy_table(sigma, mean, deviation):
    """Fact 2: the aging column of section 5 at C=1,000, within three standard errors of both means."""
    seeds = 30  # The table's own mean has 200.
    best = [max(search_toy(np.random.default_rng(seed), 1000, sigma=sigma))[1] for seed in range(seeds)]
    assert abs(np.mean(best) - mean) < 3 * deviation * math.sqrt(1 / seeds + 1 / 200)
    assert np.std(best) == pytest.approx(deviation, rel=3 / math.sqrt(2 * seeds) + 3 / math.sqrt(2 * 200))


def test_tournament_of_one_does_not_climb():
    """Fact 3: S=1 shows no upward trend; mutation keeps random bits at one half."""
    final = {
        size: np.array(
            [
                np.mean([true for _, true in search_toy(np.random.default_rng(seed), 500, size)[-100:]])
                for seed in range(20)
            ]
        )
        for size in (1, 2)
    }
    error = {size: means.std(ddof=1) / math.sqrt(len(means)) for size, means in final.items()}
    assert abs(final[1].mean() - 0.5) < 3 * error[1]
    assert final[2].mean() - 0.5 > 10 * error[2]


# Fact 4, P=5 and S=3: with replacement the best has rank k in (6-k)³ - (5-k)³ of 125 tournaments, without in
# (5-k choose 2) of 10, so that ranks 4 and 5 never occur.
RANKS = {
    True: {k: ((6 - k) ** 3 - (5 - k) ** 3) / 125 for k in range(1, 6)},
    False: {k: math.comb(5 - k, 2) / 10 for k in range(1, 6)},
}


@pytest.mark.parametrize("replacement", [True, False])
def test_rank_of_the_parent(replacement):
    """Fact 4: the exact distribution with and without replacement."""
    algorithm, rng = evolution(5, 3, replacement=replacement), np.random.default_rng(1)
    for number, fitness in enumerate([0.3, 0.5, 0.1, 0.4, 0.2]):
        algorithm.feedback(finished(number, (0,) * 12, fitness))
    rank = {1: 1, 3: 2, 0: 3, 4: 4, 2: 5}
    draws = 10_000
    seen = Counter(rank[algorithm.propose(5, rng).parents[0]] for _ in range(draws))
    expected = {k: draws * share for k, share in RANKS[replacement].items() if share}
    assert sum(expected.values()) == pytest.approx(draws)
    assert set(seen) == set(expected)
    chi_square = sum((seen[k] - expected[k]) ** 2 / expected[k] for k in expected)
    assert chi_square < {5: 18.47, 3: 13.82}[len(expected)]  # 99.9 % of one degree of freedom less.


def test_a_tournament_of_ten_out_of_ten_returns_the_best():
    """primer.md, fact 14: tournament of 10 without replacement returns the best."""
    rng = np.random.default_rng(2)
    fitness = rng.permutation(10)
    best = int(np.argmax(fitness))
    parents = {}
    for replacement in (False, True):
        algorithm = evolution(10, 10, replacement=replacement)
        for number in range(10):
            algorithm.feedback(finished(number, (0,) * 12, float(fitness[number])))
        parents[replacement] = {algorithm.propose(10, rng).parents[0] for _ in range(100)}
    assert parents[False] == {best}
    assert len(parents[True]) > 1


def test_proposals_change_nothing():
    """Fact 5: all state comes from feedback, so asking again gives the same answer."""
    algorithm = evolution(4, 2)
    for number in range(4):
        algorithm.feedback(finished(number, (0,) * 12, float(number % 3)))
    answers = [algorithm.propose(9, np.random.default_rng(7)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_runs_start_afresh():
    """Fact 5: the same seed gives the same history, also from settings used before."""
    used = RegularizedEvolution(population_size=8, tournament_size=3)
    assert golden_search(used) == golden_search(used)


def test_births_and_deaths_do_not_depend_on_the_workers():
    """Fact 5: with k workers in any order the same number of births and deaths, and P members after the drain."""
    for workers in (1, 3, 16):
        algorithm = Runs(RegularizedEvolution(population_size=12, tournament_size=3).start)
        events = record(algorithm, 100, PointsEvaluator(1), lag=workers, shuffled=workers > 1)
        fed = [event.number for event in events if isinstance(event, Trial)]
        assert sorted(fed) == list(range(100))
        assert algorithm.started[0].snapshot()["population"] == fed[-12:]


def test_warm_start_costs_one_evaluation(tmp_path):
    """Fact 6: P identical genomes cost one evaluation when a cache is on."""
    space, evaluator = BitStrings(start=(0, 1) * 6), BitEvaluator()
    algorithm = RegularizedEvolution(population_size=50, tournament_size=2)
    rules = Rules(space, FITNESS, 2, lag=4)
    progress, _ = run_search(tmp_path, rules, algorithm, InProcessExecutor(evaluator, rules), 50)
    assert evaluator.begun == [space.start]
    assert (progress.trials, progress.unique, progress.hits["static"]) == (50, 1, 49)


def test_identity_mutation():
    """Fact 8: identity mutation at 0.05 proposes the parent again in 5 % of cycles."""
    algorithm, rng = evolution(4, 2, variation=Mutation(identity=0.05)), np.random.default_rng(3)
    for number in range(4):
        algorithm.feedback(finished(number, (number % 2,) * 12, float(number)))
    cycles = 10_000
    copies = 0
    for _ in range(cycles):
        proposal = algorithm.propose(9, rng)
        copies += proposal.candidate == (proposal.parents[0] % 2,) * 12
        assert (proposal.operator == "identity") == (proposal.candidate == (proposal.parents[0] % 2,) * 12)
    assert abs(copies / cycles - 0.05) < 3 * math.sqrt(0.05 * 0.95 / cycles)


@pytest.mark.parametrize("status", [Status.CRASHED, Status.INVALID, Status.DIVERGED, Status.HURDLE, Status.PARTIAL])
def test_failures_take_a_place_and_lose_tournaments(status):
    """Fact 1 holds for failures: they are born and die like others, and are no parents while anyone else is there."""
    algorithm, rng = evolution(4, 400), np.random.default_rng(0)
    for number in range(4):
        ok = number == 1
        metrics = {"fitness": -5.0 if ok else 9.0}
        algorithm.feedback(
            Trial(number, Proposal((0,) * 12), Status.OK if ok else status, None if ok else "why", metrics)
        )
    assert {algorithm.propose(4, rng).parents for _ in range(20)} == {(1,)}
    for number in (4, 5):
        algorithm.feedback(Trial(number, Proposal((0,) * 12), status, "why"))
    parents = {algorithm.propose(6, rng).parents[0] for _ in range(50)}
    assert parents == {2, 3, 4, 5}  # Only failures are left, and the search goes on from them.


def golden_search(algorithm):
    """Forty trials by ask and tell, without a controller."""
    space, evaluator = BitStrings(), BitEvaluator(trouble={(4, 4): "diverge"})
    evaluator.setup(space, 5)

    def finish(number, proposal):
        short, full = evaluator.evaluate([Job(proposal.candidate, stage=stage) for stage in range(2)])
        metrics = {**full.metrics, **short.metrics, **space.form(proposal.candidate)}
        return Trial(number, proposal, full.status, full.reason, metrics)

    running = algorithm.start(space, OBJECTIVES)
    events = ask_and_tell(running, 40, finish, lambda number: np.random.default_rng([11, number]))
    return [trace(event) for event in events if isinstance(event, Trial)]


def test_golden_trace():
    """Fact 5: the same seed gives an identical history, also from one version of this project to the next."""
    rows = golden_search(RegularizedEvolution(population_size=8, tournament_size=3))
    golden = json.loads(GOLDEN.read_text())
    assert len(rows) == len(golden) == 40
    for row, expected in zip(rows, golden, strict=True):
        assert {name: row[name] for name in expected} == expected | {
            "metrics": pytest.approx(expected["metrics"], rel=1e-12)
        }


if __name__ == "__main__":  # After an intended change of a trajectory; read the difference.
    names = json.loads(GOLDEN.read_text())[0]
    written = golden_search(RegularizedEvolution(population_size=8, tournament_size=3))
    lines = ",\n".join(json.dumps({name: row[name] for name in names}) for row in written)
    GOLDEN.write_text(f"[\n{lines}\n]\n")
