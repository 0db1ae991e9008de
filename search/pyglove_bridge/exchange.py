"""Between the controller, which runs in a thread of its own, and the loop bodies, which evaluate in theirs.

Only the controller's thread touches the journal and the books kept here: everything reaches it as a message.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pyglove as pg

from isozyme.evaluators.protocol import Outcome
from isozyme.search.executors.protocol import Answer, Request

_PATIENCE = 1.0  # seconds between looks at who is there

Group = int | str
Keep = Callable[[str, str], None]


class Ticket:
    """A candidate that a loop body is to evaluate.

    Attributes:
      number: of the trial.
      candidate: of the space.
      state: 'open', 'done', or 'lost' when its loop was abandoned, so that another one gets the candidate.
      measurements: in the order in which they were added.
      metadata, links: plain JSON by key.
      began: when it was taken, in seconds since the epoch.
      cpu_began: processor time of this process then.
      committed: set once its outcome is in the journal.
      lock: held by whoever changes the state.
    """

    def __init__(self, number: int, candidate: Any) -> None:
        self.number, self.candidate, self.state = number, candidate, "open"
        self.measurements: list[pg.tuning.Measurement] = []
        self.metadata: dict[str, Any] = {}
        self.links: dict[str, str] = {}
        self.began, self.cpu_began = time.time(), time.process_time()
        self.committed, self.lock = threading.Event(), threading.Lock()


class Abandoned(Exception):
    """Nobody evaluates any more; unwinds the controller."""


class Exchange:
    """An executor whose evaluators are loop bodies: requests become tickets, what they report becomes answers.

    Args:
      keep: keeps a fact in the journal, by name.
      group: of the first member, who must leave as others must that `enter`.

    Attributes:
      ended: nothing more is to be proposed: a loop was ended for all, or everyone has left.
      empty: everyone has left.
    """

    def __init__(self, keep: Keep, group: Group) -> None:
        self._keep = keep
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._tickets: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._answers: list[tuple[Ticket, Answer]] = []
        self._collected: list[Ticket] = []
        self._members = Counter({group: 1})
        self._leases: dict[Group, Ticket] = {}
        self._taken: set[Ticket] = set()  # And not yet answered.
        self._doors: dict[Group, threading.Lock] = {}
        self.ended = self.empty = False

    # In the controller's thread.

    def conditions(self, split: str) -> str:
        """Returns a constant: nothing is known of a loop body."""
        return f"pg.sample, {split}"

    def device(self) -> str:
        """See `Executor`; a loop body says nothing of what it runs on."""
        return "pg.sample"

    def submit(self, ticket: int, request: Request) -> None:
        """Makes a request a ticket, which the next free loop body takes."""
        self._tickets.put(Ticket(ticket, request.candidate))

    def collect(self, seconds: float) -> list[tuple[int, Answer]]:
        """Returns the answers that have come in; waits up to `seconds` for the first.

        Raises:
          Abandoned: it has ended, and every loop body has reported.
        """
        self._receive(0.0 if self._answers or self._abandoned() else seconds)
        answers, self._answers = self._answers, []
        if not answers and self._abandoned():
            raise Abandoned
        self._collected = [ticket for ticket, _ in answers]
        return [(ticket.number, answer) for ticket, answer in answers]

    def _abandoned(self) -> bool:
        return self.ended and not self._taken

    def stop(self) -> bool:
        """Returns whether to propose no more; the controller asks when all that it has collected is committed."""
        self._receive(0.0)
        return self.ended

    def close(self) -> None:
        """Releases everyone who waits for a ticket."""
        self._tickets.put(None)

    def linger(self) -> None:
        """Keeps facts until everyone has left."""
        while not self.empty:
            self._receive(_PATIENCE)

    def acknowledge(self) -> None:
        """Says that all that was collected is committed."""
        for ticket in self._collected:
            ticket.committed.set()
        self._collected.clear()

    def _receive(self, seconds: float) -> None:
        """Reads all messages; waits up to `seconds` for the first."""
        self.acknowledge()
        try:
            self._inbox.get(timeout=seconds)() if seconds else self._inbox.get_nowait()()
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            pass

    def _answered(self, ticket: Ticket, answer: Answer, facts: str) -> None:
        if facts:
            self._keep(f"trial/{ticket.number}", facts)
        self._answers.append((ticket, answer))
        self._taken.discard(ticket)

    def _entered(self, group: Group, welcome: queue.SimpleQueue[bool]) -> None:
        if not self.empty:  # Else the controller is about to end.
            self._members[group] += 1
        welcome.put(not self.empty)

    def _left(self, group: Group, seen: threading.Event) -> None:
        self._members[group] -= 1
        if not self._members[group]:
            self._give_back(self._leases.pop(group, None))
        self.empty = not self._members.total()
        self.ended |= self.empty
        seen.set()

    def _give_back(self, lease: Ticket | None) -> None:
        if lease is not None:
            with lease.lock:
                if lease.state == "open":
                    lease.state = "lost"
                    self._taken.discard(lease)
                    self._tickets.put(Ticket(lease.number, lease.candidate))

    # In the threads of the loop bodies.

    def take(self, group: Group) -> Ticket | None:
        """Returns the ticket that a group is at work on, or else its next one; None if there are no more."""
        with self._doors.setdefault(group, threading.Lock()):
            lease = self._leases.get(group)
            if self.ended or (lease is not None and lease.state == "open"):
                return None if self.ended else lease
            ticket = self._tickets.get()
            if ticket is None:
                self._tickets.put(None)  # For the others who wait.
                return None
            ticket.began, ticket.cpu_began = time.time(), time.process_time()
            self._taken.add(ticket)
            self._leases[group] = ticket
            return None if self.ended else ticket

    def finish(self, ticket: Ticket, outcome: Outcome, facts: str) -> None:
        """Hands in what came of a ticket, and facts to be kept with it, if any."""
        answer = Answer((outcome,), 1, threading.current_thread().name)
        self._inbox.put(partial(self._answered, ticket, answer, facts))

    def keep(self, name: str, text: str) -> None:
        """Keeps a fact in the journal, soon."""
        self._inbox.put(partial(self._keep, name, text))

    def end(self) -> None:
        """Lets every loop end after the candidate that it is at work on."""
        self.ended = True
        self._inbox.put(lambda: None)  # Wakes the controller.

    def enter(self, group: Group, welcome: queue.SimpleQueue[bool]) -> None:
        """Asks to become a member; `welcome` gets the answer, unless the controller is about to end."""
        self._inbox.put(partial(self._entered, group, welcome))

    def leave(self, group: Group) -> threading.Event:
        """Leaves a group, whose ticket goes to others when its last member leaves. Returns an event that is set then.

        Takes no locks: a garbage collector may call it anywhere.
        """
        seen = threading.Event()
        self._inbox.put(partial(self._left, group, seen))
        return seen
