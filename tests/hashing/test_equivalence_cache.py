"""The equivalence cache: who owns a behaviour, what is computed to find out, and how a journal brings it back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import EquivalenceCache, behaviour_key, numeric_key, static_key
from isozyme.hashing import cache as cache_module
from isozyme.tests.toys import BitStrings

SPACE = BitStrings(size=6, dead=1)


class Asked:
    """Claims candidates of the toy space and counts how often their behaviour was computed."""

    def __init__(self, store=None):
        self.cache, self.probed = EquivalenceCache(store), []

    def __call__(self, trial, candidate):
        def full_key():
            self.probed.append(trial)
            return (full(candidate),)

        return self.cache.claim(trial, static_key(SPACE, candidate), full_key)


def full(candidate):
    """The behaviour key of a candidate of the toy space."""
    numeric = numeric_key(SPACE, candidate)
    assert numeric is not None
    return behaviour_key(numeric, "task")


class Shelf(dict):
    """A store that is a dictionary."""

    settled = 0

    def indexed_keys(self):
        return iter(self)

    def key_owner(self, key):
        return self.get(key)

    def index_keys(self, keys, trials):
        self.update(keys)
        self.settled = trials


def test_first_of_its_behaviour_owns_it():
    """functional_hashing.md, fact 3 (M=1): A, B, C, A, C are three misses and two hits, size 3."""
    ask = Asked()
    a, b, c = (1, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0)
    claims = [ask(trial, candidate) for trial, candidate in enumerate([a, b, c, a, c])]
    assert [claim.owner for claim in claims] == [0, 1, 2, 0, 2]
    assert [claim.hit for claim in claims] == [None, None, None, "static", "static"]
    assert [claim.keys for claim in claims] == [(full(a),), (full(b),), (full(c),), (), ()]


def test_a_twin_in_flight_finds_its_owner():
    """Single flight: ownership is decided at the claim; no outcome has to be known."""
    ask = Asked()
    assert {ask(trial, (1, 1, 0, 0, 0, 0)).owner for trial in range(100)} == {0}


def test_the_static_key_spares_the_numeric_one():
    """Behaviour is computed once for each canonical form, hits and misses alike."""
    ask = Asked()
    a, dead_twin, permuted = (1, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 1), (0, 1, 0, 0, 0, 0)
    hits = [ask(trial, candidate).hit for trial, candidate in enumerate([a, dead_twin, permuted, permuted, dead_twin])]
    assert hits == [None, "static", "numeric", "static", "static"]
    assert ask.probed == [0, 2]


def test_conditions_part_behaviours():
    """functional_hashing.md, section 8: a changed task or budget can never poison entries."""
    numeric = numeric_key(SPACE, (1, 0, 0, 0, 0, 0))
    assert numeric is not None
    assert behaviour_key(numeric, "steps 10") == behaviour_key(numeric, "steps 10")
    assert behaviour_key(numeric, "steps 10") != behaviour_key(numeric, "steps 11")
    assert numeric != static_key(SPACE, (1, 0, 0, 0, 0, 0))


def test_the_version_of_a_space_parts_keys():
    newer = BitStrings(size=6, dead=1, version="bits-2")
    candidate = (1, 0, 0, 0, 0, 0)
    assert numeric_key(SPACE, candidate) != numeric_key(newer, candidate)
    assert static_key(SPACE, candidate) != static_key(newer, candidate)


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(0, 60))
def test_registering_restores(seed, trials, cut):
    """A cache rebuilt from the first rows of a journal answers as the one that lived on."""
    rng = np.random.default_rng(seed)
    candidates = [SPACE.random(rng) for _ in range(trials)]
    lived = Asked()
    claims = [lived(trial, candidate) for trial, candidate in enumerate(candidates)]
    rebuilt, shelf = Asked(), Shelf()
    older = Asked(shelf)
    for trial in range(min(cut, trials)):
        claim, static = claims[trial], static_key(SPACE, candidates[trial])
        for cache in (rebuilt.cache, older.cache):
            for key in (static, full(candidates[trial])):
                if cache.find(key) is None:
                    cache.register(trial, key, claim.owner)
    for trial in range(cut, trials):
        assert rebuilt(trial, candidates[trial]) == claims[trial]
        assert older(trial, candidates[trial]) == claims[trial]
    assert rebuilt.probed == older.probed == [trial for trial in lived.probed if trial >= cut]


def test_older_keys_move_to_the_store(monkeypatch):
    """Only the keys of trials that have been fed back are moved, and nothing is answered otherwise afterwards."""
    monkeypatch.setattr(cache_module, "_NEWEST", 10)
    shelf = Shelf()
    plain, stored = Asked(), Asked(shelf)
    rng = np.random.default_rng(0)
    candidates = [SPACE.random(rng) for _ in range(200)]
    for trial, candidate in enumerate(candidates):
        assert stored(trial, candidate) == plain(trial, candidate)
        stored.cache.settle(trial - 5)
    assert 0 < shelf.settled < 195
    assert stored.probed == plain.probed
    owners = {static_key(SPACE, c): plain(1000, c).owner for c in candidates[: shelf.settled]}
    assert {key: shelf[key] for key in owners} == owners


def test_a_space_without_a_probe_has_static_keys_only():
    cache = EquivalenceCache()
    assert cache.claim(0, b"a", lambda: ()) == (0, None, ())
    assert cache.claim(1, b"a", lambda: ()).hit == "static"
    assert cache.claim(2, b"b", lambda: ()).owner == 2


def test_a_second_key_finds_what_the_first_one_splits():
    """functional_hashing.md, section 10: either grid may agree; the earlier trial wins; twins lend no keys."""
    cache = EquivalenceCache()
    assert cache.claim(0, b"a", lambda: (b"1", b"s1")).owner == 0
    assert cache.claim(1, b"b", lambda: (b"2", b"s2")).owner == 1
    assert cache.claim(2, b"c", lambda: (b"3", b"s2")) == (1, "numeric", (b"3", b"s2"))
    assert cache.claim(3, b"d", lambda: (b"2", b"s1")).owner == 0
    assert cache.claim(4, b"e", lambda: (b"3", b"s4")).owner == 4  # Its first key is that of a twin only.
