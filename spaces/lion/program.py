"""Programs as plain values: straight-line assignments over w, g, v1, v2 and lr (Lion, arXiv 2302.06675, section 2)."""

from collections.abc import Sequence
from typing import NamedTuple

from isozyme.spaces.lion.operations import NODE_SCALARS, OPERATIONS, SCALAR, TREE, Kind
from isozyme.spaces.protocol import InvalidCandidate

INPUTS: dict[str, Kind] = {"w": TREE, "g": TREE, "v1": TREE, "v2": TREE, "lr": SCALAR}
STATES = ("v1", "v2")
RETURNS = ("update", "new v1", "new v2")
LITERAL_LIMIT = 1e10
_UPDATE, _NEW_V1, _NEW_V2 = 1, 2, 4  # RETURNS as bits.

Argument = str | float


class Statement(NamedTuple):
    """`target = operation(*arguments)`; an argument is a variable's name or a literal."""

    target: str
    operation: str
    arguments: tuple[Argument, ...]


class Program(NamedTuple):
    """`train(w, g, v1, v2, lr)`; the caller subtracts the first of `returns` from w."""

    statements: tuple[Statement, ...]
    returns: tuple[str, str, str]


def infer(statements: Sequence[Statement]) -> dict[str, Kind]:
    """Executes abstractly: the variables in scope after the statements, with their kinds.

    Raises:
      InvalidCandidate: an undefined variable, or operands an operation does not take.
    """
    scope = dict(INPUTS)
    for number, statement in enumerate(statements, 1):
        try:
            scope[statement.target] = _result(scope, statement)
        except InvalidCandidate as error:
            raise InvalidCandidate(f"statement {number}: {error}") from None
    return scope


def check(program: Program) -> None:
    """Raises `InvalidCandidate` unless the program runs on any w and returns three values of w's structure."""
    scope = infer(program.statements)
    for role, name in zip(RETURNS, program.returns, strict=True):
        if name not in scope:
            raise InvalidCandidate(f"return: {name} ({role}) is not defined")
        if scope[name] != TREE:
            kind = "one number" if scope[name] == SCALAR else "one number a tensor"
            raise InvalidCandidate(f"return: {name} ({role}) is {kind}, it must have the structure of w")


def _result(scope: dict[str, Kind], statement: Statement) -> Kind:
    kinds = []
    for argument in statement.arguments:
        if isinstance(argument, str):
            kind = scope.get(argument)
            if kind is None:
                raise InvalidCandidate(f"{argument} is not defined")
            kinds.append(kind)
        else:
            kinds.append(SCALAR)
    kind = OPERATIONS[statement.operation].result(kinds)
    if kind is None:
        names = {SCALAR: "scalar", NODE_SCALARS: "tree of scalars", TREE: "tree"}
        given = ", ".join(names[k] for k in kinds)
        raise InvalidCandidate(f"{statement.operation} does not take ({given})")
    return kind


def live_statements(program: Program) -> tuple[list[int], tuple[bool, bool]]:
    """Loop-aware liveness: the smallest set of statements and states that the weights ever depend on.

    A state counts only if something live reads it on the next step (lion.md, acceptance fact 7).

    Returns:
      indices of live statements, ascending; whether v1 and v2 are live.
    """
    # One pass backwards: which of the three returned values need a variable, one bit each.
    needed: dict[str, int] = {}
    for name, bit in zip(program.returns, (_UPDATE, _NEW_V1, _NEW_V2), strict=True):
        needed[name] = needed.get(name, 0) | bit
    uses: list[tuple[int, int]] = []
    for index in range(len(program.statements) - 1, -1, -1):
        target, _, arguments = program.statements[index]
        bits = needed.pop(target, 0)
        if bits:
            uses.append((index, bits))
            for argument in arguments:
                if isinstance(argument, str):
                    needed[argument] = needed.get(argument, 0) | bits
    v1, v2 = needed.get("v1", 0), needed.get("v2", 0)
    # The update reads a state itself, or another one whose new value does.
    first = bool(v1 & _UPDATE or (v2 & _UPDATE and v1 & _NEW_V2))
    second = bool(v2 & _UPDATE or (v1 & _UPDATE and v2 & _NEW_V1))
    live = _UPDATE | _NEW_V1 * first | _NEW_V2 * second
    return [index for index, bits in reversed(uses) if bits & live], (first, second)


def remove_dead(program: Program) -> Program:
    """The program without the statements and states that never reach the weights; a dead state returns itself."""
    live, (first, second) = live_statements(program)
    statements = tuple(program.statements[i] for i in live)
    update, v1, v2 = program.returns
    targets = {s.target for s in statements}
    # A dead state hands itself on, unless a live statement reuses its name: then any value of w's structure does.
    v1 = v1 if first else ("v1" if "v1" not in targets else update)
    v2 = v2 if second else ("v2" if "v2" not in targets else update)
    return Program(statements, (update, v1, v2))
