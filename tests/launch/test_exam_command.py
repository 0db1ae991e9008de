"""python launch/exam.py: what an experiment is made of sits the exams."""

import pytest
from launch_helpers import LION, OWN_CONFIG, ROOT, launch

EXAM = ROOT / "launch" / "exam.py"
PLAIN = """
from isozyme.launch import Budget, Experiment
from isozyme.search import Minimize, RegularizedEvolution
from isozyme.spaces.lion import OptimizerPrograms


class Plain:
    def prepare(self): ...
    def setup(self, space, seed): ...
    def conditions(self, split): ...
    def evaluate(self, jobs): ...


def experiment():
    return Experiment(OptimizerPrograms(), Plain(), RegularizedEvolution(5, 2), [Minimize("loss", 1.0)], Budget(30))
"""
SEARCH = """
import pyglove as pg
from own import experiment as other
from isozyme.search import Proposal


@pg.members([])
class Stubborn(pg.Object):
    def start(self, space, objectives, stages=1):
        return Run(space)


class Run:
    def __init__(self, space):
        self.space = space

    def propose(self, number, rng):
        return Proposal(self.space.references["zero"])

    def feedback(self, trial):
        pass

    def snapshot(self):
        return {}

    def restore(self, snapshot, trial):
        pass


def experiment():
    return other().rebind(search=Stubborn(), evaluator=Held(), raise_on_no_change=False)


class Held(type(other().evaluator)):
    def _evaluate(self, candidate):
        return super()._evaluate(candidate)

    def evaluate(self, jobs):
        outcomes = super().evaluate(jobs)
        for job, outcome in zip(jobs, outcomes):
            for name in outcome.metrics:
                outcome.metrics[name] += {"search": 0.0, "selection": 0.1, "final": 0.2}[job.split]
        return outcomes
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in {"own": OWN_CONFIG, "plain": PLAIN, "stubborn": SEARCH}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_our_config_passes():
    """Exit code 0; a search of ours sits its exam in the tests."""
    cheap = ("--patch=cheaper?factor=8", "--config.evaluator.repeats=1", "--config.evaluator.closing_repeats=1")
    ended = launch(EXAM, f"--config={LION}:smoke", *cheap)
    assert ended.code == 0, ended
    assert ended.out.splitlines() == ["space OptimizerPrograms: passes", "evaluator OptimizerEvaluator: passes"]


def test_findings_of_a_config_of_ones_own(folder):
    """Its evaluator scores all three splits on the same data: exit code 1."""
    ended = launch(EXAM, "--config=own.py", cwd=folder)
    assert ended.code == 1, ended
    first, second, finding = ended.out.splitlines()
    assert (first, second) == ("space OptimizerPrograms: passes", "evaluator MeanUpdate: 1 to mend")
    assert "all metrics on search and selection are identical" in finding


def test_a_part_whose_settings_are_no_json(folder):
    """experiment.json could hold its bytes alone."""
    ended = launch(EXAM, "--config=plain.py", cwd=folder)
    assert ended.code == 1, ended
    assert "derive its class from pg.Object" in ended.out.splitlines()[-1]


def test_a_search_of_ones_own_is_examined(folder):
    ended = launch(EXAM, "--config=stubborn.py", cwd=folder)
    assert ended.code == 1, ended
    assert "search Stubborn: " in ended.out
    assert "does not find the best of 16 points" in ended.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "error: nothing given: give --config FILE, maybe with :variant; see --help"),
        (("--config=none.py",), "error: --config=none.py: no such file; name a Python file"),
        (("--config=own.py", "--config.seed"), "error: --config.seed: an override has the form --config.PATH=VALUE"),
        (("--config=own.py", "--frobnicate"), "error: Unknown command line flag 'frobnicate'"),
        (("--config=own.py", "--config.sed=1"), "error: --config.sed"),
    ],
)
def test_bad_input(folder, arguments, line):
    """design.md, 6: one line, exit code 2."""
    ended = launch(EXAM, *arguments, cwd=folder)
    assert ended.code == 2
    assert ended.err.startswith(line)
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def test_help():
    ended = launch(EXAM, "--help")
    assert ended.code == 0
    assert "--config" in ended.out
