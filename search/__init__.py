"""Ask-and-tell algorithms, objectives, the journal and the controller that ties them together."""

from typing import TYPE_CHECKING, Any

from isozyme.search.algorithms import (
    ALGORITHMS,
    NSGA2,
    Crossover,
    FunctionChanging,
    HillClimbing,
    Islands,
    Mutation,
    OneShot,
    PolicyGradient,
    RandomSearch,
    RegularizedEvolution,
    Restarts,
    SuccessiveHalving,
    Tabu,
)
from isozyme.search.controller.controller import Controller
from isozyme.search.controller.equivalence import Equivalence
from isozyme.search.exam import examine
from isozyme.search.hurdles import QuantileHurdle, halving_bands
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import AtLeast, AtMost, Constraint, Maximize, Minimize, Objective
from isozyme.search.progress.operators import OperatorStatistics
from isozyme.search.progress.pareto import ParetoArchive
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Algorithm, Learning, Proposal, RunningAlgorithm, Trial
from isozyme.search.validation.funnel import Funnel, Rung
from isozyme.search.validation.meta_validation import MetaValidation
from isozyme.search.validation.simplification import Simplification

if TYPE_CHECKING:
    from isozyme.search.policy.additive import feasible_log_probability
    from isozyme.search.policy.chain import chain_feasible_log_probability

__all__ = [
    "ALGORITHMS",
    "NSGA2",
    "Algorithm",
    "AtLeast",
    "AtMost",
    "Constraint",
    "Controller",
    "Crossover",
    "Equivalence",
    "FunctionChanging",
    "Funnel",
    "HillClimbing",
    "Islands",
    "Journal",
    "JournalError",
    "Learning",
    "Maximize",
    "MetaValidation",
    "Minimize",
    "Mutation",
    "Objective",
    "OneShot",
    "OperatorStatistics",
    "ParetoArchive",
    "PolicyGradient",
    "Progress",
    "Proposal",
    "QuantileHurdle",
    "RandomSearch",
    "RegularizedEvolution",
    "Restarts",
    "Rung",
    "RunningAlgorithm",
    "Simplification",
    "SuccessiveHalving",
    "Tabu",
    "Trial",
    "chain_feasible_log_probability",
    "examine",
    "feasible_log_probability",
    "halving_bands",
]


def __getattr__(name: str) -> Any:
    """Imports what needs jax when it is asked for."""
    if name == "feasible_log_probability":
        from isozyme.search.policy import additive

        return additive.feasible_log_probability
    if name == "chain_feasible_log_probability":
        from isozyme.search.policy import chain

        return chain.chain_feasible_log_probability
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
