"""Functionality-changing mutation and the tabu list (functional_hashing.md, section 3)."""

import json
from collections import Counter
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import pyglove as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isozyme.evaluators.protocol import Status
from isozyme.hashing import numeric_key, static_key
from isozyme.search import (
    NSGA2,
    Crossover,
    FunctionChanging,
    HillClimbing,
    Minimize,
    Mutation,
    Proposal,
    RandomSearch,
    RegularizedEvolution,
    Restarts,
    SuccessiveHalving,
    Tabu,
    Trial,
    examine,
)
from isozyme.search.algorithms import functional
from isozyme.search.algorithms.population import Member
from isozyme.search.controller import controller as controller_module
from isozyme.search.controller import snapshots
from isozyme.search.exam.toy_search import SPACE as POINTS
from isozyme.search.exam.toy_search import ask_and_tell
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.protocol import Keys
from isozyme.search.rules import Rules
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.spaces.lion.named import NAMED
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.toys import (
    LAG,
    OBJECTIVES,
    SEED,
    SPACE,
    TROUBLE,
    BitEvaluator,
    BitStrings,
    Passing,
    Runs,
    run_search,
    trace,
)

LOSS = (Minimize("loss", 1.0),)


def rng(*seed):
    return np.random.default_rng(seed)


class Swapping(BitStrings):
    """Bit strings that are also mutated by swapping two bits, often within a half: a numeric twin."""

    @property
    def operators(self):
        return {"flip": self.mutate, "swap": self._swap}

    def _swap(self, candidate, rng):
        one, other = rng.choice(self.size, 2, replace=False).tolist()
        bits = list(candidate)
        bits[one], bits[other] = bits[other], bits[one]
        return tuple(bits)


def equal(size):
    """A template with three candidates out of four equal in each of its decisions."""
    return TemplateSpace(pg.Dict({f"d{i}": pg.oneof([1, 1, 1, 2]) for i in range(size)}))


def twin(space, one, other):
    """By which key two candidates are twins."""
    if static_key(space, one) == static_key(space, other):
        return "static"
    numeric = numeric_key(space, one)
    return "numeric" if numeric is not None and numeric == numeric_key(space, other) else None


def wanderers(space):
    """Parents that some mutations, mostly twins of each other, lead to."""
    found = NAMED["adamw"] if isinstance(space, OptimizerPrograms) else space.random(rng(0))
    for number in range(12):
        yield Member(0.0, number, found)
        found = Mutation().start(space)([Member(0.0, number, found)], rng(number)).candidate


# --- functionality-changing mutation ---


@pytest.mark.parametrize(
    ("space", "keys"),
    [
        (Swapping(), {"static", "numeric"}),
        (OptimizerPrograms(), {"static"}),
        (equal(6), {"static"}),
        (POINTS, {"static"}),
    ],
    ids=["bits", "programs", "template", "points"],
)
def test_no_child_is_a_twin_of_its_parent(space, keys):
    """Section 3, FCM: mutate the parent until the child's hash differs; without it many children are twins."""
    change, mutate, plain = FunctionChanging().start(space), Mutation().start(space), Counter()
    for parent in wanderers(space):
        for seed in range(15):
            plain[twin(space, mutate([parent], rng(seed)).candidate, parent.candidate)] += 1
            child = change([parent], rng(seed))
            assert twin(space, child.candidate, parent.candidate) is None
            assert child.parents == (parent.number,)
    assert set(plain) >= keys
    assert plain[None] < 0.9 * plain.total()


def test_numeric_twins_of_programs_are_seen():
    """Section 2, canonicalisation: the static key misses x·x and square(x); the numeric one does not."""
    space = OptimizerPrograms()
    square, product, other = (
        space.from_source(f"def train(w, g, v1, v2, lr):\n    u = {u}\n    u = u * lr\n    return u, v1, v2\n")
        for u in ("square(g)", "g * g", "g + g")
    )
    assert twin(space, square, product) == "numeric"
    change = FunctionChanging(Listed([product, square, other, product])).start(space)
    child = change([Member(0.0, 0, square)], rng(0))
    assert child.candidate == other


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_every_try_starts_from_the_parent(seed):
    """Section 3, FCM: what is mutated is the parent, so that a child is one step away."""
    space = Swapping()
    parent = Member(0.0, 3, space.random(rng(seed)))
    random, mutate = rng(seed, 1), Mutation().start(space)
    children = (mutate([parent], random) for _ in range(1_000))
    expected = next(child for child in children if twin(space, child.candidate, parent.candidate) is None)
    assert FunctionChanging().start(space)([parent], rng(seed, 1)) == expected


class Listed:
    """A variation that makes the listed children, one after the other, in all its runs together."""

    parents = 1

    def __init__(self, children):
        self.children, self.made = children, 0

    def start(self, space):
        return self

    def __call__(self, parents, rng):
        self.made += 1
        return Proposal(self.children[self.made - 1], (parents[0].number,), "listed")


def bits(text):
    return tuple(map(int, text))


def test_tries():
    """Section 3, FCM: a parent all of whose neighbours are twins is left by a neutral step."""
    space = BitStrings(size=4, dead=2)
    listed = [bits(text) for text in ("1100", "1101", "1110", "1111", "0000")]
    for tries, made in ((1, 1), (3, 3), (4, 4), (5, 5), (9, 5)):
        variation = Listed(listed)
        change = FunctionChanging(variation, tries=tries).start(space)
        assert change([Member(0.0, 0, bits("1100"))], rng(0)).candidate == listed[made - 1]
        assert variation.made == made


def test_invalid_children_and_parents():
    """Design, section 3.7: what is invalid has no keys; it is neither compared nor preferred."""
    space = BitStrings(size=4, dead=0, forbidden_ones=3)
    listed = Listed([bits(text) for text in ("1110", "1100", "0000", "1101", "1000")])
    change = FunctionChanging(listed).start(space)
    assert change([Member(0.0, 0, bits("1100"))], rng(0)).candidate == bits("0000")
    assert change([Member(0.0, 1, bits("1110"))], rng(0)).candidate == bits("1000")
    with pytest.raises(IndexError):
        static_key(equal(1), (9,))
    assert FunctionChanging(Listed([(3,)])).start(equal(1))([Member(0.0, 0, (9,))], rng(0)).candidate == (3,)


def test_children_of_two():
    """Section 3, FCM, with crossover: the child behaves like neither parent."""
    crossover, plain = Crossover(0.8), Counter()
    change, cross = FunctionChanging(crossover).start(POINTS), crossover.start(POINTS)
    parents = [Member(0.0, 4, (5, 0)), Member(0.0, 9, (4, 1))]
    assert change.parents == 2
    for seed in range(200):
        child = change(parents, rng(seed))
        assert child.candidate[0] not in (4, 5)
        assert child.parents in ((4, 9), (4,))
        plain[cross(parents, rng(seed)).candidate[0]] += 1
    assert plain[4] + plain[5] > 50


class Counted(BitStrings):
    """Bit strings that count how often each is keyed."""

    def canonical(self, candidate):
        KEYED[candidate] += 1
        return super().canonical(candidate)


KEYED: Counter = Counter()


def test_a_winner_is_keyed_once(monkeypatch):
    """Section 6: hashing has a cost; parents' keys are remembered, those of the latest parents."""
    monkeypatch.setattr(functional, "_PARENTS", 2)
    space = Counted()
    change = FunctionChanging().start(space)
    winners = [Member(0.0, number, bits(f"{number:012b}")) for number in (1, 2, 4)]
    KEYED.clear()
    for number in (0, 1, 0, 1, 0):
        change([winners[number]], rng(number))
    assert [KEYED[winner.candidate] for winner in winners[:2]] == [1, 1]
    for number in (2, 0, 1):  # Room for two: the third drives out number 1, which had gone longest without a child.
        change([winners[number]], rng(number))
    assert [KEYED[winner.candidate] for winner in winners] == [1, 2, 1]
    namesake = Member(0.0, 1, bits("1" * 12))  # `FeasibleOnly` varies its own children under a parent's number.
    for seed in range(50):
        child = change([namesake], rng(seed)).candidate
        assert twin(space, child, namesake.candidate) is None


# --- the tabu list ---


class Asked(Passing):
    """Proposes what a function of the trial's number and the random numbers says; counts how often it is asked."""

    def __init__(self, inner, candidate):
        super().__init__(inner)
        self.candidate, self.asked = candidate, 0

    def propose(self, number, rng):
        self.asked += 1
        return Proposal(self.candidate(number, rng))


def asked(candidate):
    return Runs(lambda *told: Asked(RandomSearch().start(*told), candidate))


def tabu(algorithm, limit=2, tries=20, space: Any = POINTS) -> Any:
    return Tabu(algorithm, limit=limit, tries=tries).start(space, LOSS)


def finished(number, candidate, static="", key="", status=Status.OK):
    return Trial(number, Proposal(candidate), status, metrics={"loss": 1.0}, keys=Keys(static, key))


def test_what_was_explored_too_often_is_refused():
    """Section 3, tabulist: refuse what was explored too often; everything else goes through as it is."""
    algorithm = tabu(RandomSearch(), tries=1_000)
    for point in range(1, 15):
        algorithm.feedback(finished(point, (point, 0)))
    for seed in range(50):
        assert algorithm.propose(99, rng(seed)) == Proposal(POINTS.random(rng(seed)), (), "random")
    for point in range(1, 15):
        algorithm.feedback(finished(20 + point, (point, 1)))  # The label does nothing: a twin.
    assert {algorithm.propose(99, rng(seed)).candidate[0] for seed in range(50)} == {0, 15}


def test_twins_count_together():
    """Section 3, tabulist, by hashes: a static key belongs to the behaviour that feedback showed."""
    space = BitStrings(size=4, dead=0)
    one, other, new = (bits(text) for text in ("1000", "0100", "0010"))
    among = asked(lambda number, random: (one, other, new)[int(random.integers(3))])
    algorithm = tabu(among, limit=2, tries=1_000, space=space)
    key = {candidate: static_key(space, candidate).hex() for candidate in (one, other, new)}

    def proposed():
        return {algorithm.propose(9, rng(seed)).candidate for seed in range(20)}

    algorithm.feedback(finished(0, one, key[one], "one in the first half"))
    assert proposed() == {one, other, new}
    algorithm.feedback(finished(1, other, key[other], "one in the first half"))
    assert proposed() == {new}


@pytest.mark.parametrize("heeds", [False, True])
def test_an_algorithm_that_insists(heeds):
    """Section 3, tabulist: it is asked again so often, with random numbers that move on; then it gets its way."""
    inner = asked(lambda number, random: (int(random.integers(16)) if heeds else number % 16, 0))
    algorithm = tabu(inner, limit=1, tries=7)
    for point in range(16):
        algorithm.feedback(finished(point, (point, 0)))
    last = algorithm.propose(5, rng(2))
    assert inner.started[0].asked == 8
    random = rng(2)
    assert last.candidate[0] == ([int(random.integers(16)) for _ in range(8)][-1] if heeds else 5)


def test_invalid_proposals_are_refused():
    """Design, section 3.7: otherwise they would be all that is left where much has been explored."""
    space = BitStrings(forbidden_ones=6)
    algorithm = tabu(RandomSearch(), limit=1, tries=1_000, space=space)
    assert {space.validate(space.random(rng(seed))) is None for seed in range(50)} == {True, False}
    algorithm.feedback(finished(0, bits("101010101010"), status=Status.INVALID))  # No keys.
    assert algorithm.snapshot() == {"counts": {}, "behaviours": {}, "algorithm": {}}
    assert all(space.validate(algorithm.propose(9, rng(seed)).candidate) is None for seed in range(50))


def test_the_list_is_bounded(monkeypatch):
    """Section 3, cache policies: least recently seen out first; the newest count."""
    monkeypatch.setattr(functional, "_KEPT", 3)
    algorithm = tabu(RandomSearch(), limit=1, tries=1_000)
    for number, point in enumerate((0, 1, 2, 0, 3)):
        algorithm.feedback(finished(number, (point, 0)))
    proposed = {algorithm.propose(99, rng(seed)).candidate[0] for seed in range(300)}
    assert proposed == set(range(16)) - {2, 0, 3}
    assert list(algorithm.snapshot()["counts"].values()) == [1, 2, 1]


# --- both in a search ---


def functional_evolution(limit=2):
    return Tabu(RegularizedEvolution(10, 3, variation=FunctionChanging()), limit=limit)


NESTED = {
    "restarts of a tabu list": lambda: Restarts(functional_evolution(), patience=20),
    "a tabu list of halving": lambda: Tabu(SuccessiveHalving(9, 3), limit=1),
    "a tabu list of hill climbing": lambda: Tabu(HillClimbing(), limit=3),
    "NSGA-II with changing crossover": lambda: NSGA2(20, variation=FunctionChanging(Crossover())),
}


@pytest.mark.parametrize("name", NESTED)
def test_parts_combine(name):
    """Design, section 3.3: determinism, lag, snapshots, in any combination; that of the table is in test_exam.py."""
    assert examine(NESTED[name]) == []


def search(folder, algorithm, trials):
    rules = Rules(SPACE, OBJECTIVES, 2, seed=SEED, lag=LAG)
    with closing(InProcessExecutor(BitEvaluator(trouble=TROUBLE), rules)) as executor:
        return run_search(folder, rules, algorithm, executor, trials)[1]


def explored(algorithm, seed):
    """How many of 300 trials each of 4,096 behaviours got in a search."""
    space = equal(12)

    def finish(number, proposal):
        key = static_key(space, proposal.candidate).hex()
        metrics = {"loss": -float(proposal.candidate.count(3))}
        return Trial(number, proposal, Status.OK, metrics=metrics, keys=Keys(key, key))

    events = ask_and_tell(algorithm.start(space, LOSS), 300, finish, partial(rng, seed))
    return Counter(event.keys.behaviour for event in events if isinstance(event, Trial))


@pytest.mark.parametrize("seed", range(4))
def test_fewer_twins_in_a_search(seed):
    """Section 3, FCM and tabulist: each leaves fewer twins, and nothing is explored more often than the limit."""
    plain = explored(RegularizedEvolution(20, 5), seed)
    changing = explored(RegularizedEvolution(20, 5, variation=FunctionChanging()), seed)
    both = explored(functional_evolution(), seed)
    assert 300 - len(both) < 0.6 * (300 - len(plain))
    assert len(plain) + 10 < len(changing) < len(both) - 10
    assert max(both.values()) == 2 < max(changing.values()) < max(plain.values())


@pytest.mark.parametrize("every", [10, 1_000])
@pytest.mark.parametrize("k", [9, 33, 47])
def test_stop_and_go_on(k, every, tmp_path, monkeypatch):
    """Section 3 and design, section 3.3: from a snapshot or by replay, the trajectory is that of an undisturbed run."""
    whole = search(tmp_path / "whole", functional_evolution(), 80)
    assert {None, "static", "numeric"} == {trial.hit for trial in whole}
    assert Status.INVALID not in {trial.status for trial in whole if trial.parents}
    monkeypatch.setattr(snapshots, "EVERY", every)
    monkeypatch.setattr(controller_module, "SETTLE_EVERY", 1)
    search(tmp_path / "stopped", functional_evolution(), k)
    resumed = search(tmp_path / "stopped", functional_evolution(), 80)
    assert [trace(trial) for trial in resumed] == [trace(trial) for trial in whole]


def test_a_snapshot_is_a_copy():
    """Design, section 3.3: what has been taken does not change with later trials."""
    algorithm = tabu(RandomSearch())
    algorithm.feedback(finished(0, (3, 0)))
    taken = algorithm.snapshot()
    text = json.dumps(taken)
    algorithm.feedback(finished(1, (3, 0)))
    algorithm.feedback(finished(2, (4, 0)))
    assert json.dumps(taken) == text
