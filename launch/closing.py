"""The end of a run: the finalists meet on the selection split, and the winner meets the references on the final one."""

import math
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import SPLITS, Outcome, Status
from isozyme.launch.experiment import Experiment
from isozyme.search.assessment import Assessor
from isozyme.search.progress import Progress
from isozyme.search.protocol import Trial


class Closing(NamedTuple):
    """Results of the closing.

    Attributes:
      winner: the finalist that is best on the selection split.
      scores: outcomes by name ('winner' and the space's references) and split.
    """

    winner: Trial
    scores: dict[str, dict[str, Outcome]]


def close(experiment: Experiment, progress: Progress, assessor: Assessor) -> Closing | None:
    """Chooses the winner on data and seeds that the search never saw; None if no finalist has a score.

    The selection split flatters the winner a little, since it was chosen there; the final split does not.
    """
    finalists = progress.leaders[: experiment.finalists]
    if not finalists:
        return None
    objective = experiment.objectives[0]
    outcomes = assessor.assess([t.candidate for t in finalists], "selection")
    # Metrics of form are there for failures too.
    costs = [objective.cost(o.metrics) if o.status is Status.OK else math.inf for o in outcomes]
    if min(costs) == math.inf:
        return None
    winner = finalists[costs.index(min(costs))]
    named = _distinct({**experiment.space.references, "winner": winner.candidate})
    scores: dict[str, dict[str, Outcome]] = {name: {} for name in named}
    for split in SPLITS:
        for name, outcome in zip(named, assessor.assess(list(named.values()), split), strict=True):
            scores[name][split] = outcome
    return Closing(winner, scores)


def _distinct(named: dict[str, Any]) -> dict[str, Any]:
    """Without references that repeat an earlier one; the winner always stays."""
    kept: dict[str, Any] = {}
    for name, candidate in named.items():
        if candidate not in kept.values() or name == "winner":
            kept[name] = candidate
    return kept
