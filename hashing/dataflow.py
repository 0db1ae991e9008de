"""Digest of a data-flow graph: blind to names and to the order of statements and of commutative operands."""

from collections.abc import Sequence
from typing import NamedTuple

from isozyme.hashing.digest import digest


class Node(NamedTuple):
    """One value: `label` says what computes it, `inputs` index earlier nodes."""

    label: str
    inputs: tuple[int, ...] = ()
    commutative: bool = False


def input_node(index: int) -> Node:
    """The node of an input."""
    return Node(f"input {index}")


def constant_node(value: float) -> Node:
    """The node of a number, labelled by its exact value."""
    return Node(f"constant {float(value).hex()}")


def live_nodes(nodes: Sequence[Node], roots: Sequence[int]) -> set[int]:
    """Indices of the nodes that some root needs, the roots included."""
    live = set(roots)
    for index in range(len(nodes) - 1, -1, -1):
        if index in live:
            live.update(nodes[index].inputs)
    return live


def graph_digest(nodes: Sequence[Node], roots: Sequence[int]) -> bytes:
    """Numbers values by content (Lion, arXiv 2302.06675, section 2.2, with commutative operands ordered).

    Args:
      nodes: in an order where inputs come first; nodes that no root needs change nothing.
      roots: the values that matter, in order.
    """
    live = live_nodes(nodes, roots)
    numbers: dict[int, bytes] = {}
    for index, node in enumerate(nodes):
        if index in live:
            inputs = [numbers[i] for i in node.inputs]
            numbers[index] = digest(node.label.encode(), *(sorted(inputs) if node.commutative else inputs))
    return digest(*(numbers[root] for root in roots))
