"""What a run folder says is data: in tables and on the page of `report.py html` it is text and nothing else."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from journal_helpers import add, failed, run_folder, scored
from launch_helpers import Finished, jsonl

from isozyme.evaluators.protocol import Status
from isozyme.launch import report
from isozyme.launch.reports import printing
from isozyme.search.journal.journal import Journal
from isozyme.search.protocol import Effort

NASTY = "[red]R[/red] <script>alert(1)</script> \x1b[31mE\x07 \x00 \u202e</pre> & \" ' $\\frac{ :smile: \ud800\r"
METRICS = ("loss", '<img src=x onerror="alert(1)">', "[bold]$x_\\frac{\x1b[2J\u202e")
LISTS = (["trials"], ["front"], ["top"], ["equivalents"], ["history"], ["show", 1], ["lineage", 1], ["diff", 1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run whose every text is hostile."""
    text = NASTY.replace("\ud800", "")  # SQLite takes no half characters; JSON does.
    folder = run_folder(tmp_path / "<b>run[red]", [("minimize", name, 5.0) for name in METRICS])
    known = {"names": METRICS, "operator": text, "note": text, "effort": Effort(attempts=1, worker=text)}
    twin = scored(2, 1, 2, 3, candidate=f"other {text}", cached_from=1, hit="numeric", parents=(1,), **known)
    add(
        folder,
        scored(0, 2, 2, 3, candidate=f"x\n{text}\n", **known),
        scored(1, 1, 2, 3, candidate=f"x\n{text}\n<b>y</b>\n{text}\n", keys=twin.keys, parents=(0,), **known),
        twin,
        failed(3, Status.CRASHED, f"why {text}\nmore"),
    )
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert report.main([str(argument) for argument in arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("command", LISTS, ids=lambda command: command[0])
def test_tables_take_texts_as_they_are(folder: Path, capsys: pytest.CaptureFixture[str], command: list[object]) -> None:
    """No markup, no escapes, no control characters; a line of a table stays a line."""
    out = printed(capsys, command[0], folder, *command[1:])
    assert all(c.isprintable() or c == "\n" for c in out)
    for line in out.splitlines():
        assert line.isprintable()
        assert line[:1] != "│" or line[-1:] == "│"
    assert "😄" not in out
    if command[0] in ("show", "diff"):
        assert "[red]R[/red] <script>alert(1)</script> \\x1b[31mE\\x07 \\x00 \\u202e</pre> & \" ' $\\frac{" in out
        assert "<b>y</b>" in out


@pytest.mark.parametrize("command", [c for c in LISTS if c[0] != "diff"], ids=lambda command: command[0])
def test_lines_for_programs_hold_the_very_texts(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[object]
) -> None:
    out = printed(capsys, command[0], folder, *command[1:], "--jsonl")
    found = [json.loads(line) for line in out.splitlines()]
    assert found
    assert out.isascii()
    if command[0] == "trials":
        assert found[3]["reason"] == f"why {NASTY}\nmore".replace("\ud800", "")
        assert tuple(found[0]["metrics"]) == METRICS


def test_one_line_leaves_ordinary_text_alone() -> None:
    assert printing.escaped("Größe – 中 😀 a\tb\n\ud800") == "Größe – 中 😀 a\\tb\\n\\ud800"
    assert printing.lines("a\tb\nc\x0bd") == ["a   b", "c", "d"]


class Page(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.pres, self._open = (
            set[str](),
            list[tuple[str, str]](),
            list[str](),
            list[str](),
        )
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self._open.append(tag)
        if tag == "pre":
            self.pres.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data
        if "pre" in self._open:
            self.pres[-1] += data


KNOWN = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "figure", "img", "figcaption", "div", "table",
    "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "span",
}  # fmt: skip


def page_of(folder: Path, to: Path, capsys: pytest.CaptureFixture[str]) -> Page:
    """The page, after it has been seen that it loads and runs nothing."""
    assert printed(capsys, "html", folder, f"--to={to}").strip() == printing.escaped(str(to))
    text = to.read_text()
    page = Page(text)
    assert page.tags <= KNOWN
    assert {name for name, _ in page.attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "src", "alt", "class",
    }  # fmt: skip
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes
    assert all(c.isprintable() or c == "\n" for c in text)
    assert not re.search(r"url\(|@import|<script", text)
    for address in [value for name, value in page.attributes if name == "src"]:
        drawn = ElementTree.fromstring(base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")))
        for element in drawn.iter():
            assert element.tag.rsplit("}")[-1] not in ("script", "foreignObject")
            for name, value in element.attrib.items():
                assert not name.rsplit("}")[-1].startswith("on")
                assert not name.endswith("href") or value.startswith(("#", "data:image/png;base64,"))
    return page


def test_a_hostile_run_makes_a_harmless_page(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = page_of(folder, tmp_path / "page.html", capsys)
    source = next(row["candidate"] for row in jsonl("trials", folder) if row["trial"] == 1)
    assert "\n".join(printing.lines(source)) in page.pres
    assert "<b>run[red]" in page.text
    assert '<img src=x onerror="alert(1)">' in page.text


def test_the_page_of_a_real_run(finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Front with source and difference, best, history; and the run folder stays as it is."""
    page = page_of(finished.folder, tmp_path / "page.html", capsys)
    front = jsonl("front", finished.folder)
    for row in front:
        assert row["candidate"].rstrip("\n") in page.pres
        assert f"trial {row['trial']}: loss {row['metrics']['loss']:.6g}" in page.text
    cards = [json.loads(printed(capsys, "show", finished.folder, row["trial"], "--jsonl")) for row in front]
    for card in cards:
        assert not card["diff"] or f"{card['diff']}\n" in page.pres
        assert card["export"] in page.pres
    assert page.text.count("made by") >= 1 + len(front)
    assert "live_length" in page.text
    assert not list(finished.folder.glob("*.html"))


def test_pages_of_runs_that_came_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One objective; no front; no trials."""
    single = run_folder(tmp_path / "single", [("maximize", "score", 0.0)])
    add(single, *[scored(i, i, names=("score",)) for i in range(5)])
    assert "trial 4: score 4" in page_of(single, tmp_path / "single.html", capsys).text
    lost = run_folder(tmp_path / "lost")
    add(lost, failed(0, Status.CRASHED, "no"))
    assert "1 crashed" in page_of(lost, tmp_path / "lost.html", capsys).text
    empty = run_folder(tmp_path / "empty")
    Journal.open(empty).close()
    assert report.main(["html", str(empty), f"--to={tmp_path / 'empty.html'}"]) == 2
    assert "no trials yet" in capsys.readouterr().err
    assert not (tmp_path / "empty.html").exists()
