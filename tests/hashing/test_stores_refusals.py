"""What cannot be opened as a store is refused in one line: what is wrong, what to do, and no password."""

import socket
import socketserver
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import servers
from store_helpers import ENTRY, IN_POSTGRESQL, LASTING, ON_A_SERVER, key, python, refused

from isozyme.hashing.stores import Store, open_store


@LASTING
def test_another_format_is_refused(place: Any, opened: Callable[[], Store]) -> None:
    """Of a later version, or none at all."""
    opened()
    name = place.url.rpartition("@")[2]
    place.set_format("2")
    assert "this version reads 1; use the version that wrote it" in refused(place.url, name)
    place.set_format(None)
    assert "this version reads 1" in refused(place.url, name)


@ON_A_SERVER
def test_a_read_only_server_is_refused(place: Any, opened: Callable[[], Store]) -> None:
    """Since a run has to put what it finds."""
    opened()
    name = place.url.rpartition("@")[2]
    if isinstance(place, servers.Redis):
        place.execute("REPLICAOF", "127.0.0.1", str(servers.free_port()))
        try:
            assert "read only replica" in refused(place.url, name)
        finally:
            place.execute("REPLICAOF", "NO", "ONE")
        return
    assert "read-only" in refused(f"{place.url}?options=-c%20default_transaction_read_only%3Don", name)
    place.execute("DROP ROLE IF EXISTS reader")
    place.execute("CREATE ROLE reader LOGIN PASSWORD 'hunter2'")
    reader = f"postgresql://reader:hunter2@{name}"
    assert "permission denied" in refused(reader, name)
    place.execute("GRANT SELECT ON isozyme_entries, isozyme_meta TO reader")
    assert "permission denied" in refused(reader, name)
    place.execute("GRANT INSERT, UPDATE ON isozyme_entries TO reader")
    store = open_store(reader)
    store.put({key(1): ENTRY})
    store.close()
    place.execute("DROP OWNED BY reader")
    place.clear()
    assert "permission denied for schema" in refused(reader, name)  # It may not create the tables.


def test_a_read_only_file_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A process without the right to write; what it would need is said."""
    place = servers.Sqlite()
    open_store(place.url).close()
    place.path.chmod(0o444)
    place.folder.chmod(0o555)
    script = """
import os, sys
from isozyme.hashing.stores import StoreError, open_store
from isozyme.hashing.stores import sqlite
if os.geteuid() == 0:  # Who may write everywhere.
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    open_store(sys.argv[1])
except StoreError as error:
    print(error)
"""
    out, err = python(script, place.url).communicate(timeout=60)
    place.folder.chmod(0o755)
    place.close()
    assert out.startswith(f"{place.url}: "), err
    assert "can be read and written" in out


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Files of other kinds, SQLite databases included; folders; paths that lead nowhere."""
    text, other = tmp_path / "text", tmp_path / "other.db"
    text.write_text("no database, but long enough to look for one\n" * 100)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE trials (trial INTEGER)")
    connection.close()
    before = text.read_bytes(), other.read_bytes()
    assert "not a database" in refused(f"sqlite:{text}")
    assert "of another kind" in refused(str(other))
    assert (text.read_bytes(), other.read_bytes()) == before
    assert "this is a folder" in refused(str(tmp_path))
    assert "there is no folder" in refused(f"{tmp_path}/none/outcomes.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text"]


@IN_POSTGRESQL
def test_a_table_of_another_kind_is_refused(place: Any) -> None:
    """Somebody else's isozyme_entries."""
    others = ("BYTEA)", "INTEGER, rank BIGINT, text TEXT, digest BYTEA)")
    for columns in (*others, "BYTEA, rank BIGINT, text TEXT, digest BYTEA)"):  # The last lacks its primary key.
        place.clear()
        place.execute(f"CREATE TABLE isozyme_entries (key {columns}")
        assert "is not a store" in refused(place.url, "127.0.0.1")
        place.execute("CREATE TABLE isozyme_meta AS SELECT 'format' AS name, '1' AS value")
        assert "is not a store" in refused(place.url, "127.0.0.1")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", "no kind of store"),
        ("mysql://user:hunter2@host/base", "mysql://user:***@host/base"),
        ("postgresql://user:s3cr3t/more@host/base", "postgresql://…: not a valid URL"),
        ("postgresql://user:hunter@s3cr3t@host/base", "postgresql://…: not a valid URL"),
        ("postgresql://user:s3cr3t?x@host/base", "postgresql://…: not a valid URL"),
        ("postgresql://user:s3cr3t@host/base?password=hunter@2", "postgresql://…: not a valid URL"),
        ("postgresql://user:s3cr3t%zz@host/base", "postgresql://user:***@host/base: not a valid URL"),
        ("postgresql://user@host/base?pasword=hunter2", "postgresql://user@host/base: not a valid URL"),
        ("redis://:hunter#2@host/0", "redis://…: not a valid URL"),
        ("redis://:hunter2@host:port/0", "redis://:***@host:port/0: not a valid URL"),
        ("redis://host:1/0?passwort=hunter2", "redis://host:1/0: "),
        ("redis://host:1/0?db=hunter2", "redis://host:1/0: not a valid URL"),
    ],
)
def test_urls_that_make_no_sense(url: str, shown: str) -> None:
    """Refused in one line, in which there is no password, not even where it is in the wrong place."""
    assert shown in refused(url, shown)


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_servers_that_are_none(scheme: str) -> None:
    """Nobody listens; a server of another kind; one that never answers."""
    url = f"{scheme}://user:hunter2@127.0.0.1:{{}}/0{{}}"
    assert "refused" in refused(url.format(servers.free_port(), ""), "127.0.0.1")

    class Web(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Web) as web:
        threading.Thread(target=web.serve_forever).start()
        refused(url.format(web.server_address[1], ""), "127.0.0.1")
        web.shutdown()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        # Both by the URL, since ours take longer than a test should.
        patience = {"postgresql": "?connect_timeout=2", "redis": "?socket_timeout=1"}[scheme]
        assert "time" in refused(url.format(silent.getsockname()[1], patience), "127.0.0.1").lower()


@ON_A_SERVER
def test_a_wrong_password_is_refused(place: Any) -> None:
    """In one line, without the password."""
    scheme, name = place.url.partition("://")[0], place.url.rpartition("@")[2]
    for user in ("isozyme:hunter2@", ":hunter2@", "other:hunter2@"):
        refused(f"{scheme}://{user}{name}", name)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is named, together with the command that installs it."""
    for package, scheme in (("psycopg", "postgresql"), ("redis", "redis")):
        monkeypatch.setitem(sys.modules, package, None)
        text = refused(f"{scheme}://user:hunter2@host/0", f"{scheme}://user:***@host/0")
        assert f"{package} cannot be imported; pip install 'isozyme[stores]'" in text
