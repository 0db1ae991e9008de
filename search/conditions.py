"""What an evaluator says of itself, against what the journal and the objectives expect."""

from collections.abc import Sequence

from isozyme.search.executors import Executor, SetupFailed
from isozyme.search.journal import Journal
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial


def known_conditions(journal: Journal, executor: Executor, split: str, place: str = "conditions") -> str:
    """An evaluator's conditions on a split: asked once a run folder, so that a finished run needs no workers.

    Args:
      journal: open for writing.
      executor: of the evaluator.
      split: what is scored on.
      place: under which the journal keeps them; evaluators other than that of the search have their own.
    """
    name = f"{place}/{split}"
    known = journal.meta(name)
    if known is None:
        known = executor.conditions(split)
        journal.set_meta(name, known)
    return known


def check_metrics(objectives: Sequence[Objective], trial: Trial) -> None:
    """Raises `SetupFailed` if a full score lacks the metric of an objective."""
    for objective in objectives:
        if objective.metric not in trial.metrics:
            known = ", ".join(sorted(trial.metrics)) or "none"
            raise SetupFailed(f"objectives: no metric is called {objective.metric!r}; trials have {known}")
