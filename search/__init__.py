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
from isozyme.search.controller import Controller
from isozyme.search.database import JournalError
from isozyme.search.equivalence import Equivalence
from isozyme.search.exam import examine
from isozyme.search.funnel import Funnel, Rung
from isozyme.search.hurdles import QuantileHurdle, halving_bands
from isozyme.search.journal import Journal
from isozyme.search.meta_validation import MetaValidation
from isozyme.search.objectives import AtLeast, AtMost, Constraint, Maximize, Minimize, Objective
from isozyme.search.operators import OperatorStatistics
from isozyme.search.pareto import ParetoArchive
from isozyme.search.progress import Progress
from isozyme.search.protocol import Algorithm, Proposal, Trial
from isozyme.search.simplification import Simplification

if TYPE_CHECKING:
    from isozyme.search.feasibility import chain_feasible_log_probability, feasible_log_probability

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
    if name not in ("chain_feasible_log_probability", "feasible_log_probability"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isozyme.search import feasibility

    return getattr(feasibility, name)
