"""Ask-and-tell algorithms, objectives, the journal and the controller that ties them together."""

from isozyme.search.controller import Controller
from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.journal import Journal, JournalError
from isozyme.search.objectives import Maximize, Minimize, Objective
from isozyme.search.pareto import ParetoArchive
from isozyme.search.progress import Progress
from isozyme.search.protocol import Algorithm, Proposal, Trial
from isozyme.search.random_search import RandomSearch
from isozyme.search.regularized_evolution import RegularizedEvolution

__all__ = [
    "Algorithm",
    "Controller",
    "Journal",
    "JournalError",
    "Maximize",
    "Minimize",
    "Objective",
    "ParetoArchive",
    "Progress",
    "Proposal",
    "QuantileHurdle",
    "RandomSearch",
    "RegularizedEvolution",
    "Trial",
]
