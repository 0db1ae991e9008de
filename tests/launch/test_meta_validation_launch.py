"""Meta-validation and `report.py history`, as a user meets them (issue 6, deliverable 2, must show 4)."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from launch_helpers import OWN_CONFIG, assert_usage_error, jsonl, query, report, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TRIALS, EVERY = 120, 10


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's experiment that looks at its incumbent with a second evaluator of the user's own."""
    path = tmp_path_factory.mktemp("meta") / "watched.py"
    text = OWN_CONFIG.replace(
        "Budget(30)", f"Budget({TRIALS}), meta_validation=MetaValidation([MeanUpdate(0.25)], every={EVERY})"
    )
    path.write_text(text.replace("from isozyme.search import ", "from isozyme.search import MetaValidation, "))
    return path


@pytest.fixture(scope="module")
def watched(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "run"
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert (ended.code, ended.err) == (0, ""), ended
    assert f"{TRIALS // EVERY} looks at other tasks" in ended.out
    assert "the controller's time: " in ended.out
    return folder


def looks(folder: Path) -> list[list[float]]:
    rows = query(folder, "SELECT name, value FROM meta WHERE name LIKE 'meta_validation/%'")
    return [json.loads(text) for _, text in sorted(rows, key=lambda row: int(row[0].split("/")[1]))]


def test_looks_are_journalled_and_drawn(watched: Path) -> None:
    """One look every so many trials; TensorBoard has the difference and the divergence of each."""
    found = looks(watched)
    assert [look[0] for look in found] == list(range(EVERY, TRIALS + 1, EVERY))
    events = EventAccumulator(str(watched))
    events.Reload()
    drawn = [event.value for event in events.Scalars("meta_validation/difference")]
    assert drawn == pytest.approx([look[3] for look in found])
    assert [event.step for event in events.Scalars("meta_validation/divergence")] == [look[0] for look in found]


def test_it_stops_early_and_goes_on_with_more_patience(config: Path, watched: Path, tmp_path: Path) -> None:
    """Patience is not part of a run's identity: a run that it ended goes on without it, along the same path."""
    folder = tmp_path / "run"
    common = (f"--config={config}", f"--workdir={folder}", "--workers=0")
    assert run(*common, "--config.meta_validation.patience=1").code == 0
    ((stopped,),) = query(folder, "SELECT count(*) FROM trials")
    assert stopped < TRIALS
    assert run(*common).code == 0
    trials = "SELECT trial, candidate, metrics FROM trials ORDER BY trial"
    assert query(folder, trials) == query(watched, trials)
    assert looks(folder) == looks(watched)


def test_history(watched: Path, tmp_path: Path) -> None:
    """Its parts add up to the run; it names the phases and draws a picture."""
    parts = jsonl("history", watched)
    assert parts[-1]["trials"] == TRIALS
    ((owners,),) = query(watched, "SELECT count(*) FROM trials WHERE cached_from IS NULL AND status != 'invalid'")
    assert sum(part["evaluated"] for part in parts) == owners
    assert sum(sum(part["hits"].values()) for part in parts) == TRIALS - owners
    bests = [part["best"] for part in parts]
    assert bests == sorted(bests, reverse=True)
    assert parts[0]["form"].keys() == {"length", "live_length", "state_bytes"}  # What the space says of its programs.
    chart = tmp_path / "history.svg"
    text = report("history", str(watched), f"--chart={chart}").out
    assert "evaluation" in text
    assert "looks at other tasks" in text
    assert "</svg>" in chart.read_text()


def test_history_of_what_is_not_there(watched: Path, tmp_path: Path) -> None:
    """A run killed before its first trial, another ending, another command: one line each."""
    empty = tmp_path / "empty"
    shutil.copytree(watched, empty)
    with sqlite3.connect(empty / "trials.db") as connection:
        connection.execute("DELETE FROM trials")
    connection.close()
    assert_usage_error(report("history", str(empty)), ["no trials yet"])
    assert_usage_error(report("history", str(watched), "--chart=history.nix"), ["--chart=history.nix"])
    assert_usage_error(
        report("front", str(watched), "--chart=front.svg"), ["front takes no --chart=front.svg", "report.py front"]
    )
    with sqlite3.connect(empty / "trials.db") as connection:  # Trials that were under way at a kill are missing.
        connection.execute("ATTACH ? AS whole", (str(watched / "trials.db"),))
        connection.execute("INSERT INTO trials SELECT * FROM whole.trials WHERE trial > 20")
    connection.close()
    assert jsonl("history", empty)[-1]["trials"] == TRIALS
