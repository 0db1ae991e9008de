"""The data-flow graph of a program's live part: what every backend runs and every key is taken from."""

from typing import NamedTuple

from isozyme.hashing import Node, graph_digest
from isozyme.spaces.lion.operations import COMPLEMENT, OPERATIONS, SCALAR, Kind, Operation
from isozyme.spaces.lion.program import INPUTS, Argument, Program, live_statements

COMPUTE: dict[str, Operation] = {**OPERATIONS, COMPLEMENT.name: COMPLEMENT}


class Value(NamedTuple):
    """One node: an input ('w' …), a literal, or an operation on earlier nodes; `kind` is its own kind."""

    operation: str | None
    inputs: tuple[int, ...]
    literal: float
    kind: Kind


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
        statement = program.statements[index]
        builder.assign(statement.target, statement.operation, statement.arguments)
    update, v1, v2 = (builder.scope[name] if needed else None for name, needed in _returned(program, first, second))
    assert update is not None
    return Graph(builder.values, update, v1, v2)


def _returned(program: Program, first: bool, second: bool) -> list[tuple[str, bool]]:
    return list(zip(program.returns, (True, first, second), strict=True))


class _Builder:
    def __init__(self) -> None:
        self.values = [Value(None, (), 0.0, kind) for kind in INPUTS.values()]
        self.scope = {name: index for index, name in enumerate(INPUTS)}
        self._known: dict[tuple, int] = {}

    def assign(self, target: str, operation: str, arguments: tuple[Argument, ...]) -> None:
        inputs = tuple(self.scope[a] if isinstance(a, str) else self.literal(a) for a in arguments)
        if operation == "interpolate":
            inputs += (self._complement(inputs[2]),)
        self.scope[target] = self.node(operation, inputs)

    def literal(self, number: float) -> int:
        # The text form keeps 0.0 and -0.0 apart, which compare equal.
        return self._add((repr(number),), Value(None, (), number, SCALAR))

    def node(self, operation: str, inputs: tuple[int, ...]) -> int:
        kinds = [self.values[i].kind for i in inputs]
        kind = COMPUTE[operation].result(kinds)
        assert kind is not None, "the program was checked before"
        return self._add((operation, inputs), Value(operation, inputs, 0.0, kind))

    def _complement(self, index: int) -> int:
        value = self.values[index]
        if value.operation is None and index >= len(INPUTS):
            return self.literal(1.0 - value.literal)
        return self.node(COMPLEMENT.name, (index,))

    def _add(self, content: tuple, value: Value) -> int:
        index = self._known.get(content)
        if index is None:
            index = self._known[content] = len(self.values)
            self.values.append(value)
        return index


def canonical(program: Program) -> bytes:
    """Equal for programs whose live parts differ in names, order, commuted operands, or in which state holds what."""
    graph = build(program)
    if graph.v1 is None or graph.v2 is None:
        # At most one state is live, and it takes the first place.
        return _digest(graph, ("v1", "v2") if graph.v2 is None else ("v2", "v1"))
    return min(_digest(graph, order) for order in (("v1", "v2"), ("v2", "v1")))


def _digest(graph: Graph, order: tuple[str, ...]) -> bytes:
    labels = ["w", "g", *order, "lr"]
    nodes = [Node(label) for label in labels]
    for value in graph.values[len(INPUTS) :]:
        if value.operation is None:
            nodes.append(Node(repr(value.literal)))
        else:
            nodes.append(Node(value.operation, value.inputs, COMPUTE[value.operation].commutative))
    dead = len(nodes)
    nodes.append(Node("dead"))
    states = dict(zip(order, (graph.v1, graph.v2), strict=True))
    roots = [graph.update, *(dead if states[name] is None else states[name] for name in ("v1", "v2"))]
    return graph_digest(nodes, roots)
