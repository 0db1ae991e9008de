"""Runs a data-flow graph on flat values whose kinds are known: the probe in numpy, the compiled path in jax."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isozyme.spaces.lion.graph import COMPUTE, Graph
from isozyme.spaces.lion.operations import SCALAR, TREE, Kind
from isozyme.spaces.lion.program import INPUTS

_Compute = Callable[[Any], Any]  # All values by their nodes -> one more value.
_Item = tuple[int, _Compute]
_W, _G, _V1, _V2, _LR = range(len(INPUTS))


class FlatLayout:
    """Sums over a flat value whose kind is known when the program is laid out.

    Args:
      sizes: number of elements of each tensor.
      namespace: numpy or jax.numpy.
      dtype: of literals; the caller's arrays decide the rest.
    """

    def __init__(self, sizes: Sequence[int], namespace: Any = np, dtype: Any = np.float64) -> None:
        self.namespace = namespace
        self._dtype = dtype
        self.size = sum(sizes)
        self._starts = np.cumsum([0, *sizes[:-1]])
        self._tensor = np.repeat(np.arange(len(sizes)), sizes)

    def literal(self, number: float) -> Any:
        # An array, since plain Python numbers raise where arrays overflow.
        return self.namespace.asarray(number, self._dtype)

    def total(self, x: Any, kind: Kind) -> Any:
        if kind == SCALAR:
            return x
        x = self._spread(x)
        return (x if kind == TREE else x[..., self._starts]).sum(-1, keepdims=x.ndim > 1)

    def per_tensor(self, x: Any, kind: Kind) -> Any:
        if kind != TREE:
            return x
        if self.namespace is np:
            return np.add.reduceat(x, self._starts, -1)[..., self._tensor]
        ends = [*self._starts[1:], self.size]
        sums = [self.namespace.sum(x[start:end]) for start, end in zip(self._starts, ends, strict=True)]
        return self.namespace.stack(sums)[self._tensor]

    def _spread(self, x: Any) -> Any:
        shape = self.namespace.shape(x)
        return x if shape[-1:] == (self.size,) else self.namespace.broadcast_to(x, (*shape[:-1], self.size))


def step_function(graph: Graph, layout: FlatLayout) -> Callable[..., tuple[Any, Any, Any]]:
    """One step of a program as an ordinary function of flat arrays; jax may trace it.

    Args:
      graph: the program.
      layout: the tensors that the flat values stand for.

    Returns:
      (w, g, v1, v2, lr) -> (update, v1, v2), all of shape [size] but the scalar lr; a dead state is handed back as it
      came.
    """
    fixed, plan = _plan(graph, layout)

    def step(*inputs: Any) -> tuple[Any, Any, Any]:
        values = dict(enumerate(inputs)) | fixed
        for index, compute in plan:
            values[index] = compute(values)
        v1 = inputs[2] if graph.v1 is None else values[graph.v1]
        v2 = inputs[3] if graph.v2 is None else values[graph.v2]
        return values[graph.update], v1, v2

    return step


def updates(graph: Graph, layout: FlatLayout, w: np.ndarray, gradients: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """The updates of a program that starts at w with states of zeros, in numpy; each is taken from w.

    What depends on neither w nor a state is computed for all steps in one call; the loop takes rows of it.

    Args:
      graph: the program.
      layout: the tensors that the flat values stand for.
      w: weights, [size].
      gradients: [steps, size].
      rates: lr of each step, [steps].

    Returns:
      [steps, size].
    """
    fixed, plan = _plan(graph, layout)
    known, repeated = _hoist(graph, plan, fixed | {_G: gradients, _LR: rates[:, None]})
    values: list[Any] = [known.get(i) for i in range(len(graph.values))]
    values[_W], values[_V1], values[_V2] = w, np.zeros_like(w), np.zeros_like(w)
    update, v1, v2 = graph.update, *(old if new is None else new for old, new in ((_V1, graph.v1), (_V2, graph.v2)))
    read = {update, v1, v2, *[i for index, _ in repeated for i in graph.values[index].inputs]}
    # One number a step as an array without axes: numpy takes it faster than a row of one element, or the bare number.
    rows = [
        (index, x if x.shape[1] == layout.size else [row[0, ...] for row in x])
        for index, x in known.items()
        if index in read and x.ndim == 2
    ]
    result = np.empty_like(gradients)
    for t in range(len(gradients)):
        for index, x in rows:
            values[index] = x[t]
        for index, compute in repeated:
            values[index] = compute(values)
        result[t] = values[update]
        # At once, since a new state may be w or the other state.
        values[_W], values[_V1], values[_V2] = values[_W] - values[update], values[v1], values[v2]
    return result


def _hoist(graph: Graph, plan: list[_Item], known: dict[int, Any]) -> tuple[dict[int, Any], list[_Item]]:
    """Computes all that follows from what is known, for all steps in one call; the rest has to be done step by step."""
    repeated: list[_Item] = []
    for index, compute in plan:
        if known.keys() >= set(graph.values[index].inputs):
            known[index] = compute(known)
        else:
            repeated.append((index, compute))
    return known, repeated


def _plan(graph: Graph, layout: FlatLayout) -> tuple[dict[int, Any], list[_Item]]:
    """What no input changes, done here once, and the functions of the other nodes in order."""
    fixed: dict[int, Any] = {}
    plan: list[_Item] = []
    for index in range(len(INPUTS), len(graph.values)):
        operation, inputs, literal, _ = graph.values[index]
        if operation is None:
            fixed[index] = layout.literal(literal)
        elif not inputs:
            fixed[index] = layout.literal(COMPUTE[operation].compute(layout.namespace, layout, SCALAR))
        else:
            kind = max([graph.values[i].kind for i in inputs])
            plan.append((index, _bind(COMPUTE[operation].compute, layout, kind, inputs)))
    return fixed, plan


def _bind(compute: Callable[..., Any], layout: FlatLayout, kind: Kind, operands: tuple[int, ...]) -> _Compute:
    """An operation as a function of all values. Operands written out take half the time of a starred list."""
    namespace = layout.namespace
    match operands:
        case (a,):
            return lambda values: compute(namespace, layout, kind, values[a])
        case a, b:
            return lambda values: compute(namespace, layout, kind, values[a], values[b])
        case a, b, c, d:
            return lambda values: compute(namespace, layout, kind, values[a], values[b], values[c], values[d])
    raise AssertionError("no operation takes another number of operands")
