"""The commands of `launch/report.py` on single trials: top, show, diff, lineage, export."""

import dataclasses
import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyglove as pg
import pytest
from conftest import Finished
from journal_helpers import add, failed, run_folder, scored
from launch_helpers import LION, OWN_CONFIG, REPORT, assert_usage_error, jsonl, launch, query, run

from isozyme.evaluators.protocol import Status
from isozyme.launch import report
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.launch.reports.restoring import space_of
from isozyme.search.feasibility import FeasibleSpace, ParameterCount
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.spaces.tabnas import FeedForward
from isozyme.spaces.template import TemplateSpace

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """`python launch/report.py …` in this process: exit code, output, errors."""

    def main(*arguments: object) -> tuple[int, str, str]:
        code = report.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A start, its better child, a twin of that, another child, a failure."""
    folder = run_folder(tmp_path / "run")
    child = scored(1, 2, 5, candidate="a\nc\n", parents=(0,), operator="modify")
    add(
        folder,
        scored(0, 3, 4, candidate="a\nb\n", operator="initial"),
        child,
        scored(2, 2, 5, candidate="c\na\n", parents=(1,), key=child.key, cached_from=1, hit="static", attempts=0),
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
    assert (code, listed(out)) == (0, [dataclasses.asdict(RunReader(folder).card(1))])
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


def test_export_writes_what_the_space_exports(finished: Finished, tmp_path: Path, call: Call) -> None:
    """The candidate of any trial, from the run folder alone, as a file that defines an optimizer."""
    to, (best,) = tmp_path / "out" / "best", listed(call("top", finished.folder, "--count=1", "--jsonl")[1])
    code, out, err = call("export", finished.folder, best["trial"], f"--to={to}")
    assert (code, out, err) == (0, f"{to / 'optimizer.py'}\n", "")
    space = OptimizerPrograms()
    exported = space.export(space.from_source(best["candidate"]))
    assert {path.name: path.read_text() for path in to.iterdir()} == dict(exported)
    code, _, err = call("export", finished.folder, best["trial"], f"--to={to}")
    assert code == 2
    assert "holds files already" in err


def _run_of(folder: Path, space: Any, candidate: str = "nothing") -> Path:
    run_folder(folder)
    record = json.loads((folder / "experiment.json").read_text())
    record["identity"]["space"] = space
    (folder / "experiment.json").write_text(json.dumps(record))
    add(folder, scored(0, 1, 1, candidate=candidate))
    return folder


@pytest.mark.parametrize(
    "space",
    [
        OptimizerPrograms(max_statements=30),
        FeedForward(inputs=20, outputs=5, layers=3, widths=[8, 16]),
        FeasibleSpace(
            FeedForward(inputs=4, outputs=2, layers=2, widths=[2, 3]),
            ParameterCount([[2, 3], [2, 3]], inputs=4, outputs=2),
            40.0,
        ),
        TemplateSpace(pg.Dict(a=pg.oneof([1, pg.floatv(0.0, 1.0)]), b=pg.permutate("xyz"), c=pg.manyof(2, [1, 2, 3]))),
    ],
    ids=["programs", "networks", "feasible", "template"],
)
def test_spaces_come_back_from_a_run_folder(tmp_path: Path, space: Any) -> None:
    reader = RunReader(_run_of(tmp_path / "run", space.to_json()))
    assert pg.eq(space_of(reader, None, [], []), space)
    assert pg.eq(space_of(reader, None, [], []), space)  # Reading it has not changed it.


def test_hostile_spaces_execute_nothing(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not on the list is refused, wherever it stands, before anything is made or imported of it."""
    marker = tmp_path / "executed"
    (tmp_path / "executed_module.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    programs = OptimizerPrograms().to_json()
    assert isinstance(programs, dict)
    for index, name in enumerate(
        [
            "function",
            "type",
            "opaque",
            "executed_module.Anything",
            "pyglove.core.utils.json_conversion._OpaqueObject",
            "isozyme.spaces.lion.space.pg.Object",
            "isozyme.spaces.lion.nothing.OptimizerPrograms",
            "isozyme.spaces.lion.space.InvalidCandidate",
            "isozyme.search.funnel.Funnel",
            "isozyme.spaces..executed_module.Anything",
            ["isozyme.spaces.lion.space.OptimizerPrograms"],
        ]
    ):
        for space in ({"_type": name, "name": "os.system"}, {**programs, "start": [{"_type": name}]}):
            folder = _run_of(tmp_path / f"{index}-{len(space)}", space)
            code, _, err = call("export", folder, 0, f"--to={tmp_path / 'to'}")
            assert code == 2
            assert "not a part of isozyme's spaces; give --config" in err
    assert not marker.exists()
    assert "executed_module" not in sys.modules
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (None, ["names no space"]),
        ({}, ["names no space"]),
        ({"_type": "isozyme.spaces.lion.space.OptimizerPrograms", "start": 3}, ["cannot be read", "--config"]),
        ({"_type": "isozyme.spaces.lion.space.OptimizerPrograms", "wings": 2}, ["cannot be read", "--config"]),
        ({"_type": "isozyme.spaces.lion.space.OptimizerPrograms"}, ["trial 0", "no candidate of the space"]),
    ],
)
def test_spaces_that_cannot_be_had(tmp_path: Path, call: Call, space: Any, words: list[str]) -> None:
    code, _, err = call("export", _run_of(tmp_path / "run", space), 0, f"--to={tmp_path / 'to'}")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert [word for word in words if word not in err] == []


def test_a_config_names_a_space_of_ones_own(tmp_path: Path) -> None:
    """It has to be the one that the run was started with, overrides included."""
    space = OptimizerPrograms(max_statements=30)
    reader = RunReader(_run_of(tmp_path / "run", space.to_json()))
    config = f"{LION}:smoke"
    assert pg.eq(space_of(reader, config, [], [("space.max_statements", "30")]), space)
    with pytest.raises(UsageError, match="its space is not that of"):
        space_of(reader, config, [], [])


def test_export_from_a_space_of_ones_own(tmp_path: Path) -> None:
    """The run folder does not bring its class back by itself; the config does."""
    config, folder, to = tmp_path / "mine.py", tmp_path / "run", tmp_path / "to"
    own = "class Mine(OptimizerPrograms):\n    pass\n\n\ndef experiment("
    config.write_text(OWN_CONFIG.replace("def experiment(", own).replace("=OptimizerPrograms()", "=Mine()"))
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0", "--config.budget.trials=2")
    assert ended.code == 0, ended.err
    words = ["isozyme_config_mine.Mine", "give --config"]
    assert_usage_error(launch(REPORT, "export", str(folder), "1", f"--to={to}"), words)
    ended = launch(REPORT, "export", str(folder), "1", f"--to={to}", f"--config={config}")
    assert (ended.code, ended.err) == (0, "")
    assert "def optimizer(" in (to / "optimizer.py").read_text()


def test_an_invalid_candidate_is_not_exported(tmp_path: Path, call: Call) -> None:
    space = TemplateSpace(pg.Dict(a=pg.oneof([1, 2])))
    folder = _run_of(tmp_path / "run", space.to_json(), candidate="[7]")
    code, _, err = call("export", folder, 0, f"--to={tmp_path / 'to'}")
    assert code == 2
    assert "trial 0" in err
    assert not (tmp_path / "to").exists()
