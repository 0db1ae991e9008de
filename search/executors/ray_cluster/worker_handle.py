"""Keeps what an executor knows of one worker: on its way, setting up, ready, out of reach, or dead and replaced."""

import time
from collections import deque
from typing import Any

from isozyme.search.executors.ray_cluster.backlog import SentBatch, Waiting
from isozyme.search.executors.ray_cluster.evaluation_process import SLICE

_TRIES = 4  # how often a worker may set up and try a request, and one more
GRACE = 15.0  # seconds that it may take besides


class WorkerHandle:
    """The executor's side of one worker; its actor is replaced when it dies.

    Attributes:
      actor: the Ray actor; None while the worker is given up for a time.
      name, node: of the actor's process, once it has arrived.
      greeting: reference to the actor's answer: first that it has arrived, then that it is set up; None once it is.
      asked: when it was greeted, in seconds of the monotonic clock.
      again: when to greet it again, or to start it again; None unless that has to wait.
      lost_sight: since when its calls do not come through; None if they do.
      batches: sent and not yet reported, in the order in which the worker takes them.
      since: when the first of these began.
      setup_seconds: how long setting up took.
    """

    def __init__(self, actor: Any) -> None:
        self.batches: deque[SentBatch] = deque()
        self.since = self.setup_seconds = 0.0
        self.replace_actor(actor)

    def replace_actor(self, actor: Any) -> None:
        """Takes a new actor in place of the old one, and greets it."""
        self.actor: Any = actor
        self.name = self.node = ""
        self.lost_sight: float | None = None
        self.greet()

    def drop_actor(self, seconds: float) -> None:
        """Stays without an actor for so long."""
        self.actor = self.greeting = None
        self.again: float | None = time.monotonic() + seconds

    def greet(self) -> None:
        """Asks whether the actor has arrived."""
        self.greeting: Any = self.actor.arrive.remote()
        self.asked, self.again = time.monotonic(), None

    def set_up(self, name: str, node: str) -> None:
        """Notes where the actor has arrived, and tells it to set up."""
        self.name, self.node, self.lost_sight = name, node, None
        self.greeting, self.asked = self.actor.set_up.remote(), time.monotonic()

    def note_ready(self) -> None:
        """Notes that the actor is set up."""
        self.greeting, self.setup_seconds = None, time.monotonic() - self.asked

    def note_out_of_reach(self, seconds: float) -> None:
        """Notes that calls to the actor do not come through; it is to be greeted again after so many seconds."""
        now = time.monotonic()
        self.greeting, self.again, self.lost_sight = None, now + seconds, self.lost_sight or now

    @property
    def ready(self) -> bool:
        """Whether batches may be sent."""
        return self.greeting is None and self.again is None

    def takes_batch(self, depth: int, shared: Waiting) -> bool:
        """Tells whether a batch may be sent if at most `depth` are there; what is not from `shared` runs alone."""
        return self.ready and len(self.batches) <= depth and (not self.batches or self.batches[0].queue is shared)

    def add_batch(self, sent: SentBatch) -> None:
        """Notes a batch that the actor has been sent."""
        if not self.batches:
            self.since = time.monotonic()
        self.batches.append(sent)

    def take_reported_batch(self) -> SentBatch:
        """Takes off the first batch, which has been reported; the next one begins."""
        self.since = time.monotonic()
        return self.batches.popleft()

    def take_all_batches(self) -> list[SentBatch]:
        """Takes off all batches."""
        lost = list(self.batches)
        self.batches.clear()
        return lost

    def overdue(self, limit: float | None) -> bool:
        """Tells whether a worker, which keeps the limit of a stage itself, is silent for longer than it could need."""
        if limit is None or not self.batches:
            return False
        stages = max(request.last - request.first + 1 for _, request in self.batches[0].requests)
        longest = SLICE + _TRIES * (stages * limit + self.setup_seconds)
        return time.monotonic() - self.since > longest + GRACE

    def references(self) -> list[Any]:
        """Returns the references whose arrival gives the executor something to do."""
        return [self.greeting] if self.greeting is not None else [sent.report for sent in self.batches]
