"""Behaviour: what a candidate computes when all that is random starts from the same seed."""

import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from isozyme.hashing.digest import MANTISSA_BITS, digest, fingerprint

_NOT_NUMBERS = "OSUMmT"  # numpy's kinds of objects, texts and dates


@contextmanager
def reproducible(seed: int = 0) -> Iterator[np.random.Generator]:
    """Seeds `random` and numpy's global state and restores them at the end.

    Floating point errors and warnings are ignored meanwhile: whether they raise is a setting of the process and must
    not decide a key. The global states are those of the whole process: other threads must not draw from them meanwhile.

    Args:
      seed: 0 to 2^32 − 1.

    Yields:
      A fresh generator, for code that asks for one.
    """
    python, legacy = random.getstate(), np.random.get_state()
    try:
        random.seed(seed)
        np.random.seed(seed)
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            yield np.random.Generator(np.random.PCG64(seed))
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


def behaviour(run: Callable[[np.random.Generator], Iterable[Any]], seed: int = 0) -> list[np.ndarray]:
    """Outputs of a candidate with all generators reset, in order (arXiv 2302.05433).

    Args:
      run: runs the candidate on a fixed small input, for example forward and learning steps, and returns or yields
        what shall be compared: arrays or numbers, such as predictions and errors. It gets a fresh generator; `random`
        and numpy's global functions are seeded as well.
      seed: of all three.

    Returns:
      Copies, float64, with the shapes of the outputs; a complex output gets a last axis of real and imaginary part.

    Raises:
      TypeError: an output is not made of numbers.
    """
    with reproducible(seed) as generator:
        return [as_float64(output) for output in run(generator)]


def probe_key(run: Callable[[np.random.Generator], Iterable[Any]], mantissa_bits: int = MANTISSA_BITS) -> bytes:
    """Key of the behaviour of `run`, equal for candidates that compute the same up to rounding noise."""
    return digest(b"probe", fingerprint(behaviour(run), mantissa_bits))


def as_float64(output: Any) -> np.ndarray:
    """Copies numbers of any type to float64.

    Raises:
      TypeError: it is not made of numbers.
    """
    array = np.asarray(output)
    if array.dtype.kind in _NOT_NUMBERS:
        raise TypeError(f"an output is {type(output).__name__}, not a number or an array of numbers")
    if array.dtype.kind == "c":
        array = np.stack([np.real(array), np.imag(array)], -1)
    return np.array(array, np.float64)
