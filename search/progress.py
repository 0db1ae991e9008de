"""What a run has done so far, counted from its trials in their order."""

import bisect
import re
import time
from collections import Counter
from collections.abc import Sequence

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.pareto import ParetoArchive
from isozyme.search.protocol import Trial

_LEADERS = 32
_NUMBER = re.compile(r"\s[-+]?\d")  # Reasons that differ in a number are counted together.


class Progress:
    """Counters that displays read.

    Attributes:
      trials: finished, twins included.
      restored: of these, read from the journal of an earlier session.
      unique: trials that were evaluated themselves.
      hits: twins by the key that found them.
      statuses: trials by status.
      reasons: failures by their reason up to its first number.
      best: the trial with the least cost in the first objective.
      leaders: the best few trials that were evaluated themselves, best first.
      archive: the Pareto front.
      evaluation_seconds: time spent evaluating, summed over workers.
    """

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self.trials = 0
        self.restored = 0
        self.unique = 0
        self.hits: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.best: Trial | None = None
        self.leaders: list[Trial] = []
        self.archive = ParetoArchive(objectives)
        self.evaluation_seconds = 0.0
        self._objective = objectives[0]
        self._began = 0.0

    def add(self, trial: Trial, restored: bool) -> None:
        """Counts a trial."""
        self.trials += 1
        self.restored += restored
        if self.trials - self.restored == 1 and not restored:
            self._began = time.monotonic()
        self.statuses[trial.status] += 1
        self.evaluation_seconds += trial.seconds
        if trial.hit is not None:
            self.hits[trial.hit] += 1
        elif trial.status is not Status.INVALID:
            self.unique += 1
        if trial.status is Status.OK:
            self._rank(trial)
        else:
            self.reasons[f"{trial.status}: {_NUMBER.split(trial.reason or '')[0]}"] += 1
        self.archive.add(trial)

    def _rank(self, trial: Trial) -> None:
        cost = self._objective.cost(trial.metrics)
        if self.best is None or cost < self._objective.cost(self.best.metrics):
            self.best = trial
        if trial.cached_from is None:
            bisect.insort(self.leaders, trial, key=lambda t: self._objective.cost(t.metrics))
            del self.leaders[_LEADERS:]

    @property
    def rate(self) -> float:
        """Trials a second in this session, from its first one on: workers have started by then."""
        done = self.trials - self.restored - 1
        return done / max(time.monotonic() - self._began, 1e-9) if done > 0 else 0.0
