"""`launch/reading/`: all about one trial."""

import json
from pathlib import Path
from typing import Any

import pytest
from journal_helpers import add, failed, run_folder, scored
from launch_helpers import Finished, jsonl, query

from isozyme.evaluators.protocol import Status
from isozyme.launch.errors import UsageError
from isozyme.launch.reading import RunReader
from isozyme.search.protocol import Effort, Keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return run_folder(tmp_path / "run")


def test_card_of_a_trial(folder: Path) -> None:
    """Relatives, twins, noise, the difference from the parent and the command that exports it."""
    start = scored(0, 2, 2, candidate="one\ntwo\n", operator="initial")
    middle = scored(1, 1, 2, candidate="one\nthree\n", parents=(0,), evaluations=4, m2={"loss": 12.0}, note="why <b>")
    shared: dict[str, Any] = {"keys": middle.keys, "cached_from": 1, "effort": Effort()}
    twin = scored(2, 1, 2, candidate="other\n", parents=(1, 0), hit="numeric", **shared)
    same = scored(3, 1, 2, candidate=middle.candidate, parents=(7,), hit="static", **shared)
    add(folder, start, middle, twin, same)
    card = RunReader(folder).card(1)
    assert json.loads(json.dumps(card.to_json())) == card.to_json()
    shown = card.to_json()
    assert (shown["trial"], shown["status"], shown["note"]) == (1, "ok", "why <b>")
    assert shown["metrics"] == {"loss": 1.0, "score": 2.0}
    assert card.noise == {"loss": pytest.approx(1.0)}
    assert card.trial.candidate == "one\nthree\n"
    assert card.diff is not None
    assert card.diff.splitlines() == ["@@ -1,2 +1,2 @@", " one", "-two", "+three"]
    assert (card.equivalents, card.equivalents_total) == ([2, 3], 2)
    assert (card.differently, card.differently_total) == ([2], 1)
    assert (card.children, card.children_total) == ([2], 1)
    assert [(line["trial"], line["operator"]) for line in card.lineage] == [(1, "mutate"), (0, "initial")]
    assert card.lineage[0]["metrics"] == {"loss": 1.0, "score": 2.0}
    assert card.export.endswith("run 1 --to=trial_1")
    orphan = RunReader(folder).card(3)
    assert (orphan.diff, [line["trial"] for line in orphan.lineage]) == (None, [3])


def test_card_of_a_failure_and_of_nobody(folder: Path) -> None:
    """A trial without a behaviour has no twins; a number without a trial is a usage error."""
    add(folder, failed(0, Status.INVALID, "x is no number"), failed(1, Status.INVALID, "y is no number"))
    reader = RunReader(folder)
    card = reader.card(0)
    assert (card.trial.reason, card.trial.keys) == ("x is no number", Keys())
    assert (card.equivalents_total, card.noise) == (0, {})
    with pytest.raises(UsageError, match=r"trial 2: .* has none of that number among its 2 trials"):
        reader.card(2)


def test_long_lines_and_loops_of_parents_come_to_an_end(folder: Path) -> None:
    """At most 200 generations; a damaged journal whose parents go in circles hangs nothing."""
    add(folder, *[scored(i, 1, 1, parents=(i - 1,) if i else ()) for i in range(300)])
    add(folder, scored(300, 1, 1, parents=(301,)), scored(301, 1, 1, parents=(300,)))
    reader = RunReader(folder)
    assert [line["trial"] for line in reader.card(299).lineage] == list(range(299, 99, -1))
    assert [line["trial"] for line in reader.card(300).lineage] == [300, 301]
    assert reader.card(0).children == [1]


def test_cards_of_a_real_run(finished: Finished) -> None:
    """Every trial has one, which agrees with the journal."""
    reader = RunReader(finished.folder)
    texts = dict(query(finished.folder, "SELECT trial, candidate FROM trials"))
    for trial in jsonl("trials", finished.folder):
        card = reader.card(trial["trial"])
        assert card.trial.candidate == texts[card.trial.number]
        assert card.to_json().items() >= trial.items()
        assert card.lineage[0]["trial"] == card.trial.number
        assert card.diff is None or card.trial.parents
