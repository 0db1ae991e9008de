"""What exams are made of: rounds of checks, and how results are compared and shown, whatever they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_CLOSE = 1e-6
_WIDTH = 100

Check = Callable[[Any], str | None]
"""Says what is wrong, or None; its docstring says what should be."""


def findings(rounds: Sequence[Sequence[Check]], subject: Any) -> list[str]:
    """Lists what checks find in a subject, a line each.

    A round that finds something is the last, since what follows would rest on it.
    """
    found: list[str] = []
    for checks in rounds:
        for check in checks:
            try:
                wrong = check(subject)
            except Exception as error:
                wrong = f"raised {words(error)}"
            found += [f"{(check.__doc__ or '').strip().rstrip('.')}: {wrong}"] if wrong else []
        if found:
            break
    return found


def words(error: BaseException) -> str:
    """Writes an error's type and message in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def shown(value: Any) -> str:
    """Writes a value in one line that is not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def same(one: Any, other: Any) -> bool:
    """Says whether two results are the same to the last bit; what is only known by its identity counts as the same."""
    if type(one) is not type(other):
        return False
    if hasattr(one, "__array__"):
        first, second = np.asarray(one), np.asarray(other)
        return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
    if is_dataclass(one) and not isinstance(one, type):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, Sequence) and not isinstance(one, str | bytes):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one).__eq__ is object.__eq__ or one == other or one != one  # The last one holds for NaN.


def similar(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """Says whether arrays are equal up to rounding."""
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=_CLOSE, atol=_CLOSE, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )
