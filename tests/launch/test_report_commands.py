"""The commands of `launch/report.py` on single trials: top, show, diff, lineage."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from journal_helpers import add, failed, run_folder, scored
from launch_helpers import REPORT, Call, Finished, jsonl, launch, query

from isozyme.evaluators.protocol import Status
from isozyme.launch.reading import RunReader
from isozyme.search.protocol import Effort


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A start, its better child, a twin of that, another child, a failure."""
    folder = run_folder(tmp_path / "run")
    child = scored(1, 2, 5, candidate="a\nc\n", parents=(0,), operator="modify")
    twin = {"keys": child.keys, "cached_from": 1, "effort": Effort()}
    add(
        folder,
        scored(0, 3, 4, candidate="a\nb\n", operator="initial"),
        child,
        scored(2, 2, 5, candidate="c\na\n", parents=(1,), hit="static", **twin),
        scored(3, 1, 4, candidate="a\nc\n", parents=(1, 0)),
        failed(4, Status.CRASHED, "why"),
    )
    return folder


def listed(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_top_lists_each_behaviour_once(folder: Path, call: Call) -> None:
    code, out, _ = call("top", folder, "--jsonl")
    assert (code, [row["trial"] for row in listed(out)]) == (0, [3, 1, 0])
    assert [row["trial"] for row in listed(call("top", folder, "--jsonl", "--count=2", "--metric=score")[1])] == [1, 0]
    table = call("top", folder, "--metric", "score")[1]
    assert "score" in table
    assert [line.split("│")[1].strip() for line in table.splitlines() if "│" in line] == ["1", "0", "3"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["top", "{run}", "--metric=speed"], ["--metric=speed", "loss, score"]),
        (["top", "{run}", "--count=0"], ["--count", "0 is not a number from 1 on"]),
        (["show", "{run}", "9"], ["trial 9", "5 trials"]),
        (["show", "{run}", "first"], ["TRIAL", "first"]),
        (["diff", "{run}", "0"], ["trial 0", "no parent", "name another trial"]),
        (["diff", "{run}", "1", "9"], ["trial 9"]),
        (["lineage", "{run}"], ["TRIAL"]),
        (["front", "{run}", "--config.seed=3"], ["front takes no --config.seed=3"]),
        (["export", "{run}", "1"], ["--to"]),
        (["html", "{run}", "--to={run}/no/where.html"], ["--to=", "cannot be written", "choose another file"]),
        (["html", "{run}", "--json"], ["html takes no --json"]),
    ],
)
def test_mistakes_are_told_in_a_line(folder: Path, call: Call, arguments: list[str], words: list[str]) -> None:
    code, out, err = call(*(text.format(run=folder) for text in arguments))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []


def test_show_is_the_card(folder: Path, call: Call) -> None:
    code, out, _ = call("show", folder, 1, "--jsonl")
    assert (code, listed(out)) == (0, [RunReader(folder).card(1).to_json()])
    code, out, _ = call("show", folder, 1)
    assert code == 0
    for words in ("modify of 0", "loss 2, score 5", "1: 2", "a\nc\n", "-b\n+c\n", "report.py export"):
        assert words in out
    assert "crashed: why" in call("show", folder, 4)[1]
    assert "of trial 1, found by its static key" in call("show", folder, 2)[1]


def test_diff_is_against_the_parent_or_another(folder: Path, call: Call) -> None:
    heading, lines = "--- trial {}\n+++ trial {}\n", "@@ -1,2 +1,2 @@\n a\n-{}\n+{}\n"
    assert call("diff", folder, 1) == (0, heading.format(0, 1) + lines.format("b", "c"), "")
    assert call("diff", folder, 0, 3) == (0, heading.format(3, 0) + lines.format("c", "b"), "")
    assert call("diff", folder, 3) == (0, heading.format(1, 3) + "the same text\n", "")


def test_diff_is_coloured_in_a_terminal(folder: Path) -> None:
    ended = launch(REPORT, "diff", str(folder), "1", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="")
    assert ended.code == 0, ended.err
    assert "\x1b[32m+c" in ended.out
    assert "\x1b[31m-b" in ended.out


def test_lineage_goes_back_to_the_start(folder: Path, call: Call) -> None:
    found = listed(call("lineage", folder, 3, "--jsonl")[1])
    assert [(one["trial"], one["operator"], one["metrics"]["loss"]) for one in found] == [
        (3, "mutate", 1.0),
        (1, "modify", 2.0),
        (0, "initial", 3.0),
    ]
    table = call("lineage", folder, 3)[1]
    assert [line.split("│")[1].strip() for line in table.splitlines() if "│" in line] == ["3", "1", "0"]


def test_commands_say_what_a_real_journal_says(finished: Finished, call: Call) -> None:
    """Best trial, text, lineage, as SQL finds them."""
    rows = query(finished.folder, "SELECT trial, candidate, parents, json_extract(metrics, '$.loss') FROM trials")
    scores = {row["trial"]: row["metrics"]["loss"] for row in jsonl("trials", finished.folder) if row["status"] == "ok"}
    (best,) = listed(call("top", finished.folder, "--count=1", "--jsonl")[1])
    assert best["metrics"]["loss"] == min(scores.values())
    number, text, parents, _ = next(row for row in reversed(rows) if json.loads(row[2]))
    out = call("show", finished.folder, number)[1]
    assert text in out
    line = [one["trial"] for one in listed(call("lineage", finished.folder, number, "--jsonl")[1])]
    known = {row[0]: json.loads(row[2]) for row in rows}
    assert line[:2] == [number, json.loads(parents)[0]]
    assert all(known[child][0] == parent for child, parent in pairwise(line))
    assert known[line[-1]] == []
