"""Real Ray workers: the trajectory of one process, and workers that die. Ray starts twice in this module."""

from collections import Counter

import pytest

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Job, Status
from isozyme.search import Controller, Journal, QuantileHurdle, RegularizedEvolution
from isozyme.search.executors import InProcessExecutor
from isozyme.search.ray_executor import RayExecutor
from isozyme.tests.toys import LAG, OBJECTIVES, SEED, SPACE, STATUSES, TRIALS, TROUBLE, BitEvaluator, Scripted, trace


def search(folder, executor, algorithm=None, trials=TRIALS):
    folder.mkdir(exist_ok=True)
    algorithm = algorithm or RegularizedEvolution(population_size=10, tournament_size=3)
    journal = Journal.open(folder)
    hurdle = QuantileHurdle(warmup=6, window=12, quantile=0.6)
    Controller(SPACE, algorithm, OBJECTIVES, journal, executor, SEED, LAG, hurdle).run(trials)
    rows = list(journal.trials(SPACE.from_source))
    journal.close()
    return rows


@pytest.fixture(scope="module", params=[1, 2])
def ray(request, tmp_path_factory):
    """An executor with workers that dawdle at random, and the log of what they evaluated."""
    log = tmp_path_factory.mktemp("log") / "evaluated.txt"
    evaluator = BitEvaluator(trouble=TROUBLE, delay=0.02, log=log)
    executor = RayExecutor(evaluator, SPACE, SEED, request.param, None, process.environment())
    yield executor, log
    executor.close()


def evaluated(log, candidates):
    """How often each of these candidates was evaluated, in any process."""
    counts = Counter(line.split()[0] for line in log.read_text().splitlines())
    return [counts[SPACE.to_source(candidate)] for candidate in candidates]


def test_trajectory_is_that_of_one_process(ray, tmp_path):
    """Design, section 3.4: the trajectory depends on seed and lag, not on timing or the number of workers."""
    executor, log = ray
    parallel = search(tmp_path / "ray", executor)
    counts = Counter(log.read_text().splitlines())
    own = InProcessExecutor(BitEvaluator(trouble=TROUBLE), SPACE, SEED)
    single = search(tmp_path / "single", own)
    assert [trace(trial) for trial in parallel] == [trace(trial) for trial in single]
    assert {trial.status for trial in single} == STATUSES
    assert {trial.hit for trial in single} == {None, "static", "numeric"}
    owners = [t for t in single if t.cached_from is None and t.status is not Status.INVALID]
    assert counts == Counter(f"{SPACE.to_source(t.candidate)} search" for t in owners)


def bits(first, second):
    return tuple([1] * first + [0] * (7 - first) + [1] * second + [0] * (7 - second) + [0, 0])


def test_a_job_that_kills_its_worker_twice_is_a_crash(ray, tmp_path):
    """Design, section 3.7: one poison candidate costs two workers and becomes a result; the others are unharmed."""
    executor, log = ray
    poison = bits(7, 7)
    candidates = [bits(0, 1), bits(1, 0), poison, bits(0, 2), bits(2, 0), bits(1, 2), poison, bits(0, 3), bits(3, 0)]
    rows = search(tmp_path, executor, Scripted(candidates), len(candidates))
    assert [trial.status for trial in rows] == [
        Status.CRASHED if candidate == poison else Status.OK for candidate in candidates
    ]
    assert rows[2].reason is not None
    assert rows[2].reason.startswith("the worker died 2 times while evaluating it: ")
    assert "\n" not in rows[2].reason
    assert rows[6].cached_from == 2
    assert evaluated(log, [poison]) == [2]


def test_a_restarted_worker_goes_on(ray):
    """After the deaths of the test before, or without them: jobs in, outcomes out, under their tickets."""
    executor, _ = ray
    tickets = {100 + i: Job(bits(i, 5 - i), "final") for i in range(3)}
    for ticket, job in tickets.items():
        executor.submit(ticket, job)
    outcomes = {}
    while len(outcomes) < len(tickets):
        outcomes.update(executor.collect(5.0))
    own = BitEvaluator()
    own.setup(SPACE, SEED)
    expected = own.evaluate(list(tickets.values()))
    assert [outcomes[ticket].metrics for ticket in tickets] == [outcome.metrics for outcome in expected]


def test_conditions_come_from_the_workers(ray):
    executor, _ = ray
    assert executor.conditions("selection") == "bits, selection"
