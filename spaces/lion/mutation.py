"""Mutation and random generation (lion.md, section 4): insert, delete, modify, each equally likely.

Arguments are sampled, not enumerated; the kinds that a function takes come from its signature. Whatever breaks the
program is drawn again, so that every child is valid.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from isozyme.spaces.lion.operations import OPERATIONS, TREE
from isozyme.spaces.lion.program import (
    INPUTS,
    LITERAL_LIMIT,
    Argument,
    Program,
    Statement,
    check,
    infer,
    live_statements,
)
from isozyme.spaces.protocol import InvalidCandidate

Operator = Callable[[Program, np.random.Generator], Program | None]

_NAMES = tuple(OPERATIONS)
_TRIES = 100
_LONGEST_RANDOM = 20  # statements


def operators(max_statements: int) -> dict[str, Operator]:
    """What a child differs in, by name; at `max_statements` nothing is inserted."""

    def bounded_insert(program: Program, rng: np.random.Generator) -> Program | None:
        return insert(program, rng) if len(program.statements) < max_statements else None

    return {"insert": bounded_insert, "delete": delete, "modify": modify}


def constant_operators() -> dict[str, Operator]:
    """What tunes the constants of one program and leaves its statements alone: the paper's baseline, section 6."""
    return {"scale": scale}


def mutate(program: Program, rng: np.random.Generator, among: Mapping[str, Operator]) -> Program:
    """A valid child of `program`: operators are drawn until one applies."""
    choices = tuple(among.values())
    while True:
        child = choices[rng.integers(len(choices))](program, rng)
        if child is not None:
            return child


def random(rng: np.random.Generator, max_statements: int) -> Program:
    """A random valid program of 1 to 20 statements that returns random values of w's structure."""
    program = Program((), ("g", "v1", "v2"))
    for _ in range(int(rng.integers(1, min(_LONGEST_RANDOM, max_statements) + 1))):
        program = insert(program, rng) or program
    trees = [name for name, kind in infer(program.statements).items() if kind == TREE]
    update, v1, v2 = (trees[i] for i in rng.integers(len(trees), size=3).tolist())
    return Program(program.statements, (update, v1, v2))


def random_constants(program: Program, rng: np.random.Generator) -> Program:
    """The program with each of its constants scaled."""
    for index, slot in constants(program):
        program = _scale(program, index, slot, rng)
    return program


def insert(program: Program, rng: np.random.Generator) -> Program | None:
    """Puts a new statement at a random place; its target is a fresh name or a variable of the same kind."""
    position = int(rng.integers(len(program.statements) + 1))
    scope = _scope(program, position)
    variables = list(scope)
    for _ in range(_TRIES):
        operation = OPERATIONS[_NAMES[rng.integers(len(_NAMES))]]
        arguments = tuple(_argument(variables, rng) for _ in range(operation.arity))
        kind = operation.result([scope[a] if isinstance(a, str) else 0 for a in arguments])
        if kind is None:
            continue
        targets = [name for name in variables if scope[name] == kind]
        choice = int(rng.integers(len(targets) + 1))
        target = targets[choice] if choice < len(targets) else _fresh(program)
        statement = Statement(target, operation.name, arguments)
        child = program._replace(statements=(*program.statements[:position], statement, *program.statements[position:]))
        if _valid(child):
            return child
    return None


def delete(program: Program, rng: np.random.Generator) -> Program | None:
    """Removes a random statement that the program can do without."""
    for index in rng.permutation(len(program.statements)).tolist():
        child = program._replace(statements=program.statements[:index] + program.statements[index + 1 :])
        if _valid(child):
            return child
    return None


def modify(program: Program, rng: np.random.Generator) -> Program | None:
    """Changes one argument of one statement, or one returned variable."""
    for _ in range(_TRIES):
        index = int(rng.integers(len(program.statements) + 1))
        child = _modify_statement(program, index, rng) if index < len(program.statements) else _redirect(program, rng)
        if child is not None and _valid(child):
            return child
    return None


def _modify_statement(program: Program, index: int, rng: np.random.Generator) -> Program | None:
    statement = program.statements[index]
    if not statement.arguments:
        return None
    slot = int(rng.integers(len(statement.arguments)))
    old = statement.arguments[slot]
    if isinstance(old, float) and rng.random() < 0.5:
        child = _scale(program, index, slot, rng)
    else:
        child = _with_argument(program, index, slot, _argument(list(_scope(program, index)), rng))
    return None if child == program else child


def scale(program: Program, rng: np.random.Generator) -> Program | None:
    """Multiplies one constant by 2^a, a ~ N(0, 1), and changes nothing else."""
    places = constants(program)
    if not places:
        return None
    child = _scale(program, *places[rng.integers(len(places))], rng)
    return None if child == program else child  # The limit of literals has been reached before.


def constants(program: Program) -> list[tuple[int, int]]:
    """Statement and argument of every literal that the weights depend on; zeros are left out, which nothing scales."""
    live, _ = live_statements(program)
    return [(i, slot) for i in live for slot, a in enumerate(program.statements[i].arguments) if _scales(a)]


def _scales(argument: Argument) -> bool:
    return isinstance(argument, float) and argument != 0.0


def _scale(program: Program, index: int, slot: int, rng: np.random.Generator) -> Program:
    literal = program.statements[index].arguments[slot]
    assert isinstance(literal, float)
    return _with_argument(program, index, slot, _clamp(literal * 2.0 ** rng.normal()))


def _with_argument(program: Program, index: int, slot: int, new: Argument) -> Program:
    statement = program.statements[index]
    changed = statement._replace(arguments=(*statement.arguments[:slot], new, *statement.arguments[slot + 1 :]))
    return program._replace(statements=(*program.statements[:index], changed, *program.statements[index + 1 :]))


def _redirect(program: Program, rng: np.random.Generator) -> Program | None:
    slot = int(rng.integers(3))
    variables = list(_scope(program, len(program.statements)))
    name = variables[rng.integers(len(variables))]
    if name == program.returns[slot]:
        return None
    first, second, third = (name if i == slot else old for i, old in enumerate(program.returns))
    return program._replace(returns=(first, second, third))


def _argument(variables: list[str], rng: np.random.Generator) -> Argument:
    choice = int(rng.integers(len(variables) + 1))
    return variables[choice] if choice < len(variables) else _LITERALS[int(rng.integers(2))](rng)


def _log_scale(rng: np.random.Generator) -> float:
    return math.copysign(10.0 ** rng.uniform(-5.0, 0.0), rng.random() - 0.5)


_LITERALS: tuple[Callable[[np.random.Generator], float], ...] = (lambda rng: float(rng.normal()), _log_scale)


def _clamp(number: float) -> float:
    return max(-LITERAL_LIMIT, min(LITERAL_LIMIT, number))


def _scope(program: Program, position: int) -> dict[str, int]:
    return infer(program.statements[:position])


def _fresh(program: Program) -> str:
    taken = {statement.target for statement in program.statements}
    number = 0
    while f"x{number}" in taken or f"x{number}" in INPUTS:
        number += 1
    return f"x{number}"


def _valid(program: Program) -> bool:
    try:
        check(program)
    except InvalidCandidate:
        return False
    return True
