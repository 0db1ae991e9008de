"""Starts the command line as a user does, and reads run folders without the project's own code."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from isozyme.evaluators import process

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "launch" / "run.py"
REPORT = ROOT / "launch" / "report.py"
LION = ROOT / "launch" / "configs" / "lion.py"
SMOKE = f"--config={LION}:smoke"

TRIALS = 100
# The smoke run made smaller. With this seed it has twins by both keys, failures, and trials stopped at the hurdle.
SMALL = (
    SMOKE,
    f"--config.budget.trials={TRIALS}",
    "--config.evaluator.repeats=1",
    "--config.evaluator.closing_repeats=1",
    "--config.search.population_size=10",
    "--config.finalists=2",
    "--patch=cheaper?factor=4",
)
# All of a trial but its timings.
_TRAJECTORY = "trial, status, reason, candidate, key, cached_from, parents, metrics, static_key, hit, taken, operator"
# An experiment of a user's own, with an evaluator that only its file defines: quick, and needs no data.
OWN_CONFIG = '''
"""Smallest mean update."""

import math

import numpy as np
import pyglove as pg

from isozyme.evaluators import Outcome, Status
from isozyme.launch import Budget, Experiment
from isozyme.launch.patches import on_key
from isozyme.search import Minimize, RegularizedEvolution
from isozyme.spaces.lion import OptimizerPrograms

_SCALE = 2.0


def _mean(space, candidate):
    return float(np.mean([np.abs(array).mean() for array in space.probe(candidate)]))


@pg.members([("offset", pg.typing.Float(0.5))])
class MeanUpdate(pg.Object):
    def prepare(self):
        pass

    def setup(self, space, seed):
        self._space = space

    def conditions(self, split):
        return f"mean-update-1/{split}/{self.offset}"

    def evaluate(self, jobs):
        return [self._evaluate(job.candidate) for job in jobs]

    def _evaluate(self, candidate):
        loss = self.offset + _SCALE * _mean(self._space, candidate)
        if not math.isfinite(loss):
            return Outcome(Status.DIVERGED, f"loss is {loss}")
        return Outcome(Status.OK, None, {"loss": loss})


@pg.patching.patcher([("offset", pg.typing.Float())])
def tests_shifted(experiment, offset):
    return on_key("offset", lambda _: offset)


def experiment():
    return Experiment(
        space=OptimizerPrograms(),
        evaluator=MeanUpdate(),
        search=RegularizedEvolution(5, 2),
        objectives=[Minimize("loss", 100.0), Minimize("length", 60.0)],
        budget=Budget(30),
    )
'''

Call = Callable[..., tuple[int, str, str]]
HANG = 240  # seconds; nothing here takes a fifth of it


class Ended(NamedTuple):
    """A process that has ended."""

    code: int
    out: str
    err: str


class Finished(NamedTuple):
    """A finished run: its folder and what was printed."""

    folder: Path
    ended: Ended


def environment(**changes: str) -> dict[str, str]:
    """A user's environment: without the settings that the tests' own process has been given."""
    ours = {*process.thread_settings(), "PYTHONUNBUFFERED"}
    return {name: value for name, value in os.environ.items() if name not in ours} | changes


def launch(script: Path, *arguments: str, cwd: Path | None = None, **changes: str) -> Ended:
    """Runs a script to its end, its output going to pipes."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=cwd or tempfile.gettempdir(),
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run(*arguments: str, cwd: Path | None = None, **changes: str) -> Ended:
    """`python launch/run.py …`"""
    return launch(RUN, *arguments, cwd=cwd, **changes)


def report(*arguments: str) -> Ended:
    """`python launch/report.py …`"""
    return launch(REPORT, *arguments)


def jsonl(command: str, folder: Path) -> list[dict[str, Any]]:
    """The objects that `report.py COMMAND FOLDER --jsonl` prints."""
    ended = report(command, str(folder), "--jsonl")
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def run_in_terminal(*arguments: str, columns: int = 120) -> tuple[int, str]:
    """`python launch/run.py …` in a pseudo-terminal: exit code, and all that the terminal was sent."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, str(RUN), *arguments],
        env=environment(TERM="xterm", COLUMNS=str(columns), LINES="50"),
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    pieces = []
    try:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux: the other side has been closed.
                break
            if not piece:
                break
            pieces.append(piece)
        return child.wait(HANG), b"".join(pieces).decode()
    finally:
        os.close(master)
        if child.poll() is None:
            child.kill()
            child.wait()


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a journal, read-only, while another process may be writing it; none if it has no tables yet."""
    path = folder / "trials.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def trajectory(folder: Path) -> list[tuple[Any, ...]]:
    """What has to be the same in every run of an experiment: trials without their timings."""
    return query(folder, f"SELECT {_TRAJECTORY} FROM trials ORDER BY trial")


def rows(folder: Path) -> list[tuple[Any, ...]]:
    """All columns of all trials, timings included."""
    return query(folder, "SELECT * FROM trials ORDER BY trial")


def committed(folder: Path) -> int:
    """How many trials the journal holds."""
    counts = query(folder, "SELECT count(*) FROM trials")
    return counts[0][0] if counts else 0


class Background:
    """A run under way, in a process group of its own as in a shell."""

    def __init__(self, *arguments: str, scratch: Path) -> None:
        self._mark = f"isozyme-test-{uuid.uuid4().hex}"
        self._out, self._err = scratch / f"{self._mark}.out", scratch / f"{self._mark}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, str(RUN), *arguments],
                cwd=scratch,
                env=environment(ISOZYME_TEST_MARK=self._mark),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def wait_for_trials(self, folder: Path, count: int) -> None:
        """Returns as soon as the journal holds `count` trials."""
        self.wait_until(lambda: committed(folder) >= count)

    def wait_until(self, come_true: Callable[[], bool]) -> None:
        """Returns as soon as something is true that the run is to bring about."""
        deadline = time.monotonic() + HANG
        while not come_true():
            if self.process.poll() is not None:
                raise AssertionError(f"the run ended too early: {self.end()}")
            assert time.monotonic() < deadline, "the run hangs"
            time.sleep(0.002)

    def end(self) -> Ended:
        """Waits for the end."""
        code = self.process.wait(HANG)
        return Ended(code, self._out.read_text(), self._err.read_text())

    def family(self) -> list[psutil.Process]:
        """All living processes that descend from this run, whoever their parent is by now."""
        found = []
        for one in psutil.process_iter():
            try:
                if one.status() != psutil.STATUS_ZOMBIE and one.environ().get("ISOZYME_TEST_MARK") == self._mark:
                    found.append(one)
            except psutil.Error:
                continue
        return found

    def survivors(self, seconds: float) -> list[str]:
        """Names of the processes that are still there after `seconds`; returns as soon as there are none."""
        deadline = time.monotonic() + seconds
        while (family := self.family()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [str(one) for one in family]


@contextmanager
def background(*arguments: str, scratch: Path) -> Iterator[Background]:
    """A run under way, of which nothing is left afterwards."""
    started = Background(*arguments, scratch=scratch)
    try:
        yield started
    finally:
        for one in started.family():
            one.kill()
        started.process.wait()


def one_line(text: str) -> str:
    """The only line of a text."""
    lines = text.splitlines()
    assert len(lines) == 1, f"not one line: {text!r}"
    return lines[0]


def assert_usage_error(ended: Ended, words: Sequence[str]) -> None:
    """Exit code 2, and one line on stderr that holds `words`."""
    assert ended.code == 2, ended
    line = one_line(ended.err)
    missing = [word for word in words if word not in line]
    assert not missing, f"{missing} not in: {line}"
