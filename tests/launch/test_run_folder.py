"""A small smoke run from its command to its files: what a user finds in a run folder, and what report.py tells."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from launch_helpers import REPORT, TRIALS, Finished, assert_usage_error, environment, jsonl, report, trajectory

from isozyme.spaces.lion import NAMED, OptimizerPrograms

OBJECTIVES = ("loss", "live_length", "state_bytes")  # All minimised.
FORM = ("length", "live_length", "state_bytes")


@pytest.fixture(scope="module")
def trials(finished: Finished) -> list[dict[str, Any]]:
    """The trials of the finished run."""
    return jsonl("trials", finished.folder)


def test_the_run_succeeds_in_silence_on_stderr(finished: Finished) -> None:
    """A run that works exits with 0 and has nothing to complain of."""
    assert finished.ended.code == 0, finished.ended
    assert finished.ended.err == ""


def test_the_run_folder_holds_what_the_design_promises(finished: Finished) -> None:
    """Design section 5; and nothing half-written stays behind."""
    for name in ("experiment.json", "trials.db", "pareto.csv", "best/optimizer.py", "best/card.json"):
        assert (finished.folder / name).stat().st_size > 0, name
    assert len(list(finished.folder.glob("events.out.tfevents.*"))) == 1
    assert not [path for path in finished.folder.rglob("*") if "partial" in path.name]


def test_experiment_json_holds_experiment_seed_versions_and_commit(finished: Finished) -> None:
    """The experiment is stored after overrides and patches."""
    record = json.loads((finished.folder / "experiment.json").read_text())
    assert record["experiment"]["budget"]["trials"] == TRIALS
    assert record["experiment"]["search"]["population_size"] == 10
    assert record["experiment"]["evaluator"]["tasks"][0]["steps"] == 50
    assert record["seed"] == 0
    assert {"python", "jax", "optax", "numpy", "pyglove"} <= set(record["packages"])
    assert "commit" in record


def test_trials_jsonl_prints_every_trial_in_order(trials: list[dict[str, Any]]) -> None:
    """One JSON object a trial, with the fields that others rely on."""
    assert [row["trial"] for row in trials] == list(range(TRIALS))
    needed = {"trial", "status", "reason", "candidate", "metrics", "key", "cached_from", "parents"}
    for row in trials:
        assert needed <= set(row)


def test_trials_jsonl_is_the_journal(finished: Finished, trials: list[dict[str, Any]]) -> None:
    """What report.py prints is what the database holds."""
    names = (
        "trial", "status", "reason", "candidate", "key", "cached_from", "parents", "metrics", "static_key", "hit",
        "taken", "operator",
    )  # fmt: skip
    stored = [dict(zip(names, row, strict=True)) for row in trajectory(finished.folder)]
    for row in stored:
        row["metrics"], row["parents"] = json.loads(row["metrics"]), json.loads(row["parents"])
        row["key"], row["static_key"] = row["key"].hex(), row["static_key"].hex()
    assert [{name: row[name] for name in names} for row in trials] == stored


def test_the_first_trial_is_adamw(trials: list[dict[str, Any]]) -> None:
    """A search of optimizers starts from AdamW, so its score is there to compare with."""
    assert OptimizerPrograms().from_source(trials[0]["candidate"]) == NAMED["adamw"]
    assert trials[0]["status"] == "ok"


def test_failures_have_reasons_and_ok_trials_have_none(trials: list[dict[str, Any]]) -> None:
    """A failure is a result: typed, and told in one line."""
    for row in trials:
        assert (row["status"] == "ok") == (row["reason"] is None)
        assert row["reason"] is None or len(row["reason"].splitlines()) == 1
        if row["status"] == "ok":
            assert {"loss", "accuracy", *FORM} <= set(row["metrics"])


def test_a_hit_takes_its_twins_result(trials: list[dict[str, Any]]) -> None:
    """Twins name the owner of their behaviour and share its key and the metrics of every stage that both went through.

    Hurdles differ from trial to trial: one may have been stopped where the other went on.
    """
    twins = [row for row in trials if row["cached_from"] is not None]
    assert twins
    assert len(twins) < len(trials)
    for twin in twins:
        owner = trials[twin["cached_from"]]
        assert owner["trial"] < twin["trial"]
        assert owner["cached_from"] is None
        assert twin["key"] == owner["key"]
        stages = min(len(twin["stages"]), len(owner["stages"]))
        assert twin["stages"][:stages] == owner["stages"][:stages]
        if twin["audit"] is None:
            assert (twin["attempts"] == 0) == (twin["taken"] == len(twin["stages"]))
        if "hurdle" not in (twin["status"], owner["status"]):
            assert [twin[name] for name in ("status", "reason")] == [owner[name] for name in ("status", "reason")]
            behaviour = {name: value for name, value in twin["metrics"].items() if name not in FORM}
            assert behaviour == {name: value for name, value in owner["metrics"].items() if name not in FORM}


def test_metrics_of_form_are_each_candidates_own(trials: list[dict[str, Any]]) -> None:
    """Candidates are read back from their text, and lengths and state sizes are those of that text."""
    space = OptimizerPrograms()
    for row in trials:
        candidate = space.from_source(row["candidate"])
        assert space.to_source(candidate) == row["candidate"]
        if row["status"] != "invalid":
            assert {name: row["metrics"][name] for name in FORM} == dict(space.form(candidate))


def test_owners_of_one_behaviour_are_unique(trials: list[dict[str, Any]]) -> None:
    """Each behaviour is paid for once."""
    keys = [row["key"] for row in trials if row["cached_from"] is None and row["status"] != "invalid"]
    assert len(set(keys)) == len(keys)


def test_parents_are_earlier_by_the_lag_at_least(trials: list[dict[str, Any]]) -> None:
    """Proposal i sees the trials up to i - lag, 8 in this config."""
    assert [row for row in trials if row["parents"]]
    for row in trials:
        assert all(parent <= row["trial"] - 8 for parent in row["parents"])


def test_front_holds_all_trials_that_no_other_dominates(finished: Finished, trials: list[dict[str, Any]]) -> None:
    """`report.py front` against a comparison of all ok trials with one another; of equal ones the first."""
    costs = {
        row["trial"]: tuple(row["metrics"][name] for name in OBJECTIVES) for row in trials if row["status"] == "ok"
    }

    def beaten(trial: int) -> bool:
        mine = costs[trial]
        for other, theirs in costs.items():
            if all(a <= b for a, b in zip(theirs, mine, strict=True)) and (theirs != mine or other < trial):
                return True
        return False

    front = jsonl("front", finished.folder)
    assert sorted(row["trial"] for row in front) == [trial for trial in costs if not beaten(trial)]
    assert all(row == trials[row["trial"]] for row in front)


def test_pareto_csv_is_the_front(finished: Finished) -> None:
    """The file and the report agree, best in the first objective first."""
    with (finished.folder / "pareto.csv").open(newline="") as file:
        stored = list(csv.DictReader(file))
    front = jsonl("front", finished.folder)
    assert [int(row["trial"]) for row in stored] == [row["trial"] for row in front]
    assert [row["key"] for row in stored] == [row["key"] for row in front]
    for name in OBJECTIVES:
        assert [float(row[name]) for row in stored] == [row["metrics"][name] for row in front]
    losses = [float(row["loss"]) for row in stored]
    assert losses == sorted(losses)


@pytest.mark.parametrize("command", ["trials", "front"])
def test_tables_for_people(finished: Finished, command: str) -> None:
    """Without --jsonl the same trials come as a table."""
    ended = report(command, str(finished.folder))
    assert (ended.code, ended.err) == (0, "")
    cells = [[cell.strip() for cell in line.split("│")] for line in ended.out.splitlines()]
    numbers = [int(row[1]) for row in cells if len(row) > 2 and row[1].isdigit()]
    assert numbers == [row["trial"] for row in jsonl(command, finished.folder)]
    assert "trial" in ended.out
    assert "status" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trials", "{tmp}/nowhere", "--jsonl"], ["nowhere", "experiment.json", "name a run folder"]),
        (["front", "{tmp}"], ["{tmp}", "experiment.json", "name a run folder"]),
        (["losers", "{run}"], ["losers", "trials", "front"]),
        (["trials"], ["trials", "run folder"]),
        (["trials", "{run}", "--json"], ["--json", "--jsonl"]),
    ],
)
def test_report_on_what_is_none(finished: Finished, tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    """A folder that is no run folder, and a command that is none: one line and exit code 2."""
    places = {"tmp": tmp_path, "run": finished.folder}
    ended = report(*(text.format(**places) for text in arguments))
    assert_usage_error(ended, [word.format(**places) for word in words])
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["trials", "front"])
def test_a_reader_that_has_seen_enough(finished: Finished, command: str) -> None:
    """`report.py … | head -1` prints no traceback, however much was left to print."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, str(REPORT), command, str(finished.folder), "--jsonl"],
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_reading_changes_nothing(finished: Finished) -> None:
    """Reports leave a run folder's files as they are."""

    def content() -> dict[str, bytes]:  # SQLite's readers make and drop an empty -wal and an index of it.
        files = [path for path in finished.folder.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files if not path.name.endswith(("-wal", "-shm"))}

    before = content()
    assert report("trials", str(finished.folder)).code == 0
    assert report("front", str(finished.folder), "--jsonl").code == 0
    assert content() == before


def test_the_card_tells_where_the_winner_comes_from(finished: Finished, trials: list[dict[str, Any]]) -> None:
    """best/card.json: metrics, lineage, keys, and scores beside the references on all three splits."""
    card = json.loads((finished.folder / "best" / "card.json").read_text())
    winner = trials[card["trial"]]
    assert winner["status"] == "ok"
    for name in ("candidate", "key", "static_key", "metrics"):
        assert card[name] == winner[name]
    assert card["lineage"][0] == card["trial"]
    for child, parent in zip(card["lineage"], card["lineage"][1:], strict=False):
        assert parent in trials[child]["parents"]
    assert trials[card["lineage"][-1]]["parents"] == []
    assert {"adamw", "lion", "winner"} <= set(card["scores"])
    for scores in card["scores"].values():
        assert set(scores) == {"search", "selection", "final"}


def test_the_summary_says_what_was_found_and_what_to_type_next(finished: Finished) -> None:
    """Counts, the winner's source, its scores by split beside the references, and commands."""
    card = json.loads((finished.folder / "best" / "card.json").read_text())
    out = finished.ended.out
    assert f"{TRIALS} trials" in out
    assert card["candidate"] in out
    for name in ("adamw", "lion", "winner"):
        final = card["scores"][name]["final"]
        assert (f"{final['loss']:.4f}" if "loss" in final else final["status"]) in out
    for text in ("search", "selection", "final", "tensorboard --logdir", "report.py front", "report.py trials"):
        assert text in out
