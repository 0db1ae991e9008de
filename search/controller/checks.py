"""Checks what an evaluator reports against what the objectives expect."""

from collections.abc import Sequence

from isozyme.search.executors.protocol import SetupFailed
from isozyme.search.objectives import Objective
from isozyme.search.protocol import Trial


def check_metrics(objectives: Sequence[Objective], trial: Trial) -> None:
    """Raises `SetupFailed` if a full score lacks the metric of an objective."""
    for objective in objectives:
        if objective.metric not in trial.metrics:
            known = ", ".join(sorted(trial.metrics)) or "none"
            raise SetupFailed(f"objectives: no metric is called {objective.metric!r}; trials have {known}")
