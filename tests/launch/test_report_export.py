"""`report.py export`: the candidate as something usable, by a space that the run folder only names."""

import json
import sys
from pathlib import Path
from typing import Any

import pyglove as pg
import pytest
from journal_helpers import add, run_folder, scored
from launch_helpers import LION, OWN_CONFIG, REPORT, Call, Finished, assert_usage_error, launch, run

from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.launch.reports.restoring import space_of
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.spaces.tabnas import FeedForward
from isozyme.spaces.template import TemplateSpace


def test_export_writes_what_the_space_exports(finished: Finished, tmp_path: Path, call: Call) -> None:
    """The candidate of any trial, from the run folder alone, as a file that defines an optimizer."""
    to, (best,) = tmp_path / "out" / "best", [json.loads(call("top", finished.folder, "--count=1", "--jsonl")[1])]
    code, out, err = call("export", finished.folder, best["trial"], f"--to={to}")
    assert (code, out, err) == (0, f"{to / 'optimizer.py'}\n{to / 'example.npz'}\n", "")
    space = OptimizerPrograms()
    exported = space.export(space.from_source(best["candidate"]))
    written = {"optimizer.py": (to / "optimizer.py").read_text(), "example.npz": (to / "example.npz").read_bytes()}
    assert written == dict(exported)
    assert len(list(to.iterdir())) == 2
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
            Limit(ParameterCount([[2, 3], [2, 3]], inputs=4, outputs=2), 40.0),
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
            "isozyme.spaces.lion.space.OptimizerPrograms",
            "isozyme.spaces.lion.nothing.OptimizerPrograms",
            "isozyme.InvalidCandidate",
            "isozyme.Funnel",
            "isozyme.spaces..executed_module.Anything",
            ["isozyme.OptimizerPrograms"],
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
        ({"_type": "isozyme.OptimizerPrograms", "start": 3}, ["cannot be read", "--config"]),
        ({"_type": "isozyme.OptimizerPrograms", "wings": 2}, ["cannot be read", "--config"]),
        ({"_type": "isozyme.OptimizerPrograms"}, ["trial 0", "no candidate of the space"]),
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


def test_an_override_without_a_value_is_refused(tmp_path: Path, call: Call) -> None:
    """As by every command line here."""
    code, _, err = call("export", tmp_path, 0, f"--to={tmp_path / 'to'}", "--config.seed")
    assert code == 2
    assert err == "error: --config.seed: an override has the form --config.PATH=VALUE\n"


def test_an_invalid_candidate_is_not_exported(tmp_path: Path, call: Call) -> None:
    space = TemplateSpace(pg.Dict(a=pg.oneof([1, 2])))
    folder = _run_of(tmp_path / "run", space.to_json(), candidate="[7]")
    code, _, err = call("export", folder, 0, f"--to={tmp_path / 'to'}")
    assert code == 2
    assert "trial 0" in err
    assert not (tmp_path / "to").exists()
