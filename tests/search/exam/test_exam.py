"""The exam for algorithms: every one in the table passes, and each of these bad ones is caught."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pyglove as pg
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import (
    ALGORITHMS,
    NSGA2,
    Crossover,
    Islands,
    Proposal,
    RegularizedEvolution,
    Restarts,
    SuccessiveHalving,
    examine,
)
from isozyme.tests.toys import Runs


@pytest.mark.parametrize("name", ALGORITHMS)
def test_all_algorithms_pass(name):
    """regularized_evolution.md, fact 5, and design, section 3.3, for every algorithm: determinism, lag, snapshots."""
    assert examine(ALGORITHMS[name]) == []


NESTED = {
    "restarts of islands": lambda: Restarts(Islands(RegularizedEvolution(5, 2), islands=2, interval=5), 30),
    "islands of restarts": lambda: Islands(Restarts(RegularizedEvolution(5, 2), 20), islands=2, interval=10),
    "restarts of halving": lambda: Restarts(SuccessiveHalving(9, 3), 40),
    "islands of NSGA-II": lambda: Islands(NSGA2(10), islands=2, interval=10),
    "evolution with crossover": lambda: RegularizedEvolution(10, 3, variation=Crossover(0.5)),
}


@pytest.mark.parametrize("name", NESTED)
def test_parts_combine(name):
    """regularized_evolution.md, section 7: islands, restarts and the rest in any combination."""
    assert examine(NESTED[name]) == []


class Climber:
    """A sound run to be spoilt: mutates the best trial so far."""

    def __init__(self, space, objectives, stages):
        self.space, self.objective, self.stages, self.best = space, objectives[0], stages, None

    def propose(self, number, rng):
        if self.best is None:
            return Proposal(self.space.random(rng))
        return Proposal(self.space.mutate(self.best.candidate, rng), (self.best.number,))

    def cost(self, trial):
        return self.objective.cost(trial.metrics) if trial.status is Status.OK else np.inf

    def feedback(self, trial):
        if self.best is None or self.cost(trial) <= self.cost(self.best):
            self.best = trial

    def snapshot(self) -> Any:
        return [] if self.best is None else [self.best.number]

    def restore(self, snapshot, trial):
        for number in snapshot:
            self.best = trial(number)


class Unrepeatable(Climber):
    draws = itertools.count()

    def propose(self, number, rng):
        return super().propose(number, np.random.default_rng(next(self.draws)))


class Counting(Climber):
    asked = 0

    def propose(self, number, rng):
        self.asked += 1
        return super().propose(number, rng) if self.asked % 5 else Proposal(self.space.random(rng))


class Invalid(Climber):
    def propose(self, number, rng):
        proposal = super().propose(number, rng)
        return proposal if number % 9 else replace(proposal, candidate=(16, 0))


class Bare(Climber):
    def propose(self, number, rng):
        return super().propose(number, rng).candidate


class Hasty(Climber):
    def propose(self, number, rng):
        return replace(super().propose(number, rng), parents=(max(number - 1, 0),))


class Thorough(Climber):
    def propose(self, number, rng):
        return replace(super().propose(number, rng), stages=self.stages + 1)


class Frugal(Climber):
    def propose(self, number, rng):
        return replace(super().propose(number, rng), stages=1)


class Stuck(Climber):
    def propose(self, number, rng):
        return Proposal((0, 0))


class Gullible(Climber):
    def cost(self, trial):
        return self.objective.cost(trial.metrics) if trial.status is not Status.INVALID else np.inf


class Fragile(Climber):
    def feedback(self, trial):
        assert trial.status is not Status.TIMED_OUT, "what now?"
        super().feedback(trial)


class Orderly(Climber):
    fed = -1

    def feedback(self, trial):
        assert trial.number == self.fed + 1, "out of order"
        self.fed += 1
        super().feedback(trial)


class Jealous(Climber):
    def propose(self, number, rng):
        return replace(super().propose(number, rng), operator="mine")

    def feedback(self, trial):
        assert trial.proposal.operator == "mine", "not mine"
        super().feedback(trial)


class Forgetful(Climber):
    def snapshot(self):
        return []


class Binary(Climber):
    def snapshot(self):
        return {"best": tuple(super().snapshot())}

    def restore(self, snapshot, trial):
        super().restore(snapshot["best"], trial)


class Infinite(Climber):
    def snapshot(self):
        return [] if self.best is None else [self.best.number] * (1 if self.cost(self.best) < 0.9 else 2) + [np.inf]


class Touched(Climber):
    def snapshot(self):
        taken, self.best = super().snapshot(), None
        return taken


class Hoarder(Climber):
    def __init__(self, space, objectives, stages):
        super().__init__(space, objectives, stages)
        self.numbers = []

    def feedback(self, trial):
        super().feedback(trial)
        self.numbers.append(trial.number)

    def snapshot(self):
        return {"numbers": self.numbers, "best": super().snapshot()}

    def restore(self, snapshot, trial):
        super().restore(snapshot["best"], trial)
        self.numbers = list(snapshot["numbers"])


def test_the_sound_one_passes():
    """What the bad ones are made of is not what they are caught for."""
    assert examine(lambda: Runs(Climber)) == []


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (Unrepeatable, "the same seed and feedback lead to another proposal"),
        (Counting, "another proposal after being asked more often"),
        (Invalid, "proposes an invalid candidate, (16, 0) is outside"),
        (Bare, "is not a Proposal"),
        (Hasty, "not all of which have finished"),
        (Thorough, "asks for 3 stages of 2"),
        (Frugal, "never with its full score"),
        (Stuck, "does not find the best of 16 points"),
        (Gullible, "end as hurdle, with tempting metrics"),
        (Fragile, "raised AssertionError: what now?"),
        (Orderly, "One trial under way or many, which finish in any order: raised AssertionError: out of order"),
        (Jealous, "raised AssertionError: not mine"),
        (Forgetful, "an algorithm restored from a snapshot"),
        (Binary, "not plain JSON"),
        (Infinite, "Snapshot and restore anywhere in a search: raised ValueError"),
        (Touched, "an algorithm that had made a snapshot"),
        (Hoarder, "the snapshot grows with the number of trials"),
    ],
)
def test_bad_algorithms_are_caught(bad, finding):
    """habits.md, 6: one exam, which fails what it should."""
    found = examine(lambda: Runs(bad))
    assert any(finding in one for one in found), found


class Selfsame(Climber):
    """Settings and their only run in one."""

    def __init__(self):
        pass

    def start(self, space, objectives, stages=1):
        super().__init__(space, objectives, stages)
        return self


class Tally(pg.Object):
    """Settings that count the runs of a class, by which others start."""

    started: int = 0

    def start(self, space, objectives, stages=1):
        self.rebind(started=self.started + 1)
        return Climber(space, objectives, stages)


class Trail(Climber):
    """Starts from the best that any run of the same settings has found."""

    def __init__(self, found, *told):
        super().__init__(*told)
        self.found, self.best = found, min(found, key=self.cost, default=None)

    def feedback(self, trial):
        super().feedback(trial)
        self.found.append(trial)


class Remembering:
    """Settings that tell each run of the runs before."""

    def __init__(self):
        self.found = []

    def start(self, space, objectives, stages=1):
        return Trail(self.found, space, objectives, stages)


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (Selfsame, "another proposal while another run of the same settings goes on"),
        (Remembering, "another proposal while another run of the same settings goes on"),
        (Tally, "a run changes the settings that it was started from"),
    ],
)
def test_bad_settings_are_caught(bad, finding):
    """search/protocol.py: no run changes the settings or knows of another run."""
    found = examine(bad)
    assert any(finding in one for one in found), found


def test_snapshots_are_optional():
    """search/protocol.py: without a snapshot only a replay restores the state."""

    class Plain(Climber):
        def snapshot(self):
            return None

    assert examine(lambda: Runs(Plain)) == []
