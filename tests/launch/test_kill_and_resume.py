"""One seed gives one trajectory: on any number of workers, and after any number of deaths."""

import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from launch_helpers import (
    ROOT,
    SMALL,
    TRIALS,
    Finished,
    assert_usage_error,
    background,
    committed,
    one_line,
    rows,
    run,
    trajectory,
)

INTERRUPTED = "interrupted; the same command goes on from here"


@pytest.mark.ray
def test_one_worker_gives_the_same_trajectory(finished: Finished, terminal: Finished) -> None:
    """--workers 1 and 0: every trial, its status, reason, keys, parents and metrics."""
    assert terminal.ended.code == 0, terminal.ended.out
    assert len(trajectory(finished.folder)) == TRIALS
    assert trajectory(terminal.folder) == trajectory(finished.folder)


@pytest.mark.ray
def test_two_workers_give_the_same_trajectory_and_a_finished_run_starts_none(
    finished: Finished, tmp_path: Path
) -> None:
    """--workers 2; started again, the finished run prints its summary and touches neither Ray nor its trials."""
    # Ray's sockets lie in its folder and take short paths only.
    ray_folder = Path(tempfile.mkdtemp(prefix="ray-"))
    command = (*SMALL, "--workers", "2", "--workdir", str(tmp_path / "run"))
    try:
        ended = run(*command, RAY_TMPDIR=str(ray_folder))
        assert ended.code == 0, ended
        assert trajectory(tmp_path / "run") == trajectory(finished.folder)
        sessions = sorted(ray_folder.rglob("session_*"))
        assert sessions

        before = rows(tmp_path / "run")
        again = run(*command, RAY_TMPDIR=str(ray_folder))
        assert (again.code, again.err) == (0, "")
        assert "starting" not in again.out
        assert sorted(ray_folder.rglob("session_*")) == sessions
        assert rows(tmp_path / "run") == before
        assert _summary(again.out) == _summary(ended.out)
    finally:
        shutil.rmtree(ray_folder, ignore_errors=True)


def _summary(out: str) -> str:
    return out[out.index("finished") :]


def test_killed_in_process_runs_go_on(finished: Finished, tmp_path: Path) -> None:
    """kill -9 at several points, then SIGTERM, each time the same command: what was committed stays as it is."""
    folder = tmp_path / "run"
    command = (*SMALL, "--workers", "0", "--workdir", str(folder))
    for count in (1, 28, 52):
        _kill(command, tmp_path, folder, count)
    ended = _interrupt(command, tmp_path, folder, 70, lambda pid: os.kill(pid, signal.SIGTERM))
    assert one_line(ended) == INTERRUPTED
    _finish(command, folder, finished)


@pytest.mark.ray
def test_killed_runs_with_workers_go_on(finished: Finished, tmp_path: Path) -> None:
    """kill -9 of the controller leaves no workers behind; Ctrl-C, which the whole group gets, ends cleanly."""
    folder = tmp_path / "run"
    command = (*SMALL, "--workers", "2", "--workdir", str(folder))
    _kill(command, tmp_path, folder, 30)
    errors = _interrupt(command, tmp_path, folder, 65, lambda pid: os.killpg(pid, signal.SIGINT))
    assert errors.splitlines()[-1] == INTERRUPTED
    assert "Traceback" not in errors
    _finish((*SMALL, "--workers", "0", "--workdir", str(folder)), folder, finished)


def _kill(command: tuple[str, ...], scratch: Path, folder: Path, count: int) -> None:
    before = rows(folder)
    with background(*command, scratch=scratch) as started:
        started.wait_for_trials(folder, count)
        started.process.kill()
        assert started.end().code == -signal.SIGKILL
        assert started.survivors(seconds=60) == []
    _kept(before, folder)
    assert count <= committed(folder) < TRIALS


def _interrupt(command: tuple[str, ...], scratch: Path, folder: Path, count: int, send: Callable[[int], None]) -> str:
    before = rows(folder)
    with background(*command, scratch=scratch) as started:
        started.wait_for_trials(folder, count)
        send(started.process.pid)
        ended = started.end()
        assert ended.code == 130, ended
        assert started.survivors(seconds=60) == []
    _kept(before, folder)
    assert count <= committed(folder) < TRIALS
    return ended.err


def _finish(command: tuple[str, ...], folder: Path, finished: Finished) -> None:
    before = rows(folder)
    ended = run(*command)
    assert ended.code == 0, ended
    _kept(before, folder)
    assert trajectory(folder) == trajectory(finished.folder)
    for name in ("pareto.csv", "best/optimizer.py", "best/card.json"):
        assert (folder / name).read_bytes() == (finished.folder / name).read_bytes()


def _kept(before: list[tuple[object, ...]], folder: Path) -> None:
    """Every trial committed earlier is there unchanged, its timings included."""
    after = rows(folder)
    assert [row for row in before if row not in after] == []


def test_a_larger_budget_goes_on(finished: Finished, copied: Callable[[str], Path]) -> None:
    """A run that was planned as 60 trials and then given 100 is the run of 100; its first trials are untouched."""
    folder = copied("run").with_name("growing")
    command = (*SMALL, "--workers=0", f"--workdir={folder}")
    short = run(*command, "--config.budget.trials=60")
    assert short.code == 0, short
    before = rows(folder)
    assert len(before) == 60
    longer = run(*command, f"--config.budget.trials={TRIALS}")
    assert (longer.code, longer.err) == (0, "")
    assert rows(folder)[:60] == before
    assert trajectory(folder) == trajectory(finished.folder)


def test_a_finished_run_started_again_changes_no_file(finished: Finished, copied: Callable[[str], Path]) -> None:
    """It prints its summary and leaves nothing new, not even an empty event file."""
    folder = copied("run")
    again = run(*SMALL, "--workers=0", f"--workdir={folder}")
    assert (again.code, again.err) == (0, "")
    assert "winner: trial" in again.out
    assert rows(folder) == rows(finished.folder)
    files = {path.relative_to(folder) for path in folder.rglob("*") if not path.name.endswith(("-wal", "-shm"))}
    before = {path.relative_to(finished.folder) for path in finished.folder.rglob("*")}
    assert files == {path for path in before if not path.name.endswith(("-wal", "-shm"))}
    for path in files:
        if (folder / path).is_file() and path.name != "trials.db":
            assert (folder / path).read_bytes() == (finished.folder / path).read_bytes(), path


def test_two_processes_in_one_folder(tmp_path: Path) -> None:
    """While a run is under way, a second start in its folder says so and leaves it alone."""
    folder = tmp_path / "run"
    command = (*SMALL, "--workers=0", f"--workdir={folder}", "--config.budget.trials=1000000")
    with background(*command, scratch=tmp_path) as first:
        first.wait_for_trials(folder, 1)
        second = run(*command)
        assert_usage_error(second, [str(folder), "another process", "choose another"])
        assert first.process.poll() is None
        seen = committed(folder)
        first.wait_for_trials(folder, seen + 1)  # It is well and goes on.
        first.process.send_signal(signal.SIGINT)
        ended = first.end()
    assert ended.code == 130
    assert one_line(ended.err) == INTERRUPTED


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an installed copy has no commit to compare")
def test_another_commit_warns(finished: Finished, copied: Callable[[str], Path]) -> None:
    """A run folder from another commit goes on, and says that the code has changed."""
    folder = copied("run")
    path = folder / "experiment.json"
    text = re.sub(r'"commit": "[0-9a-f]{40}"', '"commit": "' + "0123456789" * 4 + '"', path.read_text())
    assert "0123456789" in text
    path.write_text(text)
    ended = run(*SMALL, "--workers=0", f"--workdir={folder}")
    assert (ended.code, ended.err) == (0, "")
    warnings = [line for line in ended.out.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1
    assert "0123456789" in warnings[0]
    assert rows(folder) == rows(finished.folder)
    assert json.loads(path.read_text())["commit"] == "0123456789" * 4
