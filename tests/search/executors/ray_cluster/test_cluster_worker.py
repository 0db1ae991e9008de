"""What a candidate does to its process, and what the worker that holds the process makes of it. No cluster here."""

import pickle
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress

import psutil
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.ray_cluster.evaluation_process import Payload, unpacked
from isozyme.search.executors.ray_cluster.worker import Worker
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.tests.toys import BitEvaluator, BitStrings, UnreadyEvaluator

SPACE = BitStrings()
POISON = (3, 3)
HANG = 300.0  # seconds
KILLS = 4


def bits(first, second):
    """A candidate with so many ones in its halves."""
    return tuple([1] * first + [0] * (5 - first) + [1] * second + [0] * (5 - second) + [0, 0])


NEIGHBOURS = [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 1)]
BATCH = [*NEIGHBOURS[:4], POISON, *NEIGHBOURS[4:]]


def batch(behaviours=BATCH, last=1):
    return pickle.dumps([tuple(Request(bits(*behaviour), last=last)) for behaviour in behaviours])


@pytest.fixture
def worker():
    """Makes workers, which are set up."""
    made = []

    def make(trouble=None, limit=None, memory=0, **members):
        evaluator = BitEvaluator(trouble={POISON: trouble} if trouble else {}, **members)
        made.append(Worker(Payload(Sources(), pickle.dumps((evaluator, SPACE, 0, None)), {}), limit, memory))
        assert made[-1].set_up() == ""
        return made[-1]

    yield make
    for one in made:
        one.close()


def read(report):
    """Outcomes by place in the batch, and the places of those that are done."""
    outcomes, done = {}, set()
    for record in unpacked(report.records):
        outcomes.setdefault(record.place, []).append(record.outcome)
        done |= {record.place} if record.done else set()
    return outcomes, done


def test_a_worker_evaluates_as_the_process_itself_does(worker):
    own = BitEvaluator()
    own.setup(SPACE, 0)
    outcomes, done = read(worker().run(batch(), len(BATCH), False))
    assert done == set(range(len(BATCH)))
    for place, behaviour in enumerate(BATCH):
        expected = run_request(own, Request(bits(*behaviour), last=1), None, Alarm(None))
        assert [o.metrics for o in outcomes[place]] == [o.metrics for o in expected]


@pytest.mark.parametrize(
    ("trouble", "what", "times"), [("exit", "exit code 3", 3), ("segfault", "SIGSEGV", 3), ("killed", "SIGKILL", 10)]
)
def test_what_kills_its_process_is_quarantined_alone(worker, tmp_path, trouble, what, times):
    """In its second stage: the first one counts. Its neighbours are evaluated once. SIGKILL may come from others."""
    log = tmp_path / "log"
    held = worker(trouble, troubled_from=1, log=log)
    report = held.run(batch(), len(BATCH), False)
    outcomes, done = read(report)
    place = BATCH.index(POISON)
    assert report.casualty == (place, times)
    assert done == set(range(place + 1))
    assert [outcome.status for outcome in outcomes[place]] == [Status.OK, Status.CRASHED]
    assert outcomes[place][1].reason == f"quarantined: the worker died {times} times while evaluating it: {what}"
    assert {o.status for p in range(place) for o in outcomes[p]} == {Status.OK}
    lines = log.read_text().splitlines()
    assert lines.count(f"{SPACE.to_source(bits(*POISON))} search 0") == 1
    assert lines.count(f"{SPACE.to_source(bits(*POISON))} search 1") == times
    assert len(lines) == 2 * place + 1 + times
    _, done = read(held.run(batch(NEIGHBOURS), len(NEIGHBOURS), False))  # It goes on.
    assert done == set(range(len(NEIGHBOURS)))


@pytest.mark.parametrize("trouble", ["sleep", "sleep, deaf", "sleep in native code"])
def test_what_takes_too_long_is_stopped_whatever_it_does(worker, trouble):
    """At the first time, and only it; it is said as in a search in one process."""
    report = worker(trouble, limit=1.0, troubled_from=1).run(batch(), len(BATCH), False)
    outcomes, _ = read(report)
    place = BATCH.index(POISON)
    assert report.casualty == (place, 1)
    assert {o.status for p in range(place) for o in outcomes[p]} == {Status.OK}
    first, second = outcomes[place]
    assert first.status is Status.OK
    assert (second.status, second.reason) == (Status.TIMED_OUT, "stopped at the limit of 1 s")
    assert second.seconds > 1.0


def test_the_limit_is_that_of_a_stage(worker):
    """Many stages that keep it may take longer together."""
    outcomes, done = read(worker(limit=1.0, delay=0.1).run(batch([NEIGHBOURS[0]], last=39), 1, False))
    assert done == {0}
    assert {outcome.status for outcome in outcomes[0]} == {Status.OK}
    assert sum(outcome.seconds for outcome in outcomes[0]) > 1.0


def test_what_holds_too_much_memory_is_stopped(worker):
    """Twice alone before it is given up, since what others leave behind is counted as well."""
    report = worker("fill memory", memory=3 * 10**8).run(batch([POISON]), 1, False)
    ((outcome,),) = read(report)[0].values()
    assert outcome.status is Status.OUT_OF_MEMORY
    assert "died 3 times while evaluating it: it held " in outcome.reason
    assert outcome.reason.endswith("GB, more than the 0.3 GB of a worker")


def test_a_process_killed_from_outside_takes_nothing_with_it(worker, tmp_path):
    """At random moments, and so often that it could have been each candidate's fault: every stage is evaluated once,
    but for the one that was under way. Candidates are evaluated until so many processes have been killed."""
    log = tmp_path / "log"
    held = worker(delay=0.06, log=log)
    kills, over = set(), threading.Event()

    def kill():
        seen = 0
        while len(kills) < KILLS and not over.wait(random.uniform(0.0, 0.2)):
            if log.exists() and log.stat().st_size > seen:  # Something is evaluated.
                seen = log.stat().st_size
                for process in psutil.Process().children():
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                        kills.add(process.pid)

    killer = threading.Thread(target=kill)
    candidates = [bits(first, second) for first in range(5) for second in range(5)]
    left: list[tuple[int, ...]] = []
    size, attempts, deadline = 0, 0, time.monotonic() + HANG
    killer.start()
    try:
        while (left or len(kills) < KILLS) and time.monotonic() < deadline:
            if not left:
                left, size = candidates, size + len(candidates)
            requests = pickle.dumps([tuple(Request(candidate, last=1)) for candidate in left])
            report = held.run(requests, len(left), False)
            outcomes, done = read(report)
            assert {o.status for stages in outcomes.values() for o in stages} <= {Status.OK}
            assert all(len(outcomes[place]) == 2 for place in done)
            left = [candidate for place, candidate in enumerate(left) if place not in done]
            attempts += report.casualty[1] - 1 if report.casualty else 0
    finally:
        over.set()
        killer.join()
    assert not left
    assert len(kills) == KILLS
    assert 2 * size <= len(log.read_text().splitlines()) <= 2 * size + attempts


@pytest.mark.parametrize(
    ("condition", "why"), [("raises", "OSError: no such data set"), ("dies", "its process died 3 times: SIGABRT")]
)
def test_a_failed_setup_says_why_in_one_line(condition, why):
    payload = Payload(Sources(), pickle.dumps((UnreadyEvaluator(condition=condition), SPACE, 0, None)), {})
    assert Worker(payload, None, 0).set_up() == why


def test_what_an_evaluation_has_started_ends_with_it(worker):
    """Else it would go on using the machine."""
    held = worker("wait for another process", limit=1.0)
    running = threading.Thread(target=held.run, args=(batch([POISON]), 1, False))
    running.start()
    helpers, deadline = [], time.monotonic() + HANG
    while not helpers and time.monotonic() < deadline:
        helpers = [one for one in psutil.Process().children(recursive=True) if one.name() == "sleep"]
    running.join()
    assert len(helpers) == 1
    assert psutil.wait_procs(helpers, timeout=HANG)[1] == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent has died")
def test_no_evaluation_outlives_its_worker():
    """Also where the worker is killed without a chance to clean up."""
    code = """
import pickle, psutil, sys
from isozyme.search.executors.ray_cluster.evaluation_process import Payload
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.ray_cluster.worker import Worker
from isozyme.tests.toys import BitEvaluator, BitStrings, UnreadyEvaluator
held = Worker(Payload(Sources(), pickle.dumps((BitEvaluator(), BitStrings(), 0, None)), {}), None, 0)
held.set_up()
print(*(one.pid for one in psutil.Process().children()), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        evaluating = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(evaluating) == 1
        parent.kill()
        assert psutil.wait_procs(evaluating, timeout=HANG)[1] == []
