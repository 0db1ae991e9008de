"""The end of a run: one of the finalists is chosen, made simpler, and meets the references on all splits.

Finalists go through the funnel where the experiment has one; else, or if nothing beat its baseline, they meet on the
selection split.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import SPLITS, Outcome
from isozyme.launch.experiment import Experiment
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial
from isozyme.search.validation.funnel import FRESH, Comparison, Executors, best_trial
from isozyme.search.validation.held_out_assessment import HeldOutAssessor
from isozyme.search.validation.paired_test import paired_costs
from isozyme.search.validation.simplification import Step, result, simplify


class Closing(NamedTuple):
    """Results of the closing.

    Attributes:
      winner: the finalist that is best on the last rung of the funnel that any passed, or else on the selection split.
      comparisons: what came of the funnel, a rung each; none without one.
      steps: of simplification, the winner as found first; none without it.
      scores: outcomes by name ('winner', 'simplified' and the space's references) and split.
    """

    winner: Trial
    comparisons: Sequence[Comparison]
    steps: Sequence[Step]
    scores: dict[str, dict[str, Outcome]]

    @property
    def candidate(self) -> Any:
        """What the run has found: the winner, simplified where that was asked for."""
        return result(self.steps) if self.steps else self.winner.candidate


def close(
    experiment: Experiment,
    progress: Progress,
    assessor: HeldOutAssessor,
    executors: Executors,
    others: Sequence[Trial] = (),
) -> Closing | None:
    """Chooses the winner on data and seeds that the search never saw; None if no finalist has a score.

    The splits on which it is chosen and simplified flatter it a little; the final one does not.

    Args:
      experiment: that was run.
      progress: holds the finalists.
      assessor: with the evaluator of the search.
      executors: for the evaluators of the funnel.
      others: finalists besides the best of the search, such as those that did best on tasks it never saw.
    """
    best_of_search = progress.leaders[: experiment.finalists]
    known = {leader.keys.behaviour for leader in best_of_search}
    finalists = [*best_of_search, *(trial for trial in others if trial.keys.behaviour not in known)]
    if not finalists:
        return None
    comparisons: Sequence[Comparison] = ()
    if experiment.funnel is not None:
        comparisons = experiment.funnel.run(finalists, assessor, executors, experiment.objectives[0])
    winner = _funneled(finalists, comparisons) or _selected(experiment, finalists, assessor)
    if winner is None:
        return None
    steps = _simplify(experiment, winner, assessor)
    unscored = Closing(winner, comparisons, steps, {})
    return unscored._replace(scores=_scores(experiment, unscored, assessor))


def _funneled(finalists: Sequence[Trial], comparisons: Sequence[Comparison]) -> Trial | None:
    number = best_trial(comparisons)
    return next((trial for trial in finalists if trial.number == number), None)


def _selected(experiment: Experiment, finalists: Sequence[Trial], assessor: HeldOutAssessor) -> Trial | None:
    found = paired_costs(assessor, [t.candidate for t in finalists], [0], "selection", experiment.objectives[0])[:, 0]
    return None if found.min() == math.inf else finalists[int(found.argmin())]


def _simplify(experiment: Experiment, winner: Trial, assessor: HeldOutAssessor) -> Sequence[Step]:
    """Steps towards a simpler candidate, judged by evaluations of the search's evaluator that nothing has seen."""
    if experiment.simplification is None:
        return ()
    objective = experiment.objectives[0]

    def fresh(candidates: Sequence[Any], evaluations: Sequence[int]) -> Any:
        return paired_costs(
            assessor, candidates, [FRESH + evaluation for evaluation in evaluations], "selection", objective
        )

    return simplify(experiment.space, winner.candidate, fresh, experiment.simplification)


def _scores(experiment: Experiment, closing: Closing, assessor: HeldOutAssessor) -> dict[str, dict[str, Outcome]]:
    """All that are compared, on all splits; references that repeat an earlier one are left out."""
    found = {"winner": closing.winner.candidate} | ({"simplified": closing.candidate} if closing.steps else {})
    named: dict[str, Any] = {}
    for name, candidate in {**experiment.space.references, **found}.items():
        if candidate not in named.values() or name in found:
            named[name] = candidate
    by_split = [assessor.assess(list(named.values()), split) for split in SPLITS]
    return {name: dict(zip(SPLITS, outcomes, strict=True)) for name, *outcomes in zip(named, *by_split, strict=True)}
