"""Starts an evaluation process, asks it, and finds out how it ended if it does not answer."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from enum import Enum
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NamedTuple

from isozyme.search.executors.ray_cluster.evaluation_process import EvaluationTask, Payload, Question

# Not with -m, which would have the module's classes exist twice. It finds modules where this process does.
_COMMAND = (
    "import sys; sys.path[:] = {path!r}; "
    "from isozyme.search.executors.ray_cluster.evaluation_process import main; main()"
)
_LOOK = 0.1  # seconds between looks at a process that is busy
_LOOKS_A_LIMIT = 20  # or as often as this within the time limit
_EXIT_SECONDS = 1.0  # that a dying process may take from the end of its connection to its own
_KILL_SECONDS = 30.0  # that a process which has been killed may take to be gone
_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


class SetupError(RuntimeError):
    """The evaluator cannot be set up; the message says why, in one line."""


class Cause(Enum):
    """Why a process ended."""

    LIMIT = "a stage that took too long"
    MEMORY = "want of memory"
    ITSELF = "something that it did"
    OUTSIDE = "a signal such as others send"


class Ended(NamedTuple):
    """The end of an evaluation process.

    Attributes:
      cause: of the end.
      what: happened, in a few words for a reason in the journal.
      seconds: that the stage under way had taken.
    """

    cause: Cause
    what: str
    seconds: float


class Supervisor:
    """Runs one evaluation process at a time and keeps its limits of time and memory.

    The process leads a session of its own: what it starts ends with it, and what it does to its group hurts nobody.

    Args:
      payload: what the process evaluates with.
      limit: wall-clock seconds that one stage may take, or None.
      memory: bytes that the process may keep in memory (where there is /proc), or 0 for any number.
    """

    def __init__(self, payload: Payload, limit: float | None, memory: int) -> None:
        self._payload, self._limit, self._memory = payload, limit, memory
        self._records = _file_in_memory()
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0  # when the stage under way began, in seconds of the monotonic clock

    def start(self) -> Ended | None:
        """Starts a process and sets its evaluator up, unless one is there.

        Returns:
          how the process ended if it died meanwhile, else None.

        Raises:
          SetupError: setting up raised.
        """
        if self._process is not None and self._process.poll() is None:
            return None
        return self.start_unprepared() or self._prepare(None)

    def start_unprepared(self) -> Ended | None:
        """Starts a process that imports all that the payload takes but sets nothing up; otherwise like `start`."""
        self._connection, theirs = Pipe()
        passed = (theirs.fileno(), self._records)
        self._kills_before = _kills_for_memory()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND.format(path=sys.path), *map(str, passed)],
            env=os.environ | self._payload.environment,
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        return self._prepare(self._payload)

    def _prepare(self, message: Any) -> Ended | None:
        """Sends one of the two messages that prepare a process: the payload, or None for the evaluator's set-up."""
        try:
            answer = self._ask(message, None)
        except SetupError:
            self._end(Cause.ITSELF, "")
            raise
        return answer if isinstance(answer, Ended) else None

    def ask(self, question: Question) -> str | Ended:
        """Returns the evaluator's answer, or how the process ended meanwhile.

        Raises:
          SetupError: the evaluator raised.
        """
        return self._ask(question, None)

    def run(self, task: EvaluationTask) -> Ended | None:
        """Evaluates a task; its outcomes are read by `records`. Returns how the process ended if it died meanwhile."""
        os.ftruncate(self._records, 0)
        together = 1 if task.alone or task.stepwise else self._payload.at_once
        answer = self._ask(task, self._limit and self._limit * together)
        return answer if isinstance(answer, Ended) else None

    def records(self) -> bytes:
        """Returns what the last task has written; `evaluation_process.unpacked` reads it."""
        return os.pread(self._records, os.fstat(self._records).st_size, 0)

    def close(self) -> None:
        """Ends the process if there is one."""
        if self._process is not None and self._process.poll() is None:
            self._end(Cause.OUTSIDE, "")

    def _ask(self, message: Any, limit: float | None) -> str | Ended:
        self._since = time.monotonic()
        try:
            self._connection.send(message)
            ended = self._wait(limit)
            if ended is not None:
                return ended
            well, text = self._connection.recv()
        except (EOFError, OSError):
            return self._end(None, "")
        if not well:
            raise SetupError(text)
        return text

    def _wait(self, limit: float | None) -> Ended | None:
        """Waits for an answer. Ends the process, and returns how, if it takes too much time or memory before."""
        look = _LOOK if limit is None else min(_LOOK, limit / _LOOKS_A_LIMIT)
        assert self._process is not None
        written = 0
        while not self._connection.poll(look):
            if self._process.poll() is not None and not self._connection.poll(0):
                return self._end(None, "")  # Something that it started may hold the other end of the connection.
            size = os.fstat(self._records).st_size
            if size != written:
                written, self._since = size, time.monotonic()
            elif limit is not None and time.monotonic() - self._since > limit:
                return self._end(Cause.LIMIT, f"stopped at the limit of {limit:g} s")
            if self._memory and (used := _resident(self._process.pid)) > self._memory:
                allowed = f"more than the {self._memory / 1e9:.3g} GB of a worker"
                return self._end(Cause.MEMORY, f"it held {used / 1e9:.3g} GB, {allowed}")
        return None

    def _end(self, cause: Cause | None, what: str) -> Ended:
        """Kills what is left of the process and of what it has started; finds the cause where none is given."""
        assert self._process is not None
        took = time.monotonic() - self._since
        if cause is None:
            cause, what = self._find_cause()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_KILL_SECONDS)
        self._connection.close()
        return Ended(cause, what, took)

    def _find_cause(self) -> tuple[Cause, str]:
        """Reads from the exit code why the process has ended by itself, and what to say of it."""
        assert self._process is not None
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return Cause.ITSELF, "it closed its connection to the worker"
        if code >= 0:
            return Cause.ITSELF, f"exit code {code}"
        name = signal.Signals(-code).name
        if -code == signal.SIGKILL and _kills_for_memory() > self._kills_before:
            return Cause.MEMORY, "the kernel killed it for want of memory"
        return (Cause.OUTSIDE if -code in _OUTSIDE else Cause.ITSELF), name


def _file_in_memory() -> int:
    """Opens a file without a name, in memory where the system can; returns its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("isozyme-records")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _resident(pid: int) -> int:
    """Returns how many bytes of a process are in memory; 0 where that is not known."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _kills_for_memory() -> int:
    """Counts the processes that the kernel has killed for want of memory since it started; 0 if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
