"""Snapshots: what algorithm, hurdle and progress have learnt, written now and then, so that a long run resumes at once.

They are derived from the journal's trials, which they refer to by number. Without one (an algorithm that has none, a
damaged one, a young run) all trials are replayed, with the same result.
"""

import json
from collections.abc import Iterator
from typing import Any

from isozyme.search.controller.feedback_order import FeedbackOrder
from isozyme.search.hurdles import RunningHurdle
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.journal import Journal
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import RunningAlgorithm, Trial
from isozyme.search.rules import Rules

EVERY = 10_000  # trials
_KEPT = 3
_FORMAT = 1


class Snapshots:
    """Takes and restores snapshots of one run."""

    def __init__(
        self,
        rules: Rules,
        order: FeedbackOrder,
        journal: Journal,
        algorithm: RunningAlgorithm,
        hurdle: RunningHurdle | None,
        progress: Progress,
    ) -> None:
        self._rules, self._order, self._journal = rules, order, journal
        self._algorithm, self._hurdle, self._progress = algorithm, hurdle, progress
        self._kept = _KEPT + rules.lag // EVERY
        self._newest = -1

    def take(self, fed: int) -> None:
        """Writes a snapshot if it is time for one; `fed` trials have been fed back."""
        if fed % EVERY or fed <= self._newest:
            return
        algorithm = self._algorithm.snapshot()
        if algorithm is None:
            return
        hurdle = self._hurdle.snapshot() if self._hurdle is not None else None
        state = {"format": _FORMAT, "algorithm": algorithm, "hurdle": hurdle, "progress": self._progress.snapshot()}
        self._journal.add_snapshot(fed, json.dumps(state), self._kept)
        self._newest = fed

    def restore(self) -> int:
        """Restores the newest usable snapshot; returns how many trials it accounts for."""
        found = self._journal.snapshots()
        self._newest = max((fed for fed, _ in found), default=-1)
        for fed, text in found:
            if self._journal.missing(fed, fed + self._order.margin):
                continue
            state: Any = json.loads(text)
            if state["format"] != _FORMAT or (state["hurdle"] is None) != (self._hurdle is None):
                continue
            self._algorithm.restore(state["algorithm"], self._trial)
            if self._hurdle is not None:
                self._hurdle.restore(state["hurdle"])
            self._progress.restore(state["progress"], self._trial)
            return fed
        return 0

    def _trial(self, number: int) -> Trial:
        return self._journal.trial(number, self._rules.space.from_source)

    def replay(self, fed: int) -> Iterator[Trial]:
        """Yields the journalled trials that come after `fed` ones, in the order of feedback; reads a few at a time.

        Raises:
          JournalError: the run was asynchronous and is not now, or the other way round.
        """
        if self._journal.next_number() and self._journal.asynchronous() != self._rules.asynchronous:
            raise JournalError("asynchronous: this run folder was begun the other way; choose another folder")
        first = fed
        while trials := self._journal.some_trials(self._rules.space.from_source, first, self._order.column, 1000):
            yield from trials
            first = self._order.after(first, trials)
