"""Keeps behaviours in memory for a while, reads others from the journal, and finds them by keys."""

import json
from collections import OrderedDict
from collections.abc import Mapping

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.hashing import EquivalenceCache, digest
from isozyme.hashing.policies import Record
from isozyme.search.controller.behaviour import Behaviour, Evaluation
from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Trial
from isozyme.search.rules import Rules

KEPT = 1_000  # behaviours in memory
_FAILURES = frozenset({Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.CRASHED})


class Behaviours:
    """Behaviours by the number of the trial that owns them.

    Args:
      rules: of the run.
      journal: open; trials of earlier sessions are in it.

    Attributes:
      cache: finds the owner of a behaviour by keys.
    """

    def __init__(self, rules: Rules, journal: Journal) -> None:
        self._journal, self._rules, self._staged = journal, rules, rules.stages > 1
        self.cache = EquivalenceCache(journal)
        self._behaviours: OrderedDict[int, Behaviour] = OrderedDict()
        self._room = KEPT
        for one in journal.trial_keys(journal.indexed_trials()):
            found = self.cache.find(one.static) if one.static else one.trial
            if found is None:
                self.cache.register(one.trial, one.static, one.trial if one.owner is None else one.owner)
            for key in (one.behaviour, one.shifted) if one.owner is None else ():
                if key and self.cache.find(key) is None:
                    self.cache.register(one.trial, key, one.trial)
            if one.latest:
                self.cache.register(one.trial, _latest_key(one.behaviour), one.trial)
            if one.device and one.static:
                self._register_measurement(one.trial, one.static, one.device)

    def __len__(self) -> int:
        """Returns how many behaviours are in memory."""
        return len(self._behaviours)

    def begin(self, owner: int, keys: tuple[bytes, ...]) -> Behaviour:
        """Begins a new behaviour, owned by a trial."""
        if len(self._behaviours) > self._room:
            self._forget()
        found = self._behaviours[owner] = Behaviour(keys)
        return found

    def owned_by(self, owner: int) -> Behaviour:
        """Returns the behaviour that a trial owns."""
        return self._behaviours.get(owner) or self._recall(owner)

    def note(self, behaviour: Behaviour, trial: Trial) -> None:
        """Takes in a finished trial that says more of its behaviour than its owner does, or has been measured."""
        if trial.record or (self._staged and trial.evaluated and trial.audit is None and trial.cached_from is not None):
            self.cache.register(trial.number, _latest_key(behaviour.keys[0]), trial.number)
        if trial.device and trial.keys.static:
            self._register_measurement(trial.number, bytes.fromhex(trial.keys.static), trial.device)

    def recall_measurement(self, behaviour: Behaviour, static: bytes, device: str) -> None:
        """Gives a behaviour what an earlier trial, written alike, has measured on the same device, if any has."""
        if not static or behaviour.measurement(static) is not None:
            return
        number = self.cache.find(_measured_key(static, device))
        if number is not None:
            metrics = self._journal.trial(number, str).metrics
            names = [part for name in self._rules.measured for part in (name, f"{name}/spread")]
            behaviour.add_measurement(static, Outcome(Status.OK, None, {name: metrics[name] for name in names}))

    def _register_measurement(self, trial: int, static: bytes, device: str) -> None:
        key = _measured_key(static, device)
        if self.cache.find(key) is None:
            self.cache.register(trial, key, trial)

    def is_split(self, trial: Trial) -> bool:
        """Tells whether another behaviour has led to the very same metrics: then its keys may be too fine."""
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
        latest = self.cache.find(_latest_key(keys[0])) if self._staged or trial.record else None
        if latest is not None and latest != owner:
            trial = self._journal.trial(latest, str)
        if trial.record:
            restore_record(found, trial.record)
        else:
            evaluation = found.begin(found.evaluations)
            evaluation.stages, evaluation.seconds = list(trial.stages), list(trial.stage_seconds)
            evaluation.artifacts = tuple(path.partition("/")[2] for path in trial.artifacts)
            if trial.status in _FAILURES:
                evaluation.failure = Outcome(trial.status, trial.reason, self._metrics_of_failure(trial))
            if trial.evaluations > 1:  # As another run had shared them.
                evaluation.weight, evaluation.m2, found.begun = trial.evaluations, trial.m2, trial.evaluations
        return found

    def _metrics_of_failure(self, trial: Trial) -> dict[str, float]:
        """Returns metrics of the stage that failed: those that are neither of form nor of an earlier stage."""
        space = self._rules.space
        known: Mapping[str, float] = space.form(space.from_source(trial.candidate))
        earlier = {name for stage in trial.stages for name in stage}
        return {name: value for name, value in trial.metrics.items() if name not in known and name not in earlier}

    def _forget(self) -> None:
        """Drops those that nobody waits for, all but the newest few; next time after as many again have come."""
        idle = [owner for owner, found in self._behaviours.items() if not found.waiting]
        for owner in idle[: max(len(idle) - KEPT // 2, 0)]:
            del self._behaviours[owner]
        self._room = len(self._behaviours) + KEPT // 2


def record_of(evaluations: list[Evaluation], begun: int, counts: tuple[int, int, bool]) -> str:
    """Writes what a policy knows of a behaviour as JSON: its evaluations and counts, as they were for one trial."""
    return json.dumps([[one.to_json() for one in evaluations], begun, *counts])


def restore_record(behaviour: Behaviour, record: str) -> None:
    """Gives a behaviour what `record_of` wrote."""
    evaluations, behaviour.begun, count, requests, behaviour.forgotten = json.loads(record)
    behaviour.evaluations = [Evaluation.from_json(values) for values in evaluations]
    behaviour.record = Record(count, requests)


def _latest_key(key: bytes) -> bytes:
    return digest(b"latest", key)


def _measured_key(static: bytes, device: str) -> bytes:
    return digest(b"measured", static, device.encode())
