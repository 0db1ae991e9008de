"""Pareto fronts of columns: the last one, how it came about, and the hypervolume on the way."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from isozyme.launch.reading.columns import TrialColumns
from isozyme.search.objectives import Minimize, Objective
from isozyme.search.progress.pareto import Front

_CHUNK = 512  # trials


class Stay(NamedTuple):
    """A trial's stay on the front.

    Attributes:
      position: of the trial in the columns.
      entered: its number; it enters as it is fed back.
      left: the number of the trial that pushed it out, or None if it is still there. In an asynchronous run this may
        be the smaller of the two.
    """

    position: int
    entered: int
    left: int | None


class Hypervolume(NamedTuple):
    """The hypervolume after each change of the front, in the order of feedback.

    Attributes:
      evaluations: int64, how many trials had been evaluated, the one that changed it included.
      seconds: float64, since the run began, pauses between sessions left out.
      value: float64.
    """

    evaluations: np.ndarray
    seconds: np.ndarray
    value: np.ndarray


def chosen(metrics: Sequence[str] | None, objectives: Sequence[Objective]) -> list[Objective]:
    """What a front is over: the objectives, or metrics in the direction of the objective that names them, else less is
    better."""
    known = {objective.metric: objective for objective in objectives}
    return list(objectives) if metrics is None else [known.get(name, Minimize(name, 0.0)) for name in metrics]


def costs(columns: TrialColumns, objectives: Sequence[Objective]) -> np.ndarray:
    """Metrics turned so that less is better, float64 [trials, objectives]; infinite where a trial cannot be on a front:
    it is not ok, or one of them is missing or not finite."""
    nothing = np.full(len(columns), np.nan)
    found = np.stack([o.sign * columns.metrics.get(o.metric, nothing) for o in objectives], axis=1)
    found[~(columns.ok & np.isfinite(found).all(axis=1))] = np.inf
    return found


class _Change(NamedTuple):
    """A trial enters the front.

    Attributes:
      position: of the trial in the columns.
      left: int64, positions of the trials that it pushes out.
      positions: int64, of all that are on the front then, in the order in which they came.
      front: their costs; it changes with the next one.
    """

    position: int
    left: np.ndarray
    positions: np.ndarray
    front: Front


def _changes(columns: TrialColumns, values: np.ndarray) -> Iterator[_Change]:
    """Each trial that enters the front, in the order of feedback."""
    front, positions = Front(values.shape[1]), np.empty(0, np.int64)
    order = columns.order[np.isfinite(values[columns.order]).all(axis=1)]
    for first in range(0, len(order), _CHUNK):
        some = order[first : first + _CHUNK]
        for position in some[~front.dominates(values[some])]:
            kept = front.add(tuple(values[position].tolist()))
            if kept is not None:
                left, positions = positions[~kept], np.append(positions[kept], position)
                yield _Change(int(position), left, positions, front)


def front(columns: TrialColumns, objectives: Sequence[Objective]) -> np.ndarray:
    """Positions of the trials on the front, best in the first objective first.

    Args:
      columns: of a run.
      objectives: of the front.
    """
    values = costs(columns, objectives)
    last = np.empty(0, np.int64)
    for change in _changes(columns, values):
        last = change.positions
    return last[np.argsort(values[last, 0], kind="stable")]


def history(columns: TrialColumns, objectives: Sequence[Objective]) -> list[Stay]:
    """Every trial that was ever on the front, in the order in which they came."""
    left: dict[int, int | None] = {}
    for change in _changes(columns, costs(columns, objectives)):
        left[change.position] = None
        for other in change.left:
            left[int(other)] = int(columns.trial[change.position])
    return [Stay(position, int(columns.trial[position]), trial) for position, trial in left.items()]


def hypervolume(columns: TrialColumns, objectives: Sequence[Objective], seconds: np.ndarray) -> Hypervolume:
    """How the volume between the front and the objectives' references grew.

    Args:
      columns: of a run.
      objectives: of the search.
      seconds: when each trial was finished, since the run began.
    """
    reference = np.array([o.reference_cost for o in objectives])
    found = [
        (change.position, change.front.hypervolume(reference))
        for change in _changes(columns, costs(columns, objectives))
    ]
    ran = np.empty(len(columns), np.int64)
    ran[columns.order] = np.cumsum(columns.evaluated[columns.order])
    positions = np.array([position for position, _ in found], np.int64)
    return Hypervolume(
        ran[positions],
        np.maximum.accumulate(seconds[positions]),
        np.array([value for _, value in found], np.float64),
    )
