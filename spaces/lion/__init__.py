"""Optimizer programs (Lion, "Symbolic Discovery of Optimization Algorithms", arXiv 2302.06675)."""

from isozyme.spaces.lion.execution import FlatLayout, step_function
from isozyme.spaces.lion.export import to_optax
from isozyme.spaces.lion.graph import Graph, build
from isozyme.spaces.lion.lowering import Lowered
from isozyme.spaces.lion.named import NAMED, adamw
from isozyme.spaces.lion.operations import OPERATIONS
from isozyme.spaces.lion.program import Program, Statement, remove_dead
from isozyme.spaces.lion.simplification import simplify
from isozyme.spaces.lion.space import OptimizerPrograms

__all__ = [
    "NAMED",
    "OPERATIONS",
    "FlatLayout",
    "Graph",
    "Lowered",
    "OptimizerPrograms",
    "Program",
    "Statement",
    "adamw",
    "build",
    "remove_dead",
    "simplify",
    "step_function",
    "to_optax",
]
