"""What lives in a worker of the cluster: an actor that holds the process that evaluates, and outlives what kills it."""

import os
import socket
from typing import NamedTuple

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.ray_cluster.evaluation_process import Payload, Task, packed, unpacked
from isozyme.search.executors.ray_cluster.supervisor import Cause, Ended, Leash, SetupError

_DEATHS = 3  # of the process, once among others and twice alone, after which a candidate is quarantined
_KILLS = 10  # the same for signals that others may have sent: such a death says little of the candidate


class Report(NamedTuple):
    """What came of a batch.

    Attributes:
      records: of stages, in order; see `child.unpacked`. Requests without a last one are still to be evaluated.
      casualty: the request of which the process died, and how often its evaluation was started; None if none.
    """

    records: bytes
    casualty: tuple[int, int] | None = None


class Worker:
    """A Ray actor. It never runs any code of the user's itself, so that no candidate takes it along.

    Args:
      payload: what to evaluate with.
      limit: wall-clock seconds that one stage may take, or None.
      memory: bytes that evaluating may take, or 0 for any number.
    """

    def __init__(self, payload: Payload, limit: float | None, memory: int) -> None:
        self._leash = Leash(payload, limit, memory)

    def arrive(self) -> tuple[str, str]:
        """The name of this process and the id of its node: it has found its place."""
        import ray

        return f"{socket.gethostname()}:{os.getpid()}", ray.get_runtime_context().get_node_id()

    def set_up(self) -> str:
        """Sets up; says, in one line, why that cannot be done, or nothing."""
        try:
            self._start()
        except SetupError as error:
            return str(error)
        return ""

    def _start(self) -> None:
        deaths = kills = 0
        while (ended := self._leash.start()) is not None:
            kills += ended.cause is Cause.OUTSIDE
            deaths += ended.cause is not Cause.OUTSIDE
            if deaths == _DEATHS or kills == _KILLS:
                raise SetupError(f"its process died {deaths + kills} times: {ended.what}")

    def conditions(self, split: str) -> str:
        """The evaluator's conditions."""
        self._start()
        answer = self._leash.conditions(split)
        if isinstance(answer, Ended):
            raise SetupError(f"its process died when asked for its conditions: {answer.what}")
        return answer

    def run(self, batch: bytes, count: int, stepwise: bool) -> Report:
        """Evaluates `count` pickled requests, until one of them has killed the process or a while is over.

        With `stepwise` it does no more than the first stage of the first request.
        """
        self._start()
        ended = self._leash.run(Task(batch, stepwise=stepwise))
        records = self._leash.records()
        if ended is None:
            return Report(records)
        index = known = 0
        for record in unpacked(records):
            index, known = (record.place + 1, 0) if record.done else (record.place, known + 1)
        if index == count:
            return Report(records)
        return self._alone(Task(batch, index, known, True, stepwise), records, ended)

    def _alone(self, task: Task, records: bytes, ended: Ended) -> Report:
        """Tries the request of which the process died again, alone, until it passes or has to be given up."""
        attempts, deaths, kills = 1, 0, 0
        while True:
            kills += ended.cause is Cause.OUTSIDE
            deaths += ended.cause is not Cause.OUTSIDE
            if ended.cause is Cause.LIMIT or deaths == _DEATHS or kills == _KILLS:
                break
            self._start()
            attempts += 1
            again = self._leash.run(task)
            records += (written := self._leash.records())
            stages = list(unpacked(written))
            if again is None or any(stage.done for stage in stages):
                return Report(records, (task.first, attempts))
            ended, task = again, task._replace(known=task.known + len(stages))
        verdict = packed(task.first, True, _verdict(ended, deaths + kills))
        return Report(records + verdict, (task.first, attempts))


def _verdict(ended: Ended, times: int) -> Outcome:
    """The outcome of a stage at which processes have ended."""
    if ended.cause is Cause.LIMIT:
        return Outcome(Status.TIMED_OUT, ended.what, {}, ended.seconds)
    status = Status.OUT_OF_MEMORY if ended.cause is Cause.MEMORY else Status.CRASHED
    reason = f"quarantined: the worker died {times} times while evaluating it: {ended.what}"
    return Outcome(status, reason, {}, ended.seconds)
