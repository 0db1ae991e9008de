"""The SQLite file behind a journal: who may write it, what a commit promises, and what is said when it goes wrong."""

import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

_CHECKPOINT_PAGES = 10_000  # of 4 KiB: writing the log back costs two waits for the disk, so not too often.


class JournalError(ValueError):
    """A journal that cannot be used; the message says why and what to do."""


class DiskFull(JournalError):
    """The journal cannot grow; what was committed is safe, and the run goes on once there is room."""


def connect(path: Path) -> tuple[sqlite3.Connection, Any]:
    """Opens or creates a file to write, and the lock that keeps other writers out; both are to be closed.

    Raises:
      JournalError: another process writes it.
    """
    lock = path.with_name(f"{path.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise JournalError(
            f"{path.parent}: another process is running in this folder; wait or choose another"
        ) from None
    return sqlite3.connect(path, isolation_level=None), lock


def write_ahead(connection: sqlite3.Connection) -> None:
    """Has commits survive the death of the process, and readers see the file while it is written."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Opens an existing file read-only.

    Raises:
      JournalError: there is none.
    """
    if not path.is_file():
        raise JournalError(f"{path.parent}: no {path.name} here; name a run folder")
    # SQLite reads a WAL file through an index that it makes beside it, unless nobody can be writing.
    closed = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?{'immutable=1' if closed else 'mode=ro'}"
    return sqlite3.connect(uri, uri=True)


class Transaction:
    """Commits the writes of a `with` block together or not at all.

    Raises:
      DiskFull: there was no room to commit.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: Any, error: Any, _: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.OperationalError as caught:
                error = caught
        if self._connection.in_transaction:  # SQLite may have rolled back by itself.
            self._connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and _no_room(error):
            raise DiskFull(
                f"{self._path}: no room to write ({error}); what was committed is safe: free some space, "
                "then give the same command again"
            ) from error
        if kind is None:
            raise error


def _no_room(error: sqlite3.OperationalError) -> bool:
    """Tells whether an error means a full disk, a quota or a size limit."""
    name = getattr(error, "sqlite_errorname", "")
    return name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE")


def no_room(error: OSError) -> bool:
    """Tells whether writing a file failed since there is no room for it."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def reported(path: Path, error: Exception) -> JournalError:
    """Returns what a user is told of a file that SQLite or its reader finds damaged."""
    if isinstance(error, JournalError):
        return error
    what = " ".join(str(error).split())
    return JournalError(f"{path}: damaged ({what}); it was left as it is: restore a copy, or choose another folder")
