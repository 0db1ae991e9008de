"""A program's live part: a data-flow graph, which every backend runs, and the text of which the static key is made."""

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

from isozyme.hashing import digest
from isozyme.spaces.lion.operations import COMPLEMENT, OPERATIONS, SCALAR, Kind, Operation
from isozyme.spaces.lion.program import INPUTS, STATES, Argument, Program, Statement, live_statements

COMPUTE: dict[str, Operation] = {**OPERATIONS, COMPLEMENT.name: COMPLEMENT}
_COMMUTATIVE = {name for name, operation in OPERATIONS.items() if operation.commutative}
_INPUT_NODES = {name: index for index, name in enumerate(INPUTS)}
_LONGEST = 256  # characters of a formula that is written out; a longer one stands as its digest


class Value(NamedTuple):
    """One node: an input ('w' …), a literal, or an operation on earlier nodes; `kind` is its own kind."""

    operation: str | None
    inputs: tuple[int, ...]
    literal: float
    kind: Kind


_INPUT_VALUES = [Value(None, (), 0.0, kind) for kind in INPUTS.values()]


class Graph(NamedTuple):
    """Nodes 0 to 4 are w, g, v1, v2, lr; equal computations share a node.

    `update`, `v1` and `v2` index the returned nodes; a dead state is None.
    """

    values: list[Value]
    update: int
    v1: int | None
    v2: int | None

    def literals(self) -> dict[int, float]:
        """The program's numbers by their nodes."""
        first = len(INPUTS)
        return {i: v.literal for i, v in enumerate(self.values[first:], first) if v.operation is None}


def build(program: Program) -> Graph:
    """Graph of the live part of a valid program."""
    live, (first, second) = live_statements(program)
    builder = _Builder()
    for index in live:
        builder.assign(*program.statements[index])
    update, v1, v2 = program.returns
    scope = builder.scope
    return Graph(builder.values, scope[update], scope[v1] if first else None, scope[v2] if second else None)


class _Builder:
    def __init__(self) -> None:
        self.values = _INPUT_VALUES.copy()
        self.scope = _INPUT_NODES.copy()
        self._known: dict[tuple[str, tuple[int, ...]] | str, int] = {}

    def assign(self, target: str, operation: str, arguments: tuple[Argument, ...]) -> None:
        inputs = tuple([self.scope[a] if isinstance(a, str) else self._literal(a) for a in arguments])
        if operation == "interpolate":
            inputs += (self._complement(inputs[2]),)
        self.scope[target] = self._node(operation, inputs)

    def _literal(self, number: float) -> int:
        # The text form keeps 0.0 and -0.0 apart, which compare equal.
        content = repr(number)
        index = self._known.get(content)
        return self._add(content, Value(None, (), number, SCALAR)) if index is None else index

    def _node(self, operation: str, inputs: tuple[int, ...]) -> int:
        content = (operation, inputs)
        index = self._known.get(content)
        if index is not None:
            return index
        kind = COMPUTE[operation].signature([self.values[i].kind for i in inputs])
        assert kind is not None, "the program was checked before"
        return self._add(content, Value(operation, inputs, 0.0, kind))

    def _complement(self, index: int) -> int:
        value = self.values[index]
        if value.operation is None and index >= len(INPUTS):
            return self._literal(1.0 - value.literal)
        return self._node(COMPLEMENT.name, (index,))

    def _add(self, content: tuple[str, tuple[int, ...]] | str, value: Value) -> int:
        index = self._known[content] = len(self.values)
        self.values.append(value)
        return index


def canonical(program: Program) -> bytes:
    """Equal for programs whose live parts differ in names, order, commuted operands, or in which state holds what.

    Values are known by their content (value numbering: Lion, arXiv 2302.06675, section 2.2), which is written out as a
    formula over the inputs. The complement that `build` adds to `interpolate` follows from its operands and is left
    out.
    """
    live, flags = live_statements(program)
    statements = [program.statements[i] for i in live]
    states = [state for state, is_live in zip(STATES, flags, strict=True) if is_live]
    return digest(min(_formulas(statements, program.returns, order) for order in permutations(states)).encode())


def _formulas(statements: Sequence[Statement], returns: Sequence[str], states: Sequence[str]) -> str:
    """The update and the new states; a state goes by its place in `states`, not by its name."""
    formulas = {"w": "w", "g": "g", "lr": "lr"} | {state: f"v{place}" for place, state in enumerate(states, 1)}
    for target, operation, arguments in statements:
        parts = [formulas[a] if isinstance(a, str) else repr(a) for a in arguments]
        if operation in _COMMUTATIVE:
            parts.sort()
        formula = f"{operation}({','.join(parts)})"
        # Whatever is used twice is written out twice, so that long formulas would double again and again.
        formulas[target] = formula if len(formula) <= _LONGEST else f"#{digest(formula.encode()).hex()}"
    returned = [returns[0], *[returns[1 + STATES.index(state)] for state in states]]
    return ";".join([formulas[name] for name in returned])
