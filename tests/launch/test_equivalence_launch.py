"""Stores shared between runs, audits and `report.py equivalents`, as a user meets them."""

import json
from pathlib import Path

import pytest
from launch_helpers import OWN_CONFIG, REPORT, assert_usage_error, jsonl, launch, query, report, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TRIALS = 120


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another config than that of other tests, whose modules would bear the same name."""
    path = tmp_path_factory.mktemp("own") / "sharing.py"
    path.write_text(OWN_CONFIG.replace("Budget(30)", f"Budget({TRIALS})"))
    return path


def start(config: Path, folder: Path, *arguments: str) -> str:
    """What a run that ends well prints."""
    ended = run(f"--config={config}", f"--workdir={folder}", "--workers=0", *arguments)
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out


@pytest.fixture(scope="module")
def audited(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run all of whose hits are audited, and what it printed."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    return folder, start(config, folder, "--config.equivalence.audit=1.0")


def test_runs_share_outcomes_by_one_flag(config: Path, audited: tuple[Path, str], tmp_path: Path) -> None:
    """The second run evaluates only what failed in the first; it is the same search."""
    store = tmp_path / "outcomes.db"
    first = start(config, tmp_path / "first", f"--store={store}")
    second = start(config, tmp_path / "second", f"--store=sqlite:{store}")
    columns = "SELECT trial, candidate, status, metrics, key, cached_from FROM trials ORDER BY trial"
    same = query(tmp_path / "first", columns)
    assert query(tmp_path / "second", columns) == same == query(audited[0], columns)
    owners = query(tmp_path / "first", "SELECT status FROM trials WHERE attempts > 0 AND audit IS NULL")
    scored = owners.count(("ok",))
    assert scored > 10
    assert query(tmp_path / "second", "SELECT count(*) FROM trials WHERE hit = 'store'") == [(scored,)]
    assert "0 known to the store" in first
    assert f"{scored} known to the store" in second
    origins = [f"{tmp_path / 'first'}, trial {n}" for (n,) in query(tmp_path / "first", "SELECT trial FROM trials")]
    import sqlite3

    connection = sqlite3.connect(store)
    texts = [json.loads(text)["origin"] for (text,) in connection.execute("SELECT text FROM isozyme_entries")]
    connection.close()
    assert len(texts) == scored
    assert set(texts) <= set(origins)


def test_an_audit_is_shown_live_and_in_tensorboard(audited: tuple[Path, str]) -> None:
    """Fact 14: what twins take over is what they would have scored."""
    folder, out = audited
    ((count, worst),) = query(folder, "SELECT count(audit), max(audit) FROM trials")
    assert count > 20
    assert f"audit: {count} twins evaluated all the same, 0 of them unlike their owner" in out
    assert "audit 0 twins" not in out
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Scalars("audit/audited")[-1].value == count
    assert events.Scalars("audit/collisions")[-1].value == 0
    assert events.Scalars("audit/largest_difference")[-1].value == pytest.approx(worst, rel=1e-6)
    assert "audit/suspected_splits" in events.Tags()["scalars"]
    ((unique,),) = query(folder, "SELECT count(*) FROM trials WHERE cached_from IS NULL AND status != 'invalid'")
    assert events.Scalars("hits/saving")[-1].value == pytest.approx(TRIALS / unique)


def test_equivalents_are_listed(audited: tuple[Path, str]) -> None:
    """All candidates of a behaviour, each once, with the trials that proposed them."""
    folder, _ = audited
    listed = jsonl("equivalents", folder)
    assert [one["ways"] for one in listed] == sorted((one["ways"] for one in listed), reverse=True)
    assert listed[0]["ways"] > 1
    key = listed[0]["key"]
    ended = report("equivalents", str(folder), key[:10], "--jsonl")
    ways = [json.loads(line) for line in ended.out.splitlines()]
    rows = query(folder, f"SELECT candidate, trial FROM trials WHERE key = x'{key}' ORDER BY trial")
    assert {way["candidate"]: way["trials"] for way in ways} == {
        text: [n for candidate, n in rows if candidate == text] for text, _ in rows
    }
    table = report("equivalents", str(folder))
    assert key in table.out
    text = report("equivalents", str(folder), key)
    assert f"-- 1 of {len(ways)}: trial {ways[0]['trials'][0]}" in text.out
    assert all(way["candidate"] in text.out for way in ways)


@pytest.mark.parametrize(
    ("key", "words"),
    [("ab", ["ab: give at least 4 digits"]), ("0123456789", ["0123456789: no behaviour has this key"])],
)
def test_keys_that_nothing_has(audited: tuple[Path, str], key: str, words: list[str]) -> None:
    assert_usage_error(launch(REPORT, "equivalents", str(audited[0]), key), words)


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("redis://:secret@127.0.0.1:1/0", ["--store: redis://:***@127.0.0.1:1/0"]),
        ("nowhere/at/all.db", ["--store: ", "nowhere/at"]),
        ("ftp://host/x", ["--store: ", "ftp://host/x"]),
    ],
)
def test_a_store_that_cannot_be_opened(config: Path, tmp_path: Path, store: str, words: list[str]) -> None:
    """One line, and nothing is made."""
    ended = run(f"--config={config}", f"--workdir={tmp_path / 'run'}", "--workers=0", f"--store={store}", cwd=tmp_path)
    assert_usage_error(ended, words)
    assert "secret" not in ended.err + ended.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("equivalence.audit=1.5", ["equivalence.audit"]),
        ("equivalence.keys=some", ["equivalence.keys"]),
        ("equivalence.mantissa_bits=0", ["equivalence.mantissa_bits"]),
    ],
)
def test_bad_values(config: Path, tmp_path: Path, override: str, words: list[str]) -> None:
    ended = run(f"--config={config}", f"--workdir={tmp_path / 'run'}", f"--config.{override}")
    assert_usage_error(ended, words)
    assert not (tmp_path / "run").exists()
