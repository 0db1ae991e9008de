"""The controller: the one path that every trial takes, from proposal to feedback.

Proposal i sees the trials up to i - lag, and so do hurdles; a twin joins the first trial of its behaviour, finished or
in flight. All of this depends on numbers of trials and never on time, so that a seed and a lag give one trajectory on
any number of workers, and after any number of restarts. An asynchronous run gives that up: trials are fed back as they
finish, and a new one is proposed as soon as fewer than `lag` are under way.
"""

import gc
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

from isozyme.evaluators.protocol import Status
from isozyme.hashing import Claim
from isozyme.search.accounting.phases import Stopwatch
from isozyme.search.controller.artifacts import Artifacts
from isozyme.search.controller.behaviour import Behaviour
from isozyme.search.controller.behaviours import Behaviours
from isozyme.search.controller.checks import check_metrics
from isozyme.search.controller.equivalence import Equivalence
from isozyme.search.controller.feedback_order import AgendaEntry, feedback_order
from isozyme.search.controller.open_trial import OpenTrial, TrialState, refused_trial
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
SETTLE_EVERY = 1_000  # trials between looks at what memory may let go of

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

    Attributes:
      progress: what has been done so far.
      behaviours: what is known of each behaviour.
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
        space = rules.space  # Asked for its methods once: a symbolic object takes long to look one up.
        self._validate, self._form, self._to_source = space.validate, space.form, space.to_source
        self._open: dict[int, OpenTrial] = {}
        self._uncommitted: dict[int, Trial] = {}
        self._restored: set[int] = set()  # Trials to be fed back that an earlier session journalled.
        self._conditions: str | None = None
        self._device = ""
        self._checked = False
        self.behaviours = Behaviours(rules, journal)
        self._artifacts = Artifacts(rules.artifacts)
        self._claim = equivalence.claims(self.behaviours.cache, rules.space)
        self._plan = equivalence.plans(Streams((rules.seed, 1)))  # What is drawn on a hit leaves proposals as they are.
        self._audits = equivalence.audits
        self._order = feedback_order(rules)
        self._snapshots = Snapshots(rules, self._order, journal, self._algorithm, self._hurdle, self.progress)
        self._fed = self._snapshots.restore()
        self._owners = self.progress.unique  # Trials that own their behaviour, open ones included.
        self._journalled = journal.next_number()  # By earlier sessions.

    def run(
        self, trials: int | None = None, evaluations: int | None = None, stop: Callable[[], bool] | None = None
    ) -> Progress:
        """Goes on until a budget is spent, earlier sessions included, or the algorithm exhausted; called once.

        Args:
          trials: how many trials, twins included.
          evaluations: how many trials that own their behaviour; open ones count.
          stop: asked before each new proposal, once what it has to see has been fed back; true ends the run.
        """

        def is_spent(number: int) -> bool:
            return (
                (trials is not None and number >= trials)
                or (evaluations is not None and self._owners >= evaluations)
                or (stop is not None and stop())
            )

        gc.freeze()  # What is there by now stays: to look for garbage in it took a seventh of a run.
        try:
            self._run(is_spent)
        finally:
            gc.unfreeze()
        return self.progress

    def _run(self, is_spent: Callable[[int], bool]) -> None:
        """Takes in or proposes one trial after the other, and feeds back what each has to wait for."""
        number = self._fed
        with suppress(Exhausted):
            for entry in self._order.agenda(self._snapshots.replay(self._fed), self._fed, self._journal):
                number = entry.number
                self._feed_back(number, self._rules.lag)
                if entry.trial is None and not entry.owed and is_spent(number):
                    break
                self._take_in(entry) if entry.trial is not None else self._propose(number)
        self._feed_back(number, 1)
        self._commit()
        self._remove_artifacts()

    def _take_in(self, entry: AgendaEntry) -> None:
        """Takes in a trial of an earlier session."""
        assert entry.trial is not None
        self._order.finish(entry.trial)
        self._restored.add(entry.number)
        self._owners += entry.trial.unique

    def _feed_back(self, number: int, lag: int) -> None:
        """Feeds back all that proposal `number` has to see with a lag; what is fed back has been committed."""
        while self._order.is_due(number, self._fed, len(self._open), lag):
            trial = self._order.following(self._fed)
            if trial is None:
                self._collect()
                continue
            if trial.number in self._uncommitted:
                self._commit()
            self._order.drop(trial)
            self._feed(trial)

    def _propose(self, number: int) -> None:
        """Proposes a trial, keys it, and takes it as far as its behaviour allows."""
        conditions = self.conditions()
        self._watch.start()
        proposal = self._algorithm.propose(number, self._random.of(number))
        self._watch.lap("proposal")
        reason = self._validate(proposal.candidate)
        if reason is not None:
            return self._finish(refused_trial(number, proposal, reason, self._clock()))
        static, claim = self._claim(number, proposal.candidate, conditions)
        self._watch.lap("keys")
        hit, behaviour = claim.hit, self._behaviour(number, claim)
        if claim.owner == number and behaviour.evaluations:
            hit = "store"
        self._owners += hit is None
        if self._rules.measured:
            self.behaviours.recall_measurement(behaviour, static, self._device)
        last = self._rules.stages - 1 if proposal.stages is None else min(proposal.stages, self._rules.stages) - 1
        self._open[number] = OpenTrial(
            number,
            proposal,
            static,
            claim.owner,
            hit,
            last,
            self._hurdle.thresholds() if self._hurdle is not None else (),
            self._plan(number, behaviour, hit is None),
            behaviour.evaluations,
            self.progress.best_cost,
            self._artifacts.folder_of(behaviour.keys[0]),
        )
        behaviour.waiting.append(number)
        self._advance(behaviour)
        return self._watch.lap("dispatch")

    def _behaviour(self, number: int, claim: Claim) -> Behaviour:
        """Returns the behaviour of a proposal; a new one may be known to other runs."""
        if claim.owner != number:
            return self.behaviours.owned_by(claim.owner)
        behaviour = self.behaviours.begin(number, claim.keys)
        if self._sharing is not None:
            self._sharing.look_up(behaviour)
        return behaviour

    def conditions(self) -> str:
        """Returns the evaluator's conditions in the search; asks once a session, and compares with earlier sessions."""
        if self._conditions is None:
            here = self._executor.conditions("search")
            self._conditions = known_conditions(self._journal, self._executor.conditions, "search")
            if self._conditions != here:
                warnings.warn("the evaluator's conditions are not those of this run's earlier sessions", stacklevel=1)
            self._device = self._executor.device() if self._rules.measured else ""
        return self._conditions

    def _advance(self, behaviour: Behaviour) -> None:
        """Concludes the trials that wait for a behaviour, in their order, up to one that has to be evaluated."""
        while behaviour.waiting:
            open_trial = self._open[behaviour.waiting[0]]
            if open_trial.state is not TrialState.WAITING:
                return
            step = open_trial.step(behaviour, self._rules, self._equivalence)
            if isinstance(step, Request):
                self._executor.submit(open_trial.number, step)
                return
            behaviour.waiting.popleft()
            del self._open[open_trial.number]
            form = self._form(open_trial.proposal.candidate)
            trial = open_trial.trial(step, behaviour, form, self._device, self._clock())
            self.behaviours.note(behaviour, trial)
            self._finish(trial)

    def _collect(self) -> None:
        """Takes in what the executor has, concludes what waited for it, and commits all of it at once."""
        self._watch.start()
        answers = self._executor.collect(_PATIENCE)
        self._watch.lap("evaluation")
        for number, answer in answers:
            open_trial = self._open.get(number)
            if open_trial is not None and open_trial.state is not TrialState.WAITING:  # Else an answer that came twice.
                behaviour = self.behaviours.owned_by(open_trial.owner)
                open_trial.take(answer, behaviour)
                self._advance(behaviour)
        self._watch.lap("dispatch")
        self._commit()

    def _finish(self, trial: Trial) -> None:
        self._uncommitted[trial.number] = trial
        self._order.finish(trial)

    def _commit(self) -> None:
        if self._uncommitted:
            self._watch.start()
            trials = list(self._uncommitted.values())
            arrival = self._order.arrival(self._fed, len(trials))
            self._journal.add(trials, self._to_source, arrival)
            self._uncommitted.clear()
            if self._sharing is not None:
                self._sharing.share(trials)
            self._watch.lap("journal")

    def _feed(self, trial: Trial) -> None:
        self._watch.start()
        restored = trial.number in self._restored
        self._restored.discard(trial.number)
        if trial.status is Status.OK and not self._checked:
            self._checked = True
            check_metrics(self._rules.objectives, trial)
        self._algorithm.feedback(trial)
        if self._hurdle is not None:
            self._hurdle.feedback(trial)
        if self._audits and self.behaviours.is_split(trial):
            self.progress.audit.splits += 1
        self.progress.add(trial, restored)
        self._fed += 1
        for listener in self._listeners:
            listener(trial, self.progress)
        self._watch.lap("feedback")
        if self._rules.artifacts is not None:
            self._artifacts.note(trial)
            if self._fed >= self._journalled:
                self._remove_artifacts()
        if self._fed % SETTLE_EVERY == 0:
            self.behaviours.cache.settle(self._order.complete(self._fed, self._open))
            self._snapshots.take(self._fed)
            self._watch.lap("journal")

    def _remove_artifacts(self) -> None:
        """Removes the artifacts that neither the best trials nor open ones need."""
        owners = {one.owner for one in self._open.values()}
        keys = [self.behaviours.owned_by(owner).keys[0].hex() for owner in owners]
        self._artifacts.remove_unwanted(self.progress, [*keys, *(one.keys.behaviour for one in self._order.unfed())])
