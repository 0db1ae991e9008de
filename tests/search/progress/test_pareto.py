"""The Pareto archive, against a brute-force front and against moocore."""

import math

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.evaluators.protocol import Status
from isozyme.search import Maximize, Minimize, ParetoArchive, Proposal, Trial

KINDS = st.lists(st.sampled_from([Minimize, Maximize]), min_size=1, max_size=3)


def make(kinds, reference=10.0):
    return [kind(metric=f"m{i}", reference=math.copysign(reference, kind.sign)) for i, kind in enumerate(kinds)]


def finished(number, values, status=Status.OK):
    metrics = {f"m{i}": float(value) for i, value in enumerate(values)}
    return Trial(number, Proposal(number), status, None if status is Status.OK else "why", metrics)


@st.composite
def clouds(draw, values):
    """Kinds of objectives, and points for them."""
    kinds = draw(KINDS)
    return kinds, draw(st.lists(st.tuples(*[values] * len(kinds)), max_size=25))


def brute_force(kinds, points):
    """Numbers of the points that no other dominates; of equal ones the first."""
    costs = [[kind.sign * v for kind, v in zip(kinds, point, strict=True)] for point in points]

    def beaten(i):
        return any(
            all(a <= b for a, b in zip(costs[j], costs[i], strict=True)) and (costs[j] != costs[i] or j < i)
            for j in range(len(points))
            if j != i
        )

    return [i for i in range(len(points)) if not beaten(i)]


@given(clouds(st.integers(-3, 3)))
def test_front_is_that_of_brute_force(cloud):
    kinds, points = cloud
    archive = ParetoArchive(make(kinds))
    for i, point in enumerate(points):
        before = [t.number for t in archive.trials]
        changed = archive.add(finished(i, point))
        assert changed == ([t.number for t in archive.trials] != before)
        assert [t.number for t in archive.trials] == brute_force(kinds, points[: i + 1])


@given(clouds(st.floats(-12, 12, width=32)))
def test_hypervolume_is_that_of_the_whole_set(cloud):
    """moocore, given every point and not only the front."""
    kinds, points = cloud
    archive = ParetoArchive(make(kinds))
    for i, point in enumerate(points):
        archive.add(finished(i, point))
    costs = np.array([[kind.sign * v for kind, v in zip(kinds, p, strict=True)] for p in points], np.float64)
    reference = np.full(len(kinds), 10.0)
    inside = costs[(costs < reference).all(axis=1)] if len(points) else costs
    whole = moocore.hypervolume(inside, ref=reference) if len(inside) else 0.0
    assert archive.hypervolume() == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_hypervolume_by_hand():
    """Accuracy up from 0.5, latency down from 10: steps of 0.4·2, 0.3·3 and 0.1·1 beneath the front."""
    archive = ParetoArchive([Maximize(metric="m0", reference=0.5), Minimize(metric="m1", reference=10.0)])
    assert archive.hypervolume() == 0.0
    for i, point in enumerate([(0.9, 8.0), (0.8, 5.0), (0.6, 4.0), (0.7, 9.0)]):
        archive.add(finished(i, point))
    assert [t.number for t in archive.trials] == [0, 1, 2]
    assert archive.hypervolume() == pytest.approx(0.4 * 2 + 0.3 * 3 + 0.1 * 1)


def test_points_beyond_a_reference_count_nothing():
    archive = ParetoArchive([Maximize(metric="m0", reference=0.5), Minimize(metric="m1", reference=10.0)])
    archive.add(finished(0, (0.9, 8.0)))
    volume = archive.hypervolume()
    assert archive.add(finished(1, (0.99, 11.0)))  # On the front all the same.
    assert archive.add(finished(2, (0.4, 1.0)))
    assert archive.hypervolume() == pytest.approx(volume) == pytest.approx(0.8)


def test_ties_keep_the_first():
    archive = ParetoArchive(make([Minimize, Maximize]))
    assert archive.add(finished(0, (1, 2)))
    assert not archive.add(finished(1, (1, 2)))
    assert [t.number for t in archive.trials] == [0]


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_failures_stay_out(status):
    archive = ParetoArchive(make([Minimize, Minimize]))
    assert not archive.add(finished(0, (-5, -5), status))
    assert archive.trials == []


@pytest.mark.parametrize("values", [(1,), (1, math.inf), (math.nan, 1), (-math.inf, 1)])
def test_missing_and_infinite_metrics_stay_out(values):
    archive = ParetoArchive(make([Minimize, Minimize]))
    assert not archive.add(finished(0, values))
    assert archive.add(finished(1, (3, 3)))
    assert [t.number for t in archive.trials] == [1]
