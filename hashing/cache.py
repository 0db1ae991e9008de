"""The equivalence cache: which trial owns a behaviour, and who joins it.

It knows numbers of trials only; outcomes live in the journal. A twin of a trial still in flight joins that trial
(single flight). The newest keys are held in memory; older ones move in bulk to a store on disk, sorted, so that a run
of any length takes the same memory and nearly the same time for a look-up. Most keys are new: a bit for each of 2^24
parts of the range of keys says, without a look at the store, that there is none in that part.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

_NEWEST = 20_000  # keys held in memory: about 4 MB
_PART_BYTES = 3  # of a key, which is a digest, tell its part; two million keys fill an eighth of the parts


class KeyStore(Protocol):
    """Keeps older keys on disk."""

    def indexed_keys(self) -> Iterable[bytes]:
        """Returns all keys that are recorded."""
        ...

    def key_owner(self, key: bytes) -> int | None:
        """Returns the trial recorded for a key, or None."""
        ...

    def index_keys(self, keys: Iterable[tuple[bytes, int]], trials: int) -> None:
        """Records keys and that all keys of the trials before number `trials` are recorded; later ones win."""
        ...


class Claim(NamedTuple):
    """What the cache knows of a proposal: who owns it, which key found the owner ('static', 'numeric', or None for a
    new behaviour), and its behaviour keys, unless they were not needed or there are none."""

    owner: int
    hit: str | None
    keys: tuple[bytes, ...]


class EquivalenceCache:
    """First trial of each behaviour, found by the static key first and by the behaviour key on a miss."""

    def __init__(self, store: KeyStore | None = None) -> None:
        self._store = store
        self._newest: dict[bytes, tuple[int, int]] = {}
        self._parts = bytearray(1 << 8 * _PART_BYTES - 3)
        if store is not None:
            self._mark(store.indexed_keys())

    def claim(self, trial: int, static: bytes, full_keys: Callable[[], tuple[bytes, ...]]) -> Claim:
        """Finds the trial that owns the behaviour; a new behaviour is owned by `trial` itself.

        Args:
          trial: number of the proposal.
          static: its static key.
          full_keys: computes its behaviour keys; called only when the static key is new. Of the trials that any of
            them finds, the first one is the owner. A behaviour is registered under the keys of its owner alone: those
            of twins would let it drift.
        """
        owner = self.find(static)
        if owner is not None:
            return Claim(owner, "static", ())
        keys = full_keys()
        owner = min((found for found in map(self.find, keys) if found is not None), default=None)
        self.register(trial, static, trial if owner is None else owner)
        if owner is not None:
            return Claim(owner, "numeric", keys)
        for key in keys:
            self.register(trial, key, trial)
        return Claim(trial, None, keys)

    def find(self, key: bytes) -> int | None:
        """Returns the trial registered for a key, or None."""
        newest = self._newest.get(key)
        if newest is not None:
            return newest[0]
        if self._store is None:
            return None
        part = int.from_bytes(key[:_PART_BYTES])
        return self._store.key_owner(key) if self._parts[part >> 3] & 1 << (part & 7) else None

    def _mark(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            part = int.from_bytes(key[:_PART_BYTES])
            self._parts[part >> 3] |= 1 << (part & 7)

    def register(self, trial: int, key: bytes, owner: int) -> None:
        """Records, on behalf of `trial`, that `key` belongs to `owner`; also when a journal is replayed."""
        self._newest[key] = (owner, trial)

    def settle(self, trials: int) -> None:
        """Moves the keys of the trials before number `trials`, once there are many, from memory to the store."""
        if self._store is not None and len(self._newest) > _NEWEST:
            settled = sorted((k, o) for k, (o, t) in self._newest.items() if t < trials)
            self._store.index_keys(settled, trials)
            self._mark(k for k, _ in settled)
            self._newest = {k: v for k, v in self._newest.items() if v[1] >= trials}
