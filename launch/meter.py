"""What a run costs while it goes on: its sessions in the journal, its bill, and the budgets in hours and kWh."""

import json
import os
import platform
import socket
import time
from collections.abc import Callable

from isozyme.evaluators.protocol import Status
from isozyme.launch.experiment import Budget, Experiment
from isozyme.search.accounting import phases
from isozyme.search.accounting.bill import Bill, Session, Totals, price_search
from isozyme.search.accounting.power import EnergyCounter
from isozyme.search.journal.journal import Journal
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial

_SEEN_EVERY = 2.0  # seconds
_HOUR = 3600.0  # seconds


class Meter:
    """A listener of the controller that keeps the journal's record of sessions.

    A session is recorded from its first new trial on: one that only prints the summary of a finished run costs nothing
    worth a line. Workers are held from a little before, while they start; that is billed from the start of the command.
    """

    def __init__(self, experiment: Experiment, journal: Journal, workers: int, address: str | None) -> None:
        self._experiment, self._journal = experiment, journal
        self._workers, self._address = workers, address
        self._began = time.time()
        self._counter = EnergyCounter.open() if address is None else None
        self._session: int | None = None
        self._seen_at = 0.0
        self._phases: dict[str, float] = {}

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Notes now and then that the session is alive."""
        del trial
        if progress.trials > progress.restored and time.monotonic() - self._seen_at >= _SEEN_EVERY:
            self._seen_at = time.monotonic()
            self._phases = progress.phases
            if self._session is None:
                self._session = self._journal.begin_session(self._began, self._description())
            self.settle()

    def settle(self) -> None:
        """Brings the record of this session up to now, if it has one."""
        if self._session is not None:
            self._journal.seen(self._session, time.time(), self._description())

    def _description(self) -> str:
        share = self._experiment.per_worker
        return json.dumps(
            {
                "workers": self._workers,
                "processors": self._workers * share.cpus + 1,
                "accelerators": round(self._workers * share.gpus),
                "machine": self._address or socket.gethostname(),
                "joules": self._counter.joules() if self._counter is not None else None,
                "device": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
                "phases": self._phases,
            }
        )

    def sessions(self) -> list[Session]:
        """All sessions of this run so far."""
        return [Session.read(*row) for row in self._journal.sessions()]

    def phases(self) -> list[str]:
        """Where the controller's time went, over all sessions: a line, or none before anything was done."""
        return phases.describe_phases(description for _, _, description in self._journal.sessions())

    def cost(self, progress: Progress) -> Bill | None:
        """The bill so far; None before anything was evaluated."""
        sessions = self.sessions()
        return price_search(sessions, totals(progress), self._experiment.power) if sessions else None

    def limit(self, budget: Budget, progress: Progress) -> Callable[[], bool] | None:
        """Whether hours or kWh are used up, looked at once a second; None without such a limit."""
        if budget.hours is None and budget.kwh is None:
            return None
        looked, spent = 0.0, False

        def is_spent() -> bool:
            nonlocal looked, spent
            if time.monotonic() - looked >= 1.0:
                looked = time.monotonic()
                spent = self._is_spent(budget, progress)
            return spent

        return is_spent

    def _is_spent(self, budget: Budget, progress: Progress) -> bool:
        self.settle()
        held = [(s.began, s.seen) for s in self.sessions()]
        if self._session is None:
            held.append((self._began, time.time()))
        hours = sum(max(seen - began, 0.0) for began, seen in held) / _HOUR
        cost = self.cost(progress)
        return (budget.hours is not None and hours >= budget.hours) or (
            budget.kwh is not None and cost is not None and cost.kwh.mid >= budget.kwh
        )


def totals(progress: Progress) -> Totals:
    """The seconds of a run's evaluations by what came of them."""
    useful = progress.seconds[Status.OK] + progress.seconds[Status.PARTIAL]
    hurdle = progress.seconds[Status.HURDLE]
    failed = progress.evaluation_seconds - useful - hurdle
    return Totals(useful, max(failed, 0.0), hurdle, progress.saved_seconds, progress.cpu_seconds)
