"""Real Ray workers: the trajectory of one process, whatever candidates do to them and whoever kills them."""

import random
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import replace

import psutil
import pytest

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Status
from isozyme.search import Controller, Journal, QuantileHurdle, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Request, SetupFailed
from isozyme.search.executors.ray_cluster import backlog, connection, worker_handle
from isozyme.search.executors.ray_cluster import executor as executor_module
from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources
from isozyme.search.executors.ray_cluster.executor import RayExecutor
from isozyme.search.rules import Rules
from isozyme.tests.toys import (
    LAG,
    OBJECTIVES,
    SEED,
    SPACE,
    STATUSES,
    TRIALS,
    TROUBLE,
    BitEvaluator,
    UnreadyEvaluator,
    trace,
)

pytestmark = pytest.mark.ray

WORKERS = 2
HANG = 300.0  # seconds
POISON = (7, 6)


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (7 - first) + [1] * second + [0] * (7 - second) + [0, 0])


RULES = Rules(SPACE, OBJECTIVES, 2, QuantileHurdle("short_loss", warmup=6, window=12, quantile=0.6), SEED, LAG)


@pytest.fixture(scope="module")
def ray():
    """Ray with room for all executors of this module, one after the other."""
    connection.start_cluster(WORKERS, Resources())
    import ray

    yield ray
    ray.shutdown()


@pytest.fixture
def executor(ray, monkeypatch):
    """Makes executors. There is room for all workers, and no worker that starts slowly is taken to miss any."""
    monkeypatch.setattr(executor_module, "SHORTAGE_SECONDS", HANG)
    made = []

    def make(evaluator, workers=WORKERS, limit=None):
        cluster = Cluster(workers, None, process.environment(), limit=limit)
        made.append(RayExecutor(evaluator, RULES, cluster))
        return made[-1]

    yield make
    for one in made:
        one.close()


def search(folder, executor, algorithm=None, trials=TRIALS, lag=LAG):
    folder.mkdir(exist_ok=True)
    algorithm = algorithm or RegularizedEvolution(population_size=10, tournament_size=3)
    with closing(Journal.open(folder)) as journal:
        Controller(replace(RULES, lag=lag), algorithm, journal, executor).run(trials)
        return list(journal.trials(SPACE.from_source))


def collect(executor, count):
    """So many answers, by ticket."""
    answers, deadline = {}, time.monotonic() + HANG
    while len(answers) < count:
        assert time.monotonic() < deadline, f"{len(answers)} of {count} answers"
        for ticket, answer in executor.collect(1.0):
            assert ticket not in answers
            answers[ticket] = answer
    return answers


def process_of(worker):
    """The process of the Ray actor, whose evaluation process is a child of it."""
    return psutil.Process(int(worker.name.rpartition(":")[2]))


def made_quick(executor):
    """Shows an executor quick evaluations until it sends many at a time; a busy machine has slow ones among them."""
    while executor.backlog.seconds > 1e-3:
        for ticket in range(400):
            executor.submit(10_000 + ticket, Request(bits(ticket % 6, ticket % 7)))
        collect(executor, 400)
    assert executor.backlog.batch_size(1) == 1  # Nothing waits.
    executor.backlog.queue.extend((n, Request(bits(0, 0))) for n in range(100))
    size = executor.backlog.batch_size(WORKERS)
    executor.backlog.queue.clear()
    assert size > 10


def test_trajectory_is_that_of_one_process(executor, tmp_path):
    """Design, section 3.4: the trajectory depends on seed and lag, not on timing or the number of workers; nothing is
    evaluated twice."""
    log = tmp_path / "log"
    trouble = {behaviour: "raise" if what == "exit" else what for behaviour, what in TROUBLE.items()}
    parallel = search(tmp_path / "ray", executor(BitEvaluator(trouble=trouble, delay=0.02, log=log)))
    own = InProcessExecutor(BitEvaluator(trouble=trouble), RULES)
    single = search(tmp_path / "single", own)
    assert [trace(trial) for trial in parallel] == [trace(trial) for trial in single]
    assert {trial.status for trial in single} == STATUSES
    assert {trial.hit for trial in single} == {None, "static", "numeric"}
    assert set(Counter(log.read_text().splitlines()).values()) == {1}
    assert {trial.effort.attempts for trial in parallel} == {0, 1}
    assert all(bool(trial.effort.worker) == trial.evaluated for trial in parallel)


@pytest.mark.parametrize(
    ("trouble", "limit", "status", "attempts", "reason"),
    [
        ("exit", None, Status.CRASHED, 3, "quarantined: the worker died 3 times while evaluating it: exit code 3"),
        ("sleep in native code", 2.0, Status.TIMED_OUT, 1, "stopped at the limit of 2 s"),
    ],
)
def test_one_bad_candidate_in_a_batch_of_quick_ones(executor, tmp_path, trouble, limit, status, attempts, reason):
    """Only it fails, and its neighbours are evaluated once, and not held to have failed."""
    log = tmp_path / "log"
    made = executor(BitEvaluator(trouble={POISON: trouble}, log=log), limit=limit)
    made_quick(made)
    log.unlink()
    candidates = [bits(n % 6, n % 7) for n in range(100)]
    candidates[50] = bits(*POISON)
    for ticket, candidate in enumerate(candidates):
        made.submit(ticket, Request(candidate))
    answers = collect(made, len(candidates))
    (poison,) = answers[50].outcomes
    assert (poison.status, poison.reason, answers[50].attempts) == (status, reason, attempts)
    others = [answers[ticket] for ticket in range(100) if ticket != 50]
    assert {(answer.outcomes[0].status, answer.attempts) for answer in others} == {(Status.OK, 1)}
    assert len(log.read_text().splitlines()) == len(others) + attempts


def test_a_candidate_that_takes_its_worker_along(executor, monkeypatch):
    """It is tried alone and quarantined in the end; the others of its batch, which died with it, are not."""
    monkeypatch.setattr(backlog, "LONE_DEATHS", 2)
    made = executor(BitEvaluator(trouble={POISON: "kill the worker"}, troubled_from=1))
    candidates = [bits(0, 1), bits(*POISON), bits(1, 0)]
    made.backlog.queue.extend((n, Request(c, last=1)) for n, c in enumerate(candidates))
    made.backlog.seconds = 1e-3  # All in one batch.
    made.conditions("search")
    answers = collect(made, 3)
    assert [[outcome.status for outcome in answers[n].outcomes] for n in range(3)] == [
        [Status.OK, Status.OK], [Status.OK, Status.CRASHED], [Status.OK, Status.OK]
    ]  # fmt: skip
    assert answers[1].attempts == 3
    reason = answers[1].outcomes[1].reason
    assert reason.startswith("quarantined: the worker died 3 times while evaluating it: ")
    assert "\n" not in reason


def test_the_death_of_an_idle_worker_is_not_blamed_on_what_it_would_get_next(executor):
    """Nobody waits for an idle worker, so that nothing says that it is dead before it is asked."""
    made = executor(BitEvaluator(), workers=1)
    made.conditions("search")
    process_of(made.workers[0]).kill()
    made.backlog.starved.append((0, Request(bits(0, 1), last=1)))
    assert collect(made, 1)[0].attempts == 1


class Killer(threading.Thread):
    """Kills workers and the processes that evaluate for them, at random, each time that something has been evaluated.

    What a worker was at when it died runs alone: that worker is killed as well, three times.
    """

    def __init__(self, executor, log):
        super().__init__()
        self._executor, self._log = executor, log
        self.over, self.kills, self.alone = threading.Event(), 0, 0

    def run(self):
        seen = 0
        while not self.over.wait(random.uniform(0.0, 0.1)):
            written = self._log.stat().st_size if self._log.exists() else 0
            busy = [worker for worker in self._executor.workers if worker.name and worker.batches]
            alone = [one for one in busy if one.batches[0].queue is self._executor.backlog.suspects]
            with suppress(psutil.NoSuchProcess, IndexError):
                if alone and self.alone < 3:
                    process_of(alone[0]).kill()
                    self.alone += 1
                elif busy and not alone and written > seen and self.kills < 6:
                    victim = process_of(random.choice(busy))
                    random.choice([victim, *victim.children()]).kill()
                    self.kills += 1
                    seen = written


def test_killed_workers_change_nothing(executor, tmp_path):
    """The trajectory of one process; what was under way is tried again, and nobody is quarantined for it."""
    log = tmp_path / "log"
    trouble = {behaviour: "raise" if what == "exit" else what for behaviour, what in TROUBLE.items()}
    made = executor(BitEvaluator(trouble=trouble, delay=0.1, log=log))
    killer = Killer(made, log)
    killer.start()
    try:
        struck = search(tmp_path / "ray", made)
    finally:
        killer.over.set()
        killer.join()
    own = InProcessExecutor(BitEvaluator(trouble=trouble), RULES)
    assert [trace(trial) for trial in struck] == [trace(trial) for trial in search(tmp_path / "single", own)]
    assert killer.kills + killer.alone > 3
    assert max(trial.effort.attempts for trial in struck) > 1


def test_a_worker_that_does_not_answer_is_replaced(executor, monkeypatch):
    """One that has been stopped, here; it keeps the limit itself otherwise."""
    monkeypatch.setattr(worker_handle, "GRACE", -20.0)  # So that it is overdue after a second and four set-ups.
    made = executor(BitEvaluator(delay=0.2), workers=1, limit=5.0)
    assert made.conditions("selection") == "bits, selection"  # They come from a worker.
    made.submit(0, Request(bits(1, 2)))
    stopped = process_of(made.workers[0])
    stopped.suspend()
    answer = collect(made, 1)[0]
    assert answer.outcomes[0].status is Status.OK
    assert answer.worker.rpartition(":")[2] != str(stopped.pid)


def test_a_failed_setup_says_why_in_one_line(executor):
    with pytest.raises(SetupFailed) as failure:
        executor(UnreadyEvaluator()).conditions("search")
    assert str(failure.value) == "the evaluator cannot be set up: OSError: no such data set"
