"""The end of a run with a funnel and a simplification (issue 6, deliverables 3 and 4), from the command line."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import HANG, Ended, background, query, rows, run

# Sign momentum with a rate that beats AdamW here, a statement without effect, and one that hardly has any.
CONFIG = '''
"""A few programs around sign momentum, on digits."""

from isozyme.evaluators.optimizer import OptimizerEvaluator, Task
from isozyme.launch import Budget, Experiment
from isozyme.search import Minimize, RegularizedEvolution
from isozyme.search.validation.funnel import Funnel, Rung
from isozyme.search.validation.simplification import Simplification
from isozyme.spaces.lion import OptimizerPrograms

START = """
def train(w, g, v1, v2, lr):
    c = interpolate(g, v1, 0.9)
    u = sign(c)
    m = interpolate(g, v1, 0.99)
    wd = w * 1e-06
    u = u + wd
    dead = cosh(u)
    lr = lr * 0.03
    u = u * lr
    return u, m, v2
"""


class FewBaselines(OptimizerPrograms):
    @property
    def baselines(self):
        names = ("adamw, rate 0.001, decay 0.01", "adamw, rate 0.003, decay 0.01")
        return {name: super(FewBaselines, self).baselines[name] for name in names}


def proxy(steps, path="interpreter"):
    task = Task("digits_mlp", "digits", "mlp", {"hidden": [16]}, batch_size=64, steps=steps)
    return OptimizerEvaluator([task], repeats=1, closing_repeats=1, path=path)


def experiment():
    return Experiment(
        space=FewBaselines(start=START),
        evaluator=proxy(50),
        search=RegularizedEvolution(5, 2),
        objectives=[Minimize("loss", 1.0), Minimize("live_length", 30.0)],
        budget=Budget(20),
        finalists=3,
        funnel=Funnel([Rung("B", proxy(60), evaluations=6, keep=1), Rung("C", proxy(80, "compiled"), evaluations=3)]),
        simplification=Simplification(evaluations=4, margin=0.02),
    )
'''
ASSESSMENTS = "SELECT key, split, candidate, status, metrics, seconds FROM assessments ORDER BY key"


class Closed:
    """A run with a funnel: its command, its folder, and what was printed."""

    def __init__(self, folder: Path, config: Path, ended: Ended) -> None:
        self.folder, self.config, self.ended = folder, config, ended
        self.card: dict[str, Any] = json.loads((folder / "best" / "card.json").read_text())


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    """The undisturbed run, in one process."""
    config = tmp_path_factory.mktemp("config") / "around_lion.py"
    config.write_text(CONFIG)
    folder = config.with_name("run")
    ended = run(f"--config={config}", "--workers=0", f"--workdir={folder}")
    assert (ended.code, ended.err) == (0, "")
    return Closed(folder, config, ended)


def test_the_winner_has_beaten_the_tuned_baseline(closed: Closed) -> None:
    """Card and summary hold the figures of all rungs; the winner is the best of the last one."""
    first, second = closed.card["funnel"]
    assert (first["rung"], first["evaluations"], second["rung"], second["evaluations"]) == ("B", 6, "C", 3)
    assert first["baseline"] == "adamw, rate 0.003, decay 0.01"
    assert "lr * 0.003" in first["source"]
    passed = [verdict["trial"] for verdict in first["verdicts"] if verdict["passed"]]
    assert [verdict["trial"] for verdict in second["verdicts"]] == passed
    (best,) = second["verdicts"]
    assert best["passed"]
    assert all(verdict["tuning"].startswith("rate × ") for verdict in (*first["verdicts"], best))
    assert best["low"] < best["mean"] < best["high"] < 0
    assert closed.card["trial"] == best["trial"]
    assert f"winner: trial {best['trial']}, as found in" in closed.ended.out
    assert (
        "funnel, rung C: loss over that of the best tuned baseline, adamw, rate 0.003, decay 0.01" in closed.ended.out
    )
    assert f"{best['high']:+.2%}" in closed.ended.out


def test_the_winner_is_simplified(closed: Closed) -> None:
    """Raw and final program are both kept and scored, every step with its evidence."""
    best = closed.folder / "best"
    steps = [json.loads(line) for line in (best / "simplification.jsonl").read_text().splitlines()]
    assert all(step["evidence"] and step["description"] for step in steps)
    taken = [step["candidate"] for step in steps if step["accepted"]]
    assert (closed.card["raw"], closed.card["candidate"]) == (taken[0], taken[-1])
    assert "dead = cosh(u)" in closed.card["raw"]
    raw, final = (closed.card["scores"][name]["final"] for name in ("winner", "simplified"))
    assert final["live_length"] < raw["live_length"]
    assert final["loss"] < 1.05 * raw["loss"]
    for folder, source in ((best, taken[-1]), (best / "raw", taken[0])):
        assert source.strip().splitlines()[1].strip() in (folder / "optimizer.py").read_text()
    assert closed.card["candidate"] in closed.ended.out
    assert closed.card["raw"] in closed.ended.out


def test_a_finished_run_prints_it_again(closed: Closed) -> None:
    """From the journal: nothing is evaluated, no worker starts, no file changes."""
    before = _state(closed.folder)
    again = run(f"--config={closed.config}", "--workers=1", f"--workdir={closed.folder}")
    assert (again.code, again.err) == (0, "")
    assert "starting" not in again.out
    assert _summary(again) == _summary(closed.ended)
    assert _state(closed.folder) == before


@pytest.mark.ray
def test_a_killed_closing_goes_on(closed: Closed, tmp_path: Path) -> None:
    """kill -9 on the second rung; what was assessed stays, and with a worker the end is the same."""
    folder, first_rung = tmp_path / "run", 2 + 4 * 6
    command = (f"--config={closed.config}", f"--workdir={folder}")
    with background(*command, "--workers=0", scratch=tmp_path) as started:
        deadline = time.monotonic() + HANG
        while len(query(folder, ASSESSMENTS)) <= first_rung:
            assert started.process.poll() is None, started.end()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        started.process.kill()
        started.end()
    before = query(folder, ASSESSMENTS)
    assert not (folder / "best").exists()
    assert len(before) < len(query(closed.folder, ASSESSMENTS))
    ended = run(*command, "--workers=1")
    assert (ended.code, ended.err) == (0, "")
    assert set(before) <= set(query(folder, ASSESSMENTS))
    assert json.loads((folder / "best" / "card.json").read_text()) == closed.card


def test_a_run_can_be_closed_otherwise(closed: Closed, tmp_path: Path) -> None:
    """Funnel and simplification are no part of what a run is: another one is for the end alone."""
    folder = Path(shutil.copytree(closed.folder, tmp_path / "run"))
    command = (f"--config={closed.config}", "--workers=0", f"--workdir={folder}")
    changes = (
        "--config.funnel.rungs[0].evaluations=2",
        "--config.funnel.confidence=0.9999",
        "--config.simplification=None",
    )
    ended = run(*command, *changes)
    assert (ended.code, ended.err) == (0, "")
    assert "nothing beat the tuned baseline; the winner is the best of them on the selection split" in ended.out
    card = json.loads((folder / "best" / "card.json").read_text())
    assert [verdict["passed"] for rung in card["funnel"] for verdict in rung["verdicts"]] == [False] * 3
    assert not {"raw", "simplified"} & {*card, *card["scores"]}
    assert {path.name for path in (folder / "best").iterdir()} == {"card.json", "example.npz", "optimizer.py"}
    assert rows(folder) == rows(closed.folder)


def _summary(ended: Ended) -> str:
    return ended.out[ended.out.index("finished") :]


def _state(folder: Path) -> list[Any]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "trials.db" not in path.name)
    return [rows(folder), query(folder, ASSESSMENTS), [(path, path.read_bytes()) for path in files]]
