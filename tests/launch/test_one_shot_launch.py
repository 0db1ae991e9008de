"""A one-shot search from the command line: shown, killed, resumed."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launch_helpers import HANG, ROOT, assert_usage_error, background, jsonl, run, trajectory
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TABNAS = ROOT / "launch" / "configs" / "tabnas.py"
# A supernet of the user's own, without data: the more a candidate was trained, the less its quality is blurred.
CONFIG = '''
"""The longest of three sticks that together are not too long."""

import pyglove as pg

from isozyme.evaluators import Outcome, Status
from isozyme.launch import Budget, Experiment
from isozyme.search import Maximize, OneShot
from isozyme.spaces.costs import AdditiveCost
from isozyme.spaces.limits import Limit
from isozyme.spaces.template import TemplateSpace

LENGTHS = [1.0, 2.0, 4.0, 8.0]


class Sticks(pg.Object):
    def prepare(self):
        pass

    def setup(self, space, seed):
        pass

    def conditions(self, split):
        return f"sticks-1 {split}"

    def start(self, seed):
        import jax.numpy as jnp

        return jnp.zeros((3, 4))

    def train(self, state, choices, key, warm):
        import jax.numpy as jnp

        return state.at[jnp.arange(3), choices].add(jnp.where(warm, 0.0, 1.0))

    def quality(self, state, choices, key):
        import jax
        import jax.numpy as jnp

        known = state[jnp.arange(3), choices].min()
        return jnp.asarray(LENGTHS)[choices].max() + jax.random.normal(key) / (1.0 + known)

    def evaluate(self, jobs):
        return [Outcome(Status.OK, None, {"longest": max(LENGTHS[i] for i in job.candidate)}) for job in jobs]


def experiment():
    return Experiment(
        space=TemplateSpace([pg.oneof(LENGTHS) for _ in range(3)]),
        evaluator=Sticks(),
        search=OneShot(
            supernet=Sticks(), steps=20_000, learning_rate=0.01, save_every=200,
            limit=Limit(AdditiveCost([LENGTHS] * 3), 10.0),
        ),
        objectives=[Maximize("longest", 0.0)],
        budget=Budget(10),
    )
'''


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "sticks.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run that nothing disturbed, and what it printed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert (ended.code, ended.err) == (0, ""), ended
    return folder, ended.out


def learned(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "one_shot.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_it_is_shown_as_it_learns(whole: tuple[Path, str]) -> None:
    """In lines and in TensorBoard; its proposals are trials within the limit."""
    folder, out = whole
    assert "one-shot search, step 200: quality " in out
    assert "one-shot search, step 20000: quality " in out
    events = EventAccumulator(str(folder))
    events.Reload()
    assert {"one_shot/quality", "one_shot/cost", "one_shot/entropy", "one_shot/trained"} <= set(
        events.Tags()["scalars"]
    )
    assert [scalar.step for scalar in events.Scalars("one_shot/quality")] == list(range(200, 20_001, 200))
    assert len(trajectory(folder)) == 10
    assert "winner: trial " in out


def test_a_kill_loses_nothing_that_was_saved(config: Path, whole: tuple[Path, str], tmp_path: Path) -> None:
    """kill -9 in the middle of it, several times; weights, policy and trials come out the same, to the bit."""
    folder = tmp_path / "run"
    for _ in range(3):
        with background(f"--config={config}", f"--workdir={folder}", "--workers=0", scratch=tmp_path) as under_way:
            before = _saved(folder)
            deadline = time.monotonic() + HANG
            while _saved(folder) == before:
                assert time.monotonic() < deadline
                assert under_way.process.poll() is None
                time.sleep(0.005)
            under_way.process.kill()
            under_way.process.wait()
    assert 0 < int(learned(folder)[_step(folder)]) < 20_000
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert (ended.code, ended.err) == (0, ""), ended
    assert "one-shot search, step 200:" not in ended.out
    mine, other = learned(folder), learned(whole[0])
    assert mine.keys() == other.keys()
    assert all(np.array_equal(mine[name], other[name]) for name in mine)
    assert trajectory(folder) == trajectory(whole[0])


def _saved(folder: Path) -> float:
    path = folder / "one_shot.npz"
    return path.stat().st_mtime if path.exists() else 0.0


def _step(folder: Path) -> str:
    """The array that counts steps: the last one."""
    return str(max(int(name) for name in learned(folder) if name != "conditions"))


def test_networks_for_a_real_table(tmp_path: Path) -> None:
    """The smoke run of TabNAS: all trials within the limit, and a winner that can be taken away."""
    ended = run(f"--config={TABNAS}:smoke", f"--workdir={tmp_path / 'run'}", "--workers=0")
    assert (ended.code, ended.err) == (0, ""), ended
    trials = jsonl("trials", tmp_path / "run")
    assert [trial["status"] for trial in trials] == ["ok"] * 4
    card = json.loads((tmp_path / "run" / "best" / "card.json").read_text())
    limit = card["scores"]["tabnas"]["final"]["parameters"]
    assert all(trial["metrics"]["parameters"] <= limit for trial in trials)
    names: dict[str, Any] = {}
    exec((tmp_path / "run" / "best" / "network.py").read_text(), names)
    import jax

    params = names["init"](jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == card["metrics"]["parameters"]


def test_a_damaged_checkpoint_is_refused(config: Path, whole: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("experiment.json", "trials.db"):
        (folder / name).write_bytes((whole[0] / name).read_bytes())
    (folder / "one_shot.npz").write_bytes(b"PK" + bytes(100))
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert_usage_error(ended, ["one_shot.npz: damaged", "remove it to search again"])
