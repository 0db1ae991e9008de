"""Looks at other tasks while a search goes on (Lion, arXiv 2302.06675, section 2.4), and what stops early by them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.search import Controller, Journal, MetaValidation, Minimize, RegularizedEvolution
from isozyme.search.controller.snapshots import EVERY
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.rules import Rules
from isozyme.search.validation.meta_validation import MetaValidator
from isozyme.tests.toys import BitStrings

SPACE = BitStrings(size=16, dead=0, start=(0,) * 16)
LOSS = Minimize("loss", 16.0)
RULES = Rules(SPACE, [LOSS], lag=4)


class Bits:
    """A loss that falls with the ones of the first half, and on other tasks has a best number of them; counts calls."""

    def __init__(self, best: int | None = None) -> None:
        self.best, self.jobs = best, list[Job]()  # None: the more ones the better.

    def prepare(self) -> None:
        pass

    def setup(self, space: Any, seed: int) -> None:
        del space, seed

    def conditions(self, split: str) -> str:
        return f"{self.best} {split}"

    def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.jobs += jobs
        return [Outcome(Status.OK, None, {"loss": float(self._loss(sum(job.candidate[:8])))}) for job in jobs]

    def _loss(self, ones: int) -> int:
        return 8 - ones if self.best is None else abs(self.best - ones)


class Search:
    """A search with looks at two tasks, one of which likes 3 ones best and the other 5."""

    def __init__(self, folder: Path, patience: int | None = None, every: int = 10) -> None:
        folder.mkdir(exist_ok=True)
        self.journal, self.seen = Journal.open(folder), dict[int, dict[str, float]]()
        self.others = [Bits(3), Bits(5)]
        settings = MetaValidation(self.others, every=every, patience=patience)
        self.validator = MetaValidator(settings, RULES, self.journal, self.seen.__setitem__)
        self.controller = Controller(
            RULES,
            RegularizedEvolution(10, 3),
            self.journal,
            InProcessExecutor(Bits(), RULES),
            listeners=[lambda *given: self.validator(*given)],
        )
        self.validator.begin(self.controller.progress.trials)

    def run(self, trials: int) -> "Search":
        self.controller.run(trials, stop=self.validator.overfits)
        self.journal.close()
        return self


def test_tasks_take_turns_with_seeds_of_each_round(tmp_path: Path) -> None:
    """Each look evaluates the incumbent and the space's first reference on one task, with seeds of that round."""
    search = Search(tmp_path / "run").run(60)
    assert [look.trials for look in search.validator.looks] == [10, 20, 30, 40, 50, 60]
    for other in search.others:
        assert [job.evaluation for job in other.jobs] == [0, 0, 1, 1, 2, 2]
        assert [job.candidate for job in other.jobs[1::2]] == [SPACE.references["start"]] * 3
    for look, other in zip(search.validator.looks, search.others * 3, strict=True):
        best, ones = other.best or 0, 8 - look.search
        assert look.difference == abs(best - ones) - best
    assert list(search.seen) == [10, 20, 30, 40, 50, 60]


def test_a_search_that_overfits_diverges_and_stops(tmp_path: Path) -> None:
    """The search wants 8 ones, the other tasks 3 to 5: its own loss goes on falling while theirs has turned."""
    search = Search(tmp_path / "watched").run(400)
    rounds = search.validator.rounds()
    best = search.validator.looks[rounds.index(min(rounds)) + 1]  # The second look of the best round.
    assert search.validator.looks[-1].search == 0.0
    assert best.search > 0.0
    assert search.validator.divergence() == rounds[-1] - min(rounds) > 0
    stopped = Search(tmp_path / "stopped", patience=5).run(400)
    assert stopped.controller.progress.trials < 400
    assert stopped.validator.overfits()
    assert len(stopped.validator.rounds()) - 1 - rounds.index(min(rounds)) == 5
    assert stopped.validator.looks == search.validator.looks[: len(stopped.validator.looks)]


@pytest.mark.parametrize("cut", [7, 33, 64])
def test_a_killed_search_looks_and_stops_as_an_undisturbed_one(tmp_path: Path, cut: int) -> None:
    """Looks are in the journal: none is made again, and the run ends at the same trial."""
    whole = Search(tmp_path / "whole", patience=8).run(400)
    Search(tmp_path / "cut", patience=8).run(cut)
    again = Search(tmp_path / "cut", patience=8).run(400)
    assert again.controller.progress.trials == whole.controller.progress.trials
    assert again.validator.looks == whole.validator.looks
    assert min(again.seen) > cut
    made = sum(len(other.jobs) for other in again.others)
    assert made == 2 * (len(whole.validator.looks) - cut // 10)


def test_looks_before_a_snapshot_stand(tmp_path: Path) -> None:
    """A long run resumes from a snapshot, whose trials are not fed back again."""
    first = Search(tmp_path / "run", every=4000).run(EVERY + 10)
    again = Search(tmp_path / "run", every=4000)
    assert again.controller.progress.trials == EVERY
    again.run(EVERY + 3000)
    assert [look.trials for look in again.validator.looks] == [4000, 8000, 12000]
    assert again.validator.looks[:2] == first.validator.looks


def test_a_failure_elsewhere_is_no_better_than_anything(tmp_path: Path) -> None:
    """What diverges on another task counts as infinitely worse, stops nothing, and is left out of displays."""

    class Failing(Bits):
        def evaluate(self, jobs: Sequence[Job]) -> list[Outcome]:
            return [
                Outcome(Status.DIVERGED, "loss is nan") if sum(job.candidate) else outcome
                for job, outcome in zip(jobs, super().evaluate(jobs), strict=True)
            ]

    folder = tmp_path / "run"
    folder.mkdir()
    journal = Journal.open(folder)
    seen: dict[int, dict[str, float]] = {}
    settings = MetaValidation([Failing()], every=10, patience=2)
    validator = MetaValidator(settings, RULES, journal, seen.__setitem__)
    executor = InProcessExecutor(Bits(), RULES)
    controller = Controller(RULES, RegularizedEvolution(5, 3), journal, executor, listeners=[validator])
    controller.run(100, stop=validator.overfits)
    journal.close()
    assert controller.progress.trials == 100
    assert set(seen[10]) == {"search"}
