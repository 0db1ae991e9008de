"""A study: one run folder, and while loops sample it, the thread in which its controller runs."""

import json
import queue
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from isozyme.evaluators.protocol import Outcome
from isozyme.search.controller.controller import Controller
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.identity import difference
from isozyme.search.journal.journal import FILE, Journal
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Algorithm
from isozyme.search.pyglove_bridge.exchange import Abandoned, Exchange, Group, Ticket
from isozyme.search.pyglove_bridge.spec import SpecSpace
from isozyme.search.rules import Rules

PREFIX = "pyglove/"  # Of the facts in the journal that are of this module.
ACTIVE, DONE, ENDED = "active", "done", "ended"

_PATIENCE = 2.0  # seconds that leaving waits for the journal to be closed
_LOOK = 0.1  # seconds between looks whether the controller lives


class StudyPlan(NamedTuple):
    """What is searched, and how.

    Attributes:
      space: of the spec that is sampled.
      algorithm: who proposes.
      objectives: what for.
      seed: of the run.
      lag: how many trials may be under way.
      trials: when it ends; None goes on until every candidate has been evaluated. No part of the identity.
      identity: plain JSON of all else, by which a run folder is known again.
    """

    space: SpecSpace
    algorithm: Algorithm
    objectives: tuple[Objective, ...]
    seed: int
    lag: int
    trials: int | None
    identity: Mapping[str, Any]


class Study:
    """The thread and what loops ask of it. All loops of a process that name the same folder share one.

    Attributes:
      metadata: plain JSON by key, of the whole study.
    """

    def __init__(self, folder: Path, plan: StudyPlan, group: Group) -> None:
        self._folder, self._plan = folder, plan
        self._exchange = Exchange(self._keep, group)
        self._journal: Journal | None = None
        self._began, self._over = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self.metadata: dict[str, Any] = {}
        # A daemon: a process that ends without leaving its loops is not held up, and what is committed is safe.
        self._thread = threading.Thread(target=self._run, name=f"isozyme {folder}", daemon=True)
        self._thread.start()
        try:
            self._began.wait()
            self._raise()
        except BaseException:
            self.leave(group)
            raise

    def _run(self) -> None:
        try:
            with closing(Journal.open(self._folder)) as self._journal:
                if self._enter(self._journal):
                    with suppress(Abandoned):
                        self._search(self._journal)
                self._exchange.acknowledge()
                self._release()
                self._exchange.linger()
        except BaseException as error:
            self._error = error
            self._release()

    def _release(self) -> None:
        """Releases all who wait."""
        self._over.set()
        self._began.set()
        self._exchange.close()

    def _enter(self, journal: Journal) -> bool:
        """Compares the folder with the plan; returns whether there is anything left to do."""
        known = fact(journal, "identity")
        if known is None:
            if journal.next_number() or _others(self._folder):
                raise JournalError(f"{self._folder}: is the run folder of something else; choose another name")
            self._keep("identity", json.dumps(self._plan.identity))
        else:
            require_same(self._folder, known, self._plan)
        self.metadata = fact(journal, "metadata") or {}
        if fact(journal, "state") == ENDED:
            return False
        self._keep("state", json.dumps(ACTIVE))
        return True

    def _search(self, journal: Journal) -> None:
        plan = self._plan
        rules = Rules(plan.space, plan.objectives, seed=plan.seed, lag=plan.lag)
        listeners = [lambda *_: self._exchange.acknowledge()]
        controller = Controller(rules, plan.algorithm, journal, self._exchange, listeners=listeners)
        self._began.set()
        everything = plan.space.size if plan.trials is None else None
        controller.run(plan.trials, everything, self._exchange.stop)
        if not self._exchange.ended:
            self._keep("state", json.dumps(DONE))

    def _keep(self, name: str, text: str) -> None:
        assert self._journal is not None
        with self._journal.transaction():
            self._journal.set_meta(PREFIX + name, text)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    # In the threads of the loop bodies.

    def next(self, group: Group) -> Ticket | None:
        """Returns the ticket that a group is to evaluate; None at the end."""
        ticket = self._exchange.take(group)
        self._raise()
        return ticket

    def finish(self, ticket: Ticket, outcome: Outcome, facts: str) -> None:
        """Hands in what came of a ticket, and returns once it is in the journal."""
        self._exchange.finish(ticket, outcome, facts)
        while not ticket.committed.wait(_LOOK):
            if self._over.is_set() and not ticket.committed.is_set():
                self._raise()
                raise JournalError(f"{self._folder}: the loop has ended before this trial; it is not in the journal")

    def set_metadata(self, key: str, value: Any) -> None:
        """Sets metadata of the whole study; they are in the journal soon."""
        with self._lock:
            self.metadata[key] = value
            self._exchange.keep("metadata", json.dumps(self.metadata))

    def end(self) -> None:
        """Ends this loop and all others of this name, later ones as well."""
        self._exchange.keep("state", json.dumps(ENDED))
        self._exchange.end()

    def enter(self, group: Group, plan: StudyPlan) -> bool:
        """Joins a loop to the running study. Returns false if that has ended, so that the folder is free.

        Raises:
          JournalError: it is another one.
        """
        welcome: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._exchange.enter(group, welcome)
        while self._thread.is_alive():
            try:
                if not welcome.get(timeout=_LOOK):
                    self._thread.join()
                    return False
            except queue.Empty:
                continue
            try:
                require_same(self._folder, self._plan.identity, plan)
                if plan.trials != self._plan.trials:
                    raise JournalError(
                        f"num_examples: {plan.trials} here, {self._plan.trials} in the running loop of {self._folder}"
                    )
            except JournalError:
                self._exchange.leave(group)
                raise
            return True
        return False

    def leave(self, group: Group) -> None:
        """Leaves the study; the last loop to do so frees its folder."""
        seen = self._exchange.leave(group)
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            seen.wait(_PATIENCE)
            if self._exchange.empty:
                self._thread.join(_PATIENCE)


_STUDIES: "WeakValueDictionary[Path, Study]" = WeakValueDictionary()
_OPENING = threading.Lock()


def study(folder: Path, plan: StudyPlan, group: Group) -> Study:
    """Returns the running study of a folder, with the loop as a member, which must leave in the end.

    Raises:
      JournalError: the folder belongs to something else, or is in use by another process, or damaged.
    """
    with _OPENING:
        place = folder.resolve()
        known = _STUDIES.get(place)
        if known is not None and known.enter(group, plan):
            return known
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / FILE).exists() and _others(folder):
            raise JournalError(f"{folder}: holds other files and no {FILE}; choose an empty folder")
        found = _STUDIES[place] = Study(folder, plan, group)
        return found


def _others(folder: Path) -> bool:
    """Returns whether a folder holds anything but a journal and its lock and log."""
    return any(not entry.name.startswith(FILE) for entry in folder.iterdir())


def require_same(folder: Path, known: Any, plan: StudyPlan) -> None:
    """Raises `JournalError` if the study of a folder is not the one that is planned."""
    changed = difference(known, json.loads(json.dumps(plan.identity)))
    if changed:
        raise JournalError(f"{folder}: belongs to another search ({changed}); choose another name")


def fact(journal: Journal, name: str) -> Any:
    """Reads a fact that a study has kept in the journal; None if it has not."""
    text = journal.meta(PREFIX + name)
    return None if text is None else json.loads(text)
