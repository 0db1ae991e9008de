"""What is known of each behaviour: the outcomes of its stages, kept for a while and else read from the journal."""

from collections import OrderedDict, deque
from collections.abc import Mapping

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing import EquivalenceCache, digest
from isozyme.search.journal import Journal
from isozyme.search.protocol import Trial
from isozyme.spaces.protocol import Space

_KEPT = 1_000
_FAILURES = frozenset({Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED})


class Behaviour:
    """One behaviour, owned by the first trial that showed it.

    Attributes:
      key: its behaviour key.
      stages: metrics after each stage evaluated so far.
      seconds: wall time of each of these stages.
      failure: what came of the stage after these, if it failed.
      waiting: numbers of the trials that have yet to be concluded, in their order; the first one may be evaluating.
    """

    __slots__ = ("failure", "key", "seconds", "stages", "waiting")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.stages: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.failure: Outcome | None = None
        self.waiting: deque[int] = deque()

    def extend(self, outcomes: tuple[Outcome, ...]) -> None:
        """Takes in the outcomes of further stages."""
        for outcome in outcomes:
            if outcome.status is Status.OK:
                self.stages.append(outcome.metrics)
                self.seconds.append(outcome.seconds)
            else:
                self.failure = outcome


class Memory:
    """Behaviours by the number of the trial that owns them, and the cache that finds the owner by keys."""

    def __init__(self, journal: Journal, space: Space, stages: int) -> None:
        self._journal, self._space, self._staged = journal, space, stages > 1
        self.cache = EquivalenceCache(journal)
        self._behaviours: OrderedDict[int, Behaviour] = OrderedDict()
        self._room = _KEPT
        for number, static, key, owner, further in journal.keys(journal.indexed()):
            self._register(number, static, key, number if owner is None else owner, bool(further))

    def _register(self, number: int, static: bytes, key: bytes, owner: int, further: bool) -> None:
        for one in (static, key):
            if self.cache.find(one) is None:
                self.cache.register(number, one, owner)
        if self._staged and further:
            self.cache.register(number, _furthest(key), number)

    def begin(self, owner: int, key: bytes) -> Behaviour:
        """A new behaviour."""
        if len(self._behaviours) > self._room:
            self._forget()
        found = self._behaviours[owner] = Behaviour(key)
        return found

    def behaviour(self, owner: int) -> Behaviour:
        """The behaviour that a trial owns."""
        return self._behaviours.get(owner) or self._recall(owner)

    def concluded(self, behaviour: Behaviour, trial: Trial) -> None:
        """Notes a twin that has taken its behaviour further."""
        if self._staged and trial.evaluated and trial.cached_from is not None:
            self.cache.register(trial.number, _furthest(behaviour.key), trial.number)

    def _recall(self, owner: int) -> Behaviour:
        trial = self._journal.trial(owner, self._space.from_source)
        key = bytes.fromhex(trial.key)
        further = self.cache.find(_furthest(key)) if self._staged else None
        if further is not None and further != owner:
            trial = self._journal.trial(further, self._space.from_source)
        found = self.begin(owner, key)
        found.stages, found.seconds = list(trial.stages), list(trial.stage_seconds)
        if trial.status in _FAILURES:
            found.failure = Outcome(trial.status, trial.reason, self._rest(trial))
        return found

    def _rest(self, trial: Trial) -> dict[str, float]:
        """Metrics of the stage that failed: those that are neither of form nor of an earlier stage."""
        known: Mapping[str, float] = self._space.form(trial.candidate)
        earlier = {name for stage in trial.stages for name in stage}
        return {name: value for name, value in trial.metrics.items() if name not in known and name not in earlier}

    def _forget(self) -> None:
        """Drops those that nobody waits for, all but the newest few; next time after as many again have come."""
        idle = [owner for owner, found in self._behaviours.items() if not found.waiting]
        for owner in idle[: max(len(idle) - _KEPT // 2, 0)]:
            del self._behaviours[owner]
        self._room = len(self._behaviours) + _KEPT // 2


def _furthest(key: bytes) -> bytes:
    return digest(b"furthest", key)
