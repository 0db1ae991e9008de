"""Defines the Ray actor of one worker: it supervises an evaluation process and outlives what kills that process."""

import os
import socket
from typing import NamedTuple

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.executors.protocol import DEATHS
from isozyme.search.executors.ray_cluster.evaluation_process import EvaluationTask, Payload, Question, packed, unpacked
from isozyme.search.executors.ray_cluster.supervisor import Cause, Ended, SetupError, Supervisor

_KILLS = 10  # As `DEATHS`, for signals that others may have sent: such a death says little of the candidate.


class Report(NamedTuple):
    """What came of a batch.

    Attributes:
      records: of stages, in order, for `evaluation_process.unpacked`. Requests without a last stage are still to be
        evaluated.
      casualty: the place of the request of which the process died, and how often its evaluation was started; None if
        the process did not die.
    """

    records: bytes
    casualty: tuple[int, int] | None = None


class Worker:
    """A Ray actor that has an evaluation process run the user's code, so that no candidate takes the actor along.

    Args:
      payload: what to evaluate with.
      limit: wall-clock seconds that one stage may take, or None.
      memory: bytes that the evaluation process may take, or 0 for any number.
    """

    def __init__(self, payload: Payload, limit: float | None, memory: int) -> None:
        self._supervisor, self._at_once = Supervisor(payload, limit, memory), payload.at_once

    def arrive(self) -> tuple[str, str]:
        """Returns the name of this process (HOST:PID) and the id of its node."""
        import ray

        return f"{socket.gethostname()}:{os.getpid()}", ray.get_runtime_context().get_node_id()

    def set_up(self) -> str:
        """Sets the evaluator up. Returns, in one line, why that cannot be done; an empty text if it is done."""
        try:
            self._start()
        except SetupError as error:
            return str(error)
        return ""

    def _start(self) -> None:
        """Starts an evaluation process unless one is there; tries again while it dies.

        Raises:
          SetupError: setting up raised, or the process died too often.
        """
        deaths = kills = 0
        while (ended := self._supervisor.start()) is not None:
            kills += ended.cause is Cause.OUTSIDE
            deaths += ended.cause is not Cause.OUTSIDE
            if deaths == DEATHS or kills == _KILLS:
                raise SetupError(f"its process died {deaths + kills} times: {ended.what}")

    def close(self) -> None:
        """Ends the evaluation process if there is one."""
        self._supervisor.close()

    def ask(self, method: str, *arguments: str) -> str:
        """Returns what a method of the evaluator says: its conditions, its device.

        Raises:
          SetupError: the evaluator cannot say it.
        """
        self._start()
        answer = self._supervisor.ask(Question(method, arguments))
        if isinstance(answer, Ended):
            raise SetupError(f"its process died when asked for its {method}: {answer.what}")
        return answer

    def run(self, batch: bytes, count: int, stepwise: bool) -> Report:
        """Evaluates pickled requests until all are done, one has killed the process, or `SLICE` seconds are over.

        Args:
          batch: the requests, pickled as tuples.
          count: how many they are.
          stepwise: whether to evaluate the first stage of the first request only.
        """
        self._start()
        ended = self._supervisor.run(EvaluationTask(batch, stepwise=stepwise))
        records = self._supervisor.records()
        if ended is None:
            return Report(records)
        written = list(unpacked(records))
        done = {record.place for record in written if record.done}
        casualty = next((place for place in range(count) if place not in done), None)
        if casualty is None:
            return Report(records)
        known = sum(record.place == casualty for record in written)
        if self._at_once > 1 and ended.cause is Cause.LIMIT:  # Of those that ran together, nobody knows whose it was.
            ended = ended._replace(cause=Cause.OUTSIDE)
        return self._evaluate_alone(EvaluationTask(batch, casualty, known, True, stepwise), records, ended)

    def _evaluate_alone(self, task: EvaluationTask, records: bytes, ended: Ended) -> Report:
        """Evaluates the request of which the process died again, alone, until it is done or has to be given up.

        Where several ran together, this is the first that was not done; the death of another one comes out when that is
        the first.
        """
        attempts, deaths, kills = 1, 0, 0
        while True:
            kills += ended.cause is Cause.OUTSIDE
            deaths += ended.cause is not Cause.OUTSIDE
            if ended.cause is Cause.LIMIT or deaths == DEATHS or kills == _KILLS:
                break
            self._start()
            attempts += 1
            again = self._supervisor.run(task)
            records += (written := self._supervisor.records())
            stages = list(unpacked(written))
            if again is None or any(stage.done for stage in stages):
                return Report(records, (task.first, attempts))
            ended, task = again, task._replace(known=task.known + len(stages))
        verdict = packed(task.first, True, _verdict(ended, deaths + kills))
        return Report(records + verdict, (task.first, attempts))


def _verdict(ended: Ended, times: int) -> Outcome:
    """Returns the outcome of a stage at which the process has died so many times."""
    if ended.cause is Cause.LIMIT:
        return Outcome(Status.TIMED_OUT, ended.what, {}, ended.seconds)
    status = Status.OUT_OF_MEMORY if ended.cause is Cause.MEMORY else Status.CRASHED
    reason = f"quarantined: the worker died {times} times while evaluating it: {ended.what}"
    return Outcome(status, reason, {}, ended.seconds)
