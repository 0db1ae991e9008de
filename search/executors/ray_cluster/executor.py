"""Feeds long-lived Ray actors with batches, and loses nothing when they, their machines or the way to them fail.

A worker deals with what a candidate does to its evaluation process (worker.py). This side deals with workers that are
gone, which is hardly ever the fault of what they evaluated: it is asked for again; alone, where its worker died; and in
the end with a node to itself, where memory ran out.
"""

import pickle
import time
import warnings
from collections.abc import Callable
from typing import Any

from isozyme.evaluators.protocol import Evaluator, at_once_of
from isozyme.search.executors.protocol import Answer, Request, SetupFailed
from isozyme.search.executors.ray_cluster import connection
from isozyme.search.executors.ray_cluster.backlog import Backlog, SentBatch, Waiting
from isozyme.search.executors.ray_cluster.cluster import Cluster
from isozyme.search.executors.ray_cluster.evaluation_process import Payload
from isozyme.search.executors.ray_cluster.worker_handle import WorkerHandle
from isozyme.search.rules import Rules

_DEPTH = 2  # batches at a worker: one runs, one waits, so that it never idles between them
_SETUP_DEATHS = 5
_ASK_AGAIN = 0.5  # seconds between looks at a worker that is out of reach
_OUT_OF_REACH = 60.0  # seconds after which one is replaced
_GIVEN_UP = 60.0  # seconds until a worker that could not be set up is started again
_SETTLE = 2.0  # seconds until a node has ended all workers that memory was short for, and has their memory back
SHORTAGE_SECONDS = 30.0  # seconds without room after which workers are missed aloud


class RayExecutor:
    """Evaluates on long-lived actors, fed from one queue in batches that grow as evaluations get shorter.

    Args:
      evaluator: configured, not set up; it travels to every worker.
      rules: of the run.
      cluster: how many workers evaluate, where and under which limits.
      on_start: called when the workers are about to be started.

    Attributes:
      workers: the handles of the workers; none before the first use.
      backlog: of requests that wait for workers.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        rules: Rules,
        cluster: Cluster,
        *,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self.workers: list[WorkerHandle] = []
        self.backlog = Backlog(at_once_of(evaluator))
        self._content = (evaluator, rules.space, rules.seed, rules.hurdle_cost)
        self._cluster, self._on_start = cluster, on_start
        self._started_ray = False
        self._ready = self._setup_deaths = 0
        self._exhausted = -_SETTLE  # When memory was last exhausted on any node, in seconds of the monotonic clock.
        self._room = False  # Whether some worker takes another batch.
        self._served = False  # Whether any worker has ever been set up.
        self._missed = False  # Whether the user has been told that workers wait for room.

    def _start(self) -> None:
        if self.workers:
            return
        self._on_start()
        address, count, resources = self._cluster.address, self._cluster.workers, self._cluster.resources
        self._started_ray = connection.join_cluster(address) if address else connection.start_cluster(count, resources)
        from ray.cloudpickle.cloudpickle import dumps

        payload = Payload(self._cluster.sources, dumps(self._content), self._cluster.environment, self.backlog.at_once)
        if address:
            connection.check_nodes(payload)
        self._new_actor = connection.actor_factory(payload, self._cluster)
        self.workers = [WorkerHandle(self._new_actor()) for _ in range(count)]
        self._warn_of_shortage(count - connection.room_for_workers(resources))

    def conditions(self, split: str) -> str:
        """See `Executor`; waits until a worker is set up."""
        return self._ask("conditions", split)

    def device(self) -> str:
        """See `Executor`; the device of a worker, of which all are taken to be alike."""
        return self._ask("device")

    def _ask(self, method: str, *arguments: str) -> str:
        self._start()
        import ray
        from ray.exceptions import RayError, RayTaskError

        while True:
            for worker in self.workers:
                if worker.ready:
                    try:
                        return ray.get(worker.actor.ask.remote(method, *arguments))
                    except RayTaskError as error:
                        raise SetupFailed(f"the evaluator cannot say its {method}: {error.cause}") from error
                    except RayError as error:
                        self._replace_worker(worker, error)
            self._attend_workers(1.0)

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`."""
        self._start()
        self.backlog.queue.append((ticket, request))
        if self._room and len(self.backlog.queue) >= self.backlog.batch_size(self._ready * _DEPTH):
            self._send_batches()

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """See `Executor`."""
        self._send_batches()
        self._attend_workers(seconds)
        self._send_batches()
        answered, self.backlog.answered = self.backlog.answered, []
        return answered

    def close(self) -> None:
        """See `Executor`."""
        if self._started_ray or self.workers:
            import ray

            for worker in self.workers:
                if worker.actor is not None:
                    ray.kill(worker.actor)
            if self._started_ray:  # Else Ray was there before.
                ray.shutdown()
            self._started_ray, self.workers = False, []
        self.backlog.clear()

    def _send_batches(self) -> None:
        """Sends what waits to the workers that take another batch."""
        backlog, kept = self.backlog, self._send_starved()
        for depth in range(1 if backlog.suspects else _DEPTH):  # Idle workers first; only they take suspects.
            for worker in self.workers:
                if worker.takes_batch(depth, backlog.queue) and worker.node != kept:
                    if backlog.suspects:
                        self._send(worker, backlog.suspects, 1)
                    elif backlog.queue:
                        self._send(worker, backlog.queue, backlog.batch_size(self._ready * _DEPTH))
        self._room = any(worker.takes_batch(_DEPTH - 1, backlog.queue) for worker in self.workers)

    def _send_starved(self) -> str | None:
        """Sends the next request that ran out of memory, alone, to one node.

        Returns:
          that node, which must take nothing else; None if no request needs a node to itself now.
        """
        starved = self.backlog.starved
        for worker in self.workers:
            if worker.batches and worker.batches[0].queue is starved:
                return worker.node
        place = next((worker for worker in self.workers if worker.ready), None) if starved else None
        if place is None or time.monotonic() - self._exhausted < _SETTLE:
            return None
        node = place.node
        if not any(worker.batches for worker in self.workers if worker.node == node) and self._answers(place):
            self._send(place, starved, 1)
        return node

    def _answers(self, worker: WorkerHandle) -> bool:
        """Asks an idle worker whether it lives, and replaces it if not.

        Nobody notices the death of an idle worker, and the request that is sent to it next would be blamed.
        """
        import ray
        from ray.exceptions import RayError

        try:
            ray.get(worker.actor.arrive.remote(), timeout=_OUT_OF_REACH)
        except RayError as error:
            self._replace_worker(worker, error)
            return False
        return True

    def _send(self, worker: WorkerHandle, queue: Waiting, count: int) -> None:
        batch = self.backlog.take_batch(queue, count)
        requests = pickle.dumps([tuple(request) for _, request in batch], pickle.HIGHEST_PROTOCOL)
        stepwise = queue is not self.backlog.queue  # So that it is known of which stage a worker dies.
        worker.add_batch(SentBatch(batch, queue, worker.actor.run.remote(requests, len(batch), stepwise)))

    def _attend_workers(self, seconds: float) -> None:
        """Waits until something happens at a worker, for so long at most, and deals with it."""
        import ray

        references = [reference for worker in self.workers for reference in worker.references()]
        if not references:
            time.sleep(min(seconds, _ASK_AGAIN))
        ready = ray.wait(references, num_returns=1, timeout=seconds)[0] if references else []
        if ready and len(references) > 1:
            ready = ray.wait(references, num_returns=len(references), timeout=0)[0]
        arrived = set(ready)
        for worker in self.workers:
            self._attend(worker, arrived)
        self._ready = sum(worker.ready for worker in self.workers)
        now = time.monotonic()
        homeless = [
            w for w in self.workers if w.greeting is not None and not w.node and now - w.asked > SHORTAGE_SECONDS
        ]
        self._warn_of_shortage(len(homeless))

    def _attend(self, worker: WorkerHandle, arrived: set[Any]) -> None:
        """Takes a worker's greetings and reports among what has arrived, and replaces one that is gone."""
        import ray
        from ray.exceptions import ActorUnavailableError, RayError

        try:
            if worker.again is not None and time.monotonic() >= worker.again:
                worker.greet() if worker.actor is not None else worker.replace_actor(self._new_actor())
            if worker.greeting in arrived:
                self._take_greeting(worker, ray.get(worker.greeting))
            while worker.batches and worker.batches[0].report in arrived:
                report: Any = ray.get(worker.batches[0].report)
                self.backlog.take_report(worker.take_reported_batch(), report, worker.name)
        except ActorUnavailableError as error:  # The network, or a node that may be dead: nobody knows yet.
            if worker.lost_sight is not None and time.monotonic() - worker.lost_sight > _OUT_OF_REACH:
                self._replace_worker(worker, error)
            else:
                self.backlog.requeue(worker.take_all_batches(), begun=1)
                worker.note_out_of_reach(_ASK_AGAIN)
        except RayError as error:
            self._replace_worker(worker, error)
        if worker.overdue(self._cluster.limit):
            self._replace_worker(worker, None)

    def _take_greeting(self, worker: WorkerHandle, answer: tuple[str, str] | str) -> None:
        """Takes a worker's name and node, or else why its evaluator cannot be set up; an empty text if it is."""
        if isinstance(answer, tuple):
            worker.set_up(*answer)
        elif answer:
            self._give_up(worker, worker.name, answer)
        else:
            worker.note_ready()
            self._served, self._setup_deaths = True, 0

    def _give_up(self, worker: WorkerHandle, name: str, why: str) -> None:
        """Does without a worker for a while.

        Raises:
          SetupFailed: there is no other worker.
        """
        if not self._served or not any(other.actor is not None for other in self.workers if other is not worker):
            raise SetupFailed(f"the evaluator cannot be set up: {why}")
        import ray

        host = f" on {name.partition(':')[0]}" if name else ""
        warnings.warn(f"a worker{host} cannot be set up: {why}; it tries again every {_GIVEN_UP:g} s", stacklevel=1)
        ray.kill(worker.actor)
        worker.drop_actor(_GIVEN_UP)

    def _replace_worker(self, worker: WorkerHandle, error: Exception | None) -> None:
        """Starts a new actor for a worker that is gone, and requeues its batches.

        Args:
          worker: that is gone.
          error: what Ray says of it; None if the worker does not answer.
        """
        import ray

        lost, name, node, ready = worker.take_all_batches(), worker.name, worker.node, worker.ready
        ray.kill(worker.actor)  # In case that it is there after all.
        worker.replace_actor(self._new_actor())
        blameless = bool(node) and connection.node_is_dead(node)
        if blameless:
            self.backlog.requeue(lost, begun=1)
            return
        self.backlog.requeue(lost[1:], begun=0)
        why, starved = connection.death_reason(error), connection.out_of_memory(error)
        if starved:
            self._exhausted = time.monotonic()
        if lost:
            self.backlog.requeue_alone(lost[0], starved, why)
        if not ready:
            self._setup_deaths += 1
            if self._setup_deaths == _SETUP_DEATHS:
                self._setup_deaths = 0
                self._give_up(worker, name, f"workers died {_SETUP_DEATHS} times meanwhile: {why}")

    def _warn_of_shortage(self, waiting: int) -> None:
        """Warns once, if so many workers wait for room."""
        if waiting > 0 and not self._missed:
            self._missed = True
            text = connection.describe_shortage(waiting, self._cluster.workers, self._cluster.resources)
            warnings.warn(text, stacklevel=1)
