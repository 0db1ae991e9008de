"""The controller: the one path that every trial takes, from proposal to feedback.

Proposal i sees the trials up to i - lag, and so do hurdles; a twin joins the first trial of its behaviour, finished or
in flight. All of this depends on numbers of trials and never on time, so that a seed and a lag give one trajectory on
any number of workers, and after any number of restarts.
"""

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from isozyme.evaluators.protocol import Job, Outcome, Status
from isozyme.hashing import Claim, EquivalenceCache, behaviour_key, numeric_key, static_key
from isozyme.search.executors import Executor
from isozyme.search.hurdles import QuantileHurdle
from isozyme.search.journal import Journal
from isozyme.search.objectives import Objective
from isozyme.search.progress import Progress
from isozyme.search.protocol import Algorithm, Proposal, Trial
from isozyme.spaces.protocol import Space

_PATIENCE = 1.0  # seconds between looks at the executor


class _Pending(NamedTuple):
    """A proposal under way."""

    proposal: Proposal
    static: bytes
    claim: Claim


class Controller:
    """Runs a search on a journal: a new one, or an earlier one that it continues.

    Args:
      space: what is searched.
      algorithm: who proposes.
      objectives: what for; the first one guides the search.
      journal: open for writing.
      executor: where candidates are evaluated.
      seed: of the run.
      lag: how many trials may be under way; at least 1.
      hurdle: who goes on to the full run, or None.
      listeners: called with each finished trial and the progress so far, in the order of trials.
    """

    def __init__(
        self,
        space: Space,
        algorithm: Algorithm,
        objectives: Sequence[Objective],
        journal: Journal,
        executor: Executor,
        seed: int,
        lag: int,
        hurdle: QuantileHurdle | None = None,
        listeners: Sequence[Callable[[Trial, Progress], None]] = (),
    ) -> None:
        self._space, self._algorithm, self._hurdle = space, algorithm, hurdle
        self._journal, self._executor, self._listeners = journal, executor, listeners
        self._seed, self._lag = seed, lag
        self.progress = Progress(objectives)
        self._cache = EquivalenceCache()
        self._outcomes: dict[int, Outcome] = {}
        self._pending: dict[int, _Pending] = {}
        self._twins: defaultdict[int, list[int]] = defaultdict(list)
        self._finished: dict[int, Trial] = {}
        self._uncommitted: list[Trial] = []
        self._fed = 0
        self._compared = False
        self._journalled = {trial.number: trial for trial in journal.trials(space.from_source)}
        algorithm.setup(space, objectives)
        if hurdle is not None:
            hurdle.setup()

    def run(self, trials: int) -> Progress:
        """Goes on until `trials` trials are finished, those of earlier sessions included; called once."""
        for number in range(trials):
            self._feed_until(number - self._lag)
            if number in self._journalled:
                self._restore(self._journalled[number])
            else:
                self._propose(number)
        self._feed_until(trials - 1)
        return self.progress

    def _restore(self, trial: Trial) -> None:
        """Takes a trial from the journal in place of proposing and evaluating it."""
        form = self._space.form(trial.candidate)
        if trial.status is not Status.INVALID:
            owner = trial.number if trial.cached_from is None else trial.cached_from
            self._cache.register(owner, bytes.fromhex(trial.static_key), bytes.fromhex(trial.key))
        metrics = {name: value for name, value in trial.metrics.items() if name not in form}
        self._outcomes[trial.number] = Outcome(trial.status, trial.reason, metrics)
        self._finished[trial.number] = trial

    def _propose(self, number: int) -> None:
        """Proposal, validity, keys, cache, dispatch."""
        self._compare_conditions()
        proposal = self._algorithm.propose(number, np.random.default_rng([self._seed, number]))
        candidate = proposal.candidate
        reason = self._space.validate(candidate)
        if reason is not None:
            trial = Trial(number, candidate, proposal.parents, Status.INVALID, reason, finished=time.time())
            return self._finish(trial)
        static = static_key(self._space, candidate)
        claim = self._cache.claim(number, static, lambda: self.key(candidate, "search"))
        self._pending[number] = _Pending(proposal, static, claim)
        if claim.owner == number:
            hurdle = self._hurdle.threshold() if self._hurdle else None
            self._executor.submit(number, Job(candidate, "search", hurdle))
        elif claim.owner in self._outcomes:
            self._conclude(number, self._outcomes[claim.owner])
        else:
            self._twins[claim.owner].append(number)
        return None

    def _collect(self) -> None:
        """Takes in what the executor has, joins the twins, and commits all of it at once."""
        for number, outcome in self._executor.collect(_PATIENCE):
            self._outcomes[number] = outcome
            self._conclude(number, outcome)
            for twin in self._twins.pop(number, ()):
                self._conclude(twin, outcome)
        self._commit()

    def _conclude(self, number: int, outcome: Outcome) -> None:
        proposal, static, claim = self._pending.pop(number)
        owned = claim.owner == number
        trial = Trial(
            number=number,
            candidate=proposal.candidate,
            parents=proposal.parents,
            status=outcome.status,
            reason=outcome.reason,
            metrics={**outcome.metrics, **self._space.form(proposal.candidate)},
            static_key=static.hex(),
            key=claim.key.hex(),
            cached_from=None if owned else claim.owner,
            hit=claim.hit,
            seconds=outcome.seconds if owned else 0.0,
            finished=time.time(),
        )
        self._finish(trial)

    def _finish(self, trial: Trial) -> None:
        self._finished[trial.number] = trial
        self._uncommitted.append(trial)

    def _feed_until(self, last: int) -> None:
        """Feeds back all trials up to `last` in their order; what is fed back has been committed."""
        while self._fed <= last:
            while self._fed not in self._finished:
                self._collect()
            self._commit()
            trial = self._finished.pop(self._fed)
            self._algorithm.feedback(trial)
            if self._hurdle is not None:
                self._hurdle.feedback(trial)
            self.progress.add(trial, restored=trial.number in self._journalled)
            self._fed += 1
            for listener in self._listeners:
                listener(trial, self.progress)

    def _commit(self) -> None:
        if self._uncommitted:
            self._journal.add(self._uncommitted, self._space.to_source)
            self._uncommitted.clear()

    def key(self, candidate: Any, split: str) -> bytes:
        """The behaviour key of a candidate on a split."""
        return behaviour_key(numeric_key(self._space, candidate), self._conditions(split))

    def _conditions(self, split: str) -> str:
        """The evaluator's conditions: asked once a run folder, so that a finished run needs no workers."""
        known = self._journal.meta(f"conditions/{split}")
        if known is None:
            known = self._executor.conditions(split)
            self._journal.set_meta(f"conditions/{split}", known)
        return known

    def _compare_conditions(self) -> None:
        """Warns, once a session, when evaluations differ here from those that the journal holds."""
        if not self._compared:
            self._compared = True
            if self._conditions("search") != self._executor.conditions("search"):
                warnings.warn("the evaluator's conditions are not those of this run's earlier sessions", stacklevel=1)

    def assess(self, candidates: Sequence[Any], split: str) -> list[Outcome]:
        """Evaluates candidates on a closing split, once a run folder for each behaviour.

        Returns:
          outcomes in the order of `candidates`, metrics of form included.
        """
        keys = [self.key(candidate, split).hex() for candidate in candidates]
        waiting = {}
        for ticket, key in enumerate(keys):
            if self._journal.assessment(key) is None and key not in waiting.values():
                waiting[ticket] = key
                self._executor.submit(ticket, Job(candidates[ticket], split))
        while waiting:
            for ticket, outcome in self._executor.collect(_PATIENCE):
                source = self._space.to_source(candidates[ticket])
                self._journal.assess(waiting.pop(ticket), split, source, outcome)
        outcomes = []
        for candidate, key in zip(candidates, keys, strict=True):
            outcome = self._journal.assessment(key)
            assert outcome is not None
            metrics = {**outcome.metrics, **self._space.form(candidate)}
            outcomes.append(Outcome(outcome.status, outcome.reason, metrics, outcome.seconds))
        return outcomes
