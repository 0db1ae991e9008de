"""The controller: one trajectory for a seed and a lag, whatever the executor, the timing and the restarts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search import Controller, Journal, Maximize, QuantileHurdle, RandomSearch, RegularizedEvolution
from isozyme.search.executors import InProcessExecutor
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
        self, folder, space: Any = SPACE, evaluator=None, algorithm=None, hurdle=None, seed=SEED, lag=LAG, listeners=()
    ):
        self.space = space
        self.evaluator = evaluator or BitEvaluator(trouble=POISON if space is SMALL else TROUBLE)
        self.algorithm = algorithm or RegularizedEvolution(population_size=10, tournament_size=3)
        folder.mkdir(exist_ok=True)
        self.journal = Journal.open(folder)
        self.executor = InProcessExecutor(self.evaluator, space, seed)
        self.controller = Controller(
            space, self.algorithm, OBJECTIVES, self.journal, self.executor, seed, lag, hurdle, listeners
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.executor.close()
        self.journal.close()

    def run(self, trials=TRIALS):
        return self.controller.run(trials)

    @property
    def trials(self):
        return list(self.journal.trials(self.space.from_source))

    @property
    def traces(self):
        return [trace(trial) for trial in self.trials]


def hurdle():
    return QuantileHurdle(warmup=6, window=12, quantile=0.6)


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


class Spy(RegularizedEvolution):
    """Regularized evolution that notes what it was told before each proposal."""

    def setup(self, space, objectives):
        super().setup(space, objectives)
        self._told, self._seen = [], {}

    def propose(self, number, rng):
        self._seen[number] = list(self._told)
        return super().propose(number, rng)

    def feedback(self, trial):
        super().feedback(trial)
        self._told.append(trial.number)


@pytest.mark.parametrize("lag", [1, 2, 7, 100])
def test_a_proposal_sees_the_trials_up_to_its_lag(lag, tmp_path):
    """Design, section 3.4: proposal i sees exactly the results of trials up to i - lag."""
    spy = Spy(population_size=5, tournament_size=2)
    with Search(tmp_path, algorithm=spy, lag=lag) as search:
        search.run(30)
    assert spy._seen == {i: list(range(i - lag + 1)) for i in range(30)}
    assert spy._told == list(range(30))


def test_a_proposal_sees_as_much_after_a_restart(whole, tmp_path):
    spy = Spy(population_size=10, tournament_size=3)
    folder = cut(tmp_path, [trial for trial in whole if trial.number < 30])
    with Search(folder, algorithm=spy, hurdle=hurdle()) as search:
        search.run()
    assert spy._seen == {i: list(range(i - LAG + 1)) for i in range(30, TRIALS)}


@pytest.mark.parametrize("lag", [1, 1000])
def test_identical_candidates_cost_one_evaluation(lag, tmp_path):
    """lion.md, fact 15; functional_hashing.md, section 10, single flight: finished or not, a twin joins its owner."""

    class Counting(BitEvaluator):
        def evaluate(self, jobs):
            self.evaluated += jobs
            return [Outcome(Status.OK, None, {"fitness": 1.0}) for _ in jobs]

    programs, evaluator = OptimizerPrograms(), Counting()
    algorithm = RegularizedEvolution(population_size=1000, tournament_size=2)
    with Search(tmp_path / "lion", programs, evaluator, algorithm, lag=lag) as search:
        progress = search.run(1000)
    assert [job.candidate for job in evaluator.evaluated] == [programs.references["adamw"]]
    assert (progress.trials, progress.unique, sum(progress.hits.values())) == (1000, 1, 999)


def test_twins_in_flight_share_the_outcome_and_keep_their_form(tmp_path):
    candidates = [(1, 1) + (0,) * 10, (1, 1) + (0,) * 8 + (1, 1), (0, 1, 1) + (0,) * 9, (1,) * 4 + (0,) * 8]
    with Search(tmp_path, SMALL, algorithm=Scripted(candidates)) as search:
        search.run(4)
        owner, static, numeric, other = search.trials
    assert len(search.evaluator.evaluated) == 2
    assert [t.cached_from for t in (owner, static, numeric, other)] == [None, 0, 0, None]
    assert [t.hit for t in (owner, static, numeric, other)] == [None, "static", "numeric", None]
    assert owner.key == static.key == numeric.key != other.key
    assert owner.metrics["fitness"] == static.metrics["fitness"] == numeric.metrics["fitness"]
    assert [t.metrics["ones"] for t in (owner, static, numeric, other)] == [2, 4, 2, 4]
    assert static.seconds == numeric.seconds == 0.0 < owner.seconds


def test_twins_of_a_failure_fail_alike(tmp_path):
    candidates = [(1,) * 4 + (0,) + (1,) * 4 + (0,) * 3, (0,) + (1,) * 4 + (1,) * 4 + (0,) * 3] * 2
    with Search(tmp_path, SMALL, algorithm=Scripted(candidates), lag=2) as search:
        search.run(4)
        assert [t.status for t in search.trials] == [Status.CRASHED] * 4
        assert {t.reason for t in search.trials} == {"RuntimeError: trouble: raise"}
    assert len(search.evaluator.evaluated) == 1


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
    assert [bool(t.key) for t in trials] == [True] * 3 + [False] * 2 + [True]
    assert [len(job.candidate) for job in search.evaluator.evaluated] == [12] * 4  # Nothing invalid was run.
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
    assert [job.candidate for job in search.evaluator.evaluated] == missing(whole, kept)
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
        assert [job.candidate for job in search.evaluator.evaluated] == missing(whole, kept)
    assert gaps >= 15


def test_resume_again_and_again(whole, tmp_path):
    """Ten sessions, each with a larger budget than the one before."""
    evaluated, traces = [], []
    for trials in range(6, TRIALS + 6, 6):
        with Search(tmp_path, hurdle=hurdle()) as search:
            progress = search.run(trials)
            assert (progress.trials, progress.restored) == (trials, trials - 6)
            evaluated += [job.candidate for job in search.evaluator.evaluated]
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
    assert all(t.cached_from is None for t in again.leaders)
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
            evaluated.append(len(search.evaluator.evaluated))
    cached, plain = runs
    assert best_so_far(cached) == best_so_far(plain)
    assert [t.candidate for t in cached] == [t.candidate for t in plain]
    assert all(t.cached_from is None for t in plain)
    assert evaluated[1] == sum(t.status is not Status.INVALID for t in plain)
    assert evaluated[0] == sum(t.status is not Status.INVALID and t.cached_from is None for t in cached)
    assert evaluated[0] < evaluated[1] / 2


def test_hurdles_see_the_trials_up_to_the_lag(whole, tmp_path):
    """Design, section 3.4: hurdles depend on trials up to i - lag, and on nothing later."""
    with Search(tmp_path, hurdle=hurdle()) as search:
        search.run()
    own = [t for t in whole if t.cached_from is None and t.status is not Status.INVALID]
    expected = []
    for trial in own:
        costs = [t.metrics["short_loss"] for t in own if t.number <= trial.number - LAG and "short_loss" in t.metrics]
        expected.append(float(np.quantile(costs[-12:], 0.6)) if len(costs) >= 6 else None)
    assert [job.hurdle for job in search.evaluator.evaluated] == expected
    assert len(set(expected)) > 5
    stopped = [t for t, threshold in zip(own, expected, strict=True) if t.status is Status.HURDLE]
    assert all("fitness" not in t.metrics for t in stopped)
    for trial, threshold in zip(own, expected, strict=True):
        if "short_loss" in trial.metrics:
            over = threshold is not None and trial.metrics["short_loss"] > threshold
            assert (trial.status is Status.HURDLE) == over


A, A_TWIN, B = (1, 0) * 6, (1, 0) * 5 + (0, 1), (1, 1, 1) + (0,) * 9


def test_assessment_evaluates_each_behaviour_once(tmp_path):
    assert SMALL.behaviour(A) == SMALL.behaviour(A_TWIN)
    numeric = (1, 1, 1, 0, 0) + (1, 1, 0, 0, 0) + (0, 0)
    assert SMALL.behaviour(A) == SMALL.behaviour(numeric)
    with Search(tmp_path, SMALL) as search:
        outcomes = search.controller.assess([A, A_TWIN, B, numeric, A], "final")
        assert [(job.candidate, job.split) for job in search.evaluator.evaluated] == [(A, "final"), (B, "final")]
        again = search.controller.assess([B, A_TWIN], "final")
        assert len(search.evaluator.evaluated) == 2
        search.controller.assess([A], "selection")  # Another split is another question.
        assert [(job.candidate, job.split) for job in search.evaluator.evaluated[2:]] == [(A, "selection")]
    assert again == [outcomes[2], outcomes[1]]
    assert len({outcome.metrics["fitness"] for outcome in outcomes}) == 2
    assert [outcome.metrics["ones"] for outcome in outcomes] == [sum(c) for c in (A, A_TWIN, B, numeric, A)]


def test_assessments_are_read_back_from_the_journal(tmp_path):
    with Search(tmp_path, SMALL) as search:
        first = search.controller.assess([A, B], "final")
    with Search(tmp_path, SMALL) as search:
        assert search.controller.assess([B, A, A_TWIN], "final")[:2] == first[::-1]
    assert search.evaluator.evaluated == []


def test_failed_assessments_are_typed(tmp_path):
    poison = (1, 1, 1, 1, 0) * 2 + (0, 0)
    with Search(tmp_path, SMALL) as search:
        good, bad = search.controller.assess([A, poison], "final")
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
