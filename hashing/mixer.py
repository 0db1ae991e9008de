"""The hash of the release of unified functional hashing, for comparison with it bit by bit.

Everything else in the project uses `isozyme.hashing.digest`, which also sees signs, NaNs and shapes.
"""

import hashlib
from collections.abc import Iterable

import numpy as np

from isozyme.hashing.digest import MANTISSA_BITS, check_mantissa_bits

_STORED_BITS = 52  # of the mantissa of a double
_EXPONENT = 0x7FF << _STORED_BITS


def unified_hash(values: Iterable[float], mantissa_bits: int = MANTISSA_BITS) -> int:
    """Mixes exponents and mantissas in order into one integer of 63 bits (arXiv 2302.05433, the released mixer).

    Signs are left out: the release hashes accuracies, which have none. Mantissas are cut, not rounded.

    Args:
      values: numbers, in order.
      mantissa_bits: bits kept of each mantissa, 1 to 52.

    Raises:
      ValueError: mantissa_bits outside 1 to 52.
    """
    check_mantissa_bits(mantissa_bits)
    mantissa = ((1 << mantissa_bits) - 1) << (_STORED_BITS - mantissa_bits)
    mix = 0
    for bits in np.array(list(values), np.float64).view(np.uint64).tolist():
        mix = _mix(_mix(mix, bits & _EXPONENT), bits & mantissa)
    return mix


def _mix(mix: int, part: int) -> int:
    return int.from_bytes(hashlib.sha256(str((mix, part)).encode()).digest(), "little") % (1 << 63)
