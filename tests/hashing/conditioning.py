"""Which pairs of candidates rounding may part, judged by their outputs and never by their keys, and how many it did."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from isozyme.hashing import fingerprint, hard_inputs
from isozyme.hashing.behaviour import as_float64
from isozyme.hashing.digest import MANTISSA_BITS

Wrap = Callable[[np.ndarray], np.ndarray]
Run = Callable[[Wrap], np.ndarray]  # All outputs of a candidate on inputs that were wrapped, float64.

WELL_CONDITIONED = 2.0**-30  # relative: what outputs may move if every operation is off by one ulp
OBSERVABLE = 1e-6  # relative; a cell at 24 bits is at most 2^-23 wide, so a fingerprint of all values shows it always
COARSE = 2.0**-17  # a cell at 18 bits, to which all outputs of a function count
BITS = (MANTISSA_BITS, 40)
FINE_VALUES = 32  # of a function's outputs count to all bits asked for, the others to 18
_ULP = 2.0**-52
_EXACT = {np.maximum, np.minimum, np.absolute, np.negative, np.sign, np.trunc}


def noisy(seed: int, ulps: float) -> Wrap:
    """Arrays that compute badly (Monte Carlo arithmetic): each rounded result is off by up to so many ulp at random.

    Which zero the larger of −0.0 and 0.0 is, is random as well: numpy takes the second.
    """
    rng = np.random.default_rng(seed)

    class Noisy(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
            result = np.asarray(getattr(ufunc, method)(*[np.asarray(x) for x in inputs], **options))
            if ufunc in (np.maximum, np.minimum):
                result = np.where(result == 0, rng.choice([0.0, -0.0], result.shape), result)
            if ufunc not in _EXACT and result.dtype == np.float64:
                result = result * (1 + rng.integers(-1, 2, result.shape) * (ulps * _ULP))
            return np.asarray(result).view(Noisy)

    return lambda array: array.view(Noisy)


def plain(array: np.ndarray) -> np.ndarray:
    return array


def extended(array: np.ndarray) -> np.ndarray:
    """Eleven more bits, and no overflow where a result between is beyond the range of a double."""
    return array.astype(np.longdouble)


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Relative distance of each value; infinite between a number and zero, infinity or NaN."""
    with np.errstate(all="ignore"):
        distance = np.abs(one - other) / np.minimum(np.abs(one), np.abs(other))
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isfinite(distance), distance, np.inf))


def sensitivity(run: Run) -> np.ndarray:
    """How far each output moves, relative, where every operation is off by one ulp or is exact to eleven more bits."""
    expected = run(plain)
    return np.max([apart(expected, run(wrap)) for wrap in (noisy(1, 1.0), noisy(2, 1.0), extended)], axis=0)


def same_whatever_zero(run: Run) -> bool:
    """Whether no output depends on which zero a maximum of −0.0 and 0.0 is."""
    expected = run(plain)
    return all(not apart(expected, run(noisy(seed, 0.0))).any() for seed in (1, 2))


def observable(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether outputs differ by more than any rounding would explain."""
    return bool((apart(one, other) > OBSERVABLE).any())


class Changes:
    """Counts functions that were changed into others; whatever moves an output by more than 2^-17 must show.

    Below that, only one that moves one of the 32 values that count to all bits does, so a function changed at a few
    inputs by a little may be missed.
    """

    def __init__(self, running: Callable[[Any], Run], key: Callable[[Any], bytes]) -> None:
        self._running, self._key = running, key
        self.seen = self.slight = self.missed = self.hidden = 0

    def add(self, one: Any, other: Any) -> bool:
        """Counts a pair; whether its outputs differ by more than rounding."""
        distance = float(apart(self._running(one)(plain), self._running(other)(plain)).max())
        same = self._key(one) == self._key(other)
        assert not (same and distance > COARSE)
        self.seen += distance > COARSE
        self.slight += OBSERVABLE < distance <= COARSE
        self.missed += same and distance > OBSERVABLE
        self.hidden += distance <= OBSERVABLE
        return distance > OBSERVABLE

    def __str__(self) -> str:
        return f"{self.seen} seen, {self.slight} slight, of which {self.missed} missed, {self.hidden} not observable"


def on_stock_inputs(function: Callable, shapes: Sequence[Sequence[int]]) -> Run:
    """Runs a function on what `callable_key` runs it on."""

    def run(wrap: Wrap) -> np.ndarray:
        with np.errstate(all="ignore"):
            calls = [function(*map(wrap, case)) for case in hard_inputs(shapes)]
            outputs = [output for call in calls for output in (call if isinstance(call, tuple | list) else [call])]
            return np.concatenate([as_float64(output).ravel() for output in outputs])

    return run


class Splits:
    """Counts pairs that are equal in real numbers and have different keys, at 24 bits and, to see some, at 40.

    A value is rounded to a cell that is at least 2^-m of it wide at m bits, so one that moves by δ of itself crosses a
    boundary with a probability of at most δ · 2^m, if its digits beyond the cell are as good as random. A pair of n
    values that move by δ on average is split with a probability of at most n δ 2^m; if only k of them count to m bits
    and all to 18, of at most k δ 2^m + n δ 2^18. δ is taken from the sensitivity of both candidates, not from how far
    they are apart: a wrong rewrite must not excuse itself.

    Args:
      running: what runs a candidate.
      key: (candidate, bits) -> key.
      fine_values: k, if not all.
    """

    def __init__(
        self, running: Callable[[Any], Run], key: Callable[[Any, int], bytes], fine_values: int | None = None
    ) -> None:
        self._running, self._key, self._fine_values = running, key, fine_values
        self.pairs = self.rounded = self.ill = 0
        self.by_key: Counter[int] = Counter()
        self.by_either: Counter[int] = Counter()
        self.expected: dict[int, float] = dict.fromkeys(BITS, 0.0)

    def add(self, *pair: Any) -> None:
        """Counts two candidates that are equal in real numbers."""
        runs = [self._running(candidate) for candidate in pair]
        moves = np.sum([sensitivity(run) for run in runs], axis=0)
        if moves.max(initial=0.0) >= WELL_CONDITIONED:
            self.ill += 1
            return
        outputs = [run(plain) for run in runs]
        self.pairs += 1
        self.rounded += bool(apart(*outputs).any())
        fine = min(moves.size, self._fine_values or moves.size)
        for bits in BITS:
            split = len({self._key(candidate, bits) for candidate in pair}) == 2
            self.expected[bits] += min(1.0, float(moves.mean()) * (fine * 2**bits + moves.size * 2**18))
            self.by_key[bits] += split
            self.by_either[bits] += split and len({fingerprint([x], bits, shifted=True) for x in outputs}) == 2

    def allowed(self, bits: int) -> int:
        """Splits that are not exceeded in 999 of 1,000 cases, by Poisson's law of rare events."""
        expected = self.expected[bits]
        count, term = 0, math.exp(-expected)
        total = term
        while total < 0.999:
            count += 1
            term *= expected / count
            total += term
        return count

    def __str__(self) -> str:
        splits = [
            f"{self.by_key[bits]} split at {bits} bits ({self.by_either[bits]} on both grids; "
            f"at most {self.expected[bits]:.2g} expected, {self.allowed(bits)} allowed)"
            for bits in BITS
        ]
        return f"{self.pairs} pairs, {self.rounded} with other bits: {', '.join(splits)}; {self.ill} ill-conditioned"


def assert_few(kind: str, splits: Mapping[str, Splits]) -> None:
    """Prints what was counted, by rewrite, and fails where splits are more than chance explains."""
    print(f"\n{kind}:", *(f"{name}: {found}" for name, found in splits.items()), sep="\n  ")
    for name, found in splits.items():
        assert found.pairs > 10, name
        assert found.ill < found.pairs, name
        for bits in BITS:
            assert found.by_key[bits] <= found.allowed(bits), name
