"""What a candidate is: a network as `spaces.networks` describes it, and its size by the one counter."""

from collections.abc import Sequence

from isozyme.spaces.networks import Activation, Columns, Dense, Network, count


def feed_forward(widths: Sequence[int], inputs: int | Columns, outputs: int) -> Network:
    """Describes dense layers with ReLU between them.

    Args:
      widths: of the hidden layers.
      inputs: numbers that the first layer reads, or the columns of a table.
      outputs: classes, or 1 where a number is predicted.
    """
    hidden = tuple(layer for width in widths for layer in (Dense(width), Activation("relu")))
    return Network(inputs if isinstance(inputs, Columns) else (inputs,), (*hidden, Dense(outputs)))


def parameters(widths: Sequence[int], inputs: int, outputs: int) -> int:
    """Counts weights and biases: Σ (h_i + 1) h_{i+1} from inputs over widths to outputs (tabnas.md, section 2)."""
    return count(feed_forward(widths, inputs, outputs)).params
