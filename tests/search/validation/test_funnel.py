"""The funnel (issue 6, deliverable 3): only what beats the tuned baseline over seeds, with an interval, moves on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pyglove as pg
import pytest
from scipy import stats

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.evaluators.seeds import repeats
from isozyme.hashing import numeric_key
from isozyme.search import Maximize, Minimize, Proposal, Trial
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.journal.journal import Journal
from isozyme.search.rules import Rules
from isozyme.search.validation.funnel import FRESH, Funnel, Rung, best_trial
from isozyme.search.validation.held_out_assessment import HeldOutAssessor
from isozyme.search.validation.paired_test import Interval, paired_costs, relative_differences, t_interval
from isozyme.spaces.lion import NAMED, OptimizerPrograms
from isozyme.tests.toys import Bits, BitStrings

LOSS = Minimize("loss", 1.0)


def bits(first: int, second: int) -> Bits:
    """So many ones in either half of the ten live bits."""
    return (1,) * first + (0,) * (5 - first) + (1,) * second + (0,) * (5 - second) + (0, 0)


@dataclass(frozen=True)
class Baselined(BitStrings):
    """Bit strings whose baselines are worth 1 and 5 ones."""

    @property
    def baselines(self) -> Mapping[str, Bits]:
        return {"weak": bits(1, 0), "tuned": bits(3, 2)}


SPACE = Baselined()
BETTER, EQUAL, WORSE, TWIN = bits(5, 4), bits(2, 3), bits(1, 2), (*(1,) * 5, 0, *(1,) * 4, 1, 1)


@pg.members(
    [
        (
            "noise",
            pg.typing.Float(0.03),
            "Of each evaluation; what an evaluation's seeds do to all candidates is larger.",
        ),
        ("fails", pg.typing.List(pg.typing.Any(), default=[]), "Numbers of ones with which nothing can be trained."),  # pyright: ignore[reportCallIssue]
        ("metric", pg.typing.Str("loss"), "Its name."),
    ]
)
class Noisy(pg.Object):
    """A loss of 1 less 0.05 for each live one, times noise."""

    def _on_bound(self) -> None:
        super()._on_bound()
        self.evaluated: list[Job] = []

    def prepare(self) -> None:
        pass

    def setup(self, space: BitStrings, seed: int) -> None:
        self._space, self._seed = space, seed

    def conditions(self, split: str) -> str:
        return f"noisy {self.noise}, seed {self._seed}, {split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        return [self._evaluate(job) for job in jobs]

    def _evaluate(self, job: Job) -> Outcome:
        self.evaluated.append(job)
        ones = self._space.behaviour(job.candidate)
        if sum(ones) in self.fails:
            return Outcome(Status.DIVERGED, "loss is nan", {})
        seeds = [self._seed, job.evaluation, len(job.split)]
        shared = np.random.default_rng(seeds).lognormal(0.0, 0.5)
        own = np.random.default_rng([*seeds, *ones]).normal(1.0, self.noise)
        return Outcome(Status.OK, None, {self.metric: (1 - 0.05 * sum(ones)) * shared * own})


class Limited(InProcessExecutor):
    """An executor that is interrupted after so many looks, with nothing under way; without any it is not to be used."""

    def __init__(self, evaluator: Any, seed: int, looks: int | None) -> None:
        super().__init__(evaluator, Rules(SPACE, [LOSS], seed=seed))
        self._looks = looks

    def conditions(self, split: str) -> str:
        assert self._looks is None or self._looks > 0
        return super().conditions(split)

    def collect(self, seconds: float) -> Any:
        if self._looks is not None:
            if self._looks == 1:
                raise KeyboardInterrupt
            self._looks -= 1
        return super().collect(seconds)


def trials(*candidates: Bits) -> list[Trial]:
    return [Trial(number, Proposal(candidate), Status.OK) for number, candidate in enumerate(candidates)]


def run(
    folder: Any,
    funnel: Funnel,
    found: list[Trial],
    seed: int = 0,
    looks: int | None = None,
    space: Baselined = SPACE,
) -> Any:
    """What a funnel makes of candidates, with the journal of a folder; on each rung interrupted after so many looks."""
    folder.mkdir(exist_ok=True)
    journal = Journal.open(folder)
    try:
        assessor = HeldOutAssessor(Rules(space, [LOSS], seed=seed), journal, Limited(Noisy(), seed, 0))
        return funnel.run(found, assessor, lambda evaluator: Limited(evaluator, seed, looks), LOSS)
    finally:
        journal.close()


def asked(funnel: Funnel) -> list[tuple[str, int, Bits, str, int]]:
    """What the evaluators of all rungs were asked for: name, job."""
    jobs = [(rung.name, job) for rung in funnel.rungs for job in rung.evaluator.evaluated]
    return [(name, job.stage, job.candidate, job.split, job.evaluation) for name, job in jobs]


def test_what_is_better_moves_on_and_what_is_equal_hardly_does(tmp_path):
    """Over 200 seeds an equal candidate passes in 5 at a confidence of 0.95, and in 50 at 0.5, give or take."""
    wrong = Counter()
    for seed in range(200):
        for confidence in (0.95, 0.5):  # The second time all is in the journal.
            funnel = Funnel([Rung(f"B{seed}", Noisy(), evaluations=4)], confidence)
            (found,) = run(tmp_path, funnel, trials(EQUAL, BETTER), seed)
            passed = {verdict.trial for verdict in found.verdicts if verdict.passed}
            assert (1 in passed, found.baseline) == (True, "tuned")
            wrong[confidence] += 0 in passed
    assert wrong[0.95] <= 12
    assert 35 <= wrong[0.5] <= 65


def test_rungs_one_after_the_other(tmp_path):
    """Those that passed go on, with seeds of each rung's own; twins go once; the best of the last rung wins."""
    found = trials(WORSE, BETTER, bits(4, 4), TWIN)
    assert numeric_key(SPACE, TWIN) == numeric_key(SPACE, BETTER)
    funnel = Funnel([Rung("B", Noisy(), evaluations=4), Rung("C", Noisy(0.02), evaluations=3)])
    first, second = run(tmp_path, funnel, found)
    assert [(v.trial, v.passed) for v in first.verdicts] == [(1, True), (2, True), (0, False)]
    assert {v.trial for v in second.verdicts} == {1, 2}
    assert best_trial([first, second]) == 1
    assert (first.rung, first.evaluations, first.source) == ("B", 4, SPACE.to_source(bits(3, 2)))
    means = [v.difference.mean for v in first.verdicts]
    assert means == pytest.approx([0.55 / 0.75 - 1, 0.6 / 0.75 - 1, 0.85 / 0.75 - 1], abs=0.1)
    assert all(v.difference.low < v.difference.mean < v.difference.high for v in first.verdicts)

    evaluations = {(name, split): set() for name in "BC" for split in ("search", "selection")}
    for name, _, _, split, evaluation in asked(funnel):
        evaluations[name, split].add(evaluation)
    assert evaluations["B", "search"] == evaluations["C", "search"] == {0}  # Where the baselines are tuned.
    assert (len(evaluations["B", "selection"]), len(evaluations["C", "selection"])) == (4, 3)
    assert not evaluations["B", "selection"] & evaluations["C", "selection"]
    assert min(evaluations["B", "selection"]) > 0
    assert max(evaluations["C", "selection"]) < FRESH
    assert max(Counter(asked(funnel)).values()) == 1


def test_no_more_than_keep(tmp_path):
    """The best means go on; what beat the baseline as well stays behind."""
    found = trials(bits(4, 3), BETTER, bits(4, 4))
    (first, second) = run(tmp_path, Funnel([Rung("B", Noisy(), keep=2), Rung("C", Noisy())]), found)
    assert [(v.trial, v.passed) for v in first.verdicts] == [(1, True), (2, True), (0, False)]
    assert first.verdicts[2].difference.high < 0
    assert {v.trial for v in second.verdicts} == {1, 2}


def test_nothing_beats_the_baseline(tmp_path):
    """The funnel ends there, and has no winner. The baseline's own twin does not beat it."""
    funnel = Funnel([Rung("B", Noisy()), Rung("C", Noisy())])
    (first,) = run(tmp_path, funnel, trials(WORSE, bits(3, 2)))
    assert best_trial([first]) is None
    assert first.verdicts[0] == (1, "", (0.0, 0.0, 0.0), False)
    assert funnel.rungs[1].evaluator.evaluated == []


@dataclass(frozen=True)
class Tunable(Baselined):
    """Each candidate may also be taken with the first half of another."""

    def tunings(self, candidate: Bits) -> Mapping[str, Bits]:
        return {f"first {ones}": (*bits(ones, 0)[:5], *candidate[5:]) for ones in (0, 3, 5)}


def test_candidates_are_tuned_like_the_baselines(tmp_path):
    """On the search split: WORSE does not pass by itself, at its best it does. What fails everywhere has a name too."""
    funnel = Funnel([Rung("B", Noisy(fails=[3, 6, 8]))])
    (found,) = run(tmp_path, funnel, trials(WORSE, bits(2, 3)), space=Tunable())
    assert [(v.trial, v.tuning, v.passed) for v in found.verdicts] == [(0, "first 5", True), (1, "first 0", False)]
    selected = {(candidate, evaluation) for _, _, candidate, split, evaluation in asked(funnel) if split == "selection"}
    assert {candidate for candidate, _ in selected} == {bits(3, 2), bits(5, 2), bits(0, 3)}
    searched = Counter(candidate for _, _, candidate, split, _ in asked(funnel) if split == "search")
    assert set(searched.values()) == {1}
    assert len(searched) == 2 + 6 - 1  # The better baseline is a tuning of WORSE as well.


def test_a_candidate_that_fails_does_not_pass(tmp_path):
    """Even once in all evaluations; a rung on which no baseline is scored ends in a line that says why."""
    (found,) = run(tmp_path / "a", Funnel([Rung("B", Noisy(fails=[9]))]), trials(BETTER, bits(4, 4)))
    assert [(v.trial, v.passed) for v in found.verdicts] == [(1, True), (0, False)]
    assert found.verdicts[1].difference == (np.inf, np.inf, np.inf)
    with pytest.raises(SetupFailed, match="on rung B no baseline is scored: loss is nan"):
        run(tmp_path / "b", Funnel([Rung("B", Noisy(fails=[1, 5]))]), trials(BETTER))
    with pytest.raises(SetupFailed, match="on rung B no baseline is scored: its evaluator has no metric 'loss'"):
        run(tmp_path / "c", Funnel([Rung("B", Noisy(metric="error"))]), trials(BETTER))


def test_a_finished_funnel_needs_no_evaluator(tmp_path):
    """All of it is in the journal. Another evaluator under the same name has conditions and figures of its own."""
    found = trials(WORSE, BETTER)
    funnel = Funnel([Rung("B", Noisy()), Rung("C", Noisy(0.02))])
    first = run(tmp_path, funnel, found)
    assert run(tmp_path, funnel, found, looks=0) == first
    other = Funnel([Rung("B", Noisy(0.01))])
    assert run(tmp_path, other, found)[0] != first[0]
    assert len(other.rungs[0].evaluator.evaluated) == 2 + 3 * 8


def test_a_killed_funnel_goes_on(tmp_path, monkeypatch):
    """Interrupted again and again on both rungs, it evaluates nothing twice, and comes out the same."""
    monkeypatch.setattr(
        "isozyme.search.executors.in_process.BATCH_SECONDS", 0.0
    )  # A look is one evaluation, however fast.
    found = trials(WORSE, BETTER, bits(4, 4))
    whole, funnel = (Funnel([Rung("B", Noisy()), Rung("C", Noisy())]) for _ in range(2))
    expected = run(tmp_path / "whole", whole, found)
    interruptions, result = 0, None
    while result is None:
        try:
            result = run(tmp_path / "cut", funnel, found, looks=2)
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions > 3
    assert result == expected
    assert Counter(asked(funnel)) == Counter(asked(whole))


def test_further_draws_of_an_assessment(tmp_path):
    """Evaluations are journalled apart, in the order that is asked for; columns are paired, failures infinite."""
    journal, evaluator = Journal.open(tmp_path), Noisy(0.0, fails=[9])
    rules = Rules(SPACE, [LOSS])
    assessor = HeldOutAssessor(rules, journal, InProcessExecutor(evaluator, rules))
    table = paired_costs(assessor, [BETTER, WORSE, EQUAL], [7, 0], "selection", LOSS)
    assert np.isinf(table[0]).all()
    assert table[1] / table[2] == pytest.approx(0.85 / 0.75)
    assert table[1, 0] != table[1, 1]
    assert len(evaluator.evaluated) == 6
    assert [o.metrics["loss"] for o in assessor.assess([EQUAL, WORSE], "selection", 7)] == [table[2, 0], table[1, 0]]
    assert [o.metrics["loss"] for o in assessor.assess([EQUAL], "selection")] == [table[2, 1]]
    assert len(evaluator.evaluated) == 6
    journal.close()


def test_seeds_of_evaluations_never_meet():
    """Those of the search, of the closing splits, and of further evaluations of either."""
    for search, closing in ((1, 1), (2, 4), (3, 1)):
        taken = [set(repeats(s, number, search, closing)) for s, number in product(("search", "final"), range(150))]
        assert {len(seeds) for seeds in taken} == {search, closing}
        assert not any(one & other for one, other in combinations(taken, 2))
        assert repeats("selection", 3, search, closing) == repeats("final", 3, search, closing)


def test_relative_differences():
    """cost / baseline - 1, below 0 where it is better also where a metric is maximized; failures count as the worst."""
    assert relative_differences(np.array([[1.0, 3.0]]), np.array([2.0, 2.0])).tolist() == [[-0.5, 0.5]]
    accuracy = Maximize("accuracy", 0.0).cost
    better, worse = accuracy({"accuracy": 0.9}), accuracy({"accuracy": 0.6})
    assert relative_differences(np.array([better, worse]), np.array([worse, better])) == pytest.approx([-0.5, 1 / 3])
    values = np.array([1.0, np.inf, np.inf, 0.0, 1.0])
    assert relative_differences(values, np.array([np.inf, 1.0, np.inf, 0.0, 0.0])).tolist() == [
        -1,
        np.inf,
        np.inf,
        0,
        1,
    ]


def test_intervals():
    """Those of scipy's own t test; without spread a point; infinite as soon as an evaluation failed."""
    differences = np.random.default_rng(0).normal(-0.1, 0.2, size=7)
    found = t_interval(differences, 0.9)
    reference = stats.ttest_1samp(differences, 0.0).confidence_interval(0.9)
    assert found == pytest.approx((differences.mean(), reference.low, reference.high))
    assert t_interval(np.full(3, -0.25), 0.95) == Interval(-0.25, -0.25, -0.25)
    assert t_interval(np.array([-1.0, np.inf]), 0.95).high == np.inf


def test_baselines_of_optimizer_programs():
    """AdamW over a grid of rate and decay, the published constants among them: all valid, no two alike."""
    space = OptimizerPrograms()
    assert NAMED["adamw"] == space.baselines["adamw, rate 0.001, decay 0.01"]
    assert [space.validate(one) for one in space.baselines.values()] == [None] * 15
    assert len({numeric_key(space, one) for one in space.baselines.values()}) == 15


@pytest.mark.parametrize("name", NAMED)
def test_tunings_of_optimizer_programs(name):
    """The update alone is scaled, also where a state is returned under its name; the program itself is among them."""
    space, program = OptimizerPrograms(), NAMED[name]
    update, _, second = program.returns
    for one in (program, program._replace(returns=(update, update, second)), program._replace(returns=(update,) * 3)):
        found = space.tunings(one)
        assert found["rate × 1"] == one
        for factor in (0.1, 0.3, 1, 3, 10):
            tuned = found[f"rate × {factor}"]
            assert space.validate(tuned) is None
            assert tuned.returns[1:] == one.returns[1:]
            (before,), (after,) = space.probe(one), space.probe(tuned)
            np.testing.assert_allclose(after[0], factor * before[0])  # Later weights have moved by other updates.
