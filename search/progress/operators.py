"""What each variation operator is worth: counted from trials by the operator that made them."""

import math
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from typing import Any

from isozyme.evaluators.protocol import Status
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial

_REMEMBERED = 2_000
_NAMES = 100
_OTHER = "other"
_SOUND = (Status.OK, Status.PARTIAL, Status.HURDLE)


@dataclass
class Tally:
    """What came of one operator's proposals.

    Attributes:
      proposals: how many.
      twins: of these, behave like an earlier trial, by the key that found it.
      failures: neither scored nor stopped at a hurdle.
      compared: have a full score, as their best parent has.
      improvements: of these, cost less than that parent.
      gain: by how much, summed over the improvements.
    """

    proposals: int = 0
    twins: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    compared: int = 0
    improvements: int = 0
    gain: float = 0.0

    @property
    def mean_gain(self) -> float:
        """Returns the mean gain of an improvement."""
        return self.gain / self.improvements if self.improvements else 0.0


class OperatorStatistics:
    """Counts what came of each operator's proposals, in the first objective.

    It remembers costs of a few thousand trials: the latest, and those that still become parents.
    """

    def __init__(self, objective: Objective) -> None:
        self.tallies: dict[str, Tally] = {}
        self._cost = objective.cost
        self._costs: OrderedDict[int, float] = OrderedDict()

    def add(self, trial: Trial) -> None:
        """Counts a trial that names its operator."""
        cost = self._cost(trial.metrics) if trial.status is Status.OK else math.inf
        operator = trial.proposal.operator
        if operator:
            self._count(self._tally(operator), trial, cost)
        if cost < math.inf:
            self._costs[trial.number] = cost
            if len(self._costs) > _REMEMBERED:
                self._costs.popitem(last=False)

    def _tally(self, operator: str) -> Tally:
        if operator not in self.tallies and len(self.tallies) >= _NAMES:
            operator = _OTHER
        return self.tallies.setdefault(operator, Tally())

    def _count(self, tally: Tally, trial: Trial, cost: float) -> None:
        tally.proposals += 1
        tally.failures += trial.status not in _SOUND
        if trial.hit is not None:
            tally.twins[trial.hit] = tally.twins.get(trial.hit, 0) + 1
        known = [number for number in trial.parents if number in self._costs]
        for number in known:
            self._costs.move_to_end(number)
        if known and cost < math.inf:
            gain = min(self._costs[number] for number in known) - cost
            tally.compared += 1
            tally.improvements += gain > 0.0
            tally.gain += max(gain, 0.0)

    def snapshot(self) -> dict[str, Any]:
        """Returns all of it as plain JSON."""
        return {
            "tallies": {name: asdict(tally) for name, tally in self.tallies.items()},
            "costs": [list(item) for item in self._costs.items()],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Takes in a snapshot."""
        self.tallies = {name: Tally(**tally) for name, tally in snapshot["tallies"].items()}
        self._costs = OrderedDict((number, cost) for number, cost in snapshot["costs"])
