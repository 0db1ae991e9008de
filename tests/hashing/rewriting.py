"""Rewrites of straight-line code that keep or change what it computes, for programs, graphs and lambdas alike."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from isozyme.spaces.lion import Statement
from isozyme.tests.hashing.straight_line import COMMUTATIVE, Code, with_names

Rewrite = Callable[[Code, np.random.Generator], Code]
_ARITHMETIC = ("+", "-", "*", "/", "max", "min")


def rewritten(code: Code, rewrites: Iterable[Rewrite], seed: int) -> Code:
    """One rewrite after the other."""
    rng = np.random.default_rng(seed)
    for rewrite in rewrites:
        code = rewrite(code, rng)
    return code


# Rewrites that change no bit of any result.


def renamed(code: Code, rng: np.random.Generator) -> Code:
    places = rng.permutation(len(code.statements)).tolist()
    return with_names(code, {s.target: f"y{place}" for s, place in zip(code.statements, places, strict=True)})


def reordered(code: Code, rng: np.random.Generator) -> Code:
    """Any order in which operands come first."""
    waiting, ordered = list(code.statements), []
    while waiting:
        missing = {s.target for s in waiting}
        ready = [s for s in waiting if missing.isdisjoint(s.arguments)]
        ordered.append(ready[rng.integers(len(ready))])
        waiting.remove(ordered[-1])
    return code._replace(statements=tuple(ordered))


def with_dead_code(code: Code, rng: np.random.Generator) -> Code:
    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        yield statement
        if rng.random() < 0.5:
            yield Statement(f"{statement.target}_dead", "exp", (statement.target,))
            yield Statement(f"{statement.target}_more", "+", (f"{statement.target}_dead", statement.target))

    return _replaced(code, replace)


def commuted(code: Code, rng: np.random.Generator) -> Code:
    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        swap = statement.operation in COMMUTATIVE and rng.random() < 0.7
        yield statement._replace(arguments=statement.arguments[::-1]) if swap else statement

    return _replaced(code, replace)


EXACT: dict[str, Rewrite] = {f.__name__: f for f in (renamed, reordered, with_dead_code, commuted)}

# Rewrites that are equal in real numbers and differ in rounding.


def squared(code: Code, rng: np.random.Generator) -> Code:
    """square(x) for x · x, and the other way round."""

    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        target, operation, arguments = statement
        if operation == "square":
            yield Statement(target, "*", arguments * 2)
        elif operation == "*" and arguments[0] == arguments[1]:
            yield Statement(target, "square", arguments[:1])
        else:
            yield statement

    return _replaced(code, replace)


def divided(code: Code, rng: np.random.Generator, epsilon: float | None = None) -> Code:
    """x · (1 / y) for x / y; with an ε where the space adds one to y."""

    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        target, operation, arguments = statement
        if operation != "/":
            yield statement
            return
        numerator, denominator = arguments
        if epsilon is not None:
            yield Statement(f"{target}_sum", "+", (denominator, epsilon))
            denominator = f"{target}_sum"
        yield Statement(f"{target}_inverse", "reciprocal", (denominator,))
        yield Statement(target, "*", (numerator, f"{target}_inverse"))

    return _replaced(code, replace)


def reassociated(code: Code, rng: np.random.Generator) -> Code:
    """a + (b + c) for (a + b) + c, and (a + b) + c for a + (b + c); products likewise."""

    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        target, operation, arguments = statement
        joined = f"{target}_joined"
        inner = [known.get(str(a)) for a in arguments]
        inner = [part.arguments if part and part.operation == operation else None for part in inner]
        match inner:
            case [(a, b), _] if operation in ("+", "*"):
                yield Statement(joined, operation, (b, arguments[1]))
                yield Statement(target, operation, (a, joined))
            case [_, (a, b)] if operation in ("+", "*"):
                yield Statement(joined, operation, (arguments[0], a))
                yield Statement(target, operation, (joined, b))
            case _:
                yield statement

    return _replaced(code, replace)


ARITHMETIC: list[Rewrite] = [squared, divided, reassociated]

# Changes of what is computed; each yields one Code for every place where it applies.


def with_other_constants(code: Code, factor: float = 1.001) -> Iterator[Code]:
    for index, statement in enumerate(code.statements):
        for slot, argument in enumerate(statement.arguments):
            if isinstance(argument, float) and argument != argument * factor:
                yield with_argument(code, index, slot, argument * factor)


def with_other_operations(code: Code, rng: np.random.Generator) -> Code:
    """Another operation of two equal kinds at every second place that has one."""

    def replace(statement: Statement, known: Mapping[str, Statement]) -> Iterator[Statement]:
        chosen = statement.operation in _ARITHMETIC and rng.random() < 0.5
        yield statement._replace(operation=_ARITHMETIC[rng.integers(len(_ARITHMETIC))]) if chosen else statement

    return _replaced(code, replace)


def with_swapped_minus(code: Code) -> Iterator[Code]:
    for index, (target, operation, arguments) in enumerate(code.statements):
        if operation == "-" and arguments[0] != arguments[1]:
            yield _with_statement(code, index, Statement(target, operation, arguments[::-1]))


def with_argument(code: Code, index: int, slot: int, argument: str | float) -> Code:
    statement = code.statements[index]
    arguments = (*statement.arguments[:slot], argument, *statement.arguments[slot + 1 :])
    return _with_statement(code, index, statement._replace(arguments=arguments))


def without_dead_code(code: Code) -> Code:
    needed, live = set(code.returns), []
    for statement in reversed(code.statements):
        if statement.target in needed:
            needed |= {a for a in statement.arguments if isinstance(a, str)}
            live.insert(0, statement)
    return code._replace(statements=tuple(live))


def _with_statement(code: Code, index: int, statement: Statement) -> Code:
    return code._replace(statements=(*code.statements[:index], statement, *code.statements[index + 1 :]))


def _replaced(code: Code, replace: Callable[[Statement, Mapping[str, Statement]], Iterator[Statement]]) -> Code:
    """Each statement replaced by one or more, of which the last assigns its name."""
    known: dict[str, Statement] = {}
    statements: list[Statement] = []
    for statement in code.statements:
        statements += replace(statement, known)
        known[statement.target] = statement
    return code._replace(statements=tuple(statements))
