"""Feed-forward networks on tables (TabNAS, arXiv 2204.07615): trained one by one, or as a supernet."""

from isozyme.evaluators.tabular.evaluator import TabularEvaluator
from isozyme.evaluators.tabular.supernet import TabularSupernet
from isozyme.evaluators.tabular.tasks import TableTask, space_for

__all__ = ["TableTask", "TabularEvaluator", "TabularSupernet", "space_for"]
