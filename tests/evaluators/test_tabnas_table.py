"""The enumerated space: it holds what the evaluator computes, and replays are the searches that they stand for."""

import itertools
import json
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from isozyme.benchmarks import tabnas_table
from isozyme.benchmarks.tabnas import replay, table, training
from isozyme.benchmarks.tabnas.replay import EVALUATIONS, Course, Method
from isozyme.evaluators.protocol import Job, Status
from isozyme.evaluators.tabular import TableTask, TabularEvaluator, space_for
from isozyme.search import Maximize, PolicyGradient, Proposal, RegularizedEvolution, Trial
from isozyme.search.algorithms.feasible_only import FeasibleOnly
from isozyme.search.policy.feasible_share import FeasibleShare
from isozyme.search.policy.rewards import CostAware
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.tabnas import WIDTHS, FeedForward, parameters

SPLITS = ("search", "selection", "final")


@pytest.fixture(scope="module")
def known():
    """The file."""
    return table.landscape()


@pytest.fixture(scope="module")
def on(known):
    """With a tenth of the networks feasible."""
    return replay.course(known, 1.0 - known.loss)


def test_numpy_trains_what_the_evaluator_trains():
    """Same weights, batches and optimizer as `TabularEvaluator` with one repeat, on sliced tensors."""
    task = TableTask("diamonds_cut", steps=25, batch_size=64, rate=1e-2, held_rows=1000)
    space = space_for(task, widths=(8, 16, 24))
    evaluator = TabularEvaluator(task, repeats=1)
    evaluator.setup(space, 7)
    given = training.lesson(task, space, 7)
    for genes in ((0, 2, 0), (2, 0, 1)):
        (outcome,) = evaluator.evaluate([Job(genes, "search")])
        scores, losses = training.train(given, space.lower(genes).tolist())
        assert losses[0] == pytest.approx(outcome.metrics["loss"], rel=1e-4)
        assert scores[0] == pytest.approx(outcome.metrics["score"], abs=2.1e-3)  # Two rows of 1,000.
    assert losses[0] < 1.4  # Something has been learned: 1.36 is what the shares of the classes are worth.


def test_the_file_is_of_this_task(known):
    """Three of its networks, trained again; other libraries may round otherwise, which 300 steps enlarge."""
    stored = np.load(table.FILE)
    assert json.loads(str(stored["task"])) == json.loads(table.TASK.to_json_str())
    assert "isozyme.benchmarks.tabnas.table" in str(stored["command"])
    space = space_for(table.TASK)
    assert (space.inputs, space.outputs) == (known.space.inputs, known.space.outputs)
    given = training.lesson(table.TASK, space, table.SEED)
    for genes in ((0, 0, 0), (3, 0, 5), (5, 6, 2)):
        scores, losses = training.train(given, [WIDTHS[i] for i in genes])
        assert losses == pytest.approx(known.loss[genes].tolist(), abs=0.01)
        assert scores == pytest.approx(known.score[genes].tolist(), abs=0.01)


def test_the_file_is_whole(known):
    """Fact 10: parameters are those of the closed form; figures are finite and those of trained networks."""
    count = len(known.space.widths)
    assert tuple(known.space.widths) == WIDTHS[: table.COUNT]
    assert known.score.shape == known.loss.shape == (count, count, count, len(SPLITS))
    assert np.isfinite(known.loss).all()
    assert (np.isfinite(known.fresh).all(axis=(3, 4)) == (known.parameters <= known.limit)).all()
    assert 0.38 < known.score.min() < known.score.max() < 0.9  # 0.38 to 0.41 is the share of the largest class.
    # Where all units of a last layer of 8 have died, a wide network knows nothing else.
    assert (known.score > 0.45).mean() > 0.99
    cost = ParameterCount([list(known.space.widths)] * 3, table.INPUTS, table.OUTPUTS)
    for genes in itertools.product(range(0, count, 3), repeat=3):
        assert known.parameters[genes] == cost(genes) == parameters(known.space.lower(genes).tolist(), 20, 5)
    assert FeedForward(1027, 1).form((3, 10, 2)) == {"parameters": 41_153.0}


def test_the_limit_is_hard(known, on):
    """About a tenth is feasible, the best network of all is not."""
    assert on.feasible.mean() == pytest.approx(0.1, abs=0.01)
    assert on.feasible[on.best]
    assert not on.feasible[on.unconstrained]
    assert on.quality[on.unconstrained][0] > on.quality[on.best][0]
    description = tabnas_table.describe(on, known)
    assert description["best"]["parameters"] <= description["limit"] < description["unconstrained"]["parameters"]
    assert description["feasible"] == sum(on.limit.allows(genes) for genes in np.ndindex(on.parameters.shape))


def test_shells_are_cubes():
    """However far an enumeration got, its beginning is a whole space."""
    order = table.shells(5)
    for count in range(1, 6):
        assert set(order[: count**3]) == set(itertools.product(range(count), repeat=3))


SMALL = Course(
    FeedForward(2, 1, widths=[2, 3]), Limit(ParameterCount([[2, 3]] * 3, 2), 24.0),
    np.random.default_rng(0).random((2, 2, 2, 3)),
    np.array([parameters(w, 2, 1) for w in itertools.product((2, 3), repeat=3)]).reshape(2, 2, 2),
)  # fmt: skip


@hypothesis.given(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=20))
def test_progress(rows):
    """Fact 11: infeasible networks leave the best so far alone, and cost an evaluation; twins are free."""
    best = replay.progress(SMALL, np.array([rows]))[0]
    assert best.shape == (EVALUATIONS,)
    seen = {genes: float(SMALL.quality[genes][0]) for genes in np.ndindex(2, 2, 2) if SMALL.feasible[genes]}
    assert 0 < len(seen) < 8
    expected = min(seen, key=lambda genes: seen[genes])
    found = False
    for number, genes in enumerate(dict.fromkeys(rows)):
        if genes in seen and (not found or seen[genes] > seen[expected]):
            expected, found = genes, True
        assert best[number] == np.ravel_multi_index(expected, (2, 2, 2))
    assert (best[len(set(rows)) - 1 :] == np.ravel_multi_index(expected, (2, 2, 2))).all()


class Seeds:
    """Gives a policy gradient the seeds of a replay's trial."""

    def __init__(self, seeds):
        self._seeds = iter(seeds)

    def integers(self, high):
        """The next one."""
        assert high == 2**31
        return next(self._seeds)


@pytest.mark.parametrize("kind", ["exact", "absolute"])
def test_replays_are_policy_gradients(on, kind):
    """`PolicyGradient` with the same seeds proposes the same networks, trial by trial, and learns from them."""
    import jax

    rate, trials = 0.1, 40
    (rows,) = replay.learn(Method(kind, -1.0), rate, on, range(5, 6))
    reward = CostAware("absolute", "parameters", on.limit.limit, -1.0) if kind == "absolute" else None
    limit = on.limit if kind == "exact" else None
    assert limit is None or on.feasible[tuple(rows.T)].all()
    settings = PolicyGradient(rate, reward=reward, limit=limit, feasible_share=FeasibleShare(exact=True))
    algorithm = settings.start(on.space, [Maximize("quality", 0.0)])
    for number, key in enumerate(jax.random.split(jax.random.key(5), replay.TRIALS)[:trials]):
        rng: Any = Seeds(jax.random.randint(key, (2,), 0, 2**31 - 1).tolist())
        proposal = algorithm.propose(number, rng)
        row = proposal.candidate
        assert row == tuple(rows[number].tolist())
        metrics = {"quality": float(on.quality[row][0]), "parameters": float(on.parameters[row])}
        told = Trial(number, Proposal(row, operator=proposal.operator, note=proposal.note), Status.OK, metrics=metrics)
        algorithm.feedback(told)
    assert len(set(map(tuple, rows[-100:].tolist()))) < 60  # It has settled on a few.


def test_feasible_alone_is_proposed(on):
    """Fact 11: what knows the limit never spends an evaluation beyond it; repeats differ and can be repeated."""
    method = Method("rejection", 5)
    rows = replay.learn(method, 0.1, on, range(2))
    assert on.feasible[tuple(np.moveaxis(rows, -1, 0))].all()
    assert (rows[0] != rows[1]).any()
    assert (replay.learn(method, 0.1, on, range(2)) == rows).all()


def test_walks(on):
    """Evolution within the limit stays there, finds better networks than it starts from, and can be repeated."""

    def make():
        return RegularizedEvolution(10, 3, variation=FeasibleOnly(limit=on.limit))

    space = FeasibleSpace(on.space, on.limit)
    rows = replay.walk(make, space, on, range(10))
    assert rows.shape == (10, replay.TRIALS, 3)
    assert on.feasible[tuple(np.moveaxis(rows, -1, 0))].all()
    assert (replay.walk(make, space, on, range(2)) == rows[:2]).all()
    seen = on.quality[..., 0].ravel()[replay.progress(on, rows)]
    assert (np.diff(seen, axis=1) >= 0).all()
    assert seen[:, -1].mean() > seen[:, 9].mean()
