"""A space and an evaluator of a user's own, in a package on the import path: run on workers, resumed, refused."""

import json
import os

import pytest
from launch_helpers import run, trajectory
from pages import ROOT, blocks

CONFIG = """
from mine.formulas import experiment as other


def experiment():
    return other()
"""
FEW = ("--config=search.py", "--workdir=run", "--config.search.population_size=10", "--config.finalists=2")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A config, and far from it the package: the file of docs/define_a_space.md."""
    folder = tmp_path_factory.mktemp("own")
    for place in ("lib/mine", "undisturbed", "resumed", "doubted"):
        (folder / place).mkdir(parents=True)
    (page,) = [block for block in blocks(ROOT / "docs" / "define_a_space.md") if block.title]
    (folder / "lib" / "mine" / "__init__.py").touch()
    (folder / "lib" / "mine" / "formulas.py").write_text(page.text)
    for place in ("undisturbed", "resumed", "doubted"):
        (folder / place / "search.py").write_text(CONFIG)
    return folder


def start(home, place, *arguments):
    """The command, with the package's folder on PYTHONPATH in front of what is there."""
    path = os.pathsep.join(filter(None, [str(home / "lib"), os.environ.get("PYTHONPATH")]))
    return run(*FEW, *arguments, cwd=home / place, PYTHONPATH=path)


def finish(home, place, *arguments):
    """The same, to a good end; the run folder."""
    ended = start(home, place, *arguments)
    assert ended.code == 0, ended.err
    return home / place / "run"


@pytest.mark.ray
def test_it_runs_on_workers_and_resumes(home):
    """README: the same command goes on, and the trajectory is that of an undisturbed run in one process."""
    whole = finish(home, "undisturbed", "--workers=0", "--config.budget.trials=60")
    finish(home, "resumed", "--workers=2", "--config.budget.trials=30")
    resumed = finish(home, "resumed", "--workers=2", "--config.budget.trials=60")
    assert trajectory(resumed) == trajectory(whole)
    assert (resumed / "best" / "formula.py").read_text() == (whole / "best" / "formula.py").read_text()


def test_the_run_folder_names_classes_and_is_not_believed(home):
    """docs/security.md: a run folder is data. A class that it names is compared with the config's, and not imported."""
    folder = finish(home, "doubted", "--workers=0", "--config.budget.trials=60")
    record = folder / "experiment.json"
    text = record.read_text()
    assert "mine.formulas.Formulas" in text
    (home / "lib" / "trap.py").write_text(f"open({str(home / 'sprung')!r}, 'w').close()\n\n\nclass Formulas: ...\n")
    record.write_text(text.replace("mine.formulas.Formulas", "trap.Formulas"))
    ended = start(home, "doubted", "--workers=0")
    assert ended.code == 2
    assert "belongs to another experiment" in ended.err
    assert ended.err.count("\n") == 1
    assert not (home / "sprung").exists()
    assert json.loads(record.read_text())["identity"]["space"]["_type"] == "trap.Formulas"
