"""What the routes answer, as plain values for compact JSON: columns, with null for what is missing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from isozyme.launch.errors import UsageError
from isozyme.launch.pareto_tab.folders import Open
from isozyme.launch.reading import RunReader, TrialColumns, fronts
from isozyme.search.objectives import DIRECTIONS

ROWS = 25_000  # of one answer, so that a page can draw before it has all


def points(opened: Open, metrics: Sequence[str], edition: str, since: int) -> dict[str, Any]:
    """Trials from position `since` on; from the first one if `edition` is not that of the reader.

    Args:
      opened: the run.
      metrics: whose values to send.
      edition: of the reader that the page has heard from; empty at first.
      since: how many trials it has.

    Raises:
      UsageError: an unknown metric.
    """
    columns = opened.reader.columns()
    _check(metrics, opened.reader, columns)
    first = since if edition == opened.edition and since <= len(columns) else 0
    last = min(first + ROWS, len(columns))
    some = slice(first, last)
    return {
        "edition": opened.edition,
        "since": first,
        "total": len(columns),
        "more": last < len(columns),
        "known": _known(opened.reader, columns),
        "statuses": columns.statuses,
        "reasons": columns.reasons,
        "trial": columns.trial[some].tolist(),
        "order": moments(columns)[some].tolist(),
        "status": columns.status[some].tolist(),
        "reason": columns.reason[some].tolist(),
        "metrics": {name: _numbers(columns.metrics.get(name), some) for name in metrics},
    }


def front(opened: Open, metrics: Sequence[str], directions: Sequence[str]) -> dict[str, Any]:
    """Every trial that was ever on the front over some metrics: when it entered, and when it left, if it has.

    Raises:
      UsageError: an unknown metric, or a direction that is missing or none.
    """
    columns = opened.reader.columns()
    _check(metrics, opened.reader, columns)
    if not metrics or len(metrics) != len(directions):
        raise UsageError(f"direction={','.join(directions)}: give one for each metric, and a metric at least")
    for direction in directions:
        if direction not in DIRECTIONS:
            raise UsageError(f"direction={direction}: is none; give {' or '.join(DIRECTIONS)}")
    objectives = [DIRECTIONS[d](metric, 0.0) for d, metric in zip(directions, metrics, strict=True)]
    stays, when = fronts.history(columns, objectives), moments(columns)
    position = {stay.entered: stay.position for stay in stays}
    return {
        "total": len(columns),
        "trial": [stay.entered for stay in stays],
        "entered": [int(when[stay.position]) for stay in stays],
        "left": [None if stay.left is None else int(when[position[stay.left]]) for stay in stays],
    }


def hypervolume(opened: Open) -> dict[str, Any]:
    """The hypervolume over the run's objectives, after each change of the front and at the end."""
    reader, columns = opened.reader, opened.reader.columns()
    found = reader.hypervolume(columns)
    seconds = reader.seconds(columns)
    return {
        "objectives": [o.metric for o in reader.objectives],
        "evaluations": found.evaluations.tolist(),
        "seconds": found.seconds.tolist(),
        "value": found.value.tolist(),
        "evaluated": int(columns.evaluated.sum()),
        "elapsed": float(seconds.max(initial=0.0)),
    }


def card(opened: Open, trial: int) -> dict[str, Any]:
    """All about one trial.

    Raises:
      UsageError: there is no such trial.
    """
    return opened.reader.card(trial).to_json()


def moments(columns: TrialColumns) -> np.ndarray:
    """When trials were fed back, as the slider counts: their arrival in an asynchronous run, else their number."""
    return np.where(columns.arrival >= 0, columns.arrival, columns.trial)


def _known(reader: RunReader, columns: TrialColumns) -> list[str]:
    return list(dict.fromkeys([*(o.metric for o in reader.objectives), *columns.metrics]))


def _check(metrics: Sequence[str], reader: RunReader, columns: TrialColumns) -> None:
    known = _known(reader, columns)
    for name in metrics:
        if name not in known:
            raise UsageError(f"metric={name}: this run has none of that name; it has {', '.join(known)}")


def _numbers(column: np.ndarray | None, some: slice) -> list[float | None]:
    if column is None:
        return [None] * (some.stop - some.start)
    values = column[some].tolist()
    return [value if math.isfinite(value) else None for value in values]
