"""The 45 functions of the Lion space (lion.md, section 3), each defined once over an array namespace.

Values live on one flat vector that holds all tensors of w end to end. A value has a kind: a SCALAR is the same number
everywhere, NODE_SCALARS holds one number a tensor, a TREE has w's own shapes. Elementwise work ignores kinds;
reductions ask the `Layout` for sums, which must count a scalar once and a tree of scalars once a tensor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Kind = int
SCALAR, NODE_SCALARS, TREE = 0, 1, 2
EPSILON = 1e-8  # Built into division, as in the release.


class Layout(Protocol):
    """Sums over a flat value, by its kind."""

    def total(self, x: Any, kind: Any) -> Any:
        """Sum over all elements; a scalar has one element, a tree of scalars one a tensor."""
        ...

    def per_tensor(self, x: Any, kind: Any) -> Any:
        """Sum over the elements of each tensor, repeated to the tensor's elements."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """One function of the space.

    Attributes:
      name: as written in source; infix operators bear their sign.
      group: 'constant', 'tree', 'unary' or 'model', as in lion.md section 3.
      arity: number of arguments.
      compute: (namespace, layout, kind, *arguments) -> value, where kind is the widest of the arguments' kinds.
      signature: the result's kind from the arguments' kinds, or None where they do not fit.
      commutative: whether the order of the two operands is immaterial.
    """

    name: str
    group: str
    arity: int
    compute: Callable[..., Any]
    signature: Callable[[Sequence[Kind]], Kind | None] = max
    commutative: bool = False

    def result(self, kinds: Sequence[Kind]) -> Kind | None:
        """Kind of the result, or None where the operands do not fit."""
        return self.signature(kinds)


def _scalar(kinds: Sequence[Kind]) -> Kind:
    del kinds
    return SCALAR


def _norm_kind(kinds: Sequence[Kind]) -> Kind:
    return min(kinds[0], NODE_SCALARS)


def _clip_kind(kinds: Sequence[Kind]) -> Kind | None:
    return kinds[0] if kinds[1] == SCALAR else None


def _constant(name: str, value: Callable[[Any], float]) -> Operation:
    return Operation(name, "constant", 0, lambda xp, layout, kind: value(xp), _scalar)


def _unary(name: str, function: Callable[[Any, Any], Any]) -> Operation:
    return Operation(name, "unary", 1, lambda xp, layout, kind, x: function(xp, x))


def _binary(name: str, function: Callable[[Any, Any, Any], Any], commutative: bool, group: str = "tree") -> Operation:
    return Operation(name, group, 2, lambda xp, layout, kind, x, y: function(xp, x, y), commutative=commutative)


def _norm(xp: Any, layout: Layout, kind: Any, x: Any) -> Any:
    return xp.sqrt(layout.per_tensor(x * x, kind))


def _global_norm(xp: Any, layout: Layout, kind: Any, x: Any) -> Any:
    return xp.sqrt(layout.total(x * x, kind))


def _dot(xp: Any, layout: Layout, kind: Any, x: Any, y: Any) -> Any:
    return layout.total(x * y, kind)


def _cosine_sim(xp: Any, layout: Layout, kind: Any, x: Any, y: Any) -> Any:
    lengths = xp.sqrt(layout.total(x * x, kind)) * xp.sqrt(layout.total(y * y, kind))
    return layout.total(x * y, kind) / (lengths + EPSILON)


def _clip_by_global_norm(xp: Any, layout: Layout, kind: Any, x: Any, limit: Any) -> Any:
    return x * xp.minimum(1.0, limit / xp.sqrt(layout.total(x * x, kind)))


_UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "abs": lambda xp, x: xp.abs(x),
    "cos": lambda xp, x: xp.cos(x),
    "sin": lambda xp, x: xp.sin(x),
    "tan": lambda xp, x: xp.tan(x),
    "arcsin": lambda xp, x: xp.arcsin(x),
    "arccos": lambda xp, x: xp.arccos(x),
    "arctan": lambda xp, x: xp.arctan(x),
    "sinh": lambda xp, x: xp.sinh(x),
    "cosh": lambda xp, x: xp.cosh(x),
    "tanh": lambda xp, x: xp.tanh(x),
    "arcsinh": lambda xp, x: xp.arcsinh(x),
    "arccosh": lambda xp, x: xp.arccosh(x),
    "arctanh": lambda xp, x: xp.arctanh(x),
    "exp": lambda xp, x: xp.exp(x),
    "exp2": lambda xp, x: xp.exp2(x),
    "exp10": lambda xp, x: xp.power(10.0, x),
    "expm1": lambda xp, x: xp.expm1(x),
    "log": lambda xp, x: xp.log(xp.abs(x)),
    "log10": lambda xp, x: xp.log10(xp.abs(x)),
    "log2": lambda xp, x: xp.log2(xp.abs(x)),
    "log1p": lambda xp, x: xp.log(xp.abs(1.0 + x)),
    "square": lambda xp, x: x * x,
    "sqrt": lambda xp, x: xp.sqrt(xp.abs(x)),
    "cube": lambda xp, x: x * x * x,
    "cbrt": lambda xp, x: xp.cbrt(x),
    "sign": lambda xp, x: xp.sign(x),
    "reciprocal": lambda xp, x: 1.0 / x,
    "negative": lambda xp, x: -x,
    # Bitwise NOT of an integer n is -n - 1. The release refuses floats, so that its `invert` can never apply; here it
    # takes the integer part (our choice).
    "invert": lambda xp, x: -xp.trunc(x) - 1.0,
}

_ALL = [
    _constant("get_pi", lambda xp: xp.pi),
    _constant("get_e", lambda xp: xp.e),
    _constant("get_eps", lambda xp: EPSILON),
    _binary("+", lambda xp, x, y: x + y, commutative=True),
    _binary("-", lambda xp, x, y: x - y, commutative=False),
    _binary("*", lambda xp, x, y: x * y, commutative=True),
    _binary("/", lambda xp, x, y: x / (y + EPSILON), commutative=False),
    _binary("max", lambda xp, x, y: xp.maximum(x, y), commutative=True),
    _binary("min", lambda xp, x, y: xp.minimum(x, y), commutative=True),
    *(_unary(name, function) for name, function in _UNARY.items()),
    Operation("norm", "unary", 1, _norm, _norm_kind),
    Operation("global_norm", "model", 1, _global_norm, _scalar),
    Operation("dot", "model", 2, _dot, _scalar, commutative=True),
    Operation("cosine_sim", "model", 2, _cosine_sim, _scalar, commutative=True),
    Operation("clip_by_global_norm", "model", 2, _clip_by_global_norm, _clip_kind),
    # The graph hands 1 - a over as a fourth operand, so that a literal's complement is taken in double precision:
    # 1 - 0.999 is off by 5e-5 in float32.
    Operation("interpolate", "model", 3, lambda xp, layout, kind, x, y, a, complement: complement * x + a * y),
    _binary("power", lambda xp, x, y: xp.power(x, y), commutative=False, group="model"),
]

OPERATIONS: dict[str, Operation] = {operation.name: operation for operation in _ALL}
INFIX = ("+", "-", "*", "/")
# Not part of the space, and no program can name them: what a graph needs besides,
COMPLEMENT = _unary("1-", lambda xp, x: 1.0 - x)
# and pairs that an interpreter runs as one instruction, since starting one costs more than the arithmetic.
MULTIPLY_ADD = Operation("*+", "fused", 3, lambda xp, layout, kind, x, y, z: x * y + z)
SUBTRACT_PRODUCT = Operation("-*", "fused", 3, lambda xp, layout, kind, x, y, z: z - x * y)
DIVIDE_BY_ROOT = Operation("/sqrt", "fused", 2, lambda xp, layout, kind, x, y: x / (xp.sqrt(xp.abs(y)) + EPSILON))
COPY = _unary("copy", lambda xp, x: x)
