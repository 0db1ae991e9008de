"""To which search a run folder belongs."""

import pytest

from isozyme.search.journal.identity import difference


@pytest.mark.parametrize(
    ("known", "own", "found"),
    [
        ({"seed": 3}, {"seed": 3}, None),
        ({"a": 1, "b": None}, {"a": 1}, None),
        ([1, {"a": [0, 1]}], [1, {"a": [0, 2]}], "[1].a[1] was 1, now 2"),
        ({"a": [1]}, {"a": [1, 2]}, "a was [1], now [1, 2]"),
        ({"a": 1, "b": 2}, {"b": 3, "a": 2}, "a was 1, now 2"),
        ({"a": {"b": 1}}, {"a": "b"}, "a was {'b': 1}, now 'b'"),
    ],
)
def test_a_difference_is_named_by_its_place(known, own, found):
    """CONTRIBUTING: one line says what a user has changed, the first of several changes."""
    assert difference(known, own) == found
