"""Programs in which every value is assigned once: what they cost, how a value is replaced, and readable names again.

Such a program is a `Program` like any other, so liveness, checks, keys and execution need no second form. Its values
bear the name they were written with and a number, "m 3", which no source text can say.
"""

from typing import NamedTuple

from isozyme.spaces.lion.operations import INFIX
from isozyme.spaces.lion.program import (
    INPUTS,
    STATES,
    Argument,
    Program,
    Statement,
    check,
    live_statements,
    remove_dead,
)
from isozyme.spaces.protocol import InvalidCandidate


class Rewrite(NamedTuple):
    """Another expression for a value or a state: an operation on arguments, or, without one, the argument itself."""

    target: str
    operation: str | None
    arguments: tuple[Argument, ...]


class ProgramCost(NamedTuple):
    """What a program costs; compared in this order.

    Attributes:
      statements: live ones.
      states: live ones.
      dependencies: over all statements, how many values and inputs each one rests on. It falls where nested
        interpolations become one, even if both are still needed.
      arguments: of all statements.
    """

    statements: int
    states: int
    dependencies: int
    arguments: int


def single_assignment(program: Program) -> Program:
    """The live part of a valid program; equal computations are shared."""
    scope = {name: name for name in INPUTS}
    known: dict[tuple[str, ...], str] = {}
    statements = []
    clean = remove_dead(program)
    for number, (target, operation, arguments) in enumerate(clean.statements):
        operands = tuple(scope[a] if isinstance(a, str) else a for a in arguments)
        content = (operation, *map(repr, operands))  # repr keeps 0.0 and -0.0 apart.
        if content not in known:
            known[content] = f"{target} {number}"
            statements.append(Statement(known[content], operation, operands))
        scope[target] = known[content]
    update, v1, v2 = (scope[name] for name in clean.returns)
    return remove_dead(Program(tuple(statements), (update, v1, v2)))


def cost(program: Program) -> ProgramCost:
    """What a program without dead statements costs."""
    _, states = live_statements(program)
    below = dependencies(program)
    arguments = sum(len(s.arguments) for s in program.statements)
    return ProgramCost(len(program.statements), sum(states), sum(map(len, below.values())), arguments)


def dependencies(program: Program) -> dict[str, frozenset[str]]:
    """For each assigned value the other values and the inputs that it rests on within a step."""
    below: dict[str, frozenset[str]] = {}
    for target, _, arguments in program.statements:
        direct = {a for a in arguments if isinstance(a, str)}
        below[target] = frozenset(direct.union(*(below[a] for a in direct if a in below)))
    return below


def apply(program: Program, rewrite: Rewrite) -> Program | None:
    """The program with one value replaced wherever it is read; None where that breaks it or goes in a circle."""
    target, operation, arguments = rewrite
    statements = [s for s in program.statements if s.target != target]
    if target not in STATES and len(statements) == len(program.statements):
        return None
    replacement: Argument = arguments[0] if operation is None else target
    if operation is not None and target in STATES:
        replacement = f"x {1 + max([_number(s.target) for s in program.statements], default=0)}"
    statements = [
        s._replace(arguments=tuple(replacement if a == target else a for a in s.arguments)) for s in statements
    ]
    returns = [replacement if name == target else name for name in program.returns]
    if operation is not None:
        place = next((i for i, s in enumerate(program.statements) if s.target == target), 0)
        statements.insert(place, Statement(str(replacement), operation, arguments))
    ordered = _ordered(statements)
    if ordered is None or not all(isinstance(name, str) for name in returns):
        return None
    update, v1, v2 = map(str, returns)
    return _checked(Program(ordered, (update, v1, v2)))


def _number(name: str) -> int:
    return int(name.rsplit(" ", 1)[-1])


def _ordered(statements: list[Statement]) -> tuple[Statement, ...] | None:
    """The statements in their old order as far as each one's operands allow; None where they go in a circle."""
    waiting, ordered, defined = list(statements), [], set(INPUTS)
    while waiting:
        ready = next((s for s in waiting if all(a in defined for a in s.arguments if isinstance(a, str))), None)
        if ready is None:
            return None
        waiting.remove(ready)
        ordered.append(ready)
        defined.add(ready.target)
    return tuple(ordered)


def _checked(program: Program) -> Program | None:
    try:
        check(program)
    except InvalidCandidate:
        return None
    return remove_dead(program)


def readable(program: Program) -> Program:
    """Names without numbers: a value takes its own again where nobody reads the former holder any more."""
    last = {a: i for i, s in enumerate(program.statements) for a in s.arguments if isinstance(a, str)}
    last |= dict.fromkeys(program.returns, len(program.statements))
    names = {name: name for name in INPUTS}
    holder = dict(names)
    statements = []
    for i, (target, operation, arguments) in enumerate(program.statements):
        operands = tuple(names[a] if isinstance(a, str) else a for a in arguments)
        stem, name, number = written(target), written(target), 1
        while name in holder and last.get(holder[name], -1) > i:
            number += 1
            name = f"{stem}_{number}"
        names[target], holder[name] = name, target
        statements.append(Statement(name, operation, operands))
    update, v1, v2 = (names[name] for name in program.returns)
    return Program(tuple(statements), (update, v1, v2))


def written(name: Argument) -> str:
    """An argument as it is written: a value without its number, or a literal."""
    return name.split(" ")[0] if isinstance(name, str) else f"{name:.6g}"


def described(program: Program, rewrite: Rewrite) -> str:
    """One line for a log, such as 'a = sqrt(m2) becomes abs(m)'."""
    old = next((s for s in program.statements if s.target == rewrite.target), None)
    before = written(rewrite.target) + (f" = {expression(old.operation, old.arguments)}" if old else "")
    return f"{before} becomes {expression(rewrite.operation, rewrite.arguments)}"


def expression(operation: str | None, arguments: tuple[Argument, ...]) -> str:
    """An operation on arguments, or an argument alone, as text for a log."""
    parts = [written(a) for a in arguments]
    if operation in INFIX:
        return f" {operation} ".join(parts)
    return f"{operation}({', '.join(parts)})" if operation else parts[0]
