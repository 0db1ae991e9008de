"""Digests and fingerprints: functional_hashing.md, sections 5 and 9, and lion.md, fact 15."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import Node, digest, fingerprint, graph_digest

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NORMAL = st.floats(min_value=1e-300, max_value=1e300) | st.floats(min_value=-1e300, max_value=-1e-300)


def array(*values):
    return np.array(values, np.float64)


@given(st.lists(st.binary(max_size=6), max_size=6), st.lists(st.binary(max_size=6), max_size=6))
def test_different_lists_have_different_digests(one, other):
    assert (digest(*one) == digest(*other)) == (one == other)


def test_digest_prefixes_lengths():
    lists = [[b"ab", b"c"], [b"a", b"bc"], [b"abc"], [b"abc", b""], [b"", b"abc"], [], [b""], [b"", b""]]
    assert len({digest(*parts) for parts in lists}) == len(lists)


def test_digest_is_that_of_earlier_versions():
    """Keys are stored in journals: a changed digest would make every resumed run forget its behaviours."""
    assert digest(b"ab", b"c").hex() == "4826ed043ab3cdec576d8541fa5d5a80"
    assert fingerprint([array(1.0, -0.5, 1e300, math.nan)]).hex() == "fde817ce34098946033ea89b69e32536"


def test_zeros_of_either_sign_are_one():
    """Fact 10: -0.0 and +0.0 are canonicalised."""
    assert fingerprint([array(-0.0, 1.0)]) == fingerprint([array(0.0, 1.0)])
    assert fingerprint([array(0.0, 1.0)]) != fingerprint([array(5e-324, 1.0)])


def test_nan_positions_matter():
    """Fact 10: one with NaN here differs from one with NaN there."""
    nan = math.nan
    places = [array(nan, 1, 1), array(1, nan, 1), array(1, 1, nan), array(nan, nan, 1), array(1, 1, 1)]
    assert len({fingerprint([values]) for values in places}) == len(places)


def test_nans_are_one_value():
    """Fact 10: all-NaN candidates share one key, whatever the bits of their NaNs."""
    quiet, payload = np.array([0x7FF8000000000000, 0xFFF8000000000123], np.uint64).view(np.float64)
    assert np.isnan([quiet, payload]).all()
    assert fingerprint([np.full((4, 3), quiet)]) == fingerprint([np.full((4, 3), payload)])


def test_infinities_are_two_values_of_their_own():
    largest = np.finfo(np.float64).max
    values = [math.inf, -math.inf, math.nan, largest, -largest, 0.0]
    assert len({fingerprint([array(v)]) for v in values}) == len(values)
    assert fingerprint([array(math.inf, -math.inf)]) == fingerprint([array(math.inf, -math.inf)])


@pytest.mark.parametrize("bits", [-1, 0, 53, 64])
def test_mantissa_bits_out_of_bounds(bits):
    """Fact 2: m outside 1…52 is rejected."""
    with pytest.raises(ValueError, match=f"mantissa_bits is {bits}: choose 1 to 52"):
        fingerprint([array(1.0)], bits)


@pytest.mark.parametrize("bits", [1, 52])
def test_mantissa_bits_at_the_bounds(bits):
    """Fact 2: 1 and 52 are allowed, and decide how much a value may move."""
    nudged = array(0.5 + 2.0**-40)
    assert (fingerprint([array(0.5)], bits) == fingerprint([nudged], bits)) == (bits == 1)


def split_share(bits, draws=2000):
    """How often 30 values, each moved by one unit in the last place or not at all, get another fingerprint."""
    rng = np.random.default_rng(0)
    split = 0
    for _ in range(draws):
        values = rng.normal(size=30) * 10.0 ** rng.integers(-8, 9)
        noisy = np.choose(
            rng.integers(3, size=30), [np.nextafter(values, -np.inf), values, np.nextafter(values, np.inf)]
        )
        split += fingerprint([values], bits) != fingerprint([noisy], bits)
    return split / draws


def test_rounding_noise_does_not_split():
    """Section 5: float64 at 24 bits splits less than 0.005 % of programs, at 40 bits some 0.7 %."""
    assert split_share(24) <= 0.001
    assert split_share(52) > 0.5


def neighbours(values):
    """Each value moved by one unit in the last place, away from zero."""
    return np.nextafter(values, np.copysign(np.inf, values))


def splits(values, bits):
    """For each value, whether its neighbour gets another fingerprint, on the one grid and on the other."""
    return [
        np.array([fingerprint([a], bits, shifted) != fingerprint([b], bits, shifted) for a, b in pairs])
        for shifted in (False, True)
        for pairs in [list(zip(values, neighbours(values), strict=True))]
    ]


def test_either_grid_splits_rarely_and_never_both():
    """Section 10, boundary-safe rounding: each grid splits one pair in 2^(53 − m), and no pair is split by both.

    Programs of 30 values may have one value on a boundary of this grid and another on one of that: both grids then
    split, but as rarely as two independent accidents.
    """
    rng = np.random.default_rng(0)
    values = rng.normal(size=8000) * 10.0 ** rng.integers(-8, 9, 8000)
    plain, shifted = splits(values, 48)
    for split in (plain, shifted):
        assert 0.7 / 32 < split.mean() < 1.4 / 32  # A mantissa is uniform up to a factor of two.
    assert not (plain & shifted).any()
    programs = values[: 30 * 260].reshape(-1, 30)
    plain, shifted = splits(programs, 44)
    assert 0.03 < plain.mean() < 0.1
    assert 0.03 < shifted.mean() < 0.1
    assert (plain & shifted).mean() < 0.02
    assert not any(split.any() for split in splits(programs, 24))


@given(st.integers(2**23, 2**24 - 2), st.integers(-900, 900), st.sampled_from([-1.0, 1.0]))
def test_boundaries_of_one_grid_are_inside_the_other(whole, exponent, sign):
    """Section 10: equal up to rounding means equal in either fingerprint."""
    half = sign * math.ldexp(whole + 0.5, exponent)  # Halfway between two numbers of 24 bits.
    for boundary, shifted in ((half, False), (sign * math.ldexp(whole, exponent), True)):
        below, above = np.nextafter(boundary, 0.0), np.nextafter(boundary, sign * np.inf)
        assert fingerprint([array(below)], 24, shifted) != fingerprint([array(above)], 24, shifted)
        assert fingerprint([array(below)], 24, not shifted) == fingerprint([array(above)], 24, not shifted)


def test_the_shifted_fingerprint_is_another_one():
    """Fact 10 holds on both grids, and fingerprints of different grids are never taken for one another."""
    values = [array(0.0), array(math.nan), array(math.inf), array(-math.inf), array(5e-324), array(1.0), array(-1.0)]
    keys = [fingerprint([value], shifted=shifted) for value in values for shifted in (False, True)]
    assert len(set(keys)) == len(keys)
    assert fingerprint([array(-0.0)], shifted=True) == fingerprint([array(0.0)], shifted=True)
    with pytest.raises(ValueError, match="mantissa_bits is 0"):
        fingerprint([], 0, shifted=True)


@given(st.integers(-1000, 1000), st.sampled_from([-1.0, 1.0]))
def test_rounding_up_carries_into_the_exponent(exponent, sign):
    power = sign * math.ldexp(1.0, exponent)
    below = np.nextafter(power, 0.0)
    assert math.frexp(below)[1] == math.frexp(power)[1] - 1  # 0.111…1 of the exponent below.
    assert fingerprint([array(below)]) == fingerprint([array(power)])
    assert fingerprint([array(below)]) != fingerprint([array(power / 2)])


@given(NORMAL, st.floats(1e-6, 1e-2), st.sampled_from([-1, 1]))
def test_a_millionth_makes_a_difference(value, relative, sign):
    assert fingerprint([array(value)]) != fingerprint([array(value * (1 + sign * relative))])


def test_a_billionth_makes_none():
    """Fact 9: a constant changed by 1e-9 is equal at m=24 in most cases, different at m=52."""
    values = np.random.default_rng(0).normal(size=1000)
    pairs = [(array(value), array(value * (1 + 1e-9))) for value in values]
    assert sum(fingerprint([a]) == fingerprint([b]) for a, b in pairs) > 950
    assert not any(fingerprint([a], 52) == fingerprint([b], 52) for a, b in pairs)


@given(FINITE, FINITE)
def test_signs_and_order_matter(one, other):
    def far_apart(a, b):
        return a != b and abs(a - b) > 1e-6 * max(abs(a), abs(b))

    if far_apart(one, -one):
        assert fingerprint([array(one)]) != fingerprint([array(-one)])
    if far_apart(one, other):
        assert fingerprint([array(one, other)]) != fingerprint([array(other, one)])


def test_shapes_and_bounds_of_arrays_take_part():
    six = np.arange(6.0)
    splits = [[six], [six.reshape(2, 3)], [six.reshape(3, 2)], [six[:2], six[2:]], [six[:3], six[3:]], [six, six[:0]]]
    assert len({fingerprint(arrays) for arrays in splits}) == len(splits)
    assert fingerprint([six.reshape(2, 3).T]) == fingerprint([np.ascontiguousarray(six.reshape(2, 3).T)])


def test_collisions_fall_with_bits():
    """Fact 11: programs per fingerprint fall with the bits kept, to one."""
    rng = np.random.default_rng(0)
    programs = rng.uniform(0.5, 1.0, (400, 2))
    distinct = [len({fingerprint([program], bits) for program in programs}) for bits in (1, 3, 5, 7, 12, 24)]
    assert distinct == sorted(distinct)
    assert distinct[0] <= 4
    assert distinct[-1] == 400


KEYS = """
from isozyme import hashing
from isozyme.spaces.lion import NAMED, OptimizerPrograms
space = OptimizerPrograms()
for name, program in NAMED.items():
    numeric = hashing.numeric_key(space, program)
    print(name, hashing.static_key(space, program).hex(), numeric.hex(), hashing.behaviour_key(numeric, "x").hex())
"""


def test_keys_are_the_same_in_every_process():
    """Design, section 3.5: never `hash()`, which differs between processes."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", KEYS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    one, other = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert one == other
    rows = [line.split() for line in one.splitlines()]
    assert {"adamw", "lion"} <= {row[0] for row in rows}
    for column in range(1, 4):
        assert len({row[column] for row in rows}) == len(rows)  # Published optimizers behave differently.


@st.composite
def graphs(draw):
    """Nodes with inputs first, of commutative and other kinds, and some roots."""
    nodes = [Node(label) for label in ("w", "g", "lr")]
    for _ in range(draw(st.integers(1, 10))):
        label = draw(st.sampled_from(["add", "mul", "sub", "pow"]))
        inputs = draw(st.tuples(*[st.integers(0, len(nodes) - 1)] * 2))
        nodes.append(Node(label, inputs, label in ("add", "mul")))
    roots = draw(st.lists(st.integers(0, len(nodes) - 1), min_size=1, max_size=3))
    return nodes, roots


def reordered(nodes, roots, choose):
    """The same graph with its nodes in another order of which inputs come first."""
    place, order = {}, []
    while len(order) < len(nodes):
        ready = [i for i, n in enumerate(nodes) if i not in place and all(j in place for j in n.inputs)]
        index = choose(ready)
        place[index] = len(order)
        node = nodes[index]
        order.append(node._replace(inputs=tuple(place[j] for j in node.inputs)))
    return order, [place[root] for root in roots]


@given(graphs(), st.randoms(use_true_random=False))
def test_graph_digest_is_blind_to_order(graph, random):
    """Fact 9: renaming and the order of statements change nothing."""
    nodes, roots = graph
    other, places = reordered(nodes, roots, random.choice)
    assert graph_digest(nodes, roots) == graph_digest(other, places)


@given(graphs(), st.data())
def test_graph_digest_is_blind_to_dead_nodes(graph, data):
    """Fact 9: dead code changes nothing."""
    nodes, roots = graph
    inputs = data.draw(st.tuples(*[st.integers(0, len(nodes) - 1)] * 2))
    assert graph_digest(nodes, roots) == graph_digest([*nodes, Node("sub", inputs)], roots)
    shifted = [node._replace(inputs=tuple(i + 1 for i in node.inputs)) for node in nodes]
    assert graph_digest(nodes, roots) == graph_digest([Node("dead"), *shifted], [root + 1 for root in roots])


@given(graphs(), st.data())
def test_graph_digest_is_blind_to_commuted_operands(graph, data):
    """Fact 9: commuted + and × are equal."""
    nodes, roots = graph
    swap = data.draw(st.lists(st.booleans(), min_size=len(nodes), max_size=len(nodes)))
    commuted = [
        node._replace(inputs=node.inputs[::-1]) if node.commutative and swapped else node
        for node, swapped in zip(nodes, swap, strict=True)
    ]
    assert graph_digest(nodes, roots) == graph_digest(commuted, roots)


def test_graph_digest_tells_graphs_apart():
    """Fact 9: x−y and y−x are different; so are labels, roots and where a value is used."""
    x, y = Node("x"), Node("y")
    graphs = [
        ([x, y, Node("sub", (0, 1))], [2]),
        ([x, y, Node("sub", (1, 0))], [2]),
        ([x, y, Node("add", (0, 1), True)], [2]),
        ([x, y, Node("add", (0, 0), True)], [2]),
        ([x, y, Node("sub", (0, 1))], [2, 0]),
        ([x, y, Node("sub", (0, 1))], [0, 2]),
        ([x, y, Node("sub", (0, 1)), Node("sub", (2, 1))], [3]),
        ([x, y, Node("sub", (0, 1)), Node("sub", (1, 2))], [3]),
    ]
    assert len({graph_digest(nodes, roots) for nodes, roots in graphs}) == len(graphs)


def test_equal_values_are_one():
    """A value computed twice is the value computed once."""
    once = [Node("x"), Node("sq", (0,)), Node("add", (1, 1), True)]
    twice = [Node("x"), Node("sq", (0,)), Node("sq", (0,)), Node("add", (1, 2), True)]
    assert graph_digest(once, [2]) == graph_digest(twice, [3])
