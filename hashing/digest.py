"""Stable digests: of bytes, and of floating-point behaviour up to rounding noise."""

import hashlib
from collections.abc import Iterable

import numpy as np

DIGEST_BYTES = 16
MANTISSA_BITS = 24
# Exponent codes no finite double can have: frexp yields exponents from -1073 to 1024.
_NAN, _POSITIVE_INFINITY, _NEGATIVE_INFINITY = 4000, 4001, 4002


def digest(*parts: bytes) -> bytes:
    """Returns the 16-byte BLAKE2b digest of `parts`, each prefixed by its length so that no two lists collide."""
    content = b"".join([piece for part in parts for piece in (len(part).to_bytes(8, "little"), part)])
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def fingerprint(arrays: Iterable[np.ndarray], mantissa_bits: int = MANTISSA_BITS, shifted: bool = False) -> bytes:
    """Digests float64 arrays in order, equal for arrays that differ by rounding noise only.

    Each value becomes (rounded mantissa, exponent), rounded to nearest. -0.0 counts as 0.0, all NaNs are one value,
    and each infinity is one value. Shapes take part.

    Args:
      arrays: the behaviour, float64.
      mantissa_bits: bits kept of the mantissa, 1 to 52. At 24 bits a value pair one unit in the last place apart is
        split in less than 0.005 % of programs with 30 values (functional hashing sheet, section 5).
      shifted: round on a grid that is offset by half a step. What lies on the boundary of two cells of one grid is in
        the middle of a cell of the other, so arrays that agree in either fingerprint are the same up to rounding.

    Raises:
      ValueError: mantissa_bits outside 1 to 52.
    """
    check_mantissa_bits(mantissa_bits)
    parts = [b"shifted"] if shifted else []
    for array in arrays:
        values = np.asarray(array, np.float64)
        parts.append(np.asarray(values.shape, "<i8").tobytes())
        parts.append(_rounded(values.ravel(), mantissa_bits, shifted))
    return digest(*parts)


def check_mantissa_bits(mantissa_bits: int) -> None:
    """Raises ValueError outside 1 to 52, the bits that a double stores."""
    if not 1 <= mantissa_bits <= 52:
        raise ValueError(f"mantissa_bits is {mantissa_bits}: choose 1 to 52")


def _rounded(values: np.ndarray, mantissa_bits: int, shifted: bool) -> bytes:
    finite = np.isfinite(values)
    mantissa, exponent = np.frexp(np.where(finite, values, 0.0))
    # The cells of rounding towards zero lie half a step beside those of rounding to nearest.
    whole = (np.trunc if shifted else np.rint)(np.ldexp(mantissa, mantissa_bits)).astype("<i8")
    # Rounding up 0.111…1 carries into the exponent.
    carried = np.abs(whole) == 1 << mantissa_bits
    whole = np.where(carried, whole // 2, whole)
    exponent = (exponent + carried).astype("<i8")
    if not finite.all():
        exponent[np.isnan(values)] = _NAN
        exponent[np.isposinf(values)] = _POSITIVE_INFINITY
        exponent[np.isneginf(values)] = _NEGATIVE_INFINITY
    return whole.astype("<i8").tobytes() + exponent.tobytes()
