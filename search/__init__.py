"""Ask-and-tell algorithms, objectives, the journal and the controller that ties them together."""

from isozyme.search.algorithms import (
    ALGORITHMS,
    NSGA2,
    Crossover,
    FunctionChanging,
    HillClimbing,
    Islands,
    Mutation,
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
from isozyme.search.hurdles import QuantileHurdle, halving_bands
from isozyme.search.journal import Journal
from isozyme.search.objectives import AtLeast, AtMost, Constraint, Maximize, Minimize, Objective
from isozyme.search.operators import OperatorStatistics
from isozyme.search.pareto import ParetoArchive
from isozyme.search.progress import Progress
from isozyme.search.protocol import Algorithm, Proposal, Trial

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
    "HillClimbing",
    "Islands",
    "Journal",
    "JournalError",
    "Maximize",
    "Minimize",
    "Mutation",
    "Objective",
    "OperatorStatistics",
    "ParetoArchive",
    "Progress",
    "Proposal",
    "QuantileHurdle",
    "RandomSearch",
    "RegularizedEvolution",
    "Restarts",
    "SuccessiveHalving",
    "Tabu",
    "Trial",
    "examine",
    "halving_bands",
]
