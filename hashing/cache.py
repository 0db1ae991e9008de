"""The equivalence cache: which trial owns a behaviour, and who joins it.

It remembers trial numbers only. Outcomes live in the journal, of which the cache is a view: the controller rebuilds
it by registering the journalled trials again. A twin of a trial still in flight joins that trial (single flight).
"""

from collections.abc import Callable
from typing import NamedTuple


class Claim(NamedTuple):
    """What the cache knows of a proposal. `hit` is None, 'static' or 'numeric'."""

    key: bytes
    owner: int
    hit: str | None


class EquivalenceCache:
    """First trial of each behaviour, found by the static key first and by the numeric key on a miss."""

    def __init__(self) -> None:
        self._by_static: dict[bytes, tuple[bytes, int]] = {}
        self._by_key: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Number of behaviours seen."""
        return len(self._by_key)

    def claim(self, trial: int, static: bytes, full_key: Callable[[], bytes]) -> Claim:
        """Finds the trial that owns the behaviour; a new behaviour is owned by `trial` itself.

        Args:
          trial: number of the proposal.
          static: its static key.
          full_key: computes its behaviour key; called only when the static key is new.
        """
        known = self._by_static.get(static)
        if known is not None:
            return Claim(known[0], known[1], "static")
        key = full_key()
        owner = self._by_key.get(key)
        self.register(owner if owner is not None else trial, static, key)
        if owner is None:
            return Claim(key, trial, None)
        return Claim(key, owner, "numeric")

    def register(self, owner: int, static: bytes, key: bytes) -> None:
        """Records that `static` and `key` belong to the trial `owner`, as when a journal is replayed."""
        self._by_static.setdefault(static, (key, owner))
        self._by_key.setdefault(key, owner)
