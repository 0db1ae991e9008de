"""Search algorithms, each on a page that cites its paper, and the table of all of them.

All sit the exam of `isozyme.search.exam`. Selection and variation are parts: `population`, `dominance`, `variation`.
"""

from collections.abc import Callable, Mapping

from isozyme.search.algorithms.functional import FunctionChanging, Tabu
from isozyme.search.algorithms.hill_climbing import HillClimbing
from isozyme.search.algorithms.islands import Islands
from isozyme.search.algorithms.nsga2 import NSGA2
from isozyme.search.algorithms.one_shot import OneShot
from isozyme.search.algorithms.policy_gradient import PolicyGradient
from isozyme.search.algorithms.random_search import RandomSearch
from isozyme.search.algorithms.regularized_evolution import RegularizedEvolution
from isozyme.search.algorithms.restarts import Restarts
from isozyme.search.algorithms.successive_halving import SuccessiveHalving
from isozyme.search.algorithms.variation import Crossover, Mutation, Variation
from isozyme.search.protocol import Algorithm

ALGORITHMS: Mapping[str, Callable[[], Algorithm]] = {
    "random_search": RandomSearch,
    "hill_climbing": HillClimbing,
    "regularized_evolution": lambda: RegularizedEvolution(20, 5),
    "primer_evolution": lambda: RegularizedEvolution(20, 5, replacement=False, variation=Mutation(identity=0.05)),
    "restarts": lambda: Restarts(RegularizedEvolution(10, 3), patience=30),
    "islands": lambda: Islands(RegularizedEvolution(10, 3), islands=3, interval=10),
    "functional_evolution": lambda: Tabu(RegularizedEvolution(20, 5, variation=FunctionChanging()), limit=3),
    "nsga2": lambda: NSGA2(20),
    "successive_halving": lambda: SuccessiveHalving(n=9, eta=3),
    "policy_gradient": PolicyGradient,
}
"""Factories by name, with arguments small enough for a few hundred trials."""

__all__ = [
    "ALGORITHMS",
    "NSGA2",
    "Crossover",
    "FunctionChanging",
    "HillClimbing",
    "Islands",
    "Mutation",
    "OneShot",
    "PolicyGradient",
    "RandomSearch",
    "RegularizedEvolution",
    "Restarts",
    "SuccessiveHalving",
    "Tabu",
    "Variation",
]
