"""The equivalence cache: which trial owns a behaviour, and who joins it.

It knows numbers of trials only; outcomes live in the journal. A twin of a trial still in flight joins that trial
(single flight). The newest keys are held in memory; older ones move in bulk to a store on disk, sorted, so that a run
of any length takes the same memory and nearly the same time for a look-up.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

_NEWEST = 20_000  # keys held in memory: about 4 MB


class KeyStore(Protocol):
    """Where older keys lie."""

    def owner(self, key: bytes) -> int | None:
        """The trial recorded for a key."""
        ...

    def index(self, keys: Iterable[tuple[bytes, int]], trials: int) -> None:
        """Records keys and that all keys of the trials before number `trials` are recorded; later ones win."""
        ...


class Claim(NamedTuple):
    """What the cache knows of a proposal: who owns it, which key found the owner ('static', 'numeric', or None for a
    new behaviour), and its behaviour key, unless that was not needed."""

    owner: int
    hit: str | None
    key: bytes | None


class EquivalenceCache:
    """First trial of each behaviour, found by the static key first and by the behaviour key on a miss."""

    def __init__(self, store: KeyStore | None = None) -> None:
        self._store = store
        self._newest: dict[bytes, tuple[int, int]] = {}

    def claim(self, trial: int, static: bytes, full_key: Callable[[], bytes | None]) -> Claim:
        """Finds the trial that owns the behaviour; a new behaviour is owned by `trial` itself.

        Args:
          trial: number of the proposal.
          static: its static key.
          full_key: computes its behaviour key; called only when the static key is new. None: there is no other key.
        """
        owner = self.find(static)
        if owner is not None:
            return Claim(owner, "static", None)
        key = full_key()
        if key is None:
            self.register(trial, static, trial)
            return Claim(trial, None, None)
        owner = self.find(key)
        self.register(trial, static, trial if owner is None else owner)
        if owner is not None:
            return Claim(owner, "numeric", key)
        self.register(trial, key, trial)
        return Claim(trial, None, key)

    def find(self, key: bytes) -> int | None:
        """The trial registered for a key."""
        newest = self._newest.get(key)
        if newest is not None:
            return newest[0]
        return None if self._store is None else self._store.owner(key)

    def register(self, trial: int, key: bytes, owner: int) -> None:
        """Records, on behalf of `trial`, that `key` belongs to `owner`; also when a journal is replayed."""
        self._newest[key] = (owner, trial)

    def settle(self, trials: int) -> None:
        """Moves the keys of the trials before number `trials`, once there are many, from memory to the store."""
        if self._store is not None and len(self._newest) > _NEWEST:
            self._store.index(sorted((k, o) for k, (o, t) in self._newest.items() if t < trials), trials)
            self._newest = {k: v for k, v in self._newest.items() if v[1] >= trials}
