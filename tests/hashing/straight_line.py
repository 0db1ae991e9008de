"""Straight-line code, the common form from which optimizer programs, graphs and lambdas are made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from isozyme.hashing import Node, constant_node, input_node
from isozyme.spaces.lion import Program, Statement


class Code(NamedTuple):
    """Statements of which no two assign the same name, and the names returned."""

    statements: tuple[Statement, ...]
    returns: tuple[str, ...]


# Operations of graphs and lambdas; the names are those of the Lion space, but "/" is a plain division here.
TEXTS = {
    "+": "({} + {})",
    "-": "({} - {})",
    "*": "({} * {})",
    "/": "({} / {})",
    "max": "np.maximum({}, {})",
    "min": "np.minimum({}, {})",
    "square": "np.square({})",
    "reciprocal": "(1.0 / {})",
    "sqrt": "np.sqrt(np.abs({}))",
    "exp": "np.exp({})",
    "tanh": "np.tanh({})",
    "sin": "np.sin({})",
    "sign": "np.sign({})",
    "negative": "(-{})",
}
FUNCTIONS = {name: eval(f"lambda *a: {text.format('a[0]', 'a[1]')}", {"np": np}) for name, text in TEXTS.items()}
COMMUTATIVE = {"+", "*", "max", "min", "dot", "cosine_sim"}
INPUTS = ("x", "y")


@st.composite
def codes(draw: st.DrawFn) -> Code:
    """Three to twelve statements over x, y and numbers, the last of which is returned, maybe with another one."""
    number = st.floats(0.1, 4.0) | st.floats(-4.0, -0.1)
    # What most rewrites are about, more often than the rest.
    operations = [*TEXTS, *"+-*/", *"+-*/"]
    names: list[str] = list(INPUTS)
    statements: list[Statement] = []
    for index in range(draw(st.integers(3, 12))):
        operation = draw(st.sampled_from(operations))
        arguments: list[str | float] = [draw(st.sampled_from(names[-3:]))]
        if TEXTS[operation].count("{}") == 2:
            # Not two numbers: Python would divide them itself, and raise.
            arguments.insert(draw(st.integers(0, 1)), draw(st.sampled_from(names) | number))
        statements.append(Statement(f"t{index}", operation, tuple(arguments)))
        names.append(f"t{index}")
    others = draw(st.lists(st.sampled_from(names), max_size=1))
    return Code(tuple(statements), (names[-1], *others))


def to_nodes(code: Code) -> tuple[list[Node], list[int]]:
    """The code as a graph; a number is a node of its own at each use."""
    nodes = [input_node(index) for index in range(len(INPUTS))]
    places = {name: index for index, name in enumerate(INPUTS)}
    for target, operation, arguments in code.statements:
        operands = []
        for argument in arguments:
            if not isinstance(argument, str):
                nodes.append(constant_node(argument))
            operands.append(places[argument] if isinstance(argument, str) else len(nodes) - 1)
        places[target] = len(nodes)
        nodes.append(Node(operation, tuple(operands), operation in COMMUTATIVE))
    return nodes, [places[name] for name in code.returns]


def to_text(code: Code, parameters: Sequence[str] = INPUTS) -> str:
    """The code as a lambda that assigns its variables one by one."""
    code = with_names(code, dict(zip(INPUTS, parameters, strict=True)))
    parts = [f"({target} := {TEXTS[operation].format(*arguments)})" for target, operation, arguments in code.statements]
    return f"lambda {', '.join(parameters)}: ({', '.join(parts)}, ({', '.join(code.returns)},))[-1]"


def to_nested_text(code: Code) -> str:
    """The code as a lambda without variables: what is used twice is written out twice."""
    texts = {name: name for name in INPUTS}
    for target, operation, arguments in code.statements:
        texts[target] = TEXTS[operation].format(*[texts[a] if isinstance(a, str) else a for a in arguments])
    return f"lambda {', '.join(INPUTS)}: ({', '.join(texts[name] for name in code.returns)},)"


def to_lambda(text: str) -> Callable[..., Any]:
    return eval(text, {"np": np})


def from_program(program: Program) -> Code:
    """An optimizer program with a name of its own for each value."""
    scope: dict[str | float, str] = {}
    statements = []
    for number, (target, operation, arguments) in enumerate(program.statements):
        statements.append(Statement(f"t{number}", operation, tuple(scope.get(a, a) for a in arguments)))
        scope[target] = f"t{number}"
    return Code(tuple(statements), tuple(scope.get(name, name) for name in program.returns))


def with_names(code: Code, names: Mapping[str, str]) -> Code:
    """Variables and inputs by other names."""
    statements = [
        Statement(
            names.get(s.target, s.target),
            s.operation,
            tuple(names.get(a, a) if isinstance(a, str) else a for a in s.arguments),
        )
        for s in code.statements
    ]
    return Code(tuple(statements), tuple(names.get(name, name) for name in code.returns))
