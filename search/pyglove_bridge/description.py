"""Algorithms and spaces as plain JSON: what a run folder is compared with, the same in every process.

PyGlove's own JSON holds the bytecode of lambdas and pickles what it does not know, and loading it runs both.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pyglove as pg

from isozyme.hashing.names import stable_name


def described(value: Any) -> Any:
    """What a value is made of: of objects with declared fields these, of classes and functions the full name."""
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


def difference(old: Any, new: Any, path: str = "") -> str | None:
    """Where two descriptions differ first and what stands there, in a few words; None if they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        parts = [(f"{path}.{key}".lstrip("."), old.get(key), new.get(key)) for key in {**old, **new}]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        parts = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(old, new, strict=True))]
    else:
        return None if old == new else f"{path} was {old!r:.60}, now {new!r:.60}"
    return next((found for part in parts if (found := difference(part[1], part[2], part[0]))), None)
