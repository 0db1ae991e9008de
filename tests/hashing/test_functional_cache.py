"""The stand-alone functional cache: functional_hashing.md, section 9, facts 3 to 7 and 12, and section 4."""

import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import numeric_key
from isozyme.hashing.functional_cache import FunctionalCache
from isozyme.hashing.policies import Aggregating, Composed, ForgetEvery, Forgetful, NoiseAware, Plain
from isozyme.tests.toys import BitStrings

POLICIES = [
    Plain(),
    Aggregating(1),
    Aggregating(3),
    Forgetful(0.3),
    ForgetEvery(4),
    NoiseAware(),
    Composed([Aggregating(2), Forgetful(0.5)]),
]


def counts(cache):
    """Misses, partial hits, full hits and size."""
    return cache.misses, cache.partial_hits, cache.full_hits, len(cache)


def ask(cache, keys):
    """Requests keys, each of one letter; every evaluation gives 1."""
    return [cache.request(key.encode(), lambda: 1.0) for key in keys]


def never():
    raise AssertionError("a full hit evaluates nothing")


@pytest.mark.parametrize(
    ("policy", "keys", "expected"),
    [
        (Plain(), "AA", (1, 0, 1, 1)),
        (Aggregating(1), "AA", (1, 0, 1, 1)),
        (Aggregating(2), "AAA", (1, 1, 1, 1)),
        (Plain(), "ABCAC", (3, 0, 2, 3)),
        (Aggregating(1), "ABCAC", (3, 0, 2, 3)),
    ],
)
def test_counts(policy, keys, expected):
    """Fact 3: misses, partial hits, full hits and size."""
    cache = FunctionalCache(policy)
    ask(cache, keys)
    assert counts(cache) == expected


def test_forgetful_with_certainty():
    """Fact 4 (F=1): A, A leave nothing, a third A is a miss again, and only A was ever deleted."""
    cache = FunctionalCache(Forgetful(1.0))
    ask(cache, "AA")
    assert counts(cache) == (1, 0, 1, 0)
    ask(cache, "B")
    assert [reply.kind for reply in ask(cache, "AA")] == ["miss", "full"]
    assert cache.forgotten == 2
    assert b"A" not in cache
    assert b"B" in cache


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_value_is_the_mean_of_the_draws(draws):
    """Fact 5 (M large): after k requests the value is the arithmetic mean of the k draws."""
    cache, ahead = FunctionalCache(Aggregating(1000)), iter(draws)
    for k in range(1, len(draws) + 1):
        reply = cache.request(b"A", ahead.__next__)
        assert reply.value == pytest.approx(np.mean(draws[:k]), rel=1e-12, abs=1e-13 * max(map(abs, draws)))
        assert (reply.evaluations, reply.kind) == (k, "miss" if k == 1 else "partial")
        assert cache.moments(b"A").mean == reply.value
    found = cache.moments(b"A")
    found.add(1e9)
    assert cache.moments(b"A").n == len(draws), "moments are a copy"


def test_seconds():
    """Fact 6: a full hit charges exactly the hashing time; section 3: a partial one the mean evaluation and hashing."""
    times = iter([10.0, 14.0, 20.0, 22.0])
    cache = FunctionalCache(Aggregating(2))
    first = cache.request(b"A", lambda: 1.0, 0.1, times.__next__)
    second = cache.request(b"A", lambda: 2.0, 0.2, times.__next__)
    third = cache.request(b"A", never, 0.3, never)
    assert [first.seconds, second.seconds] == pytest.approx([4.1, 3.2])
    assert third == (1.5, "full", 2, 0.3)


@pytest.mark.parametrize("every", [2, 5, 100])
def test_forget_every(every):
    """Fact 7 (`forget_every`=100): hits 1 to 99 are served and the 99th removes the entry; =2: one hit each."""
    cache = FunctionalCache(ForgetEvery(every))
    for generation in range(1, 4):
        assert ask(cache, "A")[0].kind == "miss"
        for hit in range(1, every):
            assert cache.request(b"A", never).kind == "full"
            assert (b"A" in cache) == (hit < every - 1)
        assert cache.forgotten == generation
    assert (cache.misses, cache.full_hits) == (3, 3 * (every - 1))


def test_the_least_recently_requested_goes():
    """Fact 7, section 3 (AutoML-Zero): LRU, where a hit refreshes; what is pushed out does not count as forgotten."""
    cache = FunctionalCache(Aggregating(2), capacity=2)
    ask(cache, "AB")
    ask(cache, "A")  # partial
    ask(cache, "C")
    assert (b"A" in cache, b"B" in cache, b"C" in cache) == (True, False, True)
    ask(cache, "A")  # full
    cache.moments(b"C")  # no request
    ask(cache, "B")
    assert (b"A" in cache, b"B" in cache, b"C" in cache) == (True, True, False)
    assert (len(cache), cache.forgotten) == (2, 0)


@given(
    st.sampled_from(POLICIES),
    st.integers(0, 2**70),
    st.none() | st.integers(1, 4),
    st.lists(st.sampled_from("ABCDEF"), max_size=60),
)
def test_counts_add_up(policy, seed, capacity, keys):
    """Every request is counted once, every draw is paid for once, and seed and requests settle all of it."""
    draws, caches = [], [FunctionalCache(policy, seed, capacity) for _ in range(2)]

    def evaluate():
        draws.append(len(draws))
        return 1.0

    one, other = ([cache.request(key.encode(), evaluate)._replace(seconds=0.0) for key in keys] for cache in caches)
    cache = caches[0]
    assert cache.misses + cache.partial_hits + cache.full_hits == len(keys)
    assert 2 * (cache.misses + cache.partial_hits) == len(draws)
    kinds = [reply.kind for reply in one]
    assert [kinds.count(kind) for kind in ("miss", "partial", "full")] == list(counts(cache)[:3])
    assert one == other
    assert counts(cache) == counts(caches[1])
    known = [key for key in "ABCDEF" if key.encode() in cache]
    assert len(cache) == len(known) <= min(len(set(keys)), capacity or 6)
    pushed_out = cache.misses - cache.forgotten - len(cache)
    assert pushed_out >= 0
    if capacity is None:
        assert pushed_out == 0


def test_the_seed_decides():
    """Decisions of another seed differ, and so do those of different requests."""
    kinds = {seed: [r.kind for r in ask(FunctionalCache(Forgetful(0.5), seed), "A" * 60)] for seed in (0, 1)}
    assert kinds[0] != kinds[1]
    assert 10 < kinds[0].count("miss") < 30  # Expected are 20: a miss and two hits on average.


def fail():
    raise OSError("out of luck")


@pytest.mark.parametrize("policy", [Plain(), Aggregating(3)], ids=repr)
def test_failures_leave_nothing_behind(policy):
    """A failed evaluation is known by its exception or NaN alone; what was known before stays, with all counts."""
    cache = FunctionalCache(policy, capacity=1)
    ask(cache, "A")
    before = counts(cache), cache.moments(b"A")
    for key in (b"A", b"B") if policy != Plain() else (b"B",):
        with pytest.raises(OSError, match="out of luck"):
            cache.request(key, fail)
        reply = cache.request(key, lambda: math.nan, 0.5, iter([1.0, 3.0]).__next__)
        assert math.isnan(reply.value)
        assert reply[1:] == (("partial", 1, 2.5) if key == b"A" else ("miss", 0, 2.5))
        assert (counts(cache), cache.moments(b"A")) == before
    with pytest.raises(KeyError):
        cache.moments(b"B")


def test_refusals():
    """CONTRIBUTING: what a user can mend names field and value."""
    with pytest.raises(ValueError, match="capacity is 0"):
        FunctionalCache(capacity=0)
    with pytest.raises(ValueError, match="seed is -1"):
        FunctionalCache(seed=-1)


SPACE = BitStrings(size=12, dead=2)
NOISE = 3.0


def fitness(candidate):
    """Best is (5, 5): all live bits set."""
    return float(sum(SPACE.behaviour(candidate)))


def key_of(candidate):
    key = numeric_key(SPACE, candidate)
    assert key is not None
    return key


def evolve(score, seed, trials=400, population=20, tournament=5):
    """Aging evolution: the candidates and the scores that it believed, in order."""
    rng, members, history = np.random.default_rng((seed, 0)), deque(maxlen=population), []
    for number in range(trials):
        if number < population:
            child = SPACE.random(rng)
        else:
            picked = rng.integers(population, size=tournament)
            child = SPACE.mutate(max((members[i] for i in picked), key=lambda m: m[0])[1], rng)
        members.append((score(child), child))
        history.append(members[-1])
    return history


class Scored:
    """Scores by way of a cache, or of none, with noise from a stream of its own; counts evaluations."""

    def __init__(self, seed, noise, cache=None):
        self.rng, self.noise, self.cache, self.evaluations = np.random.default_rng((seed, 1)), noise, cache, 0

    def __call__(self, candidate):
        def evaluate():
            self.evaluations += 1
            return fitness(candidate) + self.noise * self.rng.standard_normal()

        return evaluate() if self.cache is None else self.cache.request(key_of(candidate), evaluate).value


def best_so_far(history):
    return np.maximum.accumulate([value for value, _ in history]).tolist()


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_deterministic_search_is_not_changed(policy):
    """Fact 12: deterministic fitness and a cache give the same trajectory, for fewer evaluations."""
    for seed in range(3):
        alone, cached = Scored(seed, 0.0), Scored(seed, 0.0, FunctionalCache(policy, seed))
        expected, found = evolve(alone, seed), evolve(cached, seed)
        assert best_so_far(found) == best_so_far(expected)
        assert found == expected
        assert cached.evaluations < alone.evaluations == 400


def noisy(policy, seeds=range(20)):
    """Histories with noise, and the number of evaluations of each."""
    scored = [Scored(seed, NOISE, policy and FunctionalCache(policy, seed)) for seed in seeds]
    return [evolve(one, seed) for one, seed in zip(scored, seeds, strict=True)], [one.evaluations for one in scored]


def luck(history):
    """By how much the score of the candidate that is believed to be the best at the end exceeds its fitness."""
    latest = {key_of(candidate): (value, fitness(candidate)) for value, candidate in history}
    believed, true = max(latest.values())
    return believed - true


def draws_per_behaviour(histories):
    """How many different scores each behaviour showed that was asked for at least ten times."""
    shown = []
    for history in histories:
        scores = {}
        for value, candidate in history:
            scores.setdefault(key_of(candidate), []).append(value)
        shown += [len(set(values)) for values in scores.values() if len(values) >= 10]
    return shown


def test_a_plain_cache_freezes_lucky_draws():
    """Fact 12 and section 4: with noise trajectories differ; a plain cache freezes luck and aggregating thins it out.

    All have 400 candidates each; aggregating pays for about five times the evaluations of the plain cache.
    """
    (none, _), (plain, few), (mean, more) = noisy(None), noisy(Plain()), noisy(Aggregating(8))
    for one, other in ((none, plain), (none, mean), (plain, mean)):
        assert all(a != b for a, b in zip(one, other, strict=True))
    assert set(draws_per_behaviour(plain)) == {1}
    assert set(draws_per_behaviour(mean)) == {8}
    assert sum(few) < sum(more) < 20 * 400
    lucky, thinned = np.mean([luck(h) for h in plain]), np.mean([luck(h) for h in mean])
    assert lucky > NOISE, "the luckiest of some twenty draws is about two standard deviations above its fitness"
    assert thinned < 0.6 * lucky  # Not 1/√8 of it: some behaviours were asked for once or twice only.
    better, worse = (np.array([[fitness(c) for _, c in h[-100:]] for h in runs]).mean(1) for runs in (mean, plain))
    gain = better - worse
    assert gain.mean() > 3 * gain.std(ddof=1) / math.sqrt(len(gain)), "the search goes to what is good"
