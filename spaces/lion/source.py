"""Programs as Python source, lossless both ways. Reading parses; nothing is executed or imported."""

import ast
import math
import warnings

from isozyme.spaces.lion.operations import INFIX, OPERATIONS
from isozyme.spaces.lion.program import INPUTS, LITERAL_LIMIT, Argument, Program, Statement, check
from isozyme.spaces.protocol import InvalidCandidate

SIGNATURE = f"def train({', '.join(INPUTS)}):"
_LONGEST_TEXT = 1_000_000  # characters
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def to_source(program: Program) -> str:
    """The program as a Python function, one assignment a line."""
    lines = [SIGNATURE]
    lines += (f"    {s.target} = {_call(s)}" for s in program.statements)
    lines.append(f"    return {', '.join(program.returns)}")
    return "\n".join(lines) + "\n"


def _call(statement: Statement) -> str:
    arguments = [a if isinstance(a, str) else repr(a) for a in statement.arguments]
    if statement.operation in INFIX:
        return f" {statement.operation} ".join(arguments)
    return f"{statement.operation}({', '.join(arguments)})"


def from_source(text: str) -> Program:
    """Reads a program written as `to_source` writes it, or by hand.

    Raises:
      InvalidCandidate: the text is not exactly one function of this space; the message names the line.
    """
    function = _parse(text)
    *body, last = function.body
    statements = tuple(_statement(node) for node in body)
    program = Program(statements, _returns(last))
    check(program)
    return program


def _parse(text: str) -> ast.FunctionDef:
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise InvalidCandidate(f"a program is a text of at most {_LONGEST_TEXT:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
    except SyntaxError as error:
        raise InvalidCandidate(f"line {error.lineno}: not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidCandidate(f"not Python: {error}") from None
    if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef):
        raise InvalidCandidate(f"the text must be one function and nothing else: {SIGNATURE}")
    function = module.body[0]
    plain = not function.decorator_list and function.returns is None and not getattr(function, "type_params", None)
    if not plain or f"def {function.name}({ast.unparse(function.args)}):" != SIGNATURE:
        raise InvalidCandidate(f"line {function.lineno}: the signature must be exactly {SIGNATURE}")
    return function


def _statement(node: ast.stmt) -> Statement:
    where = f"line {node.lineno}"
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        raise InvalidCandidate(f"{where}: only assignments of one function call to one name, and a last return")
    target = node.targets[0].id
    if target == "__debug__":
        raise InvalidCandidate(f"{where}: Python lets nobody assign to {target}, choose another name")
    if target in OPERATIONS:
        raise InvalidCandidate(f"{where}: {target} is a function of the space, choose another name")
    operation, arguments = _operation(node.value, where)
    arity = OPERATIONS[operation].arity
    if len(arguments) != arity:
        raise InvalidCandidate(f"{where}: {operation} takes {arity} arguments, not {len(arguments)}")
    return Statement(target, operation, tuple(_argument(a, where) for a in arguments))


def _operation(node: ast.expr, where: str) -> tuple[str, list[ast.expr]]:
    if isinstance(node, ast.BinOp):
        infix = _OPERATORS.get(type(node.op))
        if infix is None:
            raise InvalidCandidate(f"{where}: {_shown(node)}: the infix operators are {' '.join(INFIX)}")
        return infix, [node.left, node.right]
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise InvalidCandidate(f"{where}: {_shown(node)} is not a call of one of the space's functions")
    name = node.func.id
    if name not in OPERATIONS or name in INFIX:
        known = ", ".join(name for name in OPERATIONS if name not in INFIX)
        raise InvalidCandidate(f"{where}: {name} is not a function of the space; it has + - * / and {known}")
    return name, node.args


def _shown(node: ast.expr) -> str:
    """An expression for a message: one short line, whatever it holds."""
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):  # Too deep, or an integer too long to print.
        return "this expression"
    return " ".join(text.split())[:80]


def _argument(node: ast.expr, where: str) -> Argument:
    if isinstance(node, ast.Name):
        if node.id in OPERATIONS:
            raise InvalidCandidate(f"{where}: {node.id} is a function, not a value")
        return node.id
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    constant = node.operand if isinstance(node, ast.UnaryOp) and negative else node
    # bool is an int to isinstance, and no number here.
    if (
        isinstance(constant, ast.Constant)
        and type(constant.value) is not bool
        and isinstance(constant.value, int | float)
    ):
        return _literal(constant.value, negative, where)
    hint = "arguments are names and numbers; give a nested call a name of its own"
    raise InvalidCandidate(f"{where}: {_shown(node)}: {hint}")


def _literal(number: int | float, negative: bool, where: str) -> float:
    # Compared before the conversion, which a huge integer would break.
    if abs(number) > LITERAL_LIMIT or math.isnan(number):
        raise InvalidCandidate(f"{where}: a number must lie within ±{LITERAL_LIMIT:g}")
    return -float(number) if negative else float(number)


def _returns(node: ast.stmt) -> tuple[str, str, str]:
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
        names = [element.id for element in node.value.elts if isinstance(element, ast.Name)]
        if len(names) == len(node.value.elts) == 3:
            return names[0], names[1], names[2]
    raise InvalidCandidate(f"line {node.lineno}: the last line must return three variables: update, new v1, new v2")
