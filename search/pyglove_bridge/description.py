"""Algorithms and spaces as plain JSON: what a run folder is compared with, the same in every process.

PyGlove's own JSON holds the bytecode of lambdas and pickles what it does not know, and loading it runs both.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pyglove as pg

from isozyme.hashing.names import stable_name


def described(value: Any) -> Any:
    """Returns what a value is made of, as plain JSON.

    Objects give their class and their declared fields, classes and functions their full name.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, pg.Symbolic) and not isinstance(value, list | dict):
        fields = {str(key): described(field) for key, field in value.sym_items()}
        return {"class": stable_name(type(value)), **fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: described(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class": stable_name(type(value)), **fields}
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    return stable_name(value)
