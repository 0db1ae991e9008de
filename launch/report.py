"""Reads a run folder.

python launch/report.py trials RUN [--jsonl]            all trials
python launch/report.py front RUN [--jsonl]             the Pareto front
python launch/report.py history RUN [--jsonl] [--chart=FILE]  how it went: best, hits, time; as a picture too
python launch/report.py equivalents RUN [--jsonl]       behaviours that were written in several ways
python launch/report.py equivalents RUN KEY [--jsonl]   the ways in which one of them was written
"""

import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_COMMANDS = {"trials": 2, "front": 2, "history": 2, "equivalents": 3}  # words at most
_CHART = "--chart="


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0, or 2 with one line that says what to mend."""
    try:
        from isozyme.launch.checkout import require_same
        from isozyme.launch.errors import UsageError
    except ImportError as error:
        print(f"isozyme is not installed ({error}): pip install -e {Path(__file__).parent.parent}", file=sys.stderr)
        return 2
    try:
        require_same(__file__)
        if not arguments or any(a in ("-h", "--help") for a in arguments):
            print(__doc__)
            return 0 if arguments else 2
        code = _report(arguments)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # A reader such as `head` has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # What Python flushes at its end goes nowhere.
        return 0


def _report(arguments: Sequence[str]) -> int:
    from isozyme.launch.errors import UsageError

    jsonl = "--jsonl" in arguments
    chart = next((Path(a.removeprefix(_CHART)) for a in arguments if a.startswith(_CHART)), None)
    words = [a for a in arguments if a != "--jsonl" and not a.startswith(_CHART)]
    if not words or words[0] not in _COMMANDS or not 2 <= len(words) <= _COMMANDS[words[0]]:
        raise UsageError(
            f"{' '.join(arguments)}: write {' or '.join(_COMMANDS)}, then a run folder (and a key), then maybe --jsonl"
        )
    if chart is not None and words[0] != "history":
        raise UsageError(f"{' '.join(arguments)}: only history draws; leave {_CHART[:-1]} out")
    command, folder, key = words[0], Path(words[1]), words[2] if len(words) > 2 else None
    from isozyme.search.database import JournalError

    try:
        journal, objectives, identity = _read(folder)
        if command == "history":
            from isozyme.launch import history

            watched = identity.get("meta_validation") or {"evaluators": []}
            history.show(journal, objectives[0], len(watched["evaluators"]), chart, jsonl)
            return 0
        trials = journal.trials(lambda text: text)
        if command == "equivalents":
            from isozyme.launch import equivalents

            equivalents.show(trials, key, objectives[0].metric, jsonl)
            return 0
        chosen = trials if command == "trials" else _front(trials, objectives)
        if jsonl:
            for trial in chosen:
                print(json.dumps(_row(trial)))
        else:
            _table(chosen, [o.metric for o in objectives])
    except JournalError as error:
        raise UsageError(str(error)) from error
    return 0


def _read(folder: Path) -> tuple[Any, list[Any], dict[str, Any]]:
    """Journal, objectives, and what the run is, as plain JSON. Nothing of the run folder is executed."""
    from isozyme.launch import workdir
    from isozyme.search.journal import Journal
    from isozyme.search.objectives import Maximize, Minimize

    directions = {"minimize": Minimize, "maximize": Maximize}
    record = workdir.read(folder)
    objectives = [directions[kind](metric, reference) for kind, metric, reference in record["objectives"]]
    return Journal.read(folder), objectives, record["identity"]


def _front(trials: Iterable[Any], objectives: list[Any]) -> list[Any]:
    from isozyme.search.pareto import ParetoArchive

    archive = ParetoArchive(objectives)
    for trial in trials:
        archive.add(trial)
    return sorted(archive.trials, key=lambda t: objectives[0].cost(t.metrics))


def _row(trial: Any) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "status": trial.status,
        "reason": trial.reason,
        "candidate": trial.candidate,
        "metrics": trial.metrics,
        "static_key": trial.static_key,
        "key": trial.key,
        "cached_from": trial.cached_from,
        "hit": trial.hit,
        "stages": list(trial.stages),
        "taken": trial.taken,
        "parents": list(trial.parents),
        "operator": trial.operator,
        "seconds": trial.seconds,
        "cpu_seconds": trial.cpu_seconds,
        "saved_seconds": trial.saved_seconds,
        "attempts": trial.attempts,
        "worker": trial.worker,
        "finished": trial.finished,
        "evaluations": trial.evaluations,
        "m2": dict(trial.m2),
        "audit": trial.audit if trial.audit is None or math.isfinite(trial.audit) else "failed",
    }


def _table(trials: Iterable[Any], metrics: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("trial", "status", *metrics, "cached from", "parents", "reason")
    for trial in trials:
        values = [f"{trial.metrics[m]:.4g}" if m in trial.metrics else "–" for m in metrics]
        twin = "" if trial.cached_from is None else f"{trial.cached_from} ({trial.hit})"
        parents = ", ".join(map(str, trial.parents))
        table.add_row(str(trial.number), trial.status, *values, twin, parents, Text(trial.reason or ""))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
