"""Spaces made of a `pg.DNASpec` alone, and descriptions of spaces and algorithms."""

import json
import subprocess
import sys

import numpy as np
import pyglove as pg
import pytest

from isozyme.search import Islands, RegularizedEvolution
from isozyme.search.journal.identity import difference
from isozyme.search.pyglove_bridge.description import described
from isozyme.search.pyglove_bridge.spec import dna_of, outline, space_of, spec_of
from isozyme.spaces.template import TemplateSpace
from isozyme.tests.search.pyglove_bridge.bridge_helpers import Scores, template
from isozyme.tests.spaces.template_helpers import flat, mixed

TEMPLATES = {
    "mixed": mixed,
    "flat": flat,
    "conditional": template,
    "single": lambda: pg.oneof([1, 2]),
    "number": lambda: pg.floatv(-1.0, 1.0),
    "list": lambda: pg.manyof(2, [1, 2, 3], distinct=False),
    "chain": lambda: pg.oneof([0, pg.oneof([pg.oneof([pg.manyof(2, [1, 2, 3]), 4]), pg.floatv(0.0, 1.0)])]),
    "of one": lambda: pg.Dict(
        a=pg.manyof(1, [1, pg.floatv(0.0, 1.0), pg.manyof(2, range(3))]), b=pg.oneof([5], name="b")
    ),
}
SEEDS = range(20)


def bindings(dna):
    return [(type(dna.spec), str(dna.spec.id)), *(one for child in dna.children for one in bindings(child))]


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_spec_makes_the_same_space_as_its_template(name):
    """The same DNA from the same random numbers, the same operators, the same size."""
    ours, known = space_of(pg.dna_spec(TEMPLATES[name]())), TemplateSpace(TEMPLATES[name]())
    assert ours.size == known.size
    assert ours.operators.keys() == known.operators.keys()
    for seed in SEEDS:
        candidate, other = (space.random(np.random.default_rng(seed)) for space in (ours, known))
        assert ours.to_dna(candidate) == known.to_dna(other)
        child, other_child = (s.mutate(c, np.random.default_rng(seed)) for s, c in ((ours, candidate), (known, other)))
        assert ours.to_dna(child) == known.to_dna(other_child)


@pytest.mark.parametrize("name", TEMPLATES)
def test_dna_is_what_pyglove_makes_of_the_numbers(name):
    """Value, JSON and every node's spec; PyGlove decodes it."""
    value = TEMPLATES[name]()
    spec, known = pg.dna_spec(value), TemplateSpace(value)
    for seed in SEEDS:
        candidate = known.random(np.random.default_rng(seed))
        ours, theirs = dna_of(candidate, spec), known.to_dna(candidate)
        assert ours.to_json_str() == theirs.to_json_str()
        assert bindings(ours) == bindings(theirs)
        assert known.from_dna(ours) == candidate
        assert pg.eq(pg.template(value).decode(ours), known.decode(candidate))


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_outline_is_plain_json_and_makes_the_spec_again(name):
    spec = pg.dna_spec(TEMPLATES[name]())
    text = json.dumps(outline(spec), allow_nan=False)
    again = spec_of(json.loads(text))
    assert outline(again) == outline(spec)
    assert pg.eq(again, spec)


def test_candidates_of_different_decisions_are_different():
    """Nothing is known of what they stand for, so that none may pass for another's twin."""
    space = space_of(pg.dna_spec(pg.Dict(a=pg.oneof([1, 1, 2]), b=pg.manyof(2, [0, 0, 0]))))
    points = list(space.points())
    assert len({space.canonical(point) for point in points}) == len(points) == 18


IN_ANOTHER_PROCESS = """
import json, pyglove as pg
from isozyme.search.pyglove_bridge.description import described
from isozyme.search.pyglove_bridge.spec import outline
spec = pg.dna_spec(pg.Dict(f=pg.oneof([lambda x: x, print, {"a", "b", "c"} and 1])))
print(json.dumps([outline(spec), described(pg.evolution.nsga2(population_size=4, seed=1))]))
"""


def test_descriptions_are_the_same_in_every_process():
    """No addresses, no order of sets: a run folder is known again."""
    texts = [
        subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    assert " at 0x" not in texts[0]


def test_a_difference_is_named_by_its_place():
    one, other = (described(Islands(RegularizedEvolution(6, size))) for size in (2, 3))
    assert difference(one, other) == "algorithm.tournament_size was 2, now 3"
    assert difference(one, one) is None
    assert difference(described(Scores([1])), described(Scores([2]))) == "troubled[0] was 1, now 2"
