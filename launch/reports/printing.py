"""Printing what a run folder says: its texts are data, so that none of them can colour, move or break the output."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

MISSING = "–"


def escaped(text: str) -> str:
    """Returns a text as one line: line ends, control characters and marks that change direction become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def lines(text: str) -> list[str]:
    """The lines of a text, each as `escaped`; tabs become spaces."""
    return [escaped(line.expandtabs(4)) for line in text.splitlines()]


def number(value: float | None, digits: int = 4) -> str:
    """A metric, or a dash where there is none."""
    return MISSING if value is None else f"{value:.{digits}g}"


def metrics(values: Mapping[str, float], noise: Mapping[str, float] | None = None) -> str:
    """Metrics by name in one line, each with its standard error where that is known."""
    noise = noise or {}
    return ", ".join(
        f"{escaped(name)} {value:.6g}" + (f" ± {noise[name]:.2g}" if name in noise else "")
        for name, value in values.items()
    )


def row(table: Table, *cells: Any) -> None:
    """Adds a row of texts that mean nothing but themselves."""
    table.add_row(*(Text(escaped(str(cell))) for cell in cells))


def table(*headings: str) -> Table:
    """A table whose headings mean nothing but themselves."""
    made = Table()
    for heading in headings:
        made.add_column(Text(escaped(heading)))
    return made


def say(text: str | Text) -> None:
    """Prints a text as it is, in lines as long as they are."""
    Console().print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say_table(made: Table) -> None:
    """Prints a table."""
    Console().print(made, highlight=False)


def changes(diff: str) -> Text:
    """A unified diff; a terminal shows what was added and taken away in green and red."""
    styles = {"+": "green", "-": "red", "@": "cyan"}
    made = Text()
    for line in lines(diff):
        made.append(f"{line}\n", style=styles.get(line[:1], ""))
    made.rstrip()
    return made
