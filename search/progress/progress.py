"""What a run has done so far, counted from its trials in the order of feedback."""

import bisect
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.progress.operators import OperatorStatistics
from isozyme.search.progress.pareto import ParetoArchive
from isozyme.search.progress.reasons import counted_as, up_to_number
from isozyme.search.protocol import Trial

COLLISION = 1e-3  # relative difference of metrics from which a hit is held to be wrong
HITS = ("static", "numeric", "store")
_LEADERS = 32


@dataclass
class Audit:
    """Counts whether keys tell the truth.

    Attributes:
      audited: twins that were evaluated all the same.
      collisions: of these, those with other metrics than their owner: behaviours that a key takes for one.
      worst: the largest difference of a metric found in an audit, as a share of it.
      splits: behaviours with the very metrics of an earlier one: maybe one behaviour that the keys take for two.
    """

    audited: int = 0
    collisions: int = 0
    worst: float = 0.0
    splits: int = 0

    def add(self, difference: float) -> None:
        """Counts an audit."""
        self.audited += 1
        self.collisions += difference > COLLISION
        self.worst = max(self.worst, min(difference, sys.float_info.max))  # JSON knows no infinity.


class Progress:
    """Counters that displays read.

    Attributes:
      trials: finished, twins included.
      restored: of these, read from the journal of an earlier session.
      unique: trials that own their behaviour, which no store knew.
      hits: the others by what spared their evaluation.
      statuses: trials by status.
      reasons: failures by their reason up to its first number; the first few hundred different ones.
      best: the trial with the least cost in the first objective, as far as is known of its behaviour.
      best_cost: its cost; infinite without one.
      leaders: the best few trials of different behaviours, best first.
      archive: the Pareto front.
      operators: what each variation operator is worth.
      audit: whether keys tell the truth.
      seconds: wall time spent evaluating, summed over workers, by the status it led to.
      cpu_seconds: processor time spent evaluating.
      saved_seconds: wall time that twins did not spend.
      phases: seconds of this session's controller by phase, see `search/accounting/phases.py`.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.trials = 0
        self.restored = 0
        self.unique = 0
        self.hits: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.best: Trial | None = None
        self.best_cost = math.inf
        self.leaders: list[Trial] = []
        self.archive = ParetoArchive(objectives)
        self.operators = OperatorStatistics(objectives[0])
        self.audit = Audit()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.cpu_seconds = 0.0
        self.saved_seconds = 0.0
        self.phases: dict[str, float] = {}
        self._cost = objectives[0].cost
        self._began = 0.0

    def add(self, trial: Trial, restored: bool) -> None:
        """Counts a trial."""
        self.trials += 1
        self.restored += restored
        if self.trials - self.restored == 1 and not restored:
            self._began = time.monotonic()
        self.statuses[trial.status] += 1
        self.saved_seconds += trial.saved_seconds
        if trial.evaluated:
            self.seconds[trial.status] += trial.effort.seconds
            self.cpu_seconds += trial.effort.cpu_seconds
        self.operators.add(trial)
        if trial.hit is not None:
            self.hits[trial.hit] += 1
        elif trial.owns:
            self.unique += 1
        if trial.audit is not None:
            self.audit.add(trial.audit)
        if trial.status is Status.OK:
            self._rank(trial)
            self.archive.add(trial)
        else:
            self._count_reason(trial)

    def _rank(self, trial: Trial) -> None:
        cost = self._cost(trial.metrics)
        if trial.audit is None and (trial.owns or trial.evaluated):
            self._lead(trial, cost)
        if cost < self.best_cost:
            self.best, self.best_cost = trial, cost

    def _lead(self, trial: Trial, cost: float) -> None:
        """Ranks a trial among the leaders, where a behaviour stands with what was found out last."""
        if trial.cached_from is not None and any(t.keys.behaviour == trial.keys.behaviour for t in self.leaders):
            self.leaders = [t for t in self.leaders if t.keys.behaviour != trial.keys.behaviour]
        if len(self.leaders) < _LEADERS or cost < self._cost(self.leaders[-1].metrics):
            bisect.insort(self.leaders, trial, key=lambda t: self._cost(t.metrics))
            del self.leaders[_LEADERS:]
        if self.best is not None and self.best.keys.behaviour == trial.keys.behaviour and cost > self.best_cost:
            self.best = self.leaders[0]
            self.best_cost = self._cost(self.best.metrics)

    def _count_reason(self, trial: Trial) -> None:
        self.reasons[counted_as(f"{trial.status}: {up_to_number(trial.reason or '')}", self.reasons)] += 1

    @property
    def evaluation_seconds(self) -> float:
        """Returns the wall time spent evaluating, in seconds, summed over workers."""
        return sum(self.seconds.values())

    @property
    def rate(self) -> float:
        """Returns trials a second in this session, from its first one on: workers have started by then."""
        done = self.trials - self.restored - 1
        return done / max(time.monotonic() - self._began, 1e-9) if done > 0 else 0.0

    def snapshot(self) -> dict[str, Any]:
        """Returns all of it as plain JSON, trials by their numbers."""
        return {
            "trials": self.trials,
            "unique": self.unique,
            "hits": self.hits,
            "statuses": self.statuses,
            "reasons": self.reasons,
            "best": None if self.best is None else self.best.number,
            "leaders": [t.number for t in self.leaders],
            "front": [t.number for t in self.archive.trials],
            "operators": self.operators.snapshot(),
            "audit": asdict(self.audit),
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "saved_seconds": self.saved_seconds,
        }

    def restore(self, snapshot: dict[str, Any], trial: Callable[[int], Trial]) -> None:
        """Takes in a snapshot; all of its trials count as restored."""
        self.trials = self.restored = snapshot["trials"]
        self.unique = snapshot["unique"]
        self.hits, self.statuses = Counter(snapshot["hits"]), Counter(snapshot["statuses"])
        self.reasons = Counter(snapshot["reasons"])
        self.seconds = defaultdict(float, snapshot["seconds"])
        self.best = None if snapshot["best"] is None else trial(snapshot["best"])
        self.best_cost = math.inf if self.best is None else self._cost(self.best.metrics)
        self.leaders = [trial(number) for number in snapshot["leaders"]]
        self.audit = Audit(**snapshot["audit"])
        for number in snapshot["front"]:
            self.archive.add(trial(number))
        self.operators.restore(snapshot["operators"])
        self.cpu_seconds, self.saved_seconds = snapshot["cpu_seconds"], snapshot["saved_seconds"]
