"""One worker as its executor sees it: on its way, setting up, ready, out of reach, or dead and to be replaced."""

import time
from collections import deque
from typing import Any

from isozyme.search.executors.ray_cluster.backlog import Sent, Waiting
from isozyme.search.executors.ray_cluster.evaluation_process import SLICE

_TRIES = 4  # how often a worker may set up and try a request, and one more
_GRACE = 15.0  # seconds that it may take besides


class Slot:
    """A place for one worker; its actor changes when it dies.

    Attributes:
      actor: the Ray actor; None while the place is empty.
      name, node: of its process, once it has arrived.
      greeting: reference to its answer whether it has arrived, then whether it is set up; None once it is.
      asked: when it was greeted, in seconds of the monotonic clock.
      again: when to greet it again, or to fill the place again; None unless that has to wait.
      lost_sight: since when its calls do not come through; None if they do.
      batches: sent and not yet reported, in the order in which the worker takes them.
      since: when the first of these began.
      setup_seconds: how long setting up took.
    """

    def __init__(self, actor: Any) -> None:
        self.batches: deque[Sent] = deque()
        self.since = self.setup_seconds = 0.0
        self.replace(actor)

    def replace(self, actor: Any) -> None:
        """Puts a new actor in this place."""
        self.actor: Any = actor
        self.name = self.node = ""
        self.lost_sight: float | None = None
        self.greet()

    def leave_empty(self, seconds: float) -> None:
        """Has no actor for so long."""
        self.actor = self.greeting = None
        self.again: float | None = time.monotonic() + seconds

    def greet(self) -> None:
        """Asks whether the actor has arrived."""
        self.greeting: Any = self.actor.arrive.remote()
        self.asked, self.again = time.monotonic(), None

    def arrived(self, name: str, node: str) -> None:
        """The actor has its process; now it is to set up."""
        self.name, self.node, self.lost_sight = name, node, None
        self.greeting, self.asked = self.actor.set_up.remote(), time.monotonic()

    def welcome(self) -> None:
        """The actor is set up."""
        self.greeting, self.setup_seconds = None, time.monotonic() - self.asked

    def postpone(self, seconds: float) -> None:
        """The actor cannot be reached; it will be greeted again."""
        now = time.monotonic()
        self.greeting, self.again, self.lost_sight = None, now + seconds, self.lost_sight or now

    @property
    def ready(self) -> bool:
        """Whether batches may be sent."""
        return self.greeting is None and self.again is None

    def free(self, depth: int, shared: Waiting) -> bool:
        """Whether a batch may be sent if at most `depth` are there; what is not from `shared` runs by itself."""
        return self.ready and len(self.batches) <= depth and (not self.batches or self.batches[0].queue is shared)

    def send(self, sent: Sent) -> None:
        """Notes a batch that the actor has been given."""
        if not self.batches:
            self.since = time.monotonic()
        self.batches.append(sent)

    def reported(self) -> Sent:
        """Takes off the first batch; the next one begins."""
        self.since = time.monotonic()
        return self.batches.popleft()

    def overdue(self, limit: float | None) -> bool:
        """Whether the worker, which keeps the limit of a stage, does not answer itself: stopped, or out of reach."""
        if limit is None or not self.batches:
            return False
        stages = max(request.last - request.first + 1 for _, request in self.batches[0].batch)
        longest = SLICE + _TRIES * (stages * limit + self.setup_seconds)
        return time.monotonic() - self.since > longest + _GRACE

    def lose(self) -> list[Sent]:
        """Takes off all batches."""
        lost = list(self.batches)
        self.batches.clear()
        return lost

    def waits_for(self) -> list[Any]:
        """References whose arrival means that there is something to do here."""
        return [self.greeting] if self.greeting is not None else [sent.report for sent in self.batches]
