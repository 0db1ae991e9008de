"""Python lambdas of one array, read from text without running any of it."""

import ast
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from isozyme.spaces import InvalidCandidate

Tree = Any
"""'x', a float, or a tuple of an operation and its operands."""

Function = Callable[[Any], Any]

INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
ARITY = {
    "absolute": 1, "exp": 1, "negative": 1, "sign": 1, "sin": 1, "sqrt": 1, "square": 1, "tanh": 1, "maximum": 2,
    "minimum": 2, **dict.fromkeys(INFIX, 2),
}  # fmt: skip
"""Functions of numpy."""

_FUNCTIONS = {name: getattr(np, name) for name in ARITY}
_OPERATORS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
_HEAD = "lambda x: "
_LONGEST_TEXT = 10_000  # characters


def write(tree: Tree) -> str:
    """The lambda as Python writes it, with parentheses around all that is infix."""
    return _HEAD + _written(tree)


def _written(tree: Tree) -> str:
    if not isinstance(tree, tuple):
        return tree if tree == "x" else repr(tree)
    operation, *operands = tree
    parts = [_written(operand) for operand in operands]
    if operation in INFIX:
        return f"({parts[0]} {INFIX[operation]} {parts[1]})"
    return f"np.{operation}({', '.join(parts)})"


def read(text: str) -> Tree:
    """Parses a lambda of x; nothing is executed.

    Raises:
      InvalidCandidate: it is made of anything else than x, numbers, + − * / and the functions of `ARITY`.
    """
    if len(text) > _LONGEST_TEXT:
        raise InvalidCandidate(f"the text is longer than {_LONGEST_TEXT:,} characters")
    try:
        with warnings.catch_warnings(action="ignore"):
            expression = ast.parse(text.strip(), mode="eval").body
        if not isinstance(expression, ast.Lambda) or ast.unparse(expression.args) != "x":
            raise InvalidCandidate("the text must be a lambda of x alone")
        return _tree(expression.body)
    except SyntaxError as error:
        raise InvalidCandidate(f"not Python: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise InvalidCandidate("nested too deeply") from None


def _tree(node: ast.expr) -> Tree:
    match node:
        case ast.Name("x"):
            return "x"
        case ast.Constant(float() | int() as value) if not isinstance(value, bool):
            return _finite(value)
        case ast.UnaryOp(ast.USub(), operand):
            inner = _tree(operand)
            return -inner if isinstance(inner, float) else ("negative", inner)
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            return (_OPERATORS[type(operator)], _tree(left), _tree(right))
        case ast.Call(ast.Attribute(ast.Name("np"), name), arguments, []) if ARITY.get(name) == len(arguments):
            return (name, *map(_tree, arguments))
    raise InvalidCandidate(f"{ast.unparse(node)[:60]}: not an expression of the space")


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidCandidate("a number is not finite")
    return number


def function(tree: Tree) -> Function:
    """The function of an array, or of whatever else numpy's functions take."""

    def evaluate(tree: Tree, x: Any) -> Any:
        if not isinstance(tree, tuple):
            return x if tree == "x" else tree
        return _FUNCTIONS[tree[0]](*[evaluate(operand, x) for operand in tree[1:]])

    return lambda x: evaluate(tree, x)


def size(tree: Tree) -> int:
    """How many operations, numbers and x it has."""
    return 1 + sum(map(size, tree[1:])) if isinstance(tree, tuple) else 1


def places(tree: Tree) -> list[tuple[int, ...]]:
    """Where its parts are: the indices on the way to each, the whole first."""
    found: list[tuple[int, ...]] = [()]
    if isinstance(tree, tuple):
        for i in range(1, len(tree)):
            found += [(i, *rest) for rest in places(tree[i])]
    return found


def part(tree: Tree, place: tuple[int, ...]) -> Tree:
    """The part at a place."""
    for i in place:
        tree = tree[i]
    return tree


def replaced(tree: Tree, place: tuple[int, ...], new: Tree) -> Tree:
    """The tree with another part at a place."""
    if not place:
        return new
    i, *rest = place
    return (*tree[:i], replaced(tree[i], tuple(rest), new), *tree[i + 1 :])


def rewritten(tree: Tree) -> Tree:
    """The same function on paper: operands commuted, (a + b) + c as a + (b + c), x / y as x * (1 / y)."""
    if not isinstance(tree, tuple):
        return tree
    operation, *operands = tree
    if operation == "divide":
        first, second = map(rewritten, operands)
        return ("multiply", first, ("divide", 1.0, second))
    if operation not in ("add", "multiply"):
        return (operation, *map(rewritten, operands))
    first, second = operands
    if isinstance(first, tuple) and first[0] == operation:
        return (operation, rewritten(first[1]), (operation, rewritten(first[2]), rewritten(second)))
    return (operation, rewritten(second), rewritten(first))
