"""The journal: an append-only SQLite file, the only state of a run.

One process writes, any number read. WAL with synchronous=NORMAL: what is committed survives the death of the process
(kill -9); a power cut may take the last commits, never the file. Only JSON and text are stored. Trials, assessments
and sessions are the record; the tables `keys` and `snapshots` are derived from them, so that a long run needs neither
its keys in memory nor a walk through all of its trials to go on (search/controller/behaviours.py, hashing/cache.py).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, repeat
from pathlib import Path
from typing import Any, NamedTuple

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.journal import database, rows
from isozyme.search.journal.database import JournalError, Transaction, reported
from isozyme.search.protocol import Trial

FORMAT = "4"
FILE = "trials.db"
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials ({rows.SCHEMA});
CREATE INDEX arrivals ON trials (arrival) WHERE arrival IS NOT NULL;
CREATE TABLE assessments (
  key TEXT PRIMARY KEY, split TEXT NOT NULL, candidate TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  metrics TEXT NOT NULL, seconds REAL NOT NULL);
CREATE TABLE sessions (
  session INTEGER PRIMARY KEY, began REAL NOT NULL, seen REAL NOT NULL, description TEXT NOT NULL);
CREATE TABLE keys (key BLOB PRIMARY KEY, trial INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE snapshots (trials INTEGER PRIMARY KEY, state TEXT NOT NULL);
"""


class TrialKeys(NamedTuple):
    """What a behaviour is found by.

    Attributes:
      trial: the number of a valid trial.
      static, behaviour, shifted: its keys; see `search.protocol.Keys`.
      owner: the trial that owns the behaviour; None for this one.
      latest: whether it says the latest that is known of its behaviour: as a twin that took it further, or since a
        cache policy keeps a record of it.
      device: what it was measured on; None if it was not.
    """

    trial: int
    static: bytes
    behaviour: bytes
    shifted: bytes | None
    owner: int | None
    latest: int
    device: str | None


class Journal:
    """Keeps trials, held-out assessments and sessions of one run folder."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: Any = None) -> None:
        self._connection, self._path, self._lock = connection, path, lock

    @classmethod
    def open(cls, folder: Path) -> "Journal":
        """Opens the journal of `folder` to write, and creates it where there is none.

        Raises:
          JournalError: another process writes it, or it is damaged, or of another format.
        """
        path = folder / FILE
        connection, lock = database.connect(path)
        journal = cls(connection, path, lock)
        try:
            database.write_ahead(connection)
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                with journal.transaction():
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        connection.execute(statement)
                    journal.set_meta("format", FORMAT)
            journal._check()
        except (sqlite3.DatabaseError, JournalError) as error:
            journal.close()
            raise reported(path, error) from None
        return journal

    @classmethod
    def read(cls, folder: Path) -> "Journal":
        """Opens an existing journal read-only, while another process may be writing.

        Raises:
          JournalError: there is none, or it is damaged, or of another format.
        """
        path = folder / FILE
        journal = cls(database.connect_to_read(path), path)
        try:
            journal._check()
        except (sqlite3.DatabaseError, JournalError) as error:
            journal.close()
            raise reported(path, error) from None
        return journal

    def _check(self) -> None:
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        found = self.meta("format")
        if found != FORMAT:
            raise JournalError(
                f"{self._path}: format {found}, this version reads {FORMAT}; use the version that wrote it"
            )

    def close(self) -> None:
        """Closes the file and lets others write it."""
        self._connection.close()
        if self._lock is not None:
            self._lock.close()

    def transaction(self) -> Transaction:
        """Returns a `with` block whose writes are committed together or not at all.

        Raises:
          DiskFull: there was no room to commit.
        """
        return Transaction(self._connection, self._path)

    def meta(self, name: str) -> str | None:
        """Returns a fact about the run; None if it is not known."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        """Records a fact about the run."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def add(self, trials: Sequence[Trial], to_source: Callable[[Any], str], arrived: int | None = None) -> None:
        """Commits trials, all in one transaction; none may be there already.

        Args:
          trials: finished.
          to_source: makes a text of a candidate.
          arrived: in an asynchronous run, how many trials had finished before these; their order is kept then.
        """
        arrivals = repeat(None) if arrived is None else count(arrived)
        with self.transaction():
            self._connection.executemany(
                rows.INSERT, [rows.to_row(t, a, to_source) for t, a in zip(trials, arrivals, strict=False)]
            )

    def trials(self, from_source: Callable[[str], Any], first: int = 0) -> Iterator[Trial]:
        """Yields trials from number `first` on in the order of their numbers; `from_source` reads their text.

        Raises:
          JournalError: a row is damaged.
        """
        query = f"SELECT {rows.COLUMNS} FROM trials WHERE trial >= ? ORDER BY trial"
        return self._read(query, (first,), from_source)

    def some_trials(self, from_source: Callable[[str], Any], first: int, order: str, limit: int) -> list[Trial]:
        """Returns up to `limit` trials from `first` on, by `order`: 'trial' or, in an asynchronous run, 'arrival'."""
        query = f"SELECT {rows.COLUMNS} FROM trials WHERE {order} >= ? ORDER BY {order} LIMIT ?"
        return list(self._read(query, (first, limit), from_source))

    def _read(self, query: str, values: tuple[Any, ...], from_source: Callable[[str], Any]) -> Iterator[Trial]:
        try:
            for row in self._connection.execute(query, values):
                yield rows.to_trial(row, from_source)
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise reported(self._path, error) from None

    def asynchronous(self) -> bool:
        """Tells whether the trials were fed back in the order in which they arrived."""
        return self._connection.execute("SELECT max(arrival) FROM trials").fetchone()[0] is not None

    def trial(self, number: int, from_source: Callable[[str], Any]) -> Trial:
        """Returns one trial by its number.

        Raises:
          JournalError: it is not there, or damaged.
        """
        query = f"SELECT {rows.COLUMNS} FROM trials WHERE trial = ?"
        for trial in self._read(query, (number,), from_source):
            return trial
        raise reported(self._path, ValueError(f"trial {number} is missing"))

    def next_number(self) -> int:
        """Returns one more than the largest trial number.

        Trials that were under way when a session died may be missing below it.
        """
        return self._connection.execute("SELECT coalesce(max(trial) + 1, 0) FROM trials").fetchone()[0]

    def missing(self, first: int, last: int) -> list[int]:
        """Returns the numbers from `first` to before `last` of which there is no trial."""
        query = "SELECT trial FROM trials WHERE trial >= ? AND trial < ?"
        gaps, expected = [], first
        for (number,) in self._connection.execute(f"{query} ORDER BY trial", (first, last)):
            gaps += range(expected, number)
            expected = number + 1
        return gaps + list(range(expected, last))

    def trial_keys(self, first: int) -> Iterator[TrialKeys]:
        """Yields the keys of the valid trials from number `first` on."""
        query = (
            "SELECT trial, static_key, key, shifted_key, cached_from, record IS NOT NULL OR "
            "(attempts > 0 AND audit IS NULL AND cached_from IS NOT NULL), device FROM trials "
            "WHERE trial >= ? AND length(key) > 0 ORDER BY trial"
        )
        yield from map(TrialKeys._make, self._connection.execute(query, (first,)))

    def lineage(self, number: int) -> Iterator[int]:
        """Yields the number of a trial, of its first parent, of that one's first parent, and so on.

        Raises:
          JournalError: the parents of a trial are damaged, or it is an ancestor of itself.
        """
        seen = set[int]()
        line = [number]
        while line:
            if line[0] in seen:
                raise reported(self._path, ValueError(f"trial {line[0]} is an ancestor of itself"))
            yield line[0]
            seen.add(line[0])
            row = self._connection.execute("SELECT parents FROM trials WHERE trial = ?", (line[0],)).fetchone()
            line = self._decoded(rows.parents, row[0])[:1] if row else ()

    def assess(self, key: str, split: str, candidate: str, outcome: Outcome) -> None:
        """Commits a held-out assessment."""
        row = (key, split, candidate, outcome.status, outcome.reason, rows.dumps(outcome.metrics), outcome.seconds)
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def assessment(self, key: str) -> Outcome | None:
        """Returns a held-out assessment committed before, or None."""
        query = "SELECT status, reason, metrics, seconds FROM assessments WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        return Outcome(self._decoded(Status, row[0]), row[1], self._decoded(rows.metrics, row[2]), row[3])

    def begin_session(self, began: float, description: str) -> int:
        """Records that a session has begun; `description` is a JSON object. Returns its number."""
        with self.transaction():
            query = "INSERT INTO sessions (began, seen, description) VALUES (?, ?, ?)"
            number = self._connection.execute(query, (began, began, description)).lastrowid
        assert number is not None
        return number

    def seen(self, session: int, now: float, description: str) -> None:
        """Records that a session was alive at `now`, in seconds since the epoch, and what is to be said of it then."""
        query = "UPDATE sessions SET seen = max(seen, ?), description = ? WHERE session = ?"
        with self.transaction():
            self._connection.execute(query, (now, description, session))

    def sessions(self) -> list[tuple[float, float, str]]:
        """Returns begin, last sign of life and description of every session, oldest first."""
        return self._connection.execute("SELECT began, seen, description FROM sessions ORDER BY session").fetchall()

    def indexed_keys(self) -> Iterator[bytes]:
        """Yields the keys of the derived table `keys`."""
        return (key for (key,) in self._connection.execute("SELECT key FROM keys"))

    def key_owner(self, key: bytes) -> int | None:
        """Returns the trial that the derived table `keys` names for a key, or None."""
        row = self._connection.execute("SELECT trial FROM keys WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def index_keys(self, keys: Iterable[tuple[bytes, int]], trials: int) -> None:
        """Adds to `keys`, all at once, what the trials before number `trials` own. Later entries win."""
        with self.transaction():
            self._connection.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?)", keys)
            self.set_meta("indexed", str(trials))

    def indexed_trials(self) -> int:
        """Returns a number; the keys of all trials before it are in `keys`."""
        return int(self.meta("indexed") or 0)

    def snapshots(self) -> list[tuple[int, str]]:
        """Returns numbers of trials fed back and the states they led to, newest first."""
        return self._connection.execute("SELECT trials, state FROM snapshots ORDER BY trials DESC").fetchall()

    def add_snapshot(self, trials: int, state: str, keep: int) -> None:
        """Adds a snapshot and forgets all but the newest `keep`."""
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (trials, state))
            newest = "SELECT trials FROM snapshots ORDER BY trials DESC LIMIT ?"
            self._connection.execute(f"DELETE FROM snapshots WHERE trials NOT IN ({newest})", (keep,))

    def _decoded(self, decode: Callable[[str], Any], text: str) -> Any:
        try:
            return decode(text)
        except ValueError as error:
            raise reported(self._path, error) from None
