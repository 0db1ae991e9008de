"""Random templates, and one with decisions of every kind."""

from typing import Any

import numpy as np
import pyglove as pg
from hypothesis import strategies as st

from isozyme.spaces.template import TemplateSpace


class Layer(pg.Object):
    """A symbolic object with room for decisions."""

    kind: str
    size: Any = None


def double(x: float) -> float:
    """A function that has a name."""
    return 2 * x


def mixed() -> pg.Dict:
    """Decisions of all kinds, flat and conditional, under dicts, lists and objects."""
    return pg.Dict(
        rate=pg.floatv(1e-5, 1.0, scale="log"),
        blocks=[
            Layer(
                pg.oneof(["conv", "pool"]), pg.oneof([3, pg.Dict(width=pg.floatv(-1.0, 1.0), deep=pg.oneof([0, 1]))])
            ),
            Layer("fixed", pg.manyof(2, [1, 2, pg.oneof([3, 4]), 5], sorted=True)),
        ],
        order=pg.permutate(["a", "b", pg.Dict(p=pg.floatv(0.0, 1.0)), "d"]),
        some=pg.manyof(2, range(4)),
        bag=pg.manyof(3, ["x", "y", pg.oneof([1, 2])], distinct=False, sorted=True),
        word=pg.manyof(3, ["x", "y"], distinct=False),
        constant={"n": 3, "f": double},
    )


def flat() -> pg.Dict:
    """Twenty four-way decisions."""
    return pg.Dict({f"d{i}": pg.oneof(["relu", "gelu", "tanh", "silu"]) for i in range(20)})


def walk(space: TemplateSpace, seed: int, steps: int):
    """Candidates: a random one, and what mutations make of it."""
    rng = np.random.default_rng(seed)
    candidate = space.random(rng)
    yield candidate
    for _ in range(steps):
        candidate = space.mutate(candidate, rng)
        yield candidate


_CONSTANTS = st.sampled_from([None, True, 1, 2, 1.0, -0.5, "a", "b"])


@st.composite
def _manyof(draw, values):
    candidates, distinct = draw(st.lists(values, min_size=1, max_size=3)), draw(st.booleans())
    number = draw(st.integers(1, len(candidates) if distinct else 3))
    return pg.manyof(number, candidates, distinct, draw(st.booleans()))


def _nested(finite: bool):
    floats = st.builds(
        pg.floatv, st.floats(0.25, 1.0), st.floats(1.5, 8.0), st.sampled_from([None, "linear", "log", "rlog"])
    )

    def extend(values):
        choices = [
            st.builds(pg.oneof, st.lists(values, min_size=1, max_size=3)),
            _manyof(values),
            st.builds(pg.permutate, st.lists(values, min_size=1, max_size=3)),
        ]
        parts = [
            st.builds(lambda part: pg.Dict(part=part, rest=0), values),
            st.builds(lambda first, second: pg.List([first, second]), values, values),
            st.builds(lambda size: Layer("any", size), values),
        ]
        return st.one_of(*choices, *parts)

    leaves = _CONSTANTS if finite else st.one_of(_CONSTANTS, floats)
    return st.recursive(leaves, extend, max_leaves=6)


TEMPLATES = _nested(finite=False)
FINITE = _nested(finite=True)
SEEDS = st.integers(0, 2**32)
