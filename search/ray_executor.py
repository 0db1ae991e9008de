"""Evaluates in Ray actors, each with its share of the cores. The one file of this room that knows Ray."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from isozyme.evaluators.protocol import Evaluator, Job, Outcome, Status
from isozyme.search.executors import SetupFailed, run_jobs

_QUEUE_PER_WORKER = 2  # One runs, one waits at the worker, so that it never idles between jobs.
_ATTEMPTS = 2


class _Worker:
    """Lives in its own process; set up once, on its first call, so that what setting up raises reaches the caller."""

    def __init__(self, evaluator: Evaluator, space: Any, seed: int) -> None:
        self._evaluator, self._space, self._seed = evaluator, space, seed
        self._ready = False

    def _setup(self) -> None:
        if not self._ready:
            self._evaluator.setup(self._space, self._seed)
            self._ready = True

    def conditions(self, split: str) -> str:
        self._setup()
        return self._evaluator.conditions(split)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        self._setup()
        return run_jobs(self._evaluator, jobs)


class RayExecutor:
    """Long-lived actors fed from one queue.

    Args:
      evaluator: configured, not set up; it travels to every worker.
      space: what it evaluates.
      seed: of the run.
      workers: how many actors, at least 1.
      address: of a running Ray cluster, or None to start one here.
      environment: variables of every worker, the fixed thread count among them.
      by_value: names of modules that workers cannot import, such as a config file: their classes travel as code.
      on_start: called once the workers are being started.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        space: Any,
        seed: int,
        workers: int,
        address: str | None,
        environment: dict[str, str],
        by_value: Sequence[str] = (),
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._arguments = (evaluator, space, seed)
        self._workers, self._address, self._environment = workers, address, environment
        self._by_value, self._on_start = by_value, on_start
        self._actors: list[Any] = []
        self._queue: deque[tuple[int, Job]] = deque()
        self._running: list[deque[tuple[int, Job, Any]]] = []
        self._deaths: dict[int, int] = {}

    def _start(self) -> None:
        if self._actors:
            return
        self._on_start()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray import cloudpickle

        for name in self._by_value:
            cloudpickle.register_pickle_by_value(sys.modules[name])
        handler = signal.getsignal(signal.SIGTERM)
        ray.init(
            address=self._address or "local",
            num_cpus=None if self._address else self._workers,
            namespace="isozyme",
            include_dashboard=None if self._address else False,
            configure_logging=False,
            log_to_driver=False,
        )
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray puts its own in place, which exits without a word.
        self._actor_class: Any = ray.remote(_Worker).options(num_cpus=1, runtime_env={"env_vars": self._environment})
        self._actors = [self._new_actor() for _ in range(self._workers)]
        self._running = [deque() for _ in self._actors]

    def _new_actor(self) -> Any:
        return self._actor_class.remote(*self._arguments)

    def conditions(self, split: str) -> str:
        """See `Executor`; waits until the workers are set up."""
        self._start()
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        # Every worker sets itself up, all at once.
        calls = [actor.conditions.remote(split) for actor in self._actors]
        try:
            return ray.get(calls)[0]
        except RayTaskError as error:
            raise SetupFailed(f"the evaluator cannot be set up: {error.cause!r}") from error
        except RayActorError as error:
            raise SetupFailed(f"a worker died while it was set up: {str(error).splitlines()[0]}") from error

    def submit(self, ticket: int, job: Job) -> None:
        """See `Executor`."""
        self._start()
        self._queue.append((ticket, job))
        self._dispatch()

    def _dispatch(self) -> None:
        for depth in range(_QUEUE_PER_WORKER):  # Idle workers first.
            for actor, running in zip(self._actors, self._running, strict=True):
                if self._queue and len(running) <= depth:
                    ticket, job = self._queue.popleft()
                    running.append((ticket, job, actor.run.remote([job])))

    def collect(self, seconds: float) -> list[tuple[int, Outcome]]:
        """See `Executor`."""
        import ray

        references = [reference for running in self._running for _, _, reference in running]
        ready, _ = ray.wait(references, num_returns=1, timeout=seconds)
        if ready:
            ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        arrived = set(ready)
        outcomes = []
        for index in range(len(self._actors)):
            outcomes += self._collect_from(index, arrived)
        self._dispatch()
        return outcomes

    def _collect_from(self, index: int, arrived: set[Any]) -> list[tuple[int, Outcome]]:
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        running, outcomes = self._running[index], []
        while running and running[0][2] in arrived:
            ticket, _, reference = running[0]
            try:
                outcome = ray.get(reference)[0]
            except RayActorError as error:
                return outcomes + self._bury(index, str(error).splitlines()[0])
            except RayTaskError as error:  # Not the evaluation, whose errors are outcomes: a new worker's set-up.
                raise SetupFailed(f"the evaluator cannot be set up: {error.cause!r}") from error
            running.popleft()
            self._deaths.pop(ticket, None)
            outcomes.append((ticket, outcome))
        return outcomes

    def _bury(self, index: int, message: str) -> list[tuple[int, Outcome]]:
        """Replaces a dead worker. Its oldest job was running; that one gets a second try, alone to blame."""
        lost, self._running[index] = self._running[index], deque()
        self._actors[index] = self._new_actor()
        ticket = lost[0][0]
        self._deaths[ticket] = self._deaths.get(ticket, 0) + 1
        failed = []
        if self._deaths[ticket] >= _ATTEMPTS:
            lost.popleft()
            del self._deaths[ticket]
            reason = f"the worker died {_ATTEMPTS} times while evaluating it: {message}"
            failed.append((ticket, Outcome(Status.CRASHED, reason)))
        self._queue.extendleft((t, job) for t, job, _ in reversed(lost))
        return failed

    def close(self) -> None:
        """See `Executor`."""
        if self._actors:
            import ray

            ray.shutdown()
            self._actors, self._running = [], []
            self._queue.clear()
            self._deaths.clear()
