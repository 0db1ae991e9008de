"""PyGlove's algorithms in our controller."""

# PyGlove makes its types at run time, out of pyright's sight.
# pyright: reportAttributeAccessIssue=false, reportFunctionMemberAccess=false, reportOptionalMemberAccess=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import json
import math
import sqlite3

import numpy as np
import pyglove as pg
import pytest

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Minimize, Trial
from isozyme.search.protocol import Exhausted
from isozyme.search.pyglove_bridge import PyGloveAlgorithm
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.search.pyglove_bridge.bridge_helpers import OBJECTIVES, Scores, search, template
from isozyme.tests.toys import BitStrings, Runs

mutate = pg.evolution.mutators.Uniform
GENERATORS = {
    "nsga2": lambda: pg.evolution.nsga2(mutate(seed=1), population_size=4, seed=1),
    "regularized_evolution": lambda: pg.evolution.regularized_evolution(mutate(seed=1), 6, 2, seed=1),
    "hill_climb": lambda: pg.evolution.hill_climb(mutate(seed=1), batch_size=2, init_population_size=3, seed=1),
    "random": lambda: pg.geno.Random(seed=1),
    "sweeping": pg.geno.Sweeping,
    "deduping": lambda: pg.geno.Deduping(pg.geno.Random(seed=1)),
}
HISTORY_ALONE = ["random", "sweeping"]  # These depend on nothing but their history, seeds included.
EVOLUTION = ["nsga2", "regularized_evolution", "hill_climb"]
TRIALS = 24


def notes(trials):
    return [json.loads(trial.proposal.note or "{}") for trial in trials]


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("name", GENERATORS)
def test_any_generator_drives_the_controller(name, lag, tmp_path):
    """All trials are run, failures included, and the generator is told of each with finite rewards."""
    algorithm = Runs(PyGloveAlgorithm(GENERATORS[name]()).start)
    evaluator = Scores(troubled=[1], diverging=[2])
    progress, trials = search(tmp_path, algorithm, TRIALS, evaluator=evaluator, lag=lag)
    assert progress.trials == TRIALS
    assert {Status.OK, Status.CRASHED} <= {trial.status for trial in trials}
    running = algorithm.started[0].generator
    assert (running.num_proposals, running.num_feedbacks) == (TRIALS, TRIALS)
    if name in EVOLUTION:
        assert [note["proposal_id"] for note in notes(trials)] == list(range(1, TRIALS + 1))
        assert not notes(trials)[-1]["initial_population"], "evolution never got beyond its first population"
        rewards = [np.atleast_1d(dna.metadata.reward) for dna in running.population]
        assert np.isfinite(rewards).all()


def test_a_generator_begins_anew_each_time(tmp_path):
    """The generator given is left alone: two searches with it are the same."""
    generator = GENERATORS["regularized_evolution"]()
    algorithm = PyGloveAlgorithm(generator)
    traces = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        _, trials = search(folder, algorithm, 12)
        traces.append([trial.candidate for trial in trials])
    assert traces[0] == traces[1]
    assert generator.dna_spec is None


class Listener(pg.DNAGenerator):
    """Proposes at random, numbers its proposals and notes what it is told."""

    def _setup(self):
        self.told = []

    def _propose(self):
        return self.dna_spec.random_dna().set_metadata("n", self.num_proposals)

    def _feedback(self, dna, reward):
        self.told.append((dna.metadata.get("n"), reward))


class MultiListener(Listener):
    @property
    def multi_objective(self):
        return True


def told(kind, outcomes, objectives=OBJECTIVES):
    """What a generator hears of outcomes, in its order."""
    algorithm = PyGloveAlgorithm(kind()).start(TemplateSpace(template()), objectives)
    for number, (status, metrics) in enumerate(outcomes):
        proposal = algorithm.propose(number, np.random.default_rng(0))
        algorithm.feedback(Trial(number, proposal, status, metrics=metrics))
    return algorithm.generator.told


def test_rewards_are_minus_costs():
    """One objective: a number; several: a tuple, in their order."""
    outcomes = [(Status.OK, {"score": 3.0, "size": 5.0}), (Status.OK, {"score": 2.0, "size": 4.0})]
    assert told(Listener, outcomes) == [(0, 3.0), (1, 2.0)]
    assert told(MultiListener, outcomes) == [(0, (3.0, -5.0)), (1, (2.0, -4.0))]
    assert told(MultiListener, outcomes, (Minimize("size", 9.0),)) == [(0, (-5.0,)), (1, (-4.0,))]


def test_failures_get_the_worst_reward_so_far():
    """Those before the first score wait for it; scores of less than the full budget count as failures."""
    outcomes = [
        (Status.CRASHED, {}),
        (Status.PARTIAL, {"score": -50.0, "size": 1.0}),
        (Status.OK, {"score": -3.0, "size": 5.0}),
        (Status.OK, {"score": -4.0, "size": 2.0}),
        (Status.DIVERGED, {"size": 99.0}),
        (Status.OK, {"score": -2.0, "size": 6.0}),
        (Status.HURDLE, {}),
    ]
    assert told(Listener, outcomes) == [(2, -3.0), (0, -3.0), (1, -3.0), (3, -4.0), (4, -4.0), (5, -2.0), (6, -4.0)]
    assert told(MultiListener, outcomes)[-1] == (6, (-4.0, -6.0)), "the worst in each objective"


def keep(folder, numbers):
    """Leaves only some trials in a journal, as a kill at that time would have."""
    with sqlite3.connect(folder / "trials.db") as connection:
        marks = ", ".join(map(str, numbers))
        connection.execute(f"DELETE FROM trials WHERE trial NOT IN ({marks})")
    connection.close()


def population(running):
    return [
        (dna.to_numbers(), {key: dna.metadata[key] for key in ("reward", "generation_id", "initial_population")})
        for dna in running.generator.population
    ]


@pytest.mark.parametrize("name", EVOLUTION)
def test_populations_are_recovered(name, tmp_path):
    """After a cut the population is the one before it, and the one that PyGlove's own `recover` makes."""
    cut, evaluator = 18, Scores(troubled=[1])
    undisturbed = Runs(PyGloveAlgorithm(GENERATORS[name]()).start)
    search(tmp_path / "whole", undisturbed, cut, evaluator=evaluator)
    _, trials = search(tmp_path / "cut", PyGloveAlgorithm(GENERATORS[name]()), TRIALS, evaluator=evaluator)
    keep(tmp_path / "cut", range(cut))

    algorithm = Runs(PyGloveAlgorithm(GENERATORS[name]()).start)
    search(tmp_path / "cut", algorithm, cut, evaluator=evaluator)
    (resumed,) = algorithm.started
    resumed.propose(cut, np.random.default_rng(0))
    assert population(resumed) == population(undisturbed.started[0])

    own = GENERATORS[name]()
    space = TemplateSpace(template())
    own.setup(pg.dna_spec(space.template))
    history, worst = [], None
    for one in trials[:cut]:
        dna = space.to_dna(one.candidate)
        for key, value in json.loads(one.proposal.note).items():
            dna.set_metadata(key, value)
        rewards = (one.metrics.get("score", math.nan), -one.metrics.get("size", math.nan))
        if one.status is Status.OK:
            worst = tuple(map(min, rewards, worst or rewards))
        assert worst is not None, "the first trial has a score, so that nothing waits"
        rewards = rewards if one.status is Status.OK else worst
        history.append((dna, rewards if own.multi_objective else rewards[0]))
    own.recover(history)
    assert [dna.to_numbers() for dna in own.population] == [numbers for numbers, _ in population(resumed)]
    assert resumed.generator.num_feedbacks == own.num_feedbacks == cut


@pytest.mark.parametrize("kept", [range(10), [*range(8), 9, 10], [0, 1, 3]])
@pytest.mark.parametrize("name", HISTORY_ALONE)
def test_what_depends_on_history_alone_goes_on_as_if_nothing_had_happened(name, kept, tmp_path):
    """Trials that were under way at a kill are proposed again, those that had finished are not."""
    evaluator = Scores(troubled=[1])
    _, whole = search(tmp_path, PyGloveAlgorithm(GENERATORS[name]()), 16, evaluator=evaluator, lag=4)
    keep(tmp_path, kept)
    progress, trials = search(tmp_path, PyGloveAlgorithm(GENERATORS[name]()), 16, evaluator=evaluator, lag=4)
    assert progress.restored == len(kept)
    assert [t.candidate for t in trials] == [t.candidate for t in whole]


def test_a_cut_among_failures_alone(tmp_path):
    """Without any score yet, a sweep still goes on where it was."""
    everything = Scores(troubled=range(4))
    _, whole = search(tmp_path, PyGloveAlgorithm(pg.geno.Sweeping()), 12, evaluator=everything)
    keep(tmp_path, range(5))
    _, trials = search(tmp_path, PyGloveAlgorithm(pg.geno.Sweeping()), 12, evaluator=everything)
    assert [t.candidate for t in trials] == [t.candidate for t in whole]


@pytest.mark.parametrize("kept", [range(6), [0, 1, 2, 5], [3]])
def test_a_sweep_ends_with_its_space(kept, tmp_path):
    """Every point is tried once, however the run was cut, and then the run ends."""
    space = TemplateSpace(pg.Dict(x=pg.oneof([1, 2, 3]), z=[pg.oneof([4, 5]), 0], w="a"))
    for _ in range(2):
        progress, trials = search(tmp_path, PyGloveAlgorithm(pg.geno.Sweeping()), 100, space=space, lag=4)
        assert progress.trials == progress.unique == space.size == 6
        assert [t.candidate for t in trials] == list(space.points())
        keep(tmp_path, kept)


def test_a_generator_at_its_end_is_exhausted():
    algorithm = PyGloveAlgorithm(pg.geno.Sweeping()).start(TemplateSpace(pg.oneof([1, 2])), OBJECTIVES)
    rng = np.random.default_rng(0)
    assert [algorithm.propose(number, rng).candidate for number in range(2)] == [(0,), (1,)]
    with pytest.raises(Exhausted, match="Sweeping"):
        algorithm.propose(2, rng)


def test_only_template_spaces(tmp_path):
    with pytest.raises(ValueError, match="search a TemplateSpace, and this is a BitStrings"):
        PyGloveAlgorithm(pg.geno.Random()).start(BitStrings(), (Maximize("fitness", 0.0),))


@pytest.mark.parametrize("name", GENERATORS)
def test_its_json_holds_no_code(name):
    """A run folder's description is the same in every installation, and tells generators apart."""
    text = json.dumps(PyGloveAlgorithm(GENERATORS[name]()).to_json())
    assert '"code"' not in text
    assert "pickle" not in text
    others = [json.dumps(PyGloveAlgorithm(make()).to_json()) for key, make in GENERATORS.items() if key != name]
    assert text not in others
