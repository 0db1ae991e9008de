"""The bill of a run and the budgets other than trials, through the command line (carbon.md)."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from launch_helpers import ROOT, assert_usage_error, committed, query, rows, run

PAUSES = f"--config={ROOT / 'tests' / 'drill' / 'pauses.py'}"
QUICK = (
    PAUSES,
    "--workers=0",
    "--config.evaluator.pause=0.004",
    "--config.finalists=1",
    "--config.search.population_size=10",
)


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of 200 trials, and what it printed."""
    folder = tmp_path_factory.mktemp("priced") / "run"
    ended = run(*QUICK, f"--workdir={folder}", "--config.budget.trials=200")
    assert ended.code == 0, ended
    return folder, ended.out


def figure(out: str, pattern: str) -> float:
    """The number in the line that matches."""
    found = re.search(pattern, out)
    assert found, out
    return float(found[1])


def test_the_summary_states_the_cost_and_how_it_is_known(priced: tuple[Path, str]) -> None:
    """Fact 10: every line says measured, table or assumed."""
    _, out = priced
    lines = [line for line in out.splitlines() if line.endswith((": measured", ": table", ": assumed"))]
    assert any(line.startswith("energy ") for line in lines)
    assert any(line.startswith("emissions ") for line in lines)
    assert any(line.startswith("the cache avoided ") for line in lines)
    assert figure(out, r"energy (\S+) ") > 0.0


def test_sessions_are_recorded(priced: tuple[Path, str]) -> None:
    """One session, with what it held and for how long; the bill is of that time, evaluations included."""
    folder, _ = priced
    ((began, seen, text),) = query(folder, "SELECT began, seen, description FROM sessions")
    description = json.loads(text)
    assert (description["workers"], description["processors"], description["accelerators"]) == (0, 1, 0)
    ((evaluated,),) = query(folder, "SELECT sum(seconds) FROM trials")
    assert seen - began >= evaluated > 0.0


def test_twins_are_avoided_cost(priced: tuple[Path, str]) -> None:
    """Fact 4: a hit costs nothing and adds what its owner's stages had cost to what was avoided."""
    folder, _ = priced
    twins = query(folder, "SELECT seconds, saved_seconds, cached_from FROM trials WHERE attempts = 0 AND key != x''")
    assert twins
    for seconds, saved, owner in twins:
        ((paid,),) = query(folder, f"SELECT sum(seconds) FROM trials WHERE trial = {owner} OR cached_from = {owner}")
        assert seconds == 0.0
        assert 0.0 < saved <= paid * (1 + 1e-9)


def test_a_finished_run_is_priced_again(priced: tuple[Path, str]) -> None:
    """Fact 9: another PUE reprices it without evaluating anything; no session is added."""
    folder, out = priced
    before = rows(folder)
    command = (*QUICK, f"--workdir={folder}", "--config.budget.trials=200")
    again = run(*command, "--config.power.pue=3.16", "--config.power.watts_per_core=10.0")
    assert again.code == 0, again
    assert rows(folder) == before
    assert len(query(folder, "SELECT 1 FROM sessions")) == 1
    first, second = (figure(text, r"energy (\S+) ") for text in (out, again.out))
    assert second == pytest.approx(2 * first, rel=0.02)  # Three digits are printed.


def test_a_budget_in_evaluations(tmp_path: Path) -> None:
    """It ends when so many behaviours have been begun, and goes on with a larger one."""
    for budget in (25, 30):
        ended = run(*QUICK, f"--workdir={tmp_path}", "--config.budget.trials=none",
                    f"--config.budget.evaluations={budget}")  # fmt: skip
        assert ended.code == 0, ended
        owners = "SELECT count(*) FROM trials WHERE cached_from IS NULL AND status != 'invalid'"
        assert query(tmp_path, owners) == [(budget,)]


@pytest.mark.parametrize("limit", ["hours=0.0003", "kwh=0.000004"])
def test_budgets_in_hours_and_kwh_end_a_run(limit: str, tmp_path: Path) -> None:
    """A second or so of one core; the same command again has nothing left to spend, a larger budget has."""
    command = (*QUICK, f"--workdir={tmp_path}", "--config.budget.trials=none")
    ended = run(*command, f"--config.budget.{limit}")
    assert ended.code == 0, ended
    done = committed(tmp_path)
    assert done > 0
    again = run(*command, f"--config.budget.{limit}")
    assert again.code == 0, again
    assert committed(tmp_path) == done
    name, _, value = limit.partition("=")
    more = run(*command, f"--config.budget.{name}={3 * float(value)}")
    assert more.code == 0, more
    assert committed(tmp_path) > done


def test_a_run_needs_some_budget(tmp_path: Path) -> None:
    """Without any limit nothing begins."""
    ended = run(*QUICK, f"--workdir={tmp_path / 'run'}", "--config.budget.trials=none")
    assert_usage_error(ended, ["budget", "no limit", ".evaluations", ".hours", ".kwh"])
    assert not (tmp_path / "run").exists()


def test_a_full_disk_ends_the_run_in_one_line(tmp_path: Path) -> None:
    """Nothing committed is lost, and the same command goes on once there is room."""
    folder = tmp_path / "small"
    folder.mkdir()
    if not _mount(folder, "600k"):
        pytest.skip("mounting a small file system is not permitted here")
    try:
        command = (*QUICK, f"--workdir={folder}", "--config.budget.trials=1200", "--config.evaluator.pause=0.0")
        full = run(*command)
        assert_usage_error(full, ["space", "same command again"])
        done = committed(folder)
        assert 0 < done < 1200
        before = rows(folder)
        assert _mount(folder, "40m", "remount,")
        ended = run(*command)
        assert ended.code == 0, ended
        after = {row[0]: row for row in rows(folder)}
        assert [row for row in before if after[row[0]] != row] == []
        assert len(after) == 1200
    finally:
        _umount(folder)


def _mount(folder: Path, size: str, how: str = "") -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _umount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
