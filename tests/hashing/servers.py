"""Stores of each kind for tests, on servers of their own, and what lies in them, past the code under test."""

import contextlib
import glob
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isozyme.hashing.stores.entry import Row

PASSWORD = "s3cr3t%26wörd"  # As in a URL, where %26 is an &.
_PLAIN = "s3cr3t&wörd"
_SECONDS_TO_START = 30.0


def free_port() -> int:
    """A port of the loopback interface on which nobody listens.

    None that the system gives away by itself (from 32768 on): it has to be free still when a server is restarted.
    """
    while True:
        with socket.socket() as found, contextlib.suppress(OSError):
            port = random.SystemRandom().randrange(20_000, 32_000)
            found.bind(("127.0.0.1", port))
            return port


class Server:
    """A process that is started, killed and started again, in a folder that goes with it."""

    def __init__(self, command: Callable[[Path, int], list[str]], user: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isozyme-store-"))
        self.port, self._user = free_port(), user
        if user is not None:
            shutil.chown(self.folder, user)
        self.as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
        self._command = command(self.folder, self.port)

    def start(self, answers: Callable[[], Any], not_yet: type[Exception]) -> None:
        """Starts it, and waits until `answers` no longer raises `not_yet`."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, **self.as_user
            )
        end = time.monotonic() + _SECONDS_TO_START
        while True:
            try:
                answers()
                return
            except not_yet:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")) from None
                time.sleep(0.02)

    def end(self, number: int) -> None:
        """Ends it by a signal."""
        self._process.send_signal(number)
        self._process.wait(timeout=30)

    def remove(self) -> None:
        """Removes its folder."""
        shutil.rmtree(self.folder)


class Memory:
    """A store in this process."""

    url = "memory:"

    def overwrite(self, store: Any, key: bytes, row: Row) -> None:
        """Puts a row past every check."""
        store._rows[key] = row

    def clear(self) -> None:
        """Nothing outlives its object."""

    def close(self) -> None:
        """Ends the server."""


class Sqlite(Memory):
    """A file."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="isozyme-store-"))
        self.path = self.folder / "outcomes.db"
        self.url = f"sqlite:{self.path}"

    def execute(self, query: str, values: Any = ()) -> None:
        """Runs a statement."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute(query, values)
        connection.close()

    def overwrite(self, store: Any, key: bytes, row: Row) -> None:
        self.execute("INSERT OR REPLACE INTO isozyme_entries VALUES (?, ?, ?, ?)", (key, *row))

    def set_format(self, value: str | None) -> None:
        """Changes the format that is recorded; None removes it."""
        self.execute("DELETE FROM isozyme_meta")
        if value is not None:
            self.execute("INSERT INTO isozyme_meta VALUES ('format', ?)", (value,))

    def clear(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()

    def close(self) -> None:
        shutil.rmtree(self.folder)


class Postgresql(Memory):
    """A database on a server that asks for a password."""

    def __init__(self) -> None:
        import psycopg

        self._psycopg = psycopg
        folder = postgresql_folder()
        self.server = Server(
            lambda data, port: [
                f"{folder}/postgres", "-D", f"{data}/data", "-p", str(port), "-k", str(data),
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "deadlock_timeout=100ms",
            ],
            "postgres" if os.geteuid() == 0 else None,
        )  # fmt: skip
        words = self.server.folder / "password"
        words.write_text(_PLAIN)
        words.chmod(0o644)
        subprocess.run(
            [
                f"{folder}/initdb", "-D", f"{self.server.folder}/data", "-U", "isozyme", "-A", "scram-sha-256",
                "-E", "UTF8", "--locale=C", "--pwfile", str(words), "--no-sync",
            ],
            check=True, capture_output=True, cwd=self.server.folder, timeout=60, **self.server.as_user,
        )  # fmt: skip
        self.url = f"postgresql://isozyme:{PASSWORD}@127.0.0.1:{self.server.port}/postgres"
        self.start()

    def connection(self) -> Any:
        """A connection of its own."""
        return self._psycopg.connect(self.url, autocommit=True)

    def execute(self, query: Any, values: Any = ()) -> None:
        """Runs a statement."""
        with self.connection() as connection:
            connection.execute(query, values)

    def value(self, query: str) -> Any:
        """The one value that a query finds."""
        with self.connection() as connection:
            return connection.execute(query).fetchone()[0]

    def overwrite(self, store: Any, key: bytes, row: Row) -> None:
        self.execute("DELETE FROM isozyme_entries WHERE key = %s", [key])
        text = row.text.decode() if isinstance(row.text, bytes) else row.text
        self.execute("INSERT INTO isozyme_entries VALUES (%s, %s, %s, %s)", [key, row.rank, text, row.digest])

    def set_format(self, value: str | None) -> None:
        """Changes the format that is recorded; None removes it."""
        self.execute("DELETE FROM isozyme_meta")
        if value is not None:
            self.execute("INSERT INTO isozyme_meta VALUES ('format', %s)", [value])

    def start(self) -> None:
        """Starts the server, with what it held."""
        self.server.start(lambda: self.execute("SELECT 1"), self._psycopg.OperationalError)

    def kill(self) -> None:
        """Ends the server at once, without order, as a crash does."""
        self.server.end(signal.SIGQUIT)

    def clear(self) -> None:
        self.execute("DROP TABLE IF EXISTS isozyme_entries, isozyme_meta")

    def close(self) -> None:
        self.kill()
        self.server.remove()


class Redis(Memory):
    """A server that asks for a password, and keeps what it holds in a file."""

    def __init__(self) -> None:
        import redis

        self._redis = redis
        self.server = Server(
            lambda data, port: [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", _PLAIN,
                "--dir", str(data), "--appendonly", "yes",
                # Each write is handed to the system before it is answered, which suffices against kill -9.
                "--appendfsync", "no", "--save", "", "--ignore-warnings", "ARM64-COW-BUG",
            ]
        )  # fmt: skip
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.server.port}/0"
        self.start()

    def execute(self, *command: Any) -> Any:
        """Runs a command."""
        with self._redis.Redis.from_url(self.url, retry=None) as client:
            return client.execute_command(*command)

    def overwrite(self, store: Any, key: bytes, row: Row) -> None:
        text = row.text if isinstance(row.text, bytes) else row.text.encode()
        value = b" ".join([str(row.rank).encode(), row.digest.hex().encode(), text])
        self.execute("SET", f"isozyme:entry:{key.hex()}", value)

    def set_format(self, value: str | None) -> None:
        """Changes the format that is recorded."""
        self.execute("SET", "isozyme:format", value or "")

    def start(self) -> None:
        """Starts the server, with what it held."""
        self.server.start(lambda: self.execute("PING"), self._redis.ConnectionError)

    def kill(self) -> None:
        """Ends the server at once."""
        self.server.end(signal.SIGKILL)

    def clear(self) -> None:
        self.execute("FLUSHALL")

    def close(self) -> None:
        self.kill()
        self.server.remove()


def postgresql_folder() -> str | None:
    """The folder of PostgreSQL's programs, of the newest version, or None."""
    on_path = shutil.which("postgres")
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda name: int(name.split("/")[4]))
    return os.path.dirname(found[-1] if found else on_path or "") or None


def missing(kind: str) -> str | None:
    """Why there can be no store of this kind here."""
    if kind == "postgresql" and postgresql_folder() is None:
        return "there is no PostgreSQL server on this machine (apt-get install postgresql)"
    if kind == "redis" and shutil.which("redis-server") is None:
        return "there is no Redis server on this machine (apt-get install redis-server)"
    return None


KINDS: dict[str, Callable[[], Any]] = {"memory": Memory, "sqlite": Sqlite, "postgresql": Postgresql, "redis": Redis}
