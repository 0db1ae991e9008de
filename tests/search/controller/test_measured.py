"""Measured metrics: they belong to how a candidate is written and to a device, and are lent to nobody else."""

from contextlib import closing
from dataclasses import dataclass, field

import pytest

from isozyme.evaluators.protocol import Status
from isozyme.hashing.stores.memory import MemoryStore
from isozyme.search import Journal, Maximize, Minimize
from isozyme.search.controller.equivalence import Equivalence
from isozyme.search.controller.sharing import Sharing
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.rules import Rules
from isozyme.tests.toys import BitEvaluator, BitStrings, Scripted, run_search

SPACE = BitStrings(forbidden_ones=9)
MEASURED = ("microseconds",)


@dataclass
class Clocked(BitEvaluator):
    """Measures candidates: something else each time, as a clock would."""

    measured = MEASURED

    place: str = "abacus"
    failing: tuple[str, ...] = ()
    clocked: list[str] = field(default_factory=list)

    def device(self):
        return self.place

    def measure(self, candidate):
        text = SPACE.to_source(candidate)
        self.clocked.append(text)
        if text in self.failing:
            raise MemoryError("no room to measure in")
        return {"microseconds": [len(self.clocked) + part for part in (0.0, 0.25, 0.5, 0.75, 1.0)]}


def bits(*ones, size=10):
    """A candidate with ones at these places; the last two bits of twelve are dead."""
    return tuple(int(place in ones) for place in range(size + 2))


SAME = bits(0, 1, 5)  # Written like itself;
TWIN = bits(0, 2, 6)  # behaves like it and is written otherwise.
OTHER = bits(3, 7, 8)
CANDIDATES = [SAME, TWIN, SAME, OTHER, TWIN, OTHER]


def search(folder, candidates=CANDIDATES, trials=None, evaluator=None, lag=1, **options):
    evaluator = evaluator or Clocked()
    objectives = (Maximize("fitness", 0.0), Minimize("microseconds", 100.0))
    rules = Rules(SPACE, objectives, 2, lag=lag, measured=MEASURED)
    executor = InProcessExecutor(evaluator, rules)
    count = len(candidates) if trials is None else trials
    _, found = run_search(folder, rules, Scripted(candidates), executor, count, **options)
    return evaluator, found


@pytest.mark.parametrize("lag", [1, 4])
def test_a_numeric_twin_is_measured_itself(tmp_path, lag):
    """house.md, 5.1: known by static key and device only, never lent to a numeric twin, kept with their spread."""
    evaluator, trials = search(tmp_path / "run", lag=lag)
    assert sorted(evaluator.clocked) == sorted(SPACE.to_source(one) for one in (SAME, TWIN, OTHER))
    assert [trial.hit for trial in trials] == [None, "numeric", "static", None, "static", "static"]
    times = {SPACE.from_source(text): 1.5 + place for place, text in enumerate(evaluator.clocked)}
    assert [trial.metrics["microseconds"] for trial in trials] == [times[one] for one in CANDIDATES]
    assert {trial.metrics["microseconds/spread"] for trial in trials} == {0.5}
    assert {trial.device for trial in trials} == {"abacus"}
    assert trials[0].metrics["fitness"] == trials[1].metrics["fitness"]
    assert not any("microseconds" in stage for trial in trials for stage in trial.stages)


def test_measuring_is_no_evaluation(tmp_path):
    """A twin that was measured has evaluated no stage, though it took its time."""
    _, trials = search(tmp_path / "run")
    assert [trial.evaluated for trial in trials] == [True, False, False, True, False, False]
    assert trials[1].effort.seconds > 0.0
    assert trials[2].effort.seconds == 0.0


def test_a_resumed_run_measures_nothing_again(tmp_path):
    search(tmp_path / "run", trials=2)
    evaluator, trials = search(tmp_path / "run")
    assert evaluator.clocked == [SPACE.to_source(OTHER)]
    assert [trial.metrics["microseconds"] for trial in trials] == [1.5, 2.5, 1.5, 1.5, 2.5, 1.5]


def test_another_device_measures_anew(tmp_path):
    search(tmp_path / "run", trials=2)
    evaluator, trials = search(tmp_path / "run", evaluator=Clocked(place="slide rule"))
    assert evaluator.clocked == [SPACE.to_source(one) for one in (SAME, OTHER, TWIN)]
    assert [trial.device for trial in trials] == ["abacus"] * 2 + ["slide rule"] * 4


def test_a_measurement_that_fails_ends_its_trial(tmp_path):
    """With the reason; the behaviour is sound, and a numeric twin takes it over."""
    evaluator = Clocked(failing=(SPACE.to_source(SAME),))
    _, trials = search(tmp_path / "run", evaluator=evaluator)
    assert [trial.status for trial in trials[:3]] == [Status.OUT_OF_MEMORY, Status.OK, Status.OUT_OF_MEMORY]
    assert trials[0].reason == "measuring: MemoryError: no room to measure in"
    assert "microseconds" not in trials[0].metrics
    assert trials[1].evaluated is False
    assert trials[1].metrics["fitness"] == trials[0].stages[-1]["fitness"]


def test_other_runs_hear_nothing_of_it(tmp_path):
    store = MemoryStore()
    search(tmp_path / "first", [SAME], sharing=Sharing(store, "first"))
    evaluator, (trial,) = search(tmp_path / "second", [SAME], sharing=Sharing(store, "second"))
    assert trial.hit == "store"
    assert evaluator.evaluated == []
    assert evaluator.clocked == [SPACE.to_source(SAME)]


def test_without_keys_every_trial_is_measured(tmp_path):
    evaluator, _ = search(tmp_path / "run", [SAME, SAME], equivalence=Equivalence(keys="off"))
    assert len(evaluator.clocked) == 2


def test_the_journal_keeps_device_and_spread(tmp_path):
    search(tmp_path / "run")
    with closing(Journal.read(tmp_path / "run")) as journal:
        kept = journal.trial(0, SPACE.from_source)
    assert (kept.device, kept.metrics["microseconds/spread"]) == ("abacus", 0.5)
