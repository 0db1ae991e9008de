"""One session of a run: controller, displays, closing, files."""

import contextlib
import sys
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console

from isozyme.evaluators import process
from isozyme.launch import closing, outputs, summary
from isozyme.launch.display import Display
from isozyme.launch.experiment import Experiment
from isozyme.launch.loading import MODULE_PREFIX
from isozyme.launch.tensorboard_writer import TensorBoardWriter
from isozyme.search.controller import Controller
from isozyme.search.executors import Executor, InProcessExecutor
from isozyme.search.journal import Journal
from isozyme.search.progress import Progress
from isozyme.search.protocol import Trial


def run(experiment: Experiment, folder: Path, workers: int, address: str | None, notes: list[str]) -> None:
    """Runs or resumes `experiment` in its run folder, and prints the summary.

    Args:
      experiment: checked, its data prepared.
      folder: the run folder, entered.
      workers: Ray actors, or 0 for this process.
      address: of a Ray cluster, or None.
      notes: warnings to print first.
    """
    console = Console()
    for note in notes:
        console.print(f"warning: {note}", highlight=False, markup=False, soft_wrap=True)
    with contextlib.ExitStack() as stack:
        journal = stack.enter_context(contextlib.closing(Journal.open(folder)))
        executor = stack.enter_context(contextlib.closing(_executor(experiment, workers, address, console)))
        writer = TensorBoardWriter(folder, experiment)
        trials = _trials(experiment, journal, console)
        display = Display(console, experiment.objectives[0], trials)
        controller = Controller(
            experiment.space,
            experiment.search,
            experiment.objectives,
            journal,
            executor,
            experiment.seed,
            experiment.lag,
            experiment.hurdle,
            [writer, _FrontFile(folder), display],
        )
        stack.callback(writer.close, controller.progress)
        progress = _search(controller, trials, display, console)
        outputs.write_front(folder, progress.archive)
        result = closing.close(experiment, controller)
        if result is not None:
            _write_winner(experiment, folder, result, journal)
        summary.show(console, experiment, folder, progress, result)


def _trials(experiment: Experiment, journal: Journal, console: Console) -> int:
    """The budget, but never less than an earlier session finished: its winner and front are not to be lost."""
    done = journal.count()
    if done > experiment.budget.trials:
        text = f"warning: this run has {done} trials already, more than the budget of {experiment.budget.trials}"
        console.print(f"{text}; all of them count", highlight=False, markup=False, soft_wrap=True)
    return max(done, experiment.budget.trials)


def _search(controller: Controller, trials: int, display: Display, console: Console) -> Progress:
    with display, warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: console.print(
            f"warning: {message}", markup=False, soft_wrap=True
        )
        return controller.run(trials)


class _FrontFile:
    """Rewrites pareto.csv whenever the front has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, trial: Trial, progress: Progress) -> None:
        if progress.archive.trials[-1:] == [trial] and progress.trials > progress.restored:
            outputs.write_front(self._folder, progress.archive)


def _executor(experiment: Experiment, workers: int, address: str | None, console: Console) -> Executor:
    def announce() -> None:
        where = f"the cluster at {address}" if address else "this machine"
        text = f"starting {workers} workers on {where}; each compiles its executables once"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    if workers == 0:
        return InProcessExecutor(experiment.evaluator, experiment.space, experiment.seed)
    from isozyme.search.ray_executor import RayExecutor

    return RayExecutor(
        experiment.evaluator,
        experiment.space,
        experiment.seed,
        workers,
        address,
        process.environment(),
        by_value=[name for name in sys.modules if name.startswith(MODULE_PREFIX)],
        on_start=announce,
    )


def _write_winner(experiment: Experiment, folder: Path, result: closing.Closing, journal: Journal) -> None:
    scores: dict[str, Any] = {
        name: {split: {"status": o.status, **o.metrics} for split, o in by_split.items()}
        for name, by_split in result.scores.items()
    }
    lineage = journal.lineage(result.winner.number)
    outputs.write_winner(folder, experiment.space, result.winner, lineage, scores)
