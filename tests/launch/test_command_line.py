"""The command line as a whole: help, places, other checkouts, configs of a user's own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launch_helpers import (
    LION,
    OWN_CONFIG,
    REPORT,
    ROOT,
    RUN,
    TRIALS,
    Finished,
    assert_usage_error,
    environment,
    jsonl,
    launch,
    rows,
    run,
    trajectory,
)

from isozyme.spaces.lion import NAMED, OptimizerPrograms

HEAVY = ("jax", "ray", "pyglove", "tensorflow_datasets", "optax")


@pytest.mark.parametrize("script", [RUN, REPORT])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_is_there_and_quick(script: Path, flag: str) -> None:
    """--help explains the command and imports nothing heavy."""
    code = f"""
import runpy, sys
sys.argv = [{str(script)!r}, {flag!r}]
try:
    runpy.run_path({str(script)!r}, run_name="__main__")
except SystemExit as stop:
    print("code", stop.code)
print("heavy", [name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f"python launch/{script.name}" in done.stdout
    assert lines[-2] == "code 0"
    assert lines[-1] == "heavy []"


def test_help_names_every_flag() -> None:
    """All that the design promises."""
    ended = run("--help")
    assert (ended.code, ended.err) == (0, "")
    for flag in ("--config", "--config.", "--patch", "--workdir", "--workers", "--address"):
        assert flag in ended.out


def test_without_workdir_a_run_goes_to_runs(finished: Finished) -> None:
    """runs/NAME-VARIANT in the current folder, which may be anywhere."""
    assert finished.folder.parts[-2:] == ("runs", "lion-smoke")
    assert len(rows(finished.folder)) == TRIALS
    assert os.listdir(finished.folder.parent.parent) == ["runs"]


def test_thread_count_and_cache_are_set_before_jax(tmp_path: Path) -> None:
    """The process that evaluates runs at one thread, whatever the user's environment says; other XLA flags stay."""
    config = tmp_path / "look.py"
    config.write_text(
        f"""
import json, os, sys
from isozyme.launch import config_file

def experiment():
    names = ("XLA_FLAGS", "OMP_NUM_THREADS", "NPROC")
    seen = {{name: os.environ.get(name) for name in names}} | {{"jax": "jax" in sys.modules}}
    with open({str(tmp_path / "seen.json")!r}, "w") as file:
        json.dump(seen, file)
    raise RuntimeError("seen enough")
"""
    )
    ended = run(f"--config={config}", XLA_FLAGS="--xla_cpu_enable_fast_math=false", OMP_NUM_THREADS="7")
    assert_usage_error(ended, ["seen enough"])
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert not seen["jax"]
    assert seen["OMP_NUM_THREADS"] == seen["NPROC"] == "1"
    assert seen["XLA_FLAGS"].split() == ["--xla_cpu_enable_fast_math=false", "--xla_cpu_multi_thread_eigen=false"]


@pytest.mark.ray
def test_a_config_of_ones_own_reaches_the_workers(tmp_path: Path) -> None:
    """A file outside the checkout with its own evaluator and patch, run by a worker and then in process, as one run."""
    config = tmp_path / "smallest.py"
    config.write_text(OWN_CONFIG)
    command = (f"--config={config}", "--patch=tests_shifted?offset=0.25")
    ended = run(*command, f"--workdir={tmp_path / 'worker'}", "--workers=1", cwd=tmp_path)
    assert ended.code == 0, ended
    trials = jsonl("trials", tmp_path / "worker")
    assert len(trials) == 30
    space = OptimizerPrograms()
    expected = 0.25 + 2.0 * abs(space.probe(NAMED["adamw"])[0]).mean()
    assert trials[0]["metrics"]["loss"] == pytest.approx(expected)
    assert not [row for row in trials if row["status"] in ("crashed", "invalid")]

    alone = run(*command, f"--workdir={tmp_path / 'alone'}", "--workers=0", cwd=tmp_path)
    assert (alone.code, alone.err) == (0, "")
    assert trajectory(tmp_path / "alone") == trajectory(tmp_path / "worker")


def test_a_user_error_inside_an_evaluator_is_a_result(tmp_path: Path) -> None:
    """A crash of the evaluator is a typed failure with its reason; the run goes on and ends without a winner."""
    config = tmp_path / "crashing.py"
    config.write_text(OWN_CONFIG.replace("loss = self.offset", "loss = self.no_such_field"))
    ended = run(f"--config={config}", f"--workdir={tmp_path / 'run'}", "--workers=0", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    trials = jsonl("trials", tmp_path / "run")
    assert {row["status"] for row in trials} == {"crashed"}
    assert all("no_such_field" in row["reason"] for row in trials)
    assert "no winner" in ended.out
    assert not (tmp_path / "run" / "best").exists()
    assert (tmp_path / "run" / "pareto.csv").read_text().splitlines() == ["trial,loss,length,key"]


def test_an_evaluator_that_cannot_be_set_up_says_why(tmp_path: Path) -> None:
    """One line with the cause, exit code 2."""
    config = tmp_path / "unready.py"
    config.write_text(OWN_CONFIG.replace("self._space = space", "raise OSError('no data on this disk')"))
    ended = run(f"--config={config}", f"--workdir={tmp_path / 'run'}", "--workers=0", cwd=tmp_path)
    assert_usage_error(ended, ["evaluator", "no data on this disk"])
    assert rows(tmp_path / "run") == []


@pytest.mark.parametrize("script", [RUN, REPORT])
def test_scripts_of_another_checkout_refuse(finished: Finished, tmp_path: Path, script: Path) -> None:
    """Code of one checkout never runs with scripts of another."""
    other = tmp_path / "other" / "launch"
    shutil.copytree(ROOT / "launch", other, ignore=shutil.ignore_patterns("__pycache__"))
    arguments = ["trials", str(finished.folder)] if script == REPORT else [f"--config={LION}:smoke"]
    ended = launch(other / script.name, *arguments, cwd=tmp_path)
    assert_usage_error(ended, [str(other.parent), str(ROOT), "pip install -e"])
    assert ended.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("script", [RUN, REPORT])
def test_scripts_without_the_package_say_how_to_install(tmp_path: Path, script: Path) -> None:
    """A checkout that has not been installed."""
    done = subprocess.run(
        [sys.executable, "-S", str(script), "--help"],
        cwd=tmp_path,
        env=environment(PYTHONPATH=""),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"pip install -e {ROOT}" in done.stderr
