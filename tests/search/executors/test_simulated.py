"""The simulated executor: its virtual time is what one computes by hand, and it leaves the search as it is."""

import time
from dataclasses import replace

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search.algorithms import RandomSearch, RegularizedEvolution
from isozyme.search.controller.controller import Controller
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import DEATHS
from isozyme.search.executors.simulated import SimulatedExecutor, constant, exponential, lognormal, straggling
from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import Minimize
from isozyme.search.rules import Rules
from isozyme.tests.toys import OBJECTIVES, SEED, SPACE, TROUBLE, BitEvaluator, UniqueBitStrings, run_search, trace

TIMES = {
    "constant": constant(60.0),
    "exponential": exponential(60.0),
    "lognormal": lognormal(60.0, 1.0),
    "straggling": straggling(exponential(60.0), 0.1, 10.0),
}
RULES = Rules(SPACE, OBJECTIVES, 2, QuantileHurdle("short_loss", window=20, warmup=5), SEED, lag=5)
TIMED = replace(RULES, seed=1)


def run(folder, trials, lag, workers, times, *, asynchronous=False, listeners=(), evaluator=None, **options):
    """A search without twins, in one stage, that costs the controller nothing unless `price` says so."""
    rules = Rules(UniqueBitStrings(), [Minimize("short_loss", 100.0)], seed=SEED, lag=lag, asynchronous=asynchronous)
    inner = InProcessExecutor(evaluator or BitEvaluator(), rules)
    executor = SimulatedExecutor(inner, rules, workers, times, **{"price": 0.0, **options})
    clock = executor.now
    _, found = run_search(folder, rules, RandomSearch(), executor, trials, listeners=listeners, clock=clock)
    return found, executor.usage()


def evolve(folder, executor, trials=100, clock=time.time):
    """A search with twins, failures, two stages and a hurdle."""
    return run_search(folder, RULES, RegularizedEvolution(10, 3), executor, trials, clock=clock)[1]


def in_process():
    trouble = {behaviour: what for behaviour, what in TROUBLE.items() if what != "exit"}
    return InProcessExecutor(BitEvaluator(trouble=trouble), RULES)


def scripted(*seconds):
    """Times in the order in which evaluations begin."""
    rest = iter(seconds)
    return lambda rng: next(rest)


@pytest.mark.parametrize(
    ("lag", "price", "expected"),
    [
        (8, 0.0, 1.0),
        (4, 0.0, 1.0),
        (2, 0.0, 0.5),
        (1, 0.0, 0.25),
        (8, 0.01, 10 / 10.04),  # The fourth worker begins 0.04 s after the search, and never waits again.
        (8, 0.5, 40 / (4 * 21)),  # Two evaluations a second is all that the controller can feed.
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_utilisation_is_what_one_computes_by_hand(tmp_path, lag, price, expected, asynchronous):
    """Four workers, 40 evaluations of 1 s."""
    _, usage = run(tmp_path, 40, lag, 4, constant(1.0), price=price, asynchronous=asynchronous)
    assert usage.utilisation == pytest.approx(expected)
    assert usage.busy == pytest.approx(40.0)
    assert usage.idle == pytest.approx(40.0 / expected - 40.0)
    assert usage.throughput == pytest.approx(expected * 4)
    assert usage.controller == pytest.approx(40 * price)
    assert (usage.answers, usage.attempts, usage.lost) == (40, 40, 0.0)


@pytest.mark.parametrize(("asynchronous", "span"), [(False, 15.0), (True, 10.0)])
def test_only_a_search_in_order_waits_for_a_straggler(tmp_path, asynchronous, span):
    """Two workers, lag 2: one evaluation takes 10 s, ten take 1 s, on the other worker or in five pairs afterwards."""
    _, usage = run(tmp_path, 11, 2, 2, scripted(10.0, *[1.0] * 10), asynchronous=asynchronous)
    assert usage.span == pytest.approx(span)
    assert usage.busy == pytest.approx(20.0)


def test_requests_wait_for_a_worker_in_their_order(tmp_path):
    trials, usage = run(tmp_path, 4, 4, 1, scripted(2.0, 3.0, 1.0, 4.0))
    assert [trial.finished for trial in trials] == [2.0, 5.0, 6.0, 10.0]
    assert usage.queued == 0.0 + 2.0 + 5.0 + 6.0


def test_a_report_can_begin_anywhere(tmp_path):
    """Utilisation after the ramp: two workers of four evaluate in each of two seconds."""
    reports = []
    rules = Rules(UniqueBitStrings(), [Minimize("short_loss", 100.0)], seed=SEED, lag=2)
    executor = SimulatedExecutor(InProcessExecutor(BitEvaluator(), rules), rules, 4, constant(1.0), price=0.0)
    journal = Journal.open(tmp_path)
    listeners = [lambda trial, progress: reports.append(executor.usage())]
    Controller(rules, RandomSearch(), journal, executor, listeners=listeners, clock=executor.now).run(6)
    journal.close()
    window = reports[5].since(reports[1])
    assert (window.workers, window.span, window.busy, window.answers) == (4, 2.0, 4.0, 4)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_virtual_time_is_deterministic(tmp_path, asynchronous):
    """The same seed gives the same trials, times included, and the same report."""

    def once(name):
        options = {"deaths": 0.2, "restart": 5.0, "price": 0.3, "asynchronous": asynchronous}
        return run(tmp_path / name, 60, 8, 4, TIMES["straggling"], **options)

    assert once("first") == once("second")


@pytest.mark.parametrize("workers", [1, 7])
@pytest.mark.parametrize("name", TIMES)
def test_the_trajectory_is_that_of_the_process_itself(tmp_path, name, workers):
    """Design, section 3.4: a seed and a lag fix the trajectory, whatever the timing and the number of workers."""
    simulated = SimulatedExecutor(in_process(), TIMED, workers, TIMES[name], deaths=0.05, price=0.1)
    trials = evolve(tmp_path / "simulated", simulated, clock=simulated.now)
    plain = evolve(tmp_path / "plain", in_process())
    assert {trial.status for trial in plain} > {Status.OK, Status.INVALID, Status.HURDLE, Status.CRASHED}
    assert max(trial.effort.attempts for trial in trials) == 2, "some worker must die, and none three times"
    assert [trace(trial) for trial in trials] == [trace(trial) for trial in plain]


def test_an_evaluation_takes_as_long_on_any_number_of_workers(tmp_path):
    few, _ = run(tmp_path / "few", 30, 8, 1, TIMES["lognormal"])
    many, _ = run(tmp_path / "many", 30, 30, 30, TIMES["lognormal"])
    assert [trial.effort.seconds for trial in few] == [trial.effort.seconds for trial in many]
    assert len({trial.effort.seconds for trial in few}) == 30


def test_a_stage_that_is_not_run_takes_no_time(tmp_path):
    simulated = SimulatedExecutor(in_process(), TIMED, 4, constant(60.0), price=0.0)
    trials = evolve(tmp_path / "search", simulated, clock=simulated.now)
    evaluated = [trial for trial in trials if trial.evaluated]
    assert {trial.effort.seconds for trial in evaluated} == {60.0, 120.0}
    assert all(trial.effort.seconds == 60.0 for trial in evaluated if trial.status is Status.HURDLE)
    assert simulated.usage().busy == pytest.approx(sum(trial.effort.seconds for trial in evaluated))


def test_an_asynchronous_search_is_fed_in_the_order_of_completion(tmp_path):
    """All evaluations begin at once here, so that they end in the order of their times."""
    fed = []
    run(tmp_path, 20, 20, 20, TIMES["exponential"], asynchronous=True, listeners=[lambda trial, _: fed.append(trial)])
    seconds = [trial.effort.seconds for trial in fed]
    assert seconds == sorted(seconds)
    assert [trial.number for trial in fed] != list(range(20))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_trial_is_lost_or_made_by_failures(tmp_path, asynchronous):
    times = TIMES["straggling"]
    trials, usage = run(tmp_path, 200, 16, 8, times, deaths=0.3, restart=5.0, asynchronous=asynchronous)
    assert [trial.number for trial in trials] == list(range(200))
    assert usage.answers == 200
    assert usage.attempts == sum(trial.effort.attempts for trial in trials)
    assert {trial.effort.attempts for trial in trials if trial.status is Status.OK} == {1, 2, 3}
    crashed = [trial for trial in trials if trial.status is Status.CRASHED]
    assert crashed
    assert {trial.effort.attempts for trial in crashed} == {DEATHS}
    scored = sum(trial.effort.seconds for trial in trials if trial.status is Status.OK)
    assert usage.busy == pytest.approx(scored + usage.lost)
    assert usage.busy < 8 * usage.span - 5.0 * (usage.attempts - 200)  # Dead workers are missing for a while.


def test_what_kills_its_worker_is_quarantined_at_the_bound(tmp_path):
    """As on Ray: after as many deaths, and the reason begins with the same words."""
    trials, usage = run(tmp_path, 2, 2, 1, constant(60.0), deaths=1.0, restart=5.0)
    for trial in trials:
        assert (trial.status, trial.effort.attempts) == (Status.CRASHED, DEATHS)
        assert trial.reason is not None
        assert trial.reason.startswith(f"quarantined: the worker died {DEATHS} times while evaluating it: ")
        assert 0.0 < trial.effort.seconds < 60.0
    assert usage.lost == pytest.approx(usage.busy)
    assert usage.busy == pytest.approx(usage.span - 5.0 * (2 * DEATHS - 1))  # Nobody waits for the last restart.


def test_times_are_distributed_as_asked():
    """20,000 draws each: means within six standard errors, and what else defines the distribution."""
    rng = np.random.default_rng(0)
    drawn = {name: np.array([times(rng) for _ in range(20_000)]) for name, times in TIMES.items()}
    assert set(drawn["constant"]) == {60.0}
    for name in ("exponential", "lognormal"):
        assert abs(drawn[name].mean() - 60.0) < 6 * drawn[name].std() / np.sqrt(20_000), name
    assert drawn["exponential"].std() == pytest.approx(60.0, rel=0.05)
    assert np.log(drawn["lognormal"]).std() == pytest.approx(1.0, rel=0.05)
    straggled = np.array([straggling(constant(1.0), 0.1, 10.0)(rng) for _ in range(20_000)])
    assert set(straggled) == {1.0, 10.0}
    assert (straggled == 10.0).mean() == pytest.approx(0.1, rel=0.15)


def test_the_measured_price_is_the_time_between_calls(tmp_path):
    """What the controller does takes virtual time, here at least the naps of a listener; evaluations do not."""

    class Slow(BitEvaluator):
        def evaluate(self, jobs):
            time.sleep(0.02)
            return super().evaluate(jobs)

    naps = [lambda trial, progress: time.sleep(0.002)]
    began = time.perf_counter()
    _, usage = run(tmp_path, 20, 4, 4, constant(1.0), evaluator=Slow(), listeners=naps, price=None)
    took = time.perf_counter() - began
    assert 16 * 0.002 <= usage.controller <= took - 20 * 0.02  # The last four are fed after the last call.
    assert usage.span >= 5.0
