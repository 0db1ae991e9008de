"""Feeds long-lived Ray actors with batches, and has nothing lost when they, their machines or the way to them fail.

What a candidate does to its process is dealt with on the spot, by the worker (worker.py). What is left to this side are
workers that are gone, which is hardly ever the fault of what they evaluated: it is asked for again, by itself where its
worker died, and in the end with a whole node to itself where memory ran out.
"""

import pickle
import time
import warnings
from collections.abc import Callable
from typing import Any

from isozyme.evaluators.protocol import Evaluator
from isozyme.search.executors.protocol import Answer, Request, SetupFailed
from isozyme.search.executors.ray_cluster import connection
from isozyme.search.executors.ray_cluster.backlog import Backlog, Sent, Waiting
from isozyme.search.executors.ray_cluster.connection import Resources
from isozyme.search.executors.ray_cluster.evaluation_process import Payload
from isozyme.search.executors.ray_cluster.slots import Slot
from isozyme.search.executors.sources import Sources
from isozyme.search.objectives import Cost

_DEPTH = 2  # batches at a worker: one runs, one waits, so that it never idles between them
_SETUP_DEATHS = 5
_ASK_AGAIN = 0.5  # seconds between looks at a worker that is out of reach
_OUT_OF_REACH = 60.0  # seconds after which one is replaced
_EMPTY = 60.0  # seconds for which the place of a worker that cannot be set up is left empty
_SETTLE = 2.0  # seconds until a node has ended all workers that memory was short for, and has their memory back
_WAITING = 30.0  # seconds without room after which workers are missed aloud
_ONE_PROCESSOR, _NO_SOURCES = Resources(), Sources()


class RayExecutor:
    """Long-lived actors fed from one queue, in batches that grow as evaluations get shorter.

    Args:
      evaluator: configured, not set up; it travels to every worker.
      space: what it evaluates.
      seed: of the run.
      workers: how many actors, at least 1.
      address: of a running Ray cluster, or None to start one here.
      environment: variables of every worker, the fixed thread count among them.
      cost: of a stage's metrics, for the hurdles; None where there are none.
      limit: wall-clock seconds that one stage of one candidate may take, or None.
      resources: what one worker takes.
      sources: modules of the user's that workers cannot import otherwise.
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
        *,
        cost: Cost | None = None,
        limit: float | None = None,
        resources: Resources = _ONE_PROCESSOR,
        sources: Sources = _NO_SOURCES,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._content = (evaluator, space, seed, cost)
        self._workers, self._address, self._environment = workers, address, environment
        self._limit, self._resources, self._sources, self._on_start = limit, resources, sources, on_start
        self._connected = False
        self._slots: list[Slot] = []
        self._backlog = Backlog()
        self._ready = self._setup_deaths = 0
        self._exhausted = -_SETTLE  # When memory was last exhausted on any node, in seconds of the monotonic clock.
        self._room = False  # Whether some worker takes another batch.
        self._served = self._missed = False  # Whether any worker has ever been set up; whether some are missed aloud.

    def _start(self) -> None:
        if self._slots:
            return
        self._on_start()
        address = self._address
        self._connected = connection.join(address) if address else connection.start(self._workers, self._resources)
        from ray.cloudpickle.cloudpickle import dumps

        payload = Payload(self._sources, dumps(self._content), self._environment)
        if address:
            connection.preflight(payload)
        self._new_actor = connection.actors(payload, self._limit, self._resources)
        self._slots = [Slot(self._new_actor()) for _ in range(self._workers)]
        self._miss(self._workers - connection.room(self._resources))

    def conditions(self, split: str) -> str:
        """See `Executor`; waits until a worker is set up."""
        self._start()
        import ray
        from ray.exceptions import RayError, RayTaskError

        while True:
            for slot in self._slots:
                if slot.ready:
                    try:
                        return ray.get(slot.actor.conditions.remote(split))
                    except RayTaskError as error:
                        raise SetupFailed(f"the evaluator cannot say its conditions: {error.cause}") from error
                    except RayError as error:
                        self._lose(slot, error)
            self._look(1.0)

    def submit(self, ticket: int, request: Request) -> None:
        """See `Executor`."""
        self._start()
        self._backlog.queue.append((ticket, request))
        if self._room and len(self._backlog.queue) >= self._backlog.size(self._ready * _DEPTH):
            self._dispatch()

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """See `Executor`."""
        self._dispatch()
        self._look(seconds)
        self._dispatch()
        answered, self._backlog.answered = self._backlog.answered, []
        return answered

    def close(self) -> None:
        """See `Executor`."""
        if self._connected or self._slots:
            import ray

            for slot in self._slots:
                if slot.actor is not None:
                    ray.kill(slot.actor)
            if self._connected:  # Else Ray was there before.
                ray.shutdown()
            self._connected, self._slots = False, []
        self._backlog.clear()

    def _dispatch(self) -> None:
        backlog, kept = self._backlog, self._keep_a_node()
        for depth in range(1 if backlog.suspects else _DEPTH):  # Idle workers first; only they take suspects.
            for slot in self._slots:
                if slot.free(depth, backlog.queue) and slot.node != kept:
                    if backlog.suspects:
                        self._send(slot, backlog.suspects, 1)
                    elif backlog.queue:
                        self._send(slot, backlog.queue, backlog.size(self._ready * _DEPTH))
        self._room = any(slot.free(_DEPTH - 1, backlog.queue) for slot in self._slots)

    def _keep_a_node(self) -> str | None:
        """Has what ran out of memory evaluated one at a time; the node on which nothing else may run meanwhile."""
        starved = self._backlog.starved
        for slot in self._slots:
            if slot.batches and slot.batches[0].queue is starved:
                return slot.node
        place = next((slot for slot in self._slots if slot.ready), None) if starved else None
        if place is None or time.monotonic() - self._exhausted < _SETTLE:
            return None
        node = place.node
        if not any(slot.batches for slot in self._slots if slot.node == node) and self._lives(place):
            self._send(place, starved, 1)
        return node

    def _lives(self, slot: Slot) -> bool:
        """Asks an idle worker. The death of one goes unnoticed, and what it is sent then would be blamed for it."""
        import ray
        from ray.exceptions import RayError

        try:
            ray.get(slot.actor.arrive.remote(), timeout=_OUT_OF_REACH)
        except RayError as error:
            self._lose(slot, error)
            return False
        return True

    def _send(self, slot: Slot, queue: Waiting, count: int) -> None:
        batch = self._backlog.take(queue, count)
        requests = pickle.dumps([tuple(request) for _, request in batch], pickle.HIGHEST_PROTOCOL)
        stepwise = queue is not self._backlog.queue  # So that it is known of which stage a worker dies.
        slot.send(Sent(batch, queue, slot.actor.run.remote(requests, len(batch), stepwise)))

    def _look(self, seconds: float) -> None:
        """Waits for something to happen at a worker, and deals with it."""
        import ray

        references = [reference for slot in self._slots for reference in slot.waits_for()]
        if not references:
            time.sleep(min(seconds, _ASK_AGAIN))
        ready = ray.wait(references, num_returns=1, timeout=seconds)[0] if references else []
        if ready and len(references) > 1:
            ready = ray.wait(references, num_returns=len(references), timeout=0)[0]
        arrived = set(ready)
        for slot in self._slots:
            self._attend(slot, arrived)
        self._ready = sum(slot.ready for slot in self._slots)
        now = time.monotonic()
        self._miss(sum(s.greeting is not None and not s.node and now - s.asked > _WAITING for s in self._slots))

    def _attend(self, slot: Slot, arrived: set[Any]) -> None:
        """Looks after one worker: greetings, reports, silence."""
        import ray
        from ray.exceptions import ActorUnavailableError, RayError

        try:
            if slot.again is not None and time.monotonic() >= slot.again:
                slot.greet() if slot.actor is not None else slot.replace(self._new_actor())
            if slot.greeting in arrived:
                self._greeted(slot, ray.get(slot.greeting))
            while slot.batches and slot.batches[0].report in arrived:
                report: Any = ray.get(slot.batches[0].report)
                self._backlog.report(slot.reported(), report, slot.name)
        except ActorUnavailableError as error:  # The network, or a node that may be dead: nobody knows yet.
            if slot.lost_sight is not None and time.monotonic() - slot.lost_sight > _OUT_OF_REACH:
                self._lose(slot, error)
            else:
                self._backlog.lose(slot.lose(), begun=1)
                slot.postpone(_ASK_AGAIN)
        except RayError as error:
            self._lose(slot, error)
        if slot.overdue(self._limit):
            self._lose(slot, None)

    def _greeted(self, slot: Slot, answer: tuple[str, str] | str) -> None:
        """A worker has said its name and node, or what keeps the evaluator from being set up, if anything."""
        if isinstance(answer, tuple):
            slot.arrived(*answer)
        elif answer:
            self._give_up(slot, slot.name, answer)
        else:
            slot.welcome()
            self._served, self._setup_deaths = True, 0

    def _give_up(self, slot: Slot, name: str, why: str) -> None:
        """Leaves a place empty for a while; without any worker the run has to end."""
        if not self._served or not any(other.actor is not None for other in self._slots if other is not slot):
            raise SetupFailed(f"the evaluator cannot be set up: {why}")
        import ray

        host = f" on {name.partition(':')[0]}" if name else ""
        warnings.warn(f"a worker{host} cannot be set up: {why}; it tries again every {_EMPTY:g} s", stacklevel=1)
        ray.kill(slot.actor)
        slot.leave_empty(_EMPTY)

    def _lose(self, slot: Slot, error: Exception | None) -> None:
        """Replaces a worker that is gone; None if it does not answer."""
        import ray

        lost, name, node, ready = slot.lose(), slot.name, slot.node, slot.ready
        ray.kill(slot.actor)  # In case that it is there after all.
        slot.replace(self._new_actor())
        blameless = bool(node) and connection.node_is_dead(node)
        if blameless:
            self._backlog.lose(lost, begun=1)
            return
        self._backlog.lose(lost[1:], begun=0)
        why, starved = connection.reason(error), connection.out_of_memory(error)
        if starved:
            self._exhausted = time.monotonic()
        if lost:
            self._backlog.suspect(lost[0], starved, why)
        if not ready:
            self._setup_deaths += 1
            if self._setup_deaths == _SETUP_DEATHS:
                self._setup_deaths = 0
                self._give_up(slot, name, f"workers died {_SETUP_DEATHS} times meanwhile: {why}")

    def _miss(self, waiting: int) -> None:
        """Says, once, that so many workers wait for room."""
        if waiting > 0 and not self._missed:
            self._missed = True
            warnings.warn(connection.no_room(waiting, self._workers, self._resources), stacklevel=1)
