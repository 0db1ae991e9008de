"""Behaviours: the reset of everything random, and what counts as an output."""

import random
import warnings

import numpy as np
import pytest

from isozyme.hashing import behaviour, hard_inputs, probe_key
from isozyme.hashing.behaviour import reproducible

INPUT = np.linspace(-1.0, 1.0, 5)


def learner(generator):
    """Draws its weights from the generator it is given."""
    weights = generator.normal(size=5)
    for _ in range(3):
        yield weights * INPUT
        weights -= 0.1 * INPUT  # In place: what was yielded must not change.


def careless(generator):
    """Draws from the global generators."""
    return [np.random.normal(size=3), random.random(), np.random.default_rng(0).normal()]


def plain(generator):
    return [INPUT * 2, INPUT.sum()]


def test_what_others_draw_changes_nothing():
    """Fact 8: A, then a candidate that draws random numbers, then A again: the same key for A."""
    for a in (learner, careless, plain):
        first = probe_key(a)
        for other in (careless, learner):
            probe_key(other)
            random.random()
            np.random.normal(size=7)
            assert probe_key(a) == first


def test_order_in_a_batch_is_irrelevant():
    """Fact 8: the order of hashing a batch is irrelevant."""
    batch = [learner, careless, plain]
    forward = [probe_key(run) for run in batch]
    assert [probe_key(run) for run in batch[::-1]] == forward[::-1]
    assert len(set(forward)) == 3


def test_global_generators_go_on_where_they_were():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.normal()
    random.seed(1)
    np.random.seed(1)
    behaviour(careless)

    def fails(generator):
        careless(generator)
        raise KeyError("in the middle")

    with pytest.raises(KeyError):
        behaviour(fails)
    assert (random.random(), np.random.normal()) == expected


def test_another_seed_is_another_draw():
    for run in (learner, careless):
        one, same, other = behaviour(run), behaviour(run, seed=0), behaviour(run, seed=1)
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not np.array_equal(one[0], other[0])


def test_outputs_are_float64_copies_in_order():
    outputs = behaviour(learner)
    assert [output.dtype for output in outputs] == [np.float64] * 3
    steps = [outputs[i] - outputs[i + 1] for i in range(2)]
    np.testing.assert_allclose(steps, [0.1 * INPUT**2] * 2)


def test_numbers_of_all_types_are_outputs():
    outputs = behaviour(lambda generator: [True, 3, np.float32(0.5), 1 + 2j, [1, 2]])
    assert [output.tolist() for output in outputs] == [1.0, 3.0, 0.5, [1.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize("output", [None, "1.5", {}, [object()], np.datetime64("2023-02-05")])
def test_outputs_that_are_no_numbers(output):
    with pytest.raises(TypeError, match="not a number"):
        behaviour(lambda generator: [output])


def test_errors_and_warnings_of_numbers_are_ignored():
    """Settings of the process must not decide a key; here warnings are errors."""

    def run(generator):
        warnings.warn("overflow", stacklevel=1)
        return [np.log(INPUT), INPUT / 0.0, np.mean([])]

    with np.errstate(all="raise"):
        strict = probe_key(run)
    assert probe_key(run) == strict


def test_mantissa_bits_of_a_probe():
    """Facts 2 and 9: a change of 1e-9 is seen at 52 bits and not at 24; 53 bits there are not."""

    def changed(generator):
        return [output * (1 + 1e-9) for output in plain(generator)]

    assert probe_key(plain) == probe_key(changed)
    assert probe_key(plain, 52) != probe_key(changed, 52)
    with pytest.raises(ValueError, match="mantissa_bits is 53"):
        probe_key(plain, 53)


def test_generators_are_fresh():
    with reproducible(3) as one:
        drawn = one.normal(), random.random(), np.random.normal()
    with reproducible(3) as other:
        assert (other.normal(), random.random(), np.random.normal()) == drawn


def test_hard_inputs():
    """Section 10: zeros, ties, large and small scales; the same for everyone, who cannot change them."""
    shapes = [(3, 4), (3, 4), (), (0,)]
    cases = hard_inputs(shapes)
    assert all([array.shape for array in case] == shapes for case in cases)
    values = np.concatenate([array.ravel() for case in cases for array in case])
    assert np.isfinite(values).all()
    assert np.abs(values[values != 0]).min() < 1e-5
    assert np.abs(values).max() > 1e5
    assert (values == 0).mean() > 0.1
    assert any(np.array_equal(case[0], case[1]) and case[0].any() for case in cases)
    assert any((case[0] < case[1]).any() and (case[0] > case[1]).any() and (case[0] == case[1]).any() for case in cases)
    for few, many in zip(hard_inputs(tuple(shapes), 5), cases[:5], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        cases[0][0][0, 0] = 1.0
