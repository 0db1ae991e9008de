"""Candidates that are written differently and behave the same, from the trials of a run."""

import json
from typing import Any

from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.launch.reports import printing
from isozyme.launch.reports.printing import say

_MOST = 50  # behaviours listed
_FEWEST_DIGITS = 4

Ways = dict[str, list[Any]]
"""Trials of one behaviour by the text of their candidate, in the order of their first trials."""


def show(reader: RunReader, key: str | None, jsonl: bool) -> None:
    """Prints the ways in which the behaviour with a key was written; without one, the behaviours with most ways.

    Args:
      reader: of a run.
      key: a behaviour key in hexadecimal, or how it begins.
      jsonl: one JSON object a line in place of text.

    Raises:
      UsageError: no trial or several behaviours have such a key.
    """
    metric = reader.objectives[0].metric
    behaviours: dict[str, Ways] = {}
    with reader.journal() as journal:
        for trial in journal.trials(str):
            found = trial.keys.behaviour
            if found and (key is None or found.startswith(key.lower())):
                behaviours.setdefault(found, {}).setdefault(trial.candidate, []).append(trial)
    if key is None:
        _show_behaviours(behaviours, metric, jsonl)
        return
    if len(key) < _FEWEST_DIGITS:
        raise UsageError(f"{key}: give at least {_FEWEST_DIGITS} digits of a key")
    if len(behaviours) != 1:
        found = f"the keys of {len(behaviours)} behaviours begin so" if behaviours else "no behaviour has this key"
        raise UsageError(f"{key}: {found}; `report.py equivalents RUN` lists keys")
    ((_, ways),) = behaviours.items()
    _show_ways(ways, metric, jsonl)


def _show_behaviours(behaviours: dict[str, Ways], metric: str, jsonl: bool) -> None:
    several = sorted((item for item in behaviours.items() if len(item[1]) > 1), key=lambda item: -len(item[1]))
    table = printing.table("key", "ways", "trials", "first", metric)
    table.columns[0].no_wrap = True
    for key, ways in several if jsonl else several[:_MOST]:
        first = next(iter(ways.values()))[0]
        count = sum(map(len, ways.values()))
        if jsonl:
            row = {"key": key, "ways": len(ways), "trials": count, "first": first.number, "metrics": first.metrics}
            print(json.dumps(row))
        else:
            printing.row(table, key, len(ways), count, first.number, _shown(first, metric))
    if not jsonl:
        printing.say_table(table)
        print(f"{len(several)} of {len(behaviours)} behaviours were written in more than one way")


def _show_ways(ways: Ways, metric: str, jsonl: bool) -> None:
    for number, (text, trials) in enumerate(ways.items(), 1):
        hits = list(dict.fromkeys(trial.hit or "evaluated" for trial in trials))
        worst = max((trial.audit for trial in trials if trial.audit is not None), default=None)
        if jsonl:
            numbers = [trial.number for trial in trials]
            print(json.dumps({"candidate": text, "trials": numbers, "found_by": hits, "audit": worst}))
            continue
        shown = ", ".join(str(trial.number) for trial in trials[:8]) + (" …" if len(trials) > 8 else "")
        audit = "" if worst is None else f", audited: differs by {worst:.2g}"
        score = f"{metric} {_shown(trials[0], metric)}"
        say(f"-- {number} of {len(ways)}: trial {shown} ({', '.join(hits)}), {printing.escaped(score)}{audit}")
        for line in printing.lines(text):
            say(line)


def _shown(trial: Any, metric: str) -> str:
    value = trial.metrics.get(metric)
    return str(trial.status) if value is None else f"{value:.6g}"
