"""The data flow of a Python function over arrays, found by running it once on symbols instead of arrays.

numpy hands operations on a symbol over to the symbol, which writes them down: operators, numpy's elementwise functions
and those of `_FUNCTIONS`. All else is refused, and a function that was refused anything, even if it goes on, has no
trace: only its behaviour tells.
"""

import random
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from isozyme.hashing.behaviour import as_float64, reproducible
from isozyme.hashing.dataflow import Node, constant_node, graph_digest, input_node
from isozyme.hashing.digest import digest

_DTYPES = [np.dtype(np.float64), np.dtype(np.int64), np.dtype(bool)]  # of what is written down
_FLOAT = _DTYPES[0]
_COMMUTATIVE = {np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.equal, np.not_equal, np.hypot}
_COMMUTATIVE |= {np.logical_and, np.logical_or, np.logical_xor, np.bitwise_and, np.bitwise_or, np.bitwise_xor}
_COMMUTATIVE |= {np.logaddexp, np.logaddexp2}
# How many parameters are arrays, and the names of all; the others are None or False if not given.
_REDUCTION = ("a", "axis", "dtype", "out", "keepdims")
_FUNCTIONS: dict[Any, tuple[int, tuple[str, ...]]] = {
    np.where: (3, ("condition", "x", "y")),
    np.clip: (3, ("a", "a_min", "a_max")),
    np.dot: (2, ("a", "b")),
    np.outer: (2, ("a", "b")),
    np.transpose: (1, ("a", "axes")),
    np.cumsum: (1, ("a", "axis", "dtype", "out")),
    np.sum: (1, _REDUCTION),
    np.prod: (1, _REDUCTION),
    np.mean: (1, _REDUCTION),
    np.max: (1, ("a", "axis", "out", "keepdims")),
    np.min: (1, ("a", "axis", "out", "keepdims")),
    np.std: (1, ("a", "axis", "dtype", "out", "ddof", "keepdims")),
    np.var: (1, ("a", "axis", "dtype", "out", "ddof", "keepdims")),
}
_METHODS = {f.__name__: f for f in (np.clip, np.dot, np.cumsum, np.sum, np.prod, np.mean, np.std, np.var)}
_METHODS |= {"max": np.max, "min": np.min}


def trace(function: Callable[..., Any], arity: int) -> tuple[list[Node], list[int]] | None:
    """Writes down what a pure function of float64 arrays computes.

    Args:
      function: must not look at the types of its arguments or change anything outside.
      arity: number of its arguments.

    Returns:
      Nodes, labelled by the names of numpy's functions, and the indices of the outputs in order. None where that cannot
      be told: decisions on values, writes into arrays, random numbers, shapes, unknown functions, an exception.
    """
    tracer = _Tracer()
    with reproducible():
        try:
            outputs = function(*[tracer.record(input_node(index), _FLOAT) for index in range(arity)])
            roots = [
                output.index if isinstance(output, Symbol) else tracer.constant(as_float64(output))
                for output in (outputs if isinstance(outputs, tuple | list) else [outputs])
            ]
        except Exception:
            return None
        if tracer.refused or (random.random(), np.random.random()) != _first_draws():
            return None
    return tracer.nodes, roots


def static_callable_key(function: Callable[..., Any], arity: int) -> bytes | None:
    """Key of a function's data flow, found without computing anything; None where `trace` finds none.

    Equal keys mean equal behaviour, but for the rounding of commuted operands. Names, dead code, repeated computations
    and the order of statements and commutative operands do not matter.
    """
    traced = trace(function, arity)
    return None if traced is None else digest(b"callable", graph_digest(*traced))


@cache
def _first_draws() -> tuple[float, float]:
    """What the global generators draw first, if nobody has drawn before."""
    with reproducible():
        return random.random(), np.random.random()


class Refused(TypeError):
    """What a function asked of a symbol cannot be written down."""


class _Tracer:
    """Writes nodes down; `refused` once there was something that it could not."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.refused = False

    def refuse(self) -> NoReturn:
        self.refused = True
        raise Refused("not traceable")

    def add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def record(self, node: Node, dtype: np.dtype) -> "Symbol":
        if dtype not in _DTYPES:
            self.refuse()
        return Symbol(self, self.add(node), dtype)

    def constant(self, array: np.ndarray) -> int:
        if array.dtype == _FLOAT and array.ndim == 0:
            return self.add(constant_node(float(array)))
        return self.add(Node(f"array {array.dtype} {array.shape} {array.tobytes().hex()}"))

    def operand(self, value: Any, dtype: np.dtype) -> int:
        """The node of an operand that numpy casts to `dtype`: so 2 and 2.0 are one where both become floats."""
        return value.index if isinstance(value, Symbol) else self.constant(np.asarray(value).astype(dtype))

    def elementwise(self, ufunc: np.ufunc, method: str, inputs: tuple, options: Mapping[str, Any]) -> "Symbol":
        name = ufunc.__name__
        if method != "__call__" or options or ufunc.nout != 1 or getattr(np, name, None) is not ufunc:
            self.refuse()
        *dtypes, result = ufunc.resolve_dtypes((*map(_dtype, inputs), None))
        operands = tuple(map(self.operand, inputs, dtypes))
        return self.record(Node(name, operands, ufunc in _COMMUTATIVE), result)

    def function(self, function: Any, positional: tuple, named: Mapping[str, Any]) -> "Symbol":
        arrays, names = _FUNCTIONS[function]
        given = dict(zip(names, positional, strict=False)) | dict(named)
        if len(given) != len(positional) + len(named) or not set(names[:arrays]) <= set(given) <= set(names):
            self.refuse()
        # Only a float result: sums of booleans and the like have types of their own. A condition has no say in it.
        values = [given[name] for name in names[:arrays] if name != "condition" and given[name] is not None]
        if np.result_type(*[v._dtype if isinstance(v, Symbol) else v for v in values]) != _FLOAT:
            self.refuse()
        settings = {name: given[name] for name in names[arrays:] if name in given}
        settings = {name: setting for name, setting in settings.items() if setting is not None and setting is not False}
        if not all(map(_is_plain, settings.values())):
            self.refuse()
        label = " ".join([function.__name__, *(f"{name}={setting!r}" for name, setting in settings.items())])
        return self.record(Node(label, tuple(self._argument(name, given[name]) for name in names[:arrays])), _FLOAT)

    def _argument(self, name: str, value: Any) -> int:
        if value is None:  # An open end of clip.
            return self.add(Node("none"))
        return self.operand(value, np.dtype(bool) if name == "condition" else _FLOAT)


class Symbol(NDArrayOperatorsMixin):
    """Stands for an array of any shape. Operators come from the mixin, which calls numpy's elementwise functions."""

    def __init__(self, tracer: _Tracer, index: int, dtype: np.dtype) -> None:
        self.index, self._tracer, self._dtype = index, tracer, dtype

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> "Symbol":
        try:
            return self._tracer.elementwise(ufunc, method, inputs, options)
        except Exception:
            self._tracer.refuse()

    def __array_function__(self, function: Any, types: Any, positional: tuple, named: Mapping[str, Any]) -> "Symbol":
        try:
            return self._tracer.function(function, positional, named)
        except Exception:
            self._tracer.refuse()

    def __getitem__(self, index: Any) -> "Symbol":
        if not _is_plain(index):
            self._tracer.refuse()
        return self._tracer.record(Node(f"getitem {index!r}", (self.index,)), self._dtype)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return partial(_METHODS[name], self)
        if name == "T":
            return self.__array_function__(np.transpose, (), (self,), {})
        if not hasattr(np.ndarray, name):
            raise AttributeError(name)  # As an array would.
        return self._tracer.refuse()


def _refuse(symbol: Symbol, *_: Any, **__: Any) -> NoReturn:
    symbol._tracer.refuse()


# Looked up in the class, so `__getattr__` would not see them.
for _name in ("array", "bool", "complex", "float", "index", "int", "round", "format", "repr", "str"):
    setattr(Symbol, f"__{_name}__", _refuse)
for _name in ("contains", "delitem", "iter", "len", "setitem"):
    setattr(Symbol, f"__{_name}__", _refuse)


def _dtype(value: Any) -> Any:
    """The type that numpy reckons with: Python's own numbers adapt to that of the other operand."""
    if isinstance(value, Symbol):
        return value._dtype
    return type(value) if type(value) in (int, float) else np.asarray(value).dtype


def _is_plain(setting: Any) -> bool:
    """Whether the text of an index or setting says all of it."""
    if isinstance(setting, slice):
        return all(map(_is_plain, (setting.start, setting.stop, setting.step)))
    if type(setting) is tuple:
        return all(map(_is_plain, setting))
    return setting is None or type(setting) in (bool, int, EllipsisType)
