"""The controller with keys of each kind, policies for noisy evaluations, audits, and a store shared between runs."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.hashing.policies import Aggregating, Composed, ForgetEvery, Forgetful, NoiseAware
from isozyme.hashing.stores import Entry, StoreUnavailable, open_store
from isozyme.search import Equivalence, Journal, QuantileHurdle, RegularizedEvolution
from isozyme.search.controller.sharing import Sharing
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.rules import Rules
from isozyme.tests.toys import (
    LAG,
    OBJECTIVES,
    SEED,
    SPACE,
    TRIALS,
    TROUBLE,
    BitEvaluator,
    BitStrings,
    Scripted,
    UniqueBitStrings,
    run_search,
    trace,
)


class Shuffling(InProcessExecutor):
    """Holds some answers back and returns the others in random order, as workers do."""

    def __init__(self, *arguments, timing=0):
        super().__init__(*arguments)
        self._held, self._timing = [], np.random.default_rng(timing)

    def collect(self, seconds):
        self._held += super().collect(seconds)
        self._timing.shuffle(self._held)
        count = int(self._timing.integers(1, len(self._held) + 1)) if self._held else 0
        given, self._held = self._held[:count], self._held[count:]
        return given


def search(folder, equivalence, trials=TRIALS, space=SPACE, evaluator=None, hurdle=True, timing=0, **options):
    """Runs a search or goes on with it; returns its trials and progress."""
    evaluator = evaluator or BitEvaluator(trouble=TROUBLE)
    algorithm = options.pop("algorithm", None) or RegularizedEvolution(population_size=10, tournament_size=3)
    stands = QuantileHurdle("short_loss", warmup=6, window=12, quantile=0.6) if hurdle else None
    rules = Rules(space, OBJECTIVES, 2, stands, SEED, LAG, options.pop("asynchronous", False))
    executor = Shuffling(evaluator, rules, timing=timing)
    progress, found = run_search(folder, rules, algorithm, executor, trials, equivalence=equivalence, **options)
    return found, progress


def full_trace(trial):
    """All that a seed and a lag determine, what policies and audits know included."""
    more = {
        "evaluations": trial.evaluations, "m2": trial.m2, "audit": trial.audit, "attempts": trial.effort.attempts,
        "record": _without_times(trial.record), "shifted": trial.keys.shifted,
    }  # fmt: skip
    return trace(trial) | more


def _without_times(record):
    import json

    if not record:
        return record
    draws, *counts = json.loads(record)
    return [[[*draw[:2], len(draw[2]), *draw[3:]] for draw in draws], *counts]


POLICIES = {
    "plain": Equivalence(audit=0.3),
    "aggregating": Equivalence(policy=Aggregating(3), audit=0.2),
    "forgetful": Equivalence(policy=Forgetful(0.5), audit=0.0),
    "forget every": Equivalence(policy=ForgetEvery(3), audit=0.5, shifted=True),
    "noise-aware": Equivalence(policy=NoiseAware(), audit=0.1),
    "composed": Equivalence(policy=Composed([NoiseAware(), Forgetful(0.2)]), audit=0.1),
    "static": Equivalence(keys="static", audit=0.2),
    "off": Equivalence(keys="off"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_one_trajectory_whatever_the_timing_and_the_restarts(name, tmp_path):
    """Decisions of cache and policy depend on trials up to i - lag and on earlier proposals, and on nothing else."""
    whole, progress = search(tmp_path / "whole", POLICIES[name])
    assert [t.status is Status.INVALID or bool(t.keys.behaviour) for t in whole] == [True] * TRIALS
    for timing in (1, 2):
        other, _ = search(tmp_path / f"other {timing}", POLICIES[name], timing=timing)
        assert [full_trace(t) for t in other] == [full_trace(t) for t in whole]
    for number in range(3, TRIALS, 9):
        search(tmp_path / "cut", POLICIES[name], number, timing=number)
    cut, again = search(tmp_path / "cut", POLICIES[name])
    assert [full_trace(t) for t in cut] == [full_trace(t) for t in whole]
    assert (again.audit, again.hits, again.best, again.leaders) == (
        progress.audit, progress.hits, *(_from(cut, one) for one in (progress.best, progress.leaders)),
    )  # fmt: skip


def _from(trials, one):
    return [trials[t.number] for t in one] if isinstance(one, list) else trials[one.number]


@pytest.mark.parametrize("name", ["aggregating", "noise-aware", "composed", "forget every"])
def test_trials_lost_in_a_kill_come_back_the_same(name, tmp_path):
    """Those under way are missing here and there; all before them of their behaviour are journalled."""
    whole, _ = search(tmp_path / "whole", POLICIES[name])
    for lost in range(20, TRIALS - 1, 7):
        search(tmp_path / f"{lost}", POLICIES[name], timing=lost)
        journal = Journal.open(tmp_path / f"{lost}")
        behaviours = {whole[lost].keys.behaviour}
        gone = [t.number for t in whole[lost : lost + LAG] if t.number == lost or t.keys.behaviour in behaviours]
        journal._connection.execute(f"DELETE FROM trials WHERE trial IN ({', '.join(map(str, gone))}) OR trial > ?",
                                    (lost + LAG - 1,))  # fmt: skip
        journal.close()
        cut, _ = search(tmp_path / f"{lost}", POLICIES[name], timing=lost + 1)
        assert [full_trace(t) for t in cut] == [full_trace(t) for t in whole]


def test_what_each_kind_of_key_spares(tmp_path):
    """Fact 12: where scores are deterministic, the same candidates and scores, trial by trial, cost less."""
    runs, spent = {}, {}
    for keys in ("off", "static", "numeric"):
        evaluator = BitEvaluator()
        runs[keys], progress = search(
            tmp_path / keys, Equivalence(keys=keys, audit=0.0), 200, evaluator=evaluator, hurdle=False
        )
        spent[keys] = len(evaluator.begun)
        assert spent[keys] == progress.unique
    scores = {keys: [(t.candidate, t.status, t.metrics) for t in trials] for keys, trials in runs.items()}
    assert scores["off"] == scores["static"] == scores["numeric"]
    assert spent["numeric"] < spent["static"] < spent["off"]
    assert not any(t.hit for t in runs["off"])
    assert {t.hit for t in runs["static"]} == {None, "static"}
    assert {t.hit for t in runs["numeric"]} == {None, "static", "numeric"}


ONE, OTHER = (1,) * 4 + (0,) * 8, (0,) * 12


def repeated(folder, policy, count=12, **options):
    """A candidate that is proposed again and again; its trials, and the draws that it was evaluated with."""
    evaluator = BitEvaluator()
    trials, _ = search(
        folder, Equivalence(policy=policy, audit=0.0), count, BitStrings(), evaluator, hurdle=False,
        algorithm=Scripted([ONE] * count), **options,
    )  # fmt: skip
    return trials, [job.evaluation for job in evaluator.evaluated if job.stage == 1]


def test_an_aggregating_cache_returns_means(tmp_path):
    """Fact 5: after k requests the score is the mean of the k draws, up to M."""
    trials, draws = repeated(tmp_path, Aggregating(4))
    assert draws == [0, 1, 2, 3]
    rng = [np.random.default_rng([SEED, *BitStrings().behaviour(ONE), draw]) for draw in draws]
    values = [(3 * 4 + one.normal(0.0, 0.5)) / 10 for one in rng]
    for i, trial in enumerate(trials):
        n = min(i + 1, 4)
        assert trial.metrics["fitness"] == pytest.approx(np.mean(values[:n]), rel=1e-12)
        assert trial.evaluations == n
        assert trial.m2.get("fitness", 0.0) == pytest.approx(np.var(values[:n]) * n, abs=1e-12)
        assert (trial.effort.attempts, trial.cached_from) == (int(i < 4), None if i == 0 else 0)


def test_a_forgetful_cache_draws_anew(tmp_path):
    """Fact 4: with F = 1 every second request is evaluated, each with random numbers of its own."""
    trials, draws = repeated(tmp_path, Forgetful(1.0))
    assert draws == list(range(6))
    assert [trial.effort.attempts for trial in trials] == [1, 0] * 6
    assert [trial.evaluations for trial in trials] == [1] * 12
    assert len({trial.metrics["fitness"] for trial in trials}) == 6


def test_a_leader_is_evaluated_again_before_it_is_believed(tmp_path):
    """Whoever would be best so far gets three evaluations at once, whoever would not gets one."""
    evaluator, low = BitEvaluator(), (0,) * 6 + (1,) + (0,) * 5
    trials, progress = search(
        tmp_path, Equivalence(policy=NoiseAware(confirmed=3), audit=0.0), 12, BitStrings(), evaluator, hurdle=False,
        algorithm=Scripted([ONE] * 6 + [low] * 6),
    )  # fmt: skip
    assert trials[0].evaluations == trials[0].effort.attempts == 3
    assert trials[6].evaluations == trials[6].effort.attempts == 1
    assert trials[6].metrics["fitness"] < trials[0].metrics["fitness"]
    assert progress.best is not None
    assert progress.best.keys.behaviour == trials[0].keys.behaviour


@dataclass(frozen=True)
class Blurred(BitStrings):
    """Takes behaviours for one that are not."""

    def probe(self, candidate):
        return [np.array([self.behaviour(candidate)[0]], np.float64)]


def test_an_audit_finds_keys_that_lie(tmp_path):
    """Twins keep what their owner scored, so that an audit leaves the search as it is."""
    without, _ = search(tmp_path / "without", Equivalence(audit=0.0), space=Blurred(), evaluator=BitEvaluator())
    audited, progress = search(tmp_path / "with", Equivalence(audit=1.0), space=Blurred(), evaluator=BitEvaluator())
    assert [trace(t) for t in audited] == [trace(t) for t in without]
    scored = [t for t in audited if t.hit and t.status is Status.OK and not t.taken < len(t.stages)]
    assert progress.audit.audited == len([t for t in scored if t.audit is not None]) == len(scored) > 5
    owners = {t.keys.behaviour: Blurred().behaviour(t.candidate) for t in reversed(audited)}
    lies = [t for t in scored if Blurred().behaviour(t.candidate) != owners[t.keys.behaviour]]
    assert progress.audit.collisions == len(lies) > 0
    assert [t for t in scored if t.audit is not None and t.audit > 1e-3] == lies
    assert all(t.saved_seconds == 0.0 and t.effort.attempts == 1 for t in scored)


def test_an_audit_of_honest_keys_finds_nothing(tmp_path):
    """Fact 14: a thousand audits; behaviours of equal scores under several keys are counted as splits."""
    _, progress = search(tmp_path / "honest", Equivalence(audit=1.0), 2_500)
    assert progress.audit.audited > 1_000
    assert (progress.audit.collisions, progress.audit.worst, progress.audit.splits) == (0, 0.0, 0)
    _, split = search(tmp_path / "split", Equivalence(audit=1.0), 60, UniqueBitStrings(), BitEvaluator(), hurdle=False)
    assert (split.audit.audited, split.unique) == (0, 60)
    behaviours = {
        UniqueBitStrings().behaviour(t.candidate)
        for t in search(tmp_path / "split", Equivalence(), 60, UniqueBitStrings())[0]
    }
    assert split.audit.splits == 60 - len(behaviours) > 10


def test_runs_share_what_they_have_evaluated(tmp_path):
    """The second run takes everything from the store, journals it, and can go on without the store."""
    store = open_store(f"sqlite:{tmp_path / 'store.db'}")
    first, _ = search(tmp_path / "first", Equivalence(audit=0.0), sharing=Sharing(store, "first"))
    evaluator = BitEvaluator(trouble=TROUBLE)
    second, progress = search(
        tmp_path / "second", Equivalence(audit=0.0), evaluator=evaluator, sharing=Sharing(store, "second")
    )
    shared = [t for t in first if t.owns and t.effort.attempts and t.stages and t.status in (Status.OK, Status.HURDLE)]
    assert progress.hits["store"] == len(shared) > 10
    assert len(evaluator.begun) == progress.unique == len([t for t in first if t.owns]) - len(shared)
    for one, other in zip(first, second, strict=True):
        assert (one.candidate, one.status, one.metrics) == (other.candidate, other.status, other.metrics)
    further, _ = search(tmp_path / "second", Equivalence(audit=0.0), TRIALS + 10)
    assert [trace(t) for t in further[:TRIALS]] == [trace(t) for t in second]
    store.close()


def test_shared_evaluations_count_for_policies(tmp_path):
    """Five draws that another run has made are the first five here; the first trial draws the sixth."""
    store = open_store("memory:")
    repeated(tmp_path / "first", Aggregating(5), sharing=Sharing(store, "first"))
    assert [entry.evaluations for entry in store.get(_keys(tmp_path / "first")).values()] == [5]
    trials, draws = repeated(tmp_path / "second", Aggregating(7), sharing=Sharing(store, "second"))
    assert draws == [5, 6]
    assert [trial.evaluations for trial in trials] == [6] + [7] * 11
    assert (trials[0].hit, trials[0].effort.attempts) == ("store", 1)


def _keys(folder):
    journal = Journal.read(folder)
    try:
        return [bytes.fromhex(journal.trial(0, str).keys.behaviour)]
    finally:
        journal.close()


class Gone:
    """A store whose server has gone away."""

    def get(self, keys):
        raise StoreUnavailable("redis://here: nobody answers")

    def put(self, entries: dict[bytes, Entry]):
        raise StoreUnavailable("redis://here: nobody answers")


def test_a_run_goes_on_when_its_store_is_gone(tmp_path):
    alone, _ = search(tmp_path / "alone", Equivalence(audit=0.0))
    with pytest.warns(UserWarning, match=r"^redis://here: nobody answers; the run goes on without it for 60 s$"):
        left, _ = search(tmp_path / "left", Equivalence(audit=0.0), sharing=Sharing(Gone(), "left"))  # pyright: ignore[reportArgumentType]
    assert [trace(t) for t in left] == [trace(t) for t in alone]


def test_a_twin_goes_further_with_what_a_store_knows(tmp_path):
    """An entry of the first stage only is taken, and the second stage evaluated."""
    store = open_store("memory:")
    evaluator = BitEvaluator()
    plain, _ = search(
        tmp_path / "plain", Equivalence(audit=0.0), 1, BitStrings(), evaluator, hurdle=False, algorithm=Scripted([ONE])
    )
    store.put({bytes.fromhex(plain[0].keys.behaviour): Entry(plain[0].stages[:1], (1.0,), 1, {}, "elsewhere")})
    evaluator = BitEvaluator()
    trials, _ = search(
        tmp_path / "further", Equivalence(audit=0.0), 1, BitStrings(), evaluator, hurdle=False,
        algorithm=Scripted([ONE]), sharing=Sharing(store, "further"),
    )  # fmt: skip
    assert [job.stage for job in evaluator.evaluated] == [1]
    assert trace(trials[0]) == trace(replace(plain[0], hit="store", taken=1))
    assert len(store.get([bytes.fromhex(plain[0].keys.behaviour)])[bytes.fromhex(plain[0].keys.behaviour)].stages) == 2
