"""One session of a run: learns, searches, closes, reports."""

import contextlib
from collections.abc import Callable
from functools import partial

from rich.console import Console

from isozyme.launch import closing, outputs, summary
from isozyme.launch.closing import Closing
from isozyme.launch.display import Display, say, warn, warnings_to
from isozyme.launch.experiment import Experiment
from isozyme.launch.interruption import Interruption
from isozyme.launch.meter import Meter
from isozyme.launch.tensorboard_writer import TensorBoardWriter
from isozyme.launch.where import Where
from isozyme.search.controller.controller import Controller
from isozyme.search.controller.sharing import Sharing
from isozyme.search.journal.journal import Journal
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Algorithm, Learning
from isozyme.search.validation.held_out_assessment import HeldOutAssessor
from isozyme.search.validation.meta_validation import MetaValidator


def run(experiment: Experiment, where: Where, notes: list[str], interruption: Interruption) -> None:
    """Runs or resumes `experiment` in its run folder, and prints the summary.

    Args:
      experiment: checked, its data prepared.
      where: it runs.
      notes: warnings to print first.
      interruption: what ends it early.
    """
    console = Console()
    for note in notes:
        warn(console, note)
    with contextlib.ExitStack() as stack:
        session = _Session(experiment, where, console, stack)
        progress = session.search(session.algorithm(), interruption)
        found = session.close(progress)
        session.report(progress, found)


class _Session:
    """What the parts of a session share; the stack closes it."""

    def __init__(self, experiment: Experiment, where: Where, console: Console, stack: contextlib.ExitStack) -> None:
        self._experiment, self._where, self._console, self._stack = experiment, where, console, stack
        self._rules = experiment.rules(where.folder / outputs.ARTIFACTS)
        self._journal = stack.enter_context(contextlib.closing(Journal.open(where.folder)))
        self._executor = stack.enter_context(contextlib.closing(where.executor(experiment, console)))
        self._sharing: Sharing | None = None
        if where.store is not None:
            self._sharing = Sharing(stack.enter_context(contextlib.closing(where.store)), str(where.folder))
        self._meter = Meter(experiment, self._journal, where.workers, where.address)
        self._writer = TensorBoardWriter(where.folder, experiment, self._meter)
        self._validators = self._make_validators()
        self._trials = self._budget_of_trials()

    def _make_validators(self) -> list[MetaValidator]:
        """The listener that looks at the incumbent on other tasks, where the experiment asks for one."""
        settings = self._experiment.meta_validation
        if settings is None:
            return []
        return [MetaValidator(settings, self._rules, self._journal, partial(self._writer.add, "meta_validation"))]

    def _budget_of_trials(self) -> int | None:
        """The budget, but never less than an earlier session finished: its winner and front are not to be lost."""
        done, budget = self._journal.next_number(), self._experiment.budget.trials
        if budget is not None and done > budget:
            what = f"this run has {done} trials already, more than the budget of {budget}; all of them count"
            warn(self._console, what)
        return None if budget is None else max(done, budget)

    def algorithm(self) -> Algorithm:
        """Returns who proposes. A search that learns before its first trial does so here, in this process."""
        search = self._experiment.search
        if not isinstance(search, Learning):
            return search

        def listen(step: int, seen: dict[str, float]) -> None:
            self._writer.add("one_shot", step, seen)
            text = ", ".join(f"{name} {value:.4g}" for name, value in seen.items())
            say(self._console, f"one-shot search, step {step}: {text}")

        return search.learn(self._experiment.space, self._experiment.seed, self._where.folder, listen)

    def search(self, algorithm: Algorithm, interruption: Interruption) -> Progress:
        """Runs trials until the budget is spent or a validator objects, and writes the front."""
        experiment, validators = self._experiment, self._validators
        display = Display(self._console, experiment.objectives[0], experiment.budget)
        front = outputs.FrontFile(self._where.folder)
        controller = Controller(
            self._rules,
            algorithm,
            self._journal,
            self._executor,
            equivalence=experiment.equivalence,
            sharing=self._sharing,
            listeners=[interruption, self._meter, self._writer, *validators, front, display],
        )
        for one in validators:
            one.begin(controller.progress.trials)
        self._stack.callback(self._writer.close, controller.progress)
        stop = _any([self._meter.limit(experiment.budget, controller.progress), *(one.overfits for one in validators)])
        with display, warnings_to(self._console):
            progress = controller.run(self._trials, experiment.budget.evaluations, stop)
        self._meter.settle()
        outputs.write_front(self._where.folder, progress.archive)
        return progress

    def close(self, progress: Progress) -> Closing | None:
        """Chooses the winner, and writes it; None if nothing has a score."""
        experiment, journal = self._experiment, self._journal
        assessor = HeldOutAssessor(self._rules, journal, self._executor)
        executors = partial(self._where.executor, experiment, self._console)
        with warnings_to(self._console):
            numbers = [n for one in self._validators for n in one.best_incumbents(experiment.finalists)]
            watched = [journal.trial(number, experiment.space.from_source) for number in numbers]
            found = closing.close(experiment, progress, assessor, executors, watched)
        self._meter.settle()
        if found is not None:
            self._writer.winner(progress.trials - 1, found)
            lineage = list(journal.lineage(found.winner.number))
            outputs.write_winner(self._where.folder, experiment.space, found, lineage)
        return found

    def report(self, progress: Progress, found: Closing | None) -> None:
        """Prints the summary."""
        remarks = [*(one.in_words() for one in self._validators), *self._meter.phases()]
        bill = self._meter.cost(progress)
        summary.show(self._console, self._experiment, self._where.folder, progress, found, bill, remarks)


def _any(conditions: list[Callable[[], bool] | None]) -> Callable[[], bool]:
    """Whether any of the reasons to stop holds."""
    asked = [condition for condition in conditions if condition is not None]
    return lambda: any(condition() for condition in asked)
