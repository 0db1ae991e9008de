"""Constants-only mutation: the baseline of lion.md, section 6, which tunes AdamW (issue 6, deliverable 8)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme import hashing
from isozyme.spaces.lion import NAMED, OptimizerPrograms
from isozyme.spaces.lion.mutation import constants
from isozyme.spaces.lion.program import LITERAL_LIMIT

SPACE = OptimizerPrograms(mutates="constants")
ADAMW = NAMED["adamw"]
START = """
def train(w, g, v1, v2, lr):
    dead = g * 5.0
    zero = lr * 0.0
    wd = w * zero
    u = g * {literal}
    u = u + wd
    return u, dead, v2
"""


def literals(program):
    """Every literal of a program, in order."""
    return [a for s in program.statements for a in s.arguments if isinstance(a, float)]


def skeleton(program):
    """A program without the values of its literals."""
    statements = [s._replace(arguments=[a if isinstance(a, str) else None for a in s.arguments]) for s in program[0]]
    return statements, program.returns


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60))
def test_a_child_differs_in_one_constant(seed, steps):
    """Issue 6, deliverable 8: one literal changes, by a positive factor, and nothing else does."""
    rng = np.random.default_rng(seed)
    candidate = SPACE.random(rng) if seed % 2 else ADAMW
    assert skeleton(candidate) == skeleton(ADAMW)
    for _ in range(steps):
        child = SPACE.mutate(candidate, rng)
        assert SPACE.validate(child) is None
        assert skeleton(child) == skeleton(ADAMW)
        pairs = zip(literals(candidate), literals(child), strict=True)
        ((old, new),) = [(old, new) for old, new in pairs if old != new]
        assert new / old > 0
        candidate = child


def test_factors_are_two_to_a_normal():
    """lion.md, section 4: a constant is multiplied by 2^a, a ~ N(0, 1), each of AdamW's four as often."""
    rng = np.random.default_rng(0)
    ratios = np.array([np.divide(literals(SPACE.mutate(ADAMW, rng)), literals(ADAMW)) for _ in range(4000)])
    changed = ratios != 1.0
    # Four binomial proportions of 4,000 draws: standard error 0.007.
    assert np.abs(changed.mean(axis=0) - 0.25).max() < 0.03
    exponents = np.log2(ratios[changed])
    assert abs(exponents.mean()) < 0.06
    assert abs(exponents.std() - 1.0) < 0.05


def test_dead_constants_and_zeros_stay():
    """What the weights do not depend on, or what no factor changes, would be a child that behaves like its parent."""
    space, rng = OptimizerPrograms(START.format(literal=0.25), mutates="constants"), np.random.default_rng(1)
    candidate = space.initial(rng)
    assert [candidate.statements[i].arguments[slot] for i, slot in constants(candidate)] == [0.25]
    for _ in range(100):
        candidate = space.mutate(candidate, rng)
        assert literals(candidate)[:2] == [5.0, 0.0]


def test_constants_keep_to_the_limit():
    """A walk that starts at the limit of literals never passes it, and never comes to a halt there."""
    start = START.format(literal=repr(-LITERAL_LIMIT))
    space, rng = OptimizerPrograms(start, mutates="constants"), np.random.default_rng(2)
    candidate, seen = space.initial(rng), set()
    for _ in range(200):
        candidate = space.mutate(candidate, rng)
        seen.add(literals(candidate)[2])
    assert min(seen) >= -LITERAL_LIMIT
    assert max(seen) < 0
    assert len(seen) > 100


def test_a_start_without_constants_is_refused():
    """Else a search would look for a child for ever; the message names the field and the remedy."""
    start = "def train(w, g, v1, v2, lr):\n    u = g * lr\n    return u, v1, v2\n"
    with pytest.raises(ValueError, match=r"mutates is 'constants'.*take another start"):
        OptimizerPrograms(start, mutates="constants")
    assert OptimizerPrograms(start).mutates == "programs"


def test_same_generator_same_child():
    """Proposals are functions of (seed, trial)."""

    def children():
        return [SPACE.mutate(ADAMW, np.random.default_rng([7, i])) for i in range(50)]

    one = children()
    assert one == children()
    assert len(set(one)) == 50


def test_keys_tell_constants_apart():
    """Twins are found as in the whole space: other constants behave differently, equal ones alike."""
    rng = np.random.default_rng(3)
    children = [SPACE.mutate(ADAMW, rng) for _ in range(50)]
    for key in (hashing.static_key, hashing.numeric_key):
        found = {key(SPACE, child) for child in children}
        assert len(found) == 50
        assert key(SPACE, ADAMW) == key(OptimizerPrograms(), ADAMW) not in found


def test_operators_are_counted_by_name():
    """Searches count what each operator is worth: here there is one, which always applies."""
    assert list(SPACE.operators) == ["scale"]
    child = SPACE.operators["scale"](ADAMW, np.random.default_rng(4))
    assert child is not None
    assert child != ADAMW
    assert list(OptimizerPrograms().operators) == ["insert", "delete", "modify"]
