"""What holds for a whole run, as one value."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.objectives import Cost, Objective
from isozyme.spaces.protocol import Space


@dataclass(frozen=True, slots=True)
class Rules:
    """Says what a run searches, what for and in which order. All that takes part in the run is handed the same value.

    Attributes:
      space: what is searched.
      objectives: what for; the first one guides the search.
      stages: how many the evaluator has.
      hurdle: who goes on from stage to stage; None lets everyone.
      seed: of all random numbers.
      lag: how many trials may be under way, at least 1: proposal i sees the trials up to i - lag.
      asynchronous: whether trials are fed back as they finish rather than in the order of their numbers.
      measured: names of the metrics that the evaluator measures, see `evaluators.protocol.Measuring`.
      artifacts: the folder in which stages keep artifacts; None where the evaluator keeps none.
      cost: of metrics, in the first objective.
      hurdle_cost: of a stage's metrics, as hurdles compare it; None without hurdles.
    """

    space: Space
    objectives: Sequence[Objective]
    stages: int = 1
    hurdle: QuantileHurdle | None = None
    seed: int = 0
    lag: int = 1
    asynchronous: bool = False
    measured: tuple[str, ...] = ()
    artifacts: Path | None = None
    cost: Cost = field(init=False, repr=False, compare=False)
    hurdle_cost: Cost | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Derives the costs once, since every trial needs them."""
        hurdle_cost = None if self.hurdle is None else self.hurdle.cost(self.objectives)
        object.__setattr__(self, "cost", self.objectives[0].cost)
        object.__setattr__(self, "hurdle_cost", hurdle_cost)
