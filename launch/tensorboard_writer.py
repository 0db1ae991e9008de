"""Writes a run to TensorBoard: scalars, hparams, a picture of the front, and the winner in words."""

import errno
import os
import re
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from isozyme.launch.closing import Closing
from isozyme.launch.experiment import Experiment
from isozyme.launch.meter import Meter
from isozyme.launch.overrides import paths
from isozyme.launch.reading.card import export_command
from isozyme.search.accounting.bill import bill_scalars
from isozyme.search.journal.database import no_room
from isozyme.search.progress.progress import HITS, Progress
from isozyme.search.protocol import Trial
from isozyme.spaces.protocol import Space

_SCALARS_EVERY = 1.0  # seconds
_PICTURE_EVERY = 30.0
_REASONS = 20  # of failures, the most frequent ones
_NOT_IN_TAGS = re.compile(r"[^\w./-]+")


class TensorBoardWriter:
    """A listener of the controller; steps are trial numbers."""

    def __init__(self, folder: Path, experiment: Experiment, meter: Meter) -> None:
        self._folder, self._experiment, self._meter = folder, experiment, meter
        self._writer: Any = None  # Made with the first new trial: a session without any leaves no file.
        self._scalars_at = self._picture_at = 0.0
        self._pictured: list[int] = []

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Writes scalars about once a second and the front when it has changed, twice a minute at most."""
        if progress.trials == progress.restored:
            return  # An earlier session wrote these.
        first = self._open()
        self._check()
        now = time.monotonic()
        if now - self._scalars_at >= _SCALARS_EVERY or first:
            self._scalars_at = now
            self._scalars(trial.number, progress)
        if now - self._picture_at >= _PICTURE_EVERY:
            self._picture_at = now
            self._picture(trial.number, progress)

    def add(self, group: str, step: int, values: dict[str, float]) -> None:
        """Writes scalars that come from elsewhere: what a one-shot search saw in its last steps, a look at other tasks.

        Args:
          group: the part before the slash.
          step: number of the trial, or of the one-shot search's step.
          values: by the part after the slash.
        """
        self._open()
        self._check()
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)

    def winner(self, step: int, closing: Closing) -> None:
        """Writes what the run has found: its text, how to export it, and its metrics on the final split.

        Nothing is written for a run that had been closed before and has no new trials.
        """
        opened = self._writer is not None
        if not opened and (self._folder / "best").exists():
            return
        self._open()
        self._check()
        self._writer.add_text("winner", _winner(self._experiment.space, closing, self._folder), step)
        outcome = (closing.scores.get("simplified") or closing.scores["winner"])["final"]
        self.add("final", step, outcome.metrics)

    def _open(self) -> bool:
        """Whether this is the first time."""
        if self._writer is not None:
            return False
        from tensorboardX import SummaryWriter

        before = set(threading.enumerate())
        self._writer = SummaryWriter(str(self._folder))
        (self._thread,) = set(threading.enumerate()) - before
        threading.excepthook = self._excepthook
        self._hparams()
        return True

    def _excepthook(self, args: threading.ExceptHookArgs) -> None:
        """Keeps quiet of a full disk in the thread that writes events: `_check` tells of it, in one line."""
        full = args.thread is self._thread and isinstance(args.exc_value, OSError) and no_room(args.exc_value)
        if not full:
            threading.__excepthook__(args)

    def _check(self) -> None:
        if not self._thread.is_alive():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self, progress: Progress) -> None:
        """Writes the last state, if this session did anything and can."""
        if self._writer is not None and self._thread.is_alive():
            self._scalars(progress.trials - 1, progress)
            self._picture(progress.trials - 1, progress)
            # Closing waits for the thread to write what is queued, for ever if the disk is full.
            closing = threading.Thread(target=self._writer.close, daemon=True)
            closing.start()
            while closing.is_alive() and self._thread.is_alive():
                closing.join(0.1)
            closing.join(0.1)
        if self._writer is not None and self._writer.file_writer is not None and not self._thread.is_alive():
            # tensorboardX flushes once more when Python ends, and would print why it cannot.
            self._writer.file_writer.event_writer.close = lambda: None

    def _scalars(self, step: int, progress: Progress) -> None:
        values = {
            "trials/unique": progress.unique,
            "trials/per_second": progress.rate,
            "front/size": len(progress.archive.trials),
            "front/hypervolume": progress.archive.hypervolume(),
            **{f"hits/{name}": progress.hits[name] / progress.trials for name in HITS},
            "hits/saving": progress.trials / max(progress.unique, 1),
            "audit/audited": progress.audit.audited,
            "audit/collisions": progress.audit.collisions,
            "audit/largest_difference": progress.audit.worst,
            "audit/suspected_splits": progress.audit.splits,
            **{f"status/{name}": count for name, count in sorted(progress.statuses.items())},
            **_failures(progress),
        }
        if progress.best is not None:
            values |= {f"best/{name}": value for name, value in sorted(progress.best.metrics.items())}
        for name, tally in sorted(progress.operators.tallies.items()):
            values |= {f"operators/{name}/proposals": tally.proposals, f"operators/{name}/better": tally.improvements}
        cost = self._meter.cost(progress)
        if cost is not None:
            values |= bill_scalars(cost, self._best_score(progress))
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def _best_score(self, progress: Progress) -> float | None:
        """The best score where more is better: of a cost, nothing per kWh can be said."""
        objective = self._experiment.objectives[0]
        return progress.best.metrics[objective.metric] if progress.best and objective.sign < 0 else None

    def _hparams(self) -> None:
        from tensorboardX.summary import hparams

        values = {
            path: value
            for path, value in paths(self._experiment).items()
            if isinstance(value, bool | int | float | str)
        }
        # Which kinds of parts they are the values of: a control differs in nothing else.
        values |= {part: type(getattr(self._experiment, part)).__name__ for part in ("space", "evaluator", "search")}
        names = [f"{group}/{o.metric}" for group in ("best", "final") for o in self._experiment.objectives]
        metrics = dict.fromkeys([*names, "front/hypervolume"], 0.0)
        for summary in hparams(values, metrics):
            self._writer.file_writer.add_summary(summary)

    def _picture(self, step: int, progress: Progress) -> None:
        numbers = [t.number for t in progress.archive.trials]
        if numbers and numbers != self._pictured:
            self._pictured = numbers
            self._writer.add_figure("front", draw_front(progress), step)
            self._writer.flush()


def _failures(progress: Progress) -> dict[str, float]:
    """How many failed for each of the most frequent reasons, by tag."""
    found = Counter[str]()
    for reason, count in progress.reasons.most_common(_REASONS):
        found["failures/" + _NOT_IN_TAGS.sub("_", reason.replace(": ", "/", 1)).strip("_")] += count
    return dict(sorted(found.items()))


def _winner(space: Space, closing: Closing, folder: Path) -> str:
    """The winner in Markdown; its text is set off by spaces, which nothing in it can end."""
    number = closing.winner.number
    command = export_command(folder, number)
    parts = [f"Trial {number}, as found:", _set_off(space.to_source(closing.winner.candidate))]
    if closing.steps:
        parts += ["Simplified:", _set_off(space.to_source(closing.candidate))]
    return "\n\n".join([*parts, f"Ready to use in {folder}/best/; any trial is exported by", _set_off(command)])


def _set_off(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def draw_front(progress: Progress) -> Any:
    """A figure of the front: the first objective against each of the others."""
    from matplotlib.figure import Figure

    objectives = progress.archive.objectives
    pairs = [(objectives[0], other) for other in objectives[1:]] or [(objectives[0], objectives[0])]
    figure = Figure(figsize=(4.5 * len(pairs), 4.0), layout="constrained")
    for axes, (vertical, horizontal) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
        trials = progress.archive.trials
        axes.scatter([t.metrics[horizontal.metric] for t in trials], [t.metrics[vertical.metric] for t in trials])
        axes.set_xlabel(horizontal.metric)
        axes.set_ylabel(vertical.metric)
        axes.set_title(f"front after {progress.trials} trials")
        axes.grid(alpha=0.3)
    return figure
