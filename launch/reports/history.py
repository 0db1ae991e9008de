"""How a run went, from its journal: what was found and spared in each part of it, and where the time went."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from isozyme.launch.errors import UsageError, type_and_first_line
from isozyme.launch.reading import RunReader
from isozyme.launch.reports import drawing, printing
from isozyme.search.accounting.phases import describe_phases
from isozyme.search.objectives import Objective
from isozyme.search.validation.meta_validation import Look, in_words, looks, rounds

_PARTS = 20


class Part(NamedTuple):
    """A stretch of a run.

    Attributes:
      trials: number of the trial after its last.
      best: the first objective of the best trial so far, or None.
      hits: trials by what spared their evaluation.
      evaluated: trials that own their behaviour.
      failed: of those, how many have no full score.
      form: means over the scored trials of what the space says of how candidates are written.
      cpu_seconds: of evaluation.
    """

    trials: int
    best: float | None
    hits: Counter[str]
    evaluated: int
    failed: int
    form: dict[str, float]
    cpu_seconds: float


def parts(trials: Iterable[Any], objective: Objective, count: int) -> list[Part]:
    """The run in `_PARTS` parts of equal length.

    Args:
      trials: in the order of their numbers, candidates as text.
      objective: the first one.
      count: how many trials there are.
    """
    found, best, cost = list[Part](), None, objective.cost
    length = max(1, -(-count // _PARTS))
    some: list[Any] = []
    for trial in trials:
        if some and trial.number >= length * (len(found) + 1):
            found.append(_part(some, best and best.metrics[objective.metric]))
            some = []
        some.append(trial)
        if trial.status == "ok" and (best is None or cost(trial.metrics) < cost(best.metrics)):
            best = trial
    return [*found, _part(some, best and best.metrics[objective.metric])] if some else found


def _part(trials: Sequence[Any], best: float | None) -> Part:
    owners = [t for t in trials if t.owns and t.hit is None]
    return Part(
        trials[-1].number + 1,
        best,
        Counter(t.hit for t in trials if t.hit is not None),
        len(owners),
        sum(t.status != "ok" for t in owners),
        _form(t for t in trials if t.status == "ok"),
        sum(t.effort.cpu_seconds for t in trials if t.evaluated),
    )


def _form(scored: Iterable[Any]) -> dict[str, float]:
    """Mean of each metric that no stage has measured: those are of form."""
    values = defaultdict[str, list[float]](list)
    for trial in scored:
        measured = set().union(*trial.stages)
        for name, value in trial.metrics.items():
            if name not in measured:
                values[name].append(value)
    return {name: sum(some) / len(some) for name, some in values.items()}


def show(reader: RunReader, chart: Path | None, jsonl: bool) -> None:
    """Prints the history of a run, and draws it.

    Args:
      reader: of the run.
      chart: a file for the picture, whose ending says of which kind, or None.
      jsonl: one JSON object a part in place of a table.

    Raises:
      UsageError: there are no trials yet, or the picture cannot be written.
    """
    objective, watched = reader.objectives[0], reader.identity.get("meta_validation") or {"evaluators": []}
    tasks = len(watched["evaluators"])  # They take turns.
    with reader.journal() as journal:
        run = parts(journal.trials(str), objective, journal.next_number())
        seen, sessions = looks(journal), journal.sessions()
    if not run:
        raise UsageError("this run has no trials yet")
    if jsonl:
        for part in run:
            print(json.dumps(part._asdict()))
    else:
        _print(run, seen, tasks, objective, sessions)
    if chart is not None:
        try:
            with drawing.plain():
                draw(run, seen, tasks, objective).savefig(chart)
        except (OSError, ValueError) as error:
            raise UsageError(f"--chart={chart}: {type_and_first_line(error)}") from error


def headings(run: Sequence[Part], objective: Objective) -> tuple[str, ...]:
    """Returns the headings of the table of parts."""
    return ("trials", f"best {objective.metric}", "hits", "evaluated", "not scored", *_form_names(run), "CPU s")


def _form_names(run: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(name for part in run for name in part.form))


def table_rows(run: Sequence[Part]) -> Iterator[tuple[str, ...]]:
    """Cells for each part."""
    first, names = 0, _form_names(run)
    for part in run:
        length, first = part.trials - first, part.trials
        hits = f"{sum(part.hits.values()) / length:.1%}"
        best = "–" if part.best is None else f"{part.best:.4f}"
        form = [printing.number(part.form.get(name)) for name in names]
        yield str(part.trials), best, hits, str(part.evaluated), str(part.failed), *form, f"{part.cpu_seconds:.0f}"


def _print(
    run: list[Part], seen: list[Look], tasks: int, objective: Objective, sessions: list[tuple[float, float, str]]
) -> None:
    table = printing.table(*headings(run, objective))
    for cells in table_rows(run):
        printing.row(table, *cells)
    printing.say_table(table)
    total = run[-1].trials
    hits = sum((part.hits for part in run), Counter())
    shares = ", ".join(f"{name} {n / total:.1%}" for name, n in sorted(hits.items()))
    hours = sum(seen - began for began, seen, _ in sessions) / 3600
    print(f"{total} trials, {sum(p.evaluated for p in run)} evaluated; hits {sum(hits.values()) / total:.1%}: {shares}")
    print(f"{len(sessions)} sessions, {hours:.2f} h, {total / hours if hours else 0:.0f} trials an hour")
    for remark in describe_phases(description for _, _, description in sessions):
        print(remark)
    if seen:
        print(in_words(seen, tasks))


def draw(run: list[Part], seen: list[Look], tasks: int, objective: Objective) -> Any:
    """Returns a figure: the best score, what was spared, form and the looks at other tasks, against trials."""
    from matplotlib.figure import Figure

    panels = [lambda axes: _draw_best(axes, run, objective), lambda axes: _draw_hits(axes, run)]
    if _form_names(run):
        panels.append(lambda axes: _draw_form(axes, run))
    if seen:
        panels.append(lambda axes: _draw_looks(axes, seen, tasks))
    figure = Figure(figsize=(4.0 * len(panels), 3.6), layout="constrained")
    for axes, draw_panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        draw_panel(axes)
        axes.set_xlabel("trials")
        axes.grid(alpha=0.3)
    return figure


def _ends(run: Sequence[Part]) -> list[int]:
    return [part.trials for part in run]


def _draw_best(axes: Any, run: Sequence[Part], objective: Objective) -> None:
    axes.plot(_ends(run), [part.best for part in run], marker="o", markersize=3)
    axes.set(ylabel=printing.escaped(f"best {objective.metric}"), title="in the search")


def _draw_hits(axes: Any, run: Sequence[Part]) -> None:
    ends = _ends(run)
    lengths = [b - a for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    axes.plot(ends, [sum(p.hits.values()) / n for p, n in zip(run, lengths, strict=True)])
    axes.set(ylabel="share of trials", ylim=(0, 1), title="hits")


def _draw_form(axes: Any, run: Sequence[Part]) -> None:
    for name in _form_names(run):
        values = [part.form.get(name, math.nan) for part in run]
        largest = max(abs(value) for value in values if not math.isnan(value))
        axes.plot(
            _ends(run),
            [value / (largest or 1.0) for value in values],
            label=printing.escaped(f"{name} (of {largest:.3g})"),
        )
    axes.legend()
    axes.set(ylabel="share of the largest mean", title="form")


def _draw_looks(axes: Any, seen: list[Look], tasks: int) -> None:
    axes.plot([look.trials for look in seen], [look.difference for look in seen], ".", markersize=4, label="one task")
    means = rounds(seen, tasks)
    axes.plot([look.trials for look in seen[len(seen) - len(means) :]], means, label=f"mean of {tasks} tasks")
    axes.legend()
    axes.set(ylabel="less is better; 0: the reference", title="the incumbent on other tasks")
