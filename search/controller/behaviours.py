"""Behaviours: kept in memory for a while, and else read from the journal; and the cache that finds them."""

import json
from collections import OrderedDict
from collections.abc import Mapping

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing import EquivalenceCache, digest
from isozyme.hashing.policies import Record
from isozyme.search.controller.behaviour import Behaviour, Draw
from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Trial
from isozyme.search.rules import Rules

_KEPT = 1_000
_FAILURES = frozenset({Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED})


class Memory:
    """Behaviours by the number of the trial that owns them, and the cache that finds the owner by keys."""

    def __init__(self, journal: Journal, rules: Rules) -> None:
        self._journal, self._space, self._staged = journal, rules.space, rules.stages > 1
        self.cache = EquivalenceCache(journal)
        self._behaviours: OrderedDict[int, Behaviour] = OrderedDict()
        self._room = _KEPT
        for number, static, key, shifted, owner, latest in journal.keys(journal.indexed()):
            found = self.cache.find(static) if static else number
            if found is None:
                self.cache.register(number, static, number if owner is None else owner)
            for one in (key, shifted) if owner is None else ():
                if one and self.cache.find(one) is None:
                    self.cache.register(number, one, number)
            if latest:
                self.cache.register(number, _latest(key), number)

    def begin(self, owner: int, keys: tuple[bytes, ...]) -> Behaviour:
        """A new behaviour."""
        if len(self._behaviours) > self._room:
            self._forget()
        found = self._behaviours[owner] = Behaviour(keys)
        return found

    def behaviour(self, owner: int) -> Behaviour:
        """The behaviour that a trial owns."""
        return self._behaviours.get(owner) or self._recall(owner)

    def concluded(self, behaviour: Behaviour, trial: Trial) -> None:
        """Notes a trial that says more of its behaviour than its owner does."""
        if trial.record or (self._staged and trial.evaluated and trial.audit is None and trial.cached_from is not None):
            self.cache.register(trial.number, _latest(behaviour.keys[0]), trial.number)

    def is_split(self, trial: Trial) -> bool:
        """Whether another behaviour has led to the very same metrics: then its keys may be too fine."""
        if not trial.unique or trial.status is not Status.OK or not trial.stages:
            return False
        text = ";".join(f"{name}={value:.9g}" for stage in trial.stages for name, value in sorted(stage.items()))
        outcome = digest(b"outcome", text.encode())
        owner = self.cache.find(outcome)
        if owner is None:
            self.cache.register(trial.number, outcome, trial.number)
        return owner is not None and owner < trial.number

    def _recall(self, owner: int) -> Behaviour:
        trial = self._journal.trial(owner, str)  # A candidate takes as long to read as all the rest.
        keys = tuple(map(bytes.fromhex, filter(None, (trial.keys.behaviour, trial.keys.shifted))))
        found = self.begin(owner, keys)
        latest = self.cache.find(_latest(keys[0])) if self._staged or trial.record else None
        if latest is not None and latest != owner:
            trial = self._journal.trial(latest, str)
        if trial.record:
            restore(found, trial.record)
        else:
            draw = found.begin(found.draws)
            draw.stages, draw.seconds = list(trial.stages), list(trial.stage_seconds)
            if trial.status in _FAILURES:
                draw.failure = Outcome(trial.status, trial.reason, self._rest(trial))
            if trial.evaluations > 1:  # As another run had shared them.
                draw.weight, draw.m2, found.begun = trial.evaluations, trial.m2, trial.evaluations
        return found

    def _rest(self, trial: Trial) -> dict[str, float]:
        """Metrics of the stage that failed: those that are neither of form nor of an earlier stage."""
        known: Mapping[str, float] = self._space.form(self._space.from_source(trial.candidate))
        earlier = {name for stage in trial.stages for name in stage}
        return {name: value for name, value in trial.metrics.items() if name not in known and name not in earlier}

    def _forget(self) -> None:
        """Drops those that nobody waits for, all but the newest few; next time after as many again have come."""
        idle = [owner for owner, found in self._behaviours.items() if not found.waiting]
        for owner in idle[: max(len(idle) - _KEPT // 2, 0)]:
            del self._behaviours[owner]
        self._room = len(self._behaviours) + _KEPT // 2


def written(draws: list[Draw], begun: int, counts: tuple[int, int, bool]) -> str:
    """What a policy knows of a behaviour as JSON: its evaluations and counts, as they were for one trial."""
    return json.dumps([[draw.to_json() for draw in draws], begun, *counts])


def restore(behaviour: Behaviour, record: str) -> None:
    """Takes in what `written` returned."""
    draws, behaviour.begun, evaluations, requests, behaviour.forgotten = json.loads(record)
    behaviour.draws = [Draw.from_json(values) for values in draws]
    behaviour.record = Record(evaluations, requests)


def _latest(key: bytes) -> bytes:
    return digest(b"latest", key)
