"""Searching within a hard limit on a cost that a closed form gives: parameters, operations, a sum over decisions.

For policies, what TabNAS estimates by rejection, exactly: the probability of the feasible set, draws from it and its
mode (`additive.py`, `chain.py`). For evolution, children and starting points within the limit (`mutation.py`,
`space.py`). Yang et al., "TabNAS: rejection sampling for neural architecture search on tabular datasets", NeurIPS 2022,
arXiv 2204.07615.
"""

from typing import TYPE_CHECKING, Any

from isozyme.search.feasibility.costs import AdditiveCost, Cost, ParameterCount
from isozyme.search.feasibility.mutation import FeasibleOnly
from isozyme.search.feasibility.space import FeasibleSpace
from isozyme.search.feasibility.trellis import Trellis, build_trellis

if TYPE_CHECKING:
    from isozyme.search.feasibility.additive import feasible_argmax, feasible_log_probability, sample_feasible
    from isozyme.search.feasibility.chain import (
        chain_feasible_argmax,
        chain_feasible_log_probability,
        chain_sample_feasible,
    )

_ADDITIVE = ("feasible_argmax", "feasible_log_probability", "sample_feasible")

__all__ = [
    "AdditiveCost",
    "Cost",
    "FeasibleOnly",
    "FeasibleSpace",
    "ParameterCount",
    "Trellis",
    "build_trellis",
    "chain_feasible_argmax",
    "chain_feasible_log_probability",
    "chain_sample_feasible",
    "feasible_argmax",
    "feasible_log_probability",
    "sample_feasible",
]


def __getattr__(name: str) -> Any:
    """Imports the functions that need jax when they are asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from isozyme.search.feasibility import additive, chain

    return getattr(additive if name in _ADDITIVE else chain, name)
