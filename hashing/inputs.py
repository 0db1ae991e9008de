"""Stock inputs on which functions that differ anywhere near the usual ranges behave differently.

One Gaussian batch is not enough: `x` and `abs(x)` agree on positive numbers, `sign` and `tanh` of a huge number too,
`x / (y + 1e-8)` and `x / y` but for tiny y, `>` and `>=` but for ties. What no finite set of inputs shows is a
threshold moved by less than the distance of neighbouring values.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

_CASES_AT_LEAST = 24
_VALUES_AT_LEAST = 256  # of each argument, over all cases
_SEED = 20230205
_LARGEST_EXPONENT = 6.0  # Scales run from 1e-6 to 1e6.

Shapes = tuple[tuple[int, ...], ...]


def hard_inputs(shapes: Sequence[Sequence[int]], count: int | None = None) -> tuple[tuple[np.ndarray, ...], ...]:
    """Cases of arguments, the same in every process; fewer cases are the first of more.

    In order: Gaussian; ties (halves from −2 to 2); zeros; scales from 1e-6 to 1e6; negative; positive; ones; all
    arguments alike. Every further case mixes the first four element by element, so that an argument may be zero where
    another is huge.

    Args:
      shapes: of the arguments. Small ones will do: the time of a key grows with their size.
      count: number of cases. By default 24, or as many as give the smallest argument 256 values: scalar functions that
        differ on one number in twenty would often agree on 24.

    Returns:
      For each case a tuple of arrays, float64, read-only.
    """
    if count is None:
        smallest = min((size for size in map(_size, shapes) if size), default=_VALUES_AT_LEAST)
        count = max(_CASES_AT_LEAST, -(-_VALUES_AT_LEAST // smallest))
    return _cases(tuple(tuple(shape) for shape in shapes), count)


@lru_cache(maxsize=64)
def _cases(shapes: Shapes, count: int) -> tuple[tuple[np.ndarray, ...], ...]:
    random = np.random.Generator(np.random.PCG64(_SEED))
    cases = [(_CASES[index] if index < len(_CASES) else _mixed)(random, shapes) for index in range(count)]
    for case in cases:
        for array in case:
            array.flags.writeable = False
    return tuple(tuple(case) for case in cases)


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape))


def _each(draw: Callable) -> Callable:
    """A case whose arguments are drawn one by one."""
    return lambda random, shapes: [np.asarray(draw(random, shape), np.float64) for shape in shapes]


def _gaussian(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(random.normal(size=shape))


def _ties(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(random.integers(-4, 5, shape) / 2)


def _zeros(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


def _scales(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return _gaussian(random, shape) * 10.0 ** random.uniform(-_LARGEST_EXPONENT, _LARGEST_EXPONENT, shape)


def _positive(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.abs(_gaussian(random, shape))


def _alike(random: np.random.Generator, shapes: Shapes) -> list[np.ndarray]:
    """Arguments of one size hold the same numbers."""
    numbers = random.normal(size=max(map(_size, shapes), default=0))
    return [numbers[: _size(shape)].reshape(shape).copy() for shape in shapes]


@_each
def _mixed(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    kinds = [draw(random, shape) for draw in (_gaussian, _ties, _zeros, _scales)]
    return np.choose(random.integers(len(kinds), size=shape), kinds)


_CASES = (
    _each(_gaussian),
    _each(_ties),
    _each(_zeros),
    _each(_scales),
    _each(lambda random, shape: -_positive(random, shape)),
    _each(_positive),
    _each(lambda random, shape: np.ones(shape)),
    _alike,
)
