"""Closing assessments: candidates scored in full on data that the search never saw, once a run folder each."""

from collections.abc import Sequence
from typing import Any

from isozyme.evaluators.protocol import Outcome
from isozyme.hashing import behaviour_key, numeric_key, static_key
from isozyme.search.conditions import known_conditions
from isozyme.search.executors import Executor, Request
from isozyme.search.journal import Journal
from isozyme.spaces.protocol import Space

_PATIENCE = 1.0  # seconds between looks at the executor


class Assessor:
    """Assesses candidates through an executor and keeps what comes of it in the journal.

    Args:
      space: of the candidates.
      journal: open for writing.
      executor: where candidates are evaluated; idle, so that no answer of a search arrives here.
      stages: how many the evaluator has; the last one, the full run, is what is asked for.
    """

    def __init__(self, space: Space, journal: Journal, executor: Executor, stages: int) -> None:
        self._space, self._journal, self._executor, self._full = space, journal, executor, stages - 1

    def assess(self, candidates: Sequence[Any], split: str) -> list[Outcome]:
        """Outcomes in the order of `candidates`, metrics of form included."""
        keys = [self._key(candidate, split).hex() for candidate in candidates]
        waiting = {}
        for ticket, key in enumerate(keys):
            if self._journal.assessment(key) is None and key not in waiting.values():
                waiting[ticket] = key
                self._executor.submit(ticket, Request(candidates[ticket], split, self._full, self._full))
        while waiting:
            for ticket, answer in self._executor.collect(_PATIENCE):
                source = self._space.to_source(candidates[ticket])
                self._journal.assess(waiting.pop(ticket), split, source, answer.outcomes[-1])
        return [self._with_form(candidate, key) for candidate, key in zip(candidates, keys, strict=True)]

    def _with_form(self, candidate: Any, key: str) -> Outcome:
        outcome = self._journal.assessment(key)
        assert outcome is not None
        metrics = {**outcome.metrics, **self._space.form(candidate)}
        return Outcome(outcome.status, outcome.reason, metrics, outcome.seconds)

    def _key(self, candidate: Any, split: str) -> bytes:
        behaviour = numeric_key(self._space, candidate) or static_key(self._space, candidate)
        return behaviour_key(behaviour, known_conditions(self._journal, self._executor, split))
