"""Data sets, all read through tensorflow-datasets. Ours wrap data that pip packages or Python itself carry."""

from isozyme.evaluators.datasets.loading import (
    BUILDERS,
    TABLES,
    Examples,
    check_available,
    full_name,
    load,
    load_table,
)
from isozyme.evaluators.datasets.tables import Table

__all__ = ["BUILDERS", "TABLES", "Examples", "Table", "check_available", "full_name", "load", "load_table"]
