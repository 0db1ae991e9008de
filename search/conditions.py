"""What an evaluator says of itself, against what the journal and the objectives expect."""

from collections.abc import Sequence

from isozyme.search.executors import Executor, SetupFailed
from isozyme.search.journal import Journal
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial


def known_conditions(journal: Journal, executor: Executor, split: str) -> str:
    """The evaluator's conditions on a split: asked once a run folder, so that a finished run needs no workers."""
    known = journal.meta(f"conditions/{split}")
    if known is None:
        known = executor.conditions(split)
        journal.set_meta(f"conditions/{split}", known)
    return known


def check_metrics(objectives: Sequence[Objective], trial: Trial) -> None:
    """Raises `SetupFailed` if a full score lacks the metric of an objective."""
    for objective in objectives:
        if objective.metric not in trial.metrics:
            known = ", ".join(sorted(trial.metrics)) or "none"
            raise SetupFailed(f"objectives: no metric is called {objective.metric!r}; trials have {known}")
