"""Networks for a table: what its columns and its target make of inputs and outputs; needs no jax."""

from collections.abc import Sequence

from isozyme.evaluators.datasets import Table
from isozyme.spaces.networks import Columns, Embedding, Network
from isozyme.spaces.tabnas import feed_forward


def network_for(table: Table, widths: Sequence[int]) -> Network:
    """Describes the network with these hidden widths: its outputs are classes, or one number."""
    return feed_forward(widths, columns_of(table), table.classes if table.kind == "classes" else 1)


def columns_of(table: Table) -> Columns:
    """Describes what enters the first layer: the numeric columns, and an embedding of each categorical one."""
    embeddings = tuple(Embedding(vocabulary, embedding_size(vocabulary)) for vocabulary in table.sizes)
    return Columns(table.numeric.shape[1], embeddings)


def embedding_size(vocabulary: int) -> int:
    """Tells how many numbers stand for a category: 1.6 v^0.56, rounded and at most 600, the rule of fast.ai."""
    return min(600, round(1.6 * vocabulary**0.56))
