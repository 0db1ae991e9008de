"""A run as one page to share: charts, the best, cards of the front, history.

The page is made as a tree of elements, so that what a run folder says is never more than text in it. It holds no
script, and says itself that nothing may be loaded from anywhere.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

from isozyme.launch import workdir
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import Card, RunReader, TrialColumns
from isozyme.launch.reports import history, printing
from isozyme.launch.reports.drawing import draw_front, draw_growth, image, unit_of_time
from isozyme.launch.reports.listing import ranked
from isozyme.launch.reports.single import facts
from isozyme.search.validation.meta_validation import looks

_CARDS = 50
_BEST = 20
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  color: #1c1e21; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top;
  overflow-wrap: anywhere }
th { font-weight: 600; overflow-wrap: normal } .wide { overflow-x: auto }
pre { background: #f5f6f7; padding: .7rem; overflow-x: auto; font-size: 13px; line-height: 1.4 }
figure { margin: 1rem 0 } figcaption { font-size: 13px } img { max-width: 100%; background: #fff; border-radius: 4px }
details { border: 1px solid #ddd; border-radius: 4px; padding: .4rem .8rem; margin: .5rem 0 }
summary { cursor: pointer } .added { color: #116329 } .removed { color: #a40e26 } .place { color: #57606a }
@media (prefers-color-scheme: dark) {
  body { color: #e4e6e8; background: #16181b } th, td, details { border-color: #3a3e43 } pre { background: #22262a }
  .added { color: #7ee2a0 } .removed { color: #ff9a9a } .place { color: #9aa4ae } a { color: #8ab8ff } }
"""


def write(reader: RunReader, to: Path) -> None:
    """Writes the page of a run.

    Args:
      reader: of the run.
      to: the file; what was there is replaced.

    Raises:
      UsageError: there are no trials yet, or the file cannot be written.
    """
    columns = reader.columns()
    if not len(columns):
        raise UsageError(f"{reader.folder}: this run has no trials yet")
    text = f"<!DOCTYPE html>\n{tostring(_page(reader, columns), encoding='unicode', method='html')}\n"
    try:
        workdir.write(to, text)
    except OSError as error:
        raise UsageError(f"--to={to}: cannot be written: {error.strerror}; choose another file") from error
    printing.say(printing.escaped(str(to)))


def _page(reader: RunReader, columns: TrialColumns) -> Element:
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    _add(head, "title", f"{reader.name} – Isozyme")
    SubElement(head, "style").text = _STYLE
    body = SubElement(html, "body")
    _add(body, "h1", reader.name)
    for line in _summary(reader, columns):
        _add(body, "p", line)
    front = reader.front(columns)
    if len(front):
        _front(body, reader, columns, front)
    _history(body, reader)
    _add(body, "p", f"Made by Isozyme on {time.strftime('%Y-%m-%d')} from {len(columns)} trials.")
    return html


def _summary(reader: RunReader, columns: TrialColumns) -> Iterable[str]:
    objectives = ", ".join(f"{'greatest' if o.sign < 0 else 'least'} {o.metric}" for o in reader.objectives)
    yield f"Search for {objectives}. Seed {reader.seed}."
    hit = columns.hit >= 0
    hits = Counter(columns.hits[i] for i in columns.hit[hit])
    by_key = f" ({', '.join(f'{name} {count}' for name, count in sorted(hits.items()))})" if hits else ""
    again = int((hit & columns.evaluated).sum())
    seconds = reader.seconds(columns).max()
    unit, length = unit_of_time(seconds)
    yield (
        f"{len(columns)} trials in {seconds / length:.1f} {unit}: {int((columns.evaluated & ~hit).sum())} evaluated, "
        f"{hits.total()} hits{by_key}{f', {again} of them evaluated all the same' if again else ''}."
    )
    statuses = Counter(columns.statuses[i] for i in columns.status)
    yield "How they ended: " + ", ".join(f"{count} {name}" for name, count in statuses.most_common()) + "."


def _front(body: Element, reader: RunReader, columns: TrialColumns, front: np.ndarray) -> None:
    _add(body, "h2", f"Front: {len(front)} trials")
    names = ", ".join(o.metric for o in reader.objectives)
    _chart(
        body,
        image(draw_front(reader.objectives, columns, front)),
        f"The front: {names}. Grey: scored trials that others dominate, as far as they lie near it.",
    )
    growth = draw_growth(reader.hypervolume(columns))
    _chart(body, image(growth), "Hypervolume of the front against evaluations and against time, pauses left out.")
    _add(body, "h2", "Best, one of each behaviour")
    metrics = [o.metric for o in reader.objectives]
    rows = [
        [
            str(columns.trial[p]),
            *(printing.number(float(columns.metrics[m][p]), 6) for m in metrics),
            _operator(columns, p),
        ]
        for p in ranked(reader, columns)[:_BEST]
    ]
    _table(body, ["trial", *metrics, "made by"], rows)
    shown = "" if len(front) <= _CARDS else f", the first {_CARDS}"
    _add(body, "h2", f"Cards of the front{shown}")
    for position in front[:_CARDS]:
        _card(body, reader.card(int(columns.trial[position])), metrics)


def _operator(columns: TrialColumns, position: int) -> str:
    return columns.operators[columns.operator[position]]


def _card(body: Element, card: Card, metrics: Sequence[str]) -> None:
    details = SubElement(body, "details")
    shown = printing.metrics({name: card.trial.metrics[name] for name in metrics})
    _add(details, "summary", f"trial {card.trial.number}: {shown}")
    _table(details, [], facts(card))
    pre = SubElement(details, "pre")
    pre.text = "\n".join(printing.lines(card.trial.candidate))
    if card.diff:
        _add(details, "p", f"Against its parent, trial {card.trial.parents[0]}:")
        _diff(SubElement(details, "pre"), card.diff)
    _add(details, "p", "Its line of first parents:")
    rows = [
        [str(one["trial"]), one["operator"], *(printing.number(one["metrics"].get(m), 6) for m in metrics)]
        for one in card.lineage
    ]
    _table(details, ["trial", "made by", *metrics], rows)
    _add(details, "p", "To export it:")
    _add(details, "pre", card.export)


def _diff(pre: Element, text: str) -> None:
    kinds = {"+": "added", "-": "removed", "@": "place"}
    for line in printing.lines(text):
        SubElement(pre, "span", {"class": kinds.get(line[:1], "same")}).text = f"{line}\n"


def _history(body: Element, reader: RunReader) -> None:
    objective = reader.objectives[0]
    with reader.journal() as journal:
        parts = history.parts(journal.trials(str), objective, journal.next_number())
        seen = looks(journal)
    _add(body, "h2", "History")
    tasks = len((reader.identity.get("meta_validation") or {"evaluators": []})["evaluators"])
    figure = image(lambda: history.draw(parts, seen, tasks, objective))
    _chart(body, figure, f"Best {objective.metric}, hits, form, and looks at other tasks, against trials.")
    _table(body, history.headings(parts, objective), history.table_rows(parts))


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = printing.escaped(text)


def _chart(parent: Element, source: str, what: str) -> None:
    figure = SubElement(parent, "figure")
    SubElement(figure, "img", src=source, alt=printing.escaped(what))
    _add(figure, "figcaption", what)


def _table(parent: Element, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = SubElement(SubElement(parent, "div", {"class": "wide"}), "table")
    if headings:
        line = SubElement(SubElement(table, "thead"), "tr")
        for heading in headings:
            _add(line, "th", heading)
    body = SubElement(table, "tbody")
    for row in rows:
        line = SubElement(body, "tr")
        for index, cell in enumerate(row):
            _add(line, "td" if headings or index else "th", cell)
