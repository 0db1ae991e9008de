"""Optimizer programs (Lion, "Symbolic Discovery of Optimization Algorithms", arXiv 2302.06675)."""

from isozyme.spaces.lion.execution import FlatLayout
from isozyme.spaces.lion.lowering import Lowered
from isozyme.spaces.lion.named import NAMED
from isozyme.spaces.lion.operations import OPERATIONS
from isozyme.spaces.lion.program import Program, Statement, remove_dead
from isozyme.spaces.lion.space import OptimizerPrograms, step_function

__all__ = [
    "NAMED",
    "OPERATIONS",
    "FlatLayout",
    "Lowered",
    "OptimizerPrograms",
    "Program",
    "Statement",
    "remove_dead",
    "step_function",
]
