"""The journal: one writer, any number of readers, atomic commits, and damage that is reported and left alone."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

from isozyme.evaluators.protocol import Outcome, Status
from isozyme.search import Journal, JournalError, Trial
from isozyme.search.journal.database import DiskFull
from isozyme.search.journal.journal import FILE
from isozyme.search.protocol import Effort, Keys, Proposal
from isozyme.tests.toys import BitStrings

SPACE = BitStrings()


def trials(count, first=0):
    """A mix of everything a row may hold."""
    rng = np.random.default_rng(3)
    for number in range(first, first + count):
        kind = (Status.OK, Status.CRASHED, Status.INVALID)[number % 3]
        ok = kind is Status.OK
        yield Trial(
            number=number,
            proposal=Proposal(
                SPACE.random(rng), (number - 1,) if number else (), "mutate", (None, 1, 2)[number % 3], "note"
            ),
            status=kind,
            reason=None if ok else "a reason, 'quoted' – ünïcode",
            metrics={"fitness": 0.1 + number / 3} if ok else {},
            keys=Keys()
            if kind is Status.INVALID
            else Keys(f"{number:032x}", f"{number + 1:032x}", "ab" * (number % 2)),
            cached_from=number - 3 if ok and number > 3 else None,
            hit="static" if ok and number > 3 else None,
            effort=Effort(number / 7, number / 8, 1, "host:7"),
            finished=1.7e9 + number,
            stages=({"short": 0.5}, {"fitness": 0.1 + number / 3}) if ok else (),
            stage_seconds=(0.25, 0.75) if ok else (),
            taken=2 if ok and number > 3 else 0,
            saved_seconds=1.0 if ok and number > 3 else 0.0,
            evaluations=1 + number % 2,
            m2={"fitness": number / 9} if number % 2 else {},
            audit=(None, 0.25, math.inf)[number % 3],
            record="[]" if number % 2 else "",
        )


def filled(folder, count=300):
    """A closed journal, large enough to have many pages."""
    journal = Journal.open(folder)
    journal.set_meta("conditions/search", "bits")
    journal.add(list(trials(count)), SPACE.to_source)
    journal.close()
    return folder / FILE


def read_back(journal):
    return list(journal.trials(SPACE.from_source))


def test_rows_come_back_as_they_were(tmp_path):
    filled(tmp_path, 12)
    journal = Journal.open(tmp_path)
    assert read_back(journal) == list(trials(12))
    assert journal.meta("conditions/search") == "bits"
    assert journal.meta("something else") is None
    journal.close()


def test_trials_come_in_the_order_of_their_numbers(tmp_path):
    journal = Journal.open(tmp_path)
    for trial in reversed(list(trials(9))):
        journal.add([trial], SPACE.to_source)
    assert [trial.number for trial in read_back(journal)] == list(range(9))
    journal.close()


def test_a_second_writer_is_refused(tmp_path):
    first = Journal.open(tmp_path)
    with pytest.raises(JournalError, match="another process is running in this folder"):
        Journal.open(tmp_path)
    first.add(list(trials(3)), SPACE.to_source)
    first.close()
    second = Journal.open(tmp_path)
    assert len(read_back(second)) == 3
    second.close()


def test_reading_while_writing(tmp_path):
    writer = Journal.open(tmp_path)
    writer.add(list(trials(2)), SPACE.to_source)
    reader = Journal.read(tmp_path)
    assert len(read_back(reader)) == 2
    with writer.transaction():
        writer.set_meta("half", "done")
        assert reader.meta("half") is None
    assert reader.meta("half") == "done"
    writer.add(list(trials(3, first=2)), SPACE.to_source)
    assert read_back(reader) == list(trials(2)) + list(trials(3, first=2))
    writer.close()
    assert len(read_back(reader)) == 5
    reader.close()


def test_a_reader_cannot_write(tmp_path):
    filled(tmp_path, 2)
    reader = Journal.read(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.add(list(trials(1, first=2)), SPACE.to_source)
    reader.close()


def test_reading_needs_a_journal(tmp_path):
    with pytest.raises(JournalError, match=r"no trials\.db here; name a run folder"):
        Journal.read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_committed_survives_a_kill(tmp_path):
    """Design, section 3.3: kill the controller anywhere; nothing that was fed back is lost, the lock is free."""
    code = """
import itertools, pathlib, sys
from isozyme.search import Journal
from isozyme.tests.search.journal import test_journal
journal = Journal.open(pathlib.Path(sys.argv[1]))
for first in itertools.count(0, 5):
    journal.add(list(test_journal.trials(5, first)), test_journal.SPACE.to_source)
    print(first + 5, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(20)]
        with pytest.raises(JournalError, match="another process"):
            Journal.open(tmp_path)
        child.send_signal(signal.SIGKILL)
        said += map(int, child.stdout.read().split())
    journal = Journal.open(tmp_path)
    numbers = [trial.number for trial in read_back(journal)]
    journal.close()
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= max(said) >= 100
    assert len(numbers) % 5 == 0  # Commits are whole.


def zero_a_page(content):
    return content[:8192] + bytes(4096) + content[12288:]


def garble_the_middle(content):
    middle = len(content) // 2 // 4096 * 4096
    return content[:middle] + bytes(range(256)) * 16 + content[middle + 4096 :]


def truncate_to_half(content):
    return content[: len(content) // 2]


def truncate_within_a_page(content):
    return content[: len(content) - 1000]


def spoil_the_header(content):
    return b"NotSQL" + content[6:]


def replace_by_text(content):
    return b"trial,status\n" * (len(content) // 13)


DAMAGES = [
    zero_a_page,
    garble_the_middle,
    truncate_to_half,
    truncate_within_a_page,
    spoil_the_header,
    replace_by_text,
]


@pytest.mark.parametrize("entry", [Journal.open, Journal.read])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_reported_and_left_alone(tmp_path, damage, entry):
    """Design, section 6: a damaged journal is reported, in one line, and never silently repaired."""
    path = filled(tmp_path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=r"damaged .*left as it is: restore a copy, or choose another folder"):
        entry(tmp_path)
    assert path.read_bytes() == damaged


def test_a_damaged_journal_is_reported_twice_alike(tmp_path):
    """A refusal leaves no lock behind: the next attempt in the same process hears of the damage as well."""
    path = filled(tmp_path)
    path.write_bytes(spoil_the_header(path.read_bytes()))
    with pytest.raises(JournalError, match="damaged") as first:
        Journal.open(tmp_path)
    with pytest.raises(JournalError, match="damaged") as second:
        Journal.open(tmp_path)
    assert str(first.value) == str(second.value)


def test_another_format_is_refused(tmp_path):
    filled(tmp_path, 2)
    journal = Journal.open(tmp_path)
    journal.set_meta("format", "0")
    journal.close()
    for entry in (Journal.open, Journal.read):
        with pytest.raises(JournalError, match="format 0, this version reads 4"):
            entry(tmp_path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("metrics", '{"fitness": 0.5'),
        ("metrics", "[0.5]"),
        ("metrics", "7"),
        ("stages", "[[1, 2]]"),
        ("stages", '[{"short": 0.5}]'),
        ("stages", "{"),
        ("stage_seconds", "[0.5]"),
        ("stage_seconds", '{"0": 1}'),
        ("static_key", "text"),
        ("parents", "0, 1]"),
        ("parents", "null"),
        ("parents", '{"0": 1}'),
        ("candidate", "0101x"),
        ("status", "fine"),
    ],
)
def test_a_damaged_row_is_reported(tmp_path, column, value):
    path = filled(tmp_path, 6)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE trials SET {column} = ? WHERE trial = 4", (value,))
    connection.close()
    journal = Journal.open(tmp_path)
    with pytest.raises(JournalError, match="damaged"):
        read_back(journal)
    journal.close()


def test_damage_to_a_closing_assessment_is_reported(tmp_path):
    filled(tmp_path, 2)
    journal = Journal.open(tmp_path)
    journal.assess("aa", "final", "0101", Outcome(Status.OK, None, {"fitness": 0.25}, 1.5))
    journal.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE assessments SET metrics = '{\"fitness'")
    connection.close()
    journal = Journal.read(tmp_path)
    with pytest.raises(JournalError, match="damaged"):
        journal.assessment("aa")
    journal.close()


@pytest.mark.parametrize("parents", ["[1", "[5]"])
def test_damage_to_a_lineage_is_reported(tmp_path, parents):
    path = filled(tmp_path, 6)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE trials SET parents = ? WHERE trial = 3", (parents,))
    connection.close()
    journal = Journal.read(tmp_path)
    with pytest.raises(JournalError, match="damaged"):
        list(journal.lineage(5))
    journal.close()


def test_a_failed_commit_leaves_nothing(tmp_path):
    journal = Journal.open(tmp_path)
    journal.add(list(trials(3)), SPACE.to_source)
    with pytest.raises(sqlite3.IntegrityError):  # Trial 2 is there already; 3 and 4 came before it.
        journal.add([*trials(2, first=3), *trials(1, first=2)], SPACE.to_source)
    with pytest.raises(ValueError, match="JSON"):
        journal.add(
            [*trials(1, first=3), Trial(4, Proposal((0,)), Status.OK, metrics={"x": float("nan")})], SPACE.to_source
        )
    assert len(read_back(journal)) == 3
    journal.add(list(trials(2, first=3)), SPACE.to_source)
    assert len(read_back(journal)) == 5
    journal.close()


def test_an_exception_rolls_a_transaction_back(tmp_path):
    journal = Journal.open(tmp_path)

    def half_a_write():
        with journal.transaction():
            journal.set_meta("first", "1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_write()
    assert journal.meta("first") is None
    with journal.transaction():
        journal.set_meta("second", "2")
    journal.close()
    journal = Journal.read(tmp_path)
    assert (journal.meta("first"), journal.meta("second")) == (None, "2")
    journal.close()


def test_lineage_follows_first_parents(tmp_path):
    journal = Journal.open(tmp_path)
    parents = {0: (), 1: (0,), 2: (), 3: (2, 1), 4: (1, 3), 5: (3, 4)}
    journal.add([Trial(n, Proposal((0,), p), Status.OK) for n, p in parents.items()], SPACE.to_source)
    assert list(journal.lineage(5)) == [5, 3, 2]
    assert list(journal.lineage(4)) == [4, 1, 0]
    assert list(journal.lineage(2)) == [2]
    journal.close()


def test_assessments_come_back(tmp_path):
    journal = Journal.open(tmp_path)
    good = Outcome(Status.OK, None, {"fitness": 0.25}, 1.5)
    bad = Outcome(Status.CRASHED, "RuntimeError: why", {}, 0.5)
    journal.assess("aa", "final", "0101", good)
    journal.assess("bb", "final", "0111", bad)
    journal.close()
    journal = Journal.read(tmp_path)
    assert (journal.assessment("aa"), journal.assessment("bb"), journal.assessment("cc")) == (good, bad, None)
    journal.close()


def test_the_journal_stays_small_on_disk(tmp_path):
    """Nothing but text and JSON is stored: a row of the toy space takes less than a kilobyte."""
    path = filled(tmp_path, 300)
    assert os.path.getsize(path) < 300 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_loses_nothing(small_disk):
    """What was committed is there; the failed commit left nothing; with room again, the journal goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    journal = Journal.open(small_disk)
    committed = 0

    def fill():
        nonlocal committed
        while True:
            journal.add(list(trials(50, first=committed)), SPACE.to_source)
            committed += 50

    with pytest.raises(DiskFull, match=r"no room to write .*free some space, then give the same command again"):
        fill()
    assert committed > 0
    assert [t.number for t in read_back(journal)] == list(range(committed))
    ballast.unlink()
    journal.add(list(trials(50, first=committed)), SPACE.to_source)
    journal.close()
    journal = Journal.read(small_disk)
    numbers = [t.number for t in read_back(journal)]
    journal.close()
    assert numbers == list(range(committed + 50))


def test_arrival_is_an_order_of_its_own(tmp_path):
    """An asynchronous run is replayed as it was fed back."""
    journal = Journal.open(tmp_path)
    numbers = [2, 0, 3, 1]
    for arrived, number in enumerate(numbers):
        journal.add(list(trials(1, first=number)), SPACE.to_source, arrived)
    assert journal.asynchronous()
    assert [t.number for t in journal.some_trials(SPACE.from_source, 1, "arrival", 2)] == [0, 3]
    assert [t.number for t in journal.some_trials(SPACE.from_source, 1, "trial", 2)] == [1, 2]
    journal.close()


def test_missing_numbers(tmp_path):
    journal = Journal.open(tmp_path)
    for number in (1, 2, 5):
        journal.add(list(trials(1, first=number)), SPACE.to_source)
    assert journal.missing(0, 8) == [0, 3, 4, 6, 7]
    assert journal.missing(1, 3) == []
    journal.close()


def test_the_newest_snapshots_are_kept(tmp_path):
    journal = Journal.open(tmp_path)
    for fed in (10, 20, 30):
        journal.add_snapshot(fed, json.dumps({"fed": fed}), keep=2)
    assert journal.snapshots() == [(30, '{"fed": 30}'), (20, '{"fed": 20}')]
    journal.close()


def test_sessions_are_extended_and_never_shortened(tmp_path):
    journal = Journal.open(tmp_path)
    first, second = journal.begin_session(100.0, "{}"), journal.begin_session(200.0, "{}")
    journal.seen(first, 150.0, '{"a": 1}')
    journal.seen(first, 140.0, '{"a": 2}')  # The clock was set back.
    journal.seen(second, 260.0, "{}")
    journal.close()
    journal = Journal.read(tmp_path)
    assert journal.sessions() == [(100.0, 150.0, '{"a": 2}'), (200.0, 260.0, "{}")]
    journal.close()
