"""Stores of outcomes: one suite for all kinds, on real servers (functional hashing sheet, section 10: a cache that is
distributed, looked up in batches, and kept from run to run)."""

import doctest
import itertools
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_helpers import (
    ENTRY,
    IN_POSTGRESQL,
    LASTING,
    ON_A_SERVER,
    draws,
    key,
    one_line_without_password,
    python,
)

from isozyme.hashing import stores
from isozyme.hashing.stores import Entry, Store, StoreError, StoreUnavailable, open_store

NUMBER = itertools.count()


def test_entries_come_back_as_they_were(opened: Callable[[], Store]) -> None:
    """Every field, in the order of the keys that were asked for; what is not there is left out."""
    store = opened()
    store.put({key(1): ENTRY, key(2): draws(1)})
    found = store.get([key(2), key(3), key(1), key(2)])
    assert list(found.items()) == [(key(2), draws(1)), (key(1), ENTRY)]
    assert (len(store), store.get([])) == (2, {})
    store.put({})
    assert len(store) == 2


@LASTING
def test_a_later_object_finds_them(place: Any, opened: Callable[[], Store]) -> None:
    """What one run has put, the next one gets; and the other way round while both are open."""
    first = opened()
    first.put({key(1): ENTRY})
    second = opened()
    assert second.get([key(1)]) == {key(1): ENTRY}
    second.put({key(1): draws(4), key(2): ENTRY})
    assert first.get([key(1), key(2)]) == {key(1): draws(4), key(2): ENTRY}


def test_batches_of_thousands(opened: Callable[[], Store]) -> None:
    """Across the sizes in which statements are split."""
    store = opened()
    entries = {key(number): draws(1 + number % 3, number / 7) for number in range(3501)}
    store.put(entries)
    assert store.get([key(number) for number in range(-1, 3502)]) == entries
    assert len(store) == len(entries)


NAMES = st.text(max_size=5)
METRICS = st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), max_size=3)
SECONDS = st.floats(0, allow_infinity=False)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any valid entry, with few evaluations so that they compete."""
    found = draw(st.lists(st.tuples(METRICS, SECONDS), min_size=1, max_size=3))
    stages, seconds = zip(*found, strict=True)
    m2 = {name: draw(SECONDS) for name in stages[-1] if draw(st.booleans())}
    return Entry(stages, seconds, draw(st.integers(1, 4)), m2, draw(NAMES))


def _rank(entry: Entry) -> tuple[int, int]:
    return entry.evaluations, len(entry.stages)


def test_any_sequence_of_puts_is_a_dictionary(opened: Callable[[], Store]) -> None:
    """Of two entries the one with more evaluations stays, of two with equally many the one with more stages."""
    writers = opened(), opened()
    shared = type(writers[0]).__name__ != "MemoryStore"

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.booleans(), st.dictionaries(st.integers(0, 3), entries())), max_size=6))
    def check(puts: list[tuple[bool, dict[int, Entry]]]) -> None:
        names = [key((next(NUMBER), name)) for name in range(4)]
        model: dict[bytes, Entry] = {}
        for second, batch in puts:
            found = {names[name]: entry for name, entry in batch.items()}
            writers[second and shared].put(found)
            writers[second and shared].put(found)  # Changes nothing.
            for name, entry in found.items():
                if name not in model or _rank(entry) > _rank(model[name]):
                    model[name] = entry
        assert writers[0].get(names) == model

    check()


def test_the_order_of_puts_does_not_matter(opened: Callable[[], Store]) -> None:
    """As long as no two entries of a key have equally many evaluations."""
    store, rng = opened(), random.Random(5)
    puts = [(name, evaluations) for name in range(20) for evaluations in (1, 2, 3, 7)]
    for _ in range(3):
        number = next(NUMBER)
        rng.shuffle(puts)
        for name, evaluations in puts:
            store.put({key((number, name)): draws(evaluations, evaluations / 3)})
        found = store.get([key((number, name)) for name in range(20)])
        assert list(found.values()) == [draws(7, 7 / 3)] * 20


WRITER = """
import random, sys
from isozyme.hashing.digest import digest
from isozyme.hashing.stores import Entry, open_store
url, number = sys.argv[1], int(sys.argv[2])
keys = [digest(b"race", bytes([i])) for i in range(100)]
rng = random.Random(number)
print("ready", flush=True)
sys.stdin.readline()
store = open_store(url)
for put in range(40):
    rng.shuffle(keys)
    store.put({k: Entry(({"fitness": float(number)},), (1.0,), 1 + (put + rng.randrange(5)) // 4) for k in keys[:60]})
    if put % 10 == 0:
        store.get(keys)
store.put({k: Entry(({"fitness": float(number)},), (1.0,), 100) for k in keys})
found = store.get(sorted(keys))
print([(k.hex(), e.evaluations, e.stages[0]["fitness"]) for k, e in found.items()], flush=True)
store.close()
"""


@LASTING
def test_processes_that_write_at_once(place: Any, opened: Callable[[], Store]) -> None:
    """Three that make the store at the same moment and write the same keys in different orders all agree in the end."""
    writers = [python(WRITER, place.url, str(number)) for number in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    results = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], results
    assert len({out for out, _ in results}) == 1  # The first with 100 evaluations has stayed, for all.
    assert results[0][0].count(", 100, ") == 100
    assert len(opened()) == 100


def test_a_killed_writer_leaves_a_sound_file(tmp_path: Path) -> None:
    """kill -9 at any time: what was put is there, and nothing is damaged."""
    script = """
import sys
from isozyme.hashing.stores import Entry, open_store
store = open_store(sys.argv[1])
for number in range(1_000_000):
    store.put({(100 * number + i).to_bytes(16, "big"): Entry(({"a": 1.0},), (1.0,)) for i in range(100)})
    print(number, flush=True)
"""
    path = tmp_path / "outcomes.db"
    for _ in range(3):
        writer = python(script, str(path))
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 20:
            pass
        writer.send_signal(signal.SIGKILL)
        last = int(["20", *writer.communicate()[0].split("\n")[:-1]][-1])
        store = open_store(str(path))
        assert len(store) >= 100 * last
        assert len(store.get([number.to_bytes(16, "big") for number in range(100 * last)])) == 100 * last
        store.close()
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.execute("DELETE FROM isozyme_entries")
        connection.close()


@ON_A_SERVER
def test_a_server_that_goes_away_and_comes_back(place: Any, opened: Callable[[], Store]) -> None:
    """Calls meanwhile say so in one line; the same object works again, and so does one that noticed nothing."""
    store, unaware = opened(), opened()
    store.put({key(1): ENTRY})
    assert unaware.get([key(1)]) == {key(1): ENTRY}
    place.kill()
    try:
        for call in (lambda: store.get([key(1)]), lambda: store.put({key(2): ENTRY}), lambda: len(store)):
            with pytest.raises(StoreUnavailable) as told:
                call()
            one_line_without_password(told.value, "127.0.0.1")
        with pytest.raises(StoreError) as told:
            opened()
        assert not isinstance(told.value, StoreUnavailable)
        one_line_without_password(told.value, "127.0.0.1")
    finally:
        place.start()
    store.put({key(2): ENTRY})
    assert unaware.get([key(1), key(2)]) == {key(1): ENTRY, key(2): ENTRY}
    place.kill()
    place.start()
    unaware.put({key(3): ENTRY})
    assert len(store.get([key(1), key(2), key(3)])) == 3


def test_a_file_in_use_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that never ends its transaction, and then does."""
    from isozyme.hashing.stores import sqlite

    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.1)
    path = tmp_path / "outcomes.db"
    store = open_store(str(path))
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.put({key(1): ENTRY})
    assert store.get([key(1)]) == {}  # Who reads does not wait.
    hog.execute("COMMIT")
    store.put({key(1): ENTRY})
    assert store.get([key(1)]) == {key(1): ENTRY}
    hog.close()
    store.close()


@IN_POSTGRESQL
def test_rows_are_locked_in_the_order_of_their_keys(place: Any, opened: Callable[[], Store]) -> None:
    """Two writers never wait for each other: one that waits for a row holds none with a larger key."""
    store, (low, middle, high) = opened(), sorted(map(key, range(3)))
    store.put({low: draws(1), middle: draws(1), high: draws(1)})
    touch = "UPDATE isozyme_entries SET rank = rank WHERE key = %s"
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with place.connection() as other:
        other.execute("BEGIN")
        other.execute(touch, [middle])
        writer = threading.Thread(target=store.put, args=({high: draws(2), middle: draws(2), low: draws(2)},))
        writer.start()
        while place.value(waits) == 0:
            assert writer.is_alive()
        other.execute(touch, [high])
        other.execute("COMMIT")
    writer.join(timeout=30)
    assert store.get([low, middle, high]) == dict.fromkeys((low, middle, high), draws(2))


@IN_POSTGRESQL
def test_a_locked_table_is_unavailable(place: Any, opened: Callable[[], Store]) -> None:
    """It is waited for, but not forever; afterwards the same object works again."""
    opened()
    store = open_store(f"{place.url}?options=-c%20statement_timeout%3D100ms")
    with place.connection() as hog:
        hog.execute("BEGIN; LOCK TABLE isozyme_entries")
        with pytest.raises(StoreUnavailable, match="timeout"):
            store.put({key(1): ENTRY})
        hog.execute("COMMIT")
    store.put({key(1): ENTRY})
    assert store.get([key(1)]) == {key(1): ENTRY}
    store.close()


def test_nothing_is_imported_before_it_is_needed() -> None:
    """A run without a shared store loads no driver; the example in the documentation holds."""
    script = "import sys; from isozyme.hashing.stores import open_store; open_store('memory:')"
    script += "; print(sorted({'psycopg', 'redis'} & sys.modules.keys()))"
    assert python(script).communicate(timeout=60)[0] == "[]\n"
    assert doctest.testmod(stores) == (0, 3)


def test_urls_are_paths_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without `sqlite:`, relative ones, and names that mean something to SQLite."""
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:one.db", "one.db", str(tmp_path / "one.db"), ":memory:", "file:two.db?mode=ro"):
        store = open_store(url)
        store.put({key(url): ENTRY})
        store.close()
    store = open_store("one.db")
    assert len(store) == 3
    store.close()
    assert sorted(os.listdir()) == [":memory:", "file:two.db?mode=ro", "one.db"]
