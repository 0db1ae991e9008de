"""The controller: one trajectory for a seed and a lag, whatever the executor, the timing and the restarts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing import cache as cache_module
from isozyme.search import (
    Controller,
    Journal,
    JournalError,
    Maximize,
    Proposal,
    QuantileHurdle,
    RandomSearch,
    RegularizedEvolution,
    Trial,
)
from isozyme.search.controller import behaviours, snapshots
from isozyme.search.controller import controller as controller_module
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.hurdles import RunningHurdle
from isozyme.search.protocol import Exhausted
from isozyme.search.rules import Rules
from isozyme.search.validation.held_out_assessment import HeldOutAssessor
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.tests.toys import (
    LAG,
    OBJECTIVES,
    SEED,
    SPACE,
    STATUSES,
    TRIALS,
    TROUBLE,
    BitEvaluator,
    BitStrings,
    Passing,
    Runs,
    Scripted,
    UniqueBitStrings,
    trace,
)

# For candidates written by hand: ten live bits in two halves, two dead ones.
SMALL = BitStrings(forbidden_ones=9)
POISON = {(4, 4): "raise", (5, 2): "memory", (3, 5): "diverge"}


class Search:
    """A search in a folder, its evaluator and what it has journalled; a context, so that the folder is freed."""

    def __init__(
        self, folder, space: Any = SPACE, evaluator=None, algorithm=None, hurdle=None, seed=SEED, lag=LAG, listeners=(),
        asynchronous=False, executor=InProcessExecutor,
    ):  # fmt: skip
        self.space = space
        self.evaluator = evaluator or BitEvaluator(trouble=POISON if space is SMALL else TROUBLE)
        self.algorithm = algorithm or RegularizedEvolution(population_size=10, tournament_size=3)
        folder.mkdir(exist_ok=True)
        self.journal = Journal.open(folder)
        self.rules = Rules(space, OBJECTIVES, 2, hurdle, seed, lag, asynchronous)
        self.executor = executor(self.evaluator, self.rules)
        self.controller = Controller(self.rules, self.algorithm, self.journal, self.executor, listeners=listeners)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.executor.close()
        self.journal.close()

    def run(self, trials=TRIALS):
        return self.controller.run(trials)

    def assess(self, candidates, split):
        return HeldOutAssessor(self.rules, self.journal, self.executor).assess(candidates, split)

    @property
    def trials(self):
        return list(self.journal.trials(self.space.from_source))

    @property
    def traces(self):
        return [trace(trial) for trial in self.trials]


def hurdle():
    return QuantileHurdle("short_loss", warmup=6, window=12, quantile=0.6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The trials of a search that nothing interrupted."""
    with Search(tmp_path_factory.mktemp("whole"), hurdle=hurdle()) as search:
        search.run()
        return search.trials


def test_the_search_has_something_of_everything(whole):
    """The trajectory that the tests below compare holds failures of every kind and twins by either key."""
    assert {trial.status for trial in whole} == STATUSES
    assert {trial.hit for trial in whole} == {None, "static", "numeric"}
    in_flight = [t for t in whole if t.cached_from is not None and t.number - t.cached_from < LAG]
    assert in_flight


def test_a_seed_gives_one_trajectory(whole, tmp_path):
    """regularized_evolution.md, fact 5."""
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run()
        assert search.traces == [trace(trial) for trial in whole]
    with Search(tmp_path / "other", hurdle=hurdle(), seed=SEED + 1) as search:
        search.run()
        assert [t.candidate for t in search.trials] != [t.candidate for t in whole]


class Spy(Passing):
    """Notes what a run was told before each proposal."""

    def __init__(self, inner):
        super().__init__(inner)
        self.told, self.seen = [], {}

    def propose(self, number, rng):
        self.seen[number] = list(self.told)
        return super().propose(number, rng)

    def feedback(self, trial):
        super().feedback(trial)
        self.told.append(trial.number)


def watched(population_size, tournament_size):
    """Regularized evolution with a spy in each of its runs."""
    return Runs(lambda *told: Spy(RegularizedEvolution(population_size, tournament_size).start(*told)))


@pytest.mark.parametrize("lag", [1, 2, 7, 100])
def test_a_proposal_sees_the_trials_up_to_its_lag(lag, tmp_path):
    """Design, section 3.4: proposal i sees exactly the results of trials up to i - lag."""
    algorithm = watched(5, 2)
    with Search(tmp_path, algorithm=algorithm, lag=lag) as search:
        search.run(30)
    (spy,) = algorithm.started
    assert spy.seen == {i: list(range(i - lag + 1)) for i in range(30)}
    assert spy.told == list(range(30))


def test_a_proposal_sees_as_much_after_a_restart(whole, tmp_path):
    algorithm = watched(10, 3)
    folder = cut(tmp_path, [trial for trial in whole if trial.number < 30])
    with Search(folder, algorithm=algorithm, hurdle=hurdle()) as search:
        search.run()
    assert algorithm.started[0].seen == {i: list(range(i - LAG + 1)) for i in range(30, TRIALS)}


@pytest.mark.parametrize("lag", [1, 1000])
def test_identical_candidates_cost_one_evaluation(lag, tmp_path):
    """lion.md, fact 15; functional_hashing.md, section 10, single flight: finished or not, a twin joins its owner."""

    class Counting(BitEvaluator):
        def evaluate(self, jobs):
            self.evaluated += jobs
            return [Outcome(Status.OK, None, {"fitness": 1.0, "ones": 1.0}) for _ in jobs]

    programs, evaluator = OptimizerPrograms(), Counting()
    algorithm = RegularizedEvolution(population_size=1000, tournament_size=2)
    with Search(tmp_path / "lion", programs, evaluator, algorithm, lag=lag) as search:
        progress = search.run(1000)
    assert evaluator.begun == [programs.references["adamw"]]
    assert (progress.trials, progress.unique, sum(progress.hits.values())) == (1000, 1, 999)


def test_twins_in_flight_share_the_outcome_and_keep_their_form(tmp_path):
    candidates = [(1, 1) + (0,) * 10, (1, 1) + (0,) * 8 + (1, 1), (0, 1, 1) + (0,) * 9, (1,) * 4 + (0,) * 8]
    with Search(tmp_path, SMALL, algorithm=Scripted(candidates)) as search:
        search.run(4)
        owner, static, numeric, other = search.trials
    assert len(search.evaluator.begun) == 2
    assert [t.cached_from for t in (owner, static, numeric, other)] == [None, 0, 0, None]
    assert [t.hit for t in (owner, static, numeric, other)] == [None, "static", "numeric", None]
    assert owner.keys.behaviour == static.keys.behaviour == numeric.keys.behaviour != other.keys.behaviour
    assert owner.metrics["fitness"] == static.metrics["fitness"] == numeric.metrics["fitness"]
    assert [t.metrics["ones"] for t in (owner, static, numeric, other)] == [2, 4, 2, 4]
    assert static.effort.seconds == numeric.effort.seconds == 0.0 < owner.effort.seconds


def test_twins_of_a_failure_fail_alike(tmp_path):
    candidates = [(1,) * 4 + (0,) + (1,) * 4 + (0,) * 3, (0,) + (1,) * 4 + (1,) * 4 + (0,) * 3] * 2
    with Search(tmp_path, SMALL, algorithm=Scripted(candidates), lag=2) as search:
        search.run(4)
        assert [t.status for t in search.trials] == [Status.CRASHED] * 4
        assert {t.reason for t in search.trials} == {"RuntimeError: trouble: raise"}
    assert len(search.evaluator.begun) == 1


def test_failures_are_typed_counted_and_fed_back(tmp_path):
    """Design, section 3.7: a failure is a result."""
    bad = [(1,) * a + (0,) * (5 - a) + (1,) * b + (0,) * (7 - b) for a, b in POISON]
    candidates = [*bad, (1,) * 9 + (0,) * 3, (0,) * 11, (0,) * 12]
    with Search(tmp_path, SMALL, algorithm=Scripted(candidates)) as search:
        progress = search.run(6)
        trials = search.trials
    assert [(t.status, t.reason) for t in trials] == [
        (Status.CRASHED, "RuntimeError: trouble: raise"),
        (Status.OUT_OF_MEMORY, "MemoryError: no room for 9 GB"),
        (Status.DIVERGED, "loss is nan after step 7"),
        (Status.INVALID, "9 ones are forbidden"),
        (Status.INVALID, "11 bits instead of 12"),
        (Status.OK, None),
    ]
    assert [bool(t.keys.behaviour) for t in trials] == [True] * 3 + [False] * 2 + [True]
    assert [len(candidate) for candidate in search.evaluator.begun] == [12] * 4  # Nothing invalid was run.
    assert progress.statuses == {"crashed": 1, "out_of_memory": 1, "diverged": 1, "invalid": 2, "ok": 1}
    assert (progress.trials, progress.unique) == (6, 4)
    assert progress.reasons["diverged: loss is nan after step"] == 1
    assert progress.best is not None
    assert progress.best.number == 5


def test_a_metric_that_is_no_number_is_a_failure(tmp_path):
    """Design, section 3.7 and `Status.DIVERGED`: an evaluator that hands on a NaN does not stop the run."""

    class Careless(BitEvaluator):
        def _evaluate(self, job):
            outcome = super()._evaluate(job)
            if job.candidate == candidates[1]:
                outcome.metrics["fitness"] = float("nan")
            return outcome

    candidates = [(0,) * 12, (1, 1) + (0,) * 10, (1, 1, 1) + (0,) * 9]
    with Search(tmp_path, SMALL, Careless(), algorithm=Scripted(candidates)) as search:
        search.run(3)
        assert [t.status for t in search.trials] == [Status.OK, Status.DIVERGED, Status.OK]


def cut(folder, trials, name="cut"):
    """A journal that holds these trials, as an interrupted session would have left it."""
    folder = Path(folder) / name
    folder.mkdir()
    journal = Journal.open(folder)
    journal.set_meta("conditions/search", "bits, search")
    journal.add(trials, SPACE.to_source)
    journal.close()
    return folder


def missing(whole, kept):
    """Candidates that a session has to evaluate which finds the trials `kept`."""
    numbers = {trial.number for trial in kept}
    own = [t for t in whole if t.cached_from is None and t.status is not Status.INVALID]
    return [t.candidate for t in own if t.number not in numbers]


@pytest.mark.parametrize("k", range(TRIALS + 1))
def test_resume_from_every_cut(k, whole, tmp_path):
    """Design, section 3.3: kill the controller anywhere; it goes on as if nothing had happened."""
    kept = whole[:k]
    with Search(cut(tmp_path, kept), hurdle=hurdle()) as search:
        progress = search.run()
        assert search.traces == [trace(trial) for trial in whole]
        assert search.trials[:k] == kept
    assert search.evaluator.begun == missing(whole, kept)
    assert (progress.trials, progress.restored) == (TRIALS, k)


def test_resume_with_gaps(whole, tmp_path):
    """Trials finish out of order: those still in flight at the kill, with the twins that wait for them, are missing."""
    gaps = 0
    for gap in range(TRIALS - 1):
        if whole[gap].cached_from is not None:
            continue
        last = min(gap + LAG, TRIALS)
        kept = [t for t in whole[:last] if t.number != gap and t.cached_from != gap]
        if not any(t.number > gap for t in kept):
            continue
        gaps += 1
        with Search(cut(tmp_path, kept, f"gap{gap}"), hurdle=hurdle()) as search:
            search.run()
            assert search.traces == [trace(trial) for trial in whole]
        assert search.evaluator.begun == missing(whole, kept)
    assert gaps >= 15


def test_resume_again_and_again(whole, tmp_path):
    """Ten sessions, each with a larger budget than the one before."""
    evaluated, traces = [], []
    for trials in range(6, TRIALS + 6, 6):
        with Search(tmp_path, hurdle=hurdle()) as search:
            progress = search.run(trials)
            assert (progress.trials, progress.restored) == (trials, trials - 6)
            evaluated += search.evaluator.begun
            traces = search.traces
    assert traces == [trace(trial) for trial in whole]
    assert evaluated == missing(whole, [])


def test_an_interrupted_trial_is_proposed_again(whole, tmp_path):
    """Design, section 3.7: what the user interrupts is not journalled and is proposed again on resume."""
    victim = next(t for t in whole if t.number > 20 and t.status is Status.OK and t.cached_from is None)
    interrupting = BitEvaluator(trouble=TROUBLE | {SPACE.behaviour(victim.candidate): "interrupt"})
    with Search(tmp_path, evaluator=interrupting, hurdle=hurdle()) as search:
        with pytest.raises(KeyboardInterrupt):
            search.run()
        assert victim.number not in [trial.number for trial in search.trials]
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run()
        assert search.traces == [trace(trial) for trial in whole]


def test_a_finished_run_costs_nothing(whole, tmp_path):
    """Workers are not even set up."""

    class Unready(BitEvaluator):
        def setup(self, space, seed):
            raise AssertionError

    with Search(cut(tmp_path, whole), evaluator=Unready(), hurdle=hurdle()) as search:
        progress = search.run()
    assert (progress.trials, progress.restored, progress.rate) == (TRIALS, TRIALS, 0.0)


def test_progress_is_the_same_after_a_restart(whole, tmp_path):
    with Search(tmp_path / "first", hurdle=hurdle()) as search:
        first = search.run()
        volume = first.archive.hypervolume()
    with Search(tmp_path / "first", hurdle=hurdle()) as search:
        again = search.run()
    for name in ("trials", "unique", "hits", "statuses", "reasons", "best", "leaders"):
        assert getattr(again, name) == getattr(first, name)
    assert again.archive.trials == first.archive.trials
    assert again.archive.hypervolume() == volume > 0
    fitness = [t.metrics["fitness"] for t in whole if t.status is Status.OK]
    assert again.best is not None
    assert again.best.metrics["fitness"] == max(fitness)
    assert len({t.keys.behaviour for t in again.leaders}) == len(again.leaders)
    leading = [t.metrics["fitness"] for t in again.leaders]
    assert leading == sorted(leading, reverse=True)


def test_listeners_hear_of_each_trial_in_order(tmp_path):
    heard = []

    def listen(trial, progress):
        heard.append((trial.number, progress.trials))

    with Search(tmp_path, listeners=[listen], lag=9) as search:
        search.run(30)
    assert heard == [(i, i + 1) for i in range(30)]


def best_so_far(trials):
    fitness = [t.metrics["fitness"] if t.status is Status.OK else -np.inf for t in trials]
    return np.maximum.accumulate(fitness).tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lag", [1, LAG])
def test_the_cache_is_neutral(seed, lag, tmp_path):
    """functional_hashing.md, fact 12; regularized_evolution.md, fact 7: same best per trial, fewer evaluations."""
    runs, evaluated = [], []
    for space in (SPACE, UniqueBitStrings(size=16, forbidden_ones=11)):
        with Search(tmp_path / space.__class__.__name__, space, seed=seed, lag=lag) as search:
            search.run(150)
            runs.append(search.trials)
            evaluated.append(len(search.evaluator.begun))
    cached, plain = runs
    assert best_so_far(cached) == best_so_far(plain)
    assert [t.candidate for t in cached] == [t.candidate for t in plain]
    assert all(t.cached_from is None for t in plain)
    assert evaluated[1] == sum(t.status is not Status.INVALID for t in plain)
    assert evaluated[0] == sum(t.status is not Status.INVALID and t.cached_from is None for t in cached)
    assert evaluated[0] < evaluated[1] / 2


def test_hurdles_see_the_trials_up_to_the_lag(whole):
    """Design, section 3.4: hurdles depend on trials up to i - lag, and on nothing later; twins meet their own."""
    valid = [t for t in whole if t.status is not Status.INVALID]
    thresholds = []
    for trial in valid:
        measured = [t.stages[0] for t in whole if t.number <= trial.number - LAG and t.taken == 0 and t.stages]
        costs = [stage["short_loss"] for stage in measured]
        thresholds.append(float(np.quantile(costs[-12:], 0.6)) if len(costs) >= 6 else None)
        if trial.stages:
            over = thresholds[-1] is not None and trial.stages[0]["short_loss"] > thresholds[-1]
            assert (trial.status is Status.HURDLE) == over
            assert len(trial.stages) == (1 if over else 2)
    assert len(set(thresholds)) > 5
    assert all("fitness" not in t.metrics for t in whole if t.status is Status.HURDLE)


class Rising(QuantileHurdle):
    """Stops everything at first, and lets everything pass from the third trial on."""

    def start(self, objectives, stages):
        return RunningRising(self.cost(objectives), stages, self.quantile, self.window, self.warmup)


class RunningRising(RunningHurdle):
    told = 0

    def feedback(self, trial):
        self.told += 1

    def thresholds(self):
        return (-1e9 if self.told < 2 else None,)


def test_a_twin_goes_on_where_its_owner_was_stopped(tmp_path):
    """Stages are cached apart: the first stage is taken over, only the second is evaluated."""
    candidate = (1, 1) + (0,) * 10
    with Search(tmp_path, SMALL, algorithm=Scripted([candidate] * 4), hurdle=Rising("short_loss"), lag=1) as search:
        progress = search.run(4)
        first, second, third, fourth = search.trials
        jobs = [job.stage for job in search.evaluator.evaluated]
    assert jobs == [0, 1]
    assert [t.status for t in (first, second, third, fourth)] == [Status.HURDLE] * 2 + [Status.OK] * 2
    assert [t.taken for t in (first, second, third, fourth)] == [0, 1, 1, 2]
    assert [t.effort.attempts for t in (first, second, third, fourth)] == [1, 0, 1, 0]
    assert third.metrics == fourth.metrics
    assert third.cached_from == 0
    assert (fourth.effort.seconds, fourth.saved_seconds) == (0.0, first.effort.seconds + third.effort.seconds)
    assert second.saved_seconds == third.saved_seconds == first.effort.seconds
    assert [t.number for t in progress.leaders] == [2]


@pytest.mark.parametrize("k", range(5))
def test_stages_are_taken_over_after_a_restart(k, tmp_path):
    candidate = (1, 1) + (0,) * 10

    def search(folder):
        return Search(folder, SMALL, algorithm=Scripted([candidate] * 4), hurdle=Rising("short_loss"), lag=1)

    with search(tmp_path / "whole") as one:
        one.run(4)
        whole = one.traces
    stages = []
    for trials in (k, 4):
        with search(tmp_path / "cut") as one:
            one.run(trials)
            stages += [job.stage for job in one.evaluator.evaluated]
            traces = one.traces
    assert traces == whole
    assert stages == [0, 1]


class Partly(Scripted):
    """Asks for the first stage only, then for all of them."""

    def propose(self, number, rng):
        return super().propose(number, rng) if number else Proposal(self.candidates[0], stages=1)


def test_an_algorithm_may_ask_for_a_part(tmp_path):
    with Search(tmp_path, SMALL, algorithm=Partly([(1, 1) + (0,) * 10] * 2), lag=2) as search:
        search.run(2)
        part, full = search.trials
        assert [job.stage for job in search.evaluator.evaluated] == [0, 1]
    assert (part.status, part.reason) == (Status.PARTIAL, "scored after stage 1 of 2, as asked")
    assert list(part.metrics) == ["short_loss", "ones"]
    assert (full.status, full.taken, full.cached_from) == (Status.OK, 1, 0)


def test_a_failure_in_a_later_stage_keeps_the_earlier_one(tmp_path):
    class Late(BitEvaluator):
        def _evaluate(self, job):
            if job.stage == 1:
                self.evaluated.append(job)
                return Outcome(Status.DIVERGED, "loss is nan", {"half": 0.5})
            return super()._evaluate(job)

    candidates = [(1, 1) + (0,) * 10] * 3
    for trials in (2, 3):
        with Search(tmp_path, SMALL, Late(), algorithm=Scripted(candidates), lag=1) as search:
            search.run(trials)
            found = search.trials
            assert len(search.evaluator.evaluated) == (2 if trials == 2 else 0)
    assert {t.status for t in found} == {Status.DIVERGED}
    assert all(t.metrics == {"short_loss": 16.0, "half": 0.5, "ones": 2.0} for t in found)
    assert [len(t.stages) for t in found] == [1, 1, 1]


def test_a_budget_in_evaluations(tmp_path):
    """It counts behaviours, those under way included, so that it ends every run at the same trial."""
    ends = []
    for lag in (1, LAG):
        with Search(tmp_path / str(lag), lag=lag) as search:
            progress = search.controller.run(evaluations=20)
            assert progress.unique == 20
            assert progress.trials > 20
            ends.append(search.traces)
    with Search(tmp_path / "1", lag=1) as search:
        assert search.controller.run(evaluations=20).restored == len(ends[0])
        assert search.evaluator.evaluated == []
    with Search(tmp_path / "1", lag=1) as search:
        search.controller.run(evaluations=25)
        assert search.traces[: len(ends[0])] == ends[0]
        assert sum(t.cached_from is None and t.status is not Status.INVALID for t in search.trials) == 25


def test_a_stop_ends_the_run_and_can_be_taken_back(whole, tmp_path):
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 20

    with Search(tmp_path, hurdle=hurdle()) as search:
        assert search.controller.run(TRIALS, stop=stop).trials == 20
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run()
        assert search.traces == [trace(trial) for trial in whole]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_stop_knows_all_that_the_proposal_would_see(asynchronous, tmp_path):
    """With one trial under way it ends the run at the very trial that it waits for."""
    with Search(tmp_path, lag=1, asynchronous=asynchronous) as search:
        search.controller.run(TRIALS, stop=lambda: search.controller.progress.trials >= 20)
        assert len(search.trials) == 20


class Finite(Scripted):
    """Ends after its last candidate."""

    def propose(self, number, rng):
        if number >= len(self.candidates):
            raise Exhausted
        return super().propose(number, rng)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exhausted_algorithm_ends_the_run(asynchronous, tmp_path):
    """All that it has proposed is evaluated and fed back, and a restart finds nothing left to do."""
    candidates = [(1,) * i + (0,) * (12 - i) for i in range(8)]
    for restored in (0, 8):
        with Search(tmp_path, SMALL, algorithm=Finite(candidates), asynchronous=asynchronous) as search:
            progress = search.run()
            assert (progress.trials, progress.restored) == (8, restored)
            assert [trial.candidate for trial in search.trials] == candidates


class Echo(InProcessExecutor):
    """Answers everything twice."""

    def collect(self, seconds):
        answers = super().collect(seconds)
        return answers + answers


def test_recording_is_idempotent(whole, tmp_path):
    """An answer that arrives twice, as after a retry, is taken once."""
    with Search(tmp_path, hurdle=hurdle(), executor=Echo) as search:
        search.run()
        assert search.traces == [trace(trial) for trial in whole]


def test_a_metric_that_nobody_measures_is_named(tmp_path):
    """A misspelt objective ends the run at its first full score, rather than with an empty front."""
    with Search(tmp_path) as search:
        rules = replace(search.rules, objectives=[Maximize("fitnes", 0.0)])
        controller = Controller(rules, RandomSearch(), search.journal, search.executor)
        with pytest.raises(SetupFailed, match=r"no metric is called 'fitnes'; trials have fitness, ones, short_loss"):
            controller.run(20)


@pytest.mark.parametrize("every", [10, 20])
@pytest.mark.parametrize("k", [9, 10, 14, 15, 33, 47, TRIALS])
def test_resume_from_a_snapshot(k, every, whole, tmp_path, monkeypatch):
    """A snapshot spares the replay and changes nothing, however near to it the session was killed."""
    monkeypatch.setattr(snapshots, "EVERY", every)
    monkeypatch.setattr(controller_module, "SETTLE_EVERY", 1)
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run(k)
        taken = [fed for fed, _ in search.journal.snapshots()]
    assert taken == sorted(range(every, k + 1, every), reverse=True)[:3]
    algorithm = watched(10, 3)
    with Search(tmp_path, algorithm=algorithm, hurdle=hurdle()) as search:
        progress = search.run()
        fed = len(algorithm.started[0].told)
        assert search.traces == [trace(trial) for trial in whole]
    usable = [number for number in taken if number + LAG - 1 <= k]
    assert fed == TRIALS - max(usable, default=0)
    with Search(tmp_path / "whole", hurdle=hurdle()) as search:
        undisturbed = search.run()
    for name in ("trials", "unique", "hits", "statuses", "reasons", "best", "leaders"):
        assert _timeless(getattr(progress, name)) == _timeless(getattr(undisturbed, name))
    assert _timeless(progress.archive.trials) == _timeless(undisturbed.archive.trials)


def _timeless(value):
    if isinstance(value, Trial):
        return trace(value)
    return [trace(trial) for trial in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kept", [0, 2, 7])
def test_forgetting_changes_nothing(kept, whole, tmp_path, monkeypatch):
    """Behaviours that nobody waits for are dropped from memory and come back from the journal, stages and all."""
    monkeypatch.setattr(behaviours, "KEPT", kept)
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run()
        assert search.traces == [trace(trial) for trial in whole]
        assert len(search.controller.behaviours) < 20


class TestAsynchronous:
    """Trials are fed back as they finish; what was fed back is never lost or done again."""

    def search(self, folder, **options):
        return Search(folder, asynchronous=True, **options)

    def test_it_is_replayed_as_it_was_fed_back(self, tmp_path):
        heard = []
        with self.search(tmp_path, listeners=[lambda trial, progress: heard.append(trial.number)]) as search:
            search.controller.run(40)
            assert sorted(heard) == list(range(40))
            journalled = search.journal.some_trials(SPACE.from_source, 0, "arrival", 100)
            assert [t.number for t in journalled] == heard
        again = []
        with self.search(tmp_path, listeners=[lambda trial, progress: again.append(trial.number)]) as search:
            progress = search.controller.run(60)
            assert again[:40] == heard
            assert (progress.trials, progress.restored) == (60, 40)
            assert [t.number for t in search.trials] == list(range(60))

    def test_what_was_under_way_at_a_kill_is_done_again(self, tmp_path):
        with self.search(tmp_path) as search:
            search.controller.run(40)
            trials = search.journal.some_trials(SPACE.from_source, 0, "arrival", 100)
        gone = {31, 35}
        (tmp_path / "cut").mkdir()
        journal = Journal.open(tmp_path / "cut")
        journal.set_meta("conditions/search", "bits, search")
        kept = [t for t in trials if t.number not in gone and t.cached_from not in gone]
        journal.add(kept, SPACE.to_source, 0)
        journal.close()
        with self.search(tmp_path / "cut") as search:
            search.controller.run(40)
            assert [t.number for t in search.trials] == list(range(40))
            assert [t for t in search.trials if t.number in {k.number for k in kept}] == sorted(
                kept, key=lambda t: t.number
            )

    def test_a_straggler_does_not_spoil_the_keys_on_disk(self, tmp_path, monkeypatch):
        """Keys are moved to disk up to the oldest trial under way: no kill leaves a key there without its trial."""
        monkeypatch.setattr(cache_module, "_NEWEST", 3)
        monkeypatch.setattr(controller_module, "SETTLE_EVERY", 1)
        held = []

        class Holding(InProcessExecutor):
            def submit(self, ticket, request):
                if ticket < 3 or held:
                    super().submit(ticket, request)
                else:
                    held.append(ticket)

        def kill(trial, progress):
            if progress.trials == 30:
                raise KeyboardInterrupt

        with self.search(tmp_path, executor=Holding, listeners=[kill]) as search:
            with pytest.raises(KeyboardInterrupt):
                search.controller.run(60)
            assert search.journal.missing(0, held[0] + 1) == held
            assert search.journal.indexed_trials() == held[0]
            before = list(search.evaluator.begun)

        class Looking(InProcessExecutor):
            def submit(self, ticket, request):
                if ticket == held[0]:
                    seen.append(search.journal.indexed_trials())
                super().submit(ticket, request)

        seen = []
        with self.search(tmp_path, executor=Looking) as search:
            search.controller.run(60)
            assert seen == held
            trials = search.trials
            assert search.journal.indexed_trials() > 30
            begun = before + search.evaluator.begun
        assert [t.number for t in trials] == list(range(60))
        assert len({SPACE.behaviour(candidate) for candidate in begun}) == len(begun)

    def test_a_run_cannot_change_over(self, tmp_path):
        with self.search(tmp_path) as search:
            search.controller.run(10)
        with Search(tmp_path) as search, pytest.raises(JournalError, match="begun the other way"):
            search.run(20)


A, A_TWIN, B = (1, 0) * 6, (1, 0) * 5 + (0, 1), (1, 1, 1) + (0,) * 9


def test_assessment_evaluates_each_behaviour_once(tmp_path):
    assert SMALL.behaviour(A) == SMALL.behaviour(A_TWIN)
    numeric = (1, 1, 1, 0, 0) + (1, 1, 0, 0, 0) + (0, 0)
    assert SMALL.behaviour(A) == SMALL.behaviour(numeric)
    with Search(tmp_path, SMALL) as search:
        outcomes = search.assess([A, A_TWIN, B, numeric, A], "final")
        assert [(job.candidate, job.split) for job in search.evaluator.evaluated] == [(A, "final"), (B, "final")]
        again = search.assess([B, A_TWIN], "final")
        assert len(search.evaluator.begun) == 2
        search.assess([A], "selection")  # Another split is another question.
        assert [(job.candidate, job.split) for job in search.evaluator.evaluated[2:]] == [(A, "selection")]
    assert again == [outcomes[2], outcomes[1]]
    assert len({outcome.metrics["fitness"] for outcome in outcomes}) == 2
    assert [outcome.metrics["ones"] for outcome in outcomes] == [sum(c) for c in (A, A_TWIN, B, numeric, A)]


def test_assessments_are_read_back_from_the_journal(tmp_path):
    with Search(tmp_path, SMALL) as search:
        first = search.assess([A, B], "final")
    with Search(tmp_path, SMALL) as search:
        assert search.assess([B, A, A_TWIN], "final")[:2] == first[::-1]
    assert search.evaluator.evaluated == []


def test_failed_assessments_are_typed(tmp_path):
    poison = (1, 1, 1, 1, 0) * 2 + (0, 0)
    with Search(tmp_path, SMALL) as search:
        good, bad = search.assess([A, poison], "final")
        assert search.trials == []  # A closing assessment is no trial.
    assert (good.status, bad.status, bad.reason) == (Status.OK, Status.CRASHED, "RuntimeError: trouble: raise")


def test_changed_conditions_warn(tmp_path):
    """Design, section 3.5: metrics are comparable under one set of conditions only."""
    with Search(tmp_path) as search:
        search.run(10)
    other = BitEvaluator(condition="other bits")
    with (
        Search(tmp_path, evaluator=other) as search,
        pytest.warns(UserWarning, match="conditions are not those of this run's earlier sessions") as warned,
    ):
        search.run(20)
    assert len(warned) == 1  # Once a session, not once a trial.
    with Search(tmp_path) as search:
        search.run(30)  # Warnings are errors: none here.


def test_random_search_starts_at_the_start(tmp_path):
    """Design, section 3.9: the control of every experiment."""
    start = (1, 0, 0) * 4
    with Search(tmp_path, BitStrings(start=start), algorithm=RandomSearch()) as search:
        search.run(40)
        trials = search.trials
    assert trials[0].candidate == start
    assert all(trial.parents == () for trial in trials)
    assert len({trial.candidate for trial in trials}) > 35


def test_objectives_turn_and_miss():
    up = Maximize(metric="fitness", reference=0.25)
    assert (up.cost({"fitness": 2.0}), up.reference_cost) == (-2.0, -0.25)
    assert up.cost({}) == np.inf
