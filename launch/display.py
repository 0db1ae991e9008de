"""What a person sees while a run goes on: a live table in a terminal, plain lines elsewhere."""

import contextlib
import time
import warnings
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from isozyme.launch.experiment import Budget
from isozyme.search.objectives import Objective
from isozyme.search.progress.progress import HITS, Progress
from isozyme.search.protocol import Trial

_LINE_EVERY = 5.0  # seconds


def say(console: Console, text: str) -> None:
    """Prints a text as it is, in lines as long as they are."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def warn(console: Console, text: str) -> None:
    """Prints a warning."""
    say(console, f"warning: {text}")


@contextlib.contextmanager
def warnings_to(console: Console) -> Iterator[None]:
    """Prints the warnings of a block as lines of the display."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: warn(console, str(message))
        yield


class Display:
    """Shows the progress of a search: a listener of the controller."""

    def __init__(self, console: Console, objective: Objective, budget: Budget) -> None:
        self._console, self._objective, self._budget = console, objective, budget
        self._live: Live | None = None
        self._line_at = time.monotonic()

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live = Live("waiting for the first trial …", console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, trial: Trial, progress: Progress) -> None:
        """Shows the progress after a trial."""
        del trial
        if self._live is not None:
            self._live.update(self._table(progress), refresh=progress.trials - progress.restored == 1)
        elif time.monotonic() - self._line_at >= _LINE_EVERY or progress.trials == self._budget.trials:
            self._line_at = time.monotonic()
            line = ", ".join(f"{name} {value}" for name, value in self._rows(progress) if value)
            say(self._console, line)

    def _table(self, progress: Progress) -> Any:
        table = Table(show_header=False, box=None)
        for name, value in self._rows(progress):
            table.add_row(name, Text(value or "–"))  # A reason may hold what rich takes for markup.
        return table

    def _rows(self, progress: Progress) -> list[tuple[str, str]]:
        shares = [f"{key} {progress.hits[key] / progress.trials:.1%}" for key in HITS[:2]]
        if progress.hits["store"]:
            shares.append(f"store {progress.hits['store'] / progress.trials:.1%}")
        audit = progress.audit
        audits = f"{audit.audited} twins evaluated, {audit.collisions} unlike their owner" if audit.audited else ""
        best = progress.best.metrics.get(self._objective.metric) if progress.best else None
        trials, left = self._budget.trials, ""
        if trials is not None and progress.rate:
            left = f"{(trials - progress.trials) / progress.rate:.0f} s"
        return [
            ("trials", f"{progress.trials}" + ("" if trials is None else f" of {trials}")),
            ("unique", str(progress.unique)),
            ("hits", ", ".join(shares)),
            ("audit", audits),
            ("failures", "; ".join(f"{reason} ×{n}" for reason, n in progress.reasons.most_common(4))),
            (f"best {self._objective.metric}", "" if best is None else f"{best:.4f}"),
            ("front", str(len(progress.archive.trials))),
            ("trials/s", f"{progress.rate:.1f}"),
            ("time left", left),
        ]
