"""What runs tell each other: outcomes of behaviours, through a store that all of them can reach."""

import time
import warnings
from collections.abc import Sequence

from isozyme.evaluators.protocol import Status
from isozyme.hashing.stores import Entry, Store, StoreUnavailable
from isozyme.search.controller.behaviour import Behaviour, Evaluation
from isozyme.search.protocol import Trial

_PAUSE = 60.0  # seconds for which a store that does not answer is left alone
_SHARED = frozenset({Status.OK, Status.PARTIAL, Status.HURDLE})


class Sharing:
    """Looks up and shares outcomes in a store that runs share. Without the store the run goes on alone.

    What it finds is journalled with the trial, so that a resumed run does not ask again.

    Args:
      store: open.
      origin: of what this run shares, for people: its folder.
    """

    def __init__(self, store: Store, origin: str) -> None:
        self._store, self._origin = store, origin
        self._silent_until = 0.0

    def look_up(self, behaviour: Behaviour) -> None:
        """Gives a new behaviour the evaluations that the store knows of."""
        entry = self._entry(behaviour.keys)
        if entry is not None:
            known = Evaluation()
            known.stages, known.seconds = [dict(stage) for stage in entry.stages], list(entry.seconds)
            known.weight, known.m2 = entry.evaluations, dict(entry.m2)
            behaviour.evaluations, behaviour.begun = [known], entry.evaluations
            behaviour.record.evaluations = entry.evaluations

    def _entry(self, keys: tuple[bytes, ...]) -> Entry | None:
        if time.monotonic() >= self._silent_until:
            try:
                found = self._store.get(keys)
                return next((found[key] for key in keys if key in found), None)
            except StoreUnavailable as error:
                self._leave_alone(error)
        return None

    def share(self, trials: Sequence[Trial]) -> None:
        """Tells of what trials have evaluated; they are journalled already, so that no run hears of its own again."""
        entries: dict[bytes, Entry] = {}
        for trial in trials:
            if trial.evaluated and trial.audit is None and trial.status in _SHARED and trial.stages:
                _, *keys = trial.keys
                entry = Entry(
                    trial.stages, trial.stage_seconds, trial.evaluations, trial.m2,
                    f"{self._origin}, trial {trial.number}",
                )  # fmt: skip
                entries |= {bytes.fromhex(key): entry for key in keys if key}
        if entries and time.monotonic() >= self._silent_until:
            try:
                self._store.put(entries)
            except StoreUnavailable as error:
                self._leave_alone(error)

    def _leave_alone(self, error: StoreUnavailable) -> None:
        warnings.warn(f"{error}; the run goes on without it for {_PAUSE:g} s", stacklevel=1)
        self._silent_until = time.monotonic() + _PAUSE
