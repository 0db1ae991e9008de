"""What a space offers besides what every space offers, and that a wrapper passes it on."""

import numpy as np
import pyglove as pg
import pytest
from toys import BitStrings

from isozyme.spaces.abilities import ABILITIES, Crossing, LeavesItself, NamedOperators, WithChoices, attributes, offered
from isozyme.spaces.costs import ParameterCount
from isozyme.spaces.feasible import FeasibleSpace
from isozyme.spaces.limits import Limit
from isozyme.spaces.lion import OptimizerPrograms
from isozyme.spaces.tabnas import FeedForward
from isozyme.spaces.template import TemplateSpace

SPACES = {
    "bits": BitStrings(),
    "networks": FeedForward(10, 2),
    "numbers and choices": TemplateSpace([pg.oneof([1, 2]), pg.floatv(0.0, 1.0)]),
    "programs": OptimizerPrograms(),
}


class Free(pg.Object):
    """Every candidate costs nothing."""

    def __call__(self, candidate):
        return 0.0


def within(space):
    return FeasibleSpace(space, Limit(Free(), 1.0))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("ability", ABILITIES, ids=lambda one: one.__name__)
def test_abilities_survive_wrapping(name, ability):
    """A wrapper has what the space inside has, at any depth, and nothing that it has not."""
    inside = SPACES[name]
    for around in (within(inside), within(within(inside))):
        if ability is LeavesItself:
            assert around.leaves_itself
        elif offered(inside, ability) is None:
            assert offered(around, ability) is None
        else:
            assert offered(around, ability) is around
            assert all(hasattr(around, one) for one in attributes(ability))


def test_what_is_passed_on_is_the_same():
    networks, mixed = SPACES["networks"], SPACES["numbers and choices"]
    limited = FeasibleSpace(networks, Limit(ParameterCount([list(networks.widths)] * 3, 10, 2), 9_000.0))
    crossing, choosing = offered(limited, Crossing), offered(limited, WithChoices)
    assert crossing is not None
    assert choosing is not None
    child = crossing.cross((0, 0, 0), (1, 1, 1), np.random.default_rng(0))
    assert child == networks.cross((0, 0, 0), (1, 1, 1), np.random.default_rng(0))
    assert choosing.choices() == networks.choices()
    named = offered(within(mixed), NamedOperators)
    assert named is not None
    assert list(named.operators) == ["choice", "float"]
