"""Stores of outcomes that runs share, also on several machines (docs/stores.md).

A run journals everything itself; a store maps behaviour keys (hashing/keys.py) to what is known of the behaviour, so
that later and concurrent runs need not evaluate it again.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from isozyme.hashing.stores.entry import Entry
from isozyme.hashing.stores.refusals import StoreError, StoreUnavailable, check_url, shown

__all__ = ["Entry", "Store", "StoreError", "StoreUnavailable", "open_store"]


class Store(Protocol):
    """Entries by behaviour key. An object is for one thread; many objects and processes may share one store."""

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """The entries that are there, in the order of `keys`; one round trip for a thousand keys.

        An entry that is damaged is left out, with a RuntimeWarning at its first time.

        Raises:
          StoreUnavailable: the store does not answer; the next call tries again.
        """
        ...

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """Adds entries; one round trip for a thousand.

        Of two entries of one key the one with more evaluations stays, of two with equally many the one with more
        stages, and else the first: so all readers agree, whoever writes when. To put an entry twice changes nothing.
        After an error any part of the entries may be in; put them again.

        Args:
          entries: by key, a digest of 16 bytes.

        Raises:
          ValueError: a key or an entry is not valid; nothing was written.
          StoreUnavailable: the store does not answer; the next call tries again.
        """
        ...

    def __len__(self) -> int:
        """Number of entries, damaged ones included."""
        ...

    def close(self) -> None:
        """Gives back connections and files."""
        ...


def open_store(url: str) -> Store:
    """Opens a store, and creates it where there is none.

    Args:
      url: `memory:`, `sqlite:PATH` or just a path, `postgresql://…` or `redis://…` (TLS: `rediss://…`).

    Raises:
      StoreError: it cannot be opened to read and write, or is no store, or of another format.

    >>> store = open_store("memory:")
    >>> store.put({bytes(16): Entry(stages=({"accuracy": 0.5},), seconds=(2.0,), origin="an example")})
    >>> store.get([bytes(16), bytes([1] * 16)])[bytes(16)].stages[-1]
    {'accuracy': 0.5}
    """
    scheme, mark, _ = url.partition("://")
    if mark and scheme in ("postgresql", "postgres"):
        from isozyme.hashing.stores.postgresql import PostgresqlStore

        check_url(url)
        return PostgresqlStore(url)
    if mark and scheme in ("redis", "rediss"):
        from isozyme.hashing.stores.redis import RedisStore

        check_url(url)
        return RedisStore(url)
    if url == "memory:":
        from isozyme.hashing.stores.memory import MemoryStore

        return MemoryStore(url)
    if url and not mark:
        from isozyme.hashing.stores.sqlite import SqliteStore

        return SqliteStore(url)
    raise StoreError(f"{shown(url)!r}: no kind of store; choose memory:, sqlite:PATH, postgresql://… or redis://…")
