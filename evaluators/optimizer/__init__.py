"""Trains real small networks on real data with a candidate as optimizer (Lion, arXiv 2302.06675, section 2.1)."""

from isozyme.evaluators.optimizer.evaluator import OptimizerEvaluator
from isozyme.evaluators.optimizer.tasks import Task

__all__ = ["OptimizerEvaluator", "Task"]
