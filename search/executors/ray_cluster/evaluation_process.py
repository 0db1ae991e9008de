"""The process that evaluates: it sets an evaluator up and answers batches, on the leash of a worker.

What it finds out goes, stage by stage, to a file in memory that the worker holds as well, so that whatever this process
dies of takes nothing with it but the stage it was at.
"""

import os
import pickle
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Evaluator, Outcome, Status
from isozyme.search.executors.protocol import Request, passes
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.stages import Alarm, run_request
from isozyme.search.objectives import Cost

SLICE = 1.0  # seconds after which a batch is handed back, done or not: a batch that turns out slow is shared out again
_UNLIMITED = Alarm(None)  # The worker keeps the limit.
_PARENT_DEATH_SIGNAL, _KILL = 1, 9  # PR_SET_PDEATHSIG and SIGKILL of Linux


class Payload(NamedTuple):
    """What evaluating takes.

    Attributes:
      sources: the user's modules.
      content: pickle of evaluator, space, seed and the cost for hurdles, or None.
      environment: variables of the process.
    """

    sources: Sources
    content: bytes
    environment: dict[str, str]

    def open(self) -> tuple[Evaluator, Any, int, Cost | None]:
        """Imports the user's modules and unpickles what refers to them."""
        self.sources.install()
        return pickle.loads(self.content)


class Task(NamedTuple):
    """Requests to evaluate.

    Attributes:
      batch: pickled requests, as tuples.
      first: which of them to begin with.
      known: how many of its stages have been evaluated already.
      alone: whether to evaluate no other.
      stepwise: whether to stop after one stage.
    """

    batch: bytes
    first: int = 0
    known: int = 0
    alone: bool = False
    stepwise: bool = False


class Record(NamedTuple):
    """What came of one stage of the request at `place`, the last of its stages if `done`; see `Outcome`."""

    place: int
    done: bool
    status: str
    reason: str | None
    metrics: dict[str, float]
    seconds: float
    cpu_seconds: float

    @property
    def outcome(self) -> Outcome:
        """As an evaluator answers it."""
        return Outcome(Status(self.status), *self[3:])


def packed(index: int, done: bool, outcome: Outcome) -> bytes:
    """A record as it is written: as a tuple, which takes a fraction of a dataclass's time to pickle."""
    values = (index, done, outcome.status.value, outcome.reason, outcome.metrics, outcome.seconds, outcome.cpu_seconds)
    return pickle.dumps(values, pickle.HIGHEST_PROTOCOL)


def unpacked(written: bytes) -> Iterator[Record]:
    """Records, in the order in which they were written, but for a last one that its writer did not live to end."""
    stream = BytesIO(written)
    while stream.tell() < len(written):
        try:
            values = pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):
            return
        yield Record(*values)


def main() -> None:
    """Opens the payload that is the first message, and answers the others until the worker is gone.

    Every answer is a pair: whether it went well, and a text, which says otherwise what was raised. The command line
    names two file descriptors: of a socket to the worker, and of the file that takes the records of one task at a time.
    """
    _end_with_parent()
    connection, records = map(int, sys.argv[1:])
    worker = Connection(connection)
    evaluation = None
    while True:
        try:
            message = worker.recv()
        except EOFError:
            return
        try:
            if evaluation is None:
                evaluation, text = _Evaluation(message, records), ""
            else:
                text = evaluation.answer(message)
        except Exception as error:
            worker.send((False, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"))
        else:
            worker.send((True, text))


class _Evaluation:
    """An evaluator, to be set up, and the file for what it finds."""

    def __init__(self, payload: Payload, records: int) -> None:
        self._evaluator, self._space, self._seed, self._cost = payload.open()
        self._records = records

    def answer(self, message: Task | str | None) -> str:
        """Evaluates a task, tells the conditions of a split, or sets up."""
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
        """What comes of one stage, and whether it is the last one of its request."""
        only = request._replace(first=stage, last=stage)
        (outcome,) = run_request(self._evaluator, only, self._cost, _UNLIMITED)
        if outcome.status is not Status.OK or stage == request.last:
            return outcome, True
        return outcome, not passes(request, stage, outcome.metrics, self._cost)


def _end_with_parent() -> None:
    """Has the kernel kill this process when its worker dies. Elsewhere than on Linux it ends once it is idle."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, _KILL)
        if os.getppid() == 1:  # It was dead before.
            os._exit(1)
