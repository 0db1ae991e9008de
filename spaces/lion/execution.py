"""Runs a data-flow graph on flat values whose kinds are known: the probe in numpy, the compiled path in jax."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from isozyme.spaces.lion.graph import COMPUTE, Graph
from isozyme.spaces.lion.operations import NODE_SCALARS, SCALAR, Kind
from isozyme.spaces.lion.program import INPUTS


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
        if kind == NODE_SCALARS:
            return self.namespace.sum(self._spread(x)[self._starts])
        return self.namespace.sum(self._spread(x))

    def per_tensor(self, x: Any, kind: Kind) -> Any:
        if kind in (SCALAR, NODE_SCALARS):
            return x
        ends = [*self._starts[1:], self.size]
        sums = [self.namespace.sum(x[start:end]) for start, end in zip(self._starts, ends, strict=True)]
        return self.namespace.stack(sums)[self._tensor]

    def _spread(self, x: Any) -> Any:
        return self.namespace.broadcast_to(x, (self.size,))


def step_function(graph: Graph, layout: FlatLayout) -> Callable[..., tuple[Any, Any, Any]]:
    """One step of a program as an ordinary function of flat arrays; jax may trace it.

    Args:
      graph: the program.
      layout: the tensors that the flat values stand for.

    Returns:
      (w, g, v1, v2, lr) -> (update, v1, v2), all of shape [size] but the scalar lr; a dead state is handed back as it
      came.
    """
    namespace = layout.namespace
    # Everything that no input changes is done here, once.
    fixed: dict[int, Any] = {}
    plan: list[tuple[int, Callable[..., Any], Kind, tuple[int, ...]]] = []
    for index in range(len(INPUTS), len(graph.values)):
        value = graph.values[index]
        if value.operation is None:
            fixed[index] = layout.literal(value.literal)
        elif not value.inputs:
            fixed[index] = layout.literal(COMPUTE[value.operation].compute(namespace, layout, SCALAR))
        else:
            kind = max(graph.values[i].kind for i in value.inputs)
            plan.append((index, COMPUTE[value.operation].compute, kind, value.inputs))

    def step(*inputs: Any) -> tuple[Any, Any, Any]:
        values = dict(enumerate(inputs)) | fixed
        for index, compute, kind, operands in plan:
            values[index] = compute(namespace, layout, kind, *[values[i] for i in operands])
        v1 = inputs[2] if graph.v1 is None else values[graph.v1]
        v2 = inputs[3] if graph.v2 is None else values[graph.v2]
        return values[graph.update], v1, v2

    return step
