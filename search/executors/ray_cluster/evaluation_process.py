"""Runs in an evaluation process: sets an evaluator up and evaluates batches under a supervisor.

Outcomes go, stage by stage, to a file in memory that the supervisor holds as well, so that whatever this process dies
of takes nothing with it but the stage that was under way.
"""

import os
import pickle
import sys
import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Evaluator, Outcome, Status
from isozyme.search.executors.protocol import Request, passes_hurdle
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.search.objectives import Cost

SLICE = 1.0  # seconds after which a batch is handed back, done or not: a batch that turns out slow is shared out again
_UNLIMITED = Alarm(None)  # The supervisor keeps the limit.
_PARENT_DEATH_SIGNAL, _KILL = 1, 9  # PR_SET_PDEATHSIG and SIGKILL of Linux


class Payload(NamedTuple):
    """What an evaluation process evaluates with.

    Attributes:
      sources: the user's modules.
      content: pickle of evaluator, space, seed and the cost for hurdles, or None.
      environment: variables of the process.
    """

    sources: Sources
    content: bytes
    environment: Mapping[str, str]

    def open(self) -> tuple[Evaluator, Any, int, Cost | None]:
        """Imports the user's modules and unpickles what refers to them."""
        self.sources.install()
        return pickle.loads(self.content)


class Task(NamedTuple):
    """Requests that an evaluation process is to evaluate.

    Attributes:
      batch: pickled requests, as tuples.
      first: place of the first request to evaluate.
      known: how many stages of that request have been evaluated already.
      alone: whether to evaluate that request only.
      stepwise: whether to stop after one stage.
    """

    batch: bytes
    first: int = 0
    known: int = 0
    alone: bool = False
    stepwise: bool = False


class Record(NamedTuple):
    """The outcome of one stage of a request.

    Attributes:
      place: of the request in its batch.
      done: whether this is the request's last stage.
      status, reason, metrics, seconds, cpu_seconds: see `Outcome`.
    """

    place: int
    done: bool
    status: str
    reason: str | None
    metrics: dict[str, float]
    seconds: float
    cpu_seconds: float

    @property
    def outcome(self) -> Outcome:
        """The outcome as an evaluator answers it."""
        return Outcome(Status(self.status), *self[3:])


def packed(index: int, done: bool, outcome: Outcome) -> bytes:
    """Returns a record as bytes: a pickled tuple, which takes a fraction of a dataclass's time."""
    values = (index, done, outcome.status.value, outcome.reason, outcome.metrics, outcome.seconds, outcome.cpu_seconds)
    return pickle.dumps(values, pickle.HIGHEST_PROTOCOL)


def unpacked(written: bytes) -> Iterator[Record]:
    """Yields records in the order in which they were written, without a last one that is cut off."""
    stream = BytesIO(written)
    while stream.tell() < len(written):
        try:
            values = pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):
            return
        yield Record(*values)


def main() -> None:
    """Opens the payload, which is the first message, and answers further messages until the supervisor is gone.

    Every answer is a pair: whether all went well, and a text, which says what was raised if not. The command line names
    two file descriptors: a socket to the supervisor, and the file that takes the records of one task at a time.
    """
    _end_with_parent()
    connection, records = map(int, sys.argv[1:])
    supervisor = Connection(connection)
    evaluation = None
    while True:
        try:
            message = supervisor.recv()
        except EOFError:
            return
        try:
            if evaluation is None:
                evaluation, text = _Evaluation(message, records), ""
            else:
                text = evaluation.answer(message)
        except Exception as error:
            supervisor.send((False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"))
        else:
            supervisor.send((True, text))


class _Evaluation:
    """Holds an evaluator and the file for its records, and answers the supervisor's messages."""

    def __init__(self, payload: Payload, records: int) -> None:
        self._evaluator, self._space, self._seed, self._cost = payload.open()
        self._records = records

    def answer(self, message: Task | str | None) -> str:
        """Evaluates a task, returns the conditions of a data split, or sets the evaluator up (None)."""
        if message is None:
            self._evaluator.setup(self._space, self._seed)
            return ""
        if isinstance(message, str):
            return self._evaluator.conditions(message)
        self._run(message)
        return ""

    def _run(self, task: Task) -> None:
        requests = pickle.loads(task.batch)
        until, position = time.monotonic() + SLICE, 0
        for place in range(task.first, len(requests)):
            request = Request(*requests[place])
            known = task.known if place == task.first else 0
            for stage in range(request.first + known, request.last + 1):
                outcome, last = self._run_stage(request, stage)
                position += os.pwrite(self._records, packed(place, last, outcome), position)
                if last:
                    break
                if task.stepwise:
                    return
            if task.alone or time.monotonic() > until:
                return

    def _run_stage(self, request: Request, stage: int) -> tuple[Outcome, bool]:
        """Evaluates one stage; returns its outcome, and whether it is the last one of its request."""
        only = request._replace(first=stage, last=stage)
        (outcome,) = run_request(self._evaluator, only, self._cost, _UNLIMITED)
        if outcome.status is not Status.OK or stage == request.last:
            return outcome, True
        return outcome, not passes_hurdle(request, stage, outcome.metrics, self._cost)


def _end_with_parent() -> None:
    """Asks the kernel to kill this process when its parent dies. Without Linux it ends when it is next idle."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, _KILL)
        if os.getppid() == 1:  # It was dead before.
            os._exit(1)
