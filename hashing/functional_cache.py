"""The functional equivalence cache on its own: one call in place of an evaluation (arXiv 2302.05433).

    cache = FunctionalCache(Composed([Aggregating(3), Forgetful(0.1)]))
    fitness = cache.request(key, lambda: train(candidate)).value

Keys are any bytes that equal behaviours share, such as those that `hashing` computes. It is for loops that evaluate one
candidate after the other; the search, which keeps many under way, has `EquivalenceCache` and a journal instead.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np

from isozyme.hashing.policies import Moments, Plain, Policy, Record

_PLAIN = Plain()


class Reply(NamedTuple):
    """What a request brought.

    Attributes:
      value: mean of the draws so far, the newest included.
      kind: 'miss' and 'partial' for a hit drew an evaluation, 'full' did not.
      evaluations: n, the draws behind the value.
      seconds: to be charged: hashing, and unless the hit was full the mean time of an evaluation.
    """

    value: float
    kind: Literal["miss", "partial", "full"]
    evaluations: int
    seconds: float


@dataclass(slots=True)
class _Entry:
    record: Record = field(default_factory=Record)
    values: Moments = field(default_factory=Moments)
    seconds: Moments = field(default_factory=Moments)


class FunctionalCache:
    """Values by behaviour, the most recently requested last.

    It never asks `Policy.confirm`, since it does not know who leads.

    Attributes:
      misses: requests of a behaviour that was not known.
      partial_hits: requests of a known one that drew an evaluation all the same.
      full_hits: requests that were answered from what is known.
      forgotten: behaviours that the policy had forgotten; those that `capacity` pushed out do not count.
    """

    def __init__(self, policy: Policy = _PLAIN, seed: int = 0, capacity: int | None = None) -> None:
        """Makes an empty cache.

        Args:
          policy: what to do on a hit.
          seed: of its decisions, not negative; each depends on it and on the number of the request alone.
          capacity: behaviours kept; the one that was not requested for longest goes. None: all.

        Raises:
          ValueError: a negative seed, or a capacity below 1.
        """
        if seed < 0:
            raise ValueError(f"seed is {seed}: choose 0 or more")
        if capacity is not None and capacity < 1:
            raise ValueError(f"capacity is {capacity}: choose 1 or more, or None for no limit")
        self._policy, self._seed, self._capacity = policy, seed, capacity
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.misses = self.partial_hits = self.full_hits = self.forgotten = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def moments(self, key: bytes) -> Moments:
        """Count, mean and scatter of a behaviour's draws; looking is no request.

        Raises:
          KeyError: the behaviour is not known.
        """
        return replace(self._entries[key].values)

    def request(
        self,
        key: bytes,
        evaluate: Callable[[], float],
        hashing_seconds: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Reply:
        """The value of a behaviour, from what is known or from another evaluation, as the policy says.

        An evaluation that raises or returns NaN leaves nothing behind: neither value nor counts.

        Args:
          key: of the behaviour, under the conditions that its value depends on.
          evaluate: draws a value.
          hashing_seconds: what the key has cost.
          clock: seconds, for the time that an evaluation takes.
        """
        entry = self._entries.get(key)
        if entry is None:
            return self._draw(key, _Entry(), Record(), evaluate, hashing_seconds, clock)
        rng = np.random.default_rng((self._seed, self.misses + self.partial_hits + self.full_hits))
        record = replace(entry.record, requests=entry.record.requests + 1)
        if self._policy.evaluate_again(record, rng):
            record.evaluations += 1
            return self._draw(key, entry, record, evaluate, hashing_seconds, clock)
        self.full_hits += 1
        self._keep(key, entry, record)
        if self._policy.forget(record, rng):
            del self._entries[key]
            self.forgotten += 1
        return Reply(entry.values.mean, "full", entry.values.n, hashing_seconds)

    def _draw(
        self,
        key: bytes,
        entry: _Entry,
        record: Record,
        evaluate: Callable[[], float],
        hashing_seconds: float,
        clock: Callable[[], float],
    ) -> Reply:
        hit = entry.values.n > 0
        kind = "partial" if hit else "miss"
        start = clock()
        value = float(evaluate())
        seconds = clock() - start
        if math.isnan(value):
            return Reply(value, kind, entry.values.n, seconds + hashing_seconds)
        self.partial_hits += hit
        self.misses += not hit
        entry.values.add(value)
        entry.seconds.add(seconds)
        self._keep(key, entry, record)
        return Reply(entry.values.mean, kind, entry.values.n, entry.seconds.mean + hashing_seconds)

    def _keep(self, key: bytes, entry: _Entry, record: Record) -> None:
        entry.record = record
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if self._capacity is not None and len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
