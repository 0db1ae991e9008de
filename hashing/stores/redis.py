"""A store in Redis, by redis-py: a string for each entry, `isozyme:entry:` and the key in hex.

A string holds the rank, the digest in hex and the text, with spaces between.
"""

from collections.abc import Mapping, Sequence

from isozyme.hashing.stores.entry import FORMAT, Entry, Reader, Row, chunks, to_row
from isozyme.hashing.stores.refusals import cannot_open, no_driver, other_format, shown, unavailable

_PREFIX = "isozyme:entry:"
_FORMAT_KEY = "isozyme:format"
_KEYS = 1000  # in one command; Redis serves nobody else meanwhile, for a few milliseconds
_SECONDS_TO_CONNECT, _SECONDS_TO_ANSWER = 3, 10
# What is no entry at all gives way.
_PUT = """
for i, key in ipairs(KEYS) do
  local old = redis.pcall('GET', key)
  local count = type(old) == 'string' and tonumber(string.match(old, '^(%d+) '))
  if not count or count < tonumber(ARGV[2 * i - 1]) then
    redis.call('SET', key, ARGV[2 * i])
  end
end
"""


class RedisStore:
    """The keys that begin with `isozyme:` of one server, which may hold others."""

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise no_driver(url, "redis") from None
        self._url, self._reader, self._error = url, Reader(shown(url)), redis.RedisError
        try:
            self._client = redis.Redis.from_url(
                url,
                socket_connect_timeout=_SECONDS_TO_CONNECT,
                socket_timeout=_SECONDS_TO_ANSWER,
                retry=Retry(NoBackoff(), 0),  # The pool itself finds out that a restarted server has hung up.
                protocol=2,
            )
        except (ValueError, TypeError):  # Its message may quote the URL.
            raise cannot_open(url, "not a valid URL", "write redis://USER:PASSWORD@HOST:PORT/NUMBER") from None
        self._script = self._client.register_script(_PUT)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        try:
            self._client.set(_FORMAT_KEY, FORMAT, nx=True)  # A write, which a read-only server refuses.
            found = self._client.get(_FORMAT_KEY)
        except (self._error, OSError, ValueError, TypeError) as error:
            remedy = "see that it is a Redis server that runs, takes writes, and accepts this user and password"
            raise cannot_open(self._url, error, remedy) from None
        if found != FORMAT.encode():
            raise other_format(self._url, repr(found), FORMAT)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """See `Store.get`."""
        rows: dict[bytes, Row] = {}
        for chunk in chunks(keys, _KEYS):
            try:
                values = self._client.mget([_name(key) for key in chunk])
            except self._error as error:
                raise unavailable(self._url, error) from None
            rows.update((key, _row(value)) for key, value in zip(chunk, values, strict=True) if value is not None)
        return self._reader.entries(keys, rows)

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """See `Store.put`."""
        rows = [(key, to_row(key, entry)) for key, entry in entries.items()]
        for chunk in chunks(rows, _KEYS):
            values = [part for _, row in chunk for part in (row.rank, _value(row))]
            try:
                self._script([_name(key) for key, _ in chunk], values)
            except self._error as error:
                raise unavailable(self._url, error) from None

    def __len__(self) -> int:
        try:
            # While keys are added, a scan may name one twice.
            return len(set(self._client.scan_iter(match=f"{_PREFIX}*", count=_KEYS)))
        except self._error as error:
            raise unavailable(self._url, error) from None

    def close(self) -> None:
        """See `Store.close`."""
        self._client.close()


def _name(key: bytes) -> str:
    return f"{_PREFIX}{key.hex()}"


def _value(row: Row) -> str:
    return f"{row.rank} {row.digest.hex()} {row.text}"


def _row(value: bytes | str) -> Row:
    """The row in a string; one that fits no digest if it is of another form."""
    value = value.encode() if isinstance(value, str) else value
    try:
        rank, digest, text = value.split(b" ", 2)
        return Row(int(rank), text, bytes.fromhex(digest.decode()))
    except ValueError:
        return Row(0, value, b"")
