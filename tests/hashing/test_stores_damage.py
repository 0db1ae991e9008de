"""What is no entry is not put, and what is damaged is left out, on all kinds of stores alike."""

import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import servers
from store_helpers import ENTRY, IN_REDIS, key

from isozyme.hashing.digest import digest
from isozyme.hashing.stores import Entry, Store, open_store
from isozyme.hashing.stores.entry import Row, to_row


@pytest.mark.parametrize(
    "entry",
    [
        Entry((), ()),
        Entry(({"a": 1.0},), ()),
        Entry(({"a": float("nan")},), (1.0,)),
        Entry(({"a": float("inf")},), (1.0,)),
        Entry(({"a": True},), (1.0,)),
        Entry(({"a": 10**400},), (1.0,)),
        Entry(({1: 1.0},), (1.0,)),  # type: ignore[dict-item]
        Entry(({"a": 1.0},), (-1.0,)),
        Entry(({"a": 1.0},), (1.0,), 0),
        Entry(({"a": 1.0},), (1.0,), 1.5),  # type: ignore[arg-type]
        Entry(({"a": 1.0},), (1.0,), 2**60),
        Entry(({"a": 1.0},), (1.0,), 2, {"a": -1.0}),
        Entry(({"a": 1.0},), (1.0,), 2, {"b": 1.0}),
        Entry(({"a": 1.0},), (1.0,), origin=b"x"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_entry_is_not_put(opened: Callable[[], Store], entry: Entry) -> None:
    """And nothing that is put along with it either."""
    store = opened()
    with pytest.raises(ValueError, match=r"stage|number|metrics|negative|m2|origin|evaluations"):
        store.put({key(1): ENTRY, key(2): entry})
    assert len(store) == 0


@pytest.mark.parametrize("name", [b"short", "0" * 16, bytes(17)])
def test_what_is_no_key_is_not_put(opened: Callable[[], Store], name: Any) -> None:
    """A key is a digest."""
    store = opened()
    with pytest.raises(ValueError, match="a key is"):
        store.put({name: ENTRY})
    assert len(store) == 0


SOUND = '{"stages":[{"a":1.0}],"seconds":[1.0],"evaluations":2,"m2":{},"origin":""}'
NO_ENTRIES = {
    "nothing": "",
    "no JSON": "entry",
    "a list": f"[{SOUND}]",
    "a number": "1",
    "NaN": SOUND.replace("1.0}", "NaN}"),
    "infinity": SOUND.replace("1.0}", "-Infinity}"),
    "overflow": SOUND.replace("1.0}", "1e999}"),
    "a text for a number": SOUND.replace("1.0}", '"1"}'),
    "a truth value": SOUND.replace("1.0}", "true}"),
    "no stages": SOUND.replace('[{"a":1.0}]', "[]"),
    "stages without names": SOUND.replace('{"a":1.0}', "1.0"),
    "a text for stages": SOUND.replace('[{"a":1.0}]', '"a"'),
    "a time too many": SOUND.replace("[1.0]", "[1.0,1.0]"),
    "a negative time": SOUND.replace("[1.0]", "[-1.0]"),
    "half an evaluation": SOUND.replace(":2", ":2.5"),
    "negative evaluations": SOUND.replace(":2", ":-2"),
    "a negative sum": SOUND.replace('"m2":{}', '"m2":{"a":-1}'),
    "a number for the origin": SOUND.replace('""', "1"),
    "a field too many": SOUND.replace("}],", '}],"extra":1,'),
    "a field too few": SOUND.replace(',"origin":""', ""),
    "depth": "[" * 100_000,
    "digits": SOUND.replace("1.0}", "9" * 10_000 + "}"),
}


def damaged(place: Any, store: Store, row: Row) -> str:
    """Puts a row past every check, and returns the warning with which it is left out."""
    place.overwrite(store, key("damaged"), row)
    with pytest.warns(RuntimeWarning) as told:
        assert store.get([key("damaged"), key("sound")]) == {key("sound"): ENTRY}
    (warning,) = told
    assert warning.filename == __file__
    text = str(warning.message)
    assert key("damaged").hex() in text
    assert servers.PASSWORD not in text
    assert place.url.partition(":")[0] in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.get([key("damaged")]) == {}  # Told once.
    return text


def test_damaged_rows_are_left_out(place: Any, opened: Callable[[], Store]) -> None:
    """Wrong types, NaN, negative counts, other fields: even where the digest fits. One warning names store and key."""
    opened().put({key("sound"): ENTRY})
    for name, text in NO_ENTRIES.items():
        store = opened()
        store.put({key("sound"): ENTRY})
        row = Row(2001, text, digest(key("damaged"), text.encode()))
        assert "digest" not in damaged(place, store, row), name
        store.close()


def test_rows_that_do_not_fit_their_digest_are_left_out(place: Any, opened: Callable[[], Store]) -> None:
    """A text that was changed, the row of another key, a digest or a number that was changed."""
    mine, other = to_row(key("damaged"), ENTRY), to_row(key("other"), ENTRY)
    assert isinstance(mine.text, str)
    for row in (mine._replace(text=mine.text.replace("0.25", "0.75")), other, mine._replace(digest=bytes(16))):
        store = opened()
        store.put({key("sound"): ENTRY})
        assert "does not fit its digest" in damaged(place, store, row)
        store.close()
    store = opened()
    store.put({key("sound"): ENTRY})
    assert "its rank is 7 where it should be 3002" in damaged(place, store, mine._replace(rank=7))
    place.overwrite(store, key("damaged"), mine)
    assert store.get([key("damaged")]) == {key("damaged"): ENTRY}  # So it was the damage that was found.


def test_values_that_are_no_text_are_left_out(tmp_path: Path) -> None:
    """SQLite stores what it is given: bytes, numbers."""
    for number, (text, seal) in enumerate([(b"\xff\xfe", None), (12, b"12"), (b"\x00", "text"), (SOUND, 1.5)]):
        path = tmp_path / f"{number}.db"
        store = open_store(str(path))
        store.put({key("sound"): ENTRY})
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO isozyme_entries VALUES (?, ?, ?, ?)", (key(1), "many", text, seal or b""))
        connection.close()
        with pytest.warns(RuntimeWarning, match="damaged"):
            assert store.get([key(1), key("sound")]) == {key("sound"): ENTRY}
        store.put({key(2): ENTRY})
        store.close()


@IN_REDIS
def test_other_values_in_redis_are_left_out(place: Any, opened: Callable[[], Store]) -> None:
    """Strings of another form and keys of another type; a put replaces both."""
    store = opened()
    place.execute("SET", f"isozyme:entry:{key(1).hex()}", b"\xff damaged")
    place.execute("RPUSH", f"isozyme:entry:{key(2).hex()}", "a list")
    with pytest.warns(RuntimeWarning, match=key(1).hex()):
        assert store.get([key(1), key(2)]) == {}
    store.put({key(1): ENTRY, key(2): ENTRY})
    assert store.get([key(1), key(2)]) == {key(1): ENTRY, key(2): ENTRY}
