"""All about one trial."""

import difflib
import json
import math
import shlex
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from isozyme.launch.reading.columns import TrialColumns
from isozyme.search.journal import rows
from isozyme.search.journal.database import JournalError
from isozyme.search.journal.journal import FILE, Journal
from isozyme.search.protocol import Trial

_LISTED = 50
_GENERATIONS = 200


@dataclass(frozen=True)
class Card:
    """A trial, its relatives, and how to get it out.

    Attributes:
      trial: as in the journal, with the text of its candidate.
      noise: standard error of the mean by metric, where the metrics are means of several evaluations.
      diff: from the source of the first parent, unified, without a heading; None without such a parent.
      equivalents: other trials of the same behaviour, the first few, and `equivalents_total`.
      differently: of all equivalents those whose text is another, the first few, and `differently_total`.
      children: trials that name this one as a parent, the first few, and `children_total`.
      lineage: the trial, its first parent, and so on: trial, status, operator and the objectives' metrics of each.
      export: a command that writes the candidate as something usable.
    """

    trial: Trial
    noise: dict[str, float]
    diff: str | None
    equivalents: list[int]
    equivalents_total: int
    differently: list[int]
    differently_total: int
    children: list[int]
    children_total: int
    lineage: list[dict[str, Any]]
    export: str

    def to_json(self) -> dict[str, Any]:
        """Makes plain values of it: those of the trial by the journal's columns, and the rest by attribute."""
        return rows.to_json(self.trial) | {f.name: getattr(self, f.name) for f in fields(self) if f.name != "trial"}


def make(
    connection: sqlite3.Connection, columns: TrialColumns, position: int, objectives: list[str], folder: Path
) -> Card:
    """Makes the card of a trial.

    Args:
      connection: to the journal's file, open to read.
      columns: of its trials.
      position: of the trial in the columns.
      objectives: metrics that its lineage shows.
      folder: of the run, for the command.
    """
    number, journal = int(columns.trial[position]), Journal(connection, folder / FILE)
    trial = journal.trial(number, str)
    twins, others = _equivalents(connection, columns, position, trial)
    children = np.unique(columns.trial[columns.child[columns.parent == number]])
    return Card(
        trial=trial,
        noise=_noise(trial),
        diff=_from_parent(journal, columns, trial),
        equivalents=twins[:_LISTED],
        equivalents_total=len(twins),
        differently=others[:_LISTED],
        differently_total=len(others),
        children=children[:_LISTED].tolist(),
        children_total=len(children),
        lineage=_lineage(journal, columns, number, objectives),
        export=export_command(folder, number),
    )


def export_command(folder: Path, number: int) -> str:
    """What writes a trial's candidate as something usable."""
    return f"python launch/report.py export {shlex.quote(str(folder))} {number} --to=trial_{number}"


def _noise(trial: Trial) -> dict[str, float]:
    n = trial.evaluations
    return {name: math.sqrt(m2 / (n - 1) / n) for name, m2 in trial.m2.items() if n > 1 and m2 >= 0.0}


def difference(old: str, new: str) -> str:
    """A unified diff of two texts, without a heading; empty if they are the same."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="")
    return "\n".join(list(lines)[2:])


def _from_parent(journal: Journal, columns: TrialColumns, trial: Trial) -> str | None:
    if not trial.parents or columns.position(trial.parents[0]) is None:
        return None
    return difference(journal.trial(trial.parents[0], str).candidate, trial.candidate)


def _equivalents(
    connection: sqlite3.Connection, columns: TrialColumns, position: int, trial: Trial
) -> tuple[list[int], list[int]]:
    """Other trials of the same behaviour, and those of them that are written differently."""
    key = columns.key[position]
    if key < 0:
        return [], []
    numbers = np.sort(columns.trial[columns.key == key])
    twins: list[int] = numbers[numbers != trial.number].tolist()
    query = "SELECT trial FROM trials WHERE trial IN (SELECT value FROM json_each(?)) AND candidate <> ? ORDER BY trial"
    return twins, [number for (number,) in connection.execute(query, (json.dumps(twins), trial.candidate))]


def _lineage(journal: Journal, columns: TrialColumns, number: int, metrics: list[str]) -> list[dict[str, Any]]:
    """A trial, its first parent and so on, as far as they are there and undamaged."""
    line = list[dict[str, Any]]()
    with suppress(JournalError):
        for one in islice(journal.lineage(number), _GENERATIONS):
            position = columns.position(one)
            if position is None:
                break
            line.append(_ancestor(columns, position, metrics))
    return line


def _ancestor(columns: TrialColumns, position: int, metrics: list[str]) -> dict[str, Any]:
    values = {name: float(columns.metrics[name][position]) for name in metrics if name in columns.metrics}
    return {
        "trial": int(columns.trial[position]),
        "status": columns.statuses[columns.status[position]],
        "operator": columns.operators[columns.operator[position]],
        "metrics": {name: value for name, value in values.items() if not math.isnan(value)},
    }
