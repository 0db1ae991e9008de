"""Small promises: markup in reasons, a smaller budget, exit codes under Ray."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from isozyme.evaluators import Status
from isozyme.launch.configs import lion
from isozyme.launch.display import Display
from isozyme.launch.experiment import Budget
from isozyme.search import Minimize, Progress, Proposal, Trial
from isozyme.search.journal.journal import Journal
from isozyme.tests.toys import BitStrings

RUN = [sys.executable, str(Path(__file__).resolve().parents[2] / "launch" / "run.py")]
SMALL = ["--config", str(Path(RUN[1]).parent / "configs" / "lion.py") + ":smoke", "--patch", "cheaper?factor=20"]


def test_a_reason_may_hold_square_brackets():
    """What rich takes for markup is shown as it is in the live table."""
    reason = "XlaRuntimeError: see [/usr/lib/x.so] and [red]"
    progress = Progress([Minimize("loss", 1.0)])
    trial = Trial(0, Proposal("c"), Status.CRASHED, reason)
    progress.add(trial, restored=False)
    console = Console(file=io.StringIO(), force_terminal=True, width=200)
    with Display(console, Minimize("loss", 1.0), Budget(10)) as display:
        display(trial, progress)
    assert "[/usr/lib/x.so] and [red]" in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_smaller_budget_loses_nothing(tmp_path):
    """An earlier session's winner and front survive a start with fewer trials."""
    folder = tmp_path / "run"
    command = [*RUN, *SMALL, "--workdir", str(folder), "--workers=0"]
    subprocess.run([*command, "--config.budget.trials=40"], check=True, capture_output=True)
    before = [(folder / name).read_text() for name in ("best/card.json", "pareto.csv")]
    done = subprocess.run([*command, "--config.budget.trials=4"], check=True, capture_output=True, text=True)
    assert "40 trials already" in done.stdout
    assert [(folder / name).read_text() for name in ("best/card.json", "pareto.csv")] == before
    assert set(json.loads(before[0])["scores"]) == {"adamw", "lion", "winner"}


@pytest.mark.ray
def test_sigterm_with_workers(tmp_path):
    """Ray's own handler does not get in the way: exit code 130, and a line that says how to go on."""
    folder = tmp_path / "run"
    command = [*RUN, *SMALL, "--workdir", str(folder), "--workers=1", "--config.budget.trials=100000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not _trials(folder) >= 3:
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "interrupted" in errors


def _trials(folder):
    if not (folder / "trials.db").is_file():
        return 0
    try:
        journal = Journal.read(folder)
    except ValueError:  # Not yet written.
        return 0
    try:
        return journal.next_number()
    finally:
        journal.close()


def test_no_pickle_in_a_run_folder():
    """docs/security.md: of a space that PyGlove could only pickle a digest stands there, and tells settings apart."""
    experiments: list[Any] = [lion.smoke().rebind(space=BitStrings(size)) for size in (13, 13, 14)]
    one, same, other = (experiment.record() for experiment in experiments)
    assert one == same
    assert one != other
    assert set(one["space"]) == {"digest"}
    assert "_OpaqueObject" not in json.dumps(one)


_FINALIZER = """
import os, signal, time
from isozyme.launch.interruption import Interruption


class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # The handler runs in here, and Python drops what it raises.
            pass


Interruption().install()
try:
    Dying()
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_that_meets_a_finalizer_is_not_lost():
    """Python drops exceptions there; the run ends all the same, and soon."""
    done = subprocess.run([sys.executable, "-c", _FINALIZER], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
