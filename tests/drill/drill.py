"""Strikes at a running search and compares what it leaves with a search that was left alone."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import psutil

_ROOT = Path(__file__).resolve().parents[2]
_CONFIG = Path(__file__).with_name("pauses.py")
# All of a trial but times, attempts and the names of workers.
_SAME = "trial, status, reason, candidate, metrics, static_key, key, cached_from, hit, taken, parents, operator"
_HANG = 300.0  # seconds
_WORKERS = 2


class Result(NamedTuple):
    """What a drill came to."""

    controllers: int
    workers: int
    sessions: int
    trials: int
    repeated: int
    quarantined: int
    lost: int
    same: bool


class Drill:
    """One drill.

    Args:
      scratch: an empty folder.
      rng: draws the moments of the strikes.
      controllers, workers: how often to kill one.
    """

    def __init__(self, scratch: Path, rng: random.Random, controllers: int, workers: int) -> None:
        self._scratch, self._rng = scratch, rng
        self._controllers, self._workers = controllers, workers
        self._folder = scratch / "struck"
        # As many trials as the strikes need: each session is to make some headway.
        self._trials = 100 * (controllers + 2)
        self._held: dict[int, tuple[Any, ...]] = {}
        self._lost: set[int] = set()
        self._sessions: list[_Started] = []

    def run(self) -> Result:
        """Runs both searches; raises `AssertionError` if one of them fails or hangs, or leaves workers behind."""
        try:
            result = self._run()
            self._wait_for_workers_to_end()
            return result
        finally:
            for session in self._sessions:
                self._sweep(session)

    def _run(self) -> Result:
        alone = self._scratch / "alone"
        self._end(self._start(alone, 0, "--config.evaluator.pause=0.0"))  # Nothing depends on the pauses.
        struck = sessions = killed = 0
        done = False
        while not done:
            sessions += 1
            left = max(self._controllers - struck, 0)
            strikes = -(-(self._workers - killed) // (left + 1)) if killed < self._workers else 0
            done, workers = self._session(strikes, kill=left > 0)
            killed += workers
            struck += not done
        final = self._rows(self._folder)
        self._compare(final)
        quarantined = sum("quarantined" in (row[2] or "") for row in final.values())
        same = final == self._rows(alone)
        return Result(struck, killed, sessions, len(final), self._repeated(), quarantined, len(self._lost), same)

    def _session(self, strikes: int, kill: bool) -> tuple[bool, int]:
        """One session; returns whether the search ended in it, and how many workers were killed."""
        before = len(self._rows(self._folder))
        process = self._start(self._folder, _WORKERS)
        killed = 0
        self._wait(process, before + self._rng.randint(1, 10))
        for _ in range(strikes):
            time.sleep(self._rng.uniform(0.0, 0.3))
            killed += self._kill_a_worker(process.mark)
        if kill:
            time.sleep(self._rng.uniform(0.0, 0.3))
            process.popen.kill()
            process.popen.wait()
            self._compare(self._rows(self._folder))
            return process.popen.returncode == 0, killed
        self._end(process)
        return True, killed

    def _start(self, folder: Path, workers: int, *more: str) -> "_Started":
        mark = uuid.uuid4().hex
        errors = self._scratch / f"{mark}.err"
        command = [sys.executable, str(_ROOT / "launch" / "run.py"), f"--config={_CONFIG}", f"--workdir={folder}"]
        with errors.open("w") as file:
            popen = subprocess.Popen(
                [*command, f"--workers={workers}", f"--config.budget.trials={self._trials}", *more],
                env=os.environ | {"ISOZYME_DRILL": mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        self._sessions.append(_Started(popen, mark, errors))
        return self._sessions[-1]

    def _wait(self, process: "_Started", trials: int) -> None:
        """Returns when the journal holds so many trials, or the search has ended."""
        deadline = time.monotonic() + _HANG
        while process.popen.poll() is None and len(self._rows(self._folder)) < min(trials, self._trials):
            assert time.monotonic() < deadline, f"no headway at {len(self._rows(self._folder))} trials"
            time.sleep(0.01)

    def _kill_a_worker(self, mark: str) -> bool:
        workers = [p for p in _marked(mark) if "Worker" in " ".join(p.cmdline()[:1])]
        if not workers:
            return False
        self._rng.choice(sorted(workers, key=lambda p: p.pid)).send_signal(signal.SIGKILL)
        return True

    def _wait_for_workers_to_end(self) -> None:
        """Waits until the workers of dead controllers have noticed, for which Ray takes half a minute, and ended."""
        deadline = time.monotonic() + _HANG
        for session in self._sessions:
            while _marked(session.mark):
                assert time.monotonic() < deadline, "workers outlive their controller"
                time.sleep(0.05)

    def _end(self, process: "_Started") -> None:
        code = process.popen.wait(_HANG)
        assert code == 0, f"exit code {code}: {process.errors.read_text()}"

    def _sweep(self, process: "_Started") -> None:
        for one in _marked(process.mark):
            one.kill()
        process.popen.wait()

    def _rows(self, folder: Path) -> dict[int, tuple[Any, ...]]:
        rows = _query(folder, f"SELECT {_SAME} FROM trials ORDER BY trial")
        return {row[0]: row for row in rows}

    def _compare(self, now: dict[int, tuple[Any, ...]]) -> None:
        """Notes the trials that were there at an earlier kill and are not there now, or not as they were."""
        self._lost |= {number for number, row in self._held.items() if now.get(number) != row}
        self._held = now

    def _repeated(self) -> int:
        return _query(self._folder, "SELECT count(*) FROM trials WHERE attempts > 1")[0][0]


class _Started(NamedTuple):
    popen: subprocess.Popen[bytes]
    mark: str
    errors: Path


def _query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    path = folder / "trials.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:  # Its tables are still being made.
        return []
    finally:
        connection.close()


def _marked(mark: str) -> list[psutil.Process]:
    """Living processes that descend from one session, whoever their parent is by now."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.status() != psutil.STATUS_ZOMBIE and one.environ().get("ISOZYME_DRILL") == mark:
                found.append(one)
        except psutil.Error:
            continue
    return found
