"""Our algorithms in a plain `pg.sample`."""

# PyGlove makes its types at run time, out of pyright's sight.
# pyright: reportAttributeAccessIssue=false, reportFunctionMemberAccess=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import threading
from collections import Counter
from functools import partial

import pyglove as pg
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import (
    NSGA2,
    Maximize,
    Minimize,
    Mutation,
    Proposal,
    RandomSearch,
    RegularizedEvolution,
    SuccessiveHalving,
)
from isozyme.search.protocol import Exhausted
from isozyme.search.pyglove_bridge import generator
from isozyme.search.randomness import Streams
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.search.pyglove_bridge.bridge_helpers import score, search, template
from isozyme.tests.toys import Passing, Runs

SCORE = (Maximize("score", 0.0),)


class Notebook(Passing):
    """Random search that keeps the trials it is told of, and ends after some proposals."""

    def __init__(self, space, objectives, stages, limit=1_000):
        super().__init__(RandomSearch().start(space, objectives, stages))
        self.space, self.limit, self.told = space, limit, []

    def propose(self, number, rng):
        if number >= self.limit:
            raise Exhausted
        return Proposal(self.space.random(rng), operator="random", note=f"n{number}")

    def feedback(self, trial):
        self.told.append(trial)


def told(made):
    """The trials that the latest run of a generator was told of."""
    return made.algorithm.started[-1].told


def test_the_candidates_are_those_of_our_controller(tmp_path):
    """The same seed makes the same trajectory in both, at lag 1; twins are evaluated again here."""
    algorithm = RegularizedEvolution(8, 3)
    _, trials = search(tmp_path, algorithm, 40, objectives=SCORE, seed=7)
    assert any(trial.cached_from is not None for trial in trials)
    space, seen = TemplateSpace(template()), []
    for value, feedback in pg.sample(template(), generator(algorithm, SCORE, seed=7), num_examples=40):
        seen.append(space.from_dna(feedback.dna))
        assert value == space.decode(seen[-1])
        feedback(score(value))
    assert seen == [trial.candidate for trial in trials]
    others = [f.dna for _, f in _finished(pg.sample(template(), generator(algorithm, SCORE, seed=8), num_examples=5))]
    assert others != [space.to_dna(candidate) for candidate in seen[:5]]


def _finished(loop):
    for value, feedback in loop:
        feedback(score(value))
        yield value, feedback


def test_lineage_is_in_the_metadata():
    """Every proposal names its trial, its parents and its operator."""
    metadata = [
        feedback.dna.metadata
        for _, feedback in _finished(pg.sample(template(), generator(RegularizedEvolution(4, 2)), num_examples=8))
    ]
    assert [one.trial for one in metadata] == list(range(8))
    assert [list(one.parents) for one in metadata[:4]] == [[]] * 4
    assert all(0 <= one.parents[0] < one.trial for one in metadata[4:])
    assert {one.operator for one in metadata[4:]} <= {"choice", "order"}


def test_threads_share_one_algorithm():
    """Numbers are given once each, and all trials are fed back, in whatever order they arrive."""
    made = generator(Runs(Notebook))
    made.setup(pg.dna_spec(template()))  # In this backend of PyGlove, threads that begin together may both set it up.
    together = threading.Barrier(3, timeout=60.0)

    def work():
        together.wait()
        for value, feedback in pg.sample(template(), made, num_examples=30, name="threads"):
            feedback(score(value))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    trials = told(made)
    assert sorted(trial.number for trial in trials) == list(range(30))
    assert all(trial.proposal.note == f"n{trial.number}" and trial.status is Status.OK for trial in trials)
    space = TemplateSpace(template())
    assert [space.random(Streams(0).of(trial.number)) for trial in trials] == [trial.candidate for trial in trials]


def test_several_objectives():
    """A tuple of rewards becomes metrics by name; NSGA-II is multi-objective for PyGlove too."""
    objectives = [Maximize("score", 0.0), Minimize("size", 100.0)]
    assert generator(NSGA2(10), objectives).multi_objective
    made, seen = generator(Runs(Notebook), objectives), []
    loop = pg.sample(template(), made, num_examples=5, metrics_to_optimize=["score", "size"])
    for value, feedback in loop:
        seen.append({"score": score(value), "size": float(sum(value.z))})
        feedback(metrics=dict(seen[-1]))
    assert [trial.metrics for trial in told(made)] == seen


@pytest.mark.parametrize(("objective", "best"), [(Maximize("size", 0.0), 5), (Minimize("size", 9.0), 1)])
def test_rewards_are_taken_in_the_direction_of_the_objective(objective, best):
    sizes = []
    made = generator(RegularizedEvolution(10, 5), [objective])
    for value, feedback in pg.sample(template(), made, num_examples=70):
        sizes.append(sum(value.z))
        feedback(float(sizes[-1]))
    assert Counter(sizes[-30:]).most_common(1)[0][0] == best


def test_a_reward_that_is_no_number_is_a_failure():
    made = generator(Runs(Notebook))
    rewards = iter([1.0, float("nan"), float("inf"), 2.0])
    for _, feedback in pg.sample(template(), made, num_examples=4):
        feedback(next(rewards))
    trials = told(made)
    assert [trial.status for trial in trials] == [Status.OK, Status.DIVERGED, Status.DIVERGED, Status.OK]
    assert [trial.metrics for trial in trials] == [{"reward": 1.0}, {}, {}, {"reward": 2.0}]
    assert trials[1].reason == "reward is nan"


def test_stages_reach_the_loop_body():
    """arXiv 1810.05934: nine candidates with the least budget, three with more, one with all of it."""
    made = generator(SuccessiveHalving(n=9, eta=3), stages=3)
    asked = Counter()
    for value, feedback in pg.sample(template(), made, num_examples=26):
        asked[feedback.dna.metadata.stages] += 1
        feedback(score(value))
    assert asked[2] == 6
    assert asked[3] == 2
    assert sum(asked.values()) == 26


def test_a_smaller_budget_is_no_full_score():
    """Regularized evolution takes no parent that was scored with a part of the budget."""
    made = generator(Runs(Halves), stages=2)
    for _, feedback in pg.sample(template(), made, num_examples=4):
        feedback(1.0)
    assert [trial.status for trial in told(made)] == [Status.PARTIAL, Status.OK] * 2


class Halves(Notebook):
    """Asks for the first stage, then for all of them, in turn."""

    def propose(self, number, rng):
        return Proposal(self.space.random(rng), stages=1 + number % 2)


def test_an_exhausted_algorithm_ends_the_loop():
    assert (
        len(list(_finished(pg.sample(template(), generator(Runs(partial(Notebook, limit=3))), num_examples=10)))) == 3
    )


def test_recover_rebuilds_everything():
    """With PyGlove's own `recover` a new generator goes on with the very same proposals."""
    make = lambda: generator(RegularizedEvolution(6, 2, variation=Mutation(identity=0.1)), seed=5)  # noqa: E731
    spec = pg.dna_spec(template())
    whole = make()
    whole.setup(spec)
    history = []
    for number in range(20):
        dna = whole.propose()
        reward = float(sum(dna.to_numbers()))
        whole.feedback(dna, reward)
        history.append((pg.from_json_str(dna.to_json_str()), reward))
        if number == 11:
            cut = len(history)
    resumed = make()
    resumed.setup(spec)
    resumed.recover([(dna.use_spec(spec), reward) for dna, reward in history[:cut]])
    for number, (dna, reward) in enumerate(history[cut:], cut):
        again = resumed.propose()
        assert again == dna, f"another proposal {number}"
        resumed.feedback(again, reward)


def test_a_generator_takes_its_own_dna_only():
    made = generator(RandomSearch())
    made.setup(pg.dna_spec(template()))
    with pytest.raises(ValueError, match="does not come from this generator: its metadata name no trial"):
        made.feedback(made.dna_spec.random_dna(), 1.0)


def test_decisions_of_the_users_own_are_refused():
    with pytest.raises(ValueError, match="Words is a decision of the user's own, which cannot be searched here"):
        generator(RandomSearch()).setup(pg.geno.space([pg.geno.custom("Words")]))
