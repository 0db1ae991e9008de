"""A store in PostgreSQL, by psycopg 3: two tables in a database that may hold others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, LiteralString

from isozyme.hashing.stores.entry import FORMAT, Entry, Reader, Row, chunks, to_row
from isozyme.hashing.stores.refusals import cannot_open, no_driver, other_format, shown, unavailable

if TYPE_CHECKING:
    import psycopg

_KEYS = 1000  # in one statement
# What a URL does not say itself. A server that was cut off is given up after 15 s, one that is held up after 30 s.
_DEFAULTS = {
    "options": "-c statement_timeout=30s",
    "connect_timeout": 3, "keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3,
    "tcp_user_timeout": 15_000, "application_name": "isozyme", "client_encoding": "utf8",
}  # fmt: skip
_LOCK = 0x69736F7A796D65  # "isozyme": two that create the tables at once would run into each other.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS isozyme_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS isozyme_entries (
  key BYTEA PRIMARY KEY, rank BIGINT NOT NULL, text TEXT NOT NULL, digest BYTEA NOT NULL)"""
_GET = "SELECT key, rank, text, digest FROM isozyme_entries WHERE key = ANY(%s::bytea[])"
_PUT = """
INSERT INTO isozyme_entries (key, rank, text, digest)
SELECT * FROM unnest(%s::bytea[], %s::bigint[], %s::text[], %s::bytea[])
ON CONFLICT (key) DO UPDATE SET rank = excluded.rank, text = excluded.text, digest = excluded.digest
WHERE excluded.rank > isozyme_entries.rank"""


class PostgresqlStore:
    """The tables `isozyme_entries` and `isozyme_meta` of a database."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError:
            raise no_driver(url, "psycopg") from None
        self._url, self._reader, self._error = url, Reader(shown(url)), psycopg.Error
        try:
            self._parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
        except psycopg.Error:  # Its message may quote the password.
            raise cannot_open(url, "not a valid URL", "see 'Connection URIs' in PostgreSQL's manual") from None
        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            remedy = "see that the server runs and accepts this user and password"
            raise cannot_open(url, error, remedy) from None
        try:
            self._open(psycopg)
        except BaseException:
            self._connection.close()
            raise

    def _connect(self) -> "psycopg.Connection[Any]":
        import psycopg

        # Statements are not prepared, so that poolers such as PgBouncer can stand between.
        return psycopg.connect(autocommit=True, prepare_threshold=None, **self._parameters)

    def _open(self, psycopg: Any) -> None:
        execute = self._connection.execute
        try:
            if not self._value("SELECT to_regclass('isozyme_entries') IS NOT NULL"):
                with self._connection.transaction():
                    execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
                    execute(_SCHEMA)
                    execute("INSERT INTO isozyme_meta VALUES ('format', %s) ON CONFLICT DO NOTHING", [FORMAT])
            found = self._value("SELECT max(value) FROM isozyme_meta WHERE name = 'format'")
            if found != FORMAT:
                raise other_format(self._url, found, FORMAT)
            # Nothing is asked for and nothing put, which fails wherever something would.
            execute(_GET, [[]])
            execute(_PUT, [[], [], [], []])
        except psycopg.errors.InsufficientPrivilege as error:
            remedy = "have this user granted to create tables, or to read, insert and update in the store's two"
            raise cannot_open(self._url, error, remedy) from None
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            remedy = "its table isozyme_entries is not a store: name another database or schema"
            raise cannot_open(self._url, error, remedy) from None
        except psycopg.Error as error:
            raise cannot_open(self._url, error, "see that this server takes writes, and name one that does") from None

    def _value(self, query: LiteralString) -> Any:
        rows = self._connection.execute(query).fetchall()
        return rows[0][0]

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """See `Store.get`."""
        rows: dict[bytes, Row] = {}
        for chunk in chunks(keys, _KEYS):
            rows.update((key, Row(*row)) for key, *row in self._run(_GET, [chunk]).fetchall())
        return self._reader.entries(keys, rows)

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """See `Store.put`."""
        # Sorted: two writers that lock rows in different orders would wait for each other.
        rows = [(key, *to_row(key, entry)) for key, entry in sorted(entries.items())]
        for chunk in chunks(rows, _KEYS):
            self._run(_PUT, [list(column) for column in zip(*chunk, strict=True)])

    def _run(self, query: LiteralString, values: Sequence[Any] = ()) -> "psycopg.Cursor[Any]":
        """Runs a statement, one transaction; once more if the connection was lost, since the server may be back."""
        try:
            try:
                return self._connected().execute(query, values)
            except self._error:
                if not self._connection.closed:
                    raise
                return self._connected().execute(query, values)
        except self._error as error:
            raise unavailable(self._url, error) from None

    def _connected(self) -> "psycopg.Connection[Any]":
        if self._connection.closed:
            self._connection = self._connect()
        return self._connection

    def __len__(self) -> int:
        return self._run("SELECT count(*) FROM isozyme_entries").fetchall()[0][0]

    def close(self) -> None:
        """See `Store.close`."""
        self._connection.close()
