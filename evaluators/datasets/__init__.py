"""Data sets, all read through tensorflow-datasets. Ours wrap data that pip packages or Python itself carry."""

from isozyme.evaluators.datasets.loading import BUILDERS, Examples, check_available, full_name, load

__all__ = ["BUILDERS", "Examples", "check_available", "full_name", "load"]
