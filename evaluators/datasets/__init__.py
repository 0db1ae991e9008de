"""Data sets, all read through tensorflow-datasets. Ours wrap data that pip packages or Python itself carry.

One file a kind: `images.py`, `text.py`, `tables.py` with `table_builders.py`. `registry.py` names every set.
"""

from isozyme.evaluators.datasets.examples import Examples
from isozyme.evaluators.datasets.loading import check_available, full_name, load, load_table
from isozyme.evaluators.datasets.registry import DATA_SETS, DataSet, names
from isozyme.evaluators.datasets.tables import Table

__all__ = [
    "DATA_SETS",
    "DataSet",
    "Examples",
    "Table",
    "check_available",
    "full_name",
    "load",
    "load_table",
    "names",
]
