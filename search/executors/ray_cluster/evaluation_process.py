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
from itertools import takewhile
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Evaluator, Outcome, Status, at_once_of
from isozyme.search.executors.protocol import Request
from isozyme.search.executors.sources import Sources
from isozyme.search.executors.stages import Alarm, run_request, run_requests
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
      at_once: how many candidates the evaluator likes to score in one call.
    """

    sources: Sources
    content: bytes
    environment: Mapping[str, str]
    at_once: int = 1

    def open(self) -> tuple[Evaluator, Any, int, Cost | None]:
        """Imports the user's modules and unpickles what refers to them."""
        self.sources.install()
        return pickle.loads(self.content)


class EvaluationTask(NamedTuple):
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


class Question(NamedTuple):
    """A question to the evaluator, answered by a text: the name of its method, and the arguments."""

    method: str
    arguments: tuple[str, ...] = ()


class StageRecord(NamedTuple):
    """The outcome of one stage of a request.

    Attributes:
      place: of the request in its batch.
      done: whether this is the request's last stage.
      status, reason, metrics, seconds, cpu_seconds, artifacts: see `Outcome`.
    """

    place: int
    done: bool
    status: str
    reason: str | None
    metrics: dict[str, float]
    seconds: float
    cpu_seconds: float
    artifacts: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """The outcome as an evaluator answers it."""
        return Outcome(Status(self.status), *self[3:])


def packed(index: int, done: bool, outcome: Outcome) -> bytes:
    """Returns a record as bytes: a pickled tuple, which takes a fraction of a dataclass's time."""
    o = outcome
    values = (index, done, o.status.value, o.reason, o.metrics, o.seconds, o.cpu_seconds, o.artifacts)
    return pickle.dumps(values, pickle.HIGHEST_PROTOCOL)


def unpacked(written: bytes) -> Iterator[StageRecord]:
    """Yields records in the order in which they were written, without a last one that is cut off."""
    stream = BytesIO(written)
    while stream.tell() < len(written):
        try:
            values = pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):
            return
        yield StageRecord(*values)


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
        self._records, self._at_once = records, at_once_of(self._evaluator)

    def answer(self, message: "EvaluationTask | Question | None") -> str:
        """Evaluates a task, says what is asked of the evaluator, or sets the evaluator up (None)."""
        if message is None:
            self._evaluator.setup(self._space, self._seed)
            return ""
        if isinstance(message, Question):
            return getattr(self._evaluator, message.method)(*message.arguments)
        self._run(message)
        return ""

    def _run(self, task: EvaluationTask) -> None:
        requests = [Request(*values) for values in pickle.loads(task.batch)]
        first = requests[task.first]
        requests[task.first] = first._replace(first=first.first + task.known)
        until, position, begin = time.monotonic() + SLICE, 0, task.first
        while begin < len(requests):
            end = begin + (1 if task.alone or task.stepwise else self._group_size(requests, begin))
            for place, outcome, last in self._outcomes(requests[begin:end]):
                position += os.pwrite(self._records, packed(begin + place, last, outcome), position)
                if task.stepwise and not last:
                    return
            if task.alone or time.monotonic() > until:
                return
            begin = end

    def _group_size(self, requests: list[Request], begin: int) -> int:
        """Returns how many requests from `begin` on are evaluated together; a measurement stands for itself."""
        alike = takewhile(lambda request: not request.measures, requests[begin : begin + self._at_once])
        return max(1, sum(1 for _ in alike))

    def _outcomes(self, requests: list[Request]) -> Iterator[tuple[int, Outcome, bool]]:
        if requests[0].measures:
            (outcome,) = run_request(self._evaluator, requests[0], self._cost, _UNLIMITED)
            return iter([(0, outcome, True)])
        return run_requests(self._evaluator, requests, self._cost, _UNLIMITED)


def _end_with_parent() -> None:
    """Asks the kernel to kill this process when its parent dies. Without Linux it ends when it is next idle."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, _KILL)
        if os.getppid() == 1:  # It was dead before.
            os._exit(1)
