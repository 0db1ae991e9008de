"""The controller: the one path that every trial takes, from proposal to feedback.

Proposal i sees the trials up to i - lag, and so do hurdles; a twin joins the first trial of its behaviour, finished or
in flight. All of this depends on numbers of trials and never on time, so that a seed and a lag give one trajectory on
any number of workers, and after any number of restarts. An asynchronous run gives that up: trials are fed back as they
finish, and a new one is proposed as soon as fewer than `lag` are under way.
"""

import gc
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from isozyme.evaluators.protocol import Status
from isozyme.hashing import Claim
from isozyme.search.accounting.phases import Stopwatch
from isozyme.search.controller.behaviour import Behaviour
from isozyme.search.controller.behaviours import Memory
from isozyme.search.controller.checks import check_metrics
from isozyme.search.controller.equivalence import Equivalence
from isozyme.search.controller.open_trial import Pending, refused
from isozyme.search.controller.sharing import Sharing
from isozyme.search.controller.snapshots import Snapshots
from isozyme.search.executors.protocol import Executor, Request
from isozyme.search.journal.conditions import known_conditions
from isozyme.search.journal.journal import Journal
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Algorithm, Exhausted, Trial
from isozyme.search.randomness import Streams
from isozyme.search.rules import Rules

_PATIENCE = 1.0  # seconds between looks at the executor
_TEND_EVERY = 1_000  # trials between looks at what memory may let go of

_PLAIN = Equivalence(audit=0.0)

Listener = Callable[[Trial, Progress], None]


class Controller:
    """Runs a search on a journal: a new one, or an earlier one that it continues.

    Args:
      rules: of the run.
      algorithm: who proposes.
      journal: open for writing.
      executor: where candidates are evaluated.
      equivalence: how twins are found, and how far they are trusted.
      sharing: with other runs, or None.
      listeners: called with each finished trial and the progress so far, in the order of feedback.
      clock: seconds since the epoch, for the times in the journal.
    """

    def __init__(
        self,
        rules: Rules,
        algorithm: Algorithm,
        journal: Journal,
        executor: Executor,
        *,
        equivalence: Equivalence = _PLAIN,
        sharing: Sharing | None = None,
        listeners: Sequence[Listener] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rules, self._equivalence = rules, equivalence
        self._algorithm = algorithm.start(rules.space, rules.objectives, rules.stages)
        self._hurdle = rules.hurdle and rules.hurdle.start(rules.objectives, rules.stages)
        self._journal, self._executor, self._sharing, self._listeners = journal, executor, sharing, listeners
        self._random, self._clock = Streams(rules.seed), clock
        self.progress = Progress(rules.objectives)
        self._watch = Stopwatch()
        self.progress.phases = self._watch.seconds
        self._pending: dict[int, Pending] = {}
        self._finished: dict[int, Trial] = {}
        self._arrived: deque[Trial] = deque()
        self._gaps: deque[int] = deque()  # Under way when an earlier, asynchronous session ended.
        self._uncommitted: dict[int, Trial] = {}
        self._restored: set[int] = set()  # Those of the finished ones that an earlier session journalled.
        self._conditions: str | None = None
        self._checked = False
        self._memory = Memory(journal, rules)
        self._claim = equivalence.claims(self._memory.cache, rules.space)
        self._plan = equivalence.plans(Streams((rules.seed, 1)))  # What is drawn on a hit leaves proposals as they are.
        self._audits = equivalence.audits
        self._snapshots = Snapshots(rules, journal, self._algorithm, self._hurdle, self.progress)
        self._fed = self._snapshots.restore()
        self._owners = self.progress.unique  # Trials that own their behaviour, those under way included.
        self._resumed = journal.count()

    def run(
        self, trials: int | None = None, evaluations: int | None = None, stop: Callable[[], bool] | None = None
    ) -> Progress:
        """Goes on until a budget is spent, earlier sessions included, or the algorithm exhausted; called once.

        Args:
          trials: how many trials, twins included.
          evaluations: how many trials that own their behaviour; those under way count.
          stop: asked before each new proposal; true ends the run.
        """

        def spent(number: int) -> bool:
            return (
                (trials is not None and number >= trials)
                or (evaluations is not None and self._owners >= evaluations)
                or (stop is not None and stop())
            )

        gc.freeze()  # What is there by now stays: to look for garbage in it took a seventh of a run.
        try:
            if self._rules.asynchronous:
                self._run_asynchronously(spent)
            else:
                self._run_in_order(spent)
        finally:
            gc.unfreeze()
        self._commit()
        return self.progress

    def _run_in_order(self, spent: Callable[[int], bool]) -> None:
        journalled = self._snapshots.replay(self._fed)
        following, number = next(journalled, None), self._fed
        with suppress(Exhausted):
            while following is not None or not spent(number):
                self._feed_until(number - self._rules.lag)
                if following is not None and following.number == number:
                    self._finished[number] = following
                    self._restored.add(number)
                    self._owners += following.unique
                    following = next(journalled, None)
                else:
                    self._propose(number)
                number += 1
        self._feed_until(number - 1)

    def _run_asynchronously(self, spent: Callable[[int], bool]) -> None:
        self._gaps.extend(self._journal.missing(0, self._resumed))
        for trial in self._snapshots.replay(self._fed):
            self._feed(trial, restored=True)
            self._owners += trial.unique
        number = self._resumed
        with suppress(Exhausted):
            while self._gaps or not spent(number):
                if self._gaps:
                    self._propose(self._gaps.popleft())
                else:
                    self._propose(number)
                    number += 1
                self._drain(self._rules.lag - 1)
        self._drain(0)

    def _drain(self, pending: int) -> None:
        """Collects until at most so many trials are under way, and feeds back what has arrived."""
        while len(self._pending) > pending:
            self._collect()
        self._commit()
        while self._arrived:
            self._feed(self._arrived.popleft(), restored=False)

    def _propose(self, number: int) -> None:
        """Proposal, validity, keys, cache, dispatch."""
        conditions = self.conditions()
        self._watch.start()
        proposal = self._algorithm.propose(number, self._random.of(number))
        self._watch.lap("proposal")
        reason = self._rules.space.validate(proposal.candidate)
        if reason is not None:
            return self._finish(refused(number, proposal, reason, self._clock()))
        static, claim = self._claim(number, proposal.candidate, conditions)
        self._watch.lap("keys")
        hit, behaviour = claim.hit, self._behaviour(number, claim)
        if claim.owner == number and behaviour.draws:
            hit = "store"
        self._owners += hit is None
        plan = self._plan(number, behaviour, hit is None)
        last = self._rules.stages - 1 if proposal.stages is None else min(proposal.stages, self._rules.stages) - 1
        hurdles = self._hurdle.thresholds() if self._hurdle is not None else ()
        bar = self.progress.best_cost
        self._pending[number] = Pending(
            number, proposal, static, claim.owner, hit, last, hurdles, plan, behaviour.draws, bar
        )
        behaviour.waiting.append(number)
        self._advance(behaviour)
        return self._watch.lap("dispatch")

    def _behaviour(self, number: int, claim: Claim) -> Behaviour:
        """That of a proposal; a new one may be known to other runs."""
        if claim.owner != number:
            return self._memory.behaviour(claim.owner)
        behaviour = self._memory.begin(number, claim.keys)
        if self._sharing is not None:
            self._sharing.look_up(behaviour)
        return behaviour

    def conditions(self) -> str:
        """The evaluator's conditions in the search; asked once a session, and compared with earlier sessions'."""
        if self._conditions is None:
            here = self._executor.conditions("search")
            self._conditions = known_conditions(self._journal, self._executor.conditions, "search")
            if self._conditions != here:
                warnings.warn("the evaluator's conditions are not those of this run's earlier sessions", stacklevel=1)
        return self._conditions

    def _advance(self, behaviour: Behaviour) -> None:
        """Concludes the trials that wait for a behaviour, in their order, up to one that has to be evaluated."""
        while behaviour.waiting:
            pending = self._pending[behaviour.waiting[0]]
            if pending.running:
                return
            step = pending.step(behaviour, self._rules, self._equivalence)
            if isinstance(step, Request):
                self._executor.submit(pending.number, step)
                return
            behaviour.waiting.popleft()
            del self._pending[pending.number]
            form = self._rules.space.form(pending.proposal.candidate)
            trial = pending.trial(step, behaviour, form, self._clock())
            self._memory.concluded(behaviour, trial)
            self._finish(trial)

    def _collect(self) -> None:
        """Takes in what the executor has, concludes what waited for it, and commits all of it at once."""
        self._watch.start()
        answers = self._executor.collect(_PATIENCE)
        self._watch.lap("evaluation")
        for number, answer in answers:
            pending = self._pending.get(number)
            if pending is not None and pending.running:  # Else an answer that came twice.
                behaviour = self._memory.behaviour(pending.owner)
                pending.take(answer)
                self._advance(behaviour)
        self._watch.lap("dispatch")
        self._commit()

    def _finish(self, trial: Trial) -> None:
        self._uncommitted[trial.number] = trial
        if self._rules.asynchronous:
            self._arrived.append(trial)
        else:
            self._finished[trial.number] = trial

    def _commit(self) -> None:
        if self._uncommitted:
            self._watch.start()
            arrived = self._fed + len(self._arrived) - len(self._uncommitted) if self._rules.asynchronous else None
            trials = list(self._uncommitted.values())
            self._journal.add(trials, self._rules.space.to_source, arrived)
            self._uncommitted.clear()
            if self._sharing is not None:
                self._sharing.share(trials)
            self._watch.lap("journal")

    def _feed_until(self, last: int) -> None:
        """Feeds back all trials up to `last` in their order; what is fed back has been committed."""
        while self._fed <= last:
            while self._fed not in self._finished:
                self._collect()
            if self._fed in self._uncommitted:
                self._commit()
            restored = self._fed in self._restored
            self._restored.discard(self._fed)
            self._feed(self._finished.pop(self._fed), restored)

    def _feed(self, trial: Trial, restored: bool) -> None:
        self._watch.start()
        if trial.status is Status.OK and not self._checked:
            self._checked = True
            check_metrics(self._rules.objectives, trial)
        self._algorithm.feedback(trial)
        if self._hurdle is not None:
            self._hurdle.feedback(trial)
        if self._audits and self._memory.is_split(trial):
            self.progress.audit.splits += 1
        self.progress.add(trial, restored)
        self._fed += 1
        for listener in self._listeners:
            listener(trial, self.progress)
        self._watch.lap("feedback")
        if self._fed % _TEND_EVERY == 0:
            self._memory.cache.settle(self._complete())
            self._snapshots.take(self._fed)
            self._watch.lap("journal")

    def _complete(self) -> int:
        """A number before which all trials are journalled."""
        return min([*self._pending, *self._gaps], default=self._fed) if self._rules.asynchronous else self._fed
