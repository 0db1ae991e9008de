"""Cheaper expressions for the values of a program, found by what they compute on the probe's inputs.

Whatever agrees with a value there is only an offer: the key of the whole program, or a test, decides.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from isozyme.spaces.lion import probe
from isozyme.spaces.lion.execution import FlatLayout, step_function
from isozyme.spaces.lion.graph import build
from isozyme.spaces.lion.operations import OPERATIONS, SCALAR, Kind
from isozyme.spaces.lion.program import INPUTS, LITERAL_LIMIT, STATES, Argument, Program, infer, live_statements
from isozyme.spaces.lion.rewriting import Rewrite, dependencies

_SAMPLES = 48  # numbers of a trace that are compared
_DIGITS = 14  # of a literal that is solved for; the rest is rounding noise.
# What sums over tensors needs whole traces; all else is compared on samples alone.
_SUMS = ("norm", "global_norm", "dot", "cosine_sim", "clip_by_global_norm")


class Tolerance(NamedTuple):
    """When two traces agree: at least a share of their numbers differ by no more than a relative error."""

    error: float
    share: float


EQUAL = Tolerance(1e-7, 1.0)
NEARLY = Tolerance(0.05, 0.5)  # Loose: gradients of 1e-8, beside the epsilon of a division, are many on the probe.


class Expressions(NamedTuple):
    """Operations on a program's values: which, on which values (their places), and samples [expressions, _SAMPLES]."""

    operations: list[str]
    operands: np.ndarray
    samples: np.ndarray


class Matcher:
    """All values of a program on the probe, and what else would compute them.

    Args:
      program: every value assigned once.
      tolerance: when an expression counts as the value.
    """

    def __init__(self, program: Program, tolerance: Tolerance) -> None:
        self._program, self._tolerance = program, tolerance
        self._kinds = infer(program.statements)
        self._names = list(self._kinds)
        with np.errstate(all="ignore"):
            self._traces = traces(program)
        self._samples = np.stack([_sample(self._traces[name]) for name in self._names])
        _, live = live_statements(program)
        states = [state for state, is_live in zip(STATES, live, strict=True) if is_live]
        below = dependencies(program)
        self._rests_on = {
            target: np.array([name == target or target in below.get(name, ()) for name in self._names])
            for target in [*states, *below]
        }

    def values(self) -> Iterator[Rewrite]:
        """Values that another one or a number may stand for."""
        for target, trace, free in self._targets():
            for i in np.flatnonzero(free & self._agree(self._samples, trace)).tolist():
                yield Rewrite(target, None, (self._names[i],))
            if abs(trace[0]) <= LITERAL_LIMIT and self._agree(trace[:1, None], trace).all():
                yield Rewrite(target, None, (_rounded(float(trace[0])),))

    def operands(self) -> Iterator[Rewrite]:
        """Every value replaced by one of its operands, whatever it computes."""
        for target, _, arguments in self._program.statements:
            for argument in dict.fromkeys(arguments):
                yield Rewrite(target, None, (argument,))

    def operations(self) -> Iterator[Rewrite]:
        """Values that one operation on other values may stand for."""
        with np.errstate(all="ignore"):
            pool = self._pool()
        own = {s.target: s[1:] for s in self._program.statements}
        for target, trace, free in self._targets():
            if _constant(trace):
                continue
            allowed = np.flatnonzero(free[pool.operands].all(axis=1))
            for i in allowed[self._agree(pool.samples[allowed], trace)].tolist():
                operation = pool.operations[i]
                names = tuple(self._names[j] for j in pool.operands[i, : OPERATIONS[operation].arity])
                if (operation, names) != own.get(target):
                    yield Rewrite(target, operation, names)

    def solved(self) -> Iterator[Rewrite]:
        """Values that one operation on other values and a number may stand for; the number is solved for."""
        for target, trace, free in self._targets():
            if _constant(trace) or not np.isfinite(trace).all():
                continue
            with np.errstate(all="ignore"):
                for operation, operands, numbers, values in self._solutions(trace, np.flatnonzero(free)):
                    usable = np.isfinite(numbers) & (np.abs(numbers) <= LITERAL_LIMIT)
                    for i in np.flatnonzero(usable & self._agree(values, trace)).tolist():
                        yield Rewrite(target, operation, self._arguments(operation, operands[i], numbers[i]))

    def _targets(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """What may be replaced, its samples, and which values do not rest on it."""
        for target, rests in self._rests_on.items():
            yield target, self._samples[self._names.index(target)], ~rests

    def _agree(self, values: np.ndarray, trace: np.ndarray) -> np.ndarray:
        """Which rows of `values` agree with a trace of samples."""
        error, share = self._tolerance
        finite = trace[np.isfinite(trace)]
        noise = 1e-14 * np.abs(finite).max(initial=0.0)
        with np.errstate(all="ignore"):
            near = np.abs(values - trace) <= error * np.abs(trace) + noise
        near |= (values == trace) | (np.isnan(values) & np.isnan(trace))
        return near.mean(axis=-1) >= share if len(finite) else np.zeros(len(values), bool)

    def _pool(self) -> Expressions:
        """All operations on one value or two."""
        operations: list[str] = []
        operands, samples = [np.zeros((0, 2), int)], [np.zeros((0, _SAMPLES))]
        count = len(self._names)
        alone = np.stack([np.arange(count)] * 2, axis=1)
        ordered = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), axis=-1).reshape(-1, 2)
        for name, operation in OPERATIONS.items():
            if operation.arity not in (1, 2):
                continue
            pairs = alone if operation.arity == 1 else ordered
            pairs = pairs[pairs[:, 0] <= pairs[:, 1]] if operation.commutative else pairs
            if name in _SUMS:
                pairs = np.array([p for p in pairs.tolist() if self._fits(name, p)], int).reshape(-1, 2)
                values = np.array([_sample(self._sum(name, p)) for p in pairs.tolist()]).reshape(-1, _SAMPLES)
            else:
                arguments = [self._samples[pairs[:, i]] for i in range(operation.arity)]
                values = operation.compute(np, None, SCALAR, *arguments)
            operations += [name] * len(pairs)
            operands.append(pairs)
            samples.append(values)
        return Expressions(operations, np.concatenate(operands), np.concatenate(samples))

    def _fits(self, name: str, pair: list[int]) -> bool:
        kinds = [self._kinds[self._names[i]] for i in pair[: OPERATIONS[name].arity]]
        return OPERATIONS[name].result(kinds) is not None

    def _sum(self, name: str, pair: list[int]) -> Any:
        names = [self._names[i] for i in pair[: OPERATIONS[name].arity]]
        return _compute(name, [self._kinds[n] for n in names], [self._traces[n] for n in names])

    def _solutions(self, trace: np.ndarray, free: np.ndarray) -> Iterator[tuple[str, np.ndarray, Any, np.ndarray]]:
        """Operations, places of their operands [n, 1 or 2], numbers [n] and samples [n, _SAMPLES]."""
        x = self._samples[free]
        rows, peak = np.arange(len(x)), np.abs(np.where(np.isfinite(x), x, 0.0)).argmax(axis=1)
        one = free[:, None]
        product = trace[peak] / x[rows, peak]
        yield "*", one, product, product[:, None] * x
        shift = trace[peak] - x[rows, peak]
        yield "+", one, shift, x + shift[:, None]
        mirror = trace[peak] + x[rows, peak]
        yield "-", one, mirror, mirror[:, None] - x
        top = np.abs(trace).argmax()
        quotient = trace[top] * (x[:, top] + 1e-8)
        yield "/", one, quotient, quotient[:, None] / (x + 1e-8)
        low, high = np.full(len(x), trace.min()), np.full(len(x), trace.max())
        yield "max", one, low, np.maximum(x, low[:, None])
        yield "min", one, high, np.minimum(x, high[:, None])
        for i, place in enumerate(free.tolist()):
            span = x - x[i]
            peak = np.abs(np.where(np.isfinite(span), span, 0.0)).argmax(axis=1)
            weight = (trace - x[i])[peak] / span[rows, peak]
            pairs = np.stack([np.full(len(free), place), free], axis=1)
            larger = np.where(weight >= 0.5, weight, np.nan)  # The same the other way round has the smaller weight.
            yield "interpolate", pairs, larger, x[i] + weight[:, None] * span

    def _arguments(self, operation: str, operands: np.ndarray, number: float) -> tuple[Argument, ...]:
        names = tuple(self._names[i] for i in operands.tolist())
        literal = _rounded(float(number))
        return (literal, *names) if operation in ("-", "/") else (*names, literal)


def traces(program: Program) -> dict[str, np.ndarray]:
    """Every value over the probe's steps, by name: [steps, weights], or [steps, 1] for one number a step."""
    weights, gradients, rates, layout = probe.inputs()
    step = step_function(build(program), layout)
    w, v1, v2 = weights, np.zeros_like(weights), np.zeros_like(weights)
    before = []
    for g, lr in zip(gradients, rates, strict=True):
        before.append((w, v1, v2))
        update, v1, v2 = step(w, g, v1, v2, lr)
        w = w - update
    w, v1, v2 = map(np.stack, zip(*before, strict=True))
    found = {"w": w, "g": gradients, "v1": v1, "v2": v2, "lr": rates[:, None]}
    kinds = dict(INPUTS)
    for target, operation, arguments in program.statements:
        own = [kinds[a] if isinstance(a, str) else SCALAR for a in arguments]
        operands = [found[a] if isinstance(a, str) else layout.literal(a) for a in arguments]
        kind = OPERATIONS[operation].result(own)
        assert kind is not None, "the program was checked before"
        kinds[target] = kind
        width = 1 if kind == SCALAR else layout.size
        found[target] = np.broadcast_to(_compute(operation, own, operands), (len(rates), width))
    return found


def _compute(operation: str, kinds: list[Kind], operands: list[Any]) -> Any:
    layout: FlatLayout = probe.inputs()[3]
    if operation == "interpolate":
        operands = [*operands, 1.0 - operands[2]]
    return OPERATIONS[operation].compute(np, layout, max(kinds, default=SCALAR), *operands)


@cache
def _places() -> tuple[np.ndarray, np.ndarray]:
    """Steps and weights that are compared, spread at random over all."""
    weights, gradients, _, _ = probe.inputs()
    places = np.random.default_rng(0).choice(gradients.size, _SAMPLES, replace=False)
    return np.divmod(np.sort(places), len(weights))


def _sample(trace: Any) -> np.ndarray:
    weights, gradients, _, _ = probe.inputs()
    return np.broadcast_to(trace, (len(gradients), len(weights)))[_places()]


def _constant(trace: np.ndarray) -> bool:
    """Whether samples hold one number at most, so that any number of expressions agree with them."""
    return len(np.unique(trace[np.isfinite(trace)])) < 2


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
