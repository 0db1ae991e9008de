"""One trial: its card, how it differs from another, where it comes from."""

import json
import math
import time

from isozyme.launch.errors import UsageError
from isozyme.launch.reading import Card, RunReader
from isozyme.launch.reading.card import difference
from isozyme.launch.reports import printing
from isozyme.launch.reports.printing import say

_SHOWN = 12  # of the numbers in a list of trials


def show(reader: RunReader, trial: int, jsonl: bool) -> None:
    """Prints a trial's card."""
    card = reader.card(trial)
    if jsonl:
        print(json.dumps(card.to_json()))
        return
    width = max(len(name) for name, _ in facts(card))
    for name, value in facts(card):
        say(f"{name:{width}}  {printing.escaped(value)}")
    say("")
    for line in printing.lines(card.trial.candidate):
        say(line)
    if card.diff is not None:
        say(f"\nagainst its parent, trial {card.trial.parents[0]}:")
        say(printing.changes(card.diff) if card.diff else "the same text")
    say(f"\nto export it: {printing.escaped(card.export)}")


def facts(card: Card) -> list[tuple[str, str]]:
    """What a card says in a line each, by name; left out where there is nothing to say."""
    trial, effort = card.trial, card.trial.effort
    twin = "" if trial.cached_from is None else f"of trial {trial.cached_from}, found by its {trial.hit} key"
    store = "another run that shares its store" if trial.cached_from is None and trial.hit else ""
    numbered = enumerate(zip(trial.stages, trial.stage_seconds, strict=True), 1)
    stages = [f"{i}: {printing.metrics(metrics)} ({seconds:.3g} s)" for i, (metrics, seconds) in numbered]
    audit = "failed" if trial.audit == math.inf else trial.audit
    found = {
        "trial": f"{trial.number}, finished {_moment(trial.finished)}",
        "status": f"{trial.status}: {trial.reason}" if trial.reason else str(trial.status),
        "metrics": printing.metrics(trial.metrics, card.noise),
        "mean of": f"{trial.evaluations} evaluations" if trial.evaluations > 1 else "",
        "stages": "; ".join(stages) if len(stages) > 1 else "",
        "twin": twin,
        "known from": store,
        "audit": "" if trial.audit is None else f"evaluated all the same: {audit}",
        "cost": f"{effort.seconds:.3g} s, {effort.cpu_seconds:.3g} CPU s, {trial.saved_seconds:.3g} s saved",
        "worker": effort.worker + (f", at attempt {effort.attempts}" if effort.attempts > 1 else ""),
        "made by": " of ".join(filter(None, [trial.proposal.operator, ", ".join(map(str, trial.parents))])),
        "note": trial.proposal.note,
        "same behaviour": _some(card.equivalents, card.equivalents_total),
        "written otherwise": _some(card.differently, card.differently_total),
        "children": _some(card.children, card.children_total),
        "static key": trial.keys.static,
        "key": trial.keys.behaviour,
        "shifted key": trial.keys.shifted,
    }
    return [(name, value) for name, value in found.items() if value]


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _some(numbers: list[int], total: int) -> str:
    if not total:
        return ""
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    return f"{total}: {shown}" + (" …" if total > _SHOWN else "")


def diff(reader: RunReader, trial: int, other: int | None) -> None:
    """Prints how a trial's text differs from that of another one, or of its first parent.

    Raises:
      UsageError: there is no such trial, or it has no parent here.
    """
    card = reader.card(trial)
    if other is None and card.diff is None:
        raise UsageError(f"trial {trial}: it has no parent in this run; name another trial to compare it with")
    base = card.trial.parents[0] if other is None else other
    text = difference(reader.card(base).trial.candidate, card.trial.candidate)
    say(f"--- trial {base}\n+++ trial {trial}")
    say(printing.changes(text) if text else "the same text")


def lineage(reader: RunReader, trial: int, jsonl: bool) -> None:
    """Prints a trial, its first parent, that one's first parent and so on."""
    line = reader.card(trial).lineage
    if jsonl:
        for one in line:
            print(json.dumps(one))
        return
    names = [objective.metric for objective in reader.objectives]
    table = printing.table("trial", "made by", "status", *names)
    for one in line:
        values = [printing.number(one["metrics"].get(name)) for name in names]
        printing.row(table, one["trial"], one["operator"], one["status"], *values)
    printing.say_table(table)
