"""What fixes the shapes of all weights; needs no jax, so that a config can ask for a table's inputs."""

from typing import NamedTuple

from isozyme.evaluators.datasets import Table


class Shape(NamedTuple):
    """The widest network on a table.

    Attributes:
      numeric: number of numeric columns.
      vocabularies: sizes of the vocabularies, one a categorical column.
      layers: number of hidden layers.
      widest: the largest width of a layer.
      classes: how many, or None where a number is predicted.
    """

    numeric: int
    vocabularies: tuple[int, ...]
    layers: int
    widest: int
    classes: int | None

    @property
    def inputs(self) -> int:
        """Numbers that the first layer reads: the numeric columns, and an embedding of each categorical one."""
        return self.numeric + sum(map(embedding_size, self.vocabularies))

    @property
    def outputs(self) -> int:
        """Classes, or 1 where a number is predicted."""
        return self.classes or 1


def shape_of(table: Table, layers: int, widest: int) -> Shape:
    """The shape for a table."""
    classes = table.classes if table.kind == "classes" else None
    return Shape(table.numeric.shape[1], tuple(table.sizes), layers, widest, classes)


def embedding_size(vocabulary: int) -> int:
    """Numbers that stand for a category: 1.6 v^0.56, rounded and at most 600, the rule of fast.ai."""
    return min(600, round(1.6 * vocabulary**0.56))
