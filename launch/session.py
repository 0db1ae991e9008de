"""One session of a run: controller, displays, closing, files."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from isozyme.evaluators import process
from isozyme.evaluators.protocol import Evaluator, stages_of
from isozyme.hashing.stores import Store
from isozyme.launch import closing, loading, outputs, summary
from isozyme.launch.bill import Bill
from isozyme.launch.display import Display
from isozyme.launch.experiment import Experiment
from isozyme.launch.interruption import Interruption
from isozyme.launch.tensorboard_writer import TensorBoardWriter
from isozyme.search.controller.controller import Controller
from isozyme.search.controller.sharing import Sharing
from isozyme.search.executors import sources
from isozyme.search.executors.in_process import InProcessExecutor
from isozyme.search.executors.protocol import Executor
from isozyme.search.journal.journal import Journal
from isozyme.search.objectives import cost_of
from isozyme.search.progress.progress import Progress
from isozyme.search.protocol import Trial
from isozyme.search.validation.assessment import Assessor
from isozyme.search.validation.meta_validation import MetaValidator


class Where(NamedTuple):
    """Where a session evaluates.

    Attributes:
      config: the experiment's file, whose neighbours reach the workers.
      folder: the run folder, entered.
      workers: Ray actors, or 0 for this process.
      address: of a Ray cluster, or None.
      store: of outcomes that runs share, or None; it is closed in the end.
    """

    config: Path
    folder: Path
    workers: int
    address: str | None
    store: Store | None


def run(experiment: Experiment, where: Where, notes: list[str], interruption: Interruption) -> None:
    """Runs or resumes `experiment` in its run folder, and prints the summary.

    Args:
      experiment: checked, its data prepared.
      where: it runs.
      notes: warnings to print first.
      interruption: what ends it early.
    """
    console, folder = Console(), where.folder
    for note in notes:
        _warn(console, note)
    stages = stages_of(experiment.evaluator)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(contextlib.closing(Journal.open(folder)))
        executor = stack.enter_context(contextlib.closing(_executor(experiment, where, console)))
        sharing = None
        if where.store is not None:
            sharing = Sharing(stack.enter_context(contextlib.closing(where.store)), str(folder))
        bill = Bill(experiment, journal, where.workers, where.address)
        writer = TensorBoardWriter(folder, experiment, bill)
        trials = _trials(experiment, journal, console)
        _learn(experiment, folder, writer, console)
        display = Display(console, experiment.objectives[0], experiment.budget)
        validators = _validators(experiment, journal, writer)
        listeners = [interruption, bill, writer, *validators, _FrontFile(folder), display]
        controller = Controller(
            experiment.space,
            experiment.search,
            experiment.objectives,
            journal,
            executor,
            experiment.seed,
            experiment.lag,
            stages=stages,
            hurdle=experiment.hurdle,
            equivalence=experiment.equivalence,
            sharing=sharing,
            asynchronous=experiment.asynchronous,
            listeners=listeners,
        )
        for one in validators:
            one.begin(controller.progress.trials)
        stack.callback(writer.close, controller.progress)
        stop = _any([bill.limit(experiment.budget, controller.progress), *(one.overfits for one in validators)])
        with display, _warnings_to(console):
            progress = controller.run(trials, experiment.budget.evaluations, stop)
        bill.settle()
        outputs.write_front(folder, progress.archive)
        assessor = Assessor(experiment.space, journal, executor, stages)
        executors = partial(_executor, experiment, where, console)
        with _warnings_to(console):
            others = [n for one in validators for n in one.best_incumbents(experiment.finalists)]
            watched = [journal.trial(number, experiment.space.from_source) for number in others]
            result = closing.close(experiment, progress, assessor, executors, watched)
        bill.settle()
        if result is not None:
            writer.winner(progress.trials - 1, result)
            outputs.write_winner(folder, experiment.space, result, journal.lineage(result.winner.number))
        remarks = [one.in_words() for one in validators]
        summary.show(console, experiment, folder, progress, result, bill.cost(progress), [*remarks, *bill.phases()])


def _validators(experiment: Experiment, journal: Journal, writer: TensorBoardWriter) -> list[MetaValidator]:
    """The listener that looks at the incumbent on other tasks, where the experiment asks for one."""
    settings = experiment.meta_validation
    if settings is None:
        return []

    def listen(trials: int, seen: dict[str, float]) -> None:
        writer.add("meta_validation", trials, seen)

    guiding = experiment.objectives[0]
    return [MetaValidator(settings, experiment.space, guiding, journal, experiment.seed, listen)]


def _any(conditions: list[Callable[[], bool] | None]) -> Callable[[], bool]:
    """Whether any of the reasons to stop holds."""
    asked = [condition for condition in conditions if condition is not None]
    return lambda: any(condition() for condition in asked)


def _learn(experiment: Experiment, folder: Path, writer: TensorBoardWriter, console: Console) -> None:
    """Has a search that learns before its first trial do so, in this process."""
    learn = getattr(experiment.search, "learn", None)
    if learn is None:
        return

    def listen(step: int, seen: dict[str, float]) -> None:
        writer.add("one_shot", step, seen)
        text = ", ".join(f"{name} {value:.4g}" for name, value in seen.items())
        console.print(f"one-shot search, step {step}: {text}", highlight=False, markup=False, soft_wrap=True)

    learn(experiment.space, experiment.seed, folder, listen)


def _warn(console: Console, text: str) -> None:
    console.print(f"warning: {text}", highlight=False, markup=False, soft_wrap=True)


def _trials(experiment: Experiment, journal: Journal, console: Console) -> int | None:
    """The budget, but never less than an earlier session finished: its winner and front are not to be lost."""
    done, budget = journal.count(), experiment.budget.trials
    if budget is not None and done > budget:
        _warn(console, f"this run has {done} trials already, more than the budget of {budget}; all of them count")
    return None if budget is None else max(done, budget)


@contextlib.contextmanager
def _warnings_to(console: Console) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: _warn(console, str(message))
        yield


class _FrontFile:
    """Rewrites pareto.csv whenever the front has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, trial: Trial, progress: Progress) -> None:
        if progress.archive.trials[-1:] == [trial] and progress.trials > progress.restored:
            outputs.write_front(self._folder, progress.archive)


def _executor(experiment: Experiment, where: Where, console: Console, rung: Evaluator | None = None) -> Executor:
    """Runs the evaluator of the search, or that of a rung of the funnel, which no time limit is meant for."""

    def announce() -> None:
        place = f"the cluster at {where.address}" if where.address else "this machine"
        text = f"starting {where.workers} workers on {place}; each compiles its executables once"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    hurdle = experiment.hurdle
    cost = cost_of(hurdle.metric, experiment.objectives) if hurdle is not None else None
    arguments = (experiment.evaluator if rung is None else rung, experiment.space, experiment.seed)
    limit = experiment.time_limit if rung is None else None
    if where.workers == 0:
        return InProcessExecutor(*arguments, cost, limit)
    from isozyme.search.executors.ray_cluster.cluster import Cluster, Resources
    from isozyme.search.executors.ray_cluster.executor import RayExecutor

    share = experiment.per_worker
    cluster = Cluster(
        where.workers,
        where.address,
        process.environment(share.cpus),
        Resources(share.cpus, share.gpus, int(share.memory_gb * 1e9)),
        limit,
        sources.read_sources(where.config, loading.module_name(where.config)),
    )
    return RayExecutor(*arguments, cluster, cost=cost, on_start=announce)
