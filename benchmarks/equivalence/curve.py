"""What keys cost, and how often they err, by mantissa bits: candidates merged that differ, and equals split."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from isozyme.benchmarks.equivalence import expressions
from isozyme.benchmarks.equivalence.activations import Activations
from isozyme.hashing import digest, fingerprint, numeric_key, static_key
from isozyme.spaces.lion import NAMED, OptimizerPrograms, Program

BITS = (1, 3, 5, 7, 10, 12, 16, 20, 24, 32, 40, 52)
TOLERANCE = 1e-6  # relative; behaviours that differ by more anywhere are different
LENGTHS = range(8, 13)  # statements of programs as long as AdamW, which has 10

Behaviour = Sequence[np.ndarray]
Pair = tuple[Behaviour, Behaviour]


class Errors(NamedTuple):
    """Of keys with so many mantissa bits; `either`: where one of two grids, half a step apart, has to agree.

    Attributes:
      models_per_key, models_per_key_either: different random candidates per key; 1 if none are merged.
      merged, merged_either: share of pairs of programs with a slightly different constant that are taken for one.
      split, split_either: share of pairs with equal mathematics and different rounding that are taken for two.
    """

    models_per_key: float
    models_per_key_either: float
    merged: float
    merged_either: float
    split: float
    split_either: float


def errors(different: Sequence[Behaviour], close: Sequence[Pair], equal: Sequence[Pair], bits: int) -> Errors:
    """Counts errors of both kinds.

    Args:
      different: behaviours, each of which differs from each other.
      close: pairs of behaviours that differ by little.
      equal: pairs of behaviours that differ by rounding noise.
      bits: of the mantissa.
    """
    keys = [_grids(behaviour, bits) for behaviour in different]
    merged, found = (np.array([_agree(pair, bits) for pair in pairs]) for pairs in (close, equal))
    return Errors(
        len(keys) / _new([key[:1] for key in keys]), len(keys) / _new(keys), *merged.mean(axis=0).tolist(),
        *(~found).mean(axis=0).tolist(),
    )  # fmt: skip


def _agree(pair: Pair, bits: int) -> tuple[bool, bool]:
    """Whether both behaviours have one plain key, and whether they have one key on either grid."""
    one, other = (_grids(behaviour, bits) for behaviour in pair)
    return one[0] == other[0], one[0] == other[0] or one[1] == other[1]


def _grids(behaviour: Behaviour, bits: int) -> tuple[bytes, bytes]:
    plain, shifted = fingerprint(behaviour, bits), fingerprint(behaviour, bits, shifted=True)
    return digest(b"plain", plain), digest(b"shifted", shifted)


def _new(keys: Sequence[tuple[bytes, ...]]) -> int:
    """How many candidates no key finds an earlier one for; only these leave their keys, as in a run."""
    known: set[bytes] = set()
    new = 0
    for own in keys:
        if known.isdisjoint(own):
            known.update(own)
            new += 1
    return new


def different(space: Any, candidates: Sequence[Any]) -> list[Behaviour]:
    """Behaviours of those candidates that differ from all earlier ones by more than the tolerance."""
    found: dict[int, np.ndarray] = {}  # By length: what is not finite may have another one.
    for candidate in candidates:
        values = np.concatenate([array.ravel() for array in space.probe(candidate)])
        earlier = found.get(values.size, np.empty((0, values.size)))
        if not _alike(earlier, values).any():
            found[values.size] = np.vstack([earlier, values])
    return [[values] for rows in found.values() for values in rows]


def _alike(found: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which rows agree with `values` everywhere, up to the tolerance."""
    with np.errstate(all="ignore"):
        near = np.abs(found - values) <= TOLERANCE * np.maximum(np.abs(found), np.abs(values))
        near &= np.isfinite(found) & np.isfinite(values)
    return (near | (found == values) | (np.isnan(found) & np.isnan(values))).all(axis=1)


def rewritten_pairs(count: int, seed: int) -> list[Pair]:
    """Random lambdas and the same lambdas with their rounding changed; pairs that agree in all bits are left out.

    What cancels is left out as well: pairs that differ by more than the tolerance behave differently in floating
    point, whatever the mathematics say.
    """
    space, rng = Activations(), np.random.default_rng(seed)
    pairs: list[Pair] = []
    while len(pairs) < count:
        candidate = space.random(rng)
        for _ in range(3):
            candidate = space.mutate(candidate, rng)
        tree = expressions.rewritten(expressions.read(candidate))
        one, other = space.probe(candidate), space.probe(expressions.write(tree))
        exact = np.array_equal(one[0], other[0], equal_nan=True)
        if not exact and _alike(one[0][None], other[0])[0]:
            pairs.append((one, other))
    return pairs


def close_pairs(programs: Sequence[Program], seed: int) -> list[Pair]:
    """Optimizer programs and the same programs with the numbers of one statement larger by 1e-6 to 1e-1 of them.

    Pairs that differ by less than the tolerance everywhere are left out: these numbers have nearly no effect.
    """
    space, rng = OptimizerPrograms(), np.random.default_rng(seed)
    pairs: list[Pair] = []
    for program in programs:
        places = [i for i, s in enumerate(program.statements) if any(type(a) is float for a in s.arguments)]
        if not places:
            continue
        i, factor = places[rng.integers(len(places))], 1 + 10.0 ** rng.uniform(-6, -1)
        statements = list(program.statements)
        larger = tuple([a * factor if isinstance(a, float) else a for a in statements[i].arguments])
        statements[i] = statements[i]._replace(arguments=larger)
        pair = space.probe(program), space.probe(program._replace(statements=tuple(statements)))
        if not _alike(*[behaviour[0].reshape(1, -1) for behaviour in pair])[0]:
            pairs.append(pair)
    return pairs


def adamw_mutants(count: int, seed: int) -> list[Program]:
    """AdamW as published and different programs of 8 to 12 statements that descend from it."""
    space, rng = OptimizerPrograms(), np.random.default_rng(seed)
    programs = {NAMED["adamw"]: None}  # A dict keeps the order.
    candidate = NAMED["adamw"]
    while len(programs) < count:
        candidate = space.mutate(candidate, rng)
        if len(candidate.statements) in LENGTHS:
            programs[candidate] = None
        else:
            candidate = NAMED["adamw"]
    return list(programs)


def random_candidates(space: Any, count: int, seed: int) -> list[Any]:
    """Random candidates of a space."""
    rng = np.random.default_rng(seed)
    return [space.random(rng) for _ in range(count)]


def key_microseconds(space: Any, candidates: Sequence[Any]) -> dict[str, float]:
    """Medians of the static and of the numeric key, one candidate after the other, none of them twice."""
    for candidate in candidates[: len(candidates) // 10]:  # Stock inputs and tables of functions are made once.
        numeric_key(space, candidate)
    kinds: dict[str, Callable[[Any, Any], Any]] = {"static_us": static_key, "numeric_us": numeric_key}
    return {name: _median_microseconds(key, space, candidates) for name, key in kinds.items()}


def _median_microseconds(key: Callable[[Any, Any], Any], space: Any, candidates: Sequence[Any]) -> float:
    times = []
    for candidate in candidates:
        began = time.perf_counter()
        key(space, candidate)
        times.append(time.perf_counter() - began)
    return 1e6 * float(np.median(times))
