"""Assesses candidates in full on data that the search never saw, each once a run folder."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from isozyme.evaluators.protocol import Outcome
from isozyme.hashing import behaviour_key, numeric_key, static_key
from isozyme.search.executors.protocol import Executor, Request
from isozyme.search.journal.conditions import known_conditions
from isozyme.search.journal.journal import Journal
from isozyme.search.rules import Rules
from isozyme.spaces.protocol import Space

_PATIENCE = 1.0  # seconds between looks at the executor


class HeldOutAssessor:
    """Assesses candidates through an executor and keeps the outcomes in the journal.

    Args:
      rules: of the run; the last of their stages, the full run, is what is asked for.
      journal: open for writing.
      executor: where candidates are evaluated; idle, so that no answer of a search arrives here.
      place: under which the journal keeps the evaluator's conditions.
    """

    def __init__(self, rules: Rules, journal: Journal, executor: Executor, place: str = "conditions") -> None:
        self.space = rules.space
        self._rules, self._journal, self._executor, self._place = rules, journal, executor, place

    def assess(self, candidates: Sequence[Any], split: str, evaluation: int = 0) -> list[Outcome]:
        """Returns the outcomes in the order of `candidates`, metrics of form included.

        Args:
          candidates: valid ones.
          split: the data split to score on.
          evaluation: which of several independent evaluations.
        """
        return [outcome for (outcome,) in self.assess_repeatedly(candidates, split, [evaluation])]

    def assess_repeatedly(
        self, candidates: Sequence[Any], split: str, evaluations: Sequence[int]
    ) -> list[list[Outcome]]:
        """Returns outcomes [candidates][evaluations] of independent evaluations, which are all asked for at once."""
        conditions = known_conditions(self._journal, self._executor.conditions, split, self._place)
        behaviours = [twin_key(self.space, candidate) for candidate in candidates]
        jobs, full = list(product(range(len(candidates)), evaluations)), self._rules.stages - 1
        keys = [behaviour_key(behaviours[i], _conditions_of(conditions, evaluation)).hex() for i, evaluation in jobs]
        waiting: dict[int, str] = {}
        asked: set[str] = set()
        for ticket, ((i, evaluation), key) in enumerate(zip(jobs, keys, strict=True)):
            if key not in asked and self._journal.assessment(key) is None:
                waiting[ticket] = key
                asked.add(key)
                self._executor.submit(ticket, Request(candidates[i], split, full, full, evaluation=evaluation))
        while waiting:
            for ticket, answer in self._executor.collect(_PATIENCE):
                source = self.space.to_source(candidates[jobs[ticket][0]])
                self._journal.assess(waiting.pop(ticket), split, source, answer.outcomes[-1])
        found = [self._with_form(candidates[i], key) for (i, _), key in zip(jobs, keys, strict=True)]
        return [found[i * len(evaluations) : (i + 1) * len(evaluations)] for i in range(len(candidates))]

    @contextlib.contextmanager
    def elsewhere(self, executor: Executor, stages: int, place: str) -> Iterator["HeldOutAssessor"]:
        """Lends an assessor for another evaluator of the same run, whose executor is closed in the end.

        The own executor is closed to make room, and starts again when it is next used.
        """
        self._executor.close()
        with contextlib.closing(executor):
            yield HeldOutAssessor(replace(self._rules, stages=stages), self._journal, executor, place)

    def _with_form(self, candidate: Any, key: str) -> Outcome:
        outcome = self._journal.assessment(key)
        assert outcome is not None
        metrics = {**outcome.metrics, **self.space.form(candidate)}
        return Outcome(outcome.status, outcome.reason, metrics, outcome.seconds)


def twin_key(space: Space, candidate: Any) -> bytes:
    """Returns what twins share: the numeric key, or the static key where there is none."""
    return numeric_key(space, candidate) or static_key(space, candidate)


def _conditions_of(conditions: str, evaluation: int) -> str:
    """Returns the conditions of one evaluation; the first one has those of the evaluator, which name its seeds."""
    return f"{conditions}, evaluation {evaluation}" if evaluation else conditions
