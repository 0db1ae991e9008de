"""Keys of plain Python functions over arrays, by what they return on the stock inputs."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isozyme.hashing.behaviour import as_float64, reproducible
from isozyme.hashing.digest import MANTISSA_BITS, digest, fingerprint
from isozyme.hashing.inputs import hard_inputs

# Functions that differ in kind show it in some of many values, to fewer bits; a slightly changed constant shows in any,
# to many bits. Many values to many bits would part functions whose constants differ by 1e-9.
_ALL_BITS = 18
_FINE_VALUES = 32


def callable_key(
    function: Callable[..., Any], shapes: Sequence[Sequence[int]], mantissa_bits: int = MANTISSA_BITS
) -> bytes:
    """Key of a function, equal for functions that compute the same up to rounding noise.

    All outputs take part to 18 bits of mantissa, and 32 of the values to `mantissa_bits`: a constant changed by 1e-3
    shows, one changed by 1e-6 nearly always, one changed by 1e-9 seldom.

    The function runs on copies of the stock inputs, `random` and numpy's global generator seeded. An exception is a
    behaviour as well: its class takes part. Not seen are printed texts, writes into the arguments and whatever else the
    function leaves behind. A jax function works if jax computes in float64; float32 needs mantissa_bits of 12 or less.

    Args:
      function: takes float64 arrays and returns an array, a number, or a tuple or list of them.
      shapes: of the arguments.
      mantissa_bits: bits kept of the mantissas of 32 values, 1 to 52; of the others no more than 18.

    Raises:
      ValueError: not callable, or not with so many arguments.
      TypeError: it returns something that is not made of numbers.
    """
    _check(function, len(shapes))
    outcomes = Outcomes()
    with reproducible():
        for case in hard_inputs(shapes):
            try:
                outputs = function(*[array.copy() for array in case])
            except Exception as error:
                outcomes.raised(error)
            else:
                outcomes.returned(outputs)
    return outcomes.key(mantissa_bits)


class Outcomes:
    """What calls returned or raised, in order."""

    def __init__(self) -> None:
        self._forms: list[bytes] = []
        self._values: list[np.ndarray] = []

    def returned(self, outputs: Any) -> None:
        """Adds the outputs of a call; TypeError if they are not made of numbers."""
        arrays = [as_float64(output) for output in (outputs if isinstance(outputs, tuple | list) else [outputs])]
        self._forms.append(repr([array.shape for array in arrays]).encode())
        self._values += [array.ravel() for array in arrays]

    def raised(self, error: Exception) -> None:
        """Adds the class of an exception. Want of memory is no behaviour and raised again."""
        if isinstance(error, MemoryError):
            raise error
        kind = type(error)
        self._forms.append(f"raised {kind.__module__}.{kind.__qualname__}".encode())

    def key(self, mantissa_bits: int) -> bytes:
        """Digest of all that was added: all values to few bits, and some, evenly spread, to `mantissa_bits`."""
        values = np.concatenate([np.empty(0), *self._values])
        some = values[np.linspace(0, len(values) - 1, min(len(values), _FINE_VALUES)).astype(int)]
        looks = [fingerprint([values], min(mantissa_bits, _ALL_BITS)), fingerprint([some], mantissa_bits)]
        return digest(b"outcomes", *self._forms, *looks)


def _check(function: Any, arguments: int) -> None:
    """All functions called in a wrong way would raise the same TypeError and share a key."""
    if not callable(function):
        raise ValueError(f"{function!r} is not callable")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Some functions written in C have none.
        return
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        raise ValueError(f"{function!r} does not take {arguments} arguments: {error}") from None
