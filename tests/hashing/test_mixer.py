"""The released mixer: functional_hashing.md, section 2 and facts 1 and 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isozyme.hashing import unified_hash

ACCURACIES = [0.5406650900840759, 0.14743590354919434, 0.5259414911270142, 0.15294471383094788]


def test_golden_hash():
    """Fact 1: the hash of the release for these four accuracies."""
    assert unified_hash(ACCURACIES) == unified_hash(ACCURACIES, 24) == 5379572464749505659


@pytest.mark.parametrize("bits", [-1, 0, 53, 64])
def test_mantissa_bits_out_of_bounds(bits):
    """Fact 2: m outside 1…52 is rejected."""
    with pytest.raises(ValueError, match=f"mantissa_bits is {bits}: choose 1 to 52"):
        unified_hash(ACCURACIES, bits)


def test_mantissa_bits_at_the_bounds():
    """Fact 2: 1 and 52 are allowed. One bit tells halves of an octave, 52 tell the last unit."""
    assert unified_hash([1.0], 1) == unified_hash([1.49], 1) != unified_hash([1.5], 1)
    assert unified_hash([1.0], 52) != unified_hash([1.0 + 2.0**-52], 52)
    assert unified_hash([1.0], 51) == unified_hash([1.0 + 2.0**-52], 51)


@given(st.lists(st.floats(0.0, 1e9, allow_subnormal=False), max_size=5), st.integers(1, 52))
def test_it_has_63_bits_and_no_sign(values, bits):
    """Section 2: modulo 2^63; the sign is skipped."""
    assert 0 <= unified_hash(values, bits) < 2**63
    assert unified_hash(values, bits) == unified_hash([-value for value in values], bits)


def test_order_matters():
    """Section 2: mixed in order. Nothing at all is where it starts."""
    assert unified_hash(ACCURACIES) != unified_hash(ACCURACIES[::-1])
    assert unified_hash([]) == 0
