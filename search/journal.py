"""The journal: an append-only SQLite file, the only state of a run.

One process writes, any number read. WAL with synchronous=NORMAL: what is committed survives the death of the process
(kill -9); a power cut may take the last commits, never the file. Only JSON and text are stored.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search.protocol import Trial

FORMAT = "1"
FILE = "trials.db"
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE trials (
  trial INTEGER PRIMARY KEY, status TEXT NOT NULL, reason TEXT, candidate TEXT NOT NULL, metrics TEXT NOT NULL,
  static_key TEXT NOT NULL, key TEXT NOT NULL, cached_from INTEGER, hit TEXT, parents TEXT NOT NULL,
  seconds REAL NOT NULL, finished REAL NOT NULL);
CREATE TABLE assessments (
  key TEXT PRIMARY KEY, split TEXT NOT NULL, candidate TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
  metrics TEXT NOT NULL, seconds REAL NOT NULL);
"""
_COLUMNS = "trial, status, reason, candidate, metrics, static_key, key, cached_from, hit, parents, seconds, finished"


class JournalError(ValueError):
    """A journal that cannot be used; the message says why and what to do."""


class Journal:
    """Trials and closing assessments of one run folder."""

    def __init__(self, connection: sqlite3.Connection, path: Path, lock: Any = None) -> None:
        self._connection, self._path, self._lock = connection, path, lock

    @classmethod
    def open(cls, folder: Path) -> "Journal":
        """Opens the journal of `folder` to write, and creates it where there is none.

        Raises:
          JournalError: another process writes it, or it is damaged, or of another format.
        """
        path = folder / FILE
        lock = (folder / f"{FILE}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise JournalError(f"{folder}: another process is running in this folder; wait or choose another") from None
        connection = sqlite3.connect(path, isolation_level=None)
        journal = cls(connection, path, lock)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                with journal.transaction():
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        connection.execute(statement)
                    journal.set_meta("format", FORMAT)
            journal._check()
        except (sqlite3.DatabaseError, JournalError) as error:
            journal.close()
            raise _reported(path, error) from None
        return journal

    @classmethod
    def read(cls, folder: Path) -> "Journal":
        """Opens an existing journal read-only, while another process may be writing.

        Raises:
          JournalError: there is none, or it is damaged, or of another format.
        """
        path = folder / FILE
        if not path.is_file():
            raise JournalError(f"{folder}: no {FILE} here; name a run folder")
        # SQLite reads a WAL file through an index that it makes beside it, unless nobody can be writing.
        closed = not os.access(folder, os.W_OK) and not path.with_name(f"{FILE}-wal").exists()
        uri = f"{path.resolve().as_uri()}?{'immutable=1' if closed else 'mode=ro'}"
        journal = cls(sqlite3.connect(uri, uri=True), path)
        try:
            journal._check()
        except (sqlite3.DatabaseError, JournalError) as error:
            journal.close()
            raise _reported(path, error) from None
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

    def transaction(self) -> "_Transaction":
        """A block whose writes are committed together or not at all."""
        return _Transaction(self._connection)

    def meta(self, name: str) -> str | None:
        """A fact about the run."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        """Records a fact about the run."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def add(self, trials: Iterable[Trial], to_source: Callable[[Any], str]) -> None:
        """Commits trials, all in one transaction."""
        rows = [
            (t.number, t.status, t.reason, to_source(t.candidate), _json(t.metrics), t.static_key, t.key)
            + (t.cached_from, t.hit, _json(t.parents), t.seconds, t.finished)
            for t in trials
        ]
        with self.transaction():
            self._connection.executemany(f"INSERT INTO trials VALUES ({', '.join('?' * 12)})", rows)

    def trials(self, from_source: Callable[[str], Any]) -> Iterator[Trial]:
        """Trials in the order of their numbers; `from_source` reads their text.

        Raises:
          JournalError: a row is damaged.
        """
        try:
            for row in self._connection.execute(f"SELECT {_COLUMNS} FROM trials ORDER BY trial"):
                number, status, reason, text, metrics, static, key, owner, hit, parents, seconds, finished = row
                yield Trial(
                    number, from_source(text), _parents(parents), Status(status), reason,
                    _metrics(metrics), _hexadecimal(static), _hexadecimal(key), owner, hit, seconds, finished,
                )  # fmt: skip
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise _reported(self._path, error) from None

    def count(self) -> int:
        """One more than the largest trial number; trials in flight when a session died may be missing below it."""
        return self._connection.execute("SELECT coalesce(max(trial) + 1, 0) FROM trials").fetchone()[0]

    def lineage(self, number: int) -> list[int]:
        """The trial, its first parent, that one's first parent, and so on."""
        line = [number]
        while True:
            row = self._connection.execute("SELECT parents FROM trials WHERE trial = ?", (line[-1],)).fetchone()
            parents = self._decoded(_parents, row[0]) if row else ()
            if not parents:
                return line
            line.append(parents[0])

    def assess(self, key: str, split: str, candidate: str, outcome: Outcome) -> None:
        """Commits a closing assessment."""
        row = (key, split, candidate, outcome.status, outcome.reason, _json(outcome.metrics), outcome.seconds)
        self._connection.execute("INSERT OR REPLACE INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def assessment(self, key: str) -> Outcome | None:
        """A closing assessment committed before."""
        query = "SELECT status, reason, metrics, seconds FROM assessments WHERE key = ?"
        row = self._connection.execute(query, (key,)).fetchone()
        if row is None:
            return None
        return Outcome(self._decoded(Status, row[0]), row[1], self._decoded(_metrics, row[2]), row[3])

    def _decoded(self, decode: Callable[[str], Any], text: str) -> Any:
        try:
            return decode(text)
        except ValueError as error:
            raise _reported(self._path, error) from None


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: Any, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _json(value: Mapping[str, float] | tuple[int, ...]) -> str:
    return json.dumps(value, allow_nan=False)


def _parents(text: str) -> tuple[int, ...]:
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(number, int) for number in value):
        raise ValueError(f"parents are {text}")
    return tuple(value)


def _metrics(text: str) -> dict[str, float]:
    value = json.loads(text)
    if not isinstance(value, dict) or not all(isinstance(number, int | float) for number in value.values()):
        raise ValueError(f"metrics are {text}")
    return value


def _hexadecimal(text: str) -> str:
    bytes.fromhex(text)
    return text


def _reported(path: Path, error: Exception) -> JournalError:
    if isinstance(error, JournalError):
        return error
    what = " ".join(str(error).split())
    return JournalError(f"{path}: damaged ({what}); it was left as it is: restore a copy, or choose another folder")
