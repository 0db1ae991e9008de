"""Writes a program as a file that defines an `optax.GradientTransformation` and imports only jax and optax.

The file's expressions come from the operation table itself: its functions are called with `_Text` in place of arrays.
"""

import re
from typing import TYPE_CHECKING, Any

from isozyme.spaces.lion.operations import NODE_SCALARS, OPERATIONS, SCALAR, TREE, Kind
from isozyme.spaces.lion.program import STATES, Program, infer, live_statements
from isozyme.spaces.lion.source import to_source

if TYPE_CHECKING:
    import optax

_RESERVED = {"jax", "jnp", "optax", "optimizer", "train", "State", "sum", "zip", "NamedTuple", "Any"}

_FILE = '''"""An optimizer found by Isozyme. It needs jax and optax only; example.npz holds some of its updates.

The program as it was searched; v1 and v2 start at zero, and the update is subtracted from w:

{listing}"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class State(NamedTuple):
    count: Any
{fields}

def optimizer(learning_rate: optax.ScalarOrSchedule) -> optax.GradientTransformation:
    """The optimizer; `learning_rate` is the program's `lr`, a number or an optax schedule (the search: peak 1)."""

    def init(params: optax.Params) -> State:
        return State({initial})

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError("this optimizer reads the weights: call update(updates, state, params)")
        lr = learning_rate(state.count) if callable(learning_rate) else learning_rate
        w, tree = jax.tree.flatten(params)
        g = jax.tree.leaves(updates)
        {results} = train({arguments})
        change = jax.tree.unflatten(tree, [-jnp.asarray(u, x.dtype) for u, x in zip(change, w)])
        return change, State({state})

    return optax.GradientTransformation(init, update)


def train({parameters}):
    """One step on lists of tensors."""
{body}
'''


def to_optax_file(program: Program) -> str:
    """Text of a Python module with `optimizer(learning_rate) -> optax.GradientTransformation`."""
    live, flags = live_statements(program)
    states = [state for state, is_live in zip(STATES, flags, strict=True) if is_live]
    body: list[str] = []
    for index in live:
        scope = infer(program.statements[:index])
        body += _lines(program.statements[index], scope)
    roles: list[str] = ["update", *STATES]
    returned = dict(zip(roles, map(_name, program.returns), strict=True))
    body.append(f"return {', '.join(returned[key] for key in ('update', *states))},")
    return _FILE.format(
        listing=to_source(program),
        fields="".join(f"    {state}: Any\n" for state in states),
        initial=", ".join(["jnp.zeros([], jnp.int32)"] + ["optax.tree.zeros_like(params)"] * len(states)),
        results=", ".join(["change", *states, ""]).strip(),
        arguments=", ".join(["w", "g", *(f"jax.tree.leaves(state.{state})" for state in states), "lr"]),
        state=", ".join(["state.count + 1", *(f"jax.tree.unflatten(tree, {state})" for state in states)]),
        parameters=", ".join(["w", "g", *states, "lr"]),
        body="\n".join(f"    {line}" for line in body),
    )


def to_optax(candidate: Program, learning_rate: "optax.ScalarOrSchedule") -> "optax.GradientTransformation":
    """The optimizer that `to_optax_file` writes, ready to use.

    Args:
      candidate: a valid program.
      learning_rate: the program's `lr`, a number or an optax schedule (the search: peak 1).

    Returns:
      an `optax.GradientTransformation` whose updates are added to the weights; its state is a step counter and the
      live states of the program.
    """
    module: dict[str, Any] = {"__name__": "optimizer"}  # Where the file's classes say they come from.
    exec(compile(to_optax_file(candidate), "optimizer.py", "exec"), module)
    return module["optimizer"](learning_rate)


def _name(name: str) -> str:
    # Names that differ stay different: `sum` becomes `sum_`, and `sum_` becomes `sum__`.
    return f"{name}_" if name.rstrip("_") in _RESERVED or name.startswith("total") else name


def _lines(statement: Any, scope: dict[str, Kind]) -> list[str]:
    """Code of one statement: sums over the whole tree first, then one list over tensors, or one number."""
    operation = OPERATIONS[statement.operation]
    kinds = {_name(a): scope[a] for a in statement.arguments if isinstance(a, str)}
    kind = max(kinds.values(), default=SCALAR)
    layout = _TextLayout(kinds)
    # Plain numbers among themselves would raise where arrays overflow.
    number = "{!r}" if kinds else "jnp.asarray({!r})"
    operands = [_Text(_name(a) if isinstance(a, str) else number.format(a)) for a in statement.arguments]
    if operation.name == "interpolate":
        weight = statement.arguments[2]
        complement = 1.0 - operands[2] if isinstance(weight, str) else _Text(number.format(1.0 - weight))
        operands.append(complement)
    result = operation.compute(_TextNamespace(), layout, kind, *operands)
    expression = str(result) if operands else f"jnp.asarray({result})"
    if operation.result([kinds.get(str(o), SCALAR) for o in operands[: operation.arity]]) != SCALAR:
        trees = [name for name, k in kinds.items() if k != SCALAR]
        expression = f"[{_bare(expression)} {_over(trees)}]"
    return [*layout.lines, f"{_name(statement.target)} = {_bare(expression)}"]


def _bare(expression: str) -> str:
    """Without outer parentheses that hold the whole expression."""
    depth = 0
    for i, c in enumerate(expression):
        depth += (c == "(") - (c == ")")
        if depth == 0 and i < len(expression) - 1:
            return expression
    return expression[1:-1] if expression.startswith("(") else expression


def _over(trees: list[str]) -> str:
    names = ", ".join(trees)
    return f"for {names} in {names}" if len(trees) == 1 else f"for {names} in zip({names})"


class _Text:
    """Stands in for an array and records the expression."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def _join(self, left: Any, sign: str, right: Any) -> "_Text":
        return _Text(f"({left} {sign} {right})")

    def __add__(self, other: Any) -> "_Text":
        return self._join(self, "+", other)

    def __radd__(self, other: Any) -> "_Text":
        return self._join(other, "+", self)

    def __sub__(self, other: Any) -> "_Text":
        return self._join(self, "-", other)

    def __rsub__(self, other: Any) -> "_Text":
        return self._join(other, "-", self)

    def __mul__(self, other: Any) -> "_Text":
        return self._join(self, "*", other)

    def __rmul__(self, other: Any) -> "_Text":
        return self._join(other, "*", self)

    def __truediv__(self, other: Any) -> "_Text":
        return self._join(self, "/", other)

    def __rtruediv__(self, other: Any) -> "_Text":
        return self._join(other, "/", self)

    def __neg__(self) -> "_Text":
        return _Text(f"(-{self})")


class _TextNamespace:
    """`jnp` whose functions write themselves."""

    pi, e = _Text("jnp.pi"), _Text("jnp.e")

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: _Text(f"jnp.{name}({', '.join(map(str, arguments))})")


class _TextLayout:
    """Sums over lists of tensors; those over the whole tree become lines of their own."""

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self._kinds = kinds
        self.lines: list[str] = []

    def total(self, x: _Text, kind: Kind) -> _Text:
        if kind == SCALAR:
            return x
        trees = [name for name, k in self._kinds.items() if k != SCALAR]
        widest = next(name for name, k in self._kinds.items() if k == kind)
        inside = str(x)
        if kind == TREE and not re.search(rf"\b{widest}\b", inside):
            inside = f"jnp.broadcast_to({x}, {widest}.shape)"
        inside = f"jnp.sum({_bare(inside)})" if kind == TREE else inside
        name = f"total{len(self.lines)}"
        self.lines.append(f"{name} = sum({inside} {_over(trees)})")
        return _Text(name)

    def per_tensor(self, x: _Text, kind: Kind) -> _Text:
        return x if kind in (SCALAR, NODE_SCALARS) else _Text(f"jnp.sum({x})")
