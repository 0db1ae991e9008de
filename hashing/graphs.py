"""Computation graphs: evaluated in numpy, and keyed by what they compute on the stock inputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isozyme.hashing.callables import callable_key
from isozyme.hashing.dataflow import Node, live_nodes
from isozyme.hashing.digest import MANTISSA_BITS

_INPUT, _CONSTANT = "input ", "constant "


def evaluate(
    nodes: Sequence[Node], roots: Sequence[int], operations: Mapping[str, Callable[..., Any]], inputs: Sequence[Any]
) -> list[Any]:
    """Values of the roots, in order.

    Args:
      nodes: in an order where inputs come first. The label "input 0" is the first of `inputs`, "constant 0x1.8p+0" the
        number that `float.hex` writes so; any other label names an operation.
      roots: the values asked for; nodes that none of them needs are not computed.
      operations: functions by label, called with the values of a node's inputs, which they must not
        write into.
      inputs: arrays or numbers.

    Raises:
      ValueError: a label that is neither an input, a constant nor an operation.
    """
    live = live_nodes(nodes, roots)
    check_labels([nodes[index] for index in sorted(live)], operations, len(inputs))
    values: dict[int, Any] = {}
    for index in sorted(live):
        label, operands, _ = nodes[index]
        if label.startswith(_INPUT):
            values[index] = inputs[int(label.removeprefix(_INPUT))]
        elif label.startswith(_CONSTANT):
            values[index] = float.fromhex(label.removeprefix(_CONSTANT))
        else:
            values[index] = operations[label](*(values[i] for i in operands))
    return [values[root] for root in roots]


def graph_key(
    nodes: Sequence[Node],
    roots: Sequence[int],
    operations: Mapping[str, Callable[..., Any]],
    shapes: Sequence[Sequence[int]],
    mantissa_bits: int = MANTISSA_BITS,
) -> bytes:
    """Key of a graph's behaviour: that of the function it computes, so `callable_key` of that function is equal.

    Args:
      nodes: as for `evaluate`.
      roots: the values that matter, in order.
      operations: functions by label. An exception that one raises is part of the behaviour.
      shapes: of the inputs.
      mantissa_bits: as for `callable_key`.

    Raises:
      ValueError: as for `evaluate`.
      TypeError: a root is not made of numbers.
    """
    live = live_nodes(nodes, roots)
    check_labels([nodes[index] for index in sorted(live)], operations, len(shapes))
    return callable_key(lambda *inputs: evaluate(nodes, roots, operations, inputs), shapes, mantissa_bits)


def check_labels(nodes: Sequence[Node], operations: Mapping[str, Callable[..., Any]], inputs: int) -> None:
    """Raises ValueError if a node is no constant, none of so many inputs and no operation."""
    known = {f"{_INPUT}{index}" for index in range(inputs)}
    for label, _, _ in nodes:
        if label not in known and label not in operations and not label.startswith(_CONSTANT):
            raise ValueError(f"{label!r} is none of {inputs} inputs, no constant and no operation")
