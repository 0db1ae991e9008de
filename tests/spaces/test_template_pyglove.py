"""Template spaces against PyGlove itself: values, DNAs, sizes (pyglove sheet, sections 3 and 10)."""

import random
import timeit
from itertools import islice

import numpy as np
import pyglove as pg
import pytest
from hypothesis import given, settings

from isozyme.spaces.protocol import InvalidCandidate
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.spaces.template_helpers import FINITE, SEEDS, TEMPLATES, flat, mixed

MIXED = TemplateSpace(mixed())


def _same(one, other):
    """Equal with types: pg.eq takes 1, 1.0 and True for one another (pyglove sheet, section 6)."""
    return pg.eq(one, other) and pg.format(one) == pg.format(other)


@settings(max_examples=40, deadline=None)
@given(template=TEMPLATES, seed=SEEDS)
def test_values_and_dnas_are_pyglove_s(template, seed):
    """decode is pg.template(…).decode, and DNAs come back as they went."""
    space, theirs = TemplateSpace(template), pg.template(template)
    candidate = space.random(np.random.default_rng(seed))
    dna = space.to_dna(candidate)
    spec = dna.spec
    assert spec is not None
    spec.validate(dna)
    assert _same(space.decode(candidate), theirs.decode(dna))
    assert space.from_dna(dna) == candidate


@settings(max_examples=40, deadline=None)
@given(template=TEMPLATES, seed=SEEDS)
def test_foreign_dnas_round_trip(template, seed):
    """Any DNA that PyGlove makes is a valid candidate, and the same DNA again."""
    space = TemplateSpace(template)
    dna = pg.random_dna(pg.dna_spec(template), random.Random(seed))
    candidate = space.from_dna(dna)
    assert space.validate(candidate) is None
    assert space.to_dna(candidate) == dna
    assert _same(space.decode(candidate), pg.template(template).decode(dna))


@settings(max_examples=40, deadline=None)
@given(template=FINITE)
def test_size_and_points_are_pyglove_s(template):
    """Counted with conditionals, distinct and sorted choices; listed in the order of PyGlove."""
    space, spec = TemplateSpace(template), pg.dna_spec(template)
    assert space.size == spec.space_size
    assert isinstance(space.size, int)
    points = list(islice(space.points(), 300))
    assert len(points) == len(set(points)) == min(space.size, 300)
    assert all(space.validate(point) is None for point in points)
    few = [space.from_dna(dna) for dna in islice(spec.iter_dna(), 30)]
    assert points[:30] == few


@settings(max_examples=40, deadline=None)
@given(template=TEMPLATES, seed=SEEDS)
def test_values_are_encoded_again(template, seed):
    """encode finds a candidate of the same value, the same candidate but for twins, also where choices overlap."""
    space = TemplateSpace(template)
    candidate = space.random(np.random.default_rng(seed))
    again = space.encode(space.decode(candidate))
    assert space.validate(again) is None
    assert space.canonical(again) == space.canonical(candidate)


def test_encode_tells_overlapping_choices_apart():
    """pg.template(…).encode takes the first candidate that fits for both and breaks `distinct`."""
    space = TemplateSpace(pg.manyof(2, [pg.floatv(0.0, 1.0), pg.floatv(0.0, 0.5), "c"]))
    assert space.encode([0.3, 0.7]) == (((1, 0.3), (0, 0.7)),)
    with pytest.raises(ValueError, match="distinct"):
        pg.template(space.template).encode([0.3, 0.7]).use_spec(pg.dna_spec(space.template))


@pytest.mark.parametrize(
    "value",
    [None, 3, [], {}, pg.Dict(x=1), pg.Dict(x=2, y=0), pg.Dict(x=True, y=0.5), pg.Dict(x=1, y=0.5, z=0), [1, 0.5]],
)
def test_values_of_other_templates_are_not_encoded(value):
    """A value outside the space is refused, whatever it is."""
    space = TemplateSpace(pg.Dict(x=pg.oneof([1, 2]), y=pg.floatv(0.0, 1.0)))
    assert space.encode({"x": 1, "y": 0.5}) == (0, 0.5)
    with pytest.raises(InvalidCandidate, match="no decisions that lead to this value"):
        space.encode(value)


@pytest.mark.parametrize(
    ("dna", "reason"),
    [
        (pg.DNA([-1, 0.5]), "x: -1 is not one of 0 to 1"),  # pg.DNA takes negative indices itself.
        (pg.DNA([2, 0.5]), "x: 2 is not one of 0 to 1"),
        (pg.DNA([1, 1]), "y: 1 is not a float"),
        (pg.DNA([0.5, 0.5]), "x: 0.5 is not a choice"),
        (pg.DNA([1, 1.5]), "y: 1.5 is outside of 0.0 to 1.0"),
        (pg.DNA(1), "y: a value of type NoneType is not a float"),
        (pg.DNA([1, 0.5, 0]), "the DNA has more decisions than the template"),
        (pg.DNA("adam"), "x: a value of type str is not a choice"),
    ],
)
def test_dnas_of_other_templates_are_refused(dna, reason):
    """One line says where and why."""
    space = TemplateSpace(pg.Dict(x=pg.oneof([1, 2]), y=pg.floatv(0.0, 1.0)))
    with pytest.raises(InvalidCandidate, match=reason):
        space.from_dna(dna)


def test_dnas_are_bound_to_the_spec():
    """So that a foreign generator can look decisions up by name, and mutate them (pyglove sheet, section 3)."""
    candidate = MIXED.random(np.random.default_rng(0))
    dna = MIXED.to_dna(candidate)
    assert dna.to_dict()["rate"] == candidate[0]
    child = pg.evolution.mutators.Uniform(seed=1).mutate(dna)
    assert MIXED.validate(MIXED.from_dna(child)) is None


def test_foreign_generators_drive_the_space():
    """Any pg.DNAGenerator may serve as an algorithm (design, section 4)."""
    template = pg.Dict({f"bit{i}": pg.oneof([0, 1]) for i in range(4)})
    space = TemplateSpace(template)
    seen = []
    algorithm = pg.evolution.regularized_evolution(population_size=5, tournament_size=2, seed=1)
    for value, feedback in pg.sample(template, algorithm, num_examples=20):
        candidate = space.from_dna(feedback.dna)
        assert pg.eq(space.decode(candidate), value)
        seen.append(candidate)
        feedback(float(sum(candidate)))
    assert len(set(seen)) > 4


def test_ours_runs_in_pg_sample():
    """What the space draws and mutates may be given to a plain pg.sample (design, section 4)."""
    rng, proposed = np.random.default_rng(0), []

    class Walk(pg.DNAGenerator):
        def _propose(self):
            proposed.append(MIXED.mutate(proposed[-1], rng) if proposed else MIXED.random(rng))
            return MIXED.to_dna(proposed[-1])

    sampled = []
    for value, feedback in pg.sample(mixed(), Walk(), num_examples=6):
        sampled.append(value)
        feedback(0.0)
    assert [MIXED.encode(value) for value in sampled] == proposed


def test_derived_values():
    """References are computed as pg.template does, and checked when a value is encoded."""
    template = pg.Dict(w=pg.oneof([8, 16]), inner=pg.oneof([pg.Dict(width=pg.hyper.reference("w")), None]))
    space = TemplateSpace(template)
    assert space.decode((1, 0)) == pg.Dict(w=16, inner=pg.Dict(width=16))
    assert space.decode((1, 0)) == pg.template(template).decode(space.to_dna((1, 0)))
    assert space.encode(pg.Dict(w=8, inner=pg.Dict(width=8))) == (0, 0)
    with pytest.raises(InvalidCandidate):
        space.encode(pg.Dict(w=8, inner=pg.Dict(width=16)))


class Own(pg.hyper.CustomHyper):
    """A hyper value with an encoding of its own."""

    def custom_decode(self, dna):
        return dna.value


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (pg.Dict(a=[pg.evolve(pg.Dict(x=1), lambda k, v, p: v)]), r"a\[0\]: Evolvable cannot be searched"),
        (pg.Dict(a=pg.oneof([1, pg.Dict(b=Own())])), r"a\.candidates\[1\]\.b: Own cannot be searched"),
        (Own(), "template: Own cannot be searched"),
        (pg.manyof(0, [1, 2]), "template: ManyOf cannot be searched.* pg.manyof of one or more"),
        (pg.Dict(a=(1, pg.oneof([1, 2]))), "a: PyGlove looks for no decisions in a tuple"),
        (pg.Dict(a=pg.floatv(0.0, float("inf"))), "a: bounds of 0.0 and inf"),
        (pg.Dict(a=pg.floatv(float("nan"), 1.0)), "a: bounds of nan and 1.0"),
    ],
)
def test_what_cannot_be_searched_is_refused(template, reason):
    """One line that names the path, when the space is made."""
    with pytest.raises(ValueError, match=reason) as caught:
        TemplateSpace(template)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("in_order", [False, True])
def test_sizes_of_lists(distinct, in_order):
    """All four kinds of lists, with a conditional candidate, against their definition."""
    space = TemplateSpace(pg.manyof(3, ["a", pg.oneof([1, 2]), "b", "c"], distinct, in_order))
    every = TemplateSpace(pg.manyof(3, ["a", pg.oneof([1, 2]), "b", "c"], distinct=False))
    indices = [[g[0] if isinstance(g, tuple) else g for g in point[0]] for point in every.points()]
    kept = [i for i in indices if (len(set(i)) == 3 or not distinct) and (sorted(i) == i or not in_order)]
    assert space.size == len(kept) == len(list(space.points()))


def test_large_and_infinite_sizes():
    """2.8e18 points of the MnasNet sketch (pyglove sheet, user sketch); no end where there is a float."""
    widths = [4, 2, 2, 3, 3, 3]
    space = TemplateSpace(pg.List([pg.List([pg.oneof(range(n)) for n in widths]) for _ in range(7)]))
    assert space.size == 432**7
    assert next(space.points()) == (0,) * 42
    assert TemplateSpace(pg.permutate(range(30))).size == 265252859812191058636308480000000
    assert TemplateSpace(pg.oneof([1, pg.floatv(0.0, 1.0)])).size is None
    assert TemplateSpace(pg.Dict(a=pg.floatv(0.5, 0.5), b=pg.oneof([1, 2]))).size == 2
    with pytest.raises(ValueError, match="cannot be listed"):
        MIXED.points()


def test_listing_is_lazy():
    """A sub-space of a billion points does not stand in the way of what comes after it."""
    huge = pg.List([pg.oneof(range(10)) for _ in range(9)])
    space = TemplateSpace(pg.manyof(2, [huge, "b"]))
    assert list(islice(space.points(), 2)) == [(((0, *[0] * 9), 1),), (((0, *[0] * 8, 1), 1),)]


def test_decoding_is_faster_than_pyglove_s():
    """A sample is cloned, not the template with all its candidates (pyglove sheet, section 3: 29 ms and more)."""
    space = TemplateSpace(flat())
    candidate, theirs = space.random(np.random.default_rng(0)), pg.template(space.template)
    dna = space.to_dna(candidate)
    ours = min(timeit.repeat(lambda: space.decode(candidate), number=1, repeat=10))
    assert 3 * ours < min(timeit.repeat(lambda: theirs.decode(dna), number=1, repeat=10))
