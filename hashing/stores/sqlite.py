"""A store in a SQLite file, for the processes of one machine.

WAL with synchronous=NORMAL: readers and a writer do not wait for each other, writers wait for their turn, and a process
that is killed at any time leaves the file sound. It needs shared memory, so a network file system is no place for it.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from isozyme.hashing.stores.entry import FORMAT, Entry, Reader, Row, chunks, to_row
from isozyme.hashing.stores.refusals import cannot_open, other_format, unavailable

_BUSY_SECONDS = 10.0
_KEYS = 500  # in one query; older SQLite takes up to 999 values
_SCHEMA = """
CREATE TABLE isozyme_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE isozyme_entries (
  key BLOB PRIMARY KEY, rank INTEGER NOT NULL, text TEXT NOT NULL, digest BLOB NOT NULL);
"""
_PUT = """
INSERT INTO isozyme_entries (key, rank, text, digest) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, text = excluded.text, digest = excluded.digest
WHERE excluded.rank > isozyme_entries.rank"""


class SqliteStore:
    """One file, `sqlite:PATH` or just PATH."""

    def __init__(self, url: str) -> None:
        self._url, path = url, Path(url.removeprefix("sqlite:"))
        if not path.parent.is_dir():
            raise cannot_open(url, f"there is no folder {path.parent}", "make it first")
        if path.is_dir():
            raise cannot_open(url, "this is a folder", "name a file in it")
        self._reader = Reader(url)
        try:
            # Autocommit; an absolute path, so that no name has a meaning of its own.
            self._connection = sqlite3.connect(path.absolute(), timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise cannot_open(url, error, "name a file that can be read and written") from None
        try:
            self._connection.text_factory = bytes  # A damaged text need not be UTF-8.
            self._open()
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.Error):
                remedy = "name a file that is a store and can be read and written, or a new one"
                raise cannot_open(url, error, remedy) from None
            raise

    def _open(self) -> None:
        self._tables()  # Before anything is written: a file of another kind is left as it is.
        self._write_ahead()
        self._connection.execute("BEGIN IMMEDIATE")
        if not self._tables():
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO isozyme_meta VALUES ('format', ?)", (FORMAT,))
        self._connection.execute("COMMIT")
        self._select([])
        rows = self._connection.execute("SELECT value FROM isozyme_meta WHERE name = 'format'").fetchall()
        if rows != [(FORMAT.encode(),)]:
            raise other_format(self._url, rows[0][0].decode(errors="replace") if rows else "unknown", FORMAT)

    def _tables(self) -> bool:
        """Whether the file has our tables; False if it is empty."""
        names = {name.decode() for (name,) in self._connection.execute("SELECT name FROM sqlite_master")}
        if names and not {"isozyme_meta", "isozyme_entries"} <= names:
            raise cannot_open(self._url, "a database of another kind", "name a file that is a store, or a new one")
        return bool(names)

    def _write_ahead(self) -> None:
        # Where several processes change to WAL at once, SQLite refuses all but one without waiting.
        end = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.01)
        self._connection.execute("PRAGMA synchronous=NORMAL")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """See `Store.get`."""
        rows: dict[bytes, Row] = {}
        try:
            for chunk in chunks(keys, _KEYS):
                rows.update(self._select(chunk))
        except sqlite3.Error as error:
            raise unavailable(self._url, error) from None
        return self._reader.entries(keys, rows)

    def _select(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, rank, text, digest FROM isozyme_entries WHERE key IN ({marks})"
        return {key: Row(*row) for key, *row in self._connection.execute(query, keys)}

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """See `Store.put`."""
        rows = [(key, *to_row(key, entry)) for key, entry in sorted(entries.items())]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_PUT, rows)
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise unavailable(self._url, error) from None

    def __len__(self) -> int:
        try:
            return self._connection.execute("SELECT count(*) FROM isozyme_entries").fetchone()[0]
        except sqlite3.Error as error:
            raise unavailable(self._url, error) from None

    def close(self) -> None:
        """See `Store.close`."""
        self._connection.close()
