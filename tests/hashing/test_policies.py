"""Cache policies: functional_hashing.md, sections 3, 4 and 10, and the facts that do not need a cache."""

import json
import math

import numpy as np
import pyglove as pg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing.policies import (
    Aggregating,
    Composed,
    ForgetEvery,
    Forgetful,
    Moments,
    NoiseAware,
    Plain,
    Record,
)

POLICIES = [
    Plain(),
    Aggregating(3),
    Forgetful(),
    Forgetful(1.0),
    ForgetEvery(),
    NoiseAware(),
    NoiseAware(most=9, confirmed=2),
    Composed([Aggregating(2), Composed([Forgetful(0.5), NoiseAware()])]),
]
VALUES = st.lists(st.floats(-1e6, 1e6), max_size=30)


class Untouched:
    """A generator that may not be used."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was drawn")


NO_RNG: np.random.Generator = Untouched()  # pyright: ignore[reportAssignmentType]


def moments(values):
    found = Moments()
    for value in values:
        found.add(value)
    return found


def assert_agrees(found, values):
    """Moments against numpy, to rounding: the variance is a difference of numbers as large as the squares."""
    assert found.n == len(values)
    scale = max(map(abs, values), default=0.0)
    assert found.mean == pytest.approx(np.mean(values) if values else 0.0, rel=1e-12, abs=1e-13 * scale)
    if len(values) < 2:
        assert math.isnan(found.variance)
        assert math.isnan(found.standard_error)
    else:
        assert found.variance == pytest.approx(np.var(values, ddof=1), rel=1e-9, abs=1e-13 * scale * scale)
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert found.standard_error == pytest.approx(error, rel=1e-9, abs=1e-6 * scale)


@given(VALUES)
def test_one_by_one(values):
    """Section 10: (n, mean, M2) of values that come one by one are numpy's."""
    assert_agrees(moments(values), values)


@given(VALUES, VALUES, VALUES)
def test_merged(one, other, third):
    """Section 10: moments of groups are merged to those of all, empty groups included."""
    found = moments(one)
    found.merge(moments(other))
    found.merge(moments(third))
    assert_agrees(found, one + other + third)


def test_scatter_on_top_of_a_large_mean():
    """What a sum of squares would lose: 1e9 ± 1 has variance 1."""
    found = moments([1e9 - 1, 1e9, 1e9 + 1])
    assert (found.n, found.mean, found.variance) == (3, 1e9, 1.0)


@pytest.mark.parametrize("values", [[math.inf], [math.inf, 1.0, 2.0], [1.0, math.inf], [math.inf, math.inf, 1.0]])
def test_an_infinite_value(values):
    """A diverged evaluation makes a mean infinite, as a sum would be, rather than NaN; the variance is not finite."""
    found = moments(values)
    assert found.mean == math.inf
    assert not math.isfinite(found.variance)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_json(policy):
    """Experiments store their policy: a policy read from JSON is equal and decides alike."""
    read = pg.from_json(json.loads(json.dumps(pg.to_json(policy))))
    assert pg.eq(read, policy)
    assert read is not policy
    records = [Record(n, requests) for n in range(1, 12) for requests in range(n, 120)]
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    for record in records:
        assert policy.evaluate_again(record, one) == read.evaluate_again(record, other)
        assert policy.forget(record, one) == read.forget(record, other)
        assert policy.confirm(record) == read.confirm(record)
    assert one.random() == other.random()


@pytest.mark.parametrize("policy", POLICIES[1:], ids=repr)
def test_policies_are_immutable(policy):
    """What an experiment names cannot change under it."""
    name = next(iter(policy.sym_init_args))
    with pytest.raises(pg.WritePermissionError):
        setattr(policy, name, getattr(policy, name))


@given(st.integers(1, 50), st.integers(1, 200))
def test_those_without_chance(n, requests):
    """Section 3: which decisions rest on counts alone, without a random number."""
    record = Record(n, requests)
    plain = Plain()
    assert not plain.evaluate_again(record, NO_RNG)
    assert not plain.forget(record, NO_RNG)
    assert not plain.confirm(record)
    assert Aggregating(7).evaluate_again(record, NO_RNG) == (n < 7)
    assert not Aggregating(7).forget(record, NO_RNG)
    assert Forgetful(1.0).forget(record, NO_RNG)
    assert ForgetEvery().forget(record, NO_RNG) == (requests >= 100)
    assert NoiseAware(confirmed=4).confirm(record) == (n < 4)
    if n >= 5:
        assert not NoiseAware().evaluate_again(record, NO_RNG)


def test_forgetful_forgets_at_its_rate():
    """Section 3: with probability F, 0.1 in the paper."""
    rng, policy, count = np.random.default_rng(0), Forgetful(), 20_000
    forgotten = sum(policy.forget(Record(), rng) for _ in range(count))
    assert abs(forgotten - 0.1 * count) < 4 * math.sqrt(0.09 * count)
    assert not any(Forgetful(0.0).forget(Record(), rng) for _ in range(1000))


def requests_until(policy, most, rng):
    """Number of the request that draws evaluation `most`."""
    record = Record()
    while record.evaluations < most:
        record.requests += 1
        record.evaluations += policy.evaluate_again(record, rng)
    return record.requests


def test_noise_aware_waits_longer_for_each_draw():
    """Section 10, re-evaluation with falling probability: draw M comes at request M(M+1)/2 on average.

    The wait for draw n+1 is geometric with p = 1/(n+1), of variance n(n+1); that of the sum is (M-1)M(M+1)/3.
    """
    rng, policy, count = np.random.default_rng(1), NoiseAware(most=6), 4_000
    for most in (2, 3, 5):
        mean = np.mean([requests_until(policy, most, rng) for _ in range(count)])
        assert abs(mean - most * (most + 1) / 2) < 4 * math.sqrt((most - 1) * most * (most + 1) / 3 / count)


def test_noise_aware_draws_as_the_root_of_requests():
    """Section 10: after k requests about √(2k) evaluations have been drawn."""
    rng, policy, drawn = np.random.default_rng(2), NoiseAware(most=10_000), []
    for _ in range(100):
        record = Record()
        for _ in range(799):
            record.requests += 1
            record.evaluations += policy.evaluate_again(record, rng)
        drawn.append(record.evaluations)
    assert np.mean(drawn) == pytest.approx(math.sqrt(2 * 800), rel=0.05)


def test_composed_says_yes_where_one_does():
    """Section 3: aggregating and forgetting go together."""
    both = Composed([Aggregating(2), ForgetEvery(3), NoiseAware(most=1)])
    rng = np.random.default_rng(0)
    assert both.evaluate_again(Record(1, 2), rng)
    assert not both.evaluate_again(Record(2, 3), rng)
    assert both.forget(Record(2, 3), rng)
    assert not both.forget(Record(2, 2), rng)
    assert both.confirm(Record(2, 9))
    assert not both.confirm(Record(3, 9))


@pytest.mark.parametrize("first", [Plain(), Aggregating(9), ForgetEvery(2)], ids=repr)
def test_composed_draws_whatever_the_first_says(first):
    """Reproducible: how many random numbers are drawn does not hang on the answer of another policy."""
    rng, alone = np.random.default_rng(5), np.random.default_rng(5)
    second = Composed([Forgetful(0.5), NoiseAware()])
    both = Composed([first, second])
    for _ in range(20):
        both.evaluate_again(Record(2, 5), rng)
        both.forget(Record(2, 5), rng)
        second.evaluate_again(Record(2, 5), alone)
        second.forget(Record(2, 5), alone)
    assert rng.random() == alone.random()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ForgetEvery(1), "requests"),  # Fact 7: 1 is illegal.
        (lambda: Aggregating(0), "evaluations"),
        (lambda: Forgetful(1.5), "probability"),
        (lambda: NoiseAware(most=0), "most"),
        (lambda: NoiseAware(confirmed=0), "confirmed"),
        (lambda: Composed([]), "policies"),
    ],
)
def test_values_out_of_range(make, field):
    """CONTRIBUTING: what a user can mend is one line that names the field."""
    with pytest.raises(ValueError, match=rf"path={field}\)$"):
        make()
