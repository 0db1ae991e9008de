"""Reads a run folder.

python launch/report.py COMMAND RUN …, for instance

python launch/report.py front runs/demo             the Pareto front as a table
python launch/report.py front runs/demo --jsonl     the same for programs: one JSON object a line
python launch/report.py show runs/demo 340          all about trial 340
python launch/report.py html runs/demo              a page to share
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn


class _Parser(argparse.ArgumentParser):
    """Tells of a mistake in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        from isozyme.launch.errors import UsageError

        raise UsageError(f"{message}; {self.format_usage().strip()}; RUN is a run folder")


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """The parser, and those of the commands by name."""
    whole = _Parser(
        "python launch/report.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands, made = whole.add_subparsers(dest="command", metavar="COMMAND", required=True), dict[str, _Parser]()

    def command(name: str, what: str, *arguments: str, lists: bool = True) -> _Parser:
        parser = made[name] = commands.add_parser(name, help=what, description=f"{what}.", allow_abbrev=False)
        parser.add_argument("run", metavar="RUN", type=Path, help="a run folder")
        for argument in arguments:
            parser.add_argument(argument, metavar="TRIAL", type=int, help="number of a trial")
        if lists:
            parser.add_argument("--jsonl", action="store_true", help="one JSON object a line, for programs to read")
        return parser

    command("trials", "all trials")
    command("front", "the Pareto front, best in the first objective first")
    top = command("top", "the best trials, one of each behaviour")
    top.add_argument("--count", type=_positive, default=10, help="how many (%(default)s)")
    top.add_argument("--metric", help="in which they are the best (the first objective)")
    command("show", "all about one trial: text, metrics, cost, relatives", "trial")
    diff = command("diff", "how a trial's text differs from its parent's, or from another's", "trial", lists=False)
    diff.add_argument("other", metavar="TRIAL", type=int, nargs="?", help="the one to compare with (the first parent)")
    command("lineage", "a trial, its first parent, and so on", "trial")
    equivalents = command("equivalents", "behaviours that were written in several ways")
    equivalents.add_argument("key", metavar="KEY", nargs="?", help="the ways in which this one was written")
    history = command("history", "how it went: best, hits, where the time went")
    history.add_argument("--chart", metavar="FILE", type=Path, help="draws it as well; the ending says how")
    export = command("export", "writes a trial's candidate as something usable", "trial", lists=False)
    export.add_argument("--to", metavar="FOLDER", type=Path, required=True, help="new or empty")
    export.add_argument("--config", help="what made the run, if its space is one of your own; this runs it")
    export.add_argument("--patch", action="append", default=[], help="given with it; also --config.PATH=VALUE")
    page = command("html", "one page to share, which loads nothing and runs nothing", lists=False)
    page.add_argument("--to", metavar="FILE", type=Path, help="(RUN.html, here)")
    return whole, made


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0, or 2 with one line that says what to mend."""
    try:
        from isozyme.launch.guard import guarded
    except ImportError as error:
        print(f"isozyme is not installed ({error}): pip install -e {Path(__file__).parent.parent}", file=sys.stderr)
        return 2
    try:
        return guarded(__file__, lambda: _main(arguments))
    except BrokenPipeError:  # A reader such as `head` has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # What Python flushes at its end goes nowhere.
        return 0


def _main(arguments: Sequence[str]) -> int:
    from isozyme.launch import override_flags

    parser, commands = _parsers()
    if not arguments:
        parser.print_help()
        return 2
    overrides, others = override_flags.split(arguments)
    options, rest = parser.parse_known_args(others)
    if rest or (overrides and options.command != "export"):
        extra = " ".join([*rest, *(f"{override_flags.PREFIX}{path}={value}" for path, value in overrides)])
        commands[options.command].error(f"{options.command} takes no {extra}")
    _report(options, overrides)
    sys.stdout.flush()
    return 0


def _report(options: Any, overrides: Sequence[tuple[str, str]]) -> None:
    """Carries a command out."""
    from isozyme.launch.errors import UsageError
    from isozyme.launch.reading import RunReader
    from isozyme.launch.reports import equivalents, exporting, history, listing, page, single
    from isozyme.search.journal.database import JournalError

    try:
        reader = RunReader(options.run)
        match options.command:
            case "trials":
                listing.trials(reader, options.jsonl)
            case "front":
                listing.front(reader, options.jsonl)
            case "top":
                listing.top(reader, options.count, options.metric, options.jsonl)
            case "show":
                single.show(reader, options.trial, options.jsonl)
            case "diff":
                single.diff(reader, options.trial, options.other)
            case "lineage":
                single.lineage(reader, options.trial, options.jsonl)
            case "equivalents":
                equivalents.show(reader, options.key, options.jsonl)
            case "history":
                history.show(reader, options.chart, options.jsonl)
            case "export":
                exporting.export(reader, options.trial, options.to, options.config, options.patch, overrides)
            case "html":
                page.write(reader, options.to or Path(f"{reader.name}.html"))
    except JournalError as error:
        raise UsageError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
