"""Stand-alone training on real tables: one executable, seeds and splits, typed failures, a search over widths."""

import json
import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pyglove as pg
import pytest

from isozyme.evaluators import DataUnavailable, Evaluator, Job, Status
from isozyme.evaluators.exam import examine
from isozyme.evaluators.seeds import repeats
from isozyme.evaluators.tabular import TableTask, TabularEvaluator, space_for
from isozyme.evaluators.tabular.tasks import LoadedTable
from isozyme.evaluators.tabular.training import begin, train
from isozyme.search import Controller, Journal, Maximize, Minimize, RegularizedEvolution
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.rules import Rules
from isozyme.spaces.tabnas import FeedForward

WIDTHS = (4, 16, 40, 64)
TASKS = {
    "diamonds_cut": TableTask("diamonds_cut", steps=60, batch_size=64, rate=1e-2, held_rows=1000),
    "diamonds_price": TableTask("diamonds_price", steps=60, batch_size=64, rate=1e-2, held_rows=1000),
}
SPACES = {name: space_for(task, layers=2, widths=WIDTHS) for name, task in TASKS.items()}


def made(name="diamonds_cut", seed=0, **settings):
    """An evaluator that is set up."""
    evaluator: Evaluator = TabularEvaluator(TASKS[name], **settings)
    evaluator.prepare()
    evaluator.setup(SPACES[name], seed)
    return evaluator


@pytest.fixture(scope="module")
def cuts():
    """Five classes."""
    return made()


@pytest.fixture(scope="module")
def prices():
    """A number."""
    return made("diamonds_price")


def score(evaluator, *jobs):
    """Metrics of jobs that end well."""
    outcomes = evaluator.evaluate(list(jobs))
    assert [outcome.status for outcome in outcomes] == [Status.OK] * len(jobs)
    return [outcome.metrics for outcome in outcomes]


def test_learning_is_real(cuts, prices):
    """Better than the majority (.40) and than nothing; wider is better."""
    (few,) = score(cuts, Job((1, 1), "final"))
    assert set(few) == {"score", "loss"}
    assert few["score"] > 0.5
    narrow, wide = score(prices, Job((0, 0), "final"), Job((3, 3), "final"))
    assert 0.5 < narrow["score"] < wide["score"] < 1.0
    assert narrow["loss"] > wide["loss"] > 0.0


def test_one_executable_a_task(cuts, prices):
    """Whatever the candidate, the evaluation, the data split and its number of repeats: nothing is compiled again."""
    for evaluator in (cuts, prices):
        score(evaluator, *(Job((a, b)) for a, b in ((0, 3), (3, 0), (2, 2))), Job((1, 2), evaluation=1))
        score(evaluator, Job((1, 2), "selection"), Job((1, 2), "final"))
        assert evaluator.compilations() == 1


def test_numbers_are_a_function_of_seed_repeat_and_split(cuts):
    """Not of the order of jobs, nor of the evaluator; evaluations, splits, seeds and candidates differ."""
    jobs = [Job((1, 2)), Job((1, 2), evaluation=1), Job((1, 2), "selection"), Job((1, 2), "final"), Job((2, 1))]
    first = score(cuts, *jobs)
    assert score(cuts, *jobs[::-1])[::-1] == first
    assert score(made(), *jobs) == first
    assert len({metrics["loss"] for metrics in first}) == len(jobs)
    assert score(made(seed=1), jobs[0]) != first[:1]
    (single,) = score(made(repeats=1), jobs[0])
    assert single != first[0]


def test_repeats_are_averaged(cuts):
    """The mean over the seeds of a split; those of further evaluations and of the closing splits are others."""
    (metrics,) = score(cuts, Job((1, 1)))
    space = SPACES["diamonds_cut"]
    loaded, widths = LoadedTable(TASKS["diamonds_cut"], space, seed=0), space.lower((1, 1))
    starts, alone = (jax.jit(partial(part, loaded.recipe, loaded.network)) for part in (begin, train))
    losses = []
    for repeat in (0, 1):
        key = loaded.key("alone", repeat)
        *_, loss = alone(widths, key, starts(widths, key), 0, 60, loaded.train, loaded.held["search"])
        losses.append(float(loss))
    assert losses[0] != losses[1]
    assert metrics["loss"] == pytest.approx(np.mean(losses))
    taken = [list(repeats(split, number, 2, 4)) for split, number in (("search", 0), ("final", 0), ("search", 1))]
    assert taken == [[0, 1], [2, 3, 4, 5], [6, 7]]


def test_divergence_is_a_typed_result():
    """With a reason, and no metric that is not finite."""
    task = TableTask("diamonds_price", steps=20, batch_size=64, rate=1e30, held_rows=500)
    evaluator = TabularEvaluator(task)
    evaluator.setup(space_for(task, layers=1, widths=[4]), 0)
    (outcome,) = evaluator.evaluate([Job((0,))])
    assert outcome.status is Status.DIVERGED
    assert outcome.reason in ("score is nan", "score is -inf", "loss is nan", "loss is inf")


def test_conditions_name_everything(cuts):
    """Version, data, task, network, data split, seeds, backend, precision and thread count."""
    found = {split: json.loads(cuts.conditions(split)) for split in ("search", "selection", "final")}
    assert (found["search"]["repeats"], found["final"]["repeats"]) == ([0, 1], [2, 3, 4, 5])
    assert found["search"]["data"].startswith("isozyme_diamonds_cut/")
    assert len({json.dumps(conditions) for conditions in found.values()}) == 3
    assert made(seed=1).conditions("search") != cuts.conditions("search")
    assert {"task", "network", "backend", "precision", "threads", "jax", "optax"} <= set(found["search"])


def test_space_and_table_have_to_fit():
    """A space for another table is refused in a line that says what to set; an unknown table names the choices."""
    evaluator = TabularEvaluator(TASKS["diamonds_cut"])
    told = "space has inputs=1027 and outputs=1, the table 'diamonds_cut' needs inputs=20 and outputs=5"
    with pytest.raises(ValueError, match=told):
        evaluator.setup(FeedForward(1027, 1), 0)
    with pytest.raises(SetupFailed, match=told):
        InProcessExecutor(evaluator, Rules(FeedForward(1027, 1), [Maximize("score", 0.0)])).conditions("search")
    with pytest.raises(DataUnavailable, match="choose one of flights"):
        TabularEvaluator(TableTask("no_such_table")).prepare()


def test_configuration_survives_json_and_needs_no_jax():
    """As experiments are stored; the config of a search is read without importing jax."""
    evaluator = TabularEvaluator(TASKS["diamonds_cut"], repeats=3)
    assert pg.eq(pg.from_json(evaluator.to_json()), evaluator)
    script = (
        "import sys; from isozyme.evaluators.tabular import *\n"
        "task = TableTask('diamonds_cut'); TabularSupernet(task); TabularEvaluator(task)\n"
        "print(space_for(task).inputs)\n"
        "assert 'jax' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.returncode) == ("20\n", 0), done.stderr


def test_a_search_over_widths(prices, tmp_path):
    """The controller runs it: quality against parameters, twins taken from the cache by their widths."""
    space = SPACES["diamonds_price"]
    journal = Journal.open(tmp_path)
    rules = Rules(space, (Maximize("score", 0.0), Minimize("parameters", 10_000.0)))
    executor = InProcessExecutor(prices, rules)
    algorithm = RegularizedEvolution(population_size=6, tournament_size=3)
    try:
        Controller(rules, algorithm, journal, executor).run(24)
        trials = list(journal.trials(space.from_source))
    finally:
        executor.close()
        journal.close()
    assert [trial.status for trial in trials] == [Status.OK] * 24
    assert all(trial.metrics["parameters"] == space.form(trial.candidate)["parameters"] for trial in trials)
    assert 0 < sum(trial.cached_from is not None for trial in trials) == 24 - len({t.candidate for t in trials})
    assert prices.compilations() == 1


# --- two stages, and several at once ---


@pytest.fixture(scope="module")
def staged():
    """Two stages; the first one looks after a quarter of the steps."""
    return made(first_share=0.25)


def test_the_second_stage_goes_on_from_the_first(cuts, staged, tmp_path):
    """To the same bits as in one stage, with the first one's weights or without; both leave theirs."""
    folder = tmp_path / "run" / "artifacts" / "key"
    (first,) = staged.evaluate([Job((1, 2), folder=folder)])
    assert (list(first.metrics), first.artifacts) == (["short_loss"], ("weights.npz",))
    with np.load(folder / "weights.npz") as arrays:
        assert arrays["steps"] == 15
        assert all(len(array) == 2 for name, array in arrays.items() if name != "steps")
    (second,) = staged.evaluate([Job((1, 2), stage=1, folder=folder)])
    with np.load(folder / "weights.npz") as arrays:
        assert arrays["steps"] == 60
    assert [path.name for path in folder.iterdir()] == ["weights.npz"]
    (alone,) = staged.evaluate([Job((1, 2), stage=1)])
    (whole,) = cuts.evaluate([Job((1, 2))])
    assert second.metrics == alone.metrics == whole.metrics
    assert alone.artifacts == ()
    assert staged.compilations() == 1


def test_the_first_stages_weights_are_used(staged, tmp_path):
    """Other weights in the file lead elsewhere, so that the second stage does take up the first."""
    taken, other = (tmp_path / "run" / "artifacts" / name for name in ("taken", "other"))
    staged.evaluate([Job((1, 2), folder=taken)])
    staged.evaluate([Job((3, 3), folder=other)])
    (right,) = staged.evaluate([Job((1, 2), stage=1)])
    (taken / "weights.npz").write_bytes((other / "weights.npz").read_bytes())
    (wrong,) = staged.evaluate([Job((1, 2), stage=1, folder=taken)])
    assert wrong.metrics != right.metrics


@pytest.mark.parametrize("damage", [b"", b"half a fi", b"PK\x03\x04 and no more"])
def test_a_damaged_file_is_of_no_use(staged, tmp_path, damage):
    folder = tmp_path / "run" / "artifacts" / "key"
    staged.evaluate([Job((2, 1), folder=folder)])
    (folder / "weights.npz").write_bytes(damage)
    (second,) = staged.evaluate([Job((2, 1), stage=1, folder=folder)])
    (alone,) = staged.evaluate([Job((2, 1), stage=1)])
    assert second.metrics == alone.metrics


def test_several_at_once_come_out_as_alone():
    """One executable for any number of jobs, of any stage and data split."""
    evaluator = made(first_share=0.25, at_once=3)
    jobs = [Job((0, 3)), Job((1, 2), stage=1), Job((3, 0), "final", 1), Job((2, 2), evaluation=1)]
    together = score(evaluator, *jobs)
    assert together == [metrics for job in jobs for metrics in score(evaluator, job)]
    assert evaluator.compilations() == 1


@pytest.mark.parametrize("settings", [{"first_share": 0.25}, {"at_once": 2}])
def test_both_sit_the_exam(settings):
    task = TableTask("diamonds_cut", steps=8, batch_size=16, rate=1e-2, held_rows=200)
    space = space_for(task, layers=1, widths=[4, 8])
    assert examine(TabularEvaluator(task, repeats=1, closing_repeats=2, **settings), space, ["loss"]) == []
