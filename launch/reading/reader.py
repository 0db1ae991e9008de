"""A read-only view of one run folder."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from isozyme.launch import workdir
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import card, columns, fronts
from isozyme.launch.reading.card import Card
from isozyme.launch.reading.columns import GrowingColumns, TrialColumns
from isozyme.launch.reading.fronts import Hypervolume, Stay
from isozyme.search.journal import database
from isozyme.search.journal.journal import FILE, Journal
from isozyme.search.objectives import objective_from_json


class RunReader:
    """Reads a run folder, also while another process writes it. Nothing of the folder is executed.

    The journal is opened for each call, so that no file stays open in between. Threads may share a reader.

    Attributes:
      folder: of the run.
      name: the folder's.
      identity: what the run is, as plain JSON: the experiment without what a later session may change.
      seed: of the run, if its record says so.
      objectives: the first one guides the search.

    Raises:
      UsageError: the folder is no run folder, or its experiment.json is damaged.
      JournalError: it has no journal, or a damaged one, or one of another format. Methods raise it as well.
    """

    def __init__(self, folder: Path) -> None:
        record = workdir.read(folder)
        self.folder, self.name = folder, folder.resolve().name
        self.identity: dict[str, Any] = record["identity"]
        self.seed: int | None = record.get("seed")
        self.objectives = [objective_from_json(value) for value in record["objectives"]]
        self._table, self._lock = GrowingColumns(), Lock()
        Journal.read(folder).close()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / FILE
        connection = database.connect_to_read(path)
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            raise database.reported(path, error) from None
        finally:
            connection.close()

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """The journal, open to read within a `with` block."""
        with self._open() as connection:
            yield Journal(connection, self.folder / FILE)

    def columns(self) -> TrialColumns:
        """All trials so far; only those that have come since the last call are read."""
        with self._lock, self._open() as connection:
            try:
                for first, last in self._table.missing:
                    self._table.add(connection.execute(columns.QUERY, (first, last)))
            except (ValueError, TypeError, OverflowError) as error:
                raise database.reported(self.folder / FILE, error) from None
            return self._table.columns()

    def front(self, columns: TrialColumns, metrics: Sequence[str] | None = None) -> np.ndarray:
        """Positions of the trials on the Pareto front, best in the first metric first; of equal ones the first.

        Args:
          columns: of this run.
          metrics: other ones than the objectives; less is better unless an objective says otherwise.
        """
        return fronts.front(columns, fronts.chosen(metrics, self.objectives))

    def front_history(self, columns: TrialColumns, metrics: Sequence[str] | None = None) -> list[Stay]:
        """Every trial that was ever on the front, in the order of feedback: position, when it entered, when it left.

        Args:
          columns: of this run.
          metrics: as for `front`.
        """
        return fronts.history(columns, fronts.chosen(metrics, self.objectives))

    def hypervolume(self, columns: TrialColumns) -> Hypervolume:
        """The hypervolume of the objectives' front after each of its changes, against evaluations and time."""
        return fronts.hypervolume(columns, self.objectives, self.seconds(columns))

    def seconds(self, columns: TrialColumns) -> np.ndarray:
        """When each trial was finished: float64, seconds since the run began, pauses between sessions left out."""
        with self.journal() as journal:
            found = [(began, seen) for began, seen, _ in journal.sessions()]
        finished = columns.finished
        if not found or not len(columns):
            return finished - finished.min(initial=np.inf)
        began, seen = np.array(found).T
        session = np.maximum(np.searchsorted(began, finished, side="right") - 1, 0)
        np.maximum.at(seen, session, finished)
        before = np.concatenate([[0.0], np.cumsum(seen - began)[:-1]])
        return np.maximum(before[session] + finished - began[session], 0.0)

    def card(self, number: int) -> Card:
        """All about one trial.

        Raises:
          UsageError: there is no such trial.
        """
        columns = self.columns()
        position = columns.position(number)
        if position is None:
            raise UsageError(f"trial {number}: {self.folder} has none of that number among its {len(columns)} trials")
        with self._open() as connection:
            return card.make(connection, columns, position, [o.metric for o in self.objectives], self.folder)
