"""Lists of trials: all of them, the front, the best."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader, TrialColumns, fronts
from isozyme.launch.reports import printing
from isozyme.search.journal import rows

_ROWS = 1000  # of a table; a longer list is several tables, so that the first is there at once


def trials(reader: RunReader, jsonl: bool) -> None:
    """Prints all trials in the order of their numbers."""
    with reader.journal() as journal:
        _print(reader, journal.trials(str), jsonl)


def front(reader: RunReader, jsonl: bool) -> None:
    """Prints the Pareto front, best in the first objective first."""
    columns = reader.columns()
    _print(reader, _trials(reader, columns, reader.front(columns)), jsonl)


def top(reader: RunReader, count: int, metric: str | None, jsonl: bool) -> None:
    """Prints the best trials, one of each behaviour.

    Args:
      reader: of a run.
      count: how many.
      metric: in which they are the best; None for the first objective. Less is better unless an objective says
        otherwise.
      jsonl: one JSON object a line in place of a table.

    Raises:
      UsageError: no trial has such a metric.
    """
    columns = reader.columns()
    best = ranked(reader, columns, metric)[:count]
    _print(reader, _trials(reader, columns, best), jsonl, () if metric is None else (metric,))


def ranked(reader: RunReader, columns: TrialColumns, metric: str | None = None) -> np.ndarray:
    """Positions of the scored trials, best first; of each behaviour the best one, of equal ones the first.

    Raises:
      UsageError: there are trials, and none has such a metric.
    """
    if metric is not None and metric not in columns.metrics and len(columns):
        known = ", ".join(map(printing.escaped, sorted(columns.metrics))) or "none"
        raise UsageError(f"--metric={metric}: no trial has it; there are {known}")
    name = metric or reader.objectives[0].metric
    costs = fronts.costs(columns, fronts.chosen([name], reader.objectives))[:, 0]
    order = np.lexsort((columns.trial, costs))
    order = order[np.isfinite(costs[order])]
    _, first = np.unique(columns.key[order], return_index=True)
    return order[np.sort(first)]


def _trials(reader: RunReader, columns: TrialColumns, positions: Iterable[int]) -> Iterator[Any]:
    with reader.journal() as journal:
        for position in positions:
            yield journal.trial(int(columns.trial[position]), str)


def _print(reader: RunReader, some: Iterable[Any], jsonl: bool, besides: tuple[str, ...] = ()) -> None:
    if jsonl:
        for trial in some:
            print(json.dumps(rows.to_json(trial)))
        return
    names = list(dict.fromkeys([*besides, *(objective.metric for objective in reader.objectives)]))
    some = iter(some)
    page = list(islice(some, _ROWS))
    while True:
        table = printing.table("trial", "status", *names, "cached from", "parents", "reason")
        for trial in page:
            values = [printing.number(trial.metrics.get(name)) for name in names]
            twin = "" if trial.cached_from is None else f"{trial.cached_from} ({trial.hit})"
            parents = ", ".join(map(str, trial.parents))
            printing.row(table, trial.number, trial.status, *values, twin, parents, trial.reason or "")
        printing.say_table(table)
        page = list(islice(some, _ROWS))
        if not page:
            return
