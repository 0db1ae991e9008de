"""A store that lives as long as its object: for tests, and for several searches in one process."""

from collections.abc import Mapping, Sequence

from isozyme.hashing.stores.entry import Entry, Reader, Row, to_row


class MemoryStore:
    """Rows in a dictionary."""

    def __init__(self, url: str = "memory:") -> None:
        self._rows: dict[bytes, Row] = {}
        self._reader = Reader(url)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """See `Store.get`."""
        return self._reader.entries(keys, self._rows)

    def put(self, entries: Mapping[bytes, Entry]) -> None:
        """See `Store.put`."""
        rows = {key: to_row(key, entry) for key, entry in entries.items()}
        for key, row in rows.items():
            old = self._rows.get(key)
            if old is None or row.rank > old.rank:
                self._rows[key] = row

    def __len__(self) -> int:
        return len(self._rows)

    def close(self) -> None:
        """See `Store.close`."""
