"""All trials of a run as columns, which grow as the run does."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from isozyme.evaluators.protocol import Status
from isozyme.search.journal import rows
from isozyme.search.progress.reasons import counted_as, up_to_number

QUERY = (
    "SELECT trial, arrival, status, reason, metrics, cached_from, hit, finished, attempts, key, parents, operator "
    "FROM trials WHERE trial BETWEEN ? AND ? ORDER BY trial"
)
LAST = 2**63 - 1  # The largest number that SQLite has.
_STATUSES = tuple(str(status) for status in Status)
_BATCH = 50_000  # rows

_TYPES = dict.fromkeys(
    ("trial", "arrival", "status", "reason", "cached_from", "hit", "key", "operator", "child", "parent"), np.int64
) | {"finished": np.float64, "evaluated": np.bool_}


@dataclass(frozen=True, eq=False)
class TrialColumns:
    """Trials as arrays that are aligned by position; later columns of the same run begin with the same rows.

    Positions are in the order of reading. `order` is the order in which the trials were fed back.

    Attributes:
      trial: int64, numbers.
      arrival: int64, rank among the finished ones in an asynchronous run, else -1.
      status: int64, index into `statuses`.
      reason: int64, index into `reasons`, -1 without one. Reasons count as one up to their first number.
      cached_from: int64, number of the trial that owns the behaviour of a twin, else -1.
      hit: int64, index into `hits`: what spared the evaluation; -1 if nothing did.
      finished: float64, seconds since the epoch.
      evaluated: bool, whether anything was evaluated for this trial itself.
      key: int64, trials of one behaviour share it; -1 without one.
      operator: int64, index into `operators`.
      metrics: float64 by name, NaN where a trial has none of it.
      child, parent: int64, aligned with each other: the position of a trial and the number of one of its parents, the
        first parent first.
      statuses, reasons, hits, operators: names.
    """

    trial: np.ndarray
    arrival: np.ndarray
    status: np.ndarray
    reason: np.ndarray
    cached_from: np.ndarray
    hit: np.ndarray
    finished: np.ndarray
    evaluated: np.ndarray
    key: np.ndarray
    operator: np.ndarray
    metrics: dict[str, np.ndarray]
    child: np.ndarray
    parent: np.ndarray
    statuses: tuple[str, ...]
    reasons: tuple[str, ...]
    hits: tuple[str, ...]
    operators: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.trial)

    @cached_property
    def order(self) -> np.ndarray:
        """Positions in the order of feedback: of arrival in an asynchronous run, else of their numbers."""
        return np.lexsort((self.trial, self.arrival))

    @cached_property
    def _by_number(self) -> np.ndarray:
        return np.argsort(self.trial, kind="stable")

    def position(self, number: int) -> int | None:
        """The position of a trial; None if it is not there."""
        place = int(np.searchsorted(self.trial, number, sorter=self._by_number))
        if place == len(self) or self.trial[self._by_number[place]] != number:
            return None
        return int(self._by_number[place])

    @property
    def ok(self) -> np.ndarray:
        """bool, trials with a full score."""
        return self.status == _STATUSES.index(Status.OK)


class GrowingColumns:
    """What has been read so far, and which numbers are still to come.

    Rows arrive with gaps: trials in flight finish in any order, and those that a dead session had in flight come when
    it is resumed. So what is still to come is kept as ranges of numbers, of which the last one is open.
    """

    def __init__(self) -> None:
        self.missing: list[tuple[int, int]] = [(0, LAST)]
        self._pieces: dict[str, np.ndarray] = {name: np.empty(0, kind) for name, kind in _TYPES.items()}
        self._metrics: dict[str, np.ndarray] = {}
        self._names: dict[str, dict[Any, int]] = {name: {} for name in ("reason", "hit", "operator", "key")}
        self._columns: TrialColumns | None = None

    def add(self, found: Iterable[tuple[Any, ...]]) -> None:
        """Takes in rows of `QUERY`, in the order of their numbers.

        Raises:
          ValueError, TypeError or OverflowError: a row is damaged.
        """
        found = iter(found)
        while batch := list(islice(found, _BATCH)):
            self._add(batch)

    def _add(self, batch: Sequence[tuple[Any, ...]]) -> None:
        number, arrival, status, reason, metrics, owner, hit, finished, attempts, key, parents, operator = zip(
            *batch, strict=True
        )
        values = {
            "trial": np.array(number, np.int64),
            "arrival": _or_none(arrival),
            "status": np.array([_STATUSES.index(Status(one)) for one in status], np.int64),
            "reason": self._indices("reason", map(self._reason, reason)),
            "cached_from": _or_none(owner),
            "hit": self._indices("hit", hit),
            "finished": np.array(finished, np.float64),
            "evaluated": np.array(attempts, np.int64) > 0,
            "key": self._indices("key", (one or None for one in key)),
            "operator": self._indices("operator", operator),
        }
        before = len(self._pieces["trial"])
        lines = [rows.parents(text) for text in parents]
        pairs = [(before + i, parent) for i, line in enumerate(lines) for parent in line]
        values["child"], values["parent"] = np.array(pairs, np.int64).reshape(-1, 2).T
        measured = _measured([rows.metrics(text) for text in metrics])
        for name, piece in values.items():
            self._pieces[name] = np.concatenate([self._pieces[name], piece])
        for name in {**self._metrics, **measured}:
            known = self._metrics.get(name, np.full(before, math.nan))
            self._metrics[name] = np.concatenate([known, measured.get(name, np.full(len(batch), math.nan))])
        self.missing = list(_without(self.missing, values["trial"]))
        self._columns = None

    def columns(self) -> TrialColumns:
        """All of it so far."""
        if self._columns is None:
            names = self._names
            self._columns = TrialColumns(
                **self._pieces,
                metrics=dict(self._metrics),
                statuses=_STATUSES,
                reasons=tuple(names["reason"]),
                hits=tuple(names["hit"]),
                operators=tuple(names["operator"]),
            )
        return self._columns

    def _reason(self, reason: str | None) -> str | None:
        if reason is None:
            return None
        return counted_as(up_to_number(reason), self._names["reason"])

    def _indices(self, column: str, values: Iterable[Any]) -> np.ndarray:
        """Index of each value among the different ones so far; -1 for None."""
        known = self._names[column]
        return np.array([-1 if one is None else known.setdefault(one, len(known)) for one in values], np.int64)


def _or_none(values: Sequence[int | None]) -> np.ndarray:
    return np.array([-1 if value is None else value for value in values], np.int64)


def _measured(found: Sequence[dict[str, float]]) -> dict[str, np.ndarray]:
    names = list(dict.fromkeys(name for metrics in found for name in metrics))
    table = np.array([[metrics.get(name, math.nan) for name in names] for metrics in found], np.float64)
    return {name: np.ascontiguousarray(table[:, i]) for i, name in enumerate(names)}


def _without(ranges: Sequence[tuple[int, int]], numbers: np.ndarray) -> Iterator[tuple[int, int]]:
    """What is left of ranges of numbers without some of these, which are in order."""
    for first, last in ranges:
        inside = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, last, side="right")]
        edges = np.concatenate([[first - 1], inside])
        for gap in np.flatnonzero(np.diff(edges) > 1):
            yield int(edges[gap]) + 1, int(edges[gap + 1]) - 1
        if edges[-1] < last:
            yield int(edges[-1]) + 1, last
